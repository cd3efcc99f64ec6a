//! The VGA as a PCI function: 1234:1111, the standard adapter of Bochs and QEMU.
//!
//! QEMU, docs/specs/standard-vga. Registers: up to [`super::WINDOW`] and its
//! window as the [`Vga`]'s; then the control registers (BAR 2), the expansion
//! ROM, and the linear frame buffer (BAR 0). The frame buffer is memory, which
//! the board does well to map; where it does not, the chip answers.

use serde::{Deserialize, Serialize};

use super::{VBE_DATA, VBE_INDEX, Vga, VideoMemory, WINDOW, WINDOW_BYTES};
use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers, Timed};
use crate::irq_line::IrqLine;
use crate::pci::{Bar, Command, ConfigSpace, Identity, PciFunction, SavedConfigV1, Status};
use crate::snapshot::{RestoreError, State};

/// The first register of the linear frame buffer.
pub const FRAME_BUFFER: u64 = 0x100_0000;
/// The video memory that the frame buffer's window has room for.
pub const FRAME_BUFFER_BYTES: u64 = 16 << 20;
/// The first of the control registers.
const CONTROL: u64 = 0x8_0000;
const CONTROL_BYTES: u64 = 0x1000;
/// The first byte of the expansion ROM.
const ROM: u64 = 0x10_0000;
/// The ROM's size, unless the image is larger; and the largest there is room for.
const ROM_BYTES: u64 = 0x1_0000;
/// The largest image that an expansion ROM takes.
pub const MAX_ROM_BYTES: usize = 0x4_0000;

/// Where the control registers have the ports from 3C0h on, and the first of
/// those as a register of the [`Vga`].
const CONTROL_PORTS: std::ops::Range<u64> = 0x400..0x420;
const FIRST_PORT: u64 = 0x10;
/// Where the control registers have the extension's, two bytes each.
const CONTROL_VBE: std::ops::Range<u64> = 0x500..0x516;

/// The adapter on the PCI bus.
pub struct PciVga {
    vga: Vga,
    config: ConfigSpace,
    rom: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    vga: State,
    config: SavedConfigV1,
}

impl PciVga {
    /// An adapter that scans `memory`, with a VGA BIOS in its ROM.
    #[must_use]
    pub fn new(memory: Box<dyn VideoMemory>, bios: Option<Vec<u8>>) -> Self {
        let identity = Identity {
            vendor_id: 0x1234,
            device_id: 0x1111,
            revision_id: 2,
            class_code: 0x03_0000,
            subsystem: (0x1af4, 0x1100),
            interrupt_pin: None,
            is_multifunction: false,
        };
        let mut config = ConfigSpace::device(&identity)
            .with_command(
                Command::empty(),
                Command::IO_SPACE | Command::MEMORY_SPACE | Command::BUS_MASTER,
            )
            .with_status(Status::empty())
            .with_bar(
                0,
                Bar::memory(FRAME_BUFFER_BYTES, FRAME_BUFFER).prefetchable(),
            )
            .with_bar(2, Bar::memory(CONTROL_BYTES, CONTROL));
        let mut rom = bios.unwrap_or_default();
        rom.truncate(MAX_ROM_BYTES);
        if !rom.is_empty() {
            let bytes = (rom.len() as u64).next_power_of_two().max(ROM_BYTES);
            // Bochs's BIOS copies the ROM before it switches memory decoding on.
            config = config
                .with_rom(bytes, ROM)
                .with_rom_that_ignores_the_command_register();
        }
        Self {
            vga: Vga::new(memory),
            config,
            rom,
        }
    }

    /// The same adapter with the interrupt at the vertical retrace, which is none of the PCI bus's.
    #[must_use]
    pub fn with_interrupt(self, line: IrqLine) -> Self {
        Self {
            vga: self.vga.with_interrupt(line),
            ..self
        }
    }

    /// The adapter itself.
    #[must_use]
    pub const fn vga(&self) -> &Vga {
        &self.vga
    }

    /// The adapter itself, to change it.
    pub const fn vga_mut(&mut self) -> &mut Vga {
        &mut self.vga
    }

    fn read_control(
        &mut self,
        offset: u64,
        bytes: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        if CONTROL_PORTS.contains(&offset) {
            let register = FIRST_PORT + offset - CONTROL_PORTS.start;
            return self.vga.read(register, bytes, cx);
        }
        if CONTROL_VBE.contains(&offset) {
            return self.with_vbe_index(offset, bytes.len(), |vga| vga.read(VBE_DATA, bytes, cx));
        }
        // No EDID and no further registers: an empty page.
        bytes.fill(0);
        Ok(())
    }

    fn write_control(
        &mut self,
        offset: u64,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        if CONTROL_PORTS.contains(&offset) {
            let register = FIRST_PORT + offset - CONTROL_PORTS.start;
            return self.vga.write(register, bytes, cx);
        }
        if CONTROL_VBE.contains(&offset) {
            return self.with_vbe_index(offset, bytes.len(), |vga| vga.write(VBE_DATA, bytes, cx));
        }
        Err(BusError::NoRegister(CONTROL + offset))
    }

    /// Reaches a register of the extension without touching its index port.
    fn with_vbe_index(
        &mut self,
        offset: u64,
        width: usize,
        act: impl FnOnce(&mut Vga) -> Result<(), BusError>,
    ) -> Result<(), BusError> {
        let register = CONTROL + offset;
        // Wider accesses come apart into these.
        if width != 2 || !offset.is_multiple_of(2) {
            return Err(BusError::BadWidth {
                register,
                bytes: width,
            });
        }
        let index = ((offset - CONTROL_VBE.start) / 2) as u16;
        let before = std::mem::replace(&mut self.vga.vbe.index, index);
        let result = act(&mut self.vga);
        self.vga.vbe.index = before;
        result
    }

    fn read_rom(&self, offset: u64, bytes: &mut [u8]) {
        bytes.fill(0xff);
        let rom = usize::try_from(offset)
            .ok()
            .and_then(|offset| self.rom.get(offset..));
        for (byte, &content) in bytes.iter_mut().zip(rom.unwrap_or_default()) {
            *byte = content;
        }
    }
}

/// What a register belongs to, and the offset there.
enum Part {
    Vga,
    Control(u64),
    Rom(u64),
    FrameBuffer(usize),
}

fn part(register: u64) -> Result<Part, BusError> {
    let within = |start: u64, bytes: u64| {
        let offset = register.checked_sub(start)?;
        (offset < bytes).then_some(offset)
    };
    if register <= VBE_DATA.max(VBE_INDEX) || within(WINDOW, WINDOW_BYTES).is_some() {
        Ok(Part::Vga)
    } else if let Some(offset) = within(CONTROL, CONTROL_BYTES) {
        Ok(Part::Control(offset))
    } else if let Some(offset) = within(ROM, MAX_ROM_BYTES as u64) {
        Ok(Part::Rom(offset))
    } else if let Some(offset) = within(FRAME_BUFFER, FRAME_BUFFER_BYTES) {
        Ok(Part::FrameBuffer(offset as usize))
    } else {
        Err(BusError::NoRegister(register))
    }
}

impl Device for PciVga {
    fn name(&self) -> &'static str {
        "pci-vga"
    }

    fn reset(&mut self) {
        self.vga.reset();
        self.config.reset();
    }

    fn save(&self) -> State {
        let Self {
            vga,
            config,
            rom: _,
        } = self;
        let saved = SavedV1 {
            vga: vga.save(),
            config: config.save(),
        };
        State::encode(1, &saved)
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let SavedV1 { vga, config } = state.decode(self.name(), 1)?;
        let config = ConfigSpace::unpack(&config, self.name())?;
        self.vga.restore(vga)?;
        self.config.restore(config);
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }

    fn timed(&mut self) -> Option<&mut dyn Timed> {
        self.vga.timed()
    }

    fn pci(&mut self) -> Option<&mut dyn PciFunction> {
        Some(self)
    }
}

impl Registers for PciVga {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        match part(register)? {
            Part::Vga => return self.vga.read(register, bytes, cx),
            Part::Control(offset) => return self.read_control(offset, bytes, cx),
            Part::Rom(offset) => self.read_rom(offset, bytes),
            Part::FrameBuffer(offset) => self.vga.memory.read(offset, bytes),
        }
        Ok(())
    }

    fn write(&mut self, register: u64, bytes: &[u8], cx: &mut Context<'_>) -> Result<(), BusError> {
        match part(register)? {
            Part::Vga => return self.vga.write(register, bytes, cx),
            Part::Control(offset) => return self.write_control(offset, bytes, cx),
            Part::Rom(_) => {}
            Part::FrameBuffer(offset) => self.vga.memory.write(offset, bytes),
        }
        Ok(())
    }
}

impl PciFunction for PciVga {
    fn config(&mut self) -> &mut ConfigSpace {
        &mut self.config
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::Probe;
    use crate::vga::PlainVideoMemory;

    fn adapter(bios: Option<Vec<u8>>) -> PciVga {
        let memory = PlainVideoMemory::new(FRAME_BUFFER_BYTES as usize);
        PciVga::new(Box::new(memory), bios)
    }

    /// Windows as (first register, start), with both BARs and the ROM switched on.
    fn placed(bench: &mut Probe<'_>) -> Vec<(u64, u64)> {
        bench.config_write(0x10, &0xe000_0000_u32.to_le_bytes());
        bench.config_write(0x18, &0xe200_0000_u32.to_le_bytes());
        bench.config_write(0x30, &0xe201_0001_u32.to_le_bytes());
        bench.config_write(0x04, &[2]);
        let windows = bench.windows();
        windows
            .iter()
            .map(|window| (window.first_register, window.start))
            .collect()
    }

    #[test]
    fn its_windows_are_frame_buffer_registers_and_rom() {
        let mut with_rom = adapter(Some(vec![0x55, 0xaa, 0x40]));
        let mut bench = Probe::new(&mut with_rom);
        assert_eq!(bench.config_read(0), 0x1111_1234);
        assert_eq!(bench.config_read(8), 0x0300_0002);
        let (frame_buffer, control) = ((FRAME_BUFFER, 0xe000_0000), (CONTROL, 0xe200_0000));
        assert_eq!(
            placed(&mut bench),
            [frame_buffer, control, (ROM, 0xe201_0000)]
        );
        let mut bytes = [0; 4];
        bench.read_bytes(ROM, &mut bytes).unwrap();
        assert_eq!(bytes, [0x55, 0xaa, 0x40, 0xff]);
        let mut without = adapter(None);
        assert_eq!(
            placed(&mut Probe::new(&mut without)),
            [frame_buffer, control]
        );
    }

    #[test]
    fn the_rom_needs_its_own_enable_bit_only() {
        let mut chip = adapter(Some(vec![0x55, 0xaa, 0x40]));
        let mut bench = Probe::new(&mut chip);
        bench.config_write(0x30, &0xe201_0000_u32.to_le_bytes());
        assert!(bench.windows().is_empty());
        bench.config_write(0x30, &0xe201_0001_u32.to_le_bytes());
        assert_eq!(bench.windows()[0].first_register, ROM);
    }

    #[test]
    fn control_registers_are_the_ports_and_the_extension() {
        let mut chip = adapter(None);
        let mut bench = Probe::new(&mut chip);
        // The index port keeps what it had.
        bench.write_bytes(VBE_INDEX, &[5, 0]).unwrap();
        for (index, value) in [(1, 640_u16), (2, 480), (3, 32), (4, 0x41)] {
            let register = CONTROL + 0x500 + 2 * index;
            bench.write_bytes(register, &value.to_le_bytes()).unwrap();
        }
        let mut word = [0; 2];
        bench.read_bytes(VBE_INDEX, &mut word).unwrap();
        assert_eq!(word, [5, 0]);
        bench.read_bytes(CONTROL + 0x502, &mut word).unwrap();
        assert_eq!(u16::from_le_bytes(word), 640);
        // 3C2h, the miscellaneous output register, is read at 3CCh.
        bench.write(CONTROL + 0x402, 0x67);
        assert_eq!(bench.read(0x1c), 0x67);
        bench
            .write_bytes(FRAME_BUFFER + 4, &0x12_3456_u32.to_le_bytes())
            .unwrap();
        let frame = chip.vga().frame(crate::Time(0));
        assert_eq!((frame.width, frame.height), (640, 480));
        assert_eq!(frame.pixels[..3], [0, 0x12_3456, 0]);
    }

    #[test]
    fn a_damaged_state_changes_nothing() {
        let mut chip = adapter(None);
        Probe::new(&mut chip).write(0x12, 0x67);
        let before = chip.save();
        assert!(chip.restore(State::from_parts(1, vec![1, 2, 3])).is_err());
        assert_eq!(chip.save(), before);
    }
}
