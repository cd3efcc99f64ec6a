//! Pushes and pops in a row, on stacks that end, cannot be written, or hold the code itself:
//! compiled code leaves what the interpreter leaves.

use rax_cpu::segment::{Attributes, DescriptorTable, Segment};
use rax_cpu::state::{CpuState, Gpr};
use rax_cpu::testing::{Bits, bare};

use crate::pair::{Pair, seeds};
use crate::programs::Random;

const RAM: u64 = 0x2_0000;
const CODE: u64 = 0x1000;
const HANDLER: u64 = 0x2000;
/// For the handler.
const STACK: u64 = 0x8000;
/// Not there, and the pages beside it are.
const ABSENT: u64 = 0xc000;
/// May be read only.
const FIXED: u64 = 0xe000;
const TABLES: u64 = 0x1_0000;
const IDT: u64 = 0x1_4000;
const GDT: u64 = 0x1_5000;
const TSS: u64 = 0x1_6000;

/// Every vector leads to a HLT, on a stack of its own.
fn memory(bits: Bits, code: &[u8], random: &mut Random) -> Vec<u8> {
    let mut ram: Vec<u8> = (0..RAM).map(|_| random.next() as u8).collect();
    let mut write = |at: u64, bytes: &[u8]| {
        ram[at as usize..][..bytes.len()].copy_from_slice(bytes);
    };
    write(CODE, code);
    write(HANDLER, &[0xf4]);
    for vector in 0..0x100 {
        let (size, stack) = if bits == Bits::Long64 {
            (16, 1)
        } else {
            (8, 0)
        };
        let gate = HANDLER | 8 << 16 | stack << 32 | 0x8e00 << 32;
        write(
            IDT + vector * size,
            &u128::from(gate).to_le_bytes()[..size as usize],
        );
    }
    let code = if bits == Bits::Long64 { 0xaf } else { 0xcf };
    write(GDT + 8, &u64::to_le_bytes(0xffff | 0x9b << 40 | code << 48));
    write(TSS + 0x24, &STACK.to_le_bytes());
    for (at, entry) in [(0, 0x1003), (0x1000, 0x2003), (0x2000, 0x3003)] {
        write(TABLES + at, &u64::to_le_bytes(TABLES + entry));
    }
    for page in 0..32 {
        let rights = match page << 12 {
            ABSENT => 0,
            FIXED => 1,
            _ => 3,
        };
        let entry = page << 12 | rights;
        write(TABLES + 0x3000 + page * 8, &u64::to_le_bytes(entry));
    }
    ram
}

fn state(bits: Bits, random: &mut Random) -> CpuState {
    let mut state = bare(bits, RAM).unwrap().state.clone();
    let table = |base| DescriptorTable { base, limit: 0xfff };
    (state.idtr, state.gdtr) = (table(IDT), table(GDT));
    state.rip = CODE;
    for register in Gpr::ALL {
        let value = random.next();
        state.set_gpr(
            register,
            if bits == Bits::Long64 {
                value
            } else {
                value & 0xffff_ffff
            },
        );
    }
    let edges = [
        ABSENT,
        ABSENT + 0x1000,
        FIXED,
        FIXED + 0x1000,
        CODE + 0x40,
        0x9000,
        RAM,
    ];
    let edge = edges[random.below(edges.len() as u64) as usize];
    let odd = if random.one_in(8) { random.below(8) } else { 0 };
    let top = edge + 8 * random.below(24) + odd;
    state.set_gpr(Gpr::Rsp, top - 96);
    if bits == Bits::Long64 {
        state.cr4 |= 1 << 5;
        state.cr3 = TABLES;
        state.cr0 |= 1 << 31 | 1 << 16;
        let busy = Attributes::from_bits_retain(0x8b);
        state.tr = Segment {
            base: TSS,
            limit: 0x67,
            attributes: busy,
            ..state.tr
        };
    }
    state
}

/// Groups of pushes and pops, and what may come between them.
fn program(bits: Bits, random: &mut Random) -> Vec<u8> {
    let mut code = Vec::new();
    let rex = |code: &mut Vec<u8>, bit: u8, is_set: bool| {
        if bits == Bits::Long64 && (is_set || bit == 8) {
            code.push(0x40 | bit | u8::from(is_set));
        }
    };
    for _ in 0..1 + random.below(4) {
        let opcode = if random.one_in(2) { 0x50 } else { 0x58 };
        for _ in 0..1 + random.below(10) {
            let register = random.below(8) as u8;
            if register == 4 && !random.one_in(8) {
                continue;
            }
            rex(&mut code, 0, random.one_in(2));
            code.push(opcode | register);
        }
        match random.below(5) {
            // ADD RSP: its flags follow from the stack pointer.
            4 => {
                rex(&mut code, 8, false);
                code.extend([0x83, 0xc4, 8 * random.below(8) as u8]);
            }
            // ADD, whose flags wait for somebody who looks.
            0 => {
                rex(&mut code, 8, false);
                code.extend([0x01, 0xc0 | (random.below(64) as u8 & 0x1b)]);
            }
            // LEA ESP: the stack is elsewhere.
            1 => {
                rex(&mut code, 8, false);
                code.extend([0x8d, 0x64, 0x24, (8 * random.below(16)) as u8 ^ 0x40]);
            }
            // ADDSD: the vectors are in the host's registers.
            2 => code.extend([0xf2, 0x0f, 0x58, 0xc1]),
            _ => {}
        }
    }
    code.push(0xf4);
    code
}

fn check(bits: Bits, count: u64) {
    let mut pair = Pair::new(bits, RAM, 1 << 20);
    let mut compiled = 0;
    for seed in seeds(count) {
        let mut random = Random(seed);
        let code = program(bits, &mut random);
        let ram = memory(bits, &code, &mut random);
        let state = state(bits, &mut random);
        pair.check(&state, &ram, 1000, || {
            format!("seed {seed}, stack {:x}: {code:02x?}", state.gpr(Gpr::Rsp))
        });
        compiled = pair.statistics().blocks;
    }
    assert!(compiled > count / 2, "{compiled} blocks");
}

#[test]
fn pushes_and_pops_end_alike() {
    check(Bits::Long64, 3000);
    check(Bits::Protected32, 1500);
}
