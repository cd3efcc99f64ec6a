//! What the datasheet says the UART does, and what drivers probe for.

use super::{LISTENING_POLLS, Serial};
use crate::conformance::Probe;
use crate::host_end::MemoryConsole;
use crate::irq_line::{IrqLine, IrqLines};

const DATA: u64 = 0;
const IER: u64 = 1;
const IIR: u64 = 2;
const LCR: u64 = 3;
const MCR: u64 = 4;
const LSR: u64 = 5;
const MSR: u64 = 6;
const SCRATCH: u64 = 7;

fn serial() -> (Serial, MemoryConsole, IrqLine) {
    let console = MemoryConsole::new();
    let wire = IrqLine::new(&IrqLines::new(), 4);
    let serial = Serial::new(wire.clone(), Box::new(console.clone()));
    (serial, console, wire)
}

#[test]
fn a_driver_finds_a_16550a_and_nothing_better() {
    let (mut serial, _, _) = serial();
    let mut probe = Probe::new(&mut serial);
    probe.write(IER, 0);
    assert_eq!(probe.read(IER) & 0x0f, 0);
    probe.write(IER, 0xff);
    assert_eq!(probe.read(IER), 0x0f);
    probe.write(IER, 0);
    // Loopback carries RTS to CTS and OUT2 to DCD.
    probe.write(MCR, 0x1a);
    assert_eq!(probe.read(MSR) & 0xf0, 0x90);
    probe.write(MCR, 0x08);
    probe.write(SCRATCH, 0xa5);
    assert_eq!(probe.read(SCRATCH), 0xa5);
    assert_eq!(probe.read(IIR), 0x01);
    probe.write(IIR, 0x01);
    assert_eq!(probe.read(IIR) >> 6, 3);
    // No extended features behind the divisor latch, no 64-byte FIFO.
    probe.write(LCR, 0x80);
    assert_ne!(probe.read(IIR), 0);
    probe.write(IIR, 0x21);
    assert_eq!(probe.read(IIR) >> 5, 6);
}

#[test]
fn the_divisor_latch_hides_registers_0_and_1() {
    let (mut serial, console, _) = serial();
    let mut probe = Probe::new(&mut serial);
    probe.write(LCR, 0x83);
    probe.write(DATA, 0x34);
    probe.write(IER, 0x12);
    assert_eq!((probe.read(DATA), probe.read(IER)), (0x34, 0x12));
    probe.write(LCR, 0x03);
    assert_eq!(probe.read(IER), 0);
    assert!(console.output().is_empty());
}

#[test]
fn what_is_written_comes_out_at_once() {
    let (mut serial, console, _) = serial();
    let mut probe = Probe::new(&mut serial);
    for byte in *b"hello" {
        assert_eq!(probe.read(LSR), 0x60);
        probe.write(DATA, byte);
    }
    assert_eq!(console.output(), b"hello");
}

#[test]
fn enabling_the_transmitter_interrupt_raises_it_every_time() {
    let (mut serial, _, wire) = serial();
    let mut probe = Probe::new(&mut serial);
    probe.write(MCR, 0x08);
    for _ in 0..2 {
        probe.write(IER, 0x02);
        assert!(wire.level());
        assert_eq!(probe.read(IIR), 0x02);
        assert!(!wire.level());
        assert_eq!(probe.read(IIR), 0x01);
        probe.write(IER, 0x00);
    }
}

#[test]
fn each_transmitted_byte_raises_the_interrupt_anew() {
    let lines = IrqLines::new();
    let console = MemoryConsole::new();
    let mut serial = Serial::new(IrqLine::new(&lines, 4), Box::new(console));
    let mut probe = Probe::new(&mut serial);
    probe.write(MCR, 0x08);
    probe.write(IER, 0x02);
    assert_eq!(lines.take_rises(0x10), 0x10);
    // Without identifying the interrupt: the write itself takes it back.
    probe.write(DATA, b'a');
    assert_eq!(lines.take_rises(0x10), 0x10);
    assert_eq!(lines.levels(), 0x10);
}

#[test]
fn out2_gates_the_interrupt_and_loopback_closes_it() {
    let (mut serial, console, wire) = serial();
    let mut probe = Probe::new(&mut serial);
    probe.write(IER, 0x01);
    probe.write(MCR, 0x08);
    console.type_bytes(b"x");
    probe.wait_ns(1);
    assert_eq!(probe.read(IIR), 0x04);
    probe.write(MCR, 0x00);
    assert!(!wire.level());
    probe.write(MCR, 0x08);
    assert!(wire.level());
    probe.write(MCR, 0x18);
    assert!(!wire.level());
}

/// As Linux's driver finds out what the chip is, and empties it, before anybody has opened the line.
#[test]
fn a_driver_that_starts_takes_nothing() {
    let (mut serial, console, _) = serial();
    console.type_bytes(b"first");
    let mut probe = Probe::new(&mut serial);
    for _ in 0..LISTENING_POLLS {
        probe.write(IER, 0x0f);
        assert_eq!(probe.read(IER), 0x0f);
        probe.write(IER, 0x00);
        assert_eq!(probe.read(LSR), 0x60);
        probe.read(DATA);
    }
    assert_eq!(console.unread(), 5);
    probe.write(MCR, 0x08);
    probe.write(IER, 0x01);
    assert_eq!(probe.read(DATA), b'f');
}

#[test]
fn without_fifos_one_character_waits() {
    let (mut serial, console, _) = serial();
    console.type_bytes(b"ab");
    let mut probe = Probe::new(&mut serial);
    for _ in 0..LISTENING_POLLS {
        assert_eq!(probe.read(LSR), 0x60);
    }
    assert_eq!(probe.read(LSR), 0x61);
    assert_eq!(console.unread(), 1);
    assert_eq!(probe.read(DATA), b'a');
    assert_eq!(probe.read(DATA), b'b');
    assert_eq!(probe.read(LSR), 0x60);
}

#[test]
fn the_trigger_level_decides_between_data_and_timeout() {
    let (mut serial, console, wire) = serial();
    let mut probe = Probe::new(&mut serial);
    probe.write(LCR, 0x83);
    probe.write(DATA, 1);
    probe.write(IER, 0);
    probe.write(LCR, 0x03);
    probe.write(IIR, 0x81);
    probe.write(MCR, 0x08);
    probe.write(IER, 0x01);
    console.type_bytes(b"1234567");
    probe.wait_ns(1);
    assert_eq!(probe.read(IIR), 0xc1);
    assert!(!wire.level());
    // Four characters of ten bits at 115200 baud.
    let due = probe.wait_for_deadline().unwrap();
    assert_eq!(due.0 - 1, 4 * 10 * 16 * 1_000_000_000 / 1_843_200);
    assert!(wire.level());
    assert_eq!(probe.read(IIR), 0xcc);
    assert_eq!(probe.read(DATA), b'1');
    assert_eq!(probe.read(IIR), 0xc1);
    console.type_bytes(b"89");
    probe.wait_ns(1);
    assert_eq!(probe.read(IIR), 0xc4);
}

#[test]
fn input_waiting_since_the_start_is_neither_overrun_nor_lost() {
    let (mut serial, console, _) = serial();
    let mut probe = Probe::new(&mut serial);
    console.type_bytes(&[b'z'; 100]);
    // A driver starts: it enables the interrupt, then the FIFOs.
    probe.write(IIR, 0x01);
    probe.write(IIR, 0x07);
    probe.write(IIR, 0x00);
    let _ = (probe.read(LSR), probe.read(DATA));
    probe.write(MCR, 0x08);
    probe.write(IER, 0x01);
    probe.write(IIR, 0x01);
    probe.write(IIR, 0xc1);
    let mut read = 0;
    while probe.read(LSR) & 0x01 != 0 {
        assert_eq!(probe.read(DATA), b'z');
        read += 1;
    }
    assert_eq!(read, 100);
}

#[test]
fn loopback_returns_bytes_and_overruns() {
    let (mut serial, console, _) = serial();
    let mut probe = Probe::new(&mut serial);
    probe.write(MCR, 0x10);
    probe.write(IER, 0x05);
    probe.write(DATA, b'a');
    assert_eq!(probe.read(IIR), 0x04);
    probe.write(DATA, b'b');
    assert_eq!(probe.read(IIR), 0x06);
    assert_eq!(probe.read(LSR), 0x63);
    assert_eq!(probe.read(LSR), 0x61);
    assert_eq!(probe.read(DATA), b'b');
    assert!(console.output().is_empty());
}

#[test]
fn a_break_in_loopback_is_received_as_one() {
    let (mut serial, _, _) = serial();
    let mut probe = Probe::new(&mut serial);
    probe.write(MCR, 0x10);
    probe.write(LCR, 0x40);
    assert_eq!(probe.read(LSR) & 0x19, 0x19);
    assert_eq!(probe.read(DATA), 0);
}

#[test]
fn modem_inputs_leave_their_changes_until_read() {
    let (mut serial, _, _) = serial();
    let mut probe = Probe::new(&mut serial);
    assert_eq!(probe.read(MSR), 0xb0);
    probe.write(IER, 0x08);
    probe.write(MCR, 0x14);
    assert_eq!(probe.read(IIR), 0x00);
    assert_eq!(probe.read(MSR), 0x4b);
    assert_eq!(probe.read(IIR), 0x01);
    probe.write(MCR, 0x10);
    assert_eq!(probe.read(MSR), 0x04);
}

#[test]
fn clearing_the_fifo_empties_it() {
    let (mut serial, _, _) = serial();
    let mut probe = Probe::new(&mut serial);
    probe.write(IIR, 0x01);
    probe.write(MCR, 0x10);
    probe.write(DATA, 1);
    probe.write(IIR, 0x03);
    assert_eq!(probe.read(LSR) & 1, 0);
}
