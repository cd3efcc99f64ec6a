//! A processor that cases are run on, one after another.

use std::fmt::Write as _;

use rax_cpu::rflags::Rflags;
use rax_cpu::segment::{Segment, SegmentRegister};
use rax_cpu::state::Gpr;
use rax_cpu::testing::{Bits, bare};
use rax_cpu::{Cpu, CpuState, Engine, Model, Stop};
use rax_mmu::{PAGE_SIZE, PhysicalAddress};

use crate::case::{CX, Case, FLAGS, IP, Memory, NAMES, Registers, SP, SS};
use crate::rules::Leeway;

/// The address space of an 80286.
const RAM: u64 = 16 << 20;
/// More than the instruction, an exception's delivery and the HLT take, and than any engine
/// wants to have before it.
const BUDGET: u64 = 100;
const HLT: u8 = 0xf4;

/// A processor with 16 MiB of RAM that wrap, all zero between cases.
pub(crate) struct Bench {
    cpu: Box<Cpu>,
    engine: Box<dyn Engine>,
    fresh: CpuState,
}

impl Bench {
    pub(crate) fn new(engine: impl FnOnce(&Cpu) -> Box<dyn Engine>) -> Self {
        let mut cpu = bare(Bits::Real, RAM).unwrap();
        cpu.model = Model::named("486").unwrap();
        let mut bench = Self {
            engine: engine(&cpu),
            fresh: cpu.state.clone(),
            cpu,
        };
        bench.fresh.idtr.limit = 0x3ff;
        bench
    }

    /// Runs a case; the error lists what came out otherwise. `defined` are the flags
    /// that are compared.
    pub(crate) fn check(
        &mut self,
        case: &Case,
        defined: u16,
        leeway: Leeway,
    ) -> Result<(), String> {
        let (defined, ignored) = match leeway {
            Leeway::All => return Ok(()),
            Leeway::Flags(flags) => (defined & !flags, &[][..]),
            Leeway::Registers(registers) => (defined, registers),
            Leeway::Vector(_) | Leeway::None => (defined, &[][..]),
        };
        let mut expected = case.ram.clone();
        if let (Leeway::Vector(vector), Some(number)) = (leeway, case.exception) {
            for n in 0..4 {
                let entry = case.ram[&(u64::from(number) * 4 + n)];
                expected.insert(u64::from(vector) * 4 + n, entry);
            }
        }
        if let Some(handler) = handler(case) {
            // Execution ends by a HLT at the handler.
            expected.insert(handler, HLT);
        }
        self.load(case, &expected);
        expected.extend(&case.written);
        // Each step of a repeated instruction counts as one.
        let is_repeated = case
            .prefixes()
            .iter()
            .any(|byte| matches!(byte, 0xf2 | 0xf3));
        let repeats = if is_repeated { case.before[CX] } else { 0 };
        let until = self.cpu.state.instructions + BUDGET + u64::from(repeats);
        let stop = self.engine.run(&mut self.cpu, until);
        let mut report = String::new();
        if stop != Stop::Halted {
            let _ = write!(report, " {stop:?}");
        }
        self.compare_registers(case, defined, ignored, &mut report);
        let mut masks = Memory::new();
        if case.exception.is_some() {
            let flags_at = flags_at(case);
            masks.insert(flags_at, defined as u8);
            masks.insert(flags_at + 1, (defined >> 8) as u8);
        }
        self.compare_memory(&expected, &masks, &mut report);
        if report.is_empty() {
            Ok(())
        } else {
            Err(report)
        }
    }

    fn load(&mut self, case: &Case, ram: &Memory) {
        let memory = self.cpu.mmu.memory();
        for (&address, &byte) in ram {
            memory.ram_write(PhysicalAddress(address), &[byte]).unwrap();
        }
        let state = &mut self.cpu.state;
        let instructions = state.instructions;
        *state = self.fresh.clone();
        state.instructions = instructions;
        for (n, &value) in case.before[..8].iter().enumerate() {
            state.set_gpr(Gpr::from_number(n as u8), u64::from(value));
        }
        for (n, segment) in SEGMENTS.into_iter().enumerate() {
            state.segments[segment as usize] = Segment::real_mode(case.before[8 + n]);
        }
        state.rip = u64::from(case.before[IP]);
        let flags = u64::from(case.before[FLAGS]);
        state.set_rflags(Rflags::from_bits_truncate(flags));
        self.cpu.update_mode();
    }

    fn registers(&self) -> Registers {
        let state = &self.cpu.state;
        let mut registers = [0; NAMES.len()];
        for (n, value) in registers[..8].iter_mut().enumerate() {
            *value = state.gpr(Gpr::from_number(n as u8)) as u16;
        }
        for (n, segment) in SEGMENTS.into_iter().enumerate() {
            registers[8 + n] = state.segment(segment).selector;
        }
        registers[IP] = state.rip as u16;
        registers[FLAGS] = state.rflags().bits() as u16;
        registers
    }

    fn compare_registers(&self, case: &Case, defined: u16, ignored: &[&str], report: &mut String) {
        let found = self.registers();
        for (n, name) in NAMES.into_iter().enumerate() {
            let mask = if n == FLAGS { defined } else { 0xffff };
            let (wanted, got) = (case.after[n] & mask, found[n] & mask);
            if wanted != got && !ignored.contains(&name) {
                let _ = write!(report, " {name}={got:04x}, not {wanted:04x}");
            }
        }
        for n in 0..8 {
            if self.cpu.state.gpr(Gpr::from_number(n)) >> 16 != 0 {
                let _ = write!(report, " {} has high bits", NAMES[usize::from(n)]);
            }
        }
    }

    /// Compares every page that was written, then makes it zero again.
    fn compare_memory(&self, expected: &Memory, masks: &Memory, report: &mut String) {
        let memory = self.cpu.mmu.memory();
        for page in memory.take_dirty() {
            let mut bytes = [0; PAGE_SIZE as usize];
            memory.ram_read(page, &mut bytes).unwrap();
            for (address, got) in (page.0..).zip(bytes) {
                let mask = masks.get(&address).copied().unwrap_or(0xff);
                let wanted = expected.get(&address).copied().unwrap_or(0);
                if wanted & mask != got & mask {
                    let _ = write!(report, " [{address:06x}]={got:02x}, not {wanted:02x}");
                }
            }
            memory.clear(page, PAGE_SIZE).unwrap();
        }
    }
}

/// The segment registers in the order of [`Registers`].
const SEGMENTS: [SegmentRegister; 4] = [
    SegmentRegister::Es,
    SegmentRegister::Cs,
    SegmentRegister::Ss,
    SegmentRegister::Ds,
];

/// Where the handler of the recorded exception begins.
fn handler(case: &Case) -> Option<u64> {
    let vector = u64::from(case.exception?) * 4;
    let byte = |n| case.ram.get(&(vector + n)).copied();
    let offset = u16::from_le_bytes([byte(0)?, byte(1)?]);
    let segment = u16::from_le_bytes([byte(2)?, byte(3)?]);
    Some((u64::from(segment) * 16 + u64::from(offset)) % RAM)
}

/// Where FLAGS were pushed, by the registers afterwards: the address recorded is even
/// even where SP is odd.
fn flags_at(case: &Case) -> u64 {
    let pointer = case.after[SP].wrapping_add(4);
    u64::from(case.after[SS]) * 16 + u64::from(pointer)
}
