//! The bits of the local APIC's registers (SDM 3A, chapter 11).

use bitflags::bitflags;

/// Register numbers: the offset in the memory page divided by 16, which is
/// also the number of the x2APIC's MSR.
pub(super) mod index {
    pub(crate) const ID: u32 = 0x02;
    pub(crate) const VERSION: u32 = 0x03;
    pub(crate) const TASK_PRIORITY: u32 = 0x08;
    pub(crate) const ARBITRATION_PRIORITY: u32 = 0x09;
    pub(crate) const PROCESSOR_PRIORITY: u32 = 0x0a;
    pub(crate) const EOI: u32 = 0x0b;
    pub(crate) const REMOTE_READ: u32 = 0x0c;
    pub(crate) const LOGICAL_DESTINATION: u32 = 0x0d;
    pub(crate) const DESTINATION_FORMAT: u32 = 0x0e;
    pub(crate) const SPURIOUS: u32 = 0x0f;
    pub(crate) const IN_SERVICE: u32 = 0x10;
    pub(crate) const IN_SERVICE_LAST: u32 = 0x17;
    pub(crate) const TRIGGER_MODE: u32 = 0x18;
    pub(crate) const TRIGGER_MODE_LAST: u32 = 0x1f;
    pub(crate) const REQUEST: u32 = 0x20;
    pub(crate) const REQUEST_LAST: u32 = 0x27;
    pub(crate) const ERROR_STATUS: u32 = 0x28;
    pub(crate) const COMMAND_LOW: u32 = 0x30;
    pub(crate) const COMMAND_HIGH: u32 = 0x31;
    pub(crate) const LVT_TIMER: u32 = 0x32;
    pub(crate) const LVT_ERROR: u32 = 0x37;
    pub(crate) const INITIAL_COUNT: u32 = 0x38;
    pub(crate) const CURRENT_COUNT: u32 = 0x39;
    pub(crate) const DIVIDE: u32 = 0x3e;
    pub(crate) const SELF_IPI: u32 = 0x3f;
}

/// Version 14h, six entries in the local vector table.
pub(super) const VERSION: u32 = 0x0005_0014;

/// The entries of the local vector table, in the order of their registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Timer,
    Thermal,
    Performance,
    Lint0,
    Lint1,
    Error,
}

impl Entry {
    pub(super) const COUNT: usize = 6;

    /// The bits that can be written.
    pub(super) const fn writable(self) -> u32 {
        match self {
            Self::Timer => 0x0007_00ff,
            Self::Thermal | Self::Performance => 0x0001_07ff,
            Self::Lint0 | Self::Lint1 => 0x0001_a7ff,
            Self::Error => 0x0001_00ff,
        }
    }

    /// The entry of register `index`, from [`index::LVT_TIMER`] on.
    pub(super) const fn of_register(index: u32) -> Option<Self> {
        Some(match index {
            0x32 => Self::Timer,
            0x33 => Self::Thermal,
            0x34 => Self::Performance,
            0x35 => Self::Lint0,
            0x36 => Self::Lint1,
            0x37 => Self::Error,
            _ => return None,
        })
    }
}

bitflags! {
    /// An entry of the local vector table.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct Lvt: u32 {
        const VECTOR = 0xff;
        const DELIVERY_MODE = 7 << 8;
        /// Read only: accepted and not ended.
        const REMOTE_IRR = 1 << 14;
        const LEVEL = 1 << 15;
        const MASK = 1 << 16;
        const PERIODIC = 1 << 17;
        const TSC_DEADLINE = 1 << 18;
        const _ = !0;
    }

    /// The spurious-interrupt vector register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct Spurious: u32 {
        const VECTOR = 0xff;
        /// Software enables the APIC.
        const ENABLE = 1 << 8;
        const FOCUS_CHECKING_OFF = 1 << 9;
    }

    /// The low half of the interrupt command register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct Command: u32 {
        const VECTOR = 0xff;
        const DELIVERY_MODE = 7 << 8;
        const LOGICAL = 1 << 11;
        const ASSERT = 1 << 14;
        const LEVEL = 1 << 15;
        const SHORTHAND = 3 << 18;
    }

    /// The error status register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct Errors: u32 {
        /// Sent a message that nobody accepted.
        const SEND_ACCEPT = 1 << 2;
        /// Told to send a vector below 16.
        const SEND_ILLEGAL_VECTOR = 1 << 5;
        /// Received, or raised itself, a vector below 16.
        const RECEIVE_ILLEGAL_VECTOR = 1 << 6;
        /// An access to a register that does not exist.
        const ILLEGAL_REGISTER = 1 << 7;
    }

    /// IA32_APIC_BASE.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct ApicBase: u64 {
        /// The bootstrap processor.
        const BSP = 1 << 8;
        /// x2APIC mode.
        const EXTENDED = 1 << 10;
        /// The APIC is there at all.
        const ENABLE = 1 << 11;
        /// Where its registers are in memory.
        const ADDRESS = 0x000f_ffff_ffff_f000;
    }
}
