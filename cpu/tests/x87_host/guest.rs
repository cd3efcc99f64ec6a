//! Runs one x87 instruction in the interpreter, from a state to a state.

use rax_cpu::rflags::{Cr0, Rflags};
use rax_cpu::state::Gpr;
use rax_cpu::testing::{Bits, bare};
use rax_cpu::{Cpu, Exception, Interpreter};
use rax_mmu::PhysicalAddress;

use super::image::{FLAGS, Image, MEMORY, Scene};

const CODE: u64 = 0x10_0000;
const SLOT: u64 = 16;
const OPERAND: u64 = 0x1f_f000;

/// A processor with every instruction under test in its memory.
pub(crate) struct Guest {
    cpu: Box<Cpu>,
    interpreter: Interpreter,
}

impl Guest {
    pub(crate) fn new<'a>(instructions: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut cpu = bare(Bits::Long64, 2 << 20).expect("memory for a small guest");
        let memory = cpu.mmu.memory();
        for (number, bytes) in instructions.enumerate() {
            let place = PhysicalAddress(CODE + number as u64 * SLOT);
            memory.load_image(place, bytes).expect("the code fits");
        }
        cpu.state.set_gpr(Gpr::Rsi, OPERAND);
        cpu.state.segments = cpu.state.segments.map(|mut segment| {
            segment.selector = 0;
            segment
        });
        cpu.state.cr0 |= Cr0::NE.bits();
        cpu.update_mode();
        let interpreter = Interpreter::new(&cpu);
        Self { cpu, interpreter }
    }

    /// Runs an instruction; IP and DP come back counted from the instruction and its operand.
    ///
    /// # Errors
    /// The exception it raises.
    pub(crate) fn run(&mut self, number: usize, scene: &Scene) -> Result<Scene, Exception> {
        let cpu = &mut self.cpu;
        let operand = PhysicalAddress(OPERAND);
        let memory = cpu.mmu.memory().clone();
        memory.ram_write(operand, &scene.memory).expect("RAM");
        cpu.state.fpu = scene.image.fpu();
        cpu.state.set_gpr(Gpr::Rax, scene.rax);
        cpu.state.set_rflags(Rflags::from_bits_retain(scene.flags));
        cpu.state.rip = CODE + number as u64 * SLOT;
        self.interpreter.execute_one(cpu)?;
        let mut image = Image::of(&cpu.state.fpu);
        image.relocate(CODE + number as u64 * SLOT, OPERAND);
        let mut bytes = [0; MEMORY];
        memory.ram_read(operand, &mut bytes).expect("RAM");
        Ok(Scene {
            image,
            rax: cpu.state.gpr(Gpr::Rax),
            flags: cpu.state.rflags().bits() & FLAGS | 2,
            memory: bytes,
        })
    }
}
