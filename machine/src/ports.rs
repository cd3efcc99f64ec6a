//! The I/O address space: which chip's registers answer at which ports.

use std::ops::RangeInclusive;

/// A chip, by its number on the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChipId(pub(crate) usize);

/// Two chips claim one port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ports {start:#x} to {end:#x} are already taken", start = range.start(), end = range.end())]
pub struct PortsTaken {
    /// What was asked for.
    pub range: RangeInclusive<u16>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    start: u16,
    end: u16,
    chip: ChipId,
    first_register: u64,
}

/// The ports of the board.
#[derive(Debug)]
pub struct Ports {
    windows: Vec<Window>,
    /// One more than the window of each port; zero where nobody answers.
    table: Vec<u8>,
    /// Windows that the guest can move; a fixed one hides them.
    moving: Vec<Window>,
}

impl Default for Ports {
    fn default() -> Self {
        Self {
            windows: Vec::new(),
            table: vec![0; 1 << 16],
            moving: Vec::new(),
        }
    }
}

impl Ports {
    /// Gives a range of ports to a chip; they are its registers from `first_register` up.
    ///
    /// # Errors
    /// When one of the ports is taken, or the board is full.
    pub fn map(
        &mut self,
        range: RangeInclusive<u16>,
        chip: ChipId,
        first_register: u64,
    ) -> Result<(), PortsTaken> {
        let slots = usize::from(*range.start())..=usize::from(*range.end());
        let number = u8::try_from(self.windows.len() + 1);
        let free = self.table[slots.clone()].iter().all(|&taken| taken == 0);
        let (Ok(number), true) = (number, free) else {
            return Err(PortsTaken { range });
        };
        self.table[slots].fill(number);
        let (start, end) = (*range.start(), *range.end());
        self.windows.push(Window {
            start,
            end,
            chip,
            first_register,
        });
        Ok(())
    }

    /// Says anew where the windows are that the guest can move.
    pub fn set_moving(
        &mut self,
        windows: impl IntoIterator<Item = (RangeInclusive<u16>, ChipId, u64)>,
    ) {
        self.moving.clear();
        let windows = windows.into_iter();
        self.moving
            .extend(windows.map(|(range, chip, first_register)| Window {
                start: *range.start(),
                end: *range.end(),
                chip,
                first_register,
            }));
    }

    /// The chip and register at a port, and how many ports of its window are left.
    #[must_use]
    pub fn find(&self, port: u16) -> Option<(ChipId, u64, usize)> {
        let window = match self.table[usize::from(port)].checked_sub(1) {
            Some(number) => self.windows.get(usize::from(number))?,
            None => self
                .moving
                .iter()
                .find(|window| (window.start..=window.end).contains(&port))?,
        };
        let offset = port - window.start;
        let left = usize::from(window.end - port) + 1;
        Some((window.chip, window.first_register + u64::from(offset), left))
    }
}

#[cfg(test)]
mod tests {
    use super::{ChipId, Ports};

    #[test]
    fn a_port_belongs_to_one_chip() {
        let mut ports = Ports::default();
        ports.map(0x60..=0x60, ChipId(1), 0).unwrap();
        ports.map(0x64..=0x64, ChipId(1), 1).unwrap();
        assert!(ports.map(0x60..=0x6f, ChipId(2), 0).is_err());
        assert_eq!(ports.find(0x64), Some((ChipId(1), 1, 1)));
        assert_eq!(ports.find(0x61), None);
        ports.map(0xfffc..=0xffff, ChipId(3), 8).unwrap();
        assert_eq!(ports.find(0xfffe), Some((ChipId(3), 10, 2)));
    }

    #[test]
    fn windows_move_and_hide_no_fixed_chip() {
        let mut ports = Ports::default();
        ports.map(0x60..=0x60, ChipId(1), 0).unwrap();
        ports.set_moving([(0x40..=0x7f, ChipId(2), 0x10)]);
        assert_eq!(ports.find(0x60), Some((ChipId(1), 0, 1)));
        assert_eq!(ports.find(0x61), Some((ChipId(2), 0x31, 0x1f)));
        ports.set_moving([]);
        assert_eq!(ports.find(0x61), None);
    }
}
