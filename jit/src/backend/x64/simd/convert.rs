//! Conversions between formats of numbers, and between numbers and integers.

use rax_cpu::ir::Name;
use rax_cpu::vector::{ConvertOp, FloatWidth};

use super::code::{np, p66, p66_3a, pf2, pf3};
use super::{Place, Target, table};
use crate::backend::x64::asm::Rm;
use crate::backend::x64::{Emit, Stuck};

impl Emit<'_> {
    pub(super) fn convert(
        &mut self,
        op: ConvertOp,
        [a, b]: [Name; 2],
        bits: u32,
    ) -> Result<(), Stuck> {
        match op {
            ConvertOp::SinglesToHalves(how) => return self.halves(how, b, bits),
            ConvertOp::TwoDwordsToSingles => return self.pair_to_singles(a, b),
            ConvertOp::TwoSinglesToDwords { truncate } => return self.pair_to_dwords(truncate, b),
            _ => {}
        }
        let Some((code, bytes)) = table::convert(op, bits, self.vector_features()) else {
            return self.stuck();
        };
        if op.keeps_first() {
            self.three(code, bits, a, (b, bytes), None)
        } else {
            self.two(code, bits, (b, bytes), None)
        }
    }

    pub(super) fn convert_integer(
        &mut self,
        width: FloatWidth,
        vector: Name,
        (value, of): (Name, u32),
        bits: u32,
    ) -> Result<(), Stuck> {
        let value = Rm::Reg(self.register(value)?);
        let code = table::integer(width, 0x2a, of);
        self.three_with(code, bits, vector, value, None)
    }

    pub(super) fn take_integer(
        &mut self,
        width: FloatWidth,
        truncate: bool,
        vector: Name,
        bits: u32,
    ) -> Result<(), Stuck> {
        let bytes = match width {
            FloatWidth::Single => 4,
            FloatWidth::Double => 8,
        };
        let from = match self.vector_operand(vector, bytes, false)? {
            // The address is in the temporaries, and may be where the result goes.
            Rm::Mem(_) => Rm::Reg(self.vector_register(vector)?),
            from @ Rm::Reg(_) => from,
        };
        let code = table::integer(width, if truncate { 0x2c } else { 0x2d }, bits);
        let to = self.general()?;
        self.asm.vex(code, 128, [to, 0], from, None);
        Ok(())
    }

    /// VCVTPS2PH, whose destination is the r/m operand.
    fn halves(&mut self, how: u8, value: Name, bits: u32) -> Result<(), Stuck> {
        if !self.vector_features().f16c {
            return self.stuck();
        }
        let from = self.vector_register(value)?;
        let target = self.vector_target();
        let to = match target {
            Target::Vex(to) => to,
            _ => self.result_temp()?,
        };
        let code = p66_3a(0x1d);
        self.asm.vex(code, bits, [from, 0], Rm::Reg(to), Some(how));
        match target {
            Target::Vex(_) => self.made_vector(to),
            _ => self.put_place(Place::Host(to)),
        }
    }

    /// CVTPI2PS: the other half of the pair is zero, and raises nothing.
    fn pair_to_singles(&mut self, vector: Name, pair: Name) -> Result<(), Stuck> {
        let from = Rm::Reg(self.vector_register(pair)?);
        let singles = self.result_temp()?;
        self.asm.vex(np(0x5b), 128, [singles, 0], from, None);
        let result = self.three_with(pf2(0x10), 128, vector, Rm::Reg(singles), None);
        self.vectors.free.push(singles);
        result
    }

    /// CVTPS2PI and CVTTPS2PI: the other half of the vector becomes zero first.
    fn pair_to_dwords(&mut self, truncate: bool, vector: Name) -> Result<(), Stuck> {
        let from = self.vector_operand(vector, 8, false)?;
        let to = self.result_temp()?;
        self.asm.vex(pf3(0x7e), 128, [to, 0], from, None);
        let code = if truncate { pf3(0x5b) } else { p66(0x5b) };
        self.asm.vex(code, 128, [to, 0], Rm::Reg(to), None);
        self.put_place(Place::Host(to))
    }
}
