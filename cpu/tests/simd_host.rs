//! MMX, SSE to SSE4.2, AVX, AVX2, AES and SHA against the processor it runs on: every encoding, results, flags
//! and #XM, in every rounding mode, with and without DAZ and FTZ. It needs AVX: YMM registers are compared whole.
//!
//! `RAX_SIMD_CASES` sets the number of random cases for each encoding.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![expect(
    unsafe_code,
    reason = "runs the instructions under test on the host's processor"
)]

#[path = "simd_host/alignment.rs"]
mod alignment;
#[path = "../src/insn/vector/tests/encodings.rs"]
mod encodings;
#[path = "simd_host/faults.rs"]
mod faults;
#[path = "simd_host/guest.rs"]
mod guest;
#[path = "simd_host/host.rs"]
mod host;
#[path = "simd_host/random.rs"]
mod random;
#[path = "simd_host/record.rs"]
mod record;
#[path = "simd_host/registers.rs"]
mod registers;
#[path = "simd_host/undefined.rs"]
mod undefined;

use std::fmt::Write;

use encodings::{Encoding, encodings};
use guest::Guest;
use host::Host;
use iced_x86::{Code, CpuidFeature, OpCodeOperandKind};
use random::Random;
use registers::Registers;

/// Leaves a test that this host cannot run.
macro_rules! skip_without {
    ($feature:tt) => {
        if !is_x86_feature_detected!($feature) {
            println!("skipped: this host has no {}", $feature);
            return;
        }
    };
}
use skip_without;

fn cases() -> u64 {
    std::env::var("RAX_SIMD_CASES")
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(20_000)
}

/// Processors may approximate as they like, and not all hosts here are Intel's.
const fn is_approximate(code: Code) -> bool {
    matches!(
        code,
        Code::Rcpps_xmm_xmmm128
            | Code::Rcpss_xmm_xmmm32
            | Code::Rsqrtps_xmm_xmmm128
            | Code::Rsqrtss_xmm_xmmm32
            | Code::VEX_Vrcpps_xmm_xmmm128
            | Code::VEX_Vrcpps_ymm_ymmm256
            | Code::VEX_Vrcpss_xmm_xmm_xmmm32
            | Code::VEX_Vrsqrtps_xmm_xmmm128
            | Code::VEX_Vrsqrtps_ymm_ymmm256
            | Code::VEX_Vrsqrtss_xmm_xmm_xmmm32
    )
}

/// The encoding with every immediate, if it has one.
fn variants(encoding: &Encoding) -> Vec<Vec<u8>> {
    if !encoding.has_immediate {
        return vec![encoding.bytes.clone()];
    }
    let head = &encoding.bytes[..encoding.bytes.len() - 1];
    (0..=255).map(|last| [head, &[last]].concat()).collect()
}

/// What an instruction starts from: anything, but a gather stays within its memory.
fn start(random: &mut Random, code: Code) -> Registers {
    let mut start = random.registers();
    set_indexes(&mut start, code, || random.below(57).cast_signed());
    start
}

/// Sets the indexes of a gather, which are in register 2.
fn set_indexes(start: &mut Registers, code: Code, mut index: impl FnMut() -> i64) {
    let bits = match code.op_code().op1_kind() {
        OpCodeOperandKind::mem_vsib32x | OpCodeOperandKind::mem_vsib32y => 32,
        OpCodeOperandKind::mem_vsib64x | OpCodeOperandKind::mem_vsib64y => 64,
        _ => return,
    };
    for indexes in &mut start.vectors[2] {
        *indexes = (0..128 / bits).fold(0, |all, _| {
            let index = index().cast_unsigned() & (u64::MAX >> (64 - bits));
            all << bits | u128::from(index)
        });
    }
}

/// Runs every encoding that `wanted` chooses; the first mismatches are the failure.
/// How many cases trapped.
fn compare(wanted: impl Fn(Code) -> bool) -> u64 {
    let mut guest = Guest::new();
    let mut report = String::new();
    let mut wrong = 0_u64;
    let mut faults = 0_u64;
    for encoding in encodings() {
        // Random bits for MXCSR would mostly be #GP.
        if !wanted(encoding.code) || loads_mxcsr(encoding.code) {
            continue;
        }
        let mut random = Random::new(encoding.code as u64);
        let mut shown = 0;
        let variants = variants(&encoding);
        let cases = cases().div_ceil(variants.len() as u64);
        for bytes in variants {
            let host = Host::new(&bytes);
            guest.place(&bytes);
            for _ in 0..cases {
                let start = start(&mut random, encoding.code);
                let theirs = host.run(&start);
                let ours = guest.run(&start, encoding.in_memory);
                faults += u64::from(theirs.has_faulted);
                if ours == theirs {
                    continue;
                }
                wrong += 1;
                shown += 1;
                if shown <= 3 {
                    let _ = write!(
                        report,
                        "\n{:?} {bytes:02x?}\n  from {start:x?}\n  ours {ours:x?}\n  host {theirs:x?}",
                        encoding.code
                    );
                }
            }
        }
    }
    assert!(wrong == 0, "{wrong} differ{report}");
    faults
}

/// LDMXCSR and VLDMXCSR.
const fn loads_mxcsr(code: Code) -> bool {
    matches!(code, Code::Ldmxcsr_m32 | Code::VEX_Vldmxcsr_m32)
}

/// Whether a code needs one of these features.
fn is_of(code: Code, features: &[CpuidFeature]) -> bool {
    let needed = code.cpuid_features();
    needed.iter().any(|feature| features.contains(feature))
}

const LATER: &[CpuidFeature] = &[
    CpuidFeature::SSE3,
    CpuidFeature::SSSE3,
    CpuidFeature::SSE4_1,
    CpuidFeature::SSE4_2,
];
const AVX: &[CpuidFeature] = &[CpuidFeature::AVX, CpuidFeature::AVX2];
const CRYPTO: &[CpuidFeature] = &[
    CpuidFeature::AES,
    CpuidFeature::PCLMULQDQ,
    CpuidFeature::SHA,
    CpuidFeature::GFNI,
    CpuidFeature::VAES,
    CpuidFeature::VPCLMULQDQ,
];
const AFTER_AVX: &[CpuidFeature] = &[
    CpuidFeature::FMA,
    CpuidFeature::F16C,
    CpuidFeature::AVX_VNNI,
];

#[test]
fn mmx_and_sse_agree_with_the_host() {
    skip_without!("avx");
    let faults = compare(|code| {
        let newer = [LATER, AVX, AFTER_AVX, &[CpuidFeature::SSE2]].concat();
        let is_newer = is_of(code, &newer);
        !is_newer && !is_of(code, CRYPTO) && !is_approximate(code)
    });
    assert!(faults != 0, "some of the numbers should trap");
}

#[test]
fn sse2_agrees_with_the_host() {
    skip_without!("avx");
    let faults = compare(|code| is_of(code, &[CpuidFeature::SSE2]));
    assert!(faults != 0, "some of the numbers should trap");
}

#[test]
fn sse3_to_sse42_agree_with_the_host() {
    skip_without!("avx");
    let faults = compare(|code| is_of(code, LATER));
    assert!(faults != 0, "some of the numbers should trap");
}

#[test]
fn avx_agrees_with_the_host() {
    skip_without!("avx");
    let faults = compare(|code| {
        is_of(code, &[CpuidFeature::AVX]) && !is_of(code, CRYPTO) && !is_approximate(code)
    });
    assert!(faults != 0, "some of the numbers should trap");
}

#[test]
fn avx2_agrees_with_the_host() {
    skip_without!("avx2");
    let faults = compare(|code| is_of(code, &[CpuidFeature::AVX2]));
    assert_eq!(faults, 0, "none of these traps");
}

#[test]
fn fma_f16c_and_vnni_agree_with_the_host() {
    if !is_x86_feature_detected!("fma") {
        println!("skipped: this host has no FMA");
        return;
    }
    let faults = compare(|code| {
        is_of(code, &[CpuidFeature::FMA])
            || (is_x86_feature_detected!("f16c") && is_of(code, &[CpuidFeature::F16C]))
            || (is_x86_feature_detected!("avxvnni") && is_of(code, &[CpuidFeature::AVX_VNNI]))
    });
    assert!(faults != 0, "some of the numbers should trap");
}

#[test]
fn aes_and_sha_agree_with_the_host() {
    skip_without!("avx");
    let faults = compare(|code| {
        (is_x86_feature_detected!("gfni") && is_of(code, &[CpuidFeature::GFNI]))
            || (is_x86_feature_detected!("aes") && is_of(code, &[CpuidFeature::AES]))
            || (is_x86_feature_detected!("pclmulqdq") && is_of(code, &[CpuidFeature::PCLMULQDQ]))
            || (is_x86_feature_detected!("vaes") && is_of(code, &[CpuidFeature::VAES]))
            || (is_x86_feature_detected!("vpclmulqdq") && is_of(code, &[CpuidFeature::VPCLMULQDQ]))
            || (is_x86_feature_detected!("sha") && is_of(code, &[CpuidFeature::SHA]))
    });
    assert_eq!(faults, 0, "none of these traps");
}

#[test]
fn approximations_are_near_those_of_the_host() {
    skip_without!("avx");
    let mut guest = Guest::new();
    for encoding in encodings() {
        if !is_approximate(encoding.code) || encoding.in_memory {
            continue;
        }
        let host = Host::new(&encoding.bytes);
        let mut random = Random::new(7);
        guest.place(&encoding.bytes);
        for _ in 0..cases() {
            let start = random.registers();
            let theirs = host.run(&start);
            let ours = guest.run(&start, false);
            assert_eq!(ours.mxcsr, theirs.mxcsr);
            for lane in 0..8 {
                let of = |registers: &Registers| {
                    f32::from_bits((registers.vectors[0][lane / 4] >> (32 * (lane % 4))) as u32)
                };
                let (ours, theirs) = (of(&ours), of(&theirs));
                let near = (ours - theirs).abs() <= theirs.abs() * (1.0 / 1024.0);
                assert!(
                    ours.to_bits() == theirs.to_bits() || near,
                    "{:?}: {ours:?} against {theirs:?} from {start:x?}",
                    encoding.code
                );
            }
        }
    }
}
