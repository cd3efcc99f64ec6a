//! Flag control (SDM 1, 5.1.10) without IF and the whole register, which `system` has:
//! CLC, STC, CMC, CLD, STD, LAHF, SAHF.

use super::{Insn, Row, helper, row};
use crate::Cpu;
use crate::exception::Exit;
use crate::flags::{Condition, LazyFlags};
use crate::rflags::Rflags;
use crate::state::Gpr;
use crate::verbs::{Byte, Flags, Operand, Verbs};

pub(super) const ROWS: &[Row] = &[
    row!(Clc, clc),
    row!(Stc, stc),
    row!(Cmc, cmc),
    row!(Cld, cld),
    row!(Std, std),
    helper!(Lahf, lahf),
    helper!(Sahf, sahf),
];

#[inline(always)]
fn clc<V: Verbs>(v: &mut V, _insn: &Insn) -> Result<(), V::Fault> {
    let carry = v.constant::<Byte>(0);
    v.flags::<Byte>(Flags::CarryOnly { carry });
    Ok(())
}

#[inline(always)]
fn stc<V: Verbs>(v: &mut V, _insn: &Insn) -> Result<(), V::Fault> {
    let carry = v.constant::<Byte>(1);
    v.flags::<Byte>(Flags::CarryOnly { carry });
    Ok(())
}

#[inline(always)]
fn cmc<V: Verbs>(v: &mut V, _insn: &Insn) -> Result<(), V::Fault> {
    let clear = v.condition(Condition::Ae);
    let carry = v.bit::<Byte>(clear);
    v.flags::<Byte>(Flags::CarryOnly { carry });
    Ok(())
}

#[inline(always)]
fn cld<V: Verbs>(v: &mut V, _insn: &Insn) -> Result<(), V::Fault> {
    v.set_direction(false);
    Ok(())
}

#[inline(always)]
fn std<V: Verbs>(v: &mut V, _insn: &Insn) -> Result<(), V::Fault> {
    v.set_direction(true);
    Ok(())
}

fn lahf(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    let low = cpu.state.rflags().bits() as u8;
    cpu.write::<Byte>(Operand::Gpr(Gpr::Rax, true), low)
}

fn sahf(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    let ah = cpu.read::<Byte>(Operand::Gpr(Gpr::Rax, true))?;
    let low = Rflags::STATUS & !Rflags::OF;
    let status = cpu.state.flags.status() & !low | Rflags::from_bits_retain(u64::from(ah)) & low;
    cpu.state.flags = LazyFlags::from_status(status);
    Ok(())
}
