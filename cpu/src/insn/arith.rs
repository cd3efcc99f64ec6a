//! Binary arithmetic (SDM 1, 5.1.2): ADD, ADC, SUB, SBB, CMP, INC, DEC, NEG, MUL, IMUL,
//! DIV, IDIV, ADCX, ADOX.

use super::{Imm, Insn, Mem, Reg0, Reg1, Row, row, row_r_rm, row_rm};
use crate::flags::Condition;
use crate::state::Gpr;
use crate::verbs::{
    BinaryOp, Byte, Dword, Flags, Operand, Qword, Slot, UnaryOp, Verbs, Width, Word,
};

pub(super) const ROWS: &[Row] = &[
    row_rm!(Add_rm8_r8, add, Byte; Reg1),
    row_rm!(Add_rm16_r16, add, Word; Reg1),
    row_rm!(Add_rm32_r32, add, Dword; Reg1),
    row_rm!(Add_rm64_r64, add, Qword; Reg1),
    row_r_rm!(Add_r8_rm8, add, Byte),
    row_r_rm!(Add_r16_rm16, add, Word),
    row_r_rm!(Add_r32_rm32, add, Dword),
    row_r_rm!(Add_r64_rm64, add, Qword),
    row!(Add_AL_imm8, add, Byte, Reg0, Imm),
    row!(Add_AX_imm16, add, Word, Reg0, Imm),
    row!(Add_EAX_imm32, add, Dword, Reg0, Imm),
    row!(Add_RAX_imm32, add, Qword, Reg0, Imm),
    row_rm!(Add_rm8_imm8, add, Byte; Imm),
    row_rm!(Add_rm16_imm16, add, Word; Imm),
    row_rm!(Add_rm32_imm32, add, Dword; Imm),
    row_rm!(Add_rm64_imm32, add, Qword; Imm),
    row_rm!(Add_rm8_imm8_82, add, Byte; Imm),
    row_rm!(Add_rm16_imm8, add, Word; Imm),
    row_rm!(Add_rm32_imm8, add, Dword; Imm),
    row_rm!(Add_rm64_imm8, add, Qword; Imm),
    row_rm!(Adc_rm8_r8, adc, Byte; Reg1),
    row_rm!(Adc_rm16_r16, adc, Word; Reg1),
    row_rm!(Adc_rm32_r32, adc, Dword; Reg1),
    row_rm!(Adc_rm64_r64, adc, Qword; Reg1),
    row_r_rm!(Adc_r8_rm8, adc, Byte),
    row_r_rm!(Adc_r16_rm16, adc, Word),
    row_r_rm!(Adc_r32_rm32, adc, Dword),
    row_r_rm!(Adc_r64_rm64, adc, Qword),
    row!(Adc_AL_imm8, adc, Byte, Reg0, Imm),
    row!(Adc_AX_imm16, adc, Word, Reg0, Imm),
    row!(Adc_EAX_imm32, adc, Dword, Reg0, Imm),
    row!(Adc_RAX_imm32, adc, Qword, Reg0, Imm),
    row_rm!(Adc_rm8_imm8, adc, Byte; Imm),
    row_rm!(Adc_rm16_imm16, adc, Word; Imm),
    row_rm!(Adc_rm32_imm32, adc, Dword; Imm),
    row_rm!(Adc_rm64_imm32, adc, Qword; Imm),
    row_rm!(Adc_rm8_imm8_82, adc, Byte; Imm),
    row_rm!(Adc_rm16_imm8, adc, Word; Imm),
    row_rm!(Adc_rm32_imm8, adc, Dword; Imm),
    row_rm!(Adc_rm64_imm8, adc, Qword; Imm),
    row_rm!(Sub_rm8_r8, sub, Byte; Reg1),
    row_rm!(Sub_rm16_r16, sub, Word; Reg1),
    row_rm!(Sub_rm32_r32, sub, Dword; Reg1),
    row_rm!(Sub_rm64_r64, sub, Qword; Reg1),
    row_r_rm!(Sub_r8_rm8, sub, Byte),
    row_r_rm!(Sub_r16_rm16, sub, Word),
    row_r_rm!(Sub_r32_rm32, sub, Dword),
    row_r_rm!(Sub_r64_rm64, sub, Qword),
    row!(Sub_AL_imm8, sub, Byte, Reg0, Imm),
    row!(Sub_AX_imm16, sub, Word, Reg0, Imm),
    row!(Sub_EAX_imm32, sub, Dword, Reg0, Imm),
    row!(Sub_RAX_imm32, sub, Qword, Reg0, Imm),
    row_rm!(Sub_rm8_imm8, sub, Byte; Imm),
    row_rm!(Sub_rm16_imm16, sub, Word; Imm),
    row_rm!(Sub_rm32_imm32, sub, Dword; Imm),
    row_rm!(Sub_rm64_imm32, sub, Qword; Imm),
    row_rm!(Sub_rm8_imm8_82, sub, Byte; Imm),
    row_rm!(Sub_rm16_imm8, sub, Word; Imm),
    row_rm!(Sub_rm32_imm8, sub, Dword; Imm),
    row_rm!(Sub_rm64_imm8, sub, Qword; Imm),
    row_rm!(Sbb_rm8_r8, sbb, Byte; Reg1),
    row_rm!(Sbb_rm16_r16, sbb, Word; Reg1),
    row_rm!(Sbb_rm32_r32, sbb, Dword; Reg1),
    row_rm!(Sbb_rm64_r64, sbb, Qword; Reg1),
    row_r_rm!(Sbb_r8_rm8, sbb, Byte),
    row_r_rm!(Sbb_r16_rm16, sbb, Word),
    row_r_rm!(Sbb_r32_rm32, sbb, Dword),
    row_r_rm!(Sbb_r64_rm64, sbb, Qword),
    row!(Sbb_AL_imm8, sbb, Byte, Reg0, Imm),
    row!(Sbb_AX_imm16, sbb, Word, Reg0, Imm),
    row!(Sbb_EAX_imm32, sbb, Dword, Reg0, Imm),
    row!(Sbb_RAX_imm32, sbb, Qword, Reg0, Imm),
    row_rm!(Sbb_rm8_imm8, sbb, Byte; Imm),
    row_rm!(Sbb_rm16_imm16, sbb, Word; Imm),
    row_rm!(Sbb_rm32_imm32, sbb, Dword; Imm),
    row_rm!(Sbb_rm64_imm32, sbb, Qword; Imm),
    row_rm!(Sbb_rm8_imm8_82, sbb, Byte; Imm),
    row_rm!(Sbb_rm16_imm8, sbb, Word; Imm),
    row_rm!(Sbb_rm32_imm8, sbb, Dword; Imm),
    row_rm!(Sbb_rm64_imm8, sbb, Qword; Imm),
    row_rm!(Cmp_rm8_r8, cmp, Byte; Reg1),
    row_rm!(Cmp_rm16_r16, cmp, Word; Reg1),
    row_rm!(Cmp_rm32_r32, cmp, Dword; Reg1),
    row_rm!(Cmp_rm64_r64, cmp, Qword; Reg1),
    row_r_rm!(Cmp_r8_rm8, cmp, Byte),
    row_r_rm!(Cmp_r16_rm16, cmp, Word),
    row_r_rm!(Cmp_r32_rm32, cmp, Dword),
    row_r_rm!(Cmp_r64_rm64, cmp, Qword),
    row!(Cmp_AL_imm8, cmp, Byte, Reg0, Imm),
    row!(Cmp_AX_imm16, cmp, Word, Reg0, Imm),
    row!(Cmp_EAX_imm32, cmp, Dword, Reg0, Imm),
    row!(Cmp_RAX_imm32, cmp, Qword, Reg0, Imm),
    row_rm!(Cmp_rm8_imm8, cmp, Byte; Imm),
    row_rm!(Cmp_rm16_imm16, cmp, Word; Imm),
    row_rm!(Cmp_rm32_imm32, cmp, Dword; Imm),
    row_rm!(Cmp_rm64_imm32, cmp, Qword; Imm),
    row_rm!(Cmp_rm8_imm8_82, cmp, Byte; Imm),
    row_rm!(Cmp_rm16_imm8, cmp, Word; Imm),
    row_rm!(Cmp_rm32_imm8, cmp, Dword; Imm),
    row_rm!(Cmp_rm64_imm8, cmp, Qword; Imm),
    row_rm!(Inc_rm8, inc, Byte),
    row_rm!(Inc_rm16, inc, Word),
    row_rm!(Inc_rm32, inc, Dword),
    row_rm!(Inc_rm64, inc, Qword),
    row_rm!(Dec_rm8, dec, Byte),
    row_rm!(Dec_rm16, dec, Word),
    row_rm!(Dec_rm32, dec, Dword),
    row_rm!(Dec_rm64, dec, Qword),
    row_rm!(Neg_rm8, neg, Byte),
    row_rm!(Neg_rm16, neg, Word),
    row_rm!(Neg_rm32, neg, Dword),
    row_rm!(Neg_rm64, neg, Qword),
    row!(Inc_r16, inc, Word, Reg0),
    row!(Inc_r32, inc, Dword, Reg0),
    row!(Dec_r16, dec, Word, Reg0),
    row!(Dec_r32, dec, Dword, Reg0),
    Row::shared(
        iced_x86::Code::Mul_rm8,
        super::both!(mul_byte, Reg0),
        super::both!(mul_byte, Mem),
    ),
    Row::shared(
        iced_x86::Code::Imul_rm8,
        super::both!(imul_byte, Reg0),
        super::both!(imul_byte, Mem),
    ),
    Row::shared(
        iced_x86::Code::Div_rm8,
        super::both!(div_byte, Reg0),
        super::both!(div_byte, Mem),
    ),
    Row::shared(
        iced_x86::Code::Idiv_rm8,
        super::both!(idiv_byte, Reg0),
        super::both!(idiv_byte, Mem),
    ),
    row_rm!(Mul_rm16, mul, Word),
    row_rm!(Mul_rm32, mul, Dword),
    row_rm!(Mul_rm64, mul, Qword),
    row_rm!(Imul_rm16, imul, Word),
    row_rm!(Imul_rm32, imul, Dword),
    row_rm!(Imul_rm64, imul, Qword),
    row_rm!(Div_rm16, div, Word),
    row_rm!(Div_rm32, div, Dword),
    row_rm!(Div_rm64, div, Qword),
    row_rm!(Idiv_rm16, idiv, Word),
    row_rm!(Idiv_rm32, idiv, Dword),
    row_rm!(Idiv_rm64, idiv, Qword),
    row_r_rm!(Imul_r16_rm16, imul_two, Word),
    row_r_rm!(Imul_r32_rm32, imul_two, Dword),
    row_r_rm!(Imul_r64_rm64, imul_two, Qword),
    Row::shared(
        iced_x86::Code::Imul_r16_rm16_imm16,
        super::both!(imul_three, Word, Reg0, Reg1),
        super::both!(imul_three, Word, Reg0, Mem),
    ),
    Row::shared(
        iced_x86::Code::Imul_r32_rm32_imm32,
        super::both!(imul_three, Dword, Reg0, Reg1),
        super::both!(imul_three, Dword, Reg0, Mem),
    ),
    Row::shared(
        iced_x86::Code::Imul_r64_rm64_imm32,
        super::both!(imul_three, Qword, Reg0, Reg1),
        super::both!(imul_three, Qword, Reg0, Mem),
    ),
    Row::shared(
        iced_x86::Code::Imul_r16_rm16_imm8,
        super::both!(imul_three, Word, Reg0, Reg1),
        super::both!(imul_three, Word, Reg0, Mem),
    ),
    Row::shared(
        iced_x86::Code::Imul_r32_rm32_imm8,
        super::both!(imul_three, Dword, Reg0, Reg1),
        super::both!(imul_three, Dword, Reg0, Mem),
    ),
    Row::shared(
        iced_x86::Code::Imul_r64_rm64_imm8,
        super::both!(imul_three, Qword, Reg0, Reg1),
        super::both!(imul_three, Qword, Reg0, Mem),
    ),
    row_r_rm!(Adcx_r32_rm32, adcx, Dword),
    row_r_rm!(Adcx_r64_rm64, adcx, Qword),
    row_r_rm!(Adox_r32_rm32, adox, Dword),
    row_r_rm!(Adox_r64_rm64, adox, Qword),
];

#[inline(always)]
fn add<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let b = v.read::<W>(S::of(insn))?;
    // Whatever can fault, faults here, as a write; a faulting ADD changes nothing.
    let (a, spot) = v.modify::<W>(D::of(insn))?;
    let sum = v.add::<W>(a, b);
    v.commit::<W>(spot, sum);
    v.flags::<W>(Flags::Add { a, b, sum });
    Ok(())
}

#[inline(always)]
fn adc<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let b = v.read::<W>(S::of(insn))?;
    let (a, spot) = v.modify::<W>(D::of(insn))?;
    let carry = v.carry::<W>();
    let partial = v.add::<W>(a, b);
    let sum = v.add::<W>(partial, carry);
    v.commit::<W>(spot, sum);
    v.flags::<W>(Flags::Add { a, b, sum });
    Ok(())
}

#[inline(always)]
fn sub<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let b = v.read::<W>(S::of(insn))?;
    let (a, spot) = v.modify::<W>(D::of(insn))?;
    let difference = v.sub::<W>(a, b);
    v.commit::<W>(spot, difference);
    v.flags::<W>(Flags::Sub { a, b, difference });
    Ok(())
}

#[inline(always)]
fn sbb<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let b = v.read::<W>(S::of(insn))?;
    let (a, spot) = v.modify::<W>(D::of(insn))?;
    let carry = v.carry::<W>();
    let partial = v.sub::<W>(a, b);
    let difference = v.sub::<W>(partial, carry);
    v.commit::<W>(spot, difference);
    v.flags::<W>(Flags::Sub { a, b, difference });
    Ok(())
}

#[inline(always)]
fn cmp<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let a = v.read::<W>(D::of(insn))?;
    let b = v.read::<W>(S::of(insn))?;
    let difference = v.sub::<W>(a, b);
    v.flags::<W>(Flags::Sub { a, b, difference });
    Ok(())
}

#[inline(always)]
fn inc<V: Verbs, W: Width, D: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let (a, spot) = v.modify::<W>(D::of(insn))?;
    let one = v.constant::<W>(1);
    let result = v.add::<W>(a, one);
    v.commit::<W>(spot, result);
    v.flags::<W>(Flags::Increment { a, result });
    Ok(())
}

#[inline(always)]
fn dec<V: Verbs, W: Width, D: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let (a, spot) = v.modify::<W>(D::of(insn))?;
    let one = v.constant::<W>(1);
    let result = v.sub::<W>(a, one);
    v.commit::<W>(spot, result);
    v.flags::<W>(Flags::Decrement { a, result });
    Ok(())
}

#[inline(always)]
fn neg<V: Verbs, W: Width, D: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let (b, spot) = v.modify::<W>(D::of(insn))?;
    let a = v.constant::<W>(0);
    let difference = v.sub::<W>(a, b);
    v.commit::<W>(spot, difference);
    v.flags::<W>(Flags::Sub { a, b, difference });
    Ok(())
}

#[inline(always)]
fn multiply<V: Verbs, W: Width, S: Slot>(
    v: &mut V,
    insn: &Insn,
    high_half: BinaryOp,
) -> Result<(), V::Fault> {
    let b = v.read::<W>(S::of(insn))?;
    let a = v.gpr::<W>(Gpr::Rax);
    let low = v.binary::<W>(BinaryOp::Mul, a, b);
    let high = v.binary::<W>(high_half, a, b);
    v.set_gpr::<W>(Gpr::Rax, low);
    v.set_gpr::<W>(Gpr::Rdx, high);
    let is_signed = high_half == BinaryOp::MulHighSigned;
    v.flags::<W>(Flags::Multiply {
        low,
        high,
        is_signed,
    });
    Ok(())
}

#[inline(always)]
fn mul<V: Verbs, W: Width, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    multiply::<V, W, S>(v, insn, BinaryOp::MulHighUnsigned)
}

#[inline(always)]
fn imul<V: Verbs, W: Width, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    multiply::<V, W, S>(v, insn, BinaryOp::MulHighSigned)
}

/// AX is AL times the operand.
#[inline(always)]
fn multiply_byte<V: Verbs, S: Slot>(
    v: &mut V,
    insn: &Insn,
    high_half: BinaryOp,
) -> Result<(), V::Fault> {
    let b = v.read::<Byte>(S::of(insn))?;
    let a = v.gpr::<Byte>(Gpr::Rax);
    let low = v.binary::<Byte>(BinaryOp::Mul, a, b);
    let high = v.binary::<Byte>(high_half, a, b);
    v.set_gpr::<Byte>(Gpr::Rax, low);
    write_ah(v, high);
    let is_signed = high_half == BinaryOp::MulHighSigned;
    v.flags::<Byte>(Flags::Multiply {
        low,
        high,
        is_signed,
    });
    Ok(())
}

#[inline(always)]
fn write_ah<V: Verbs>(v: &mut V, value: V::Value<Byte>) {
    if v.write::<Byte>(Operand::Gpr(Gpr::Rax, true), value)
        .is_err()
    {
        unreachable!("registers do not fault");
    }
}

#[inline(always)]
fn mul_byte<V: Verbs, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    multiply_byte::<V, S>(v, insn, BinaryOp::MulHighUnsigned)
}

#[inline(always)]
fn imul_byte<V: Verbs, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    multiply_byte::<V, S>(v, insn, BinaryOp::MulHighSigned)
}

#[inline(always)]
fn imul_two<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let b = v.read::<W>(S::of(insn))?;
    let a = v.read::<W>(D::of(insn))?;
    imul_into::<V, W, D>(v, insn, a, b)
}

#[inline(always)]
fn imul_three<V: Verbs, W: Width, D: Slot, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let a = v.read::<W>(S::of(insn))?;
    let b = v.constant::<W>(insn.immediate);
    imul_into::<V, W, D>(v, insn, a, b)
}

#[inline(always)]
fn imul_into<V: Verbs, W: Width, D: Slot>(
    v: &mut V,
    insn: &Insn,
    a: V::Value<W>,
    b: V::Value<W>,
) -> Result<(), V::Fault> {
    let low = v.binary::<W>(BinaryOp::Mul, a, b);
    let high = v.binary::<W>(BinaryOp::MulHighSigned, a, b);
    v.write::<W>(D::of(insn), low)?;
    v.flags::<W>(Flags::Multiply {
        low,
        high,
        is_signed: true,
    });
    Ok(())
}

/// The flags are undefined; they stay.
#[inline(always)]
fn divide<V: Verbs, W: Width, S: Slot>(
    v: &mut V,
    insn: &Insn,
    is_signed: bool,
) -> Result<(), V::Fault> {
    let divisor = v.read::<W>(S::of(insn))?;
    let low = v.gpr::<W>(Gpr::Rax);
    let high = v.gpr::<W>(Gpr::Rdx);
    let [quotient, remainder] = v.divide::<W>(is_signed, (low, high), divisor)?;
    v.set_gpr::<W>(Gpr::Rax, quotient);
    v.set_gpr::<W>(Gpr::Rdx, remainder);
    Ok(())
}

#[inline(always)]
fn div<V: Verbs, W: Width, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    divide::<V, W, S>(v, insn, false)
}

#[inline(always)]
fn idiv<V: Verbs, W: Width, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    divide::<V, W, S>(v, insn, true)
}

/// AX by the operand: quotient to AL, remainder to AH.
#[inline(always)]
fn divide_byte<V: Verbs, S: Slot>(v: &mut V, insn: &Insn, is_signed: bool) -> Result<(), V::Fault> {
    let divisor = v.read::<Byte>(S::of(insn))?;
    let low = v.gpr::<Byte>(Gpr::Rax);
    let high = v.read::<Byte>(Operand::Gpr(Gpr::Rax, true))?;
    let [quotient, remainder] = v.divide::<Byte>(is_signed, (low, high), divisor)?;
    v.set_gpr::<Byte>(Gpr::Rax, quotient);
    write_ah(v, remainder);
    Ok(())
}

#[inline(always)]
fn div_byte<V: Verbs, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    divide_byte::<V, S>(v, insn, false)
}

#[inline(always)]
fn idiv_byte<V: Verbs, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    divide_byte::<V, S>(v, insn, true)
}

/// ADD with CF in and out; the other flags stay.
#[inline(always)]
fn adcx<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let carry = v.carry::<W>();
    let out = add_through::<V, W, D, S>(v, insn, carry)?;
    v.flags::<W>(Flags::CarryOnly { carry: out });
    Ok(())
}

/// ADD with OF in and out; the other flags stay.
#[inline(always)]
fn adox<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let overflow = v.condition(Condition::O);
    let carry = v.bit::<W>(overflow);
    let out = add_through::<V, W, D, S>(v, insn, carry)?;
    v.flags::<W>(Flags::OverflowOnly { overflow: out });
    Ok(())
}

/// Adds and stores; what is carried out, as 0 or 1.
#[inline(always)]
fn add_through<V: Verbs, W: Width, D: Slot, S: Slot>(
    v: &mut V,
    insn: &Insn,
    carry: V::Value<W>,
) -> Result<V::Value<Byte>, V::Fault> {
    let b = v.read::<W>(S::of(insn))?;
    let a = v.read::<W>(D::of(insn))?;
    let partial = v.add::<W>(a, b);
    let sum = v.add::<W>(partial, carry);
    v.write::<W>(D::of(insn), sum)?;
    // Carry out of the top: a and b, or either of them without the sum's bit.
    let both = v.and::<W>(a, b);
    let either = v.or::<W>(a, b);
    let not_sum = v.unary::<W>(UnaryOp::Not, sum);
    let lost = v.and::<W>(either, not_sum);
    let out = v.or::<W>(both, lost);
    Ok(v.top_bit::<W>(out))
}
