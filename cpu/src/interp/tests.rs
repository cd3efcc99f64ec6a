//! The block cache at its limits.

use rax_mmu::PhysicalAddress;

use crate::testing::{Bits, bare};
use crate::{Engine, Interpreter, Stop};

#[test]
fn a_cache_that_fills_while_blocks_are_linked_goes_on() {
    let mut cpu = bare(Bits::Long64, 1 << 20).unwrap();
    // Every block is a jump to the next instruction; the tests' cache holds a quarter of them.
    let mut code = [0xeb, 0x00].repeat(2047);
    code.extend([0xf4, 0x90]);
    let memory = cpu.mmu.memory();
    memory.load_image(PhysicalAddress(0x1000), &code).unwrap();
    let mut interpreter = Interpreter::new(&cpu);
    for round in 1..4 {
        cpu.state.rip = 0x1000;
        cpu.state.activity = crate::state::Activity::Running;
        assert_eq!(interpreter.run(&mut cpu, 1_000_000), Stop::Halted);
        assert_eq!(cpu.state.instructions, 2048 * round);
    }
}
