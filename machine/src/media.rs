//! Puts images in drives, and drives on cables.

use rax_devices::{Disc, Floppy, IdeDrive};

use crate::board::{Fittings, Place};
use crate::cli::MediaOptions;
use crate::host::{ImageError, ImageOptions, ImageProblem, Medium, open_image};

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
        fittings.drives[free] = Some(IdeDrive::cd_rom(Some(disc(image)?)));
    }
    for image in &options.floppies {
        fittings.floppies.push(Some(floppy(image)?));
    }
    fittings.boot_order = options.boot_order();
    Ok(())
}

/// A CD from an image.
///
/// # Errors
/// When the image cannot be used.
pub fn disc(image: &ImageOptions) -> Result<Disc, ImageError> {
    Ok(Disc::new(open_image(Medium::Cdrom, image)?))
}

/// A floppy disk from an image.
///
/// # Errors
/// When the image cannot be used, or has the size of no floppy disk.
pub fn floppy(image: &ImageOptions) -> Result<Floppy, ImageError> {
    let disk = open_image(Medium::Floppy, image)?;
    Floppy::new(disk).map_err(|error| ImageError {
        medium: Medium::Floppy,
        path: image.path.clone(),
        problem: ImageProblem::NotAFloppy {
            sectors: error.sectors,
        },
    })
}
