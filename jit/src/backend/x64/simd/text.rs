//! PCMPISTRI and PCMPESTRI by the host's own, which leaves the index in the host's RCX and
//! takes the lengths from its RAX and RDX: these are the guest's.

use rax_cpu::insn::StringIndex;
use rax_cpu::state::Gpr;

use super::FIRST_TEMP;
use super::code::p66_3a;
use crate::backend::x64::abi::vector_home;
use crate::backend::x64::asm::Rm;
use crate::backend::x64::flags::{ENTRY, HostFlags};
use crate::backend::x64::pending::Pending;
use crate::backend::x64::{Emit, Stuck};

impl Emit<'_> {
    /// Emits an index of strings; false if the instruction under way is none that the host
    /// can do.
    pub(in crate::backend::x64) fn string_index(&mut self, index: usize) -> Result<bool, Stuck> {
        let insn = self.insn();
        let Some(strings) = StringIndex::of(insn).filter(|_| self.plan.compares_strings(index))
        else {
            return Ok(false);
        };
        if strings.register >= FIRST_TEMP {
            return self.stuck();
        }
        self.position = self.plan.range(index).start;
        self.load_vectors_again();
        let (noted, pending) = (self.noted, self.pending);
        let other = match strings.other {
            Some(other) if other < FIRST_TEMP => Rm::Reg(other),
            Some(other) => Rm::Mem(vector_home(other)),
            None => {
                self.operand_address(0, 16, false)?;
                Rm::Mem(self.probe(16, false))
            }
        };
        self.flags_end = true;
        self.clobber(Gpr::Rcx)?;
        // Nothing of a vector changes, so the encoding is free.
        let code = p66_3a(if strings.has_lengths { 0x61 } else { 0x63 }).w(strings.is_wide);
        let control = Some(strings.control);
        self.asm
            .vex(code, 128, [strings.register, 0], other, control);
        self.forget(Gpr::Rcx);
        self.keep_host_flags();
        self.flags_end = false;
        self.updated_from = usize::MAX;
        self.host_flags = HostFlags::Update {
            position: ENTRY,
            is_exact: true,
        };
        if self.ways_out() != 0 {
            self.slow_way(noted, pending, false);
        }
        // On the slow way they are in the state.
        self.pending = Pending::UNKNOWN;
        Ok(true)
    }
}
