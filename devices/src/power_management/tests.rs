//! Power management by the words of the PIIX4 datasheet.

use std::sync::Arc;

use super::{Eeprom, PowerManagement, PowerManagementWires, TIMER_HZ};
use crate::conformance::Probe;
use crate::device::Device;
use crate::irq_line::{IrqLine, IrqLines};
use crate::pci::{Space, Window};
use crate::power_off::PowerOffRequest;
use crate::sleep_lines::{Sleep, SleepLines};

/// The wires of SCI and SMI#.
const SCI: u32 = 1 << 9;
const SMI: u32 = 1 << 20;

struct Bench {
    chip: PowerManagement,
    lines: Arc<IrqLines>,
    power_off: PowerOffRequest,
    sleep: SleepLines,
}

fn bench() -> Bench {
    let lines = IrqLines::new();
    let power_off = PowerOffRequest::default();
    let sleep = SleepLines::new();
    let wires = PowerManagementWires {
        sci: IrqLine::new(&lines, 9),
        smi: IrqLine::new(&lines, 20),
        power_off: power_off.clone(),
        sleep: sleep.clone(),
    };
    let spd = Eeprom {
        address: 0x50,
        contents: (0..128).collect(),
    };
    Bench {
        chip: PowerManagement::new(wires, vec![spd], Some((0xf1, 0xf0))),
        lines,
        power_off,
        sleep,
    }
}

fn read16(probe: &mut Probe<'_>, register: u64) -> u16 {
    let mut bytes = [0; 2];
    probe.read_bytes(register, &mut bytes).unwrap();
    u16::from_le_bytes(bytes)
}

fn write16(probe: &mut Probe<'_>, register: u64, value: u16) {
    probe.write_bytes(register, &value.to_le_bytes()).unwrap();
}

fn timer(probe: &mut Probe<'_>) -> u32 {
    let mut bytes = [0; 4];
    probe.read_bytes(8, &mut bytes).unwrap();
    u32::from_le_bytes(bytes)
}

#[test]
fn it_is_a_piix4_whose_block_moves() {
    let mut bench = bench();
    let mut probe = Probe::new(&mut bench.chip);
    assert_eq!(probe.config_read(0x00), 0x7113_8086);
    assert_eq!(probe.config_read(0x08), 0x0680_0003);
    assert_eq!(probe.config_read(0x40), 1);
    probe.config_write(0x40, &[0x3f, 0xb0, 0xff, 0xff]);
    assert_eq!(probe.config_read(0x40), 0xb001);
    assert!(probe.windows().is_empty(), "not enabled");
    probe.config_write(0x80, &[1]);
    let block = Window {
        space: Space::Io,
        start: 0xb000,
        bytes: 64,
        first_register: 0,
    };
    assert_eq!(probe.windows(), [block]);
    probe.config_write(0x40, &[0, 0x06]);
    probe.config_write(0x90, &[0, 0xb1]);
    probe.config_write(0xd2, &[9]);
    probe.config_write(0x04, &[1]);
    let starts: Vec<_> = probe.windows().iter().map(|window| window.start).collect();
    assert_eq!(starts, [0x600, 0xb100]);
}

#[test]
fn the_timer_runs_at_its_rate_and_wraps_at_24_bits() {
    let mut bench = bench();
    let mut probe = Probe::new(&mut bench.chip);
    probe.wait_ns(1_000_000_000);
    assert_eq!(timer(&mut probe), TIMER_HZ);
    probe.wait_ns(4_000_000_000);
    assert_eq!(timer(&mut probe), (5 * TIMER_HZ) & 0xff_ffff);
    let mut byte = [0];
    probe.read_bytes(9, &mut byte).unwrap();
    assert_eq!(byte[0], ((5 * TIMER_HZ) >> 8) as u8, "any width");
}

#[test]
fn the_timer_overflow_interrupts_when_its_highest_bit_changes() {
    let mut bench = bench();
    let mut probe = Probe::new(&mut bench.chip);
    assert_eq!(probe.next_deadline(), None);
    write16(&mut probe, 2, 1);
    write16(&mut probe, 4, 1);
    let deadline = probe.wait_for_deadline().unwrap();
    assert_eq!(deadline.0, (1u64 << 23) * 1_000_000_000 / 3_579_545 + 1);
    assert_eq!(timer(&mut probe), 1 << 23);
    assert_eq!(bench.lines.levels(), SCI);
    assert_eq!(read16(&mut probe, 0), 1);
    write16(&mut probe, 0, 1);
    assert_eq!(bench.lines.levels(), 0);
    probe.wait_for_deadline().unwrap();
    assert_eq!((timer(&mut probe), bench.lines.levels()), (0, SCI));
}

#[test]
fn the_power_button_interrupts_only_in_acpi_mode() {
    let mut bench = bench();
    write16(&mut Probe::new(&mut bench.chip), 2, 0x100);
    bench.chip.press_power_button();
    assert_eq!(bench.lines.levels(), 0);
    let mut probe = Probe::new(&mut bench.chip);
    assert_eq!(read16(&mut probe, 0), 0x100);
    write16(&mut probe, 4, 1);
    assert_eq!(bench.lines.levels(), SCI);
    probe.write(1, 1); // The upper byte of the status alone.
    assert_eq!(bench.lines.levels(), 0);
}

#[test]
fn general_purpose_events_have_status_and_enable() {
    let mut bench = bench();
    bench.chip.raise_general_event(11);
    bench.chip.raise_general_event(5);
    let mut probe = Probe::new(&mut bench.chip);
    assert_eq!(read16(&mut probe, 0xc), 1 << 11);
    write16(&mut probe, 0xe, 0xffff);
    assert_eq!(read16(&mut probe, 0xe), 0x0f01);
    write16(&mut probe, 4, 1);
    assert_eq!(bench.lines.levels(), SCI);
    write16(&mut probe, 0xc, 0xffff);
    assert_eq!(bench.lines.levels(), 0);
}

#[test]
fn soft_off_switches_off_and_sleep_needs_its_enable_bit() {
    let mut bench = bench();
    let mut probe = Probe::new(&mut bench.chip);
    write16(&mut probe, 4, 0x0001);
    assert!(!bench.power_off.take());
    write16(&mut probe, 4, 0x2001);
    assert!(bench.power_off.take());
    assert_eq!(read16(&mut probe, 4), 1, "the enable bit reads as zero");
    write16(&mut probe, 4, 0x3401); // Working.
    assert!(!bench.power_off.take());
    assert_eq!((read16(&mut probe, 0), bench.sleep.sleep()), (0, None));
    probe.write(4, 0x21); // The low byte alone is no sleep.
    assert!(!bench.power_off.take());
    probe.write(5, 0x20); // The high byte alone is.
    assert!(bench.power_off.take());
}

#[test]
fn a_sleep_ends_by_the_power_button_or_an_enabled_event() {
    for (kind, sleep) in [
        (1, Sleep::ToRam),
        (2, Sleep::ToRam),
        (3, Sleep::ProcessorsLost),
        (4, Sleep::Standing),
    ] {
        let mut bench = bench();
        write16(&mut Probe::new(&mut bench.chip), 4, 0x2001 | kind << 10);
        assert_eq!(bench.sleep.sleep(), Some(sleep));
        // Not enabled: the status alone.
        bench.chip.raise_alarm();
        bench.chip.raise_general_event(0);
        assert!(!bench.sleep.is_woken() && !bench.chip.alarm_wakes());
        bench.chip.press_power_button();
        assert!(bench.sleep.is_woken());
        assert_eq!(read16(&mut Probe::new(&mut bench.chip), 0), 0x8500);
    }
    let mut bench = bench();
    write16(&mut Probe::new(&mut bench.chip), 2, 0x400);
    assert!(bench.chip.alarm_wakes());
    write16(&mut Probe::new(&mut bench.chip), 4, 0x2401);
    bench.chip.raise_alarm();
    assert!(bench.sleep.is_woken());
    // Who sleeps with an event pending is awake at once.
    bench.sleep.end();
    write16(&mut Probe::new(&mut bench.chip), 4, 0x2401);
    assert!(bench.sleep.is_woken());
    bench.sleep.end();
    let mut probe = Probe::new(&mut bench.chip);
    write16(&mut probe, 0, 0xffff);
    write16(&mut probe, 0xe, 1);
    write16(&mut probe, 4, 0x2401);
    assert_eq!((read16(&mut probe, 0), bench.sleep.is_woken()), (0, false));
    bench.chip.raise_general_event(0);
    assert!(bench.sleep.is_woken());
}

#[test]
fn suspend_to_ram_keeps_events_and_their_enables_alone() {
    let mut bench = bench();
    bench.chip.set_up(0x600);
    write16(&mut Probe::new(&mut bench.chip), 2, 0x500);
    write16(&mut Probe::new(&mut bench.chip), 0xe, 1);
    write16(&mut Probe::new(&mut bench.chip), 4, 0x2401);
    bench.chip.lose_context();
    assert_eq!(bench.chip.block_start(), None);
    let asleep = bench.chip.save();
    bench.chip.raise_alarm();
    assert!(bench.sleep.is_woken());
    let mut probe = Probe::new(&mut bench.chip);
    let registers = [0, 2, 4, 0xe].map(|register| read16(&mut probe, register));
    assert_eq!(registers, [0x8400, 0x500, 0, 1]);
    assert_eq!(bench.lines.levels(), 0, "no interrupt before SCI_EN");
    bench.chip.restore(asleep).unwrap();
    assert_eq!(bench.sleep.sleep(), Some(Sleep::ToRam));
    assert!(!bench.sleep.is_woken());
    bench.chip.reset();
    assert_eq!(bench.sleep.sleep(), None);
}

#[test]
fn an_apm_command_asks_for_an_smi_when_enabled() {
    let mut bench = bench();
    let mut probe = Probe::new(&mut bench.chip);
    probe.write(0x51, 0x5a);
    probe.write(0x50, 0x01);
    assert_eq!(bench.lines.take_rises(SMI), 0);
    // As Bochs's BIOS does it, with SMI_EN off.
    probe.config_write(0x58, &[0, 0, 0, 2]);
    probe.write(0x50, 0x03);
    assert_eq!(bench.lines.take_rises(SMI), SMI);
    assert_eq!(read16(&mut probe, 0x18), 1 << 5);
    assert_eq!((probe.read(0x50), probe.read(0x51)), (0x03, 0x5a));
    write16(&mut probe, 0x18, 1 << 5);
    assert_eq!(read16(&mut probe, 0x18), 0);
}

#[test]
fn commands_switch_acpi_on_and_off() {
    let mut bench = bench();
    let mut probe = Probe::new(&mut bench.chip);
    probe.write(0x50, 0xf1);
    assert_eq!(read16(&mut probe, 4), 1);
    probe.write(0x50, 0xf0);
    assert_eq!(read16(&mut probe, 4), 0);
}

#[test]
fn the_global_lock_signals_both_ways() {
    let mut bench = bench();
    let mut probe = Probe::new(&mut bench.chip);
    probe.write(0x28, 3); // BIOS_RLS, and SMIs on.
    assert_eq!(read16(&mut probe, 0), 1 << 5);
    write16(&mut probe, 0x20, 2);
    write16(&mut probe, 4, 4); // GBL_RLS
    assert_eq!(bench.lines.take_rises(SMI), SMI);
    assert_eq!(read16(&mut probe, 0x18), 1);
}

#[test]
fn the_smbus_reads_an_eeprom_and_misses_the_rest() {
    let mut bench = bench();
    let mut probe = Probe::new(&mut bench.chip);
    probe.write(0x44, 0xa1);
    probe.write(0x43, 0x11);
    probe.write(0x42, 0x48);
    assert_eq!((probe.read(0x40), probe.read(0x45)), (2, 0x11));
    probe.write(0x42, 0x4c);
    assert_eq!((probe.read(0x45), probe.read(0x46)), (0x11, 0x12));
    probe.write(0x40, 2);
    assert_eq!(probe.read(0x40), 0);
    probe.write(0x44, 0xa3);
    probe.write(0x42, 0x48);
    assert_eq!(probe.read(0x40), 4);
}

#[test]
fn a_reset_lets_go_of_the_interrupt() {
    let mut bench = bench();
    bench.chip.set_up(0x600);
    write16(&mut Probe::new(&mut bench.chip), 2, 0x100);
    bench.chip.press_power_button();
    assert_eq!(bench.lines.levels(), SCI);
    bench.chip.reset();
    assert_eq!(bench.lines.levels(), 0);
}

#[test]
fn the_smbus_interrupts_by_irq_9_where_that_is_selected() {
    let mut bench = bench();
    let lines = bench.lines.clone();
    let mut probe = Probe::new(&mut bench.chip);
    let read_byte = |probe: &mut Probe<'_>, control: u8| {
        probe.write(0x40, 0x1e);
        probe.write(0x44, 0x50 << 1 | 1);
        probe.write(0x42, control);
    };
    // SMI# is selected after a reset, and IRQ 9 stays low.
    read_byte(&mut probe, 0x49);
    assert_eq!((probe.read(0x40), lines.levels()), (2, 0));
    probe.config_write(0xd2, &[0x09]);
    read_byte(&mut probe, 0x48);
    assert_eq!(lines.levels(), 0);
    read_byte(&mut probe, 0x49);
    assert_eq!(lines.levels(), SCI);
    probe.write(0x40, 2);
    assert_eq!(lines.levels(), 0);
    // Nobody answers, which is an end as well.
    probe.write(0x44, 0x20 << 1);
    probe.write(0x42, 0x41);
    assert_eq!((probe.read(0x40), lines.levels()), (4, SCI));
    probe.write(0x40, 4);
    assert_eq!(lines.levels(), 0);
}
