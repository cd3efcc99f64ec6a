//! A board with the logic of a PC for x87 errors, as far as one error goes.

use std::sync::{Arc, Mutex};

use rax_mmu::{MmioSpace, PhysicalAddress};

use crate::rflags::Rflags;
use crate::state::{Activity, Gpr};
use crate::testing::{Bits, bare};
use crate::{Cpu, Engine, Interpreter, Platform, Stop};

const CODE: u64 = 0x1000;
const HANDLER: u64 = 0x2000;
/// IRQ 13 as a PC's BIOS has it.
const VECTOR: u8 = 0x75;

#[derive(Default)]
struct Wires {
    interrupt: bool,
    ignores: bool,
    /// The levels of FERR# in their order.
    seen: Vec<bool>,
}

#[derive(Clone, Default)]
struct Board(Arc<Mutex<Wires>>);

impl MmioSpace for Board {
    fn mmio_read(&mut self, _: PhysicalAddress, _: &mut [u8]) {}
    fn mmio_write(&mut self, _: PhysicalAddress, _: &[u8]) {}
}

impl Platform for Board {
    fn begin_access(&mut self, _: u64) {}
    fn port_read(&mut self, _: u16, _: &mut [u8]) {}

    fn port_write(&mut self, port: u16, _: &[u8]) {
        assert_eq!(port, 0xf0);
        let mut wires = self.0.lock().unwrap();
        wires.interrupt = false;
        wires.ignores = true;
    }

    fn interrupt_pending(&mut self) -> bool {
        self.0.lock().unwrap().interrupt
    }

    fn acknowledge_interrupt(&mut self) -> u8 {
        VECTOR
    }

    fn clock_cycles(&mut self) -> u64 {
        0
    }

    fn random(&mut self) -> u64 {
        0
    }

    fn wants_attention(&self) -> bool {
        false
    }

    fn numeric_error(&mut self, is_signalled: bool) -> bool {
        let mut wires = self.0.lock().unwrap();
        wires.seen.push(is_signalled);
        wires.interrupt |= is_signalled && !wires.ignores;
        wires.ignores &= is_signalled;
        wires.ignores
    }
}

/// Runs code in real mode with an error pending.
fn run(code: &[u8], handler: &[u8], flags: Rflags) -> (Box<Cpu>, Stop, Vec<bool>) {
    let mut cpu = bare(Bits::Real, 0x1_0000).unwrap();
    let board = Board::default();
    cpu.platform = Box::new(board.clone());
    let memory = cpu.mmu.memory();
    for (at, bytes) in [
        (CODE, code),
        (HANDLER, handler),
        (4 * u64::from(VECTOR), &(HANDLER as u32).to_le_bytes()),
    ] {
        memory.ram_write(PhysicalAddress(at), bytes).unwrap();
    }
    cpu.state.rip = CODE;
    cpu.state.set_gpr(Gpr::Rsp, 0x8000);
    cpu.state.set_rflags(flags);
    // All exceptions but division by zero are masked, and that has happened.
    cpu.state.fpu.set_control(0x37b);
    cpu.state.fpu.set_status(4);
    cpu.update_mode();
    let stop = Interpreter::new(&cpu).run(&mut cpu, 100);
    let seen = std::mem::take(&mut board.0.lock().unwrap().seen);
    (cpu, stop, seen)
}

#[test]
fn a_waiting_instruction_is_begun_again_after_the_interrupt() {
    // FLD1, HLT; OUT F0h, FNCLEX, IRET.
    let (cpu, stop, seen) = run(b"\xd9\xe8\xf4", b"\xe6\xf0\xdb\xe2\xcf", Rflags::IF);
    assert_eq!((stop, cpu.state.rip), (Stop::Halted, CODE + 3));
    assert_eq!((cpu.state.fpu.status, cpu.state.fpu.in_use), (0x3800, 0x80));
    assert_eq!(seen, [true, false]);
}

#[test]
fn an_error_that_the_handler_leaves_is_ignored() {
    // WAIT, FLD1, HLT; OUT F0h, IRET.
    let (cpu, stop, seen) = run(b"\x9b\xd9\xe8\xf4", b"\xe6\xf0\xcf", Rflags::IF);
    assert_eq!((stop, cpu.state.rip), (Stop::Halted, CODE + 4));
    assert_eq!((cpu.state.fpu.status, cpu.state.fpu.in_use), (0xb884, 0x80));
    assert_eq!(seen, [true, true, true]);
}

#[test]
fn without_interrupts_the_processor_freezes_before_the_instruction() {
    let (cpu, stop, seen) = run(b"\xdb\xe1\x9b\xf4", b"", Rflags::empty());
    assert_eq!((stop, cpu.state.rip), (Stop::Halted, CODE + 2));
    assert_eq!(cpu.state.activity, Activity::Halted);
    assert_eq!(seen, [true]);
}
