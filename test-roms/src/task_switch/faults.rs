//! Switches that fault: before the switch in the old task, after it in the new one (SDM 3A 7.3, 6.15 #TS).

use super::{SPOILT, TASK, TASK_GATE, TASK_TSS, field, flat, fresh_task, own_task};
use crate::check::{want, want_at, want_masked};
use crate::descriptor::{BYTES_16, define, gate, segment};
use crate::fixture::check;
use crate::prelude::*;
use crate::trap::{BACK, attempt, faults, in_user_mode, want_fault};

const BAD_STACK: u16 = SPOILT;

pub(super) fn checks(a: &mut Asm) -> Built {
    check(a, "faults before the switch", before)?;
    check(a, "IRET without a task", return_faults)?;
    check(a, "faults in the new task", after)?;
    check(a, "a task in ring 3", user_task)?;
    check(a, "debug trap of a task", debug_trap)
}

/// Privilege, busy, presence, limit: nothing has changed when the fault is raised.
fn before(a: &mut Asm) -> Built {
    // A task is not entered twice.
    faults(a, 13, u32::from(TSS_SELECTOR), |a| {
        a.jmp_far32(TSS_SELECTOR, 0)
    })?;
    faults(a, 13, u32::from(TSS_SELECTOR), |a| {
        a.call_far(TSS_SELECTOR, 0)
    })?;
    fresh_task(a, "spy")?;
    faults(a, 13, u32::from(TASK), |a| {
        in_user_mode(a, |a| a.jmp_far32(TASK, 0))
    })?;
    faults(a, 13, u32::from(TASK), |a| a.call_far(TASK | 3, 0))?;
    define(a, TASK_GATE, gate(TASK, 0, 0x85, 0))?;
    faults(a, 13, u32::from(TASK_GATE), |a| {
        in_user_mode(a, |a| a.call_far(TASK_GATE | 3, 0))
    })?;
    define(a, TASK_GATE, gate(TASK, 0, 0x05, 0))?;
    faults(a, 11, u32::from(TASK_GATE), |a| a.call_far(TASK_GATE, 0))?;
    define(a, TASK_GATE, gate(DATA, 0, 0x85, 0))?;
    faults(a, 13, u32::from(DATA), |a| a.call_far(TASK_GATE, 0))?;
    define(a, TASK, segment(TASK_TSS, 0x67, 0x09, BYTES_16))?;
    faults(a, 11, u32::from(TASK), |a| a.jmp_far32(TASK, 0))?;
    define(a, TASK, segment(TASK_TSS, 0x66, 0x89, BYTES_16))?;
    faults(a, 10, u32::from(TASK), |a| a.jmp_far32(TASK, 0))?;
    a.xor(eax, eax)?;
    a.str(eax)?;
    want(a, u32::from(TSS_SELECTOR))
}

fn iret_with_nt(a: &mut Asm, link: u16) -> Built {
    a.mov(word_ptr(TSS), u32::from(link))?;
    a.push(0x4002)?;
    a.popfd()?;
    a.iretd()
}

/// IRET with NT: the link must name a busy TSS in the GDT.
fn return_faults(a: &mut Asm) -> Built {
    fresh_task(a, "spy")?;
    for (link, error) in [
        (TASK, u32::from(TASK)),
        (DATA, u32::from(DATA)),
        (0x800, 0x800),
        (0xC, 0xC),
    ] {
        attempt(a, |a| iret_with_nt(a, link))?;
        want_fault(a, 10, error)?;
        own_task(a)?;
    }
    Ok(())
}

/// Makes a task in ring 3, spoils the field at `offset`, switches to it and wants the fault in the new task, whose
/// ring-0 stack is good.
fn spoilt(a: &mut Asm, offset: u32, value: u16, vector: u32) -> Built {
    fresh_task(a, "spy")?;
    user_fields(a)?;
    a.mov(dword_ptr(TASK_TSS + offset), u32::from(value))?;
    faults(a, vector, u32::from(value & !3), |a| a.jmp_far32(TASK, 0))?;
    a.xor(eax, eax)?;
    a.str(eax)?;
    want(a, u32::from(TASK))?;
    own_task(a)
}

fn user_fields(a: &mut Asm) -> Built {
    for (offset, value) in [
        (field::CS, USER_CODE32),
        (field::SS, USER_DATA),
        (field::DS, USER_DATA),
        (field::ES, USER_DATA),
    ] {
        a.mov(dword_ptr(TASK_TSS + offset), u32::from(value))?;
    }
    a.mov(dword_ptr(TASK_TSS + field::ESP), USER_STACK)
}

/// Table 7-1: what is wrong with a selector of the new task is #TS with it, what is not present #NP, or #SS for SS.
fn after(a: &mut Asm) -> Built {
    // LDT: not a table, beyond the table.
    spoilt(a, field::LDT, DATA, 10)?;
    spoilt(a, field::LDT, 0x800, 10)?;
    // CS: data.
    spoilt(a, field::CS, USER_DATA, 10)?;
    // SS: code, data of another ring.
    spoilt(a, field::SS, USER_CODE32, 10)?;
    spoilt(a, field::SS, DATA, 10)?;
    // DS: beyond the table, too privileged, a system descriptor.
    spoilt(a, field::DS, 0x803, 10)?;
    spoilt(a, field::DS, DATA, 10)?;
    spoilt(a, field::ES, TSS_SELECTOR | 3, 10)?;
    // Not present.
    define(a, BAD_STACK, flat(0x73))?;
    spoilt(a, field::SS, BAD_STACK | 3, 12)?;
    spoilt(a, field::FS, BAD_STACK | 3, 11)?;
    define(a, SPOILT, flat(0x7B))?;
    spoilt(a, field::CS, SPOILT | 3, 11)
}

/// A task in ring 3 runs there, and an interrupt takes its own ring-0 stack.
fn user_task(a: &mut Asm) -> Built {
    let [over, entry] = [a.mark(), a.mark()];
    a.jmp(over.label)?;
    a.here(entry)?;
    a.keep("user_task", entry);
    a.mov(ebx, cs)?;
    a.int(BACK.cast_signed())?;
    a.here(over)?;
    fresh_task(a, "user_task")?;
    user_fields(a)?;
    attempt(a, |a| a.jmp_far32(TASK, 0))?;
    want_at(a, R_VECTOR, BACK)?;
    want_at(a, R_CS, u32::from(USER_CODE32))?;
    want_at(a, R_SP, USER_STACK)?;
    a.mov(eax, dword_ptr(R_HANDLER_SP))?;
    // The handler's five doublewords and two words of its own lie below the task's ESP0.
    want_masked(a, 0xFFFF_F000, super::TASK_STACK - 0x2000)?;
    own_task(a)
}

/// 7.2.1, 17.3.1.5: the T flag of a TSS raises #DB after the switch, before the task's first instruction; DR6.BT.
fn debug_trap(a: &mut Asm) -> Built {
    fresh_task(a, "spy")?;
    a.mov(dword_ptr(TASK_TSS + field::TRAP), 1)?;
    a.mov(word_ptr(TASK_TSS + 0x66), 0x68)?;
    a.mov(eax, 0xFFFF_0FF0u32)?;
    a.mov(dr6, eax)?;
    attempt(a, |a| a.jmp_far32(TASK, 0))?;
    want_fault(a, 1, NONE)?;
    a.mov(eax, dr6)?;
    want_masked(a, 0xE00F, 0x8000)?;
    a.mov(eax, dword_ptr(R_IP))?;
    a.sub(eax, dword_ptr(TASK_TSS + field::EIP))?;
    want(a, 0)?;
    a.mov(eax, 0xFFFF_0FF0u32)?;
    a.mov(dr6, eax)?;
    own_task(a)
}
