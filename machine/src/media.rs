//! Puts images in drives, and drives on cables.

use rax_devices::{Disc, Floppy, IdeDrive};

use crate::board::{Fittings, Place};
use crate::cli::MediaOptions;
use crate::host::{ImageError, ImageProblem, Medium, open_image};

/// The places that CDs take, as far as disks have left them free: the second
/// channel first, as in PCs that were sold.
const CD_PLACES: [Place; 4] = [
    Place::SecondaryMaster,
    Place::SecondarySlave,
    Place::PrimaryMaster,
    Place::PrimarySlave,
];

/// Opens all images and plugs them in.
///
/// # Errors
/// The first image that cannot be used.
pub fn plug(options: &MediaOptions, fittings: &mut Fittings) -> Result<(), ImageError> {
    for (place, image) in fittings.drives.iter_mut().zip(&options.disks) {
        *place = Some(IdeDrive::disk(open_image(Medium::Disk, image)?));
    }
    for image in &options.cdroms {
        let mut places = CD_PLACES.map(|place| place as usize).into_iter();
        let Some(free) = places.find(|&place| fittings.drives[place].is_none()) else {
            break; // The command line has counted them.
        };
        let disc = Disc::new(open_image(Medium::Cdrom, image)?);
        fittings.drives[free] = Some(IdeDrive::cd_rom(Some(disc)));
    }
    for image in &options.floppies {
        let disk = open_image(Medium::Floppy, image)?;
        let floppy = Floppy::new(disk).map_err(|error| ImageError {
            medium: Medium::Floppy,
            path: image.path.clone(),
            problem: ImageProblem::NotAFloppy {
                sectors: error.sectors,
            },
        })?;
        fittings.floppies.push(Some(floppy));
    }
    fittings.boot_order = options.boot_order();
    Ok(())
}
