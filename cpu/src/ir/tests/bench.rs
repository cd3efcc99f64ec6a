//! Two processors in the same state: one interprets, the other evaluates.

use iced_x86::Code;
use rax_mmu::PhysicalAddress;

use crate::decode::Decoder;
use crate::exception::{Exception, Exit};
use crate::insn::{Insn, Meaning, Table};
use crate::mode::Mode;
use crate::processor::Departure;
use crate::rflags::Rflags;
use crate::segment::{Attributes, SegmentRegister};
use crate::state::Gpr;
use crate::testing::{Bits, bare};
use crate::{Cpu, CpuState, ir};

const RAM: usize = 0x1_0000;
/// Where the page tables stand, one page each, top level last.
const TABLES: u64 = 0xc000;
const PAGE: usize = 0x1000;

/// A small generator: the same seed, the same tests.
#[derive(Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Corners, addresses of RAM, and anything.
    fn value(&mut self) -> u64 {
        let edge = 1u64 << self.below(64);
        match self.below(10) {
            0 => 0,
            1 => u64::MAX,
            2 => edge,
            3 => edge - 1,
            4 => edge.wrapping_neg(),
            5 => self.below(80),
            6 | 7 => self.below(RAM as u64),
            8 => (self.below(16) * PAGE as u64).wrapping_sub(self.below(9)),
            _ => self.next(),
        }
    }

    /// A ModRM byte with this reg field.
    pub(super) fn modrm(&mut self, reg: u8, is_memory: bool) -> u8 {
        let form = if is_memory { self.below(3) as u8 } else { 3 };
        form << 6 | reg << 3 | self.below(8) as u8
    }

    /// SIB, displacement and immediate: short numbers, mostly.
    pub(super) fn tail(&mut self) -> [u8; 10] {
        let mut tail = [0; 10];
        for byte in &mut tail {
            *byte = match self.below(6) {
                0 => 0xff,
                1 => 0x80,
                2 | 3 => self.next() as u8,
                _ => 0,
            };
        }
        tail
    }
}

/// The two.
pub(super) struct Pair {
    bits: Bits,
    decoder: Decoder,
    acting: Box<Cpu>,
    evaluating: Box<Cpu>,
    bare: CpuState,
    ram: [Vec<u8>; 2],
}

impl Pair {
    pub(super) fn new(bits: Bits) -> Self {
        let [acting, evaluating] = [(); 2].map(|()| bare(bits, RAM as u64).unwrap());
        let mut contents = Random(bits as u64);
        let bytes: Vec<u8> = (0..RAM).map(|_| contents.next() as u8).collect();
        for cpu in [&acting, &evaluating] {
            write(cpu, 0, &bytes);
        }
        Self {
            bits,
            decoder: Decoder::new(&acting.model),
            bare: acting.state.clone(),
            acting,
            evaluating,
            ram: [bytes.clone(), bytes],
        }
    }

    /// Runs one instruction in a random state through both readers and compares what
    /// came out; none if it has no shared meaning. Otherwise its code, and whether
    /// it had a memory operand.
    pub(super) fn check(&mut self, random: &mut Random, bytes: &[u8]) -> Option<(Code, bool)> {
        let place = random.below(15) * 0x800 + random.below(0x7f0);
        let insn = self.decode(place, bytes)?;
        let rip = if self.bits == Bits::Long64 && random.one_in(8) {
            0xffff_ffff_ffff_f000 | place & 0xfff
        } else {
            place
        };
        let state = self.random_state(random, rip);
        let tables = tables(random, self.bits);
        for cpu in [&mut self.acting, &mut self.evaluating] {
            write(cpu, TABLES, &tables);
            cpu.state = state.clone();
            cpu.update_mode();
            cpu.mmu.flush_all();
            cpu.leave = false;
            cpu.position = 0;
            cpu.debug_hits = 0;
            cpu.exception = None;
            cpu.departure = Departure::FallThrough;
            cpu.state.set_gpr(Gpr::BlockRip, rip);
            cpu.state.rip = cpu.ip_after(&insn);
        }
        let acted = outcome((insn.handler)(&mut self.acting, &insn, &[]));
        let block = ir::lift(&[insn]).unwrap();
        assert_eq!(ir::verify(&block), Ok(()), "{block}");
        let evaluated = outcome(ir::eval(&block, &mut self.evaluating));
        self.compare(&insn, (acted, evaluated), &state, &block);
        Some((insn.code, insn.has_memory()))
    }

    fn decode(&mut self, place: u64, bytes: &[u8]) -> Option<Insn> {
        let cpu = &mut self.acting;
        cpu.state = self.bare.clone();
        cpu.state.rip = place;
        cpu.update_mode();
        cpu.mode.insert(Mode::SINGLE);
        for cpu in [&*cpu, &self.evaluating] {
            write(cpu, place, bytes);
        }
        let linear = rax_mmu::LinearAddress(place);
        let block = self.decoder.decode(cpu, linear, place).ok()?;
        let insn = block.insns[0];
        let row = Table::any_row(insn.code)?;
        let is_shared = matches!(row.meaning, Meaning::Shared { .. });
        is_shared.then_some(insn)
    }

    fn random_state(&self, random: &mut Random, rip: u64) -> CpuState {
        let mut state = self.bare.clone();
        for register in Gpr::ALL {
            let value = random.value();
            state.set_gpr(register, value);
        }
        let allowed = Rflags::STATUS | Rflags::DF | Rflags::AC | Rflags::ID | Rflags::IF;
        state.set_rflags(Rflags::from_bits_truncate(random.next()) & allowed);
        if random.one_in(3) {
            state.cpl = 3;
        }
        // CR0.AM.
        state.cr0 |= (random.next() & 1) << 18;
        if self.bits == Bits::Long64 {
            state.segments[SegmentRegister::Fs as usize].base = random.value();
            state.segments[SegmentRegister::Gs as usize].base = random.value();
        } else if random.one_in(2) {
            for segment in &mut state.segments {
                if random.one_in(2) {
                    segment.base = random.value() & 0xffff_ffff;
                    segment.limit = random.value() as u32;
                    let kind = random.next() as u16 & 0x400f | 0x90;
                    segment.attributes = Attributes::from_bits_retain(kind);
                }
            }
            // The decoder looked at CS and SS.
            let bare = &self.bare.segments;
            let code = SegmentRegister::Cs as usize;
            state.segments[code].attributes = bare[code].attributes;
            let stack = SegmentRegister::Ss as usize;
            state.segments[stack].attributes = bare[stack].attributes;
            // AddressKind::Flat32 was chosen for segments that are flat.
            if self.bits == Bits::Protected32 {
                state.segments = self.bare.segments;
                state.segments[SegmentRegister::Fs as usize].limit = random.value() as u32;
                state.segments[SegmentRegister::Gs as usize].base = random.value() & 0xffff_ffff;
            }
        }
        if self.bits != Bits::Real && random.one_in(2) {
            // Paging, and CR0.WP.
            state.cr0 |= (1 << 31) | ((random.next() & 1) << 16);
            state.cr3 = TABLES + 3 * PAGE as u64;
            state.cr4 |= if self.bits == Bits::Long64 { 1 << 5 } else { 0 };
        }
        if random.one_in(8) {
            state.dr = [random.value(), random.value(), 0, 0, 0, 0, 0, 0x400];
            state.dr[7] |= random.next() & 0x00ff_000f;
        }
        state.rip = rip;
        state
    }

    fn compare(
        &mut self,
        insn: &Insn,
        (acted, evaluated): (Result<(), Exit>, Result<(), Exit>),
        before: &CpuState,
        block: &ir::Block,
    ) {
        let [acting, evaluating] = [&self.acting, &self.evaluating];
        let said = || format!("{insn:x?}\nIR:\n{block}\nbefore: {before:x?}");
        assert_eq!(acted, evaluated, "{}", said());
        let exceptions: [Option<Exception>; 2] = [acting.exception, evaluating.exception];
        assert_eq!(exceptions[0], exceptions[1], "{}", said());
        assert_eq!(acting.state, evaluating.state, "{}", said());
        assert_eq!(acting.leave, evaluating.leave, "{}", said());
        assert_eq!(acting.debug_hits, evaluating.debug_hits, "{}", said());
        assert_eq!(acting.departure, evaluating.departure, "{}", said());
        for (cpu, ram) in [acting, evaluating].into_iter().zip(&mut self.ram) {
            cpu.mmu.memory().ram_read(PhysicalAddress(0), ram).unwrap();
        }
        assert!(self.ram[0] == self.ram[1], "memory differs: {}", said());
    }
}

/// The handler looks whether its block must end; that is no part of the meaning.
fn outcome(result: Result<(), Exit>) -> Result<(), Exit> {
    match result {
        Err(Exit::Leave) => Ok(()),
        other => other,
    }
}

fn write(cpu: &Cpu, address: u64, bytes: &[u8]) {
    let memory = cpu.mmu.memory();
    memory.ram_write(PhysicalAddress(address), bytes).unwrap();
}

/// Tables that map the RAM to itself, at either end of the address space, with pages
/// missing, read-only or the supervisor's here and there.
fn tables(random: &mut Random, bits: Bits) -> Vec<u8> {
    let width = if bits == Bits::Long64 { 8 } else { 4 };
    let mut pages = vec![0; 4 * PAGE];
    let mut set = |table: usize, index: usize, entry: u64| {
        let at = table * PAGE + index * width;
        pages[at..at + width].copy_from_slice(&entry.to_le_bytes()[..width]);
    };
    for page in 0..16u64 {
        let rights = match random.below(8) {
            0 => 0,
            1 => 5,
            2 => 3,
            _ => 7,
        };
        let entry = (page * PAGE as u64) | rights;
        set(0, page as usize, entry);
        // The last pages of the address space, for displacements below zero.
        set(0, PAGE / width - 16 + page as usize, entry);
    }
    if bits == Bits::Long64 {
        for (table, next) in [(1, TABLES), (2, TABLES + 0x1000), (3, TABLES + 0x2000)] {
            set(table, 0, next | 7);
            set(table, 511, next | 7);
        }
    } else {
        set(3, 0, TABLES | 7);
        set(3, 1023, TABLES | 7);
    }
    pages
}
