//! When things happen: retraces, their interrupt, and what is sent to the monitor now.

use super::{BYTES, PLANAR, TEXT, Vga, WINDOW, indexed, set_mode, vga};
use crate::conformance::Probe;
use crate::irq_line::{IrqLine, IrqLines};
use crate::time::Time;

const VERTICAL_RETRACE_END: u8 = 0x11;

#[test]
fn the_retrace_interrupts_once_it_is_armed() {
    let lines = IrqLines::new();
    let mut vga = vga().with_interrupt(IrqLine::new(&lines, 9));
    let mut probe = Probe::new(&mut vga);
    set_mode(&mut probe, &TEXT);
    let end = |probe: &mut Probe<'_>, bits: u8| {
        indexed(probe, 0x24, VERTICAL_RETRACE_END, 0x0e | bits);
    };
    let is_high = || lines.levels() >> 9 & 1 != 0;
    // Held clear, as the BIOS leaves it.
    end(&mut probe, 0);
    probe.wait_ns(100_000_000);
    assert_eq!(probe.read(0x12), 0x10);
    assert!(!is_high());
    // Armed: it comes with the next retrace, in line 412.
    end(&mut probe, 0x10);
    let mut waits = 0;
    while !is_high() {
        assert_eq!(probe.read(0x12) & 0x80, 0);
        probe.wait_ns(10_000);
        waits += 1;
        assert!(waits < 1500, "no interrupt in a frame of 14.3 ms");
    }
    assert_eq!(probe.read(0x2a) & 8, 8);
    assert_eq!(probe.read(0x12) & 0x80, 0x80);
    // It stays until the latch is cleared; bit 5 keeps it off the line only.
    probe.wait_ns(30_000_000);
    assert!(is_high());
    end(&mut probe, 0x30);
    assert!(!is_high());
    assert_eq!(probe.read(0x12) & 0x80, 0x80);
    end(&mut probe, 0x10);
    assert!(is_high());
    end(&mut probe, 0);
    assert!(!is_high());
    assert_eq!(probe.read(0x12) & 0x80, 0);
}

#[test]
fn the_interrupt_comes_back_with_a_saved_state() {
    use crate::device::Device;

    let lines = IrqLines::new();
    let mut vga = vga().with_interrupt(IrqLine::new(&lines, 9));
    let mut probe = Probe::new(&mut vga);
    set_mode(&mut probe, &TEXT);
    indexed(&mut probe, 0x24, VERTICAL_RETRACE_END, 0x1e);
    probe.wait_ns(20_000_000);
    let state = vga.save();
    vga.reset();
    assert_eq!(lines.levels(), 0);
    vga.restore(state).unwrap();
    assert_eq!(lines.levels(), 1 << 9);
}

/// Bits 4 and 5 of Input Status Register 1 for each setting of the multiplexer, at a time.
fn feedback(vga: &mut Vga, at: Time) -> [u8; 4] {
    std::array::from_fn(|mux| {
        let mut probe = Probe::new(vga);
        probe.read(0x2a);
        probe.write(0x10, 0x32);
        probe.write(0x10, (mux as u8) << 4 | 0x0f);
        vga.video_feedback(at) >> 4
    })
}

/// The bits that the multiplexer gives of a colour: 2 and 0, 5 and 4, 3 and 1, 7 and 6.
fn pairs(color: u8) -> [u8; 4] {
    [[2, 0], [5, 4], [3, 1], [7, 6]].map(|[high, low]| (color >> high & 1) << 1 | color >> low & 1)
}

#[test]
fn the_colour_that_is_sent_now_is_read_back() {
    let mut vga = vga();
    let mut probe = Probe::new(&mut vga);
    set_mode(&mut probe, &BYTES);
    // Pixel 100 of line 50; each lasts two dots and two scan lines. The border is colour 5Ah.
    probe.write(WINDOW + 50 * 320 + 100, 0xa7);
    probe.read(0x2a);
    probe.write(0x10, 0x31);
    probe.write(0x10, 0x5a);
    // A border of one character on the right: blanking begins later.
    indexed(&mut probe, 0x24, 0x11, 0);
    indexed(&mut probe, 0x24, 2, 0x51);
    let (frame_ns, line_ns) = vga.timing();
    let at =
        |line: u64, dot: u64| Time(3 * frame_ns + line * line_ns + line_ns * (2 * dot + 1) / 1600);
    assert_eq!(feedback(&mut vga, at(100, 201)), pairs(0xa7));
    assert_eq!(feedback(&mut vga, at(101, 200)), pairs(0xa7));
    assert_eq!(feedback(&mut vga, at(102, 200)), pairs(0));
    assert_eq!(feedback(&mut vga, at(100, 203)), pairs(0));
    assert_eq!(feedback(&mut vga, at(100, 644)), pairs(0x5a));
    assert_eq!(feedback(&mut vga, at(100, 660)), pairs(0));
}

#[test]
fn sixteen_colours_are_read_back_through_the_palette() {
    let mut vga = vga();
    let mut probe = Probe::new(&mut vga);
    set_mode(&mut probe, &PLANAR);
    indexed(&mut probe, 0x14, 2, 0b0101);
    probe.write(WINDOW + 80 * 10 + 3, 0x20);
    probe.read(0x2a);
    // Colour 5 is entry 2Ah.
    probe.write(0x10, 5);
    probe.write(0x10, 0x2a);
    probe.write(0x10, 0x20);
    let (frame_ns, line_ns) = vga.timing();
    let at = |dot: u64| Time(frame_ns + 10 * line_ns + line_ns * (2 * dot + 1) / 1600);
    assert_eq!(feedback(&mut vga, at(26)), pairs(0x2a));
    assert_eq!(feedback(&mut vga, at(27)), pairs(0));
    // The palette is the processor's: nothing is sent.
    let mut probe = Probe::new(&mut vga);
    probe.read(0x2a);
    probe.write(0x10, 0);
    assert_eq!(vga.video_feedback(at(26)), 0);
}

/// Displayed is not what lies beside or below the picture, wherever the registers are addressed.
#[test]
fn display_and_retrace_follow_the_beam() {
    for (miscellaneous, status) in [(0xe3, 0x2a), (0xe2, 0x0a)] {
        let mut vga = vga();
        let mut probe = Probe::new(&mut vga);
        set_mode(&mut probe, &PLANAR);
        probe.write(0x12, miscellaneous);
        let (frame_ns, line_ns) = vga.timing();
        let mut probe = Probe::new(&mut vga);
        let start = frame_ns * 10;
        for (line, eighth, bits) in [
            (0, 1, 0),
            (0, 7, 1),
            (479, 3, 0),
            (480, 3, 1),
            (489, 3, 1),
            (490, 3, 9),
            (491, 7, 9),
            (492, 3, 1),
            (524, 3, 1),
        ] {
            probe.wait_until(Time(start + line * line_ns + eighth * line_ns / 8));
            assert_eq!(probe.read(status) & 9, bits, "line {line}");
        }
    }
}
