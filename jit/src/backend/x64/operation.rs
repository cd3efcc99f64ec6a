//! What operations do to the host's flags, to the guest's state, and with which operands.

use bitflags::bitflags;
use rax_cpu::ir::{Block, Name, Op, VectorStep, X87Step};
use rax_cpu::verbs::BinaryOp;
use rax_cpu::x87::X87Op;

/// Whether Rust code does it, or even the interpreter.
const fn is_x87_function(op: &Op) -> bool {
    matches!(op, Op::X87(X87Step::Work(X87Op::Function(_))))
}

bitflags! {
    /// What a plan looks at, over and over.
    #[derive(Clone, Copy, Debug, Default)]
    pub(super) struct Class: u16 {
        /// Somebody may look at the state before or at it.
        const LEAVES = 1;
        /// It does something besides making a value.
        const ACTS = 1 << 1;
        /// Its host code may change the host's flags.
        const DISTURBS = 1 << 2;
        /// An update of the flags.
        const FLAGS = 1 << 3;
        /// It leaves an order of numbers in the flags.
        const ORDER = 1 << 4;
        /// A condition of the flags.
        const CONDITION = 1 << 5;
        /// It finds a place in memory writable.
        const LOCATES = 1 << 6;
        /// A step of a vector instruction, MMX's among them.
        const VECTOR = 1 << 7;
        /// It works on the x87 unit: MMX instructions begin with a check of it.
        const X87 = 1 << 8;
        /// A call of the interpreter.
        const CALL = 1 << 9;
    }
}

impl Class {
    #[inline]
    pub(super) fn of(op: &Op) -> Self {
        let mut class = match op {
            Op::Flags(_) => Self::FLAGS,
            Op::Vector(step) if step.sets_flags() => Self::ORDER,
            Op::X87(step) if step.sets_flags() => Self::ORDER,
            Op::Condition(_) => Self::CONDITION,
            Op::Locate(_) => Self::LOCATES,
            _ => Self::empty(),
        };
        class.set(Self::VECTOR, matches!(op, Op::Vector(_)));
        let is_x87 = matches!(op, Op::X87(_) | Op::Vector(VectorStep::CheckX87));
        class.set(Self::X87, is_x87);
        class.set(Self::CALL, matches!(op, Op::Call(_)));
        class.set(Self::LEAVES, can_leave(op));
        class.set(Self::ACTS, has_effect(op));
        class.set(Self::DISTURBS, disturbs_flags(op));
        class
    }
}

/// Whether an operation's host code may change the host's flags.
#[inline]
const fn disturbs_flags(op: &Op) -> bool {
    is_x87_function(op)
        || !matches!(
            op,
            Op::Begin(_)
                | Op::Constant(_)
                | Op::ReadGpr(..)
                | Op::WriteGpr(..)
                | Op::Commit { .. }
                | Op::RawAddress
                | Op::ZeroExtend(_)
                | Op::SignExtend(..)
                | Op::Select(..)
                | Op::Condition(_)
                | Op::MoveStack(_)
                | Op::Selector(_)
                | Op::NextIp
                | Op::DirectTarget
                | Op::X87(
                    X87Step::Wait
                        | X87Step::Note
                        | X87Step::Work(_)
                        | X87Step::Order { .. }
                        | X87Step::MoveIf(..)
                        | X87Step::Control
                        | X87Step::Status
                )
        ) && !matches!(op, Op::Vector(step) if !step.writes_memory() && !matches!(
            step,
            VectorStep::Load { .. } | VectorStep::LoadMasked { .. } | VectorStep::SetMxcsr(_)
        ))
}

/// Whether somebody may look at the state before or at an operation.
#[inline]
const fn can_leave(op: &Op) -> bool {
    is_x87_function(op)
        || matches!(
            op,
            Op::Load(_)
                | Op::Store { .. }
                | Op::Locate(_)
                | Op::LoadSegment(..)
                | Op::StoreSegment(..)
                | Op::LoadSelector(..)
                | Op::Push(_)
                | Op::StackTop
                | Op::Divide { .. }
                | Op::CheckTarget(_)
                | Op::Branch(_)
                | Op::Vector(_)
                | Op::X87(X87Step::Take { .. } | X87Step::Put { .. } | X87Step::SetControl(_))
                | Op::Call(_)
        )
}

/// Whether an operation does something besides making a value.
#[inline]
const fn has_effect(op: &Op) -> bool {
    can_leave(op)
        || matches!(
            op,
            Op::WriteGpr(..)
                | Op::Commit { .. }
                | Op::SetDirection(_)
                | Op::MoveStack(_)
                | Op::SetStack(_)
                | Op::Flags(_)
                | Op::Jump(_)
        )
        || matches!(op, Op::X87(step) if step.changes())
}

/// What is added to the raw address of an access, whose sum is made where it is used.
#[inline]
pub(super) fn displacement(block: &Block, op: &Op) -> Option<Name> {
    let (Op::Load(address) | Op::Locate(address) | Op::Store { address, .. }) = *op else {
        return None;
    };
    match block.ops[address.0 as usize].0 {
        Op::Binary(BinaryOp::Add, _, displacement) => Some(displacement),
        _ => None,
    }
}

/// Calls `act` with each operand, but for those of flags and vectors.
#[inline]
pub(super) fn each_operand(op: &Op, mut act: impl FnMut(Name)) {
    match *op {
        Op::Begin(_)
        | Op::Constant(_)
        | Op::ReadGpr(..)
        | Op::RawAddress
        | Op::StackTop
        | Op::MoveStack(_)
        | Op::Stride(_)
        | Op::SetDirection(_)
        | Op::Selector(_)
        | Op::Condition(_)
        | Op::NextIp
        | Op::DirectTarget
        | Op::Flags(_)
        | Op::Vector(_)
        | Op::Call(_) => {}
        Op::X87(step) => {
            let act = std::cell::RefCell::new(act);
            let _ = step.map_names(|name| {
                (act.borrow_mut())(name);
                name
            });
        }
        Op::WriteGpr(_, _, name)
        | Op::Push(name)
        | Op::Unary(_, name)
        | Op::Load(name)
        | Op::Locate(name)
        | Op::LoadSegment(_, name)
        | Op::LoadSelector(_, name)
        | Op::SetStack(name)
        | Op::CheckTarget(name)
        | Op::Jump(name)
        | Op::Remainder(name)
        | Op::ZeroExtend(name)
        | Op::IsZero(name)
        | Op::SignExtend(_, name)
        // The place is not the value that was found there.
        | Op::Commit { value: name, .. } => act(name),
        Op::Branch(bit) => act(bit.0),
        Op::Store {
            address: a,
            value: b,
        }
        | Op::StoreSegment(_, a, b)
        | Op::Binary(_, a, b)
        | Op::Shift(_, a, b) => {
            act(a);
            act(b);
        }
        Op::DoubleShift(_, a, b, c)
        | Op::Divide {
            dividend: (a, b),
            divisor: c,
            ..
        } => {
            act(a);
            act(b);
            act(c);
        }
        Op::Select(bit, a, b) => {
            act(bit.0);
            act(a);
            act(b);
        }
    }
}
