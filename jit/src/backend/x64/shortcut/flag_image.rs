//! RFLAGS as a value: PUSHF, POPF, LAHF, SAHF (SDM 2A and 2B), and IF by itself.

use rax_cpu::compiled::FlagKind;
use rax_cpu::rflags::Rflags;
use rax_cpu::state::{Gpr, InterruptShadow};

use super::Left;
use crate::backend::x64::abi::{
    FLAG_KIND, INTERRUPT_LEVEL, INTERRUPT_SHADOW, LIMIT, NMI_PENDING, SHADOW_AT, SYSTEM_FLAGS, T0,
    T1, flag_value, scratch,
};
use crate::backend::x64::asm::{Alu, at, cc, sum};
use crate::backend::x64::{Emit, Stuck, abi};

const IF: i32 = Rflags::IF.bits() as i32;
const STATUS: i32 = Rflags::STATUS.bits() as i32;
/// What POPF may change besides the arithmetic flags, IF and DF.
const OTHERS: Rflags = Rflags::TF
    .union(Rflags::NT)
    .union(Rflags::IOPL)
    .union(Rflags::AC)
    .union(Rflags::ID)
    .union(Rflags::RF);

impl Emit<'_> {
    /// The host's flags are all the guest's: they are kept as they are.
    pub(in crate::backend::x64) fn keep_host_flags(&mut self) {
        self.asm.push_flags();
        self.asm.pop(T0);
        self.asm.store(64, flag_value(0), T0);
        self.keep_pushed();
    }

    /// What is in the first cell is RFLAGS.
    fn keep_pushed(&mut self) {
        self.asm.store_imm(32, FLAG_KIND, FlagKind::PUSHED.0 as i32);
    }

    /// LAHF: the host's own, whose AH is the guest's.
    pub(super) fn status_to_high(&mut self) -> Result<Left, Stuck> {
        self.clobber(Gpr::Rax)?;
        self.fetch_flags();
        self.asm.load_ah_flags();
        self.forget(Gpr::Rax);
        Ok(Left::Known)
    }

    /// SAHF: it keeps OF.
    pub(super) fn status_from_high(&mut self) -> Left {
        self.fetch_flags();
        self.asm.store_ah_flags();
        self.keep_host_flags();
        Left::Told
    }

    pub(super) fn push_flags(&mut self, bits: u32) -> Result<Left, Stuck> {
        let bytes = bits / 8;
        self.fetch_flags();
        self.asm.push_flags();
        self.asm.pop(T0);
        self.asm.alu_imm(Alu::And, 32, T0, STATUS);
        self.asm.load(32, T1, SYSTEM_FLAGS);
        let hidden = Rflags::VM | Rflags::RF;
        self.asm.alu_imm(Alu::And, 32, T1, !(hidden.bits() as i32));
        // Bit 1 is always set.
        self.asm.lea(32, T0, sum(T0, T1, 2));
        self.asm.store(64, scratch(0), T0);
        let to = self.on_stack(-(bytes as i32), bytes, true)?;
        self.asm.lea(64, T0, to);
        self.asm.load(32, T1, scratch(0));
        self.asm.store(bits, at(T0, 0), T1);
        self.adjust_stack(-(bytes as i32))?;
        Ok(Left::Alone)
    }

    /// POPF at CPL 0, or in real mode, if nothing but the arithmetic flags, DF and IF change.
    pub(super) fn pop_flags(&mut self, bits: u32) -> Result<Left, Stuck> {
        let bytes = bits / 8;
        self.flags_end = true;
        self.require_ring_0();
        let from = self.on_stack(0, bytes, false)?;
        self.asm.zero_extend(bits, T0, from);
        self.asm.load(32, T1, SYSTEM_FLAGS);
        self.asm.alu(Alu::Xor, 32, T1, T0);
        let others = OTHERS.bits() as i32 & if bits == 16 { 0xffff } else { -1 };
        self.asm.test_imm(32, T1, others);
        self.slow_if(cc::NE);
        self.asm.test_imm(32, T1, IF);
        let same = self.asm.branch_ahead(cc::E);
        self.asm.test_imm(32, T0, IF);
        let closed = self.asm.branch_ahead(cc::E);
        self.look_for_interrupts();
        self.asm.bind(same);
        self.asm.bind(closed);
        self.asm.load(32, T1, SYSTEM_FLAGS);
        self.asm.alu(Alu::Xor, 32, T1, T0);
        let changed = (Rflags::IF | Rflags::DF).bits() as i32;
        self.asm.alu_imm(Alu::And, 32, T1, changed);
        self.asm.alu(Alu::Xor, 32, SYSTEM_FLAGS, T1);
        // The host may take them for its own.
        self.asm.alu_imm(Alu::And, 32, T0, STATUS);
        self.adjust_stack(bytes as i32)?;
        self.asm.store(64, flag_value(0), T0);
        self.keep_pushed();
        Ok(Left::Changed)
    }

    /// IF is about to be set: if something is waiting for that, the interpreter sees to it.
    /// Disturbs T1.
    fn look_for_interrupts(&mut self) {
        self.asm.load(64, T1, INTERRUPT_LEVEL);
        self.asm.alu_imm(Alu::Cmp, 8, at(T1, 0), 0);
        self.slow_if(cc::NE);
        self.asm.alu_imm(Alu::Cmp, 8, NMI_PENDING, 0);
        self.slow_if(cc::NE);
    }

    /// CLI and STI at CPL 0, or in real mode. STI casts its shadow on one more instruction.
    pub(super) fn set_interrupts(&mut self, is_open: bool) {
        self.require_ring_0();
        if !is_open {
            self.asm.alu_imm(Alu::And, 32, SYSTEM_FLAGS, !IF);
            return;
        }
        self.asm.test_imm(32, SYSTEM_FLAGS, IF);
        let is_set = self.asm.branch_ahead(cc::NE);
        self.look_for_interrupts();
        self.asm.alu_imm(Alu::Or, 32, SYSTEM_FLAGS, IF);
        self.asm
            .store_imm(8, INTERRUPT_SHADOW, InterruptShadow::Sti as i32);
        // The count behind this instruction.
        let rest = self.unit.insns.len() as i32 - 1 - self.index as i32;
        self.asm.load(64, T0, LIMIT);
        self.asm.alu(Alu::Sub, 64, T0, abi::BUDGET);
        if rest != 0 {
            self.asm.alu_imm(Alu::Sub, 64, T0, rest);
        }
        self.asm.store(64, SHADOW_AT, T0);
        self.asm.bind(is_set);
    }
}
