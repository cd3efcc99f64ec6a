//! What changes in code that is copied to run elsewhere.

use super::{Asm, Reg};
use crate::relocation::{Follows, Relocation};

/// Whether a constant of 64 bits takes fewer bytes.
pub(in super::super) fn has_short_form(value: u64) -> bool {
    u32::try_from(value).is_ok() || i32::try_from(value as i64).is_ok()
}

impl Asm {
    /// From here on notes what changes if the code is copied.
    pub(in super::super) fn be_movable(&mut self) {
        self.relocations = Some(Vec::new());
    }

    /// There is something in the code that cannot change.
    pub(in super::super) fn be_fixed(&mut self) {
        self.relocations = None;
    }

    pub(in super::super) const fn is_movable(&self) -> bool {
        self.relocations.is_some()
    }

    /// What was noted.
    pub(in super::super) fn take_relocations(&mut self) -> Option<Vec<Relocation>> {
        self.relocations.take()
    }

    /// The last so many bytes follow something.
    pub(in super::super) fn note(&mut self, bytes: usize, follows: Follows) {
        let at = (self.here() - bytes) as u32;
        if let Some(relocations) = &mut self.relocations {
            relocations.push(Relocation { at, follows });
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
