//! What compiled code shares with the processor: cells beside the state, flags put
//! aside with their operands, and the way back into the interpreter for one instruction.
//!
//! Whoever compiles keeps the guest's registers where it likes while its code runs.
//! Before it calls [`Cpu::carry_out`], and before it hands the processor back, all is
//! in [`crate::CpuState`] again, but for the flags, which [`Cpu::settle_flags`] fetches.

mod segments;
mod x87;

use std::mem::offset_of;

use rax_mmu::{AccessKind, LinearAddress, PAGE_SIZE};

use crate::Cpu;
use crate::decode::LONGEST_BLOCK;
use crate::flags::{LazyFlags, mask, sign_extend};
use crate::float::Env;
use crate::insn::Insn;
use crate::interp::{deliver_fault, leave_early};
use crate::processor::Departure;
use crate::rflags::Rflags;
use crate::state::{CpuState, Gpr};
use crate::vector::{FloatWidth, order_flags};
use crate::verbs::{DoubleShiftOp, Flags, ShiftOp};

pub(crate) use segments::NotedSegments;
pub use x87::{HostX87, X87Place};

/// Cells that compiled code keeps within reach of the state. They lie right before it.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(32))]
pub struct Cells {
    /// How many bytes of each segment may be read, and written, from its start; zero also
    /// if that is not all that matters: see [`Cpu::note_segments`].
    pub segment_ends: [[u64; 2]; 6],
    /// Whether the guest's vector registers and MXCSR are in the host's: not in the state.
    pub vectors: u32,
    /// The host's MXCSR meanwhile.
    pub host_mxcsr: u32,
    /// Where the list of jump caches begins, one for each mode: the compiler's.
    pub jump_caches: u64,
    /// How often compiled code went on elsewhere after an instruction was carried out.
    pub dispatched: u64,
    /// The base of CS in the upper half, where code is found by RIP and that.
    pub code_base: u64,
    /// Segment registers of which a load in this mode changes selector and base alone, a
    /// bit each.
    pub plain_segments: u64,
    /// So that what follows lies right before the state.
    pub unused: u64,
    /// The host's stack pointer when compiled code was entered.
    pub host_stack: u64,
    /// Which exit compiled code took.
    pub exit: u64,
    /// How far the stack of calls may grow: the compiler's.
    pub stack_limit: u64,
    /// The results of updates that stand over others: see [`FlagKind::over`].
    pub flag_overs: [u64; 2],
    /// Its lowest bit is a CF that waits for an addition with carry.
    pub carry: u64,
    /// Values that found no register.
    pub scratch: [u64; 2],
    /// Where the jump cache of the present mode begins.
    pub jumps: u64,
    /// The low half of the code epoch of the present mode.
    pub epoch: u32,
    /// What to make flags of: a [`FlagKind`] in the low half; zero if [`CpuState::flags`]
    /// is valid. The two bytes above are kinds that stand over it, or zero.
    pub flag_kind: u32,
    /// Operands of the last operation that set flags, as its kind says.
    pub flag_values: [u64; 3],
    /// How many instructions may still run; may be negative.
    pub budget: i64,
}

const _: () = assert!(size_of::<Cells>() == 256);
const _: () = assert!(offset_of!(Cpu, cells) == 0);
const _: () = assert!(offset_of!(Cpu, state) == 256);
const _: () = assert!(offset_of!(CpuState, gpr) == 0);

/// What added to the budget gives the count of retired instructions, and what block
/// is running: for the way back into the interpreter.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The block's instructions.
    pub insns: &'a [Insn],
    /// RIP at its start.
    pub rip: u64,
    /// Its length in bytes.
    pub bytes: u16,
}

/// How compiled code goes on after an instruction was carried out for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Behind the instruction.
    GoOn,
    /// At CS:RIP, in the present mode: the block is over.
    Dispatch,
    /// Not at all: something is to be attended to first.
    Leave,
}

/// An operation that sets flags, with its width, as a number that fits a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlagKind(pub u32);

/// Operations whose flags are found with a few instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimpleKind {
    /// The values are the sum and what was added.
    Add,
    /// The values are the difference and what was taken off.
    Sub,
    /// The values are what was compared with what.
    Compare,
    /// The values are what was tested: the result is what they have in common.
    Test,
    /// The value is the result.
    Logic,
}

impl FlagKind {
    /// The state's own flags are valid.
    pub const SETTLED: Self = Self(0);

    /// The number of the operation and its width in bits, if nothing but the flags of
    /// this one operation matters: addition, subtraction or a logical operation.
    #[must_use]
    pub const fn simple(self) -> Option<(SimpleKind, u32)> {
        let kind = match self.0 >> 2 {
            Self::COMPARE => SimpleKind::Compare,
            Self::TEST => SimpleKind::Test,
            Self::ADD => SimpleKind::Add,
            Self::SUB => SimpleKind::Sub,
            Self::LOGIC => SimpleKind::Logic,
            _ => return None,
        };
        Some((kind, 8 << (self.0 & 3)))
    }

    /// The kind of one of those, of `bits` bits.
    #[must_use]
    pub const fn of_simple(kind: SimpleKind, bits: u32) -> Self {
        let number = match kind {
            SimpleKind::Compare => Self::COMPARE,
            SimpleKind::Test => Self::TEST,
            SimpleKind::Add => Self::ADD,
            SimpleKind::Sub => Self::SUB,
            SimpleKind::Logic => Self::LOGIC,
        };
        Self(number << 2 | width_number(bits))
    }

    const INCREMENT: u32 = 1;
    const DECREMENT: u32 = 2;
    const ADD: u32 = 3;
    const SUB: u32 = 4;
    const LOGIC: u32 = 5;
    const ADD_CARRY: u32 = 6;
    const SUB_BORROW: u32 = 7;
    const MULTIPLY: u32 = 8;
    const MULTIPLY_SIGNED: u32 = 9;
    const CARRY: u32 = 10;
    const ZERO: u32 = 11;
    const CARRY_ONLY: u32 = 12;
    const OVERFLOW_ONLY: u32 = 13;
    const ZERO_ONLY: u32 = 14;
    const MULTIPLIED: u32 = 15;
    const SHIFT: u32 = 16;
    const SHIFTED_LEFT: u32 = 21;
    const SHIFTED_RIGHT_ONE: u32 = 22;
    const DOUBLE_SHIFT: u32 = 24;
    const ORDER: u32 = 32;
    const COMPARE: u32 = 33;
    const TEST: u32 = 34;

    /// The kind of COMISS and its like: the two numbers are kept, and the flags say how
    /// they relate.
    #[must_use]
    pub const fn order(width: FloatWidth) -> Self {
        Self(match width {
            FloatWidth::Single => Self::ORDER << 2 | 2,
            FloatWidth::Double => Self::ORDER << 2 | 3,
        })
    }

    /// The kind of a multiplication of which the low half is kept, and whether the high
    /// half says anything, in a byte.
    #[must_use]
    pub const fn multiplied(bits: u32) -> Self {
        Self(Self::MULTIPLIED << 2 | width_number(bits))
    }

    /// The kind of a shift by a constant below the width and not zero, of which the result
    /// and CF, in a byte, are kept. None for rotations.
    #[must_use]
    pub const fn shifted(op: ShiftOp, count: u64, bits: u32) -> Option<Self> {
        let number = match op {
            ShiftOp::Shl => Self::SHIFTED_LEFT,
            ShiftOp::Shr if count == 1 => Self::SHIFTED_RIGHT_ONE,
            // OF is clear.
            ShiftOp::Shr | ShiftOp::Sar => Self::CARRY,
            ShiftOp::Rol | ShiftOp::Ror => return None,
        };
        Some(Self(number << 2 | width_number(bits)))
    }

    /// The kind of an update that keeps some flags and follows from its result alone, and
    /// what it stands over: 0 is a rotation by a constant, which changes CF and OF, or a
    /// change of CF; 1 is INC or DEC, which keep CF, so that it may stand over these too.
    #[must_use]
    pub fn over<V: Copy>(flags: &Flags<V, V>, bits: u32) -> Option<(usize, Self)> {
        let (layer, number) = match flags {
            Flags::Shift {
                op: op @ (ShiftOp::Rol | ShiftOp::Ror),
                ..
            } => (0, Self::SHIFT + *op as u32),
            Flags::CarryOnly { .. } => (0, Self::CARRY_ONLY),
            Flags::Increment { .. } => (1, Self::INCREMENT),
            Flags::Decrement { .. } => (1, Self::DECREMENT),
            _ => return None,
        };
        Some((layer, Self(number << 2 | width_number(bits))))
    }

    /// The flags after an update that stands over others.
    fn apply_over(self, result: u64, old: LazyFlags) -> LazyFlags {
        let (bits, flags) = match self.0 >> 2 {
            number @ Self::SHIFT..Self::SHIFTED_LEFT => {
                let bits = 8 << (self.0 & 3);
                let op = SHIFTS[(number - Self::SHIFT) as usize % SHIFTS.len()];
                let result = result & mask(bits);
                // Of a rotation, nothing but the result counts.
                let flags = Flags::Shift {
                    op,
                    value: result,
                    count: 1,
                    result,
                };
                (bits, flags)
            }
            _ => self.flags([result, 0, 0]),
        };
        flags.apply(bits, old)
    }

    /// The format of the numbers of [`FlagKind::order`].
    fn ordered(self) -> Option<FloatWidth> {
        [FloatWidth::Single, FloatWidth::Double]
            .into_iter()
            .find(|&width| self == Self::order(width))
    }

    /// The kind of a flag update of `bits` bits, and the operands to keep. `is_plain`
    /// says of an addition or subtraction that nothing was carried in.
    #[must_use]
    pub fn of<V: Copy>(flags: Flags<V, V>, bits: u32, is_plain: bool) -> (Self, [Option<V>; 3]) {
        let (number, values) = match flags {
            Flags::Add { b, sum, .. } if is_plain => (Self::ADD, [Some(sum), Some(b), None]),
            Flags::Add { a, b, sum } => (Self::ADD_CARRY, [Some(sum), Some(b), Some(a)]),
            Flags::Sub { b, difference, .. } if is_plain => {
                (Self::SUB, [Some(difference), Some(b), None])
            }
            Flags::Sub { a, b, difference } => {
                (Self::SUB_BORROW, [Some(difference), Some(b), Some(a)])
            }
            Flags::Logic { result } => (Self::LOGIC, [Some(result), None, None]),
            Flags::Increment { result, .. } => (Self::INCREMENT, [Some(result), None, None]),
            Flags::Decrement { result, .. } => (Self::DECREMENT, [Some(result), None, None]),
            Flags::Shift {
                op, value, count, ..
            } => (Self::SHIFT + op as u32, [Some(value), Some(count), None]),
            Flags::DoubleShift {
                op,
                value,
                source,
                count,
                ..
            } => (
                Self::DOUBLE_SHIFT + op as u32,
                [Some(value), Some(count), Some(source)],
            ),
            Flags::Multiply {
                low,
                high,
                is_signed,
            } => (
                if is_signed {
                    Self::MULTIPLY_SIGNED
                } else {
                    Self::MULTIPLY
                },
                [Some(low), Some(high), None],
            ),
            Flags::Carry { result, carry } => (Self::CARRY, [Some(result), Some(carry), None]),
            Flags::Zero { value } => (Self::ZERO, [Some(value), None, None]),
            Flags::CarryOnly { carry } => (Self::CARRY_ONLY, [Some(carry), None, None]),
            Flags::OverflowOnly { overflow } => (Self::OVERFLOW_ONLY, [Some(overflow), None, None]),
            Flags::ZeroOnly { result } => (Self::ZERO_ONLY, [Some(result), None, None]),
        };
        (Self(number << 2 | width_number(bits)), values)
    }

    /// The last of the single shifts that a shift is made of, from its result and CF.
    fn shifted_by_one(self, result: u64, carry: u64) -> Flags<u64, u64> {
        let bits = 8 << (self.0 & 3);
        let (op, value) = if self.0 >> 2 == Self::SHIFTED_LEFT {
            (ShiftOp::Shl, carry << (bits - 1) | result >> 1)
        } else {
            (ShiftOp::Shr, (result << 1 | carry) & mask(bits))
        };
        Flags::Shift {
            op,
            value,
            count: 1,
            result,
        }
    }

    /// The update again; operands are cut to the width.
    #[expect(clippy::too_many_lines, reason = "a table: one arm for each kind")]
    fn flags(self, [x, y, z]: [u64; 3]) -> (u32, Flags<u64, u64>) {
        let bits = 8 << (self.0 & 3);
        let (x, y, z) = (x & mask(bits), y & mask(bits), z & mask(bits));
        let byte = |value: u64| value & 0xff;
        let flags = match self.0 >> 2 {
            Self::INCREMENT => Flags::Increment {
                a: x.wrapping_sub(1) & mask(bits),
                result: x,
            },
            Self::DECREMENT => Flags::Decrement {
                a: x.wrapping_add(1) & mask(bits),
                result: x,
            },
            Self::ADD => Flags::Add {
                a: x.wrapping_sub(y) & mask(bits),
                b: y,
                sum: x,
            },
            Self::SUB => Flags::Sub {
                a: x.wrapping_add(y) & mask(bits),
                b: y,
                difference: x,
            },
            Self::ADD_CARRY => Flags::Add { a: z, b: y, sum: x },
            Self::SUB_BORROW => Flags::Sub {
                a: z,
                b: y,
                difference: x,
            },
            Self::MULTIPLY => Flags::Multiply {
                low: x,
                high: y,
                is_signed: false,
            },
            Self::MULTIPLY_SIGNED => Flags::Multiply {
                low: x,
                high: y,
                is_signed: true,
            },
            Self::MULTIPLIED => Flags::Multiply {
                low: x,
                high: byte(y) & 1,
                is_signed: false,
            },
            Self::CARRY => Flags::Carry {
                result: x,
                carry: byte(y),
            },
            Self::ZERO => Flags::Zero { value: x },
            Self::CARRY_ONLY => Flags::CarryOnly { carry: byte(x) },
            Self::OVERFLOW_ONLY => Flags::OverflowOnly { overflow: byte(x) },
            Self::ZERO_ONLY => Flags::ZeroOnly { result: x },
            Self::COMPARE => Flags::Sub {
                a: x,
                b: y,
                difference: x.wrapping_sub(y) & mask(bits),
            },
            Self::TEST => Flags::Logic { result: x & y },
            Self::SHIFTED_LEFT | Self::SHIFTED_RIGHT_ONE => self.shifted_by_one(x, byte(y) & 1),
            number @ Self::SHIFT..Self::DOUBLE_SHIFT => {
                let op = SHIFTS[(number - Self::SHIFT) as usize % SHIFTS.len()];
                let count = byte(y) & 63;
                Flags::Shift {
                    op,
                    value: x,
                    count,
                    result: op.apply(bits, x, count as u32),
                }
            }
            number @ Self::DOUBLE_SHIFT.. => {
                let op = DOUBLE_SHIFTS[(number - Self::DOUBLE_SHIFT) as usize % 4];
                let count = byte(y) & 63;
                Flags::DoubleShift {
                    op,
                    value: x,
                    source: z,
                    count,
                    result: op.apply(bits, x, z, count as u32),
                }
            }
            _ => Flags::Logic { result: x },
        };
        (bits, flags)
    }
}

const SHIFTS: [ShiftOp; 5] = [
    ShiftOp::Shl,
    ShiftOp::Shr,
    ShiftOp::Sar,
    ShiftOp::Rol,
    ShiftOp::Ror,
];
const DOUBLE_SHIFTS: [DoubleShiftOp; 4] = [
    DoubleShiftOp::Shld,
    DoubleShiftOp::Shrd,
    DoubleShiftOp::Rcl,
    DoubleShiftOp::Rcr,
];

const fn width_number(bits: u32) -> u32 {
    bits.trailing_zeros() - 3
}

impl Cpu {
    /// Makes [`CpuState::flags`] valid.
    #[inline]
    pub fn settle_flags(&mut self) {
        if self.cells.flag_kind != 0 {
            self.settle_kept_flags();
        }
    }

    fn settle_kept_flags(&mut self) {
        let kinds = self.cells.flag_kind;
        let kind = FlagKind(kinds & 0xffff);
        if kind != FlagKind::SETTLED {
            self.state.flags = self.flags_put_aside(kind);
        }
        for (layer, result) in self.cells.flag_overs.into_iter().enumerate() {
            let over = FlagKind(kinds >> (16 + 8 * layer) & 0xff);
            if over != FlagKind::SETTLED {
                self.state.flags = over.apply_over(result, self.state.flags);
            }
        }
        self.cells.flag_kind = 0;
    }

    fn flags_put_aside(&self, kind: FlagKind) -> LazyFlags {
        let [x, y, _] = self.cells.flag_values;
        match kind.simple() {
            // Nearly all are of one of these.
            Some((SimpleKind::Logic, bits)) => LazyFlags {
                result: sign_extend(bits, x),
                carries: 0,
            },
            Some((SimpleKind::Sub, bits)) => {
                let (difference, b) = (x & mask(bits), y & mask(bits));
                let a = difference.wrapping_add(b) & mask(bits);
                Flags::Sub { a, b, difference }.apply(bits, self.state.flags)
            }
            _ => self.other_flags(kind),
        }
    }

    #[cold]
    fn other_flags(&self, kind: FlagKind) -> LazyFlags {
        match kind.ordered() {
            Some(width) => self.numbers_order(width),
            None => {
                let (bits, flags) = kind.flags(self.cells.flag_values);
                flags.apply(bits, self.state.flags)
            }
        }
    }

    /// The flags of two numbers put aside. Of MXCSR only DAZ counts, and whoever changes
    /// that has settled the flags before.
    fn numbers_order(&self, width: FloatWidth) -> LazyFlags {
        let [a, b, _] = self.cells.flag_values.map(u128::from);
        let mut env = Env::from_mxcsr(self.state.mxcsr);
        LazyFlags::from_status(order_flags(width, &mut env, (a, b), false))
    }

    /// Makes the flags valid; the arithmetic ones as bits of RFLAGS.
    pub fn settled_status(&mut self) -> Rflags {
        self.settle_flags();
        self.state.flags.status()
    }

    /// What the engine looks at before each block: whether something is to be attended to.
    #[must_use]
    #[inline]
    pub const fn wants_attention(&self) -> bool {
        self.state.instructions >= self.slice_end
    }

    /// Makes the engine look up before the next block.
    pub const fn stop_soon(&mut self) {
        self.request_attention();
    }

    /// Before compiled code is entered: how far it may run, and what it compares.
    #[inline]
    pub fn enter_compiled(&mut self) {
        self.limit = self.until;
        self.cells.budget = self.limit.wrapping_sub(self.state.instructions) as i64;
        self.cells.epoch = self.code_epoch() as u32;
        self.note_segments();
    }

    /// After compiled code was left: the count is right again.
    #[inline]
    pub fn leave_compiled(&mut self) {
        self.state.instructions = self.limit.wrapping_sub(self.cells.budget as u64);
        self.settle_flags();
        self.settle_x87();
    }

    /// Fills the first-level TLB for an access of compiled code. False if the interpreter
    /// must carry the access out: it faults, crosses a page, or is to be looked at.
    pub fn fill_tlb(&mut self, address: u64, bytes: u64, write: bool) -> bool {
        let address = LinearAddress(address);
        if address.offset() + bytes > PAGE_SIZE || !self.is_canonical(address.0) {
            return false;
        }
        let kind = if write {
            AccessKind::Write
        } else {
            AccessKind::Read
        };
        let (controls, access) = (self.controls(), self.program_access(kind));
        if self.mmu.translate(&controls, access, address).is_err() {
            return false;
        }
        self.cells.epoch = self.code_epoch() as u32;
        if write {
            self.mmu.tlb.probe_write(self.view, address, bytes)
        } else {
            self.mmu.tlb.probe_read(self.view, address, bytes)
        }
        .is_some()
    }

    /// Carries out one instruction of a block that is compiled, whose length is taken off
    /// the budget already.
    pub fn carry_out(&mut self, place: Place<'_>, index: usize) -> Next {
        let count = place.insns.len();
        let Some(insn) = place.insns.get(index) else {
            debug_assert!(false, "compiled code names instructions that it has");
            return Next::Leave;
        };
        self.settle_flags();
        if self.host_x87.place == X87Place::Image as u32 {
            self.settle_x87();
        }
        let start = self
            .limit
            .wrapping_sub(self.cells.budget as u64)
            .wrapping_sub(count as u64);
        self.state.instructions = start;
        self.state.set_gpr(Gpr::BlockRip, place.rip);
        let after = place.rip.wrapping_add(u64::from(place.bytes));
        self.state.rip = self.mode.truncate_ip(after);
        self.departure = Departure::FallThrough;
        self.leave = false;
        match (insn.handler)(self, insn, &[]) {
            Ok(()) if index + 1 < count => {
                self.cells.epoch = self.code_epoch() as u32;
                if self.slice_end == 0 && self.cells.budget >= 0 {
                    if self.is_quiet() {
                        self.slice_end = last_start(self.until);
                    } else {
                        // The next block is not to be entered; the count stays what it is.
                        self.limit = self.limit.wrapping_sub(1 << 62);
                        self.cells.budget = self.cells.budget.wrapping_sub(1 << 62);
                    }
                }
                return Next::GoOn;
            }
            Ok(()) => self.state.instructions += count as u64,
            Err(exit) => {
                self.remaining = count - 1 - index;
                if !leave_early(self, place.insns, exit) {
                    deliver_fault(self);
                }
            }
        }
        self.position = 0;
        let may_run = self.slice_end != 0 || self.is_quiet();
        if may_run {
            self.slice_end = last_start(self.until);
            self.limit = self.until;
            self.cells.epoch = self.code_epoch() as u32;
            self.note_segments();
        }
        self.cells.budget = self.limit.wrapping_sub(self.state.instructions) as i64;
        if may_run { Next::Dispatch } else { Next::Leave }
    }
}

/// The count at which the interpreter looks up: a block that begins before it fits.
const fn last_start(until: u64) -> u64 {
    until.saturating_sub(LONGEST_BLOCK as u64 - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn each(values: [u64; 4], op: usize) -> Vec<Flags<u64, u64>> {
        let [a, b, c, old] = values;
        let _ = old;
        let (shift, double) = (SHIFTS[op % 5], DOUBLE_SHIFTS[op % 4]);
        vec![
            Flags::Increment {
                a,
                result: a.wrapping_add(1),
            },
            Flags::Decrement {
                a,
                result: a.wrapping_sub(1),
            },
            Flags::Logic { result: a },
            Flags::Multiply {
                low: a,
                high: b,
                is_signed: op & 1 != 0,
            },
            Flags::Carry {
                result: a,
                carry: b & 1,
            },
            Flags::Zero { value: a },
            Flags::CarryOnly { carry: a & 1 },
            Flags::OverflowOnly { overflow: a & 1 },
            Flags::ZeroOnly { result: a },
            Flags::Shift {
                op: shift,
                value: a,
                count: b & 63,
                result: 0,
            },
            Flags::DoubleShift {
                op: double,
                value: a,
                source: c,
                count: b & 63,
                result: 0,
            },
        ]
    }

    proptest! {
        #[test]
        fn flags_put_aside_come_back(values in any::<[u64; 4]>(), op in 0..20usize, width in 0..4u32, carried in 0..2u64) {
            let bits = 8 << width;
            let old = LazyFlags::from_status(Rflags::from_bits_truncate(values[3]) & Rflags::STATUS);
            let cut = |value: u64| value & mask(bits);
            let [a, b, _, _] = values.map(cut);
            let mut all = each(values, op);
            let sum = cut(a.wrapping_add(b).wrapping_add(carried));
            all.push(Flags::Add { a, b, sum });
            let difference = cut(a.wrapping_sub(b).wrapping_sub(carried));
            all.push(Flags::Sub { a, b, difference });
            for flags in all {
                let mut flags = flags.map(cut, |byte| byte);
                if let Flags::Shift { op, value, count, result } = &mut flags {
                    *count &= if bits == 64 { 63 } else { 31 };
                    *result = op.apply(bits, *value, *count as u32);
                }
                if let Flags::DoubleShift { op, value, source, count, result } = &mut flags {
                    *count &= if bits == 64 { 63 } else { 31 };
                    if matches!(op, DoubleShiftOp::Rcl | DoubleShiftOp::Rcr) {
                        *source &= 1;
                    }
                    *result = op.apply(bits, *value, *source, *count as u32);
                }
                let (kind, operands) = FlagKind::of(flags, bits, carried == 0);
                // What stands above the width is of no account.
                let dirty = operands.map(|value| value.unwrap_or(7) | if bits < 64 { 1 << 63 } else { 0 });
                let (width, again) = kind.flags(dirty);
                prop_assert_eq!(width, bits);
                prop_assert_eq!(again.apply(bits, old).status(), flags.apply(bits, old).status(), "{:?}", flags);
                let result = match flags {
                    Flags::CarryOnly { carry } => carry,
                    Flags::Increment { result, .. } | Flags::Decrement { result, .. } | Flags::Shift { result, .. } => result,
                    _ => 0,
                };
                let after = flags.apply(bits, old);
                let is_turned = !matches!(flags, Flags::Shift { count: 0, .. });
                if let (Some((_, over)), true) = (FlagKind::over(&flags, bits), is_turned) {
                    prop_assert_eq!(over.apply_over(result, old).status(), after.status(), "{:?}", flags);
                }
                if let Flags::Shift { op, count, result, .. } = flags
                    && count != 0 && count < u64::from(bits)
                    && let Some(kind) = FlagKind::shifted(op, count, bits)
                {
                    let (_, again) = kind.flags([result, u64::from(after.carry()), 0]);
                    prop_assert_eq!(again.apply(bits, old).status(), after.status(), "{:?}", flags);
                }
                if let (Flags::Sub { a, b, .. }, 0) = (flags, carried) {
                    let kind = FlagKind::of_simple(SimpleKind::Compare, bits);
                    let (_, again) = kind.flags([a, b, 0]);
                    prop_assert_eq!(again.apply(bits, old).status(), after.status(), "{:?}", flags);
                }
            }
        }
    }
}
