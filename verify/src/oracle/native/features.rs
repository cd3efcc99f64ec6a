//! What the host's processor has, and lets user-mode programs use (SDM 2A, CPUID; AMD
//! APM 3, appendix E).

use std::arch::is_x86_feature_detected;
use std::arch::x86_64::{__cpuid_count, CpuidResult};

use iced_x86::CpuidFeature as F;

use super::batch::YMM_HIGH_OFFSET;
use super::switch::may_set_segment_bases;
use crate::oracle::OracleError;

/// A bit of CPUID: leaf, subleaf, register from EAX on, bit.
type Place = (u32, u32, usize, u32);

/// Refuses hosts that lack what the harness needs.
pub(super) fn check_host() -> Result<(), OracleError> {
    const AVX: u32 = 2;
    if !is_x86_feature_detected!("avx") || !is_x86_feature_detected!("xsave") {
        return Err(OracleError::Lacking("XSAVE with AVX"));
    }
    if !may_set_segment_bases() {
        return Err(OracleError::Lacking("FSGSBASE (Linux 5.9 has it)"));
    }
    if cpuid(0xd, AVX).ebx as usize != YMM_HIGH_OFFSET {
        return Err(OracleError::Lacking("the usual XSAVE layout"));
    }
    Ok(())
}

/// What the processor calls itself (SDM 2A, CPUID, leaves 80000002H to 80000004H).
pub(super) fn brand() -> String {
    let leaves = [0x8000_0002, 0x8000_0003, 0x8000_0004].map(|leaf| cpuid(leaf, 0));
    let words = leaves.iter().flat_map(|r| [r.eax, r.ebx, r.ecx, r.edx]);
    let bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
    let text = String::from_utf8_lossy(&bytes);
    let words: Vec<_> = text.trim_matches('\0').split_whitespace().collect();
    words.join(" ")
}

/// Whether user-mode programs can use a feature.
///
/// False for what iced-x86 knows by name and no listed processor with 64-bit mode has,
/// and for what is not for user mode.
pub(super) fn has(feature: F) -> bool {
    match feature {
        // Every processor with 64-bit mode.
        F::INTEL8086
        | F::INTEL186
        | F::INTEL286
        | F::INTEL386
        | F::INTEL486
        | F::X64
        | F::CPUID
        | F::FPU
        | F::FPU287
        | F::FPU387
        | F::MULTIBYTENOP
        | F::PAUSE
        | F::SMM => true,
        F::HLE_or_RTM => has(F::HLE) || has(F::RTM),
        // The operating system has to enable these; std looks at XCR0.
        F::AVX => is_x86_feature_detected!("avx"),
        F::AVX2
        | F::FMA
        | F::F16C
        | F::VAES
        | F::VPCLMULQDQ
        | F::XOP
        | F::FMA4
        | F::AVX_VNNI
        | F::AVX_IFMA
        | F::AVX_NE_CONVERT
        | F::AVX_VNNI_INT8
        | F::AVX_VNNI_INT16
        | F::SHA512
        | F::SM3
        | F::SM4 => is_x86_feature_detected!("avx") && is_announced(feature),
        F::AVX512F
        | F::AVX512BW
        | F::AVX512CD
        | F::AVX512DQ
        | F::AVX512VL
        | F::AVX512_IFMA
        | F::AVX512_VBMI
        | F::AVX512_VBMI2
        | F::AVX512_VNNI
        | F::AVX512_BITALG
        | F::AVX512_VPOPCNTDQ
        | F::AVX512_BF16
        | F::AVX512_FP16
        | F::AVX512_VP2INTERSECT => is_x86_feature_detected!("avx512f") && is_announced(feature),
        _ => is_announced(feature),
    }
}

fn is_announced(feature: F) -> bool {
    let row = TABLE.iter().find(|(named, _)| *named == feature);
    row.is_some_and(|&(_, (leaf, subleaf, register, bit))| {
        let CpuidResult { eax, ebx, ecx, edx } = cpuid(leaf, subleaf);
        [eax, ebx, ecx, edx][register] >> bit & 1 != 0
    })
}

/// A leaf of CPUID; zeros where the processor has none.
fn cpuid(leaf: u32, subleaf: u32) -> CpuidResult {
    let highest = __cpuid_count(leaf & 0x8000_0000, 0).eax;
    if leaf <= highest {
        return __cpuid_count(leaf, subleaf);
    }
    CpuidResult {
        eax: 0,
        ebx: 0,
        ecx: 0,
        edx: 0,
    }
}

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;
const D: usize = 3;
const EXTENDED: u32 = 0x8000_0001;

/// What user-mode programs may use, and where CPUID announces it.
static TABLE: &[(F, Place)] = &[
    (F::TSC, (1, 0, D, 4)),
    (F::CX8, (1, 0, D, 8)),
    (F::SEP, (1, 0, D, 11)),
    (F::CMOV, (1, 0, D, 15)),
    (F::CLFSH, (1, 0, D, 19)),
    (F::MMX, (1, 0, D, 23)),
    (F::FXSR, (1, 0, D, 24)),
    (F::SSE, (1, 0, D, 25)),
    (F::SSE2, (1, 0, D, 26)),
    (F::SSE3, (1, 0, C, 0)),
    (F::PCLMULQDQ, (1, 0, C, 1)),
    (F::SSSE3, (1, 0, C, 9)),
    (F::FMA, (1, 0, C, 12)),
    (F::CMPXCHG16B, (1, 0, C, 13)),
    (F::SSE4_1, (1, 0, C, 19)),
    (F::SSE4_2, (1, 0, C, 20)),
    (F::MOVBE, (1, 0, C, 22)),
    (F::POPCNT, (1, 0, C, 23)),
    (F::AES, (1, 0, C, 25)),
    // What counts is whether the operating system has enabled it.
    (F::XSAVE, (1, 0, C, 27)),
    (F::F16C, (1, 0, C, 29)),
    (F::RDRAND, (1, 0, C, 30)),
    (F::FSGSBASE, (7, 0, B, 0)),
    (F::BMI1, (7, 0, B, 3)),
    (F::HLE, (7, 0, B, 4)),
    (F::AVX2, (7, 0, B, 5)),
    (F::BMI2, (7, 0, B, 8)),
    (F::RTM, (7, 0, B, 11)),
    (F::AVX512F, (7, 0, B, 16)),
    (F::AVX512DQ, (7, 0, B, 17)),
    (F::RDSEED, (7, 0, B, 18)),
    (F::ADX, (7, 0, B, 19)),
    (F::SMAP, (7, 0, B, 20)),
    (F::AVX512_IFMA, (7, 0, B, 21)),
    (F::CLFLUSHOPT, (7, 0, B, 23)),
    (F::CLWB, (7, 0, B, 24)),
    (F::AVX512CD, (7, 0, B, 28)),
    (F::SHA, (7, 0, B, 29)),
    (F::AVX512BW, (7, 0, B, 30)),
    (F::AVX512VL, (7, 0, B, 31)),
    (F::PREFETCHWT1, (7, 0, C, 0)),
    (F::AVX512_VBMI, (7, 0, C, 1)),
    // OSPKE: Linux has set CR4.PKE.
    (F::PKU, (7, 0, C, 4)),
    (F::WAITPKG, (7, 0, C, 5)),
    (F::AVX512_VBMI2, (7, 0, C, 6)),
    (F::GFNI, (7, 0, C, 8)),
    (F::VAES, (7, 0, C, 9)),
    (F::VPCLMULQDQ, (7, 0, C, 10)),
    (F::AVX512_VNNI, (7, 0, C, 11)),
    (F::AVX512_BITALG, (7, 0, C, 12)),
    (F::AVX512_VPOPCNTDQ, (7, 0, C, 14)),
    (F::RDPID, (7, 0, C, 22)),
    (F::CLDEMOTE, (7, 0, C, 25)),
    (F::MOVDIRI, (7, 0, C, 27)),
    (F::MOVDIR64B, (7, 0, C, 28)),
    (F::AVX512_VP2INTERSECT, (7, 0, D, 8)),
    (F::SERIALIZE, (7, 0, D, 14)),
    (F::TSXLDTRK, (7, 0, D, 16)),
    (F::AVX512_FP16, (7, 0, D, 23)),
    (F::SHA512, (7, 1, A, 0)),
    (F::SM3, (7, 1, A, 1)),
    (F::SM4, (7, 1, A, 2)),
    (F::RAO_INT, (7, 1, A, 3)),
    (F::AVX_VNNI, (7, 1, A, 4)),
    (F::AVX512_BF16, (7, 1, A, 5)),
    (F::CMPCCXADD, (7, 1, A, 7)),
    (F::AVX_IFMA, (7, 1, A, 23)),
    (F::AVX_VNNI_INT8, (7, 1, D, 4)),
    (F::AVX_NE_CONVERT, (7, 1, D, 5)),
    (F::AVX_VNNI_INT16, (7, 1, D, 10)),
    (F::PREFETCHITI, (7, 1, D, 14)),
    (F::XSAVEOPT, (0xd, 1, A, 0)),
    (F::XSAVEC, (0xd, 1, A, 1)),
    (F::PTWRITE, (0x14, 0, B, 4)),
    (F::LZCNT, (EXTENDED, 0, C, 5)),
    (F::SSE4A, (EXTENDED, 0, C, 6)),
    (F::PREFETCHW, (EXTENDED, 0, C, 8)),
    (F::XOP, (EXTENDED, 0, C, 11)),
    (F::FMA4, (EXTENDED, 0, C, 16)),
    (F::TBM, (EXTENDED, 0, C, 21)),
    (F::MONITORX, (EXTENDED, 0, C, 29)),
    (F::SYSCALL, (EXTENDED, 0, D, 11)),
    (F::RDTSCP, (EXTENDED, 0, D, 27)),
    (F::D3NOWEXT, (EXTENDED, 0, D, 30)),
    (F::D3NOW, (EXTENDED, 0, D, 31)),
    (F::CLZERO, (0x8000_0008, 0, B, 0)),
    (F::RDPRU, (0x8000_0008, 0, B, 4)),
];
