//! Virtual-8086 mode as the 386 had it.

use super::{DS, ES, IF, IO_MAP, SP, VM, VM_IOPL3, enter, want_frame};
use crate::check::{want, want_at, want_masked};
use crate::descriptor::{gate, put};
use crate::fixture::check;
use crate::prelude::*;
use crate::trap::{BACK, attempt, faults, in_user_mode, want_fault};

/// What the trap gate's handler of INT 42h counted.
const COUNT: u32 = VARS;

pub(super) fn checks(a: &mut Asm) -> Built {
    check(a, "enter and leave", enter_and_leave)?;
    check(a, "addresses", addresses)?;
    check(a, "limits", limits)?;
    check(a, "IOPL-sensitive instructions", sensitive)?;
    check(a, "IOPL 3", allowed)?;
    check(a, "privileged and absent instructions", privileged)?;
    check(a, "exceptions", exceptions)?;
    check(a, "INT to a handler and IRET back", handler)?;
    check(a, "I/O permission bitmap", io_bitmap)?;
    check(a, "I/O permission in ring 3", io_in_ring_3)?;
    check(a, "timer interrupt", timer)
}

fn back(a: &mut Asm) -> Built {
    a.int(BACK.cast_signed())
}

fn enter_and_leave(a: &mut Asm) -> Built {
    attempt(a, |a| {
        enter(a, VM_IOPL3, |v| {
            v.mov(ax, cs)?;
            v.mov(bx, ds)?;
            v.mov(cx, es)?;
            v.push(ax)?;
            back(v)
        })
    })?;
    want_fault(a, BACK, NONE)?;
    want_frame(a, SP - 2)?;
    a.movzx(eax, word_ptr(R_GPRS))?;
    want(a, 0xF000)?;
    a.movzx(eax, word_ptr(R_GPRS + 24))?;
    want(a, DS)?;
    a.movzx(eax, word_ptr(R_GPRS + 8))?;
    want(a, ES)
}

/// 21.1.1: the selector times 16 plus the offset.
fn addresses(a: &mut Asm) -> Built {
    a.mov(dword_ptr(SCRATCH + 0x1234), 0xA1B2_C3D4u32)?;
    attempt(a, |a| {
        enter(a, VM_IOPL3, |v| {
            v.mov(bx, 0x1234u32)?;
            v.mov(eax, dword_ptr(bx))?;
            // The same place by another segment.
            v.mov(cx, DS + 0x100)?;
            v.mov(es, cx)?;
            v.mov(ebx, dword_ptr(0x234).es())?;
            v.mov(ecx, 0x234)?;
            v.mov(ecx, dword_ptr(ecx).es())?;
            // FFFFh:10h is beyond 1 MiB: there is no wrap.
            v.mov(dx, 0xFFFFu32)?;
            v.mov(es, dx)?;
            v.mov(dword_ptr(0x120).es(), 0x5EED)?;
            back(v)
        })
    })?;
    want_fault(a, BACK, NONE)?;
    for offset in [0, 24, 8] {
        want_at(a, R_GPRS + offset, 0xA1B2_C3D4)?;
    }
    want_at(a, 0x10_0110, 0x5EED)
}

/// Every segment ends at FFFFh: #GP(0), #SS(0) by way of SS.
fn limits(a: &mut Asm) -> Built {
    faults(a, 13, 0, |a| {
        enter(a, VM_IOPL3, |v| {
            v.mov(bx, 0xFFFFu32)?;
            v.mov(ax, word_ptr(bx))
        })
    })?;
    faults(a, 13, 0, |a| {
        enter(a, VM_IOPL3, |v| {
            v.mov(ebx, 0x1_0000)?;
            v.mov(al, byte_ptr(ebx))
        })
    })?;
    faults(a, 12, 0, |a| {
        enter(a, VM_IOPL3, |v| {
            v.mov(bp, 0xFFFEu32)?;
            v.mov(eax, dword_ptr(bp))
        })
    })
}

/// Table 21-2: with IOPL below 3 these are the monitor's, which finds the instruction at the pushed CS:IP.
fn sensitive(a: &mut Asm) -> Built {
    for code in [
        (|v| v.cli()) as fn(&mut Asm) -> Built,
        |v| v.sti(),
        |v| v.pushf(),
        |v| v.popf(),
        |v| v.int(0x21),
        |v| v.iret(),
        |v| v.pushfd(),
        |v| v.popfd(),
    ] {
        for iopl in [0, 0x2000] {
            a.mov(dword_ptr(VARS + 4), 0)?;
            attempt(a, |a| {
                let start = a.mark();
                let ip = a.addr(start) & 0xFFFF;
                a.mov(dword_ptr(VARS + 4), ip)?;
                enter_at(a, start, VM | iopl, code)
            })?;
            want_fault(a, 13, 0)?;
            want_frame(a, SP)?;
            a.mov(eax, dword_ptr(R_IP))?;
            a.sub(eax, dword_ptr(VARS + 4))?;
            want(a, 0)?;
        }
    }
    Ok(())
}

/// As [`enter`], with the place of the code known to the caller.
fn enter_at(a: &mut Asm, start: Mark, flags: u32, code: fn(&mut Asm) -> Built) -> Built {
    let offset = a.addr(start) & 0xFFFF;
    for value in [
        super::GS,
        super::FS,
        DS,
        ES,
        super::SS,
        SP,
        flags,
        0xF000,
        offset,
    ] {
        a.push(value.cast_signed())?;
    }
    a.iretd()?;
    a.here(start)?;
    let bytes = section(16, u64::from(offset), code)?;
    a.db(&bytes)
}

/// With IOPL 3 they work; POPF and IRET cannot change IOPL or VM.
fn allowed(a: &mut Asm) -> Built {
    attempt(a, |a| {
        enter(a, VM_IOPL3 | IF, |v| {
            v.cli()?;
            v.pushf()?;
            v.pop(ax)?;
            v.sti()?;
            v.pushfd()?;
            v.pop(ebx)?;
            v.push(0x0002)?;
            v.popf()?;
            v.pushf()?;
            v.pop(cx)?;
            back(v)
        })
    })?;
    want_fault(a, BACK, NONE)?;
    a.mov(eax, dword_ptr(R_GPRS))?;
    want_masked(a, 0x3200, 0x3000)?;
    // PUSHFD clears VM and RF in what it pushes.
    a.mov(eax, dword_ptr(R_GPRS + 24))?;
    want_masked(a, 0x3_3200, 0x3200)?;
    a.mov(eax, dword_ptr(R_GPRS + 8))?;
    want_masked(a, 0x3200, 0x3000)?;
    want_frame(a, SP)?;
    // IRET within the task.
    attempt(a, |a| {
        enter(a, VM_IOPL3, |v| {
            let there = v.mark();
            let ip = v.addr(there);
            v.push(0x8D7)?;
            v.push(cs)?;
            v.mov(ax, ip)?;
            v.push(ax)?;
            v.iret()?;
            v.hlt()?;
            v.here(there)?;
            v.lahf()?;
            back(v)
        })
    })?;
    want_fault(a, BACK, NONE)?;
    want_frame(a, SP)?;
    a.movzx(eax, byte_ptr(R_GPRS + 1))?;
    want(a, 0xD7)
}

/// Virtual-8086 mode has CPL 3; and it does not know the selector instructions (#UD).
fn privileged(a: &mut Asm) -> Built {
    for code in [
        (|v| v.hlt()) as fn(&mut Asm) -> Built,
        |v| v.mov(eax, cr0),
        |v| v.lgdt(fword_ptr(bx)),
        |v| v.lmsw(ax),
        |v| v.clts(),
        |v| v.rdmsr(),
    ] {
        faults(a, 13, 0, |a| enter(a, VM_IOPL3, code))?;
    }
    for code in [
        (|v| v.sldt(ax)) as fn(&mut Asm) -> Built,
        |v| v.str(ax),
        |v| v.lldt(ax),
        |v| v.ltr(ax),
        |v| v.verr(ax),
        |v| v.lar(ax, bx),
        |v| v.lsl(ax, bx),
        |v| v.arpl(ax, bx),
    ] {
        faults(a, 6, NONE, |a| enter(a, VM_IOPL3, code))?;
    }
    // SGDT and SMSW are allowed.
    attempt(a, |a| {
        enter(a, VM_IOPL3, |v| {
            v.smsw(bx)?;
            back(v)
        })
    })?;
    want_fault(a, BACK, NONE)?;
    a.mov(eax, dword_ptr(R_GPRS + 24))?;
    want_masked(a, 1, 1)
}

/// Exceptions go to the protected-mode handlers; INT3 and INTO do not ask for IOPL.
fn exceptions(a: &mut Asm) -> Built {
    faults(a, 6, NONE, |a| enter(a, VM, |v| v.ud2()))?;
    want_frame(a, SP)?;
    faults(a, 0, NONE, |a| {
        enter(a, VM, |v| {
            v.xor(cx, cx)?;
            v.div(cx)
        })
    })?;
    want_frame(a, SP)?;
    faults(a, 3, NONE, |a| enter(a, VM, |v| v.int3()))?;
    want_frame(a, SP)?;
    faults(a, 4, NONE, |a| {
        enter(a, VM, |v| {
            v.mov(al, 0x7F)?;
            v.inc(al)?;
            v.db(&[0xCE])
        })
    })?;
    // The gate of vector 0 has DPL 0: an INT is refused with its index.
    faults(a, 13, 0x02, |a| enter(a, VM_IOPL3, |v| v.int(0)))
}

/// A trap gate to ring 0 and back; the frame has nine doublewords on the ring-0 stack.
fn handler(a: &mut Asm) -> Built {
    let [over, entry] = [a.mark(), a.mark()];
    a.jmp(over.label)?;
    a.here(entry)?;
    a.inc(dword_ptr(COUNT).ss())?;
    a.mov(dword_ptr(VARS + 4).ss(), esp)?;
    a.iretd()?;
    a.here(over)?;
    // The address of the handler is known only when assembled, so its halves go in by hand.
    let address = a.addr(entry);
    put(a, IDT + 0x42 * 8, gate(CODE32, address, 0xEF, 0))?;
    a.mov(dword_ptr(COUNT), 0)?;
    attempt(a, |a| {
        enter(a, VM_IOPL3, |v| {
            v.mov(bx, 0x1111u32)?;
            v.int(0x42)?;
            v.int(0x42)?;
            v.add(bx, 0x1111)?;
            back(v)
        })
    })?;
    want_fault(a, BACK, NONE)?;
    want_frame(a, SP)?;
    want_at(a, COUNT, 2)?;
    want_at(a, VARS + 4, RING0_STACK - 36)?;
    a.movzx(eax, word_ptr(R_GPRS + 24))?;
    want(a, 0x2222)
}

/// Allows or denies one port.
fn permit(a: &mut Asm, port: u32, yes: bool) -> Built {
    let (byte, bit) = (TSS + IO_MAP + port / 8, 1u32 << (port % 8));
    if yes {
        a.and(byte_ptr(byte), 0xFF ^ bit)
    } else {
        a.or(byte_ptr(byte), bit)
    }
}

/// 21.2.2, 19.5.2: IOPL has no say; every port of an access must be allowed; beyond the TSS's limit all are denied.
fn io_bitmap(a: &mut Asm) -> Built {
    let read = |width: u32| {
        move |v: &mut Asm| {
            match width {
                1 => v.in_(al, 0x83)?,
                2 => v.in_(ax, 0x83)?,
                _ => v.in_(eax, 0x83)?,
            }
            // INT3 comes back at every IOPL.
            v.int3()
        }
    };
    for flags in [VM, VM_IOPL3] {
        faults(a, 13, 0, |a| enter(a, flags, read(1)))?;
        permit(a, 0x83, true)?;
        faults(a, 3, NONE, |a| enter(a, flags, read(1)))?;
        faults(a, 13, 0, |a| enter(a, flags, read(2)))?;
        permit(a, 0x84, true)?;
        faults(a, 3, NONE, |a| enter(a, flags, read(2)))?;
        faults(a, 13, 0, |a| enter(a, flags, read(4)))?;
        permit(a, 0x85, true)?;
        permit(a, 0x86, true)?;
        faults(a, 3, NONE, |a| enter(a, flags, read(4)))?;
        for port in 0x83..0x87 {
            permit(a, port, false)?;
        }
    }
    faults(a, 13, 0, |a| {
        enter(a, VM_IOPL3, |v| {
            v.mov(dx, 0xFFF0u32)?;
            v.in_(al, dx)
        })
    })?;
    // A bitmap beyond the limit is none: all denied.
    permit(a, 0x83, true)?;
    a.mov(word_ptr(TSS + 0x66), 0x2000)?;
    faults(a, 13, 0, |a| enter(a, VM_IOPL3, read(1)))?;
    a.mov(word_ptr(TSS + 0x66), IO_MAP)?;
    permit(a, 0x83, false)
}

/// In protected mode the bitmap counts only where CPL is above IOPL.
fn io_in_ring_3(a: &mut Asm) -> Built {
    faults(a, 13, 0, |a| in_user_mode(a, |a| a.in_(al, 0x83)))?;
    permit(a, 0x83, true)?;
    attempt(a, |a| in_user_mode(a, |a| a.in_(al, 0x83)))?;
    want_at(a, R_VECTOR, BACK)?;
    faults(a, 13, 0, |a| in_user_mode(a, |a| a.out(0x82, ax)))?;
    permit(a, 0x83, false)?;
    let user = a.mark();
    let address = a.addr_i32(user);
    attempt(a, |a| {
        for value in [
            i32::from(USER_DATA),
            USER_STACK.cast_signed(),
            0x3002,
            i32::from(USER_CODE32),
            address,
        ] {
            a.push(value)?;
        }
        a.iretd()?;
        a.here(user)?;
        a.in_(al, 0x83)?;
        a.int(BACK.cast_signed())
    })?;
    want_at(a, R_VECTOR, BACK)
}

/// An interrupt from outside leaves virtual-8086 mode like an exception. IRQ 0 is vector 40h here.
fn timer(a: &mut Asm) -> Built {
    crate::start::virtual_wire(a)?;
    crate::start::timer_at(a, 0x40)?;
    attempt(a, |a| {
        enter(a, VM | IF, |v| {
            let stay = v.mark_here()?;
            v.jmp(stay.label)
        })
    })?;
    want_fault(a, 0x40, NONE)?;
    want_frame(a, SP)?;
    a.mov(eax, dword_ptr(R_FLAGS))?;
    want_masked(a, IF, IF)?;
    crate::start::timer_off(a)
}
