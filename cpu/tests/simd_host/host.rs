//! One instruction in executable memory, between code that loads and stores registers.

use std::ffi::c_void;
use std::mem::offset_of;
use std::ptr;
use std::sync::Once;

use super::{Registers, STATUS};

/// What the code around the instruction loads and stores. R8 points to it.
#[repr(C, align(64))]
struct Context {
    xmm: [u128; 2],
    mm: [u64; 2],
    mxcsr: u32,
    rax: u64,
    rcx: u64,
    flags: u64,
    /// The caller's MXCSR.
    saved_mxcsr: u32,
    rdx: u64,
    memory: [u128; 2],
    /// Where a fault is to continue.
    resume: u64,
    has_faulted: u64,
}

const _: () = {
    assert!(offset_of!(Context, mm) == 32);
    assert!(offset_of!(Context, mxcsr) == 48);
    assert!(offset_of!(Context, rax) == 56);
    assert!(offset_of!(Context, rcx) == 64);
    assert!(offset_of!(Context, flags) == 72);
    assert!(offset_of!(Context, saved_mxcsr) == 80);
    assert!(offset_of!(Context, rdx) == 88);
    assert!(offset_of!(Context, memory) == 96);
};

#[rustfmt::skip]
const BEFORE: &[u8] = &[
    0x53,                         // push rbx
    0x49, 0x89, 0xf8,             // mov r8, rdi
    0x41, 0x0f, 0xae, 0x58, 80,   // stmxcsr [r8 + 80]
    0x41, 0x0f, 0x10, 0x00,       // movups xmm0, [r8]
    0x41, 0x0f, 0x10, 0x48, 16,   // movups xmm1, [r8 + 16]
    0x41, 0x0f, 0x6f, 0x40, 32,   // movq mm0, [r8 + 32]
    0x41, 0x0f, 0x6f, 0x48, 40,   // movq mm1, [r8 + 40]
    0x49, 0x8d, 0x58, 96,         // lea rbx, [r8 + 96]
    0x48, 0x89, 0xdf,             // mov rdi, rbx
    0x49, 0x8b, 0x40, 56,         // mov rax, [r8 + 56]
    0x49, 0x8b, 0x48, 64,         // mov rcx, [r8 + 64]
    0x49, 0x8b, 0x50, 88,         // mov rdx, [r8 + 88]
    0x41, 0xff, 0x70, 72,         // push qword [r8 + 72]
    0x9d,                         // popfq
    0x41, 0x0f, 0xae, 0x50, 48,   // ldmxcsr [r8 + 48]
];

#[rustfmt::skip]
const AFTER: &[u8] = &[
    0x9c,                         // pushfq
    0x41, 0x8f, 0x40, 72,         // pop qword [r8 + 72]
    0x41, 0x0f, 0xae, 0x58, 48,   // stmxcsr [r8 + 48]
    0x41, 0x0f, 0xae, 0x50, 80,   // ldmxcsr [r8 + 80]
    0x41, 0x0f, 0x11, 0x00,       // movups [r8], xmm0
    0x41, 0x0f, 0x11, 0x48, 16,   // movups [r8 + 16], xmm1
    0x41, 0x0f, 0x7f, 0x40, 32,   // movq [r8 + 32], mm0
    0x41, 0x0f, 0x7f, 0x48, 40,   // movq [r8 + 40], mm1
    0x49, 0x89, 0x40, 56,         // mov [r8 + 56], rax
    0x49, 0x89, 0x48, 64,         // mov [r8 + 64], rcx
    0x49, 0x89, 0x50, 88,         // mov [r8 + 88], rdx
    0x0f, 0x77,                   // emms
    0x5b,                         // pop rbx
    0xc3,                         // ret
];

const PAGE: usize = 4096;

/// A page with the code for one instruction.
pub(crate) struct Host {
    page: *mut u8,
    resume: u64,
}

impl Host {
    pub(crate) fn new(instruction: &[u8]) -> Self {
        catch_faults();
        let code = [BEFORE, instruction, AFTER].concat();
        assert!(code.len() <= PAGE);
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches nothing of ours.
        let page = unsafe {
            libc::mmap(
                ptr::null_mut(),
                PAGE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(page, libc::MAP_FAILED);
        let page = page.cast::<u8>();
        // SAFETY: the page is ours, writable, and longer than the code.
        unsafe { ptr::copy_nonoverlapping(code.as_ptr(), page, code.len()) };
        // SAFETY: the page is ours, and nothing runs in it yet.
        let failed =
            unsafe { libc::mprotect(page.cast(), PAGE, libc::PROT_READ | libc::PROT_EXEC) };
        assert_eq!(failed, 0);
        let resume = page as u64 + (BEFORE.len() + instruction.len()) as u64;
        Self { page, resume }
    }

    pub(crate) fn run(&self, start: Registers) -> Registers {
        let mut context = Context {
            xmm: start.xmm,
            mm: start.mm,
            mxcsr: start.mxcsr,
            rax: start.rax,
            rcx: start.rcx,
            flags: start.flags | 2,
            saved_mxcsr: 0,
            rdx: start.rdx,
            memory: start.memory,
            resume: self.resume,
            has_faulted: 0,
        };
        // SAFETY: the page holds a function of this signature, which restores what its callers keep.
        let function =
            unsafe { std::mem::transmute::<*mut u8, extern "C" fn(*mut Context)>(self.page) };
        function(&raw mut context);
        Registers {
            xmm: context.xmm,
            mm: context.mm,
            mxcsr: context.mxcsr,
            rax: context.rax,
            rcx: context.rcx,
            rdx: context.rdx,
            flags: context.flags & STATUS,
            memory: context.memory,
            has_faulted: context.has_faulted != 0,
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // SAFETY: the page is ours, and nothing runs in it any more.
        unsafe { libc::munmap(self.page.cast(), PAGE) };
    }
}

/// Makes #XM continue after the instruction under test.
fn catch_faults() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: all zeros is a value of this plain C structure.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut c_void) = on_fault;
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO;
        // SAFETY: the handler only changes the interrupted context and what R8 points to.
        let failed = unsafe { libc::sigaction(libc::SIGFPE, &raw const action, ptr::null_mut()) };
        assert_eq!(failed, 0);
    });
}

extern "C" fn on_fault(_signal: i32, _info: *mut libc::siginfo_t, machine: *mut c_void) {
    // SAFETY: the kernel passes the interrupted context.
    let machine = unsafe { &mut *machine.cast::<libc::ucontext_t>() };
    let registers = &mut machine.uc_mcontext.gregs;
    let context = registers[libc::REG_R8 as usize] as *mut Context;
    // SAFETY: only the instruction under test raises SIGFPE, and R8 then points to its context.
    let context = unsafe { &mut *context };
    context.has_faulted = 1;
    registers[libc::REG_RIP as usize] = context.resume as i64;
}
