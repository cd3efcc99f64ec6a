//! A bare processor for unit tests: some RAM at zero, nothing else.

use std::sync::Arc;

use rax_mmu::{LinearAddress, MmioSpace, Mmu, PhysicalAddress, PhysicalMemory};

use crate::decode::Decoder;
use crate::exception::{Exception, Exit};
use crate::mode::Mode;
use crate::rflags::{Cr0, Cr4, Efer};
use crate::segment::{Attributes, Segment, SegmentRegister};
use crate::state::Gpr;
use crate::{Cpu, Model, Platform};

/// How much RAM there is.
const RAM: u64 = 1 << 20;
/// Where [`run`] puts code.
pub(crate) const CODE: u64 = 0x1_0000;

/// Ports echo what was last written to them; the clock counts up by one a look.
#[derive(Debug, Default)]
struct Ports {
    last: u32,
    clock: u64,
}

impl MmioSpace for Ports {
    fn mmio_read(&mut self, _address: PhysicalAddress, bytes: &mut [u8]) {
        bytes.fill(0xff);
    }
    fn mmio_write(&mut self, _address: PhysicalAddress, _bytes: &[u8]) {}
}

impl Platform for Ports {
    fn begin_access(&mut self, _instructions: u64) {}
    fn port_read(&mut self, port: u16, bytes: &mut [u8]) {
        let value = self.last.wrapping_add(u32::from(port)).to_le_bytes();
        self.last = self.last.wrapping_add(1);
        bytes.copy_from_slice(&value[..bytes.len()]);
    }
    fn port_write(&mut self, port: u16, bytes: &[u8]) {
        let mut value = [0; 4];
        value[..bytes.len()].copy_from_slice(bytes);
        self.last = u32::from_le_bytes(value) ^ u32::from(port) << 16;
    }
    fn interrupt_pending(&mut self) -> bool {
        false
    }
    fn acknowledge_interrupt(&mut self) -> u8 {
        0xff
    }
    fn clock_cycles(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }
    fn random(&mut self) -> u64 {
        0x9e37_79b9_7f4a_7c15
    }
    fn wants_attention(&self) -> bool {
        false
    }
}

/// A processor of a model, after reset, with CS at [`CODE`].
pub(crate) fn cpu(model: &str) -> Box<Cpu> {
    let memory = Arc::new(PhysicalMemory::new(RAM).unwrap());
    memory.map_ram(PhysicalAddress(0), RAM).unwrap();
    let model = Model::named(model).unwrap();
    let mut cpu = Cpu::new(model, Mmu::new(memory), Box::new(Ports::default()));
    cpu.state.segments[SegmentRegister::Cs as usize] = Segment::real_mode((CODE >> 4) as u16);
    cpu.update_mode();
    cpu
}

/// A processor in 32-bit protected mode with flat segments and no paging.
pub(crate) fn cpu32() -> Box<Cpu> {
    let mut cpu = cpu("max");
    cpu.state.cr0 |= Cr0::PE.bits();
    let data = Attributes::from_bits_retain(0xc093);
    cpu.state.segments = [Segment::flat(0x10, data); 6];
    let code = Attributes::from_bits_retain(0xc09b);
    cpu.state.segments[SegmentRegister::Cs as usize] = Segment::flat(8, code);
    cpu.state.set_gpr(Gpr::Rsp, 0x8000);
    cpu.state.set_gpr(Gpr::Rdx, 0);
    cpu.update_mode();
    cpu
}

/// A processor in 64-bit mode: the first GiB mapped one to one, as user and supervisor.
pub(crate) fn cpu64() -> Box<Cpu> {
    let mut cpu = cpu32();
    let memory = cpu.mmu.memory().clone();
    let write = |at, entry: u64| {
        let bytes = entry.to_le_bytes();
        memory.ram_write(PhysicalAddress(at), &bytes).unwrap();
    };
    write(0x1000, 0x2007);
    write(0x2000, 0x87);
    cpu.state.cr3 = 0x1000;
    cpu.state.cr4 |= (Cr4::PAE | Cr4::OSFXSR).bits();
    cpu.state.msrs.efer = (Efer::LME | Efer::LMA).bits();
    cpu.state.cr0 = (Cr0::PE | Cr0::PG | Cr0::ET | Cr0::WP).bits();
    let code = Attributes::from_bits_retain(0xa09b);
    cpu.state.segments[SegmentRegister::Cs as usize] = Segment::flat(8, code);
    cpu.mmu.flush_all();
    cpu.update_mode();
    cpu
}

/// Writes RAM.
pub(crate) fn poke(cpu: &Cpu, at: u64, bytes: &[u8]) {
    let memory = cpu.mmu.memory();
    memory.ram_write(PhysicalAddress(at), bytes).unwrap();
}

/// Reads RAM.
pub(crate) fn peek<const N: usize>(cpu: &Cpu, at: u64) -> [u8; N] {
    let mut bytes = [0; N];
    let memory = cpu.mmu.memory();
    memory.ram_read(PhysicalAddress(at), &mut bytes).unwrap();
    bytes
}

/// Puts code at [`CODE`] and runs it to its end or to an exception, which comes back.
/// Linear addresses must equal physical ones.
pub(crate) fn run(cpu: &mut Cpu, code: &[u8]) -> Option<Exception> {
    poke(cpu, CODE, code);
    let base = cpu.state.segment(SegmentRegister::Cs).base;
    cpu.state.rip = CODE - base;
    let end = cpu.state.rip + code.len() as u64;
    let mut decoder = Decoder::new(&cpu.model);
    for _ in 0..1_000_000 {
        let rip = cpu.state.rip;
        if rip == end {
            return None;
        }
        let at = base + rip;
        cpu.mode.insert(Mode::SINGLE);
        let block = decoder.decode(cpu, LinearAddress(at), at);
        cpu.mode = Mode::of(&cpu.state);
        let Ok(block) = block else {
            return cpu.exception.take();
        };
        let insn = &block.insns[0];
        cpu.state.set_gpr(Gpr::BlockRip, rip);
        cpu.state.rip = cpu.mode.truncate_ip(rip + u64::from(insn.length));
        cpu.leave = false;
        match (insn.handler)(cpu, insn, &[]) {
            Ok(()) | Err(Exit::Leave) => {}
            Err(Exit::Again) => cpu.state.rip = rip,
            Err(Exit::Exception) => {
                cpu.state.rip = rip;
                return cpu.exception.take();
            }
        }
    }
    panic!("the code did not come to its end");
}
