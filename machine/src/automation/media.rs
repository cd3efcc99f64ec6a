//! Media that a script changes.

use super::StepProblem;
use crate::board::Place;
use crate::host::{Access, ImageOptions};
use crate::machine::Machine;
use crate::media;

/// A drive that a script can name.
enum Drive {
    Floppy(usize),
    CdRom,
}

fn drive(name: &str) -> Result<Drive, StepProblem> {
    match name {
        "a" | "fd0" => Ok(Drive::Floppy(0)),
        "b" | "fd1" => Ok(Drive::Floppy(1)),
        "cd" | "cd0" | "cdrom" => Ok(Drive::CdRom),
        _ => Err(StepProblem::NoDrive(name.into())),
    }
}

/// Puts an image into a drive: `FILE`, `FILE,readonly` or `FILE,snapshot`.
pub(super) fn insert(machine: &mut Machine, name: &str, image: &str) -> Result<(), StepProblem> {
    let which = drive(name)?;
    let (path, access) = match image.rsplit_once(',') {
        Some((path, "readonly")) => (path, Access::ReadOnly),
        Some((path, "snapshot")) => (path, Access::Snapshot),
        _ => (image, Access::ReadWrite),
    };
    let options = ImageOptions::new(path, access);
    match which {
        Drive::Floppy(number) => {
            machine.insert_floppy(number, media::floppy(&options)?);
            Ok(())
        }
        Drive::CdRom => {
            let mut disc = media::disc(&options)?;
            for place in Place::ALL {
                match machine.insert_cd(place, disc) {
                    Ok(_) => return Ok(()),
                    Err(back) => disc = back,
                }
            }
            Err(StepProblem::NoDrive(name.into()))
        }
    }
}

/// Takes the medium out of a drive; an empty one stays empty.
pub(super) fn eject(machine: &Machine, name: &str) -> Result<(), StepProblem> {
    match drive(name)? {
        Drive::Floppy(number) => drop(machine.eject_floppy(number)),
        Drive::CdRom => {
            let taken = Place::ALL.iter().find_map(|&place| machine.eject_cd(place));
            drop(taken);
        }
    }
    Ok(())
}
