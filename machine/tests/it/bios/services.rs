//! What programs of the DOS years ask a BIOS for, call by call (IBM PC/AT BIOS interface; Ralf Brown's list; EDD 3.0).

use rax_devices::{Floppy, IdeDrive, MemoryConsole, MemoryDisk};
use rax_machine::Fittings;

use super::caller::{Caller, Registers, boot_sector};

/// Where data for the calls lies, and where they put theirs.
const FROM: (u16, u32) = (0x1000, 0);
const TO: (u16, u32) = (0x2000, 0);
const FROM_ADDRESS: u32 = 0x1_0000;
const TO_ADDRESS: u32 = 0x2_0000;

fn memory_disk(sectors: usize) -> Box<MemoryDisk> {
    let mut bytes = boot_sector();
    bytes.resize(sectors * 512, 0);
    Box::new(MemoryDisk::new(bytes))
}

pub(crate) fn with_floppy() -> Caller {
    let floppy = Floppy::new(memory_disk(2880)).unwrap();
    Caller::boot(Fittings {
        floppies: vec![Some(floppy)],
        ..Fittings::default()
    })
}

fn with_disk() -> Caller {
    let mut fittings = Fittings::default();
    fittings.drives[0] = Some(IdeDrive::disk(memory_disk(20_160)));
    Caller::boot(fittings)
}

/// Bytes that differ from sector to sector.
fn pattern(sectors: usize) -> Vec<u8> {
    (0..sectors * 512)
        .map(|n| (n ^ n >> 8 ^ n >> 16) as u8)
        .collect()
}

/// AH, AL and the carry flag, which says whether AH is an error.
#[track_caller]
fn assert_status(answer: Registers, ah: u8, al: u8) {
    assert_eq!((answer.ah(), answer.al()), (ah, al), "{answer:x?}");
    assert_eq!(answer.carry, ah != 0, "{answer:x?}");
}

#[test]
fn a_floppy_is_written_verified_read_and_formatted() {
    let mut pc = with_floppy();
    let parameters = pc.disk(0x0800, 0, 0, (0, 0));
    assert_eq!(
        (parameters.ecx, parameters.edx, parameters.ebx & 0xFF),
        (0x4F12, 0x0101, 4)
    );
    let table = u32::from(parameters.es) * 16 + parameters.edi;
    assert_eq!(pc.word(0x78 + 2), parameters.es);
    assert_eq!(pc.read(0xF_EFC7, 5), [0xAF, 0x02, 0x25, 0x02, 18]);
    assert_eq!(table, 0xF_EFC7);
    // Drive B is not there, and an error tells so.
    let absent = pc.disk(0x0800, 0, 1, (0, 0));
    assert_status(absent, 1, 0);
    assert_eq!((absent.ecx, absent.edx), (0, 1));
    // Track 5, side 1, all of its sectors.
    let bytes = pattern(18);
    pc.write(FROM_ADDRESS, &bytes);
    assert_status(pc.disk(0x0312, 0x0501, 0x0100, FROM), 0, 18);
    assert_status(pc.disk(0x0412, 0x0501, 0x0100, TO), 0, 18);
    assert_status(pc.disk(0x0212, 0x0501, 0x0100, TO), 0, 18);
    assert_eq!(pc.read(TO_ADDRESS, bytes.len()), bytes);
    // From side 0 to side 1, and to the next cylinder, as the controller does; but not beyond the last one.
    assert_status(pc.disk(0x0202, 0x0512, 0x0000, TO), 0, 2);
    assert_eq!(pc.read(TO_ADDRESS + 512, 512), bytes[..512]);
    assert_status(pc.disk(0x0301, 0x0601, 0x0000, FROM), 0, 1);
    assert_status(pc.disk(0x0202, 0x0512, 0x0100, TO), 0, 2);
    assert_eq!(pc.read(TO_ADDRESS + 512, 512), bytes[..512]);
    assert_eq!(pc.disk(0x0202, 0x4F12, 0x0100, TO).ah(), 0x04);
    assert_eq!(pc.disk(0x0100, 0, 0, (0, 0)).ah(), 0x04);
    // Formatting fills it.
    let fields: Vec<u8> = (1..=18).flat_map(|sector| [5, 1, sector, 2]).collect();
    pc.write(FROM_ADDRESS, &fields);
    let format = pc.disk(0x0512, 0x0501, 0x0100, FROM);
    assert_eq!((format.ah(), format.carry), (0, false));
    assert_status(pc.disk(0x0212, 0x0501, 0x0100, TO), 0, 18);
    assert_eq!(pc.read(TO_ADDRESS, 18 * 512), [0xF6; 18 * 512]);
    // DMA does not cross 64 KiB.
    assert_eq!(pc.disk(0x0201, 0x0001, 0, (0x1000, 0xFF00)).ah(), 0x09);
    assert_eq!(pc.disk(0x0200, 0x0001, 0, TO).ah(), 0x01);
    assert_eq!(pc.disk(0x0201, 0x0001, 0x0001, TO).ah(), 0x80, "no drive B");
}

#[test]
fn a_changed_floppy_is_told_once() {
    let mut pc = with_floppy();
    assert_eq!(pc.disk(0x1500, 0, 0, (0, 0)).ah(), 2, "has a change line");
    assert_status(pc.disk(0x0201, 0x0001, 0, TO), 0, 1);
    assert_eq!(pc.disk(0x1600, 0, 0, (0, 0)).ah(), 0);
    let taken = pc.bench.machine.eject_floppy(0).unwrap();
    assert_eq!(pc.disk(0x1600, 0, 0, (0, 0)).ah(), 0x06);
    assert_status(pc.disk(0x0201, 0x0001, 0, TO), 0x80, 0);
    let mut other = pattern(1440);
    other[510..512].copy_from_slice(&[0x12, 0x34]);
    let other = Floppy::new(Box::new(MemoryDisk::new(other))).unwrap();
    pc.bench.machine.insert_floppy(0, other);
    assert_eq!(pc.disk(0x1600, 0, 0, (0, 0)).ah(), 0x06);
    assert_status(pc.disk(0x0201, 0x0001, 0, TO), 0x06, 0);
    assert_status(pc.disk(0x0201, 0x0001, 0, TO), 0, 1);
    assert_eq!(pc.word(TO_ADDRESS + 510), 0x3412);
    assert_eq!(pc.disk(0x1600, 0, 0, (0, 0)).ah(), 0);
    pc.bench.machine.insert_floppy(0, taken);
    assert_status(pc.disk(0x0201, 0x0001, 0, TO), 0x06, 0);
    assert_status(pc.disk(0x0201, 0x0001, 0, TO), 0, 1);
    assert_eq!(pc.word(TO_ADDRESS + 510), 0xAA55);
}

/// A program may say what it is going to format, and then read the disk that is still there.
#[test]
fn a_floppy_is_read_whatever_format_was_announced() {
    let mut pc = with_floppy();
    let small = Floppy::new(Box::new(MemoryDisk::new(pattern(1440)))).unwrap();
    pc.bench.machine.insert_floppy(0, small);
    assert_status(pc.disk(0x0201, 0x0001, 0, TO), 0x06, 0);
    let announced = [(0x1800, 0x4F12), (0x1703, 0), (0x1702, 0), (0x1701, 0)];
    for (function, format) in announced {
        assert_eq!(pc.disk(function, format, 0, (0, 0)).ah(), 0);
        assert_status(pc.disk(0x0201, 0x0502, 0, TO), 0, 1);
        let sector = 5 * 18 + 1;
        let expected = pattern(sector + 1)[sector * 512..].to_vec();
        assert_eq!(pc.read(TO_ADDRESS, 512), expected, "{function:#06x}");
    }
}

#[test]
fn a_protected_floppy_is_not_written() {
    let mut pc = with_floppy();
    let disk = MemoryDisk::new(pattern(2880)).read_only();
    let floppy = Floppy::new(Box::new(disk)).unwrap();
    pc.bench.machine.insert_floppy(0, floppy);
    assert_status(pc.disk(0x0301, 0x0001, 0, FROM), 0x06, 0);
    assert_status(pc.disk(0x0301, 0x0001, 0, FROM), 0x03, 0);
    assert_eq!(pc.disk(0x0501, 0x0001, 0, FROM).ah(), 0x03);
    assert_status(pc.disk(0x0201, 0x0002, 0, TO), 0, 1);
    assert_eq!(pc.read(TO_ADDRESS, 512), pattern(2)[512..]);
}

#[test]
fn a_character_goes_over_the_serial_line() {
    let mut pc = with_floppy();
    let mut ask = |ax: u32, dx: u32| {
        let before = Registers {
            eax: ax,
            edx: dx,
            ..Registers::default()
        };
        pc.call(0x14, before)
    };
    // 9600 baud, eight bits: the transmitter is empty.
    assert_eq!(ask(0x00E3, 0).ah() & 0x60, 0x60);
    assert_eq!(ask(0x0121, 0).ah() & 0x80, 0);
    assert_eq!(ask(0x0300, 0).ah() & 0x60, 0x60);
    assert_eq!(ask(0x0121, 3).ah(), 0x01, "without COM4 nothing happens");
    assert!(pc.bench.serial().ends_with('!'));
}

#[test]
fn disks_of_every_format_are_read_in_one_drive() {
    let mut pc = with_floppy();
    assert_status(pc.disk(0x0201, 0x0001, 0, TO), 0, 1);
    for (cylinders, heads, sectors) in [
        (40, 1, 8),
        (40, 2, 9),
        (80, 2, 9),
        (80, 2, 15),
        (80, 2, 36),
        (80, 2, 18),
        (80, 2, 21),
    ] {
        let bytes = pattern(cylinders * heads * sectors);
        let last = bytes[bytes.len() - 512..].to_vec();
        let floppy = Floppy::new(Box::new(MemoryDisk::new(bytes))).unwrap();
        pc.bench.machine.insert_floppy(0, floppy);
        let place = ((cylinders as u32 - 1) << 8) | sectors as u32;
        let side = (heads as u32 - 1) << 8;
        assert_status(pc.disk(0x0201, place, side, TO), 0x06, 0);
        assert_status(pc.disk(0x0201, place, side, TO), 0, 1);
        assert_eq!(pc.read(TO_ADDRESS, 512), last, "{cylinders} {sectors}");
        assert!(pc.disk(0x0201, place + 1, side, TO).carry);
    }
}

#[test]
fn a_hard_disk_is_written_verified_and_read() {
    let mut pc = with_disk();
    // 20 cylinders, 16 heads, 63 sectors; one disk.
    let parameters = pc.disk(0x0800, 0, 0x80, (0, 0));
    assert_eq!((parameters.ecx, parameters.edx), (0x133F, 0x0F01));
    assert_eq!(pc.read(0x475, 1), [1]);
    let table = u32::from(pc.word(0x41 * 4 + 2)) * 16 + u32::from(pc.word(0x41 * 4));
    assert_eq!(pc.word(table), 20);
    assert_eq!(pc.read(table + 2, 1), [16]);
    assert_eq!(pc.read(table + 14, 1), [63]);
    let size = pc.disk(0x1500, 0, 0x80, (0, 0));
    assert_eq!((size.ah(), size.ecx << 16 | size.edx), (3, 20_160));
    // Cylinder 3, head 2, sector 60: four sectors, over the track's end.
    let bytes = pattern(4);
    pc.write(FROM_ADDRESS, &bytes);
    assert_status(pc.disk(0x0304, 0x033C, 0x0280, FROM), 0, 4);
    assert_status(pc.disk(0x0404, 0x033C, 0x0280, TO), 0, 4);
    assert_status(pc.disk(0x0204, 0x033C, 0x0280, TO), 0, 4);
    assert_eq!(pc.read(TO_ADDRESS, bytes.len()), bytes);
    assert_eq!(
        pc.disk(0x0201, 0x1401, 0x0080, TO).ah(),
        0x01,
        "cylinder 20"
    );
    assert_eq!(pc.disk(0x0201, 0x0000, 0x0080, TO).ah(), 0x01, "sector 0");
    assert_eq!(
        pc.disk(0x0800, 0, 0x81, (0, 0)).ah(),
        0x01,
        "no second disk"
    );
}

#[test]
fn a_hard_disk_is_used_through_its_extensions() {
    let mut pc = with_disk();
    let check = pc.disk(0x4100, 0, 0x80, (0, 0x55AA));
    assert_eq!((check.ebx & 0xFFFF, check.carry), (0xAA55, false));
    // The same sectors by number: (3 * 16 + 2) * 63 + 59.
    let packet = |count: u16, segment: u16, sector: u64| {
        let mut bytes = vec![16, 0];
        for word in [count, 0, segment] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(sector.to_le_bytes());
        bytes
    };
    let extended = |pc: &mut Caller, ax: u32, bytes: &[u8]| {
        pc.write(0x500, bytes);
        let before = Registers {
            eax: ax,
            edx: 0x80,
            esi: 0x500,
            ..Registers::default()
        };
        pc.call(0x13, before)
    };
    let bytes = pattern(100);
    pc.write(FROM_ADDRESS, &bytes);
    let write = extended(&mut pc, 0x4300, &packet(100, 0x1000, 3209));
    assert_eq!((write.ah(), write.carry), (0, false));
    let verify = extended(&mut pc, 0x4400, &packet(100, 0, 3209));
    assert_eq!((verify.ah(), verify.carry), (0, false));
    let read = extended(&mut pc, 0x4200, &packet(100, 0x2000, 3209));
    assert_eq!((read.ah(), read.carry), (0, false));
    assert_eq!(pc.read(TO_ADDRESS, bytes.len()), bytes);
    assert_status(pc.disk(0x0201, 0x033C, 0x0280, (0x3000, 0)), 0, 1);
    assert_eq!(pc.read(0x3_0000, 512), bytes[..512]);
    let beyond = extended(&mut pc, 0x4200, &packet(1, 0x2000, 20_160));
    assert!(beyond.carry, "{beyond:x?}");
    let mut room = vec![0; 26];
    room[0] = 26;
    assert_eq!(extended(&mut pc, 0x4800, &room).ah(), 0);
    assert_eq!(pc.dword(0x510), 20_160);
}

#[test]
fn equipment_memory_and_tables_are_told() {
    let mut pc = with_floppy();
    let equipment = pc.call(0x11, Registers::default()).eax;
    // A floppy drive, a coprocessor, 80 columns in colour, one serial port.
    assert_eq!(equipment & 0x0EF3, 0x0223, "{equipment:x}");
    assert_eq!(pc.word(0x400), 0x3F8);
    assert_eq!(pc.call(0x12, Registers::default()).eax & 0xFFFF, 639);
    assert_eq!(pc.word(0x40E), 0x9FC0);
    // IBM's values for the 6845, and how many columns the modes have.
    let video = u32::from(pc.word(0x1D * 4 + 2)) * 16 + u32::from(pc.word(0x1D * 4));
    assert_eq!(pc.read(video + 16, 4), [0x71, 0x50, 0x5A, 0x0A]);
    assert_eq!(pc.read(video + 72, 4), [40, 40, 80, 80]);
    assert_eq!(pc.read(0x48F, 1), [0x07], "one floppy drive");
    let ah = |n: u32| Registers {
        eax: n << 8,
        ..Registers::default()
    };
    let table = pc.call(0x15, ah(0xC0));
    assert_eq!((table.es, table.carry), (0xF000, false));
    let table = pc.read(0xF_0000 + (table.ebx & 0xFFFF), 5);
    assert_eq!((table[0], table[2]), (8, 0xFC), "an AT");
    let extended = pc.call(0x15, ah(0x88)).eax & 0xFFFF;
    // Less the pages that hold ACPI's tables.
    assert!(
        (63 * 1024 - 64..=63 * 1024).contains(&extended),
        "{extended}"
    );
    assert_eq!(pc.call(0x15, ah(0xC1)).es, 0x9FC0);
    let unknown = pc.call(0x15, ah(0xBF));
    assert_eq!((unknown.ah(), unknown.carry), (0x86, true));
}

#[test]
fn the_a20_gate_is_opened_and_closed() {
    let mut pc = with_floppy();
    let ask = |pc: &mut Caller, ax: u32| {
        let before = Registers {
            eax: ax,
            ..Registers::default()
        };
        pc.call(0x15, before)
    };
    assert_eq!(ask(&mut pc, 0x2403).ebx & 3, 3);
    for (function, open) in [(0x2400, 0), (0x2401, 1)] {
        assert_status(ask(&mut pc, function), 0, function as u8);
        assert_status(ask(&mut pc, 0x2402), 0, open);
        assert_eq!(pc.bench.machine.memory().a20(), open == 1);
    }
}

#[test]
fn midnight_passes_and_is_told_once() {
    let mut pc = with_floppy();
    let clock = |pc: &mut Caller, ax: u32, ticks: u32| {
        let before = Registers {
            eax: ax,
            ecx: ticks >> 16,
            edx: ticks & 0xFFFF,
            ..Registers::default()
        };
        pc.call(0x1A, before)
    };
    assert!(!clock(&mut pc, 0x0100, 0x18_00AF).carry);
    let now = clock(&mut pc, 0x0000, 0);
    assert_eq!((now.ecx, now.edx, now.al()), (0x18, 0xAF, 0));
    // A tick and a half.
    pc.bench.run(82_000_000);
    let now = clock(&mut pc, 0x0000, 0);
    assert_eq!((now.ecx, now.al()), (0, 1), "{now:x?}");
    assert!(now.edx < 2);
    assert_eq!(clock(&mut pc, 0x0000, 0).al(), 0);
    // The clock says the 1st of January 2024; a day has gone by.
    assert_eq!(clock(&mut pc, 0x0A00, 0).ecx, 16_071 + 1);
    assert_eq!(clock(&mut pc, 0x0B00, 59 << 16).ah(), 0);
    assert_eq!(clock(&mut pc, 0x0A00, 0).ecx, 59);
}

#[test]
fn there_is_no_joystick() {
    let mut pc = with_floppy();
    for (function, expected) in [(0, (0, 0x2222)), (1, (0, 0)), (2, (0x86, 0x2222))] {
        let before = Registers {
            eax: 0x8400,
            ebx: 0x2222,
            edx: function,
            ..Registers::default()
        };
        let after = pc.call(0x15, before);
        assert_eq!((after.ah(), after.ebx), expected, "{function}");
        assert_eq!(after.carry, function == 2);
    }
}

#[test]
fn a_wait_sets_its_byte() {
    let mut pc = with_floppy();
    let wait = Registers {
        eax: 0x8300,
        ebx: 0x0700,
        // 10 ms.
        edx: 10_000,
        ..Registers::default()
    };
    pc.write(0x700, &[0]);
    assert!(!pc.call(0x15, wait).carry);
    let second = pc.call(0x15, wait);
    assert_eq!((second.ah(), second.carry), (0x83, true), "one at a time");
    assert_eq!(pc.read(0x700, 1), [0]);
    pc.bench.run(12_000_000);
    assert_eq!(pc.read(0x700, 1), [0x80]);
}

#[test]
fn characters_and_the_screen_are_printed() {
    let paper = MemoryConsole::new();
    let floppy = Floppy::new(memory_disk(2880)).unwrap();
    let mut pc = Caller::boot(Fittings {
        floppies: vec![Some(floppy)],
        printer: Some(Box::new(paper.clone())),
        ..Fittings::default()
    });
    assert_eq!(pc.word(0x408), 0x378);
    let mut print = |eax, edx| {
        let before = Registers {
            eax,
            edx,
            ..Registers::default()
        };
        pc.call(0x17, before).ah()
    };
    // Not busy, selected; no paper missing, no error, no time-out.
    assert_eq!(print(0x0100, 0) & 0xB9, 0x90, "initialized");
    assert_eq!(
        print(u32::from(b'x'), 0) & 0x39,
        0x10,
        "it may be busy with it"
    );
    assert_eq!(print(0x0200, 0) & 0xB9, 0x90);
    assert_eq!(paper.output(), b"x");
    assert_eq!(print(u32::from(b'y'), 1), 0, "there is no second printer");
    pc.call(0x05, Registers::default());
    assert_eq!(pc.read(0x500, 1), [0], "done");
    let printed = String::from_utf8_lossy(&paper.output()).into_owned();
    let lines: Vec<&str> = printed.split("\r\n").map(str::trim_end).collect();
    let screen = pc.bench.screen();
    for line in screen.lines().map(str::trim_end) {
        assert!(lines.contains(&line), "{line:?} is not in {lines:?}");
    }
    // While it is printing, or said to be, it does not begin again.
    pc.write(0x500, &[1]);
    pc.call(0x05, Registers::default());
    assert_eq!(paper.output().len(), printed.len());
}

#[test]
fn roms_find_that_they_can_be_booted_from() {
    let pc = with_floppy();
    let rom = pc.read(0xF_0000, 0x1_0000);
    // As ROMs look for it: at each paragraph.
    let mut places = (0..rom.len()).step_by(16);
    let at = places.find(|&at| rom[at..].starts_with(b"$PnP")).unwrap();
    let structure = &rom[at..at + 0x21];
    let sum = structure
        .iter()
        .fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    assert_eq!((structure[5], sum), (0x21, 0));
}

#[test]
fn a_key_does_not_disturb_what_the_mouse_answers() {
    let mut pc = with_floppy();
    // At each of these times the keyboard may be about to send: reset with packets of three bytes.
    for (key, slices) in "asdfghjk".chars().zip(0..) {
        pc.bench.machine.type_text(&key.to_string()).unwrap();
        for _ in 0..slices {
            pc.bench.run(5_000);
        }
        let ask = Registers {
            eax: 0xC205,
            ebx: 0x0300,
            ..Registers::default()
        };
        let answer = pc.call(0x15, ask);
        assert_status(answer, 0, 0x05);
        assert_eq!(answer.ebx, 0x00AA, "its kind and its self-test");
        let pressed = pc.call(0x16, Registers::default());
        assert_eq!(pressed.al(), key as u8, "{pressed:x?}");
    }
}

#[test]
fn keyboard_functions_are_told() {
    let mut pc = with_floppy();
    let ask = |ax: u32| Registers {
        eax: ax,
        ..Registers::default()
    };
    // AX=0305h, 0Ah, 10h to 12h, 20h to 22h.
    assert_eq!(pc.call(0x16, ask(0x0900)).al(), 0x74);
    for question in [0x9200, 0xA200] {
        assert_eq!(pc.call(0x16, ask(question)).ah(), 0x80);
    }
    let hook = pc.call(0x15, ask(0x4F1E));
    assert_eq!((hook.al(), hook.carry), (0x1E, true), "a key to be handled");
}

#[test]
fn interrupt_routes_are_told_and_changed() {
    const STRUCTURE: u32 = 0x1_0000;
    let mut pc = with_floppy();
    let pci = |function: u32, ebx: u32, ecx: u32| Registers {
        eax: 0xB100 | function,
        ebx,
        ecx,
        es: 0x1000,
        ds: 0xF000,
        ..Registers::default()
    };
    // A buffer that is too small, then one of the size that was asked for.
    pc.write(STRUCTURE, &[0x10, 0, 0, 0, 0x00, 0x20]);
    let small = pc.call(0x1A, pci(0x0E, 0, 0));
    assert_eq!((small.ah(), small.carry), (0x89, true));
    let size = pc.word(STRUCTURE);
    assert_eq!(size % 16, 0);
    let options = pc.call(0x1A, pci(0x0E, 0, 0));
    assert_eq!((options.ah(), options.carry), (0, false), "{options:x?}");
    let slots = pc.read(TO_ADDRESS, usize::from(size));
    let second = slots.chunks(16).find(|slot| slot[1] == 2 << 3).unwrap();
    assert_eq!(second[2], 0x61, "INTA# of device 2 is PIRQB");
    assert_eq!(second[3..5], [0xF8, 0xDE], "the lines it may have");
    // INTA# of device 2 gets line 5.
    let changed = pc.call(0x1A, pci(0x0F, 2 << 3, 0x050A));
    assert_eq!((changed.ah(), changed.carry), (0, false));
    let route = Registers {
        edi: 0x61,
        ..pci(0x08, 1 << 3, 0)
    };
    assert_eq!(pc.call(0x1A, route).ecx & 0xFF, 5);
    for refused in [0x030E, 0x080A, 0x0209, 0x100A] {
        let answer = pc.call(0x1A, pci(0x0F, 2 << 3, refused));
        assert_eq!((answer.ah(), answer.carry), (0x88, true), "{refused:x}");
    }
    assert_eq!(pc.call(0x1A, route).ecx & 0xFF, 5);
}
