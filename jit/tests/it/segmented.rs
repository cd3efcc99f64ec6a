//! Random programs whose segments are not flat end in the same state, whoever runs them:
//! real mode, virtual-8086 mode, and protected mode with bases, limits and types.

use rax_cpu::rflags::Rflags;
use rax_cpu::segment::{Attributes, Segment, SegmentRegister};
use rax_cpu::state::{CpuState, Gpr};
use rax_cpu::testing::{Bits, bare};

use crate::pair::{Pair, seeds};
use crate::programs::Random;

const RAM: usize = 0x2_0000;
/// Offset of the code in its segment, of data in theirs, and of the stack's top.
const CODE: u64 = 0x1000;
const DATA: u64 = 0x2000;
const STACK: u64 = 0x3000;
/// Linear address of an IRET, where all vectors lead.
const HANDLER: usize = 0x0600;

/// What the processor does with segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Real,
    Virtual8086,
    Protected16,
    Protected32,
}

impl Style {
    const fn is_real(self) -> bool {
        matches!(self, Self::Real | Self::Virtual8086)
    }
}

/// One-byte opcodes with ModRM whose every form may run.
const WITH_MODRM: &[u8] = &[
    0x00, 0x01, 0x02, 0x03, 0x08, 0x0b, 0x10, 0x11, 0x13, 0x19, 0x20, 0x23, 0x28, 0x29, 0x2a, 0x2b,
    0x30, 0x31, 0x33, 0x38, 0x39, 0x3a, 0x3b, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x89,
    0x8b, 0x8d, 0xd0, 0xd1, 0xd2, 0xd3, 0xf6, 0xf7, 0xfe, 0xff, 0xff, 0x8f, 0x8c,
];
/// Two-byte opcodes with ModRM.
const TWO_BYTES: &[u8] = &[
    0x42, 0x44, 0x4f, 0x94, 0xa3, 0xab, 0xb3, 0xbb, 0xa5, 0xad, 0xaf, 0xb0, 0xb1, 0xb6, 0xb7, 0xbc,
    0xbe, 0xbf, 0xc0, 0xc1,
];
/// Without ModRM or immediates.
const PLAIN: &[u8] = &[
    0x06, 0x0e, 0x16, 0x1e, 0x07, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x40, 0x45, 0x4b, 0x4e, 0x50, 0x53,
    0x54, 0x56, 0x58, 0x5b, 0x5d, 0x5e, 0x60, 0x61, 0x90, 0x91, 0x96, 0x98, 0x99, 0x9e, 0x9f, 0xa4,
    0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0xc9, 0xd7, 0xf5, 0xf8, 0xf9, 0xfc, 0xfd,
    0x9c, 0xfa, 0xfb, 0xd6,
];

struct Program {
    style: Style,
    code: Vec<u8>,
}

impl Program {
    fn new(random: &mut Random, style: Style) -> Self {
        let mut program = Self {
            style,
            code: Vec::new(),
        };
        for _ in 0..3 + random.below(24) {
            program.instruction(random);
        }
        // Back to the start, as often as CX says.
        let back = -(program.code.len() as i64 + 2);
        match i8::try_from(back) {
            Ok(back) => program.code.extend([0xe2, back as u8]),
            Err(_) => {
                let near = (back - 1) as i32;
                program.code.push(0xe9);
                program.immediate(near as u32);
            }
        }
        program.code.push(0xf4);
        program
    }

    /// An immediate of the code's own operand size.
    fn immediate(&mut self, value: u32) {
        if self.style == Style::Protected32 {
            self.code.extend(value.to_le_bytes());
        } else {
            self.code.extend((value as u16).to_le_bytes());
        }
    }

    fn instruction(&mut self, random: &mut Random) {
        match random.below(24) {
            0 => {
                // Jcc, LOOP or JCXZ over a few bytes.
                let opcode = match random.below(4) {
                    0 => 0xe0 | random.below(4) as u8,
                    _ => 0x70 | random.below(16) as u8,
                };
                self.code.extend([opcode, random.below(3) as u8 * 2]);
            }
            1 => {
                // CALL over a RET.
                self.code.push(0xe8);
                self.immediate(2);
                self.code.extend([0xeb, 1, 0xc3]);
            }
            2 if self.style.is_real() => self.far(random),
            3 if self.style == Style::Real => {
                self.code.extend([0xcd, random.below(256) as u8]);
            }
            4 => {
                let prefix = [0xf2, 0xf3][random.below(2) as usize];
                let opcode = [0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf];
                self.code
                    .extend([prefix, opcode[random.below(10) as usize]]);
            }
            5 if self.style.is_real() || random.one_in(8) => {
                // MOV Sreg, LES, LDS, LFS.
                match random.below(3) {
                    0 => self.code.extend([0x8e, 0xc0 | random.below(64) as u8]),
                    1 => {
                        self.code.push(0xc4 | random.below(2) as u8);
                        self.modrm(random, None, true);
                    }
                    _ => {
                        self.code.extend([0x0f, 0xb4 | random.below(2) as u8]);
                        self.modrm(random, None, true);
                    }
                }
            }
            6 => {
                let register = random.below(8) as u8;
                self.code
                    .push(0xb8 | if register == 4 { 3 } else { register });
                let value = self.offset(random);
                self.immediate(value);
            }
            7 | 8 => {
                let opcode = PLAIN[random.below(PLAIN.len() as u64) as usize];
                // Loads of segments fault in protected mode; a few do.
                let loads = matches!(opcode, 0x07 | 0x1f);
                if !loads || self.style.is_real() || random.one_in(8) {
                    self.code.push(opcode);
                }
            }
            9 => {
                // ENTER, RET to the next instruction, AAM, AAD.
                match random.below(3) {
                    0 => self
                        .code
                        .extend([0xc8, random.below(64) as u8, 0, random.below(3) as u8]),
                    1 => self
                        .code
                        .extend([0xd4 | random.below(2) as u8, 1 + random.below(12) as u8]),
                    _ => self.code.extend([0xc7, 0x06, 0, 0x20, 5, 0]),
                }
            }
            _ => self.arithmetic(random),
        }
    }

    /// A far CALL to a far RET in the same code, by another selector as well.
    fn far(&mut self, random: &mut Random) {
        let here = CODE + self.code.len() as u64;
        let paragraphs = random.below(4);
        let offset = here + 7 - 16 * paragraphs;
        self.code.push(0x9a);
        self.code.extend((offset as u16).to_le_bytes());
        self.code.extend((paragraphs as u16).to_le_bytes());
        self.code.extend([0xeb, 1, 0xcb]);
    }

    fn offset(&self, random: &mut Random) -> u32 {
        match random.below(6) {
            0 => random.next() as u32,
            1 => 0xfff8 + random.below(16) as u32,
            2 => (CODE + random.below(0x60)) as u32,
            _ => (DATA + random.below(0x100)) as u32,
        }
    }

    fn arithmetic(&mut self, random: &mut Random) {
        if random.one_in(6) {
            self.code
                .push([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65][random.below(6) as usize]);
        }
        let has_66 = random.one_in(8);
        if has_66 {
            self.code.push(0x66);
        }
        let has_67 = random.one_in(12);
        if has_67 {
            self.code.push(0x67);
        }
        let wide = (self.style == Style::Protected32) != has_66;
        let (opcode, immediate) = match random.below(8) {
            0 => (
                [0x80, 0x83, 0xc0, 0xc1, 0x6b, 0xc6][random.below(6) as usize],
                1,
            ),
            1 => (
                [0x81, 0x69, 0xc7][random.below(3) as usize],
                if wide { 4 } else { 2 },
            ),
            2 | 3 => {
                self.code.push(0x0f);
                (TWO_BYTES[random.below(TWO_BYTES.len() as u64) as usize], 0)
            }
            _ => (
                WITH_MODRM[random.below(WITH_MODRM.len() as u64) as usize],
                0,
            ),
        };
        self.code.push(opcode);
        let reg = match opcode {
            0xc6 | 0xc7 if immediate != 0 => Some(0),
            0xfe => Some(random.below(2) as u8),
            // Not the jumps.
            0xff => Some([0, 1, 6][random.below(3) as usize]),
            0x8f => Some(0),
            // No immediate: NOT, NEG, MUL, IMUL, DIV, IDIV.
            0xf6 | 0xf7 => Some(2 + random.below(6) as u8),
            _ => None,
        };
        self.modrm(random, reg, has_67);
        for _ in 0..immediate {
            self.code.push(random.next() as u8);
        }
    }

    /// ModRM with what follows; `any` lets it be of the other address size.
    fn modrm(&mut self, random: &mut Random, reg: Option<u8>, any: bool) {
        let reg = reg.unwrap_or_else(|| random.below(8) as u8) << 3;
        if any {
            // Whatever its length is.
            self.code.push(0x40 | reg | random.below(8) as u8);
            self.code.push(random.below(0x40) as u8);
            return;
        }
        let wide = self.style == Style::Protected32;
        match random.below(4) {
            0 => {
                let rm = random.below(8) as u8;
                self.code.push(0xc0 | reg | if rm == 4 { 3 } else { rm });
            }
            1 => {
                // A lone displacement.
                self.code.push(reg | if wide { 5 } else { 6 });
                let offset = self.offset(random);
                self.immediate(offset);
            }
            2 => {
                // SI, DI, BP, BX, most often.
                let rm = if wide { [3, 6, 7, 5] } else { [4, 5, 6, 7] };
                self.code.push(0x40 | reg | rm[random.below(4) as usize]);
                self.code.push(random.next() as u8);
            }
            _ => {
                let rm = random.below(8) as u8;
                let rm = if wide && rm == 4 { 3 } else { rm };
                self.code.push(0x80 | reg | rm);
                let offset = random.below(0x40) as u32;
                self.immediate(if random.one_in(8) { 0xfff0 } else { offset });
            }
        }
    }
}

/// A segment of a style: most often an ordinary one.
fn segment(random: &mut Random, style: Style, register: SegmentRegister) -> Segment {
    let selector = random.below(0x1000) as u16;
    let is_code = register == SegmentRegister::Cs;
    match style {
        Style::Virtual8086 => Segment::virtual_8086(if is_code { 0 } else { selector }),
        Style::Real => {
            let mut segment = Segment::real_mode(if is_code { 0 } else { selector });
            if !is_code && random.one_in(12) {
                // "Big real mode", or what protected mode has left behind.
                segment.limit = [u32::MAX, 0x1_0fff, 0x2fff, 0x1fff][random.below(4) as usize];
                let odd = [0x93, 0x97, 0x9b, 0x00, 0xc093][random.below(5) as usize];
                segment.attributes = Attributes::from_bits_retain(odd);
            }
            segment
        }
        Style::Protected16 | Style::Protected32 => {
            let big = style == Style::Protected32;
            let size = if big { 0x4000 } else { 0 };
            let size = if !is_code && random.one_in(10) {
                size ^ 0x4000
            } else {
                size
            };
            let kind = match random.below(16) {
                _ if is_code => 0x9b,
                0 => 0x97,
                1 => 0x91,
                2 if register != SegmentRegister::Ss => 0x9b,
                _ => 0x93,
            };
            let limit = match random.below(8) {
                0 if !is_code => 0x20ff,
                1 => 0x3000 + random.below(64) as u32,
                2 if big => u32::MAX,
                // Just enough for the code, or not.
                3 if is_code => (CODE + random.below(0x80)) as u32,
                _ => 0xffff,
            };
            Segment {
                selector: 8,
                attributes: Attributes::from_bits_retain(kind | size),
                limit,
                base: u64::from(random.below(0xf000) as u16),
            }
        }
    }
}

fn state(random: &mut Random, style: Style) -> CpuState {
    let mut state = bare(Bits::Real, 0x1000).unwrap().state.clone();
    for register in SegmentRegister::ALL {
        state.segments[register as usize] = segment(random, style, register);
    }
    for register in Gpr::ALL {
        state.set_gpr(register, random.next() & 0xffff_ffff);
    }
    for register in [Gpr::Rbx, Gpr::Rsi, Gpr::Rdi, Gpr::Rbp] {
        let place = match random.below(8) {
            0 => random.next() & 0xffff,
            1 => 0xfff0 + random.below(32),
            2 => CODE + random.below(0x40),
            _ => DATA + random.below(0x80),
        };
        let high = if random.one_in(2) { 0 } else { 0x5_0000 };
        state.set_gpr(register, place | high);
    }
    let top = match random.below(8) {
        0 => random.below(8),
        1 => 0xfffc + random.below(4),
        2 => CODE + 0x80,
        _ => STACK,
    };
    state.set_gpr(
        Gpr::Rsp,
        top | if random.one_in(4) { 0xabc_0000 } else { 0 },
    );
    state.set_gpr(Gpr::Rcx, 1 + random.below(12));
    let mut flags = Rflags::from_bits_truncate(random.next()) & (Rflags::STATUS | Rflags::DF);
    if style == Style::Virtual8086 {
        flags |= Rflags::VM | Rflags::from_bits_retain(0x3000);
        state.cpl = 3;
    }
    if style != Style::Real {
        state.cr0 |= 1;
    }
    state.set_rflags(flags);
    state.rip = CODE;
    state
}

/// Runs the program of a seed on both; how many instructions it took.
fn check(pair: &mut Pair, style: Style, seed: u64) -> u64 {
    let mut random = Random(seed);
    let code = Program::new(&mut random, style).code;
    let state = state(&mut random, style);
    let fill = random.next();
    let steps = 1 + random.below(300);
    let mut bytes: Vec<u8> = (0..RAM as u64).map(|at| (at ^ fill) as u8).collect();
    for vector in 0..256 {
        bytes[vector * 4..][..4].copy_from_slice(&(HANDLER as u32).to_le_bytes());
    }
    bytes[HANDLER] = 0xcf;
    let base = state.segments[SegmentRegister::Cs as usize].base;
    bytes[(base + CODE) as usize..][..code.len()].copy_from_slice(&code);
    pair.check(&state, &bytes, steps, || {
        let segments = &state.segments;
        format!("{style:?}, seed {seed}, {steps} steps\ncode {code:02x?}\nsegments {segments:x?}")
    })
}

fn run(style: Style, count: u64) {
    let seeds = seeds(count);
    let least = 5 * (seeds.end - seeds.start);
    let mut pair = Pair::new(Bits::Real, RAM as u64, 1 << 20);
    let retired: u64 = seeds.map(|seed| check(&mut pair, style, seed)).sum();
    assert!(retired > least, "programs get somewhere: {retired}");
    let compiled = pair.statistics();
    assert!(
        compiled.interpreted < compiled.entries,
        "most of it is compiled: {compiled:?}"
    );
}

#[test]
fn real_mode_programs_end_alike() {
    run(Style::Real, 1500);
}

#[test]
fn virtual_8086_programs_end_alike() {
    run(Style::Virtual8086, 700);
}

#[test]
fn programs_in_16_bit_segments_end_alike() {
    run(Style::Protected16, 700);
}

#[test]
fn programs_in_32_bit_segments_end_alike() {
    run(Style::Protected32, 700);
}
