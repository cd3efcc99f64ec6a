//! Random states of a processor with 64 KiB of RAM, and evaluation of IR in them.

use rax_mmu::PhysicalAddress;

use super::{BareError, Bits, bare};
use crate::decode::Decoder;
use crate::exception::{Exception, Exit};
use crate::flags::LazyFlags;
use crate::insn::Insn;
use crate::ir::{Block, Evaluated, evaluate};
use crate::processor::Departure;
use crate::rflags::Rflags;
use crate::segment::{Attributes, SegmentRegister};
use crate::state::Gpr;
use crate::{Cpu, CpuState};

/// Bytes of RAM.
pub const RAM: usize = 0x1_0000;
/// Where the page tables stand, one page each, top level last.
pub const TABLES: u64 = 0xc000;
const PAGE: usize = 0x1000;

/// A small generator: the same seed, the same tests.
#[derive(Debug)]
pub struct Random(
    /// The seed.
    pub u64,
);

impl Random {
    /// Any number.
    #[expect(
        clippy::should_implement_trait,
        reason = "it never ends, and is no iterator"
    )]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Corners, addresses of RAM, and anything.
    pub fn value(&mut self) -> u64 {
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
    pub fn modrm(&mut self, reg: u8, is_memory: bool) -> u8 {
        let form = if is_memory { self.below(3) as u8 } else { 3 };
        form << 6 | reg << 3 | self.below(8) as u8
    }

    /// SIB, displacement and immediate: short numbers, mostly.
    pub fn tail(&mut self) -> [u8; 10] {
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

/// Where a test starts.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The registers.
    pub state: CpuState,
    /// What stands at [`TABLES`].
    pub tables: Vec<u8>,
}

impl Scene {
    /// A state with the segments and modes of `bare`, and everything else random;
    /// page tables that may be in use.
    #[must_use]
    pub fn random(bits: Bits, bare: &CpuState, random: &mut Random, rip: u64) -> Self {
        let state = random_state(bits, bare, random, rip);
        let tables = page_tables(random, bits);
        Self { state, tables }
    }
}

fn random_state(bits: Bits, bare: &CpuState, random: &mut Random, rip: u64) -> CpuState {
    let mut state = bare.clone();
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
    if bits == Bits::Long64 {
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
        let bare = &bare.segments;
        let code = SegmentRegister::Cs as usize;
        state.segments[code].attributes = bare[code].attributes;
        let stack = SegmentRegister::Ss as usize;
        state.segments[stack].attributes = bare[stack].attributes;
        // AddressKind::Flat32 was chosen for segments that are flat.
        if bits == Bits::Protected32 {
            state.segments = *bare;
            state.segments[SegmentRegister::Fs as usize].limit = random.value() as u32;
            state.segments[SegmentRegister::Gs as usize].base = random.value() & 0xffff_ffff;
        }
    }
    if bits != Bits::Real && random.one_in(2) {
        // Paging, and CR0.WP.
        state.cr0 |= (1 << 31) | ((random.next() & 1) << 16);
        state.cr3 = TABLES + 3 * PAGE as u64;
        state.cr4 |= if bits == Bits::Long64 { 1 << 5 } else { 0 };
    }
    if random.one_in(8) {
        state.dr = [random.value(), random.value(), 0, 0, 0, 0, 0, 0x400];
        state.dr[7] |= random.next() & 0x00ff_000f;
    }
    state.rip = rip;
    state
}

/// Tables that map the RAM to itself, at either end of the address space, with pages
/// missing, read-only or the supervisor's here and there.
fn page_tables(random: &mut Random, bits: Bits) -> Vec<u8> {
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

/// A processor that evaluates IR in one scene after the other.
pub struct Subject {
    /// The processor.
    pub cpu: Box<Cpu>,
    bits: Bits,
    bare: CpuState,
    decoder: Decoder,
}

/// What can be seen of a processor after a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// How the block ended.
    pub outcome: Result<(), Exit>,
    exception: Option<Exception>,
    state: CpuState,
    departure: Departure,
    leave: bool,
    debug_hits: u64,
}

impl Subject {
    /// A processor whose RAM is filled with the same numbers each time.
    ///
    /// # Errors
    /// When the host gives no memory.
    pub fn new(bits: Bits) -> Result<Self, BareError> {
        let cpu = bare(bits, RAM as u64)?;
        let mut contents = Random(bits as u64);
        let bytes: Vec<u8> = (0..RAM).map(|_| contents.next() as u8).collect();
        let subject = Self {
            decoder: Decoder::new(&cpu.model),
            bare: cpu.state.clone(),
            bits,
            cpu,
        };
        subject.write(0, &bytes);
        Ok(subject)
    }

    /// The instructions of the block that starts with these bytes.
    pub fn decode(&mut self, bytes: &[u8]) -> Vec<Insn> {
        self.cpu.state = self.bare.clone();
        self.cpu.update_mode();
        self.decoder.decode_bytes(self.cpu.mode(), bytes)
    }

    /// A scene for this processor.
    #[must_use]
    pub fn random_scene(&self, random: &mut Random, rip: u64) -> Scene {
        Scene::random(self.bits, &self.bare, random, rip)
    }

    /// Evaluates a block whose instructions are `insns` long together.
    pub fn evaluate(&mut self, scene: &Scene, block: &Block) -> Evaluated {
        self.write(TABLES, &scene.tables);
        let cpu = &mut *self.cpu;
        cpu.state = scene.state.clone();
        cpu.update_mode();
        cpu.mmu.flush_all();
        cpu.leave = false;
        cpu.position = 0;
        cpu.debug_hits = 0;
        cpu.exception = None;
        cpu.departure = Departure::FallThrough;
        cpu.state.set_gpr(Gpr::BlockRip, scene.state.rip);
        if let Some(last) = block.insns.last() {
            cpu.state.rip = cpu.ip_after(last);
        }
        evaluate(block, cpu)
    }

    /// What there is to see now, after a block that ended so. Flags that are equal
    /// are so however they are kept.
    #[must_use]
    pub fn seen(&self, outcome: Result<(), Exit>) -> Seen {
        let cpu = &self.cpu;
        let mut state = cpu.state.clone();
        state.flags = LazyFlags::from_status(state.flags.status());
        Seen {
            outcome,
            exception: cpu.exception,
            state,
            departure: cpu.departure,
            leave: cpu.leave,
            debug_hits: cpu.debug_hits,
        }
    }

    /// All of the RAM.
    #[must_use]
    pub fn ram(&self) -> Vec<u8> {
        let mut bytes = vec![0; RAM];
        let read = self
            .cpu
            .mmu
            .memory()
            .ram_read(PhysicalAddress(0), &mut bytes);
        debug_assert_eq!(read, Ok(()), "all of it is RAM");
        bytes
    }

    /// Writes to the RAM.
    pub fn write(&self, address: u64, bytes: &[u8]) {
        let written = self
            .cpu
            .mmu
            .memory()
            .ram_write(PhysicalAddress(address), bytes);
        debug_assert_eq!(written, Ok(()), "all of it is RAM");
    }
}
