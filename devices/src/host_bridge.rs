//! The host bridge and memory controller of the 440FX (PMC).
//!
//! Intel 440FX PCIset datasheet (290549), chapter 3. A PCI function with no
//! registers but its configuration space. What it decides about memory, it
//! says on [`MemoryLines`]: which parts of the 256 KiB below 1 MiB are RAM for
//! reads and for writes (PAM), and whether system management memory is open
//! (SMRAM). The board maps memory accordingly.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::device::{Context, Device};
use crate::pci::{Command, ConfigSpace, Identity, PciFunction, SavedConfigV1, Status};
use crate::snapshot::{RestoreError, State};

/// Programmable attribute map: the first of seven registers.
const PAM: u8 = 0x59;
/// System management RAM control.
const SMRAM: u8 = 0x72;

bitflags! {
    /// One segment's half of an attribute register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Attributes: u8 {
        /// Reads go to RAM, else to PCI.
        const READ_ENABLE = 1 << 0;
        /// Writes go to RAM, else to PCI.
        const WRITE_ENABLE = 1 << 1;
    }

    /// The SMRAM register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct SmramControl: u8 {
        /// The base segment: always 2, A0000h.
        const C_BASE_SEG = 0b010;
        /// The space exists for system management mode.
        const G_SMRAME = 1 << 3;
        /// Nothing but a reset changes `D_OPEN` and this bit any more.
        const D_LCK = 1 << 4;
        /// Data accesses go to PCI even in system management mode.
        const D_CLS = 1 << 5;
        /// Visible outside system management mode too.
        const D_OPEN = 1 << 6;
        const WRITABLE = 0b0111_1000;
    }
}

/// A part of the memory below 1 MiB with attributes of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// First address.
    pub start: u64,
    /// Bytes.
    pub bytes: u64,
    /// Reads find RAM there, else what the bus has.
    pub reads_ram: bool,
    /// Writes reach RAM, else the bus.
    pub writes_ram: bool,
}

/// Who sees system management memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Smram {
    /// In system management mode, code sees it.
    pub enabled: bool,
    /// Everybody sees it.
    pub open: bool,
    /// Data accesses do not see it, even in system management mode.
    pub closed: bool,
}

/// What the host bridge says about memory. Clones are the same wires.
#[derive(Clone, Debug, Default)]
pub struct MemoryLines {
    shared: Arc<SharedLines>,
}

#[derive(Debug, Default)]
struct SharedLines {
    /// The seven attribute registers, then the SMRAM register.
    registers: AtomicU64,
    has_changed: AtomicBool,
}

impl MemoryLines {
    /// Wires that say: no RAM in any segment, SMRAM closed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The thirteen segments, from the lowest address up.
    #[must_use]
    pub fn segments(&self) -> [Segment; 13] {
        let registers = self.shared.registers.load(Ordering::Acquire).to_le_bytes();
        // The last segment, the BIOS area, is in the upper half of the first
        // register; the others follow from the second register on.
        std::array::from_fn(|index| {
            let (start, bytes, nibble) = if index == 12 {
                (0xf_0000, 0x1_0000, 1)
            } else {
                (0xc_0000 + index as u64 * 0x4000, 0x4000, index + 2)
            };
            let bits = registers[nibble / 2] >> (4 * (nibble % 2));
            let attributes = Attributes::from_bits_truncate(bits);
            Segment {
                start,
                bytes,
                reads_ram: attributes.contains(Attributes::READ_ENABLE),
                writes_ram: attributes.contains(Attributes::WRITE_ENABLE),
            }
        })
    }

    /// Who sees system management memory.
    #[must_use]
    pub fn smram(&self) -> Smram {
        let [.., bits] = self.shared.registers.load(Ordering::Acquire).to_le_bytes();
        let control = SmramControl::from_bits_truncate(bits);
        let enabled = control.contains(SmramControl::G_SMRAME);
        Smram {
            enabled,
            open: enabled && control.contains(SmramControl::D_OPEN),
            closed: control.contains(SmramControl::D_CLS),
        }
    }

    /// Whether anything changed since the last call.
    #[must_use]
    pub fn take_change(&self) -> bool {
        // Nearly always nothing has, and a load is cheaper than an exchange.
        self.shared.has_changed.load(Ordering::Acquire)
            && self.shared.has_changed.swap(false, Ordering::AcqRel)
    }

    fn set(&self, registers: u64) {
        if self.shared.registers.swap(registers, Ordering::AcqRel) != registers {
            self.shared.has_changed.store(true, Ordering::Release);
        }
    }
}

/// The host bridge.
#[derive(Debug)]
pub struct HostBridge {
    config: ConfigSpace,
    lines: MemoryLines,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    config: SavedConfigV1,
}

/// Its registers beside the header: offset, value after reset, writable bits.
const REGISTERS: &[(u8, &[u8], &[u8])] = &[
    (0x50, &[0x00, 0x00], &[0xff, 0xff]),               // PMCCFG
    (0x52, &[0x00], &[0xff]),                           // DETURBO
    (0x53, &[0x80], &[0xc8]),                           // DBC
    (0x54, &[0x00], &[0xff]),                           // AXC
    (0x55, &[0x00, 0x00], &[0xff, 0xff]),               // DRAMR
    (0x57, &[0x01], &[0x27]),                           // DRAMC
    (0x58, &[0x10], &[0xff]),                           // DRAMT
    (PAM, &[0; 7], &[0x30, 51, 51, 51, 51, 51, 51]),    // PAM0 to PAM6
    (0x60, &[1; 8], &[0xff; 8]),                        // DRB0 to DRB7
    (0x68, &[0x00], &[0x80]),                           // FDHC
    (0x70, &[0x00], &[0xf8]),                           // MTT
    (0x71, &[0x10], &[0x1f]),                           // CLT
    (SMRAM, &[0x02], &[SmramControl::WRITABLE.bits()]), // SMRAM
    (0x90, &[0x00], &[0x1b]),                           // ERRCMD
    (0x93, &[0x00], &[0x0f]),                           // TRC
];
/// ERRSTS, whose bits are cleared by writing ones.
const ERRSTS: (u8, &[u8]) = (0x91, &[0x11]);

impl HostBridge {
    /// A bridge that says on `lines` what memory is where.
    #[must_use]
    pub fn new(lines: MemoryLines) -> Self {
        let identity = Identity {
            vendor_id: 0x8086,
            device_id: 0x1237,
            revision_id: 0x02,
            class_code: 0x06_0000,
            subsystem: (0x1af4, 0x1100),
            interrupt_pin: None,
            is_multifunction: false,
        };
        let fixed = Command::BUS_MASTER | Command::MEMORY_SPACE;
        let writable = Command::SERR_ENABLE | Command::PARITY_ERROR_RESPONSE;
        let mut config = ConfigSpace::device(&identity)
            .with_command(fixed, writable)
            .with_status(Status::FAST_BACK_TO_BACK | Status::DEVSEL_MEDIUM)
            .with_cleared_by_ones(ERRSTS.0, ERRSTS.1);
        for (offset, reset, writable) in REGISTERS {
            config = config.with_register(*offset, reset, writable);
        }
        let bridge = Self { config, lines };
        bridge.drive_lines();
        bridge
    }

    fn drive_lines(&self) {
        let low = u64::from(self.config.register(PAM));
        let high = u64::from(self.config.register(PAM + 4) & 0xff_ffff);
        let smram = u64::from(self.config.register(SMRAM) & 0xff);
        self.lines.set(low | high << 32 | smram << 56);
    }

    fn smram(&self) -> SmramControl {
        SmramControl::from_bits_truncate(self.config.register(SMRAM) as u8)
    }
}

impl PciFunction for HostBridge {
    fn config(&mut self) -> &mut ConfigSpace {
        &mut self.config
    }

    fn config_write(&mut self, register: u8, bytes: &[u8], _cx: &mut Context<'_>) {
        let before = self.smram();
        self.config.write(register, bytes);
        let mut smram = self.smram();
        let frozen = SmramControl::D_LCK | SmramControl::D_OPEN;
        if before.contains(SmramControl::D_LCK) {
            smram = (smram - frozen) | (before & frozen);
        } else if smram.contains(SmramControl::D_LCK) {
            smram -= SmramControl::D_OPEN;
        }
        self.config.set_byte(SMRAM, smram.bits());
        self.drive_lines();
    }
}

impl Device for HostBridge {
    fn name(&self) -> &'static str {
        "host-bridge"
    }

    fn reset(&mut self) {
        self.config.reset();
        self.drive_lines();
    }

    fn save(&self) -> State {
        let Self { config, lines: _ } = self;
        let config = config.save();
        State::encode(1, &SavedV1 { config })
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let SavedV1 { config } = state.decode(self.name(), 1)?;
        let config = ConfigSpace::unpack(&config, self.name())?;
        self.config.restore(config);
        self.drive_lines();
        Ok(())
    }

    fn pci(&mut self) -> Option<&mut dyn PciFunction> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::{HostBridge, MemoryLines, Segment, Smram};
    use crate::conformance::Probe;
    use crate::device::Device;

    fn with(writes: &[(u8, u8)]) -> (HostBridge, MemoryLines) {
        let lines = MemoryLines::new();
        let mut bridge = HostBridge::new(lines.clone());
        let mut probe = Probe::new(&mut bridge);
        for &(register, value) in writes {
            probe.config_write(register, &[value]);
        }
        (bridge, lines)
    }

    #[test]
    fn it_is_a_440fx() {
        let (mut bridge, _) = with(&[]);
        let mut probe = Probe::new(&mut bridge);
        assert_eq!(probe.config_read(0x00), 0x1237_8086);
        assert_eq!(probe.config_read(0x04), 0x0280_0006);
        assert_eq!(probe.config_read(0x08), 0x0600_0002);
    }

    #[test]
    fn attribute_registers_name_their_segments() {
        let (_, lines) = with(&[(0x59, 0x30), (0x5a, 0x21), (0x5f, 0x10)]);
        let segments = lines.segments();
        let segment = |start, bytes, reads_ram, writes_ram| Segment {
            start,
            bytes,
            reads_ram,
            writes_ram,
        };
        assert_eq!(segments[0], segment(0xc_0000, 0x4000, true, false));
        assert_eq!(segments[1], segment(0xc_4000, 0x4000, false, true));
        assert_eq!(segments[2], segment(0xc_8000, 0x4000, false, false));
        assert_eq!(segments[11], segment(0xe_c000, 0x4000, true, false));
        assert_eq!(segments[12], segment(0xf_0000, 0x1_0000, true, true));
    }

    #[test]
    fn a_change_is_told_once() {
        let (mut bridge, lines) = with(&[(0x5a, 0x11)]);
        assert!(lines.take_change());
        assert!(!lines.take_change());
        Probe::new(&mut bridge).config_write(0x5a, &[0x11]);
        assert!(!lines.take_change());
    }

    #[test]
    fn smram_opens_until_it_is_locked() {
        let (mut bridge, lines) = with(&[(0x72, 0x48)]);
        let open = Smram {
            enabled: true,
            open: true,
            closed: false,
        };
        assert_eq!(lines.smram(), open);
        let mut probe = Probe::new(&mut bridge);
        probe.config_write(0x72, &[0x58]);
        assert_eq!(probe.config_read(0x72) & 0xff, 0x1a);
        probe.config_write(0x72, &[0x48]);
        assert_eq!(probe.config_read(0x72) & 0xff, 0x1a);
        assert!(!lines.smram().open);
        bridge.reset();
        assert_eq!(Probe::new(&mut bridge).config_read(0x72) & 0xff, 0x02);
    }
}
