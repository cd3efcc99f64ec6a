//! Code off the straight way: what is rare, and the ways out.

use std::ops::Range;

use super::Emit;
use super::abi::{self, BUDGET, SECOND_FOUND, SECOND_KEY};
use super::asm::{Alu, Fixup, cc};
use super::branch::SideExit;
use super::group::Grouped;
use super::pending::Pending;
use super::x87::Noted;
use crate::backend::{EXHAUSTED, INTERPRET, NO_EXIT};
use crate::relocation::Follows;

/// Code off the straight way.
#[derive(Debug)]
pub(super) struct Cold {
    /// What jumps here, but for what the detour itself tells of.
    pub(super) from: [Option<Fixup>; 2],
    pub(super) what: Detour,
}

#[derive(Debug)]
pub(super) enum Detour {
    /// Has an instruction carried out, and comes back at an offset.
    CarryOut {
        index: u32,
        back: usize,
        with_flags: bool,
        with_vectors: bool,
        /// The host's CF is to be put aside too.
        saves_carry: bool,
        noted: Noted,
        /// The flags before the instruction.
        pending: Pending,
        /// Which of [`Emit::slow`] jump here.
        slow: Range<usize>,
        /// Which of [`Emit::misses`] have their entries filled instead, if they can be.
        misses: Range<usize>,
    },
    /// Loads the guest's vectors at the unit's start, and comes back; or leaves.
    LoadVectors { back: usize },
    /// Leaves before an instruction, since the vectors must stay in the state.
    Refused { index: u32, pending: Pending },
    /// Gets the x87 registers, and comes back.
    EnterX87 { back: usize },
    /// Puts the budget back and leaves at the unit's start.
    Exhausted,
    /// Goes by the jump cache's second slot, or leaves; T0 holds the key of where to go.
    Computed,
    /// The same for a call, which returns to an offset.
    ComputedCall { back: usize },
    /// Leaves at the unit's start, which is to be interpreted.
    Interpret,
    /// Forgets the frames of calls, for which there is no more room, and comes back.
    DropFrames { back: usize },
    /// Makes the state's flags valid, or CF alone, and comes back.
    Settle { routine: u64, back: usize },
    /// Leaves by an exit that may be linked.
    Exit { number: usize },
    /// The same in the middle of a unit.
    SideExit(SideExit),
    /// Finds the places of a group of pushes or pops otherwise, and comes back.
    Group(Grouped),
}

impl Emit<'_> {
    pub(super) fn emit_cold(&mut self) {
        // Nothing is added while it is emitted.
        let mut colds = std::mem::take(&mut self.cold);
        for cold in colds.drain(..) {
            if let Detour::CarryOut { slow, misses, .. } = &cold.what {
                self.fill_again(misses.clone());
                for at in slow.clone() {
                    self.asm.bind(self.slow[at]);
                }
            }
            for fixup in cold.from.into_iter().flatten() {
                self.asm.bind(fixup);
            }
            self.detour(&cold.what);
        }
        self.cold = colds;
    }

    /// Emits one.
    fn detour(&mut self, what: &Detour) {
        match *what {
            Detour::CarryOut {
                index,
                back,
                with_flags,
                with_vectors,
                saves_carry,
                noted,
                pending,
                ..
            } => {
                self.write_noted(noted);
                pending.store(&mut self.asm);
                self.call_interpreter(index, with_flags);
                if saves_carry {
                    self.asm.set(cc::B, abi::CARRY);
                }
                if self.enter_x87_again(index) && with_flags {
                    self.asm.call(self.backend.routines.settle);
                }
                if with_vectors && (index as usize) + 1 < self.unit.insns.len() {
                    self.load_vectors_after(index + 1, with_flags);
                }
                let jump = self.asm.jump_ahead();
                self.asm.bind_to(jump, back);
            }
            Detour::LoadVectors { back } => {
                self.asm.call(self.backend.routines.load_vectors);
                let jump = self.asm.branch_ahead(cc::NE);
                self.asm.bind_to(jump, back);
                self.leave_before(0);
                self.leave(INTERPRET);
            }
            Detour::Refused { index, pending } => {
                pending.store(&mut self.asm);
                self.leave_before(index);
                self.leave(NO_EXIT);
            }
            Detour::Exhausted => {
                let count = self.unit.insns.len() as i32;
                self.asm.alu_imm(Alu::Add, 64, BUDGET, count);
                self.be_at_start();
                self.leave(EXHAUSTED);
            }
            Detour::Interpret => {
                self.be_at_start();
                self.leave(INTERPRET);
            }
            Detour::Computed => self.asm.jump(self.backend.routines.leave_for),
            Detour::ComputedCall { back } => {
                self.asm.alu_from(Alu::Cmp, 64, abi::T0, SECOND_KEY);
                self.asm.branch(cc::NE, self.backend.routines.leave_for);
                self.asm.call_indirect(SECOND_FOUND);
                let jump = self.asm.jump_ahead();
                self.asm.bind_to(jump, back);
            }
            Detour::DropFrames { back } => {
                let back = self.asm.base + back as u64;
                self.asm.address(abi::T1, back, Follows::OwnAddress);
                self.asm.jump(self.backend.routines.drop_frames);
            }
            Detour::EnterX87 { back } => {
                self.emit_enter_x87();
                let jump = self.asm.jump_ahead();
                self.asm.bind_to(jump, back);
            }
            Detour::Settle { routine, back } => {
                self.asm.call(routine);
                let jump = self.asm.jump_ahead();
                self.asm.bind_to(jump, back);
            }
            Detour::SideExit(exit) => self.leave_aside(exit),
            Detour::Group(ref grouped) => self.group_apart(grouped),
            Detour::Exit { number } => {
                self.emitted.exits[number].stub = self.asm.here();
                self.leave_by(number);
            }
        }
    }

    /// Makes RIP that of the unit's start.
    pub(super) fn be_at_start(&mut self) {
        let start = self.unit.rip;
        self.asm.address(abi::T0, start, Follows::GuestAddress);
        self.asm.store(64, abi::RIP, abi::T0);
    }

    /// Leaves by an exit of the unit's.
    pub(super) fn leave_by(&mut self, number: usize) {
        self.asm.constant(abi::T0, self.first_exit + number as u64);
        self.asm.note(4, Follows::Exit);
        self.asm.jump(self.backend.routines.exit);
    }

    /// Leaves for a reason of all units.
    pub(super) fn leave(&mut self, reason: u64) {
        self.asm.constant(abi::T0, reason);
        self.asm.jump(self.backend.routines.exit);
    }
}
