use crate::control::testing::{cpu, cpu32, cpu64, poke, run};
use crate::exception::Exception;
use crate::mode::Mode;
use crate::rflags::{Cr0, Cr4, Rflags};
use crate::state::{Activity, Gpr, InterruptShadow};

const GP: Option<Exception> = Some(Exception::GeneralProtection(0));
const UD: Option<Exception> = Some(Exception::InvalidOpcode);

#[test]
fn cpuid_fills_four_registers() {
    let mut cpu = cpu64();
    cpu.state.gpr[..4].fill(u64::MAX);
    cpu.state.set_gpr(Gpr::Rax, 0);
    assert_eq!(run(&mut cpu, &[0x0f, 0xa2]), None);
    assert_eq!(cpu.state.gpr(Gpr::Rax), 0x1f);
    assert_eq!(cpu.state.gpr(Gpr::Rbx), 0x756e_6547);
}

#[test]
fn privileged_instructions_fault_in_user_mode() {
    let mut cpu = cpu64();
    cpu.state.cpl = 3;
    cpu.update_mode();
    for code in [
        &[0xf4][..],         // HLT
        &[0xfa],             // CLI
        &[0xfb],             // STI
        &[0x0f, 0x30],       // WRMSR
        &[0x0f, 0x32],       // RDMSR
        &[0x0f, 0x06],       // CLTS
        &[0x0f, 0x08],       // INVD
        &[0x0f, 0x09],       // WBINVD
        &[0x0f, 0x01, 0x38], // INVLPG [rax]
        &[0x0f, 0x01, 0xf0], // LMSW ax
        &[0x0f, 0x20, 0xc0], // MOV rax, cr0
        &[0x0f, 0x22, 0xd8], // MOV cr3, rax
        &[0x0f, 0x21, 0xc0], // MOV rax, dr0
        &[0x0f, 0x33],       // RDPMC
    ] {
        assert_eq!(run(&mut cpu, code), GP, "{code:02x?}");
    }
    for code in [[0x0f, 0x01, 0xca], [0x0f, 0x01, 0xcb], [0x0f, 0x01, 0xc8]] {
        assert_eq!(run(&mut cpu, &code), UD, "{code:02x?}");
    }
}

#[test]
fn control_registers_move_both_ways() {
    let mut cpu = cpu64();
    cpu.state.set_gpr(Gpr::Rax, 0x1234_5678_9abc);
    assert_eq!(run(&mut cpu, &[0x0f, 0x22, 0xd0, 0x0f, 0x20, 0xd3]), None);
    assert_eq!(cpu.state.gpr(Gpr::Rbx), 0x1234_5678_9abc);
    cpu.state.set_gpr(Gpr::Rax, 9);
    assert_eq!(run(&mut cpu, &[0x44, 0x0f, 0x22, 0xc0]), None);
    assert_eq!(cpu.state.cr8, 9);
    cpu.state.set_gpr(Gpr::Rax, 16);
    assert_eq!(run(&mut cpu, &[0x44, 0x0f, 0x22, 0xc0]), GP);
    assert_eq!(run(&mut cpu, &[0x0f, 0x20, 0xc8]), UD, "there is no CR1");
}

#[test]
fn lmsw_cannot_leave_protected_mode() {
    let mut cpu = cpu32();
    cpu.state.set_gpr(Gpr::Rax, 0xfffe);
    assert_eq!(run(&mut cpu, &[0x0f, 0x01, 0xf0]), None);
    assert_eq!(cpu.state.cr0 & 0xf, 0xf);
    assert_eq!(run(&mut cpu, &[0x0f, 0x01, 0xe3]), None);
    assert_eq!(cpu.state.gpr(Gpr::Rbx), cpu.state.cr0, "SMSW ebx");
    assert_eq!(run(&mut cpu, &[0x0f, 0x06]), None);
    assert_eq!(cpu.state.cr0 & Cr0::TS.bits(), 0);
}

#[test]
fn smsw_is_prevented_in_user_mode() {
    let mut cpu = cpu64();
    cpu.state.cpl = 3;
    assert_eq!(run(&mut cpu, &[0x0f, 0x01, 0xe3]), None);
    cpu.state.cr4 |= Cr4::UMIP.bits();
    assert_eq!(run(&mut cpu, &[0x0f, 0x01, 0xe3]), GP);
}

#[test]
fn the_clock_can_be_hidden() {
    let mut cpu = cpu64();
    cpu.state.msrs.tsc_aux = 3;
    assert_eq!(run(&mut cpu, &[0x0f, 0x01, 0xf9]), None);
    assert_eq!(cpu.state.gpr(Gpr::Rcx), 3);
    let first = cpu.state.gpr(Gpr::Rax);
    assert_eq!(run(&mut cpu, &[0x0f, 0x31]), None);
    assert!(cpu.state.gpr(Gpr::Rax) > first);
    assert_eq!(run(&mut cpu, &[0xf3, 0x0f, 0xc7, 0xfb]), None);
    assert_eq!(cpu.state.gpr(Gpr::Rbx), 3, "RDPID rbx");
    cpu.state.cpl = 3;
    cpu.state.cr4 |= Cr4::TSD.bits();
    assert_eq!(run(&mut cpu, &[0x0f, 0x31]), GP);
}

#[test]
fn sti_casts_a_shadow_once() {
    let mut cpu = cpu64();
    assert_eq!(run(&mut cpu, &[0xfb]), None);
    assert_eq!(cpu.state.interrupt_shadow, InterruptShadow::Sti);
    assert!(cpu.state.system_flags.contains(Rflags::IF));
    cpu.state.interrupt_shadow = InterruptShadow::None;
    assert_eq!(run(&mut cpu, &[0xfb]), None);
    assert_eq!(cpu.state.interrupt_shadow, InterruptShadow::None);
    assert_eq!(run(&mut cpu, &[0xfa]), None);
    assert!(!cpu.state.system_flags.contains(Rflags::IF));
}

#[test]
fn hlt_and_mwait_halt() {
    let mut cpu = cpu64();
    assert_eq!(run(&mut cpu, &[0xf4]), None);
    assert_eq!(cpu.state.activity, Activity::Halted);
    cpu.state.activity = Activity::Running;
    assert_eq!(run(&mut cpu, &[0x0f, 0x01, 0xc9]), None);
    assert_eq!(cpu.state.activity, Activity::Running, "not armed");
    cpu.state.set_gpr(Gpr::Rax, 0x5000);
    assert_eq!(run(&mut cpu, &[0x0f, 0x01, 0xc8, 0x0f, 0x01, 0xc9]), None);
    assert_eq!(cpu.state.activity, Activity::Halted);
    cpu.state.set_gpr(Gpr::Rcx, 1);
    assert_eq!(run(&mut cpu, &[0x0f, 0x01, 0xc8]), GP);
}

/// `push flags; pop rax` and `push rax; pop flags` in 64-bit mode.
const READ_FLAGS: &[u8] = &[0x9c, 0x58];
const WRITE_FLAGS: &[u8] = &[0x50, 0x9d];

#[test]
fn the_kernel_may_change_almost_all_flags() {
    let mut cpu = cpu64();
    cpu.state.set_gpr(Gpr::Rax, !Rflags::TF.bits());
    assert_eq!(run(&mut cpu, WRITE_FLAGS), None);
    assert_eq!(run(&mut cpu, READ_FLAGS), None);
    assert_eq!(cpu.state.gpr(Gpr::Rax), 0x0024_7ed7, "not VM, RF, VIF, VIP");
    cpu.state.set_gpr(Gpr::Rax, 0);
    assert_eq!(run(&mut cpu, WRITE_FLAGS), None);
    assert_eq!(cpu.state.rflags(), Rflags::FIXED);
}

#[test]
fn users_may_not_change_if_and_iopl() {
    let mut cpu = cpu64();
    cpu.state.cpl = 3;
    cpu.state.set_gpr(Gpr::Rax, 0x3202);
    assert_eq!(run(&mut cpu, WRITE_FLAGS), None);
    assert_eq!(cpu.state.rflags(), Rflags::FIXED);
    cpu.state.system_flags = Rflags::IOPL | Rflags::IF;
    cpu.state.set_gpr(Gpr::Rax, 2);
    assert_eq!(run(&mut cpu, WRITE_FLAGS), None);
    assert_eq!(cpu.state.rflags(), Rflags::FIXED | Rflags::IOPL);
}

/// A processor in virtual-8086 mode with an IOPL.
fn v86(iopl: Rflags) -> Box<crate::Cpu> {
    let mut cpu = cpu("max");
    cpu.state.cr0 |= Cr0::PE.bits();
    cpu.state.cpl = 3;
    cpu.state.segments = [crate::segment::Segment::virtual_8086(0); 6];
    cpu.state.segments[1].selector = 0x1000;
    cpu.state.segments[1].base = 0x1_0000;
    cpu.state.system_flags = Rflags::VM | Rflags::IF | iopl;
    cpu.state.set_gpr(Gpr::Rsp, 0x8000);
    cpu.update_mode();
    assert!(cpu.mode.contains(Mode::REAL_STYLE));
    cpu
}

#[test]
fn virtual_8086_mode_needs_iopl_3_or_vme() {
    for code in [&[0xfa][..], &[0xfb], &[0x9c], &[0x9d]] {
        assert_eq!(run(&mut v86(Rflags::empty()), code), GP, "{code:02x?}");
        assert_eq!(run(&mut v86(Rflags::IOPL), code), None, "{code:02x?}");
        let mut cpu = v86(Rflags::empty());
        cpu.state.cr4 = Cr4::VME.bits();
        assert_eq!(run(&mut cpu, code), None, "{code:02x?}");
    }
}

#[test]
fn vme_keeps_if_out_of_reach() {
    let mut cpu = v86(Rflags::empty());
    cpu.state.cr4 = Cr4::VME.bits();
    assert_eq!(run(&mut cpu, &[0xfb, 0x9c, 0x58]), None);
    assert_eq!(cpu.state.gpr(Gpr::Rax), 0x3202, "IOPL 3 and VIF as IF");
    assert_eq!(run(&mut cpu, &[0xfa]), None);
    assert!(cpu.state.system_flags.contains(Rflags::IF));
    assert!(!cpu.state.system_flags.contains(Rflags::VIF));
    cpu.state.system_flags.insert(Rflags::VIP);
    assert_eq!(run(&mut cpu, &[0xfb]), GP, "an interrupt is pending");
    poke(&cpu, 0x8000, &[0x02, 0x02]);
    assert_eq!(run(&mut cpu, &[0x9d]), GP, "likewise");
    cpu.state.system_flags.remove(Rflags::VIP);
    assert_eq!(run(&mut cpu, &[0x9d]), None);
    assert!(cpu.state.system_flags.contains(Rflags::VIF));
    assert_eq!(run(&mut cpu, &[0x66, 0x9c]), GP, "PUSHFD");
}

#[test]
fn pvi_gives_users_a_flag_of_their_own() {
    let mut cpu = cpu32();
    cpu.state.cpl = 3;
    cpu.state.cr4 = Cr4::PVI.bits();
    assert_eq!(run(&mut cpu, &[0xfb]), None);
    assert!(cpu.state.system_flags.contains(Rflags::VIF));
    assert!(!cpu.state.system_flags.contains(Rflags::IF));
    assert_eq!(run(&mut cpu, &[0xfa]), None);
    assert!(!cpu.state.system_flags.contains(Rflags::VIF));
}

#[test]
fn invpcid_checks_its_descriptor() {
    let mut cpu = cpu64();
    cpu.state.set_gpr(Gpr::Rbx, 0x4000);
    const INVPCID: &[u8] = &[0x66, 0x0f, 0x38, 0x82, 0x03];
    for (kind, low, high, expected) in [
        (0u64, 0u64, 0x1000u64, None),
        (0, 1, 0x1000, GP),
        (1, 1, 0, GP),
        (0, 0, 1 << 47, None),
        (0, 0, 1 << 56, GP),
        (2, 0x1000, 0, GP),
        (2, 0xfff, 1 << 47, None),
        (3, 0, 0, None),
        (4, 0, 0, GP),
    ] {
        poke(&cpu, 0x4000, &low.to_le_bytes());
        poke(&cpu, 0x4008, &high.to_le_bytes());
        cpu.state.set_gpr(Gpr::Rax, kind);
        assert_eq!(run(&mut cpu, INVPCID), expected, "{kind} {low:x} {high:x}");
    }
}

#[test]
fn protection_keys_need_to_be_switched_on() {
    let mut cpu = cpu64();
    cpu.state.set_gpr(Gpr::Rax, 0xc);
    assert_eq!(run(&mut cpu, &[0x0f, 0x01, 0xef]), UD);
    cpu.state.cr4 |= Cr4::PKE.bits();
    assert_eq!(run(&mut cpu, &[0x0f, 0x01, 0xef]), None);
    cpu.state.set_gpr(Gpr::Rax, 0);
    assert_eq!(run(&mut cpu, &[0x0f, 0x01, 0xee]), None);
    assert_eq!(cpu.state.gpr(Gpr::Rax), 0xc);
    cpu.state.set_gpr(Gpr::Rdx, 1);
    assert_eq!(run(&mut cpu, &[0x0f, 0x01, 0xef]), GP);
}

#[test]
fn invlpg_lets_new_mappings_be_seen() {
    let mut cpu = cpu64();
    // A 4 KiB page at 1 GiB, first mapped to 0x5000, then to 0x6000.
    poke(&cpu, 0x2008, &0x3007u64.to_le_bytes());
    poke(&cpu, 0x3000, &0x4007u64.to_le_bytes());
    poke(&cpu, 0x4000, &0x5007u64.to_le_bytes());
    poke(&cpu, 0x5000, &[1]);
    poke(&cpu, 0x6000, &[2]);
    cpu.state.set_gpr(Gpr::Rbx, 1 << 30);
    const LOAD: &[u8] = &[0x8a, 0x03];
    assert_eq!(run(&mut cpu, LOAD), None);
    assert_eq!(cpu.state.gpr(Gpr::Rax) & 0xff, 1);
    poke(&cpu, 0x4000, &0x6007u64.to_le_bytes());
    assert_eq!(run(&mut cpu, &[0x0f, 0x01, 0x3b]), None);
    assert_eq!(run(&mut cpu, LOAD), None);
    assert_eq!(cpu.state.gpr(Gpr::Rax) & 0xff, 2);
}
