//! Reading sectors (MMC-5 sections 6.16, 6.19 to 6.21 and 6.25).

use serde::{Deserialize, Serialize};

use super::CdRom;
use super::disc::DISC_SECTOR_BYTES;
use super::packet::{Outcome, Packet, four_bytes, three_bytes};
use super::raw_sector::{self, raw_sector};
use super::sense::Sense;
use super::toc::LEAD_IN_SECTORS;

/// Which parts of a sector go to the host, as byte 9 of READ CD has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Layout(u8);

impl Layout {
    const SYNC: u8 = 1 << 7;
    /// The header of four bytes. The flag above it asks for a subheader, which
    /// mode 1 has not.
    const HEADER: u8 = 1 << 5;
    const USER: u8 = 1 << 4;
    const EDC_AND_ECC: u8 = 1 << 3;

    /// What a disc has for a computer.
    pub(super) const USER_DATA: Self = Self(Self::USER);

    const fn has(self, part: u8) -> bool {
        self.0 & part != 0
    }

    /// The parts of a raw sector, in order.
    fn parts(self) -> impl Iterator<Item = std::ops::Range<usize>> {
        [
            (Self::SYNC, raw_sector::SYNC),
            (Self::HEADER, raw_sector::HEADER),
            (Self::USER, raw_sector::USER),
            (Self::EDC_AND_ECC, raw_sector::EDC_AND_ECC),
        ]
        .into_iter()
        .filter_map(move |(part, range)| self.has(part).then_some(range))
    }

    /// Bytes of a sector that go to the host.
    pub(super) fn sector_bytes(self) -> usize {
        self.parts().map(|range| range.len()).sum()
    }
}

impl CdRom {
    /// Sectors that a command may ask for, if all of them are on the disc.
    fn check_range(&mut self, sector: u32, count: u32) -> Result<(), Sense> {
        let end = u64::from(sector) + u64::from(count);
        if end > u64::from(self.ready()?.sectors()) {
            return Err(Sense::ADDRESS_OUT_OF_RANGE);
        }
        Ok(())
    }

    pub(super) fn read_capacity(&mut self) -> Result<Outcome, Sense> {
        let last = self.ready()?.sectors().saturating_sub(1);
        let bytes = [last, DISC_SECTOR_BYTES as u32].map(u32::to_be_bytes);
        Ok(Outcome::Data(bytes.concat()))
    }

    /// READ (10) and (12).
    pub(super) fn read(&mut self, sector: u32, count: u32) -> Result<Outcome, Sense> {
        self.check_range(sector, count)?;
        Ok(Outcome::Sectors {
            sector,
            count,
            layout: Layout::USER_DATA,
        })
    }

    pub(super) fn read_cd(&mut self, packet: &Packet) -> Result<Outcome, Sense> {
        let (sector, count) = (four_bytes(packet, 2), three_bytes(packet, 6));
        self.read_parts(packet, sector, count)
    }

    pub(super) fn read_cd_msf(&mut self, packet: &Packet) -> Result<Outcome, Sense> {
        let frame = |at: usize| {
            let [minute, second, frame] = [packet[at], packet[at + 1], packet[at + 2]];
            let frames = (u32::from(minute) * 60 + u32::from(second)) * 75 + u32::from(frame);
            frames.checked_sub(LEAD_IN_SECTORS)
        };
        let (Some(start), Some(end)) = (frame(3), frame(6)) else {
            return Err(Sense::ADDRESS_OUT_OF_RANGE);
        };
        let count = end.checked_sub(start).ok_or(Sense::INVALID_FIELD)?;
        self.read_parts(packet, start, count)
    }

    fn read_parts(&mut self, packet: &Packet, sector: u32, count: u32) -> Result<Outcome, Sense> {
        const ANY: u8 = 0;
        const MODE_1: u8 = 2;
        let expected_type = packet[1] >> 2 & 7;
        self.check_range(sector, count)?;
        if !matches!(expected_type, ANY | MODE_1) {
            return Err(Sense::ILLEGAL_MODE_FOR_TRACK);
        }
        // There are neither error flags nor sub-channels to be had.
        if packet[9] & 0b110 != 0 || packet[10] & 0b111 != 0 {
            return Err(Sense::INVALID_FIELD);
        }
        let layout = Layout(packet[9] & 0xf8);
        if layout.sector_bytes() == 0 {
            return Ok(Outcome::Done);
        }
        Ok(Outcome::Sectors {
            sector,
            count,
            layout,
        })
    }

    pub(super) fn seek(&mut self, sector: u32) -> Result<Outcome, Sense> {
        self.check_range(sector, 1)?;
        self.position = sector;
        Ok(Outcome::Done)
    }

    /// Fills `buffer` with parts of `count` sectors from `sector` on.
    pub(super) fn read_sectors(
        &mut self,
        sector: u32,
        count: u32,
        layout: Layout,
        buffer: &mut Vec<u8>,
    ) -> Result<(), Sense> {
        self.check_range(sector, count)?;
        let disc = self.ready()?;
        buffer.resize(count as usize * DISC_SECTOR_BYTES, 0);
        if let Err(error) = disc.read(sector, buffer) {
            log::debug!("ide: the host cannot read sector {sector} of the disc: {error}");
            return Err(Sense::UNRECOVERED_READ_ERROR);
        }
        if layout != Layout::USER_DATA {
            let mut parts = Vec::with_capacity(count as usize * layout.sector_bytes());
            for (number, user) in (sector..).zip(buffer.chunks_exact(DISC_SECTOR_BYTES)) {
                let raw = raw_sector(number + LEAD_IN_SECTORS, user);
                for range in layout.parts() {
                    parts.extend_from_slice(&raw[range]);
                }
            }
            *buffer = parts;
        }
        self.position = sector.saturating_add(count.saturating_sub(1));
        Ok(())
    }
}
