//! The commands (ATA/ATAPI-6 section 8, and older standards for what drivers
//! still use of them).

use super::identify::MAX_SHORT_SECTORS;
use super::transfer::{Addressing, Direction, Transfer};
use super::{DeviceBits, ErrorBits, Geometry, Ide, MAX_MULTIPLE, SECTOR_BYTES, Status};

/// READ VERIFY reads this many sectors at once.
const VERIFY_SECTORS: u64 = 128;

impl Ide {
    /// The guest writes the command register.
    pub(super) fn command(&mut self, command: u8) {
        // Both devices carry diagnostics out; the rest is for the selected one.
        if self.selects_absent_device() && command != 0x90 {
            return;
        }
        self.set_interrupt(false);
        self.transfer = Transfer::none();
        self.status = Status::DRDY | Status::DSC;
        self.error = 0;
        match command {
            0x10..=0x1f => self.recalibrate(),
            0x20 | 0x21 => self.move_sectors(Direction::FromDisk, Addressing::Short, 1),
            0x24 => self.move_sectors(Direction::FromDisk, Addressing::Long, 1),
            0x30 | 0x31 => self.move_sectors(Direction::ToDisk, Addressing::Short, 1),
            0x34 => self.move_sectors(Direction::ToDisk, Addressing::Long, 1),
            0xc4 => self.move_multiple(Direction::FromDisk, Addressing::Short),
            0x29 => self.move_multiple(Direction::FromDisk, Addressing::Long),
            0xc5 => self.move_multiple(Direction::ToDisk, Addressing::Short),
            0x39 => self.move_multiple(Direction::ToDisk, Addressing::Long),
            0x27 => self.read_native_max(Addressing::Long),
            0xf8 => self.read_native_max(Addressing::Short),
            0x40 | 0x41 => self.verify(Addressing::Short),
            0x42 => self.verify(Addressing::Long),
            0x70..=0x7f => self.seek(),
            0x90 => self.diagnose(),
            0x91 => self.initialize_parameters(),
            0xc6 => self.set_multiple(),
            0xe7 | 0xea => self.flush(),
            0xec => {
                let identity = self.identity();
                self.start_identity(identity);
            }
            0xef => self.set_features(),
            // CHECK POWER MODE: active.
            0xe5 | 0x98 => {
                self.sector_count.set(0xff);
                self.succeed();
            }
            // STANDBY, IDLE and SLEEP: this disk is never tired.
            0xe0..=0xe3 | 0xe6 | 0x94..=0x97 | 0x99 => self.succeed(),
            // NOP aborts by definition; DEVICE RESET, the packet commands,
            // SMART, DMA and the rest because a plain PIO disk has them not.
            _ => {
                log::debug!("ide: command {command:#04x} is aborted");
                self.abort();
            }
        }
    }

    /// Ends the command well.
    fn succeed(&mut self) {
        self.set_interrupt(true);
    }

    /// Ends the command with an error.
    pub(super) fn fail(&mut self, error: ErrorBits, status: Status) {
        self.error = error.bits();
        self.status = Status::DRDY | Status::DSC | Status::ERR | status;
        self.set_interrupt(true);
    }

    fn abort(&mut self) {
        self.fail(ErrorBits::ABRT, Status::empty());
    }

    /// The disk's size.
    pub(super) fn disk_sectors(&self) -> u64 {
        // 48 bits address no more.
        self.disk
            .as_ref()
            .map_or(0, |disk| disk.sectors().min(1 << 48))
    }

    /// The address in the registers; nothing if it can be none.
    fn address(&self, addressing: Addressing) -> Option<u64> {
        let byte = |byte: u8, index: u32| u64::from(byte) << (8 * index);
        let low = byte(self.lba_low.current, 0)
            | byte(self.lba_mid.current, 1)
            | byte(self.lba_high.current, 2);
        let head = u64::from((self.device & DeviceBits::HEAD).bits());
        if addressing == Addressing::Long {
            let high = byte(self.lba_low.previous, 3)
                | byte(self.lba_mid.previous, 4)
                | byte(self.lba_high.previous, 5);
            return Some(low | high);
        }
        if self.device.contains(DeviceBits::LBA) {
            return Some(low | (head << 24));
        }
        let Geometry {
            heads,
            sectors_per_track,
        } = self.geometry;
        let sector = self.lba_low.current;
        let cylinder = u16::from_le_bytes([self.lba_mid.current, self.lba_high.current]);
        // Sectors of a track are counted from 1.
        if sector == 0 || sector > sectors_per_track || head >= u64::from(heads) {
            return None;
        }
        let track = u64::from(cylinder) * u64::from(heads) + head;
        Some(track * u64::from(sectors_per_track) + u64::from(sector) - 1)
    }

    /// The sector count in the registers, where 0 stands for the most.
    fn count(&self, addressing: Addressing) -> u32 {
        let count = self.sector_count;
        let (count, most) = match addressing {
            Addressing::Short => (u32::from(count.current), 0x100),
            Addressing::Long => (
                u32::from(u16::from_le_bytes([count.current, count.previous])),
                0x1_0000,
            ),
        };
        if count == 0 { most } else { count }
    }

    fn move_sectors(&mut self, direction: Direction, addressing: Addressing, block: u8) {
        let read_only = self.disk.as_ref().is_none_or(|disk| disk.is_read_only());
        if direction == Direction::ToDisk && read_only {
            // The write fault of older standards, and an abort.
            self.fail(ErrorBits::ABRT, Status::DF);
            return;
        }
        match self.address(addressing) {
            Some(sector) => {
                let span = (sector, self.count(addressing));
                self.start_transfer(direction, addressing, span, block);
            }
            None => self.fail(ErrorBits::IDNF, Status::empty()),
        }
    }

    fn move_multiple(&mut self, direction: Direction, addressing: Addressing) {
        if self.multiple == 0 {
            self.abort();
        } else {
            self.move_sectors(direction, addressing, self.multiple);
        }
    }

    fn set_multiple(&mut self) {
        let count = self.sector_count.current;
        if count == 0 || (count.is_power_of_two() && count <= MAX_MULTIPLE) {
            self.multiple = count;
            self.succeed();
        } else {
            self.abort();
        }
    }

    fn verify(&mut self, addressing: Addressing) {
        let Some(mut sector) = self.address(addressing) else {
            self.fail(ErrorBits::IDNF, Status::empty());
            return;
        };
        let end = sector.saturating_add(u64::from(self.count(addressing)));
        let sectors = self.disk_sectors();
        let mut buffer = vec![0; VERIFY_SECTORS as usize * SECTOR_BYTES];
        while sector < end.min(sectors) {
            let length = VERIFY_SECTORS.min(end.min(sectors) - sector);
            let bytes = &mut buffer[..length as usize * SECTOR_BYTES];
            let read = self.disk.as_mut().map(|disk| disk.read(sector, bytes));
            if !matches!(read, Some(Ok(()))) {
                self.show_address(sector, addressing);
                self.fail(ErrorBits::UNC, Status::empty());
                return;
            }
            sector += length;
        }
        if end > sectors {
            self.show_address(sector, addressing);
            self.fail(ErrorBits::IDNF, Status::empty());
            return;
        }
        self.show_address(end.saturating_sub(1), addressing);
        self.succeed();
    }

    fn seek(&mut self) {
        match self.address(Addressing::Short) {
            Some(sector) if sector < self.disk_sectors() => self.succeed(),
            _ => self.fail(ErrorBits::IDNF, Status::empty()),
        }
    }

    fn recalibrate(&mut self) {
        self.lba_mid.set(0);
        self.lba_high.set(0);
        self.succeed();
    }

    fn diagnose(&mut self) {
        self.show_signature();
        self.succeed();
    }

    fn initialize_parameters(&mut self) {
        let geometry = Geometry {
            heads: (self.device & DeviceBits::HEAD).bits() + 1,
            sectors_per_track: self.sector_count.current,
        };
        if geometry.sectors_per_track == 0 {
            self.abort();
        } else {
            self.geometry = geometry;
            self.succeed();
        }
    }

    fn read_native_max(&mut self, addressing: Addressing) {
        // A 28-bit command wants an address that is linear.
        if addressing == Addressing::Short && !self.device.contains(DeviceBits::LBA) {
            self.abort();
            return;
        }
        let last = self.disk_sectors().saturating_sub(1);
        let shown = match addressing {
            Addressing::Short => last.min(MAX_SHORT_SECTORS),
            Addressing::Long => last,
        };
        self.show_address(shown, addressing);
        self.succeed();
    }

    fn flush(&mut self) {
        match self.disk.as_mut().map(|disk| disk.flush()) {
            Some(Ok(())) => self.succeed(),
            flushed => {
                log::warn!("ide: the host cannot flush the disk: {flushed:?}");
                self.fail(ErrorBits::ABRT, Status::DF);
            }
        }
    }

    fn set_features(&mut self) {
        match self.features.current {
            // Transfer mode: the default ones, or flow control 0 to 4.
            0x03 if matches!(self.sector_count.current, 0x00 | 0x01 | 0x08..=0x0c) => {}
            0x02 => self.write_cache = true,
            0x82 => self.write_cache = false,
            0xaa => self.look_ahead = true,
            0x55 => self.look_ahead = false,
            // Whether a reset restores the defaults: nothing worth keeping.
            0x66 | 0xcc => {}
            _ => {
                self.abort();
                return;
            }
        }
        self.succeed();
    }
}
