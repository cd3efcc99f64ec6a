//! Media that a script changes.

use super::StepProblem;
use crate::board::Place;
use crate::cli;
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

/// Puts an image into a drive; it is named as the option of the drive names it.
pub(super) fn insert(machine: &mut Machine, name: &str, image: &str) -> Result<(), StepProblem> {
    let which = drive(name)?;
    let options = cli::image(image).map_err(|error| StepProblem::NotAnImage {
        drive: name.into(),
        image: image.into(),
        reason: error.to_string(),
    })?;
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
