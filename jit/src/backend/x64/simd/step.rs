//! One vector operation at a time.

use rax_cpu::compiled::FlagKind;
use rax_cpu::ir::{Name, Op, VectorStep};
use rax_cpu::vector::{
    ConvertOp, CrossOp, FloatOp, FloatShape, FloatUnaryOp, FloatWidth, FusedOp, Lane, ShuffleOp,
    VectorOp, VectorShiftOp, VectorTernaryOp, VectorUnaryOp,
};

use super::code::{Code, np, np38, p66, p66_3a, p66_38, pf2, pf3};
use super::{Features, Place, Target, table};
use crate::backend::x64::abi::{FLAG_KIND, T0, T1, flag_value};
use crate::backend::x64::asm::Rm;
use crate::backend::x64::flags::HostFlags;
use crate::backend::x64::pending::{Base, Pending};
use crate::backend::x64::values::Loc;
use crate::backend::x64::{Emit, Stuck};

impl Emit<'_> {
    pub(super) fn vector_features(&self) -> &Features {
        &self.backend.features.vectors
    }

    /// One step.
    pub(in crate::backend::x64) fn vector(
        &mut self,
        step: VectorStep,
        bits: u32,
    ) -> Result<(), Stuck> {
        match step {
            step if super::is_mmx(step, bits) => self.mmx(step, bits),
            VectorStep::CheckX87 | VectorStep::EnterMmx | VectorStep::LeaveMmx => self.stuck(),
            VectorStep::Mxcsr => self.put_place(Place::Mxcsr),
            VectorStep::SetMxcsr(value) => self.set_mxcsr(value),
            VectorStep::LoadMasked {
                address,
                lane,
                mask,
            } => self.load_masked(address, lane, mask, bits),
            VectorStep::StoreMasked {
                address,
                lane,
                mask,
                value,
            } => self.store_masked(address, lane, (mask, value), bits),
            VectorStep::Test { signs, a, b } => self.test_vectors(signs, [a, b], bits),
            VectorStep::Read(register) => self.put_place(Place::Guest(register)),
            VectorStep::Write(register, value) if bits == 128 => self.write_vector(register, value),
            VectorStep::Write(..) => self.stuck(),
            VectorStep::WriteVex(register, value) => self.write_vex(register, value, bits),
            VectorStep::Clear { count, whole } => self.clear_vectors(count, whole),
            VectorStep::Load {
                address,
                is_aligned,
            } => self.load_vector(address, bits, is_aligned),
            VectorStep::Store {
                address,
                is_aligned,
                value,
            } => self.store_vector(address, bits, is_aligned, value),
            VectorStep::Half(value, is_high) => self.half(value, is_high),
            VectorStep::FromHalf(value) => self.widen_half(value),
            VectorStep::Widen(value) => self.widen(value, bits),
            VectorStep::Extract {
                from,
                vector,
                index,
            } => self.extract(vector, from, index, bits),
            VectorStep::Insert {
                vector,
                index,
                bits: lane,
                value,
            } => self.insert((vector, bits), index, (value, lane)),
            VectorStep::SignMask { from, vector, lane } => self.sign_mask(vector, from, lane),
            VectorStep::Unary(op, value) => self.vector_unary(op, value, bits),
            VectorStep::Ternary(op, a, b, c) => self.vector_ternary(op, [a, b, c], bits),
            VectorStep::Binary(op, a, b) => self.vector_binary(op, [a, b], bits),
            VectorStep::Cross(op, a, b) => self.cross(op, [a, b], bits),
            VectorStep::Shuffle(op, a, b, order) => self.shuffle(op, [a, b], order, bits),
            VectorStep::Shift(op, value, count) => self.vector_shift(op, value, count, bits),
            VectorStep::Float(op, shape, a, b) => self.float(op, shape, [a, b], bits),
            VectorStep::FloatUnary(op, shape, a, b) => self.float_unary(op, shape, [a, b], bits),
            VectorStep::Fused(op, shape, operands) => self.fused(op, shape, operands, bits),
            VectorStep::FloatOrder {
                width,
                quiet_signals,
                a,
                b,
            } => self.float_order(width, quiet_signals, [a, b]),
            VectorStep::Convert(op, a, b) => self.convert(op, [a, b], bits),
            VectorStep::FromInteger {
                width,
                vector,
                bits: of,
                value,
            } => self.convert_integer(width, vector, (value, of), bits),
            VectorStep::ToInteger {
                width,
                truncate,
                vector,
                ..
            } => self.take_integer(width, truncate, vector, bits),
        }
    }

    /// The operation that uses the value under way next.
    pub(super) fn user(&self) -> Option<Op> {
        let name = Name(self.position as u32);
        let last = self.plan.last_use(name);
        (last != 0).then(|| self.block.ops[last].0)
    }

    fn half(&mut self, value: Name, is_high: bool) -> Result<(), Stuck> {
        if !is_high
            && self.plan.last_use(value) == self.position
            && matches!(self.place_of(value), Place::Host(_))
        {
            return self.pass_on(value);
        }
        if !is_high {
            return self.two(np(0x28), 128, (value, 16), None);
        }
        let from = self.vector_register(value)?;
        // Its destination is the r/m operand.
        let to = match self.vector_target() {
            Target::Vex(to) => to,
            _ => self.result_temp()?,
        };
        self.asm
            .vex(p66_3a(0x39), 256, [from, 0], Rm::Reg(to), Some(1));
        match self.vector_target() {
            Target::Vex(_) => self.made_vector(to),
            _ => self.put_place(Place::Host(to)),
        }
    }

    /// Those who use it look at the low half only, or it is moved.
    fn widen_half(&mut self, value: Name) -> Result<(), Stuck> {
        let looks_low = matches!(
            self.user(),
            Some(Op::Vector(
                VectorStep::Unary(
                    VectorUnaryOp::ZeroExtend(..) | VectorUnaryOp::SignExtend(..),
                    _
                ) | VectorStep::Convert(
                    ConvertOp::SinglesToDoubles
                        | ConvertOp::DwordsToDoubles
                        | ConvertOp::HalvesToSingles,
                    ..
                ) | VectorStep::Cross(CrossOp::Insert(_) | CrossOp::Pieces(0), ..)
            ))
        );
        match self.place_of(value) {
            Place::Memory { .. } if looks_low => self.pass_on(value),
            place @ Place::Guest(register) if looks_low && register < super::FIRST_TEMP => {
                self.put_place(place)
            }
            _ => self.two(np(0x28), 128, (value, 16), None),
        }
    }

    /// The value under way is where an operand was that nobody else asks for.
    pub(super) fn pass_on(&mut self, value: Name) -> Result<(), Stuck> {
        let place = self.place_of(value);
        if self.plan.last_use(value) != self.position {
            return self.stuck();
        }
        self.vectors.places[value.0 as usize] = Place::Nowhere;
        self.put_place(place)
    }

    fn widen(&mut self, value: Name, bits: u32) -> Result<(), Stuck> {
        if bits != 128 && bits != 256 {
            return self.stuck();
        }
        match self.place_of(value) {
            Place::Memory { .. } => return self.pass_on(value),
            Place::Mmx(from) => return self.move_from_mmx(from),
            Place::Lane {
                vector,
                index: 0,
                bits: 64,
            } => {
                let from = self.vector_register(vector)?;
                return self.move_in(pf3(0x7e), Rm::Reg(from));
            }
            Place::Lane { .. } => return self.stuck(),
            _ => {}
        }
        let of = self.bits(value);
        if of < 32 {
            return self.stuck();
        }
        let from = self.register(value)?;
        self.move_in(p66(0x6e).w(of == 64), Rm::Reg(from))
    }

    /// A move of 128 bits from anywhere.
    fn move_in(&mut self, code: Code, from: Rm) -> Result<(), Stuck> {
        match self.vector_target() {
            Target::Legacy(to) => {
                self.asm.sse(code, to, from, None);
                self.made_vector(to)
            }
            Target::Vex(to) => {
                self.asm.vex(code, 128, [to, 0], from, None);
                self.made_vector(to)
            }
            Target::Other => {
                let to = self.result_temp()?;
                self.asm.vex(code, 128, [to, 0], from, None);
                self.put_place(Place::Host(to))
            }
        }
    }

    fn extract(&mut self, vector: Name, from: u32, index: u8, bits: u32) -> Result<(), Stuck> {
        let index = u32::from(index) % (from / bits);
        let is_lane = matches!(
            self.user(),
            Some(
                Op::Vector(
                    VectorStep::Widen(_) | VectorStep::Insert { .. } | VectorStep::Shift(..)
                ) | Op::Store { .. }
            )
        );
        if is_lane && index * bits < 128 {
            if self.plan.last_use(vector) <= self.position {
                // The vector must last as long as its lane.
                return self.keep_for_lane(vector, index as u8, bits);
            }
            return self.put_place(Place::Lane {
                vector,
                index: index as u8,
                bits,
            });
        }
        let mut from = self.vector_register(vector)?;
        let mut index = index;
        if index * bits >= 128 {
            let temp = self.vector_temp()?;
            self.asm
                .vex(p66_3a(0x39), 256, [from, 0], Rm::Reg(temp), Some(1));
            self.vectors.free.push(temp);
            from = temp;
            index -= 128 / bits;
        }
        let to = self.general()?;
        if index == 0 && bits >= 32 {
            self.asm
                .vex(p66(0x7e).w(bits == 64), 128, [from, 0], Rm::Reg(to), None);
        } else {
            let code = table::extract(bits);
            self.asm
                .vex(code, 128, [from, 0], Rm::Reg(to), Some(index as u8));
        }
        Ok(())
    }

    /// A lane of a vector that nobody else asks for: the lane's own place keeps it.
    fn keep_for_lane(&mut self, vector: Name, index: u8, bits: u32) -> Result<(), Stuck> {
        // A guest's register is not written to before the instruction's end.
        if !matches!(self.place_of(vector), Place::Guest(_)) {
            self.vector_register(vector)?;
        }
        self.vectors.lasting.push(vector);
        self.put_place(Place::Lane {
            vector,
            index,
            bits,
        })
    }

    fn insert(
        &mut self,
        (vector, bits): (Name, u32),
        index: u8,
        (value, lane): (Name, u32),
    ) -> Result<(), Stuck> {
        if bits != 128 {
            return self.stuck();
        }
        let index = (u32::from(index) % (128 / lane)) as u8;
        let low = if lane == 32 { pf3(0x10) } else { pf2(0x10) };
        match self.place_of(value) {
            Place::Lane {
                vector: other,
                index: 0,
                ..
            } if index == 0 && lane >= 32 => {
                let from = self.vector_register(other)?;
                self.three_with(low, 128, vector, Rm::Reg(from), None)
            }
            Place::Lane { .. } => self.stuck(),
            Place::Memory { .. } => {
                let from = Rm::Mem(Self::pair(T0, T1));
                let (code, immediate) = match (lane, index) {
                    (64, 0) => (np(0x12), None),
                    (64, _) => (np(0x16), None),
                    _ => (table::insert(lane), Some(index)),
                };
                self.three_with(code, 128, vector, from, immediate)
            }
            _ => {
                let from = Rm::Reg(self.register(value)?);
                self.three_with(table::insert(lane), 128, vector, from, Some(index))
            }
        }
    }

    fn sign_mask(&mut self, vector: Name, from: u32, lane: Lane) -> Result<(), Stuck> {
        let Some(code) = table::signs(lane) else {
            return self.stuck();
        };
        if from == 64 {
            return self.stuck();
        }
        let vector = self.vector_register(vector)?;
        let to = self.general()?;
        self.asm.vex(code, from, [to, 0], Rm::Reg(vector), None);
        Ok(())
    }

    fn vector_unary(&mut self, op: VectorUnaryOp, value: Name, bits: u32) -> Result<(), Stuck> {
        if let VectorUnaryOp::Broadcast(lane) = op {
            let operand = (value, lane.bits() / 8);
            return self.two(table::broadcast(lane), bits, operand, None);
        }
        let Some((code, bytes)) = table::unary(op, self.vector_features()) else {
            return self.stuck();
        };
        self.two(code, bits, (value, bytes * bits / 128), None)
    }

    fn vector_ternary(
        &mut self,
        op: VectorTernaryOp,
        [a, b, c]: [Name; 3],
        bits: u32,
    ) -> Result<(), Stuck> {
        match op {
            VectorTernaryOp::Select(lane) => {
                let code = match lane {
                    Lane::Byte => p66_3a(0x4c),
                    Lane::Dword => p66_3a(0x4a),
                    _ => p66_3a(0x4b),
                };
                let mask = self.vector_register(c)?;
                let b = self.vector_operand(b, bits / 8, false)?;
                let a = self.vector_register(a)?;
                let target = self.vector_target();
                let to = match target {
                    Target::Vex(to) => to,
                    _ => self.result_temp()?,
                };
                self.asm.vex(code, bits, [to, a], b, Some(mask << 4));
                match target {
                    Target::Vex(_) => self.made_vector(to),
                    _ => self.put_place(Place::Host(to)),
                }
            }
            // Its third operand is XMM0 by definition.
            VectorTernaryOp::Sha256Rounds
                if self.vector_features().sha && self.place_of(c) == Place::Guest(0) =>
            {
                self.destructive(np38(0xcb), a, b, None)
            }
            _ => match table::dot(op).filter(|_| self.vector_features().vnni) {
                Some(code) => self.accumulate(code, [a, b], (c, bits / 8), bits),
                None => self.stuck(),
            },
        }
    }

    /// An instruction that has no VEX encoding.
    fn destructive(
        &mut self,
        code: Code,
        a: Name,
        b: Name,
        immediate: Option<u8>,
    ) -> Result<(), Stuck> {
        let is_in_place = self.is_in_place(code, a);
        let b = self.vector_operand(b, 16, true)?;
        if is_in_place {
            return self.three_with(code, 128, a, b, immediate);
        }
        let a = self.vector_register(a)?;
        let to = self.vector_temp()?;
        self.asm.vex(np(0x28), 128, [to, 0], Rm::Reg(a), None);
        self.asm.sse(code, to, b, immediate);
        self.put_place(Place::Host(to))
    }

    fn vector_binary(&mut self, op: VectorOp, [a, b]: [Name; 2], bits: u32) -> Result<(), Stuck> {
        if let Some((code, immediate)) = table::aes_key(op, self.vector_features()) {
            return self.two(code, 128, (b, 16), immediate);
        }
        let Some((code, immediate)) = table::binary(op, self.vector_features()) else {
            return self.stuck();
        };
        if table::is_sha(op) {
            return self.destructive(code, a, b, immediate);
        }
        if bits == 256 && !table::is_wide(op, self.vector_features()) {
            return self.stuck();
        }
        self.three(code, bits, a, (b, bits / 8), immediate)
    }

    fn cross(&mut self, op: CrossOp, [a, b]: [Name; 2], bits: u32) -> Result<(), Stuck> {
        if bits != 256 {
            return self.stuck();
        }
        match op {
            CrossOp::Dwords => self.three(p66_38(0x36), 256, a, (b, 32), None),
            CrossOp::Qwords(order) => self.two(p66_3a(0x00).w(true), 256, (b, 32), Some(order)),
            CrossOp::Pieces(0) if matches!(self.place_of(b), Place::Memory { bytes: 16, .. }) => {
                self.two(p66_38(0x5a), 256, (b, 16), None)
            }
            CrossOp::Pieces(order) => self.three(p66_3a(0x46), 256, a, (b, 32), Some(order)),
            CrossOp::Insert(place) => self.three(p66_3a(0x38), 256, a, (b, 16), Some(place)),
        }
    }

    fn shuffle(
        &mut self,
        op: ShuffleOp,
        [a, b]: [Name; 2],
        order: u8,
        bits: u32,
    ) -> Result<(), Stuck> {
        let Some(code) = table::shuffle(op) else {
            return self.stuck();
        };
        match op {
            _ if op.is_of_second() => self.two(code, bits, (b, bits / 8), Some(order)),
            ShuffleOp::InsertDword => {
                // In memory there is but one dword, in a register any of four.
                let from = match self.place_of(b) {
                    Place::Memory { bytes: 4, .. } => Rm::Mem(Self::pair(T0, T1)),
                    _ => Rm::Reg(self.vector_register(b)?),
                };
                self.three_with(code, bits, a, from, Some(order))
            }
            _ => self.three(code, bits, a, (b, bits / 8), Some(order)),
        }
    }

    fn vector_shift(
        &mut self,
        op: VectorShiftOp,
        value: Name,
        count: Name,
        bits: u32,
    ) -> Result<(), Stuck> {
        let Some((by_vector, by_immediate, digit)) = table::shift(op) else {
            return self.stuck();
        };
        if let Loc::Constant(count) = self.loc(count) {
            let count = count.min(255) as u8;
            // VEX names the destination, ModRM the source.
            let target = self.vector_target();
            if let Target::Legacy(to) = target
                && self.place_of(value) == Place::Guest(to)
            {
                self.asm.sse(by_immediate, digit, Rm::Reg(to), Some(count));
                return self.made_vector(to);
            }
            let from = self.vector_register(value)?;
            let to = match target {
                Target::Vex(to) => to,
                _ => self.result_temp()?,
            };
            self.asm
                .vex(by_immediate, bits, [digit, to], Rm::Reg(from), Some(count));
            return match target {
                Target::Vex(_) => self.made_vector(to),
                _ => self.put_place(Place::Host(to)),
            };
        }
        match (self.place_of(count), by_vector) {
            (
                Place::Lane {
                    vector, index: 0, ..
                },
                Some(code),
            ) => self.three(code, bits, value, (vector, 16), None),
            _ => self.stuck(),
        }
    }

    fn float(
        &mut self,
        op: FloatOp,
        shape: FloatShape,
        [a, b]: [Name; 2],
        bits: u32,
    ) -> Result<(), Stuck> {
        let Some((code, immediate)) = table::float(op, shape) else {
            return self.stuck();
        };
        // The legacy comparison has eight predicates.
        let code_is_new = matches!(op, FloatOp::Compare(predicate) if predicate.immediate() > 7);
        if code_is_new && matches!(self.vector_target(), Target::Legacy(_)) {
            return self.stuck();
        }
        let bytes = table::bytes(shape, bits);
        self.three(code, bits, a, (b, bytes), immediate)
    }

    fn float_unary(
        &mut self,
        op: FloatUnaryOp,
        shape: FloatShape,
        [a, b]: [Name; 2],
        bits: u32,
    ) -> Result<(), Stuck> {
        let Some((code, immediate)) = table::float_unary(op, shape) else {
            return self.stuck();
        };
        let operand = (b, table::bytes(shape, bits));
        match shape {
            FloatShape::PackedSingle | FloatShape::PackedDouble => {
                self.two(code, bits, operand, immediate)
            }
            FloatShape::ScalarSingle | FloatShape::ScalarDouble => {
                self.three(code, bits, a, operand, immediate)
            }
        }
    }

    fn fused(
        &mut self,
        op: FusedOp,
        shape: FloatShape,
        [a, b, c]: [Name; 3],
        bits: u32,
    ) -> Result<(), Stuck> {
        if !self.vector_features().fma {
            return self.stuck();
        }
        let code = table::fused(op, shape);
        self.accumulate(code, [a, b], (c, table::bytes(shape, bits)), bits)
    }

    /// Three operands, of which the first is overwritten.
    fn accumulate(
        &mut self,
        code: Code,
        [a, b]: [Name; 2],
        (c, bytes): (Name, u32),
        bits: u32,
    ) -> Result<(), Stuck> {
        let c = self.vector_operand(c, bytes, false)?;
        let b = self.vector_register(b)?;
        if let Target::Vex(to) = self.vector_target()
            && self.place_of(a) == Place::Guest(to)
        {
            self.asm.vex(code, bits, [to, b], c, None);
            return self.made_vector(to);
        }
        // The first operand is overwritten: a copy of it.
        let from = self.vector_register(a)?;
        let to = if from >= super::FIRST_TEMP {
            self.vectors.places[a.0 as usize] = Place::Nowhere;
            from
        } else {
            let to = self.vector_temp()?;
            self.asm.vex(np(0x28), bits, [to, 0], Rm::Reg(from), None);
            to
        };
        self.asm.vex(code, bits, [to, b], c, None);
        self.put_place(Place::Host(to))
    }

    fn float_order(
        &mut self,
        width: FloatWidth,
        quiet_signals: bool,
        [a, b]: [Name; 2],
    ) -> Result<(), Stuck> {
        let bytes = match width {
            FloatWidth::Single => 4,
            FloatWidth::Double => 8,
        };
        let is_kept = self.plan.needs(self.position);
        let first = self.vector_register(a)?;
        let second = if is_kept {
            Rm::Reg(self.vector_register(b)?)
        } else {
            self.vector_operand(b, bytes, false)?
        };
        if let (true, Rm::Reg(second)) = (is_kept, second) {
            for (n, from) in [first, second].into_iter().enumerate() {
                self.asm.vex(p66(0xd6), 128, [from, 0], flag_value(n), None);
            }
            let kind = FlagKind::order(width);
            self.asm.store_imm(32, FLAG_KIND, kind.0 as i32);
            self.pending = Pending::of(Base::Stored(kind));
        }
        let code = table::order(width, quiet_signals);
        self.asm.vex(code, 128, [first, 0], second, None);
        self.host_flags = HostFlags::Update {
            position: self.position,
            is_exact: true,
        };
        Ok(())
    }
}
