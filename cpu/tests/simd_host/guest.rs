//! One instruction on a bare processor of ours.

use rax_cpu::rflags::Rflags;
use rax_cpu::state::Gpr;
use rax_cpu::testing::{Bits, bare};
use rax_cpu::{Cpu, Exception, Interpreter};
use rax_mmu::PhysicalAddress;

use super::registers::Registers;

const MEMORY: u64 = 0x10_0000;
const CODE: u64 = 0x4000;
const DATA: u64 = 0x2000;

pub(crate) struct Guest {
    cpu: Box<Cpu>,
    interpreter: Interpreter,
    /// Where the instruction lies.
    code: u64,
}

impl Guest {
    pub(crate) fn new() -> Self {
        let cpu = bare(Bits::Long64, MEMORY).expect("a host has a megabyte");
        let interpreter = Interpreter::new(&cpu);
        Self {
            cpu,
            interpreter,
            code: CODE,
        }
    }

    /// Puts another instruction where none was before.
    pub(crate) fn place(&mut self, instruction: &[u8]) {
        self.code += 16;
        self.cpu
            .mmu
            .memory()
            .load_image(PhysicalAddress(self.code), instruction)
            .expect("all of it is RAM");
    }

    pub(crate) fn run(&mut self, start: &Registers, in_memory: bool) -> Registers {
        let state = &mut self.cpu.state;
        for (register, [low, high]) in state.vectors.iter_mut().zip(start.vectors) {
            register.0 = [low, low >> 64, high, high >> 64].map(|part| part as u64);
        }
        for n in 0..2 {
            state.fpu.registers[n].significand = start.mm[n];
        }
        state.mxcsr = start.mxcsr;
        state.set_gpr(Gpr::Rax, start.rax);
        state.set_gpr(Gpr::Rcx, start.rcx);
        state.set_gpr(Gpr::Rdx, start.rdx);
        state.set_gpr(Gpr::Rbx, DATA);
        state.set_gpr(Gpr::Rdi, DATA);
        state.set_rflags(Rflags::from_bits_retain(start.flags));
        state.rip = self.code;
        let mut end = *start;
        if in_memory {
            let bytes: Vec<u8> = start.memory.iter().flat_map(|v| v.to_le_bytes()).collect();
            self.cpu
                .mmu
                .memory()
                .load_image(PhysicalAddress(DATA), &bytes)
                .expect("all of it is RAM");
        }
        let result = self.interpreter.execute_one(&mut self.cpu);
        if in_memory {
            let mut bytes = [0; 64];
            self.cpu
                .mmu
                .memory()
                .ram_read(PhysicalAddress(DATA), &mut bytes)
                .expect("all of it is RAM");
            let (pieces, _) = bytes.as_chunks::<16>();
            end.memory = [0, 1, 2, 3].map(|n| u128::from_le_bytes(pieces[n]));
        }
        let state = &self.cpu.state;
        for (end, register) in end.vectors.iter_mut().zip(&state.vectors) {
            let [a, b, c, d] = register.0.map(u128::from);
            *end = [a | b << 64, c | d << 64];
        }
        for n in 0..2 {
            end.mm[n] = state.fpu.registers[n].significand;
        }
        end.mxcsr = state.mxcsr;
        end.rax = state.gpr(Gpr::Rax);
        end.rcx = state.gpr(Gpr::Rcx);
        end.rdx = state.gpr(Gpr::Rdx);
        end.flags = (state.rflags() & Rflags::STATUS).bits();
        end.has_faulted = match result {
            Ok(()) => false,
            Err(Exception::SimdFloatingPoint) => true,
            Err(other) => panic!("{other:?} from {start:x?}"),
        };
        end
    }
}
