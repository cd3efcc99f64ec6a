//! What instructions under test start from and leave behind.

/// What an instruction starts from and leaves behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registers {
    pub(crate) vectors: [[u128; 2]; 4],
    pub(crate) mm: [u64; 2],
    pub(crate) mxcsr: u32,
    pub(crate) rax: u64,
    pub(crate) rcx: u64,
    pub(crate) rdx: u64,
    pub(crate) flags: u64,
    pub(crate) memory: [u128; 4],
    pub(crate) has_faulted: bool,
}

/// The arithmetic flags.
pub(crate) const STATUS: u64 = 0x8d5;
