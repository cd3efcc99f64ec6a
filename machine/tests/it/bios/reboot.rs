//! Every way to restart a PC leads to a whole boot again, from any processor, while the floppy and the disk are at work
//! (PC AT Technical Reference, "Shutdown"; PIIX3, reset control; ACPI 4.8.3.6; SDM 3A 9.1 and 11.6).

use iced_x86::IcedError;
use iced_x86::code_asm::{
    CodeAssembler, al, ax, byte_ptr, cr0, ds, dword_ptr, dx, eax, ebx, ecx, ptr, sp, ss, word_ptr,
};
use rax_devices::{Floppy, FwCfg, IdeDrive, MemoryConsole, MemoryDisk};
use rax_machine::{Boot, End, Fittings};

use super::{RAM, SLICE, SLICES, restart};
use crate::firmware::seabios;
use crate::support::Bench;

const START: u32 = 0x7C00;
/// A byte of the CMOS memory that nobody else uses.
const FLAG: u32 = 0x7F;
const WAS_HERE: u32 = 0x5A;
/// What the boot sector says when it is there again.
const AGAIN: u32 = 0x2A;
/// Where the other processors start.
const START_PAGE: u32 = 8;

type Emit = fn(&mut CodeAssembler) -> Result<(), IcedError>;

fn out(a: &mut CodeAssembler, port: u32, value: u32) -> Result<(), IcedError> {
    a.mov(dx, port)?;
    a.mov(al, value)?;
    a.out(dx, al)
}

/// The ways, which any processor can take.
const WAYS: [(&str, Emit); 9] = [
    ("keyboard controller", |a| out(a, 0x64, 0xFE)),
    ("port 92h", |a| {
        a.in_(al, 0x92)?;
        a.and(al, 0xFE)?;
        a.out(0x92, al)?;
        a.or(al, 1)?;
        a.out(0x92, al)
    }),
    ("soft reset by CF9h", |a| {
        out(a, 0xCF9, 0)?;
        out(a, 0xCF9, 4)
    }),
    ("hard reset by CF9h", |a| {
        out(a, 0xCF9, 2)?;
        out(a, 0xCF9, 6)
    }),
    ("the same at once, as ACPI's register", |a| out(a, 0xCF9, 6)),
    ("power cycle by CF9h", |a| {
        out(a, 0xCF9, 0xA)?;
        out(a, 0xCF9, 0xE)
    }),
    ("triple fault", |a| {
        a.lidt(ptr(0x500u64))?;
        a.int3()
    }),
    ("jump to the reset vector", |a| far_jump(a, 0xFFFF, 0)),
    ("warm start as after Ctrl-Alt-Del", |a| {
        a.mov(word_ptr(0x472), 0x1234)?;
        far_jump(a, 0xF000, 0xFFF0)
    }),
];

fn far_jump(a: &mut CodeAssembler, segment: u16, offset: u32) -> Result<(), IcedError> {
    let kind = iced_x86::Code::Jmp_ptr1616;
    a.add_instruction(iced_x86::Instruction::with_far_branch(
        kind, segment, offset,
    )?)
}

/// The drives get something to do: the disk waits for somebody to read eight sectors, the floppy moves a cylinder by DMA.
fn keep_busy(a: &mut CodeAssembler) -> Result<(), IcedError> {
    for (port, value) in [
        (0x1F6, 0xE0),
        (0x1F2, 8),
        (0x1F3, 0),
        (0x1F4, 0),
        (0x1F5, 0),
    ] {
        out(a, port, value)?;
    }
    out(a, 0x1F7, 0x20)?;
    // 9 KiB to 20000h.
    for (port, value) in [
        (0x0A, 6),
        (0x0C, 0),
        (0x0B, 0x46),
        (0x04, 0),
        (0x04, 0),
        (0x81, 2),
        (0x05, 0xFF),
        (0x05, 0x23),
        (0x0A, 2),
        (0x3F2, 0x1C),
    ] {
        out(a, port, value)?;
    }
    for byte in [0xE6, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF] {
        let mut wait = a.create_label();
        a.mov(dx, 0x3F4)?;
        a.set_label(&mut wait)?;
        a.in_(al, dx)?;
        a.test(al, 0x80)?;
        a.je(wait)?;
        out(a, 0x3F5, byte)?;
    }
    Ok(())
}

/// Has the other processors start at label `there`, with what they need in DS and SS.
fn start_others(a: &mut CodeAssembler) -> Result<(), IcedError> {
    a.mov(eax, cr0)?;
    a.or(al, 1)?;
    a.mov(cr0, eax)?;
    a.mov(ax, 8)?;
    a.mov(ds, ax)?;
    a.mov(ebx, 0xFEE0_0300u32)?;
    for message in [0x000C_4500, 0x000C_4600 | START_PAGE] {
        let mut wait = a.create_label();
        a.mov(dword_ptr(ebx), message)?;
        a.mov(ecx, 0x1000)?;
        a.set_label(&mut wait)?;
        a.in_(al, 0x80)?;
        a.dec(ecx)?;
        a.jne(wait)?;
    }
    Ok(())
}

/// The boot sector: restarts once, and tells when it is there again.
fn boot_sector(way: Emit, from_another: bool) -> Result<Vec<u8>, IcedError> {
    let mut a = CodeAssembler::new(16)?;
    let [mut begin, mut first, mut other, mut here] = std::array::from_fn(|_| a.create_label());
    if from_another {
        // Two bytes, then the others' way.
        a.jmp(begin)?;
        a.jmp(other)?;
        a.set_label(&mut begin)?;
    }
    restart::begin(&mut a, FLAG, WAS_HERE)?;
    a.jne(first)?;
    a.mov(al, AGAIN)?;
    a.out(0xF4, al)?;
    a.set_label(&mut first)?;
    restart::cmos(&mut a, FLAG, WAS_HERE)?;
    keep_busy(&mut a)?;
    restart::tables(&mut a)?;
    if from_another {
        // A jump there, at the page where they start.
        let page = START_PAGE << 12;
        a.mov(byte_ptr(page), 0xEA)?;
        a.mov(word_ptr(page + 1), START + 2)?;
        a.mov(word_ptr(page + 3), 0)?;
        a.lgdt(ptr(0x510u64))?;
        start_others(&mut a)?;
        a.set_label(&mut here)?;
        a.hlt()?;
        a.jmp(here)?;
        a.set_label(&mut other)?;
        a.xor(ax, ax)?;
        a.mov(ds, ax)?;
        a.mov(ss, ax)?;
        a.mov(sp, 0x7A00)?;
        way(&mut a)?;
    } else {
        way(&mut a)?;
    }
    restart::floppy(a)
}

/// Boots, restarts, and boots again.
fn restarts(rom: &[u8], processors: u16, (name, way): (&str, Emit), from_another: bool) {
    let sector = boot_sector(way, from_another).unwrap();
    let floppy = Floppy::new(Box::new(MemoryDisk::new(sector))).unwrap();
    let mut fittings = Fittings {
        floppies: vec![Some(floppy)],
        boot_order: vec![rax_machine::BootDevice::Floppy],
        processors,
        debug_console: Some(Box::new(MemoryConsole::new())),
        fw_cfg: Some(FwCfg::new()),
        vga: true,
        vga_bios: Some(rax_firmware::video::image()),
        ..Fittings::default()
    };
    let disk = MemoryDisk::new(vec![0; 1 << 20]);
    fittings.drives[0] = Some(IdeDrive::disk(Box::new(disk)));
    let mut bench = Bench::with(Boot::Rom(rom.to_vec()), RAM, fittings);
    for _ in 0..SLICES {
        match bench.run_through_resets(SLICE) {
            End::Instructions => {}
            End::Status(status) => {
                assert_eq!(status / 2, AGAIN, "{name}");
                return;
            }
            end => panic!("{name}, {processors} processors: {end:?}"),
        }
    }
    let cpu = bench.machine.cpu.describe();
    panic!(
        "{name}, {processors} processors, another one: {from_another}\n{}\n{cpu}",
        super::screen(&bench)
    );
}

fn restarts_in_all_ways(rom: &[u8]) {
    for way in WAYS {
        restarts(rom, 1, way, false);
        restarts(rom, 4, way, false);
        restarts(rom, 4, way, true);
    }
}

#[test]
fn our_bios_boots_again_after_every_kind_of_restart() {
    restarts_in_all_ways(&rax_firmware::system::image());
}

#[test]
fn seabios_boots_again_after_every_kind_of_restart() {
    let Some(rom) = seabios() else { return };
    restarts_in_all_ways(&rom);
}
