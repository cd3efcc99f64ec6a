//! Architectural exceptions (SDM 3A, table 6-1).

use rax_mmu::PageFault;

/// An event the guest itself can observe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exception {
    /// #DE: division by zero, or a quotient that does not fit.
    DivideError,
    /// #DB: what is to be merged into DR6; a trap or a fault by `is_trap`.
    Debug {
        /// Bits to set in DR6.
        status: u64,
    },
    /// #BP: INT3. A trap.
    Breakpoint,
    /// #OF: INTO. A trap.
    Overflow,
    /// #BR: BOUND found an index out of range.
    BoundRange,
    /// #UD: an opcode this processor does not have here.
    InvalidOpcode,
    /// #NM: x87 or SSE while CR0 says not now.
    DeviceNotAvailable,
    /// #DF: a fault while delivering a fault. Its error code is zero.
    DoubleFault,
    /// #TS: a task-state segment is unfit.
    InvalidTss(u16),
    /// #NP: a descriptor is not present.
    SegmentNotPresent(u16),
    /// #SS: a stack access or SS load is at fault.
    StackFault(u16),
    /// #GP: any other breach of protection.
    GeneralProtection(u16),
    /// #PF.
    PageFault(PageFault),
    /// #MF: an unmasked x87 exception is pending.
    X87FloatingPoint,
    /// #AC: an unaligned access at CPL 3 with alignment checks on.
    AlignmentCheck,
    /// #XM: an unmasked SIMD floating-point exception.
    SimdFloatingPoint,
}

impl Exception {
    /// The interrupt-descriptor-table entry that handles it.
    #[must_use]
    pub const fn vector(self) -> u8 {
        match self {
            Self::DivideError => 0,
            Self::Debug { .. } => 1,
            Self::Breakpoint => 3,
            Self::Overflow => 4,
            Self::BoundRange => 5,
            Self::InvalidOpcode => 6,
            Self::DeviceNotAvailable => 7,
            Self::DoubleFault => 8,
            Self::InvalidTss(_) => 10,
            Self::SegmentNotPresent(_) => 11,
            Self::StackFault(_) => 12,
            Self::GeneralProtection(_) => 13,
            Self::PageFault(_) => 14,
            Self::X87FloatingPoint => 16,
            Self::AlignmentCheck => 17,
            Self::SimdFloatingPoint => 19,
        }
    }

    /// What is pushed after the return address, if anything.
    #[must_use]
    pub fn error_code(self) -> Option<u32> {
        match self {
            Self::DoubleFault | Self::AlignmentCheck => Some(0),
            Self::InvalidTss(code)
            | Self::SegmentNotPresent(code)
            | Self::StackFault(code)
            | Self::GeneralProtection(code) => Some(u32::from(code)),
            Self::PageFault(fault) => Some(fault.error_code.bits()),
            Self::DivideError
            | Self::Debug { .. }
            | Self::Breakpoint
            | Self::Overflow
            | Self::BoundRange
            | Self::InvalidOpcode
            | Self::DeviceNotAvailable
            | Self::X87FloatingPoint
            | Self::SimdFloatingPoint => None,
        }
    }

    /// Its class when a second fault follows (SDM 3A, table 6-4).
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::DivideError
            | Self::InvalidTss(_)
            | Self::SegmentNotPresent(_)
            | Self::StackFault(_)
            | Self::GeneralProtection(_) => Severity::Contributory,
            Self::PageFault(_) => Severity::PageFault,
            Self::DoubleFault => Severity::DoubleFault,
            _ => Severity::Benign,
        }
    }
}

/// How a fault combines with the one whose delivery it interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Delivered after the first.
    Benign,
    /// Two make a double fault.
    Contributory,
    /// A page fault, then it or a contributory one, makes a double fault.
    PageFault,
    /// Any contributory or page fault on top is a triple fault.
    DoubleFault,
}

/// Why a handler did not run to the block's end; details lie in [`crate::Cpu`].
///
/// One byte on purpose: a fatter error costs a fifth of the interpreter's speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The instruction did not retire; [`crate::Cpu::pending_exception`] says why.
    Exception,
    /// The instruction retired, but the rest of the block must not run as decoded.
    Leave,
    /// The instruction made progress and is to be executed again (REP).
    Again,
}
