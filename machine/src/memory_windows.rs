//! The memory-mapped registers: which chip's answer at which addresses.

use crate::ports::ChipId;

/// A chip's registers in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryWindow {
    /// First address.
    pub(crate) start: u64,
    /// Bytes.
    pub(crate) bytes: u64,
    /// Whose.
    pub(crate) chip: ChipId,
    /// The chip's register at `start`.
    pub(crate) first_register: u64,
}

/// The windows of the board.
#[derive(Debug, Default)]
pub(crate) struct MemoryWindows {
    fixed: Vec<MemoryWindow>,
    /// Those that the guest can move; a fixed one hides them.
    moving: Vec<MemoryWindow>,
}

impl MemoryWindows {
    /// Gives addresses to a chip for good.
    pub(crate) fn map(&mut self, window: MemoryWindow) {
        self.fixed.push(window);
    }

    /// Says anew where the windows are that the guest can move.
    pub(crate) fn set_moving(&mut self, windows: impl IntoIterator<Item = MemoryWindow>) {
        self.moving.clear();
        self.moving.extend(windows);
    }

    /// Where the moving window of a chip is that begins with this register.
    pub(crate) fn start_of(&self, chip: ChipId, first_register: u64) -> Option<u64> {
        let wanted =
            |window: &&MemoryWindow| window.chip == chip && window.first_register == first_register;
        self.moving.iter().find(wanted).map(|window| window.start)
    }

    /// The chip and register at an address.
    pub(crate) fn find(&self, address: u64) -> Option<(ChipId, u64)> {
        let all = self.fixed.iter().chain(&self.moving);
        all.map(|window| (window, address.wrapping_sub(window.start)))
            .find(|(window, offset)| *offset < window.bytes)
            .map(|(window, offset)| (window.chip, window.first_register.wrapping_add(offset)))
    }
}

#[cfg(test)]
mod tests {
    use super::{MemoryWindow, MemoryWindows};
    use crate::ports::ChipId;

    #[test]
    fn fixed_windows_come_before_those_that_move() {
        let window = |start, bytes, chip| MemoryWindow {
            start,
            bytes,
            chip: ChipId(chip),
            first_register: 0x100,
        };
        let mut windows = MemoryWindows::default();
        windows.map(window(0xfec0_0000, 0x1000, 1));
        windows.set_moving([window(0xfe00_0000, 0x100_0000, 2)]);
        assert_eq!(windows.find(0xfec0_0010), Some((ChipId(1), 0x110)));
        assert_eq!(windows.find(0xfec0_1000), Some((ChipId(2), 0xc0_1100)));
        assert_eq!(windows.start_of(ChipId(2), 0x100), Some(0xfe00_0000));
        windows.set_moving([]);
        assert_eq!(windows.start_of(ChipId(2), 0x100), None);
        assert_eq!(windows.find(0xfec0_1000), None);
    }
}
