//! The I/O APIC by the words of the 82093AA datasheet.

use std::sync::Arc;

use super::{IoApic, PINS};
use crate::apic::{ApicCycle, ApicMessage, ApicQueue, DeliveryMode, Destination};
use crate::conformance::Probe;
use crate::device::Device;
use crate::irq_line::{IrqLine, IrqLines};

struct Bench {
    apic: IoApic,
    lines: Arc<IrqLines>,
    queue: ApicQueue,
}

/// Pin n at wire n, but pin 2 at wire 0 and pin 0 at none.
fn bench() -> Bench {
    let lines = IrqLines::new();
    let queue = ApicQueue::new();
    let wiring = std::array::from_fn(|pin| match pin {
        0 => None,
        2 => Some(0),
        pin => Some(pin as u32),
    });
    Bench {
        apic: IoApic::new(&lines, wiring, Box::new(queue.clone())),
        lines,
        queue,
    }
}

impl Bench {
    fn read(&mut self, index: u8) -> u32 {
        let mut probe = Probe::new(&mut self.apic);
        probe.write(0, index);
        let mut bytes = [0; 4];
        probe.read_bytes(0x10, &mut bytes).unwrap();
        u32::from_le_bytes(bytes)
    }

    fn write(&mut self, index: u8, value: u32) {
        let mut probe = Probe::new(&mut self.apic);
        probe.write_bytes(0, &[index, 0, 0, 0]).unwrap();
        probe.write_bytes(0x10, &value.to_le_bytes()).unwrap();
    }

    fn program(&mut self, pin: u8, low: u32) {
        self.write(0x10 + 2 * pin, low);
    }

    fn wire(&self, number: u32) -> IrqLine {
        IrqLine::new(&self.lines, number)
    }

    fn sent(&mut self) -> Option<ApicMessage> {
        self.apic.sample();
        match self.queue.take()? {
            ApicCycle::Interrupt(message) => Some(message),
            ApicCycle::EndOfInterrupt(_) => None,
        }
    }
}

#[test]
fn registers_after_reset() {
    let mut bench = bench();
    assert_eq!(bench.read(0), 0);
    assert_eq!(bench.read(1), 0x0017_0011);
    assert_eq!(bench.read(2), 0);
    for pin in 0..PINS as u8 {
        assert_eq!(bench.read(0x10 + 2 * pin), 0x1_0000);
        assert_eq!(bench.read(0x11 + 2 * pin), 0);
    }
    assert_eq!(bench.read(0x40), 0, "past the table");
    bench.write(0, 0xff00_0000);
    assert_eq!((bench.read(0), bench.read(2)), (0x0f00_0000, 0x0f00_0000));
    bench.write(1, 0);
    assert_eq!(bench.read(1), 0x0017_0011);
}

#[test]
fn read_only_bits_of_an_entry_stay() {
    let mut bench = bench();
    bench.program(5, 0xffff_ffff);
    assert_eq!(bench.read(0x1a), 0x0001_afff, "no status bits");
    bench.write(0x1b, 0xffff_ffff);
    assert_eq!(bench.read(0x1b), 0xff00_0000);
}

#[test]
fn an_edge_is_sent_once() {
    let mut bench = bench();
    bench.write(0x19, 0x0300_0000);
    bench.program(4, 0x41);
    let wire = bench.wire(4);
    wire.set(true);
    let expected = ApicMessage {
        destination: Destination::Physical(3),
        mode: DeliveryMode::Fixed,
        vector: 0x41,
        is_level: false,
    };
    assert_eq!(bench.sent(), Some(expected));
    assert_eq!(bench.sent(), None);
    wire.pulse(false);
    assert!(bench.sent().is_some(), "a short pulse counts");
    bench.apic.end_of_interrupt(0x41);
    assert_eq!(bench.sent(), None);
}

#[test]
fn an_edge_on_a_masked_pin_is_lost() {
    let mut bench = bench();
    bench.wire(4).set(true);
    assert_eq!(bench.sent(), None);
    bench.program(4, 0x41);
    assert_eq!(bench.sent(), None);
}

#[test]
fn a_level_is_sent_again_after_its_end_while_it_lasts() {
    let mut bench = bench();
    let wire = bench.wire(11);
    wire.set(true);
    bench.program(11, 0x8051);
    assert!(bench.sent().unwrap().is_level, "as soon as it is unmasked");
    assert_eq!(bench.sent(), None);
    assert_eq!(bench.read(0x26), 0xc051, "remote IRR");
    bench.apic.end_of_interrupt(0x52);
    assert_eq!(bench.sent(), None, "another vector");
    bench.apic.end_of_interrupt(0x51);
    assert!(bench.sent().is_some());
    wire.set(false);
    bench.apic.end_of_interrupt(0x51);
    assert_eq!(bench.sent(), None);
    assert_eq!(bench.read(0x26), 0x8051);
}

#[test]
fn making_a_pin_an_edge_forgets_its_remote_irr() {
    let mut bench = bench();
    bench.wire(11).set(true);
    bench.program(11, 0x8051);
    assert!(bench.sent().is_some());
    bench.program(11, 0x1_0051);
    bench.program(11, 0x1_8051);
    assert_eq!(bench.read(0x26), 0x1_8051);
    bench.program(11, 0x8051);
    assert!(bench.sent().is_some());
}

#[test]
fn all_delivery_modes_are_sent_as_they_are() {
    for (bits, mode) in [
        (0, Some(DeliveryMode::Fixed)),
        (1, Some(DeliveryMode::LowestPriority)),
        (2, Some(DeliveryMode::Smi)),
        (3, None),
        (4, Some(DeliveryMode::Nmi)),
        (5, Some(DeliveryMode::Init)),
        (7, Some(DeliveryMode::ExtInt)),
    ] {
        let mut bench = bench();
        bench.program(7, bits << 8 | 0x61);
        bench.wire(7).set(true);
        assert_eq!(bench.sent().map(|message| message.mode), mode);
    }
}

#[test]
fn destinations_are_logical_or_everybody() {
    let mut bench = bench();
    bench.write(0x19, 0x0500_0000);
    bench.program(4, 0x0841);
    bench.wire(4).pulse(false);
    let destination = bench.sent().unwrap().destination;
    assert_eq!(destination, Destination::Logical(5));
    bench.write(0x19, 0xff00_0000);
    bench.wire(4).pulse(false);
    assert_eq!(bench.sent().unwrap().destination, Destination::All);
}

#[test]
fn pins_are_wired_as_the_board_says() {
    let mut bench = bench();
    bench.program(0, 0x40);
    bench.program(2, 0x42);
    bench.wire(0).set(true);
    bench.wire(2).set(true);
    assert_eq!(bench.sent().unwrap().vector, 0x42);
    assert_eq!(bench.sent(), None);
}

#[test]
fn the_pic_and_the_io_apic_both_see_an_edge() {
    let mut bench = bench();
    bench.program(4, 0x41);
    bench.wire(4).pulse(false);
    assert_eq!(bench.lines.take_rises(0xffff), 0x10);
    assert!(bench.sent().is_some());
}

#[test]
fn a_restored_level_pin_waits_for_its_end() {
    let mut bench = bench();
    let wire = bench.wire(9);
    wire.set(true);
    bench.program(9, 0x8049);
    assert!(bench.sent().is_some());
    let saved = bench.apic.save();
    bench.apic.reset();
    bench.apic.restore(saved).unwrap();
    assert_eq!(bench.sent(), None);
    bench.apic.end_of_interrupt(0x49);
    assert!(bench.sent().is_some());
}

#[test]
fn narrow_writes_to_the_window_are_refused() {
    let mut bench = bench();
    let mut probe = Probe::new(&mut bench.apic);
    assert!(probe.write_bytes(0x10, &[0]).is_err());
    assert!(probe.write_bytes(0, &[0; 2]).is_err());
    assert!(probe.write_bytes(4, &[0; 4]).is_err());
    assert!(probe.read_bytes(0x10, &mut [0; 8]).is_err());
    assert_eq!(probe.read(0x10), 0, "parts may be read");
}
