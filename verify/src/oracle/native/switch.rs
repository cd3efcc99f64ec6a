//! The few instructions between the harness and a case: in, out, and to the kernel.
//!
//! A case is entered with IRETQ, which loads RIP, RFLAGS and RSP at once, needs no
//! register, serializes, and lets a TF that it loads trap only after the case's first
//! instruction (SDM 2A, IRET). It is left by a signal, always.
#![expect(
    unsafe_code,
    reason = "loads and saves the whole state of the processor"
)]

use std::arch::naked_asm;
use std::mem::offset_of;

use super::inside::Birth;
use super::place::HARNESS;

/// What the instructions below read and write; it lies at [`HARNESS`].
#[repr(C)]
pub(super) struct Control {
    /// RSP of the harness while a case runs.
    rsp: u64,
    /// Base of FS for the harness.
    pub(super) fs_base: u64,
    /// Base of GS for the harness.
    pub(super) gs_base: u64,
    /// What the case's general-purpose registers hold, but for RSP.
    pub(super) gpr: [u64; 16],
    /// Base of FS for the case.
    pub(super) case_fs_base: u64,
    /// Base of GS for the case.
    pub(super) case_gs_base: u64,
    /// Address of the case's XSAVE image.
    pub(super) image: u64,
    /// What IRETQ pops: RIP, CS, RFLAGS, RSP, SS.
    pub(super) frame: [u64; 5],
    /// Whether a case runs. (RSP can't tell: a case may have destroyed the harness's.)
    pub(super) is_running: u64,
    /// The case's number since the child began.
    pub(super) number: u64,
    /// The number of the case that the timer last found running.
    pub(super) ticked: u64,
    /// How often it found it.
    pub(super) ticks: u64,
    /// Address of the case's slot.
    pub(super) slot: u64,
    /// What the child was born with.
    pub(super) birth: Birth,
}

/// Runs the case that `Control` describes; returns when a signal has ended it.
///
/// # Safety
/// `Control` lies at [`HARNESS`], complete and with valid addresses; the signal
/// handlers are [`on_signal`].
#[unsafe(naked)]
pub(super) unsafe extern "sysv64" fn enter(control: *mut Control) {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdi + {rsp}], rsp",
        // A case before this one may have loaded selectors.
        "xor eax, eax",
        "mov ds, eax",
        "mov es, eax",
        "mov fs, eax",
        "mov gs, eax",
        "mov rax, [rdi + {fs_base}]",
        "wrfsbase rax",
        "mov rax, [rdi + {gs_base}]",
        "wrgsbase rax",
        // x87, SSE and AVX from the image; AVX-512, which the C library may have used since
        // the last signal, is not in it and so gets its initial state.
        "mov rsi, [rdi + {image}]",
        "mov eax, 0xe7",
        "xor edx, edx",
        "xrstor64 [rsi]",
        "lea rsp, [rdi + {frame}]",
        "mov rax, [rdi + {gpr}]",
        "mov rcx, [rdi + {gpr} + 8]",
        "mov rdx, [rdi + {gpr} + 16]",
        "mov rbx, [rdi + {gpr} + 24]",
        "mov rbp, [rdi + {gpr} + 40]",
        "mov rsi, [rdi + {gpr} + 48]",
        "mov r8, [rdi + {gpr} + 64]",
        "mov r9, [rdi + {gpr} + 72]",
        "mov r10, [rdi + {gpr} + 80]",
        "mov r11, [rdi + {gpr} + 88]",
        "mov r12, [rdi + {gpr} + 96]",
        "mov r13, [rdi + {gpr} + 104]",
        "mov r14, [rdi + {gpr} + 112]",
        "mov r15, [rdi + {gpr} + 120]",
        "mov rdi, [rdi + {gpr} + 56]",
        "iretq",
        rsp = const offset_of!(Control, rsp),
        fs_base = const offset_of!(Control, case_fs_base),
        gs_base = const offset_of!(Control, case_gs_base),
        image = const offset_of!(Control, image),
        frame = const offset_of!(Control, frame),
        gpr = const offset_of!(Control, gpr),
    )
}

/// What every signal of the child comes to.
///
/// It asks [`super::signal::handle`], which says whether the case is over. If it is,
/// the call of [`enter`] returns; the kernel keeps no account of signals that have
/// not been returned from, since no signal is masked meanwhile. If not, everything
/// goes on where it was.
///
/// # Safety
/// For the kernel alone, with SA_SIGINFO and SA_ONSTACK.
#[unsafe(naked)]
pub(super) unsafe extern "sysv64" fn on_signal() {
    naked_asm!(
        // The kernel clears DF, TF and RF, but not AC (nor NT, which hurts IRETQ alone).
        "pushfq",
        "and qword ptr [rsp], ~0x40000",
        "popfq",
        "rdfsbase r12",
        "rdgsbase r13",
        "mov rbx, {harness}",
        "mov rax, [rbx + {fs_base}]",
        "wrfsbase rax",
        "mov rax, [rbx + {gs_base}]",
        "wrgsbase rax",
        // handle(signal, information, context, FS base, GS base)
        "mov rcx, r12",
        "mov r8, r13",
        "sub rsp, 8",
        "call {handle}",
        "add rsp, 8",
        "test eax, eax",
        "jnz 2f",
        "wrfsbase r12",
        "wrgsbase r13",
        // RT_SIGRETURN wants RSP as a handler's RET would leave it.
        "add rsp, 8",
        "mov eax, {sigreturn}",
        "jmp {gate}",
        "2:",
        "mov rsp, [rbx + {rsp}]",
        "push 2",
        "popfq",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
        harness = const HARNESS,
        fs_base = const offset_of!(Control, fs_base),
        gs_base = const offset_of!(Control, gs_base),
        rsp = const offset_of!(Control, rsp),
        sigreturn = const libc::SYS_rt_sigreturn,
        handle = sym super::signal::handle,
        gate = sym gate,
    )
}

/// The one SYSCALL that the kernel will hear of (see [`super::filter`]).
///
/// # Safety
/// For [`system_call`] and [`on_signal`] alone: it wants the kernel's registers.
#[unsafe(naked)]
unsafe extern "sysv64" fn gate() {
    naked_asm!("syscall", "ret")
}

/// The address that the kernel sees a harness's system call come from.
pub(super) fn gate_address() -> u64 {
    const SYSCALL_BYTES: u64 = 2;
    gate as *const () as u64 + SYSCALL_BYTES
}

/// Calls the kernel; errors come as small negative numbers.
///
/// # Safety
/// As the system call's own.
#[unsafe(naked)]
pub(super) unsafe extern "sysv64" fn system_call(
    number: libc::c_long,
    arguments: *const [u64; 6],
) -> i64 {
    naked_asm!(
        "mov rax, rdi",
        "mov rdi, [rsi]",
        "mov rdx, [rsi + 16]",
        "mov r10, [rsi + 24]",
        "mov r8, [rsi + 32]",
        "mov r9, [rsi + 40]",
        "mov rsi, [rsi + 8]",
        "jmp {gate}",
        gate = sym gate,
    )
}

/// Goes on in `next` with an empty stack that ends at `top`.
///
/// # Safety
/// The stack is writable and nobody's; `next` does not return.
#[unsafe(naked)]
pub(super) unsafe extern "sysv64" fn change_stack(
    top: u64,
    next: unsafe extern "sysv64" fn(),
) -> ! {
    naked_asm!("mov rsp, rdi", "xor ebp, ebp", "call rsi", "ud2")
}

/// The bases of FS and GS.
pub(super) fn segment_bases() -> (u64, u64) {
    #[unsafe(naked)]
    unsafe extern "sysv64" fn fs_base() -> u64 {
        naked_asm!("rdfsbase rax", "ret")
    }
    #[unsafe(naked)]
    unsafe extern "sysv64" fn gs_base() -> u64 {
        naked_asm!("rdgsbase rax", "ret")
    }
    // SAFETY: reads a register; `Oracle::new` has seen that the host has the instruction.
    let fs = unsafe { fs_base() };
    // SAFETY: as above.
    let gs = unsafe { gs_base() };
    (fs, gs)
}

/// Whether the kernel lets programs use WRFSBASE and its kin.
pub(super) fn may_set_segment_bases() -> bool {
    const FSGSBASE: u64 = 2;
    // SAFETY: looks something up.
    unsafe { libc::getauxval(libc::AT_HWCAP2) & FSGSBASE != 0 }
}
