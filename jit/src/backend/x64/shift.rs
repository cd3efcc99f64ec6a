//! Shifts and rotations.

use rax_cpu::ir::{Name, Op};
use rax_cpu::state::Gpr;
use rax_cpu::verbs::{BinaryOp, DoubleShiftOp, ShiftOp};

use super::alu::Place;
use super::asm::Turn;
use super::flags::HostFlags;
use super::values::Loc;
use super::{Emit, Stuck};

impl Emit<'_> {
    pub(super) fn shift(
        &mut self,
        op: ShiftOp,
        value: Name,
        count: Name,
        bits: u32,
    ) -> Result<(), Stuck> {
        if self.is_dead() {
            return Ok(());
        }
        let turn = match op {
            ShiftOp::Shl => Turn::Shl,
            ShiftOp::Shr => Turn::Shr,
            ShiftOp::Sar => Turn::Sar,
            ShiftOp::Rol => Turn::Rol,
            ShiftOp::Ror => Turn::Ror,
        };
        match self.loc(count) {
            Loc::Constant(count) => {
                let count = count as u8 & 63;
                if count != 0
                    && bits < 32
                    && let Some((register, high)) = self.written_back(value)
                {
                    self.make_way(register, &[value])?;
                    let rm = self.gpr_rm(register, high);
                    self.asm.shift_imm(turn, bits, rm, count);
                    return self.made_in_place(register, high);
                }
                let place = self.place_over(bits, value, &[])?;
                self.start(place.host, value, bits)?;
                if count != 0 {
                    self.asm.shift_imm(turn, bits, place.host, count);
                }
                if count == 0 {
                    self.host_flags = HostFlags::Unknown;
                } else {
                    self.host_flags_tell();
                }
                // A move of 32 bits at least has cleared the upper half, or else nothing has.
                if count == 0 && bits == 32 {
                    self.asm.load(32, place.host, place.host);
                }
                self.made(place)
            }
            _ => self.shift_by_register(turn, value, count, bits),
        }
    }

    /// By a count in RCX, which the host masks as the guest does: whoever masked it has
    /// left it there.
    fn shift_by_register(
        &mut self,
        turn: Turn,
        value: Name,
        count: Name,
        bits: u32,
    ) -> Result<(), Stuck> {
        if !self.is_in_cl(count, bits) {
            return self.shift_by_any(turn, value, count, bits);
        }
        if bits < 32
            && let Some((register, high)) = self.written_back(value)
            && register != Gpr::Rcx
        {
            self.make_way(register, &[value])?;
            let rm = self.gpr_rm(register, high);
            self.asm.shift_cl(turn, bits, rm);
            self.made_in_place(register, high)?;
            self.host_flags = HostFlags::Unknown;
            return Ok(());
        }
        let place = self.place_beside_count(value, &[], bits)?;
        self.asm.shift_cl(turn, bits, place.host);
        self.host_flags = HostFlags::Unknown;
        self.made(place)
    }

    /// A place for what is shifted by a count in RCX, with the value in it.
    fn place_beside_count(
        &mut self,
        value: Name,
        read: &[Name],
        bits: u32,
    ) -> Result<Place, Stuck> {
        let place = match self.target() {
            Some((Gpr::Rcx, _)) => Place {
                host: self.temp()?,
                guest: None,
            },
            _ => self.place_over(bits, value, read)?,
        };
        self.start(place.host, value, bits)?;
        if bits == 32 {
            // A count of zero must clear the upper half all the same.
            self.asm.load(32, place.host, place.host);
        }
        Ok(place)
    }

    /// Whether a count is what the host takes of CL by itself.
    fn is_in_cl(&self, count: Name, bits: u32) -> bool {
        let Op::Binary(BinaryOp::And, raw, mask) = self.block.ops[count.0 as usize].0 else {
            return false;
        };
        let expected = if bits == 64 { 63 } else { 31 };
        self.loc(mask) == Loc::Constant(expected)
            && self.reads_cl(raw)
            && !self.has_changed(Gpr::Rcx)
    }

    /// By a count in any register, masked or below the width. Leaves the host's flags alone.
    fn shift_by_any(
        &mut self,
        turn: Turn,
        value: Name,
        count: Name,
        bits: u32,
    ) -> Result<(), Stuck> {
        if !self.backend.features.bmi2 || matches!(turn, Turn::Rol | Turn::Ror) {
            return self.stuck();
        }
        let by = self.register(count)?;
        if bits < 32 {
            // What is shifted in from above must be right.
            let place = self.place_over(bits, value, &[count])?;
            self.load_into(place.host, value)?;
            match turn {
                Turn::Shl => {}
                Turn::Sar => self.asm.sign_extend(bits, 32, place.host, place.host),
                _ => self.asm.zero_extend(bits, place.host, place.host),
            }
            self.asm.shift_x(turn, 32, place.host, place.host, by);
            self.host_flags = HostFlags::Unknown;
            return self.made(place);
        }
        let from = self.register(value)?;
        let place = self.place(bits, &[])?;
        self.asm.shift_x(turn, bits, place.host, from, by);
        self.host_flags = HostFlags::Unknown;
        self.made(place)
    }

    /// Whether the instruction under way has written to a register already.
    fn has_changed(&self, register: Gpr) -> bool {
        let start = self.plan.range(self.index as usize).start;
        self.block.ops[start..self.position]
            .iter()
            .any(|(op, _)| matches!(op, Op::WriteGpr(to, ..) if *to == register))
    }

    pub(super) fn double_shift(
        &mut self,
        op: DoubleShiftOp,
        value: Name,
        source: Name,
        count: Name,
        bits: u32,
    ) -> Result<(), Stuck> {
        if self.is_dead() {
            return Ok(());
        }
        let is_right = match op {
            DoubleShiftOp::Shld => false,
            DoubleShiftOp::Shrd => true,
            _ => return self.stuck(),
        };
        if bits < 32 {
            return self.stuck();
        }
        let count = match self.loc(count) {
            Loc::Constant(0) => return self.stuck(),
            Loc::Constant(count) => count as u8,
            _ => return self.double_shift_cl(is_right, value, source, count, bits),
        };
        let from = self.register(source)?;
        let place = self.place_over(bits, value, &[source])?;
        self.start(place.host, value, bits)?;
        self.asm
            .double_shift(is_right, bits, place.host, from, count);
        self.host_flags = HostFlags::Unknown;
        self.made(place)
    }

    /// By a count in RCX.
    fn double_shift_cl(
        &mut self,
        is_right: bool,
        value: Name,
        source: Name,
        count: Name,
        bits: u32,
    ) -> Result<(), Stuck> {
        if !self.is_in_cl(count, bits) {
            return self.stuck();
        }
        let from = self.register(source)?;
        let place = self.place_beside_count(value, &[source], bits)?;
        self.asm.double_shift_cl(is_right, bits, place.host, from);
        self.host_flags = HostFlags::Unknown;
        self.made(place)
    }
}
