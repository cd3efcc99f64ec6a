//! Far transfers, instruction by instruction.

use crate::rflags::{Efer, Rflags};
use crate::segment::SegmentRegister;
use crate::segment::fixture::{
    CODE, CODE_0, CODE_3, COMPATIBLE_3, CONFORMING_0, DATA_0, DATA_3, INNER_STACK, KERNEL_STACK,
    Rig, SPARE, TASK, USER_STACK, descriptor, gate,
};
use crate::segment::load::null_segment;
use crate::state::Gpr;
use crate::testing::Bits;

/// JMP or CALL ptr16:32 to [`CODE`] + 0x200.
fn direct(opcode: u8, selector: u16) -> [u8; 7] {
    let [low, high] = selector.to_le_bytes();
    [opcode, 0x00, 0x02, 0x01, 0x00, low, high]
}

/// What #GP says, if that is what happened.
fn protection_fault(rig: &Rig) -> Option<u32> {
    (rig.handling() == Some(13)).then(|| rig.stacked::<u32>(0))
}

#[test]
fn real_mode_far_call_and_return() {
    let mut rig = Rig::new(Bits::Real);
    rig.poke(0x2_1000, &[0xca, 0x02, 0x00]);
    rig.run(&[0x9a, 0x00, 0x10, 0x00, 0x20], 1);
    assert_eq!(rig.cpu.state.rip, 0x1000);
    assert_eq!(rig.cpu.state.segment(SegmentRegister::Cs).base, 0x2_0000);
    assert_eq!(rig.stacked::<u16>(0), 5);
    assert_eq!(rig.stacked::<u16>(1), 0x1000);
    rig.go_on(1);
    assert_eq!(rig.cpu.state.rip, 5);
    assert_eq!(rig.selector(SegmentRegister::Cs), 0x1000);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), 0x8002);
}

#[test]
fn a_direct_jump_obeys_privilege() {
    let cases = [
        (CODE_0, None),
        (CODE_0 | 3, Some(u32::from(CODE_0))),
        (CODE_3, Some(u32::from(CODE_3 & !3))),
        (CONFORMING_0 | 3, None),
        (DATA_0, Some(u32::from(DATA_0))),
        (0, Some(0)),
        (0x1000, Some(0x1000)),
        (TASK, Some(u32::from(TASK))),
    ];
    for (selector, fault) in cases {
        let mut rig = Rig::new(Bits::Protected32);
        rig.run(&direct(0xea, selector), 1);
        assert_eq!(protection_fault(&rig), fault, "{selector:#x}");
        if fault.is_none() {
            assert_eq!(rig.cpu.state.rip, CODE + 0x200);
            assert_eq!(rig.selector(SegmentRegister::Cs), selector & !3);
        }
    }
}

#[test]
fn a_far_call_sets_the_accessed_bit_and_returns() {
    let mut rig = Rig::new(Bits::Protected32);
    let fresh = descriptor(0, 0xf_ffff, 0xc09a);
    rig.set_descriptor(SPARE, fresh);
    rig.poke(CODE + 0x200, &[0xcb]);
    rig.run(&direct(0x9a, SPARE), 1);
    assert_eq!(rig.get::<u64>(0x1000 + u64::from(SPARE)), fresh | 1 << 40);
    assert_eq!(rig.stacked::<u32>(1), u32::from(CODE_0));
    rig.go_on(1);
    assert_eq!(rig.cpu.state.rip, CODE + 7);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), KERNEL_STACK);
}

#[test]
fn a_call_gate_copies_parameters_and_ret_releases_them() {
    let mut rig = Rig::new(Bits::Protected32).at_level_3();
    rig.set_descriptor(SPARE, gate(CODE_0, CODE + 0x200, 0xec, 2));
    rig.cpu.state.set_gpr(Gpr::Rsp, USER_STACK - 8);
    rig.put(USER_STACK - 8, 0x1111_1111u32);
    rig.put(USER_STACK - 4, 0x2222_2222u32);
    // RET far 8
    rig.poke(CODE + 0x200, &[0xca, 0x08, 0x00]);
    rig.run(&direct(0x9a, SPARE | 3), 1);
    assert_eq!(rig.cpu.state.cpl, 0);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), INNER_STACK - 24);
    let frame: Vec<u32> = (0..6).map(|n| rig.stacked(n)).collect();
    let expected = [
        CODE as u32 + 7,
        u32::from(CODE_3),
        0x1111_1111,
        0x2222_2222,
        USER_STACK as u32 - 8,
        u32::from(DATA_3),
    ];
    assert_eq!(frame, expected);
    // A segment of level 0 does not survive the way out.
    let kernel_data = rig.cpu.load_segment(SegmentRegister::Es, DATA_0);
    assert!(kernel_data.is_ok());
    rig.go_on(1);
    assert_eq!(rig.cpu.state.cpl, 3);
    assert_eq!(rig.cpu.state.rip, CODE + 7);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), USER_STACK);
    assert_eq!(rig.selector(SegmentRegister::Es), 0);
    assert_eq!(rig.selector(SegmentRegister::Ds), DATA_3);
}

#[test]
fn a_call_gate_of_level_0_is_closed_to_level_3() {
    let mut rig = Rig::new(Bits::Protected32).at_level_3();
    rig.set_descriptor(SPARE, gate(CODE_0, CODE + 0x200, 0x8c, 0));
    rig.run(&direct(0x9a, SPARE), 1);
    assert_eq!(protection_fault(&rig), Some(u32::from(SPARE)));
    // A jump through an open gate must not gain privilege.
    let mut rig = Rig::new(Bits::Protected32).at_level_3();
    rig.set_descriptor(SPARE, gate(CODE_0, CODE + 0x200, 0xec, 0));
    rig.run(&direct(0xea, SPARE | 3), 1);
    assert_eq!(protection_fault(&rig), Some(u32::from(CODE_0)));
}

#[test]
fn a_64_bit_call_gate_pushes_quadwords() {
    let mut rig = Rig::new(Bits::Long64).at_level_3();
    rig.set_descriptor(SPARE, gate(CODE_0, CODE + 0x200, 0xec, 0));
    rig.put(0x1000 + u64::from(SPARE) + 8, 0u64);
    rig.put(0x4_0000, CODE);
    rig.put(0x4_0008, SPARE | 3);
    rig.poke(CODE + 0x200, &[0x48, 0xcb]);
    // CALL m16:64 [0x40000]
    rig.run(&[0x48, 0xff, 0x1c, 0x25, 0x00, 0x00, 0x04, 0x00], 1);
    assert_eq!(rig.cpu.state.rip, CODE + 0x200);
    assert_eq!(rig.cpu.state.cpl, 0);
    assert_eq!(rig.selector(SegmentRegister::Ss), 0);
    let frame: Vec<u64> = (0..4).map(|n| rig.stacked(n)).collect();
    let expected = [CODE + 8, u64::from(CODE_3), USER_STACK, u64::from(DATA_3)];
    assert_eq!(frame, expected);
    rig.go_on(1);
    assert_eq!(rig.cpu.state.rip, CODE + 8);
    assert_eq!(rig.cpu.state.cpl, 3);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), USER_STACK);
}

#[test]
fn a_return_to_less_privilege_takes_the_rpl_of_null_selectors() {
    let mut rig = Rig::new(Bits::Long64);
    let frame = [
        CODE,
        u64::from(CODE_3),
        0x202,
        USER_STACK,
        u64::from(DATA_3),
    ];
    for (n, value) in (0..).zip(frame) {
        rig.put(KERNEL_STACK + 8 * n, value);
    }
    let registers = [
        SegmentRegister::Es,
        SegmentRegister::Ds,
        SegmentRegister::Fs,
        SegmentRegister::Gs,
    ];
    for (selector, register) in (0..).zip(registers) {
        rig.cpu.state.segments[register as usize] = null_segment(selector);
    }
    rig.cpu.state.segments[SegmentRegister::Gs as usize].base = 0x1234_5678;
    rig.run(&[0x48, 0xcf], 1);
    assert_eq!(rig.cpu.state.cpl, 3);
    for register in registers {
        assert_eq!(rig.selector(register), 0, "{register:?}");
    }
    let gs = rig.cpu.state.segment(SegmentRegister::Gs);
    assert_eq!(gs.base, 0x1234_5678);
}

#[test]
fn the_stack_is_checked_before_the_place_to_return_to() {
    // RETF with a stack of the wrong level and an offset beyond its code's limit.
    let mut rig = Rig::new(Bits::Protected32);
    rig.set_descriptor(SPARE, descriptor(0, 0xfff, 0x40fb));
    for (n, value) in (0..).zip([0x1000, u32::from(SPARE | 3), 0, u32::from(DATA_0)]) {
        rig.put(KERNEL_STACK + 4 * n, value);
    }
    rig.run(&[0xcb], 1);
    assert_eq!(protection_fault(&rig), Some(u32::from(DATA_0)));
    let mut rig = Rig::new(Bits::Protected32);
    rig.set_descriptor(SPARE, descriptor(0, 0xfff, 0x40fb));
    for (n, value) in (0..).zip([0x1000, u32::from(SPARE | 3), 0, u32::from(DATA_3)]) {
        rig.put(KERNEL_STACK + 4 * n, value);
    }
    rig.run(&[0xcb], 1);
    assert_eq!(protection_fault(&rig), Some(0));
}

#[test]
fn ret_refuses_more_privilege() {
    let mut rig = Rig::new(Bits::Protected32).at_level_3();
    rig.put(USER_STACK, CODE as u32);
    rig.put(USER_STACK + 4, u32::from(CODE_0));
    rig.run(&[0xcb], 1);
    assert_eq!(protection_fault(&rig), Some(u32::from(CODE_0)));
}

#[test]
fn iret_at_level_3_keeps_if_and_iopl() {
    let mut rig = Rig::new(Bits::Protected32).at_level_3();
    rig.cpu.state.system_flags = Rflags::IF;
    rig.put(USER_STACK, CODE as u32 + 0x200);
    rig.put(USER_STACK + 4, u32::from(CODE_3));
    rig.put(USER_STACK + 8, 0x003e_7cd7u32);
    rig.poke(CODE + 0x200, &[0xeb, 0xfe]);
    rig.run(&[0xcf], 1);
    let flags = rig.cpu.state.system_flags;
    assert!(flags.contains(Rflags::IF | Rflags::AC | Rflags::NT | Rflags::ID));
    assert!(!flags.intersects(Rflags::IOPL | Rflags::VM | Rflags::VIF | Rflags::VIP));
}

#[test]
fn iretq_checks_the_target() {
    let frame = |rig: &mut Rig, values: [u64; 5]| {
        for (n, value) in (0..).zip(values) {
            rig.put(KERNEL_STACK + 8 * n, value);
        }
    };
    let user = [
        CODE,
        u64::from(CODE_3),
        0x202,
        USER_STACK,
        u64::from(DATA_3),
    ];
    let mut rig = Rig::new(Bits::Long64);
    frame(&mut rig, user);
    rig.run(&[0x48, 0xcf], 1);
    assert_eq!(rig.cpu.state.cpl, 3);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), USER_STACK);
    for (n, value, code) in [
        (0, 1 << 63, 0),
        (1, 0, 0),
        (1, u64::from(CODE_0 | 3), CODE_0),
        (4, 0, 0),
        (4, u64::from(DATA_0), DATA_0),
    ] {
        let mut rig = Rig::new(Bits::Long64);
        let mut values = user;
        values[n] = value;
        frame(&mut rig, values);
        rig.run(&[0x48, 0xcf], 1);
        assert_eq!(rig.handling(), Some(13), "{n} {value:#x}");
        assert_eq!(rig.stacked::<u64>(0), u64::from(code), "{n} {value:#x}");
    }
}

/// The system's stack is above 4 GiB, the program's is of 16 bits. Linux's selftest of
/// signals under such stacks tells the makers apart by this.
#[test]
fn iretq_to_a_16_bit_stack_keeps_of_rsp_what_its_maker_does() {
    const HIGH: u64 = 0xffff_ff80_0000_0000;
    const TABLES: u64 = 0x9_0000;
    for (model, code, expected) in [
        ("x86-64", COMPATIBLE_3, 0x6_1234),
        ("athlon64", COMPATIBLE_3, HIGH | 0x6_1234),
        ("x86-64", CODE_3, 0x1234),
        ("athlon64", CODE_3, 0x1234),
    ] {
        let mut rig = Rig::of_model(model, Bits::Long64);
        rig.set_descriptor(SPARE, descriptor(0, 0xffff, 0x00f3));
        let frame = [CODE, code.into(), 0x202, 0x1234, (SPARE | 3).into()];
        for (n, value) in (0..).zip(frame) {
            rig.put(KERNEL_STACK + 8 * n, value);
        }
        // The first two MiB, at the bottom and at HIGH.
        for (entry, value) in [
            (0, TABLES + 0x1007),
            (511 * 8, TABLES + 0x1007),
            (0x1000, TABLES + 0x2007),
            (0x2000, 0x87),
        ] {
            rig.put(TABLES + entry, value);
        }
        rig.cpu.enter_long_mode(TABLES);
        rig.cpu.state.set_gpr(Gpr::Rsp, HIGH | KERNEL_STACK);
        rig.run(&[0x48, 0xcf], 1);
        assert_eq!(rig.selector(SegmentRegister::Ss), SPARE | 3, "{model}");
        assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), expected, "{model} {code:#x}");
    }
}

#[test]
fn syscall_and_sysret_go_there_and_back() {
    let mut rig = Rig::new(Bits::Long64).at_level_3();
    rig.cpu.state.msrs.star = 0x0013_0008 << 32;
    rig.cpu.state.msrs.lstar = CODE + 0x400;
    rig.cpu.state.msrs.fmask = Rflags::IF.bits();
    rig.cpu.state.system_flags = Rflags::IF;
    rig.run(&[0x0f, 0x05], 1);
    // Off in EFER: undefined.
    assert_eq!(rig.handling(), Some(6));
    let mut rig = Rig::new(Bits::Long64).at_level_3();
    rig.cpu.state.msrs.star = 0x0013_0008 << 32;
    rig.cpu.state.msrs.lstar = CODE + 0x400;
    rig.cpu.state.msrs.fmask = Rflags::IF.bits();
    rig.cpu.state.msrs.efer |= Efer::SCE.bits();
    rig.cpu.state.system_flags = Rflags::IF;
    rig.poke(CODE + 0x400, &[0x48, 0x0f, 0x07]);
    rig.run(&[0x0f, 0x05], 1);
    assert_eq!(rig.cpu.state.rip, CODE + 0x400);
    assert_eq!(rig.cpu.state.cpl, 0);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rcx), CODE + 2);
    assert_eq!(rig.cpu.state.gpr(Gpr::R11), 0x202);
    assert_eq!(rig.selector(SegmentRegister::Cs), 8);
    assert_eq!(rig.selector(SegmentRegister::Ss), 0x10);
    assert!(!rig.cpu.state.system_flags.contains(Rflags::IF));
    rig.go_on(1);
    assert_eq!(rig.cpu.state.rip, CODE + 2);
    assert_eq!(rig.cpu.state.cpl, 3);
    assert_eq!(rig.selector(SegmentRegister::Cs), 0x23);
    assert_eq!(rig.selector(SegmentRegister::Ss), 0x1b);
    assert!(rig.cpu.state.system_flags.contains(Rflags::IF));
}

#[test]
fn sysret_to_a_stepped_program_traps_before_it_goes_on() {
    let mut rig = Rig::new(Bits::Long64);
    rig.cpu.state.msrs.star = 0x0013_0008 << 32;
    rig.cpu.state.msrs.efer |= Efer::SCE.bits();
    rig.cpu.state.set_gpr(Gpr::Rcx, CODE + 0x400);
    rig.cpu.state.set_gpr(Gpr::R11, 0x302);
    rig.run(&[0x48, 0x0f, 0x07], 1);
    assert_eq!(rig.handling(), Some(1));
    assert_eq!(rig.stacked::<u64>(0), CODE + 0x400);
    assert_eq!(rig.stacked::<u64>(1), 0x23);
    assert_eq!(rig.stacked::<u64>(2), 0x302);
    assert_eq!(rig.cpu.state.dr[6], 0xffff_4ff0);
}

#[test]
fn sysenter_and_sysexit_in_both_sizes() {
    let mut rig = Rig::new(Bits::Protected32).at_level_3();
    rig.run(&[0x0f, 0x34], 1);
    assert_eq!(protection_fault(&rig), Some(0));
    for bits in [Bits::Protected32, Bits::Long64] {
        let mut rig = Rig::new(bits).at_level_3();
        rig.cpu.state.msrs.sysenter_cs = 8;
        rig.cpu.state.msrs.sysenter_eip = CODE + 0x400;
        rig.cpu.state.msrs.sysenter_esp = KERNEL_STACK;
        rig.cpu.state.system_flags = Rflags::IF;
        rig.poke(CODE + 0x400, &[0x0f, 0x35]);
        rig.run(&[0x0f, 0x34], 1);
        assert_eq!(rig.cpu.state.rip, CODE + 0x400);
        assert_eq!(rig.cpu.state.cpl, 0);
        assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), KERNEL_STACK);
        assert!(!rig.cpu.state.system_flags.contains(Rflags::IF));
        rig.cpu.state.set_gpr(Gpr::Rdx, CODE + 2);
        rig.cpu.state.set_gpr(Gpr::Rcx, USER_STACK);
        rig.go_on(1);
        assert_eq!(rig.cpu.state.rip, CODE + 2);
        assert_eq!(rig.cpu.state.cpl, 3);
        assert_eq!(rig.cpu.mode().code_bits(), 32);
        assert_eq!(rig.selector(SegmentRegister::Cs), 0x1b);
        assert_eq!(rig.selector(SegmentRegister::Ss), 0x23);
    }
}

/// AMD APM 3, SYSCALL and SYSRET: legacy mode has its target in STAR.
#[test]
fn amd_has_syscall_in_legacy_mode() {
    let mut rig = Rig::of_model("k6-2", Bits::Protected32).at_level_3();
    rig.cpu.state.msrs.star = 0x0013_0008 << 32 | (CODE + 0x400);
    rig.cpu.state.msrs.efer |= Efer::SCE.bits();
    rig.cpu.state.system_flags = Rflags::IF;
    rig.poke(CODE + 0x400, &[0x0f, 0x07]);
    rig.run(&[0x0f, 0x05], 1);
    assert_eq!(rig.cpu.state.rip, CODE + 0x400);
    assert_eq!(rig.cpu.state.cpl, 0);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rcx), CODE + 2);
    assert_eq!(rig.selector(SegmentRegister::Cs), 8);
    assert!(!rig.cpu.state.system_flags.contains(Rflags::IF));
    rig.go_on(1);
    assert_eq!(rig.cpu.state.rip, CODE + 2);
    assert_eq!(rig.cpu.state.cpl, 3);
    assert_eq!(rig.selector(SegmentRegister::Cs), 0x13);
    assert_eq!(rig.selector(SegmentRegister::Ss), 0x1b);
    assert!(rig.cpu.state.system_flags.contains(Rflags::IF));
}

/// Compatibility mode has its target in CSTAR; Intel has #UD.
#[test]
fn amd_has_syscall_in_compatibility_mode() {
    for model in ["athlon64", "max"] {
        let mut rig = Rig::of_model(model, Bits::Long64).at_level_3();
        rig.cpu.state.msrs.star = 0x0013_0008 << 32;
        rig.cpu.state.msrs.cstar = CODE + 0x400;
        rig.cpu.state.msrs.efer |= Efer::SCE.bits();
        rig.put(0x4_0000, CODE as u32 + 0x200);
        rig.put(0x4_0004, COMPATIBLE_3);
        rig.poke(CODE + 0x200, &[0x0f, 0x05]);
        rig.poke(CODE + 0x400, &[0x0f, 0x07]);
        // JMP m16:32 [0x40000], SYSCALL, SYSRET
        rig.run(&[0xff, 0x2c, 0x25, 0x00, 0x00, 0x04, 0x00], 2);
        if model == "max" {
            assert_eq!(rig.handling(), Some(6));
            continue;
        }
        assert_eq!(rig.cpu.state.rip, CODE + 0x400);
        assert_eq!(rig.cpu.mode().code_bits(), 64);
        assert_eq!(rig.cpu.state.gpr(Gpr::Rcx), CODE + 0x202);
        rig.go_on(1);
        assert_eq!(rig.cpu.mode().code_bits(), 32);
        assert_eq!(rig.cpu.state.rip, CODE + 0x202);
        assert_eq!(rig.cpu.state.cpl, 3);
    }
}

#[test]
fn amd_has_no_sysenter_in_long_mode() {
    let mut rig = Rig::of_model("phenom", Bits::Long64).at_level_3();
    rig.cpu.state.msrs.sysenter_cs = 8;
    rig.run(&[0x0f, 0x34], 1);
    assert_eq!(rig.handling(), Some(6));
}

#[test]
fn a_far_jump_leaves_64_bit_mode_and_comes_back() {
    let mut rig = Rig::new(Bits::Long64).at_level_3();
    rig.put(0x4_0000, CODE as u32 + 0x200);
    rig.put(0x4_0004, COMPATIBLE_3);
    rig.poke(CODE + 0x200, &direct(0xea, CODE_3));
    // JMP m16:32 [0x40000]
    rig.run(&[0xff, 0x2c, 0x25, 0x00, 0x00, 0x04, 0x00], 1);
    assert_eq!(rig.cpu.mode().code_bits(), 32);
    rig.go_on(1);
    assert_eq!(rig.cpu.mode().code_bits(), 64);
    assert_eq!(rig.cpu.state.rip, CODE + 0x200);
}
