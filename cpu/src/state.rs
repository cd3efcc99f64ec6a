//! The architectural state: everything a processor is, as plain data (SDM 1, chapter 3; SDM 3A, chapter 2).
//!
//! One copy of every register, shared by interpreter, compiled code, debugger and tests.

use crate::flags::LazyFlags;
use crate::fpu::Fpu;
use crate::rflags::Rflags;
use crate::segment::{DescriptorTable, Segment, SegmentRegister};
use crate::smm::Smm;

/// A general-purpose register, or one of two pseudo-registers that address
/// computation reads: a constant zero and the address of the running block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
#[expect(missing_docs, reason = "the manual's names")]
pub enum Gpr {
    Rax,
    Rcx,
    Rdx,
    Rbx,
    Rsp,
    Rbp,
    Rsi,
    Rdi,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
    /// Reads as zero: an absent base or index.
    #[default]
    Zero,
    /// RIP of the first instruction of the running block.
    BlockRip,
}

impl Gpr {
    /// How many slots [`CpuState::gpr`] has.
    pub const COUNT: usize = 18;
    /// The sixteen architectural registers, in encoding order.
    pub const ALL: [Self; 16] = [
        Self::Rax,
        Self::Rcx,
        Self::Rdx,
        Self::Rbx,
        Self::Rsp,
        Self::Rbp,
        Self::Rsi,
        Self::Rdi,
        Self::R8,
        Self::R9,
        Self::R10,
        Self::R11,
        Self::R12,
        Self::R13,
        Self::R14,
        Self::R15,
    ];

    /// The register with this encoding; only the low four bits count.
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        Self::ALL[(number & 15) as usize]
    }

    /// Its place in [`CpuState::gpr`].
    #[must_use]
    #[inline(always)]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A vector register: 256 bits, lowest quadword first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(32))]
pub struct VectorRegister(pub [u64; 4]);

/// What the processor is doing (SDM 3A, 2.4 and vmcs activity states by name).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Activity {
    /// Executing instructions.
    #[default]
    Running,
    /// After HLT or MWAIT: waits for an interrupt.
    Halted,
    /// After a triple fault: waits for a reset.
    Shutdown,
    /// After INIT, or a reset of one that does not start by itself: waits for a
    /// start-up message.
    WaitForStartUp,
}

/// The model-specific registers that hold plain state (SDM 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Msrs {
    /// IA32_EFER.
    pub efer: u64,
    /// IA32_STAR: SYSCALL and SYSRET selectors.
    pub star: u64,
    /// IA32_LSTAR: SYSCALL target, 64-bit mode.
    pub lstar: u64,
    /// IA32_CSTAR: SYSCALL target, compatibility mode.
    pub cstar: u64,
    /// IA32_FMASK: RFLAGS bits that SYSCALL clears.
    pub fmask: u64,
    /// IA32_KERNEL_GS_BASE: what SWAPGS exchanges.
    pub kernel_gs_base: u64,
    /// IA32_SYSENTER_CS.
    pub sysenter_cs: u64,
    /// IA32_SYSENTER_ESP.
    pub sysenter_esp: u64,
    /// IA32_SYSENTER_EIP.
    pub sysenter_eip: u64,
    /// IA32_TSC_AUX.
    pub tsc_aux: u64,
    /// What is added to the clock to give the time-stamp counter.
    pub tsc_offset: u64,
    /// IA32_PAT.
    pub pat: u64,
    /// IA32_APIC_BASE.
    pub apic_base: u64,
    /// IA32_MISC_ENABLE.
    pub misc_enable: u64,
    /// IA32_SPEC_CTRL.
    pub spec_ctrl: u64,
    /// IA32_DEBUGCTL.
    pub debugctl: u64,
    /// IA32_XSS.
    pub xss: u64,
    /// IA32_MTRR_DEF_TYPE.
    pub mtrr_def_type: u64,
    /// IA32_MTRR_PHYSBASEn and PHYSMASKn, alternating.
    pub mtrr_variable: [u64; 16],
    /// The eleven fixed-range MTRRs, in address order.
    pub mtrr_fixed: [u64; 11],
    /// IA32_BIOS_SIGN_ID: the microcode revision.
    pub bios_sign_id: u64,
    /// AMD's SYS_CFG.
    pub sys_cfg: u64,
    /// AMD's HWCR.
    pub hwcr: u64,
    /// AMD's registers that change nothing: LS_CFG, IC_CFG, DC_CFG, BU_CFG, DE_CFG, BU_CFG2; a K6-2's WHCR, UWCCR.
    pub amd_switches: [u64; 6],
    /// IA32_MCG_STATUS.
    pub mcg_status: u64,
}

/// Everything a processor is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct CpuState {
    /// General-purpose registers by [`Gpr::index`].
    pub gpr: [u64; Gpr::COUNT],
    /// The instruction pointer.
    pub rip: u64,
    /// CF, PF, AF, ZF, SF and OF, lazily.
    pub flags: LazyFlags,
    /// The other bits of RFLAGS; see [`CpuState::rflags`].
    pub system_flags: Rflags,
    /// How many instructions have retired when the running block was entered.
    pub instructions: u64,
    /// ES, CS, SS, DS, FS, GS by [`SegmentRegister`].
    pub segments: [Segment; 6],
    /// The local descriptor table register.
    pub ldtr: Segment,
    /// The task register.
    pub tr: Segment,
    /// The global descriptor table register.
    pub gdtr: DescriptorTable,
    /// The interrupt descriptor table register.
    pub idtr: DescriptorTable,
    /// Current privilege level, 0 to 3.
    pub cpl: u8,
    /// What the processor is doing.
    pub activity: Activity,
    /// Interrupts and debug traps wait for one instruction (STI, MOV SS).
    pub interrupt_shadow: InterruptShadow,
    /// NMIs wait for the next IRET.
    pub nmi_blocked: bool,
    /// Control register 0.
    pub cr0: u64,
    /// Control register 2: the linear address of the last page fault.
    pub cr2: u64,
    /// Control register 3.
    pub cr3: u64,
    /// Control register 4.
    pub cr4: u64,
    /// Control register 8: the task priority.
    pub cr8: u64,
    /// Extended control register 0.
    pub xcr0: u64,
    /// The page-directory-pointer-table entries of PAE paging.
    pub pdptes: [u64; 4],
    /// Protection-key rights.
    pub pkru: u32,
    /// SSE control and status.
    pub mxcsr: u32,
    /// Debug registers 0 to 7 (4 and 5 unused).
    pub dr: [u64; 8],
    /// Model-specific registers.
    pub msrs: Msrs,
    /// The x87 unit, whose registers MMX shares.
    pub fpu: Fpu,
    /// YMM0 to YMM15; XMM registers are their low halves.
    pub vectors: [VectorRegister; 16],
    /// The address MONITOR armed, if any.
    pub monitor: Option<u64>,
    /// System-management mode.
    pub smm: Smm,
}

/// What the instruction before this one inhibits (SDM 3A, 6.8.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum InterruptShadow {
    /// Nothing.
    #[default]
    None,
    /// Maskable interrupts, after STI.
    Sti,
    /// Interrupts, NMIs and debug traps, after MOV SS or POP SS.
    MovSs,
}

impl CpuState {
    /// The state after power-on or RESET (SDM 3A, table 10-1), with
    /// `signature` (family, model, stepping) in EDX.
    #[must_use]
    pub fn reset(signature: u32) -> Self {
        let mut state = Self {
            gpr: [0; Gpr::COUNT],
            rip: 0xfff0,
            flags: LazyFlags::default(),
            system_flags: Rflags::empty(),
            instructions: 0,
            segments: [Segment::real_mode(0); 6],
            ldtr: Segment::reset_ldt(),
            tr: Segment::reset_tss(),
            gdtr: DescriptorTable {
                base: 0,
                limit: 0xffff,
            },
            idtr: DescriptorTable {
                base: 0,
                limit: 0xffff,
            },
            cpl: 0,
            activity: Activity::Running,
            interrupt_shadow: InterruptShadow::None,
            nmi_blocked: false,
            cr0: 0x6000_0010,
            cr2: 0,
            cr3: 0,
            cr4: 0,
            cr8: 0,
            xcr0: 1,
            pdptes: [0; 4],
            pkru: 0,
            mxcsr: 0x1f80,
            dr: [0, 0, 0, 0, 0, 0, 0xffff_0ff0, 0x400],
            msrs: Msrs {
                pat: 0x0007_0406_0007_0406,
                apic_base: 0xfee0_0100,
                misc_enable: 0x4_0001,
                ..Msrs::default()
            },
            fpu: Fpu::default(),
            vectors: [VectorRegister::default(); 16],
            monitor: None,
            smm: Smm::default(),
        };
        state.gpr[Gpr::Rdx.index()] = u64::from(signature);
        state.segments[SegmentRegister::Cs as usize] = Segment::reset_code();
        state
    }

    /// A general-purpose register, all 64 bits.
    #[must_use]
    #[inline(always)]
    pub const fn gpr(&self, register: Gpr) -> u64 {
        self.gpr[register.index()]
    }

    /// Sets a general-purpose register, all 64 bits.
    #[inline(always)]
    pub const fn set_gpr(&mut self, register: Gpr, value: u64) {
        self.gpr[register.index()] = value;
    }

    /// A segment register.
    #[must_use]
    #[inline(always)]
    pub const fn segment(&self, register: SegmentRegister) -> &Segment {
        &self.segments[register as usize]
    }

    /// RFLAGS as PUSHF would see it.
    #[must_use]
    pub fn rflags(&self) -> Rflags {
        self.system_flags | Rflags::FIXED | self.flags.status()
    }

    /// Replaces all of RFLAGS; reserved bits are forced to their fixed values.
    pub fn set_rflags(&mut self, value: Rflags) {
        self.flags = LazyFlags::from_status(value);
        self.system_flags = value & Rflags::SYSTEM;
    }
}
