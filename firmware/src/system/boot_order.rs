//! POST: which devices are tried, in which order: the user's choice, what the firmware configuration device says, the
//! order in the CMOS memory (BIOS Boot Specification 1.01, section 6; QEMU, "bootorder").

use super::areas::{EBDA_SEGMENT, bda, ebda, post};
use super::boot::{CD, DISK, FLOPPY, NETWORK, ORDER_LENGTH};
use super::cmos::{cmos, index};
use super::screen::{print, print_character, print_number};
use super::{drive, floppy, fw_cfg, option_rom, timer};
use crate::language::{
    Body, Compare as _, Condition, Place, Register, Value, Var, bda16, far8, flat8, interrupt,
    rom8, routine, text, truth,
};

/// How long POST looks for the key that asks for the menu, in milliseconds: usually, and if a menu is wished.
const GLANCE_MS: u32 = 50;
const MENU_MS: u32 = 2500;
/// How long the file with the boot order may be.
const FILE_SIZE: u32 = 0x1000;

/// Entry `n` of the order.
fn entry(n: impl Into<Value>) -> Place {
    far8(EBDA_SEGMENT, n.into() + ebda::BOOT_ORDER)
}

/// Writes the boot order for INT 19h.
pub(super) fn choose(f: &mut Body<'_>) {
    read_file(f);
    let order = f.var(cmos(index::BOOT_1_2) | (cmos(index::BOOT_3) & 0xF0) << 4);
    f.when(order.is(0), |f| f.set(order, FLOPPY | DISK << 4 | CD << 8));
    f.while_(order.is_not(0), |f| {
        f.run(append_kind(order & 0x0F));
        f.set(order, order >> 4);
    });
    // Nobody need ask for these: they come last.
    f.run(append_kind(NETWORK));
    offer_menu(f);
}

/// Adds a device to the order, unless it is there already.
fn append(device: impl Into<Value>) -> Value {
    routine("append_boot_device", [device.into()], |f, [device]| {
        f.each(0, ORDER_LENGTH, |f, n| {
            f.when(entry(n).is(device), Body::leave);
            f.when(entry(n).is(0), |f| {
                f.set(entry(n), device);
                f.leave();
            });
        });
    })
}

/// Adds all devices of a kind.
fn append_kind(kind: impl Into<Value>) -> Value {
    routine("append_boot_kind", [kind.into()], |f, [kind]| {
        let count = f.var(0);
        f.switch(kind, |s| {
            // A second floppy drive is not booted from, as ever.
            s.case(FLOPPY, |f| f.set(count, truth(floppy::count().is_not(0))));
            s.case(DISK, |f| f.set(count, drive::disk_count()));
            s.case(CD, |f| f.set(count, drive::cd_count()));
            s.case(NETWORK, |f| f.set(count, option_rom::boot_roms()));
        });
        f.each(0, count, |f, n| f.run(append(n << 4 | kind)));
    })
}

/// Reads the file `bootorder`: a line for each device, a path through the machine's buses.
fn read_file(f: &mut Body<'_>) {
    let size = f.var(fw_cfg::open("bootorder"));
    f.when(size.is_not(0).and(size.below(FILE_SIZE)), |f| {
        f.run(fw_cfg::read(post::LOADER, size));
        f.set(flat8(size + post::LOADER), 0);
        let line = f.var(post::LOADER);
        f.while_(flat8(line).is_not(0), |f| {
            let end = f.var(line);
            f.while_(flat8(end).above(0x0A), |f| f.add(end, 1));
            f.run(append_path(line, end));
            f.set(line, end);
            f.when(flat8(line).is_not(0), |f| f.add(line, 1));
        });
    });
}

/// Adds the device that a path leads to.
fn append_path(line: impl Into<Value>, end: impl Into<Value>) -> Value {
    routine(
        "append_boot_path",
        [line.into(), end.into()],
        |f, [line, end]| {
            let place = f.var(find_text(line, end, text("floppy@")));
            f.when(place.is_not(0), |f| {
                let device = (flat8(place) & 1) << 4 | FLOPPY;
                f.run(append(device));
                f.leave();
            });
            let channel = f.var(find_text(line, end, text("drive@")));
            let unit = f.var(find_text(line, end, text("disk@")));
            f.when(channel.is_not(0).and(unit.is_not(0)), |f| {
                let port = f.var(0x1F0);
                f.when((flat8(channel) & 1).is(1), |f| f.set(port, 0x170));
                let select = f.var((flat8(unit) & 1) << 4 | 0xA0);
                f.each(0, drive::disk_count(), |f, n| {
                    f.when(drive_is(drive::disk(n), port, select), |f| {
                        f.run(append(n << 4 | DISK));
                    });
                });
                f.each(0, drive::cd_count(), |f, n| {
                    f.when(drive_is(drive::cd(n), port, select), |f| {
                        f.run(append(n << 4 | CD));
                    });
                });
            });
        },
    )
}

fn drive_is(record: Value, port: Var, select: Var) -> Condition {
    let same_port = drive::port(&record).is(port);
    same_port.and(drive::select(record).is(select))
}

/// Finds a text in a line. The address of what follows it, or zero.
fn find_text(line: impl Into<Value>, end: impl Into<Value>, wanted: impl Into<Value>) -> Value {
    routine(
        "find_text",
        [line.into(), end.into(), wanted.into()],
        |f, [line, end, wanted]| {
            f.while_(line.below(end), |f| {
                let n = f.var(0);
                let letter = rom8(wanted + n);
                f.while_(
                    letter
                        .clone()
                        .is_not(0)
                        .and(flat8(line + n).is(letter.clone())),
                    |f| {
                        f.add(n, 1);
                    },
                );
                f.when(letter.is(0), |f| f.ret(line + n));
                f.add(line, 1);
            });
            f.ret(0);
        },
    )
}

/// Looks for Esc or F12 for a moment; it may have been held down since before the keyboard was set up.
fn offer_menu(f: &mut Body<'_>) {
    let patience = f.var(GLANCE_MS);
    f.when(fw_cfg::number(fw_cfg::BOOT_MENU).is_not(0), |f| {
        print(f, "\r\nPress Esc or F12 to choose what to boot.\r\n");
        f.set(patience, MENU_MS);
    });
    let start = f.var(timer::now());
    f.while_(timer::passed_ms(start).below(patience), |f| {
        let waiting = bda16(bda::KEY_HEAD).is_not(bda16(bda::KEY_TAIL));
        f.when(waiting, |f| {
            let key = f.var(interrupt(0x16, [(Register::Eax, Value::from(0x1000))]));
            f.when(asks_for_menu(key), |f| {
                menu(f);
                f.stop();
            });
        });
    });
}

/// Whether what INT 16h has returned is Esc or F12.
pub(super) fn asks_for_menu(key: Var) -> Condition {
    key.low().is(0x1B).or(key.high().is(0x86))
}

/// Lets the user choose one of the devices, which is then tried first.
pub(super) fn menu(f: &mut Body<'_>) {
    print(f, "\r\nWhat shall be booted?\r\n\r\n");
    let count = f.var(0);
    f.while_(count.below(9).and(entry(count).is_not(0)), |f| {
        let device = f.var(entry(count));
        f.add(count, 1);
        print(f, "  ");
        f.run(print_number(count));
        f.switch(device & 0x0F, |s| {
            s.case(FLOPPY, |f| print(f, "  floppy "));
            s.case(DISK, |f| print(f, "  hard disk "));
            s.case(CD, |f| print(f, "  CD "));
            s.case(NETWORK, |f| {
                print(f, "  ");
                f.run(option_rom::print_name(device >> 4));
            });
        });
        f.when((device & 0x0F).is_not(NETWORK), |f| {
            f.run(print_number(device >> 4));
        });
        print(f, "\r\n");
    });
    print(f, "\r\nThe number, or Esc for the usual order: ");
    f.forever(|f| {
        let key = f.var(interrupt(0x16, [(Register::Eax, Value::from(0))]).low());
        f.when(key.is(0x1B), Body::stop);
        let chosen = f.var(key - u32::from(b'1'));
        f.when(chosen.below(count), |f| {
            f.run(print_character(key));
            let device = f.var(entry(chosen));
            f.while_(chosen.is_not(0), |f| {
                f.set(entry(chosen), entry(chosen - 1));
                f.sub(chosen, 1);
            });
            f.set(entry(chosen), device);
            f.stop();
        });
    });
    print(f, "\r\n");
}
