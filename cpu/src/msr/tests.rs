mod apic;

use crate::Exception;
use crate::control::testing::{cpu, cpu64, run};
use crate::state::Gpr;

const WRMSR: &[u8] = &[0x0f, 0x30];
const RDMSR: &[u8] = &[0x0f, 0x32];

fn write(cpu: &mut crate::Cpu, register: u32, value: u64) -> bool {
    cpu.state.set_gpr(Gpr::Rcx, u64::from(register));
    cpu.state.set_gpr(Gpr::Rax, value & 0xffff_ffff);
    cpu.state.set_gpr(Gpr::Rdx, value >> 32);
    match run(cpu, WRMSR) {
        None => true,
        Some(Exception::GeneralProtection(0)) => false,
        other => panic!("{other:?}"),
    }
}

fn read(cpu: &mut crate::Cpu, register: u32) -> Option<u64> {
    cpu.state.set_gpr(Gpr::Rcx, u64::from(register));
    match run(cpu, RDMSR) {
        None => Some(cpu.state.gpr(Gpr::Rdx) << 32 | cpu.state.gpr(Gpr::Rax)),
        Some(Exception::GeneralProtection(0)) => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn plain_registers_keep_what_was_written() {
    let mut cpu = cpu64();
    for (register, value) in [
        (0x174, 0x10),
        (0x175, 0xffff_8000_0000_1000),
        (0x176, 0xffff_ffff_8100_0000),
        (0x200, 0x1006),
        (0x201, 0xff_8000_0800),
        (0x250, 0x0606_0606_0606_0606),
        (0x26f, 0x0505_0505_0505_0505),
        (0x277, 0x0007_0106_0007_0406),
        (0x2ff, 0xc06),
        (0xc000_0081, 0x0023_0010_0000_0000),
        (0xc000_0082, 0xffff_ffff_8100_0000),
        (0xc000_0084, 0x47700),
        (0xc000_0100, 0x7fff_0000_0000),
        (0xc000_0102, 0xffff_8000_0000_0000),
        (0xc000_0103, 7),
        (0x3b, 5),
    ] {
        assert!(write(&mut cpu, register, value), "{register:#x}");
        assert_eq!(read(&mut cpu, register), Some(value), "{register:#x}");
    }
}

#[test]
fn values_that_do_not_fit_are_refused() {
    let mut cpu = cpu64();
    for (register, value) in [
        (0xc000_0082, 0x0100_0000_0000_0000),
        (0xc000_0100, 0x0100_0000_0000_0000),
        (0x176, 0x0100_0000_0000_0000),
        (0x277, 2),
        (0x200, 2),
        (0x200, 0x106),
        (0x201, 0x400),
        (0x201, 1 << 40),
        (0x250, 3),
        (0x2ff, 0x1_0006),
        (0x2ff, 0x107),
        (0xc000_0080, 0x2),
        (0xc000_0103, 1 << 32),
        (0x1b, 0xfee0_0900),
        (0x10a, 0),
        (0xfe, 0),
        (0x179, 0),
    ] {
        assert!(!write(&mut cpu, register, value), "{register:#x}");
    }
}

#[test]
fn unknown_registers_fault() {
    let mut cpu = cpu64();
    for register in [0xce, 0x48, 0x3a, 0x140, 0x38f, 0x400, 0xc001_0015, u32::MAX] {
        assert_eq!(read(&mut cpu, register), None, "{register:#x}");
        assert!(!write(&mut cpu, register, 0), "{register:#x}");
    }
}

#[test]
fn registers_come_with_their_features() {
    let mut old = cpu("pentium");
    assert_eq!(read(&mut old, 0x2ff), None);
    assert_eq!(read(&mut old, 0xc000_0080), None);
    assert_eq!(read(&mut old, 0), Some(0));
}

#[test]
fn the_counter_can_be_set_and_adjusted() {
    let mut cpu = cpu64();
    assert!(write(&mut cpu, 0x10, 1_000_000));
    let Some(now) = read(&mut cpu, 0x10) else {
        panic!("no counter");
    };
    assert!((1_000_000..1_000_010).contains(&now), "{now}");
    let adjust = read(&mut cpu, 0x3b).unwrap_or_default();
    assert!(write(&mut cpu, 0x3b, adjust + 500));
    let later = read(&mut cpu, 0x10).unwrap_or_default();
    assert!((now + 500..now + 510).contains(&later), "{later}");
}

#[test]
fn cpuid_signs_the_microcode() {
    let mut cpu = cpu64();
    assert!(write(&mut cpu, 0x8b, 0));
    assert_eq!(read(&mut cpu, 0x8b), Some(0));
    cpu.state.set_gpr(Gpr::Rax, 1);
    assert_eq!(run(&mut cpu, &[0x0f, 0xa2]), None);
    assert_eq!(read(&mut cpu, 0x8b), Some(super::MICROCODE_REVISION << 32));
}

#[test]
fn firmware_types_leave_devices_uncached() {
    let mut cpu = cpu64();
    cpu.init_memory_types(0xc000_0000);
    assert_eq!(read(&mut cpu, 0x2ff), Some(0xc06));
    assert_eq!(read(&mut cpu, 0x200), Some(0xc000_0000));
    assert_eq!(read(&mut cpu, 0x201), Some(0xff_c000_0800));
    assert_eq!(read(&mut cpu, 0x259), Some(0));
}

#[test]
fn amd_registers_are_amds() {
    let mut phenom = cpu("phenom");
    assert!(matches!(
        phenom.plain_msr(0xc001_0015),
        super::Outcome::Done(0x0100_0000)
    ));
    // Those that FreeBSD and Linux go around family 10h's errata with are among them.
    for register in [
        0xc001_0010,
        0xc001_0015,
        0xc001_001f,
        0xc001_0044,
        0xc001_0055,
        0xc001_1023,
        0xc001_1029,
        0xc001_102a,
    ] {
        assert!(matches!(
            phenom.write_plain_msr(register, 0),
            super::Outcome::Done(())
        ));
        assert!(matches!(
            cpu("max").plain_msr(register),
            super::Outcome::Unknown
        ));
    }
    assert!(matches!(phenom.plain_msr(0x1a0), super::Outcome::Unknown));
}

#[test]
fn amd_families_keep_their_switches() {
    let families: [(&str, &[u32]); 4] = [
        ("k6-2", &[0xc000_0082, 0xc000_0085]),
        ("athlon", &[]),
        ("athlon64", &[0xc001_1020, 0xc001_1023]),
        (
            "phenom",
            &[0xc001_1020, 0xc001_1022, 0xc001_1029, 0xc001_102a],
        ),
    ];
    for (name, switches) in families {
        let mut cpu = cpu(name);
        for &register in switches {
            assert_eq!(read(&mut cpu, register), Some(0), "{name} {register:#x}");
            assert!(write(&mut cpu, register, 1 << 52 | u64::from(register)));
        }
        for &register in switches {
            let kept = Some(1 << 52 | u64::from(register));
            assert_eq!(read(&mut cpu, register), kept, "{name} {register:#x}");
        }
        for register in [0xc000_0082, 0xc000_0085, 0xc001_1020, 0xc001_1029] {
            // LSTAR comes with 64-bit mode.
            let is_lstar = register == 0xc000_0082 && matches!(name, "athlon64" | "phenom");
            let is_there = switches.contains(&register) || is_lstar;
            assert_eq!(
                read(&mut cpu, register).is_some(),
                is_there,
                "{name} {register:#x}"
            );
        }
    }
    assert_eq!(read(&mut cpu("max"), 0xc001_1029), None);
}

#[test]
fn family_10h_tells_its_speed_in_its_first_p_state() {
    // 100 MHz times 20, halved.
    assert_eq!(
        read(&mut cpu("phenom"), 0xc001_0064),
        Some(1 << 63 | 1 << 6 | 4)
    );
    assert_eq!(super::p_state(2300), 1 << 63 | 7);
    assert_eq!(read(&mut cpu("phenom"), 0xc001_0063), Some(0));
    assert_eq!(read(&mut cpu("athlon64"), 0xc001_0064), None);
}
