//! The virtual-8086 extensions: redirected INT, the virtual interrupt flag (SDM 3A 21.3, 21.4).

use super::{IF, REDIRECTION, SP, SS, VM, VM_IOPL3, enter, want_frame};
use crate::check::{want, want_at, want_masked};
use crate::fixture::{check, if_announced};
use crate::prelude::*;
use crate::trap::{BACK, attempt, faults, in_user_mode, want_fault};

const VIF: u32 = 1 << 19;
const VIP: u32 = 1 << 20;
const CR4_VME: u32 = 1;
const CR4_PVI: u32 = 2;
/// Where the task's own INT 21h handler lies, as its interrupt table says: in the scratch memory.
const OWN_HANDLER: u32 = SCRATCH + 0x9000;

pub(super) fn checks(a: &mut Asm) -> Built {
    if_announced(a, "VME", (1, edx, 1), |a| {
        check(a, "VME redirected INT", redirected)?;
        check(a, "VME INT to the monitor", monitored)?;
        check(a, "VME virtual interrupt flag", virtual_flag)?;
        check(a, "VME pending interrupt", pending)?;
        check(a, "PVI", protected_mode)
    })
}

fn set_cr4(a: &mut Asm, bits: u32) -> Built {
    a.mov(eax, bits)?;
    a.mov(cr4, eax)
}

fn redirect(a: &mut Asm, vector: u32, to_task: bool) -> Built {
    let (byte, bit) = (TSS + REDIRECTION + vector / 8, 1u32 << (vector % 8));
    if to_task {
        a.and(byte_ptr(byte), 0xFF ^ bit)
    } else {
        a.or(byte_ptr(byte), bit)
    }
}

/// Table 21-2, a bit of 0: the 8086 way, through the table at 0. With IOPL below 3 the pushed flags show VIF as IF and
/// IOPL 3, and VIF is cleared.
fn redirected(a: &mut Asm) -> Built {
    set_cr4(a, CR4_VME)?;
    redirect(a, 0x21, true)?;
    // INT3, so that the monitor sees the task in its own handler; INT3 is not redirected.
    a.mov(byte_ptr(OWN_HANDLER), 0xCCu32)?;
    a.mov(dword_ptr(0x21 * 4), (OWN_HANDLER >> 4) << 16)?;
    for (flags, pushed) in [
        (VM, 0x3002),
        (VM | VIF, 0x3202),
        (VM_IOPL3, 0x3002),
        (VM_IOPL3 | IF, 0x3202),
    ] {
        let start_known = a.mark();
        // `enter` ends with an INT3 of one byte.
        let ip = (a.addr(start_known) - 1) & 0xFFFF;
        attempt(a, |a| {
            enter(a, flags, |v| v.int(0x21))?;
            a.here(start_known)
        })?;
        want_fault(a, 3, NONE)?;
        want_at(a, R_CS, OWN_HANDLER >> 4)?;
        want_at(a, R_SP, SP - 6)?;
        a.movzx(eax, word_ptr((SS << 4) + SP - 6))?;
        want(a, ip)?;
        a.movzx(eax, word_ptr((SS << 4) + SP - 4))?;
        want(a, 0xF000)?;
        a.movzx(eax, word_ptr((SS << 4) + SP - 2))?;
        want_masked(a, 0x7302, pushed)?;
        // In the handler VIF, or with IOPL 3 IF, is clear.
        a.mov(eax, dword_ptr(R_FLAGS))?;
        want_masked(a, VIF | IF, 0)?;
    }
    set_cr4(a, 0)
}

/// A bit of 1: with IOPL below 3 #GP(0), with IOPL 3 the protected-mode handler.
fn monitored(a: &mut Asm) -> Built {
    set_cr4(a, CR4_VME)?;
    redirect(a, 0x21, false)?;
    faults(a, 13, 0, |a| enter(a, VM, |v| v.int(0x21)))?;
    want_frame(a, SP)?;
    attempt(a, |a| enter(a, VM_IOPL3, |v| v.int(0x40)))?;
    want_fault(a, 0x40, NONE)?;
    set_cr4(a, 0)
}

/// STI, CLI, PUSHF and POPF work on VIF where IOPL is below 3; the 32-bit forms fault still.
fn virtual_flag(a: &mut Asm) -> Built {
    set_cr4(a, CR4_VME)?;
    attempt(a, |a| {
        enter(a, VM, |v| {
            v.sti()?;
            v.pushf()?;
            v.pop(ax)?;
            v.cli()?;
            v.pushf()?;
            v.pop(bx)?;
            v.push(0x0202)?;
            v.popf()?;
            v.int3()
        })
    })?;
    want_fault(a, 3, NONE)?;
    a.mov(eax, dword_ptr(R_GPRS))?;
    want_masked(a, 0x3200, 0x3200)?;
    a.mov(eax, dword_ptr(R_GPRS + 24))?;
    want_masked(a, 0x3200, 0x3000)?;
    a.mov(eax, dword_ptr(R_FLAGS))?;
    want_masked(a, VIF | IF | 0x3000, VIF)?;
    faults(a, 13, 0, |a| enter(a, VM, |v| v.pushfd()))?;
    faults(a, 13, 0, |a| enter(a, VM, |v| v.popfd()))?;
    // IRET within the task takes IF to VIF.
    attempt(a, |a| {
        enter(a, VM, |v| {
            let there = v.mark();
            let ip = v.addr(there);
            v.push(0x0202)?;
            v.push(cs)?;
            v.mov(ax, ip)?;
            v.push(ax)?;
            v.iret()?;
            v.here(there)?;
            v.int3()
        })
    })?;
    want_fault(a, 3, NONE)?;
    a.mov(eax, dword_ptr(R_FLAGS))?;
    want_masked(a, VIF | IF | 0x3000, VIF)?;
    set_cr4(a, 0)
}

/// With VIP set, whatever would set VIF is the monitor's.
fn pending(a: &mut Asm) -> Built {
    set_cr4(a, CR4_VME)?;
    faults(a, 13, 0, |a| enter(a, VM | VIP, |v| v.sti()))?;
    faults(a, 13, 0, |a| {
        enter(a, VM | VIP, |v| {
            v.push(0x0202)?;
            v.popf()
        })
    })?;
    attempt(a, |a| {
        enter(a, VM | VIP, |v| {
            v.cli()?;
            v.int3()
        })
    })?;
    want_fault(a, 3, NONE)?;
    a.mov(eax, dword_ptr(R_FLAGS))?;
    want_masked(a, VIF | VIP, VIP)?;
    set_cr4(a, 0)
}

/// 21.4: in ring 3 with IOPL 0, CR4.PVI lets CLI and STI work on VIF; PUSHF shows IF itself.
fn protected_mode(a: &mut Asm) -> Built {
    set_cr4(a, CR4_PVI)?;
    attempt(a, |a| in_user_mode(a, |a| a.sti()))?;
    want_at(a, R_VECTOR, BACK)?;
    a.mov(eax, dword_ptr(R_FLAGS))?;
    want_masked(a, VIF | IF, VIF)?;
    attempt(a, |a| {
        in_user_mode(a, |a| {
            a.sti()?;
            a.cli()
        })
    })?;
    want_at(a, R_VECTOR, BACK)?;
    a.mov(eax, dword_ptr(R_FLAGS))?;
    want_masked(a, VIF | IF, 0)?;
    set_cr4(a, 0)?;
    faults(a, 13, 0, |a| in_user_mode(a, |a| a.sti()))
}
