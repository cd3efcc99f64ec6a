//! String comparisons by the host's own, which leave the index in the host's RCX or the mask in
//! its XMM0, and take the lengths from its RAX and RDX: these are the guest's.

use rax_cpu::insn::StringComparison;
use rax_cpu::state::Gpr;

use super::FIRST_TEMP;
use super::code::p66_3a;
use crate::backend::x64::abi::vector_home;
use crate::backend::x64::asm::{Reg, Rm};
use crate::backend::x64::flags::{ENTRY, HostFlags};
use crate::backend::x64::pending::Pending;
use crate::backend::x64::{Emit, Stuck};

impl Emit<'_> {
    pub(super) fn string_comparison(&mut self, strings: StringComparison) -> Result<(), Stuck> {
        let (noted, pending) = (self.noted, self.pending);
        let other = match strings.other {
            Some(other) if other < FIRST_TEMP => Rm::Reg(other),
            Some(other) => Rm::Mem(vector_home(other)),
            None => Rm::Mem(self.assisted_operand(16, false)?),
        };
        self.flags_end = true;
        if !strings.makes_mask {
            self.clobber(Gpr::Rcx)?;
        }
        let first = self.whole_vector(strings.register, FIRST_TEMP);
        self.compare_strings(strings, first, other);
        if !strings.makes_mask {
            self.forget(Gpr::Rcx);
        }
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
        Ok(())
    }

    fn compare_strings(&mut self, strings: StringComparison, first: Reg, other: Rm) {
        let opcode = match (strings.has_lengths, strings.makes_mask) {
            (true, true) => 0x60,
            (true, false) => 0x61,
            (false, true) => 0x62,
            (false, false) => 0x63,
        };
        let code = p66_3a(opcode).w(strings.is_wide);
        let control = Some(strings.control);
        // An index changes nothing of a vector, so that the encoding is free.
        if strings.makes_mask && !strings.is_vex {
            self.asm.sse(code, first, other, control);
        } else {
            self.asm.vex(code, 128, [first, 0], other, control);
        }
    }
}
