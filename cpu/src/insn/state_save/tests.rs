use crate::Cpu;
use crate::control::testing::{cpu64, peek, poke, run};
use crate::exception::Exception;
use crate::float::F80;
use crate::fpu::Fpu;
use crate::rflags::{Cr0, Cr4};
use crate::state::{Gpr, VectorRegister};

const GP: Option<Exception> = Some(Exception::GeneralProtection(0));
const FXSAVE64: &[u8] = &[0x48, 0x0f, 0xae, 0x03];
const FXRSTOR64: &[u8] = &[0x48, 0x0f, 0xae, 0x0b];
const XSAVE64: &[u8] = &[0x48, 0x0f, 0xae, 0x23];
const XRSTOR64: &[u8] = &[0x48, 0x0f, 0xae, 0x2b];
const XSAVEOPT64: &[u8] = &[0x48, 0x0f, 0xae, 0x33];

/// A processor with state in every register, RBX at an area.
fn busy() -> Box<Cpu> {
    let mut cpu = cpu64();
    cpu.state.cr4 |= (Cr4::OSXSAVE | Cr4::PKE).bits();
    cpu.state.xcr0 = 0x203;
    for n in 0..16 {
        cpu.state.vectors[n] = VectorRegister([n as u64 + 1, !(n as u64), 7, 8]);
    }
    for n in 0..8 {
        cpu.state.fpu.registers[n] = F80 {
            sign_exponent: 0x4000 + n as u16,
            significand: 1 << 63 | n as u64,
        };
    }
    cpu.state.fpu.status = 3 << 11 | 0x100;
    cpu.state.fpu.control = 0x27f;
    cpu.state.fpu.in_use = 0x3c;
    cpu.state.fpu.last_opcode = 0x123;
    cpu.state.fpu.last_ip = 0x1234_5678_9abc;
    cpu.state.fpu.last_dp = 0xffff_8000_0000_1000;
    cpu.state.mxcsr = 0x9fc0;
    cpu.state.pkru = 0x5555_5554;
    cpu.state.set_gpr(Gpr::Rbx, 0x5000);
    cpu.state.set_gpr(Gpr::Rax, u64::MAX);
    cpu.state.set_gpr(Gpr::Rdx, u64::MAX);
    cpu.update_mode();
    cpu
}

fn forget(cpu: &mut Cpu) {
    cpu.state.fpu = Fpu::default();
    cpu.state.vectors = Default::default();
    cpu.state.mxcsr = 0x1f80;
    cpu.state.pkru = 0;
}

#[test]
fn fxsave_lays_out_what_fxrstor_takes_back() {
    let mut cpu = busy();
    let saved = cpu.state.clone();
    assert_eq!(run(&mut cpu, FXSAVE64), None);
    assert_eq!(peek(&cpu, 0x5000), [0x7f, 0x02, 0x00, 0x19, 0x3c, 0]);
    assert_eq!(peek(&cpu, 0x5018), 0x9fc0u32.to_le_bytes());
    assert_eq!(peek(&cpu, 0x501c), 0xffffu32.to_le_bytes());
    assert_eq!(peek(&cpu, 0x5028), [3, 0x40], "ST(0) is R3");
    assert_eq!(peek(&cpu, 0x5000 + 160 + 16 * 15), 16u64.to_le_bytes());
    forget(&mut cpu);
    assert_eq!(run(&mut cpu, FXRSTOR64), None);
    assert_eq!(cpu.state.fpu, saved.fpu);
    assert_eq!(cpu.state.mxcsr, saved.mxcsr);
    assert_eq!(cpu.state.vectors[5].0[..2], saved.vectors[5].0[..2]);
}

#[test]
fn fxsave_checks_alignment_and_availability() {
    let mut cpu = busy();
    cpu.state.set_gpr(Gpr::Rbx, 0x5008);
    assert_eq!(run(&mut cpu, FXSAVE64), GP);
    assert_eq!(run(&mut cpu, FXRSTOR64), GP);
    cpu.state.set_gpr(Gpr::Rbx, 0x5000);
    poke(&cpu, 0x5018, &0x1_0000u32.to_le_bytes());
    assert_eq!(run(&mut cpu, FXRSTOR64), GP, "MXCSR");
    cpu.state.cr0 |= Cr0::TS.bits();
    cpu.update_mode();
    let unavailable = Some(Exception::DeviceNotAvailable);
    assert_eq!(run(&mut cpu, FXSAVE64), unavailable);
    assert_eq!(run(&mut cpu, XSAVE64), unavailable);
}

#[test]
fn xsave_and_xrstor_round_trip() {
    let mut cpu = busy();
    let saved = cpu.state.clone();
    poke(&cpu, 0x5200, &[0; 64]);
    assert_eq!(run(&mut cpu, XSAVE64), None);
    assert_eq!(peek(&cpu, 0x5200), 0x203u64.to_le_bytes());
    assert_eq!(peek(&cpu, 0x5340), 0x5555_5554u64.to_le_bytes());
    forget(&mut cpu);
    assert_eq!(run(&mut cpu, XRSTOR64), None);
    assert_eq!(cpu.state.fpu, saved.fpu);
    assert_eq!(cpu.state.mxcsr, saved.mxcsr);
    assert_eq!(cpu.state.pkru, saved.pkru);
    assert_eq!(cpu.state.vectors[15].0[..2], saved.vectors[15].0[..2]);
}

#[test]
fn xrstor_initialises_what_was_not_saved() {
    let mut cpu = busy();
    poke(&cpu, 0x5000, &[0xff; 24]);
    poke(&cpu, 0x5018, &0x1f80u32.to_le_bytes());
    poke(&cpu, 0x5200, &[0; 64]);
    assert_eq!(run(&mut cpu, XRSTOR64), None);
    assert_eq!(cpu.state.fpu, Fpu::default());
    assert_eq!(cpu.state.vectors[3].0[..2], [0, 0]);
    assert_eq!(cpu.state.pkru, 0);
    assert_eq!(cpu.state.mxcsr, 0x1f80);
    // What was not asked for stays.
    cpu.state.pkru = 4;
    cpu.state.set_gpr(Gpr::Rax, 3);
    cpu.state.set_gpr(Gpr::Rdx, 0);
    assert_eq!(run(&mut cpu, XRSTOR64), None);
    assert_eq!(cpu.state.pkru, 4);
}

#[test]
fn xrstor_refuses_malformed_headers() {
    for (at, byte) in [
        (0x5200, 4),
        (0x5207, 0x80),
        (0x5208, 1),
        (0x520e, 0x80),
        (0x5217, 1),
    ] {
        let mut cpu = busy();
        poke(&cpu, 0x5018, &0x1f80u32.to_le_bytes());
        poke(&cpu, at, &[byte]);
        assert_eq!(run(&mut cpu, XRSTOR64), GP, "{at:x}");
        assert_eq!(cpu.state.mxcsr, 0x9fc0);
    }
}

#[test]
fn xsaveopt_leaves_out_initial_components() {
    let mut cpu = busy();
    forget(&mut cpu);
    cpu.state.vectors[2].0[0] = 1;
    poke(&cpu, 0x5000, &[0xee; 832 + 8]);
    assert_eq!(run(&mut cpu, XSAVEOPT64), None);
    assert_eq!(peek(&cpu, 0x5000), [0xee; 24], "x87 untouched");
    assert_eq!(peek(&cpu, 0x50c0), 1u64.to_le_bytes());
    let header = 0xeeee_eeee_eeee_eeee_u64 & !0x203 | 2;
    assert_eq!(peek(&cpu, 0x5200), header.to_le_bytes());
}

#[test]
fn xgetbv_and_xsetbv_reach_xcr0() {
    let mut cpu = busy();
    cpu.state.set_gpr(Gpr::Rcx, 0);
    assert_eq!(run(&mut cpu, &[0x0f, 0x01, 0xd0]), None);
    assert_eq!(cpu.state.gpr(Gpr::Rax), 0x203);
    assert_eq!(cpu.state.gpr(Gpr::Rdx), 0);
    cpu.state.set_gpr(Gpr::Rax, 3);
    assert_eq!(run(&mut cpu, &[0x0f, 0x01, 0xd1]), None);
    assert_eq!(cpu.state.xcr0, 3);
    cpu.state.set_gpr(Gpr::Rcx, 2);
    assert_eq!(run(&mut cpu, &[0x0f, 0x01, 0xd0]), GP);
    cpu.state.cr4 &= !Cr4::OSXSAVE.bits();
    assert_eq!(
        run(&mut cpu, &[0x0f, 0x01, 0xd0]),
        Some(Exception::InvalidOpcode)
    );
}

const XSAVEC64: &[u8] = &[0x48, 0x0f, 0xc7, 0x23];
const XSAVES64: &[u8] = &[0x48, 0x0f, 0xc7, 0x2b];
const XRSTORS64: &[u8] = &[0x48, 0x0f, 0xc7, 0x1b];

#[test]
fn xsavec_leaves_no_gap_and_xrstor_finds_its_way() {
    let mut cpu = busy();
    cpu.state.xcr0 = 0x207;
    let saved = cpu.state.clone();
    cpu.state.set_gpr(Gpr::Rax, 0x203);
    assert_eq!(run(&mut cpu, XSAVEC64), None);
    assert_eq!(peek(&cpu, 0x5200), 0x203u64.to_le_bytes());
    assert_eq!(peek(&cpu, 0x5208), (1u64 << 63 | 0x203).to_le_bytes());
    assert_eq!(peek(&cpu, 0x5240), 0x5555_5554u64.to_le_bytes());
    forget(&mut cpu);
    cpu.state.set_gpr(Gpr::Rax, 0x207);
    assert_eq!(run(&mut cpu, XRSTOR64), None);
    assert_eq!(cpu.state.fpu, saved.fpu);
    assert_eq!(cpu.state.pkru, saved.pkru);
    assert_eq!(cpu.state.mxcsr, saved.mxcsr);
    assert_eq!(cpu.state.vectors[1].0, [2, !1, 0, 0]);
}

#[test]
fn xsaves_round_trips_and_is_privileged() {
    let mut cpu = busy();
    cpu.state.xcr0 = 0x207;
    let saved = cpu.state.clone();
    assert_eq!(run(&mut cpu, XSAVES64), None);
    assert_eq!(peek(&cpu, 0x5208), (1u64 << 63 | 0x207).to_le_bytes());
    assert_eq!(peek(&cpu, 0x5240), 7u64.to_le_bytes(), "YMM0");
    forget(&mut cpu);
    assert_eq!(run(&mut cpu, XRSTORS64), None);
    assert_eq!(cpu.state.vectors, saved.vectors);
    assert_eq!(cpu.state.pkru, saved.pkru);
    // The standard format is not for XRSTORS.
    poke(&cpu, 0x5200, &[0; 16]);
    assert_eq!(run(&mut cpu, XRSTORS64), GP);
    cpu.state.cpl = 3;
    cpu.update_mode();
    assert_eq!(run(&mut cpu, XSAVES64), GP);
    assert_eq!(run(&mut cpu, XRSTORS64), GP);
}

#[test]
fn compacted_headers_are_checked() {
    for (at, byte, ok) in [
        (0x5200, 2, true),
        (0x5201, 2, false),
        (0x5208, 0x0f, false),
        (0x5210, 1, false),
        (0x523f, 1, false),
    ] {
        let mut cpu = busy();
        poke(&cpu, 0x5018, &0x1f80u32.to_le_bytes());
        poke(&cpu, 0x5208, &(1u64 << 63 | 3).to_le_bytes());
        poke(&cpu, at, &[byte]);
        let expected = if ok { None } else { GP };
        assert_eq!(run(&mut cpu, XRSTOR64), expected, "{at:x}");
        assert_eq!(cpu.state.mxcsr == 0x1f80, ok);
    }
}

#[test]
fn xgetbv_of_one_tells_what_is_in_use() {
    let mut cpu = busy();
    cpu.state.set_gpr(Gpr::Rcx, 1);
    assert_eq!(run(&mut cpu, &[0x0f, 0x01, 0xd0]), None);
    assert_eq!(cpu.state.gpr(Gpr::Rax), 0x203);
    forget(&mut cpu);
    assert_eq!(run(&mut cpu, &[0x0f, 0x01, 0xd0]), None);
    assert_eq!(cpu.state.gpr(Gpr::Rax), 0);
    cpu.state.mxcsr = 0x1fa0;
    assert_eq!(run(&mut cpu, &[0x0f, 0x01, 0xd0]), None);
    assert_eq!(cpu.state.gpr(Gpr::Rax), 2);
    cpu.state.set_gpr(Gpr::Rcx, 2);
    assert_eq!(run(&mut cpu, &[0x0f, 0x01, 0xd0]), GP);
}
