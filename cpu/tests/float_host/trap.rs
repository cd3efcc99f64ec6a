//! Unmasked SSE exceptions on the host: a SIGFPE handler that notes MXCSR, masks everything and goes on.

#[cfg(target_os = "linux")]
pub(crate) use linux::can_trap;

/// Other systems have no handler here: exceptions stay masked.
#[cfg(not(target_os = "linux"))]
pub(crate) const fn can_trap() -> bool {
    false
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::{c_int, c_ulong, c_void};
    use std::sync::OnceLock;

    use super::super::{is_reference, sse::Sse};

    /// `struct sigaction` of Linux on x86-64, as its C libraries have it.
    #[repr(C)]
    struct SigAction {
        handler: extern "C" fn(c_int, *mut c_void, &mut Context),
        mask: [c_ulong; 16],
        flags: c_int,
        restorer: usize,
    }

    /// The start of a `ucontext_t`.
    #[repr(C)]
    struct Context {
        flags: u64,
        link: u64,
        stack: [u64; 3],
        registers: [u64; 23],
        float: *mut FloatState,
    }

    /// The start of the FXSAVE image.
    #[repr(C)]
    struct FloatState {
        x87: [u32; 6],
        mxcsr: u32,
    }

    const SIGFPE: c_int = 8;
    const SA_SIGINFO: c_int = 4;
    /// The place of RDI among the saved registers.
    const RDI: usize = 8;

    unsafe extern "C" {
        fn sigaction(signal: c_int, action: *const SigAction, old: *mut SigAction) -> c_int;
    }

    extern "C" fn on_sigfpe(_: c_int, _: *mut c_void, context: &mut Context) {
        // SAFETY: the kernel points to the state that it is about to restore.
        let float = unsafe { &mut *context.float };
        let state = std::ptr::with_exposed_provenance_mut::<Sse>(context.registers[RDI] as usize);
        // SAFETY: every SSE instruction under test keeps its state at RDI, and nothing else here traps.
        let state = unsafe { &mut *state };
        state.trapped = float.mxcsr;
        float.mxcsr |= 0x1f80;
    }

    /// Installs the handler, on a processor whose traps are the reference, and says whether that worked.
    pub(crate) fn can_trap() -> bool {
        static INSTALLED: OnceLock<bool> = OnceLock::new();
        *INSTALLED.get_or_init(|| {
            if !is_reference() {
                return false;
            }
            let action = SigAction {
                handler: on_sigfpe,
                mask: [0; 16],
                flags: SA_SIGINFO,
                restorer: 0,
            };
            // SAFETY: the action is complete, and nobody wants the old one.
            unsafe { sigaction(SIGFPE, &raw const action, std::ptr::null_mut()) == 0 }
        })
    }
}
