//! The bits of RFLAGS, CR0, CR4, EFER and DR6 by the manual's names (SDM 1, 3.4.3; SDM 3A, 2.3 and 2.5).

use bitflags::bitflags;

bitflags! {
    /// RFLAGS (SDM 1, figure 3-8).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[repr(transparent)]
    pub struct Rflags: u64 {
        /// Carry.
        const CF = 1 << 0;
        /// Always one.
        const FIXED = 1 << 1;
        /// Parity of the low byte.
        const PF = 1 << 2;
        /// Auxiliary carry.
        const AF = 1 << 4;
        /// Zero.
        const ZF = 1 << 6;
        /// Sign.
        const SF = 1 << 7;
        /// Trap: single-step.
        const TF = 1 << 8;
        /// Interrupts enabled.
        const IF = 1 << 9;
        /// Direction of string instructions.
        const DF = 1 << 10;
        /// Overflow.
        const OF = 1 << 11;
        /// I/O privilege level, low bit.
        const IOPL0 = 1 << 12;
        /// I/O privilege level, high bit.
        const IOPL1 = 1 << 13;
        /// Nested task.
        const NT = 1 << 14;
        /// Resume: no instruction breakpoint for one instruction.
        const RF = 1 << 16;
        /// Virtual-8086 mode.
        const VM = 1 << 17;
        /// Alignment check, or access control under SMAP.
        const AC = 1 << 18;
        /// Virtual interrupt flag.
        const VIF = 1 << 19;
        /// Virtual interrupt pending.
        const VIP = 1 << 20;
        /// CPUID can be toggled.
        const ID = 1 << 21;
        /// Both IOPL bits.
        const IOPL = Self::IOPL0.bits() | Self::IOPL1.bits();
        /// The six arithmetic flags.
        const STATUS = Self::CF.bits() | Self::PF.bits() | Self::AF.bits()
            | Self::ZF.bits() | Self::SF.bits() | Self::OF.bits();
        /// Everything that is neither arithmetic nor fixed.
        const SYSTEM = Self::TF.bits() | Self::IF.bits() | Self::DF.bits() | Self::IOPL.bits()
            | Self::NT.bits() | Self::RF.bits() | Self::VM.bits() | Self::AC.bits()
            | Self::VIF.bits() | Self::VIP.bits() | Self::ID.bits();
    }
}

impl Rflags {
    /// The I/O privilege level, 0 to 3.
    #[must_use]
    pub const fn iopl(self) -> u8 {
        ((self.bits() >> 12) & 3) as u8
    }
}

bitflags! {
    /// CR0 (SDM 3A, 2.5).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Cr0: u64 {
        /// Protection enable.
        const PE = 1 << 0;
        /// Monitor coprocessor.
        const MP = 1 << 1;
        /// Emulation: no x87.
        const EM = 1 << 2;
        /// Task switched.
        const TS = 1 << 3;
        /// Extension type, always one.
        const ET = 1 << 4;
        /// Numeric error: x87 faults are #MF.
        const NE = 1 << 5;
        /// Write protect, also for the supervisor.
        const WP = 1 << 16;
        /// Alignment mask.
        const AM = 1 << 18;
        /// Not write-through.
        const NW = 1 << 29;
        /// Cache disable.
        const CD = 1 << 30;
        /// Paging.
        const PG = 1 << 31;
    }

    /// CR4 (SDM 3A, 2.5).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Cr4: u64 {
        /// Virtual-8086 mode extensions.
        const VME = 1 << 0;
        /// Protected-mode virtual interrupts.
        const PVI = 1 << 1;
        /// RDTSC only at CPL 0.
        const TSD = 1 << 2;
        /// Debugging extensions.
        const DE = 1 << 3;
        /// 4-MiB pages.
        const PSE = 1 << 4;
        /// Physical address extension.
        const PAE = 1 << 5;
        /// Machine-check enable.
        const MCE = 1 << 6;
        /// Global pages.
        const PGE = 1 << 7;
        /// RDPMC at any CPL.
        const PCE = 1 << 8;
        /// FXSAVE and SSE.
        const OSFXSR = 1 << 9;
        /// Unmasked SIMD exceptions are #XM.
        const OSXMMEXCPT = 1 << 10;
        /// User-mode instruction prevention.
        const UMIP = 1 << 11;
        /// 57-bit linear addresses.
        const LA57 = 1 << 12;
        /// RDFSBASE and its kin.
        const FSGSBASE = 1 << 16;
        /// Process-context identifiers.
        const PCIDE = 1 << 17;
        /// XSAVE.
        const OSXSAVE = 1 << 18;
        /// Supervisor-mode execution prevention.
        const SMEP = 1 << 20;
        /// Supervisor-mode access prevention.
        const SMAP = 1 << 21;
        /// Protection keys for user pages.
        const PKE = 1 << 22;
    }

    /// IA32_EFER (SDM 3A, 2.2.1).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Efer: u64 {
        /// SYSCALL enable.
        const SCE = 1 << 0;
        /// Long mode enable.
        const LME = 1 << 8;
        /// Long mode active.
        const LMA = 1 << 10;
        /// No-execute enable.
        const NXE = 1 << 11;
    }

    /// DR6: what a debug exception found (SDM 3B, 18.2.3).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Dr6: u64 {
        /// Breakpoint 0.
        const B0 = 1 << 0;
        /// Breakpoint 1.
        const B1 = 1 << 1;
        /// Breakpoint 2.
        const B2 = 1 << 2;
        /// Breakpoint 3.
        const B3 = 1 << 3;
        /// A debug register was touched under DR7.GD.
        const BD = 1 << 13;
        /// Single step.
        const BS = 1 << 14;
        /// Task switch with the T bit set.
        const BT = 1 << 15;
    }
}
