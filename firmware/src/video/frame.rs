//! The caller's registers, as INT 10h keeps them on its stack: offsets from BP.
//!
//! A service may change every register but BP and the stack; what it wants to return, it writes here.

pub(crate) const DI: i32 = 0;
pub(crate) const BP: i32 = 8;
pub(crate) const BX: i32 = 16;
pub(crate) const BL: i32 = 16;
pub(crate) const BH: i32 = 17;
pub(crate) const DX: i32 = 20;
pub(crate) const DL: i32 = 20;
pub(crate) const DH: i32 = 21;
pub(crate) const CX: i32 = 24;
pub(crate) const CL: i32 = 24;
pub(crate) const CH: i32 = 25;
pub(crate) const AX: i32 = 28;
pub(crate) const AL: i32 = 28;
pub(crate) const AH: i32 = 29;
pub(crate) const ES: i32 = 32;
pub(crate) const FLAGS: i32 = 40;
