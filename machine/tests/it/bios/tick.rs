//! What a handler of INT 1Ch finds in the registers, and what becomes of what it leaves there (PC AT Technical Reference,
//! BIOS listing: INT 08h saves AX, DX and DS, and touches nothing else).

use iced_x86::IcedError;
use iced_x86::code_asm::{CodeAssembler, ax, bp, bx, cx, ds, eax, esi, word_ptr};

use super::caller::Registers;
use super::services::with_floppy;

/// Where the handler lies, the program that it interrupts, and what they leave.
const HANDLER: u32 = 0x700;
const PROGRAM: u32 = 0x780;
const SEEN: u32 = 0x7F0;
/// A vector that nobody uses.
const FREE: u32 = 0x60;
/// Ticks to wait for.
const COUNT: u32 = 3;

fn assembled(
    origin: u32,
    emit: impl FnOnce(&mut CodeAssembler) -> Result<(), IcedError>,
) -> Vec<u8> {
    let mut code = CodeAssembler::new(16).unwrap();
    emit(&mut code).unwrap();
    code.assemble(origin.into()).unwrap()
}

/// Notes BX and DS, counts in BP and ESI, and leaves nonsense in what INT 08h saves.
fn handler(a: &mut CodeAssembler) -> Result<(), IcedError> {
    a.mov(word_ptr(u64::from(SEEN)).cs(), bx)?;
    a.mov(word_ptr(u64::from(SEEN) + 2).cs(), ds)?;
    a.inc(bp)?;
    a.add(esi, 0x1_0000)?;
    a.xor(eax, eax)?;
    a.cdq()?;
    a.mov(ds, ax)?;
    a.iret()
}

/// Waits until BP has been counted up, and returns it in CX.
fn program(a: &mut CodeAssembler) -> Result<(), IcedError> {
    let mut wait = a.create_label();
    a.push(bp)?;
    a.xor(bp, bp)?;
    a.sti()?;
    a.set_label(&mut wait)?;
    a.cmp(bp, COUNT as i32)?;
    a.jb(wait)?;
    a.mov(cx, bp)?;
    a.pop(bp)?;
    a.iret()
}

#[test]
fn a_handler_of_ticks_has_the_programs_registers() {
    let mut pc = with_floppy();
    for (vector, at, code) in [
        (0x1C, HANDLER, assembled(HANDLER, handler)),
        (FREE, PROGRAM, assembled(PROGRAM, program)),
    ] {
        pc.write(at, &code);
        pc.write(vector * 4, &at.to_le_bytes());
    }
    let before = Registers {
        eax: 0x1234_5678,
        ebx: 0xB0B0_1CE5,
        ecx: 0,
        edx: 0x9ABC_DEF0,
        esi: 0x0000_4321,
        edi: 0xD1D1_D1D1,
        ds: 0x5678,
        es: 0x789A,
        carry: false,
    };
    let after = pc.call(FREE, before);
    assert_eq!(pc.word(SEEN), 0x1CE5);
    assert_eq!(pc.word(SEEN + 2), 0x40, "the BIOS data area");
    let expected = Registers {
        ecx: COUNT,
        esi: 0x0003_4321,
        ..before
    };
    let registers = |r: Registers| [r.eax, r.ebx, r.ecx, r.edx, r.esi, r.edi];
    assert_eq!(registers(after), registers(expected), "{after:x?}");
    assert_eq!((after.ds, after.es), (before.ds, before.es));
}
