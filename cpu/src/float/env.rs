//! The floating-point environment: what MXCSR and the x87 control word say (SDM vol. 1, 8.1.5 and 10.2.3).

use bitflags::bitflags;

bitflags! {
    /// Floating-point exceptions, in the bit order of MXCSR and the x87 status word.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Exceptions: u8 {
        /// IE: invalid operation.
        const INVALID = 1;
        /// DE: denormal operand.
        const DENORMAL = 2;
        /// ZE: division by zero.
        const ZERO_DIVIDE = 4;
        /// OE: overflow.
        const OVERFLOW = 8;
        /// UE: underflow.
        const UNDERFLOW = 16;
        /// PE: inexact result.
        const PRECISION = 32;
    }
}

impl Exceptions {
    /// Those that are found before the computation; unmasked, they prevent it.
    pub const PRE_COMPUTATION: Self = Self::INVALID.union(Self::DENORMAL).union(Self::ZERO_DIVIDE);
    /// Those that are found in the result.
    pub const POST_COMPUTATION: Self = Self::OVERFLOW.union(Self::UNDERFLOW).union(Self::PRECISION);
}

/// A rounding mode, in the encoding of the RC field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// To nearest, ties to even.
    #[default]
    Nearest = 0,
    /// Toward negative infinity.
    Down = 1,
    /// Toward positive infinity.
    Up = 2,
    /// Toward zero.
    Zero = 3,
}

impl Rounding {
    /// The mode that the low two bits of an RC field or a ROUNDPS immediate name.
    #[inline]
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        match bits & 3 {
            0 => Self::Nearest,
            1 => Self::Down,
            2 => Self::Up,
            _ => Self::Zero,
        }
    }
}

/// How many significand bits x87 arithmetic keeps (the PC field).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 24 bits.
    Single,
    /// 53 bits.
    Double,
    /// 64 bits.
    #[default]
    Extended,
}

impl Precision {
    /// The precision that a PC field names; the reserved value 1 acts as 64 bits.
    #[inline]
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        match bits & 3 {
            0 => Self::Single,
            2 => Self::Double,
            _ => Self::Extended,
        }
    }

    /// The number of significand bits.
    #[inline]
    #[must_use]
    pub const fn significand_bits(self) -> u32 {
        match self {
            Self::Single => 24,
            Self::Double => 53,
            Self::Extended => 64,
        }
    }
}

/// How to compute, and what the computations so far raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Env {
    /// The rounding mode.
    pub rounding: Rounding,
    /// MXCSR.FTZ: a tiny result becomes zero while underflow is masked. x87 operations ignore it.
    pub flush_to_zero: bool,
    /// MXCSR.DAZ: denormal operands count as zero. x87 operations ignore it.
    pub denormals_are_zero: bool,
    /// x87 precision control. SSE operations ignore it.
    pub precision: Precision,
    /// The exceptions that do not trap.
    pub masks: Exceptions,
    /// The exceptions raised since this value was made.
    pub raised: Exceptions,
    /// What the steps before this one raised, for instructions of several steps (DPPS).
    pub settled: Exceptions,
    /// x87 C1: the last operation rounded its result away from zero.
    pub rounded_up: bool,
    /// The PE flag is already set in MXCSR and masked, so nobody needs to hear of it again.
    /// Lets the fast paths skip finding out: `raised` may then lack PE.
    pub inexact_known: bool,
}

impl Default for Env {
    /// The environment after reset: all masked, to nearest, 64 bits.
    fn default() -> Self {
        Self {
            rounding: Rounding::Nearest,
            flush_to_zero: false,
            denormals_are_zero: false,
            precision: Precision::Extended,
            masks: Exceptions::all(),
            raised: Exceptions::empty(),
            settled: Exceptions::empty(),
            rounded_up: false,
            inexact_known: false,
        }
    }
}

impl Env {
    /// The environment that a value of MXCSR asks for, with nothing raised yet.
    #[inline]
    #[must_use]
    pub const fn from_mxcsr(mxcsr: u32) -> Self {
        Self {
            rounding: Rounding::from_bits(mxcsr >> 13),
            flush_to_zero: mxcsr & 0x8000 != 0,
            denormals_are_zero: mxcsr & 0x40 != 0,
            precision: Precision::Extended,
            masks: Exceptions::from_bits_truncate((mxcsr >> 7) as u8),
            raised: Exceptions::empty(),
            settled: Exceptions::empty(),
            rounded_up: false,
            inexact_known: mxcsr & 0x1020 == 0x1020,
        }
    }

    /// The environment that a value of the x87 control word asks for, with nothing raised yet.
    #[inline]
    #[must_use]
    pub const fn from_control_word(control_word: u16) -> Self {
        Self {
            rounding: Rounding::from_bits((control_word >> 10) as u32),
            flush_to_zero: false,
            denormals_are_zero: false,
            precision: Precision::from_bits(control_word >> 8),
            masks: Exceptions::from_bits_truncate(control_word as u8),
            raised: Exceptions::empty(),
            settled: Exceptions::empty(),
            rounded_up: false,
            inexact_known: false,
        }
    }

    /// The flags to OR into MXCSR after all lanes are done.
    ///
    /// When a lane raised an unmasked pre-computation exception, no lane's post-computation exceptions count.
    #[inline]
    #[must_use]
    pub const fn reported(&self) -> Exceptions {
        let raised = if self.is_prevented() {
            self.raised.intersection(Exceptions::PRE_COMPUTATION)
        } else {
            self.raised
        };
        self.settled.union(raised)
    }

    /// Ends a step of an instruction that has several. Whether the next one is to be taken:
    /// nothing has to trap.
    #[must_use]
    pub fn settle(&mut self) -> bool {
        self.settled = self.reported();
        self.raised = Exceptions::empty();
        self.unmasked().is_empty()
    }

    /// The reported exceptions that must trap; empty when the result may be written.
    #[inline]
    #[must_use]
    pub const fn unmasked(&self) -> Exceptions {
        self.reported().difference(self.masks)
    }

    /// Whether an unmasked pre-computation exception prevents the operation, so that nothing must be written.
    #[inline]
    #[must_use]
    pub const fn is_prevented(&self) -> bool {
        self.raised
            .difference(self.masks)
            .intersects(Exceptions::PRE_COMPUTATION)
    }

    /// Notes exceptions.
    #[inline]
    pub(super) fn raise(&mut self, exceptions: Exceptions) {
        self.raised |= exceptions;
    }

    /// Notes an exception and says whether it is masked.
    #[inline]
    pub(super) fn raise_masked(&mut self, exception: Exceptions) -> bool {
        self.raised |= exception;
        self.masks.contains(exception)
    }
}
