//! Conversions of the accumulator, and decimal arithmetic (SDM 1, 5.1.1 and 5.1.3):
//! CBW, CWDE, CDQE, CWD, CDQ, CQO, AAA, AAS, AAM, AAD, DAA, DAS, SALC.

use super::{Insn, Row, helper, row};
use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::flags::LazyFlags;
use crate::state::Gpr;
use crate::verbs::{Byte, Dword, Qword, ShiftOp, Verbs, Width, Word};

pub(super) const ROWS: &[Row] = &[
    row!(Cbw, widen, Byte, Word),
    row!(Cwde, widen, Word, Dword),
    row!(Cdqe, widen, Dword, Qword),
    row!(Cwd, spread, Word),
    row!(Cdq, spread, Dword),
    row!(Cqo, spread, Qword),
    helper!(Aaa, |cpu, _| ascii_adjust(cpu, false)),
    helper!(Aas, |cpu, _| ascii_adjust(cpu, true)),
    helper!(Aam_imm8, aam),
    helper!(Aad_imm8, aad),
    helper!(Daa, |cpu, _| decimal_adjust(cpu, false)),
    helper!(Das, |cpu, _| decimal_adjust(cpu, true)),
    helper!(Salc, salc),
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

fn aam(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let base = insn.immediate as u8;
    let al = cpu.gpr::<Byte>(Gpr::Rax);
    let Some(high) = al.checked_div(base) else {
        return Err(cpu.raise(Exception::DivideError));
    };
    let low = al % base;
    cpu.set_gpr::<Word>(Gpr::Rax, u16::from(high) << 8 | u16::from(low));
    cpu.state.flags = LazyFlags::from_parts(8, u64::from(low), false, false, false);
    Ok(())
}

fn aad(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let [low, high] = cpu.gpr::<Word>(Gpr::Rax).to_le_bytes();
    let result = low.wrapping_add(high.wrapping_mul(insn.immediate as u8));
    cpu.set_gpr::<Word>(Gpr::Rax, u16::from(result));
    cpu.state.flags = LazyFlags::from_parts(8, u64::from(result), false, false, false);
    Ok(())
}

/// Undocumented until the P6: AL becomes 0 or FFh, as CF says.
fn salc(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    let value = if cpu.state.flags.carry() { 0xff } else { 0 };
    cpu.set_gpr::<Byte>(Gpr::Rax, value);
    Ok(())
}
