//! IEEE-754 arithmetic as x86 does it, to the bit, in integers (SDM vol. 1, 4.8, 4.9, 8 and 11.5).
//!
//! An [`Env`] holds what a control register says (rounding, masks, flush-to-zero) and collects what an operation
//! raises. SSE operations are methods generic over a [`Format`] and take and return plain bits; x87 operations are
//! methods whose names start with `f80_` and take and return [`F80`].
//!
//! # How the flags compose
//! `raised` only ever grows, so one `Env` serves all lanes of a packed instruction. Within one operation an unmasked
//! pre-computation exception (IE, DE, ZE) suppresses the post-computation ones (OE, UE, PE) and the result is
//! meaningless. Across the lanes of a packed SSE instruction the same holds, and [`Env::reported`] applies it: OR its
//! answer into MXCSR, and if [`Env::unmasked`] is not empty raise #XM and leave the destination alone.
//! On x87, an unmasked pre-computation exception leaves the stack alone; an unmasked OE or UE with a register as
//! destination delivers the result with its exponent wrapped by 0x6000, and with memory as destination stores nothing.

mod binary;
mod compare;
mod convert;
mod env;
mod estimate;
mod f80;
mod fast;
mod fused;
mod number;
#[cfg(test)]
mod tests;

pub use binary::{F16, F32, F64, Format};
pub use compare::{Comparison, Predicate};
pub use env::{Env, Exceptions, Precision, Rounding};
pub use estimate::{reciprocal_estimate, reciprocal_root_estimate};
pub use f80::{Class, Constant, F80, Parts, Remainder, Source};
