//! Delivery in every mode, down to the bytes on the stack.

mod never_panics;

use rax_mmu::{LinearAddress, PageFault, PageFaultCode};

use crate::exception::Exception;
use crate::rflags::{Cr4, Rflags};
use crate::segment::fixture::{
    ABSENT_DATA, CODE, CODE_0, CODE_3, COMPATIBLE_3, CONFORMING_0, DATA_0, DATA_3, HANDLERS,
    INNER_STACK, KERNEL_STACK, Rig, STACK_16, TSS, USER_STACK, gate,
};
use crate::segment::{Segment, SegmentRegister};
use crate::state::{Activity, Gpr};
use crate::testing::Bits;

const INT_80: [u8; 2] = [0xcd, 0x80];

#[test]
fn real_mode_pushes_three_words_and_clears_if() {
    let mut rig = Rig::new(Bits::Real);
    rig.cpu.state.system_flags = Rflags::IF | Rflags::DF | Rflags::AC;
    rig.run(&[0xcd, 0x21], 1);
    assert_eq!(rig.handling(), Some(0x21));
    assert_eq!(rig.stacked::<u16>(0), 2);
    assert_eq!(rig.stacked::<u16>(1), 0x1000);
    assert_eq!(rig.stacked::<u16>(2), 0x602);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), 0x7ffa);
    assert_eq!(rig.cpu.state.system_flags, Rflags::DF);
}

#[test]
fn real_mode_without_a_table_shuts_down() {
    let mut rig = Rig::new(Bits::Real);
    rig.cpu.state.idtr.limit = 0;
    assert_eq!(rig.run(&[0xcd, 0x21], 1), crate::Stop::Shutdown);
    assert_eq!(rig.cpu.state.rip, 0, "the interrupted program is as it was");
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), 0x8000);
}

#[test]
fn a_fault_at_level_0_pushes_its_error_code_and_rf() {
    let mut rig = Rig::new(Bits::Protected32);
    rig.cpu.state.set_gpr(Gpr::Rax, u64::from(ABSENT_DATA));
    // MOV DS, AX
    rig.run(&[0x8e, 0xd8], 1);
    assert_eq!(rig.handling(), Some(11));
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), KERNEL_STACK - 16);
    assert_eq!(rig.stacked::<u32>(0), u32::from(ABSENT_DATA));
    assert_eq!(u64::from(rig.stacked::<u32>(1)), CODE);
    assert_eq!(rig.stacked::<u32>(2), u32::from(CODE_0));
    assert_eq!(rig.stacked::<u32>(3), 0x1_0002);
    assert_eq!(rig.cpu.statistics.exceptions[11], 1);
}

#[test]
fn an_interrupt_gate_of_level_3_switches_to_the_stack_of_the_tss() {
    let mut rig = Rig::new(Bits::Protected32).at_level_3();
    rig.set_gate(0x80, CODE_0, 0xee);
    rig.cpu.state.system_flags = Rflags::IF | Rflags::NT | Rflags::AC;
    rig.run(&INT_80, 1);
    assert_eq!(rig.handling(), Some(0x80));
    assert_eq!(rig.cpu.state.cpl, 0);
    assert_eq!(rig.selector(SegmentRegister::Cs), CODE_0);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), INNER_STACK - 20);
    assert_eq!(u64::from(rig.stacked::<u32>(0)), CODE + 2);
    assert_eq!(rig.stacked::<u32>(1), u32::from(CODE_3));
    assert_eq!(rig.stacked::<u32>(2), 0x4_4202);
    assert_eq!(u64::from(rig.stacked::<u32>(3)), USER_STACK);
    assert_eq!(rig.stacked::<u32>(4), u32::from(DATA_3));
    assert_eq!(rig.cpu.state.system_flags, Rflags::AC);
    // IRETD
    rig.cpu.state.rip = CODE + 0x100;
    rig.run(&[0xcf], 1);
    assert_eq!(rig.cpu.state.rip, CODE + 2);
    assert_eq!(rig.cpu.state.cpl, 3);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), USER_STACK);
    assert_eq!(rig.selector(SegmentRegister::Ss), DATA_3);
    assert!(
        rig.cpu
            .state
            .system_flags
            .contains(Rflags::IF | Rflags::NT | Rflags::AC)
    );
}

#[test]
fn a_trap_gate_leaves_if_and_a_conforming_handler_the_level() {
    let mut rig = Rig::new(Bits::Protected32).at_level_3();
    rig.set_gate(0x80, CONFORMING_0, 0xef);
    rig.cpu.state.system_flags = Rflags::IF;
    rig.run(&INT_80, 1);
    assert_eq!(rig.handling(), Some(0x80));
    assert_eq!(rig.cpu.state.cpl, 3);
    assert_eq!(rig.selector(SegmentRegister::Cs), CONFORMING_0 | 3);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), USER_STACK - 12);
    assert!(rig.cpu.state.system_flags.contains(Rflags::IF));
}

#[test]
fn software_may_not_use_a_gate_of_more_privilege() {
    let mut rig = Rig::new(Bits::Protected32).at_level_3();
    rig.run(&INT_80, 1);
    assert_eq!(rig.handling(), Some(13));
    assert_eq!(rig.stacked::<u32>(0), 0x402);
    assert_eq!(u64::from(rig.stacked::<u32>(1)), CODE);
}

#[test]
fn int1_needs_no_privilege() {
    let mut rig = Rig::new(Bits::Protected32).at_level_3();
    rig.run(&[0xf1], 1);
    assert_eq!(rig.handling(), Some(1));
    assert_eq!(u64::from(rig.stacked::<u32>(0)), CODE + 1);
}

#[test]
fn int1_takes_along_a_breakpoint_that_mov_ss_put_off() {
    let mut rig = Rig::new(Bits::Protected32);
    // MOV SS, [CODE + 100h] with a read breakpoint there, then INT1.
    rig.poke(CODE + 0x100, &DATA_0.to_le_bytes());
    rig.cpu.state.dr[1] = CODE + 0x100;
    rig.cpu.state.dr[7] |= 1 << 2 | 3 << 20;
    rig.cpu.update_mode();
    let mut code = vec![0x8e, 0x15];
    code.extend((CODE as u32 + 0x100).to_le_bytes());
    code.push(0xf1);
    rig.run(&code, 2);
    assert_eq!(rig.handling(), Some(1));
    assert_eq!(u64::from(rig.stacked::<u32>(0)), CODE + 7);
    assert_eq!(rig.cpu.state.dr[6] & 0xf, 2);
    assert_eq!(rig.cpu.debug_hits, 0, "not another one");
}

#[test]
fn a_missing_gate_of_an_external_interrupt_is_external() {
    let mut rig = Rig::new(Bits::Protected32);
    rig.set_gate(0x31, CODE_0, 0x0e);
    rig.cpu.deliver_interrupt(0x31);
    assert_eq!(rig.handling(), Some(11));
    assert_eq!(rig.stacked::<u32>(0), 0x31 << 3 | 3);
    rig.cpu.state.idtr.limit = 0x17f;
    rig.cpu.deliver_interrupt(0x31);
    assert_eq!(rig.handling(), Some(13));
    assert_eq!(rig.stacked::<u32>(0), 0x31 << 3 | 3);
}

#[test]
fn two_contributory_faults_make_a_double_fault_and_three_a_shutdown() {
    let mut rig = Rig::new(Bits::Protected32);
    rig.set_gate(13, CODE_0, 0x0e);
    rig.cpu.deliver_exception(Exception::GeneralProtection(0));
    assert_eq!(rig.handling(), Some(8));
    assert_eq!(rig.stacked::<u32>(0), 0);
    rig.set_gate(8, CODE_0, 0x0e);
    let before = rig.cpu.state.clone();
    rig.cpu.deliver_exception(Exception::GeneralProtection(0));
    assert_eq!(rig.cpu.state.activity, Activity::Shutdown);
    rig.cpu.state.activity = Activity::Running;
    assert_eq!(rig.cpu.state, before);
}

#[test]
fn a_benign_exception_and_a_fault_are_handled_in_turn() {
    let mut rig = Rig::new(Bits::Protected32);
    rig.set_gate(6, CODE_0, 0x0e);
    rig.cpu.deliver_exception(Exception::InvalidOpcode);
    assert_eq!(rig.handling(), Some(11));
    assert_eq!(rig.stacked::<u32>(0), 6 << 3 | 3);
}

#[test]
fn an_unfit_inner_stack_is_an_invalid_tss() {
    let mut rig = Rig::new(Bits::Protected32).at_level_3();
    // A handler for #TS that needs no other stack.
    rig.set_gate(10, CONFORMING_0, 0x8e);
    rig.set_gate(0x80, CODE_0, 0xee);
    rig.put(TSS + 8, DATA_3);
    rig.run(&INT_80, 1);
    assert_eq!(rig.handling(), Some(10));
    assert_eq!(rig.stacked::<u32>(0), u32::from(DATA_3 & !3));
    assert_eq!(u64::from(rig.stacked::<u32>(1)), CODE);
}

#[test]
fn no_room_on_the_inner_stack_leaves_the_program_as_it_was() {
    let mut rig = Rig::new(Bits::Protected32).at_level_3();
    rig.set_gate(12, CONFORMING_0, 0x8e);
    rig.set_gate(0x80, CODE_0, 0xee);
    rig.put(TSS + 4, 0x2_0000u32 + 8);
    rig.put(TSS + 8, STACK_16);
    rig.run(&INT_80, 1);
    // SP was 8: two doublewords fit, the third wraps to the top, which fits too.
    assert_eq!(rig.handling(), Some(0x80));
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), 0x2_fff4);
    let mut rig = Rig::new(Bits::Protected32).at_level_3();
    rig.set_gate(12, CONFORMING_0, 0x8e);
    rig.set_gate(0x80, CODE_0, 0xee);
    rig.put(TSS + 4, 2u32);
    rig.put(TSS + 8, STACK_16);
    rig.run(&INT_80, 1);
    assert_eq!(rig.handling(), Some(12));
    assert_eq!(rig.stacked::<u32>(0), u32::from(STACK_16));
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), USER_STACK - 16);
    assert_eq!(rig.cpu.state.cpl, 3);
}

#[test]
fn a_16_bit_gate_pushes_words() {
    let mut rig = Rig::new(Bits::Protected32);
    rig.set_descriptor(
        0x60,
        crate::segment::fixture::descriptor(0x2_0000, 0xffff, 0x9b),
    );
    rig.put(0x2000 + 8 * 0x80, gate(0x60, 0x800, 0x86, 0));
    rig.run(&INT_80, 1);
    assert_eq!(rig.handling(), Some(0x80));
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), KERNEL_STACK - 6);
    assert_eq!(rig.stacked::<u16>(0), 2);
    assert_eq!(rig.stacked::<u16>(1), CODE_0);
}

#[test]
fn long_mode_switches_stacks_and_aligns_them() {
    let mut rig = Rig::new(Bits::Long64).at_level_3();
    rig.put(TSS + 4, INNER_STACK + 7);
    rig.cpu.state.system_flags = Rflags::IF | Rflags::TF;
    let fault = PageFault {
        address: LinearAddress(0xdead_beef),
        error_code: PageFaultCode::U | PageFaultCode::W,
    };
    rig.cpu.deliver_exception(Exception::PageFault(fault));
    assert_eq!(rig.handling(), Some(14));
    assert_eq!(rig.cpu.state.cr2, 0xdead_beef);
    assert_eq!(rig.cpu.state.cpl, 0);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), INNER_STACK - 48);
    let frame: Vec<u64> = (0..6).map(|n| rig.stacked(n)).collect();
    let expected = [
        6,
        CODE,
        u64::from(CODE_3),
        0x1_0302,
        USER_STACK,
        u64::from(DATA_3),
    ];
    assert_eq!(frame, expected);
    assert_eq!(rig.selector(SegmentRegister::Ss), 0);
    assert_eq!(rig.cpu.state.system_flags, Rflags::empty());
}

#[test]
fn the_interrupt_stack_table_serves_the_same_level_too() {
    let mut rig = Rig::new(Bits::Long64);
    rig.put(0x2000 + 16 * 2, gate(CODE_0, HANDLERS + 32, 0x8e, 3));
    rig.put(TSS + 0x34, 0x7_8000u64);
    rig.cpu.state.set_gpr(Gpr::Rsp, KERNEL_STACK - 3);
    rig.cpu.deliver_nmi();
    assert_eq!(rig.handling(), Some(2));
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), 0x7_8000 - 40);
    assert_eq!(rig.stacked::<u64>(3), KERNEL_STACK - 3);
    assert_eq!(rig.selector(SegmentRegister::Ss), 0x10);
    // IRETQ
    rig.cpu.state.nmi_blocked = true;
    rig.cpu.state.rip = CODE + 0x100;
    rig.run(&[0x48, 0xcf], 1);
    assert_eq!(rig.cpu.state.rip, CODE);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), KERNEL_STACK - 3);
    assert!(!rig.cpu.state.nmi_blocked);
}

#[test]
fn compatibility_code_is_interrupted_by_64_bit_code_and_resumed() {
    let mut rig = Rig::new(Bits::Long64).at_level_3();
    // JMP m16:32 [0x40000]
    rig.put(0x4_0000, CODE as u32 + 7);
    rig.put(0x4_0004, COMPATIBLE_3);
    rig.run(&[0xff, 0x2c, 0x25, 0, 0, 4, 0], 1);
    assert_eq!(rig.cpu.mode().code_bits(), 32);
    rig.set_gate(0x80, CODE_0, 0xee);
    rig.run(&INT_80, 1);
    assert_eq!(rig.handling(), Some(0x80));
    assert_eq!(rig.stacked::<u64>(1), u64::from(COMPATIBLE_3));
    rig.cpu.state.rip = CODE + 0x100;
    rig.run(&[0x48, 0xcf], 1);
    assert_eq!(rig.cpu.mode().code_bits(), 32);
    assert_eq!(rig.cpu.state.rip, CODE + 9);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), USER_STACK);
}

#[test]
fn a_gate_to_32_bit_code_is_refused_in_long_mode() {
    let mut rig = Rig::new(Bits::Long64).at_level_3();
    rig.set_gate(0x80, COMPATIBLE_3 & !3, 0xee);
    rig.run(&INT_80, 1);
    assert_eq!(rig.handling(), Some(13));
    assert_eq!(rig.stacked::<u64>(0), u64::from(COMPATIBLE_3 & !3));
}

fn virtual_8086() -> Rig {
    let mut rig = Rig::new(Bits::Protected32);
    let selectors = [0x111, 0x1000, 0x4000, 0x222, 0x333, 0x444];
    rig.cpu.state.segments = selectors.map(Segment::virtual_8086);
    rig.cpu.state.system_flags = Rflags::VM | Rflags::IF;
    rig.cpu.state.rip = 0;
    rig.cpu.state.set_gpr(Gpr::Rsp, 0x1000);
    rig.cpu.set_cpl(3);
    rig
}

#[test]
fn virtual_8086_mode_is_left_with_all_selectors_and_entered_again() {
    let mut rig = virtual_8086();
    // An undefined opcode.
    rig.run(&[0x0f, 0x0b], 1);
    assert_eq!(rig.handling(), Some(6));
    assert_eq!(rig.cpu.state.cpl, 0);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), INNER_STACK - 36);
    let frame: Vec<u32> = (0..9).map(|n| rig.stacked(n)).collect();
    let expected = [
        0, 0x1000, 0x3_0202, 0x1000, 0x4000, 0x111, 0x222, 0x333, 0x444,
    ];
    assert_eq!(frame, expected);
    assert!(!rig.cpu.state.segment(SegmentRegister::Ds).is_usable());
    rig.cpu.state.rip = CODE + 0x100;
    rig.run(&[0xcf], 1);
    assert!(rig.cpu.state.system_flags.contains(Rflags::VM | Rflags::IF));
    assert_eq!(rig.cpu.state.cpl, 3);
    assert_eq!(rig.cpu.state.segment(SegmentRegister::Fs).base, 0x3330);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), 0x1000);
}

#[test]
fn a_virtual_interrupt_that_waits_stops_the_program_iret_enters() {
    let both = (Rflags::VM | Rflags::VIF | Rflags::VIP).bits() as u32;
    for (cr4, flags, expected) in [
        (Cr4::VME, both, Some(13)),
        (Cr4::VME, both & !(Rflags::VIF.bits() as u32), None),
        (Cr4::empty(), both, None),
    ] {
        let mut rig = Rig::new(Bits::Protected32);
        rig.cpu.state.cr4 |= cr4.bits();
        let frame = [0x10, 0x1000, flags | 2, 0x800, 0x4000, 0, 0, 0, 0];
        for (n, value) in (0..).zip(frame) {
            rig.put(KERNEL_STACK + 4 * n, value);
        }
        rig.run(&[0xcf], 1);
        assert_eq!(rig.handling(), expected, "{cr4:?} {flags:x}");
        if expected.is_some() {
            assert_eq!(rig.stacked::<u32>(1), 0x10, "before the first instruction");
        }
    }
}

#[test]
fn int_n_in_virtual_8086_mode_needs_iopl_3() {
    let mut rig = virtual_8086();
    rig.set_gate(0x80, CODE_0, 0xee);
    rig.run(&INT_80, 1);
    assert_eq!(rig.handling(), Some(13));
    assert_eq!(rig.stacked::<u32>(0), 0);
    let mut rig = virtual_8086();
    rig.set_gate(0x80, CODE_0, 0xee);
    rig.cpu.state.system_flags |= Rflags::IOPL;
    rig.run(&INT_80, 1);
    assert_eq!(rig.handling(), Some(0x80));
}

#[test]
fn vme_redirects_to_the_programs_own_handler() {
    let mut rig = virtual_8086();
    rig.cpu.state.cr4 |= Cr4::VME.bits();
    rig.put(TSS + 0x66, 0x88u16);
    rig.put(4 * 0x80, 0x2000_0800u32);
    rig.cpu.state.system_flags |= Rflags::VIF;
    rig.run(&INT_80, 1);
    assert_eq!(rig.handling(), Some(0x80));
    assert_eq!(rig.cpu.state.cpl, 3);
    assert_eq!(rig.selector(SegmentRegister::Cs), 0x2000);
    assert_eq!(rig.stacked::<u16>(2), 0x3202, "IF is VIF, IOPL is 3");
    assert_eq!(rig.cpu.state.system_flags, Rflags::VM | Rflags::IF);
    // IRET brings VIF back.
    rig.cpu.state.rip = 0x4000;
    rig.run(&[0xcf], 1);
    assert_eq!(rig.cpu.state.rip, 2);
    assert_eq!(
        rig.cpu.state.system_flags,
        Rflags::VM | Rflags::IF | Rflags::VIF
    );
    // A set bit in the map goes to the monitor, which IOPL forbids here.
    rig.put(TSS + 0x68 + 0x10, 1u8);
    rig.run(&INT_80, 1);
    assert_eq!(rig.handling(), Some(13));
}

#[test]
fn a_debug_trap_sets_dr6_and_clears_general_detection() {
    let mut rig = Rig::new(Bits::Protected32);
    rig.cpu.state.dr[6] = 0xffff_0ff1;
    rig.cpu.state.dr[7] = 0x2400;
    rig.cpu
        .deliver_exception(Exception::Debug { status: 0x4000 });
    assert_eq!(rig.handling(), Some(1));
    assert_eq!(rig.cpu.state.dr[6], 0xffff_4ff0);
    assert_eq!(rig.cpu.state.dr[7], 0x400);
    assert_eq!(rig.stacked::<u32>(2), 2, "a trap has no RF");
}

#[test]
fn a_stepped_int_loses_its_trap_but_the_next_step_does_not() {
    let mut rig = Rig::new(Bits::Protected32);
    rig.cpu.state.system_flags = Rflags::TF;
    rig.cpu.update_mode();
    rig.run(&INT_80, 1);
    assert_eq!(rig.handling(), Some(0x80));
    rig.cpu.state.system_flags = Rflags::TF;
    rig.cpu.state.rip = CODE + 0x100;
    rig.cpu.update_mode();
    rig.run(&[0x40, 0x40], 1);
    assert_eq!(rig.handling(), Some(1));
    assert_eq!(u64::from(rig.stacked::<u32>(0)), CODE + 0x101);
}
