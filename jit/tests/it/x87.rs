//! x87 code on the host's unit against the interpreter: random sequences, all control words, all
//! classes of operands, stacks that overflow and underflow. Not a bit may differ.

use rax_cpu::float::F80;
use rax_cpu::rflags::Rflags;
use rax_cpu::state::Gpr;
use rax_cpu::testing::{Bits, bare};
use rax_cpu::{Cpu, CpuState, Engine, Interpreter};
use rax_jit::{Jit, Options};
use rax_mmu::PhysicalAddress;

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

/// Two processors: one interprets, the other compiles.
struct Pair {
    bits: Bits,
    cpus: [Box<Cpu>; 2],
    interpreter: Interpreter,
    jit: Jit,
    ram: [Vec<u8>; 2],
}

impl Pair {
    fn new(bits: Bits) -> Self {
        let cpus = [(); 2].map(|()| bare(bits, RAM as u64).unwrap());
        let options = Options {
            threshold: 0,
            cache_bytes: 1 << 18,
            ..Options::default()
        };
        Self {
            bits,
            interpreter: Interpreter::new(&cpus[0]),
            jit: Jit::new(&cpus[1], options).unwrap(),
            cpus,
            ram: [vec![0; RAM], vec![0; RAM]],
        }
    }

    /// Runs a program on both; how many instructions it took.
    fn check(&mut self, seed: u64) -> u64 {
        let mut random = Random(seed);
        let code = program(&mut random);
        let state = scene(&mut random, self.bits);
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
        let mut ends = Vec::new();
        for (n, cpu) in self.cpus.iter_mut().enumerate() {
            let memory = cpu.mmu.memory();
            memory.ram_write(PhysicalAddress(0), &bytes).unwrap();
            let before = cpu.state.instructions;
            cpu.state = state.clone();
            cpu.state.instructions = before;
            cpu.update_mode();
            cpu.mmu.flush_all();
            let engine: &mut dyn Engine = if n == 0 {
                &mut self.interpreter
            } else {
                &mut self.jit
            };
            let mut stops = Vec::new();
            for part in [steps / 3, steps / 2, steps] {
                let until = cpu.state.instructions.max(before + part);
                stops.push(engine.run(cpu, until));
            }
            let memory = cpu.mmu.memory();
            memory
                .ram_read(PhysicalAddress(0), &mut self.ram[n])
                .unwrap();
            let retired = cpu.state.instructions - before;
            let mut end = cpu.state.clone();
            // Of no account between instructions, and how flags are kept.
            end.set_gpr(Gpr::BlockRip, 0);
            end.flags = rax_cpu::flags::LazyFlags::from_status(end.flags.status());
            end.instructions = 0;
            ends.push((stops, retired, end));
        }
        let what = format!(
            "seed {seed}, {steps} steps, code {code:02x?}\n{:x?}",
            state.fpu
        );
        let [a, b] = [&ends[0], &ends[1]];
        assert_eq!((&a.0, a.1), (&b.0, b.1), "{what}");
        assert_eq!(a.2.fpu, b.2.fpu, "{what}");
        assert!(a.2 == b.2, "{what}");
        assert!(self.ram[0] == self.ram[1], "memory: {what}");
        a.1
    }
}

fn run(bits: Bits, seeds: u64) {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let seeds = seeds * number("RAX_CASES").unwrap_or(1);
    let first = number("RAX_SEED").unwrap_or(0);
    let mut pair = Pair::new(bits);
    let retired: u64 = (first..first + seeds).map(|seed| pair.check(seed)).sum();
    assert!(retired > 20 * seeds, "programs get somewhere: {retired}");
    let statistics = pair.jit.statistics();
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
