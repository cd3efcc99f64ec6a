//! From the reset vector to flat protected mode and on to long mode (SDM 3A 10.9, 10.8.5).

use crate::prelude::*;

/// Real-mode set-up, common to all ROMs: stack, cleared variables, A20, masked interrupts, UART, descriptor table.
pub(crate) fn set_up(a: &mut Asm) -> Built {
    a.cli()?;
    a.cld()?;
    a.xor(eax, eax)?;
    a.mov(ds, ax)?;
    a.mov(es, ax)?;
    a.mov(ss, ax)?;
    a.mov(sp, STACK)?;
    // The interrupt table and the variables.
    a.xor(di, di)?;
    a.mov(cx, 0x800u32)?;
    a.rep().stosb()?;
    a.in_(al, 0x92)?;
    a.and(al, 0xFE)?;
    a.or(al, 2)?;
    a.out(0x92, al)?;
    a.mov(al, 0xFF)?;
    a.out(0x21, al)?;
    a.out(0xA1, al)?;
    uart(a)?;
    descriptor_table(a)
}

/// COM1: 115200 8N1, FIFOs on and empty, DTR, RTS and OUT2 set.
fn uart(a: &mut Asm) -> Built {
    for (port, value) in [
        (0x3FBu32, 0x80),
        (0x3F8, 1),
        (0x3F9, 0),
        (0x3FB, 3),
        (0x3FA, 7),
        (0x3FC, 0x0B),
    ] {
        a.mov(dx, port)?;
        a.mov(al, value)?;
        a.out(dx, al)?;
    }
    Ok(())
}

/// Copies the descriptors to RAM, since LTR and loads of segment registers write to them.
fn descriptor_table(a: &mut Asm) -> Built {
    let [table, pointer, after] = [a.mark(), a.mark(), a.mark()];
    let address = a.addr(table);
    a.mov(si, address)?;
    a.mov(di, GDT)?;
    a.mov(cx, u32::try_from(DESCRIPTORS.len() * 2).expect("a few"))?;
    let copy = a.mark_here()?;
    a.mov(eax, dword_ptr(si).cs())?;
    a.mov(dword_ptr(di), eax)?;
    a.add(si, 4)?;
    a.add(di, 4)?;
    a.loop_(copy.label)?;
    a.mov(cx, GDT_SIZE / 2 - 13 * 4)?;
    a.xor(eax, eax)?;
    a.rep().stosw()?;
    let address = a.addr(pointer);
    a.lgdt(fword_ptr(address).cs())?;
    a.jmp(after.label)?;
    a.here(table)?;
    a.dq(&DESCRIPTORS)?;
    a.here(pointer)?;
    a.dw(&[0x7FF])?;
    a.dd(&[GDT])?;
    a.here(after)
}

/// From real mode to flat 32-bit protected mode at `entry`.
pub(crate) fn to_protected(a: &mut Asm, entry: u32) -> Built {
    a.mov(eax, cr0)?;
    a.or(eax, 1)?;
    a.mov(cr0, eax)?;
    a.jmp_far32(CODE32, entry)
}

/// The data segments of flat protected mode.
pub(crate) fn flat_segments(a: &mut Asm) -> Built {
    a.mov(eax, u32::from(DATA))?;
    a.mov(ds, ax)?;
    a.mov(es, ax)?;
    a.mov(fs, ax)?;
    a.mov(gs, ax)?;
    a.mov(ss, ax)?;
    a.mov(esp, STACK)
}

/// From flat protected mode to 64-bit mode at `entry`, with the first 4 GiB mapped one to one by 2-MiB pages
/// (tables at [`TABLES`], six pages).
pub(crate) fn to_long(a: &mut Asm, entry: u32, user: bool) -> Built {
    let bits: u32 = if user { 0x7 } else { 0x3 };
    a.mov(edi, TABLES)?;
    a.mov(ecx, 0x6000 / 4)?;
    a.xor(eax, eax)?;
    a.rep().stosd()?;
    a.mov(dword_ptr(TABLES), TABLES + 0x1000 + bits)?;
    for i in 0..4 {
        a.mov(
            dword_ptr(TABLES + 0x1000 + 8 * i),
            TABLES + 0x2000 + 0x1000 * i + bits,
        )?;
    }
    a.mov(edi, TABLES + 0x2000)?;
    a.mov(eax, 0x80 + bits)?;
    a.mov(ecx, 2048)?;
    let fill = a.mark_here()?;
    a.mov(dword_ptr(edi), eax)?;
    a.add(edi, 8)?;
    a.add(eax, 0x20_0000)?;
    a.loop_(fill.label)?;
    enter_long(a, entry)
}

/// Turns on PAE, SSE, LME and paging with the tables at [`TABLES`] and jumps to 64-bit code at `entry`.
pub(crate) fn enter_long(a: &mut Asm, entry: u32) -> Built {
    a.mov(eax, cr4)?;
    a.or(eax, 0x620)?;
    a.mov(cr4, eax)?;
    a.mov(eax, TABLES)?;
    a.mov(cr3, eax)?;
    a.mov(ecx, 0xC000_0080u32)?;
    a.rdmsr()?;
    a.or(eax, 0x100)?;
    a.wrmsr()?;
    a.mov(eax, cr0)?;
    a.and(eax, 0x9FFF_FFFBu32)?;
    a.or(eax, 0x8000_0022u32)?;
    a.mov(cr0, eax)?;
    a.jmp_far32(CODE64, entry)
}

/// Lets the 8259A's interrupts through a local APIC, if there is one: LINT0 as ExtINT (SDM 3A 10.5.1). Firmware
/// usually does this. Changes EAX, EBX, ECX, EDX.
pub(crate) fn virtual_wire(a: &mut Asm) -> Built {
    let none = a.mark();
    a.mov(eax, 1)?;
    a.cpuid()?;
    a.test(edx, 1 << 9)?;
    a.je(none.label)?;
    a.mov(ebx, 0xFEE0_0000u32)?;
    a.mov(dword_ptr(ebx + 0xF0), 0x1FF)?;
    a.mov(dword_ptr(ebx + 0x350), 0x700)?;
    a.here(none)
}

/// Moves the interrupt controllers to vectors `base` and `base` + 8, starts the timer at 1000 Hz, lets only it through.
pub(crate) fn timer_at(a: &mut Asm, base: u32) -> Built {
    for (port, value) in [
        (0x20, 0x11),
        (0x21, base),
        (0x21, 4),
        (0x21, 1),
        (0xA0, 0x11),
        (0xA1, base + 8),
        (0xA1, 2),
        (0xA1, 1),
        (0xA1, 0xFF),
        (0x43, 0x34),
        (0x40, 0xA9),
        (0x40, 4),
        (0x21, 0xFE),
    ] {
        a.mov(al, value)?;
        a.out(port, al)?;
    }
    Ok(())
}

/// Ends the interrupt in service and masks all.
pub(crate) fn timer_off(a: &mut Asm) -> Built {
    a.mov(al, 0xFF)?;
    a.out(0x21, al)?;
    a.mov(al, 0x20)?;
    a.out(0x20, al)
}
