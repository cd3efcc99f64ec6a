//! What every file that emits guest code needs.

pub(crate) use iced_x86::code_asm::*;

pub(crate) use super::asm::{Asm, Built, Is, x86};
pub(crate) use super::bda;
pub(crate) use super::frame;
pub(crate) use super::ports;
