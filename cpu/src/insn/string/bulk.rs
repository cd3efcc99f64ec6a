//! Many iterations at once: as far as both pages are RAM in the first-level TLB, and
//! no segment limit or wrap of the address size comes in between.
//!
//! Nothing here can fault; where bulk work is not possible, none is done, and one
//! iteration in the plain way fills the TLB or finds the fault.

use rax_mmu::{HostAddress, LinearAddress, PAGE_SIZE, View, Word as MemoryWord};

use super::{address, address_of_offset, step_destination, step_source};
use crate::Cpu;
use crate::flags::mask;
use crate::insn::{Insn, InsnFlags};
use crate::mode::Mode;
use crate::rflags::Rflags;
use crate::segment::SegmentRegister;
use crate::state::Gpr;
use crate::verbs::{Bits, Width};

/// Fewer iterations are not worth the effort.
const LEAST: u64 = 4;
/// How much is compared or scanned at first: most strings are short.
const WINDOW: usize = 256;
/// And then.
const PAGE: usize = PAGE_SIZE as usize;
/// How much is compared at once where something differs.
const CHUNK: usize = 64;

/// Upwards, undisturbed, and enough of it.
#[inline(always)]
fn is_worthwhile(cpu: &Cpu, most: u64) -> bool {
    !is_downwards(cpu) && is_undisturbed(cpu, most)
}

#[inline(always)]
fn is_downwards(cpu: &Cpu) -> bool {
    cpu.state.system_flags.contains(Rflags::DF)
}

#[inline(always)]
fn is_undisturbed(cpu: &Cpu, most: u64) -> bool {
    most >= LEAST && !cpu.mode.contains(Mode::SINGLE) && cpu.view != View::Careful
}

/// How many of `bytes` at an index register lie in one page, before the address size
/// wraps and within the segment; and where they begin.
#[inline(always)]
fn span(
    cpu: &mut Cpu,
    insn: &Insn,
    (segment, register): (SegmentRegister, Gpr),
    bytes: u64,
    write: bool,
) -> Option<(LinearAddress, u64)> {
    let most = mask(u32::from(insn.address_bits));
    let room = (most - (cpu.state.gpr(register) & most)).saturating_add(1);
    let place = (segment, register);
    let start = address(cpu, insn, place, 1, write).ok();
    let bytes = start.map(|start| bytes.min(room).min(PAGE_SIZE - start.offset()));
    let fits = bytes.is_some_and(|bytes| address(cpu, insn, place, bytes, write).is_ok());
    if !fits {
        // The plain way finds out which element it is that faults.
        cpu.exception = None;
        return None;
    }
    start.zip(bytes)
}

fn source_span(cpu: &mut Cpu, insn: &Insn, bytes: u64) -> Option<(HostAddress, u64)> {
    let (start, bytes) = span(cpu, insn, (insn.segment, Gpr::Rsi), bytes, false)?;
    Some((cpu.mmu.recall_read(cpu.view, start)?, bytes))
}

fn destination_span(
    cpu: &mut Cpu,
    insn: &Insn,
    bytes: u64,
    write: bool,
) -> Option<(HostAddress, u64)> {
    let (start, bytes) = span(cpu, insn, (SegmentRegister::Es, Gpr::Rdi), bytes, write)?;
    let host = if write {
        cpu.mmu.recall_write(cpu.view, start)?
    } else {
        cpu.mmu.recall_read(cpu.view, start)?
    };
    Some((host, bytes))
}

/// How many elements, from the one at an index register downwards, lie in one page, before
/// the address size wraps and within the segment; and where that one is.
fn span_down<W: Width>(
    cpu: &mut Cpu,
    insn: &Insn,
    (segment, register): (SegmentRegister, Gpr),
    most: u64,
    write: bool,
) -> Option<(LinearAddress, u64)> {
    let offset = cpu.state.gpr(register) & mask(u32::from(insn.address_bits));
    let top = address_of_offset(cpu, (segment, offset), W::BYTES, write).ok();
    let span = top.and_then(|top| {
        let room = (offset / W::BYTES).min(top.offset() / W::BYTES) + 1;
        let count = most.min(room);
        let lowest = offset - (count - 1) * W::BYTES;
        let all = address_of_offset(cpu, (segment, lowest), count * W::BYTES, write);
        let is_in_page = top.offset() + W::BYTES <= PAGE_SIZE;
        (all.is_ok() && is_in_page).then_some((top, count))
    });
    if span.is_none() {
        // The plain way finds out which element it is that faults.
        cpu.exception = None;
    }
    span
}

/// The lowest of so many elements downwards.
const fn lowest<W: Width>(top: LinearAddress, count: u64) -> LinearAddress {
    LinearAddress(top.0.wrapping_sub((count - 1) * W::BYTES))
}

/// Reads RAM that a probe found.
#[inline(always)]
fn read(cpu: &Cpu, host: HostAddress, bytes: &mut [u8]) {
    let ram = cpu.mmu.memory().ram();
    ram.read(host.0.wrapping_sub(ram.base().0), bytes);
}

/// Copies RAM that probes found readable and writable.
#[inline(always)]
fn transfer(cpu: &Cpu, from: HostAddress, to: HostAddress, bytes: u64) {
    let ram = cpu.mmu.memory().ram();
    let offset = |host: HostAddress| host.0.wrapping_sub(ram.base().0);
    ram.copy(offset(from), offset(to), bytes);
}

/// MOVS; how many elements it moved.
#[inline]
pub(super) fn copy<W: Width>(cpu: &mut Cpu, insn: &Insn, most: u64) -> Option<u64> {
    if is_downwards(cpu) {
        return copy_down::<W>(cpu, insn, most);
    }
    if !is_worthwhile(cpu, most) {
        return None;
    }
    let (from, bytes) = source_span(cpu, insn, most.saturating_mul(W::BYTES))?;
    let (to, bytes) = destination_span(cpu, insn, bytes, true)?;
    let count = bytes / W::BYTES;
    if count < LEAST {
        return None;
    }
    let bytes = count * W::BYTES;
    let distance = to.0.wrapping_sub(from.0);
    if (1..bytes).contains(&distance) {
        // What is read was written by an earlier iteration.
        for offset in (0..bytes).step_by(W::BYTES as usize) {
            let value: W::Bits = cpu.mmu.ram_load(from.wrapping_add(offset));
            cpu.mmu.ram_store(to.wrapping_add(offset), value);
        }
    } else {
        transfer(cpu, from, to, bytes);
    }
    step_source::<W>(cpu, insn, count);
    step_destination::<W>(cpu, insn, count);
    Some(count)
}

/// MOVS with DF set.
fn copy_down<W: Width>(cpu: &mut Cpu, insn: &Insn, most: u64) -> Option<u64> {
    if !is_undisturbed(cpu, most) {
        return None;
    }
    let (from, count) = span_down::<W>(cpu, insn, (insn.segment, Gpr::Rsi), most, false)?;
    let (to, count) = span_down::<W>(cpu, insn, (SegmentRegister::Es, Gpr::Rdi), count, true)?;
    if count < LEAST {
        return None;
    }
    let from = cpu.mmu.recall_read(cpu.view, lowest::<W>(from, count))?;
    let to = cpu.mmu.recall_write(cpu.view, lowest::<W>(to, count))?;
    let bytes = count * W::BYTES;
    if (1..bytes).contains(&from.0.wrapping_sub(to.0)) {
        // What is read was written by an earlier iteration.
        for offset in (0..count).rev().map(|n| n * W::BYTES) {
            let value: W::Bits = cpu.mmu.ram_load(from.wrapping_add(offset));
            cpu.mmu.ram_store(to.wrapping_add(offset), value);
        }
    } else {
        transfer(cpu, from, to, bytes);
    }
    step_source::<W>(cpu, insn, count);
    step_destination::<W>(cpu, insn, count);
    Some(count)
}

/// STOS; how many elements it stored.
#[inline]
pub(super) fn fill<W: Width>(cpu: &mut Cpu, insn: &Insn, most: u64, value: W::Bits) -> Option<u64> {
    if !is_undisturbed(cpu, most) {
        return None;
    }
    let (to, count) = if is_downwards(cpu) {
        let place = (SegmentRegister::Es, Gpr::Rdi);
        let (top, count) = span_down::<W>(cpu, insn, place, most, true)?;
        (
            cpu.mmu.recall_write(cpu.view, lowest::<W>(top, count))?,
            count,
        )
    } else {
        let (to, bytes) = destination_span(cpu, insn, most.saturating_mul(W::BYTES), true)?;
        (to, bytes / W::BYTES)
    };
    if count < LEAST {
        return None;
    }
    let bytes = count * W::BYTES;
    let mut element = [0; 8];
    let element = &mut element[..W::BYTES as usize];
    value.to_guest_bytes(element);
    if element.iter().all(|&byte| byte == element[0]) {
        let ram = cpu.mmu.memory().ram();
        ram.fill(to.0.wrapping_sub(ram.base().0), bytes, element[0]);
    } else {
        for offset in (0..bytes).step_by(W::BYTES as usize) {
            cpu.mmu.ram_store(to.wrapping_add(offset), value);
        }
    }
    step_destination::<W>(cpu, insn, count);
    Some(count)
}

/// How many of `pairs` a repetition gets through, the one that ends it included.
#[inline(always)]
fn count_until_end<W: Width>(
    insn: &Insn,
    mut pairs: impl ExactSizeIterator<Item = (W::Bits, W::Bits)>,
) -> u64 {
    let while_equal = !insn.flags.contains(InsnFlags::REPNE);
    let all = pairs.len();
    let end = pairs.position(|(a, b)| (a == b) != while_equal);
    end.map_or(all, |index| index + 1) as u64
}

#[inline(always)]
fn elements<W: Width>(bytes: &[u8]) -> impl ExactSizeIterator<Item = W::Bits> {
    bytes
        .chunks_exact(W::BYTES as usize)
        .map(W::Bits::from_guest_bytes)
}

/// The element that is the `count`th, from one.
fn element<W: Width>(bytes: &[u8], count: u64) -> W::Bits {
    let start = count.saturating_sub(1).saturating_mul(W::BYTES);
    W::Bits::from_guest_bytes(bytes.get(start as usize..).unwrap_or_default())
}

/// How many elements are the same in both, and the first that is not, if there is one.
fn count_until_different<W: Width>(a: &[u8], b: &[u8]) -> u64 {
    let mut chunks = a.chunks(CHUNK).zip(b.chunks(CHUNK));
    let same = chunks.position(|(a, b)| a != b);
    let start = same.map_or(a.len(), |chunks| chunks * CHUNK);
    let mut pairs = elements::<W>(&a[start..]).zip(elements::<W>(&b[start..]));
    let different = pairs.position(|(a, b)| a != b);
    start as u64 / W::BYTES + different.map_or(0, |index| index as u64 + 1)
}

/// How far CMPS or SCAS has got: whether it has gone through its first window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    is_long: bool,
}

/// CMPS; how many elements it compared, and the last two.
#[inline]
pub(super) fn compare<W: Width>(
    cpu: &mut Cpu,
    insn: &Insn,
    most: u64,
    progress: &mut Progress,
) -> Option<(u64, W::Bits, W::Bits)> {
    if !is_worthwhile(cpu, most) {
        return None;
    }
    if std::mem::replace(&mut progress.is_long, true) {
        compare_window::<W, PAGE>(cpu, insn, most)
    } else {
        compare_window::<W, WINDOW>(cpu, insn, most)
    }
}

fn compare_window<W: Width, const WINDOW: usize>(
    cpu: &mut Cpu,
    insn: &Insn,
    most: u64,
) -> Option<(u64, W::Bits, W::Bits)> {
    let bytes = most.saturating_mul(W::BYTES).min(WINDOW as u64);
    let (first, bytes) = source_span(cpu, insn, bytes)?;
    let (second, bytes) = destination_span(cpu, insn, bytes, false)?;
    let bytes = bytes / W::BYTES * W::BYTES;
    let (mut a, mut b) = ([0; WINDOW], [0; WINDOW]);
    let (a, b) = (&mut a[..bytes as usize], &mut b[..bytes as usize]);
    read(cpu, first, a);
    read(cpu, second, b);
    let count = if insn.flags.contains(InsnFlags::REPNE) {
        count_until_end::<W>(insn, elements::<W>(a).zip(elements::<W>(b)))
    } else {
        count_until_different::<W>(a, b)
    };
    if count == 0 {
        return None;
    }
    step_source::<W>(cpu, insn, count);
    step_destination::<W>(cpu, insn, count);
    Some((count, element::<W>(a, count), element::<W>(b, count)))
}

/// SCAS; how many elements it looked at, and the last one.
#[inline]
pub(super) fn scan<W: Width>(
    cpu: &mut Cpu,
    insn: &Insn,
    most: u64,
    wanted: W::Bits,
    progress: &mut Progress,
) -> Option<(u64, W::Bits)> {
    if !is_worthwhile(cpu, most) {
        return None;
    }
    if std::mem::replace(&mut progress.is_long, true) {
        scan_window::<W, PAGE>(cpu, insn, most, wanted)
    } else {
        scan_window::<W, WINDOW>(cpu, insn, most, wanted)
    }
}

fn scan_window<W: Width, const WINDOW: usize>(
    cpu: &mut Cpu,
    insn: &Insn,
    most: u64,
    wanted: W::Bits,
) -> Option<(u64, W::Bits)> {
    let bytes = most.saturating_mul(W::BYTES).min(WINDOW as u64);
    let (host, bytes) = destination_span(cpu, insn, bytes, false)?;
    let mut window = [0; WINDOW];
    let window = &mut window[..bytes as usize];
    read(cpu, host, window);
    let count = if W::BYTES == 1 && insn.flags.contains(InsnFlags::REPNE) {
        let found = memchr::memchr(wanted.widen() as u8, window);
        found.map_or(bytes, |index| index as u64 + 1)
    } else {
        let pairs = elements::<W>(window).map(|element| (wanted, element));
        count_until_end::<W>(insn, pairs)
    };
    if count == 0 {
        return None;
    }
    step_destination::<W>(cpu, insn, count);
    Some((count, element::<W>(window, count)))
}
