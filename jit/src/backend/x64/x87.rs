//! x87 instructions on the host's own x87 unit.
//!
//! The guest's registers, control and status word are in one of two places, which
//! [`rax_cpu::compiled::HostX87::place`] tells: in the host's unit while compiled code works on
//! them, or in the state. A unit of code that has x87 instructions makes sure of the first at
//! its entry, and chained units leave it so; whatever leads back to Rust code that may look
//! at them saves them first (`carry_out` of what is not a plain integer instruction, and
//! the way out). The host computes what the guest asks for bit by bit, and
//! gathers exceptions as the guest's status word does, as long as all are masked:
//! otherwise [`super::abi::Routines::enter_x87`] refuses, and the block is interpreted. Inside
//! a block the masks stay, since what can clear them ends it.
//!
//! An instruction is emitted as it was encoded: decoding kept its opcode. The
//! pointers to the last instruction and its operand are always in the state. Those to the
//! instruction are written at the unit's end, and wherever it can be left before.

mod functions;

use rax_cpu::insn::{Insn, MaskedBytes};
use rax_cpu::ir::{Bit, Name, Op, X87Step};
use rax_cpu::segment::SegmentRegister;
use rax_cpu::state::Gpr;
use rax_cpu::x87::X87Op;

use crate::relocation::Follows;

use super::abi::{self, FLAG_KIND, FLAGS_CARRIES, FLAGS_RESULT, T0, T1};
use super::asm::{Alu, Asm, Mem, Reg, Rm, at, cc};
use super::flags::HostFlags;
use super::operation::Class;
use super::pending::Pending;
use super::values::Loc;
use crate::block::Unit;

use super::detour::{Cold, Detour};
use super::{Emit, Stuck};

/// Opcodes of eleven bits, as the unit keeps them: the low three bits of the first byte,
/// then ModRM's.
mod opcode {
    pub(in super::super) const FNSTSW_AX: u16 = 0x7e0;
    pub(in super::super) const FNSTSW: u16 = 0x538;
    pub(in super::super) const FLDCW: u16 = 0x128;
    pub(in super::super) const FNSAVE: u16 = 0x530;
    pub(in super::super) const FRSTOR: u16 = 0x520;
}

pub(super) use functions::{Routines, routines};
pub(super) use opcode::{FNSAVE, FRSTOR};

/// The mask bits of the control word.
const MASKS: i32 = 0x3f;
/// Its bits that can be written, and the one that is always set.
const WRITABLE: i32 = 0x1f3f;
const FIXED: i32 = 0x40;

/// What is yet to be written of the pointers to the last instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Noted {
    /// The last instruction, by its number in the unit.
    insn: Option<u32>,
    /// The segment of the last operand in memory.
    segment: Option<SegmentRegister>,
}

impl Noted {
    /// Whether the same is to be written, perhaps of another round of a loop.
    pub(super) fn is_same(self, other: Self, unit: &Unit) -> bool {
        let pointer = |noted: Self| {
            let index = noted.insn? as usize;
            Some((unit.rip_of(index), opcode_of(&unit.insns[index])))
        };
        self.segment == other.segment && pointer(self) == pointer(other)
    }
}

const fn opcode_of(insn: &Insn) -> u16 {
    insn.immediate as u16 & 0x7ff
}

impl Asm {
    /// An x87 instruction on registers.
    fn x87(&mut self, opcode: u16) {
        self.byte(0xd8 | (opcode >> 8) as u8);
        self.byte(opcode as u8);
    }

    /// An x87 instruction with an operand in memory.
    pub(super) fn x87_memory(&mut self, opcode: u16, mem: Mem) {
        let digit = (opcode >> 3) as u8 & 7;
        self.extended(0xd8 | (opcode >> 8) as u8, digit, mem);
    }
}

impl Emit<'_> {
    /// Whether an instruction of the unit works on the x87 unit in compiled code, from
    /// a number on.
    fn uses_x87(&self, from: usize) -> bool {
        (self.plan.has_any(Class::X87) || self.plan.has_assisted())
            && (from..self.plan.instructions()).any(|index| self.touches_unit(index))
    }

    /// Whether an instruction does, in compiled code.
    fn touches_unit(&self, index: usize) -> bool {
        if self.plan.is_carried_out(index) {
            return self.plan.is_assisted(index)
                && MaskedBytes::of(&self.unit.insns[index]).is_some_and(|masked| masked.is_mmx);
        }
        self.plan.has_class(index, Class::X87)
    }

    /// At the unit's start: gets the guest's registers into the host's unit.
    pub(super) fn enter_x87(&mut self) {
        if !self.uses_x87(0) {
            return;
        }
        self.asm.alu_imm(Alu::Cmp, 32, abi::X87_PLACE, 0);
        let elsewhere = self.asm.branch_ahead(cc::E);
        self.cold.push(Cold {
            from: [Some(elsewhere), None],
            what: Detour::EnterX87 {
                back: self.asm.here(),
            },
        });
    }

    /// The same, in cold code.
    pub(super) fn emit_enter_x87(&mut self) {
        self.be_at_start();
        self.asm.call(self.backend.routines.enter_x87);
    }

    /// After an instruction was carried out that may have had the registers saved: gets
    /// them back if they are worked on later in the unit. True if it emitted something.
    pub(super) fn enter_x87_again(&mut self, index: u32) -> bool {
        // A loop comes to those before it, too.
        let next = if self.unit.again.is_some() {
            0
        } else {
            index as usize + 1
        };
        let is_needed = self.touches_x87(index) && self.uses_x87(next);
        if is_needed {
            self.asm.call(self.backend.routines.enter_x87);
        }
        is_needed
    }

    /// Whether the interpreter, carrying an instruction out, may look at the registers.
    pub(super) fn touches_x87(&self, index: u32) -> bool {
        let looks = Class::X87.union(Class::CALL);
        self.plan.has_class(index as usize, looks)
    }

    pub(super) fn x87(&mut self, step: X87Step, bits: u32) -> Result<(), Stuck> {
        let opcode = opcode_of(self.insn());
        match step {
            // All exceptions are masked.
            X87Step::Wait => Ok(()),
            X87Step::Note => self.note(),
            X87Step::Work(X87Op::Function(function)) => self.x87_function(function),
            // How far a partial remainder goes is the processor's own affair.
            X87Step::Work(X87Op::Remainder { .. }) if !self.backend.features.reference_x87 => {
                self.stuck()
            }
            X87Step::Work(_) => {
                self.asm.x87(opcode);
                Ok(())
            }
            X87Step::Take { address, .. } => self.x87_access(opcode, address, bits, false),
            X87Step::Put { address, .. } => self.x87_access(opcode, address, bits, true),
            X87Step::Order { .. } => {
                self.asm.x87(opcode);
                self.order();
                Ok(())
            }
            X87Step::MoveIf(from, condition) => self.x87_move_if(from, condition),
            X87Step::Control => self.load_cell(abi::X87_CONTROL),
            X87Step::Status => self.status(),
            X87Step::SetControl(value) => self.set_control(value),
        }
    }

    fn x87_access(
        &mut self,
        opcode: u16,
        address: Name,
        bits: u32,
        write: bool,
    ) -> Result<(), Stuck> {
        self.clear_temps()?;
        self.linear(address, bits / 8, write)?;
        let operand = self.probe(bits / 8, write);
        self.asm.x87_memory(opcode, operand);
        Ok(())
    }

    /// Notes the instruction as the last one.
    fn note(&mut self) -> Result<(), Stuck> {
        let insn = self.insn();
        self.noted.insn = Some(self.index);
        if insn.has_memory() {
            let bits = u32::from(insn.address_bits);
            self.noted.segment = Some(insn.segment);
            self.clear_temps()?;
            self.effective(T0, 0, bits)?;
            self.asm.store(64, abi::X87_LAST_DP, T0);
        }
        Ok(())
    }

    /// Writes what is yet to be written of the pointers. Disturbs T1 alone.
    pub(super) fn write_noted(&mut self, noted: Noted) {
        if let Some(index) = noted.insn {
            let insn = &self.unit.insns[index as usize];
            let ip = self.unit.rip_of(index as usize);
            self.asm.address(T1, ip, Follows::GuestAddress);
            self.asm.store(64, abi::X87_LAST_IP, T1);
            self.asm
                .zero_extend(16, T1, abi::selector(SegmentRegister::Cs));
            self.asm.store(16, abi::X87_LAST_CS, T1);
            let opcode = i32::from(opcode_of(insn));
            self.asm.store_imm(16, abi::X87_LAST_OPCODE, opcode);
        }
        if let Some(segment) = noted.segment {
            self.asm.zero_extend(16, T1, abi::selector(segment));
            self.asm.store(16, abi::X87_LAST_DS, T1);
        }
    }

    /// Before a segment register changes: the selector of the last operand is the one that
    /// it had.
    pub(super) fn write_noted_segment(&mut self, register: SegmentRegister) -> Result<(), Stuck> {
        if self.noted.segment == Some(register) {
            let temp = self.temp()?;
            self.asm.zero_extend(16, temp, abi::selector(register));
            self.asm.store(16, abi::X87_LAST_DS, temp);
            self.give_back(temp);
            self.noted.segment = None;
        }
        Ok(())
    }

    /// The flags after FCOMI and its kin are the host's; keeps them if somebody may look.
    fn order(&mut self) {
        let position = self.position;
        if self.plan.needs(position) {
            // What stands for these flags in the state: a zero or not, with the parity
            // corrected, and CF alone.
            self.asm.set(cc::B, Rm::Reg(T0));
            self.asm.zero_extend(8, T0, T0);
            self.asm.lea(32, T0, sum_scaled(T0));
            self.asm.store(64, FLAGS_CARRIES, T0);
            self.asm.set(cc::NP, beyond(FLAGS_CARRIES));
            self.asm.store_imm(64, FLAGS_RESULT, 0);
            self.asm.set(cc::NE, beyond(FLAGS_RESULT));
            self.asm.store_imm(32, FLAG_KIND, 0);
            self.pending = Pending::SETTLED;
        }
        self.host_flags = HostFlags::Update {
            position,
            is_exact: true,
        };
    }

    fn x87_move_if(&mut self, from: u8, condition: Bit) -> Result<(), Stuck> {
        let Ok(condition) = self.test_bit(condition)? else {
            return self.stuck();
        };
        // B, E, BE and P, then their opposites.
        let (number, is_not) = match condition & !1 {
            2 => (0, condition & 1),
            4 => (1, condition & 1),
            6 => (2, condition & 1),
            10 => (3, condition & 1),
            _ => return self.stuck(),
        };
        self.asm
            .x87(0x2c0 | u16::from(is_not) << 8 | number << 3 | u16::from(from));
        Ok(())
    }

    /// The value under way is in a cell, of 16 bits.
    pub(super) fn load_cell(&mut self, cell: Mem) -> Result<(), Stuck> {
        let temp = self.temp()?;
        self.asm.zero_extend(16, temp, cell);
        self.set(Loc::Temp(temp))
    }

    fn status(&mut self) -> Result<(), Stuck> {
        let name = Name(self.position as u32);
        if let Some((Op::WriteGpr(Gpr::Rax, false, value), 16)) =
            self.block.ops.get(self.position + 1)
            && *value == name
        {
            self.clobber(Gpr::Rax)?;
            self.asm.x87(opcode::FNSTSW_AX);
            return self.made_in(Gpr::Rax);
        }
        self.asm.x87_memory(opcode::FNSTSW, abi::X87_WORD);
        self.load_cell(abi::X87_WORD)
    }

    fn set_control(&mut self, value: Name) -> Result<(), Stuck> {
        let value = self.register(value)?;
        let temp = self.temp()?;
        self.asm.load(32, temp, value);
        self.asm.alu_imm(Alu::And, 32, temp, MASKS);
        self.asm.alu_imm(Alu::Cmp, 32, temp, MASKS);
        self.host_flags = HostFlags::Unknown;
        let unmasks = self.asm.branch_ahead(cc::NE);
        self.slow.push(unmasks);
        self.asm.load(32, temp, value);
        self.asm.alu_imm(Alu::And, 32, temp, WRITABLE);
        self.asm.alu_imm(Alu::Or, 32, temp, FIXED);
        self.asm.store(16, abi::X87_CONTROL, temp);
        self.asm.x87_memory(opcode::FLDCW, abi::X87_CONTROL);
        self.give_back(temp);
        Ok(())
    }
}

/// Three times a register.
fn sum_scaled(register: Reg) -> Mem {
    Mem {
        index: Some((register, 1)),
        ..at(register, 0)
    }
}

/// The second byte of a cell.
const fn beyond(cell: Mem) -> Rm {
    Rm::Mem(at(cell.base, cell.disp + 1))
}
