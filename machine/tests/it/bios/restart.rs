//! INIT of the processor: chips and memory stay, and the shutdown byte in the CMOS memory says how it goes on (PC AT
//! Technical Reference, "Shutdown"). Programs for the 286 left protected mode so.

use iced_x86::IcedError;
use iced_x86::code_asm::{
    CodeAssembler, al, ax, cr0, ds, dword_ptr, dx, eax, ebx, ptr, sp, ss, word_ptr,
};
use rax_devices::{Floppy, MemoryDisk};
use rax_machine::{End, Fittings};

use super::{SLICE, SLICES, bench};

/// What the program leaves in the interrupt mask, where POST leaves something else.
const MASK: u32 = 0xEF;
/// Where the boot sector begins, and goes on.
const START: u32 = 0x7C00;
/// A byte of the CMOS memory that nobody else uses.
const FLAG: u32 = 0x7F;

type Emit = fn(&mut CodeAssembler) -> Result<(), IcedError>;

/// Ways to INIT.
const WAYS: [(&str, Emit); 5] = [
    ("keyboard controller", |a| {
        a.mov(al, 0xFE)?;
        a.out(0x64, al)
    }),
    ("port 92h", |a| {
        a.in_(al, 0x92)?;
        a.or(al, 1)?;
        a.out(0x92, al)
    }),
    ("reset control", |a| {
        a.mov(dx, 0xCF9)?;
        a.mov(al, 4)?;
        a.out(dx, al)
    }),
    ("triple fault", |a| {
        // A table of no entries.
        a.lidt(ptr(0x500u64))?;
        a.int3()
    }),
    ("message", |a| {
        // In protected mode, with a flat data segment, to the processor itself.
        a.lgdt(ptr(0x510u64))?;
        a.mov(eax, cr0)?;
        a.or(al, 1)?;
        a.mov(cr0, eax)?;
        a.mov(ax, 8)?;
        a.mov(ds, ax)?;
        a.mov(ebx, 0xFEE0_0300u32)?;
        a.mov(dword_ptr(ebx + 0x10), 0)?;
        a.mov(dword_ptr(ebx), 0x4500)
    }),
];

/// Writes a byte of the CMOS memory.
pub(super) fn cmos(a: &mut CodeAssembler, index: u32, value: u32) -> Result<(), IcedError> {
    a.mov(al, index)?;
    a.out(0x70, al)?;
    a.mov(al, value)?;
    a.out(0x71, al)
}

/// No interrupts, DS and SS zero, a stack below the program; and whether `byte` stands in the CMOS memory, as zero flag.
pub(super) fn begin(a: &mut CodeAssembler, index: u32, byte: u32) -> Result<(), IcedError> {
    a.cli()?;
    a.xor(ax, ax)?;
    a.mov(ds, ax)?;
    a.mov(ss, ax)?;
    a.mov(sp, 0x7C00)?;
    a.mov(al, index)?;
    a.out(0x70, al)?;
    a.in_(al, 0x71)?;
    a.cmp(al, byte.cast_signed())
}

/// Pointers to tables: at 500h no interrupts, at 510h a descriptor table at 520h: nothing, and all memory as data.
pub(super) fn tables(a: &mut CodeAssembler) -> Result<(), IcedError> {
    a.mov(dword_ptr(0x500), 0)?;
    a.mov(dword_ptr(0x504), 0)?;
    a.mov(word_ptr(0x510), 0xF)?;
    a.mov(dword_ptr(0x512), 0x520)?;
    a.mov(dword_ptr(0x528), 0xFFFF)?;
    a.mov(dword_ptr(0x52C), 0x00CF_9300)
}

/// The boot sector: what `init` does with `shutdown` in the CMOS memory, and 40:67 pointing to where it goes on.
fn boot_sector(shutdown: u32, init: Emit) -> Result<Vec<u8>, IcedError> {
    let mut a = CodeAssembler::new(16)?;
    let mut first = a.create_label();
    // A second time here: it goes on, or POST has come by.
    begin(&mut a, FLAG, 0x5A)?;
    a.jne(first)?;
    a.in_(al, 0x21)?;
    a.out(0xF4, al)?;
    a.set_label(&mut first)?;
    cmos(&mut a, FLAG, 0x5A)?;
    cmos(&mut a, 0x8F, shutdown)?;
    a.mov(al, MASK)?;
    a.out(0x21, al)?;
    tables(&mut a)?;
    // The far pointer at 40:67 is code, or a stack with registers and a return address.
    a.mov(word_ptr(0x467), START)?;
    a.mov(word_ptr(0x469), 0)?;
    if !matches!(shutdown, 0x05 | 0x0A) {
        a.mov(word_ptr(0x467), 0x600)?;
        let registers = if shutdown == 0x09 { 20 } else { 0 };
        a.mov(word_ptr(0x600 + registers), START)?;
        a.mov(dword_ptr(0x602 + registers), 0x0002_0000)?;
    }
    init(&mut a)?;
    floppy(a)
}

/// The program as a boot sector that stands still at its end, on a floppy of 1.44 MB.
pub(super) fn floppy(mut a: CodeAssembler) -> Result<Vec<u8>, IcedError> {
    let mut here = a.create_label();
    a.set_label(&mut here)?;
    a.hlt()?;
    a.jmp(here)?;
    let mut code = a.assemble(u64::from(START))?;
    assert!(code.len() <= 510, "{}", code.len());
    code.resize(510, 0);
    code.extend([0x55, 0xAA]);
    code.resize(2880 * 512, 0);
    Ok(code)
}

/// Runs until the program tells the interrupt mask that it finds.
fn mask_after(shutdown: u32, init: Emit) -> u32 {
    let image = boot_sector(shutdown, init).unwrap();
    let floppy = Floppy::new(Box::new(MemoryDisk::new(image))).unwrap();
    let mut bench = bench(Fittings {
        floppies: vec![Some(floppy)],
        ..Fittings::default()
    });
    for _ in 0..SLICES {
        match bench.run_through_resets(SLICE) {
            End::Instructions => {}
            End::Status(status) => return status / 2,
            end => panic!("{end:?}"),
        }
    }
    panic!("{}", super::screen(&bench));
}

#[test]
fn the_processor_alone_is_reset_and_goes_on_where_it_was_told() {
    for (way, init) in WAYS {
        assert_eq!(mask_after(0x0A, init), MASK, "{way}");
    }
    for shutdown in [0x05, 0x09, 0x0B, 0x0C] {
        assert_eq!(mask_after(shutdown, WAYS[0].1), MASK, "{shutdown}");
    }
}

/// Our BIOS then resets the chips, too.
#[test]
fn without_a_shutdown_byte_it_begins_with_post() {
    for (way, init) in WAYS {
        assert_ne!(mask_after(0, init), MASK, "{way}");
    }
}
