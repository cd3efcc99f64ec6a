//! Random number generator instructions (SDM 1, 5.1.15): RDRAND and RDSEED.
//!
//! The numbers come through [`Platform::random`](crate::Platform::random) and never run
//! out, so CF is always set.

use super::{Insn, Row, helper};
use crate::Cpu;
use crate::exception::Exit;
use crate::flags::LazyFlags;
use crate::rflags::Rflags;
use crate::verbs::{Dword, Qword, Verbs, Width, Word};

pub(super) const ROWS: &[Row] = &[
    helper!(Rdrand_r16, random::<Word>),
    helper!(Rdrand_r32, random::<Dword>),
    helper!(Rdrand_r64, random::<Qword>),
    helper!(Rdseed_r16, random::<Word>),
    helper!(Rdseed_r32, random::<Dword>),
    helper!(Rdseed_r64, random::<Qword>),
];

#[expect(clippy::unnecessary_wraps, reason = "the shape of a helper")]
fn random<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    cpu.note_position(insn);
    cpu.begin_access();
    let number = cpu.platform.random();
    let number = cpu.constant::<W>(number);
    cpu.set_gpr::<W>(insn.registers[0], number);
    cpu.state.flags = LazyFlags::from_status(Rflags::CF);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::control::testing::{cpu64, run};
    use crate::rflags::Rflags;
    use crate::state::Gpr;

    #[test]
    fn numbers_come_with_carry_and_no_other_flag() {
        let mut cpu = cpu64();
        cpu.state.set_rflags(Rflags::STATUS);
        for code in [
            &[0x48, 0x0f, 0xc7, 0xf1][..], // rdrand rcx
            &[0x48, 0x0f, 0xc7, 0xf9],     // rdseed rcx
        ] {
            cpu.state.set_gpr(Gpr::Rcx, 0);
            assert_eq!(run(&mut cpu, code), None);
            assert_ne!(cpu.state.gpr(Gpr::Rcx) >> 32, 0);
            assert_eq!(cpu.state.rflags() & Rflags::STATUS, Rflags::CF);
        }
    }

    #[test]
    fn the_width_is_that_of_the_register() {
        let mut cpu = cpu64();
        cpu.state.set_gpr(Gpr::Rcx, 0x1234_5678_9abc_def0);
        assert_eq!(run(&mut cpu, &[0x66, 0x0f, 0xc7, 0xf1]), None);
        assert_eq!(cpu.state.gpr(Gpr::Rcx) >> 16, 0x1234_5678_9abc);
        assert_eq!(run(&mut cpu, &[0x0f, 0xc7, 0xf1]), None);
        assert_eq!(cpu.state.gpr(Gpr::Rcx) >> 32, 0);
    }
}
