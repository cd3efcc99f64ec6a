//! Task switches by every entrance.

use crate::exception::Exception;
use crate::rflags::{Cr0, Rflags};
use crate::segment::SegmentRegister;
use crate::segment::fixture::{
    ABSENT_DATA, CODE, CODE_0, CODE_3, DATA_0, DATA_3, INNER_STACK, KERNEL_STACK, OTHER_TASK,
    OTHER_TSS, Rig, SPARE, TASK, TSS, descriptor, gate,
};
use crate::state::Gpr;
use crate::testing::Bits;

const GDT: u64 = 0x1000;

/// JMP or CALL ptr16:32.
fn direct(opcode: u8, selector: u16) -> [u8; 7] {
    let [low, high] = selector.to_le_bytes();
    [opcode, 0, 0, 0, 0, low, high]
}

/// A rig whose second task waits at [`CODE`] + 0x400 at level 0.
fn rig() -> Rig {
    let mut rig = Rig::new(Bits::Protected32);
    rig.put(OTHER_TSS + 0x20, CODE as u32 + 0x400);
    rig.put(OTHER_TSS + 0x24, 0x2u32);
    for n in 0..8u32 {
        rig.put(OTHER_TSS + 0x28 + 4 * u64::from(n), 0xa000_0000 + n);
    }
    rig.put(OTHER_TSS + 0x38, INNER_STACK as u32);
    for (n, selector) in (0..).zip([DATA_0, CODE_0, DATA_0, DATA_0, 0, DATA_3]) {
        rig.put(OTHER_TSS + 0x48 + 4 * n, u32::from(selector));
    }
    rig.poke(CODE + 0x400, &[0xeb, 0xfe]);
    rig.cpu.state.set_gpr(Gpr::Rbx, 0x1234_5678);
    rig
}

fn kind(rig: &Rig, selector: u16) -> u8 {
    rig.get::<u8>(GDT + u64::from(selector) + 5) & 15
}

#[test]
fn a_jump_saves_one_task_and_loads_the_other() {
    let mut rig = rig();
    rig.run(&direct(0xea, OTHER_TASK), 1);
    assert_eq!(rig.cpu.state.rip, CODE + 0x400);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rdi), 0xa000_0007);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), INNER_STACK);
    assert_eq!(rig.cpu.state.tr.selector, OTHER_TASK);
    assert_eq!(rig.selector(SegmentRegister::Gs), DATA_3);
    assert_ne!(rig.cpu.state.cr0 & Cr0::TS.bits(), 0);
    assert_eq!((kind(&rig, TASK), kind(&rig, OTHER_TASK)), (9, 11));
    assert_eq!(u64::from(rig.get::<u32>(TSS + 0x20)), CODE + 7);
    assert_eq!(rig.get::<u32>(TSS + 0x34), 0x1234_5678);
    assert_eq!(u64::from(rig.get::<u32>(TSS + 0x38)), KERNEL_STACK);
    assert_eq!(rig.get::<u16>(TSS + 0x4c), CODE_0);
    assert!(!rig.cpu.state.system_flags.contains(Rflags::NT));
}

#[test]
fn the_task_register_keeps_the_rpl_it_was_loaded_with() {
    let mut rig = rig();
    let descriptor = rig.get::<u64>(GDT + u64::from(OTHER_TASK));
    rig.set_descriptor(OTHER_TASK, descriptor | 0x60 << 40);
    rig.run(&direct(0xea, OTHER_TASK | 1), 1);
    assert_eq!(rig.cpu.state.rip, CODE + 0x400);
    assert_eq!(rig.cpu.state.tr.selector, OTHER_TASK | 1);
}

#[test]
fn an_interrupted_task_that_faults_goes_on_at_its_own_entry() {
    let mut rig = rig();
    // The new task's DS is beyond the table; its #TS finds a gate.
    rig.put(OTHER_TSS + 0x54, 0xfff8u32);
    rig.set_gate(0x40, OTHER_TASK, 0x85);
    rig.run(&[0xcd, 0x40], 1);
    assert_eq!(rig.handling(), Some(10));
    assert_eq!(rig.stacked::<u32>(0), 0xfff8);
    assert_eq!(u64::from(rig.stacked::<u32>(1)), CODE + 0x400);
    assert_eq!(u64::from(rig.get::<u32>(TSS + 0x20)), CODE + 2);
}

#[test]
fn a_stepped_jump_to_a_task_that_faults_takes_no_trap() {
    let mut rig = rig();
    rig.put(OTHER_TSS + 0x54, 0xfff8u32);
    rig.cpu.state.system_flags |= Rflags::TF;
    rig.cpu.update_mode();
    rig.run(&direct(0xea, OTHER_TASK), 1);
    assert_eq!(rig.handling(), Some(10));
    assert_eq!(u64::from(rig.stacked::<u32>(1)), CODE + 0x400);
}

#[test]
fn a_called_task_returns_by_iret() {
    let mut rig = rig();
    rig.poke(CODE + 0x400, &[0xcf]);
    rig.run(&direct(0x9a, OTHER_TASK), 1);
    assert!(rig.cpu.state.system_flags.contains(Rflags::NT));
    assert_eq!(rig.get::<u16>(OTHER_TSS), TASK);
    assert_eq!((kind(&rig, TASK), kind(&rig, OTHER_TASK)), (11, 11));
    rig.go_on(1);
    assert_eq!(rig.cpu.state.rip, CODE + 7);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rbx), 0x1234_5678);
    assert_eq!(rig.cpu.state.tr.selector, TASK);
    assert_eq!((kind(&rig, TASK), kind(&rig, OTHER_TASK)), (11, 9));
    assert_eq!(rig.get::<u32>(OTHER_TSS + 0x24) & 0x4000, 0);
}

#[test]
fn a_task_gate_takes_an_exception_with_its_error_code() {
    let mut rig = rig();
    rig.put(0x2000 + 8 * 13, gate(OTHER_TASK, 0, 0x85, 0));
    rig.cpu
        .deliver_exception(Exception::GeneralProtection(0x44));
    assert_eq!(rig.cpu.state.rip, CODE + 0x400);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), INNER_STACK - 4);
    assert_eq!(rig.stacked::<u32>(0), 0x44);
    assert_eq!(u64::from(rig.get::<u32>(TSS + 0x20)), CODE);
    assert_eq!(rig.get::<u32>(TSS + 0x24), 0x1_0002);
}

#[test]
fn the_new_task_takes_the_faults_of_its_state() {
    let cases = [
        (0x4c, 0u16, 10u32, 0),
        (0x4c, CODE_3, 10, DATA_0),
        (0x50, 0, 10, 0),
        (0x50, DATA_3, 10, DATA_3 & !3),
        (0x54, ABSENT_DATA, 11, ABSENT_DATA),
        (0x54, 0x1000, 10, 0x1000),
        (0x60, CODE_0, 10, CODE_0),
    ];
    for (offset, selector, vector, code) in cases {
        let mut rig = rig();
        // The handler has a task of its own, so that it does not need the new one's stack.
        rig.set_descriptor(SPARE, descriptor(0x3800, 0x67, 0x89));
        rig.put(0x3820, 0x2_0000 + 16 * vector);
        rig.put(0x3838, INNER_STACK as u32 - 0x1000);
        rig.put(0x384c, CODE_0);
        rig.put(0x3850, DATA_0);
        rig.put(0x2000 + 8 * u64::from(vector), gate(SPARE, 0, 0x85, 0));
        rig.put(OTHER_TSS + offset, selector);
        rig.run(&direct(0xea, OTHER_TASK), 1);
        assert_eq!(
            rig.handling(),
            Some(u64::from(vector)),
            "{offset:#x} {selector:#x}"
        );
        // CODE_3 at level 3 is fine itself; its stack is not.
        assert_eq!(rig.stacked::<u32>(0), u32::from(code), "{offset:#x}");
        assert_eq!(u64::from(rig.get::<u32>(OTHER_TSS + 0x20)), CODE + 0x400);
        assert_eq!(rig.get::<u16>(0x3800), OTHER_TASK);
    }
}

#[test]
fn a_busy_or_short_task_is_refused_by_the_old_one() {
    let mut rig = rig();
    rig.run(&direct(0xea, TASK), 1);
    assert_eq!(rig.handling(), Some(13));
    assert_eq!(rig.stacked::<u32>(0), u32::from(TASK));
    let mut rig = self::rig();
    rig.set_descriptor(OTHER_TASK, descriptor(OTHER_TSS as u32, 0x66, 0x89));
    rig.run(&direct(0xea, OTHER_TASK), 1);
    assert_eq!(rig.handling(), Some(10));
    assert_eq!(rig.stacked::<u32>(0), u32::from(OTHER_TASK));
    assert_eq!(u64::from(rig.stacked::<u32>(1)), CODE);
}

#[test]
fn the_t_bit_traps_before_the_first_instruction() {
    let mut rig = rig();
    rig.put(OTHER_TSS + 0x64, 1u16);
    rig.cpu.state.dr[7] = 0x401;
    rig.run(&direct(0xea, OTHER_TASK), 1);
    assert_eq!(rig.handling(), Some(1));
    assert_eq!(rig.cpu.state.dr[6] & 0x8000, 0x8000);
    assert_eq!(rig.cpu.state.dr[7], 0x400);
    assert_eq!(u64::from(rig.stacked::<u32>(0)), CODE + 0x400);
}

#[test]
fn a_16_bit_task_keeps_the_upper_halves() {
    let mut rig = rig();
    rig.set_descriptor(OTHER_TASK, descriptor(OTHER_TSS as u32, 0x2b, 0x81));
    rig.poke(OTHER_TSS, &[0; 0x2c]);
    rig.put(OTHER_TSS + 0x0e, 0x400u16);
    rig.put(OTHER_TSS + 0x12, 0xbeefu16);
    rig.set_descriptor(SPARE, descriptor(CODE as u32, 0xffff, 0x9b));
    rig.put(OTHER_TSS + 0x24, SPARE);
    rig.put(OTHER_TSS + 0x26, DATA_0);
    rig.cpu.state.set_gpr(Gpr::Rax, 0x1111_2222);
    rig.run(&direct(0xea, OTHER_TASK), 1);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rax), 0x1111_beef);
    assert_eq!(rig.cpu.state.rip, 0x400);
    assert_eq!(rig.cpu.mode().code_bits(), 16);
    assert_eq!(rig.selector(SegmentRegister::Fs), 0);
}
