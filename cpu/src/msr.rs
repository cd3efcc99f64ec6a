//! Model-specific registers: reads, writes and their checks (SDM 4, chapter 2).

#[cfg(test)]
mod tests;

use crate::Cpu;
use crate::cpuid::{Feature, Generation, MICROCODE_REVISION};
use crate::exception::{Exception, Exit};
use crate::insn::Insn;
use crate::segment::SegmentRegister;

/// The registers by their numbers.
mod number {
    pub(super) const P5_MC_ADDR: u32 = 0x0;
    pub(super) const P5_MC_TYPE: u32 = 0x1;
    pub(super) const TIME_STAMP_COUNTER: u32 = 0x10;
    pub(super) const PLATFORM_ID: u32 = 0x17;
    pub(super) const APIC_BASE: u32 = 0x1b;
    pub(super) const EBL_CR_POWERON: u32 = 0x2a;
    pub(super) const TSC_ADJUST: u32 = 0x3b;
    pub(super) const BIOS_UPDT_TRIG: u32 = 0x79;
    pub(super) const BIOS_SIGN_ID: u32 = 0x8b;
    pub(super) const MTRRCAP: u32 = 0xfe;
    pub(super) const ARCH_CAPABILITIES: u32 = 0x10a;
    pub(super) const SYSENTER_CS: u32 = 0x174;
    pub(super) const SYSENTER_ESP: u32 = 0x175;
    pub(super) const SYSENTER_EIP: u32 = 0x176;
    pub(super) const MCG_CAP: u32 = 0x179;
    pub(super) const MCG_STATUS: u32 = 0x17a;
    pub(super) const MISC_ENABLE: u32 = 0x1a0;
    pub(super) const DEBUGCTL: u32 = 0x1d9;
    pub(super) const MTRR_VARIABLE_FIRST: u32 = 0x200;
    pub(super) const MTRR_VARIABLE_LAST: u32 = 0x20f;
    pub(super) const MTRR_FIX64K_00000: u32 = 0x250;
    pub(super) const MTRR_FIX16K_80000: u32 = 0x258;
    pub(super) const MTRR_FIX16K_A0000: u32 = 0x259;
    pub(super) const MTRR_FIX4K_FIRST: u32 = 0x268;
    pub(super) const MTRR_FIX4K_LAST: u32 = 0x26f;
    pub(super) const PAT: u32 = 0x277;
    pub(super) const MTRR_DEF_TYPE: u32 = 0x2ff;
    pub(super) const TSC_DEADLINE: u32 = 0x6e0;
    pub(super) const X2APIC_FIRST: u32 = 0x800;
    pub(super) const X2APIC_LAST: u32 = 0x8ff;
    pub(super) const SYS_CFG: u32 = 0xc001_0010;
    pub(super) const HWCR: u32 = 0xc001_0015;
    pub(super) const NB_CFG: u32 = 0xc001_001f;
    pub(super) const MC_CTL_MASK_FIRST: u32 = 0xc001_0044;
    pub(super) const MC_CTL_MASK_LAST: u32 = 0xc001_0049;
    pub(super) const INTERRUPT_PENDING: u32 = 0xc001_0055;
    pub(super) const P_STATE_LIMIT: u32 = 0xc001_0061;
    pub(super) const P_STATE_0: u32 = 0xc001_0064;
    pub(super) const P_STATE_LAST: u32 = 0xc001_0068;
    pub(super) const LS_CFG: u32 = 0xc001_1020;
    pub(super) const BU_CFG: u32 = 0xc001_1023;
    pub(super) const DE_CFG: u32 = 0xc001_1029;
    pub(super) const BU_CFG2: u32 = 0xc001_102a;
    pub(super) const XSS: u32 = 0xda0;
    pub(super) const EFER: u32 = 0xc000_0080;
    pub(super) const STAR: u32 = 0xc000_0081;
    pub(super) const LSTAR: u32 = 0xc000_0082;
    pub(super) const CSTAR: u32 = 0xc000_0083;
    pub(super) const FMASK: u32 = 0xc000_0084;
    /// The K6-2's write handling control, where later processors have LSTAR.
    pub(super) const WHCR: u32 = 0xc000_0082;
    pub(super) const UWCCR: u32 = 0xc000_0085;
    pub(super) const FS_BASE: u32 = 0xc000_0100;
    pub(super) const GS_BASE: u32 = 0xc000_0101;
    pub(super) const KERNEL_GS_BASE: u32 = 0xc000_0102;
    pub(super) const TSC_AUX: u32 = 0xc000_0103;
}

/// IA32_MTRRCAP: eight variable ranges, fixed ranges, write-combining.
const MTRRCAP_VALUE: u64 = 0x508;
/// IA32_ARCH_CAPABILITIES: what does not speculate has none of the flaws of those
/// that do. RDCL_NO, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, IF_PSCHANGE_MC_NO, TAA_NO,
/// SBDR_SSDP_NO, FBSDP_NO, PSDP_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO, ITS_NO.
const FLAWLESS: u64 = 1 << 0
    | 1 << 3
    | 1 << 4
    | 1 << 5
    | 1 << 6
    | 1 << 8
    | 1 << 13
    | 1 << 14
    | 1 << 15
    | 1 << 20
    | 1 << 24
    | 1 << 26
    | 1 << 27
    | 1 << 62;
/// IA32_MISC_ENABLE: fast strings, MONITOR, leaf limit and XD disable may be written.
const MISC_ENABLE_WRITABLE: u64 = 1 << 0 | 1 << 18 | 1 << 22 | 1 << 34;
/// IA32_MISC_ENABLE: no branch trace store, no precise event sampling.
const MISC_ENABLE_FIXED: u64 = 1 << 11 | 1 << 12;
/// IA32_DEBUGCTL: LBR and BTF.
const DEBUGCTL_BITS: u64 = 3;

/// AMD's SYS_CFG: the switches of fixed-range attributes and of TOM2, which change nothing here.
const SYS_CFG_BITS: u64 = 0x7c_0000;

/// AMD's HWCR: the time-stamp counter does not follow the processor's speed.
const STEADY_CLOCK: u64 = 1 << 24;

/// AMD's registers that steer how a processor of this family (AMD 21850, K6-2; BKDGs of families 0Fh and 10h) goes
/// about its work: they keep what is written and change nothing. Operating systems work around errata there, and
/// take it for granted that a family has them. The register's place in the state.
const fn amd_switch(family: u32, register: u32) -> Option<usize> {
    match (family, register) {
        (5, number::WHCR) => Some(0),
        (5, number::UWCCR) => Some(1),
        (0x0f.., number::LS_CFG..=number::BU_CFG) => Some((register - number::LS_CFG) as usize),
        (0x10.., number::DE_CFG) => Some(4),
        (0x10.., number::BU_CFG2) => Some(5),
        _ => None,
    }
}

/// What AMD's family 10h says of a speed in its first P-state register (BKDG 31116, MSRC001_0064): enabled, and 100 MHz
/// times a multiplier of 16 or more, over a power of two.
const fn p_state(mhz: u64) -> u64 {
    const ENABLED: u64 = 1 << 63;
    let mut divisor = 0;
    while mhz << divisor < 1600 && divisor < 4 {
        divisor += 1;
    }
    let multiplier = (mhz << divisor) / 100;
    let identifier = multiplier.saturating_sub(16);
    ENABLED | divisor << 6 | if identifier < 0x3f { identifier } else { 0x3f }
}

/// What a register number says of a write or read.
enum Outcome<T> {
    Done(T),
    /// The register is there, but not for this value.
    Refused,
    /// There is no such register.
    Unknown,
}

use Outcome::{Done, Refused, Unknown};

/// Memory types that a range register may hold: UC, WC, WT, WP, WB.
const fn is_memory_type(kind: u8) -> bool {
    matches!(kind, 0 | 1 | 4 | 5 | 6)
}

/// Those, and UC- for the PAT.
const fn is_pat_type(kind: u8) -> bool {
    is_memory_type(kind) || kind == 7
}

/// AMD's registers since the 64-bit models that have nothing to steer here: no north bridge with switches, no banks that
/// errors are masked in, no message on pending interrupts (31116, BKDG for family 10h).
const fn is_amd_void(register: u32) -> bool {
    use number as n;
    matches!(
        register,
        n::NB_CFG | n::MC_CTL_MASK_FIRST..=n::MC_CTL_MASK_LAST | n::INTERRUPT_PENDING
    )
}

/// The place of a fixed-range register among the eleven.
const fn fixed_range(register: u32) -> Option<usize> {
    match register {
        number::MTRR_FIX64K_00000 => Some(0),
        number::MTRR_FIX16K_80000 => Some(1),
        number::MTRR_FIX16K_A0000 => Some(2),
        number::MTRR_FIX4K_FIRST..=number::MTRR_FIX4K_LAST => {
            Some((register - number::MTRR_FIX4K_FIRST) as usize + 3)
        }
        _ => None,
    }
}

impl Cpu {
    /// The time-stamp counter at this instruction.
    pub(crate) fn time_stamp(&mut self, insn: &Insn) -> u64 {
        self.note_position(insn);
        self.begin_access();
        let clock = self.platform.clock_cycles();
        clock.wrapping_add(self.state.msrs.tsc_offset)
    }

    /// Reads a model-specific register, as RDMSR does at CPL 0.
    ///
    /// # Errors
    /// #GP(0) if there is none of this number.
    pub(crate) fn read_msr(&mut self, insn: &Insn, register: u32) -> Result<u64, Exit> {
        if register == number::TIME_STAMP_COUNTER && self.model.supports(Feature::Tsc) {
            return Ok(self.time_stamp(insn));
        }
        let outcome = match self.read_apic_msr(insn, register) {
            Unknown => self.plain_msr(register),
            outcome => outcome,
        };
        match outcome {
            Done(value) => Ok(value),
            Refused | Unknown => {
                self.report_unknown_msr(register, "read");
                Err(self.raise(Exception::GeneralProtection(0)))
            }
        }
    }

    /// Writes a model-specific register, as WRMSR does at CPL 0.
    ///
    /// # Errors
    /// #GP(0) if there is none of this number, or it cannot hold the value.
    pub(crate) fn write_msr(&mut self, insn: &Insn, register: u32, value: u64) -> Result<(), Exit> {
        match register {
            number::EFER if self.model.efer_bits() != 0 => return self.write_efer(value),
            number::TIME_STAMP_COUNTER if self.model.supports(Feature::Tsc) => {
                let now = self.time_stamp(insn);
                let msrs = &mut self.state.msrs;
                msrs.tsc_offset = msrs.tsc_offset.wrapping_add(value.wrapping_sub(now));
                return Ok(());
            }
            _ => {}
        }
        let outcome = match self.write_apic_msr(insn, register, value) {
            Unknown => self.write_range_msr(register, value),
            outcome => outcome,
        };
        let outcome = match outcome {
            Unknown => self.write_plain_msr(register, value),
            outcome => outcome,
        };
        match outcome {
            Done(()) => Ok(()),
            Refused => Err(self.raise(Exception::GeneralProtection(0))),
            Unknown => {
                self.report_unknown_msr(register, "write");
                Err(self.raise(Exception::GeneralProtection(0)))
            }
        }
    }

    /// Whether a register is the local APIC's, which is the platform's.
    fn is_apic_msr(&self, register: u32) -> bool {
        use number as n;
        let exists = match register {
            n::APIC_BASE => self.is_there(register),
            n::TSC_DEADLINE => self.model.supports(Feature::TscDeadline),
            n::X2APIC_FIRST..=n::X2APIC_LAST => self.model.supports(Feature::X2apic),
            _ => return false,
        };
        exists && self.platform.local_apic().is_some()
    }

    fn read_apic_msr(&mut self, insn: &Insn, register: u32) -> Outcome<u64> {
        if !self.is_apic_msr(register) {
            return Unknown;
        }
        self.note_position(insn);
        self.begin_access();
        let value = match register {
            number::APIC_BASE => self.platform.local_apic().map(|apic| apic.base),
            _ => self.platform.read_apic_msr(register),
        };
        let offset = self.state.msrs.tsc_offset;
        match value {
            // The platform's clock does not know what was written to the counter.
            Some(deadline) if register == number::TSC_DEADLINE && deadline != 0 => {
                Done(deadline.wrapping_add(offset))
            }
            Some(value) => Done(value),
            None => Refused,
        }
    }

    fn write_apic_msr(&mut self, insn: &Insn, register: u32, value: u64) -> Outcome<()> {
        if !self.is_apic_msr(register) {
            return Unknown;
        }
        let too_wide = value >> self.model.physical_address_bits() != 0;
        if register == number::APIC_BASE && too_wide {
            return Refused;
        }
        let mut written = value;
        if register == number::TSC_DEADLINE && value != 0 {
            let counter = self.time_stamp(insn);
            let clock = counter.wrapping_sub(self.state.msrs.tsc_offset);
            // What is past is due at the first cycle there was.
            let ahead = value.checked_sub(counter);
            written = ahead.map_or(1, |ahead| clock.saturating_add(ahead).max(1));
        }
        self.note_position(insn);
        self.begin_access();
        let taken = self.platform.write_apic_msr(register, written);
        self.end_access();
        if taken { Done(()) } else { Refused }
    }

    #[cold]
    fn report_unknown_msr(&mut self, register: u32, what: &str) {
        if self.unknown_msrs.insert(register) {
            log::debug!("#GP: {what} of MSR {register:#x}, which this processor lacks");
        }
    }

    /// Which feature a register comes with; none if it is always there.
    fn is_there(&self, register: u32) -> bool {
        use number as n;
        let model = &self.model;
        let since = |generation| model.is_since(generation);
        match register {
            n::P5_MC_ADDR | n::P5_MC_TYPE => model.supports(Feature::Mce),
            n::SYSENTER_CS | n::SYSENTER_ESP | n::SYSENTER_EIP => model.supports(Feature::Sep),
            n::MCG_CAP | n::MCG_STATUS => model.supports(Feature::Mca),
            n::PAT => model.supports(Feature::Pat),
            n::TSC_ADJUST => model.supports(Feature::TscAdjust),
            n::ARCH_CAPABILITIES => model.supports(Feature::ArchCapabilities),
            n::EFER => model.efer_bits() != 0,
            n::STAR => model.supports(Feature::Syscall),
            n::LSTAR | n::CSTAR | n::FMASK | n::FS_BASE | n::GS_BASE | n::KERNEL_GS_BASE => {
                model.supports(Feature::Lm)
            }
            n::TSC_AUX => model.supports(Feature::Rdtscp),
            n::XSS => model.supports(Feature::Xsaves),
            n::MISC_ENABLE => since(Generation::Pentium4) && !model.is_amd(),
            _ if is_amd_void(register) => since(Generation::X8664) && model.is_amd(),
            n::P_STATE_LIMIT..=n::P_STATE_LAST => model.is_amd() && model.family() >= 0x10,
            n::SYS_CFG | n::HWCR => since(Generation::PentiumPro) && model.is_amd(),
            n::PLATFORM_ID
            | n::APIC_BASE
            | n::EBL_CR_POWERON
            | n::BIOS_UPDT_TRIG
            | n::BIOS_SIGN_ID
            | n::DEBUGCTL => since(Generation::PentiumPro),
            n::MTRRCAP | n::MTRR_DEF_TYPE | n::MTRR_VARIABLE_FIRST..=n::MTRR_VARIABLE_LAST => {
                model.supports(Feature::Mtrr)
            }
            _ => fixed_range(register).is_some() && model.supports(Feature::Mtrr),
        }
    }

    /// Where the state has one of AMD's registers that change nothing.
    fn switch_place(&self, register: u32) -> Option<usize> {
        let family = self.model.family();
        amd_switch(family, register).filter(|_| self.model.is_amd())
    }

    fn plain_msr(&self, register: u32) -> Outcome<u64> {
        use number as n;
        if let Some(place) = self.switch_place(register) {
            return Done(self.state.msrs.amd_switches[place]);
        }
        if !self.is_there(register) {
            return Unknown;
        }
        let msrs = &self.state.msrs;
        let base = |segment| self.state.segment(segment).base;
        Done(match register {
            n::P5_MC_ADDR | n::P5_MC_TYPE | n::PLATFORM_ID | n::EBL_CR_POWERON => 0,
            // No banks: nothing that could break is emulated.
            n::MCG_CAP => 0,
            n::MCG_STATUS => msrs.mcg_status,
            n::APIC_BASE => msrs.apic_base,
            n::TSC_ADJUST => msrs.tsc_offset,
            n::BIOS_SIGN_ID => msrs.bios_sign_id,
            n::MTRRCAP => MTRRCAP_VALUE,
            n::ARCH_CAPABILITIES => FLAWLESS,
            n::SYSENTER_CS => msrs.sysenter_cs,
            n::SYSENTER_ESP => msrs.sysenter_esp,
            n::SYSENTER_EIP => msrs.sysenter_eip,
            n::MISC_ENABLE => msrs.misc_enable | MISC_ENABLE_FIXED,
            n::DEBUGCTL => msrs.debugctl,
            n::PAT => msrs.pat,
            n::MTRR_DEF_TYPE => msrs.mtrr_def_type,
            n::SYS_CFG => msrs.sys_cfg,
            n::HWCR => msrs.hwcr | STEADY_CLOCK,
            _ if is_amd_void(register) => 0,
            n::P_STATE_0 => p_state(self.model.tsc_hz() / 1_000_000),
            // The only one: nothing limits, chooses or shows another.
            n::P_STATE_LIMIT..=n::P_STATE_LAST => 0,
            n::XSS => msrs.xss,
            n::EFER => msrs.efer,
            n::STAR => msrs.star,
            n::LSTAR => msrs.lstar,
            n::CSTAR => msrs.cstar,
            n::FMASK => msrs.fmask,
            n::FS_BASE => base(SegmentRegister::Fs),
            n::GS_BASE => base(SegmentRegister::Gs),
            n::KERNEL_GS_BASE => msrs.kernel_gs_base,
            n::TSC_AUX => msrs.tsc_aux,
            n::MTRR_VARIABLE_FIRST..=n::MTRR_VARIABLE_LAST => {
                msrs.mtrr_variable[(register - n::MTRR_VARIABLE_FIRST) as usize]
            }
            _ => match fixed_range(register) {
                Some(index) => msrs.mtrr_fixed[index],
                None => return Unknown,
            },
        })
    }

    /// PAT and MTRRs, whose values have types in them.
    fn write_range_msr(&mut self, register: u32, value: u64) -> Outcome<()> {
        use number as n;
        if !self.is_there(register) {
            return Unknown;
        }
        let bytes = value.to_le_bytes();
        let beyond = !0 << self.model.physical_address_bits();
        let msrs = &mut self.state.msrs;
        let (place, fits) = match register {
            n::PAT => (&mut msrs.pat, bytes.iter().all(|&kind| is_pat_type(kind))),
            n::MTRR_DEF_TYPE => (
                &mut msrs.mtrr_def_type,
                value & !0xcff == 0 && is_memory_type(bytes[0]),
            ),
            n::MTRR_VARIABLE_FIRST..=n::MTRR_VARIABLE_LAST => {
                let index = (register - n::MTRR_VARIABLE_FIRST) as usize;
                let fits = if index.is_multiple_of(2) {
                    value & (beyond | 0xf00) == 0 && is_memory_type(bytes[0])
                } else {
                    value & (beyond | 0x7ff) == 0
                };
                (&mut msrs.mtrr_variable[index], fits)
            }
            _ => match fixed_range(register) {
                Some(index) => (
                    &mut msrs.mtrr_fixed[index],
                    bytes.iter().all(|&kind| is_memory_type(kind)),
                ),
                None => return Unknown,
            },
        };
        if !fits {
            return Refused;
        }
        *place = value;
        Done(())
    }

    fn write_plain_msr(&mut self, register: u32, value: u64) -> Outcome<()> {
        use number as n;
        if let Some(place) = self.switch_place(register) {
            self.state.msrs.amd_switches[place] = value;
            return Done(());
        }
        if !self.is_there(register) {
            return Unknown;
        }
        let is_canonical = match register {
            n::FS_BASE | n::GS_BASE | n::KERNEL_GS_BASE | n::LSTAR | n::CSTAR => {
                self.is_canonical_base(value)
            }
            n::SYSENTER_ESP | n::SYSENTER_EIP => self.is_canonical_base(value),
            _ => true,
        };
        if !is_canonical {
            return Refused;
        }
        let only = |bits: u64| value & !bits == 0;
        let supervisor_components = self.model.xss_bits();
        let msrs = &mut self.state.msrs;
        match register {
            n::P5_MC_ADDR | n::P5_MC_TYPE | n::EBL_CR_POWERON | n::BIOS_UPDT_TRIG => {}
            // CPUID will put the revision there.
            n::BIOS_SIGN_ID => msrs.bios_sign_id = value,
            n::MCG_STATUS if only(0) => msrs.mcg_status = 0,
            // Without a local APIC there is nothing to be moved or enabled.
            n::APIC_BASE if value == msrs.apic_base => {}
            n::TSC_ADJUST => msrs.tsc_offset = value,
            n::SYSENTER_CS => msrs.sysenter_cs = value & 0xffff_ffff,
            n::SYSENTER_ESP => msrs.sysenter_esp = value,
            n::SYSENTER_EIP => msrs.sysenter_eip = value,
            n::MISC_ENABLE if only(MISC_ENABLE_WRITABLE | MISC_ENABLE_FIXED) => {
                msrs.misc_enable = value & MISC_ENABLE_WRITABLE;
            }
            n::DEBUGCTL if only(DEBUGCTL_BITS) => msrs.debugctl = value,
            n::SYS_CFG if only(SYS_CFG_BITS) => msrs.sys_cfg = value,
            n::P_STATE_LIMIT..=n::P_STATE_LAST => {}
            _ if is_amd_void(register) => {}
            n::HWCR if only(0xffff_ffff) => msrs.hwcr = value,
            n::XSS if only(supervisor_components) => msrs.xss = value,
            n::STAR => msrs.star = value,
            n::LSTAR => msrs.lstar = value,
            n::CSTAR => msrs.cstar = value,
            n::FMASK if only(0xffff_ffff) => msrs.fmask = value,
            n::TSC_AUX if only(0xffff_ffff) => msrs.tsc_aux = value,
            n::KERNEL_GS_BASE => msrs.kernel_gs_base = value,
            n::FS_BASE => self.state.segments[SegmentRegister::Fs as usize].base = value,
            n::GS_BASE => self.state.segments[SegmentRegister::Gs as usize].base = value,
            _ => return Refused,
        }
        Done(())
    }

    /// Loads the microcode's revision where CPUID leaf 1 puts it.
    pub(crate) fn sign_microcode(&mut self) {
        self.state.msrs.bios_sign_id = MICROCODE_REVISION << 32;
    }

    /// Sets the memory type range registers as a PC's firmware does: write-back but
    /// for the adapters below 1 MiB and the devices below 4 GiB.
    ///
    /// `devices` is where the hole below 4 GiB begins, a power of two below 4 GiB.
    pub fn init_memory_types(&mut self, devices: u64) {
        let bits = self.model.physical_address_bits();
        let mask = u64::MAX >> (64 - u32::from(bits.clamp(32, 52)));
        let size = (1u64 << 32).wrapping_sub(devices);
        let msrs = &mut self.state.msrs;
        msrs.mtrr_fixed = [0x0505_0505_0505_0505; 11];
        msrs.mtrr_fixed[..2].fill(0x0606_0606_0606_0606);
        msrs.mtrr_fixed[2] = 0;
        msrs.mtrr_variable = [0; 16];
        msrs.mtrr_variable[0] = devices & mask & !0xfff;
        msrs.mtrr_variable[1] = size.wrapping_neg() & mask & !0xfff | 0x800;
        msrs.mtrr_def_type = 0xc06;
    }
}
