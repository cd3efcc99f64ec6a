//! Exception handlers that write down what happened and resume where the test said (SDM 3A 6.12 to 6.14).
//!
//! A handler records the frame at [`R_VECTOR`] and after, then loads the stack pointer from [`REC_SP`] and
//! jumps to [`REC_IP`], in ring 0. So one mechanism serves faults in any ring and out of virtual-8086 mode.

use crate::check::want_at;
use crate::console::{call, say};
use crate::prelude::*;

/// Exceptions that push an error code (SDM 3A table 6-1).
const WITH_ERROR_CODE: [u32; 10] = [8, 10, 11, 12, 13, 14, 17, 21, 29, 30];
/// The vector that user code raises by INT to come back.
pub(crate) const BACK: u32 = 0x81;
/// Vectors above the exceptions that are recorded too; their gates have DPL 3.
const SOFTWARE_VECTORS: [u32; 3] = [0x40, 0x80, BACK];

/// A gate to install: its vector, its type and DPL byte, its handler.
struct Gate {
    vector: u32,
    access: u32,
    stub: Mark,
}

/// Emits the handlers, and `install_traps`, which loads the IDT and the task register.
pub(crate) fn routines(a: &mut Asm) -> Built {
    let common = a.mark();
    let mut gates = Vec::new();
    for vector in (0..32).chain(SOFTWARE_VECTORS) {
        let stub = a.mark_here()?;
        if !WITH_ERROR_CODE.contains(&vector) {
            a.push(-1)?;
        }
        a.push(vector.cast_signed())?;
        a.jmp(common.label)?;
        // #BP and #OF may be raised by user code; the others may not.
        let user = vector >= 32 || vector == 3 || vector == 4;
        gates.push(Gate {
            vector,
            access: if user { 0xEE } else { 0x8E },
            stub,
        });
    }
    a.here(common)?;
    if a.bitness() == 64 {
        record64(a)?;
    } else {
        record32(a)?;
    }
    resume(a)?;
    install(a, &gates)
}

/// Writes down the frame of a 64-bit handler.
fn record64(a: &mut Asm) -> Built {
    for (i, register) in [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi]
        .into_iter()
        .enumerate()
    {
        a.mov(
            qword_ptr(R_GPRS + 8 * u32::try_from(i).expect("8 registers")),
            register,
        )?;
    }
    a.mov(qword_ptr(R_HANDLER_SP), rsp)?;
    a.mov(rax, cr2)?;
    a.mov(qword_ptr(R_CR2), rax)?;
    a.mov(rax, cr0)?;
    a.mov(dword_ptr(R_CR0), eax)?;
    a.mov(eax, ds)?;
    a.mov(dword_ptr(R_DS), eax)?;
    for cell in [R_VECTOR, R_ERROR, R_IP, R_CS, R_FLAGS, R_SP, R_SS] {
        a.pop(qword_ptr(cell))?;
    }
    a.mov(eax, u32::from(DATA))?;
    a.mov(ds, eax)?;
    a.mov(es, eax)?;
    a.mov(ss, eax)
}

/// Writes down the frame of a 32-bit handler; only a change of privilege pushes SS and ESP.
fn record32(a: &mut Asm) -> Built {
    let [same, v86, done] = [a.mark(), a.mark(), a.mark()];
    a.push(eax)?;
    a.mov(eax, ds)?;
    a.push(eax)?;
    a.mov(eax, u32::from(DATA))?;
    a.mov(ds, eax)?;
    a.pop(dword_ptr(R_DS))?;
    a.pop(dword_ptr(R_GPRS))?;
    for (i, register) in [ecx, edx, ebx, esp, ebp, esi, edi].into_iter().enumerate() {
        a.mov(
            dword_ptr(R_GPRS + 8 + 8 * u32::try_from(i).expect("7 registers")),
            register,
        )?;
    }
    a.mov(dword_ptr(R_HANDLER_SP), esp)?;
    a.mov(eax, cr2)?;
    a.mov(dword_ptr(R_CR2), eax)?;
    a.mov(eax, cr0)?;
    a.mov(dword_ptr(R_CR0), eax)?;
    for cell in [R_VECTOR, R_ERROR, R_IP, R_CS, R_FLAGS] {
        a.pop(dword_ptr(cell))?;
    }
    a.test(dword_ptr(R_FLAGS), 0x2_0000)?;
    a.jne(v86.label)?;
    a.test(dword_ptr(R_CS), 3)?;
    a.je(same.label)?;
    a.pop(dword_ptr(R_SP))?;
    a.pop(dword_ptr(R_SS))?;
    a.jmp(done.label)?;
    a.here(v86)?;
    for cell in [R_SP, R_SS, R_V86, R_V86 + 4, R_V86 + 8, R_V86 + 12] {
        a.pop(dword_ptr(cell))?;
    }
    a.jmp(done.label)?;
    a.here(same)?;
    a.mov(dword_ptr(R_SP), esp)?;
    a.mov(eax, ss)?;
    a.mov(dword_ptr(R_SS), eax)?;
    a.here(done)?;
    a.mov(eax, u32::from(DATA))?;
    a.mov(es, eax)?;
    a.mov(ss, eax)
}

/// Goes where the test said, or tells of an exception that no test expected and stops.
fn resume(a: &mut Asm) -> Built {
    let lost = a.mark();
    a.inc(dword_ptr(R_COUNT))?;
    a.cmp(dword_ptr(REC_IP), 0)?;
    a.je(lost.label)?;
    if a.bitness() == 64 {
        a.mov(rsp, qword_ptr(REC_SP))?;
        a.jmp(qword_ptr(REC_IP))?;
    } else {
        a.mov(esp, dword_ptr(REC_SP))?;
        a.jmp(dword_ptr(REC_IP))?;
    }
    a.here(lost)?;
    a.mov(esp, STACK)?;
    for (text, cell) in [
        ("\r\nunexpected exception ", R_VECTOR),
        (", error code ", R_ERROR),
        (", at ", R_IP),
        (", CR2 ", R_CR2),
    ] {
        say(a, text)?;
        a.mov(eax, dword_ptr(cell))?;
        call(a, "puthex")?;
    }
    say(a, "\r\n")?;
    stop(a, 0x11)
}

/// Ends the run by the debug-exit port, or stands still where there is none.
pub(crate) fn stop(a: &mut Asm, value: u32) -> Built {
    a.mov(al, value)?;
    a.out(0xF4, al)?;
    a.cli()?;
    let stand = a.mark_here()?;
    a.hlt()?;
    a.jmp(stand.label)
}

/// `install_traps`: fills the IDT, the TSS and loads both. Changes the general registers.
fn install(a: &mut Asm, gates: &[Gate]) -> Built {
    let long = a.bitness() == 64;
    let [table, pointer, entry] = [a.mark(), a.mark(), a.mark()];
    a.here(table)?;
    for gate in gates {
        let address = a.addr(gate.stub);
        a.dd(&[gate.vector | gate.access << 8, address])?;
    }
    a.here(pointer)?;
    a.dw(&[0xFFF])?;
    a.dd(&[IDT, 0])?;
    a.here(entry)?;
    a.keep("install_traps", entry);
    let address = a.addr(table);
    a.mov(esi, address)?;
    a.mov(ecx, u32::try_from(gates.len()).expect("at most 256"))?;
    let next = a.mark_here()?;
    a.mov(eax, dword_ptr(esi))?;
    a.mov(edx, dword_ptr(esi + 4))?;
    a.movzx(edi, al)?;
    a.shl(edi, if long { 4 } else { 3 })?;
    a.add(edi, IDT.cast_signed())?;
    a.mov(word_ptr(edi), dx)?;
    a.mov(
        word_ptr(edi + 2),
        u32::from(if long { CODE64 } else { CODE32 }),
    )?;
    a.mov(byte_ptr(edi + 4), 0)?;
    a.mov(byte_ptr(edi + 5), ah)?;
    a.shr(edx, 16)?;
    a.mov(word_ptr(edi + 6), dx)?;
    if long {
        a.mov(dword_ptr(edi + 8), 0)?;
        a.mov(dword_ptr(edi + 12), 0)?;
    }
    a.add(esi, 8)?;
    a.dec(ecx)?;
    a.jne(next.label)?;
    let pointer = a.addr(pointer);
    if long {
        a.lidt(tbyte_ptr(pointer))?;
    } else {
        a.lidt(fword_ptr(pointer))?;
    }
    task_state(a)?;
    a.ret()
}

/// An empty TSS with a ring-0 stack and no I/O bitmap, loaded into the task register.
fn task_state(a: &mut Asm) -> Built {
    a.mov(edi, TSS)?;
    a.mov(ecx, 0x800)?;
    a.xor(eax, eax)?;
    a.rep().stosd()?;
    a.mov(dword_ptr(TSS + 4), RING0_STACK)?;
    if a.bitness() == 32 {
        a.mov(dword_ptr(TSS + 8), u32::from(DATA))?;
    }
    a.mov(word_ptr(TSS + 0x66), 0x2000)?;
    a.mov(byte_ptr(GDT + u32::from(TSS_SELECTOR) + 5), 0x89)?;
    a.mov(eax, u32::from(TSS_SELECTOR))?;
    a.ltr(ax)
}

/// Runs `body`; an exception in it is recorded and ends it.
pub(crate) fn attempt(a: &mut Asm, body: impl FnOnce(&mut Asm) -> Built) -> Built {
    let after = a.mark();
    a.mov(dword_ptr(R_VECTOR), NONE)?;
    a.mov(dword_ptr(R_ERROR), NONE)?;
    let address = a.addr(after);
    a.mov(dword_ptr(REC_IP), address)?;
    a.mov(dword_ptr(REC_IP + 4), 0)?;
    if a.bitness() == 64 {
        a.mov(qword_ptr(REC_SP), rsp)?;
    } else {
        a.mov(dword_ptr(REC_SP), esp)?;
    }
    body(a)?;
    a.here(after)?;
    a.mov(dword_ptr(REC_IP), 0)
}

/// The last attempt must have raised `vector` with `error`, [`NONE`] for no error code.
pub(crate) fn want_fault(a: &mut Asm, vector: u32, error: u32) -> Built {
    want_at(a, R_VECTOR, vector)?;
    want_at(a, R_ERROR, error)
}

/// Runs `body` and wants it to raise `vector` with `error`.
pub(crate) fn faults(
    a: &mut Asm,
    vector: u32,
    error: u32,
    body: impl FnOnce(&mut Asm) -> Built,
) -> Built {
    attempt(a, body)?;
    want_fault(a, vector, error)
}

/// Runs `body` and wants no exception.
pub(crate) fn passes(a: &mut Asm, body: impl FnOnce(&mut Asm) -> Built) -> Built {
    attempt(a, body)?;
    want_at(a, R_VECTOR, NONE)
}

/// Within an attempt: runs `body` in ring 3, flat, and comes back by INT [`BACK`] if it ends.
pub(crate) fn in_user_mode(a: &mut Asm, body: impl FnOnce(&mut Asm) -> Built) -> Built {
    let user = a.mark();
    let long = a.bitness() == 64;
    a.push(i32::from(USER_DATA))?;
    a.push(USER_STACK.cast_signed())?;
    a.push(2)?;
    a.push(i32::from(if long { USER_CODE64 } else { USER_CODE32 }))?;
    let address = a.addr_i32(user);
    a.push(address)?;
    if long {
        a.iretq()?;
    } else {
        a.iretd()?;
    }
    a.here(user)?;
    a.mov(eax, u32::from(USER_DATA))?;
    a.mov(ds, eax)?;
    a.mov(es, eax)?;
    body(a)?;
    a.int(BACK.cast_signed())
}
