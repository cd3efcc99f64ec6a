//! Conversions of the accumulator, and decimal arithmetic (SDM 1, 5.1.1 and 5.1.3):
//! CBW, CWDE, CDQE, CWD, CDQ, CQO, AAA, AAS, AAM, AAD, DAA, DAS, SALC.

use super::{Insn, Row, helper, row};
use crate::Cpu;
use crate::exception::Exit;
use crate::flags::LazyFlags;
use crate::state::Gpr;
use crate::verbs::{BinaryOp, Byte, Dword, Flags, Operand, Qword, ShiftOp, Verbs, Width, Word};

pub(super) const ROWS: &[Row] = &[
    row!(Cbw, widen, Byte, Word),
    row!(Cwde, widen, Word, Dword),
    row!(Cdqe, widen, Dword, Qword),
    row!(Cwd, spread, Word),
    row!(Cdq, spread, Dword),
    row!(Cqo, spread, Qword),
    helper!(Aaa, |cpu, _| ascii_adjust(cpu, false)),
    helper!(Aas, |cpu, _| ascii_adjust(cpu, true)),
    row!(Aam_imm8, aam),
    row!(Aad_imm8, aad),
    helper!(Daa, |cpu, _| decimal_adjust(cpu, false)),
    helper!(Das, |cpu, _| decimal_adjust(cpu, true)),
    row!(Salc, salc),
];

/// The accumulator, sign-extended to twice its width.
#[inline(always)]
fn widen<V: Verbs, F: Width, W: Width>(v: &mut V, _insn: &Insn) -> Result<(), V::Fault> {
    let value = v.gpr::<F>(Gpr::Rax);
    let value = v.sign_extend::<F, W>(value);
    v.set_gpr::<W>(Gpr::Rax, value);
    Ok(())
}

/// RDX becomes the sign of RAX.
#[inline(always)]
fn spread<V: Verbs, W: Width>(v: &mut V, _insn: &Insn) -> Result<(), V::Fault> {
    let value = v.gpr::<W>(Gpr::Rax);
    let count = v.constant::<Byte>(u64::from(W::BITS) - 1);
    let sign = v.shift::<W>(ShiftOp::Sar, value, count);
    v.set_gpr::<W>(Gpr::Rdx, sign);
    Ok(())
}

/// AAA and AAS (SDM 2A). SF, ZF, PF and OF are undefined; they follow from AL.
fn ascii_adjust(cpu: &mut Cpu, subtract: bool) -> Result<(), Exit> {
    let ax = cpu.gpr::<Word>(Gpr::Rax);
    let adjust = ax & 0xf > 9 || cpu.state.flags.adjust();
    let adjusted = match (adjust, subtract) {
        (false, _) => ax,
        (true, false) => ax.wrapping_add(0x106),
        (true, true) => ax.wrapping_sub(0x106),
    };
    let ax = adjusted & 0xff0f;
    cpu.set_gpr::<Word>(Gpr::Rax, ax);
    cpu.state.flags = LazyFlags::from_parts(8, u64::from(ax & 0xff), adjust, false, adjust);
    Ok(())
}

/// DAA and DAS (SDM 2A). OF is undefined.
fn decimal_adjust(cpu: &mut Cpu, subtract: bool) -> Result<(), Exit> {
    let al = cpu.gpr::<Byte>(Gpr::Rax);
    let flags = cpu.state.flags;
    let low = al & 0xf > 9 || flags.adjust();
    let high = al > 0x99 || flags.carry();
    let correction = if low { 6 } else { 0 } + if high { 0x60 } else { 0 };
    let result = if subtract {
        al.wrapping_sub(correction)
    } else {
        al.wrapping_add(correction)
    };
    // DAS borrows out of the low correction too.
    let carry = high || (subtract && low && al < 6);
    cpu.set_gpr::<Byte>(Gpr::Rax, result);
    cpu.state.flags = LazyFlags::from_parts(8, u64::from(result), carry, false, low);
    Ok(())
}

/// AAM: a base of zero is a division by zero.
#[inline(always)]
fn aam<V: Verbs>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let base = v.constant::<Byte>(insn.immediate);
    let zero = v.constant::<Byte>(0);
    let value = v.gpr::<Byte>(Gpr::Rax);
    let [high, low] = v.divide::<Byte>(false, (value, zero), base)?;
    v.set_gpr::<Byte>(Gpr::Rax, low);
    v.write::<Byte>(Operand::Gpr(Gpr::Rax, true), high)?;
    v.flags::<Byte>(Flags::Logic { result: low });
    Ok(())
}

#[inline(always)]
fn aad<V: Verbs>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let base = v.constant::<Byte>(insn.immediate);
    let low = v.gpr::<Byte>(Gpr::Rax);
    let high = v.read::<Byte>(Operand::Gpr(Gpr::Rax, true))?;
    let tens = v.binary::<Byte>(BinaryOp::Mul, high, base);
    let sum = v.add::<Byte>(low, tens);
    let wide = v.zero_extend::<Byte, Word>(sum);
    v.set_gpr::<Word>(Gpr::Rax, wide);
    v.flags::<Byte>(Flags::Logic { result: sum });
    Ok(())
}

/// Undocumented until the P6: AL becomes 0 or FFh, as CF says.
#[inline(always)]
fn salc<V: Verbs>(v: &mut V, _insn: &Insn) -> Result<(), V::Fault> {
    let carry = v.carry::<Byte>();
    let zero = v.constant::<Byte>(0);
    let spread = v.sub::<Byte>(zero, carry);
    v.set_gpr::<Byte>(Gpr::Rax, spread);
    Ok(())
}
