//! Media that a script changes.

use std::path::Path;

use rax_devices::{Disc, Floppy};

use super::StepProblem;
use crate::board::Place;
use crate::host::{Access, RawDisk};
use crate::machine::Machine;

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
        _ if matches!(which, Drive::CdRom) => (image, Access::ReadOnly),
        _ => (image, Access::ReadWrite),
    };
    let disk = Box::new(RawDisk::open(Path::new(path), access)?);
    match which {
        Drive::Floppy(number) => {
            let floppy = Floppy::new(disk).map_err(|error| StepProblem::NotAMedium {
                drive: name.into(),
                image: image.into(),
                reason: error.to_string(),
            })?;
            machine.insert_floppy(number, floppy);
            Ok(())
        }
        Drive::CdRom => {
            let mut disc = Disc::new(disk);
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
