//! The commands (ATA/ATAPI-6 section 8, and older standards for what drivers
//! still use of them).

use super::identify::MAX_SHORT_SECTORS;
use super::transfer::{Addressing, Direction, Way};
use super::{AtaDisk, Geometry, MAX_MULTIPLE, Power, SECTOR_BYTES};
use crate::ide::registers::{DeviceBits, ErrorBits, Status, TransferMode};

/// READ VERIFY reads this many sectors at once.
const VERIFY_SECTORS: u64 = 128;

impl AtaDisk {
    /// The guest writes the command register. EXECUTE DEVICE DIAGNOSTIC is the
    /// channel's affair.
    pub(in crate::ide) fn command(&mut self, command: u8) {
        use Addressing::{Long, Short};
        use Direction::{FromDisk, ToDisk};
        if self.settings.power == Power::Sleep {
            return;
        }
        self.stop();
        self.task.begin();
        match command {
            0x10..=0x1f => self.recalibrate(),
            0x20 | 0x21 => self.move_sectors(FromDisk, Short, Way::SINGLE),
            0x24 => self.move_sectors(FromDisk, Long, Way::SINGLE),
            // WRITE VERIFY too: the host says when it could not write.
            0x30 | 0x31 | 0x3c => self.move_sectors(ToDisk, Short, Way::SINGLE),
            0x34 => self.move_sectors(ToDisk, Long, Way::SINGLE),
            0xc4 => self.move_multiple(FromDisk, Short),
            0x29 => self.move_multiple(FromDisk, Long),
            0xc5 => self.move_multiple(ToDisk, Short),
            0x39 => self.move_multiple(ToDisk, Long),
            0xc8 | 0xc9 => self.move_by_dma(FromDisk, Short),
            0x25 => self.move_by_dma(FromDisk, Long),
            0xca | 0xcb => self.move_by_dma(ToDisk, Short),
            0x35 => self.move_by_dma(ToDisk, Long),
            0x27 => self.read_native_max(Long),
            0xf8 => self.read_native_max(Short),
            0x40 | 0x41 => self.verify(Short),
            0x42 => self.verify(Long),
            0x70..=0x7f => self.seek(),
            0x91 => self.initialize_parameters(),
            0xb0 => self.smart(),
            0xc6 => self.set_multiple(),
            0xe7 | 0xea => self.flush(),
            0xec => {
                let identity = self.identity();
                self.start_reply(identity);
            }
            0xef => self.set_features(),
            0xe5 | 0x98 => self.check_power_mode(),
            // STANDBY and IDLE, at once or after a time that never comes; SLEEP.
            0xe0 | 0xe2 | 0x94 | 0x96 => self.rest(Power::Standby),
            0xe1 | 0xe3 | 0x95 | 0x97 => self.rest(Power::Idle),
            0xe6 | 0x99 => self.rest(Power::Sleep),
            // NOP aborts by definition; DEVICE RESET, the packet commands and
            // the rest because a disk has them not.
            _ => {
                log::debug!("ide: command {command:#04x} is aborted");
                self.task.abort();
            }
        }
    }

    /// The address in the registers; nothing if it can be none.
    fn address(&self, addressing: Addressing) -> Option<u64> {
        let byte = |byte: u8, index: u32| u64::from(byte) << (8 * index);
        let low = byte(self.task.lba_low.current, 0)
            | byte(self.task.lba_mid.current, 1)
            | byte(self.task.lba_high.current, 2);
        let head = u64::from((self.task.device & DeviceBits::HEAD).bits());
        if addressing == Addressing::Long {
            let high = byte(self.task.lba_low.previous, 3)
                | byte(self.task.lba_mid.previous, 4)
                | byte(self.task.lba_high.previous, 5);
            return Some(low | high);
        }
        if self.task.device.contains(DeviceBits::LBA) {
            return Some(low | (head << 24));
        }
        let Geometry {
            heads,
            sectors_per_track,
        } = self.settings.geometry;
        let sector = self.task.lba_low.current;
        let cylinder = u16::from_le_bytes([self.task.lba_mid.current, self.task.lba_high.current]);
        // Sectors of a track are counted from 1.
        if sector == 0 || sector > sectors_per_track || head >= u64::from(heads) {
            return None;
        }
        let track = u64::from(cylinder) * u64::from(heads) + head;
        Some(track * u64::from(sectors_per_track) + u64::from(sector) - 1)
    }

    /// The sector count in the registers, where 0 stands for the most.
    fn count(&self, addressing: Addressing) -> u32 {
        let count = self.task.sector_count;
        let (count, most) = match addressing {
            Addressing::Short => (u32::from(count.current), 0x100),
            Addressing::Long => (
                u32::from(u16::from_le_bytes([count.current, count.previous])),
                0x1_0000,
            ),
        };
        if count == 0 { most } else { count }
    }

    fn move_sectors(&mut self, direction: Direction, addressing: Addressing, way: Way) {
        self.settings.power = Power::Active;
        if direction == Direction::ToDisk && self.disk.is_read_only() {
            // The write fault of older standards, and an abort.
            self.task.fail(ErrorBits::ABRT, Status::DF);
            return;
        }
        match self.address(addressing) {
            Some(sector) => {
                let span = (sector, self.count(addressing));
                self.start_transfer(direction, addressing, span, way);
            }
            None => self.task.fail(ErrorBits::IDNF, Status::empty()),
        }
    }

    fn move_multiple(&mut self, direction: Direction, addressing: Addressing) {
        if self.settings.multiple == 0 {
            self.task.abort();
        } else {
            let way = Way::Blocks(self.settings.multiple);
            self.move_sectors(direction, addressing, way);
        }
    }

    fn move_by_dma(&mut self, direction: Direction, addressing: Addressing) {
        self.move_sectors(direction, addressing, Way::Dma);
    }

    fn rest(&mut self, power: Power) {
        self.settings.power = power;
        self.task.succeed();
    }

    fn check_power_mode(&mut self) {
        self.task.sector_count.set(match self.settings.power {
            Power::Active => 0xff,
            Power::Idle => 0x80,
            Power::Standby | Power::Sleep => 0x00,
        });
        self.task.succeed();
    }

    fn set_multiple(&mut self) {
        let count = self.task.sector_count.current;
        if count == 0 || (count.is_power_of_two() && count <= MAX_MULTIPLE) {
            self.settings.multiple = count;
            self.task.succeed();
        } else {
            self.task.abort();
        }
    }

    fn verify(&mut self, addressing: Addressing) {
        self.settings.power = Power::Active;
        let Some(mut sector) = self.address(addressing) else {
            self.task.fail(ErrorBits::IDNF, Status::empty());
            return;
        };
        let end = sector.saturating_add(u64::from(self.count(addressing)));
        let sectors = self.sectors();
        let mut buffer = vec![0; VERIFY_SECTORS as usize * SECTOR_BYTES];
        while sector < end.min(sectors) {
            let length = VERIFY_SECTORS.min(end.min(sectors) - sector);
            let bytes = &mut buffer[..length as usize * SECTOR_BYTES];
            if let Err(error) = self.disk.read(sector, bytes) {
                log::debug!("ide: the host cannot read sector {sector}: {error}");
                self.show_address(sector, addressing);
                self.task.fail(ErrorBits::UNC, Status::empty());
                return;
            }
            sector += length;
        }
        if end > sectors {
            self.show_address(sector, addressing);
            self.task.fail(ErrorBits::IDNF, Status::empty());
            return;
        }
        self.show_address(end.saturating_sub(1), addressing);
        self.task.succeed();
    }

    fn seek(&mut self) {
        self.settings.power = Power::Active;
        match self.address(Addressing::Short) {
            Some(sector) if sector < self.sectors() => self.task.succeed(),
            _ => self.task.fail(ErrorBits::IDNF, Status::empty()),
        }
    }

    fn recalibrate(&mut self) {
        self.task.lba_mid.set(0);
        self.task.lba_high.set(0);
        self.task.succeed();
    }

    fn initialize_parameters(&mut self) {
        let geometry = Geometry {
            heads: (self.task.device & DeviceBits::HEAD).bits() + 1,
            sectors_per_track: self.task.sector_count.current,
        };
        if geometry.sectors_per_track == 0 {
            self.task.abort();
        } else {
            self.settings.geometry = geometry;
            self.task.succeed();
        }
    }

    fn read_native_max(&mut self, addressing: Addressing) {
        // A 28-bit command wants an address that is linear.
        if addressing == Addressing::Short && !self.task.device.contains(DeviceBits::LBA) {
            self.task.abort();
            return;
        }
        let last = self.sectors().saturating_sub(1);
        let shown = match addressing {
            Addressing::Short => last.min(MAX_SHORT_SECTORS),
            Addressing::Long => last,
        };
        self.show_address(shown, addressing);
        self.task.succeed();
    }

    fn flush(&mut self) {
        match self.disk.flush() {
            Ok(()) => self.task.succeed(),
            Err(error) => {
                log::debug!("ide: the host cannot flush the disk: {error}");
                self.task.fail(ErrorBits::ABRT, Status::DF);
            }
        }
    }

    fn set_features(&mut self) {
        match self.task.features.current {
            0x03 => match self.task.transfer_mode() {
                // The DMA mode stays beside a PIO mode.
                Some(TransferMode::Pio) => {}
                Some(mode) => self.settings.transfer_mode = mode,
                None => return self.task.abort(),
            },
            0x02 => self.settings.write_cache = true,
            0x82 => self.settings.write_cache = false,
            0xaa => self.settings.look_ahead = true,
            0x55 => self.settings.look_ahead = false,
            // Whether a reset restores the defaults: nothing worth keeping.
            0x66 | 0xcc => {}
            _ => return self.task.abort(),
        }
        self.task.succeed();
    }
}
