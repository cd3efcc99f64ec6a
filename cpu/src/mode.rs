//! What decoding depends on besides the bytes: the processor's mode in two bytes
//! (SDM 3A, 2.2; SDM 1, 3.6).

use bitflags::bitflags;
use rax_mmu::View;

use crate::rflags::{Cr0, Cr4, Efer, Rflags};
use crate::segment::{Attributes, SegmentRegister};
use crate::state::CpuState;

bitflags! {
    /// The part of the state that decoded blocks are keyed by.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    #[repr(transparent)]
    pub struct Mode: u16 {
        /// CS.D: 32-bit operands and addresses.
        const CODE32 = 1 << 0;
        /// 64-bit mode.
        const CODE64 = 1 << 1;
        /// SS.B: the stack pointer is ESP.
        const STACK32 = 1 << 2;
        /// CS, DS, ES and SS all start at zero and span 4 GiB: no checks.
        const FLAT = 1 << 3;
        /// CPL is 3.
        const USER = 1 << 4;
        /// SMAP is suspended by EFLAGS.AC.
        const ACCESS_ALLOWED = 1 << 5;
        /// x87 instructions run: CR0.EM and CR0.TS are clear.
        const X87 = 1 << 6;
        /// SSE instructions run: also CR4.OSFXSR.
        const SSE = 1 << 7;
        /// AVX instructions run: CR0.TS is clear, CR4.OSXSAVE and XCR0 say so.
        const AVX = 1 << 8;
        /// Real or virtual-8086 mode.
        const REAL_STYLE = 1 << 9;
        /// One instruction a block: a trap or breakpoint may follow each.
        const SINGLE = 1 << 10;
        /// CPL 3 with alignment checks on.
        const ALIGNMENT_CHECK = 1 << 11;
    }
}

impl Mode {
    /// Derives the mode from the registers.
    #[must_use]
    pub fn of(state: &CpuState) -> Self {
        let cr0 = Cr0::from_bits_retain(state.cr0);
        let cr4 = Cr4::from_bits_retain(state.cr4);
        let flags = state.system_flags;
        let code = state.segment(SegmentRegister::Cs);
        let stack = state.segment(SegmentRegister::Ss);
        let long = state.msrs.efer & Efer::LMA.bits() != 0;
        let mut mode = Self::empty();
        let in_64 = long && code.attributes.contains(Attributes::LONG);
        mode.set(Self::CODE64, in_64);
        mode.set(
            Self::CODE32,
            !in_64 && code.attributes.contains(Attributes::DEFAULT_BIG),
        );
        mode.set(
            Self::STACK32,
            !in_64 && stack.attributes.contains(Attributes::DEFAULT_BIG),
        );
        mode.set(Self::FLAT, !in_64 && is_flat(state));
        mode.set(Self::USER, state.cpl == 3);
        let suspends = cr4.contains(Cr4::SMAP) && state.cpl != 3 && flags.contains(Rflags::AC);
        mode.set(Self::ACCESS_ALLOWED, suspends);
        let x87 = !cr0.intersects(Cr0::EM | Cr0::TS);
        mode.set(Self::X87, x87);
        let sse = x87 && cr4.contains(Cr4::OSFXSR);
        mode.set(Self::SSE, sse);
        // Neither CR0.EM nor CR4.OSFXSR matters to VEX (SDM 2A, tables 2-19 to 2-27).
        let enabled = cr4.contains(Cr4::OSXSAVE) && state.xcr0 & 6 == 6;
        let avx = enabled && !cr0.contains(Cr0::TS);
        mode.set(Self::AVX, avx);
        let real = !cr0.contains(Cr0::PE) || flags.contains(Rflags::VM);
        mode.set(Self::REAL_STYLE, real);
        let breakpoints = state.dr[7] & 0xff != 0;
        mode.set(Self::SINGLE, flags.contains(Rflags::TF) || breakpoints);
        let aligned = state.cpl == 3 && cr0.contains(Cr0::AM) && flags.contains(Rflags::AC);
        mode.set(Self::ALIGNMENT_CHECK, aligned);
        mode
    }

    /// 16, 32 or 64: what iced-x86 calls the bitness.
    #[must_use]
    pub const fn code_bits(self) -> u32 {
        if self.contains(Self::CODE64) {
            64
        } else if self.contains(Self::CODE32) {
            32
        } else {
            16
        }
    }

    /// 16, 32 or 64: how much of RSP the stack uses.
    #[must_use]
    pub const fn stack_bits(self) -> u32 {
        if self.contains(Self::CODE64) {
            64
        } else if self.contains(Self::STACK32) {
            32
        } else {
            16
        }
    }

    /// An instruction pointer within the code size.
    #[must_use]
    #[inline(always)]
    pub const fn truncate_ip(self, rip: u64) -> u64 {
        if self.contains(Self::CODE64) {
            rip
        } else if self.contains(Self::CODE32) {
            rip as u32 as u64
        } else {
            rip as u16 as u64
        }
    }

    /// Which translations ordinary accesses use.
    #[must_use]
    pub const fn view(self) -> View {
        if self.contains(Self::USER) {
            View::User
        } else if self.contains(Self::ACCESS_ALLOWED) {
            View::SupervisorAc
        } else {
            View::Supervisor
        }
    }
}

fn is_flat(state: &CpuState) -> bool {
    let code = state.segment(SegmentRegister::Cs);
    code.base == 0
        && code.limit == u32::MAX
        && [
            SegmentRegister::Ds,
            SegmentRegister::Es,
            SegmentRegister::Ss,
        ]
        .iter()
        .all(|&register| state.segment(register).is_flat_data())
}
