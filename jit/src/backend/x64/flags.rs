//! The guest's arithmetic flags: in the host's own where a condition follows at once,
//! else in the cells, as operands ([`rax_cpu::compiled::FlagKind`]), or in the state.

use rax_cpu::compiled::{FlagKind, SimpleKind};
use rax_cpu::flags::Condition;
use rax_cpu::ir::{Bit, Name, Op, VectorStep};
use rax_cpu::verbs::{BinaryOp, DoubleShiftOp, Flags, ShiftOp};

use super::abi::{self, FLAG_KIND, FLAGS_CARRIES, FLAGS_RESULT, flag_value};
use super::asm::{Alu, Mem, Rm, cc, is_high};
use super::detour::{Cold, Detour};
use super::operation::Class;
use super::pending::{Base, Over, Pending};
use super::plan::{FlagsOp, Recipe, constant_count, is_plain, over_result, result};
use super::turn::is_turn;
use super::values::{Loc, Source};
use super::{Emit, Stuck};

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

/// Added to an update's position: CF alone is the host's, fetched from where it waited.
const SAVED: usize = 1 << 30;
/// Added to an update's position: the host's are those flags that the result alone tells.
const TESTED: usize = 1 << 29;

impl HostFlags {
    pub(super) const fn is_known(self) -> bool {
        matches!(self, Self::Update { .. })
    }
}

impl Emit<'_> {
    /// Before an instruction whose flags depend on those before: puts them into the state,
    /// unless its update may stand over them.
    pub(super) fn prepare_flags(&mut self, index: usize) {
        if !self.plan.has_class(index, Class::FLAGS | Class::VECTOR) {
            return;
        }
        for position in self.plan.range(index) {
            let (op, bits) = self.block.ops[position];
            if matches!(op, Op::Vector(VectorStep::SetMxcsr(_))) {
                self.settle_order();
            }
            let Op::Flags(flags) = op else {
                continue;
            };
            if is_turn(self.block, &flags) {
                self.settle_before();
                continue;
            }
            if !self.plan.keeps_old(position) {
                continue;
            }
            // A change of CF alone may not stand over a rotation either.
            let first = usize::from(!matches!(flags, Flags::CarryOnly { .. }));
            let overs = &self.pending.overs[first..];
            match self.over(&flags, bits) {
                Some((1, _)) => {}
                Some(_) if overs.iter().all(|&over| over == Over::Absent) => {}
                Some(_) if !overs.iter().any(|over| matches!(over, Over::Held(..))) => {
                    let width = 8 * overs.len() as u32;
                    self.settle_unless(width, abi::flag_over_kind(first));
                    self.pending.base = Base::Unknown;
                    self.pending.overs[first..].fill(Over::Absent);
                }
                _ if self.has_open_count(&flags).is_some() => self.store_flags(),
                _ => self.settle_before(),
            }
        }
    }

    /// The count of a shift that changes all flags unless that is zero.
    fn has_open_count(&self, flags: &FlagsOp) -> Option<Name> {
        let count = match *flags {
            Flags::Shift {
                op: ShiftOp::Shl | ShiftOp::Shr | ShiftOp::Sar,
                count,
                ..
            }
            | Flags::DoubleShift {
                op: DoubleShiftOp::Shld | DoubleShiftOp::Shrd,
                count,
                ..
            } => count,
            _ => return None,
        };
        constant_count(self.block, count).is_none().then_some(count)
    }

    /// Puts a shift's operands into the cells, unless its count is zero: those from before
    /// it are there then.
    fn note_if_counted(&mut self, flags: &FlagsOp, bits: u32, count: Name) -> Result<(), Stuck> {
        let before = self.borrowed.len();
        match self.source(count)? {
            Source::Rm(Rm::Reg(register)) if !is_high(register) => {
                self.asm.test(8, register, register);
            }
            Source::Rm(rm @ Rm::Mem(_)) => self.asm.alu_imm(Alu::Cmp, 8, rm, 0),
            _ => return self.stuck(),
        }
        let zero = self.asm.branch_ahead(cc::E);
        let (kind, names) = FlagKind::of(*flags, bits, false);
        for (n, name) in names.into_iter().enumerate() {
            if let Some(name) = name {
                self.keep(flag_value(n), name)?;
            }
        }
        self.asm.store_imm(32, FLAG_KIND, kind.0 as i32);
        self.asm.bind(zero);
        if self.borrowed.len() != before {
            // Only some would be given back.
            return self.stuck();
        }
        self.pending = Pending::UNKNOWN;
        Ok(())
    }

    /// How an update may stand over those before it.
    fn over(&self, flags: &FlagsOp, bits: u32) -> Option<(usize, FlagKind)> {
        if let Some(count) = flags.count() {
            constant_count(self.block, count).filter(|&count| count != 0)?;
        }
        FlagKind::over(flags, bits)
    }

    /// Puts all flags into the state, if they are not there.
    fn settle_before(&mut self) {
        let is_known = matches!(self.pending.base, Base::Stored(_) | Base::Held(..));
        self.store_flags();
        if self.pending == Pending::SETTLED {
            return;
        }
        if let Base::Stored(kind) = self.pending.base
            && let Some((SimpleKind::Logic, bits)) = kind.simple()
            && self.pending.overs == [Over::Absent; 2]
        {
            self.asm.sign_extend(bits, 64, abi::T0, flag_value(0));
            self.asm.store(64, FLAGS_RESULT, abi::T0);
            self.asm.store_imm(64, FLAGS_CARRIES, 0);
            self.asm.store_imm(32, FLAG_KIND, 0);
        } else if is_known {
            self.settle();
        } else {
            self.settle_unless(32, FLAG_KIND);
        }
        self.pending = Pending::SETTLED;
    }

    /// Has the flags settled unless a cell is zero.
    fn settle_unless(&mut self, bits: u32, cell: Mem) {
        self.asm.alu_imm(Alu::Cmp, bits, cell, 0);
        let far = self.asm.branch_ahead(cc::NE);
        self.host_flags = HostFlags::Unknown;
        self.cold.push(Cold {
            from: [Some(far), None],
            what: Detour::Settle {
                routine: self.backend.routines.settle,
                back: self.asm.here(),
            },
        });
    }

    /// Makes the state's flags valid and the host's flags the guest's, here and now.
    pub(super) fn settle(&mut self) {
        self.asm.call(self.backend.routines.settle);
        self.pending = Pending::SETTLED;
        self.host_flags = HostFlags::Unknown;
    }

    pub(super) fn flags(&mut self, flags: FlagsOp, bits: u32) -> Result<(), Stuck> {
        let position = self.position;
        if is_turn(self.block, &flags) {
            if self.plan.needs(position) {
                self.note_turn(&flags)?;
            }
            self.flags_end = false;
            self.host_flags = HostFlags::Unknown;
            return Ok(());
        }
        let made = result(&flags).map(|result| HostFlags::Value(result.0 as usize));
        let is_made = made == Some(self.host_flags);
        if is_made {
            self.save_carry(position);
        } else if self.plan.saves_carry(position) {
            return self.stuck();
        }
        if self.plan.needs(position) {
            self.note_update(flags, bits, is_made)?;
            if self.ways_out() != 0 {
                // On the slow way they are in the state.
                self.store_flags();
            }
        } else if self.flags_end {
            // Nobody will look.
            self.pending = Pending::of(Base::Unknown);
        }
        self.flags_end = false;
        self.host_flags = if is_made {
            HostFlags::Update {
                position,
                is_exact: false,
            }
        } else {
            HostFlags::Unknown
        };
        Ok(())
    }

    /// Notes what the flags follow from. With `is_made`, the host's flags are those of the
    /// operation that made the result.
    fn note_update(&mut self, flags: FlagsOp, bits: u32, is_made: bool) -> Result<(), Stuck> {
        if let Some((layer, kind)) = self.over(&flags, bits)
            && let Some(result) = over_result(&flags)
        {
            return self.hold_over(layer, kind, result);
        }
        if let Some(count) = self.has_open_count(&flags) {
            return self.note_if_counted(&flags, bits, count);
        }
        // Nobody asks for the flags before any more, and a guest register that is borrowed for
        // one operand must not be kept for them in the cell that another has just got.
        self.pending = Pending::of(Base::Unknown);
        match self.plan.recipe(self.block, self.position, &flags, bits) {
            Recipe::Operands(kind, names) => self.hold(kind, names),
            Recipe::Carry(kind, result) => {
                if !is_made {
                    return self.stuck();
                }
                self.asm.set(cc::B, flag_value(1));
                self.hold(kind, [Some(result), None, None])
            }
        }
    }

    /// Puts an operand of the update under way into its cell.
    pub(super) fn keep(&mut self, cell: Mem, name: Name) -> Result<(), Stuck> {
        match self.source(name)? {
            Source::Immediate(value) => self.asm.store_imm(64, cell, value),
            // What stands above the width is of no account.
            Source::Rm(Rm::Reg(register)) if is_high(register) => {
                self.asm.store(8, cell, register);
            }
            Source::Rm(Rm::Reg(register)) => self.asm.store(64, cell, register),
            Source::Rm(_) => {
                let temp = self.temp()?;
                self.load_into(temp, name)?;
                self.asm.store(64, cell, temp);
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
        if !agrees && (self.carry_waits || self.plan.saves_carry(self.position)) {
            self.asm.test_lowest(abi::CARRY);
            // Of this update, nothing but CF.
            self.host_flags = HostFlags::Update {
                position: source | SAVED,
                is_exact: false,
            };
            return self.set(Loc::Condition(
                condition as u8,
                Name((source | SAVED) as u32),
            ));
        } else if !agrees {
            if source != ENTRY && self.test_result(source, condition) {
                self.host_flags = HostFlags::Update {
                    position: source | TESTED,
                    is_exact: false,
                };
                let tag = Name((source | TESTED) as u32);
                return self.set(Loc::Condition(condition as u8, tag));
            }
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
        if source != ENTRY && !self.plan.needs(source) {
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
    pub(super) fn fetch_flags(&mut self) {
        let is_alone = self.pending.overs == [Over::Absent; 2];
        self.store_flags();
        match self.pending.base {
            Base::Stored(kind) if is_alone && kind.simple().is_some() => {
                if let Some((kind, bits)) = kind.simple() {
                    super::routines::flags_of(&mut self.asm, kind, bits);
                }
            }
            Base::Unknown | Base::Stored(FlagKind::PUSHED) => {
                // The routine leaves the cells as they are, or settled.
                self.asm.call(self.backend.routines.flags);
            }
            _ => self.settle(),
        }
    }

    /// Makes the host's ZF, SF and PF those of an update's result, if that is still in a
    /// register and the condition looks at nothing else.
    fn test_result(&mut self, source: usize, condition: Condition) -> bool {
        let by_result = matches!(
            condition,
            Condition::E
                | Condition::Ne
                | Condition::S
                | Condition::Ns
                | Condition::P
                | Condition::Np
        );
        let (Op::Flags(flags), bits) = self.block.ops[source] else {
            return false;
        };
        let (Flags::Increment { result, .. }
        | Flags::Decrement { result, .. }
        | Flags::Add { sum: result, .. }
        | Flags::Sub {
            difference: result, ..
        }) = flags
        else {
            return false;
        };
        match self.loc(result) {
            Loc::Gpr(register, false) if by_result => {
                match self.gpr_rm(register, false) {
                    Rm::Reg(register) => self.asm.test(bits, register, register),
                    rm @ Rm::Mem(_) => self.asm.alu_imm(Alu::Cmp, bits, rm, 0),
                }
                true
            }
            _ => false,
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
                if let Op::Binary(BinaryOp::And, a, b) = self.block.ops[result.0 as usize].0
                    && let Some(a) = held(self, a)
                {
                    match (a, held(self, b), self.loc(b)) {
                        (a, Some(Rm::Reg(b)), _) => self.asm.test(bits, a, b),
                        (Rm::Reg(a), Some(b), _) => self.asm.test(bits, b, a),
                        (a, _, Loc::Constant(value)) => {
                            let value = rax_cpu::flags::sign_extend(bits, value) as i64;
                            let Ok(value) = i32::try_from(value) else {
                                return false;
                            };
                            self.asm.test_imm(bits, a, value);
                        }
                        _ => return false,
                    }
                    return true;
                }
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
                    if tag.0 != u32::MAX && tag.0 as usize & (SAVED | TESTED) != 0 {
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
