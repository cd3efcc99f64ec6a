//! The block cache when it is full, and when memory has two addresses.

use rax_mmu::PhysicalAddress;

use super::{Engine as _, Interpreter, Stop};
use crate::segment::{Segment, SegmentRegister};
use crate::state::{Activity, Gpr};
use crate::testing::{Bits, bare};

const RAM: u64 = 1 << 20;

#[test]
fn a_full_cache_forgets_while_blocks_are_linked() {
    let mut cpu = bare(Bits::Protected32, RAM).unwrap();
    // A branch to the next instruction, over and over: every one is a block.
    let code = [0xeb, 0x00].repeat(RAM as usize / 2);
    cpu.mmu
        .memory()
        .ram_write(PhysicalAddress(0), &code)
        .unwrap();
    let mut interpreter = Interpreter::new(&cpu);
    assert_eq!(interpreter.run(&mut cpu, 300_000), Stop::Budget);
    assert_eq!(cpu.state.rip, 600_000);
}

#[test]
fn code_is_watched_at_both_its_addresses() {
    let mut cpu = bare(Bits::Protected32, 0x1_0000).unwrap();
    cpu.mmu
        .memory()
        .alias(PhysicalAddress(0), PhysicalAddress(0x1_0000), 0x1000, false)
        .unwrap();
    let mut interpreter = Interpreter::new(&cpu);
    let mut run = |rip: u64, code: Option<[u8; 2]>| {
        if let Some(code) = code {
            let memory = cpu.mmu.memory();
            memory.ram_write(PhysicalAddress(rip), &code).unwrap();
        }
        cpu.state.rip = rip;
        cpu.state.activity = Activity::Running;
        let until = cpu.state.instructions + 100;
        assert_eq!(interpreter.run(&mut cpu, until), Stop::Halted);
        [Gpr::Rax, Gpr::Rbx, Gpr::Rcx].map(|register| cpu.state.gpr(register))
    };
    // INC EAX, INC EBX and INC ECX, with HLT behind each.
    run(0x100, Some([0x40, 0xf4]));
    assert_eq!(run(0x200, Some([0x43, 0xf4])), [1, 1, 0]);
    assert_eq!(run(0x100, Some([0x41, 0xf4])), [1, 1, 1]);
    assert_eq!(run(0x200, Some([0x41, 0xf4])), [1, 1, 2]);
}

#[test]
fn the_same_ip_in_another_segment_is_other_code() {
    let mut cpu = bare(Bits::Real, 1 << 20).unwrap();
    let memory = cpu.mmu.memory();
    // INC AX (or BX), then JMP to offset 0 of the other segment.
    for (at, code) in [
        (0x1_0000, [0x40, 0xea, 0, 0, 0, 0x20]),
        (0x2_0000, [0x43, 0xea, 0, 0, 0, 0x10]),
    ] {
        memory.load_image(PhysicalAddress(at), &code).unwrap();
    }
    cpu.state.segments[SegmentRegister::Cs as usize] = Segment::real_mode(0x1000);
    cpu.state.rip = 0;
    cpu.update_mode();
    let mut interpreter = Interpreter::new(&cpu);
    let until = cpu.state.instructions + 400;
    assert_eq!(interpreter.run(&mut cpu, until), Stop::Budget);
    let counts = [Gpr::Rax, Gpr::Rbx].map(|register| cpu.state.gpr(register));
    assert_eq!(counts, [100, 100]);
}
