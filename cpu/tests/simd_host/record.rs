//! Prints cases in the form that `tests/vectors` keeps.

use std::fmt::Write;

use iced_x86::{Code, Decoder, DecoderOptions, EncodingKind, Instruction, Mnemonic, Register};

use super::encodings::{Encoding, encodings};
use super::host::Host;
use super::random::Random;
use super::registers::Registers;
use super::{is_approximate, loads_mxcsr, start};

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
    let encodings = encodings();
    for encoding in &encodings {
        let changes_all = matches!(
            encoding.code,
            Code::Emms | Code::VEX_Vzeroupper | Code::VEX_Vzeroall
        );
        let is_odd = loads_mxcsr(encoding.code) || changes_all;
        if is_odd || is_approximate(encoding.code) || !wanted(encoding.code) {
            continue;
        }
        // VEX repeats most of what SSE has: once is enough.
        let is_twin = |other: &Encoding| other.code == encoding.code && !other.in_memory;
        if is_vex(encoding.code) && encoding.in_memory && encodings.iter().any(is_twin) {
            continue;
        }
        let mut random = Random::new(encoding.code as u64 + 1000);
        let cases = match (is_vex(encoding.code), encoding.has_immediate) {
            (false, true) => 8,
            (false, false) | (true, true) => 2,
            (true, false) => 1,
        };
        for _ in 0..cases {
            let mut encoding = encoding.clone();
            if let Some(last) = encoding.bytes.last_mut().filter(|_| encoding.has_immediate) {
                *last = random.next() as u8;
            }
            let host = Host::new(&encoding.bytes);
            let start = start(&mut random, encoding.code);
            let start = simplified(&host, &start, is_vex(encoding.code));
            println!("{}", line(&encoding, &start, &host.run(&start)));
        }
    }
}

/// The same case with zeros wherever they change nothing.
fn simplified(host: &Host, start: &Registers, is_vex: bool) -> Registers {
    let effect = |start: &Registers| {
        let mut text = String::new();
        describe(&mut text, &host.run(start), start, is_vex);
        text
    };
    let wanted = effect(start);
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
    let mut simple = *start;
    // With VEX the destination's old value has to go.
    for zero in zeros.into_iter().skip(usize::from(is_vex)) {
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

/// The string comparisons.
fn takes_text(code: Code) -> bool {
    takes_lengths(code) || matches!(code.mnemonic(), Mnemonic::Vpcmpistri | Mnemonic::Vpcmpistrm)
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
        let named = |n: usize| {
            let mut registers = (0..instruction.op_count())
                .map(|operand| instruction.op_register(operand))
                .chain([instruction.memory_index()]);
            registers.any(|register| register.is_vector_register() && register.number() == n)
        };
        let makes_mask = is_vex && takes_text(encoding.code) && !makes_index(encoding.code);
        for n in (0..4).filter(|&n| named(n) || (n == 0 && makes_mask) || (n < 2 && !is_vex)) {
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
        if is_vex {
            name("rdx", start.rdx.into());
        }
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
    name("rdx", end.rdx.into(), start.rdx.into());
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
