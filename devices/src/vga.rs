//! A VGA with the Bochs display interface.
//!
//! IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem"; the
//! Bochs VBE extension for what lies beyond.
//!
//! Registers: 0 to 2Fh are the ports 3B0h to 3DFh; 30h is the index and 31h
//! the data port of the extension (16 bits); from [`WINDOW`] on lies the
//! window of the processor's address space, 128 KiB from A0000h on.

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers, Timed, byte_of_read, byte_of_write};
use crate::irq_line::IrqLine;
use crate::snapshot::{RestoreError, State};
use crate::time::Time;

mod attribute;
mod code_page;
mod crtc;
mod dac;
mod diagnostics;
mod graphics;
mod linear;
mod memory;
mod pci;
mod raster;
mod render;
mod sequencer;
#[cfg(test)]
mod tests;
mod text_mode;
mod vbe;
mod vertical_interrupt;
mod window;
mod window_watch;

pub use code_page::character;
pub use memory::{PlainVideoMemory, VideoMemory};
pub use pci::{FRAME_BUFFER, FRAME_BUFFER_BYTES, MAX_ROM_BYTES, PciVga};
pub use render::{Frame, TextScreen};

use attribute::{Attribute, ModeControl};
use crtc::Crtc;
use dac::Dac;
use graphics::Graphics;
use raster::Raster;
use sequencer::{ClockingMode, Sequencer};
use vbe::{Effect, Vbe};
use vertical_interrupt::VerticalInterrupt;
use window_watch::WindowWatch;

/// The register at which the memory window begins.
pub const WINDOW: u64 = 0x2_0000;
/// The bytes of the memory window.
pub const WINDOW_BYTES: u64 = 0x2_0000;
/// The index port of the extension; its data port follows.
const VBE_INDEX: u64 = 0x30;
const VBE_DATA: u64 = 0x31;

bitflags! {
    /// Miscellaneous Output Register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Miscellaneous: u8 {
        /// The CRT controller is at 3D4h, else at 3B4h.
        const COLOR_ADDRESSES = 1 << 0;
        // Bit 1, IBM's switch for the processor's window, changes nothing here: see `Vga`.
        /// The 28.322 MHz clock, else 25.175 MHz.
        const CLOCK_28_MHZ = 1 << 2;
        /// Where odd and even addresses reach different planes, the even bytes of them, else the odd ones.
        const EVEN_PAGE = 1 << 5;
    }

    /// Input Status Register 1.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct InputStatus1: u8 {
        /// Nothing is displayed now: a retrace, or a border.
        const DISPLAY_DISABLED = 1 << 0;
        /// The vertical retrace.
        const VERTICAL_RETRACE = 1 << 3;
    }
}

/// Input Status Register 0: a colour monitor is sensed.
const MONITOR_SENSED: u8 = 0x10;
/// Input Status Register 0: the vertical interrupt is pending.
const INTERRUPT_PENDING: u8 = 0x80;

/// The graphics adapter.
///
/// It is the one that QEMU's standard VGA is, and firmware that was made for that (GRUB's) sets what it looks at, and no
/// more: it never writes the CRT controller's mode control and the enabled planes, and closes the processor's window by the
/// miscellaneous output register while it writes there. So both registers have the values of a text mode at power-on, and
/// the window, which IBM's adapters can close to make room for another adapter, is always open.
pub struct Vga {
    memory: Box<dyn VideoMemory>,
    miscellaneous: Miscellaneous,
    feature_control: u8,
    sequencer: Sequencer,
    graphics: Graphics,
    attribute: Attribute,
    crtc: Crtc,
    dac: Dac,
    vbe: Vbe,
    /// Counts writes to registers that the picture depends on.
    changes: u64,
    /// What was written while the picture was scanned.
    raster: Raster,
    /// Whether accesses to the memory may go past the adapter.
    window_watch: WindowWatch,
    /// The latch of the vertical interrupt, and the line that it drives.
    vertical_interrupt: VerticalInterrupt,
    interrupt: Option<IrqLine>,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    miscellaneous: u8,
    feature_control: u8,
    sequencer: Sequencer,
    graphics: Graphics,
    attribute: Attribute,
    crtc: Crtc,
    dac: Dac,
    vbe: Vbe,
}

#[derive(Serialize, Deserialize)]
struct SavedV2 {
    registers: SavedV1,
    window_watch: WindowWatch,
    vertical_interrupt: VerticalInterrupt,
}

/// A picture that is still to be made: registers as they were, and the memory as it is
/// then.
pub struct Scan {
    vga: Vga,
    now: Time,
}

impl Scan {
    /// The pixels.
    #[must_use]
    pub fn frame(&self) -> Frame {
        self.vga.frame(self.now)
    }

    /// The characters, in a text mode.
    #[must_use]
    pub fn text_screen(&self) -> Option<TextScreen> {
        self.vga.text_screen()
    }
}

impl Vga {
    /// An adapter that scans `memory`.
    #[must_use]
    pub fn new(memory: Box<dyn VideoMemory>) -> Self {
        Self {
            memory,
            miscellaneous: Miscellaneous::empty(),
            feature_control: 0,
            sequencer: Sequencer::default(),
            graphics: Graphics::default(),
            attribute: Attribute::default(),
            crtc: Crtc::default(),
            dac: Dac::default(),
            vbe: Vbe::default(),
            changes: 0,
            raster: Raster::default(),
            window_watch: WindowWatch::default(),
            vertical_interrupt: VerticalInterrupt::default(),
            interrupt: None,
        }
    }

    /// The picture at a time, for somebody on another thread to make when it is wanted.
    #[must_use]
    pub fn scan(&self, now: Time) -> Scan {
        Scan {
            vga: self.copy(),
            now,
        }
    }

    /// The same registers at the same memory.
    fn copy(&self) -> Self {
        Self {
            memory: self.memory.share(),
            miscellaneous: self.miscellaneous,
            feature_control: self.feature_control,
            sequencer: self.sequencer.clone(),
            graphics: self.graphics.clone(),
            attribute: self.attribute.clone(),
            crtc: self.crtc.clone(),
            dac: self.dac.clone(),
            vbe: self.vbe.clone(),
            changes: self.changes,
            raster: self.raster.clone(),
            window_watch: self.window_watch.clone(),
            vertical_interrupt: self.vertical_interrupt.clone(),
            interrupt: None,
        }
    }

    /// A number that changes whenever the picture may have, but for what lies in
    /// the memory: with registers, and as the cursor and characters blink.
    #[must_use]
    pub fn change_number(&self, now: Time) -> u64 {
        let blinks = self.is_text() || self.attribute.mode().contains(ModeControl::BLINK);
        let blinking = if blinks {
            self.frame_number(now) >> 3
        } else {
            0
        };
        // What was shown line by line is shown at once when the program has stopped changing it.
        let by_lines = u64::from(self.changes_in_frame(now)) << 63;
        self.changes.wrapping_add(blinking) ^ by_lines
    }

    /// Nanoseconds from frame to frame, and of one line, as the registers ask for.
    fn timing(&self) -> (u64, u64) {
        let clocking = self.sequencer.clocking();
        let dots = if clocking.contains(ClockingMode::EIGHT_DOTS) {
            8
        } else {
            9
        };
        let halved = u64::from(clocking.contains(ClockingMode::DOT_CLOCK_HALVED)) + 1;
        let khz = if self.miscellaneous.contains(Miscellaneous::CLOCK_28_MHZ) {
            28_322
        } else {
            25_175
        };
        let line_dots = self.crtc.horizontal_total() as u64 * dots * halved;
        let line_ns = line_dots * 1_000_000 / khz;
        (line_ns * self.crtc.vertical_total() as u64, line_ns)
    }

    /// How many frames have begun since power-on.
    fn frame_number(&self, now: Time) -> u64 {
        now.0.checked_div(self.timing().0).unwrap_or(0)
    }

    fn input_status_1(&self, now: Time) -> InputStatus1 {
        let (frame_ns, line_ns) = self.timing();
        let in_frame = now.0.checked_rem(frame_ns).unwrap_or(0);
        let line = in_frame.checked_div(line_ns).unwrap_or(0) as usize;
        let in_line = in_frame.checked_rem(line_ns).unwrap_or(0);
        let mut status = InputStatus1::empty();
        let total = self.crtc.horizontal_total() as u64;
        let is_beside = in_line * total >= line_ns * self.crtc.columns() as u64;
        if is_beside || line >= self.crtc.display_lines() {
            status |= InputStatus1::DISPLAY_DISABLED;
        }
        if self.crtc.vertical_retrace().contains(&line) {
            status |= InputStatus1::VERTICAL_RETRACE | InputStatus1::DISPLAY_DISABLED;
        }
        status
    }

    /// Whether a register of the CRT controller's address range is at this one of its two places.
    const fn is_addressed(&self, register: u64) -> bool {
        let is_color = register >= 0x20;
        self.miscellaneous.contains(Miscellaneous::COLOR_ADDRESSES) == is_color
    }

    fn read_port(&mut self, register: u64, now: Time) -> Result<u8, BusError> {
        Ok(match register {
            0x10 => self.attribute.read_index(),
            0x11 => self.attribute.read_data(),
            0x12 if self.has_vertical_interrupt(now) => MONITOR_SENSED | INTERRUPT_PENDING,
            0x12 => MONITOR_SENSED,
            0x14 => self.sequencer.index,
            0x15 => self.sequencer.read(),
            0x16 => self.dac.mask,
            0x17 => self.dac.state(),
            0x18 => self.dac.write_index(),
            0x19 => self.dac.read(),
            0x1a => self.feature_control,
            0x1c => self.miscellaneous.bits(),
            0x1e => self.graphics.index,
            0x1f => self.graphics.read(),
            0x04 | 0x24 if self.is_addressed(register) => self.crtc.index,
            0x05 | 0x25 if self.is_addressed(register) => self.crtc.read(),
            0x0a | 0x2a if self.is_addressed(register) => {
                self.note_flip_flop_reset(now);
                self.attribute.reset_flip_flop();
                self.input_status_1(now).bits() | self.video_feedback(now)
            }
            _ => return Err(BusError::NoRegister(register)),
        })
    }

    fn write_port(&mut self, register: u64, value: u8) -> Result<(), BusError> {
        self.changes = self.changes.wrapping_add(1);
        match register {
            0x10 | 0x11 => self.attribute.write(value),
            0x12 => {
                self.miscellaneous = Miscellaneous::from_bits_retain(value);
                self.window_watch.forget();
            }
            0x14 => self.sequencer.index = value,
            0x15 => self.sequencer.write(value),
            0x16 => self.dac.mask = value,
            0x17 => self.dac.set_index(value, true),
            0x18 => self.dac.set_index(value, false),
            0x19 => self.dac.write(value),
            0x1e => self.graphics.index = value,
            0x1f => self.graphics.write(value),
            0x04 | 0x24 if self.is_addressed(register) => self.crtc.index = value,
            0x05 | 0x25 if self.is_addressed(register) => self.crtc.write(value),
            0x0a | 0x2a if self.is_addressed(register) => self.feature_control = value & 3,
            _ => return Err(BusError::NoRegister(register)),
        }
        if matches!(register, 0x12 | 0x15 | 0x1f) {
            self.follow_window();
        }
        Ok(())
    }

    fn write_vbe(&mut self, value: u16) {
        self.changes = self.changes.wrapping_add(1);
        if let Effect::Clear(bytes) = self.vbe.write(value, self.memory.bytes()) {
            self.memory
                .write(0, &vec![0; bytes.min(self.memory.bytes())]);
        }
        self.dac.is_eight_bits = self.vbe.is_eight_bit_dac();
        self.follow_window();
    }
}

impl Device for Vga {
    fn name(&self) -> &'static str {
        "vga"
    }

    fn reset(&mut self) {
        self.changes = self.changes.wrapping_add(1);
        self.miscellaneous = Miscellaneous::empty();
        self.feature_control = 0;
        self.sequencer = Sequencer::default();
        self.graphics = Graphics::default();
        self.attribute = Attribute::default();
        self.crtc = Crtc::default();
        self.dac = Dac::default();
        self.vbe = Vbe::default();
        self.raster = Raster::default();
        self.window_watch = WindowWatch::default();
        self.vertical_interrupt = VerticalInterrupt::default();
        if let Some(line) = &self.interrupt {
            line.set(false);
        }
    }

    fn save(&self) -> State {
        let Self {
            memory: _,
            miscellaneous,
            feature_control,
            sequencer,
            graphics,
            attribute,
            crtc,
            dac,
            vbe,
            changes: _,
            raster: _,
            window_watch,
            vertical_interrupt,
            interrupt: _,
        } = self;
        let registers = SavedV1 {
            miscellaneous: miscellaneous.bits(),
            feature_control: *feature_control,
            sequencer: sequencer.clone(),
            graphics: graphics.clone(),
            attribute: attribute.clone(),
            crtc: crtc.clone(),
            dac: dac.clone(),
            vbe: vbe.clone(),
        };
        let window_watch = window_watch.clone();
        let vertical_interrupt = vertical_interrupt.clone();
        State::encode(
            2,
            &SavedV2 {
                registers,
                window_watch,
                vertical_interrupt,
            },
        )
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let SavedV2 {
            registers: saved,
            window_watch,
            vertical_interrupt,
        } = if state.version() == 1 {
            SavedV2 {
                registers: state.decode(self.name(), 2)?,
                window_watch: WindowWatch::default(),
                vertical_interrupt: VerticalInterrupt::default(),
            }
        } else {
            state.decode(self.name(), 2)?
        };
        let impossible = |what| RestoreError::Impossible {
            device: "vga",
            what,
        };
        if !saved.dac.is_possible() {
            return Err(impossible("a palette has 256 entries"));
        }
        if !saved.vbe.is_possible() {
            return Err(impossible("a resolution is out of range"));
        }
        self.changes = self.changes.wrapping_add(1);
        self.miscellaneous = Miscellaneous::from_bits_retain(saved.miscellaneous);
        self.feature_control = saved.feature_control;
        self.sequencer = saved.sequencer;
        self.graphics = saved.graphics;
        self.attribute = saved.attribute;
        self.crtc = saved.crtc;
        self.dac = saved.dac;
        self.vbe = saved.vbe;
        self.raster = Raster::default();
        self.window_watch = window_watch;
        self.follow_window();
        self.restore_interrupt(vertical_interrupt);
        Ok(())
    }

    fn timed(&mut self) -> Option<&mut dyn Timed> {
        Some(self)
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }
}

/// An offset into the memory window, if a register lies there.
fn window_offset(register: u64) -> Option<usize> {
    let offset = register.checked_sub(WINDOW)?;
    (offset < WINDOW_BYTES).then_some(offset as usize)
}

impl Registers for Vga {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        if let Some(offset) = window_offset(register) {
            for (index, byte) in bytes.iter_mut().enumerate() {
                *byte = self.read_memory(offset + index);
            }
            return Ok(());
        }
        match (register, &mut *bytes) {
            (VBE_INDEX, [low, high]) => [*low, *high] = self.vbe.index.to_le_bytes(),
            (VBE_DATA, [low, high]) => {
                [*low, *high] = self.vbe.read(self.memory.bytes()).to_le_bytes();
            }
            _ => *byte_of_read(register, bytes)? = self.read_port(register, cx.now)?,
        }
        Ok(())
    }

    fn write(&mut self, register: u64, bytes: &[u8], cx: &mut Context<'_>) -> Result<(), BusError> {
        if let Some(offset) = window_offset(register) {
            for (index, &byte) in bytes.iter().enumerate() {
                self.write_memory(offset + index, byte);
            }
            return Ok(());
        }
        match (register, bytes) {
            (VBE_INDEX, &[low, high]) => self.vbe.index = u16::from_le_bytes([low, high]),
            (VBE_DATA, &[low, high]) => self.write_vbe(u16::from_le_bytes([low, high])),
            _ => {
                let value = byte_of_write(register, bytes)?;
                self.note_write(register, value, cx.now);
                self.write_port(register, value)?;
                if matches!(register, 0x12 | 0x15 | 0x05 | 0x25) {
                    self.follow_retrace(cx.now);
                }
            }
        }
        Ok(())
    }
}

impl Timed for Vga {
    fn next_deadline(&self) -> Option<Time> {
        self.next_interrupt()
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        self.drive_interrupt(cx.now);
    }
}
