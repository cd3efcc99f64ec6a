//! x87 floating point (SDM 1, 5.2 and chapter 8).
//!
//! Undocumented encodings that processors execute as aliases have rows of their own. What
//! may unmask an exception ends its block, so that compiled code need look at the masks
//! but once in a block.

mod control;
mod environment;
mod meaning;
mod unit;

use super::{Insn, Mem, Row, Unit, helper, row, row_push};
use crate::flags::Condition;
use crate::float::Constant;
use crate::verbs::{Bound, Parameter};
use crate::x87::X87Op::{
    Absolute, Copy, Examine, Exchange, Extract, Free, Function, Negate, Nothing, PushConstant,
    PushRegister, Remainder, Root, Round, Scale, Test, Turn,
};
use crate::x87::{X87Arithmetic, X87Format, X87Function, X87Op, X87Take};
use meaning::{fldcw, fnstcw, fnstsw, fnstsw_ax, move_if, order, put, take, work};

/// A row for an instruction that raises #NM while CR0.EM or CR0.TS is set.
macro_rules! x87 {
    ($code:ident, $function:expr) => {
        helper!($code, $function).needs(Unit::X87)
    };
}

/// A row whose meaning is given a constant; `row` is the macro that makes it.
macro_rules! bound {
    ($row:ident, $code:ident, $meaning:ident, $type:ty = $value:expr) => {{
        #[derive(Clone, Copy)]
        struct Given;
        impl Parameter for Given {}
        impl Bound<$type> for Given {
            const VALUE: $type = $value;
        }
        $row!($code, $meaning, Given).needs(Unit::X87)
    }};
}

/// A row that works on registers alone.
macro_rules! work {
    ($code:ident, $op:expr) => {
        bound!(row, $code, work, fn(&Insn) -> X87Op = $op)
    };
}

/// A row that takes an operand from memory: a device may be hit, as by one that stores.
macro_rules! take {
    ($code:ident, $($op:tt)+) => {
        bound!(row_push, $code, take, X87Take = X87Take::$($op)+)
    };
}

/// A row that leaves a number in memory, and may pop.
macro_rules! put {
    ($code:ident, $format:ident, $pops:expr) => {
        bound!(
            row_push,
            $code,
            put,
            (X87Format, bool) = (X87Format::$format, $pops)
        )
    };
}

/// A row that compares into the flags: whether quiet NaNs signal, whether to pop.
macro_rules! order {
    ($code:ident, $signals:expr, $pops:expr) => {
        bound!(row, $code, order, (bool, bool) = ($signals, $pops))
    };
}

/// A row that moves if a condition holds.
macro_rules! move_if {
    ($code:ident, $condition:ident) => {
        bound!(row, $code, move_if, Condition = Condition::$condition)
    };
}

/// `FADD ST(0), ST(i)` and its kin.
const fn to_top(insn: &Insn, op: X87Arithmetic) -> X87Op {
    X87Op::Arithmetic {
        op,
        to: 0,
        from: insn.number(1) as u8,
        pops: false,
    }
}

/// `FADD ST(i), ST(0)`, `FADDP ST(i), ST(0)` and their kin.
const fn from_top(insn: &Insn, op: X87Arithmetic, pops: bool) -> X87Op {
    X87Op::Arithmetic {
        op,
        to: insn.number(0) as u8,
        from: 0,
        pops,
    }
}

const fn compare(with: usize, quiet_signals: bool, pops: u8) -> X87Op {
    X87Op::Compare {
        with: with as u8,
        quiet_signals,
        pops,
    }
}

pub(super) const ROWS: &[Row] = &[
    take!(
        Fadd_m32fp,
        Arithmetic(X87Arithmetic::Add, X87Format::Single)
    ),
    take!(
        Fadd_m64fp,
        Arithmetic(X87Arithmetic::Add, X87Format::Double)
    ),
    take!(
        Fiadd_m16int,
        Arithmetic(X87Arithmetic::Add, X87Format::Short)
    ),
    take!(
        Fiadd_m32int,
        Arithmetic(X87Arithmetic::Add, X87Format::Long)
    ),
    work!(Fadd_st0_sti, |insn| to_top(insn, X87Arithmetic::Add)),
    work!(Fadd_sti_st0, |insn| from_top(
        insn,
        X87Arithmetic::Add,
        false
    )),
    work!(Faddp_sti_st0, |insn| from_top(
        insn,
        X87Arithmetic::Add,
        true
    )),
    take!(
        Fmul_m32fp,
        Arithmetic(X87Arithmetic::Mul, X87Format::Single)
    ),
    take!(
        Fmul_m64fp,
        Arithmetic(X87Arithmetic::Mul, X87Format::Double)
    ),
    take!(
        Fimul_m16int,
        Arithmetic(X87Arithmetic::Mul, X87Format::Short)
    ),
    take!(
        Fimul_m32int,
        Arithmetic(X87Arithmetic::Mul, X87Format::Long)
    ),
    work!(Fmul_st0_sti, |insn| to_top(insn, X87Arithmetic::Mul)),
    work!(Fmul_sti_st0, |insn| from_top(
        insn,
        X87Arithmetic::Mul,
        false
    )),
    work!(Fmulp_sti_st0, |insn| from_top(
        insn,
        X87Arithmetic::Mul,
        true
    )),
    take!(
        Fsub_m32fp,
        Arithmetic(X87Arithmetic::Sub, X87Format::Single)
    ),
    take!(
        Fsub_m64fp,
        Arithmetic(X87Arithmetic::Sub, X87Format::Double)
    ),
    take!(
        Fisub_m16int,
        Arithmetic(X87Arithmetic::Sub, X87Format::Short)
    ),
    take!(
        Fisub_m32int,
        Arithmetic(X87Arithmetic::Sub, X87Format::Long)
    ),
    work!(Fsub_st0_sti, |insn| to_top(insn, X87Arithmetic::Sub)),
    work!(Fsub_sti_st0, |insn| from_top(
        insn,
        X87Arithmetic::Sub,
        false
    )),
    work!(Fsubp_sti_st0, |insn| from_top(
        insn,
        X87Arithmetic::Sub,
        true
    )),
    take!(
        Fsubr_m32fp,
        Arithmetic(X87Arithmetic::SubReversed, X87Format::Single)
    ),
    take!(
        Fsubr_m64fp,
        Arithmetic(X87Arithmetic::SubReversed, X87Format::Double)
    ),
    take!(
        Fisubr_m16int,
        Arithmetic(X87Arithmetic::SubReversed, X87Format::Short)
    ),
    take!(
        Fisubr_m32int,
        Arithmetic(X87Arithmetic::SubReversed, X87Format::Long)
    ),
    work!(Fsubr_st0_sti, |insn| to_top(
        insn,
        X87Arithmetic::SubReversed
    )),
    work!(Fsubr_sti_st0, |insn| from_top(
        insn,
        X87Arithmetic::SubReversed,
        false
    )),
    work!(Fsubrp_sti_st0, |insn| from_top(
        insn,
        X87Arithmetic::SubReversed,
        true
    )),
    take!(
        Fdiv_m32fp,
        Arithmetic(X87Arithmetic::Div, X87Format::Single)
    ),
    take!(
        Fdiv_m64fp,
        Arithmetic(X87Arithmetic::Div, X87Format::Double)
    ),
    take!(
        Fidiv_m16int,
        Arithmetic(X87Arithmetic::Div, X87Format::Short)
    ),
    take!(
        Fidiv_m32int,
        Arithmetic(X87Arithmetic::Div, X87Format::Long)
    ),
    work!(Fdiv_st0_sti, |insn| to_top(insn, X87Arithmetic::Div)),
    work!(Fdiv_sti_st0, |insn| from_top(
        insn,
        X87Arithmetic::Div,
        false
    )),
    work!(Fdivp_sti_st0, |insn| from_top(
        insn,
        X87Arithmetic::Div,
        true
    )),
    take!(
        Fdivr_m32fp,
        Arithmetic(X87Arithmetic::DivReversed, X87Format::Single)
    ),
    take!(
        Fdivr_m64fp,
        Arithmetic(X87Arithmetic::DivReversed, X87Format::Double)
    ),
    take!(
        Fidivr_m16int,
        Arithmetic(X87Arithmetic::DivReversed, X87Format::Short)
    ),
    take!(
        Fidivr_m32int,
        Arithmetic(X87Arithmetic::DivReversed, X87Format::Long)
    ),
    work!(Fdivr_st0_sti, |insn| to_top(
        insn,
        X87Arithmetic::DivReversed
    )),
    work!(Fdivr_sti_st0, |insn| from_top(
        insn,
        X87Arithmetic::DivReversed,
        false
    )),
    work!(Fdivrp_sti_st0, |insn| from_top(
        insn,
        X87Arithmetic::DivReversed,
        true
    )),
    work!(Fsqrt, |_| Root),
    work!(Frndint, |_| Round),
    work!(Fscale, |_| Scale),
    work!(Fprem, |_| Remainder { to_nearest: false }),
    work!(Fprem1, |_| Remainder { to_nearest: true }),
    work!(Fxtract, |_| Extract),
    work!(Fsin, |_| Function(X87Function::Sine)),
    work!(Fcos, |_| Function(X87Function::Cosine)),
    work!(Fsincos, |_| Function(X87Function::SineAndCosine)),
    work!(Fptan, |_| Function(X87Function::Tangent)),
    work!(Fpatan, |_| Function(X87Function::Angle)),
    work!(F2xm1, |_| Function(X87Function::PowerOfTwoMinusOne)),
    work!(Fyl2x, |_| Function(X87Function::Logarithm)),
    work!(Fyl2xp1, |_| Function(X87Function::LogarithmOfOnePlus)),
    // Loads and stores.
    take!(Fld_m32fp, Push(X87Format::Single)),
    take!(Fld_m64fp, Push(X87Format::Double)),
    take!(Fld_m80fp, Push(X87Format::Extended)),
    take!(Fild_m16int, Push(X87Format::Short)),
    take!(Fild_m32int, Push(X87Format::Long)),
    take!(Fild_m64int, Push(X87Format::Quad)),
    take!(Fbld_m80bcd, Push(X87Format::Decimal)),
    work!(Fld_sti, |insn| PushRegister(insn.number(0) as u8)),
    work!(Fld1, |_| PushConstant(Constant::One)),
    work!(Fldl2t, |_| PushConstant(Constant::Log2Of10)),
    work!(Fldl2e, |_| PushConstant(Constant::Log2OfE)),
    work!(Fldpi, |_| PushConstant(Constant::Pi)),
    work!(Fldlg2, |_| PushConstant(Constant::Log10Of2)),
    work!(Fldln2, |_| PushConstant(Constant::LnOf2)),
    work!(Fldz, |_| PushConstant(Constant::Zero)),
    put!(Fst_m32fp, Single, false),
    put!(Fst_m64fp, Double, false),
    put!(Fstp_m32fp, Single, true),
    put!(Fstp_m64fp, Double, true),
    put!(Fstp_m80fp, Extended, true),
    put!(Fist_m16int, Short, false),
    put!(Fist_m32int, Long, false),
    put!(Fistp_m16int, Short, true),
    put!(Fistp_m32int, Long, true),
    put!(Fistp_m64int, Quad, true),
    put!(Fisttp_m16int, TruncatedShort, true),
    put!(Fisttp_m32int, TruncatedLong, true),
    put!(Fisttp_m64int, TruncatedQuad, true),
    put!(Fbstp_m80bcd, Decimal, true),
    work!(Fst_sti, |insn| Copy {
        to: insn.number(0) as u8,
        pops: false
    }),
    work!(Fstp_sti, |insn| Copy {
        to: insn.number(0) as u8,
        pops: true
    }),
    work!(Fstp_sti_DFD0, |insn| Copy {
        to: insn.number(0) as u8,
        pops: true
    }),
    work!(Fstp_sti_DFD8, |insn| Copy {
        to: insn.number(0) as u8,
        pops: true
    }),
    x87!(Fstpnce_sti, control::fstpnce),
    work!(Fxch_st0_sti, |insn| Exchange(insn.number(1) as u8)),
    work!(Fxch_st0_sti_DDC8, |insn| Exchange(insn.number(1) as u8)),
    work!(Fxch_st0_sti_DFC8, |insn| Exchange(insn.number(1) as u8)),
    work!(Fchs, |_| Negate),
    work!(Fabs, |_| Absolute),
    move_if!(Fcmovb_st0_sti, B),
    move_if!(Fcmove_st0_sti, E),
    move_if!(Fcmovbe_st0_sti, Be),
    move_if!(Fcmovu_st0_sti, P),
    move_if!(Fcmovnb_st0_sti, Ae),
    move_if!(Fcmovne_st0_sti, Ne),
    move_if!(Fcmovnbe_st0_sti, A),
    move_if!(Fcmovnu_st0_sti, Np),
    // Comparisons.
    take!(
        Fcom_m32fp,
        Compare {
            with: X87Format::Single,
            pops: false
        }
    ),
    take!(
        Fcom_m64fp,
        Compare {
            with: X87Format::Double,
            pops: false
        }
    ),
    take!(
        Fcomp_m32fp,
        Compare {
            with: X87Format::Single,
            pops: true
        }
    ),
    take!(
        Fcomp_m64fp,
        Compare {
            with: X87Format::Double,
            pops: true
        }
    ),
    take!(
        Ficom_m16int,
        Compare {
            with: X87Format::Short,
            pops: false
        }
    ),
    take!(
        Ficom_m32int,
        Compare {
            with: X87Format::Long,
            pops: false
        }
    ),
    take!(
        Ficomp_m16int,
        Compare {
            with: X87Format::Short,
            pops: true
        }
    ),
    take!(
        Ficomp_m32int,
        Compare {
            with: X87Format::Long,
            pops: true
        }
    ),
    work!(Fcom_st0_sti, |insn| compare(insn.number(1), true, 0)),
    work!(Fcom_st0_sti_DCD0, |insn| compare(insn.number(1), true, 0)),
    work!(Fcomp_st0_sti, |insn| compare(insn.number(1), true, 1)),
    work!(Fcomp_st0_sti_DCD8, |insn| compare(insn.number(1), true, 1)),
    work!(Fcomp_st0_sti_DED0, |insn| compare(insn.number(1), true, 1)),
    work!(Fucom_st0_sti, |insn| compare(insn.number(1), false, 0)),
    work!(Fucomp_st0_sti, |insn| compare(insn.number(1), false, 1)),
    work!(Fcompp, |_| compare(1, true, 2)),
    work!(Fucompp, |_| compare(1, false, 2)),
    order!(Fcomi_st0_sti, true, false),
    order!(Fcomip_st0_sti, true, true),
    order!(Fucomi_st0_sti, false, false),
    order!(Fucomip_st0_sti, false, true),
    work!(Ftst, |_| Test),
    work!(Fxam, |_| Examine),
    // Control.
    work!(Fnop, |_| Nothing),
    x87!(Fneni, control::ignored),
    x87!(Fndisi, control::ignored),
    x87!(Fnsetpm, control::ignored),
    x87!(Fninit, control::fninit),
    x87!(Fnclex, control::fnclex),
    row!(Fldcw_m2byte, fldcw, Mem).needs(Unit::X87).ends(),
    row!(Fnstcw_m2byte, fnstcw, Mem).needs(Unit::X87),
    row!(Fnstsw_m2byte, fnstsw, Mem).needs(Unit::X87),
    row!(Fnstsw_AX, fnstsw_ax).needs(Unit::X87),
    work!(Fincstp, |_| Turn(1)),
    work!(Fdecstp, |_| Turn(7)),
    work!(Ffree_sti, |insn| Free {
        register: insn.number(0) as u8,
        pops: false
    }),
    work!(Ffreep_sti, |insn| Free {
        register: insn.number(0) as u8,
        pops: true
    }),
    x87!(Fldenv_m14byte, environment::fldenv::<14>).ends(),
    x87!(Fldenv_m28byte, environment::fldenv::<28>).ends(),
    x87!(Fnstenv_m14byte, environment::fnstenv::<14>),
    x87!(Fnstenv_m28byte, environment::fnstenv::<28>),
    x87!(Frstor_m94byte, environment::frstor::<14>).ends(),
    x87!(Frstor_m108byte, environment::frstor::<28>).ends(),
    x87!(Fnsave_m94byte, environment::fnsave::<14>),
    x87!(Fnsave_m108byte, environment::fnsave::<28>),
    // Executed whatever CR0.EM says.
    helper!(Wait, control::fwait),
];

#[cfg(test)]
mod tests;
