//! What lies in a floppy drive: the PC's formats, told by their size.

use crate::host_end::{Disk, SECTOR_BYTES};

/// The data rates that select registers encode.
pub(super) mod rate {
    /// 500 kbit/s: high density.
    pub(crate) const HIGH: u8 = 0;
    /// 300 kbit/s: double density in a 1.2 MB drive.
    pub(crate) const DOUBLE_IN_HIGH: u8 = 1;
    /// 250 kbit/s: double density.
    pub(crate) const DOUBLE: u8 = 2;
    /// 1 Mbit/s: extra density.
    pub(crate) const EXTRA: u8 = 3;
}

/// How a disk is formatted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloppyFormat {
    /// Cylinders.
    pub cylinders: u8,
    /// Sides.
    pub heads: u8,
    /// Sectors of 512 bytes in a track.
    pub sectors: u8,
}

const fn format(cylinders: u8, heads: u8, sectors: u8) -> FloppyFormat {
    FloppyFormat {
        cylinders,
        heads,
        sectors,
    }
}

impl FloppyFormat {
    /// From 160 KiB to 2.88 MiB, smallest first, the larger ones with more
    /// cylinders or sectors than usual too.
    pub const ALL: [Self; 14] = [
        format(40, 1, 8),
        format(40, 1, 9),
        format(40, 2, 8),
        format(40, 2, 9),
        format(80, 1, 9),
        format(80, 2, 9),
        format(80, 2, 10),
        format(82, 2, 10),
        format(80, 2, 15),
        format(80, 2, 18),
        format(80, 2, 20),
        format(80, 2, 21),
        format(82, 2, 21),
        format(80, 2, 36),
    ];

    /// The format of a disk of so many 512-byte sectors; none if no PC formats one so.
    #[must_use]
    pub fn of_size(sectors: u64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|format| format.total() == sectors)
    }

    /// Its sectors, all together.
    #[must_use]
    pub fn total(self) -> u64 {
        u64::from(self.cylinders) * u64::from(self.heads) * u64::from(self.sectors)
    }

    /// Where a sector lies, counted from zero; `sector` counts from one.
    fn position(self, cylinder: u8, head: u8, sector: u8) -> Option<u64> {
        let is_there =
            cylinder < self.cylinders && head < self.heads && (1..=self.sectors).contains(&sector);
        let track = u64::from(cylinder) * u64::from(self.heads) + u64::from(head);
        is_there.then(|| track * u64::from(self.sectors) + u64::from(sector) - 1)
    }

    /// Whether the marks of a track can be read at a data rate, if one was chosen.
    pub(super) fn is_readable_at(self, data_rate: Option<u8>) -> bool {
        let Some(data_rate) = data_rate else {
            return true;
        };
        match self.sectors {
            ..=10 => matches!(data_rate, rate::DOUBLE | rate::DOUBLE_IN_HIGH),
            11..=24 => data_rate == rate::HIGH,
            _ => data_rate == rate::EXTRA,
        }
    }
}

/// Why a sector was not read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SectorError {
    NotFound,
    WriteProtected,
    Host,
}

/// A disk whose size no floppy has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sectors} sectors of 512 bytes are no floppy disk's size")]
pub struct NotAFloppy {
    /// Its size.
    pub sectors: u64,
}

/// A floppy disk, to be put in a drive.
pub struct Floppy {
    pub(super) format: FloppyFormat,
    disk: Box<dyn Disk>,
}

impl Floppy {
    /// A floppy disk with the contents of `disk`.
    ///
    /// # Errors
    /// When the disk's size is not a floppy's.
    pub fn new(disk: Box<dyn Disk>) -> Result<Self, NotAFloppy> {
        let sectors = disk.sectors();
        let format = FloppyFormat::of_size(sectors).ok_or(NotAFloppy { sectors })?;
        Ok(Self { format, disk })
    }

    /// How it is formatted.
    #[must_use]
    pub const fn format(&self) -> FloppyFormat {
        self.format
    }

    /// The disk back.
    #[must_use]
    pub fn into_disk(self) -> Box<dyn Disk> {
        self.disk
    }

    pub(super) fn is_write_protected(&self) -> bool {
        self.disk.is_read_only()
    }

    pub(super) fn read(
        &mut self,
        (cylinder, head, sector): (u8, u8, u8),
        bytes: &mut [u8; SECTOR_BYTES],
    ) -> Result<(), SectorError> {
        let position = self.format.position(cylinder, head, sector);
        let position = position.ok_or(SectorError::NotFound)?;
        let done = self.disk.read(position, bytes);
        done.map_err(|_| SectorError::Host)
    }

    pub(super) fn write(
        &mut self,
        (cylinder, head, sector): (u8, u8, u8),
        bytes: &[u8; SECTOR_BYTES],
    ) -> Result<(), SectorError> {
        if self.is_write_protected() {
            return Err(SectorError::WriteProtected);
        }
        let position = self.format.position(cylinder, head, sector);
        let position = position.ok_or(SectorError::NotFound)?;
        let done = self.disk.write(position, bytes);
        done.map_err(|_| SectorError::Host)
    }
}

#[cfg(test)]
mod tests {
    use super::FloppyFormat;

    #[test]
    fn sizes_tell_formats() {
        let kib =
            |kib: u64| FloppyFormat::of_size(kib * 2).map(|f| (f.cylinders, f.heads, f.sectors));
        assert_eq!(kib(160), Some((40, 1, 8)));
        assert_eq!(kib(360), Some((40, 2, 9)));
        assert_eq!(kib(720), Some((80, 2, 9)));
        assert_eq!(kib(1200), Some((80, 2, 15)));
        assert_eq!(kib(1440), Some((80, 2, 18)));
        assert_eq!(kib(2880), Some((80, 2, 36)));
        assert_eq!(kib(1441), None);
    }

    #[test]
    fn sectors_beyond_the_track_are_not_there() {
        let format = FloppyFormat::of_size(2880).unwrap();
        assert_eq!(format.position(79, 1, 18), Some(2879));
        assert_eq!(format.position(0, 0, 0), None);
        assert_eq!(format.position(0, 0, 19), None);
        assert_eq!(format.position(80, 0, 1), None);
        assert_eq!(format.position(0, 2, 1), None);
    }
}
