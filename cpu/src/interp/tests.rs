//! The block cache when it is full, and when memory has two addresses.

use rax_mmu::PhysicalAddress;

use super::{Engine as _, Interpreter, Stop};
use crate::Cpu;
use crate::rflags::Rflags;
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

/// Real mode at 1000h with `code`; the handler of vector 1 counts in AX, that of vector 2 in CX.
fn with_handlers(code: &[u8]) -> Box<Cpu> {
    let mut cpu = bare(Bits::Real, 1 << 20).unwrap();
    let memory = cpu.mmu.memory();
    for (at, bytes) in [
        (0x0004, &[0x00, 0x05, 0, 0, 0x00, 0x06, 0, 0][..]),
        (0x0500, &[0x40, 0xcf]), // INC AX, IRET
        (0x0600, &[0x41, 0xcf]), // INC CX, IRET
        (0x1000, code),
    ] {
        memory.ram_write(PhysicalAddress(at), bytes).unwrap();
    }
    cpu.state.set_gpr(Gpr::Rsp, 0x8000);
    cpu.state.rip = 0x1000;
    cpu
}

#[test]
fn a_single_step_trap_ends_the_wait_of_hlt() {
    // HLT, INC BX, then a loop.
    let mut cpu = with_handlers(&[0xf4, 0x43, 0xeb, 0xfe]);
    cpu.state.system_flags.insert(Rflags::TF);
    cpu.update_mode();
    let mut interpreter = Interpreter::new(&cpu);
    assert_eq!(interpreter.run(&mut cpu, 6), Stop::Budget);
    assert_eq!(cpu.state.gpr(Gpr::Rbx), 1);
    assert_eq!(cpu.state.gpr(Gpr::Rax), 2, "after HLT and after INC");
}

#[test]
fn an_nmi_waits_for_the_end_of_the_shadow_of_sti() {
    // STI, INC BX, then a loop.
    let mut cpu = with_handlers(&[0xfb, 0x43, 0xeb, 0xfe]);
    let mut interpreter = Interpreter::new(&cpu);
    assert_eq!(interpreter.run(&mut cpu, 1), Stop::Budget);
    cpu.nmi_pending = true;
    // Other processors had their turns.
    cpu.catch_up(1000);
    assert_eq!(interpreter.run(&mut cpu, 1001), Stop::Budget);
    assert_eq!(cpu.state.gpr(Gpr::Rbx), 1, "before the handler");
    assert_eq!(interpreter.run(&mut cpu, 1004), Stop::Budget);
    assert_eq!(cpu.state.gpr(Gpr::Rcx), 1);
}
