//! x87 code on the host's unit against the interpreter: random sequences, all control words, all
//! classes of operands, stacks that overflow and underflow. Not a bit may differ.

use rax_cpu::CpuState;
use rax_cpu::float::F80;
use rax_cpu::rflags::Rflags;
use rax_cpu::state::Gpr;
use rax_cpu::testing::{Bits, bare};

use crate::pair::{Pair, seeds};

const RAM: usize = 0x1_0000;
const CODE: u64 = 0x1000;
const STACK: u64 = 0x8000;
const DATA: u64 = 0xa000;
const COUNTER: u64 = DATA + 0x800;

/// The same seed, the same numbers.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    fn significand(&mut self) -> u64 {
        let few = self.next() << self.below(64);
        match self.below(5) {
            0 => 1 << 63,
            1 => few | 1 << 63,
            2 => self.next() | 1 << 63,
            3 => u64::MAX << self.below(64),
            // Often without its integer bit: a denormal, or what no operation accepts.
            _ => few,
        }
    }

    /// A register's contents, of any class.
    fn extended(&mut self) -> F80 {
        let near = 0x3fff - 70 + self.below(140);
        let exponent = match self.below(8) {
            0 => 0,
            1 => 0x7fff,
            2 => self.pick(&[1, 2, 0x3c01, 0x3f81, 0x407e, 0x43fe, 0x7ffe, 0x7ffd]),
            3 => self.below(0x8000),
            _ => near,
        };
        let sign = (self.next() as u16) << 15;
        F80 {
            sign_exponent: exponent as u16 | sign,
            significand: self.significand(),
        }
    }

    /// Sixteen bytes of data: a number in one of the formats at their start.
    fn bytes(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        let extended = self.extended();
        let double = self.next();
        let double = match self.below(4) {
            0 => double & 0x800f_ffff_ffff_ffff,
            1 => double | 0x7ff0_0000_0000_0000,
            2 => (self.below(2000) as f64 - 1000.0).to_bits(),
            _ => double & 0xbfff_ffff_ffff_ffff | 0x3000_0000_0000_0000,
        };
        match self.below(5) {
            0 => bytes[..10].copy_from_slice(&extended.to_le_bytes()),
            1 => bytes[..8].copy_from_slice(&double.to_le_bytes()),
            2 => bytes[..4].copy_from_slice(&(f64::from_bits(double) as f32).to_le_bytes()),
            3 => bytes[..4].copy_from_slice(&(double as u32).to_le_bytes()),
            _ => bytes[..8].copy_from_slice(&(double as i64 >> self.below(64)).to_le_bytes()),
        }
        bytes
    }

    fn control(&mut self) -> u16 {
        let rounding = (self.next() as u16) & 0xf00;
        match self.below(12) {
            0 => self.next() as u16 & 0x1f3f | 0x40,
            1..=4 => 0x37f,
            _ => rounding | 0x7f,
        }
    }
}

/// Opcodes that are no x87 instructions, or lead elsewhere (environments are rare below).
const fn is_left_out(opcode: u8, modrm: u8) -> bool {
    let digit = modrm >> 3 & 7;
    if modrm < 0xc0 {
        return matches!(
            (opcode, digit),
            (0xd9, 1 | 4 | 5 | 6) | (0xdb, 4 | 6) | (0xdd, 4..=6)
        );
    }
    match opcode {
        0xd9 => matches!(modrm, 0xd1..=0xd7 | 0xe2 | 0xe3 | 0xe6 | 0xe7 | 0xef),
        0xda => modrm >= 0xe0 && modrm != 0xe9,
        0xdb => matches!(modrm, 0xe0..=0xe7 | 0xf8..),
        0xdd => modrm >= 0xf0,
        0xde => matches!(modrm, 0xd8 | 0xda..=0xdf),
        0xdf => matches!(modrm, 0xe1..=0xe7 | 0xf8..),
        _ => false,
    }
}

fn memory_operand(random: &mut Random, digit: u8, code: &mut Vec<u8>) {
    // [RBX + disp8], now and then [RSI + disp32], which may cross pages.
    if random.one_in(10) {
        code.push(0x86 | digit << 3);
        code.extend((random.below(96) as i32 - 32).to_le_bytes());
    } else {
        code.extend([0x43 | digit << 3, random.below(8) as u8 * 16]);
    }
}

fn instruction(random: &mut Random, code: &mut Vec<u8>) {
    match random.below(40) {
        // Jcc over the next instruction, or into it.
        0 | 1 => code.extend([
            0x70 | random.pick(&[2, 3, 4, 5, 6, 7, 10, 11]),
            random.pick(&[0, 2]),
        ]),
        // FCOMI and Jcc.
        2 => code.extend([
            random.pick(&[0xdb, 0xdf]),
            random.pick(&[0xe8, 0xf0]) | random.below(8) as u8,
            0x70 | random.pick(&[2, 3, 4, 5, 6, 7, 10, 11]),
            2,
        ]),
        // ADD, CMP and MOV beside the x87 instructions; one in memory.
        3 => code.extend([random.pick(&[0x01, 0x39, 0x89]), 0xc2]),
        4 => code.extend([random.pick(&[0x01, 0x39, 0x8b]), 0x43, 0x40]),
        // FLDCW and FNSTCW, FNSTSW to memory and AX.
        5 => {
            code.push(0xd9);
            let digit = random.pick(&[5, 7]);
            memory_operand(random, digit, code);
        }
        6 => code.extend([0xdf, 0xe0]),
        7 => {
            code.push(0xdd);
            memory_operand(random, 7, code);
        }
        // FNCLEX and FNINIT.
        8 => code.extend([0xdb, if random.one_in(6) { 0xe3 } else { 0xe2 }]),
        // FNSTENV, FNSAVE, MOVQ MM to memory, PADDB, EMMS, WAIT.
        9 if random.one_in(3) => code.extend([random.pick(&[0xd9, 0xdd]), 0xb3, 0, 1, 0, 0]),
        9 => match random.below(4) {
            0 => code.extend([0x0f, 0x7f, 0x43, 0x10]),
            1 => code.extend([0x0f, 0xfc, 0xc1]),
            2 => code.extend([0x0f, 0x77]),
            _ => code.push(0x9b),
        },
        // FSIN and its kin, FXTRACT, FPREM1, FPREM, FSCALE.
        10..=12 => code.extend([
            0xd9,
            random.pick(&[
                0xf0, 0xf1, 0xf2, 0xf3, 0xf9, 0xfb, 0xfe, 0xff, 0xf4, 0xf5, 0xf8, 0xfd,
            ]),
        ]),
        // Anything.
        _ => {
            let (opcode, modrm) = loop {
                let opcode = 0xd8 | random.below(8) as u8;
                let modrm = random.next() as u8 | if random.one_in(2) { 0xc0 } else { 0 };
                if !is_left_out(opcode, modrm) {
                    break (opcode, modrm);
                }
            };
            code.push(opcode);
            if modrm < 0xc0 {
                memory_operand(random, modrm >> 3 & 7, code);
            } else {
                code.push(modrm);
            }
        }
    }
}

/// A loop of x87 instructions that counts down in memory.
fn program(random: &mut Random) -> Vec<u8> {
    let mut code = Vec::new();
    for _ in 0..2 + random.below(30) {
        instruction(random, &mut code);
    }
    code.extend([0xff, 0x8b]);
    code.extend((COUNTER as u32 - DATA as u32).to_le_bytes());
    code.extend([0x0f, 0x85]);
    let back = -(code.len() as i64 + 4) as i32;
    code.extend(back.to_le_bytes());
    code.push(0xf4);
    code
}

fn scene(random: &mut Random, bits: Bits) -> CpuState {
    let mut state = bare(bits, 0x1000).unwrap().state.clone();
    for register in Gpr::ALL {
        state.set_gpr(register, random.next());
    }
    state.set_gpr(Gpr::Rbx, DATA);
    state.set_gpr(Gpr::Rsi, DATA + 0xfe0);
    state.set_gpr(Gpr::Rsp, STACK);
    state.set_rflags(Rflags::from_bits_truncate(random.next()) & Rflags::STATUS);
    state.rip = CODE;
    // CR0.NE.
    state.cr0 |= 0x20;
    let fpu = &mut state.fpu;
    for register in &mut fpu.registers {
        *register = random.extended();
    }
    fpu.in_use = match random.below(4) {
        0 => 0,
        1 => 0xff,
        2 => random.next() as u8,
        _ => 0x1c,
    };
    fpu.set_control(random.control());
    let status = random.next() as u16;
    fpu.set_status(if random.one_in(2) {
        status
    } else {
        status & !0xff
    });
    state
}

/// Runs the program of a seed on both; how many instructions it took.
fn check(pair: &mut Pair, bits: Bits, seed: u64) -> u64 {
    let mut random = Random(seed);
    let code = program(&mut random);
    let state = scene(&mut random, bits);
    // Whatever runs astray halts.
    let mut bytes = vec![0xf4; RAM];
    // Vectors lead nowhere: the first fault ends in a shutdown.
    bytes[..0x1000].fill(0);
    for at in (DATA as usize..RAM).step_by(16) {
        bytes[at..at + 16].copy_from_slice(&random.bytes());
    }
    for at in (0..8).map(|i| DATA as usize + 16 * i) {
        if random.one_in(8) {
            bytes[at..at + 2].copy_from_slice(&random.control().to_le_bytes());
        }
    }
    bytes[COUNTER as usize..][..4].copy_from_slice(&9u32.to_le_bytes());
    bytes[CODE as usize..][..code.len()].copy_from_slice(&code);
    let steps = 1 + random.below(300);
    pair.check(&state, &bytes, steps, || {
        let fpu = &state.fpu;
        format!("seed {seed}, {steps} steps, code {code:02x?}\n{fpu:x?}")
    })
}

fn run(bits: Bits, count: u64) {
    let seeds = seeds(count);
    let least = 20 * (seeds.end - seeds.start);
    let mut pair = Pair::new(bits, RAM as u64, 1 << 18);
    let retired: u64 = seeds.map(|seed| check(&mut pair, bits, seed)).sum();
    assert!(retired > least, "programs get somewhere: {retired}");
    let statistics = pair.statistics();
    assert!(
        statistics.carried_out * 3 < statistics.instructions,
        "most instructions are compiled: {statistics:?}"
    );
}

#[test]
fn random_x87_code_ends_alike_in_64_bit_mode() {
    run(Bits::Long64, 3000);
}

#[test]
fn random_x87_code_ends_alike_in_32_bit_mode() {
    run(Bits::Protected32, 3000);
}

#[test]
fn the_segment_of_the_last_operand_is_the_one_it_had() {
    let mut pair = Pair::new(Bits::Real, RAM as u64, 1 << 20);
    let mut state = bare(Bits::Real, RAM as u64).unwrap().state.clone();
    state.rip = CODE;
    state.set_gpr(Gpr::Rbx, DATA);
    state.set_gpr(Gpr::Rax, 0x123);
    let mut ram = vec![0; RAM];
    // FADD DWORD PTR [BX]; MOV DS, AX; JMP to the next byte; MOV DS, CX; JMP to the start
    let code = [0xd8, 0x07, 0x8e, 0xd8, 0xeb, 0x00, 0x8e, 0xd9, 0xeb, 0xf6];
    ram[CODE as usize..][..code.len()].copy_from_slice(&code);
    for steps in 400..405 {
        pair.check(&state, &ram, steps, || {
            format!("x87 operand, then DS: {steps} steps")
        });
    }
}
