//! The way from Rust into compiled code.
#![expect(unsafe_code, reason = "calls code that was made at run time")]

use rax_cpu::Cpu;

/// A back end's routine that loads the guest's registers, jumps, and comes back when
/// compiled code is left: the processor, and where to jump.
#[cfg(target_arch = "x86_64")]
type Enter = extern "sysv64" fn(cpu: *mut Cpu, entry: u64);
#[cfg(not(target_arch = "x86_64"))]
type Enter = extern "C" fn(cpu: *mut Cpu, entry: u64);

/// Runs compiled code until it is left.
///
/// `enter` and `entry` are addresses in the code cache that the back end gave out for
/// these two purposes, and that have not been freed.
pub(crate) fn run(enter: u64, entry: u64, cpu: &mut Cpu) {
    let routine = std::ptr::with_exposed_provenance::<()>(enter as usize);
    // SAFETY: the engine passes the address of the routine that the back end made for it;
    // its code obeys the calling convention named.
    let routine: Enter = unsafe { std::mem::transmute(routine) };
    routine(&raw mut *cpu, entry);
}
