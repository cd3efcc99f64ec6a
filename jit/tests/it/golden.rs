//! The host code for each guest instruction, in `jit/tests/golden/*.txt`: a slower translation
//! shows up as a difference in review. `UPDATE_GOLDEN=1` writes the files anew.
//!
//! Left out: what every unit begins with, and cold code. Addresses are masked.

use std::fmt::Write;
use std::path::PathBuf;

use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, IntelFormatter, Register};
use rax_cpu::testing::Bits;
use rax_jit::dump::{Request, host};
use rax_jit::passes::Selection;

/// Where the guest's code is.
const ADDRESS: u64 = 0x1000;
/// Displacements from the processor up to this one are cells and registers.
const CELLS: u64 = 0x400;

/// The eight operations of the first rows, moves, tests, exchanges: ModRM, no immediate.
const WITH_MODRM: &[u8] = &[
    0x01, 0x03, 0x09, 0x11, 0x13, 0x19, 0x1b, 0x21, 0x29, 0x2b, 0x31, 0x39, 0x3b, 0x85, 0x87, 0x89,
    0x8b,
];
/// The same of bytes.
const BYTES: &[u8] = &[
    0x00, 0x02, 0x10, 0x18, 0x28, 0x38, 0x3a, 0x84, 0x86, 0x88, 0x8a,
];
/// Groups, with the digits that exist: ModRM, no immediate.
const GROUPS: &[(u8, &[u8])] = &[
    (0xd1, &[0, 1, 2, 3, 4, 5, 7]),
    (0xd3, &[0, 1, 2, 3, 4, 5, 7]),
    (0xf7, &[2, 3, 4, 5, 6, 7]),
    (0xff, &[0, 1, 6]),
];
/// Two-byte opcodes with ModRM.
const TWO_BYTES: &[u8] = &[
    0x42, 0x44, 0x4c, 0xa3, 0xab, 0xa5, 0xad, 0xaf, 0xb1, 0xb3, 0xb6, 0xb7, 0xbb, 0xbc, 0xbd, 0xbe,
    0xbf, 0xc1,
];
/// The rest of the integer instructions, one by one, in hexadecimal.
const OTHERS: &[&str] = &[
    "04 05",
    "05 00 01 00 00",
    "3c 05",
    "3d 00 01 00 00",
    "a8 05",
    "a9 00 01 00 00",
    "83 c1 05",
    "48 83 c1 05",
    "83 43 08 05",
    "80 43 08 05",
    "83 d1 05",
    "83 d9 05",
    "83 f9 05",
    "83 7b 08 05",
    "81 e1 00 ff ff ff",
    "81 63 08 00 ff ff ff",
    "f6 c3 05",
    "f6 43 08 05",
    "f7 c3 00 01 00 00",
    "f6 db",
    "f6 e3",
    "f6 eb",
    "f6 f3",
    "f6 fb",
    "fe c0",
    "fe 4b 08",
    "b0 05",
    "b4 05",
    "b9 05 00 00 00",
    "48 c7 c1 ff ff ff ff",
    "48 b9 88 77 66 55 44 33 22 11",
    "c6 43 08 05",
    "c7 43 08 05 00 00 00",
    "c0 e0 03",
    "c0 e4 03",
    "c1 e1 03",
    "c1 63 08 03",
    "48 c1 f9 03",
    "c1 c1 03",
    "0f a4 cb 05",
    "0f ac cb 05",
    "69 cb 00 01 00 00",
    "6b cb 07",
    "63 cb",
    "48 63 cb",
    "48 63 4b 08",
    "8d 4b 08",
    "48 8d 4c 93 08",
    "48 8d 0d 00 01 00 00",
    "48 8d 4c 13 08",
    "4c 8d 44 93 08",
    "00 e0",
    "02 e1",
    "38 e0",
    "0f b6 cc",
    "88 e1",
    "86 c4",
    "44 89 c1",
    "41 89 c8",
    "45 01 c8",
    "4d 8b 43 08",
    "4d 89 43 08",
    "45 31 c0",
    "4c 01 c1",
    "64 48 8b 04 25 28 00 00 00",
    "65 48 8b 0c 25 28 00 00 00",
    "67 8b 4b 08",
    "8b 0d 00 01 00 00",
    "50",
    "41 50",
    "58",
    "41 58",
    "5c",
    "54",
    "6a 05",
    "68 00 01 00 00",
    "8f 43 08",
    "c9",
    "9c",
    "c3",
    "c2 08 00",
    "e8 00 01 00 00",
    "eb 10",
    "e9 00 01 00 00",
    "e9 00 00 01 00",
    "ff e3",
    "ff 63 08",
    "ff d3",
    "ff 53 08",
    "74 10",
    "7c 10",
    "e3 10",
    "e2 10",
    "90",
    "f3 90",
    "98",
    "48 98",
    "99",
    "48 99",
    "f5",
    "f8",
    "f9",
    "fc",
    "9e",
    "9f",
    "d7",
    "a4",
    "aa",
    "f3 a4",
    "f3 aa",
    "0f 94 c1",
    "0f 9c 43 08",
    "0f ba e1 05",
    "0f ba e9 05",
    "0f ba 73 08 05",
    "0f c8",
    "48 0f c8",
    "f3 0f b8 cb",
    "f3 0f bc cb",
    "f3 0f bd cb",
    "0f 38 f0 4b 08",
    "0f 38 f1 4b 08",
    "0f c7 4b 08",
    "f0 01 4b 08",
    "f0 0f b1 4b 08",
    "f0 0f c1 4b 08",
    "c4 e2 70 f2 c3",
    "c4 e2 70 f5 c3",
    "c4 e2 70 f7 c3",
    "c4 e2 71 f7 c3",
    "c4 e2 73 f5 c3",
    "c4 e2 72 f5 c3",
    "c4 e2 fb f6 c3",
    "c4 e3 fb f0 c3 05",
    "66 0f 38 f6 cb",
    "f3 0f 38 f6 cb",
    "c4 e2 70 f3 cb",
];
/// Pairs and longer rows, whose flags meet.
const ROWS: &[&str] = &[
    "39 cb 74 10",
    "48 85 c0 75 10",
    "83 43 08 05 74 10",
    "3b 4b 08 7c 10",
    "ff c9 75 10",
    "01 cb 0f 92 c0",
    "01 cb 48 8b 4b 08 72 10",
    "48 01 c8 48 11 da",
    "48 01 c8 48 13 53 08",
    "48 03 03 48 13 53 08 48 13 4b 10",
    "39 cb 48 0f 4c c1",
    "c1 e8 03 74 10",
    "01 c8 89 43 08",
    "c1 c8 05 89 43 08",
    "ff c1 89 43 08",
    "39 cb 89 43 08 74 10",
    "85 c0 0f 94 c1 0f b6 c9",
    "31 c0 c3",
    "48 83 c4 08 c3",
    "48 89 e5 5d c3",
    "f7 e3 89 43 08",
    "d3 e0 89 43 08",
];

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.split(' ');
    digits
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

fn integer() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    let mut forms = |opcode: &[u8], digit: u8, prefixes: &[&[u8]]| {
        let register = [0xc3 | digit << 3];
        let memory = [0x43 | digit << 3, 8];
        for prefix in prefixes {
            all.push([prefix, opcode, &register].concat());
        }
        all.push([opcode, &memory].concat());
    };
    let widths: &[&[u8]] = &[&[], &[0x48], &[0x66]];
    for &opcode in WITH_MODRM {
        forms(&[opcode], 1, widths);
    }
    for &opcode in BYTES {
        forms(&[opcode], 1, &[&[]]);
    }
    for &(opcode, digits) in GROUPS {
        for &digit in digits {
            forms(
                &[opcode],
                digit,
                if digit == 6 && opcode == 0xff {
                    &[]
                } else {
                    widths
                },
            );
        }
    }
    for &opcode in TWO_BYTES {
        forms(&[0x0f, opcode], 1, widths);
    }
    all.extend(OTHERS.iter().chain(ROWS).map(|hex| bytes(hex)));
    all
}

/// x87 instructions: on registers, and with an operand in memory.
fn x87() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for opcode in 0xd8..=0xdf_u8 {
        for digit in 0..8 {
            all.push(vec![opcode, 0xc1 | digit << 3]);
            all.push(vec![opcode, 0x43 | digit << 3, 8]);
        }
    }
    all.retain(|bytes| {
        !Decoder::new(64, bytes, DecoderOptions::NONE)
            .decode()
            .is_invalid()
    });
    all
}

/// An instruction without its addresses.
fn masked(mut insn: Instruction, formatter: &mut IntelFormatter) -> String {
    let mut text = String::new();
    if insn.near_branch_target() != 0 {
        formatter.format_mnemonic(&insn, &mut text);
        return text + " @";
    }
    let distance = insn.memory_displacement64() as i64;
    if insn.memory_base() == Register::RBP && distance.unsigned_abs() > CELLS {
        insn.set_memory_displacement64(0);
    }
    let is_address = insn.mnemonic() == iced_x86::Mnemonic::Mov && insn.len() == 10;
    formatter.format(&insn, &mut text);
    if is_address && insn.op0_register() == Register::R14 {
        return "mov r14,@".to_owned();
    }
    text
}

/// 16-bit code in real mode: addresses, segments, the stack, strings and branches.
const REAL_MODE: &[&str] = &[
    "8b 07",
    "8a 40 08",
    "89 46 fe",
    "26 88 05",
    "2e a1 00 20",
    "66 8b 04",
    "67 8b 43 08",
    "01 07",
    "8d 40 08",
    "50",
    "5b",
    "66 50",
    "1e",
    "07",
    "17",
    "8e c0",
    "8e d0",
    "8c d8",
    "c4 3f",
    "c5 36 00 20",
    "c9",
    "60",
    "61",
    "d7",
    "ac",
    "ad",
    "aa",
    "a4",
    "a6",
    "ae",
    "f3 a4",
    "fc",
    "fd",
    "e2 fe",
    "e3 02",
    "74 02",
    "eb 02",
    "e9 00 20",
    "e8 00 20",
    "66 e8 00 20 00 00",
    "c3",
    "c2 04 00",
    "ff e0",
    "ff 17",
    "9a 00 20 00 10",
    "cb",
    "cd 21",
    "cf",
];

/// What is shown for one piece of guest code.
fn entry(text: &mut String, bits: Bits, code: &[u8], formatter: &mut IntelFormatter) {
    let mut line = String::new();
    let bitness = if bits == Bits::Real { 16 } else { 64 };
    for insn in &mut Decoder::with_ip(bitness, code, ADDRESS, DecoderOptions::NONE) {
        formatter.format(&insn, &mut line);
        line.push_str("; ");
    }
    let _ = writeln!(text, "{}", line.trim_end_matches("; "));
    let made = host(Request {
        bits,
        address: ADDRESS,
        code,
        passes: Selection::NONE,
    });
    let made = match made {
        Ok(made) => made,
        Err(why) => {
            let _ = writeln!(text, "    -- {why}");
            return;
        }
    };
    if made.carried_out != 0 {
        let _ = writeln!(text, "    -- {} left to the interpreter", made.carried_out);
        return;
    }
    let straight = &made.code[..made.cold];
    // The budget comes first.
    for insn in Decoder::with_ip(64, straight, made.address, DecoderOptions::NONE)
        .iter()
        .skip(2)
    {
        let _ = writeln!(text, "    {}", masked(insn, formatter));
    }
}

fn check(name: &str, bits: Bits, all: Vec<Vec<u8>>) {
    let mut formatter = IntelFormatter::new();
    formatter.options_mut().set_first_operand_char_index(0);
    let mut text = String::new();
    for code in all {
        entry(&mut text, bits, &code, &mut formatter);
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, text).unwrap();
        return;
    }
    // What a host lacks is compiled to something else there.
    if !has_all() {
        return;
    }
    let old = std::fs::read_to_string(&path).unwrap();
    let differs = old
        .lines()
        .zip(text.lines())
        .position(|(old, new)| old != new);
    if let Some(line) = differs {
        let new: Vec<&str> = text.lines().skip(line.saturating_sub(8)).take(20).collect();
        panic!(
            "{}:{}: the host code is now\n{}\nif that is better, UPDATE_GOLDEN=1",
            path.display(),
            line + 1,
            new.join("\n")
        );
    }
    assert_eq!(
        old.lines().count(),
        text.lines().count(),
        "{name}.txt ends early"
    );
}

fn has_all() -> bool {
    std::arch::is_x86_feature_detected!("bmi1")
        && std::arch::is_x86_feature_detected!("bmi2")
        && std::arch::is_x86_feature_detected!("lzcnt")
        && std::arch::is_x86_feature_detected!("popcnt")
        && std::arch::is_x86_feature_detected!("sse4.2")
        && std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("fma")
        && std::arch::is_x86_feature_detected!("f16c")
        && std::arch::is_x86_feature_detected!("aes")
        && std::arch::is_x86_feature_detected!("pclmulqdq")
        && std::arch::is_x86_feature_detected!("sha")
        && std::arch::is_x86_feature_detected!("gfni")
}

#[test]
fn integer_instructions_are_compiled_as_before() {
    check("integer", Bits::Long64, integer());
}

#[test]
fn vector_instructions_are_compiled_as_before() {
    check("vectors", Bits::Long64, super::vectors::on_registers());
}

#[test]
fn x87_instructions_are_compiled_as_before() {
    check("x87", Bits::Long64, x87());
}

#[test]
fn real_mode_instructions_are_compiled_as_before() {
    let byte = |digits| u8::from_str_radix(digits, 16).unwrap();
    let all = REAL_MODE
        .iter()
        .map(|digits| digits.split(' ').map(byte).collect());
    check("real", Bits::Real, all.collect());
}
