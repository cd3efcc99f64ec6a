//! The way from compiled code back into Rust.
#![expect(unsafe_code, reason = "compiled code passes pointers")]

use std::sync::atomic::{AtomicU8, Ordering};

use rax_cpu::Cpu;
use rax_cpu::compiled::Next;
use rax_cpu::x87::X87Function;

use crate::block::Unit;
use crate::jump_caches::JumpCacheOf;
use crate::whereabouts::Doing;

/// What [`carry_out`] says if compiled code is to be left.
pub(crate) const LEAVE: u64 = 0;
/// If it is to go on at RIP, by the jump cache.
pub(crate) const DISPATCH: u64 = 1;
/// Otherwise this, and the arithmetic flags as RFLAGS has them if they are wanted.
const GO_ON: u64 = 2;

/// Carries out one instruction of a unit, and says how compiled code goes on.
extern "sysv64" fn carry_out<const WITH_FLAGS: bool>(
    cpu: *mut Cpu,
    unit: *const Unit,
    index: u64,
) -> u64 {
    // SAFETY: compiled code runs inside `trampoline::run`, which holds the processor
    // exclusively and gave out this pointer.
    let cpu = unsafe { &mut *cpu };
    // SAFETY: compiled code passes its own unit, which the code cache keeps while it
    // may run.
    let unit = unsafe { &*unit };
    say(cpu, Doing::Helping);
    let (place, index) = unit.place(index as usize);
    let next = cpu.carry_out(place, index);
    say(cpu, Doing::Compiled);
    match next {
        Next::Leave => LEAVE,
        Next::Dispatch => dispatch(cpu),
        Next::GoOn if WITH_FLAGS => GO_ON | cpu.settled_status().bits(),
        Next::GoOn => GO_ON,
    }
}

/// What this host's RCPPS makes of four numbers.
#[cfg(target_arch = "x86_64")]
pub(crate) fn host_reciprocals(numbers: [u32; 4]) -> [u32; 4] {
    // SAFETY: every x86-64 processor has SSE.
    unsafe { estimates(numbers, false) }
}

/// What its RSQRTPS makes of them.
#[cfg(target_arch = "x86_64")]
pub(crate) fn host_root_reciprocals(numbers: [u32; 4]) -> [u32; 4] {
    // SAFETY: as above.
    unsafe { estimates(numbers, true) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse")]
fn estimates(numbers: [u32; 4], of_roots: bool) -> [u32; 4] {
    use std::arch::x86_64 as host;
    let [a, b, c, d] = numbers.map(f32::from_bits);
    let all = host::_mm_setr_ps(a, b, c, d);
    let all = if of_roots {
        host::_mm_rsqrt_ps(all)
    } else {
        host::_mm_rcp_ps(all)
    };
    let lanes = [
        all,
        host::_mm_shuffle_ps::<1>(all, all),
        host::_mm_shuffle_ps::<2>(all, all),
        host::_mm_shuffle_ps::<3>(all, all),
    ];
    lanes.map(|lane| host::_mm_cvtss_f32(lane).to_bits())
}

/// Says what is being done. What takes no longer than to say so is not worth it.
fn say(cpu: &Cpu, doing: Doing) {
    let cell = std::ptr::with_exposed_provenance::<AtomicU8>(cpu.cells.whereabouts as usize);
    // SAFETY: the engine put the address of its cell there before it entered compiled
    // code, and keeps the cell meanwhile.
    let cell = unsafe { &*cell };
    cell.store(doing as u8, Ordering::Relaxed);
}

/// Finds the jump cache of the present mode and address space. The engine fills it, and
/// changes it when the address space changes.
fn dispatch(cpu: &mut Cpu) -> u64 {
    let caches = std::ptr::with_exposed_provenance::<JumpCacheOf>(cpu.cells.jump_caches as usize);
    let cache = caches.wrapping_add(usize::from(cpu.mode().bits()));
    // SAFETY: the engine put the address of its list there before it entered compiled code,
    // the list has an entry for each mode, and nobody changes it while compiled code runs.
    let cache = unsafe { *cache };
    if cache.epoch != cpu.code_epoch() || !cpu.may_run_compiled() {
        return LEAVE;
    }
    cpu.cells.jumps = cache.address;
    cpu.cells.dispatched += 1;
    DISPATCH
}

/// Makes the state's flags valid; gives the arithmetic ones as RFLAGS has them.
extern "sysv64" fn settle(cpu: *mut Cpu) -> u64 {
    // SAFETY: as in `carry_out`.
    let cpu = unsafe { &mut *cpu };
    2 | cpu.settled_status().bits()
}

/// Makes the image of the x87 unit; zero if an exception is unmasked.
extern "sysv64" fn image_x87(cpu: *mut Cpu) -> u64 {
    // SAFETY: as in `carry_out`.
    let cpu = unsafe { &mut *cpu };
    u64::from(cpu.image_x87())
}

/// Computes a function of the x87 unit, by its number; zero if the interpreter must carry it out.
extern "sysv64" fn x87_function(cpu: *mut Cpu, function: u64) -> u64 {
    // SAFETY: as in `carry_out`.
    let cpu = unsafe { &mut *cpu };
    let function = X87Function::ALL.get(function as usize);
    u64::from(function.is_some_and(|&function| cpu.host_x87.compute(function)))
}

/// Set in what [`fill`] is asked if the access is a store.
pub(crate) const FILL_WRITE: u32 = 1 << 12;

/// Fills the entry of the TLB that an access needs. `what` is the greatest offset in a
/// page at which it does not cross into the next one, and its kind. Zero if the
/// interpreter must carry the access out.
extern "sysv64" fn fill(cpu: *mut Cpu, address: u64, what: u64) -> u64 {
    // SAFETY: as in `carry_out`.
    let cpu = unsafe { &mut *cpu };
    let write = what & u64::from(FILL_WRITE) != 0;
    let bytes = 4096 - (what & 0xfff);
    say(cpu, Doing::Helping);
    let is_filled = cpu.fill_tlb(address, bytes, write);
    say(cpu, Doing::Compiled);
    u64::from(is_filled)
}

/// Where compiled code finds the helpers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Helpers {
    /// Carries out one instruction: processor, unit, index; how to go on.
    pub(crate) carry_out: u64,
    /// The same, and gives the flags.
    pub(crate) carry_out_with_flags: u64,
    /// Makes flags valid: processor; gives the flags.
    pub(crate) settle: u64,
    /// Makes the image of the x87 unit: processor; zero if that must not be.
    pub(crate) image_x87: u64,
    /// Computes a function: processor, its number; zero if that cannot be.
    pub(crate) x87_function: u64,
    /// Fills the TLB: processor, address, limit and kind; zero if that cannot be.
    pub(crate) fill: u64,
}

/// The addresses.
pub(crate) fn addresses() -> Helpers {
    Helpers {
        carry_out: carry_out::<false> as *const () as u64,
        carry_out_with_flags: carry_out::<true> as *const () as u64,
        settle: settle as *const () as u64,
        image_x87: image_x87 as *const () as u64,
        x87_function: x87_function as *const () as u64,
        fill: fill as *const () as u64,
    }
}
