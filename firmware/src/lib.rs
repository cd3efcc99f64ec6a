//! rax's own firmware: the system BIOS and the VGA BIOS, 16-bit guest programs
//! written with iced-x86's assembler, so that no host needs another one.
//!
//! They touch hardware only through its registers and would run on any 440FX
//! machine with the same chips. Depends on nothing of ours.

mod language;
pub mod system;
pub mod video;
