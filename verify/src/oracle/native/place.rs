//! Where things lie in the child.
//!
//! Nothing is mapped there but the harness, the three windows of the case, and the
//! text of our own program. The harness lies at an address with no round number near
//! it, so that a case hits it only if it means to.
#![expect(unsafe_code, reason = "makes references to fixed addresses")]

use super::switch::Control;
use crate::{CODE_BYTES, DATA, DATA_BYTES, READ_ONLY_BYTES};

/// How long both data windows are.
pub(super) const WINDOWS_BYTES: usize = DATA_BYTES + READ_ONLY_BYTES;

/// The harness: [`Control`], then both stacks, then what both data windows held at the
/// start.
pub(super) const HARNESS: u64 = 0x3a5c_691e_7000;
const STACK_BYTES: u64 = 0x10000;
/// Above the first page and the harness's stack.
pub(super) const STACK_TOP: u64 = HARNESS + 0x1000 + STACK_BYTES;
/// The stack that signals are delivered on.
pub(super) const SIGNAL_STACK: u64 = STACK_TOP;
/// How long it is: frames with AMX state take 11 KiB, and two may nest.
pub(super) const SIGNAL_STACK_BYTES: u64 = 0x20000;
const START: u64 = SIGNAL_STACK + SIGNAL_STACK_BYTES;
/// How long the harness is.
pub(super) const HARNESS_BYTES: u64 = START + WINDOWS_BYTES as u64 - HARNESS;

/// The code window as the harness writes it, then the read-only window.
pub(super) const ALIAS: u64 = 0x4b2d_53c6_9000;
/// How long both are.
pub(super) const ALIAS_BYTES: u64 = (CODE_BYTES + READ_ONLY_BYTES) as u64;
/// The read-only window as the harness writes it.
pub(super) const READ_ONLY_ALIAS: u64 = ALIAS + CODE_BYTES as u64;

const _: () = assert!(size_of::<Control>() < 0x1000, "the first page");

// Every one of these makes a new reference, because between two uses a case or a signal
// handler has changed what is there.

/// What is shared with the assembly.
pub(super) fn control() -> &'static mut Control {
    // SAFETY: mapped by `inside::begin`; of plain numbers; the child has one thread.
    unsafe { &mut *(HARNESS as *mut Control) }
}

/// What both data windows held at the start.
pub(super) fn start() -> &'static mut [u8; WINDOWS_BYTES] {
    // SAFETY: as in `control`.
    unsafe { &mut *(START as *mut [u8; WINDOWS_BYTES]) }
}

/// The writable window.
pub(super) fn data() -> &'static mut [u8; DATA_BYTES] {
    // SAFETY: as in `control`; mapped by `inside::map_windows`.
    unsafe { &mut *(DATA as *mut [u8; DATA_BYTES]) }
}

/// The read-only window.
pub(super) fn read_only() -> &'static mut [u8; READ_ONLY_BYTES] {
    // SAFETY: as in `data`.
    unsafe { &mut *(READ_ONLY_ALIAS as *mut [u8; READ_ONLY_BYTES]) }
}

/// The code window.
pub(super) fn code() -> &'static mut [u8; CODE_BYTES] {
    // SAFETY: as in `data`.
    unsafe { &mut *(ALIAS as *mut [u8; CODE_BYTES]) }
}
