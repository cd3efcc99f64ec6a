//! One instruction in executable memory, between code that loads and stores registers.

use std::ffi::c_void;
use std::mem::offset_of;
use std::ptr;
use std::sync::Once;

use super::registers::{Registers, STATUS};

/// What the code around the instruction loads and stores. R8 points to it.
#[repr(C, align(64))]
struct Context {
    mm: [u64; 2],
    rax: u64,
    rcx: u64,
    rdx: u64,
    flags: u64,
    mxcsr: u32,
    /// The caller's MXCSR.
    saved_mxcsr: u32,
    /// Where a fault is to continue.
    resume: u64,
    /// The signal that a fault became, or zero.
    signal: u64,
    /// The address that the signal tells.
    address: u64,
    /// What RBX and RDI are to be.
    pointer: u64,
    /// YMM registers.
    vectors: [[u128; 2]; 4],
    /// Aligned for the widest.
    memory: Memory,
}

/// What RBX and RDI point to.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Memory([u128; 4]);

const _: () = {
    assert!(offset_of!(Context, rax) == 16);
    assert!(offset_of!(Context, rcx) == 24);
    assert!(offset_of!(Context, rdx) == 32);
    assert!(offset_of!(Context, flags) == 40);
    assert!(offset_of!(Context, mxcsr) == 48);
    assert!(offset_of!(Context, saved_mxcsr) == 52);
    assert!(offset_of!(Context, pointer) == 80);
    assert!(offset_of!(Context, vectors) == 96);
};

#[rustfmt::skip]
const BEFORE: &[u8] = &[
    0x53,                                     // push rbx
    0x49, 0x89, 0xf8,                         // mov r8, rdi
    0x41, 0x0f, 0xae, 0x58, 52,               // stmxcsr [r8 + 52]
    0xc4, 0xc1, 0x7c, 0x10, 0x80, 96, 0, 0, 0,  // vmovups ymm0, [r8 + 96]
    0xc4, 0xc1, 0x7c, 0x10, 0x88, 128, 0, 0, 0, // vmovups ymm1, [r8 + 128]
    0xc4, 0xc1, 0x7c, 0x10, 0x90, 160, 0, 0, 0, // vmovups ymm2, [r8 + 160]
    0xc4, 0xc1, 0x7c, 0x10, 0x98, 192, 0, 0, 0, // vmovups ymm3, [r8 + 192]
    0x41, 0x0f, 0x6f, 0x00,                   // movq mm0, [r8]
    0x41, 0x0f, 0x6f, 0x48, 8,                // movq mm1, [r8 + 8]
    0x49, 0x8b, 0x58, 80,                     // mov rbx, [r8 + 80]
    0x48, 0x89, 0xdf,                         // mov rdi, rbx
    0x49, 0x8b, 0x40, 16,                     // mov rax, [r8 + 16]
    0x49, 0x8b, 0x48, 24,                     // mov rcx, [r8 + 24]
    0x49, 0x8b, 0x50, 32,                     // mov rdx, [r8 + 32]
    0x41, 0xff, 0x70, 40,                     // push qword [r8 + 40]
    0x9d,                                     // popfq
    0x41, 0x0f, 0xae, 0x50, 48,               // ldmxcsr [r8 + 48]
];

#[rustfmt::skip]
const AFTER: &[u8] = &[
    0x9c,                                     // pushfq
    0x41, 0x8f, 0x40, 40,                     // pop qword [r8 + 40]
    0x6a, 0x02,                               // push 2
    0x9d,                                     // popfq
    0x41, 0x0f, 0xae, 0x58, 48,               // stmxcsr [r8 + 48]
    0x41, 0x0f, 0xae, 0x50, 52,               // ldmxcsr [r8 + 52]
    0xc4, 0xc1, 0x7c, 0x11, 0x80, 96, 0, 0, 0,  // vmovups [r8 + 96], ymm0
    0xc4, 0xc1, 0x7c, 0x11, 0x88, 128, 0, 0, 0, // vmovups [r8 + 128], ymm1
    0xc4, 0xc1, 0x7c, 0x11, 0x90, 160, 0, 0, 0, // vmovups [r8 + 160], ymm2
    0xc4, 0xc1, 0x7c, 0x11, 0x98, 192, 0, 0, 0, // vmovups [r8 + 192], ymm3
    0xc5, 0xf8, 0x77,                         // vzeroupper
    0x41, 0x0f, 0x7f, 0x00,                   // movq [r8], mm0
    0x41, 0x0f, 0x7f, 0x48, 8,                // movq [r8 + 8], mm1
    0x49, 0x89, 0x40, 16,                     // mov [r8 + 16], rax
    0x49, 0x89, 0x48, 24,                     // mov [r8 + 24], rcx
    0x49, 0x89, 0x50, 32,                     // mov [r8 + 32], rdx
    0x0f, 0x77,                               // emms
    0x5b,                                     // pop rbx
    0xc3,                                     // ret
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

    /// Runs it with RBX and RDI on the memory in `start`.
    pub(crate) fn run(&self, start: &Registers) -> Registers {
        self.run_at(start, None).0
    }

    /// Runs it with RBX and RDI as given; also what signal came of it.
    pub(crate) fn run_at(&self, start: &Registers, at: Option<u64>) -> (Registers, Option<Fault>) {
        let mut context = Context {
            mm: start.mm,
            rax: start.rax,
            rcx: start.rcx,
            rdx: start.rdx,
            flags: start.flags | 2,
            mxcsr: start.mxcsr,
            saved_mxcsr: 0,
            resume: self.resume,
            signal: 0,
            address: 0,
            pointer: 0,
            vectors: start.vectors,
            memory: Memory(start.memory),
        };
        context.pointer = at.unwrap_or((&raw mut context.memory) as u64);
        // SAFETY: the page holds a function of this signature, which restores what its callers keep.
        let function =
            unsafe { std::mem::transmute::<*mut u8, extern "C" fn(*mut Context)>(self.page) };
        function(&raw mut context);
        let end = Registers {
            vectors: context.vectors,
            mm: context.mm,
            mxcsr: context.mxcsr,
            rax: context.rax,
            rcx: context.rcx,
            rdx: context.rdx,
            flags: context.flags & STATUS,
            memory: context.memory.0,
            has_faulted: context.signal != 0,
        };
        let fault = Fault {
            signal: context.signal as i32,
            address: context.address,
        };
        (end, (context.signal != 0).then_some(fault))
    }
}

/// What a fault became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) signal: i32,
    pub(crate) address: u64,
}

impl Drop for Host {
    fn drop(&mut self) {
        // SAFETY: the page is ours, and nothing runs in it any more.
        unsafe { libc::munmap(self.page.cast(), PAGE) };
    }
}

/// Makes faults continue after the instruction under test.
fn catch_faults() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: all zeros is a value of this plain C structure.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut c_void) = on_fault;
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO;
        for signal in [libc::SIGFPE, libc::SIGSEGV, libc::SIGILL, libc::SIGBUS] {
            // SAFETY: the handler only changes the interrupted context and what R8 points to.
            let failed = unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
            assert_eq!(failed, 0);
        }
    });
}

extern "C" fn on_fault(signal: i32, info: *mut libc::siginfo_t, machine: *mut c_void) {
    // SAFETY: the kernel passes the interrupted context.
    let machine = unsafe { &mut *machine.cast::<libc::ucontext_t>() };
    let registers = &mut machine.uc_mcontext.gregs;
    let context = registers[libc::REG_R8 as usize] as *mut Context;
    // SAFETY: only the instruction under test faults, and R8 then points to its context.
    let context = unsafe { &mut *context };
    // SAFETY: the kernel passes what it knows of the fault.
    let info = unsafe { &*info };
    // SAFETY: all four signals tell an address.
    let address = unsafe { info.si_addr() };
    context.signal = signal as u64;
    context.address = address as u64;
    // What follows need not be aligned.
    registers[libc::REG_EFL as usize] &= !(1 << 18);
    registers[libc::REG_RIP as usize] = context.resume as i64;
}
