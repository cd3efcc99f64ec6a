//! Two processors in the same state: one interprets, the other evaluates.

use iced_x86::Code;
use rax_mmu::PhysicalAddress;

use crate::decode::Decoder;
use crate::exception::{Exception, Exit};
use crate::insn::{Insn, Meaning, Table};
use crate::mode::Mode;
use crate::processor::Departure;
use crate::state::Gpr;
use crate::testing::{Bits, RAM, Random, Scene, TABLES, bare};
use crate::{Cpu, CpuState, ir};

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
        let Scene { state, tables } = Scene::random(self.bits, &self.bare, random, rip);
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
