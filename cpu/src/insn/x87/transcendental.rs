//! x87 trigonometric, logarithmic and exponential instructions (SDM 1, 8.3.7 to 8.3.9).

use super::arith::{replace_and_push, top_two, unary};
use super::unit::begin;
use crate::Cpu;
use crate::exception::Exit;
use crate::float::{Env, F80};
use crate::fpu::{Fpu, StatusWord};
use crate::insn::Insn;

/// C2 says that the operand of a circular function was out of range, and so untouched.
fn set_range(fpu: &mut Fpu, is_in_range: bool) {
    let mut codes = StatusWord::empty();
    codes.set(StatusWord::C2, !is_in_range);
    fpu.set_codes(StatusWord::C2, codes);
}

/// FSIN and FCOS.
fn circular(
    cpu: &mut Cpu,
    insn: &Insn,
    compute: impl FnOnce(&mut Env, F80) -> Option<F80>,
) -> Result<(), Exit> {
    let mut is_in_range = true;
    unary(cpu, insn, |env, value| {
        compute(env, value).unwrap_or_else(|| {
            is_in_range = false;
            value
        })
    })?;
    set_range(&mut cpu.state.fpu, is_in_range);
    Ok(())
}

/// FSIN.
pub(super) fn fsin(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    circular(cpu, insn, Env::f80_sin)
}

/// FCOS.
pub(super) fn fcos(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    circular(cpu, insn, Env::f80_cos)
}

/// FSINCOS.
pub(super) fn fsincos(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let fpu = begin(cpu, insn)?;
    let is_in_range = replace_and_push(fpu, Env::f80_sin_cos);
    set_range(fpu, is_in_range);
    Ok(())
}

/// FPTAN.
pub(super) fn fptan(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let fpu = begin(cpu, insn)?;
    let is_in_range = replace_and_push(fpu, Env::f80_tan);
    set_range(fpu, is_in_range);
    Ok(())
}

/// F2XM1.
pub(super) fn f2xm1(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    unary(cpu, insn, Env::f80_exp2_minus_1)
}

/// Puts a value computed from ST(0) and ST(1) in ST(1), and pops.
fn binary(
    cpu: &mut Cpu,
    insn: &Insn,
    compute: impl FnOnce(&mut Env, F80, F80) -> F80,
) -> Result<(), Exit> {
    let fpu = begin(cpu, insn)?;
    let finish = |fpu: &mut Fpu, value| {
        fpu.set_st(1, value);
        fpu.pop();
    };
    if let Some((first, second)) = top_two(fpu, |fpu| finish(fpu, F80::INDEFINITE)) {
        let mut env = fpu.env();
        let value = compute(&mut env, first, second);
        if fpu.report(&env) {
            finish(fpu, value);
        }
    }
    Ok(())
}

/// FYL2X.
pub(super) fn fyl2x(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    binary(cpu, insn, Env::f80_y_log2_x)
}

/// FYL2XP1.
pub(super) fn fyl2xp1(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    binary(cpu, insn, Env::f80_y_log2_x_plus_1)
}

/// FPATAN.
pub(super) fn fpatan(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    binary(cpu, insn, |env, x, y| env.f80_atan(y, x))
}
