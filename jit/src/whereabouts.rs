//! What the thread of a processor does at the moment, for somebody on another thread who looks from time to time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What a thread can be doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Doing {
    /// Looking after the machine, between slices of instructions.
    #[default]
    Housekeeping,
    /// Interpreting, which includes looking for the code to run next.
    Interpreting,
    /// Running compiled code.
    Compiled,
    /// Carrying out what compiled code called for.
    Helping,
    /// Compiling.
    Compiling,
    /// Carrying out an access to a device.
    Device,
    /// Waiting for the host's time or for somebody at the keyboard.
    Sleeping,
}

impl Doing {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Housekeeping,
        Self::Interpreting,
        Self::Compiled,
        Self::Helping,
        Self::Compiling,
        Self::Device,
        Self::Sleeping,
    ];
}

/// The cell that says so. Clones are the same cell; one thread writes it.
#[derive(Clone, Debug, Default)]
pub struct Whereabouts(Arc<AtomicU8>);

impl Whereabouts {
    /// Says what is being done from now on.
    #[inline]
    pub fn set(&self, doing: Doing) {
        self.0.store(doing as u8, Ordering::Relaxed);
    }

    /// Says what is being done from now on, and gives what was done before.
    #[inline]
    pub fn change(&self, doing: Doing) -> Doing {
        let before = self.get();
        self.set(doing);
        before
    }

    /// What is being done.
    #[inline]
    #[must_use]
    pub fn get(&self) -> Doing {
        let number = self.0.load(Ordering::Relaxed);
        Doing::ALL
            .get(usize::from(number))
            .copied()
            .unwrap_or_default()
    }

    /// The cell's address, for [`crate::helpers`]; it stays while a clone lives.
    pub(crate) fn address(&self) -> u64 {
        self.0.as_ptr().expose_provenance() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_told_as_it_was_set() {
        let cell = Whereabouts::default();
        let seen = cell.clone();
        assert_eq!(seen.get(), Doing::Housekeeping);
        for (number, doing) in Doing::ALL.into_iter().enumerate() {
            assert_eq!(doing as usize, number);
            cell.set(doing);
            assert_eq!(seen.get(), doing);
        }
        assert_eq!(cell.change(Doing::Device), Doing::Sleeping);
    }
}
