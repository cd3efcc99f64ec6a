//! Checks: comparisons that remember the first mismatch, and the lines that tell of it.

use crate::console::{call, say};
use crate::prelude::*;

/// How a ROM words its lines.
#[derive(Clone, Copy)]
pub(crate) enum Style {
    /// `check: NAME ... ok`, written in two parts.
    Wordy,
    /// `NAME: ok`.
    Plain,
}

/// Starts a check: nothing is wrong yet.
pub(crate) fn begin(a: &mut Asm, style: Style, name: &str) -> Built {
    a.step = 0;
    match style {
        Style::Wordy => say(a, &format!("check: {name} ... "))?,
        Style::Plain => say(a, &format!("{name}: "))?,
    }
    a.mov(dword_ptr(BAD), 0)
}

/// EAX must be `value`. Changes only flags.
pub(crate) fn want(a: &mut Asm, value: u32) -> Built {
    a.step += 1;
    let [good, step] = [a.mark(), a.mark()];
    a.cmp(eax, value.cast_signed())?;
    a.je(good.label)?;
    a.cmp(dword_ptr(BAD), 0)?;
    a.jne(good.label)?;
    a.here(step)?;
    let number = a.step;
    a.mov(dword_ptr(BAD), number)?;
    a.mov(dword_ptr(GOT), eax)?;
    a.mov(dword_ptr(WANT), value)?;
    a.here(good)
}

/// The doubleword at `address` must be `value`. Changes EAX.
pub(crate) fn want_at(a: &mut Asm, address: u32, value: u32) -> Built {
    a.mov(eax, dword_ptr(address))?;
    want(a, value)
}

/// The bits of `mask` in EAX must be `value`. Changes EAX.
pub(crate) fn want_masked(a: &mut Asm, mask: u32, value: u32) -> Built {
    a.and(eax, mask.cast_signed())?;
    want(a, value)
}

/// The arithmetic flags (CF PF AF ZF SF OF) must be `value`; AF only if `mask` has it. Changes EAX and the flags.
pub(crate) fn want_flags(a: &mut Asm, mask: u32, value: u32) -> Built {
    match a.bitness() {
        64 => {
            a.pushfq()?;
            a.pop(rax)?;
        }
        _ => {
            a.pushfd()?;
            a.pop(eax)?;
        }
    }
    want_masked(a, mask, value)
}

/// Ends a check with its line.
pub(crate) fn end(a: &mut Asm) -> Built {
    call(a, "report")
}

/// `report`: ok or FAILED, with the step, what it got and what it wanted. Changes EAX.
pub(crate) fn report(a: &mut Asm) -> Built {
    let [entry, bad] = [a.mark_here()?, a.mark()];
    a.keep("report", entry);
    a.cmp(dword_ptr(BAD), 0)?;
    a.jne(bad.label)?;
    a.inc(dword_ptr(PASSED))?;
    say(a, "ok\r\n")?;
    a.ret()?;
    a.here(bad)?;
    a.inc(dword_ptr(FAILED))?;
    say(a, "FAILED (step ")?;
    a.mov(eax, dword_ptr(BAD))?;
    call(a, "putdec")?;
    say(a, ": got ")?;
    a.mov(eax, dword_ptr(GOT))?;
    call(a, "puthex")?;
    say(a, ", want ")?;
    a.mov(eax, dword_ptr(WANT))?;
    call(a, "puthex")?;
    say(a, ")\r\n")?;
    a.ret()
}
