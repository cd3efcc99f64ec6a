//! Checks of the interrupt controllers, the timer, the clock, the UART and the keyboard controller.

use super::{RX_BUFFER, RX_HEAD, TICKS, check};
use crate::check::{want, want_masked};
use crate::console::{Gp, call, pop, push};
use crate::prelude::*;

/// The vectors of IRQ 0 and IRQ 8.
const MASTER_BASE: u32 = 0x20;
const SLAVE_BASE: u32 = 0x28;
/// The timer's rate while it is checked, and afterwards: 1193182 Hz by these.
const FAST_DIVISOR: u32 = 1193;
const SLOW_DIVISOR: u32 = 11932;
/// How often a register is polled before the check gives up.
const PATIENCE: u32 = 2_000_000;

/// The interrupt handlers, and `set_gate`: makes EDX the handler of vector EAX.
pub(super) fn handlers(a: &mut Asm) -> Built {
    let timer = a.mark_here()?;
    a.keep("irq_timer", timer);
    a.push(rax)?;
    a.inc(dword_ptr(TICKS))?;
    end_of_interrupt(a)?;
    receive(a)?;
    let spurious = a.mark_here()?;
    a.keep("irq_spurious", spurious);
    a.iretq()?;
    let entry = a.mark_here()?;
    a.keep("set_gate", entry);
    a.shl(eax, 4)?;
    a.mov(word_ptr(rax + IDT), dx)?;
    a.mov(dword_ptr(rax + (IDT + 2)), u32::from(CODE64))?;
    a.mov(byte_ptr(rax + (IDT + 5)), 0x8E)?;
    a.shr(edx, 16)?;
    a.mov(word_ptr(rax + (IDT + 6)), dx)?;
    a.mov(qword_ptr(rax + (IDT + 8)), 0)?;
    a.ret()
}

/// Ends a handler that pushed RAX.
fn end_of_interrupt(a: &mut Asm) -> Built {
    a.mov(al, 0x20)?;
    a.out(0x20, al)?;
    a.pop(rax)?;
    a.iretq()
}

/// IRQ 4: moves what came over the line into the ring.
fn receive(a: &mut Asm) -> Built {
    let entry = a.mark_here()?;
    a.keep("irq_serial", entry);
    let done = a.mark();
    a.push(rax)?;
    push(a, &[Gp::C, Gp::D])?;
    a.mov(edx, 0x3FAu32)?;
    a.in_(al, dx)?;
    let next = a.mark_here()?;
    a.mov(edx, 0x3FDu32)?;
    a.in_(al, dx)?;
    a.test(al, 1)?;
    a.je(done.label)?;
    a.mov(edx, 0x3F8u32)?;
    a.in_(al, dx)?;
    a.movzx(ecx, byte_ptr(RX_HEAD))?;
    a.mov(byte_ptr(rcx + RX_BUFFER), al)?;
    a.inc(byte_ptr(RX_HEAD))?;
    a.jmp(next.label)?;
    a.here(done)?;
    pop(a, &[Gp::C, Gp::D])?;
    end_of_interrupt(a)
}

/// The checks, in an order that leaves timer and UART running for the monitor.
pub(super) fn checks(a: &mut Asm) -> Built {
    check(a, "interrupt controllers", controllers)?;
    check(a, "timer interrupts", timer)?;
    check(a, "real-time clock", clock)?;
    check(a, "serial loopback", loopback)?;
    check(a, "keyboard controller", keyboard)
}

/// Makes the shared routine `name` the handler of `vector`.
fn gate(a: &mut Asm, vector: u32, name: &'static str) -> Built {
    let handler = a.routine(name);
    a.mov(eax, vector)?;
    let address = a.addr(handler);
    a.mov(edx, address)?;
    call(a, "set_gate")
}

fn out(a: &mut Asm, port: u32, value: u32) -> Built {
    a.mov(edx, port)?;
    a.mov(al, value)?;
    a.out(dx, al)
}

/// Both 8259As: moved to vectors 20h and 28h, all masked, masks read back (8259A datasheet, ICW1 to OCW1).
fn controllers(a: &mut Asm) -> Built {
    for (port, value) in [
        (0x20, 0x11),
        (0x21, MASTER_BASE),
        (0x21, 4),
        (0x21, 1),
        (0xA0, 0x11),
        (0xA1, SLAVE_BASE),
        (0xA1, 2),
        (0xA1, 1),
    ] {
        out(a, port, value)?;
    }
    for port in [0x21, 0xA1] {
        for value in [0x55, 0xFF] {
            out(a, port, value)?;
            a.xor(eax, eax)?;
            a.in_(al, dx)?;
            want(a, value)?;
        }
    }
    for vector in MASTER_BASE..SLAVE_BASE + 8 {
        gate(a, vector, "irq_spurious")?;
    }
    gate(a, MASTER_BASE, "irq_timer")?;
    gate(a, MASTER_BASE + 4, "irq_serial")
}

fn program_timer(a: &mut Asm, divisor: u32) -> Built {
    out(a, 0x43, 0x34)?;
    out(a, 0x40, divisor & 0xFF)?;
    out(a, 0x40, divisor >> 8)
}

/// Ten interrupts at 1000 Hz, the time-stamp counter moving meanwhile, the counter counting, HLT waking up.
/// Nothing is compared with host time: a slow host must not fail.
fn timer(a: &mut Asm) -> Built {
    let [wait, ticked, asleep] = [a.mark(), a.mark(), a.mark()];
    program_timer(a, FAST_DIVISOR)?;
    a.mov(dword_ptr(TICKS), 0)?;
    out(a, 0x21, 0xFE)?;
    a.rdtsc()?;
    a.mov(r8d, eax)?;
    a.mov(r9d, edx)?;
    a.sti()?;
    a.mov(ecx, PATIENCE)?;
    a.here(wait)?;
    a.cmp(dword_ptr(TICKS), 10)?;
    a.jae(ticked.label)?;
    a.in_(al, 0x80)?;
    a.dec(ecx)?;
    a.jne(wait.label)?;
    a.here(ticked)?;
    a.cmp(dword_ptr(TICKS), 10)?;
    a.setae(al)?;
    want_masked(a, 0xFF, 1)?;
    let given_up = a.mark();
    a.test(eax, eax)?;
    a.je(given_up.label)?;
    a.mov(ebx, dword_ptr(TICKS))?;
    a.add(ebx, 2)?;
    a.here(asleep)?;
    a.hlt()?;
    a.cmp(dword_ptr(TICKS), ebx)?;
    a.jb(asleep.label)?;
    a.here(given_up)?;
    a.cli()?;
    a.rdtsc()?;
    a.cmp(edx, r9d)?;
    let later = a.mark();
    a.ja(later.label)?;
    a.sub(eax, r8d)?;
    a.here(later)?;
    a.test(eax, eax)?;
    a.setne(al)?;
    want_masked(a, 0xFF, 1)?;
    program_timer(a, SLOW_DIVISOR)?;
    counter_moves(a)?;
    a.mov(dword_ptr(TICKS), 0)
}

/// Two latched counts of channel 0 differ, some reads apart.
fn counter_moves(a: &mut Asm) -> Built {
    let [again, differs] = [a.mark(), a.mark()];
    a.xor(ebx, ebx)?;
    a.mov(ecx, PATIENCE / 10)?;
    a.here(again)?;
    a.xor(eax, eax)?;
    a.out(0x43, al)?;
    a.in_(al, 0x40)?;
    a.mov(ah, al)?;
    a.in_(al, 0x40)?;
    a.xchg(al, ah)?;
    a.test(ebx, ebx)?;
    a.cmove(ebx, eax)?;
    a.cmp(eax, ebx)?;
    a.jne(differs.label)?;
    a.dec(ecx)?;
    a.jne(again.label)?;
    a.here(differs)?;
    a.cmp(eax, ebx)?;
    a.setne(al)?;
    want_masked(a, 0xFF, 1)
}

/// MC146818: VRT is set and the month is a month.
fn clock(a: &mut Asm) -> Built {
    a.mov(al, 0x0D)?;
    a.out(0x70, al)?;
    a.in_(al, 0x71)?;
    want_masked(a, 0x80, 0x80)?;
    a.mov(al, 8)?;
    a.out(0x70, al)?;
    a.xor(eax, eax)?;
    a.in_(al, 0x71)?;
    a.dec(eax)?;
    // 01h to 12h in BCD.
    a.cmp(eax, 0x12)?;
    a.setb(al)?;
    want_masked(a, 0xFF, 1)
}

/// 16550: four bytes through the FIFO in loopback, and the modem lines turned round.
fn loopback(a: &mut Asm) -> Built {
    poll(a, 0x3FD, 0x40, 0x40)?;
    // OUT2 off, so that no interrupt is asked for; RTS alone comes back as CTS.
    out(a, 0x3FC, 0x12)?;
    out(a, 0x3FA, 0x07)?;
    a.mov(edx, 0x3FEu32)?;
    a.in_(al, dx)?;
    want_masked(a, 0xF0, 0x10)?;
    for byte in [0x00, 0xA5, 0x5A, 0xFF] {
        out(a, 0x3F8, byte)?;
    }
    for byte in [0x00, 0xA5, 0x5A, 0xFF] {
        poll(a, 0x3FD, 1, 1)?;
        a.mov(edx, 0x3F8u32)?;
        a.xor(eax, eax)?;
        a.in_(al, dx)?;
        want(a, byte)?;
    }
    a.mov(edx, 0x3FDu32)?;
    a.in_(al, dx)?;
    want_masked(a, 1, 0)?;
    poll(a, 0x3FD, 0x40, 0x40)?;
    out(a, 0x3FA, 0x07)?;
    out(a, 0x3FC, 0x0B)
}

/// Waits until the bits of `mask` in `port` are `value`; giving up fails the check.
fn poll(a: &mut Asm, port: u32, mask: u32, value: u32) -> Built {
    let [again, done] = [a.mark(), a.mark()];
    a.mov(edx, port)?;
    a.mov(ecx, PATIENCE)?;
    a.here(again)?;
    a.in_(al, dx)?;
    a.and(eax, mask.cast_signed())?;
    a.cmp(eax, value.cast_signed())?;
    a.je(done.label)?;
    a.dec(ecx)?;
    a.jne(again.label)?;
    a.here(done)?;
    want(a, value)
}

/// 8042: the self-test command AAh answers 55h.
fn keyboard(a: &mut Asm) -> Built {
    poll(a, 0x64, 2, 0)?;
    // What lies in the output buffer is not the answer.
    a.in_(al, 0x60)?;
    out(a, 0x64, 0xAA)?;
    poll(a, 0x64, 1, 1)?;
    a.xor(eax, eax)?;
    a.in_(al, 0x60)?;
    want(a, 0x55)
}
