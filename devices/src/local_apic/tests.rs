//! The local APIC by the words of SDM volume 3A, chapter 11.

use proptest::prelude::*;

use super::{Acknowledged, Lint, LocalApic, LocalApicModel, Signals};
use crate::apic::{ApicCycle, ApicMessage, ApicQueue, DeliveryMode, Destination, deliver};
use crate::conformance::Probe;
use crate::device::Device;

const EOI: u64 = 0xb0;
const LDR: u64 = 0xd0;
const DFR: u64 = 0xe0;
const SVR: u64 = 0xf0;
const ISR: u64 = 0x100;
const TMR: u64 = 0x180;
const IRR: u64 = 0x200;
const ESR: u64 = 0x280;
const ICR_LOW: u64 = 0x300;
const ICR_HIGH: u64 = 0x310;
const LVT_TIMER: u64 = 0x320;
const LVT_LINT1: u64 = 0x360;
const LVT_ERROR: u64 = 0x370;
const INITIAL: u64 = 0x380;
const CURRENT: u64 = 0x390;
const DIVIDE: u64 = 0x3e0;

const ENABLED: u64 = 1 << 11;
const EXTENDED: u64 = 1 << 10;

fn model(id: u32) -> LocalApicModel {
    LocalApicModel {
        id,
        is_bootstrap: id == 0,
        has_x2apic: true,
        timer_hz: 100_000_000,
        tsc_hz: 1_000_000_000,
        base: 0xfee0_0000,
        physical_bits: 40,
    }
}

fn bare(id: u32) -> (LocalApic, ApicQueue) {
    let queue = ApicQueue::new();
    (LocalApic::new(model(id), Box::new(queue.clone())), queue)
}

/// One that software has enabled, with spurious vector FFh.
fn enabled() -> (LocalApic, ApicQueue) {
    let (mut apic, queue) = bare(0);
    write(&mut apic, SVR, 0x1ff);
    (apic, queue)
}

fn get(probe: &mut Probe<'_>, register: u64) -> u32 {
    let mut bytes = [0; 4];
    probe.read_bytes(register, &mut bytes).unwrap();
    u32::from_le_bytes(bytes)
}

fn put(probe: &mut Probe<'_>, register: u64, value: u32) {
    probe.write_bytes(register, &value.to_le_bytes()).unwrap();
}

fn read(apic: &mut LocalApic, register: u64) -> u32 {
    get(&mut Probe::new(apic), register)
}

fn write(apic: &mut LocalApic, register: u64, value: u32) {
    put(&mut Probe::new(apic), register, value);
}

fn fixed(vector: u8, is_level: bool) -> ApicMessage {
    ApicMessage {
        destination: Destination::All,
        mode: DeliveryMode::Fixed,
        vector,
        is_level,
    }
}

fn message(mode: DeliveryMode, destination: Destination) -> ApicMessage {
    ApicMessage {
        destination,
        mode,
        ..fixed(0x40, false)
    }
}

/// Carries everything on the bus to `apics`.
fn run_bus(queue: &ApicQueue, apics: &mut [LocalApic]) {
    while let Some(cycle) = queue.take() {
        if let ApicCycle::Interrupt(message) = cycle {
            deliver(&message, apics);
        }
    }
}

#[test]
fn registers_after_reset_are_as_11_4_7_1_has_them() {
    let (mut apic, _) = bare(3);
    assert_eq!(read(&mut apic, 0x20), 3 << 24);
    assert_eq!(read(&mut apic, 0x30), 0x0005_0014);
    assert_eq!(read(&mut apic, SVR), 0xff);
    assert_eq!(read(&mut apic, DFR), 0xffff_ffff);
    for lvt in (LVT_TIMER..=LVT_ERROR).step_by(16) {
        assert_eq!(read(&mut apic, lvt), 0x1_0000);
    }
    for zero in [0x80, LDR, ISR, TMR, IRR, ICR_LOW, INITIAL, CURRENT, DIVIDE] {
        assert_eq!(read(&mut apic, zero), 0);
    }
    assert_eq!(apic.apic_base(), 0xfee0_0800);
    assert_eq!(bare(0).0.apic_base(), 0xfee0_0900);
}

#[test]
fn a_disabled_apic_keeps_its_lvt_masked_and_takes_no_interrupts() {
    let (mut apic, _) = bare(0);
    write(&mut apic, LVT_TIMER, 0x40);
    assert_eq!(read(&mut apic, LVT_TIMER), 0x1_0040);
    assert!(!apic.accept(&fixed(0x40, false)));
    assert!(apic.accept(&message(DeliveryMode::Nmi, Destination::All)));
    assert!(apic.take_signals().nmi);
    write(&mut apic, SVR, 0x1ff);
    write(&mut apic, LVT_TIMER, 0x40);
    assert_eq!(read(&mut apic, LVT_TIMER), 0x40);
    write(&mut apic, SVR, 0xff);
    assert_eq!(read(&mut apic, LVT_TIMER), 0x1_0040);
}

#[test]
fn a_higher_class_interrupts_a_lower_one_and_waits_otherwise() {
    let (mut apic, _) = enabled();
    apic.accept(&fixed(0x41, false));
    apic.accept(&fixed(0x52, false));
    assert_eq!(read(&mut apic, IRR + 0x20), 1 << 1 | 1 << 18);
    assert_eq!(apic.acknowledge(), Acknowledged::Vector(0x52));
    assert_eq!(read(&mut apic, ISR + 0x20), 1 << 18);
    assert!(!apic.interrupt_pending());
    apic.accept(&fixed(0x5f, false));
    assert!(!apic.interrupt_pending(), "same class");
    apic.accept(&fixed(0x60, false));
    assert_eq!(apic.acknowledge(), Acknowledged::Vector(0x60));
    for expected in [0x5f, 0x41] {
        while !apic.interrupt_pending() {
            write(&mut apic, EOI, 0);
        }
        assert_eq!(apic.acknowledge(), Acknowledged::Vector(expected));
    }
}

#[test]
fn the_task_priority_holds_its_class_and_lower_ones_back() {
    let (mut apic, _) = enabled();
    write(&mut apic, 0x80, 0x4f);
    assert_eq!(read(&mut apic, 0xa0), 0x4f);
    assert_eq!(apic.task_priority(), 4);
    apic.accept(&fixed(0x45, false));
    assert!(!apic.interrupt_pending());
    apic.set_task_priority(3);
    assert_eq!(read(&mut apic, 0x80), 0x30);
    assert!(apic.interrupt_pending());
    apic.acknowledge();
    assert_eq!(read(&mut apic, 0xa0), 0x40);
}

#[test]
fn an_interrupt_that_went_away_is_spurious_and_needs_no_end() {
    let (mut apic, _) = enabled();
    write(&mut apic, SVR, 0x13f);
    apic.accept(&fixed(0x45, false));
    apic.set_task_priority(15);
    assert_eq!(apic.acknowledge(), Acknowledged::Vector(0x3f));
    assert_eq!(read(&mut apic, ISR + 0x10), 0);
}

#[test]
fn the_end_of_a_level_interrupt_goes_to_the_io_apics() {
    let (mut apic, queue) = enabled();
    apic.accept(&fixed(0x31, true));
    apic.accept(&fixed(0x42, false));
    assert_eq!(read(&mut apic, TMR + 0x10), 1 << 17);
    apic.acknowledge();
    write(&mut apic, EOI, 0);
    assert_eq!(queue.take(), None, "0x42 was an edge");
    apic.acknowledge();
    write(&mut apic, EOI, 0);
    assert_eq!(queue.take(), Some(ApicCycle::EndOfInterrupt(0x31)));
    write(&mut apic, EOI, 0);
    assert_eq!(queue.take(), None, "nothing in service");
}

#[test]
fn virtual_wire_mode_passes_the_external_controller_on() {
    let (mut apic, _) = bare(0);
    apic.set_lint(Lint::Lint0, true);
    assert!(!apic.interrupt_pending(), "LINT0 is masked");
    apic.enter_virtual_wire_mode();
    assert_eq!(apic.acknowledge(), Acknowledged::External);
    apic.accept(&fixed(0x40, false));
    assert_eq!(apic.acknowledge(), Acknowledged::Vector(0x40));
    assert_eq!(apic.acknowledge(), Acknowledged::External, "no priority");
    apic.set_lint(Lint::Lint0, false);
    assert!(!apic.interrupt_pending());
    apic.set_lint(Lint::Lint1, true);
    apic.set_lint(Lint::Lint1, true);
    assert!(apic.take_signals().nmi);
    assert!(!apic.has_signals(), "one edge, one NMI");
}

#[test]
fn a_globally_disabled_apic_leaves_intr_and_nmi_alone() {
    let (mut apic, _) = bare(0);
    apic.set_apic_base(0xfee0_0100).unwrap();
    apic.set_lint(Lint::Lint0, true);
    apic.set_lint(Lint::Lint1, true);
    assert_eq!(apic.acknowledge(), Acknowledged::External);
    assert!(apic.take_signals().nmi);
    assert!(!apic.accept(&fixed(0x40, false)));
    assert!(!apic.is_addressed(Destination::All));
    assert_eq!(apic.memory_page(), None);
}

#[test]
fn a_level_triggered_pin_requests_again_after_its_end() {
    let (mut apic, queue) = enabled();
    write(&mut apic, LVT_LINT1, 0x8055);
    apic.set_lint(Lint::Lint1, true);
    apic.acknowledge();
    assert_eq!(read(&mut apic, LVT_LINT1), 0xc055, "remote IRR");
    assert_eq!(read(&mut apic, IRR + 0x20), 0);
    write(&mut apic, EOI, 0);
    assert_eq!(queue.take(), Some(ApicCycle::EndOfInterrupt(0x55)));
    assert_eq!(read(&mut apic, IRR + 0x20), 1 << 21);
    apic.acknowledge();
    apic.set_lint(Lint::Lint1, false);
    write(&mut apic, EOI, 0);
    assert_eq!(read(&mut apic, LVT_LINT1), 0x8055);
    assert!(!apic.interrupt_pending());
}

#[test]
fn logical_destinations_match_by_model() {
    let (mut apic, _) = enabled();
    write(&mut apic, LDR, 0x1200_0000);
    assert!(apic.is_addressed(Destination::Logical(0x10)), "flat");
    assert!(!apic.is_addressed(Destination::Logical(0x21)));
    write(&mut apic, DFR, 0x0fff_ffff);
    assert!(apic.is_addressed(Destination::Logical(0x13)), "cluster 1");
    assert!(!apic.is_addressed(Destination::Logical(0x10)));
    assert!(!apic.is_addressed(Destination::Logical(0x22)));
    assert!(
        apic.is_addressed(Destination::Logical(0xf2)),
        "all clusters"
    );
    assert!(apic.is_addressed(Destination::Physical(0)));
    assert!(!apic.is_addressed(Destination::Physical(1)));
}

#[test]
fn commands_reach_whom_they_name() {
    let queue = ApicQueue::new();
    let mut apics: Vec<_> = (0..4)
        .map(|id| LocalApic::new(model(id), Box::new(queue.clone())))
        .collect();
    for (id, apic) in apics.iter_mut().enumerate() {
        write(apic, SVR, 0x1ff);
        write(apic, LDR, 1 << (24 + id));
    }
    let mut send = |high: u32, low: u32| -> Vec<usize> {
        write(&mut apics[1], ICR_HIGH, high);
        write(&mut apics[1], ICR_LOW, low);
        run_bus(&queue, &mut apics);
        let mut reached = Vec::new();
        for (id, apic) in apics.iter_mut().enumerate() {
            if apic.interrupt_pending() {
                assert_eq!(apic.acknowledge(), Acknowledged::Vector(0x51));
                write(apic, EOI, 0);
                reached.push(id);
            }
        }
        reached
    };
    assert_eq!(send(2 << 24, 0x0051), [2]);
    assert_eq!(send(0xff << 24, 0x0051), [0, 1, 2, 3]);
    assert_eq!(send(0b1010 << 24, 0x0851), [1, 3]);
    assert_eq!(send(0, 0x4_0051), [1], "self");
    assert_eq!(send(0, 0x8_0051), [0, 1, 2, 3]);
    assert_eq!(send(0, 0xc_0051), [0, 2, 3]);
    assert_eq!(send(0b1100 << 24, 0x0951), [2], "lowest priority");
    assert_eq!(send(9 << 24, 0x0051), [0; 0]);
}

#[test]
fn lowest_priority_prefers_focus_then_the_least_busy() {
    let queue = ApicQueue::new();
    let mut apics: Vec<_> = (0..3)
        .map(|id| LocalApic::new(model(id), Box::new(queue.clone())))
        .collect();
    for apic in &mut apics {
        write(apic, SVR, 0x1ff);
    }
    write(&mut apics[0], 0x80, 0x20);
    write(&mut apics[2], 0x80, 0x10);
    apics[1].accept(&fixed(0x30, false));
    let lowest = message(DeliveryMode::LowestPriority, Destination::All);
    assert!(deliver(&lowest, &mut apics));
    assert!(apics[2].interrupt_pending());
    write(&mut apics[2], 0x80, 0xf0);
    assert!(deliver(&lowest, &mut apics), "2 has it: the focus");
    assert!(!apics[0].interrupt_pending());
    write(&mut apics[2], SVR, 0x3ff);
    assert!(deliver(&lowest, &mut apics), "no focus checking");
    assert!(apics[0].interrupt_pending());
}

#[test]
fn init_and_start_up_reach_a_processor_that_is_not_enabled() {
    let (mut apic, _) = bare(5);
    write(&mut apic, LDR, 0x0100_0000);
    let init = message(DeliveryMode::Init, Destination::Physical(5));
    let start_up = ApicMessage {
        vector: 0x9f,
        ..message(DeliveryMode::StartUp, Destination::Physical(5))
    };
    let apics = std::slice::from_mut(&mut apic);
    assert!(deliver(&init, apics) && deliver(&start_up, apics));
    let signals = Signals {
        init: true,
        start_up: Some(0x9f),
        ..Signals::default()
    };
    assert_eq!(apic.take_signals(), signals);
    assert_eq!(read(&mut apic, LDR), 0, "INIT resets registers");
    assert_eq!(read(&mut apic, 0x20), 5 << 24, "but not the ID");
}

#[test]
fn an_init_deassert_does_nothing() {
    let (mut apic, queue) = enabled();
    write(&mut apic, ICR_LOW, 0xc_8500);
    assert_eq!(queue.take(), None);
    write(&mut apic, ICR_LOW, 0xc_c500);
    assert!(queue.take().is_some());
}

#[test]
fn errors_are_latched_by_a_write_and_interrupt_once() {
    let (mut apic, queue) = enabled();
    write(&mut apic, LVT_ERROR, 0xfe);
    write(&mut apic, ICR_LOW, 0x0f);
    assert_eq!(queue.take(), None, "not sent");
    apic.accept(&fixed(3, false));
    read(&mut apic, 0x3f0);
    assert_eq!(read(&mut apic, ESR), 0, "not latched yet");
    write(&mut apic, ESR, 0);
    assert_eq!(read(&mut apic, ESR), 1 << 5 | 1 << 6 | 1 << 7);
    assert_eq!(apic.acknowledge(), Acknowledged::Vector(0xfe));
    write(&mut apic, ESR, 0);
    assert_eq!(read(&mut apic, ESR), 0);
}

#[test]
fn a_one_shot_timer_counts_down_and_fires_once() {
    let (mut apic, _) = enabled();
    let mut probe = Probe::new(&mut apic);
    put(&mut probe, LVT_TIMER, 0x40);
    put(&mut probe, DIVIDE, 0b0011); // Divides by 16: 160 ns a count.
    put(&mut probe, INITIAL, 1000);
    probe.wait_ns(160 * 400);
    assert_eq!(get(&mut probe, CURRENT), 600);
    assert_eq!(probe.wait_for_deadline().unwrap().0, 160_000);
    assert_eq!(get(&mut probe, CURRENT), 0);
    assert_eq!(get(&mut probe, IRR + 0x20), 1);
    assert_eq!(probe.next_deadline(), None);
    probe.wait_ns(1_000_000);
    apic.acknowledge();
    assert!(!apic.interrupt_pending());
}

#[test]
fn a_periodic_timer_keeps_its_period_and_merges_what_was_missed() {
    let (mut apic, _) = enabled();
    let mut probe = Probe::new(&mut apic);
    put(&mut probe, LVT_TIMER, 0x2_0040);
    put(&mut probe, DIVIDE, 0b1011); // Divides by 1: 10 ns a count.
    put(&mut probe, INITIAL, 100);
    assert_eq!(probe.wait_for_deadline().unwrap().0, 1000);
    assert_eq!(probe.wait_for_deadline().unwrap().0, 2000);
    probe.wait_until(crate::Time(7250));
    assert_eq!(get(&mut probe, CURRENT), 75);
    assert_eq!(probe.next_deadline().unwrap().0, 8000);
    put(&mut probe, INITIAL, 0);
    assert_eq!(probe.next_deadline(), None);
    apic.acknowledge();
    write(&mut apic, EOI, 0);
    assert!(!apic.interrupt_pending());
}

#[test]
fn a_count_goes_on_when_it_becomes_periodic_or_one_shot() {
    let (mut apic, _) = enabled();
    let mut probe = Probe::new(&mut apic);
    put(&mut probe, LVT_TIMER, 0x40);
    put(&mut probe, DIVIDE, 0b1011); // Divides by 1: 10 ns a count.
    put(&mut probe, INITIAL, 100);
    probe.wait_ns(600);
    put(&mut probe, LVT_TIMER, 0x2_0040);
    assert_eq!(get(&mut probe, CURRENT), 40);
    assert_eq!(probe.wait_for_deadline().unwrap().0, 1000);
    assert_eq!(probe.wait_for_deadline().unwrap().0, 2000);
    probe.wait_ns(300);
    put(&mut probe, LVT_TIMER, 0x40);
    assert_eq!(get(&mut probe, CURRENT), 70);
    assert_eq!(probe.wait_for_deadline().unwrap().0, 3000);
    assert_eq!(probe.next_deadline(), None);
}

#[test]
fn a_count_that_came_to_zero_does_not_start_again_by_becoming_periodic() {
    let (mut apic, _) = enabled();
    let mut probe = Probe::new(&mut apic);
    put(&mut probe, LVT_TIMER, 0x40);
    put(&mut probe, DIVIDE, 0b1011);
    put(&mut probe, INITIAL, 100);
    assert_eq!(probe.wait_for_deadline().unwrap().0, 1000);
    put(&mut probe, LVT_TIMER, 0x2_0040);
    assert_eq!(get(&mut probe, INITIAL), 100);
    assert_eq!(get(&mut probe, CURRENT), 0);
    assert_eq!(probe.next_deadline(), None);
    probe.wait_ns(5000);
    assert_eq!(get(&mut probe, CURRENT), 0);
    put(&mut probe, INITIAL, 100);
    assert_eq!(probe.wait_for_deadline().unwrap().0, 7000);
}

#[test]
fn all_divisors_are_as_the_table_says() {
    let table = [
        (0b0000, 2),
        (0b0001, 4),
        (0b0010, 8),
        (0b0011, 16),
        (0b1000, 32),
        (0b1001, 64),
        (0b1010, 128),
        (0b1011, 1),
    ];
    for (bits, divisor) in table {
        let (mut apic, _) = enabled();
        let mut probe = Probe::new(&mut apic);
        put(&mut probe, LVT_TIMER, 0x40);
        put(&mut probe, DIVIDE, bits);
        put(&mut probe, INITIAL, 7);
        let deadline = probe.next_deadline().unwrap();
        assert_eq!(deadline.0, 7 * 10 * divisor, "{bits:#b}");
    }
}

#[test]
fn a_new_divisor_goes_on_with_what_is_left() {
    let (mut apic, _) = enabled();
    let mut probe = Probe::new(&mut apic);
    put(&mut probe, LVT_TIMER, 0x2_0040);
    put(&mut probe, DIVIDE, 0b1011);
    put(&mut probe, INITIAL, 100);
    probe.wait_ns(400);
    put(&mut probe, DIVIDE, 0b0000);
    assert_eq!(get(&mut probe, CURRENT), 60);
    assert_eq!(probe.wait_for_deadline().unwrap().0, 400 + 60 * 20);
    assert_eq!(probe.wait_for_deadline().unwrap().0, 1600 + 100 * 20);
}

#[test]
fn a_masked_timer_counts_silently() {
    let (mut apic, _) = enabled();
    let mut probe = Probe::new(&mut apic);
    put(&mut probe, LVT_TIMER, 0x1_0040);
    put(&mut probe, INITIAL, 100);
    assert_eq!(probe.next_deadline(), None);
    probe.wait_ns(1000);
    assert_eq!(get(&mut probe, CURRENT), 50);
    probe.wait_ns(2000);
    put(&mut probe, LVT_TIMER, 0x40);
    assert!(!apic.interrupt_pending(), "came to zero while masked");
}

#[test]
fn a_tsc_deadline_fires_once_and_disarms() {
    let (mut apic, _) = enabled();
    apic.set_tsc_deadline(500);
    assert_eq!(apic.tsc_deadline(), 0, "not in this mode");
    write(&mut apic, LVT_TIMER, 0x4_0040);
    write(&mut apic, INITIAL, 5);
    assert_eq!(read(&mut apic, CURRENT), 0);
    apic.set_tsc_deadline(12_345);
    let mut probe = Probe::new(&mut apic);
    assert_eq!(probe.wait_for_deadline().unwrap().0, 12_345);
    assert_eq!(probe.next_deadline(), None);
    assert_eq!(apic.tsc_deadline(), 0);
    assert_eq!(apic.acknowledge(), Acknowledged::Vector(0x40));
    apic.set_tsc_deadline(u64::MAX);
    write(&mut apic, LVT_TIMER, 0x40);
    write(&mut apic, LVT_TIMER, 0x4_0040);
    assert_eq!(apic.tsc_deadline(), 0, "a change of mode disarms");
}

#[test]
fn apic_base_changes_modes_only_by_the_allowed_ways() {
    let (mut apic, _) = bare(0);
    let base = 0xfee0_0100;
    assert!(apic.set_apic_base(base | EXTENDED).is_err());
    assert!(apic.set_apic_base(base | ENABLED | 1).is_err(), "reserved");
    assert!(apic.set_apic_base(base | ENABLED | 1 << 40).is_err());
    apic.set_apic_base(0x1_2345_6000 | ENABLED).unwrap();
    assert_eq!(apic.memory_page(), Some(0x1_2345_6000));
    apic.set_apic_base(base | ENABLED | EXTENDED).unwrap();
    assert_eq!(apic.memory_page(), None);
    assert!(apic.set_apic_base(base | ENABLED).is_err());
    apic.set_apic_base(base).unwrap();
    assert!(apic.set_apic_base(base | ENABLED | EXTENDED).is_err());
    apic.set_apic_base(base | ENABLED).unwrap();
}

#[test]
fn disabling_forgets_all_registers() {
    let (mut apic, _) = enabled();
    apic.accept(&fixed(0x40, false));
    apic.set_apic_base(0xfee0_0100).unwrap();
    apic.set_apic_base(0xfee0_0900).unwrap();
    assert_eq!(read(&mut apic, SVR), 0xff);
    assert_eq!(read(&mut apic, IRR + 0x20), 0);
}

fn x2apic(id: u32) -> (LocalApic, ApicQueue) {
    let (mut apic, queue) = bare(id);
    apic.set_apic_base(apic.apic_base() | EXTENDED).unwrap();
    apic.write_msr(0x0f, 0x1ff).unwrap();
    (apic, queue)
}

#[test]
fn x2apic_registers_are_msrs() {
    let (mut apic, queue) = x2apic(0x23);
    assert_eq!(apic.read_msr(0x02), Ok(0x23));
    assert_eq!(apic.read_msr(0x0d), Ok(0x0002_0008));
    assert!(apic.is_addressed(Destination::Logical(0x0002_0009)));
    assert!(!apic.is_addressed(Destination::Logical(0x0003_0008)));
    apic.write_msr(0x30, 0x0002_0008_0000_0851).unwrap();
    let sent = ApicMessage {
        destination: Destination::Logical(0x0002_0008),
        ..fixed(0x51, false)
    };
    assert_eq!(queue.take(), Some(ApicCycle::Interrupt(sent)));
    assert_eq!(apic.read_msr(0x30), Ok(0x0002_0008_0000_0851));
    apic.write_msr(0x30, 0xffff_ffff_0000_0451).unwrap();
    let Some(ApicCycle::Interrupt(sent)) = queue.take() else {
        panic!("nothing was sent");
    };
    assert_eq!(sent.destination, Destination::All);
    apic.write_msr(0x3f, 0x61).unwrap();
    run_bus(&queue, std::slice::from_mut(&mut apic));
    assert_eq!(apic.acknowledge(), Acknowledged::Vector(0x61));
    apic.write_msr(0x0b, 0).unwrap();
}

#[test]
fn x2apic_refuses_what_the_manual_calls_a_fault() {
    let (mut apic, _) = x2apic(0);
    for (register, value) in [
        (0x0b, 1),       // EOI must be zero.
        (0x28, 1),       // So must ESR.
        (0x02, 0),       // Read only.
        (0x0d, 0),       // Read only.
        (0x0e, 0),       // No destination format.
        (0x31, 0),       // No upper half of the command register.
        (0x08, 0x100),   // Reserved bits.
        (0x0f, 0x1000),  // No suppression of EOI broadcasts.
        (0x32, 1 << 19), // Reserved bits.
        (0x40, 0),
        (0x132, 0),
    ] {
        assert!(apic.write_msr(register, value).is_err(), "{register:#x}");
    }
    for register in [0x09, 0x0b, 0x0c, 0x0e, 0x31, 0x3f, 0x40, 0x2f] {
        assert!(apic.read_msr(register).is_err(), "{register:#x}");
    }
    let (mut apic, _) = enabled();
    assert!(apic.read_msr(0x02).is_err(), "xAPIC mode");
    assert!(apic.write_msr(0x0f, 0).is_err());
}

#[test]
fn only_whole_registers_are_written() {
    let (mut apic, _) = enabled();
    let mut probe = Probe::new(&mut apic);
    assert!(probe.write_bytes(SVR, &[0]).is_err());
    assert!(probe.write_bytes(SVR + 4, &[0; 4]).is_err());
    assert!(probe.read_bytes(SVR + 4, &mut [0; 4]).is_err());
    assert_eq!(probe.read(SVR + 1), 1, "parts may be read");
}

proptest! {
    #[test]
    fn whatever_is_acknowledged_has_the_highest_priority(
        vectors in proptest::collection::vec(16u8.., 1..40),
        priority in 0u8..16,
    ) {
        let (mut apic, _) = enabled();
        apic.set_task_priority(priority);
        for &vector in &vectors {
            apic.accept(&fixed(vector, vector % 3 == 0));
        }
        let mut last_class = 16;
        while apic.interrupt_pending() {
            let Acknowledged::Vector(vector) = apic.acknowledge() else {
                return Err(TestCaseError::fail("no external controller here"));
            };
            prop_assert!(vector >> 4 > priority);
            prop_assert!(vector >> 4 <= last_class);
            prop_assert!(vectors.contains(&vector));
            last_class = vector >> 4;
            write(&mut apic, EOI, 0);
        }
        let rest = vectors.iter().filter(|&&vector| vector >> 4 > priority).count();
        prop_assert_eq!(rest == 0, last_class == 16);
    }

    #[test]
    fn x2apic_accesses_return(accesses in proptest::collection::vec(
        (0u32..0x50, any::<u64>(), any::<bool>()), 0..100))
    {
        let (mut apic, _) = x2apic(1);
        for (register, value, small) in accesses {
            let value = if small { value & 0x7_01ff } else { value };
            let _ = apic.write_msr(register, value);
            let _ = apic.read_msr(register);
            apic.acknowledge();
            let saved = apic.save();
            apic.restore(saved.clone()).unwrap();
            prop_assert_eq!(apic.save(), saved);
        }
    }
}

#[test]
fn steady_words_are_what_reads_give_and_nothing_but_writes_changes_them() {
    let (mut apic, _queue) = enabled();
    write(&mut apic, 0x80, 0x30);
    write(&mut apic, DIVIDE, 0b1011);
    write(&mut apic, LVT_TIMER, 0x2_0040);
    write(&mut apic, INITIAL, 1000);
    let words =
        |apic: &LocalApic| [0x20, 0x30, 0x80, SVR, INITIAL, DIVIDE].map(|at| apic.steady_word(at));
    let before = words(&apic);
    assert_eq!(before[0], Some(0));
    assert_eq!(before[2..], [0x30, 0x1ff, 1000, 0b1011].map(Some));
    // The timer runs down again and again, and messages come.
    Probe::new(&mut apic).wait_ns(1_000_000);
    apic.accept(&fixed(0x51, false));
    assert_eq!(words(&apic), before);
    for at in 0..0x1000 {
        if let Some(word) = apic.steady_word(at) {
            assert_eq!(word, read(&mut apic, at), "register {at:#x}");
        }
    }
    for moving in [EOI, IRR, ISR, CURRENT, ESR, 0x21, 0xff0] {
        assert_eq!(apic.steady_word(moving), None, "register {moving:#x}");
    }
}
