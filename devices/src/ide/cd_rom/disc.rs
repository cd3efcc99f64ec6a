//! What lies in a CD-ROM drive: one data track of 2048-byte sectors.

use std::io;

use crate::host_end::{Disk, SECTOR_BYTES};

/// Bytes of user data in a sector.
pub(super) const DISC_SECTOR_BYTES: usize = 2048;
/// 512-byte sectors of the host end in one of the disc's.
const HOST_SECTORS: u64 = (DISC_SECTOR_BYTES / SECTOR_BYTES) as u64;
/// The longest disc that is taken for a CD: 99 minutes.
const MAX_CD_SECTORS: u64 = 99 * 60 * 75;
/// The longest disc: addresses have 32 bits, and some counts too.
const MAX_SECTORS: u64 = 0x7fff_ffff;

/// A disc: the 2048-byte sectors that an ISO image consists of. One longer than
/// a CD is a DVD.
pub struct Disc {
    image: Box<dyn Disk>,
}

impl Disc {
    /// A disc with the contents of `image`, which is only read. Its last sector
    /// is filled up with zeros if the image ends within it.
    #[must_use]
    pub fn new(image: Box<dyn Disk>) -> Self {
        Self { image }
    }

    /// The image back.
    #[must_use]
    pub fn into_image(self) -> Box<dyn Disk> {
        self.image
    }

    /// Its size in sectors.
    #[must_use]
    pub fn sectors(&self) -> u32 {
        let sectors = self.image.sectors().div_ceil(HOST_SECTORS);
        sectors.min(MAX_SECTORS) as u32
    }

    pub(super) fn is_dvd(&self) -> bool {
        u64::from(self.sectors()) > MAX_CD_SECTORS
    }

    /// Reads whole sectors from `sector` on.
    pub(super) fn read(&mut self, sector: u32, buffer: &mut [u8]) -> io::Result<()> {
        let first = u64::from(sector) * HOST_SECTORS;
        let there = self.image.sectors().saturating_sub(first);
        let there = usize::try_from(there).unwrap_or(usize::MAX);
        let length = there.saturating_mul(SECTOR_BYTES).min(buffer.len());
        let (image, padding) = buffer.split_at_mut(length);
        padding.fill(0);
        self.image.read(first, image)
    }
}
