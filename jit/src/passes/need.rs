//! How badly each operation is needed: the analysis behind the removal of what is
//! dead, and what a back end may put off until the block is left early.
//!
//! A block can be left at its end; before an operation that can fault, with the
//! state as it is there; after an instruction that writes memory, because it may
//! have hit a device or the block itself; and after a branch, which leaves a trace or a
//! block for its target. A write of a register or of flags that is
//! overwritten before anything in the block reads it, with such an exit in between,
//! is needed [`Need::AtExits`]: the back end may leave it out of the main path if
//! it makes up for it on the way out, by carrying out [`Needs::pending`].

use rax_cpu::ir::{Block, Name, Op, X87Step};
use rax_cpu::rflags::Rflags;
use rax_cpu::state::Gpr;

use super::Successors;

/// How badly something is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Nothing can see it.
    Never,
    /// Only if the block is left early.
    AtExits,
    /// On the main path.
    Always,
}

/// How badly each operation of a block is needed.
#[derive(Clone, Debug)]
pub struct Needs {
    each: Vec<Need>,
    flags_at_entry: Rflags,
}

impl Needs {
    /// Finds out.
    #[must_use]
    pub fn of(block: &Block, successors: Successors) -> Self {
        let mut walk = Walk {
            block,
            each: vec![Need::Never; block.ops.len()],
            flags: Wanted {
                always: successors.flags_wanted,
                at_exits: Rflags::STATUS - successors.flags_wanted,
            },
            gprs: [Wanted {
                always: ALL_BYTES,
                at_exits: 0,
            }; 16],
            number: 0,
        };
        // Backward: what comes after an operation decides.
        let mut end = block.ops.len();
        while let Some((start, number)) = last_instruction(block, end) {
            let own = &block.ops[start..end];
            // LOOP writes its count after it branched.
            let may_leave = |op: Op| op.writes_memory() || matches!(op, Op::Branch(_));
            if own.iter().any(|&(op, _)| may_leave(op)) {
                walk.exit();
            }
            walk.number = number;
            for position in (start..end).rev() {
                walk.visit(position);
            }
            end = start;
        }
        Self {
            each: walk.each,
            flags_at_entry: walk.flags.always | walk.flags.at_exits,
        }
    }

    /// How badly the operation at a position is needed.
    #[must_use]
    pub fn at(&self, position: usize) -> Need {
        self.each[position]
    }

    /// All of them, in order.
    pub fn each(&self) -> impl Iterator<Item = Need> {
        self.each.iter().copied()
    }

    pub(super) fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        let mut position = 0;
        self.each.retain(|_| {
            position += 1;
            keep(position - 1)
        });
    }

    /// The flags that the block may read, or be left with, before it sets them.
    #[must_use]
    pub fn flags_wanted_at_entry(&self) -> Rflags {
        self.flags_at_entry
    }

    /// The writes of registers and flags to carry out, in this order, when the block
    /// is left before the operation at `exit`, if the main path leaves out those that
    /// are needed [`Need::AtExits`]. Doing those again that the main path did do
    /// changes nothing.
    #[must_use]
    pub fn pending(&self, block: &Block, exit: usize) -> Vec<usize> {
        // Of each resource, the writes since the last one of the whole; all of them
        // if one was left out, for it may have been before others.
        let (mut settled, mut open) = (0u32, 0u32);
        let mut found = Vec::new();
        for position in (0..exit).rev() {
            let (op, width) = block.ops[position];
            let (resources, is_write) = match touches(block, op, width) {
                Touch::Nothing => continue,
                Touch::Everything => break,
                Touch::Part(resource) => (0, Some(resource)),
                Touch::Whole(resource) => (1 << resource, Some(resource)),
                Touch::Settled(resource) => (1 << resource, None),
            };
            if let Some(resource) = is_write.filter(|resource| settled >> resource & 1 == 0) {
                found.push((resource, position));
                open |= u32::from(self.each[position] == Need::AtExits) << resource;
            }
            settled |= resources;
        }
        let open = found
            .iter()
            .rev()
            .filter(|(resource, _)| open >> resource & 1 != 0);
        open.map(|&(_, position)| position).collect()
    }
}

/// The flags, or the register of the number before.
type Resource = usize;
const FLAGS: Resource = 0;

/// What an operation does to the flags or a register.
enum Touch {
    Nothing,
    /// It writes a part.
    Part(Resource),
    /// It writes all of it.
    Whole(Resource),
    /// It needs it in place, or leaves it so.
    Settled(Resource),
    /// It needs all state in place.
    Everything,
}

fn touches(block: &Block, op: Op, width: u32) -> Touch {
    let of = |resource, is_whole| {
        if is_whole {
            Touch::Whole(resource)
        } else {
            Touch::Part(resource)
        }
    };
    match op {
        Op::Call(_) => Touch::Everything,
        op if op.orders() => Touch::Settled(FLAGS),
        Op::Flags(flags) => {
            let count = flags.count().and_then(|name| constant(block, name));
            of(FLAGS, flags.must_write(count) == Rflags::STATUS)
        }
        Op::WriteGpr(register, is_high, _) => of(
            register.index() + 1,
            bytes(width, is_high, true) == ALL_BYTES,
        ),
        Op::Push(_) | Op::MoveStack(_) | Op::SetStack(_) => Touch::Settled(Gpr::Rsp.index() + 1),
        _ => Touch::Nothing,
    }
}

const ALL_BYTES: u8 = 0xff;

/// The bytes of a register that an access reaches; a write of four clears the others.
pub(super) const fn bytes(width: u32, is_high: bool, is_write: bool) -> u8 {
    match width {
        8 if is_high => 2,
        8 => 1,
        16 => 3,
        32 if !is_write => 0xf,
        _ => ALL_BYTES,
    }
}

/// The value of a name that is a constant.
pub(super) fn constant(block: &Block, name: Name) -> Option<u64> {
    match block.ops[name.0 as usize].0 {
        Op::Constant(value) => Some(value),
        _ => None,
    }
}

/// Where the last instruction before `end` begins, and its number.
fn last_instruction(block: &Block, end: usize) -> Option<(usize, usize)> {
    (0..end)
        .rev()
        .find_map(|position| match block.ops[position].0 {
            Op::Begin(number) => Some((position, number as usize)),
            _ => None,
        })
}

/// The parts of something that are wanted on the main path, and at exits.
#[derive(Clone, Copy)]
struct Wanted<T> {
    always: T,
    at_exits: T,
}

struct Walk<'a> {
    block: &'a Block,
    each: Vec<Need>,
    flags: Wanted<Rflags>,
    gprs: [Wanted<u8>; 16],
    /// Number of the instruction at hand.
    number: usize,
}

impl Walk<'_> {
    /// The block can be left here.
    fn exit(&mut self) {
        self.flags.at_exits = Rflags::STATUS;
        for register in &mut self.gprs {
            register.at_exits = ALL_BYTES;
        }
    }

    fn visit(&mut self, position: usize) {
        let (op, width) = self.block.ops[position];
        let need = self.need(position, op, width);
        self.each[position] = need;
        if need == Need::Never {
            return;
        }
        op.for_each_name(|name| {
            let each = &mut self.each[name.0 as usize];
            *each = (*each).max(need);
        });
        self.note_reads(op, width);
        if op.can_fault() {
            self.exit();
        }
    }

    /// How badly the operation is needed; what it overwrites is wanted no more.
    fn need(&mut self, position: usize, op: Op, width: u32) -> Need {
        match op {
            Op::Flags(flags) => {
                let count = flags.count().and_then(|name| constant(self.block, name));
                let (may, must) = (flags.may_write(count), flags.must_write(count));
                let wanted = &mut self.flags;
                let need = if wanted.always.intersects(may) {
                    Need::Always
                } else if wanted.at_exits.intersects(may) {
                    Need::AtExits
                } else {
                    Need::Never
                };
                wanted.always -= must;
                wanted.at_exits -= must;
                need
            }
            Op::WriteGpr(register, is_high, _) => {
                let Some(wanted) = self.gprs.get_mut(register.index()) else {
                    return Need::Always;
                };
                let written = bytes(width, is_high, true);
                let need = if wanted.always & written != 0 {
                    Need::Always
                } else if wanted.at_exits & written != 0 {
                    Need::AtExits
                } else {
                    Need::Never
                };
                wanted.always &= !written;
                wanted.at_exits &= !written;
                need
            }
            op if op.orders() => {
                self.flags.always = Rflags::empty();
                self.flags.at_exits = Rflags::empty();
                Need::Always
            }
            // A branch never taken.
            Op::Branch(condition) if constant(self.block, condition.0) == Some(0) => Need::Never,
            _ if op.makes_value() && !op.can_fault() => self.each[position],
            _ => Need::Always,
        }
    }

    /// What a needed operation reads of registers and flags.
    fn note_reads(&mut self, op: Op, width: u32) {
        match op {
            Op::Begin(_) => {}
            Op::ReadGpr(register, is_high) => self.read(register, bytes(width, is_high, false)),
            Op::RawAddress | Op::X87(X87Step::Note) => {
                let insn = &self.block.insns[self.number];
                self.read(insn.base, ALL_BYTES);
                self.read(insn.index, ALL_BYTES);
            }
            Op::Push(_) | Op::StackTop | Op::MoveStack(_) | Op::SetStack(_) => {
                self.read(Gpr::Rsp, ALL_BYTES);
            }
            Op::Condition(condition) => self.flags.always |= condition.reads(),
            Op::Call(_) => {
                self.flags.always = Rflags::STATUS;
                for register in &mut self.gprs {
                    register.always = ALL_BYTES;
                }
            }
            _ => {}
        }
    }

    fn read(&mut self, register: Gpr, bytes: u8) {
        if let Some(wanted) = self.gprs.get_mut(register.index()) {
            wanted.always |= bytes;
        }
    }
}
