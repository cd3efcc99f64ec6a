//! What is known of a unit before it is emitted: which instructions are left to the
//! interpreter, which flag updates somebody will look at, and when values die.

use std::ops::Range;

use bitflags::bitflags;
use rax_cpu::compiled::{FlagKind, SimpleKind};
use rax_cpu::flags::Condition;
use rax_cpu::insn::{Gather, Insn, MaskedBytes, StringComparison};
use rax_cpu::ir::{Block, Name, Op};
use rax_cpu::rflags::Rflags;
use rax_cpu::verbs::{BinaryOp, Flags, ShiftOp};

use super::idiom::{WithCarry, are_halves};
use super::operation::{Class, displacement, each_operand};
use super::simd::is_mmx;
use super::turn::{is_turn, turn_at};

/// An update of the flags, its operands named.
pub(super) type FlagsOp = Flags<Name, Name>;

bitflags! {
    /// What is decided of an operation.
    #[derive(Clone, Copy, Debug, Default)]
    struct Fate: u8 {
        /// An update that must reach the cells whatever is seen from here.
        const KEPT = 1;
        /// An update that somebody may look at in the cells.
        const NEEDED = 1 << 1;
        /// An update before which the flags that it keeps must be in the state.
        const KEEPS_OLD = 1 << 2;
        /// A comparison or test, whose result nobody asks for.
        const COMPARES = 1 << 3;
        /// An update, or its result, that a condition takes from the host's flags.
        const WANTED = 1 << 4;
        /// Of a condition: the host's CF was put aside for it. Of an update: it is to be.
        const SAVES_CARRY = 1 << 5;
    }
}

/// What is known of an operation.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    class: Class,
    fate: Fate,
    /// How many operations have its value for an operand, up to 255.
    uses: u8,
    /// Where its value is last used; zero for nowhere.
    last_use: u32,
    /// Of a condition: the update it looks at, if it is in the unit, and 1.
    source: u32,
}

/// The plan for one unit. It is made anew for the next one in the same place.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// The operations of each instruction, without the [`Op::Begin`].
    ranges: Vec<Range<usize>>,
    /// The instruction at which control comes from elsewhere too.
    again: Option<usize>,
    /// All that they are, by instruction.
    classes: Vec<Class>,
    /// All of the unit's.
    all: Class,
    /// Instructions left to the interpreter, a bit each.
    carried_out: u64,
    /// Instructions with operations on vectors, a bit each.
    vectors: u64,
    /// Instructions that are left to the interpreter but for what the host may do of them:
    /// a bit each for those that it cannot, and for those that need the vectors.
    refused: u64,
    assisted: u64,
    /// By position.
    entries: Vec<Entry>,
}

impl Plan {
    /// Begins anew. At the instruction `again` control comes from elsewhere too. With
    /// `has_vectors`, the host can carry out operations on vectors.
    pub(super) fn begin(&mut self, block: &Block, again: Option<usize>, has_vectors: bool) {
        self.again = again;
        self.carried_out = 0;
        self.vectors = 0;
        self.refused = 0;
        self.assisted = 0;
        self.ranges.clear();
        self.classes.clear();
        self.all = Class::empty();
        self.entries.clear();
        self.entries.resize(block.ops.len(), Entry::default());
        let mut start = 0;
        while start < block.ops.len() {
            // What stands here begins an instruction.
            let rest = &block.ops[start + 1..];
            let is_begin = |(op, _): &(Op, u32)| matches!(op, Op::Begin(_));
            let length = rest.iter().position(is_begin).unwrap_or(rest.len());
            let range = start + 1..start + 1 + length;
            start = range.end;
            self.begin_instruction(block, range, has_vectors);
        }
        for index in 0..self.ranges.len() {
            if !self.classes[index].contains(Class::FLAGS) {
                continue;
            }
            for position in self.range(index) {
                if let (Op::Flags(flags), _) = &block.ops[position]
                    && self.compares_only(block, flags)
                {
                    self.entries[position].fate.insert(Fate::COMPARES);
                }
            }
        }
    }

    /// Notes the operations of the next instruction.
    fn begin_instruction(&mut self, block: &Block, range: Range<usize>, has_vectors: bool) {
        let bit = 1 << self.ranges.len();
        let mut all = Class::empty();
        for position in range.clone() {
            let (op, bits) = &block.ops[position];
            let mut class = Class::of(op);
            if let Op::Binary(BinaryOp::And | BinaryOp::Add, of, _) = op
                && matches!(block.ops[of.0 as usize].0, Op::RawAddress)
            {
                // The host's LEA leaves its flags alone.
                class.remove(Class::DISTURBS);
            }
            self.entries[position].class = class;
            all |= class;
            match op {
                Op::Vector(step) => {
                    if !has_vectors {
                        self.carried_out |= bit;
                    } else if !is_mmx(*step, *bits) {
                        self.vectors |= bit;
                    }
                    for (name, _) in step.operands(*bits) {
                        self.use_once(name);
                    }
                }
                Op::Call(_) => {
                    self.carried_out |= bit;
                    let insn = &block.insns[self.ranges.len()];
                    if has_vectors && is_for_vectors(insn) {
                        self.assisted |= bit;
                    }
                }
                Op::Flags(_) => {}
                op => each_operand(op, |name| self.use_once(name)),
            }
        }
        self.ranges.push(range);
        self.classes.push(all);
        self.all |= all;
    }

    fn use_once(&mut self, name: Name) {
        let uses = &mut self.entries[name.0 as usize].uses;
        *uses = uses.saturating_add(1);
    }

    /// Whether an update compares or tests, by an operation that has no other use.
    fn compares_only(&self, block: &Block, flags: &FlagsOp) -> bool {
        let unused = |name: Name| self.entries[name.0 as usize].uses == 0;
        match *flags {
            Flags::Sub { difference, .. } => unused(difference) && is_plain(block, flags),
            Flags::Logic { result } => {
                let made = block.ops[result.0 as usize].0;
                unused(result) && matches!(made, Op::Binary(BinaryOp::And, ..))
            }
            _ => false,
        }
    }

    fn has(&self, position: usize, fate: Fate) -> bool {
        self.entries[position].fate.contains(fate)
    }

    fn mark(&mut self, position: usize, fate: Fate) {
        self.entries[position].fate.insert(fate);
    }

    /// A value is used at a position.
    fn use_at(&mut self, name: Name, position: usize) {
        let last_use = &mut self.entries[name.0 as usize].last_use;
        *last_use = (*last_use).max(position as u32);
    }

    pub(super) fn instructions(&self) -> usize {
        self.ranges.len()
    }

    #[inline]
    pub(super) fn range(&self, index: usize) -> Range<usize> {
        self.ranges[index].clone()
    }

    /// Whether any instruction has an operation of one of these classes.
    #[inline]
    pub(super) const fn has_any(&self, classes: Class) -> bool {
        self.all.intersects(classes)
    }

    /// Whether an instruction has an operation of one of these classes.
    #[inline]
    pub(super) fn has_class(&self, index: usize, classes: Class) -> bool {
        self.classes[index].intersects(classes)
    }

    pub(super) const fn is_carried_out(&self, index: usize) -> bool {
        self.carried_out >> index & 1 != 0
    }

    /// Whether an instruction is emitted and works on vectors.
    pub(super) const fn is_vector(&self, index: usize) -> bool {
        (self.vectors & !self.carried_out) >> index & 1 != 0
    }

    /// Whether any instruction is.
    pub(super) const fn has_vectors(&self) -> bool {
        self.vectors & !self.carried_out != 0 || self.has_assisted()
    }

    /// Whether nothing of an instruction that is carried out can be done otherwise.
    pub(super) const fn is_refused(&self, index: usize) -> bool {
        self.refused >> index & 1 != 0
    }

    /// Whether the host's vectors can do any of those.
    pub(super) const fn has_assisted(&self) -> bool {
        self.assisted & !self.refused != 0
    }

    /// Whether they can do this one.
    pub(super) const fn is_assisted(&self, index: usize) -> bool {
        (self.assisted & !self.refused) >> index & 1 != 0
    }

    pub(super) const fn leave_to_interpreter(&mut self, number: u32) {
        self.carried_out |= 1 << number;
        self.refused |= 1 << number;
    }

    pub(super) fn keep_flags(&mut self, position: usize) {
        debug_assert!(
            !self.has(position, Fate::KEPT),
            "a plan is changed but once for each cause"
        );
        self.mark(position, Fate::KEPT);
    }

    #[inline]
    pub(super) fn needs(&self, position: usize) -> bool {
        self.has(position, Fate::NEEDED)
    }

    #[inline]
    pub(super) fn keeps_old(&self, position: usize) -> bool {
        self.has(position, Fate::KEEPS_OLD)
    }

    /// What is kept of an update so that its flags can be made later.
    pub(super) fn recipe(
        &self,
        block: &Block,
        position: usize,
        flags: &FlagsOp,
        bits: u32,
    ) -> Recipe {
        match *flags {
            Flags::Sub { a, b, .. } if self.has(position, Fate::COMPARES) => Recipe::Operands(
                FlagKind::of_simple(SimpleKind::Compare, bits),
                [Some(a), Some(b), None],
            ),
            Flags::Logic { result } if self.has(position, Fate::COMPARES) => {
                let names = match block.ops[result.0 as usize].0 {
                    Op::Binary(_, a, b) => [Some(a), Some(b), None],
                    _ => [None; 3],
                };
                Recipe::Operands(FlagKind::of_simple(SimpleKind::Test, bits), names)
            }
            _ if is_turn(block, flags) => Recipe::Operands(FlagKind::SETTLED, [None; 3]),
            Flags::Multiply { low, high, .. } if are_halves(block, low, high) => {
                Recipe::Carry(FlagKind::multiplied(bits), low)
            }
            Flags::Shift {
                op, count, result, ..
            } if let Some(kind) = constant_count(block, count)
                .filter(|&count| count != 0 && count < u64::from(bits))
                .and_then(|count| FlagKind::shifted(op, count, bits)) =>
            {
                Recipe::Carry(kind, result)
            }
            _ => {
                let (kind, names) = FlagKind::of(*flags, bits, is_plain(block, flags));
                Recipe::Operands(kind, names)
            }
        }
    }

    #[inline]
    pub(super) fn wants(&self, position: usize) -> bool {
        self.has(position, Fate::WANTED)
    }

    #[inline]
    pub(super) fn saves_carry(&self, position: usize) -> bool {
        self.has(position, Fate::SAVES_CARRY)
    }

    #[inline]
    pub(super) fn source(&self, position: usize) -> Option<usize> {
        let source = self.entries[position].source;
        source.checked_sub(1).map(|update| update as usize)
    }

    #[inline]
    pub(super) fn last_use(&self, name: Name) -> usize {
        self.entries[name.0 as usize].last_use as usize
    }

    /// Whether an instruction updates flags that somebody may look at in the cells.
    pub(super) fn writes_flags(&self, index: usize) -> bool {
        self.has_class(index, Class::FLAGS.union(Class::ORDER))
            && self.range(index).any(|position| self.needs(position))
    }

    /// Follows what was decided: liveness of flags, then of values.
    pub(super) fn settle(&mut self, block: &Block) {
        for entry in &mut self.entries {
            entry.fate &= Fate::KEPT | Fate::COMPARES;
            entry.last_use = 0;
            entry.source = 0;
        }
        if self.has_any(Class::CONDITION) {
            self.conditions(block);
        }
        self.flags(block);
        self.values(block);
    }

    /// Finds each condition's update, and whether the host's flags will last until then.
    fn conditions(&mut self, block: &Block) {
        let mut last = None;
        // A comparison of numbers, whose flags are the host's.
        let mut order = None;
        let mut lasts = false;
        for index in 0..self.ranges.len() {
            if self.is_carried_out(index) || self.again == Some(index) {
                last = None;
                order = None;
            }
            if self.is_carried_out(index) {
                continue;
            }
            let watched = Class::FLAGS | Class::ORDER | Class::CONDITION | Class::DISTURBS;
            if !self.has_class(index, watched.difference(Class::DISTURBS)) {
                lasts &= !self.has_class(index, Class::DISTURBS);
                continue;
            }
            for position in self.range(index) {
                let class = self.entries[position].class;
                if !class.intersects(watched) {
                    continue;
                }
                let (op, bits) = block.ops[position];
                match op {
                    Op::X87(step) if step.sets_flags() => {
                        order = Some(position);
                        last = None;
                        lasts = true;
                    }
                    Op::Flags(flags) => {
                        order = None;
                        last = Some((position, Some(flags), bits));
                        lasts = true;
                    }
                    Op::Vector(step) if step.sets_flags() => {
                        order = None;
                        last = Some((position, None, bits));
                        lasts = true;
                    }
                    // Its CF comes from the state.
                    Op::Condition(_) if turn_at(block, position).is_some() => {}
                    Op::Condition(condition) => {
                        if let Some(update) = order {
                            self.entries[position].source = update as u32 + 1;
                            if lasts {
                                self.mark(position, Fate::WANTED);
                            }
                        } else if let Some((update, flags, bits)) = last {
                            self.entries[position].source = update as u32 + 1;
                            let agrees = flags
                                .is_none_or(|flags| host_agrees(block, &flags, bits, condition));
                            let result = flags.as_ref().and_then(result);
                            let fate = if !agrees {
                                continue;
                            } else if lasts {
                                Fate::WANTED
                            } else if condition == Condition::B && result.is_some() {
                                Fate::SAVES_CARRY
                            } else {
                                continue;
                            };
                            if let Some(result) = result {
                                self.mark(result.0 as usize, Fate::WANTED);
                            }
                            self.mark(update, fate);
                            self.mark(position, fate);
                        }
                    }
                    _ => lasts &= !class.contains(Class::DISTURBS),
                }
            }
        }
    }

    /// Backwards, flag by flag: an update is needed if something may look before the next.
    fn flags(&mut self, block: &Block) {
        // Whoever follows may look.
        let mut live = Rflags::STATUS;
        for index in (0..self.ranges.len()).rev() {
            if self.is_carried_out(index) {
                live = Rflags::STATUS;
                continue;
            }
            let watched = Class::FLAGS | Class::ORDER | Class::CONDITION | Class::LEAVES;
            if !self.has_class(index, watched.difference(Class::LEAVES)) {
                if self.has_class(index, Class::LEAVES) {
                    live = Rflags::STATUS;
                }
                continue;
            }
            for position in self.range(index).rev() {
                let class = self.entries[position].class;
                if !class.intersects(watched) {
                    continue;
                }
                let is_kept = self.has(position, Fate::KEPT);
                match block.ops[position].0 {
                    Op::X87(step) if step.sets_flags() => {
                        if is_kept || !live.is_empty() {
                            self.mark(position, Fate::NEEDED);
                        }
                        live = Rflags::empty();
                    }
                    Op::Flags(flags) => {
                        if is_kept {
                            live = Rflags::STATUS;
                        }
                        let count = flags.count().and_then(|count| constant_count(block, count));
                        let is_needed = is_kept || live.intersects(flags.may_write(count));
                        live -= flags.must_write(count);
                        if is_needed {
                            self.mark(position, Fate::NEEDED);
                            if !live.is_empty() {
                                self.mark(position, Fate::KEEPS_OLD);
                            }
                        }
                    }
                    // It may be left before it has done anything.
                    Op::Vector(step) if step.sets_flags() => {
                        if is_kept || !live.is_empty() {
                            self.mark(position, Fate::NEEDED);
                        }
                        live = Rflags::STATUS;
                    }
                    Op::Condition(_)
                        if !self.entries[position]
                            .fate
                            .intersects(Fate::WANTED | Fate::SAVES_CARRY) =>
                    {
                        live = Rflags::STATUS;
                    }
                    _ if class.contains(Class::LEAVES) => live = Rflags::STATUS,
                    _ => {}
                }
            }
        }
    }

    fn values(&mut self, block: &Block) {
        for index in (0..self.ranges.len()).rev() {
            if self.is_carried_out(index) {
                continue;
            }
            for position in self.range(index).rev() {
                let (op, bits) = &block.ops[position];
                if let Op::Flags(flags) = op {
                    if self.needs(position) {
                        let names = self.kept_names(block, position, flags, *bits);
                        for name in names.into_iter().flatten() {
                            self.use_at(name, position);
                        }
                    }
                    continue;
                }
                if let Op::Vector(step) = op {
                    for (name, _) in step.operands(*bits) {
                        self.use_at(name, position);
                    }
                    continue;
                }
                let entry = &self.entries[position];
                let is_used = entry.class.contains(Class::ACTS)
                    || entry.last_use != 0
                    || entry.fate.contains(Fate::WANTED);
                if is_used {
                    each_operand(op, |name| self.use_at(name, position));
                    if let Some(displacement) = displacement(block, op) {
                        self.use_at(displacement, position);
                    }
                    // It is made where its last operation stands.
                    if matches!(op, Op::Binary(..))
                        && self.has_class(index, Class::CONDITION)
                        && let Some(sum) = WithCarry::made(block, Name(position as u32))
                    {
                        for name in sum.operands() {
                            self.use_at(name, position);
                        }
                    }
                }
            }
        }
    }

    /// What is kept of an update that is needed.
    fn kept_names(
        &self,
        block: &Block,
        position: usize,
        flags: &FlagsOp,
        bits: u32,
    ) -> [Option<Name>; 3] {
        if let Some(result) = over_result(flags)
            && FlagKind::over(flags, bits).is_some()
            && flags
                .count()
                .is_none_or(|count| constant_count(block, count).is_some_and(|count| count != 0))
        {
            [Some(result), None, None]
        } else {
            match self.recipe(block, position, flags, bits) {
                Recipe::Operands(_, names) => names,
                Recipe::Carry(_, result) => [Some(result), None, None],
            }
        }
    }
}

/// Whether an instruction without IR of its own can be done in the host's vectors.
fn is_for_vectors(insn: &Insn) -> bool {
    StringComparison::of(insn).is_some()
        || Gather::of(insn).is_some()
        || MaskedBytes::of(insn).is_some()
}

/// What is kept of an update.
#[derive(Clone, Copy, Debug)]
pub(super) enum Recipe {
    /// Its operands, as the kind says.
    Operands(FlagKind, [Option<Name>; 3]),
    /// Its result, and the CF that the host's operation leaves.
    Carry(FlagKind, Name),
}

/// The value that an update's ZF and SF tell of.
pub(super) const fn result(flags: &FlagsOp) -> Option<Name> {
    match *flags {
        Flags::Add { sum: result, .. }
        | Flags::Sub {
            difference: result, ..
        }
        | Flags::Logic { result }
        | Flags::Increment { result, .. }
        | Flags::Decrement { result, .. }
        | Flags::Shift { result, .. } => Some(result),
        // The host's multiplication tells whether the high half matters.
        Flags::Multiply { low, .. } => Some(low),
        _ => None,
    }
}

/// What an update that stands over others follows from.
pub(super) const fn over_result(flags: &FlagsOp) -> Option<Name> {
    match *flags {
        Flags::CarryOnly { carry } => Some(carry),
        _ => result(flags),
    }
}

/// Whether nothing was carried into an addition or subtraction.
pub(super) fn is_plain(block: &Block, flags: &FlagsOp) -> bool {
    let made = |name: Name| block.ops[name.0 as usize].0;
    match *flags {
        Flags::Add { a, b, sum } => {
            matches!(made(sum), Op::Binary(BinaryOp::Add, x, y) if (x, y) == (a, b))
        }
        Flags::Sub { a, b, difference } => {
            matches!(made(difference), Op::Binary(BinaryOp::Sub, x, y) if (x, y) == (a, b))
        }
        _ => false,
    }
}

/// Whether an addition or subtraction took the flags' own carry, by one instruction of the
/// host's.
fn is_with_carry(block: &Block, flags: &FlagsOp) -> bool {
    let (op, a, b, result) = match *flags {
        Flags::Add { a, b, sum } => (BinaryOp::Add, a, b, sum),
        Flags::Sub { a, b, difference } => (BinaryOp::Sub, a, b, difference),
        _ => return false,
    };
    WithCarry::made(block, result).is_some_and(|sum| sum.is_of(op, a, b))
}

/// A shift's count, if it is a constant.
pub(super) fn constant_count(block: &Block, count: Name) -> Option<u64> {
    match block.ops[count.0 as usize].0 {
        Op::Constant(value) => Some(value),
        Op::Binary(BinaryOp::And, a, b) => match [a, b].map(|name| block.ops[name.0 as usize].0) {
            [Op::Constant(a), Op::Constant(b)] => Some(a & b),
            _ => None,
        },
        _ => None,
    }
}

/// Whether the host's flags after the same operation say the same of a condition.
pub(super) fn host_agrees(block: &Block, flags: &FlagsOp, bits: u32, condition: Condition) -> bool {
    use Condition::{A, Ae, B, Be, G, Ge, L, Le, No, O};
    match *flags {
        Flags::Add { .. } | Flags::Sub { .. } => {
            is_plain(block, flags) || is_with_carry(block, flags)
        }
        Flags::Multiply { low, high, .. } => {
            are_halves(block, low, high) && matches!(condition, O | No | B | Ae)
        }
        Flags::Logic { result } => matches!(
            block.ops[result.0 as usize].0,
            Op::Binary(BinaryOp::And | BinaryOp::Or | BinaryOp::Xor, ..)
        ),
        Flags::Increment { .. } | Flags::Decrement { .. } => !matches!(condition, A | Ae | B | Be),
        // Its overflow is undefined but for a count of 1.
        Flags::Shift { op, count, .. } => {
            matches!(op, ShiftOp::Shl | ShiftOp::Shr | ShiftOp::Sar)
                && constant_count(block, count)
                    .is_some_and(|count| count != 0 && count < u64::from(bits))
                && !matches!(condition, G | Ge | L | Le | No | O)
        }
        _ => false,
    }
}
