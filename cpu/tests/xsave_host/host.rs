//! Runs one instruction of the XSAVE family on the host, from a state to a state.

use std::ptr;

use super::Scene;

/// What the code reads and writes, at RDI.
#[repr(C, align(64))]
struct Context {
    /// Loaded before.
    before: [u8; super::AREA],
    /// What the instruction under test works on, at RSI.
    area: [u8; super::AREA],
    /// Saved after.
    after: [u8; super::AREA],
    mask: u64,
}

const AFTER: u32 = 2 * super::AREA as u32;
const MASK: u32 = 3 * super::AREA as u32;
const _: () = assert!(std::mem::offset_of!(Context, after) == AFTER as usize);
const _: () = assert!(std::mem::offset_of!(Context, mask) == MASK as usize);

const PAGE: usize = 4096;

/// A page with the code around one instruction.
pub(crate) struct Host {
    page: *mut u8,
}

impl Host {
    pub(crate) fn new(instruction: &[u8]) -> Self {
        let code = around(instruction);
        assert!(code.len() <= PAGE);
        let protection = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping disturbs nobody.
        let page = unsafe { libc::mmap(ptr::null_mut(), PAGE, protection, flags, -1, 0) };
        assert_ne!(page, libc::MAP_FAILED, "no executable memory");
        let page = page.cast::<u8>();
        // SAFETY: the mapping is new, and longer than the code.
        unsafe { ptr::copy_nonoverlapping(code.as_ptr(), page, code.len()) };
        Self { page }
    }

    /// The area and the state that the instruction leaves behind.
    pub(crate) fn run(&self, scene: &Scene) -> ([u8; super::AREA], [u8; super::AREA]) {
        let mut context = Box::new(Context {
            before: scene.before,
            area: scene.area,
            after: [0; super::AREA],
            mask: scene.mask,
        });
        let context: *mut Context = &raw mut *context;
        // SAFETY: the page holds a function of this signature, which works on the context alone
        // and leaves x87 and MXCSR as its callers expect them.
        let function =
            unsafe { std::mem::transmute::<*mut u8, extern "sysv64" fn(*mut Context)>(self.page) };
        function(context);
        // SAFETY: the box that owns it is alive to the end of this function.
        let context = unsafe { &*context };
        (context.area, context.after)
    }

    /// Whether the instruction faults, found out by a child that may die of it.
    pub(crate) fn faults(&self, scene: &Scene) -> bool {
        // SAFETY: the child calls nothing but the code under test, and leaves at once.
        let child = unsafe { libc::fork() };
        assert!(child >= 0, "no child");
        if child == 0 {
            self.run(scene);
            // SAFETY: ends this child, which owns nothing.
            unsafe { libc::_exit(0) };
        }
        let mut status = 0;
        // SAFETY: waits for the child just made.
        let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!(waited, child);
        libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGSEGV
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and no code of it runs.
        unsafe { libc::munmap(self.page.cast(), PAGE) };
    }
}

/// Loads the state, runs the instruction with its operand at RSI, saves the state.
fn around(instruction: &[u8]) -> Vec<u8> {
    let with = |code: &[u8], displacement: u32| [code, &displacement.to_le_bytes()].concat();
    [
        vec![0xb8, super::ALL as u8, 0, 0, 0],  // mov eax, ALL
        vec![0x31, 0xd2],                       // xor edx, edx
        vec![0x48, 0x0f, 0xae, 0x2f],           // xrstor64 [rdi]
        with(&[0x48, 0x8d, 0xb7], AFTER / 2),   // lea rsi, [rdi + area]
        with(&[0x8b, 0x87], MASK),              // mov eax, [rdi + mask]
        with(&[0x8b, 0x97], MASK + 4),          // mov edx, [rdi + mask + 4]
        instruction.to_vec(),                   //
        vec![0xb8, super::ALL as u8, 0, 0, 0],  // mov eax, ALL
        vec![0x31, 0xd2],                       // xor edx, edx
        with(&[0x48, 0x0f, 0xae, 0xa7], AFTER), // xsave64 [rdi + after]
        vec![0xdb, 0xe3],                       // fninit
        vec![0xc5, 0xf8, 0x77],                 // vzeroupper
        vec![0x68, 0x80, 0x1f, 0, 0],           // push 1f80h
        vec![0x0f, 0xae, 0x14, 0x24],           // ldmxcsr [rsp]
        vec![0x58],                             // pop rax
        vec![0xc3],                             // ret
    ]
    .concat()
}
