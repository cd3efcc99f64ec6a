//! Switches that work: JMP, CALL, IRET, gates, interrupts, 16-bit tasks, LDT and CR3.

use super::{
    LOCAL, LOCAL_TABLE, ROM_CODE, SEEN, SMALL, SMALL_TSS, TASK, TASK_GATE, TASK_STACK, TASK_TSS,
    field, fresh_task,
};
use crate::check::{want, want_at, want_masked};
use crate::descriptor::{BYTES_16, BYTES_32, define, gate, put, segment};
use crate::fixture::check;
use crate::prelude::*;
use crate::trap::passes;

const NT: u32 = 0x4000;
const AVAILABLE: u32 = 0x89;
const BUSY: u32 = 0x8B;
const TS: u32 = 8;

pub(super) fn checks(a: &mut Asm) -> Built {
    check(a, "JMP to a task and back", jump)?;
    check(a, "CALL and IRET", call)?;
    check(a, "task gate", through_gate)?;
    check(a, "interrupt by task gate", interrupt)?;
    check(a, "fault by task gate", fault)?;
    check(a, "16-bit task", small)?;
    check(a, "16-bit task by CALL", small_call)?;
    check(a, "LDT of a task", local_table)?;
    check(a, "CR3 of a task", page_tables)
}

fn byte_at(a: &mut Asm, address: u32, value: u32) -> Built {
    a.movzx(eax, byte_ptr(address))?;
    want(a, value)
}

/// The busy bits as they are now.
fn want_types(a: &mut Asm, own: u32, task: u32) -> Built {
    byte_at(a, GDT + u32::from(TSS_SELECTOR) + 5, own)?;
    byte_at(a, GDT + u32::from(TASK) + 5, task)
}

/// What the spy must have seen: TR, NT, the own task's and its own busy byte.
fn want_seen(a: &mut Asm, nested: bool) -> Built {
    want_at(a, SEEN, u32::from(TASK))?;
    a.mov(eax, dword_ptr(SEEN + 4))?;
    want_masked(a, NT, if nested { NT } else { 0 })?;
    want_at(a, SEEN + 12, 0xBBBB_0002)?;
    // A switch sets CR0.TS.
    a.mov(eax, dword_ptr(SEEN + 16))?;
    want_masked(a, TS, TS)?;
    want_at(
        a,
        SEEN + 20,
        if nested { u32::from(TSS_SELECTOR) } else { 0 },
    )?;
    want_at(a, SEEN + 24, if nested { BUSY } else { AVAILABLE })?;
    want_at(a, SEEN + 28, BUSY)
}

/// Table 7-2, JMP: the old task becomes available, no link, no NT.
fn jump(a: &mut Asm) -> Built {
    fresh_task(a, "spy")?;
    let after = a.mark();
    let address = a.addr(after);
    a.mov(dword_ptr(VARS), esp)?;
    passes(a, |a| {
        a.mov(ebx, 0x1357_9BDF)?;
        a.mov(esi, 0x2468_ACE0)?;
        a.stc()?;
        a.jmp_far32(TASK, 0x1234_5678)?;
        a.here(after)?;
        a.mov(dword_ptr(VARS + 4), ebx)?;
        a.mov(dword_ptr(VARS + 8), esi)?;
        a.setb(byte_ptr(VARS + 12))
    })?;
    want_seen(a, false)?;
    want_at(a, SEEN + 8, TASK_STACK)?;
    want_at(a, VARS + 4, 0x1357_9BDF)?;
    want_at(a, VARS + 8, 0x2468_ACE0)?;
    byte_at(a, VARS + 12, 1)?;
    want_types(a, BUSY, AVAILABLE)?;
    a.mov(eax, esp)?;
    a.sub(eax, dword_ptr(VARS))?;
    want(a, 0)?;
    a.xor(eax, eax)?;
    a.str(eax)?;
    want(a, u32::from(TSS_SELECTOR))?;
    // What was saved: the next instruction, the registers.
    want_at(a, TSS + field::EIP, address)?;
    want_at(a, TSS + field::EBX, 0x1357_9BDF)?;
    a.movzx(eax, word_ptr(TSS + field::CS))?;
    want(a, u32::from(CODE32))?;
    // The task goes on where it left.
    a.mov(dword_ptr(SEEN), 0)?;
    a.mov(dword_ptr(TASK_TSS + field::EBX), 0xBBBB_0002u32)?;
    passes(a, |a| a.jmp_far32(TASK, 0))?;
    want_at(a, SEEN, u32::from(TASK))?;
    a.clts()
}

/// Table 7-2, CALL and IRET: link and NT in the new task; IRET makes it available and clears NT in its saved flags.
fn call(a: &mut Asm) -> Built {
    for _ in 0..2 {
        fresh_task(a, "spy")?;
        a.mov(dword_ptr(TASK_TSS + field::EBP), 1)?;
        a.mov(dword_ptr(VARS), esp)?;
        passes(a, |a| a.call_far(TASK, 0))?;
        want_seen(a, true)?;
        want_types(a, BUSY, AVAILABLE)?;
        // Nothing was pushed anywhere.
        want_at(a, SEEN + 8, TASK_STACK)?;
        a.mov(eax, esp)?;
        a.sub(eax, dword_ptr(VARS))?;
        want(a, 0)?;
        a.mov(eax, dword_ptr(TASK_TSS + field::EFLAGS))?;
        want_masked(a, NT, 0)?;
        a.pushfd()?;
        a.pop(eax)?;
        want_masked(a, NT, 0)?;
        // IRET set TS again.
        a.mov(eax, cr0)?;
        want_masked(a, TS, TS)?;
        a.clts()?;
    }
    Ok(())
}

/// 7.2.5: a gate leads to the task; its DPL counts, the TSS descriptor's does not.
fn through_gate(a: &mut Asm) -> Built {
    define(a, TASK_GATE, gate(TASK, 0, 0xE5, 0))?;
    fresh_task(a, "spy")?;
    passes(a, |a| a.jmp_far32(TASK_GATE, 0))?;
    want_seen(a, false)?;
    fresh_task(a, "spy")?;
    a.mov(dword_ptr(TASK_TSS + field::EBP), 1)?;
    passes(a, |a| a.call_far(TASK_GATE, 0))?;
    want_seen(a, true)?;
    want_types(a, BUSY, AVAILABLE)?;
    a.clts()
}

/// 6.12.2: INT through a task gate in the IDT; the saved EIP is the next instruction.
fn interrupt(a: &mut Asm) -> Built {
    put(a, IDT + 0x41 * 8, gate(TASK, 0, 0x85, 0))?;
    fresh_task(a, "spy")?;
    a.mov(dword_ptr(TASK_TSS + field::EBP), 1)?;
    let after = a.mark();
    let address = a.addr(after);
    passes(a, |a| {
        a.int(0x41)?;
        a.here(after)
    })?;
    want_seen(a, true)?;
    want_at(a, SEEN + 8, TASK_STACK)?;
    want_at(a, TSS + field::EIP, address)?;
    want_types(a, BUSY, AVAILABLE)?;
    a.clts()
}

/// The error code goes on the new task's stack; the saved EIP is the faulting instruction, here skipped by the task.
fn fault(a: &mut Asm) -> Built {
    let [over, handler] = [a.mark(), a.mark()];
    a.jmp(over.label)?;
    a.here(handler)?;
    a.keep("fault_task", handler);
    a.pop(dword_ptr(VARS))?;
    a.mov(dword_ptr(VARS + 4), esp)?;
    a.mov(eax, dword_ptr(TSS + field::EIP))?;
    a.mov(dword_ptr(VARS + 8), eax)?;
    // MOV ES, AX has two bytes.
    a.add(dword_ptr(TSS + field::EIP), 2)?;
    a.iretd()?;
    a.here(over)?;
    // Keep the old gate.
    for half in [0, 4] {
        a.push(dword_ptr(IDT + 13 * 8 + half))?;
    }
    put(a, IDT + 13 * 8, gate(TASK, 0, 0x85, 0))?;
    fresh_task(a, "fault_task")?;
    let place = a.mark();
    let address = a.addr(place);
    a.mov(eax, 0xFFF0)?;
    a.here(place)?;
    a.db(&[0x8E, 0xC0])?;
    for half in [4, 0] {
        a.pop(dword_ptr(IDT + 13 * 8 + half))?;
    }
    want_at(a, VARS, 0xFFF0)?;
    want_at(a, VARS + 4, TASK_STACK)?;
    want_at(a, VARS + 8, address)?;
    want_types(a, BUSY, AVAILABLE)?;
    a.clts()
}

/// A 16-bit TSS (figure 7-10): IP, FLAGS, eight words, ES CS SS DS, LDT, from offset 14 on.
fn fresh_small(a: &mut Asm, routine: &'static str) -> Built {
    let routine = a.routine(routine);
    let address = a.addr(routine);
    a.mov(edi, SMALL_TSS)?;
    a.mov(ecx, 0xB)?;
    a.xor(eax, eax)?;
    a.rep().stosd()?;
    for (offset, value) in [
        (14u32, address & 0xFFFF),
        (16, 2),
        (18, 0xA001),
        (20, 0xC002),
        (22, 0xD003),
        (24, 0xB004),
        (26, 0x6F00),
        (28, 0xBB06),
        (30, 0x5007),
        (32, 0xD108),
        (34, u32::from(DATA)),
        (36, u32::from(ROM_CODE)),
        (38, u32::from(DATA16)),
        (40, u32::from(DATA)),
    ] {
        a.mov(word_ptr(SMALL_TSS + offset), value)?;
    }
    define(a, SMALL, segment(SMALL_TSS, 0x2B, 0x81, BYTES_16))
}

/// The 16-bit task's code: keeps AX to DI and SP, then goes back by JMP, or by IRET where it was called.
fn small_routines(a: &mut Asm) -> Built {
    let over = a.mark();
    a.jmp(over.label)?;
    for (name, by_iret) in [("small_jump", false), ("small_iret", true)] {
        let entry = a.mark_here()?;
        a.keep(name, entry);
        for (i, register) in [ax, cx, dx, bx, sp, bp, si, di].into_iter().enumerate() {
            a.mov(
                word_ptr(SEEN + 2 * u32::try_from(i).expect("eight")),
                register,
            )?;
        }
        a.pushfd()?;
        a.pop(dword_ptr(SEEN + 16))?;
        a.clts()?;
        if by_iret {
            a.iretd()?;
        } else {
            a.jmp_far32(TSS_SELECTOR, 0)?;
        }
    }
    a.here(over)
}

fn want_small_registers(a: &mut Asm) -> Built {
    for (i, value) in [0xC002_A001, 0xB004_D003, 0xBB06_6F00, 0xD108_5007]
        .into_iter()
        .enumerate()
    {
        want_at(a, SEEN + 4 * u32::try_from(i).expect("four"), value)?;
    }
    Ok(())
}

fn small(a: &mut Asm) -> Built {
    small_routines(a)?;
    fresh_small(a, "small_jump")?;
    a.mov(ebx, 0x7654_3210)?;
    passes(a, |a| {
        a.jmp_far32(SMALL, 0)?;
        a.mov(dword_ptr(VARS), ebx)
    })?;
    want_small_registers(a)?;
    // Our own TSS is a 32-bit one, which keeps all of EBX.
    want_at(a, VARS, 0x7654_3210)?;
    byte_at(a, GDT + u32::from(SMALL) + 5, 0x81)?;
    a.mov(eax, dword_ptr(SEEN + 16))?;
    want_masked(a, NT, 0)?;
    a.clts()
}

fn small_call(a: &mut Asm) -> Built {
    fresh_small(a, "small_iret")?;
    passes(a, |a| a.call_far(SMALL, 0))?;
    want_small_registers(a)?;
    a.mov(eax, dword_ptr(SEEN + 16))?;
    want_masked(a, NT, NT)?;
    a.movzx(eax, word_ptr(SMALL_TSS))?;
    want(a, u32::from(TSS_SELECTOR))?;
    byte_at(a, GDT + u32::from(SMALL) + 5, 0x81)?;
    a.clts()
}

/// The task's FS is in its own table, loaded before it.
fn local_table(a: &mut Asm) -> Built {
    let [over, entry] = [a.mark(), a.mark()];
    a.jmp(over.label)?;
    a.here(entry)?;
    a.keep("local_task", entry);
    a.mov(eax, dword_ptr(8).fs())?;
    a.mov(dword_ptr(VARS), eax)?;
    a.xor(eax, eax)?;
    a.sldt(eax)?;
    a.mov(dword_ptr(VARS + 4), eax)?;
    a.clts()?;
    a.iretd()?;
    a.here(over)?;
    define(a, LOCAL, segment(LOCAL_TABLE, 0xF, 0x82, BYTES_16))?;
    put(
        a,
        LOCAL_TABLE + 8,
        segment(SCRATCH + 0x1000, 0xFF, 0x93, BYTES_32),
    )?;
    a.mov(dword_ptr(SCRATCH + 0x1008), 0x10CA_1000)?;
    fresh_task(a, "local_task")?;
    a.mov(dword_ptr(TASK_TSS + field::LDT), u32::from(LOCAL))?;
    a.mov(dword_ptr(TASK_TSS + field::FS), 0xC)?;
    passes(a, |a| a.call_far(TASK, 0))?;
    want_at(a, VARS, 0x10CA_1000)?;
    want_at(a, VARS + 4, u32::from(LOCAL))?;
    // Ours is null again.
    a.xor(eax, eax)?;
    a.sldt(eax)?;
    want(a, 0)?;
    a.clts()
}

/// With paging on the task's CR3 is loaded: the same linear address is another place.
fn page_tables(a: &mut Asm) -> Built {
    let [over, entry] = [a.mark(), a.mark()];
    a.jmp(over.label)?;
    a.here(entry)?;
    a.keep("paged_task", entry);
    a.mov(eax, dword_ptr(0x80_0100))?;
    a.mov(dword_ptr(VARS), eax)?;
    a.clts()?;
    a.iretd()?;
    a.here(over)?;
    a.mov(edi, TABLES)?;
    a.mov(ecx, 0x800)?;
    a.xor(eax, eax)?;
    a.rep().stosd()?;
    // 4-MiB pages: the first to itself in both; the third to the first, or to the second.
    for (directory, third) in [(TABLES, 0x83u32), (TABLES + 0x1000, 0x40_0083)] {
        a.mov(dword_ptr(directory), 0x83)?;
        a.mov(dword_ptr(directory + 8), third)?;
    }
    a.mov(dword_ptr(0x40_0100), 0x2222_2222)?;
    a.mov(dword_ptr(0x100), 0x1111_1111)?;
    a.mov(eax, cr4)?;
    a.or(eax, 0x10)?;
    a.mov(cr4, eax)?;
    a.mov(eax, TABLES)?;
    a.mov(cr3, eax)?;
    a.mov(eax, cr0)?;
    a.or(eax, 0x8000_0000u32.cast_signed())?;
    a.mov(cr0, eax)?;
    fresh_task(a, "paged_task")?;
    a.mov(dword_ptr(TASK_TSS + field::CR3), TABLES + 0x1000)?;
    passes(a, |a| a.call_far(TASK, 0))?;
    want_at(a, VARS, 0x2222_2222)?;
    want_at(a, 0x80_0100, 0x1111_1111)?;
    a.mov(eax, cr3)?;
    want(a, TABLES)?;
    a.mov(eax, cr0)?;
    a.and(eax, 0x7FFF_FFFF)?;
    a.mov(cr0, eax)
}
