//! Every encoding of MMX, SSE and AVX ends in the same state, interpreted or compiled: a few
//! at a time, in all registers, from memory that may be misaligned or cross a page, in all
//! modes of MXCSR, with conditions in between.

#[path = "../../../cpu/src/insn/vector/tests/encodings.rs"]
mod encodings;

use encodings::{Encoding, encodings};
use iced_x86::{Decoder, DecoderOptions, Instruction, Register};
use rax_cpu::rflags::{Cr0, Rflags};
use rax_cpu::state::Gpr;
use rax_cpu::testing::{Bits, bare};
use rax_cpu::{Cpu, CpuState, Engine, Interpreter, Stop};
use rax_jit::{Jit, Options};
use rax_mmu::PhysicalAddress;

const RAM: usize = 0x8000;
const CODE: u64 = 0x1000;
const DATA: u64 = 0x4000;

/// The kind of lanes that have all bits set.
const ONES: u64 = 9;

/// The same seed, the same numbers (splitmix64).
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

    /// A number of a format, often at one of its edges.
    fn float(&mut self, fraction: u32, exponent: u32) -> u64 {
        let max = (1 << exponent) - 1;
        let field = match self.below(8) {
            0 => self.below(3),
            1 => max - self.below(3),
            2..6 => (max >> 1) - 35 + self.below(70),
            _ => self.below(max + 1),
        };
        let all = (1 << fraction) - 1;
        let bits = match self.below(5) {
            0 => 0,
            1 => all,
            2 => 1 << self.below(u64::from(fraction)),
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
            6 => self.below(45).wrapping_sub(20),
            ONES => u64::MAX,
            _ => self.next(),
        }
    }
}

/// An encoding of every instruction that has a form without memory.
#[cfg(target_arch = "x86_64")]
pub(super) fn on_registers() -> Vec<Vec<u8>> {
    let all = encodings().into_iter();
    all.filter(|encoding| !encoding.in_memory)
        .map(|encoding| encoding.bytes)
        .collect()
}

fn decode(bytes: &[u8]) -> Instruction {
    Decoder::new(64, bytes, DecoderOptions::NONE).decode()
}

/// Whether bytes are the same instruction as an encoding, over other registers.
fn is_alike(bytes: &[u8], encoding: &Encoding) -> bool {
    let [new, old] = [bytes, &encoding.bytes[..]].map(decode);
    let is_memory_alike = new.memory_base() == old.memory_base()
        && (new.memory_index() == Register::None || old.memory_index() != Register::None);
    new.code() == encoding.code && new.op_kinds().eq(old.op_kinds()) && is_memory_alike
}

/// An encoding with other registers and another immediate.
fn vary(encoding: &Encoding, random: &mut Random) -> Vec<u8> {
    for _ in 0..4 {
        let mut bytes = encoding.bytes.clone();
        let mut modrm = bytes.len() - 1 - usize::from(encoding.has_immediate);
        if bytes[0] == 0xc4 {
            bytes[1] ^= (random.next() as u8) & 0x80;
            bytes[2] ^= (random.next() as u8) & 0x78;
            if !encoding.in_memory {
                bytes[1] ^= (random.next() as u8) & 0x20;
            }
            modrm = 4;
        } else if let Some(at) = bytes.iter().position(|&byte| byte == 0x0f)
            && random.one_in(2)
            && (at == 0 || bytes[at - 1] != 0x48)
        {
            let rex = random.next() as u8 & if encoding.in_memory { 4 } else { 5 };
            bytes.insert(at, 0x40 | rex);
            modrm += 1;
        }
        if let Some(byte) = bytes.get_mut(modrm) {
            *byte ^= random.next() as u8 & if encoding.in_memory { 0x38 } else { 0x3f };
        }
        if encoding.has_immediate
            && let Some(last) = bytes.last_mut()
        {
            *last = random.next() as u8;
        }
        if is_alike(&bytes, encoding) {
            let length = decode(&bytes).len();
            bytes.truncate(length);
            return bytes;
        }
    }
    encoding.bytes.clone()
}

/// FLD1, FADDP, FNSTSW AX, FXCH, FCOMI, FLD and FSTP in memory, FSQRT.
const X87: &[&[u8]] = &[
    &[0xd9, 0xe8],
    &[0xde, 0xc1],
    &[0xdf, 0xe0],
    &[0xd9, 0xc9],
    &[0xdb, 0xf1],
    &[0xd9, 0x03],
    &[0xdd, 0x5b, 0x10],
    &[0xd9, 0xfa],
];

fn program(all: &[Encoding], number: usize, random: &mut Random) -> Vec<u8> {
    let mut code = Vec::new();
    let count = 1 + random.below(5);
    let place = random.below(count);
    for n in 0..count {
        let chosen = if n == place {
            number % all.len()
        } else {
            random.below(all.len() as u64) as usize
        };
        code.extend(vary(&all[chosen], random));
        match random.below(9) {
            8 => code.extend(X87[random.below(X87.len() as u64) as usize]),
            // SETcc of CL; Jcc over an INC of RCX; ADC; CMP and a CMOVcc.
            0 => code.extend([0x0f, 0x90 | random.below(16) as u8, 0xc1]),
            1 => code.extend([0x70 | random.below(16) as u8, 3, 0x48, 0xff, 0xc1]),
            2 => code.extend([0x48, 0x11, 0xca]),
            3 => {
                code.extend([0x48, 0x39, 0xc1]);
                code.extend(vary(&all[random.below(all.len() as u64) as usize], random));
                code.extend([0x48, 0x0f, 0x40 | random.below(16) as u8, 0xd0]);
            }
            _ => {}
        }
    }
    code.push(0xf4);
    code
}

/// The registers that MMX shares; seldom with an exception that is not masked, or pending.
fn start_x87(state: &mut CpuState, random: &mut Random, kind: u64) {
    let fpu = &mut state.fpu;
    for register in &mut fpu.registers {
        register.significand = random.lane(kind);
        register.sign_exponent = random.next() as u16;
    }
    fpu.in_use = random.next() as u8;
    fpu.status = random.next() as u16 & 0x7f7f;
    if random.one_in(8) {
        fpu.set_control(random.next() as u16);
    } else {
        fpu.summarize();
    }
}

fn start(random: &mut Random) -> CpuState {
    let mut state = bare(Bits::Long64, 0x1000).unwrap().state.clone();
    let kind = random.below(9);
    let is_mixed = random.one_in(3);
    for register in &mut state.vectors {
        // A gather looks for masks and indexes.
        let kind = match random.below(10) {
            _ if !is_mixed => kind,
            mixed @ 0..9 => mixed,
            _ => ONES,
        };
        register.0 = [(); 4].map(|()| random.lane(kind));
    }
    start_x87(&mut state, random, kind);
    state.cr0 |= Cr0::NE.bits();
    for register in Gpr::ALL {
        state.set_gpr(register, random.lane(kind));
    }
    state.set_gpr(Gpr::Rsp, 0x2000);
    let place = match random.below(8) {
        0 => random.below(64),
        1 => 0x1000 - random.below(40),
        _ => 32 * random.below(4),
    };
    state.set_gpr(Gpr::Rbx, DATA + place);
    state.set_gpr(Gpr::Rdi, DATA + place);
    let masks = if random.one_in(5) {
        random.next() as u32 & 0x1f80
    } else {
        0x1f80
    };
    state.mxcsr = random.next() as u32 & 0xe07f | masks;
    if random.one_in(2) {
        // As it mostly is.
        state.mxcsr = 0x1f80;
    }
    state.set_rflags(Rflags::from_bits_truncate(random.next()) & Rflags::STATUS);
    state.rip = CODE;
    state
}

struct Pair {
    all: Vec<Encoding>,
    cpus: [Box<Cpu>; 2],
    interpreter: Interpreter,
    jit: Jit,
}

impl Pair {
    fn new() -> Self {
        let cpus = [(); 2].map(|()| bare(Bits::Long64, RAM as u64).unwrap());
        let options = Options {
            threshold: 0,
            cache_bytes: 1 << 18,
            ..Options::default()
        };
        Self {
            all: encodings(),
            interpreter: Interpreter::new(&cpus[0]),
            jit: Jit::new(&cpus[1], options).unwrap(),
            cpus,
        }
    }

    /// What differs, if anything.
    fn check(&mut self, number: usize) -> Option<String> {
        let mut random = Random(number as u64);
        let code = program(&self.all, number, &mut random);
        let state = start(&mut random);
        let kind = random.below(9);
        let mut bytes: Vec<u8> = (0..RAM / 8)
            .flat_map(|_| random.lane(kind).to_le_bytes())
            .collect();
        // Vectors lead nowhere: the first fault ends in a shutdown.
        bytes[..0x3000].fill(0);
        bytes[CODE as usize..][..code.len()].copy_from_slice(&code);
        let mut ends: Vec<(Stop, CpuState, Vec<u8>)> = Vec::new();
        for (n, cpu) in self.cpus.iter_mut().enumerate() {
            let memory = cpu.mmu.memory();
            memory.ram_write(PhysicalAddress(0), &bytes).unwrap();
            let before = cpu.state.instructions;
            cpu.state = state.clone();
            cpu.state.instructions = before;
            cpu.update_mode();
            cpu.mmu.flush_all();
            let engine: &mut dyn Engine = match n {
                0 => &mut self.interpreter,
                _ => &mut self.jit,
            };
            let stop = engine.run(cpu, before + 100);
            let mut end = cpu.state.clone();
            end.instructions -= before;
            // Of no account between instructions, and how flags are kept.
            end.set_gpr(Gpr::BlockRip, 0);
            end.flags = rax_cpu::flags::LazyFlags::from_status(end.flags.status());
            let mut ram = vec![0; RAM];
            cpu.mmu
                .memory()
                .ram_read(PhysicalAddress(0), &mut ram)
                .unwrap();
            ends.push((stop, end, ram));
        }
        let [a, b] = [&ends[0], &ends[1]];
        (a != b).then(|| shown(number, &code, &state, [a, b]))
    }
}

fn shown(
    number: usize,
    code: &[u8],
    state: &CpuState,
    ends: [&(Stop, CpuState, Vec<u8>); 2],
) -> String {
    use std::fmt::Write;
    let mut text = format!(
        "case {number}, mxcsr {:x}, rbx {:x}\n",
        state.mxcsr,
        state.gpr(Gpr::Rbx)
    );
    for instruction in Decoder::new(64, code, DecoderOptions::NONE) {
        let _ = writeln!(text, "{:?} {instruction}", instruction.code());
    }
    let [a, b] = ends;
    let _ = writeln!(text, "{:?} {:?}", a.0, b.0);
    for n in 0..16 {
        let [x, y] = [a, b].map(|end| end.1.vectors[n].0);
        if x != y {
            let before = state.vectors[n].0;
            let _ = writeln!(text, "xmm{n}: {before:x?} -> {x:x?} or {y:x?}");
        }
        let [x, y] = [a, b].map(|end| end.1.gpr(Gpr::ALL[n]));
        if x != y {
            let _ = writeln!(text, "{:?}: {x:x} or {y:x}", Gpr::ALL[n]);
        }
    }
    let status = [a, b].map(|end| {
        (
            end.1.flags.status(),
            end.1.rip,
            end.1.mxcsr,
            end.1.instructions,
        )
    });
    let _ = writeln!(text, "{status:x?}");
    if let Some(at) = a.2.iter().zip(&b.2).position(|(x, y)| x != y) {
        let _ = writeln!(text, "memory at {at:x}");
    }
    text
}

#[test]
fn every_vector_encoding_ends_alike() {
    let mut pair = Pair::new();
    let factor = std::env::var("RAX_CASES").ok();
    let factor: usize = factor.and_then(|text| text.parse().ok()).unwrap_or(20);
    let first = std::env::var("RAX_SEED").ok();
    let first: usize = first.and_then(|text| text.parse().ok()).unwrap_or(0);
    let numbers = first..first + pair.all.len() * factor;
    let differ: Vec<String> = numbers
        .filter_map(|number| pair.check(number))
        .take(25)
        .collect();
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn all_vector_encodings_are_compiled() {
    // Those of extensions that a host may lack are left to the interpreter there.
    if !is_x86_feature_detected!("sha") || !is_x86_feature_detected!("vaes") {
        return;
    }
    let mut pair = Pair::new();
    let mut compiled = 0;
    for encoding in std::mem::take(&mut pair.all) {
        let cpu = &mut pair.cpus[1];
        let mut bytes = encoding.bytes[..decode(&encoding.bytes).len()].to_vec();
        bytes.push(0xf4);
        let memory = cpu.mmu.memory();
        memory.ram_write(PhysicalAddress(CODE), &bytes).unwrap();
        cpu.mmu.flush_all();
        let before = cpu.state.instructions;
        cpu.state = start(&mut Random(1));
        cpu.state.instructions = before;
        cpu.update_mode();
        let &rax_jit::Statistics {
            blocks,
            carried_out,
            ..
        } = pair.jit.statistics();
        pair.jit.run(cpu, before + 100);
        let statistics = pair.jit.statistics();
        assert!(statistics.blocks > blocks, "{:?}", encoding.code);
        // HLT is one.
        let is_left = statistics.carried_out > carried_out + 1;
        let name = format!("{:?}", encoding.code);
        assert!(!is_left, "{name}");
        compiled += usize::from(!is_left);
    }
    assert!(compiled > 900, "{compiled}");
}
