//! Tells the person when the host fails the guest's disk. The guest is told by
//! the drive; without a word here, one would look for the cause in the guest.

use std::io;

use rax_devices::Disk;

/// A disk whose failures are told, the first of each kind.
pub(super) struct Reporting {
    disk: Box<dyn Disk>,
    /// What it is and its file.
    name: String,
    told: [bool; 3],
}

/// What failed.
#[derive(Clone, Copy)]
enum What {
    Read,
    Write,
    Flush,
}

impl Reporting {
    pub(super) fn new(disk: Box<dyn Disk>, name: String) -> Self {
        Self {
            disk,
            name,
            told: [false; 3],
        }
    }

    fn tell(&mut self, what: What, sector: u64, result: io::Result<()>) -> io::Result<()> {
        let Err(error) = &result else {
            return result;
        };
        let name = &self.name;
        let what_text = match what {
            What::Read => format!("sector {sector} cannot be read"),
            What::Write => format!("sector {sector} cannot be written"),
            What::Flush => "what was written cannot be made safe".to_owned(),
        };
        if std::mem::replace(&mut self.told[what as usize], true) {
            log::debug!("{name}: {what_text} ({error})");
        } else {
            log::error!(
                "{name}: {what_text} ({error}); the guest gets the error, and all that follow"
            );
        }
        result
    }
}

impl Disk for Reporting {
    fn sectors(&self) -> u64 {
        self.disk.sectors()
    }

    fn is_read_only(&self) -> bool {
        self.disk.is_read_only()
    }

    fn read(&mut self, sector: u64, buffer: &mut [u8]) -> io::Result<()> {
        let result = self.disk.read(sector, buffer);
        self.tell(What::Read, sector, result)
    }

    fn write(&mut self, sector: u64, bytes: &[u8]) -> io::Result<()> {
        let result = self.disk.write(sector, bytes);
        self.tell(What::Write, sector, result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.disk.flush();
        self.tell(What::Flush, 0, result)
    }
}
