//! The child's life: it leaves its parent's memory, maps its own, and serves.
//!
//! Between the fork and the end it allocates nothing, takes no lock and calls nothing
//! that does, since its parent may have had other threads.
#![expect(unsafe_code, reason = "calls the kernel")]

use libc::{c_int, c_long};

use super::batch::Batch;
use super::place::{
    ALIAS, ALIAS_BYTES, HARNESS, HARNESS_BYTES, READ_ONLY_ALIAS, STACK_TOP, control,
};
use super::{filter, serve, signal, switch};
use crate::{CODE, CODE_BYTES, DATA, DATA_BYTES, READ_ONLY, READ_ONLY_BYTES};

/// What the child is born with.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Birth {
    pub(super) parent: c_int,
    /// Its end of the socket pair.
    pub(super) socket: c_int,
    /// What it shares with its parent.
    pub(super) batch: *mut Batch,
    /// Where the C library keeps `struct rseq`, counted from FS; zero if nowhere.
    pub(super) rseq: i64,
    /// How many strokes of the sweep lie in `input`, as three numbers each.
    pub(super) strokes: usize,
}

/// Bytes of a stroke in `input`.
pub(super) const STROKE_BYTES: usize = 24;

/// Exit status: the parent went away, or wants no more.
const UNWANTED: u64 = 0;
/// Exit status: a fault that is no case's.
pub(super) const BROKEN: u64 = 99;
/// Exit status of the first step that may fail; others follow.
pub(super) const FIRST_STEP: u64 = 100;

/// What may fail at birth, by exit status.
pub(super) const STEPS: [&str; 7] = [
    "it could not part from its parent's files",
    "it could not map its stacks",
    "it could not catch signals",
    "it could not unregister restartable sequences",
    "it could not map the windows of a case",
    "it could not set its timer",
    "it could not filter its system calls",
];

#[derive(Clone, Copy)]
enum Step {
    Files,
    Stacks,
    Signals,
    Sequences,
    Windows,
    Timer,
    Filter,
}

/// Lives, on the parent's stack at first.
pub(super) fn begin(birth: &Birth) -> ! {
    // SAFETY: asks to be killed when the thread that forked ends.
    let mut bound = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } == 0;
    // SAFETY: asks for a number.
    bound &= unsafe { libc::getppid() } == birth.parent;
    // SAFETY: a crash here is nothing to keep a core of.
    bound &= unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) } == 0;
    // SAFETY: the child has its own table of files.
    bound &= unsafe { libc::dup2(birth.socket, 0) } == 0;
    // SAFETY: as above.
    bound &= unsafe { libc::syscall(libc::SYS_close_range, 1, u32::MAX, 0) } == 0;
    check(bound, Step::Files);
    check(map(HARNESS, HARNESS_BYTES, libc::MAP_PRIVATE), Step::Stacks);
    check(signal::catch_all(), Step::Signals);
    let control = control();
    control.birth = *birth;
    (control.fs_base, control.gs_base) = switch::segment_bases();
    // SAFETY: just mapped.
    unsafe { switch::change_stack(STACK_TOP, settle) }
}

/// Goes on on a stack of its own: the parent's memory is unmapped.
unsafe extern "sysv64" fn settle() {
    let birth = control().birth;
    // SAFETY: the parent made it, keeps it mapped, and waits.
    let batch = unsafe { &mut *birth.batch };
    check(unregister_rseq(birth.rseq), Step::Sequences);
    // A fuzzer's counters and its shadow memory must stay.
    if !cfg!(fuzzing) {
        sweep(batch, birth.strokes);
    }
    check(map_windows(), Step::Windows);
    serve::clear_code();
    check(set_timer(), Step::Timer);
    check(set_filter(), Step::Filter);
    serve(birth.batch);
}

/// Says that it is ready, and runs batches until the parent goes away.
fn serve(batch: *mut Batch) {
    let mut serial = 0;
    let mut byte = 0u8;
    let address = &raw mut byte as u64;
    while call(libc::SYS_write, [0, address, 1, 0, 0, 0]) == 1
        && call(libc::SYS_read, [0, address, 1, 0, 0, 0]) == 1
    {
        // SAFETY: as in `settle`; the parent leaves it alone until it is told.
        serve::run(unsafe { &mut *batch }, &mut serial);
    }
    leave(UNWANTED);
}

/// Ends the child.
///
/// It does not return, but does not say so: an address sanitizer would make a system
/// call of its own before each call.
pub(super) fn leave(status: u64) {
    loop {
        call(libc::SYS_exit_group, [status, 0, 0, 0, 0, 0]);
    }
}

fn check(done: bool, step: Step) {
    if !done {
        leave(FIRST_STEP + step as u64);
    }
}

/// Calls the kernel, not by way of the C library, whose `errno` is gone with the rest.
fn call(number: c_long, arguments: [u64; 6]) -> i64 {
    // SAFETY: all calls in this file are on memory that the child has mapped itself, or
    // that it needs no more.
    unsafe { switch::system_call(number, &raw const arguments) }
}

/// Makes the kernel forget `struct rseq`, to which it writes whenever it feels like it.
fn unregister_rseq(offset: i64) -> bool {
    const UNREGISTER: u64 = 1;
    const SIGNATURE: u64 = 0x5305_3053;
    // It wants the length that the C library gave, which that does not tell.
    const USUAL: u64 = 32;
    let address = control().fs_base.wrapping_add_signed(offset);
    offset == 0
        || std::iter::once(USUAL)
            .chain((20..=512).step_by(4))
            .any(|bytes| {
                call(
                    libc::SYS_rseq,
                    [address, bytes, UNREGISTER, SIGNATURE, 0, 0],
                ) == 0
            })
}

/// Carries out what `sweep::plan` said. What has gone meanwhile need not go.
fn sweep(batch: &Batch, strokes: usize) {
    let (words, _) = batch.input.as_chunks::<8>();
    let (words, _) = words.as_chunks::<3>();
    for &[start, bytes, unmap] in words.iter().take(strokes) {
        let [start, bytes, unmap] = [start, bytes, unmap].map(u64::from_le_bytes);
        if unmap == 0 {
            let read_only = libc::PROT_READ as u64;
            call(libc::SYS_mprotect, [start, bytes, read_only, 0, 0, 0]);
        } else {
            call(libc::SYS_munmap, [start, bytes, 0, 0, 0, 0]);
        }
    }
}

/// Maps memory where nothing may be yet.
fn map(address: u64, bytes: u64, sharing: c_int) -> bool {
    let flags = sharing | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE | libc::MAP_POPULATE;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    call(
        libc::SYS_mmap,
        [address, bytes, protection as u64, flags as u64, u64::MAX, 0],
    ) == address as i64
}

fn map_windows() -> bool {
    map(DATA, DATA_BYTES as u64, libc::MAP_PRIVATE)
        && map(ALIAS, ALIAS_BYTES, libc::MAP_SHARED)
        && again(
            ALIAS,
            CODE,
            CODE_BYTES as u64,
            libc::PROT_READ | libc::PROT_EXEC,
        )
        && again(
            READ_ONLY_ALIAS,
            READ_ONLY,
            READ_ONLY_BYTES as u64,
            libc::PROT_READ,
        )
}

/// Maps shared memory once more, elsewhere and with other rights.
fn again(old: u64, new: u64, bytes: u64, protection: c_int) -> bool {
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // An old length of zero leaves the old mapping where it is (mremap(2)).
    call(libc::SYS_mremap, [old, 0, bytes, flags as u64, new, 0]) == new as i64
        && call(libc::SYS_mprotect, [new, bytes, protection as u64, 0, 0, 0]) == 0
}

/// A timer that runs while the child does, so that an idle one costs nothing and a
/// crowded host makes no case endless.
fn set_timer() -> bool {
    const ITIMER_PROF: u64 = 2;
    let period = libc::timeval {
        tv_sec: 0,
        tv_usec: signal::TICK_US,
    };
    let timer = libc::itimerval {
        it_interval: period,
        it_value: period,
    };
    let address = &raw const timer as u64;
    call(libc::SYS_setitimer, [ITIMER_PROF, address, 0, 0, 0, 0]) == 0
}

fn set_filter() -> bool {
    let mut instructions = filter::program(switch::gate_address());
    let program = libc::sock_fprog {
        len: filter::INSTRUCTIONS as u16,
        filter: instructions.as_mut_ptr(),
    };
    let no_new_privileges = libc::PR_SET_NO_NEW_PRIVS as u64;
    call(libc::SYS_prctl, [no_new_privileges, 1, 0, 0, 0, 0]) == 0
        && call(
            libc::SYS_seccomp,
            [
                u64::from(libc::SECCOMP_SET_MODE_FILTER),
                // Cases are no secret to each other; without this all get slower.
                libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
                &raw const program as u64,
                0,
                0,
                0,
            ],
        ) == 0
}
