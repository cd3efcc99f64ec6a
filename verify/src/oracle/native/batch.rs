//! What parent and child share: cases one way, outcomes the other.
//!
//! A case becomes a [`Slot`], whose state is that at the start and then that at the end.
//! Code and patches lie in `input`; what both windows hold for a seed is in `fillers`,
//! of which some are kept for the next batch, as generators use a seed more than once;
//! lines of the writable window that have changed come back in `lines`.

use crate::case::filler;
use crate::oracle::native::place::WINDOWS_BYTES;
use crate::{CODE, CODE_BYTES, Case, DATA, End, Lost, Outcome, Registers};

/// How many cases go into a batch.
pub(super) const SLOTS: usize = 128;
const FILLERS: usize = 32;
const INPUT_BYTES: usize = 0x40000;
/// How many lines may come back; the child ends a batch early rather than exceed it.
pub(super) const LINES: usize = 4096;
/// Bytes in a line.
pub(super) const LINE: usize = 64;

/// An XSAVE area in the standard format with x87, SSE and AVX (SDM 1, 13.4).
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Image {
    control: u16,
    status: u16,
    tag: u8,
    _reserved: u8,
    opcode: u16,
    instruction: u64,
    operand: u64,
    mxcsr: u32,
    _mxcsr_mask: u32,
    st: [u128; 8],
    xmm: [[u64; 2]; 16],
    _unused: [u64; 12],
    /// XSTATE_BV: what is not in its initial state.
    present: u64,
    /// XCOMP_BV, then zeros.
    _header: [u64; 7],
    ymm_high: [[u64; 2]; 16],
}

/// Where the upper halves of YMM lie; every processor with AVX says so in CPUID 0Dh.
pub(super) const YMM_HIGH_OFFSET: usize = 576;
const _: () = assert!(std::mem::offset_of!(Image, ymm_high) == YMM_HIGH_OFFSET);
const _: () = assert!(std::mem::offset_of!(Image, st) == 32);
const _: () = assert!(std::mem::offset_of!(Image, present) == 512);

const X87: u64 = 1;
const SSE: u64 = 2;
const AVX: u64 = 4;

/// How a case ended, as the signal handler knows it.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct How(u32);

impl How {
    pub(super) const UNKNOWN: Self = Self(0);
    pub(super) const EXCEPTION: Self = Self(1);
    pub(super) const ENDLESS: Self = Self(2);
    pub(super) const SYSTEM_CALL: Self = Self(3);
}

/// The registers that XSAVE does not know.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Integers {
    pub(super) gpr: [u64; 16],
    pub(super) rip: u64,
    pub(super) rflags: u64,
    pub(super) fs_base: u64,
    pub(super) gs_base: u64,
}

/// A case, and then what came of it.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Slot {
    pub(super) image: Image,
    pub(super) registers: Integers,
    /// Index into `fillers`.
    pub(super) filler: u32,
    pub(super) code_offset: u32,
    pub(super) code_bytes: u32,
    /// Where `input` has the code, then each patch: offset into the windows, length,
    /// bytes.
    pub(super) input: u32,
    pub(super) patches: u32,
    pub(super) how: How,
    pub(super) vector: u32,
    pub(super) error_code: u32,
    pub(super) address: u64,
    pub(super) code_selector: u16,
    /// Where `lines` has what the case changed.
    pub(super) first_line: u32,
    pub(super) line_count: u32,
}

/// A piece of the writable window that a case has changed.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Line {
    pub(super) offset: u32,
    pub(super) before: [u8; LINE],
    pub(super) after: [u8; LINE],
}

/// What both windows hold for a seed.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Filler {
    pub(super) bytes: [u8; WINDOWS_BYTES],
    /// Numbers fillers, so that the child knows a new one in an old place; from 1.
    pub(super) serial: u64,
    seed: u64,
}

/// The memory that both share. All zeros is an empty one.
#[repr(C)]
pub(super) struct Batch {
    /// How many slots hold cases.
    pub(super) count: u32,
    /// How many of them are done, written by the child as it goes.
    pub(super) done: std::sync::atomic::AtomicU32,
    serials: u64,
    pub(super) slots: [Slot; SLOTS],
    pub(super) fillers: [Filler; FILLERS],
    pub(super) lines: [Line; LINES],
    pub(super) input: [u8; INPUT_BYTES],
}

impl Batch {
    /// Takes as many cases as there is room for; zero if the first one can't be run.
    pub(super) fn load(&mut self, cases: &[Case]) -> usize {
        let mut used = 0;
        let mut input = 0;
        let mut count = 0;
        for case in cases.iter().take(SLOTS) {
            if objection(case).is_some() || input + input_bytes(case) > INPUT_BYTES {
                break;
            }
            let Some(filler) = self.filler(case.seed, &mut used) else {
                break;
            };
            self.load_one(count, case, filler, &mut input);
            count += 1;
        }
        self.count = count as u32;
        *self.done.get_mut() = 0;
        count
    }

    /// Where the filler for a seed lies. Those that `used` has a bit for stay as they are.
    fn filler(&mut self, seed: u64, used: &mut u32) -> Option<u32> {
        let known = |filler: &Filler| filler.serial != 0 && filler.seed == seed;
        if let Some(index) = self.fillers.iter().position(known) {
            *used |= 1 << index;
            return Some(index as u32);
        }
        // The oldest ones go first.
        let index = (0..FILLERS)
            .map(|place| (self.serials as usize + place) % FILLERS)
            .find(|index| *used & 1 << index == 0)?;
        *used |= 1 << index;
        self.serials += 1;
        let place = &mut self.fillers[index];
        place.serial = self.serials;
        place.seed = seed;
        filler(seed, &mut place.bytes);
        Some(index as u32)
    }

    fn load_one(&mut self, index: usize, case: &Case, filler: u32, input: &mut usize) {
        let slot = &mut self.slots[index];
        let registers = &case.registers;
        slot.image.load(registers);
        slot.registers = Integers {
            gpr: registers.gpr,
            rip: CODE + case.offset as u64,
            rflags: registers.rflags,
            fs_base: registers.fs_base,
            gs_base: registers.gs_base,
        };
        slot.filler = filler;
        slot.code_offset = case.offset as u32;
        slot.code_bytes = case.code.len() as u32;
        slot.input = *input as u32;
        slot.patches = 0;
        let mut put = |bytes: &[u8]| {
            self.input[*input..*input + bytes.len()].copy_from_slice(bytes);
            *input += bytes.len();
        };
        put(&case.code);
        for (offset, bytes) in patches(case) {
            put(&(offset as u32).to_le_bytes());
            put(&(bytes.len() as u32).to_le_bytes());
            put(bytes);
            slot.patches += 1;
        }
    }

    /// What came of a case, if the child says so and what it says makes sense.
    pub(super) fn outcome(&self, index: usize, case: &Case) -> Result<Outcome, Lost> {
        const USER_CODE: u16 = 0x33;
        let slot = &self.slots[index];
        match slot.how {
            How::EXCEPTION | How::ENDLESS => {}
            How::SYSTEM_CALL => {
                return Err(lost("it made a system call, which is not let through"));
            }
            _ => return Err(lost("it overwrote the harness")),
        }
        if slot.code_selector != USER_CODE {
            return Err(lost("it left 64-bit mode"));
        }
        let mut registers = Registers {
            gpr: slot.registers.gpr,
            rip: slot.registers.rip,
            rflags: slot.registers.rflags & !RF,
            fs_base: slot.registers.fs_base,
            gs_base: slot.registers.gs_base,
            ..Registers::default()
        };
        slot.image.store(&mut registers);
        Ok(Outcome {
            end: slot.end(case)?,
            registers,
            stores: self.stores(slot)?,
        })
    }

    /// What a case has changed, byte by byte, neighbours joined.
    fn stores(&self, slot: &Slot) -> Result<Vec<(u64, Vec<u8>)>, Lost> {
        let first = slot.first_line as usize;
        let lines = first
            .checked_add(slot.line_count as usize)
            .and_then(|end| self.lines.get(first..end))
            .ok_or_else(|| lost("it overwrote the harness"))?;
        let mut stores: Vec<(u64, Vec<u8>)> = Vec::new();
        for line in lines {
            for (at, (before, after)) in line.before.iter().zip(&line.after).enumerate() {
                if before == after {
                    continue;
                }
                let address = DATA + u64::from(line.offset) + at as u64;
                match stores.last_mut() {
                    Some((start, bytes)) if *start + bytes.len() as u64 == address => {
                        bytes.push(*after);
                    }
                    _ => stores.push((address, vec![*after])),
                }
            }
        }
        Ok(stores)
    }
}

/// The resume flag, which a fault sets in what it pushes.
const RF: u64 = 1 << 16;

impl Slot {
    fn end(&self, case: &Case) -> Result<End, Lost> {
        const GENERAL_PROTECTION: u8 = 13;
        const PAGE_FAULT: u8 = 14;
        if self.how == How::ENDLESS {
            return Ok(End::Endless);
        }
        let vector = u8::try_from(self.vector).map_err(|_| lost("it overwrote the harness"))?;
        let behind = case.offset + case.code.len();
        let at_end = self.registers.rip == CODE + behind as u64;
        Ok(match vector {
            // The HLT behind the code.
            GENERAL_PROTECTION if at_end && behind < CODE_BYTES => End::Finished,
            PAGE_FAULT => End::Exception {
                vector,
                error_code: page_fault_error(self.error_code, self.address),
                address: self.address,
            },
            _ => End::Exception {
                vector,
                error_code: self.error_code,
                address: 0,
            },
        })
    }
}

/// The error code of #PF in a world where just the windows are present.
///
/// Linux says "present" of every address in its own half, so as not to tell what it has
/// there, and may for a while not have a page of a window in its tables.
fn page_fault_error(error_code: u32, address: u64) -> u32 {
    const PRESENT: u32 = 1;
    let present = address.wrapping_sub(DATA) < WINDOWS_BYTES as u64
        || address.wrapping_sub(CODE) < CODE_BYTES as u64;
    error_code & !PRESENT | u32::from(present)
}

impl Image {
    fn load(&mut self, registers: &Registers) {
        let x87 = &registers.x87;
        *self = Self {
            control: x87.control,
            status: x87.status,
            tag: x87.tag,
            _reserved: 0,
            opcode: x87.opcode,
            instruction: x87.instruction,
            operand: x87.operand,
            mxcsr: registers.mxcsr,
            _mxcsr_mask: 0,
            st: x87.st.map(eighty_bits),
            xmm: registers.ymm.map(|[a, b, ..]| [a, b]),
            _unused: [0; 12],
            present: X87 | SSE | AVX,
            _header: [0; 7],
            ymm_high: registers.ymm.map(|[.., c, d]| [c, d]),
        };
    }

    fn store(&self, registers: &mut Registers) {
        registers.mxcsr = self.mxcsr;
        if self.present & X87 == 0 {
            registers.x87.control = 0x37f;
        } else {
            registers.x87 = crate::X87 {
                st: self.st.map(eighty_bits),
                control: self.control,
                status: self.status,
                tag: self.tag,
                opcode: self.opcode,
                instruction: self.instruction,
                operand: self.operand,
            };
        }
        for (number, ymm) in registers.ymm.iter_mut().enumerate() {
            if self.present & SSE != 0 {
                ymm[..2].copy_from_slice(&self.xmm[number]);
            }
            if self.present & AVX != 0 {
                ymm[2..].copy_from_slice(&self.ymm_high[number]);
            }
        }
    }
}

fn eighty_bits(value: u128) -> u128 {
    value & ((1 << 80) - 1)
}

/// Why a case can't be started, if so.
pub(super) fn objection(case: &Case) -> Option<Lost> {
    const MXCSR_RESERVED: u32 = !0xffff;
    let is_canonical = |address: u64| (address as i64) << 16 >> 16 == address as i64;
    if case.offset > CODE_BYTES || case.code.len() > CODE_BYTES - case.offset {
        return Some(lost("its code does not fit into the window"));
    }
    if input_bytes(case) > INPUT_BYTES {
        return Some(lost("it has too many patches"));
    }
    if !is_canonical(case.registers.fs_base) || !is_canonical(case.registers.gs_base) {
        return Some(lost("a segment base is not canonical"));
    }
    if case.registers.mxcsr & MXCSR_RESERVED != 0 {
        return Some(lost("a reserved bit of MXCSR is set"));
    }
    None
}

/// The patches that lie in the windows: offset and bytes.
fn patches(case: &Case) -> impl Iterator<Item = (usize, &[u8])> {
    case.patches.iter().filter_map(|(address, bytes)| {
        let offset = usize::try_from(address.wrapping_sub(DATA)).ok()?;
        let is_inside = offset.checked_add(bytes.len())? <= WINDOWS_BYTES;
        is_inside.then_some((offset, bytes.as_slice()))
    })
}

fn input_bytes(case: &Case) -> usize {
    const HEAD: usize = 8;
    let patches: usize = patches(case).map(|(_, bytes)| HEAD + bytes.len()).sum();
    case.code.len() + patches
}

fn lost(reason: &str) -> Lost {
    Lost {
        reason: reason.to_owned(),
    }
}
