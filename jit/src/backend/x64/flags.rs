//! The guest's arithmetic flags: in the host's own where a condition follows at once,
//! else in the cells, as operands ([`rax_cpu::compiled::FlagKind`]), or in the state.

use std::ops::Range;

use rax_cpu::compiled::{FlagKind, SimpleKind};
use rax_cpu::flags::Condition;
use rax_cpu::ir::{Bit, Name, Op};
use rax_cpu::verbs::{Flags, ShiftOp};

use super::abi::{self, FLAG_KIND, FLAGS_CARRIES, FLAGS_RESULT, flag_value};
use super::asm::{Alu, Rm, Turn, cc, is_high};
use super::idiom::are_halves;
use super::plan::{FlagsOp, constant_count, host_agrees, is_plain, result};
use super::values::{Loc, Source};
use super::{Cold, Detour, Emit, Stuck};

/// What the host's flags tell of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostFlags {
    /// Nothing of the guest's.
    Unknown,
    /// The operation that made the value at this position.
    Value(usize),
    /// The update at this position; [`ENTRY`] for flags from before the unit, or from an
    /// instruction that the interpreter carried out.
    Update {
        position: usize,
        /// Every flag is right, not only those the host's operation agrees on.
        is_exact: bool,
    },
}

/// Stands for flags that no update of the unit made.
pub(super) const ENTRY: usize = usize::MAX;

impl HostFlags {
    pub(super) const fn is_known(self) -> bool {
        matches!(self, Self::Update { .. })
    }
}

/// What is known of [`rax_cpu::compiled::Cells::flag_kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pending {
    /// It may be anything.
    Unknown,
    /// It is zero: the state's flags are valid.
    Settled,
    /// It is this, and so are the values beside it.
    Stored {
        kind: FlagKind,
        /// What CF is a copy of, after a shift by a constant.
        carry: Option<CarryBit>,
    },
    /// The state's CF is right, and nobody will look at anything else.
    CarryInState,
}

/// A bit of the first of [`rax_cpu::compiled::Cells::flag_values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CarryBit(u8);

impl CarryBit {
    /// The bit that a shift by a constant puts into CF last. Not for a rotation: other
    /// flags are those from before it, which must not be written over.
    fn of(op: ShiftOp, bits: u32, count: u64) -> Option<Self> {
        let width = u64::from(bits);
        let last = match op {
            ShiftOp::Shl if (1..=width).contains(&count) => width - count,
            ShiftOp::Shr | ShiftOp::Sar if (1..=width).contains(&count) => count - 1,
            _ => return None,
        };
        Some(Self(last as u8))
    }
}

impl Emit<'_> {
    /// Before an instruction whose flags depend on those before: puts them where its kind
    /// expects them.
    pub(super) fn prepare_flags(&mut self, range: Range<usize>) {
        for position in range {
            let Op::Flags(flags) = self.block.ops[position].0 else {
                continue;
            };
            if !self.plan.keeps_old(position) {
                continue;
            }
            let steps = matches!(flags, Flags::Increment { .. } | Flags::Decrement { .. });
            let limit = if steps {
                FlagKind::LAST_WITH_STATE_CARRY
            } else {
                FlagKind::SETTLED
            };
            match self.pending {
                // Of the flags that it keeps, nobody will look at others than CF.
                Pending::Settled | Pending::CarryInState => {}
                Pending::Stored { kind, .. } if kind.0 <= limit.0 => {}
                Pending::Stored { kind, carry } => self.settle_stored(kind, carry, steps),
                Pending::Unknown => {
                    self.asm.alu_imm(Alu::Cmp, 32, FLAG_KIND, limit.0 as i32);
                    let far = self.asm.branch_ahead(cc::A);
                    self.host_flags = HostFlags::Unknown;
                    let routines = &self.backend.routines;
                    self.cold.push(Cold {
                        from: vec![far],
                        what: Detour::Settle {
                            routine: if steps {
                                routines.carry
                            } else {
                                routines.settle
                            },
                            back: self.asm.here(),
                        },
                    });
                }
            }
        }
    }

    /// Before an update that keeps some flags: puts those of a known kind into the state,
    /// or CF alone if that will do. An instruction that begins has both temporaries.
    fn settle_stored(&mut self, kind: FlagKind, carry: Option<CarryBit>, carry_only: bool) {
        let (sum, other) = (flag_value(0), flag_value(1));
        if let Some(CarryBit(bit)) = carry
            && carry_only
        {
            self.asm.load(64, abi::T0, sum);
            if bit != 0 {
                self.asm.shift_imm(Turn::Shr, 64, abi::T0, bit);
            }
            self.asm.alu_imm(Alu::And, 32, abi::T0, 1);
            self.host_flags = HostFlags::Unknown;
            self.store_carry();
            return;
        }
        match kind.simple() {
            Some((SimpleKind::Logic, bits)) => {
                self.asm.store_imm(64, FLAGS_CARRIES, 0);
                if carry_only {
                    // The others are still found by the kind, should this be left.
                    return;
                }
                self.asm.sign_extend(bits, 64, abi::T0, sum);
                self.asm.store(64, FLAGS_RESULT, abi::T0);
                self.asm.store_imm(32, FLAG_KIND, 0);
                self.pending = Pending::Settled;
                return;
            }
            // A sum below what was added has carried.
            Some((SimpleKind::Add, bits)) if carry_only => {
                self.asm.load(64, abi::T0, sum);
                self.asm.alu_from(Alu::Cmp, bits, abi::T0, other);
            }
            // What was taken off, put back, carries if it was borrowed.
            Some((SimpleKind::Sub, bits)) if carry_only => {
                self.asm.load(64, abi::T0, sum);
                self.asm.alu_from(Alu::Add, bits, abi::T0, other);
            }
            _ => {
                self.settle();
                return;
            }
        }
        self.host_flags = HostFlags::Unknown;
        self.asm.set(cc::B, abi::T0);
        self.asm.zero_extend(8, abi::T0, abi::T0);
        self.store_carry();
    }

    /// Makes T0, one or zero, the state's CF. Leaves the host's flags alone.
    fn store_carry(&mut self) {
        // CF, and CF xor OF of an OF that is clear.
        self.asm.lea(32, abi::T0, abi::sum_of(abi::T0));
        self.asm.store(64, FLAGS_CARRIES, abi::T0);
    }

    /// Puts the host's CF into the state, if it is the guest's after an update and T0 is
    /// at hand.
    fn keep_carry(&mut self, flags: &FlagsOp, bits: u32) -> bool {
        let made = result(flags).map(|result| HostFlags::Value(result.0 as usize));
        if made != Some(self.host_flags)
            || !self.free.contains(&abi::T0)
            || !(host_agrees(self.block, flags, bits, Condition::B)
                || self.is_rotation(flags, bits))
        {
            return false;
        }
        self.asm.set(cc::B, abi::T0);
        self.asm.zero_extend(8, abi::T0, abi::T0);
        self.store_carry();
        self.pending = Pending::CarryInState;
        true
    }

    /// A rotation of a whole register, whose CF is the host's.
    fn is_rotation(&self, flags: &FlagsOp, bits: u32) -> bool {
        let Flags::Shift { op, count, .. } = *flags else {
            return false;
        };
        matches!(op, ShiftOp::Rol | ShiftOp::Ror)
            && constant_count(self.block, count).is_some_and(|count| count != 0 && bits >= 32)
    }

    /// Makes the state's flags valid and the host's flags the guest's, here and now.
    fn settle(&mut self) {
        self.asm.call(self.backend.routines.settle);
        self.pending = Pending::Settled;
        self.host_flags = HostFlags::Unknown;
    }

    pub(super) fn flags(&mut self, flags: FlagsOp, bits: u32) -> Result<(), Stuck> {
        let position = self.position;
        if let (HostFlags::Value(made), Some(name)) = (self.host_flags, result(&flags))
            && made == name.0 as usize
        {
            self.save_carry(position);
        } else if self.plan.saves_carry(position) {
            return self.stuck();
        }
        let in_state = self.plan.is_carry_only(position) && self.keep_carry(&flags, bits);
        if self.plan.needs(position) && !in_state {
            let (mut kind, mut operands) = FlagKind::of(flags, bits, is_plain(self.block, &flags));
            if let Flags::Multiply { low, high, .. } = flags
                && are_halves(self.block, low, high)
            {
                if self.host_flags != HostFlags::Value(low.0 as usize) {
                    return self.stuck();
                }
                self.asm.set(cc::B, flag_value(1));
                kind = FlagKind::multiplied(bits);
                operands = [Some(low), None, None];
            }
            for (n, name) in operands.into_iter().enumerate() {
                if let Some(name) = name {
                    self.keep(n, name)?;
                }
            }
            self.asm.store_imm(32, FLAG_KIND, kind.0 as i32);
            let carry = match flags {
                Flags::Shift { op, count, .. } => constant_count(self.block, count)
                    .and_then(|count| CarryBit::of(op, bits, count)),
                _ => None,
            };
            self.pending = Pending::Stored { kind, carry };
        }
        self.host_flags = match (self.host_flags, result(&flags)) {
            (HostFlags::Value(made), Some(result)) if made == result.0 as usize => {
                HostFlags::Update {
                    position,
                    is_exact: false,
                }
            }
            _ => HostFlags::Unknown,
        };
        Ok(())
    }

    /// Puts an operand of the update under way into its cell.
    fn keep(&mut self, n: usize, name: Name) -> Result<(), Stuck> {
        match self.source(name)? {
            Source::Immediate(value) => self.asm.store_imm(64, flag_value(n), value),
            Source::Rm(Rm::Reg(register)) if !is_high(register) => {
                self.asm.store(64, flag_value(n), register);
            }
            Source::Rm(_) => {
                let temp = self.temp()?;
                self.load_into(temp, name)?;
                self.asm.store(64, flag_value(n), temp);
                self.give_back(temp);
            }
        }
        Ok(())
    }

    pub(super) fn condition(&mut self, condition: Condition) -> Result<(), Stuck> {
        if self.is_unused() {
            return Ok(());
        }
        let source = self.plan.source(self.position).unwrap_or(ENTRY);
        let agrees = match self.host_flags {
            HostFlags::Update { position, is_exact } => {
                position == source && (is_exact || self.plan.wants(self.position))
            }
            _ => false,
        };
        if !agrees && self.plan.saves_carry(self.position) {
            self.asm.test_lowest(abi::CARRY);
            // Of this update, nothing but CF: the one condition there is.
            self.host_flags = HostFlags::Update {
                position: source,
                is_exact: false,
            };
        } else if !agrees {
            self.restore(source)?;
        }
        let tag = Name(if source == ENTRY {
            u32::MAX
        } else {
            source as u32
        });
        self.set(Loc::Condition(condition as u8, tag))
    }

    /// Makes the host's flags those of an update.
    fn restore(&mut self, source: usize) -> Result<(), Stuck> {
        if source != ENTRY && self.compare_again(source) {
            self.host_flags = HostFlags::Update {
                position: source,
                is_exact: true,
            };
            return Ok(());
        }
        let is_kept = |source| self.plan.needs(source) && !self.plan.is_carry_only(source);
        if source != ENTRY && !is_kept(source) {
            return Err(Stuck::Flags(source));
        }
        if !self.free.contains(&abi::T0) || !self.free.contains(&abi::T1) {
            self.clear_temps()?;
        }
        if !self.borrowed.is_empty() {
            return self.stuck();
        }
        self.fetch_flags();
        self.host_flags = HostFlags::Update {
            position: source,
            is_exact: true,
        };
        Ok(())
    }

    /// Makes the host's flags those that the cells tell of.
    fn fetch_flags(&mut self) {
        match self.pending {
            Pending::Stored { kind, .. } if kind.simple().is_some() => {
                if let Some((kind, bits)) = kind.simple() {
                    abi::flags_of(&mut self.asm, kind, bits);
                }
            }
            Pending::Unknown => {
                // The routine leaves the cells as they are, or settled.
                self.asm.call(self.backend.routines.flags);
            }
            _ => self.settle(),
        }
    }

    /// Carries out a comparison again, if its operands are still where they were.
    fn compare_again(&mut self, source: usize) -> bool {
        let (Op::Flags(flags), bits) = self.block.ops[source] else {
            return false;
        };
        let held = |emit: &Self, name: Name| match emit.loc(name) {
            Loc::Gpr(register, false) => Some(emit.gpr_rm(register, false)),
            _ => None,
        };
        match flags {
            Flags::Sub { a, b, .. } if is_plain(self.block, &flags) => {
                let Some(a) = held(self, a) else {
                    return false;
                };
                match (a, held(self, b), self.loc(b)) {
                    (a, Some(Rm::Reg(b)), _) => self.asm.alu(Alu::Cmp, bits, a, b),
                    (Rm::Reg(a), Some(b), _) => self.asm.alu_from(Alu::Cmp, bits, a, b),
                    (a, _, Loc::Constant(value)) => {
                        let value = rax_cpu::flags::sign_extend(bits, value) as i64;
                        let Ok(value) = i32::try_from(value) else {
                            return false;
                        };
                        self.asm.alu_imm(Alu::Cmp, bits, a, value);
                    }
                    _ => return false,
                }
                true
            }
            Flags::Logic { result } => {
                if let Some(Rm::Reg(register)) = held(self, result) {
                    self.asm.test(bits, register, register);
                    return true;
                }
                false
            }
            _ => false,
        }
    }

    pub(super) fn is_zero(&mut self, value: Name) -> Result<(), Stuck> {
        if let Loc::Constant(value) = self.loc(value) {
            return self.set(Loc::Constant(u64::from(value == 0)));
        }
        // The value must last as long as what is asked of it.
        let own = Name(self.position as u32);
        if self.plan.last_use(own) > self.plan.last_use(value) {
            let bits = self.bits(value);
            match self.source(value)? {
                Source::Rm(Rm::Reg(register)) => self.asm.test(bits, register, register),
                Source::Rm(rm) => self.asm.alu_imm(Alu::Cmp, bits, rm, 0),
                Source::Immediate(_) => return self.stuck(),
            }
            self.host_flags = HostFlags::Update {
                position: self.position,
                is_exact: false,
            };
            let tag = Name(self.position as u32);
            return self.set(Loc::Condition(cc::E, tag));
        }
        self.set(Loc::IsZero(value))
    }

    /// Makes the host's flags tell a truth value; the condition to test, or the constant.
    pub(super) fn test_bit(&mut self, bit: Bit) -> Result<Result<u8, bool>, Stuck> {
        match self.loc(bit.0) {
            Loc::Constant(value) => Ok(Err(value != 0)),
            Loc::Condition(condition, tag) => {
                let holds = matches!(
                    self.host_flags,
                    HostFlags::Update { position, .. }
                        if position == tag.0 as usize || (position == ENTRY && tag.0 == u32::MAX)
                );
                if !holds {
                    if matches!(self.block.ops.get(tag.0 as usize), Some((Op::IsZero(_), _))) {
                        return self.stuck();
                    }
                    let source = if tag.0 == u32::MAX {
                        ENTRY
                    } else {
                        tag.0 as usize
                    };
                    self.restore(source)?;
                }
                Ok(Ok(condition))
            }
            Loc::IsZero(value) => {
                let bits = self.bits(value);
                match self.source(value)? {
                    Source::Rm(Rm::Reg(register)) => self.asm.test(bits, register, register),
                    Source::Rm(rm) => self.asm.alu_imm(Alu::Cmp, bits, rm, 0),
                    Source::Immediate(_) => return self.stuck(),
                }
                self.host_flags = HostFlags::Unknown;
                Ok(Ok(cc::E))
            }
            _ => self.stuck(),
        }
    }
}
