//! Jumps, calls and returns, and where they lead.

use super::{Asm, Fixup, Rm};
use crate::relocation::Follows;

impl Asm {
    pub(in super::super) fn ret(&mut self) {
        self.byte(0xc3);
    }

    /// `jmp rm`.
    pub(in super::super) fn jump_indirect(&mut self, rm: impl Into<Rm>) {
        self.encode(0, 32, &[0xff], 4, rm.into(), [false; 2]);
    }

    /// `call rm`.
    pub(in super::super) fn call_indirect(&mut self, rm: impl Into<Rm>) {
        self.encode(0, 32, &[0xff], 2, rm.into(), [false; 2]);
    }

    /// The displacement of a jump to an address that ends so many bytes from here.
    fn relative(&self, target: u64, length: u64) -> i32 {
        let next = self.base + self.here() as u64 + length;
        target.wrapping_sub(next) as i32
    }

    /// The bytes of Jcc.
    #[inline]
    fn put_branch(&mut self, condition: u8, displacement: i32) {
        let opcode = 0x800f | u64::from(condition) << 8;
        let displacement = u64::from(displacement as u32) << 16;
        self.bytes.put(opcode | displacement, 6);
    }

    /// `jmp` to an address.
    pub(in super::super) fn jump(&mut self, target: u64) {
        self.opcode_and(0xe9, self.relative(target, 5));
        self.note(4, Follows::Place);
    }

    /// `call` to an address.
    pub(in super::super) fn call(&mut self, target: u64) {
        self.opcode_and(0xe8, self.relative(target, 5));
        self.note(4, Follows::Place);
    }

    /// `jmp` to somewhere yet unknown.
    pub(in super::super) fn jump_ahead(&mut self) -> Fixup {
        self.opcode_and(0xe9, 0);
        self.just_put()
    }

    /// `jcc` to an address.
    pub(in super::super) fn branch(&mut self, condition: u8, target: u64) {
        self.put_branch(condition, self.relative(target, 6));
        self.note(4, Follows::Place);
    }

    /// `call` to somewhere yet unknown.
    pub(in super::super) fn call_ahead(&mut self) -> Fixup {
        self.opcode_and(0xe8, 0);
        self.just_put()
    }

    /// `jcc` to somewhere yet unknown.
    pub(in super::super) fn branch_ahead(&mut self, condition: u8) -> Fixup {
        self.put_branch(condition, 0);
        self.just_put()
    }

    /// The displacement that was put last.
    const fn just_put(&self) -> Fixup {
        Fixup(self.here() - 4)
    }

    /// Makes a jump lead to the next byte.
    pub(in super::super) fn bind(&mut self, fixup: Fixup) {
        self.bind_to(fixup, self.here());
    }

    /// Makes a jump lead to an offset.
    pub(in super::super) fn bind_to(&mut self, fixup: Fixup, offset: usize) {
        let distance = offset as i64 - (fixup.0 as i64 + 4);
        self.patch(fixup.0, distance as i32);
    }

    /// Where a jump's displacement stands.
    pub(in super::super) const fn offset_of(fixup: Fixup) -> usize {
        fixup.0
    }
}
