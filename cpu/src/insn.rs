//! A decoded instruction, the table that gives every instruction its meaning, and
//! the macros that bind one meaning to both of its readers.
//!
//! One file per instruction group follows, as the SDM groups them (SDM 1, chapter 5).

mod aes;
mod arith;
mod avx;
mod avx_vnni;
mod bit;
mod bmi;
mod branch;
mod condition;
mod convert;
mod f16c;
mod far;
mod flag;
mod fma;
mod gfni;
mod io;
mod logic;
mod misc;
mod mmx;
mod mov;
mod random;
mod segment;
mod sha;
mod shift;
mod shortcut;
mod sse;
mod sse2;
mod sse3;
mod sse41;
mod sse42;
mod sse4a;
mod ssse3;
mod stack;
mod state_save;
mod string;
mod system;
mod table;
mod three_d_now;
mod vector;
mod x87;

use iced_x86::Code;

use crate::Cpu;
use crate::exception::Exit;
use crate::ir::Builder;
use crate::segment::SegmentRegister;
use crate::state::Gpr;
use crate::verbs::{Operand, Parameter, Slot};

pub use shortcut::Shortcut;
pub use string::BulkString;
pub use table::{Table, groups};
pub use vector::{Gather, MaskedBytes, StringComparison};

/// Carries an instruction out, then the rest of its block.
pub type Handler = fn(&mut Cpu, &Insn, &[Insn]) -> Result<(), Exit>;

/// Writes an instruction down for the compiler.
pub type Lift = fn(&mut Builder, &Insn);

/// Does what is too rare or too tangled to be written in verbs.
pub type HelperFn = fn(&mut Cpu, &Insn) -> Result<(), Exit>;

/// How a memory operand's address is formed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum AddressKind {
    /// 64-bit mode, ES, CS, SS or DS: the effective address is the linear one.
    #[default]
    Flat64,
    /// 64-bit mode, FS or GS: a base is added.
    Based64,
    /// All segments flat: 32 bits of the effective address.
    Flat32,
    /// Anything else: address size, base, limit and type matter.
    Segmented,
}

bitflags::bitflags! {
    /// What else decoding found.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct InsnFlags: u8 {
        /// Operand 0 is AH, CH, DH or BH.
        const HIGH0 = 1 << 0;
        /// Operand 1 is AH, CH, DH or BH.
        const HIGH1 = 1 << 1;
        /// REP or REPE.
        const REP = 1 << 2;
        /// REPNE.
        const REPNE = 1 << 3;
        /// LOCK.
        const LOCK = 1 << 4;
        /// An operand is in memory.
        const MEMORY = 1 << 5;
        /// Ends its block.
        const ENDS_BLOCK = 1 << 6;
    }
}

/// A decoded instruction. Forty-eight bytes: big programs feel every one.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Insn {
    /// Carries it out.
    pub handler: Handler,
    /// The immediate operand, sign-extended; a near branch's target counted from the block's start.
    pub immediate: u64,
    /// Added to base and index; counted from the block's start if RIP-relative.
    pub displacement: i64,
    /// Which instruction it is; INVALID if this processor does not have it, or not now.
    pub code: Code,
    /// Where the next instruction starts, in bytes from the block's start.
    pub next: u16,
    /// Registers of operands 0 to 3; numbers of other register files too.
    pub registers: [Gpr; 4],
    /// Base register of the memory operand.
    pub base: Gpr,
    /// Index register of the memory operand.
    pub index: Gpr,
    /// The index is shifted left by this.
    pub scale: u8,
    /// Segment of the memory operand.
    pub segment: SegmentRegister,
    /// How the memory operand's address is formed.
    pub address: AddressKind,
    /// 16, 32 or 64 bits of the effective address.
    pub address_bits: u8,
    /// 16, 32 or 64 bits of the stack pointer.
    pub stack_bits: u8,
    /// Its number within the block.
    pub position: u8,
    /// Its length in bytes.
    pub length: u8,
    /// A second immediate (ENTER, EXTRQ, INSERTQ).
    pub immediate2: u8,
    /// What else there is.
    pub flags: InsnFlags,
}

const _: () = assert!(size_of::<Insn>() <= 48);

impl Insn {
    /// Number of the register in operand `operand`, whatever its file.
    #[must_use]
    #[inline(always)]
    pub const fn number(&self, operand: usize) -> usize {
        self.registers[operand] as usize & 15
    }

    /// Whether an operand is in memory.
    #[must_use]
    #[inline(always)]
    pub const fn has_memory(&self) -> bool {
        self.flags.contains(InsnFlags::MEMORY)
    }

    /// Whether it jumps, with or without a condition, to an address that it tells itself.
    #[must_use]
    pub fn is_direct_branch(&self) -> bool {
        self.code.is_jcc_short_or_near()
            || self.code.is_jmp_short_or_near()
            || self.code.is_jcx_short()
            || self.code.is_loop()
            || self.code.is_loopcc()
    }

    /// Offset of its first byte from the block's start.
    #[must_use]
    pub const fn start(&self) -> u16 {
        self.next - self.length as u16
    }
}

/// Operand 0, a general-purpose register.
#[derive(Clone, Copy, Debug)]
pub struct Reg0;
/// Operand 1, a general-purpose register.
#[derive(Clone, Copy, Debug)]
pub struct Reg1;
/// Operand 2, a general-purpose register.
#[derive(Clone, Copy, Debug)]
pub struct Reg2;
/// The memory operand.
#[derive(Clone, Copy, Debug)]
pub struct Mem;
/// The immediate operand.
#[derive(Clone, Copy, Debug)]
pub struct Imm;

impl Parameter for Reg0 {}
impl Parameter for Reg1 {}
impl Parameter for Reg2 {}
impl Parameter for Imm {}
impl Parameter for Mem {
    const IS_MEMORY: bool = true;
}

impl Slot for Reg0 {
    #[inline(always)]
    fn of(insn: &Insn) -> Operand<'_> {
        Operand::Gpr(insn.registers[0], insn.flags.contains(InsnFlags::HIGH0))
    }
}

impl Slot for Reg1 {
    #[inline(always)]
    fn of(insn: &Insn) -> Operand<'_> {
        Operand::Gpr(insn.registers[1], insn.flags.contains(InsnFlags::HIGH1))
    }
}

impl Slot for Reg2 {
    #[inline(always)]
    fn of(insn: &Insn) -> Operand<'_> {
        Operand::Gpr(insn.registers[2], false)
    }
}

impl Slot for Mem {
    #[inline(always)]
    fn of(insn: &Insn) -> Operand<'_> {
        Operand::Memory(insn)
    }
}

impl Slot for Imm {
    #[inline(always)]
    fn of(insn: &Insn) -> Operand<'_> {
        Operand::Immediate(insn.immediate)
    }
}

/// How an instruction is carried out.
#[derive(Clone, Copy)]
pub enum Meaning {
    /// Written once in verbs, read by interpreter and compiler.
    Shared {
        /// Does it now; every operand a register or immediate.
        register: Handler,
        /// Does it now; one operand in memory.
        memory: Handler,
        /// Writes it down; every operand a register or immediate.
        lift_register: Lift,
        /// Writes it down; one operand in memory.
        lift_memory: Lift,
    },
    /// Too rare or too tangled: compiled code calls the interpreter's function.
    Helper {
        /// Does it now.
        handler: Handler,
        /// The function itself.
        function: HelperFn,
    },
}

/// Which unit an instruction needs switched on (SDM 3A, 2.5 and table 2-2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Integer: always there.
    #[default]
    None,
    /// x87: #NM if CR0.EM or CR0.TS.
    X87,
    /// MMX: #UD if CR0.EM, #NM if CR0.TS.
    Mmx,
    /// SSE: #UD if CR0.EM or not CR4.OSFXSR, #NM if CR0.TS.
    Sse,
    /// AVX: #UD unless CR4.OSXSAVE and XCR0 say so, #NM if CR0.TS.
    Avx,
}

/// One line of the instruction table.
#[derive(Clone, Copy)]
pub struct Row {
    /// Which instruction, in iced-x86's naming.
    pub code: Code,
    /// What it does.
    pub meaning: Meaning,
    /// What it needs switched on.
    pub unit: Unit,
    /// It ends its block even though it is no branch.
    pub ends_block: bool,
}

impl Row {
    /// A row with a shared meaning.
    #[must_use]
    pub const fn shared(
        code: Code,
        (register, lift_register): (Handler, Lift),
        (memory, lift_memory): (Handler, Lift),
    ) -> Self {
        let meaning = Meaning::Shared {
            register,
            memory,
            lift_register,
            lift_memory,
        };
        Self {
            code,
            meaning,
            unit: Unit::None,
            ends_block: false,
        }
    }

    /// A row with a helper.
    #[must_use]
    pub const fn helper(code: Code, handler: Handler, function: HelperFn) -> Self {
        let meaning = Meaning::Helper { handler, function };
        Self {
            code,
            meaning,
            unit: Unit::None,
            ends_block: false,
        }
    }

    /// The same row, needing a unit.
    #[must_use]
    pub const fn needs(self, unit: Unit) -> Self {
        Self { unit, ..self }
    }

    /// The same row, ending its block: it may change mode, mapping or pending interrupts.
    #[must_use]
    pub const fn ends(self) -> Self {
        Self {
            ends_block: true,
            ..self
        }
    }
}

/// Leaves a block before its end; `remaining` instructions after this one did not run.
#[cold]
#[inline(never)]
pub(crate) fn left_early(cpu: &mut Cpu, exit: Exit, remaining: usize) -> Result<(), Exit> {
    cpu.remaining = remaining;
    Err(exit)
}

/// Goes on with the next instruction of the block, if there is one.
#[inline(always)]
pub(crate) fn proceed(cpu: &mut Cpu, rest: &[Insn]) -> Result<(), Exit> {
    match rest.split_first() {
        Some((next, rest)) => (next.handler)(cpu, next, rest),
        None => Ok(()),
    }
}

/// Binds a meaning, with its width and slots filled in, to both readers:
/// `both!(add, Dword, Reg0, Mem)` is `(Handler, Lift)`.
macro_rules! both {
    ($meaning:ident $(, $parameter:ty)*) => {
        $crate::insn::both!(
            @stores (false $(|| <$parameter as $crate::verbs::Parameter>::IS_MEMORY)*),
            $meaning $(, $parameter)*
        )
    };
    // A store may change the block it stands in, so the handler looks before it goes on.
    (@stores $stores:expr, $meaning:ident $(, $parameter:ty)*) => {
        (
            |cpu: &mut $crate::Cpu, insn: &$crate::insn::Insn, rest: &[$crate::insn::Insn]| {
                match $meaning::<$crate::Cpu $(, $parameter)*>(cpu, insn) {
                    Ok(()) if $stores && cpu.leave => {
                        $crate::insn::left_early(cpu, $crate::exception::Exit::Leave, rest.len())
                    }
                    Ok(()) => $crate::insn::proceed(cpu, rest),
                    Err(exit) => $crate::insn::left_early(cpu, exit, rest.len()),
                }
            },
            |builder: &mut $crate::ir::Builder, insn: &$crate::insn::Insn| {
                match $meaning::<$crate::ir::Builder $(, $parameter)*>(builder, insn) {
                    Ok(()) => (),
                    Err(never) => match never {},
                }
            },
        )
    };
}
pub(crate) use both;

/// One row whose operands are registers, immediates or fixed: `row!(Code, meaning, Width, Slots..)`.
macro_rules! row {
    ($code:ident, $meaning:ident $(, $parameter:ty)*) => {{
        const BOTH: ($crate::insn::Handler, $crate::insn::Lift) =
            $crate::insn::both!($meaning $(, $parameter)*);
        $crate::insn::Row::shared(iced_x86::Code::$code, BOTH, BOTH)
    }};
}
pub(crate) use row;

/// One row that stores to the stack: as [`row!`].
macro_rules! row_push {
    ($code:ident, $meaning:ident $(, $parameter:ty)*) => {{
        const BOTH: ($crate::insn::Handler, $crate::insn::Lift) =
            $crate::insn::both!(@stores true, $meaning $(, $parameter)*);
        $crate::insn::Row::shared(iced_x86::Code::$code, BOTH, BOTH)
    }};
}
pub(crate) use row_push;

/// One row whose first operand is r/m: `row_rm!(Code, meaning, Width; more slots)`.
macro_rules! row_rm {
    ($code:ident, $meaning:ident, $width:ty $(; $parameter:ty)*) => {
        $crate::insn::Row::shared(
            iced_x86::Code::$code,
            $crate::insn::both!($meaning, $width, $crate::insn::Reg0 $(, $parameter)*),
            $crate::insn::both!($meaning, $width, $crate::insn::Mem $(, $parameter)*),
        )
    };
}
pub(crate) use row_rm;

/// One row `register, r/m`: `row_r_rm!(Code, meaning, Widths..)`.
macro_rules! row_r_rm {
    ($code:ident, $meaning:ident $(, $width:ty)+) => {
        $crate::insn::Row::shared(
            iced_x86::Code::$code,
            $crate::insn::both!($meaning $(, $width)+, $crate::insn::Reg0, $crate::insn::Reg1),
            $crate::insn::both!($meaning $(, $width)+, $crate::insn::Reg0, $crate::insn::Mem),
        )
    };
}
pub(crate) use row_r_rm;

/// One row whose meaning is a function of the interpreter.
macro_rules! helper {
    ($code:ident, $function:expr) => {
        $crate::insn::Row::helper(
            iced_x86::Code::$code,
            |cpu, insn, rest| match $function(cpu, insn) {
                Ok(()) if cpu.leave => {
                    $crate::insn::left_early(cpu, $crate::exception::Exit::Leave, rest.len())
                }
                Ok(()) => $crate::insn::proceed(cpu, rest),
                Err(exit) => $crate::insn::left_early(cpu, exit, rest.len()),
            },
            $function,
        )
    };
}
pub(crate) use helper;

/// One row with a function of the interpreter and, for the compiler, what writes the same
/// down, or calls the function where that cannot be.
macro_rules! lifted {
    ($code:ident, $function:expr, $lift:expr) => {{
        const BOTH: ($crate::insn::Handler, $crate::insn::Lift) = (
            |cpu, insn, rest| match $function(cpu, insn) {
                Ok(()) if cpu.leave => {
                    $crate::insn::left_early(cpu, $crate::exception::Exit::Leave, rest.len())
                }
                Ok(()) => $crate::insn::proceed(cpu, rest),
                Err(exit) => $crate::insn::left_early(cpu, exit, rest.len()),
            },
            $lift,
        );
        $crate::insn::Row::shared(iced_x86::Code::$code, BOTH, BOTH)
    }};
}
pub(crate) use lifted;
