//! Runs cases on rax: a processor in 64-bit mode at privilege level 3, with the
//! windows mapped as [`crate::case`] says, and around it just enough of a kernel to
//! see what an exception left.
//!
//! Each vector has its handler, which is a HLT: where the processor halts tells the
//! vector, and what delivery pushed tells the rest (SDM 3A, 6.14.2).

mod setup;

use rax_cpu::state::Activity;
use rax_cpu::{Cpu, CpuState, Engine, Interpreter, Stop};
use rax_mmu::PhysicalAddress;

use crate::case::{
    CODE, CODE_BYTES, Case, DATA, DATA_BYTES, End, Lost, Outcome, READ_ONLY_BYTES, Subject,
};
use setup::{CODE_RAM, DATA_RAM, HANDLERS, STACK_TOP};

pub use setup::SetupError;

/// HLT.
const FILLER: u8 = 0xf4;
/// How many instructions more than a case may run are let run: an iteration limit
/// splits long string instructions, and a block is not cut for so few.
const SLACK: u64 = 64;
/// #GP.
const GENERAL_PROTECTION: u8 = 13;
/// #PF.
const PAGE_FAULT: u8 = 14;
/// RF, which faults push set and nobody asks about.
const RESUME: u64 = 1 << 16;
/// SS, RSP, RFLAGS, CS, RIP and the error code.
const LONGEST_FRAME: usize = 48;

/// One of rax's engines with a processor to run.
pub struct Guest {
    name: String,
    cpu: Box<Cpu>,
    engine: Box<dyn Engine>,
    /// What the processor is before each case.
    start: CpuState,
    /// What both windows hold before the patches of a case, for `seed`.
    filler: Vec<u8>,
    seed: Option<u64>,
    /// What both windows hold when a case begins.
    before: Vec<u8>,
    /// What the writable window holds when it is over.
    after: Vec<u8>,
    /// Which bytes of the code window may be other than HLT.
    used: (usize, usize),
}

impl Guest {
    /// The interpreter.
    ///
    /// # Errors
    /// The host gives no memory.
    pub fn interpreter() -> Result<Self, SetupError> {
        Self::new("interpreter", |cpu| Box::new(Interpreter::new(cpu)))
    }

    /// Any engine.
    ///
    /// # Errors
    /// The host gives no memory.
    pub fn new(
        name: impl Into<String>,
        engine: impl FnOnce(&Cpu) -> Box<dyn Engine>,
    ) -> Result<Self, SetupError> {
        let cpu = setup::processor()?;
        write(&cpu, CODE_RAM, &[FILLER; CODE_BYTES]);
        Ok(Self {
            name: name.into(),
            engine: engine(&cpu),
            start: cpu.state.clone(),
            cpu,
            filler: vec![0; DATA_BYTES + READ_ONLY_BYTES],
            seed: None,
            before: vec![0; DATA_BYTES + READ_ONLY_BYTES],
            after: vec![0; DATA_BYTES],
            used: (0, 0),
        })
    }

    /// Lays out memory.
    fn load(&mut self, case: &Case) {
        if self.seed != Some(case.seed) {
            let bare = Case {
                patches: Vec::new(),
                ..case.clone()
            };
            bare.fill(&mut self.filler);
            self.seed = Some(case.seed);
            self.before.copy_from_slice(&self.filler);
            write(&self.cpu, DATA_RAM, &self.filler);
        }
        for (address, bytes) in &case.patches {
            let start = address.wrapping_sub(DATA) as usize;
            let end = start.saturating_add(bytes.len());
            if let Some(place) = self.before.get_mut(start..end) {
                place.copy_from_slice(bytes);
                write(&self.cpu, DATA_RAM + start as u64, bytes);
            }
        }
        let start = case.offset.min(CODE_BYTES);
        let end = (start + case.code.len()).min(CODE_BYTES);
        let (first, last) = self.used;
        if first < last && (first < start || last > end) {
            let blank = [FILLER; CODE_BYTES];
            write(&self.cpu, CODE_RAM + first as u64, &blank[first..last]);
        }
        write(
            &self.cpu,
            CODE_RAM + start as u64,
            &case.code[..end - start],
        );
        self.used = (start, end);
    }

    /// What was stored; memory is then as the next case expects it.
    fn stores(&mut self, case: &Case) -> Vec<(u64, Vec<u8>)> {
        read(&self.cpu, DATA_RAM, &mut self.after);
        let stores = differences(&self.before[..DATA_BYTES], &self.after);
        for (address, bytes) in &stores {
            let start = (address - DATA) as usize;
            let place = start..start + bytes.len();
            write(&self.cpu, DATA_RAM + start as u64, &self.filler[place]);
        }
        for (address, bytes) in &case.patches {
            let start = address.wrapping_sub(DATA) as usize;
            let end = start.saturating_add(bytes.len());
            if let Some(place) = self.before.get_mut(start..end) {
                place.copy_from_slice(&self.filler[start..end]);
                write(&self.cpu, DATA_RAM + start as u64, place);
            }
        }
        stores
    }

    fn run_one(&mut self, case: &Case) -> Result<Outcome, Lost> {
        self.load(case);
        let instructions = self.cpu.state.instructions;
        self.cpu.state.clone_from(&self.start);
        self.cpu.state.instructions = instructions;
        setup::load_registers(&mut self.cpu.state, &case.registers);
        self.cpu.state.rip = CODE + case.offset as u64;
        self.cpu.update_mode();
        let until = instructions + u64::from(case.instructions) + SLACK;
        let stop = self.engine.run(&mut self.cpu, until);
        let mut registers = setup::registers(&self.cpu.state);
        let end = match stop {
            Stop::Budget | Stop::Attention => End::Endless,
            Stop::Halted => {
                self.cpu.state.activity = Activity::Running;
                let mut frame = [0; LONGEST_FRAME];
                read(&self.cpu, STACK_TOP - LONGEST_FRAME as u64, &mut frame);
                let frame = frame
                    .chunks_exact(8)
                    .map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default()));
                let frame: Vec<u64> = frame.collect();
                registers.rip = frame[1];
                registers.rflags = frame[3] & !RESUME;
                registers.gpr[4] = frame[4];
                self.end(case, frame[0], registers.rip)
            }
            Stop::Shutdown => {
                self.cpu.state.activity = Activity::Running;
                let reason = String::from("triple fault");
                return Err(Lost { reason });
            }
            Stop::Diverged => {
                let reason = String::from("two engines differ");
                return Err(Lost { reason });
            }
        };
        Ok(Outcome {
            end,
            registers,
            stores: self.stores(case),
        })
    }

    /// What the handler that was reached says, `error_code` being what was pushed last.
    fn end(&self, case: &Case, error_code: u64, rip: u64) -> End {
        let halted_at = self.cpu.state.rip.wrapping_sub(1);
        let vector = halted_at.wrapping_sub(HANDLERS) as u8;
        let behind = CODE + (case.offset + case.code.len()) as u64;
        if rip == behind && vector == GENERAL_PROTECTION {
            return End::Finished;
        }
        End::Exception {
            vector,
            error_code: if setup::has_error_code(vector) {
                error_code as u32
            } else {
                0
            },
            address: if vector == PAGE_FAULT {
                self.cpu.state.cr2
            } else {
                0
            },
        }
    }
}

impl Subject for Guest {
    fn name(&self) -> &str {
        &self.name
    }

    fn run(&mut self, cases: &[Case]) -> Vec<Result<Outcome, Lost>> {
        cases.iter().map(|case| self.run_one(case)).collect()
    }
}

/// Where two images of the writable window differ, neighbours joined.
fn differences(before: &[u8], after: &[u8]) -> Vec<(u64, Vec<u8>)> {
    const CHUNK: usize = 256;
    let mut found: Vec<(u64, Vec<u8>)> = Vec::new();
    for (index, (old, new)) in before.chunks(CHUNK).zip(after.chunks(CHUNK)).enumerate() {
        if old == new {
            continue;
        }
        for (offset, (old, new)) in old.iter().zip(new).enumerate() {
            if old == new {
                continue;
            }
            let address = DATA + (index * CHUNK + offset) as u64;
            match found.last_mut() {
                Some((start, bytes)) if *start + bytes.len() as u64 == address => bytes.push(*new),
                _ => found.push((address, vec![*new])),
            }
        }
    }
    found
}

/// Writes RAM that [`setup`] has mapped.
fn write(cpu: &Cpu, address: u64, bytes: &[u8]) {
    let done = cpu.mmu.memory().ram_write(PhysicalAddress(address), bytes);
    debug_assert!(done.is_ok(), "the guest's RAM is mapped");
}

/// Reads RAM that [`setup`] has mapped.
fn read(cpu: &Cpu, address: u64, bytes: &mut [u8]) {
    let done = cpu.mmu.memory().ram_read(PhysicalAddress(address), bytes);
    debug_assert!(done.is_ok(), "the guest's RAM is mapped");
}

#[cfg(test)]
mod tests;
