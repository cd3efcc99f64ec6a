//! Equipment and memory: INT 11h, INT 12h, and INT 15h with its memory map, block move and A20 gate (ACPI 15.1 for
//! E820h; PC/AT technical reference).

use iced_x86::code_asm::{al, ax, cr0, di, ds, eax, es, ptr, si, ss};

use super::areas::{BDA_SEGMENT, ROM_SEGMENT, bda, rom};
use super::chipset::{MASTER_MASK, MASTER_PIC, SLAVE_MASK, SLAVE_PIC};
use super::image::CONFIGURATION;
use super::{apm, clock, mouse};
use crate::language::{
    Body, Compare as _, Register, Registers, Unit, Value, asm, bda16, far32, in8, rom32,
};

/// What a function that does not exist returns in AH.
const UNSUPPORTED: u32 = 0x86;
/// "SMAP".
const MEMORY_MAP_SIGNATURE: u32 = 0x534D_4150;
/// Bytes of an entry of the memory map.
pub(super) const ENTRY_SIZE: u32 = 20;
/// Where the memory map's count, the bytes of RAM from 1 MiB up, and its entries lie in segment F000h.
pub(super) const COUNT: u32 = rom::MEMORY_MAP;
pub(super) const EXTENDED: u32 = rom::MEMORY_MAP + 4;
pub(super) const ENTRIES: u32 = rom::MEMORY_MAP + 8;

/// Emits the services.
pub(super) fn services(unit: &mut Unit) {
    unit.interrupt("int11", |f, r| f.set(r.ax(), bda16(bda::EQUIPMENT)));
    unit.interrupt("int12", |f, r| f.set(r.ax(), bda16(bda::MEMORY_KIB)));
    unit.interrupt("int15", |f, r| {
        f.switch(r.ah(), |s| {
            s.case(0x24, |f| a20(f, r));
            // The keyboard's hook: the scan code stays as it is, and the carry flag says so.
            s.case(0x4F, |f| f.set_carry(r, true));
            s.case(0x53, |f| apm::service(f, r));
            s.case(0x83, |f| clock::event_wait(f, r));
            // Devices that are opened, closed, busy or ready: for systems to hook.
            s.cases(&[0x80, 0x81, 0x82, 0x85, 0x90, 0x91], |f| {
                f.set_status(r, 0);
            });
            s.case(0x84, |f| joystick(f, r));
            s.case(0x86, |f| clock::wait(f, r));
            s.case(0x87, |f| move_block(f, r));
            s.case(0x88, |f| {
                let kib = f.var(extended_kib());
                f.when(kib.above(0xFC00), |f| f.set(kib, 0xFC00));
                f.set_carry(r, false);
                f.set(r.ax(), kib);
            });
            s.case(0x89, |f| enter_protected_mode(f, r));
            s.case(0xC0, |f| {
                f.set(r.es(), ROM_SEGMENT);
                f.set(r.bx(), CONFIGURATION);
                f.set_status(r, 0);
            });
            s.case(0xC1, |f| {
                f.set(r.es(), bda16(bda::EBDA));
                f.set_carry(r, false);
            });
            s.case(0xC2, |f| mouse::service(f, r));
            s.case(0xE8, |f| memory_size(f, r));
            s.default(|f| f.set_status(r, UNSUPPORTED));
        });
    });
}

fn extended_kib() -> Value {
    Value::from(rom32(EXTENDED)) >> 10
}

/// INT 15h 24h: the A20 gate, by port 92h.
fn a20(f: &mut Body<'_>, r: Registers) {
    f.set_status(r, 0);
    f.switch(r.al(), |s| {
        s.case(0, |f| f.out8(0x92, in8(0x92) & 0xFC));
        s.case(1, |f| f.out8(0x92, (in8(0x92) & 0xFC) | 2));
        s.case(2, |f| f.set(r.al(), (in8(0x92) >> 1) & 1));
        // Both the keyboard controller and port 92h can do it.
        s.case(3, |f| f.set(r.bx(), 3));
        s.default(|f| f.set_status(r, UNSUPPORTED));
    });
}

/// INT 15h 84h: a joystick's switches (DX=0) and positions (DX=1). There is no game port.
fn joystick(f: &mut Body<'_>, r: Registers) {
    let function = f.var(r.dx());
    f.when(function.above(1), |f| {
        f.set_status(r, UNSUPPORTED);
        f.leave();
    });
    f.set_status(r, 0);
    f.either(
        function.is(0),
        |f| f.set(r.al(), 0),
        |f| {
            for register in [r.ax(), r.bx(), r.cx(), r.dx()] {
                f.set(register, 0);
            }
        },
    );
}

/// INT 15h E801h, E881h and E820h.
fn memory_size(f: &mut Body<'_>, r: Registers) {
    f.switch(r.al(), |s| {
        s.cases(&[0x01, 0x81], |f| {
            let low = f.var(extended_kib());
            let high = f.var(0);
            f.when(low.above(15 * 1024), |f| {
                f.set(high, (low - 15 * 1024) >> 6);
                f.set(low, 15 * 1024);
            });
            f.set_carry(r, false);
            // E881h is the same for 32-bit registers.
            f.when(r.al().is(0x81), |f| {
                for register in [r.eax(), r.ebx(), r.ecx(), r.edx()] {
                    f.set(register, 0);
                }
            });
            f.set(r.ax(), low);
            f.set(r.cx(), low);
            f.set(r.bx(), high);
            f.set(r.dx(), high);
        });
        s.case(0x20, |f| {
            f.set_carry(r, true);
            let asked = r
                .edx()
                .is(MEMORY_MAP_SIGNATURE)
                .and(r.ecx().at_least(ENTRY_SIZE));
            let valid = asked.and(r.ebx().below(rom32(COUNT)));
            f.either(
                valid,
                |f| memory_map_entry(f, r),
                |f| f.set(r.ah(), UNSUPPORTED),
            );
        });
        s.default(|f| f.set_status(r, UNSUPPORTED));
    });
}

fn memory_map_entry(f: &mut Body<'_>, r: Registers) {
    f.each(0, ENTRY_SIZE / 4, |f, n| {
        let from = r.ebx() * ENTRY_SIZE + n * 4 + ENTRIES;
        f.set(far32(r.es(), r.di() + n * 4), rom32(from));
    });
    f.set(r.eax(), MEMORY_MAP_SIGNATURE);
    f.set(r.ecx(), ENTRY_SIZE);
    f.add(r.ebx(), 1);
    // Zero says that this was the last one.
    f.when(r.ebx().is(rom32(COUNT)), |f| f.set(r.ebx(), 0));
    f.set_carry(r, false);
}

/// INT 15h 87h: moves CX words between any two places, which are descriptors in the caller's table at ES:SI.
fn move_block(f: &mut Body<'_>, r: Registers) {
    f.cli();
    let gate = f.var(in8(0x92));
    f.out8(0x92, (gate & 0xFE) | 2);
    complete_table(f, r);
    f.with(
        [
            (Register::Es, r.es().into()),
            (Register::Esi, r.si().into()),
            (Register::Ecx, r.cx().into()),
        ],
        |code| {
            asm!(code;
                lgdt ptr(si + 8).es();
                // CS stays as it is: base, limit and size are right, and there is nothing to come from elsewhere.
                mov eax, cr0; or al, 1; mov cr0, eax;
                mov ax, 0x10; mov ds, ax; mov ax, 0x18; mov es, ax;
                xor si, si; xor di, di;
            );
            code.rep().movsw().expect("a string instruction");
            asm!(code;
                // Real mode wants limits of 64 KiB.
                mov ax, 0x28; mov ds, ax; mov es, ax;
                mov eax, cr0; and al, 0xFE; mov cr0, eax;
                push BDA_SEGMENT; pop ds;
            );
        },
    );
    f.out8(0x92, gate & 0xFE);
    f.set_status(r, 0);
}

/// Fills in what the BIOS adds to the caller's descriptor table: the table itself, our code, a stack.
fn complete_table(f: &mut Body<'_>, r: Registers) {
    let entries = [
        (0x08, Value::from(r.es()) * 16 + r.si(), 0x2F, 0x93),
        (0x20, Value::from(ROM_SEGMENT * 16), 0xFFFF, 0x9B),
        (0x28, Value::from(0), 0xFFFF, 0x93),
    ];
    for (place, base, limit, access) in entries {
        let base = f.var(base);
        f.set(far32(r.es(), r.si() + place), base << 16 | limit);
        let high = ((base >> 16) & 0xFF) | (access << 8) | (base & 0xFF00_0000u32);
        f.set(far32(r.es(), r.si() + (place + 4)), high);
    }
}

/// INT 15h 89h: to protected mode with the caller's tables at ES:SI, and interrupts at BH and BL.
fn enter_protected_mode(f: &mut Body<'_>, r: Registers) {
    f.cli();
    f.out8(0x92, (in8(0x92) & 0xFE) | 2);
    for (command, mask, vector, cascade) in [
        (MASTER_PIC, MASTER_MASK, r.bh(), 0x04),
        (SLAVE_PIC, SLAVE_MASK, r.bl(), 0x02),
    ] {
        f.out8(command, 0x11);
        f.out8(mask, vector);
        f.out8(mask, cascade);
        f.out8(mask, 0x01);
        f.out8(mask, 0xFF);
    }
    let segment = f.var(r.es());
    let tables = [
        (Register::Es, segment.into()),
        (Register::Esi, r.si().into()),
    ];
    // The stub's way back loads the segments from here, then in protected mode.
    f.set(r.ds(), 0x18);
    f.set(r.es(), 0x20);
    f.set(r.cs(), 0x30);
    f.set(r.flags(), r.flags() & !0x200u32);
    f.set(r.ah(), 0);
    f.with(tables, |code| {
        asm!(code;
            lgdt ptr(si + 0x08).es();
            lidt ptr(si + 0x10).es();
            mov eax, cr0; or al, 1; mov cr0, eax;
            mov ax, 0x28; mov ss, ax;
        );
    });
}

/// The table of INT 15h C0h: an AT with two interrupt controllers, a clock, the keyboard hook, an EBDA and INT 16h 09h.
pub(super) fn configuration_table() -> Vec<u8> {
    vec![8, 0, 0xFC, 0x00, 0x01, 0x74, 0x40, 0x00, 0x00, 0x00]
}
