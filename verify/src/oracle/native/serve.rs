//! The child's work: runs the cases of a batch, one after the other.
#![expect(unsafe_code, reason = "enters cases")]

use super::batch::{Batch, How, LINE, LINES, Line};
use super::place::{HARNESS, WINDOWS_BYTES, code, control, data, read_only, start};
use super::switch::{Control, enter};
use crate::{CODE_BYTES, DATA_BYTES};

/// What the code window holds where no code lies.
pub(super) const HLT: u8 = 0xf4;
/// How many lines a case can change.
const LINES_PER_CASE: usize = DATA_BYTES / LINE;

/// Runs a batch, as far as there is room for what changes.
pub(super) fn run(batch: &mut Batch, serial: &mut u64) {
    let mut line = 0;
    let count = (batch.count as usize).min(batch.slots.len());
    for index in 0..count {
        if line + LINES_PER_CASE > LINES {
            return;
        }
        let input = batch.slots[index].input as usize;
        let code_start = batch.slots[index].code_offset as usize;
        let code_bytes = batch.slots[index].code_bytes as usize;
        let filler = &batch.fillers[batch.slots[index].filler as usize];
        if filler.serial != *serial {
            *serial = filler.serial;
            lay(0, &filler.bytes);
        }
        let patches = input + code_bytes;
        each_patch(batch, index, patches, |offset, bytes, _| lay(offset, bytes));
        code()[code_start..code_start + code_bytes].copy_from_slice(&batch.input[input..patches]);

        prepare(batch, index);
        // SAFETY: `prepare` has completed `Control`; `signal::catch_all` has set the
        // handlers.
        unsafe { enter(HARNESS as *mut Control) };

        code()[code_start..code_start + code_bytes].fill(HLT);
        let first = line;
        collect(&mut batch.lines, &mut line);
        let slot = &mut batch.slots[index];
        slot.first_line = first as u32;
        slot.line_count = (line - first) as u32;
        each_patch(batch, index, patches, |offset, bytes, filler| {
            lay(offset, &filler[offset..offset + bytes.len()]);
        });
        batch
            .done
            .store(index as u32 + 1, std::sync::atomic::Ordering::Release);
    }
}

/// Writes to both windows, and to what they are compared with afterwards.
fn lay(offset: usize, bytes: &[u8]) {
    start()[offset..offset + bytes.len()].copy_from_slice(bytes);
    let split = DATA_BYTES.saturating_sub(offset).min(bytes.len());
    let (in_data, in_read_only) = bytes.split_at(split);
    if !in_data.is_empty() {
        data()[offset..offset + split].copy_from_slice(in_data);
    }
    if !in_read_only.is_empty() {
        let offset = offset + split - DATA_BYTES;
        read_only()[offset..offset + in_read_only.len()].copy_from_slice(in_read_only);
    }
}

/// Calls `act` with a patch's offset and bytes, and the filler that it lies on.
fn each_patch(
    batch: &Batch,
    index: usize,
    mut at: usize,
    act: impl Fn(usize, &[u8], &[u8; WINDOWS_BYTES]),
) {
    let slot = &batch.slots[index];
    let filler = &batch.fillers[slot.filler as usize].bytes;
    let number = |at: usize| {
        let bytes = [0, 1, 2, 3].map(|byte| batch.input[at + byte]);
        u32::from_le_bytes(bytes) as usize
    };
    for _ in 0..slot.patches {
        let (offset, bytes) = (number(at), number(at + 4));
        at += 8;
        act(offset, &batch.input[at..at + bytes], filler);
        at += bytes;
    }
}

/// Tells `enter` and the signal handler of the case.
fn prepare(batch: &mut Batch, index: usize) {
    const CODE_SELECTOR: u64 = 0x33;
    const STACK_SELECTOR: u64 = 0x2b;
    let slot = &mut batch.slots[index];
    slot.how = How::UNKNOWN;
    let control = control();
    let registers = &slot.registers;
    control.gpr = registers.gpr;
    control.case_fs_base = registers.fs_base;
    control.case_gs_base = registers.gs_base;
    control.frame = [
        registers.rip,
        CODE_SELECTOR,
        registers.rflags,
        registers.gpr[4],
        STACK_SELECTOR,
    ];
    control.image = &raw const slot.image as u64;
    control.slot = &raw mut *slot as u64;
    control.number += 1;
    control.is_running = 1;
}

/// Notes which lines of the writable window have changed, and puts them right.
fn collect(lines: &mut [Line], count: &mut usize) {
    const BLOCK: usize = 16 * LINE;
    let start = start()[..DATA_BYTES].as_chunks::<BLOCK>().0;
    let data = data().as_chunks_mut::<BLOCK>().0;
    for (number, (before, after)) in start.iter().zip(data).enumerate() {
        if !differ(before, after) {
            continue;
        }
        let before = before.as_chunks::<LINE>().0;
        let after = after.as_chunks_mut::<LINE>().0;
        for (line, (before, after)) in before.iter().zip(after).enumerate() {
            if differ(before, after)
                && let Some(place) = lines.get_mut(*count)
            {
                *place = Line {
                    offset: (number * BLOCK + line * LINE) as u32,
                    before: *before,
                    after: *after,
                };
                *count += 1;
                *after = *before;
            }
        }
    }
}

/// Compares without a way out, which the compiler makes a few vector instructions of.
fn differ(one: &[u8], other: &[u8]) -> bool {
    let words = |bytes| <[u8]>::as_chunks::<8>(bytes).0.iter().copied();
    let difference = words(one).zip(words(other)).fold(0, |all, (one, other)| {
        all | u64::from_ne_bytes(one) ^ u64::from_ne_bytes(other)
    });
    difference != 0
}

/// Fills the code window with HLT.
pub(super) fn clear_code() {
    *code() = [HLT; CODE_BYTES];
}
