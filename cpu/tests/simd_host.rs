//! MMX, SSE to SSE4.2, AVX, AVX2, AES and SHA against the processor it runs on: every encoding, results, flags
//! and #XM, in every rounding mode, with and without DAZ and FTZ. It needs AVX: YMM registers are compared whole.
//!
//! `RAX_SIMD_CASES` sets the number of random cases for each encoding.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![expect(
    unsafe_code,
    reason = "runs the instructions under test on the host's processor"
)]

#[path = "../src/insn/vector/tests/encodings.rs"]
mod encodings;
#[path = "simd_host/guest.rs"]
mod guest;
#[path = "simd_host/host.rs"]
mod host;

use std::fmt::Write;

use encodings::{Encoding, encodings};
use guest::Guest;
use host::Host;
use iced_x86::{
    Code, CpuidFeature, Decoder, DecoderOptions, EncodingKind, Instruction, Mnemonic,
    OpCodeOperandKind, Register,
};

/// What an instruction starts from and leaves behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registers {
    vectors: [[u128; 2]; 4],
    mm: [u64; 2],
    mxcsr: u32,
    rax: u64,
    rcx: u64,
    rdx: u64,
    flags: u64,
    memory: [u128; 4],
    has_faulted: bool,
}

/// The arithmetic flags.
const STATUS: u64 = 0x8d5;

/// A small random generator (xorshift64*).
struct Random(u64);

impl Random {
    const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    const fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    const fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    /// A number in a format, often at one of its edges.
    fn float(&mut self, fraction: u32, exponent: u32) -> u64 {
        let max = (1 << exponent) - 1;
        let field = match self.below(8) {
            0 => self.below(3),
            1 => max - self.below(3),
            2..6 => (max >> 1) - 35 + self.below(70),
            _ => self.below(max + 1),
        };
        let all = (1 << fraction) - 1;
        let bits = match self.below(6) {
            0 => 0,
            1 => all,
            2 => 1 << self.below(u64::from(fraction)),
            3 => all << self.below(u64::from(fraction)),
            _ => self.next(),
        };
        self.below(2) << (fraction + exponent) | field << fraction | bits & all
    }

    fn lane(&mut self, kind: u64) -> u64 {
        match kind {
            0 | 1 => self.float(23, 8) | self.float(23, 8) << 32,
            2 | 3 => self.float(52, 11),
            4 => self.below(80),
            5 => {
                [0, u64::MAX, 0x8000_7fff_8000_7fff, 0x7f80_ff01_0080_ff7f][self.below(4) as usize]
            }
            // Short texts of few letters.
            6 => self.next() & self.next() & 0x8003_0103_0183_0301,
            7 => self.below(45).wrapping_sub(20),
            _ => self.next(),
        }
    }

    fn vector(&mut self, kind: u64) -> u128 {
        u128::from(self.lane(kind)) | u128::from(self.lane(kind)) << 64
    }

    fn registers(&mut self) -> Registers {
        let kind = self.below(10);
        // A text has a length.
        let scalar = if kind == 6 { 7 } else { kind };
        let mut registers = Registers {
            vectors: [(); 4].map(|()| [self.vector(kind), self.vector(kind)]),
            mm: [self.lane(kind), self.lane(kind)],
            mxcsr: self.next() as u32 & 0xe07f | 0x1f80,
            rax: self.lane(scalar),
            rcx: self.lane(scalar),
            rdx: self.lane(scalar),
            flags: self.next() & STATUS,
            memory: [(); 4].map(|()| self.vector(kind)),
            has_faulted: false,
        };
        match self.below(16) {
            // A count, or a number beside its equal.
            0 => {
                registers.vectors[1] = [u128::from(self.below(80)), self.next().into()];
                registers.vectors[2] = [u128::from(self.below(80)), self.next().into()];
            }
            1 => {
                registers.vectors[1] = registers.vectors[0];
                registers.vectors[2] = registers.vectors[1];
            }
            2 => registers.mm[1] = self.below(80),
            // Nothing has been raised yet; some things trap.
            3..6 => registers.mxcsr &= !0x3f & !(self.next() as u32 & 0x1f80),
            _ => {}
        }
        registers
    }
}

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
    let size = |kind| match kind {
        OpCodeOperandKind::mem_vsib32x | OpCodeOperandKind::mem_vsib32y => 4,
        OpCodeOperandKind::mem_vsib64x | OpCodeOperandKind::mem_vsib64y => 8,
        _ => 0,
    };
    let size = size(code.op_code().op1_kind());
    if size != 0 {
        for index in start.vectors[2].iter_mut() {
            *index =
                (0..16 / size).fold(0, |all, _| all << (8 * size) | u128::from(random.below(57)));
        }
    }
    start
}

/// Runs every encoding that `wanted` chooses; the first mismatches are the failure.
/// How many cases trapped.
fn compare(wanted: impl Fn(Code) -> bool) -> u64 {
    if !is_x86_feature_detected!("avx") {
        println!("skipped: this host has no AVX");
        return 1;
    }
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
                let theirs = host.run(start);
                let ours = guest.run(start, encoding.in_memory);
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
    let faults = compare(|code| {
        let newer = [LATER, AVX, AFTER_AVX, &[CpuidFeature::SSE2]].concat();
        let is_newer = is_of(code, &newer);
        !is_newer && !is_of(code, CRYPTO) && !is_approximate(code)
    });
    assert!(faults != 0, "some of the numbers should trap");
}

#[test]
fn sse2_agrees_with_the_host() {
    let faults = compare(|code| is_of(code, &[CpuidFeature::SSE2]));
    assert!(faults != 0, "some of the numbers should trap");
}

#[test]
fn sse3_to_sse42_agree_with_the_host() {
    if !is_x86_feature_detected!("sse4.2") {
        println!("skipped: this host has no SSE4.2");
        return;
    }
    let faults = compare(|code| is_of(code, LATER));
    assert!(faults != 0, "some of the numbers should trap");
}

#[test]
fn avx_agrees_with_the_host() {
    let faults = compare(|code| {
        is_of(code, &[CpuidFeature::AVX]) && !is_of(code, CRYPTO) && !is_approximate(code)
    });
    assert!(faults != 0, "some of the numbers should trap");
}

#[test]
fn avx2_agrees_with_the_host() {
    if !is_x86_feature_detected!("avx2") {
        println!("skipped: this host has no AVX2");
        return;
    }
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
    if !is_x86_feature_detected!("avx") {
        println!("skipped: this host has no AVX");
        return;
    }
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
            let theirs = host.run(start);
            let ours = guest.run(start, false);
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

/// Prints cases in the form that `tests/vectors` keeps, for the features that
/// `RAX_SIMD_RECORD` names.
#[test]
#[ignore = "prints what this host does"]
fn record() {
    let names = std::env::var("RAX_SIMD_RECORD").unwrap_or_default();
    let wanted = |code: Code| {
        let mut features = code.cpuid_features().iter();
        features.any(|feature| names.split(',').any(|name| name == format!("{feature:?}")))
    };
    for encoding in encodings() {
        let is_odd = loads_mxcsr(encoding.code) || encoding.code == Code::Emms;
        if is_odd || is_approximate(encoding.code) || !wanted(encoding.code) {
            continue;
        }
        let mut random = Random::new(encoding.code as u64 + 1000);
        let cases = if encoding.has_immediate { 8 } else { 2 };
        for _ in 0..cases {
            let mut encoding = encoding.clone();
            if let Some(last) = encoding.bytes.last_mut().filter(|_| encoding.has_immediate) {
                *last = random.next() as u8;
            }
            let host = Host::new(&encoding.bytes);
            let start = simplified(
                &host,
                start(&mut random, encoding.code),
                is_vex(encoding.code),
            );
            println!("{}", line(&encoding, &start, &host.run(start)));
        }
    }
}

/// The same case with zeros wherever they change nothing.
fn simplified(host: &Host, start: Registers, is_vex: bool) -> Registers {
    let effect = |start: &Registers| {
        let mut text = String::new();
        describe(&mut text, &host.run(*start), start, is_vex);
        text
    };
    let wanted = effect(&start);
    let zeros: [fn(&mut Registers); 15] = [
        |registers| registers.vectors[0] = [0; 2],
        |registers| registers.vectors[1] = [0; 2],
        |registers| registers.vectors[2] = [0; 2],
        |registers| registers.vectors[3] = [0; 2],
        |registers| registers.mm[0] = 0,
        |registers| registers.mm[1] = 0,
        |registers| registers.memory[0] = 0,
        |registers| registers.memory[1] = 0,
        |registers| registers.memory[2] = 0,
        |registers| registers.memory[3] = 0,
        |registers| registers.rax = 0,
        |registers| registers.rcx = 0,
        |registers| registers.rdx = 0,
        |registers| registers.mxcsr = 0x1f80,
        |registers| registers.flags = 0,
    ];
    let mut simple = start;
    for zero in zeros {
        let mut simpler = simple;
        zero(&mut simpler);
        if effect(&simpler) == wanted {
            simple = simpler;
        }
    }
    simple
}

/// PCMPESTRI and PCMPESTRM.
fn takes_lengths(code: Code) -> bool {
    use Mnemonic as M;
    let explicit = [M::Pcmpestri, M::Pcmpestri64, M::Pcmpestrm, M::Pcmpestrm64];
    let with_vex = [
        M::Vpcmpestri,
        M::Vpcmpestri64,
        M::Vpcmpestrm,
        M::Vpcmpestrm64,
    ];
    explicit.contains(&code.mnemonic()) || with_vex.contains(&code.mnemonic())
}

/// Encoded with VEX.
fn is_vex(code: Code) -> bool {
    code.encoding() == EncodingKind::VEX
}

/// PCMPESTRI and PCMPISTRI, which write ECX.
fn makes_index(code: Code) -> bool {
    use Mnemonic as M;
    let legacy = [M::Pcmpestri, M::Pcmpestri64, M::Pcmpistri];
    let with_vex = [M::Vpcmpestri, M::Vpcmpestri64, M::Vpcmpistri];
    legacy.contains(&code.mnemonic()) || with_vex.contains(&code.mnemonic())
}

/// A line of `tests/vectors`.
fn line(encoding: &Encoding, start: &Registers, end: &Registers) -> String {
    let mut text = String::new();
    for byte in &encoding.bytes {
        let _ = write!(text, "{byte:02x} ");
    }
    text.push('|');
    let is_vex = is_vex(encoding.code);
    let mut instruction = Instruction::default();
    Decoder::new(64, &encoding.bytes, DecoderOptions::NONE).decode_out(&mut instruction);
    let uses = |file: fn(Register) -> bool| {
        (0..instruction.op_count()).any(|operand| file(instruction.op_register(operand)))
    };
    // What is named here has a value of its own in every vector.
    if uses(Register::is_vector_register) {
        for n in 0..if is_vex { 4 } else { 2 } {
            let (name, value) = vector(n, start, is_vex);
            let _ = write!(text, " {name}={value}");
        }
    }
    let mut name = |name: &str, value: u128| {
        let _ = write!(text, " {name}={value:x}");
    };
    if uses(Register::is_mm) {
        name("mm0", start.mm[0].into());
        name("mm1", start.mm[1].into());
        name("ftw", 0xff);
    }
    if uses(Register::is_gpr) {
        name("rax", start.rax.into());
        name("rcx", start.rcx.into());
    }
    if takes_lengths(encoding.code) {
        name("rax", start.rax.into());
        name("rdx", start.rdx.into());
    }
    if makes_index(encoding.code) {
        name("rcx", start.rcx.into());
    }
    if encoding.in_memory {
        name("rbx", 0x2000);
        name("rdi", 0x2000);
        let _ = write!(text, " [2000]={}", memory(start, is_vex));
    }
    if start.mxcsr != 0x1f80 {
        let _ = write!(text, " mxcsr={:x}", start.mxcsr);
    }
    flags(&mut text, start.flags, 0);
    text.push_str(" =>");
    if end.has_faulted {
        text.push_str(" #XM");
    }
    describe(&mut text, end, start, is_vex);
    text
}

/// A vector register's name and value.
fn vector(n: usize, registers: &Registers, is_vex: bool) -> (String, String) {
    let [low, high] = registers.vectors[n];
    if is_vex && high != 0 {
        (format!("ymm{n}"), format!("{high:x}{low:032x}"))
    } else if is_vex {
        (format!("ymm{n}"), format!("{low:x}"))
    } else {
        (format!("xmm{n}"), format!("{low:x}"))
    }
}

/// What memory holds, highest digit first.
fn memory(registers: &Registers, is_vex: bool) -> String {
    let pieces = if is_vex { 4 } else { 1 };
    let pieces = registers.memory[..pieces].iter().rev();
    pieces.map(|piece| format!("{piece:032x}")).collect()
}

/// Writes what differs.
fn describe(text: &mut String, end: &Registers, start: &Registers, is_vex: bool) {
    for n in 0..4 {
        let (name, value) = vector(n, end, is_vex);
        if end.vectors[n] != start.vectors[n] {
            let _ = write!(text, " {name}={value}");
        }
    }
    let mut name = |name: &str, value: u128, old: u128| {
        if value != old {
            let _ = write!(text, " {name}={value:x}");
        }
    };
    for n in 0..2 {
        name(["mm0", "mm1"][n], end.mm[n].into(), start.mm[n].into());
    }
    name("rax", end.rax.into(), start.rax.into());
    name("rcx", end.rcx.into(), start.rcx.into());
    name("mxcsr", end.mxcsr.into(), start.mxcsr.into());
    if end.memory != start.memory {
        let _ = write!(text, " [2000]={}", memory(end, is_vex));
    }
    flags(text, end.flags, start.flags);
}

/// Writes the flags that differ.
fn flags(text: &mut String, flags: u64, from: u64) {
    for (bit, name) in [
        (0, "cf"),
        (2, "pf"),
        (4, "af"),
        (6, "zf"),
        (7, "sf"),
        (11, "of"),
    ] {
        if (flags ^ from) >> bit & 1 != 0 {
            let _ = write!(text, " {name}={}", flags >> bit & 1);
        }
    }
}
