//! Values, how they are computed, and conditions on them.

use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Rem, Shl, Shr, Sub};
use std::panic::Location;
use std::rc::Rc;

use super::body::Body;
use super::operand::Register;
use super::place::{Place, Var};

/// An unsigned 32-bit value, yet to be computed.
#[derive(Clone)]
pub(crate) struct Value(pub(super) Rc<Node>);

/// How a value is computed.
pub(super) enum Node {
    Constant(u32),
    Load(Place),
    Binary(Operation, Value, Value),
    /// The bytes in the opposite order.
    Swapped(Value),
    Input(Width, Value),
    /// 1 if it holds, else 0.
    Truth(Condition),
    /// Where these bytes lie in the unit's ROM segment.
    Data(Rc<[u8]>),
    Call(Rc<Routine>, Vec<Value>),
    Interrupt(u32, Vec<(Register, Value)>),
}

/// A width of memory and ports.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    Byte,
    Word,
    Dword,
}

/// An operation on two values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    And,
    Or,
    Xor,
    Shl,
    Shr,
}

/// Compiles a body, given its arguments.
type RoutineBody = Box<dyn Fn(&mut Body<'_>, &[Var])>;

/// A routine that is compiled when it is first called.
pub(super) struct Routine {
    pub(super) name: &'static str,
    /// Where it is written; so a name that is used twice is found.
    pub(super) location: &'static Location<'static>,
    pub(super) arguments: usize,
    pub(super) body: RoutineBody,
}

/// What [`Body::when`] and its kin ask.
#[derive(Clone)]
pub(crate) enum Condition {
    Compare(Relation, Value, Value),
    Both(Box<Condition>, Box<Condition>),
    Either(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
}

/// An unsigned comparison.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    Equal,
    Below,
    Above,
}

/// Calls the routine `name`, whose body is compiled once for each unit. The arguments are variables of the body.
#[track_caller]
pub(crate) fn routine<const N: usize>(
    name: &'static str,
    arguments: [Value; N],
    body: fn(&mut Body<'_>, [Var; N]),
) -> Value {
    let body = move |f: &mut Body<'_>, variables: &[Var]| {
        let variables = variables.try_into();
        body(f, variables.expect("as many variables as arguments"));
    };
    let routine = Routine {
        name,
        location: Location::caller(),
        arguments: N,
        body: Box::new(body),
    };
    Value(Rc::new(Node::Call(Rc::new(routine), arguments.into())))
}

/// Calls an interrupt with these registers and the carry flag set. The value is AX, with bit 16 set if the carry flag
/// came back set.
pub(crate) fn interrupt<const N: usize>(vector: u32, registers: [(Register, Value); N]) -> Value {
    Value(Rc::new(Node::Interrupt(vector, registers.into())))
}

/// The byte at this port.
pub(crate) fn in8(port: impl Into<Value>) -> Value {
    Value(Rc::new(Node::Input(Width::Byte, port.into())))
}

/// The word at this port.
pub(crate) fn in16(port: impl Into<Value>) -> Value {
    Value(Rc::new(Node::Input(Width::Word, port.into())))
}

/// The doubleword at this port.
pub(crate) fn in32(port: impl Into<Value>) -> Value {
    Value(Rc::new(Node::Input(Width::Dword, port.into())))
}

/// The offset of these bytes in the ROM.
pub(crate) fn bytes(bytes: &[u8]) -> Value {
    Value(Rc::new(Node::Data(bytes.into())))
}

/// The offset of this zero-terminated text in the ROM.
pub(crate) fn text(text: &str) -> Value {
    let mut zero_terminated = text.as_bytes().to_vec();
    zero_terminated.push(0);
    bytes(&zero_terminated)
}

/// 1 if the condition holds, else 0.
pub(crate) fn truth(condition: Condition) -> Value {
    Value(Rc::new(Node::Truth(condition)))
}

impl Value {
    fn binary(operation: Operation, left: Self, right: Self) -> Self {
        if let (Node::Constant(left), Node::Constant(right)) = (&*left.0, &*right.0) {
            return Self::from(operation.fold(*left, *right));
        }
        Self(Rc::new(Node::Binary(operation, left, right)))
    }

    /// The four bytes in the opposite order (network order).
    pub(crate) fn swapped(self) -> Self {
        Self(Rc::new(Node::Swapped(self)))
    }
}

impl Operation {
    fn fold(self, left: u32, right: u32) -> u32 {
        match self {
            Self::Add => left.wrapping_add(right),
            Self::Sub => left.wrapping_sub(right),
            Self::Mul => left.wrapping_mul(right),
            Self::Div => left / right,
            Self::Rem => left % right,
            Self::And => left & right,
            Self::Or => left | right,
            Self::Xor => left ^ right,
            Self::Shl => left << right,
            Self::Shr => left >> right,
        }
    }
}

/// Questions about values, places and variables. All comparisons are unsigned.
#[expect(
    clippy::wrong_self_convention,
    reason = "questions read like the sentence they are; what they ask about is a handle"
)]
pub(crate) trait Compare: Into<Value> {
    /// Equal.
    fn is(self, other: impl Into<Value>) -> Condition {
        Condition::Compare(Relation::Equal, self.into(), other.into())
    }

    /// Not equal.
    fn is_not(self, other: impl Into<Value>) -> Condition {
        self.is(other).negated()
    }

    /// Less.
    fn below(self, other: impl Into<Value>) -> Condition {
        Condition::Compare(Relation::Below, self.into(), other.into())
    }

    /// Greater.
    fn above(self, other: impl Into<Value>) -> Condition {
        Condition::Compare(Relation::Above, self.into(), other.into())
    }

    /// Greater or equal.
    fn at_least(self, other: impl Into<Value>) -> Condition {
        self.below(other).negated()
    }

    /// Less or equal.
    fn at_most(self, other: impl Into<Value>) -> Condition {
        self.above(other).negated()
    }

    /// At least one of these bits is set.
    fn has(self, bits: u32) -> Condition {
        (self.into() & bits).is_not(0)
    }

    /// None of these bits is set.
    fn lacks(self, bits: u32) -> Condition {
        (self.into() & bits).is(0)
    }

    /// Bits 0 to 7.
    fn low(self) -> Value {
        self.into() & 0xFF
    }

    /// Bits 8 to 15.
    fn high(self) -> Value {
        (self.into() >> 8) & 0xFF
    }
}

impl<T: Into<Value>> Compare for T {}

impl Condition {
    /// Both hold; the second is only asked if the first does.
    pub(crate) fn and(self, other: Self) -> Self {
        Self::Both(Box::new(self), Box::new(other))
    }

    /// One holds; the second is only asked if the first does not.
    pub(crate) fn or(self, other: Self) -> Self {
        Self::Either(Box::new(self), Box::new(other))
    }

    /// It does not hold.
    pub(crate) fn negated(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }
}

macro_rules! constants {
    ($($integer:ty => $convert:expr;)*) => { $(
        impl From<$integer> for Value {
            fn from(value: $integer) -> Self {
                let convert: fn($integer) -> u32 = $convert;
                Self(Rc::new(Node::Constant(convert(value))))
            }
        }
    )* };
}

constants! {
    u32 => |value| value;
    i32 => i32::cast_unsigned;
    u16 => u32::from;
    u8 => u32::from;
}

impl From<Place> for Value {
    fn from(place: Place) -> Self {
        Self(Rc::new(Node::Load(place)))
    }
}

impl From<Var> for Value {
    fn from(variable: Var) -> Self {
        Self::from(Place::from(variable))
    }
}

impl From<&Value> for Value {
    fn from(value: &Value) -> Self {
        value.clone()
    }
}

macro_rules! operators {
    ($($operator:ident $method:ident;)*) => { $(
        operators!(@ $operator $method Value);
        operators!(@ $operator $method &Value);
        operators!(@ $operator $method Place);
        operators!(@ $operator $method Var);
    )* };
    (@ $operator:ident $method:ident $left:ty) => {
        impl<T: Into<Value>> $operator<T> for $left {
            type Output = Value;
            fn $method(self, right: T) -> Value {
                Value::binary(Operation::$operator, self.into(), right.into())
            }
        }
    };
}

/// The names that the operators' traits have for [`Operation`]s.
#[expect(
    non_upper_case_globals,
    reason = "they stand for the traits of the same name"
)]
impl Operation {
    const BitAnd: Self = Self::And;
    const BitOr: Self = Self::Or;
    const BitXor: Self = Self::Xor;
}

operators! {
    Add add;
    Sub sub;
    Mul mul;
    Div div;
    Rem rem;
    BitAnd bitand;
    BitOr bitor;
    BitXor bitxor;
    Shl shl;
    Shr shr;
}
