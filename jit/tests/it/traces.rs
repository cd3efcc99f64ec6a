//! Loops that get hot, so that paths through them are compiled as one, end in the same
//! state as interpreted, wherever they are stopped; and so does code that was compiled at
//! one address and copied to others.

use rax_cpu::state::Gpr;
use rax_cpu::testing::{Bits, bare};
use rax_cpu::{Cpu, CpuState, Engine, Interpreter, Stop};
use rax_jit::{Jit, Options, Statistics};
use rax_mmu::{LinearAddress, PhysicalAddress};

use crate::programs::Random;

const RAM: u64 = 0x1_0000;
const CODE: u64 = 0x1000;
/// Page tables: the same 2 MiB everywhere from address zero, and from [`FAR`].
const TABLES: u64 = 0x4000;
const FAR: u64 = 0x7f00_0000_0000;
const STACK: u64 = 0x9800;
const DATA: u64 = 0xa000;
const COUNTER: u32 = 0xb800;

/// Loops within a loop around short blocks, all of whose accesses succeed.
fn program(bits: Bits, random: &mut Random) -> Vec<u8> {
    let mut code = Vec::new();
    let mut starts = Vec::new();
    let mut skips: Vec<(usize, usize)> = Vec::new();
    let mut short_skips: Vec<(usize, usize)> = Vec::new();
    let count = 4 + random.below(20) as usize;
    for n in 0..count {
        starts.push(code.len());
        match random.below(10) {
            0 | 1 => {
                // Jcc over the next few instructions.
                code.extend([0x0f, 0x80 | random.below(16) as u8, 0, 0, 0, 0]);
                skips.push((code.len(), (n + 1 + random.below(4) as usize).min(count)));
            }
            2 if n > 0 && random.one_in(2) => {
                // DEC of a counter; back to an earlier one while it is not zero.
                code.extend([0xff, 0x0c, 0x25]);
                code.extend((COUNTER + 4 * random.below(8) as u32).to_le_bytes());
                code.extend([0x0f, 0x85, 0, 0, 0, 0]);
                skips.push((code.len(), random.below(n as u64) as usize));
            }
            3 if random.one_in(2) => {
                // JMP over one.
                code.extend([0xe9, 0, 0, 0, 0]);
                skips.push((code.len(), (n + 2).min(count)));
            }
            4 if random.one_in(16) => {
                // A store into the immediate of the ADD behind it, or before it.
                let at = CODE as u32 + code.len() as u32;
                let own = random.one_in(2);
                code.extend([0x88, 0x04, 0x25]);
                code.extend((if own { at + 9 } else { CODE as u32 + 2 }).to_le_bytes());
                code.extend([0x83, 0xc2, 0x05]);
            }
            5 => {
                // LOOPNE, LOOPE, LOOP or JCXZ over the next few, also of the narrower count.
                if random.one_in(2) {
                    code.push(0x67);
                }
                code.extend([0xe0 + random.below(4) as u8, 0]);
                short_skips.push((code.len(), (n + 1 + random.below(4) as usize).min(count)));
            }
            _ => instruction(bits, random, &mut code),
        }
    }
    starts.push(code.len());
    for (at, to) in short_skips {
        code[at - 1] = i8::try_from(starts[to] - at).expect("four instructions are short") as u8;
    }
    for (at, to) in skips {
        let by = starts[to] as i32 - at as i32;
        code[at - 4..at].copy_from_slice(&by.to_le_bytes());
    }
    code.push(0xe9);
    let back = -(code.len() as i32 + 4);
    code.extend(back.to_le_bytes());
    code
}

/// One that cannot fault: RBX points to data, R8 or EDI to the last bytes of a page. What is a
/// REX prefix in 64-bit code is INC or DEC in 32-bit code.
fn instruction(bits: Bits, random: &mut Random, code: &mut Vec<u8>) {
    const REGISTERS: [u8; 4] = [0, 1, 2, 6];
    const ALU: [u8; 8] = [0x01, 0x09, 0x11, 0x19, 0x21, 0x29, 0x31, 0x39];
    let register = |random: &mut Random| REGISTERS[random.below(4) as usize];
    let (a, b) = (register(random), register(random));
    let wide = if random.one_in(2) { 0x48 } else { 0x40 };
    let alu = ALU[random.below(8) as usize];
    let near = 8 * random.below(12) as u8;
    match random.below(23) {
        0..4 => code.extend([wide, alu, 0xc0 | a << 3 | b]),
        4 => code.extend([wide, 0x83, 0xc0 | (alu & 0x38) | a, random.next() as u8]),
        // From and to memory.
        5 => code.extend([wide, alu | 2, 0x43 | a << 3, near]),
        6 => code.extend([wide, alu, 0x43 | a << 3, near]),
        7 => code.extend([wide, 0x8b, 0x43 | a << 3, near]),
        8 => code.extend([wide, 0x89, 0x43 | a << 3, near]),
        // Across a page.
        9 | 10 => {
            let (rex, base) = match bits {
                Bits::Long64 => (wide | 1, 0),
                _ => (wide, 7),
            };
            let opcode = if random.one_in(2) { alu | 2 } else { 0x89 };
            code.extend([rex, opcode, 0x40 | base | a << 3, random.below(8) as u8]);
        }
        // MOVZX and MOVSX, with an index.
        11 => {
            code.extend([wide, 0x83, 0xe1, 0x1f, wide, 0x0f]);
            let kind = [0xb6, 0xb7, 0xbe, 0xbf][random.below(4) as usize];
            code.extend([kind, 0x44 | a << 3, 0x4b, near]);
        }
        // INC, DEC, NEG, shifts, rotations.
        12 => code.extend([wide, 0xff, 0xc0 | (random.below(2) as u8) << 3 | a]),
        13 => code.extend([wide, 0xf7, 0xd8 | a]),
        14 => code.extend([wide, 0xc1, 0xc0 | random.next() as u8 & 0x38 | a, near]),
        15 => code.extend([wide, 0xd3, 0xc0 | random.next() as u8 & 0x38 | a]),
        // SETcc and CMOVcc.
        16 => code.extend([0x0f, 0x90 | random.below(16) as u8, 0xc0 | a & 3]),
        17 => code.extend([wide, 0x0f, 0x40 | random.below(16) as u8, 0xc0 | a << 3 | b]),
        // ADDSD, MULSD and UCOMISD of memory.
        18 => match random.below(3) {
            0 => code.extend([0xf2, 0x0f, 0x58, 0x43, near]),
            1 => code.extend([0xf2, 0x0f, 0x59, 0x43, near]),
            _ => code.extend([0x66, 0x0f, 0x2e, 0x43, near]),
        },
        // LEA and MOV of what lies in the code; CALL of what follows, and POP.
        19 => code.extend([wide, 0x8d, 0x05 | a << 3, near, 0, 0, 0]),
        20 => code.extend([
            wide,
            0x8b,
            0x05 | a << 3,
            0u8.wrapping_sub(near),
            255,
            255,
            255,
        ]),
        21 => code.extend([0xe8, 0, 0, 0, 0, 0x58 | a]),
        // FLD, FADD and FSTP.
        _ => code.extend([0xdd, 0x43, near, 0xdc, 0x43, near ^ 8, 0xdd, 0x5b, near]),
    }
}

/// What can be seen after each stop.
type Seen = Vec<(Stop, CpuState, u64)>;

/// Runs a program at these addresses, one after the other, by one engine.
fn run(
    bits: Bits,
    code: &[u8],
    seed: u64,
    windows: &[u64],
    engine: &mut dyn FnMut(&Cpu) -> Box<dyn Engine>,
) -> (Seen, Vec<u8>) {
    let mut random = Random(seed);
    let mut cpu = bare(bits, RAM).unwrap();
    let memory = cpu.mmu.memory().clone();
    let bytes: Vec<u8> = (0..RAM).map(|at| (at ^ seed) as u8).collect();
    memory.ram_write(PhysicalAddress(0), &bytes).unwrap();
    memory.ram_write(PhysicalAddress(CODE), code).unwrap();
    for n in 0..8 {
        let counter = (1 + random.below(40) as u32).to_le_bytes();
        let at = u64::from(COUNTER) + 4 * n;
        memory.ram_write(PhysicalAddress(at), &counter).unwrap();
    }
    for (at, entry) in [
        (0, TABLES + 0x1000),
        (FAR >> 39 << 3, TABLES + 0x1000),
        (0x1000, TABLES + 0x2000),
    ] {
        let entry = (entry | 7).to_le_bytes();
        memory
            .ram_write(PhysicalAddress(TABLES + at), &entry)
            .unwrap();
    }
    for n in 0..16 {
        for (at, entry) in [(0x2000, TABLES + 0x3000), (0x3000, n << 12)] {
            let at = PhysicalAddress(TABLES + at + 8 * n);
            memory.ram_write(at, &(entry | 7).to_le_bytes()).unwrap();
        }
    }
    if bits == Bits::Long64 {
        cpu.state.cr4 |= 1 << 5;
        cpu.state.cr3 = TABLES;
        cpu.state.cr0 |= 1 << 31;
        cpu.state.cpl = 3;
    }
    for register in [Gpr::Rax, Gpr::Rcx, Gpr::Rdx, Gpr::Rsi] {
        let value = random.next();
        let is_wide = bits == Bits::Long64;
        cpu.state
            .set_gpr(register, if is_wide { value } else { value & 0xffff_ffff });
    }
    cpu.state.set_gpr(Gpr::Rdi, DATA + 0xffa);
    cpu.state.set_gpr(Gpr::Rbx, DATA + 0x100);
    cpu.state.set_gpr(Gpr::R8, DATA + 0xffa);
    cpu.mmu.flush_all();
    let mut engine = engine(&cpu);
    let mut seen = Vec::new();
    let mut until = 0;
    for &window in windows {
        cpu.state.set_gpr(Gpr::Rsp, STACK);
        cpu.state.rip = window + CODE;
        cpu.update_mode();
        for _ in 0..6 {
            until += 1 + random.below(700);
            let stop = engine.run(&mut cpu, until);
            let mut state = cpu.state.clone();
            state.set_gpr(Gpr::BlockRip, 0);
            state.flags = rax_cpu::flags::LazyFlags::from_status(state.flags.status());
            seen.push((stop, state, cpu.state.instructions));
            if bits == Bits::Long64 {
                disturb(&mut cpu, &mut random);
            }
        }
    }
    let mut ram = vec![0; RAM as usize];
    memory.ram_read(PhysicalAddress(0), &mut ram).unwrap();
    (seen, ram)
}

/// What a kernel may do in between: the pages of data change places, or are no longer dirty.
fn disturb(cpu: &mut Cpu, random: &mut Random) {
    let memory = cpu.mmu.memory().clone();
    match random.below(4) {
        0 => {
            let entries = [DATA, DATA + 0x1000].map(|page| TABLES + 0x3000 + (page >> 12 << 3));
            let pages = entries.map(|at| {
                let mut entry = [0; 8];
                memory.ram_read(PhysicalAddress(at), &mut entry).unwrap();
                entry
            });
            for (at, page) in entries.into_iter().zip([pages[1], pages[0]]) {
                memory.ram_write(PhysicalAddress(at), &page).unwrap();
            }
            if random.one_in(2) {
                cpu.mmu.flush_non_global(0);
            } else {
                // The same page is at many addresses; the engine uses one of them.
                let start = cpu.state.rip & !0x1f_ffff;
                for page in [DATA, DATA + 0x1000] {
                    for start in [0, start] {
                        cpu.mmu.invalidate_page(LinearAddress(start + page));
                    }
                }
            }
        }
        1 => {
            drop(memory.take_dirty());
        }
        _ => {}
    }
}

/// Holds both engines against each other; how many traces and copies there were.
fn check(bits: Bits, cases: u64, windows: &[u64]) -> [u64; 2] {
    let factor = std::env::var("RAX_CASES").ok();
    let factor: u64 = factor.and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut counts = [0; 2];
    for seed in 0..cases * factor {
        let code = program(bits, &mut Random(seed));
        let (expected, memory) = run(bits, &code, seed, windows, &mut |cpu| {
            Box::new(Interpreter::new(cpu))
        });
        let mut report = None;
        let (found, other) = run(bits, &code, seed, windows, &mut |cpu| {
            let options = Options {
                threshold: (seed % 3) as u16,
                cache_bytes: 1 << 18,
                interval: 64,
                hot: 1 + (seed % 2) as u8,
            };
            let jit = Jit::new(cpu, options).unwrap();
            report = Some(jit.report());
            Box::new(jit)
        });
        for (n, (a, b)) in expected.iter().zip(&found).enumerate() {
            assert!(a == b, "seed {seed}, stop {n}: {code:02x?}\n{a:x?}\n{b:x?}");
        }
        let differs = memory.iter().zip(&other).position(|(a, b)| a != b);
        assert_eq!(differs, None, "seed {seed}: {code:02x?}");
        let statistics: Statistics = report.map(|report| report.get()).unwrap_or_default();
        counts[0] += statistics.traces;
        counts[1] += statistics.copied;
    }
    counts
}

#[test]
fn hot_loops_end_alike() {
    for bits in [Bits::Long64, Bits::Protected32] {
        let [traces, _] = check(bits, 1000, &[0]);
        assert!(traces > 800, "{bits:?}: {traces} traces");
    }
}

#[test]
fn copies_of_code_end_alike() {
    let windows = [1, 5, 2, 5, 14].map(|n| FAR + (n << 21));
    let [_, copied] = check(Bits::Long64, 500, &windows);
    assert!(copied > 1500, "{copied} copies");
}

#[test]
fn a_direct_call_of_far_code_is_joined() {
    // CALL of a RET, which lies behind a JMP back.
    let code = [0xe8, 5, 0, 0, 0, 0xe9, 0xf6, 0xff, 0xff, 0xff, 0xc3];
    let mut report = None;
    run(Bits::Long64, &code, 1, &[FAR], &mut |cpu| {
        let jit = Jit::new(cpu, Options::default()).unwrap();
        report = Some(jit.report());
        Box::new(jit)
    });
    let joined = report.map_or(0, |report| report.get().joined);
    assert_eq!(joined, 3, "the call, what follows it, and the jump");
}
