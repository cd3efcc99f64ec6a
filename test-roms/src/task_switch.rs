//! Fixture: hardware task switches (SDM 3A chapter 7).

mod faults;
mod switch;

use crate::asm::Built;
use crate::descriptor::{BYTES_16, PAGES_32, define, segment};
use crate::fixture;
use crate::prelude::*;

/// The 32-bit task, its selector and its TSS.
const TASK: u16 = FREE_SELECTOR;
const TASK_TSS: u32 = SCRATCH;
/// The 16-bit task.
const SMALL: u16 = FREE_SELECTOR + 8;
const SMALL_TSS: u32 = SCRATCH + 0x200;
/// A task gate in the GDT.
const TASK_GATE: u16 = FREE_SELECTOR + 0x10;
/// A local descriptor table, and its place.
const LOCAL: u16 = FREE_SELECTOR + 0x18;
const LOCAL_TABLE: u32 = SCRATCH + 0x300;
/// Flat code that reaches the ROM with 16 bits of IP.
const ROM_CODE: u16 = FREE_SELECTOR + 0x20;
/// A descriptor that tests spoil.
const SPOILT: u16 = FREE_SELECTOR + 0x28;

/// What the task saw: TR, flags, ESP, EBX, CR0, its back link, the busy bytes of both tasks, the top of its stack.
const SEEN: u32 = VARS + 0x40;
/// Stack tops of the task in ring 0 and as it starts.
const TASK_STACK: u32 = SCRATCH + 0x8000;

/// Offsets in a 32-bit TSS (figure 7-2).
mod field {
    pub(super) const ESP0: u32 = 4;
    pub(super) const SS0: u32 = 8;
    pub(super) const CR3: u32 = 0x1C;
    pub(super) const EIP: u32 = 0x20;
    pub(super) const EFLAGS: u32 = 0x24;
    pub(super) const EAX: u32 = 0x28;
    pub(super) const EBX: u32 = 0x34;
    pub(super) const ESP: u32 = 0x38;
    pub(super) const EBP: u32 = 0x3C;
    pub(super) const ES: u32 = 0x48;
    pub(super) const CS: u32 = 0x4C;
    pub(super) const SS: u32 = 0x50;
    pub(super) const DS: u32 = 0x54;
    pub(super) const FS: u32 = 0x58;
    pub(super) const LDT: u32 = 0x60;
    pub(super) const TRAP: u32 = 0x64;
}

/// Assembles the image.
pub(crate) fn build() -> Built<Vec<u8>> {
    let image = fixture::protected_image(|a| {
        spy(a)?;
        define(
            a,
            ROM_CODE,
            segment(ROM_BASE, 0xFFFF, 0x9B, crate::descriptor::BYTES_32),
        )?;
        switch::checks(a)?;
        faults::checks(a)?;
        fixture::finish(a, "task-switch")
    })?;
    Ok(image.finish(0))
}

/// `spy`: the task's code. Writes down what it sees, then goes back by JMP if EBP is 0, else by IRET; entered again,
/// it starts over.
fn spy(a: &mut Asm) -> Built {
    let [over, back] = [a.mark(), a.mark()];
    a.jmp(over.label)?;
    let entry = a.mark_here()?;
    a.keep("spy", entry);
    a.mov(dword_ptr(SEEN + 8), esp)?;
    a.mov(eax, dword_ptr(esp))?;
    a.mov(dword_ptr(SEEN + 32), eax)?;
    a.pushfd()?;
    a.pop(dword_ptr(SEEN + 4))?;
    a.xor(eax, eax)?;
    a.str(eax)?;
    a.mov(dword_ptr(SEEN), eax)?;
    a.mov(dword_ptr(SEEN + 12), ebx)?;
    a.mov(eax, cr0)?;
    a.mov(dword_ptr(SEEN + 16), eax)?;
    a.movzx(eax, word_ptr(TASK_TSS))?;
    a.mov(dword_ptr(SEEN + 20), eax)?;
    a.movzx(eax, byte_ptr(GDT + u32::from(TSS_SELECTOR) + 5))?;
    a.mov(dword_ptr(SEEN + 24), eax)?;
    a.movzx(eax, byte_ptr(GDT + u32::from(TASK) + 5))?;
    a.mov(dword_ptr(SEEN + 28), eax)?;
    a.clts()?;
    a.test(ebp, ebp)?;
    a.je(back.label)?;
    a.iretd()?;
    a.jmp(entry.label)?;
    a.here(back)?;
    a.jmp_far32(TSS_SELECTOR, 0)?;
    a.jmp(entry.label)?;
    a.here(over)
}

/// Makes the 32-bit task anew, ready to run `routine` in ring 0.
fn fresh_task(a: &mut Asm, routine: &'static str) -> Built {
    let routine = a.routine(routine);
    let address = a.addr(routine);
    a.mov(edi, TASK_TSS)?;
    a.mov(ecx, 0x1A)?;
    a.xor(eax, eax)?;
    a.rep().stosd()?;
    for (offset, value) in [
        (field::ESP0, TASK_STACK - 0x1000),
        (field::SS0, u32::from(DATA)),
        (field::EIP, address),
        (field::EFLAGS, 2),
        (field::EAX, 0xAAAA_0001),
        (field::EBX, 0xBBBB_0002),
        (field::ESP, TASK_STACK),
        (field::CS, u32::from(CODE32)),
        (field::ES, u32::from(DATA)),
        (field::SS, u32::from(DATA)),
        (field::DS, u32::from(DATA)),
    ] {
        a.mov(dword_ptr(TASK_TSS + offset), value)?;
    }
    a.mov(word_ptr(TASK_TSS + 0x66), 0x68)?;
    // Where paging is on, both tasks share their tables unless a test says otherwise.
    a.mov(eax, cr3)?;
    a.mov(dword_ptr(TASK_TSS + field::CR3), eax)?;
    a.mov(dword_ptr(TSS + field::CR3), eax)?;
    define(a, TASK, segment(TASK_TSS, 0x67, 0x89, BYTES_16))
}

/// Makes our own task the current one again, wherever a fault left the processor.
fn own_task(a: &mut Asm) -> Built {
    a.mov(byte_ptr(GDT + u32::from(TSS_SELECTOR) + 5), 0x89)?;
    a.mov(eax, u32::from(TSS_SELECTOR))?;
    a.ltr(ax)?;
    a.xor(eax, eax)?;
    a.lldt(ax)?;
    a.clts()?;
    a.pushfd()?;
    a.pop(eax)?;
    a.and(eax, -0x4001i32)?;
    a.push(eax)?;
    a.popfd()
}

/// Flat data of 4 GiB.
const fn flat(access: u64) -> u64 {
    segment(0, 0xF_FFFF, access, PAGES_32)
}
