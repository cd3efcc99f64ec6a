use crate::control::testing::{cpu, cpu32, cpu64, peek, poke, run};
use crate::exception::Exception;
use crate::state::Gpr;

const UD: Option<Exception> = Some(Exception::InvalidOpcode);

#[test]
fn nothing_happens() {
    let mut cpu = cpu64();
    let before = cpu.state.gpr;
    for code in [
        &[0x90][..],
        &[0x66, 0x90],
        &[0xf3, 0x90],
        &[0x0f, 0x1f, 0x00],
        &[0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
        &[0xf3, 0x0f, 0x1e, 0xfa],       // ENDBR64
        &[0xf3, 0x48, 0x0f, 0x1e, 0xc8], // RDSSPQ without CET
        &[0x0f, 0x18, 0x08],
        &[0x0f, 0x0d, 0x08],
        &[0x0f, 0x1c, 0x00],
        &[0x0f, 0x1a, 0xc1],
        &[0x0f, 0xae, 0xe8],
        &[0x0f, 0xae, 0xf0],
        &[0x0f, 0xae, 0xf8],
        &[0x0f, 0xae, 0x3b], // CLFLUSH [rbx]
    ] {
        assert_eq!(run(&mut cpu, code), None, "{code:02x?}");
        assert_eq!(cpu.state.gpr[..16], before[..16], "{code:02x?}");
    }
    assert_eq!(
        run(
            &mut crate::control::testing::cpu("486"),
            &[0x0f, 0x1f, 0xc0]
        ),
        UD
    );
}

#[test]
fn undefined_instructions_are_undefined() {
    let mut cpu = cpu64();
    assert_eq!(run(&mut cpu, &[0x0f, 0x0b]), UD);
    assert_eq!(run(&mut cpu, &[0x0f, 0xb9, 0xc0]), UD);
    assert_eq!(run(&mut cpu, &[0x0f, 0xff, 0xc0]), UD);
}

#[test]
fn flushing_a_line_needs_its_mapping() {
    let mut cpu = cpu64();
    cpu.state.set_gpr(Gpr::Rbx, 1 << 31);
    let fault = run(&mut cpu, &[0x0f, 0xae, 0x3b]);
    assert!(matches!(fault, Some(Exception::PageFault(_))));
    cpu.state.set_gpr(Gpr::Rbx, 1 << 47);
    let fault = run(&mut cpu, &[0x66, 0x0f, 0xae, 0x3b]);
    assert_eq!(fault, Some(Exception::GeneralProtection(0)));
}

#[test]
fn bounds_are_signed_and_inclusive() {
    let mut cpu = cpu32();
    poke(&cpu, 0x5000, &(-5i32).to_le_bytes());
    poke(&cpu, 0x5004, &5i32.to_le_bytes());
    cpu.state.set_gpr(Gpr::Rbx, 0x5000);
    for (index, expected) in [
        (-5i32, None),
        (0, None),
        (5, None),
        (6, Some(Exception::BoundRange)),
        (-6, Some(Exception::BoundRange)),
    ] {
        cpu.state
            .set_gpr(Gpr::Rax, u64::from(index.cast_unsigned()));
        assert_eq!(run(&mut cpu, &[0x62, 0x03]), expected, "{index}");
    }
}

#[test]
fn cmpxchg8b_exchanges_or_loads() {
    let mut cpu = cpu("pentium");
    poke(&cpu, 0x5000, &[1, 2, 3, 4, 5, 6, 7, 8]);
    cpu.state.segments = cpu32().state.segments;
    cpu.state.cr0 |= 1;
    cpu.update_mode();
    const CMPXCHG8B: &[u8] = &[0xf0, 0x0f, 0xc7, 0x0e];
    cpu.state.set_gpr(Gpr::Rsi, 0x5000);
    cpu.state.set_gpr(Gpr::Rbx, 0x1111_1111);
    cpu.state.set_gpr(Gpr::Rcx, 0x2222_2222);
    assert_eq!(run(&mut cpu, CMPXCHG8B), None);
    assert!(!cpu.state.flags.zero());
    assert_eq!(cpu.state.gpr(Gpr::Rax), 0x0403_0201);
    assert_eq!(cpu.state.gpr(Gpr::Rdx), 0x0807_0605);
    assert_eq!(run(&mut cpu, CMPXCHG8B), None);
    assert!(cpu.state.flags.zero());
    assert_eq!(peek(&cpu, 0x5000), 0x2222_2222_1111_1111u64.to_le_bytes());
}

#[test]
fn cmpxchg16b_needs_alignment() {
    let mut cpu = cpu64();
    poke(&cpu, 0x5000, &[9; 16]);
    const CMPXCHG16B: &[u8] = &[0xf0, 0x48, 0x0f, 0xc7, 0x0e];
    cpu.state.set_gpr(Gpr::Rsi, 0x5008);
    let fault = run(&mut cpu, CMPXCHG16B);
    assert_eq!(fault, Some(Exception::GeneralProtection(0)));
    cpu.state.set_gpr(Gpr::Rsi, 0x5000);
    cpu.state.set_gpr(Gpr::Rbx, 1);
    cpu.state.set_gpr(Gpr::Rcx, 2);
    for equal in [false, true] {
        assert_eq!(run(&mut cpu, CMPXCHG16B), None);
        assert_eq!(cpu.state.flags.zero(), equal);
        assert_eq!(cpu.state.gpr(Gpr::Rdx), 0x0909_0909_0909_0909);
    }
    assert_eq!(peek(&cpu, 0x5000), (1u128 | 2 << 64).to_le_bytes());
}
