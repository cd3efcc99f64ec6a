//! Every feature of the processor, once (SDM 2A, CPUID; AMD APM 3, appendix E).

use iced_x86::CpuidFeature;

use super::Generation;
use crate::rflags::{Cr4, Efer};

/// A register of a CPUID leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(super) leaf: u32,
    pub(super) subleaf: u32,
    /// 0 to 3: EAX, EBX, ECX, EDX.
    pub(super) register: usize,
}

const fn word(leaf: u32, register: usize) -> Word {
    Word {
        leaf,
        subleaf: 0,
        register,
    }
}

const BASIC_D: Word = word(1, 3);
const BASIC_C: Word = word(1, 2);
const STRUCTURED_B: Word = word(7, 1);
const STRUCTURED_C: Word = word(7, 2);
const STRUCTURED_D: Word = word(7, 3);
const STRUCTURED_1_A: Word = Word {
    leaf: 7,
    subleaf: 1,
    register: 0,
};
const EXTENDED_C: Word = word(0x8000_0001, 2);
const EXTENDED_D: Word = word(0x8000_0001, 3);
const POWER_D: Word = word(0x8000_0007, 3);
const SIZES_B: Word = word(0x8000_0008, 1);
const XSAVE_A: Word = Word {
    leaf: 0xd,
    subleaf: 1,
    register: 0,
};

/// What is known of a feature.
pub(crate) struct Row {
    pub(crate) feature: Feature,
    /// Where CPUID shows it.
    pub(super) word: Word,
    pub(super) bit: u32,
    /// The first model that has it.
    pub(crate) since: Generation,
    /// Instructions that exist with it, by iced-x86's names.
    pub(crate) instructions: &'static [CpuidFeature],
    /// Bits of CR4 that exist with it.
    pub(crate) cr4: Cr4,
    /// Bits of EFER that exist with it.
    pub(crate) efer: Efer,
    /// Bits of XCR0 that exist with it.
    pub(crate) xcr0: u64,
}

macro_rules! features {
    ($($name:ident $word:ident [$bit:literal] $since:ident
        $(: $($instruction:ident)+)? $(; cr4 $($cr4:ident)+)? $(; efer $($efer:ident)+)? $(; xcr0 $xcr0:literal)?,)*) => {
        /// A feature that a model may have.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Feature { $($name,)* }

        /// All features.
        pub(crate) static TABLE: &[Row] = &[$(Row {
            feature: Feature::$name,
            word: $word,
            bit: $bit,
            since: Generation::$since,
            instructions: &[$($(CpuidFeature::$instruction,)+)?],
            cr4: Cr4::empty()$($(.union(Cr4::$cr4))+)?,
            efer: Efer::empty()$($(.union(Efer::$efer))+)?,
            xcr0: 0 $(| $xcr0)?,
        },)*];
    };
}

features! {
    Fpu BASIC_D[0] I486: FPU FPU287 FPU387,
    Vme BASIC_D[1] I486; cr4 VME PVI,
    De BASIC_D[2] Pentium; cr4 DE,
    Pse BASIC_D[3] Pentium; cr4 PSE,
    Tsc BASIC_D[4] Pentium: TSC; cr4 TSD,
    Msr BASIC_D[5] Pentium: MSR,
    Pae BASIC_D[6] PentiumPro; cr4 PAE,
    Mce BASIC_D[7] Pentium; cr4 MCE,
    Cx8 BASIC_D[8] Pentium: CX8,
    Apic BASIC_D[9] Pentium,
    Sep BASIC_D[11] PentiumPro: SEP,
    Mtrr BASIC_D[12] PentiumPro,
    Pge BASIC_D[13] PentiumPro; cr4 PGE,
    Mca BASIC_D[14] PentiumPro,
    Cmov BASIC_D[15] PentiumPro: CMOV,
    Pat BASIC_D[16] Pentium3,
    Pse36 BASIC_D[17] Pentium2,
    Clfsh BASIC_D[19] Pentium4: CLFSH,
    Mmx BASIC_D[23] Pentium2: MMX,
    Fxsr BASIC_D[24] Pentium2: FXSR; cr4 OSFXSR,
    Sse BASIC_D[25] Pentium3: SSE; cr4 OSXMMEXCPT,
    Sse2 BASIC_D[26] Pentium4: SSE2,
    Sse3 BASIC_C[0] X8664V2: SSE3,
    Pclmulqdq BASIC_C[1] Max: PCLMULQDQ,
    Monitor BASIC_C[3] Max: MONITOR,
    Fma BASIC_C[12] X8664V3: FMA,
    Ssse3 BASIC_C[9] X8664V2: SSSE3,
    Cx16 BASIC_C[13] X8664V2: CMPXCHG16B,
    Pcid BASIC_C[17] Max; cr4 PCIDE,
    Sse41 BASIC_C[19] X8664V2: SSE4_1,
    Sse42 BASIC_C[20] X8664V2: SSE4_2,
    X2apic BASIC_C[21] X8664V2,
    Movbe BASIC_C[22] X8664V3: MOVBE,
    Popcnt BASIC_C[23] X8664V2: POPCNT,
    TscDeadline BASIC_C[24] X8664V2,
    Aes BASIC_C[25] Max: AES,
    Xsave BASIC_C[26] X8664V3: XSAVE; cr4 OSXSAVE; xcr0 3,
    Avx BASIC_C[28] X8664V3: AVX; xcr0 4,
    F16c BASIC_C[29] X8664V3: F16C,
    Rdrand BASIC_C[30] Max: RDRAND,
    Fsgsbase STRUCTURED_B[0] Max: FSGSBASE; cr4 FSGSBASE,
    TscAdjust STRUCTURED_B[1] Max,
    Bmi1 STRUCTURED_B[3] X8664V3: BMI1,
    Avx2 STRUCTURED_B[5] X8664V3: AVX2,
    Smep STRUCTURED_B[7] Max; cr4 SMEP,
    Bmi2 STRUCTURED_B[8] X8664V3: BMI2,
    Erms STRUCTURED_B[9] Max,
    Invpcid STRUCTURED_B[10] Max: INVPCID,
    Rdseed STRUCTURED_B[18] Max: RDSEED,
    Adx STRUCTURED_B[19] Max: ADX,
    Smap STRUCTURED_B[20] Max: SMAP; cr4 SMAP,
    Clflushopt STRUCTURED_B[23] Max: CLFLUSHOPT,
    Clwb STRUCTURED_B[24] Max: CLWB,
    Sha STRUCTURED_B[29] Max: SHA,
    Umip STRUCTURED_C[2] Max; cr4 UMIP,
    Pku STRUCTURED_C[3] Max: PKU; cr4 PKE; xcr0 0x200,
    La57 STRUCTURED_C[16] Max; cr4 LA57,
    Gfni STRUCTURED_C[8] Max: GFNI,
    Vaes STRUCTURED_C[9] Max: VAES,
    Vpclmulqdq STRUCTURED_C[10] Max: VPCLMULQDQ,
    Rdpid STRUCTURED_C[22] Max: RDPID,
    Cldemote STRUCTURED_C[25] Max: CLDEMOTE,
    Movdiri STRUCTURED_C[27] Max: MOVDIRI,
    Movdir64B STRUCTURED_C[28] Max: MOVDIR64B,
    Fsrm STRUCTURED_D[4] Max,
    Serialize STRUCTURED_D[14] Max: SERIALIZE,
    ArchCapabilities STRUCTURED_D[29] Max,
    AvxVnni STRUCTURED_1_A[4] Max: AVX_VNNI,
    Xsaveopt XSAVE_A[0] Max: XSAVEOPT,
    Xsavec XSAVE_A[1] Max: XSAVEC,
    Xgetbv1 XSAVE_A[2] Max,
    Xsaves XSAVE_A[3] Max: XSAVES,
    LahfLm EXTENDED_C[0] X8664V2,
    AltMovCr8 EXTENDED_C[4] Named,
    Lzcnt EXTENDED_C[5] X8664V3: LZCNT,
    Sse4a EXTENDED_C[6] Named: SSE4A,
    Prefetchw EXTENDED_C[8] Max: PREFETCHW,
    Syscall EXTENDED_D[11] X8664: SYSCALL; efer SCE,
    Nx EXTENDED_D[20] X8664; efer NXE,
    MmxExt EXTENDED_D[22] Named,
    Pdpe1Gb EXTENDED_D[26] Max,
    Rdtscp EXTENDED_D[27] Max: RDTSCP,
    Lm EXTENDED_D[29] X8664: X64; efer LME LMA,
    ThreeDNowExt EXTENDED_D[30] Named: D3NOWEXT,
    ThreeDNow EXTENDED_D[31] Named: D3NOW PREFETCHW,
    InvariantTsc POWER_D[8] X8664,
    Wbnoinvd SIZES_B[9] Max: WBNOINVD,
}
