//! Short repeated CMPS and SCAS of bytes, by the host's own, where both ends are RAM in the TLB. What is
//! not decided within a few bytes, or the page, is left to the interpreter, which has
//! faster ways for many; nothing has changed then.

use rax_cpu::compiled::FlagKind;
use rax_cpu::insn::Shortcut;
use rax_cpu::rflags::Rflags;
use rax_cpu::state::Gpr;
use rax_mmu::{PAGE_SIZE, View};

use super::Left;
use crate::backend::x64::abi::{FLAG_KIND, SYSTEM_FLAGS, T0, T1, flag_value};
use crate::backend::x64::asm::{Alu, Asm, RAX, RCX, RDI, RSI, RSP, at, cc};
use crate::backend::x64::strings::{address_bits, find};
use crate::backend::x64::{Emit, Stuck};

/// How many bytes the host looks at.
const MOST: i32 = 64;

/// A search that the host may carry out.
#[derive(Clone, Copy, Debug)]
struct Search {
    compares: bool,
    while_equal: bool,
    address_bits: u32,
}

/// Addresses of the routines: by view, for 32- and 64-bit addresses, SCAS and CMPS, REPNE and
/// REPE.
///
/// Called; ZF is set if nothing was done. Disturbs T0 and T1.
pub(in crate::backend::x64) type Routines = [[[[u64; 2]; 2]; 2]; 4];

/// Emits the routines: their addresses.
pub(in crate::backend::x64) fn routines(asm: &mut Asm, has_bmi2: bool) -> Routines {
    let mut routines = Routines::default();
    for view in View::ALL {
        let by_width = &mut routines[view as usize];
        for (address_bits, by_kind) in [32, 64].into_iter().zip(by_width) {
            for (compares, by_prefix) in [false, true].into_iter().zip(by_kind) {
                for (while_equal, routine) in [false, true].into_iter().zip(by_prefix) {
                    *routine = asm.base + asm.here() as u64;
                    let search = Search {
                        compares,
                        while_equal,
                        address_bits,
                    };
                    carry_out(asm, view, search, has_bmi2);
                }
            }
        }
    }
    routines
}

fn carry_out(asm: &mut Asm, view: View, search: Search, has_bmi2: bool) {
    let Search {
        compares,
        while_equal,
        address_bits,
    } = search;
    asm.test_imm(32, SYSTEM_FLAGS, Rflags::DF.bits() as i32);
    let downwards = asm.branch_ahead(cc::NE);
    asm.test(address_bits, RCX, RCX);
    let none = asm.branch_ahead(cc::E);
    asm.push(RAX);
    asm.constant(RAX, PAGE_SIZE - 1);
    let mut source_missed = None;
    if compares {
        asm.load(address_bits, T0, RSI);
        source_missed = Some(find(asm, view, false, has_bmi2));
        asm.push(T0);
    }
    asm.load(address_bits, T0, RDI);
    let missed = find(asm, view, false, has_bmi2);
    count_bytes(asm, search);
    if compares {
        asm.pop(RAX);
    }
    asm.push(RSI);
    asm.push(RDI);
    asm.push(RCX);
    asm.push(T1);
    if compares {
        asm.load(64, RSI, RAX);
    } else {
        asm.load(64, RAX, at(RSP, 32));
    }
    asm.load(64, RDI, T0);
    asm.load(64, RCX, T1);
    asm.repeat_search(compares, while_equal);
    asm.push_flags();
    asm.pop(T0);
    asm.pop(T1);
    asm.alu(Alu::Sub, 64, T1, RCX);
    asm.pop(RCX);
    // T1 is how many were looked at, T0 what came of the last.
    asm.test_imm(32, T0, Rflags::ZF.bits() as i32);
    let found = asm.branch_ahead(if while_equal { cc::E } else { cc::NE });
    asm.alu(Alu::Cmp, address_bits, T1, RCX);
    let undecided = asm.branch_ahead(cc::NE);
    asm.bind(found);
    asm.alu(Alu::Sub, address_bits, RCX, T1);
    for (index, moves) in [(RDI, true), (RSI, compares)] {
        asm.pop(index);
        if moves {
            asm.alu(Alu::Add, address_bits, index, T1);
        }
    }
    asm.pop(RAX);
    asm.store(64, flag_value(0), T0);
    asm.store_imm(32, FLAG_KIND, FlagKind::PUSHED.0 as i32);
    asm.test(64, RSP, RSP);
    asm.ret();
    asm.bind(undecided);
    asm.pop(RDI);
    asm.pop(RSI);
    let restored = asm.jump_ahead();
    asm.bind(missed);
    if let Some(source_missed) = source_missed {
        asm.pop(T1);
        asm.bind(source_missed);
    }
    asm.bind(restored);
    asm.pop(RAX);
    asm.bind(downwards);
    asm.bind(none);
    asm.alu(Alu::Xor, 32, T0, T0);
    asm.ret();
}

/// How many bytes to look at, in T1: no more than there are, or than both pages hold.
/// Disturbs RAX.
fn count_bytes(asm: &mut Asm, search: Search) {
    let within = PAGE_SIZE as i32 - 1;
    asm.load(32, T1, RDI);
    asm.alu_imm(Alu::And, 32, T1, within);
    if search.compares {
        asm.load(32, RAX, RSI);
        asm.alu_imm(Alu::And, 32, RAX, within);
        asm.alu(Alu::Cmp, 32, RAX, T1);
        asm.select(cc::A, 32, T1, RAX);
    }
    asm.group3(32, 3, T1);
    asm.alu_imm(Alu::Add, 32, T1, PAGE_SIZE as i32);
    asm.constant(RAX, MOST as u64);
    asm.alu(Alu::Cmp, 32, T1, RAX);
    asm.select(cc::A, 32, T1, RAX);
    asm.alu(Alu::Cmp, search.address_bits, T1, RCX);
    asm.select(cc::A, search.address_bits, T1, RCX);
}

impl Emit<'_> {
    /// Whether addresses are what the routines take them for.
    pub(super) fn may_search(&self) -> bool {
        address_bits(self.unit.mode, self.insn()).is_some()
    }

    pub(super) fn search(&mut self, shortcut: Shortcut) -> Result<Left, Stuck> {
        let Shortcut::Search {
            compares,
            while_equal,
        } = shortcut
        else {
            return self.stuck();
        };
        self.flags_end = true;
        let changed: &[Gpr] = if compares {
            &[Gpr::Rcx, Gpr::Rsi, Gpr::Rdi]
        } else {
            &[Gpr::Rcx, Gpr::Rdi]
        };
        for &register in changed {
            self.clobber(register)?;
        }
        let is_long = self.insn().address_bits == 64;
        let by_width = &self.backend.routines.search[self.unit.mode.view() as usize];
        let by_kind = &by_width[usize::from(is_long)][usize::from(compares)];
        self.asm.call(by_kind[usize::from(while_equal)]);
        self.slow_if(cc::E);
        for &register in changed {
            self.forget(register);
        }
        Ok(Left::Changed)
    }
}
