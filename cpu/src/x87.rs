//! What x87 instructions do to the register stack, one portable function each
//! (SDM 1, 8.1 to 8.3).
//!
//! An operation knows nothing of the processor but its [`Fpu`]; operands in memory come as
//! bits in one of the formats of [`X87Format`]. Whether an exception that is pending
//! traps, and which instruction was the last, is for [`crate::verbs::X87Verbs`] to say.

mod arith;
mod compare;
mod format;
mod function;
mod parts;
mod stack;

pub use format::X87Format;
pub use function::X87Function;
pub(crate) use stack::{finish_store, prepare_store};

use crate::float::{Comparison, Constant, Env, F80};
use crate::fpu::Fpu;

/// One of the four operations; the first operand is the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum X87Arithmetic {
    /// FADD.
    Add,
    /// FMUL.
    Mul,
    /// FSUB: destination less source.
    Sub,
    /// FSUBR: source less destination.
    SubReversed,
    /// FDIV: destination by source.
    Div,
    /// FDIVR: source by destination.
    DivReversed,
}

/// What is done to registers alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum X87Op {
    /// FNOP.
    Nothing,
    /// FLD ST(i).
    PushRegister(u8),
    /// FLD1 and its kin.
    PushConstant(Constant),
    /// FADD and its kin, from one register to another.
    Arithmetic {
        /// Which.
        op: X87Arithmetic,
        /// The destination.
        to: u8,
        /// The source.
        from: u8,
        /// Pops ST(0) afterwards.
        pops: bool,
    },
    /// FSIN and its kin.
    Function(X87Function),
    /// FSCALE.
    Scale,
    /// FPREM and FPREM1.
    Remainder {
        /// FPREM1: of the quotient that is nearest.
        to_nearest: bool,
    },
    /// FXTRACT.
    Extract,
    /// FSQRT.
    Root,
    /// FRNDINT.
    Round,
    /// FCHS.
    Negate,
    /// FABS.
    Absolute,
    /// FXCH.
    Exchange(u8),
    /// FST and FSTP to a register.
    Copy {
        /// The destination.
        to: u8,
        /// Pops ST(0) afterwards.
        pops: bool,
    },
    /// FCOM, FUCOM and those that pop.
    Compare {
        /// What ST(0) is compared with.
        with: u8,
        /// A quiet NaN raises IE too.
        quiet_signals: bool,
        /// How many registers are popped.
        pops: u8,
    },
    /// FTST.
    Test,
    /// FXAM.
    Examine,
    /// FFREE, and the undocumented FFREEP, which pops as well.
    Free {
        /// Which register.
        register: u8,
        /// Pops ST(0) afterwards.
        pops: bool,
    },
    /// FINCSTP and FDECSTP: moves the top by so many registers; tags stay.
    Turn(u8),
}

/// What is done with an operand in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum X87Take {
    /// FLD, FILD and FBLD.
    Push(X87Format),
    /// FADD, FIADD and their kin, to ST(0).
    Arithmetic(X87Arithmetic, X87Format),
    /// FCOM, FICOM and those that pop.
    Compare {
        /// What ST(0) is compared with.
        with: X87Format,
        /// Pops ST(0) afterwards.
        pops: bool,
    },
}

impl X87Take {
    /// The format of the operand.
    #[must_use]
    pub const fn format(self) -> X87Format {
        match self {
            Self::Push(format)
            | Self::Arithmetic(_, format)
            | Self::Compare { with: format, .. } => format,
        }
    }

    /// Does it.
    #[inline(always)]
    pub fn apply(self, fpu: &mut Fpu, bits: u128) {
        match self {
            Self::Push(format) => stack::load(fpu, format, bits),
            Self::Arithmetic(op, format) => {
                arith::compute(fpu, op, 0, Some(format.operand(bits)));
            }
            Self::Compare { with, pops } => {
                compare::codes(fpu, Some(with.operand(bits)), true, u8::from(pops));
            }
        }
    }
}

impl X87Op {
    /// Does it.
    #[inline(always)]
    pub fn apply(self, fpu: &mut Fpu) {
        match self {
            Self::Nothing => {}
            Self::PushRegister(i) => stack::push_register(fpu, i.into()),
            Self::PushConstant(constant) => {
                let value = fpu.env().f80_constant(constant);
                stack::push(fpu, value);
            }
            Self::Arithmetic { op, to, from, pops } => {
                let source = arith::source(fpu, from.into());
                if arith::compute(fpu, op, to.into(), source) && pops {
                    fpu.pop();
                }
            }
            Self::Function(function) => function.apply(fpu),
            Self::Scale => parts::scale(fpu),
            Self::Remainder { to_nearest } => parts::remainder(fpu, to_nearest),
            Self::Extract => parts::extract(fpu),
            Self::Root => parts::unary(fpu, Env::f80_sqrt),
            Self::Round => parts::unary(fpu, Env::f80_round_to_integral),
            Self::Negate => stack::replace(fpu, F80::negated),
            Self::Absolute => stack::replace(fpu, F80::abs),
            Self::Exchange(i) => stack::exchange(fpu, i.into()),
            Self::Copy { to, pops } => stack::copy(fpu, to.into(), pops),
            Self::Compare {
                with,
                quiet_signals,
                pops,
            } => {
                let other = arith::source(fpu, with.into());
                compare::codes(fpu, other, quiet_signals, pops);
            }
            Self::Test => compare::codes(fpu, Some(F80::ZERO.into()), true, 0),
            Self::Examine => compare::examine(fpu),
            Self::Free { register, pops } => stack::free(fpu, register.into(), pops),
            Self::Turn(by) => stack::turn(fpu, by.into()),
        }
    }
}

/// Compares ST(0) with ST(`with`) for FCOMI and its kin, and pops; the relation is given
/// even if an exception traps.
#[inline]
pub(crate) fn order(fpu: &mut Fpu, with: u8, quiet_signals: bool, pops: bool) -> Comparison {
    compare::order(fpu, with.into(), quiet_signals, pops)
}

/// What FCMOVcc does: both registers must be in use, whether the condition holds or not.
#[inline]
pub(crate) fn move_if(fpu: &mut Fpu, from: u8, holds: bool) {
    stack::move_if(fpu, from.into(), holds);
}
