//! Fixture: x87 errors that the board reports, by FERR#, IRQ 13, port F0h and IGNNE# (SDM 1, 8.7.2 and D.2.1; Intel
//! PIIX3, "Coprocessor Error Register").
//!
//! DOS and its programs run with CR0.NE clear. When FERR# rises, at the error or only at the next waiting instruction,
//! differs among processors; the checks hold either way.

use crate::asm::Built;
use crate::check::{want, want_at, want_masked};
use crate::fixture::{check, finish, if_announced, protected_image};
use crate::prelude::*;
use crate::start;
use crate::trap::{attempt, want_fault};

/// The vectors of IRQ 0 and IRQ 13.
const TIMER: u32 = 0x20;
const ERROR: u32 = 0x2D;
/// CR0.NE.
const NE: u32 = 0x20;
/// How often IRQ 13 came, where to, what the status word was, and how far its handler got while the error lasted.
const COUNT: u32 = VARS;
const PLACE: u32 = VARS + 4;
const STATUS: u32 = VARS + 8;
const WENT_ON: u32 = VARS + 12;
/// How often the timer came, and where to at last.
const TICKS: u32 = VARS + 16;
const TICK_PLACE: u32 = VARS + 20;
/// A word for control and status.
const WORD: u32 = VARS + 24;
/// A control word that lets a division by zero be an error, and no other.
const ZERO_DIVIDE: u32 = 0x37B;
/// The status word's B, ES and ZE.
const ZERO_DIVIDED: u32 = 0x8084;
/// The second controller's mask: all but IRQ 13.
const ONLY_ERROR: u32 = 0xDF;

/// Assembles the image.
pub(crate) fn build() -> Built<Vec<u8>> {
    let image = protected_image(|a| {
        let main = a.mark();
        a.jmp(main.label)?;
        let error = error_handler(a)?;
        let timer = timer_handler(a)?;
        a.here(main)?;
        gate(a, ERROR, error)?;
        gate(a, TIMER, timer)?;
        start::virtual_wire(a)?;
        start::timer_at(a, TIMER)?;
        check(a, "interrupt", |a| {
            interrupts(a, |a| {
                a.wait()?;
                Ok(())
            })
        })?;
        check(a, "frozen until it is let through", frozen)?;
        check(a, "instructions that do not wait", not_waiting)?;
        check(a, "port without an error", no_error)?;
        check(a, "exception with NE", exception)?;
        if_announced(a, "EMMS waits", (1, edx, 23), |a| {
            check(a, "EMMS waits", |a| interrupts(a, |a| a.emms()))
        })?;
        finish(a, "numeric-error")
    })?;
    Ok(image.finish(0))
}

/// IRQ 13: notes where it came, clears the interrupt by port F0h, goes on in spite of the error, and clears that too.
fn error_handler(a: &mut Asm) -> Built<Mark> {
    let handler = a.mark_here()?;
    a.push(eax)?;
    a.inc(dword_ptr(COUNT))?;
    a.mov(eax, dword_ptr(esp + 4))?;
    a.mov(dword_ptr(PLACE), eax)?;
    a.fnstsw(ax)?;
    a.mov(word_ptr(STATUS), ax)?;
    a.xor(eax, eax)?;
    a.out(0xF0, al)?;
    // IGNNE#: instructions that wait do not wait now.
    a.wait()?;
    a.fld1()?;
    a.mov(dword_ptr(WENT_ON), 1)?;
    a.fnclex()?;
    a.mov(al, 0x20)?;
    a.out(0xA0, al)?;
    a.out(0x20, al)?;
    a.pop(eax)?;
    a.iretd()?;
    Ok(handler)
}

/// IRQ 0: counts, and lets IRQ 13 through at the third time.
fn timer_handler(a: &mut Asm) -> Built<Mark> {
    let handler = a.mark_here()?;
    let soon = a.mark();
    a.push(eax)?;
    a.mov(eax, dword_ptr(esp + 4))?;
    a.mov(dword_ptr(TICK_PLACE), eax)?;
    a.inc(dword_ptr(TICKS))?;
    a.cmp(dword_ptr(TICKS), 3)?;
    a.jb(soon.label)?;
    a.mov(al, ONLY_ERROR)?;
    a.out(0xA1, al)?;
    a.here(soon)?;
    a.mov(al, 0x20)?;
    a.out(0x20, al)?;
    a.pop(eax)?;
    a.iretd()?;
    Ok(handler)
}

/// An interrupt gate.
fn gate(a: &mut Asm, vector: u32, handler: Mark) -> Built {
    let address = a.addr(handler);
    let low = u32::from(CODE32) << 16 | address & 0xFFFF;
    a.mov(dword_ptr(IDT + vector * 8), low)?;
    a.mov(
        dword_ptr(IDT + vector * 8 + 4),
        address & 0xFFFF_0000 | 0x8E00,
    )
}

/// Lets only these interrupts of the two controllers through.
fn masks(a: &mut Asm, first: u32, second: u32) -> Built {
    for (port, mask) in [(0x21, first), (0xA1, second)] {
        a.mov(al, mask)?;
        a.out(port, al)?;
    }
    Ok(())
}

/// CR0.NE set or clear, an x87 unit without errors that may divide by zero, and nothing counted.
fn begin(a: &mut Asm, internal: bool) -> Built {
    a.mov(eax, cr0)?;
    a.and(eax, (!NE).cast_signed())?;
    a.or(eax, if internal { NE } else { 0 })?;
    a.mov(cr0, eax)?;
    a.fninit()?;
    a.mov(dword_ptr(WORD), ZERO_DIVIDE)?;
    a.fldcw(word_ptr(WORD))?;
    for cell in [COUNT, PLACE, STATUS, WENT_ON, TICKS, TICK_PLACE] {
        a.mov(dword_ptr(cell), 0)?;
    }
    Ok(())
}

/// 1 / 0.
fn divide(a: &mut Asm) -> Built {
    a.fld1()?;
    a.fldz()?;
    a.fdivp(st1, st0)
}

/// The low byte of the status word.
fn want_status(a: &mut Asm, value: u32) -> Built {
    a.fnstsw(ax)?;
    want_masked(a, 0xFF, value)
}

/// The interrupt comes before `waiting`, which is carried out once the handler is done.
fn interrupts(a: &mut Asm, waiting: impl FnOnce(&mut Asm) -> Built) -> Built {
    let place = a.mark();
    masks(a, 0xFB, ONLY_ERROR)?;
    begin(a, false)?;
    a.sti()?;
    divide(a)?;
    a.here(place)?;
    waiting(a)?;
    a.nop()?;
    a.cli()?;
    want_at(a, COUNT, 1)?;
    let address = a.addr(place);
    want_at(a, PLACE, address)?;
    want_at(a, WENT_ON, 1)?;
    a.mov(eax, dword_ptr(STATUS))?;
    want_masked(a, ZERO_DIVIDED, ZERO_DIVIDED)?;
    want_status(a, 0)
}

/// While its interrupt is masked, an instruction that waits is not carried out; others' interrupts come in front of it.
fn frozen(a: &mut Asm) -> Built {
    let place = a.mark();
    masks(a, 0xFA, 0xFF)?;
    begin(a, false)?;
    a.sti()?;
    divide(a)?;
    a.here(place)?;
    a.wait()?;
    a.cli()?;
    masks(a, 0xFB, ONLY_ERROR)?;
    want_at(a, COUNT, 1)?;
    let address = a.addr(place);
    want_at(a, PLACE, address)?;
    want_at(a, TICK_PLACE, address)?;
    a.cmp(dword_ptr(TICKS), 3)?;
    a.setae(al)?;
    want_masked(a, 0xFF, 1)?;
    want_status(a, 0)
}

/// FNSTSW, FNSTCW and FNCLEX neither wait nor lose anything.
fn not_waiting(a: &mut Asm) -> Built {
    begin(a, false)?;
    divide(a)?;
    want_status(a, ZERO_DIVIDED & 0xFF)?;
    a.fnstcw(word_ptr(WORD))?;
    want_at(a, WORD, ZERO_DIVIDE)?;
    a.fnclex()?;
    a.wait()?;
    want_status(a, 0)?;
    // A processor that told of the error at once has its interrupt taken back here.
    a.out(0xF0, al)?;
    a.sti()?;
    a.nop()?;
    a.cli()
}

/// A write to port F0h without an error does nothing.
fn no_error(a: &mut Asm) -> Built {
    begin(a, false)?;
    a.sti()?;
    a.out(0xF0, al)?;
    a.wait()?;
    a.nop()?;
    a.cli()?;
    want_at(a, COUNT, 0)
}

/// With NE set the error is exception 16, and the board hears nothing.
fn exception(a: &mut Asm) -> Built {
    let place = a.mark();
    begin(a, true)?;
    a.sti()?;
    attempt(a, |a| {
        divide(a)?;
        a.here(place)?;
        a.wait()?;
        Ok(())
    })?;
    a.cli()?;
    want_fault(a, 16, NONE)?;
    let address = a.addr(place);
    want_at(a, R_IP, address)?;
    a.fnclex()?;
    a.sti()?;
    a.nop()?;
    a.cli()?;
    want_at(a, COUNT, 0)?;
    a.mov(eax, dword_ptr(R_VECTOR))?;
    want(a, 16)
}
