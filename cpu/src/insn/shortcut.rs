//! Instructions that the interpreter has a function for, and whose frequent case a back end
//! may carry out by itself. All else, and whatever may fault, it leaves to the function.

use iced_x86::Code as C;

use super::Insn;
use crate::segment::SegmentRegister;

/// What such an instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortcut {
    /// CLI, or STI.
    SetInterrupts(bool),
    /// PUSHF of so many bits.
    PushFlags(u32),
    /// POPF of so many bits.
    PopFlags(u32),
    /// LAHF.
    StatusToHigh,
    /// SAHF.
    StatusFromHigh,
    /// CLAC, or STAC.
    AllowAccess(bool),
    /// SWAPGS.
    SwapBases,
    /// RDFSBASE or RDGSBASE of so many bits.
    ReadBase(SegmentRegister, u32),
    /// WRFSBASE or WRGSBASE of so many bits.
    WriteBase(SegmentRegister, u32),
    /// PAUSE.
    Pause,
    /// CMPXCHG8B or CMPXCHG16B, in bytes.
    CompareExchange(u32),
    /// PUSHA, of registers of so many bits.
    PushAll(u32),
    /// POPA, likewise.
    PopAll(u32),
    /// ENTER without a display.
    Enter {
        /// Of what is pushed.
        bits: u32,
        /// Bytes left free below that.
        room: u16,
    },
    /// A far JMP or CALL in real or virtual-8086 mode.
    FarJump {
        /// Of the offset.
        bits: u32,
        /// It is CALL.
        is_call: bool,
    },
    /// A far RET there.
    FarReturn {
        /// Of each of the two that are popped.
        bits: u32,
        /// Bytes released above them.
        released: u16,
    },
    /// Repeated CMPS or SCAS of bytes.
    Search {
        /// It is CMPS.
        compares: bool,
        /// It goes on while elements are equal.
        while_equal: bool,
    },
}

impl Shortcut {
    /// What an instruction is of that.
    #[must_use]
    pub fn of(insn: &Insn) -> Option<Self> {
        let released = insn.immediate as u16;
        let far = |bits, is_call| Self::FarJump { bits, is_call };
        Some(match insn.code {
            C::Cli => Self::SetInterrupts(false),
            C::Sti => Self::SetInterrupts(true),
            C::Pushfw => Self::PushFlags(16),
            C::Pushfd => Self::PushFlags(32),
            C::Pushfq => Self::PushFlags(64),
            C::Popfw => Self::PopFlags(16),
            C::Popfd => Self::PopFlags(32),
            C::Popfq => Self::PopFlags(64),
            C::Lahf => Self::StatusToHigh,
            C::Sahf => Self::StatusFromHigh,
            C::Clac => Self::AllowAccess(false),
            C::Stac => Self::AllowAccess(true),
            C::Swapgs => Self::SwapBases,
            C::Rdfsbase_r32 => Self::ReadBase(SegmentRegister::Fs, 32),
            C::Rdfsbase_r64 => Self::ReadBase(SegmentRegister::Fs, 64),
            C::Rdgsbase_r32 => Self::ReadBase(SegmentRegister::Gs, 32),
            C::Rdgsbase_r64 => Self::ReadBase(SegmentRegister::Gs, 64),
            C::Wrfsbase_r32 => Self::WriteBase(SegmentRegister::Fs, 32),
            C::Wrfsbase_r64 => Self::WriteBase(SegmentRegister::Fs, 64),
            C::Wrgsbase_r32 => Self::WriteBase(SegmentRegister::Gs, 32),
            C::Wrgsbase_r64 => Self::WriteBase(SegmentRegister::Gs, 64),
            C::Pause => Self::Pause,
            C::Cmpxchg8b_m64 => Self::CompareExchange(8),
            C::Cmpxchg16b_m128 => Self::CompareExchange(16),
            C::Pushaw => Self::PushAll(16),
            C::Pushad => Self::PushAll(32),
            C::Popaw => Self::PopAll(16),
            C::Popad => Self::PopAll(32),
            C::Enterw_imm16_imm8 => return Self::enter(insn, 16),
            C::Enterd_imm16_imm8 => return Self::enter(insn, 32),
            C::Enterq_imm16_imm8 => return Self::enter(insn, 64),
            C::Jmp_ptr1616 | C::Jmp_m1616 => far(16, false),
            C::Jmp_ptr1632 | C::Jmp_m1632 => far(32, false),
            C::Call_ptr1616 | C::Call_m1616 => far(16, true),
            C::Call_ptr1632 | C::Call_m1632 => far(32, true),
            C::Retfw => Self::FarReturn {
                bits: 16,
                released: 0,
            },
            C::Retfw_imm16 => Self::FarReturn { bits: 16, released },
            _ => return Self::search(insn),
        })
    }

    const fn enter(insn: &Insn, bits: u32) -> Option<Self> {
        if insn.immediate2 & 31 != 0 {
            return None;
        }
        Some(Self::Enter {
            bits,
            room: insn.immediate as u16,
        })
    }

    const fn search(insn: &Insn) -> Option<Self> {
        use super::InsnFlags;
        let compares = match insn.code {
            C::Cmpsb_m8_m8 => true,
            C::Scasb_AL_m8 => false,
            _ => return None,
        };
        let is_repeated = InsnFlags::REP.union(InsnFlags::REPNE);
        if !insn.flags.intersects(is_repeated) {
            return None;
        }
        Some(Self::Search {
            compares,
            while_equal: !insn.flags.contains(InsnFlags::REPNE),
        })
    }
}
