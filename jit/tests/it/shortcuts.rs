//! Instructions of which compiled code carries out the frequent case by itself, among others
//! that set flags and look at them, at every privilege, while interrupts come.

use std::sync::atomic::{AtomicBool, Ordering};

use rax_cpu::Platform;
use rax_cpu::rflags::{Cr4, Rflags};
use rax_cpu::state::{CpuState, Gpr};
use rax_cpu::testing::{Bits, bare};
use rax_mmu::{MmioSpace, PhysicalAddress};

use crate::pair::{Pair, seeds};
use crate::programs::Random;

const RAM: u64 = 0x1_0000;
const CODE: u64 = 0x1000;
const STACK: u64 = 0x3000;
const DATA: u64 = 0x5000;
/// An IRET, where all vectors of real mode lead.
const HANDLER: usize = 0x600;

/// A device that raises the INTR pin when it is written to, until that is acknowledged.
#[derive(Debug, Default)]
struct Line {
    level: AtomicBool,
    now: u64,
}

impl MmioSpace for Line {
    fn mmio_read(&mut self, _address: PhysicalAddress, bytes: &mut [u8]) {
        bytes.fill(0xff);
    }

    fn mmio_write(&mut self, _address: PhysicalAddress, _bytes: &[u8]) {}
}

impl Platform for Line {
    fn begin_access(&mut self, instructions: u64) {
        self.now = instructions;
    }

    fn port_read(&mut self, _port: u16, bytes: &mut [u8]) {
        bytes.fill(self.now as u8);
    }

    fn port_write(&mut self, _port: u16, _bytes: &[u8]) {
        self.level.store(true, Ordering::Relaxed);
    }

    fn interrupt_pending(&mut self) -> bool {
        self.level.load(Ordering::Relaxed)
    }

    fn acknowledge_interrupt(&mut self) -> u8 {
        self.level.store(false, Ordering::Relaxed);
        0x20
    }

    fn clock_cycles(&mut self) -> u64 {
        self.now
    }

    fn random(&mut self) -> u64 {
        self.now
    }

    fn wants_attention(&self) -> bool {
        false
    }

    fn heeds_pause(&self) -> bool {
        true
    }

    fn interrupt_level(&self) -> Option<&AtomicBool> {
        Some(&self.level)
    }
}

/// What sets flags, or asks for them; in hexadecimal, for all code sizes.
const FLAGS: &[&str] = &[
    "39 d8",
    "01 c8",
    "21 c8",
    "d1 e0",
    "d3 e8",
    "f7 d8",
    "c1 c0 05",
    "c1 e8 03",
    "0f ba e0 03",
    "f8",
    "f9",
    "f5",
    "11 d9",
    "19 c2",
    "d1 d0",
    "0f 92 c1",
    "0f 94 c2",
    "0f 9c c0",
    "0f 90 c2",
    "0f 9a c1",
    "72 00",
    "7c 01 90",
    "0f a2",
    "83 c0 7f",
    "0f af c3",
    "fe c0",
    "80 e9 01",
];

/// In all code sizes.
const COMMON: &[&str] = &[
    "fa",
    "fb",
    "fb 90",
    "fa fb",
    "9c",
    "9d",
    "9c 9d",
    "66 9c",
    "66 9d",
    "9c fa 9d",
    "9f",
    "9e",
    "b4 d5 9e",
    "f3 90",
    "fc",
    "fd",
    "c8 08 00 00",
    "c8 00 00 00",
    "66 c8 10 00 00",
    "c9",
    "50",
    "5a",
    "6a 00 9d",
];
/// In 64-bit code.
const LONG: &[&str] = &[
    "0f 01 f8",
    "f3 0f ae c0",
    "f3 48 0f ae c1",
    "f3 0f ae ca",
    "f3 48 0f ae d8",
    "f3 48 0f ae d3",
    "f3 41 0f ae c0",
    "f3 4d 0f ae d0",
    "0f 01 ca",
    "0f 01 cb",
    "48 0f c7 0b",
    "0f c7 0b",
    "48 0f c7 4b 08",
    "48 0f c7 4b 10",
    "0f c7 4b 04",
    "f0 0f c7 0b",
    "f0 48 0f c7 0b",
    "48 8b 03 48 8b 53 08",
    "8b 03 8b 53 04",
    "48 0f c7 0b 0f 94 c1",
    "48 0f c7 0b 75 01 90",
    "65 48 0f c7 0c 25 00 50 00 00",
    "48 c7 c1 05 00 00 00 f2 ae",
    "48 c7 c1 07 00 00 00 f3 a6",
    "48 c7 c1 09 00 00 00 f3 48 a7",
    "b1 3f f2 66 af",
    "31 c9 f3 a6",
    "f2 67 ae",
    "48 8d 3b",
    "48 8d b3 c0 0f 00 00",
    "48 8d bb d0 0f 00 00",
    "31 ff",
    "b1 02 f3 67 a6 77 00",
];
/// In 32-bit code.
const PROTECTED: &[&str] = &[
    "60",
    "61",
    "66 60",
    "66 61",
    "0f c7 0b",
    "0f c7 4b 05",
    "f0 0f c7 0b",
    "8b 03 8b 53 04",
    "0f c7 0b 0f 94 c1",
    "b9 05 00 00 00 f2 ae",
    "b9 07 00 00 00 f3 a6",
    "b9 50 00 00 00 f3 a7",
    "b9 3f 00 00 00 f2 66 af",
    "31 c9 f3 a6",
    "8d 3b",
    "8d b3 c0 0f 00 00",
    "8d bb d0 0f 00 00",
    "0f 01 ca",
    "0f 01 cb",
    "d4 0a",
    "d5 0a",
    "d4 10",
    "d6",
    "d4 00",
];
/// In real mode.
const REAL: &[&str] = &[
    "60",
    "61",
    "66 60",
    "66 61",
    "66 9c",
    "66 9d",
    "0f c7 0f",
    "b9 05 00 f2 ae",
    "b9 07 00 f3 a6",
    "d4 0a",
    "d5 0a",
    "d6",
    "9a 11 06 00 00",
    "9a 01 04 20 00",
    "66 9a 11 06 00 00 00 00",
    "ff 1e 00 70",
    "66 ff 1e 08 70",
    "68 00 00 68 10 06 cb",
    "cd 30",
    "9a 20 06 00 00",
];

fn bytes(hex: &str) -> impl Iterator<Item = u8> + '_ {
    hex.split(' ')
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
}

fn program(random: &mut Random, bits: Bits) -> Vec<u8> {
    let own = match bits {
        Bits::Long64 => LONG,
        Bits::Protected32 => PROTECTED,
        Bits::Real => REAL,
    };
    let mut code = Vec::new();
    for _ in 0..4 + random.below(20) {
        let from = match random.below(5) {
            0 | 1 => FLAGS,
            2 => COMMON,
            _ => own,
        };
        let chosen = from[random.below(from.len() as u64) as usize];
        // The pin goes up.
        if random.one_in(if bits == Bits::Real { 8 } else { 60 }) {
            code.extend([0xe6, 0x40]);
        }
        // CPUID and the like change too much to be frequent.
        if chosen == "0f a2" && !random.one_in(8) {
            continue;
        }
        code.extend(bytes(chosen));
    }
    // Twice or so, so that compiled code meets itself.
    if bits == Bits::Long64 {
        code.extend([0xff, 0xcd]);
    } else {
        code.push(0x4d);
    }
    code.extend([0x0f, 0x85]);
    if bits == Bits::Real {
        let back = -(code.len() as i64 + 2) as i16;
        code.extend(back.to_le_bytes());
    } else {
        let back = -(code.len() as i64 + 4) as i32;
        code.extend(back.to_le_bytes());
    }
    code.push(0xf4);
    code
}

fn state(random: &mut Random, bits: Bits) -> CpuState {
    let mut state = bare(bits, 0x1000).unwrap().state.clone();
    for register in Gpr::ALL {
        let value = random.next() >> random.below(64);
        state.set_gpr(register, value);
    }
    state.set_gpr(
        Gpr::Rbx,
        DATA + 16 * random.below(3) + random.below(2) * random.below(8),
    );
    state.set_gpr(Gpr::Rsi, DATA + random.below(0x1800));
    state.set_gpr(Gpr::Rdi, DATA + random.below(0x1800));
    let odd = if random.one_in(6) {
        random.below(40)
    } else {
        0
    };
    state.set_gpr(Gpr::Rsp, if random.one_in(12) { odd } else { STACK - odd });
    state.set_gpr(Gpr::Rbp, 1 + random.below(5));
    let mut flags = Rflags::from_bits_truncate(random.next()) & (Rflags::STATUS | Rflags::IF);
    if random.one_in(6) {
        flags |= Rflags::DF;
    }
    if bits != Bits::Real {
        let chances = [Cr4::SMAP, Cr4::FSGSBASE, Cr4::PVI];
        for bit in chances {
            if !random.one_in(3) {
                state.cr4 |= bit.bits();
            }
        }
        if random.one_in(4) {
            // Segments stay what they are: nothing looks at them again.
            state.cpl = random.below(4) as u8;
            flags |= Rflags::from_bits_truncate(random.next()) & Rflags::IOPL;
        }
    }
    state.set_rflags(flags);
    state.rip = CODE;
    state
}

fn check(pair: &mut Pair, bits: Bits, seed: u64) -> u64 {
    let mut random = Random(seed);
    let code = program(&mut random, bits);
    let state = state(&mut random, bits);
    let mut ram: Vec<u8> = (0..RAM).map(|_| 0).collect();
    for at in DATA..DATA + 0x2000 {
        ram[at as usize] = if random.one_in(3) {
            random.next() as u8
        } else {
            0
        };
    }
    if bits == Bits::Real {
        for vector in 0..256 {
            ram[4 * vector..][..4].copy_from_slice(&(HANDLER as u32).to_le_bytes());
        }
        // IRET; RETF with and without a number; a near RET; far pointers to them.
        ram[HANDLER] = 0xcf;
        ram[HANDLER + 1] = 0xcb;
        ram[HANDLER + 0x10..][..3].copy_from_slice(&[0x90, 0x40, 0xcb]);
        ram[HANDLER + 0x20..][..3].copy_from_slice(&[0xca, 0x00, 0x00]);
        ram[0x7000..0x7004].copy_from_slice(&[0x11, 0x06, 0x00, 0x00]);
        ram[0x7008..0x700e].copy_from_slice(&[0x01, 0x04, 0x00, 0x00, 0x20, 0x00]);
    }
    ram[CODE as usize..][..code.len()].copy_from_slice(&code);
    for cpu in &mut pair.cpus {
        cpu.platform = Box::<Line>::default();
    }
    let steps = 1 + random.below(200);
    pair.check(&state, &ram, steps, || {
        let registers = state.gpr;
        format!("{bits:?}, seed {seed}, {steps} steps\ncode {code:02x?}\nregisters {registers:x?}")
    })
}

fn run(bits: Bits, count: u64) {
    let seeds = seeds(count);
    let least = 10 * (seeds.end - seeds.start);
    let mut pair = Pair::new(bits, RAM, 1 << 20);
    let retired: u64 = seeds.map(|seed| check(&mut pair, bits, seed)).sum();
    assert!(retired > least, "programs get somewhere: {retired}");
}

#[test]
fn shortcuts_of_64_bit_code_end_alike() {
    run(Bits::Long64, 3000);
}

#[test]
fn shortcuts_of_32_bit_code_end_alike() {
    run(Bits::Protected32, 3000);
}

#[test]
fn shortcuts_of_real_mode_end_alike() {
    run(Bits::Real, 3000);
}
