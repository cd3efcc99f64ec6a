//! A test case, what comes of it, and who can run it.
//!
//! The world of a case is a 64-bit user-mode program's (SDM 1, 3.2.1), with three
//! windows of memory at fixed addresses. Everything else is unmapped.
//!
//! ```text
//! DATA       readable, writable
//! READ_ONLY  readable; follows DATA at once, so an operand can lie across both
//!            unmapped
//! CODE       readable, executable; before and behind it nothing is mapped
//! ```
//!
//! All of it lies below 2 GiB, so that 32-bit addresses reach it.

/// Linear address of the writable window.
pub const DATA: u64 = 0x1000_0000;
/// How long the writable window is.
pub const DATA_BYTES: usize = 0x4000;
/// Linear address of the read-only window.
pub const READ_ONLY: u64 = DATA + DATA_BYTES as u64;
/// How long the read-only window is.
pub const READ_ONLY_BYTES: usize = 0x1000;
/// Linear address of the window that code is executed in.
pub const CODE: u64 = 0x2000_0000;
/// How long that window is. What [`Case::code`] does not fill holds HLT (F4h),
/// which is #GP(0) for a user-mode program.
pub const CODE_BYTES: usize = 0x2000;

/// The x87 unit as FXSAVE sees it (SDM 1, 10.5.1), tag word in full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct X87 {
    /// ST0 to ST7 in stack order, the lowest 80 bits.
    pub st: [u128; 8],
    /// The control word.
    pub control: u16,
    /// The status word.
    pub status: u16,
    /// The abridged tag word: a bit for each physical register that is in use.
    pub tag: u8,
    /// The last opcode.
    pub opcode: u16,
    /// The last instruction's address.
    pub instruction: u64,
    /// The last operand's address.
    pub operand: u64,
}

/// The registers of a user-mode program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Registers {
    /// RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15.
    pub gpr: [u64; 16],
    /// The address of the next instruction.
    pub rip: u64,
    /// RFLAGS. In an [`Outcome`] RF is clear: a fault sets it only in the image that
    /// it pushes (SDM 3B, 19.3.1.1).
    pub rflags: u64,
    /// Base of the FS segment.
    pub fs_base: u64,
    /// Base of the GS segment.
    pub gs_base: u64,
    /// SSE control and status.
    pub mxcsr: u32,
    /// The x87 unit, which MMX shares.
    pub x87: X87,
    /// YMM0 to YMM15; XMM registers are their low halves.
    pub ymm: [[u64; 4]; 16],
}

/// Code with all that it starts from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Case {
    /// What is executed.
    pub code: Vec<u8>,
    /// Where it lies in the code window, counted from [`CODE`]; at most
    /// `CODE_BYTES - code.len()`. RIP starts there, whatever `registers.rip` says.
    pub offset: usize,
    /// What the registers hold.
    pub registers: Registers,
    /// What both data windows hold, `DATA` first: a seed for a fixed filler (see
    /// [`Case::fill`]), on which `patches` are laid.
    pub seed: u64,
    /// Bytes laid on the filler: address and what lies there.
    pub patches: Vec<(u64, Vec<u8>)>,
    /// How many instructions may run; a repeated string instruction is one. A real
    /// processor cannot count them cheaply: for the oracle this is a hint, and what
    /// does not end is [`End::Endless`] when its time is over.
    pub instructions: u32,
}

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// RIP reached the first byte behind the code, and that byte lies in the window.
    /// (Code that ends with the window runs into #PF, which counts as that.)
    Finished,
    /// An exception (SDM 3A, 6.3.1) that the code did not survive; RIP as it was pushed.
    Exception {
        /// The vector.
        vector: u8,
        /// The error code, zero where there is none.
        error_code: u32,
        /// For #PF the address; else zero.
        address: u64,
    },
    /// It was still running when its time was over.
    Endless,
}

/// What a case leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// The registers at the end.
    pub registers: Registers,
    /// What the writable window holds where it differs from the start: address
    /// and bytes, in order, neighbours joined.
    pub stores: Vec<(u64, Vec<u8>)>,
}

/// A case that could not be run: whoever ran it died of it, and was started anew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the child that ran this case was lost: {reason}")]
pub struct Lost {
    /// What became of it.
    pub reason: String,
}

/// Runs cases.
pub trait Subject {
    /// What it is called in reports.
    fn name(&self) -> &str;
    /// Runs them; gives as many results as there are cases, in their order.
    fn run(&mut self, cases: &[Case]) -> Vec<Result<Outcome, Lost>>;
}

impl Case {
    /// Writes what both data windows hold at the start, `DATA` first.
    ///
    /// The filler is a fixed function of the seed (splitmix64 by quadword), so
    /// that a recording need not hold it.
    ///
    /// # Panics
    /// If `memory` is not as long as both windows.
    pub fn fill(&self, memory: &mut [u8]) {
        assert_eq!(memory.len(), DATA_BYTES + READ_ONLY_BYTES, "both windows");
        filler(self.seed, memory);
        for (address, bytes) in &self.patches {
            let start = address.wrapping_sub(DATA) as usize;
            let end = start.saturating_add(bytes.len());
            if let Some(place) = memory.get_mut(start..end) {
                place.copy_from_slice(bytes);
            }
        }
    }
}

/// What both windows hold for a seed, before patches.
pub(crate) fn filler(mut seed: u64, memory: &mut [u8]) {
    for bytes in memory.chunks_exact_mut(8) {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = seed;
        value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.copy_from_slice(&(value ^ value >> 31).to_le_bytes());
    }
}
