//! The models: family, vendor, leaves, and what they have beyond their generation.

use iced_x86::Code;

use super::{Feature, Generation};

/// Who made a model, or claims to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vendor {
    Intel,
    Amd,
}

impl Vendor {
    /// What leaf 0 says.
    pub(super) const fn name(self) -> &'static [u8; 12] {
        match self {
            Self::Intel => b"GenuineIntel",
            Self::Amd => b"AuthenticAMD",
        }
    }
}

/// What distinguishes a model besides the features of its generation.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) vendor: Vendor,
    pub(super) generation: Generation,
    /// Features of a later generation, or of no other vendor.
    pub(super) more: &'static [Feature],
    /// Family, model and stepping.
    pub(super) signature: u32,
    /// The greatest basic leaf.
    pub(super) basic_leaves: u32,
    /// The greatest extended leaf; zero if there is none.
    pub(super) extended_leaves: u32,
    pub(super) physical_address_bits: u8,
}

/// One of Intel's: name, generation, signature, greatest leaves, address bits.
const fn intel(
    name: &'static str,
    generation: Generation,
    signature: u32,
    (basic_leaves, extended_leaves): (u32, u32),
    physical_address_bits: u8,
) -> Kind {
    Kind {
        name,
        vendor: Vendor::Intel,
        generation,
        more: &[],
        signature,
        basic_leaves,
        extended_leaves,
        physical_address_bits,
    }
}

/// The 64-bit models bear the signature of an in-order Atom, which like rax does not
/// speculate: operating systems then know that they need no retpolines, no return
/// thunks and no page-table isolation.
const IN_ORDER: u32 = 0x0001_06ca;

/// Every model, oldest first.
pub(super) const KINDS: &[Kind] = &[
    intel("486", Generation::I486, 0x0480, (1, 0), 32),
    intel("pentium", Generation::Pentium, 0x052c, (1, 0), 32),
    intel("pentiumpro", Generation::PentiumPro, 0x0619, (2, 0), 36),
    intel("pentium2", Generation::Pentium2, 0x0652, (2, 0), 36),
    K6_2,
    intel("pentium3", Generation::Pentium3, 0x0686, (2, 0), 36),
    ATHLON,
    intel(
        "pentium4",
        Generation::Pentium4,
        0x0f29,
        (2, 0x8000_0004),
        36,
    ),
    ATHLON_64,
    intel(
        "x86-64",
        Generation::X8664,
        IN_ORDER,
        (0x16, 0x8000_0008),
        40,
    ),
    PHENOM,
    intel(
        "x86-64-v2",
        Generation::X8664V2,
        IN_ORDER,
        (0x16, 0x8000_0008),
        40,
    ),
    intel(
        "x86-64-v3",
        Generation::X8664V3,
        IN_ORDER,
        (0x16, 0x8000_0008),
        40,
    ),
    intel("max", Generation::Max, IN_ORDER, (0x1f, 0x8000_0008), 40),
];

/// AMD K6-2 with the CXT core (AMD 21913, Processor Recognition, 5).
const K6_2: Kind = Kind {
    name: "k6-2",
    vendor: Vendor::Amd,
    generation: Generation::Pentium,
    more: &[
        Feature::Pge,
        Feature::Mmx,
        Feature::Syscall,
        Feature::ThreeDNow,
    ],
    signature: 0x058c,
    basic_leaves: 1,
    extended_leaves: 0x8000_0005,
    physical_address_bits: 32,
};

/// AMD Athlon, model 4, which has no SSE yet.
const ATHLON: Kind = Kind {
    name: "athlon",
    vendor: Vendor::Amd,
    generation: Generation::Pentium2,
    more: &[
        Feature::Pat,
        Feature::Syscall,
        Feature::MmxExt,
        Feature::ThreeDNow,
        Feature::ThreeDNowExt,
    ],
    signature: 0x0642,
    basic_leaves: 1,
    extended_leaves: 0x8000_0006,
    physical_address_bits: 36,
};

/// AMD Athlon 64, revision F.
const ATHLON_64: Kind = Kind {
    name: "athlon64",
    vendor: Vendor::Amd,
    generation: Generation::X8664,
    more: &[
        Feature::Sse3,
        Feature::Cx16,
        Feature::LahfLm,
        Feature::AltMovCr8,
        Feature::Rdtscp,
        Feature::MmxExt,
        Feature::ThreeDNow,
        Feature::ThreeDNowExt,
    ],
    signature: 0x0004_0ff2,
    basic_leaves: 1,
    extended_leaves: 0x8000_0008,
    physical_address_bits: 40,
};

/// AMD Phenom, family 10h (AMD 31116, BKDG for family 10h).
const PHENOM: Kind = Kind {
    name: "phenom",
    vendor: Vendor::Amd,
    generation: Generation::X8664,
    more: &[
        Feature::Sse3,
        Feature::Monitor,
        Feature::Cx16,
        Feature::Popcnt,
        Feature::LahfLm,
        Feature::AltMovCr8,
        Feature::Lzcnt,
        Feature::Sse4a,
        Feature::Prefetchw,
        Feature::Pdpe1Gb,
        Feature::Rdtscp,
        Feature::MmxExt,
        Feature::ThreeDNow,
        Feature::ThreeDNowExt,
    ],
    signature: 0x0010_0f23,
    basic_leaves: 5,
    extended_leaves: 0x8000_0008,
    physical_address_bits: 48,
};

/// What AMD took from SSE into MMX before it had SSE (AMD 22466, Extensions to the 3DNow!
/// and MMX Instruction Sets, 3).
pub(super) const MMX_EXTENSIONS: &[Code] = &[
    Code::Maskmovq_rDI_mm_mm,
    Code::Movntq_m64_mm,
    Code::Pavgb_mm_mmm64,
    Code::Pavgw_mm_mmm64,
    Code::Pextrw_r32_mm_imm8,
    Code::Pextrw_r64_mm_imm8,
    Code::Pinsrw_mm_r32m16_imm8,
    Code::Pinsrw_mm_r64m16_imm8,
    Code::Pmaxsw_mm_mmm64,
    Code::Pmaxub_mm_mmm64,
    Code::Pminsw_mm_mmm64,
    Code::Pminub_mm_mmm64,
    Code::Pmovmskb_r32_mm,
    Code::Pmovmskb_r64_mm,
    Code::Pmulhuw_mm_mmm64,
    Code::Psadbw_mm_mmm64,
    Code::Pshufw_mm_mmm64_imm8,
    Code::Prefetchnta_m8,
    Code::Prefetcht0_m8,
    Code::Prefetcht1_m8,
    Code::Prefetcht2_m8,
    Code::Sfence,
    Code::Sfence_F9,
    Code::Sfence_FA,
    Code::Sfence_FB,
    Code::Sfence_FC,
    Code::Sfence_FD,
    Code::Sfence_FE,
    Code::Sfence_FF,
];
