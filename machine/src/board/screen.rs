//! The screen: where the VGA's registers and memory are, and what it shows.

use rax_devices::vga::{FRAME_BUFFER, WINDOW, WINDOW_BYTES};
use rax_devices::{I8042, PciVga, Vga};

use super::{Board, VGA};
use crate::memory_windows::MemoryWindow;
use crate::ports::PortsTaken;

/// The device number on the PCI bus.
const DEVICE: u8 = 2;
/// Where the legacy memory window begins.
const LEGACY_WINDOW: u64 = 0xa_0000;

impl Board {
    /// The adapter at its legacy addresses and on the PCI bus.
    pub(super) fn place_vga(&mut self, vga: PciVga) -> Result<(), PortsTaken> {
        self.vga = Some(vga);
        self.map(0x3b0..=0x3bb, VGA, 0)?; // 3BCh is a parallel port's.
        self.map(0x3c0..=0x3df, VGA, 0x10)?;
        self.map(0x1ce..=0x1cf, VGA, 0x30)?;
        self.map(0x1d0..=0x1d0, VGA, 0x31)?; // The data port, aligned.
        self.memory_windows.map(MemoryWindow {
            start: LEGACY_WINDOW,
            bytes: WINDOW_BYTES,
            chip: VGA,
            first_register: WINDOW,
        });
        self.plug(DEVICE, 0, VGA);
        Ok(())
    }

    /// The adapter, if there is one.
    #[must_use]
    pub fn vga(&self) -> Option<&Vga> {
        self.vga.as_ref().map(PciVga::vga)
    }

    /// The keyboard controller, for those who type.
    pub(crate) const fn keyboard(&mut self) -> &mut I8042 {
        &mut self.keyboard
    }

    /// Where the linear frame buffer is decoded now.
    #[must_use]
    pub fn frame_buffer(&self) -> Option<u64> {
        self.memory_windows.start_of(VGA, FRAME_BUFFER)
    }
}
