//! Random programs end in the same state, whoever runs them.

use rax_cpu::rflags::Rflags;
use rax_cpu::state::Gpr;
use rax_cpu::testing::{Bits, bare};

use crate::pair::{Pair, seeds};

const RAM: usize = 0x1_0000;
const CODE: u64 = 0x1000;
const STACK: u64 = 0x8000;
const DATA: u64 = 0xa000;

/// The same seed, the same numbers.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn value(&mut self) -> u64 {
        let edge = 1u64 << self.below(64);
        match self.below(8) {
            0 => 0,
            1 => u64::MAX,
            2 => edge,
            3 => edge - 1,
            4 => edge.wrapping_neg(),
            5 => self.below(80),
            6 => DATA + self.below(0x2000),
            _ => self.next(),
        }
    }
}

/// One-byte opcodes with ModRM whose every form may run: arithmetic, moves, shifts.
const WITH_MODRM: &[u8] = &[
    0x00, 0x01, 0x02, 0x03, 0x08, 0x09, 0x0a, 0x0b, 0x10, 0x11, 0x12, 0x13, 0x18, 0x19, 0x1a, 0x1b,
    0x20, 0x21, 0x22, 0x23, 0x28, 0x29, 0x2a, 0x2b, 0x30, 0x31, 0x32, 0x33, 0x38, 0x39, 0x3a, 0x3b,
    0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x89, 0x8b, 0x01, 0x29, 0x39, 0x85, 0xd0, 0xd1,
    0xd2, 0xd3, 0xfe, 0xff, 0xff, 0xf6, 0xf7,
];
/// With an immediate of a byte, and of the operand's width.
const WITH_BYTE: &[u8] = &[0x80, 0x83, 0xc0, 0xc1, 0x6b, 0xc6];
const WITH_IMMEDIATE: &[u8] = &[0x81, 0x69, 0xc7];
/// Two-byte opcodes with ModRM.
const TWO_BYTES: &[u8] = &[
    0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x4a, 0x4c, 0x4d, 0x4e, 0x4f, 0x90, 0x91,
    0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x9a, 0x9c, 0x9d, 0x9e, 0x9f, 0xaf, 0xb6, 0xb7, 0xbe,
    0xbf, 0xa3, 0xab, 0xb3, 0xbb, 0xa5, 0xad, 0xb0, 0xb1, 0xc0, 0xc1, 0xbc, 0xbd, 0x1f,
];

/// Straight-line code with branches forward, and one back at the end that counts down.
fn program(random: &mut Random, bits: Bits) -> Vec<u8> {
    let mut code = Vec::new();
    let count = 3 + random.below(24);
    for _ in 0..count {
        if random.one_in(6) {
            // Jcc over the next few bytes, which may end within an instruction.
            code.extend([0x70 | random.below(16) as u8, random.below(3) as u8 * 3]);
            continue;
        }
        instruction(random, bits, &mut code);
    }
    // DEC of a counter in memory, or in RBP; then back to the start.
    if random.one_in(2) {
        code.extend([0xff, 0x0c, 0x25]);
        code.extend((DATA as u32 + 0x1800).to_le_bytes());
        if bits != Bits::Long64 {
            let at = code.len() - 7;
            code[at + 1] = 0x0d;
            code.remove(at + 2);
        }
    } else if bits == Bits::Long64 {
        code.extend([0xff, 0xcd]);
    } else {
        code.push(0x4d);
    }
    code.extend([0x0f, 0x85]);
    let back = -(code.len() as i64 + 4) as i32;
    code.extend(back.to_le_bytes());
    code.push(0xf4);
    code
}

#[expect(clippy::too_many_lines, reason = "a list of kinds of instructions")]
fn instruction(random: &mut Random, bits: Bits, code: &mut Vec<u8>) {
    let is_long = bits == Bits::Long64;
    match random.below(24) {
        0 => {
            // PUSH and POP.
            let register = random.below(8) as u8;
            let opcode = if register == 4 || random.one_in(2) {
                0x50
            } else {
                0x58
            };
            if is_long && random.one_in(3) {
                code.push(0x41);
            }
            code.push(opcode | register);
            return;
        }
        1 => {
            let register = random.below(8) as u8;
            let register = if register == 4 { 0 } else { register };
            code.push(0xb8 | register);
            code.extend((random.value() as u32).to_le_bytes());
            return;
        }
        2 => {
            let plain: &[u8] = &[
                0x98, 0x99, 0xf5, 0xf8, 0xf9, 0x9c, 0x9e, 0x9f, 0xd6, 0x90, 0xc9,
            ];
            let opcode = plain[random.below(10) as usize];
            if opcode == 0xd6 {
                code.extend([0x0f, 0xc8 | random.below(4) as u8]);
            } else {
                code.push(opcode);
            }
            return;
        }
        3 => {
            // CALL over a RET, which comes back to it.
            code.extend([0xe8, 2, 0, 0, 0, 0xeb, 1, 0xc3]);
            return;
        }
        4 => {
            // MOVS and STOS, where RDI and RSI may be anything.
            code.push([0xa4, 0xa5, 0xaa, 0xab][random.below(4) as usize]);
            return;
        }
        5 => {
            // SSE: ADDPS, PXOR, MOVD.
            let register = 0xc0 | random.below(64) as u8;
            let forms: [&[u8]; 3] = [&[0x0f, 0x58], &[0x66, 0x0f, 0xef], &[0x66, 0x0f, 0x6e]];
            code.extend(forms[random.below(3) as usize]);
            code.push(register);
            return;
        }
        _ => {}
    }
    if random.one_in(8) {
        code.push(0x66);
    }
    if random.one_in(24) {
        code.push(if random.one_in(2) { 0x64 } else { 0x67 });
    }
    if is_long && random.one_in(2) {
        code.push(0x40 | random.below(16) as u8);
    }
    let has_66 = code.len() >= 2 && code[code.len() - 2..].contains(&0x66);
    let (opcode, immediate) = match random.below(8) {
        0 => (pick(random, WITH_BYTE), 1),
        1 => (pick(random, WITH_IMMEDIATE), 4),
        2 | 3 => {
            code.push(0x0f);
            let opcode = pick(random, TWO_BYTES);
            (opcode, 0)
        }
        4 => (0x8d, 0),
        _ => (pick(random, WITH_MODRM), 0),
    };
    code.push(opcode);
    // INC and DEC.
    let steps = matches!(opcode, 0xfe | 0xff);
    let group = matches!(opcode, 0xc6 | 0xc7) && immediate != 0 || steps;
    let mut reg = random.below(8) as u8;
    if group {
        reg &= u8::from(steps);
    }
    if reg == 4 && random.one_in(2) {
        reg = 0;
    }
    match random.below(4) {
        0 | 1 => {
            let mut rm = random.below(8) as u8;
            if rm == 4 {
                rm = 3;
            }
            code.push(0xc0 | reg << 3 | rm);
        }
        2 => {
            // [RBX] and [RSI] mostly point at data.
            let base = [3, 6, 7, 0][random.below(4) as usize];
            code.push(0x40 | reg << 3 | base);
            code.push(random.next() as u8);
        }
        _ => {
            // [base + index * scale + disp32].
            code.push(0x84 | reg << 3);
            let sib = random.next() as u8;
            code.push(if random.one_in(2) {
                sib & 0xc0 | 0x0b
            } else {
                sib
            });
            code.extend((random.below(64) as u32).to_le_bytes());
        }
    }
    let bytes = if immediate == 4 && has_66 {
        2
    } else {
        immediate
    };
    for _ in 0..bytes {
        code.push(random.next() as u8);
    }
}

fn pick(random: &mut Random, from: &[u8]) -> u8 {
    from[random.below(from.len() as u64) as usize]
}

/// Runs the program of a seed on both; how many instructions it took.
fn check(pair: &mut Pair, bits: Bits, seed: u64) -> u64 {
    let mut random = Random(seed);
    let code = program(&mut random, bits);
    let fill = random.next();
    let mut state = bare(bits, 0x1000).unwrap().state.clone();
    for register in Gpr::ALL {
        state.set_gpr(register, random.value());
    }
    for (register, place) in [(Gpr::Rbx, 0), (Gpr::Rsi, 0x80), (Gpr::Rdi, 0x800)] {
        if !random.one_in(8) {
            state.set_gpr(register, DATA + place + random.below(8));
        }
    }
    state.set_gpr(Gpr::Rsp, STACK);
    state.set_gpr(Gpr::Rbp, 1 + random.below(20));
    state.set_rflags(Rflags::from_bits_truncate(random.next()) & Rflags::STATUS);
    state.rip = CODE;
    let steps = 1 + random.below(300);
    let mut bytes: Vec<u8> = (0..RAM as u64).map(|at| (at ^ fill) as u8).collect();
    bytes[DATA as usize + 0x1800] = 9;
    bytes[DATA as usize + 0x1801..][..3].fill(0);
    // Vectors lead nowhere: the first fault ends in a shutdown.
    bytes[..0x1000].fill(0);
    bytes[CODE as usize..][..code.len()].copy_from_slice(&code);
    pair.check(&state, &bytes, steps, || {
        let registers = state.gpr;
        format!("seed {seed}, {steps} steps\ncode {code:02x?}\nregisters {registers:x?}")
    })
}

fn run(bits: Bits, count: u64) {
    let seeds = seeds(count);
    let least = 10 * (seeds.end - seeds.start);
    let mut pair = Pair::new(bits, RAM as u64, 1 << 18);
    let retired: u64 = seeds.map(|seed| check(&mut pair, bits, seed)).sum();
    assert!(retired > least, "programs get somewhere: {retired}");
}

#[test]
fn random_64_bit_programs_end_alike() {
    run(Bits::Long64, 2000);
}

#[test]
fn random_32_bit_programs_end_alike() {
    run(Bits::Protected32, 2000);
}

#[test]
fn random_real_mode_programs_end_alike() {
    run(Bits::Real, 500);
}

#[test]
fn a_cache_that_is_full_all_the_time_changes_nothing() {
    let mut pair = Pair::new(Bits::Long64, RAM as u64, 1 << 18);
    let mut seed = 100_000;
    while pair.statistics().bytes < 8 << 18 {
        check(&mut pair, Bits::Long64, seed);
        seed += 1;
        assert!(seed < 200_000, "{:?}", pair.statistics());
    }
    // Regions of an eighth, and two of them are never full at once.
    let statistics = pair.statistics();
    assert!(statistics.evictions >= 7 * 8 - 2, "{statistics:?}");
}

#[test]
fn a_borrowed_register_of_flags_that_are_over_is_not_kept() {
    // TEST R14W, -1; MOV EAX, [RBP+14h]; SBB R8D, R15D; HLT.
    let code = [
        0x66, 0x41, 0xf7, 0xc6, 0xff, 0xff, 0x8b, 0x45, 0x14, 0x45, 0x19, 0xf8, 0xf4,
    ];
    let mut pair = Pair::new(Bits::Long64, RAM as u64, 1 << 18);
    let mut state = bare(Bits::Long64, 0x1000).unwrap().state.clone();
    state.set_gpr(Gpr::Rbp, DATA);
    state.set_gpr(Gpr::R8, 0xffee);
    state.rip = CODE;
    let mut bytes = vec![0; RAM];
    bytes[CODE as usize..][..code.len()].copy_from_slice(&code);
    assert_eq!(pair.check(&state, &bytes, 300, String::new), 4);
}
