use crate::Cpu;
use crate::control::testing::{cpu32, cpu64, peek, poke, run};
use crate::exception::Exception;
use crate::rflags::Rflags;
use crate::segment::{Attributes, Segment};
use crate::state::Gpr;

const GP: Option<Exception> = Some(Exception::GeneralProtection(0));

#[test]
fn in_and_out_reach_the_platform() {
    let mut cpu = cpu64();
    cpu.state.set_gpr(Gpr::Rax, 0x1122_3344_5566_7788);
    cpu.state.set_gpr(Gpr::Rdx, 0x3f8);
    // out dx, eax; in eax, dx: the platform adds the port's number and mixes it in.
    assert_eq!(run(&mut cpu, &[0xef, 0xed]), None);
    let expected = (0x5566_7788u32 ^ 0x3f8_0000).wrapping_add(0x3f8);
    assert_eq!(cpu.state.gpr(Gpr::Rax), u64::from(expected));
    cpu.state.set_gpr(Gpr::Rax, 0xffff_0000);
    assert_eq!(run(&mut cpu, &[0xe6, 0xff, 0xe4, 0xff]), None);
    assert_eq!(cpu.state.gpr(Gpr::Rax), 0xffff_00ff, "only AL changes");
}

/// CPL 3 with a task-state segment at 0x7000 whose map forbids all but port 0x3f9.
fn user() -> Box<Cpu> {
    let mut cpu = cpu32();
    cpu.state.cpl = 3;
    cpu.state.tr = Segment {
        selector: 0x28,
        attributes: Attributes::from_bits_retain(0x8b),
        limit: 0x68 + 0x80,
        base: 0x7000,
    };
    poke(&cpu, 0x7066, &0x68u16.to_le_bytes());
    poke(&cpu, 0x7068, &[0xff; 0x81]);
    poke(&cpu, 0x7068 + 0x3f9 / 8, &[!(1 << (0x3f9 % 8))]);
    cpu.update_mode();
    cpu
}

#[test]
fn the_map_permits_single_ports() {
    let mut cpu = user();
    for (port, code, expected) in [
        (0x3f9, 0xec, None),
        (0x3f8, 0xec, GP),
        (0x3f9, 0xed, GP),
        (0x3ff, 0xec, GP),
        (0x400, 0xec, GP),
        (0xffff, 0xec, GP),
    ] {
        cpu.state.set_gpr(Gpr::Rdx, port);
        assert_eq!(run(&mut cpu, &[code]), expected, "{port:x} {code:x}");
    }
    cpu.state.set_gpr(Gpr::Rcx, 0);
    assert_eq!(run(&mut cpu, &[0xf3, 0x6c]), GP, "REP INSB of nothing");
    assert_eq!(run(&mut cpu, &[0xf3, 0x6e]), GP, "REP OUTSB of nothing");
    cpu.state.system_flags.insert(Rflags::IOPL);
    assert_eq!(run(&mut cpu, &[0xec]), None);
    cpu.state.system_flags.remove(Rflags::IOPL);
    cpu.state.tr.attributes = Attributes::from_bits_retain(0x83);
    cpu.state.set_gpr(Gpr::Rdx, 0x3f9);
    assert_eq!(run(&mut cpu, &[0xec]), GP, "a 16-bit task has no map");
}

#[test]
fn ins_fills_memory_and_outs_empties_it() {
    let mut cpu = cpu64();
    cpu.state.set_gpr(Gpr::Rdx, 0x10);
    cpu.state.set_gpr(Gpr::Rcx, 4);
    cpu.state.set_gpr(Gpr::Rdi, 0x5000);
    assert_eq!(run(&mut cpu, &[0xf3, 0x66, 0x6d]), None);
    assert_eq!(peek(&cpu, 0x5000), [0x10, 0, 0x11, 0, 0x12, 0, 0x13, 0]);
    assert_eq!(cpu.state.gpr(Gpr::Rdi), 0x5008);
    assert_eq!(cpu.state.gpr(Gpr::Rcx), 0);
    cpu.state.set_gpr(Gpr::Rsi, 0x5000);
    cpu.state.set_gpr(Gpr::Rcx, 3);
    assert_eq!(run(&mut cpu, &[0xf3, 0x6e, 0xec]), None);
    assert_eq!(cpu.state.gpr(Gpr::Rsi), 0x5003);
    assert_eq!(cpu.state.gpr(Gpr::Rax) as u8, 0x21);
}

#[test]
fn ins_reads_no_port_when_memory_faults() {
    let mut cpu = cpu64();
    cpu.state.set_gpr(Gpr::Rdi, 1 << 31);
    let fault = run(&mut cpu, &[0x6c]);
    assert!(matches!(fault, Some(Exception::PageFault(_))));
    assert_eq!(cpu.state.gpr(Gpr::Rdi), 1 << 31);
    cpu.state.set_gpr(Gpr::Rdx, 0);
    assert_eq!(run(&mut cpu, &[0xec]), None);
    assert_eq!(cpu.state.gpr(Gpr::Rax), 0, "the first read of the port");
}
