//! The screen: where the VGA's registers and memory are, and what it shows.

use rax_devices::vga::{FRAME_BUFFER, WINDOW, WINDOW_BYTES};
use rax_devices::{Context, Dma, I8042, LocalApic, PciVga, Registers, Time, Vga};

use super::access::MemoryTarget;
use super::{Board, VGA};
use crate::memory_windows::MemoryWindow;
use crate::ports::PortsTaken;

/// The device number on the PCI bus.
const DEVICE: u8 = 2;
/// The interrupt at the vertical retrace: IRQ 2 of the first PC, which the AT's second controller has as 9.
const RETRACE: u32 = 9;
/// Where the legacy memory window begins.
const LEGACY_WINDOW: u64 = 0xa_0000;

impl Board {
    /// The adapter at its legacy addresses and on the PCI bus.
    pub(super) fn place_vga(&mut self, vga: PciVga) -> Result<(), PortsTaken> {
        self.vga = Some(vga.with_interrupt(self.irq(RETRACE)));
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

    /// The adapter, if an address lies in its legacy window, and the register there.
    fn legacy_window(&mut self, address: u64) -> Option<(&mut PciVga, u64)> {
        let offset = address.checked_sub(LEGACY_WINDOW)?;
        let own_page = self.apics.first().and_then(LocalApic::memory_page);
        if offset >= WINDOW_BYTES || own_page == Some(address & !0xfff) {
            return None;
        }
        Some((self.vga.as_mut()?, WINDOW + offset))
    }

    /// A write to the screen, if it is one. It raises no interrupt, moves no
    /// deadline and no window but the screen's own, so that little has to be
    /// looked at after it; and there are many of them.
    pub(crate) fn write_screen(
        &mut self,
        address: u64,
        bytes: &[u8],
        now: Time,
        memory: &mut dyn Dma,
    ) -> bool {
        let Some((vga, register)) = self.legacy_window(address) else {
            return false;
        };
        let mut cx = Context { now, memory };
        // The window takes any width.
        let is_taken = vga.write(register, bytes, &mut cx).is_ok();
        self.accessed_memory(MemoryTarget::Chip(VGA), true);
        is_taken
    }

    /// The same for a read.
    pub(crate) fn read_screen(
        &mut self,
        address: u64,
        bytes: &mut [u8],
        now: Time,
        memory: &mut dyn Dma,
    ) -> bool {
        let Some((vga, register)) = self.legacy_window(address) else {
            return false;
        };
        let mut cx = Context { now, memory };
        let is_taken = vga.read(register, bytes, &mut cx).is_ok();
        self.accessed_memory(MemoryTarget::Chip(VGA), false);
        is_taken
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

    /// Shows text, as firmware would, for a kernel that is booted without.
    pub(crate) fn show_text(&mut self, font: &[u8]) {
        if let Some(vga) = &mut self.vga {
            vga.vga_mut().show_text(font);
        }
    }

    /// Whether windows were mapped anew since the last call.
    pub(crate) fn take_windows_moved(&mut self) -> bool {
        std::mem::take(&mut self.windows_moved)
    }

    /// Where the linear frame buffer is decoded now.
    #[must_use]
    pub fn frame_buffer(&self) -> Option<u64> {
        self.memory_windows.start_of(VGA, FRAME_BUFFER)
    }
}
