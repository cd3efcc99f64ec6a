//! Guest routines that write to COM1 (16550, 3F8h) and to the debug console port E9h.
//!
//! They run in every mode, keep all registers, and know the section's bitness only through [`push`] and [`pop`].

use crate::prelude::*;

/// The general registers that calls keep, in the order of [`push`].
#[derive(Clone, Copy)]
pub(crate) enum Gp {
    /// The accumulator.
    A,
    /// The counter.
    C,
    /// The data register.
    D,
    /// The base register.
    B,
    /// The source index.
    Si,
}

/// Pushes the whole register (32 bits in 16-bit code).
pub(crate) fn push(a: &mut Asm, registers: &[Gp]) -> Built {
    let long = a.bitness() == 64;
    for register in registers {
        match (register, long) {
            (Gp::A, false) => a.push(eax)?,
            (Gp::C, false) => a.push(ecx)?,
            (Gp::D, false) => a.push(edx)?,
            (Gp::B, false) => a.push(ebx)?,
            (Gp::Si, false) => a.push(esi)?,
            (Gp::A, true) => a.push(rax)?,
            (Gp::C, true) => a.push(rcx)?,
            (Gp::D, true) => a.push(rdx)?,
            (Gp::B, true) => a.push(rbx)?,
            (Gp::Si, true) => a.push(rsi)?,
        }
    }
    Ok(())
}

/// Pops what [`push`] pushed.
pub(crate) fn pop(a: &mut Asm, registers: &[Gp]) -> Built {
    let long = a.bitness() == 64;
    for register in registers.iter().rev() {
        match (register, long) {
            (Gp::A, false) => a.pop(eax)?,
            (Gp::C, false) => a.pop(ecx)?,
            (Gp::D, false) => a.pop(edx)?,
            (Gp::B, false) => a.pop(ebx)?,
            (Gp::Si, false) => a.pop(esi)?,
            (Gp::A, true) => a.pop(rax)?,
            (Gp::C, true) => a.pop(rcx)?,
            (Gp::D, true) => a.pop(rdx)?,
            (Gp::B, true) => a.pop(rbx)?,
            (Gp::Si, true) => a.pop(rsi)?,
        }
    }
    Ok(())
}

/// Emits the routines; the code before jumps around them or never comes here.
pub(crate) fn routines(a: &mut Asm) -> Built {
    put_char(a)?;
    put_text(a)?;
    put_hex(a)?;
    put_decimal(a)
}

/// `putc`: writes AL, waiting for room in the transmitter, but not for ever.
fn put_char(a: &mut Asm) -> Built {
    let entry = a.mark_here()?;
    a.keep("putc", entry);
    push(a, &[Gp::A, Gp::C, Gp::D])?;
    a.mov(ah, al)?;
    a.out(0xE9, al)?;
    a.mov(edx, 0x3FDu32)?;
    a.mov(ecx, 0x10_0000)?;
    let [wait, room] = [a.mark(), a.mark()];
    a.here(wait)?;
    a.in_(al, dx)?;
    a.test(al, 0x20)?;
    a.jne(room.label)?;
    a.dec(ecx)?;
    a.jne(wait.label)?;
    a.here(room)?;
    a.mov(al, ah)?;
    a.mov(edx, 0x3F8u32)?;
    a.out(dx, al)?;
    pop(a, &[Gp::A, Gp::C, Gp::D])?;
    a.ret()
}

/// `puts`: writes the zero-terminated text at ESI (CS:SI in 16-bit code).
fn put_text(a: &mut Asm) -> Built {
    let [entry, done] = [a.mark_here()?, a.mark()];
    a.keep("puts", entry);
    push(a, &[Gp::A, Gp::Si])?;
    let next = a.mark_here()?;
    match a.bitness() {
        16 => a.mov(al, byte_ptr(si).cs())?,
        32 => a.mov(al, byte_ptr(esi))?,
        _ => a.mov(al, byte_ptr(rsi))?,
    }
    a.inc(esi)?;
    a.test(al, al)?;
    a.je(done.label)?;
    let putc = a.routine("putc");
    a.call(putc.label)?;
    a.jmp(next.label)?;
    a.here(done)?;
    pop(a, &[Gp::A, Gp::Si])?;
    a.ret()
}

/// `puthex`: writes EAX as eight hexadecimal digits; `puthex8`: AL as two.
fn put_hex(a: &mut Asm) -> Built {
    let putc = a.routine("putc");
    let [entry, short, next, digit] = [a.mark(), a.mark(), a.mark(), a.mark()];
    a.here(short)?;
    a.keep("puthex8", short);
    push(a, &[Gp::A, Gp::C])?;
    a.shl(eax, 24)?;
    a.mov(ecx, 2)?;
    a.jmp(next.label)?;
    a.here(entry)?;
    a.keep("puthex", entry);
    push(a, &[Gp::A, Gp::C])?;
    a.mov(ecx, 8)?;
    a.here(next)?;
    a.rol(eax, 4)?;
    push(a, &[Gp::A])?;
    a.and(al, 15)?;
    a.add(al, i32::from(b'0'))?;
    a.cmp(al, i32::from(b'9'))?;
    a.jbe(digit.label)?;
    a.add(al, 7)?;
    a.here(digit)?;
    a.call(putc.label)?;
    pop(a, &[Gp::A])?;
    a.dec(ecx)?;
    a.jne(next.label)?;
    pop(a, &[Gp::A, Gp::C])?;
    a.ret()
}

/// `putdec`: writes EAX in decimal.
fn put_decimal(a: &mut Asm) -> Built {
    let putc = a.routine("putc");
    let entry = a.mark_here()?;
    a.keep("putdec", entry);
    push(a, &[Gp::A, Gp::C, Gp::D, Gp::B])?;
    a.mov(ebx, 10)?;
    a.xor(ecx, ecx)?;
    let split = a.mark_here()?;
    a.xor(edx, edx)?;
    a.div(ebx)?;
    push(a, &[Gp::D])?;
    a.inc(ecx)?;
    a.test(eax, eax)?;
    a.jne(split.label)?;
    let write = a.mark_here()?;
    pop(a, &[Gp::A])?;
    a.add(al, i32::from(b'0'))?;
    a.call(putc.label)?;
    a.dec(ecx)?;
    a.jne(write.label)?;
    pop(a, &[Gp::A, Gp::C, Gp::D, Gp::B])?;
    a.ret()
}

/// Writes `text`; keeps all registers.
pub(crate) fn say(a: &mut Asm, text: &str) -> Built {
    let address = a.text(text);
    let puts = a.routine("puts");
    push(a, &[Gp::Si])?;
    a.mov(esi, address)?;
    a.call(puts.label)?;
    pop(a, &[Gp::Si])
}

/// Calls a shared routine by name.
pub(crate) fn call(a: &mut Asm, name: &'static str) -> Built {
    let routine = a.routine(name);
    a.call(routine.label)
}
