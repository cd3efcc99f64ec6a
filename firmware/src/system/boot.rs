//! INT 19h starts a system; INT 18h says that there is none (BIOS Boot Specification 1.01, El Torito 1.0).
//!
//! What is tried, and in which order, POST has written to the EBDA: a byte for each device, its kind in bits 0 to 3 and
//! its number in bits 4 to 7.

use iced_x86::code_asm::{ax, bp, bx, di, ds, eax, es, sp, ss};

use super::areas::{BDA_SEGMENT, EBDA_SEGMENT, ebda};
use super::cmos::{cmos, index};
use super::disk::FIRST_DISK;
use super::screen::{print, print_number};
use super::{boot_order, drive, el_torito, floppy, option_rom};
use crate::language::{
    Body, Compare as _, Register, Unit, Value, asm, far8, far16, interrupt, routine,
};

/// Kinds of devices, as the CMOS memory's boot order has them.
pub(super) const FLOPPY: u32 = 1;
pub(super) const DISK: u32 = 2;
pub(super) const CD: u32 = 3;
/// A network adapter, or whatever else an option ROM boots from.
pub(super) const NETWORK: u32 = 4;
/// How many devices can be tried.
pub(super) const ORDER_LENGTH: u32 = 12;

/// Where a boot sector goes.
const BOOT_ADDRESS: u32 = 0x7C00;
/// The stack's top: not on the page of the boot sector. Code with stores beside it is slow, for emulators too.
const STACK_TOP: u32 = 0x7000;

/// Emits the services.
pub(super) fn services(unit: &mut Unit) {
    asm!(unit.entry("int19");
        cli; xor ax, ax; mov ss, ax; mov sp, STACK_TOP; sti; cld;
        push BDA_SEGMENT; pop ds;
    );
    unit.inline(0, |f| {
        f.set(far8(EBDA_SEGMENT, ebda::BOOT_NEXT), 0);
        f.run(try_devices());
        f.run(interrupt(0x18, []));
    });
    // What cannot go on says so by INT 18h, and the next device has its turn.
    asm!(unit.entry("int18");
        cli; xor ax, ax; mov ss, ax; mov sp, STACK_TOP; sti; cld;
        push BDA_SEGMENT; pop ds;
    );
    unit.inline(0, |f| {
        f.run(try_devices());
        f.forever(|f| {
            print(
                f,
                "\r\nNo bootable medium found. Insert one and press a key to try again; F12 chooses.\r\n",
            );
            let key = f.var(interrupt(0x16, [(Register::Eax, Value::from(0x1000))]));
            f.when(boot_order::asks_for_menu(key), boot_order::menu);
            f.run(interrupt(0x19, []));
        });
    });
}

/// Tries the devices that have not been tried yet.
fn try_devices() -> Value {
    routine("try_devices", [], |f, []| {
        let next = far8(EBDA_SEGMENT, ebda::BOOT_NEXT);
        let n = f.var(next.clone());
        f.while_(n.below(ORDER_LENGTH), |f| {
            let device = f.var(far8(EBDA_SEGMENT, n + ebda::BOOT_ORDER));
            f.when(device.is(0), Body::leave);
            f.add(n, 1);
            f.set(next, n);
            f.run(boot(device & 0x0F, device >> 4));
        });
    })
}

/// Tries to boot a device; comes back if that cannot be.
fn boot(kind: impl Into<Value>, n: impl Into<Value>) -> Value {
    routine("boot", [kind.into(), n.into()], |f, [kind, n]| {
        f.switch(kind, |s| {
            s.case(FLOPPY, |f| {
                f.when(n.at_least(floppy::count()), Body::leave);
                print(f, "\r\nBooting from floppy ");
                f.run(super::screen::print_character(n + u32::from(b'A')));
                print(f, " ...\r\n");
                f.run(boot_sector(n));
            });
            s.case(DISK, |f| {
                f.when(n.at_least(drive::disk_count()), Body::leave);
                print(f, "\r\nBooting from hard disk ");
                f.run(print_number(n));
                print(f, " ...\r\n");
                f.run(boot_sector(n + FIRST_DISK));
            });
            s.case(CD, |f| {
                f.when(n.at_least(drive::cd_count()), Body::leave);
                print(f, "\r\nBooting from CD ");
                f.run(print_number(n));
                print(f, " ...\r\n");
                f.run(boot_cd(n));
            });
            s.case(NETWORK, |f| {
                f.when(n.at_least(option_rom::boot_roms()), Body::leave);
                print(f, "\r\nBooting from ");
                f.run(option_rom::print_name(n));
                print(f, " ...\r\n");
                f.run(option_rom::boot(n));
            });
        });
    })
}

/// Reads the first sector of a floppy or disk and starts it.
fn boot_sector(number: impl Into<Value>) -> Value {
    routine("boot_sector", [number.into()], |f, [number]| {
        let answer = f.var(0);
        // A floppy drive may report once that its disk was changed.
        f.each(0, 3, |f, _| {
            let read = interrupt(
                0x13,
                [
                    (Register::Eax, Value::from(0x0201)),
                    (Register::Ebx, Value::from(BOOT_ADDRESS)),
                    (Register::Ecx, Value::from(0x0001)),
                    (Register::Edx, number.into()),
                    (Register::Es, Value::from(0)),
                ],
            );
            f.set(answer, read);
            f.when(answer.lacks(0x1_0000), Body::stop);
        });
        f.when(answer.has(0x1_0000), |f| {
            print(f, "The boot sector cannot be read: ");
            f.either(
                answer.high().is(floppy::status::TIMEOUT),
                |f| print(f, "no disk in the drive, or no answer.\r\n"),
                |f| {
                    print(f, "error ");
                    f.run(super::screen::print_hex(answer.high(), 2));
                    print(f, "h.\r\n");
                },
            );
            f.leave();
        });
        let signed = far16(0, BOOT_ADDRESS + 510).is(0xAA55);
        // Floppies of the first years have no signature; the CMOS memory says whether it must be there.
        let lenient = number.below(FIRST_DISK).and(cmos(index::BOOT_3).has(1));
        let blank = far16(0, BOOT_ADDRESS).is(0);
        f.when(signed.or(lenient.and(blank.negated())), |f| {
            f.run(start(BOOT_ADDRESS, number));
        });
        print(f, "It has no boot sector.\r\n");
    })
}

fn boot_cd(n: impl Into<Value>) -> Value {
    routine("boot_cd", [n.into()], |f, [n]| {
        let loaded = f.var(el_torito::load(n));
        f.when(loaded.is_not(0), |f| {
            // The same place, but most boot code wants to be in segment zero.
            let segment = f.var(loaded & 0xFFFF);
            f.run(start(
                (segment & 0xF000) << 16 | (segment & 0x0FFF) << 4,
                loaded >> 16,
            ));
        });
        f.either(
            super::atapi::ready(drive::cd(n)).is_not(0),
            |f| print(f, "There is no disc in the drive.\r\n"),
            |f| print(f, "The disc is not bootable.\r\n"),
        );
    })
}

/// Jumps to what was loaded, with the drive's number in DL.
fn start(address: impl Into<Value>, number: impl Into<Value>) -> Value {
    routine(
        "start",
        [address.into(), number.into()],
        |f, [address, number]| {
            f.with(
                [
                    (Register::Eax, address.into()),
                    (Register::Edx, number.into()),
                ],
                |code| {
                    asm!(code;
                        cli;
                        xor bx, bx; mov ds, bx; mov es, bx; mov ss, bx; mov sp, STACK_TOP;
                        xor bp, bp; xor di, di;
                        sti;
                        push eax; retf;
                    );
                },
            );
        },
    )
}
