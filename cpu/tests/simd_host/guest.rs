//! One instruction on a bare processor of ours.

use std::sync::Arc;

use rax_cpu::rflags::{Cr0, Cr4, Efer, Rflags};
use rax_cpu::segment::{Attributes, SegmentRegister};
use rax_cpu::state::Gpr;
use rax_cpu::{Cpu, Exception, Interpreter, Model, Platform};
use rax_mmu::{MmioSpace, Mmu, PhysicalAddress, PhysicalMemory};

use super::Registers;

/// Nothing outside.
struct NoPlatform;

impl MmioSpace for NoPlatform {
    fn mmio_read(&mut self, _address: PhysicalAddress, bytes: &mut [u8]) {
        bytes.fill(0xff);
    }
    fn mmio_write(&mut self, _address: PhysicalAddress, _bytes: &[u8]) {}
}

impl Platform for NoPlatform {
    fn begin_access(&mut self, _instructions: u64) {}
    fn port_read(&mut self, _port: u16, bytes: &mut [u8]) {
        bytes.fill(0xff);
    }
    fn port_write(&mut self, _port: u16, _bytes: &[u8]) {}
    fn interrupt_pending(&mut self) -> bool {
        false
    }
    fn acknowledge_interrupt(&mut self) -> u8 {
        0
    }
    fn clock_cycles(&mut self) -> u64 {
        0
    }
    fn wants_attention(&self) -> bool {
        false
    }
}

const MEMORY: u64 = 0x10_0000;
const CODE: u64 = 0x4000;
const DATA: u64 = 0x2000;

pub(crate) struct Guest {
    cpu: Box<Cpu>,
    interpreter: Interpreter,
    memory: Arc<PhysicalMemory>,
    /// Where the instruction lies.
    code: u64,
}

impl Guest {
    pub(crate) fn new() -> Self {
        let memory = Arc::new(PhysicalMemory::new(MEMORY).expect("a host has a megabyte"));
        memory
            .map_ram(PhysicalAddress(0), MEMORY)
            .expect("it fits the reservation");
        let model = Model::named("max").expect("it always exists");
        let mut cpu = Cpu::new(model, Mmu::new(Arc::clone(&memory)), Box::new(NoPlatform));
        cpu.state.msrs.efer = (Efer::LME | Efer::LMA).bits();
        cpu.state.cr0 = Cr0::PE.bits();
        cpu.state.cr4 = (Cr4::OSFXSR | Cr4::OSXMMEXCPT).bits();
        cpu.state.segments[SegmentRegister::Cs as usize].attributes |= Attributes::LONG;
        cpu.update_mode();
        let interpreter = Interpreter::new(&cpu);
        Self {
            cpu,
            interpreter,
            memory,
            code: CODE,
        }
    }

    /// Puts another instruction where none was before.
    pub(crate) fn place(&mut self, instruction: &[u8]) {
        self.code += 16;
        self.memory
            .load_image(PhysicalAddress(self.code), instruction)
            .expect("all of it is RAM");
    }

    pub(crate) fn run(&mut self, start: Registers, in_memory: bool) -> Registers {
        let state = &mut self.cpu.state;
        for n in 0..2 {
            state.vectors[n].0[0] = start.xmm[n] as u64;
            state.vectors[n].0[1] = (start.xmm[n] >> 64) as u64;
            state.fpu.registers[n].significand = start.mm[n];
        }
        state.mxcsr = start.mxcsr;
        state.set_gpr(Gpr::Rax, start.rax);
        state.set_gpr(Gpr::Rcx, start.rcx);
        state.set_gpr(Gpr::Rbx, DATA);
        state.set_gpr(Gpr::Rdi, DATA);
        state.set_rflags(Rflags::from_bits_retain(start.flags));
        state.rip = self.code;
        let mut end = start;
        if in_memory {
            let bytes: Vec<u8> = start.memory.iter().flat_map(|v| v.to_le_bytes()).collect();
            self.memory
                .load_image(PhysicalAddress(DATA), &bytes)
                .expect("all of it is RAM");
        }
        let result = self.interpreter.execute_one(&mut self.cpu);
        if in_memory {
            let mut bytes = [0; 32];
            self.memory
                .read(PhysicalAddress(DATA), &mut bytes, &mut NoPlatform);
            let (halves, _) = bytes.as_chunks::<16>();
            end.memory = [halves[0], halves[1]].map(u128::from_le_bytes);
        }
        let state = &self.cpu.state;
        for n in 0..2 {
            let [low, high, ..] = state.vectors[n].0;
            end.xmm[n] = u128::from(low) | u128::from(high) << 64;
            end.mm[n] = state.fpu.registers[n].significand;
        }
        end.mxcsr = state.mxcsr;
        end.rax = state.gpr(Gpr::Rax);
        end.rcx = state.gpr(Gpr::Rcx);
        end.flags = (state.rflags() & Rflags::STATUS).bits();
        end.has_faulted = match result {
            Ok(()) => false,
            Err(Exception::SimdFloatingPoint) => true,
            Err(other) => panic!("{other:?} from {start:x?}"),
        };
        end
    }
}
