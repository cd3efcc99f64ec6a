//! A small language for real-mode services, embedded in Rust and compiled with iced-x86's assembler (SDM 2).
//!
//! A BIOS is mostly arithmetic on ports and a few bytes of memory, called from anywhere with any stack. So the language
//! knows one type, the unsigned 32-bit [`Value`], and [`Place`]s to load it from and store it to: local variables, the
//! BIOS data area, the ROM, the caller's registers, `segment:offset`, and flat memory. A routine is a Rust function
//! that returns its call as a value; its body is compiled once for each [`Unit`] that calls it, so nothing has to be
//! declared or linked by hand:
//!
//! ```ignore
//! /// The byte of CMOS memory at `index`.
//! pub(crate) fn cmos(index: impl Into<Value>) -> Value {
//!     routine("cmos", [index.into()], |f, [index]| {
//!         f.out8(0x70, index | 0x80);
//!         f.ret(in8(0x71));
//!     })
//! }
//! ```
//!
//! The compiled code is plain: values are computed in EAX, variables lie on the stack, and no register is kept
//! across a statement. A BIOS is not where a PC spends its time.

mod address;
mod body;
mod condition;
mod operand;
mod place;
mod unit;
mod value;

pub(crate) use body::Body;
pub(crate) use operand::Register;
pub(crate) use place::{
    Place, Registers, Var, bda8, bda16, bda32, far8, far16, far32, flat8, flat16, flat32, rom8,
    rom16, rom32, stack16, stack32,
};
pub(crate) use unit::{Bitness, Unit};
pub(crate) use value::{
    Compare, Condition, Value, bytes, in8, in16, in32, interrupt, routine, text, truth,
};

/// Emits instructions one after the other, as an assembler's source would show them.
///
/// `asm!(a; cli; mov al, 5; out 0x20, al;)`
macro_rules! asm {
    ($a:expr; $($operation:ident $($operand:expr),* ;)*) => {{
        let a = &mut *$a;
        $( a.$operation($($operand),*).expect("an instruction that can be encoded"); )*
    }};
}
pub(crate) use asm;
