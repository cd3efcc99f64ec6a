//! Which interrupt leads where, and the tables that lie at places of old.

use super::areas::{EBDA_SEGMENT, ROM_SEGMENT, ebda};
use super::image::{
    CONFIGURATION, DIVISORS, FLOPPY_PARAMETERS, FONT, HIGH_VECTORS, LOW_VECTORS, RETURN,
    VIDEO_PARAMETERS,
};
use super::{
    apm, boot, chipset, clock, disk, floppy, keyboard, memory, mouse, pmm, printer, serial, start,
};
use crate::language::{Body, Unit, bytes, flat16, flat32, rom8};
use crate::language::{Compare as _, Value, far16, routine};
use crate::video::font;

/// INT 08h to 1Fh, by the names of their entries.
pub(super) const LOW: [&str; 24] = [
    "int08",
    "int09",
    "master",
    "master",
    "master",
    "master",
    "int0e",
    "master", // IRQ 0 to 7
    "int10",
    "int11",
    "int12",
    "int13",
    "int14",
    "int15",
    "int16",
    "int17",
    "int18",
    "int19",
    "int1a",
    "return",
    "return",
    "video parameters",
    "floppy parameters",
    "return",
];
/// INT 70h to 77h: IRQ 8 to 15.
pub(super) const HIGH: [&str; 8] = [
    "int70", "slave", "slave", "slave", "int74", "int75", "disk", "disk",
];

/// Emits all services.
pub(super) fn services(unit: &mut Unit) {
    start::reset(unit);
    clock::services(unit);
    keyboard::services(unit);
    mouse::services(unit);
    memory::services(unit);
    floppy::services(unit);
    disk::services(unit);
    serial::services(unit);
    printer::services(unit);
    boot::services(unit);
    apm::services(unit);
    pmm::service(unit);
    unit.interrupt("int02", |_, _| {});
    unit.interrupt("int05", |f, _| printer::print_screen(f));
    // Before there is a VGA BIOS, text goes nowhere.
    unit.interrupt("int10", |_, _| {});
    unit.interrupt("master", |f, _| {
        chipset::end_unexpected(f, chipset::MASTER_PIC);
    });
    unit.interrupt("slave", |f, _| {
        chipset::end_unexpected(f, chipset::SLAVE_PIC);
    });
    unit.interrupt("int75", |f, _| {
        // The coprocessor's error: the latch is cleared, and the first PC's way to report it is taken.
        f.out8(0xF0, 0);
        chipset::end_of_slave_interrupt(f);
        f.run(crate::language::interrupt(0x02, []));
    });
}

/// Tables and where they lie in segment F000h.
pub(super) fn tables() -> Vec<(u32, Vec<u8>)> {
    vec![
        (CONFIGURATION, memory::configuration_table()),
        (DIVISORS, serial::divisors()),
        (FLOPPY_PARAMETERS, floppy::parameter_table().to_vec()),
        (VIDEO_PARAMETERS, video_parameters()),
        (FONT, font::FONTS[0].bytes()[..1024].to_vec()),
    ]
}

/// What INT 1Dh points to: the first PC's values for its 6845, in 40 and 80 columns, graphics and monochrome; then for
/// each of them how long a page is, and for modes 0 to 7 columns and the mode register. Programs that set the 6845 up
/// themselves read it; the VGA BIOS has tables of its own.
fn video_parameters() -> Vec<u8> {
    const CONTROLLER: [[u8; 12]; 4] = [
        [0x38, 0x28, 0x2D, 0x0A, 0x1F, 6, 0x19, 0x1C, 2, 7, 6, 7],
        [0x71, 0x50, 0x5A, 0x0A, 0x1F, 6, 0x19, 0x1C, 2, 7, 6, 7],
        [0x38, 0x28, 0x2D, 0x0A, 0x7F, 6, 0x64, 0x70, 2, 1, 6, 7],
        [
            0x61, 0x50, 0x52, 0x0F, 0x19, 6, 0x19, 0x19, 2, 0x0D, 0x0B, 0x0C,
        ],
    ];
    const PAGES: [u16; 4] = [0x800, 0x1000, 0x4000, 0x4000];
    const COLUMNS: [u8; 8] = [40, 40, 80, 80, 40, 40, 80, 80];
    const MODES: [u8; 8] = [0x2C, 0x28, 0x2D, 0x29, 0x2A, 0x2E, 0x1E, 0x29];
    let registers = CONTROLLER.iter().flat_map(|twelve| {
        let start_and_cursor_address = [0; 4];
        twelve.iter().copied().chain(start_and_cursor_address)
    });
    let pages = PAGES.iter().flat_map(|page| page.to_le_bytes());
    registers.chain(pages).chain(COLUMNS).chain(MODES).collect()
}

/// POST: fills the interrupt vector table.
pub(super) fn set_up_vectors(f: &mut Body<'_>) {
    f.each(0, 0x78, |f, vector| {
        f.set(flat32(vector * 4), ROM_SEGMENT << 16 | RETURN);
    });
    f.each(0x78, 0x100, |f, vector| f.set(flat32(vector * 4), 0));
    for (first, count, table) in [(0x08u32, 24u32, LOW_VECTORS), (0x70, 8, HIGH_VECTORS)] {
        f.each(0, count, |f, n| {
            let offset = far16(ROM_SEGMENT, n * 2 + table);
            f.set(flat16((n + first) * 4), offset);
        });
    }
    f.set(flat16(0x02 * 4), 0xE2C3);
    f.set(flat16(0x05 * 4), 0xFF54);
    f.set(flat32(0x1F * 4), 0);
    f.set(flat16(0x40 * 4), 0xEC59);
    f.set(flat32(0x41 * 4), EBDA_SEGMENT << 16 | ebda::DISK_PARAMETERS);
    f.set(flat16(0x42 * 4), 0xF065);
    f.set(flat16(0x43 * 4), FONT);
    f.set(
        flat32(0x46 * 4),
        EBDA_SEGMENT << 16 | (ebda::DISK_PARAMETERS + 16),
    );
    // INT 60h to 67h belong to programs, which look for zeros.
    f.each(0x60, 0x68, |f, vector| f.set(flat32(vector * 4), 0));
}

/// Looks a key up in a table of bytes in the ROM: `count` records of `1 + size` bytes, each begun by its key.
/// The offset of the record's second byte, or zero.
pub(super) fn find_record(table: &[u8], size: u32, key: impl Into<Value>) -> Value {
    let count = Value::from(u32::try_from(table.len()).expect("a small table") / (size + 1));
    let arguments = [bytes(table), count, Value::from(size), key.into()];
    routine("find_record", arguments, |f, [table, count, size, key]| {
        f.while_(count.is_not(0), |f| {
            f.when(rom8(table).is(key), |f| f.ret(table + 1));
            f.add(table, size + 1);
            f.sub(count, 1);
        });
        f.ret(0);
    })
}
