//! The power-on self-test: what happens between the reset and INT 19h, in this order.

use super::areas::{BDA_SEGMENT, bda, post};
use super::screen::{print, print_character, print_number};
use super::{
    acpi, ata, boot_order, chipset, clock, cmos as clock_chip, disk, drive, floppy, interrupts,
    keyboard, keyboard_controller, memory_map, mouse, mp, option_rom, pci, pmm, printer,
    processors, screen, serial, smbios, tables,
};
use crate::language::{
    Body, Compare as _, Unit, Value, asm, bda16, bda32, far8, flat32, interrupt, routine,
};

/// Memory from here to there is cleared before anything else.
const VARIABLES_SIZE: u32 = 0x1000;
/// Emits POST; it is what segment E000h begins with.
pub(super) fn entry(unit: &mut Unit) {
    asm!(unit.entry("post"); push BDA_SEGMENT; pop iced_x86::code_asm::ds;);
    unit.inline(0, |f| {
        set_up_memory_areas(f);
        set_up_chips(f);
        option_rom::start_video(f);
        screen::set_up(f);
        f.sti();
        show_title(f);
        find_devices(f);
        boot_order::choose(f);
        finish(f);
    });
}

/// Vectors, data areas, and how much memory there is.
fn set_up_memory_areas(f: &mut Body<'_>) {
    f.each(0, 64, |f, n| f.set(bda32(n * 4), 0));
    f.each(0, VARIABLES_SIZE / 4, |f, n| {
        f.set(flat32(n * 4 + post::VARIABLES), 0);
    });
    interrupts::set_up_vectors(f);
    memory_map::set_up(f);
    pmm::set_up(f);
    tables::set_up(f);
    // A coprocessor; 80 columns in colour are set by the VGA BIOS.
    f.set(bda16(bda::EQUIPMENT), 0x0022);
}

/// Chips that the services rely on.
fn set_up_chips(f: &mut Body<'_>) {
    chipset::set_up_interrupt_controllers(f);
    chipset::set_up_timer(f);
    chipset::set_up_dma(f);
    clock_chip::set_up_clock(f);
    pci::set_up(f);
    processors::set_up(f);
    clock::set_up_ticks(f);
    keyboard::set_up(f);
    keyboard_controller::set_up(f);
}

/// The first lines on the screen.
fn show_title(f: &mut Body<'_>) {
    print(
        f,
        concat!("rax BIOS ", env!("CARGO_PKG_VERSION"), "\r\n\r\nMemory: "),
    );
    f.run(print_number(Value::from(flat32(post::RAM_END)) >> 20));
    print(f, " MiB");
    f.when(flat32(post::RAM_ABOVE).is_not(0), |f| {
        print(f, " and ");
        f.run(print_number(Value::from(flat32(post::RAM_ABOVE)) >> 4));
        print(f, " MiB above 4 GiB");
    });
    print(f, "\r\n");
}

/// Everything that can be booted from, typed on, or printed to.
fn find_devices(f: &mut Body<'_>) {
    mouse::set_up(f);
    serial::set_up(f);
    printer::set_up(f);
    floppy::set_up(f);
    f.each(0, floppy::count(), |f, n| {
        print(f, "Floppy ");
        f.run(print_character(n + u32::from(b'A')));
        print(f, ":\r\n");
    });
    ata::find(f);
    disk::set_up_parameter_tables(f);
    option_rom::start_adapters(f);
    option_rom::start_others(f);
}

/// Shows a drive, whose identification was just read: what it is called, and how large it is.
pub(super) fn show_drive(record: impl Into<Value>) -> Value {
    routine("show_drive", [record.into()], |f, [record]| {
        f.either(
            drive::flags(record).has(drive::IS_CD),
            |f| {
                print(f, "CD ");
                f.run(print_number(drive::cd_count()));
            },
            |f| {
                print(f, "Hard disk ");
                f.run(print_number(drive::disk_count()));
            },
        );
        print(f, ": ");
        // The model's letters are swapped in pairs, and filled up with spaces.
        let length = f.var(40);
        f.while_(
            length.is_not(0).and(model_letter(length - 1).is(0x20)),
            |f| f.sub(length, 1),
        );
        f.each(0, length, |f, n| f.run(print_character(model_letter(n))));
        f.when(drive::flags(record).lacks(drive::IS_CD), |f| {
            print(f, ", ");
            let size = drive::size(record) >> 11 | drive::size_high(record) << 21;
            f.run(print_number(size));
            print(f, " MiB");
        });
        print(f, "\r\n");
    })
}

fn model_letter(n: impl Into<Value>) -> Value {
    routine("model_letter", [n.into()], |f, [n]| {
        f.ret(far8(post::BUFFER_SEGMENT, (n ^ 1) + 27 * 2));
    })
}

/// The last things: the memory map, protecting the ROM's copy, and off.
fn finish(f: &mut Body<'_>) {
    pmm::end(f);
    acpi::set_up(f);
    smbios::set_up(f);
    mp::set_up(f);
    memory_map::write(f);
    protect_rom(f);
    f.run(interrupt(0x19, []));
}

/// Segment F000h can be read from now on, but not written. E000h is ours too; option ROMs may keep data in theirs.
fn protect_rom(f: &mut Body<'_>) {
    let pam = f.var(pci::read8(0, 0x59));
    f.run(pci::write8(0, 0x59, (pam & 0x0F) | 0x10));
    f.run(pci::write8(0, 0x5E, 0x11));
    f.run(pci::write8(0, 0x5F, 0x11));
}
