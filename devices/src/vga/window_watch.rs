//! Whether a board may map video memory in place of the window: bytes then go past the adapter, at the speed of RAM.
//!
//! While planes are chained and nothing happens to a byte on its way, all that the adapter does is load its latches at
//! each read. A program sees that if it goes on with a write that takes them: it reads a byte of mode 13h, chooses write
//! mode 1 and copies four pixels at once. Nothing tells the adapter of a read that went past it, so it lets bytes go past
//! only when a program has shown what it does: it has read or written much without touching a register that matters, and
//! never used what such reads left in the latches. A program that did once is served by the adapter from then on.
//!
//! A bank of the extension's memory has no latches. It too is given away only after some accesses, for moving what is
//! mapped takes a board longer than a few bytes.

use serde::{Deserialize, Serialize};

/// Bytes that are read and written through chained planes before they may go past the adapter: a program that prepares
/// a copy with the latches reads a few bytes, but may have drawn some screens before.
const CHAINED: Patience = Patience {
    reads: 4096,
    writes: 1 << 18,
};
/// The same for a bank of the extension.
const BANK: Patience = Patience {
    reads: 128,
    writes: 128,
};
/// The patience that is left with a program that goes from chained planes to others and back in each frame.
const LEAST: Patience = Patience {
    reads: 128,
    writes: 1024,
};

/// How many more bytes are to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Patience {
    reads: u32,
    writes: u32,
}

/// What the first 64 KiB of the window show, byte by byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Plain {
    /// The first 64 KiB of the memory: four chained planes.
    Chained,
    /// The memory from here on.
    Bank(usize),
}

/// What was seen of the program that draws.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WindowWatch {
    plain: Option<Plain>,
    left: Patience,
    /// With how much patience chained planes are looked at the next time.
    patience: Patience,
    /// The latches hold, or should hold, what a read of chained planes loaded.
    latched_plain: bool,
    /// The program has used such latches.
    needs_latches: bool,
}

impl Default for WindowWatch {
    fn default() -> Self {
        Self {
            plain: None,
            left: CHAINED,
            patience: CHAINED,
            latched_plain: false,
            needs_latches: false,
        }
    }
}

impl WindowWatch {
    /// Registers may have changed: this is what the window shows now.
    pub(super) fn follow(&mut self, plain: Option<Plain>) {
        if self.plain == plain {
            return;
        }
        // What went past the adapter may have been reads.
        self.latched_plain |= self.open() == Some(Plain::Chained);
        self.plain = plain;
        match plain {
            Some(Plain::Bank(_)) => self.left = BANK,
            Some(Plain::Chained) => {
                self.left = self.patience;
                // If the program comes back without having used the latches, it is trusted sooner.
                self.patience = Patience {
                    reads: (self.patience.reads / 2).max(LEAST.reads),
                    writes: (self.patience.writes / 2).max(LEAST.writes),
                };
            }
            None => {}
        }
    }

    /// A mode is set: another program may draw.
    pub(super) fn forget(&mut self) {
        self.patience = CHAINED;
        self.needs_latches = false;
        if self.plain == Some(Plain::Chained) {
            self.left = CHAINED;
        }
    }

    /// A byte is read, which loads the latches.
    pub(super) const fn note_read(&mut self) {
        self.left.reads = self.left.reads.saturating_sub(1);
        self.latched_plain = matches!(self.plain, Some(Plain::Chained));
    }

    /// A byte is written; whether the latches go into it.
    pub(super) const fn note_write(&mut self, uses_latches: bool) {
        if self.plain.is_some() {
            self.left.writes = self.left.writes.saturating_sub(1);
        } else if uses_latches && self.latched_plain {
            self.needs_latches = true;
        }
    }

    /// What may be mapped in place of the window's first 64 KiB.
    pub(super) const fn open(&self) -> Option<Plain> {
        let has_seen_enough = self.left.reads == 0 || self.left.writes == 0;
        match self.plain {
            Some(Plain::Chained) if self.needs_latches => None,
            plain if has_seen_enough => plain,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BANK, CHAINED, LEAST, Plain, WindowWatch};

    fn chained() -> WindowWatch {
        let mut watch = WindowWatch::default();
        watch.follow(Some(Plain::Chained));
        watch
    }

    fn read(watch: &mut WindowWatch, bytes: u32) {
        for _ in 0..bytes {
            watch.note_read();
        }
    }

    fn write(watch: &mut WindowWatch, bytes: u32) {
        for _ in 0..bytes {
            watch.note_write(false);
        }
    }

    #[test]
    fn who_reads_or_writes_much_gets_the_memory() {
        let mut reader = chained();
        read(&mut reader, CHAINED.reads - 1);
        assert_eq!(reader.open(), None);
        read(&mut reader, 1);
        assert_eq!(reader.open(), Some(Plain::Chained));
        let mut writer = chained();
        write(&mut writer, CHAINED.writes - 1);
        assert_eq!(writer.open(), None);
        write(&mut writer, 1);
        assert_eq!(writer.open(), Some(Plain::Chained));
        writer.follow(None);
        assert_eq!(writer.open(), None);
    }

    #[test]
    fn who_uses_latches_of_chained_planes_never_gets_it() {
        let mut watch = chained();
        read(&mut watch, CHAINED.reads);
        watch.follow(None);
        watch.note_write(true);
        watch.follow(Some(Plain::Chained));
        write(&mut watch, CHAINED.writes);
        assert_eq!(watch.open(), None);
        // Until another mode is set.
        watch.forget();
        write(&mut watch, CHAINED.writes);
        assert_eq!(watch.open(), Some(Plain::Chained));
    }

    #[test]
    fn latches_of_other_planes_do_not_count() {
        let mut watch = chained();
        write(&mut watch, CHAINED.writes);
        watch.follow(None);
        watch.note_read();
        watch.note_write(true);
        watch.follow(Some(Plain::Chained));
        write(&mut watch, CHAINED.writes / 2);
        assert_eq!(watch.open(), Some(Plain::Chained));
    }

    #[test]
    fn who_goes_to_and_fro_is_trusted_sooner() {
        let mut watch = chained();
        for _ in 0..20 {
            watch.follow(None);
            watch.note_write(false);
            watch.follow(Some(Plain::Chained));
        }
        write(&mut watch, LEAST.writes);
        assert_eq!(watch.open(), Some(Plain::Chained));
    }

    #[test]
    fn each_bank_is_seen_first() {
        let mut watch = WindowWatch::default();
        for bank in [Plain::Bank(0), Plain::Bank(0x1_0000)] {
            watch.follow(Some(bank));
            assert_eq!(watch.open(), None);
            write(&mut watch, BANK.writes);
            assert_eq!(watch.open(), Some(bank));
        }
    }
}
