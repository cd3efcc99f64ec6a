use crate::control::testing::{cpu32, cpu64};
use crate::rflags::Cr4;

#[test]
fn breakpoints_on_instructions_compare_linear_addresses() {
    let mut cpu = cpu64();
    cpu.state.dr[1] = 0x1234;
    cpu.state.rip = 0x1234;
    assert_eq!(cpu.instruction_breakpoints(), 0);
    cpu.state.dr[7] |= 1 << 2;
    assert_eq!(cpu.instruction_breakpoints(), 2);
    cpu.state.rip = 0x1235;
    assert_eq!(cpu.instruction_breakpoints(), 0);
}

#[test]
fn breakpoints_on_data_do_not_stop_instructions() {
    let mut cpu = cpu32();
    cpu.state.rip = 0x1234;
    cpu.state.dr[0] = 0x1234;
    cpu.state.dr[7] |= 1 | 1 << 16;
    assert_eq!(cpu.instruction_breakpoints(), 0);
}

#[test]
fn breakpoints_on_ports_need_debugging_extensions() {
    let mut cpu = cpu32();
    cpu.state.dr[3] = 0x3f8;
    cpu.state.dr[7] |= 1 << 6 | 2 << 28 | 3 << 30;
    cpu.watch_port(0x3f9, 1);
    assert_eq!(cpu.debug_hits, 0);
    cpu.state.cr4 |= Cr4::DE.bits();
    cpu.watch_port(0x3fc, 1);
    assert_eq!(cpu.debug_hits, 0);
    cpu.watch_port(0x3f9, 1);
    assert_eq!(cpu.debug_hits, 8);
}
