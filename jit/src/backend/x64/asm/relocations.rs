//! What changes in code that is copied to run elsewhere.

use super::{Asm, Reg};
use crate::relocation::{Follows, Relocation};

/// Whether a constant of 64 bits takes fewer bytes.
pub(in super::super) fn has_short_form(value: u64) -> bool {
    u32::try_from(value).is_ok() || i32::try_from(value as i64).is_ok()
}

impl Asm {
    /// From here on notes what changes if the code is copied, in `room`.
    pub(in super::super) fn be_movable(&mut self, mut room: Vec<Relocation>) {
        room.clear();
        self.relocations = room;
        self.is_movable = true;
    }

    /// There is something in the code that cannot change.
    pub(in super::super) fn be_fixed(&mut self) {
        self.is_movable = false;
    }

    pub(in super::super) const fn is_movable(&self) -> bool {
        self.is_movable
    }

    /// What was noted, and where nothing was to be.
    pub(in super::super) fn take_relocations(&mut self) -> Vec<Relocation> {
        std::mem::take(&mut self.relocations)
    }

    /// The last so many bytes follow something.
    pub(in super::super) fn note(&mut self, bytes: usize, follows: Follows) {
        if self.is_movable {
            let at = (self.here() - bytes) as u32;
            self.relocations.push(Relocation { at, follows });
        }
    }

    /// A constant that follows something.
    pub(in super::super) fn address(&mut self, reg: Reg, value: u64, follows: Follows) {
        self.constant(reg, value);
        if has_short_form(value) {
            self.be_fixed();
        } else {
            self.note(8, follows);
        }
    }
}
