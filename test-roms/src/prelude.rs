//! What every file that emits guest code needs.

pub(crate) use iced_x86::code_asm::*;

pub(crate) use crate::asm::{Asm, Built, Image, Mark, ROM_BASE, section};
pub(crate) use crate::layout::*;
