//! What a signal means, in the child (SDM 3A, 6.3.1; Linux `sigcontext`).
#![expect(unsafe_code, reason = "reads the kernel's signal frame")]

use libc::{c_int, siginfo_t, ucontext_t};

use super::batch::{How, Image, Slot};
use super::place::{HARNESS, HARNESS_BYTES, control};
use super::{inside, switch};

/// How often the timer may find the same case running before that is endless.
const TICKS: u64 = 3;
/// Time between two ticks, of the processor's time that the child has used.
pub(super) const TICK_US: i64 = 4000;

/// The signals that end a case; SIGPROF is the timer's, SIGSYS a system call's.
pub(super) const SIGNALS: [c_int; 7] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGPROF,
];

/// Says whether the case is over; if so, its slot holds how and with which state.
///
/// # Safety
/// For [`switch::on_signal`] alone.
pub(super) unsafe extern "sysv64" fn handle(
    signal: c_int,
    _: *const siginfo_t,
    context: *const ucontext_t,
    fs_base: u64,
    gs_base: u64,
) -> u32 {
    const GO_ON: u32 = 0;
    const OVER: u32 = 1;
    // SAFETY: the kernel has just written it.
    let context = unsafe { &(*context).uc_mcontext };
    let register = |number: c_int| context.gregs[number as usize] as u64;
    let in_harness =
        control().is_running == 0 || register(libc::REG_RSP).wrapping_sub(HARNESS) < HARNESS_BYTES;
    if in_harness && signal != libc::SIGPROF {
        inside::leave(inside::BROKEN);
    }
    if signal == libc::SIGPROF && (in_harness || !tick()) {
        return GO_ON;
    }
    control().is_running = 0;
    let slot = control().slot as *mut Slot;
    // SAFETY: `serve` keeps its address there; no other reference is in use now.
    let slot = unsafe { &mut *slot };
    let image = context.fpregs as *const Image;
    // SAFETY: the kernel's frame has the XSAVE image in the standard format, which is
    // no shorter than this where there is AVX.
    slot.image = unsafe { *image };
    slot.registers.gpr = GPR.map(register);
    slot.registers.rip = register(libc::REG_RIP);
    slot.registers.rflags = register(libc::REG_EFL);
    slot.registers.fs_base = fs_base;
    slot.registers.gs_base = gs_base;
    slot.code_selector = register(libc::REG_CSGSFS) as u16;
    slot.vector = register(libc::REG_TRAPNO) as u32;
    slot.error_code = register(libc::REG_ERR) as u32;
    slot.address = register(libc::REG_CR2);
    slot.how = match signal {
        libc::SIGPROF => How::ENDLESS,
        libc::SIGSYS => How::SYSTEM_CALL,
        _ => How::EXCEPTION,
    };
    OVER
}

/// Notes that the timer found the present case running; says whether too often.
fn tick() -> bool {
    let control = control();
    if control.ticked == control.number {
        control.ticks += 1;
    } else {
        control.ticked = control.number;
        control.ticks = 1;
    }
    control.ticks >= TICKS
}

/// Where the kernel keeps RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15.
const GPR: [c_int; 16] = [
    libc::REG_RAX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RBX,
    libc::REG_RSP,
    libc::REG_RBP,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];

/// Makes every signal of a case come to [`switch::on_signal`], on a stack of its own,
/// and blocks all others. For the child, before its first case.
pub(super) fn catch_all() -> bool {
    let stack = libc::stack_t {
        ss_sp: super::place::SIGNAL_STACK as *mut libc::c_void,
        ss_flags: 0,
        ss_size: super::place::SIGNAL_STACK_BYTES as usize,
    };
    // SAFETY: the stack is mapped and nobody's.
    let mut done = unsafe { libc::sigaltstack(&raw const stack, std::ptr::null_mut()) } == 0;
    // SAFETY: numbers and a null pointer: all zeros is a value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = switch::on_signal as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER | libc::SA_RESTART;
    let mut blocked = action.sa_mask;
    // SAFETY: writes a local set.
    unsafe { libc::sigfillset(&raw mut blocked) };
    for signal in SIGNALS {
        // SAFETY: the handler keeps to its contract in `switch`.
        done &= unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) } == 0;
        // SAFETY: writes a local set.
        unsafe { libc::sigdelset(&raw mut blocked, signal) };
    }
    // SAFETY: changes this thread's mask.
    let masked =
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const blocked, std::ptr::null_mut()) };
    done && masked == 0
}
