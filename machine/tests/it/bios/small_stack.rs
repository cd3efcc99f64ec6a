//! How much stack the BIOS needs. A monitor that calls it in virtual 8086 mode gives it little: FreeBSD's first BTX keeps
//! one KiB below the caller's stack pointer, and what goes beyond lands 64 KiB higher, in somebody else's memory.

use rax_devices::{Disc, IdeDrive, MemoryDisk};
use rax_machine::Fittings;

use super::caller::{Caller, Registers, boot_sector};
use super::services::with_floppy;

/// Where the caller's stack begins, and how far below it the test looks.
const TOP: u32 = 0x7C00;
const LOOKED_AT: usize = 0x1000;
/// What no call may need, interrupts that come meanwhile included. The rest of the KiB is for the caller's own handlers.
const MOST: usize = 512;
const UNTOUCHED: u8 = 0xC3;
const BUFFER: (u16, u32) = (0x2000, 0);

/// Bytes of stack that a call used.
fn used(pc: &mut Caller, vector: u32, before: Registers) -> usize {
    pc.write(TOP - LOOKED_AT as u32, &[UNTOUCHED; LOOKED_AT]);
    pc.call(vector, before);
    let stack = pc.read(TOP - LOOKED_AT as u32, LOOKED_AT);
    stack.iter().skip_while(|&&byte| byte == UNTOUCHED).count()
}

fn check(pc: &mut Caller, calls: &[(u32, Registers)]) {
    for &(vector, before) in calls {
        let bytes = used(pc, vector, before);
        assert!(bytes <= MOST, "INT {vector:02X}h with {before:x?}: {bytes}");
    }
}

fn disk(eax: u32, ecx: u32, edx: u32) -> (u32, Registers) {
    let (es, ebx) = BUFFER;
    let registers = Registers {
        eax,
        ebx,
        ecx,
        edx,
        es,
        esi: 0x500,
        ..Registers::default()
    };
    (0x13, registers)
}

fn plain(vector: u32, eax: u32) -> (u32, Registers) {
    let before = Registers {
        eax,
        ecx: 2,
        ..Registers::default()
    };
    (vector, before)
}

#[test]
fn services_need_little_stack() {
    let mut pc = with_floppy();
    check(
        &mut pc,
        &[
            disk(0, 0, 0),
            disk(0x0212, 0x0501, 0x0100),
            disk(0x0800, 0, 0),
            disk(0x1500, 0, 0),
            plain(0x10, 0x0E41),
            plain(0x10, 0x0E0A),
            plain(0x10, 0x0003),
            plain(0x11, 0),
            plain(0x15, 0xE801),
            plain(0x15, 0x8600),
            plain(0x16, 0x0100),
            plain(0x1A, 0x0200),
            plain(0x1A, 0xB101),
        ],
    );
}

#[test]
fn disks_and_cds_need_little_stack() {
    let mut bytes = boot_sector();
    bytes.resize(20_160 * 512, 0);
    let mut fittings = Fittings::default();
    fittings.drives[0] = Some(IdeDrive::disk(Box::new(MemoryDisk::new(bytes))));
    let disc = Disc::new(Box::new(MemoryDisk::new(vec![0; 64 * 2048])));
    fittings.drives[2] = Some(IdeDrive::cd_rom(Some(disc)));
    let mut pc = Caller::boot(fittings);
    // A packet for the extensions: eight sectors at 2000:0.
    pc.write(0x500, &[16, 0, 8, 0, 0, 0, 0, 0x20, 1, 0, 0, 0, 0, 0, 0, 0]);
    check(
        &mut pc,
        &[
            disk(0, 0, 0x80),
            disk(0x0208, 0x0001, 0x0080),
            disk(0x0800, 0, 0x80),
            disk(0x4200, 0, 0x80),
            disk(0x4200, 0, 0xE0),
            disk(0, 0, 0xE0),
        ],
    );
}
