//! Where things lie in the guest's memory and in its descriptor table; the same in every ROM.
//!
//! The order of the descriptors serves SYSCALL/SYSRET (SDM 3A 5.8.8) and SYSENTER/SYSEXIT (5.8.7).

/// The vector that was raised last, [`NONE`] if none was.
pub(crate) const R_VECTOR: u32 = 0x500;
/// Its error code, [`NONE`] if it has none.
pub(crate) const R_ERROR: u32 = 0x508;
/// The pushed instruction pointer.
pub(crate) const R_IP: u32 = 0x510;
/// The pushed CS.
pub(crate) const R_CS: u32 = 0x518;
/// The pushed flags.
pub(crate) const R_FLAGS: u32 = 0x520;
/// The stack pointer of the interrupted code.
pub(crate) const R_SP: u32 = 0x528;
/// The stack segment of the interrupted code.
pub(crate) const R_SS: u32 = 0x530;
/// CR2 as the handler found it.
pub(crate) const R_CR2: u32 = 0x538;
/// RAX, RCX, RDX, RBX, the stack pointer, RBP, RSI, RDI of the interrupted code.
pub(crate) const R_GPRS: u32 = 0x540;
/// How many exceptions were recorded.
pub(crate) const R_COUNT: u32 = 0x580;
/// DS as the handler found it.
pub(crate) const R_DS: u32 = 0x584;
/// CR0 as the handler found it.
pub(crate) const R_CR0: u32 = 0x588;
/// The stack pointer within the handler, after all was pushed.
pub(crate) const R_HANDLER_SP: u32 = 0x590;
/// ES, DS, FS, GS as pushed by an interrupt out of virtual-8086 mode.
pub(crate) const R_V86: u32 = 0x598;
/// Where the handler resumes: instruction pointer.
pub(crate) const REC_IP: u32 = 0x5A8;
/// Where the handler resumes: stack pointer, then SS.
pub(crate) const REC_SP: u32 = 0x5B0;

/// Number of the first comparison of a check that failed, 0 if none did.
pub(crate) const BAD: u32 = 0x600;
/// What it got.
pub(crate) const GOT: u32 = 0x604;
/// What it wanted.
pub(crate) const WANT: u32 = 0x608;
/// Checks passed.
pub(crate) const PASSED: u32 = 0x60C;
/// Checks failed.
pub(crate) const FAILED: u32 = 0x610;
/// Scratch cells of the tests.
pub(crate) const VARS: u32 = 0x620;

/// The descriptor table.
pub(crate) const GDT: u32 = 0x800;
/// Its size in bytes.
pub(crate) const GDT_SIZE: u32 = 0x800;
/// The interrupt descriptor table of protected and long mode.
pub(crate) const IDT: u32 = 0x1000;
/// The task-state segment, 32- or 64-bit.
pub(crate) const TSS: u32 = 0x2000;
/// Top of the stack that the TSS names for ring 0.
pub(crate) const RING0_STACK: u32 = 0x5000;
/// Top of the stack of user code.
pub(crate) const USER_STACK: u32 = 0x6000;
/// Top of the stack that tests start with.
pub(crate) const STACK: u32 = 0x7000;
/// The first page table.
pub(crate) const TABLES: u32 = 0x1_0000;
/// Memory for tests to use, up to 9F000h.
pub(crate) const SCRATCH: u32 = 0x4_0000;

/// Means: nothing was raised, or no error code was pushed.
pub(crate) const NONE: u32 = 0xFFFF_FFFF;

/// Flat 32-bit code, ring 0.
pub(crate) const CODE32: u16 = 0x08;
/// Flat data, ring 0.
pub(crate) const DATA: u16 = 0x10;
/// Flat 32-bit code, ring 3, with its RPL.
pub(crate) const USER_CODE32: u16 = 0x1B;
/// Flat data, ring 3, with its RPL.
pub(crate) const USER_DATA: u16 = 0x23;
/// 64-bit code, ring 3, with its RPL.
pub(crate) const USER_CODE64: u16 = 0x2B;
/// 64-bit code, ring 0.
pub(crate) const CODE64: u16 = 0x38;
/// 16-bit code with base F0000h, ring 0.
pub(crate) const CODE16: u16 = 0x48;
/// 16-bit data with base 0 and limit FFFFh, ring 0.
pub(crate) const DATA16: u16 = 0x50;
/// The task-state segment, two entries in long mode.
pub(crate) const TSS_SELECTOR: u16 = 0x58;
/// The first selector that tests may define.
pub(crate) const FREE_SELECTOR: u16 = 0x68;

/// The descriptors up to [`TSS_SELECTOR`], accessed bits set (SDM 3A 3.4.5).
pub(crate) const DESCRIPTORS: [u64; 13] = [
    0,
    0x00CF_9B00_0000_FFFF,
    0x00CF_9300_0000_FFFF,
    0x00CF_FB00_0000_FFFF,
    0x00CF_F300_0000_FFFF,
    0x00AF_FB00_0000_FFFF,
    0x00CF_F300_0000_FFFF,
    0x00AF_9B00_0000_FFFF,
    0x00CF_9300_0000_FFFF,
    0x0000_9B0F_0000_FFFF,
    0x0000_9300_0000_FFFF,
    // An available 32- or 64-bit TSS of 2000h bytes at 2000h (type 9, so that LTR may write busy).
    0x0000_8900_2000_1FFF,
    0,
];
