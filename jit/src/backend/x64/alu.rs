//! Integer operations.

use rax_cpu::ir::{Bit, Name, Op};
use rax_cpu::state::Gpr;
use rax_cpu::verbs::{BinaryOp, UnaryOp};

use super::asm::{Alu, Reg, Rm, is_high};
use super::flags::HostFlags;
use super::values::{Loc, Source};
use super::{Emit, Stuck};

/// Where a result is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) host: Reg,
    /// The guest register it is for, if it is made there.
    pub(super) guest: Option<Gpr>,
}

impl Emit<'_> {
    /// Takes a place for the result of the operation under way. `read` are operands that
    /// are read after the place was written to: it is none of theirs.
    pub(super) fn place(&mut self, bits: u32, read: &[Name]) -> Result<Place, Stuck> {
        if bits >= 32
            && let Some((register, host)) = self.target()
            && !read
                .iter()
                .any(|&name| matches!(self.loc(name), Loc::Gpr(of, _) if of == register))
        {
            self.clobber(register)?;
            return Ok(Place {
                host,
                guest: Some(register),
            });
        }
        Ok(Place {
            host: self.temp()?,
            guest: None,
        })
    }

    /// The same, for a result that begins as its first operand: a temporary that holds
    /// this for the last time is the place.
    pub(super) fn place_over(
        &mut self,
        bits: u32,
        first: Name,
        read: &[Name],
    ) -> Result<Place, Stuck> {
        if self.target().is_none()
            && let Loc::Temp(host) = self.loc(first)
            && self.plan.last_use(first) <= self.position
            && !read.iter().any(|&name| self.loc(name) == Loc::Temp(host))
        {
            return Ok(Place { host, guest: None });
        }
        self.place(bits, read)
    }

    pub(super) fn made(&mut self, place: Place) -> Result<(), Stuck> {
        match place.guest {
            Some(register) => self.made_in(register),
            None => {
                // An operand that was there has been used up.
                for at in self.plan.range(self.index as usize) {
                    if self.locs[at] == Loc::Temp(place.host) {
                        self.locs[at] = Loc::Nowhere;
                    }
                }
                self.set(Loc::Temp(place.host))
            }
        }
    }

    /// Whether nothing asks for the value under way, neither by itself nor by its flags.
    pub(super) fn is_dead(&self) -> bool {
        self.is_unused() && !self.plan.wants(self.position)
    }

    pub(super) fn host_flags_tell(&mut self) {
        self.host_flags = HostFlags::Value(self.position);
    }

    pub(super) fn binary(
        &mut self,
        op: BinaryOp,
        a: Name,
        b: Name,
        bits: u32,
    ) -> Result<(), Stuck> {
        if self.is_dead() {
            return Ok(());
        }
        if let (Loc::Constant(x), Loc::Constant(y)) = (self.loc(a), self.loc(b))
            && !self.plan.wants(self.position)
        {
            return self.set(Loc::Constant(op.apply(bits, x, y)));
        }
        if let Loc::Address(extra) = self.loc(a) {
            return self.address_arithmetic(op, extra, b);
        }
        if self.is_count(op, a, b) {
            return Ok(());
        }
        let alu = match op {
            BinaryOp::Add => Alu::Add,
            BinaryOp::Sub => Alu::Sub,
            BinaryOp::And => Alu::And,
            BinaryOp::Or => Alu::Or,
            BinaryOp::Xor => Alu::Xor,
            BinaryOp::Mul => return self.multiply(a, b, bits),
            BinaryOp::MulHighUnsigned => return self.multiply_high(4, a, b, bits),
            BinaryOp::MulHighSigned => return self.multiply_high(5, a, b, bits),
            BinaryOp::ExtractBits | BinaryOp::DepositBits
                if bits >= 32 && self.backend.features.bmi2 =>
            {
                let (from, by) = (self.register(a)?, self.register(b)?);
                let place = self.place(bits, &[])?;
                let is_extract = op == BinaryOp::ExtractBits;
                self.asm
                    .gather_bits(is_extract, bits, [place.host, from, by]);
                return self.made(place);
            }
            BinaryOp::Crc32(data_bits) if self.backend.features.crc32 => {
                return self.crc32(a, b, data_bits);
            }
            BinaryOp::ExtractBits | BinaryOp::DepositBits | BinaryOp::Crc32(_) => {
                return self.stuck();
            }
        };
        if self.is_unused() {
            return self.compare(alu, a, b, bits);
        }
        if matches!(alu, Alu::And | Alu::Or)
            && let loc @ Loc::Gpr(register, false) = self.loc(a)
            && loc == self.loc(b)
        {
            // The result is what is there.
            if self.plan.wants(self.position) {
                let rm = self.gpr_rm(register, false);
                match rm {
                    Rm::Reg(host) => self.asm.test(bits, host, host),
                    Rm::Mem(_) => self.asm.alu_imm(Alu::Cmp, bits, rm, 0),
                }
                self.host_flags_tell();
            }
            return self.set(loc);
        }
        self.combine(alu, a, b, bits, false)
    }

    fn crc32(&mut self, a: Name, b: Name, data_bits: u32) -> Result<(), Stuck> {
        let by = self.register(b)?;
        let place = self.place_over(64, a, &[b])?;
        self.start(place.host, a, 64)?;
        self.asm.crc32(data_bits, place.host, by);
        self.made(place)
    }

    /// One of the operations that set all flags. If it reads the host's CF, nothing before
    /// it may disturb that.
    pub(super) fn combine(
        &mut self,
        alu: Alu,
        a: Name,
        b: Name,
        bits: u32,
        reads_carry: bool,
    ) -> Result<(), Stuck> {
        let moved = self.shifted;
        if bits < 32 && self.in_place(alu, a, b, bits)? {
            return if reads_carry && self.shifted != moved {
                self.stuck()
            } else {
                Ok(())
            };
        }
        let is_commutative = !matches!(alu, Alu::Sub | Alu::Sbb);
        // `a = a op b` needs nothing; `a = b op a` only a swap.
        let (a, b) = match self.target() {
            Some((register, _))
                if is_commutative
                    && bits >= 32
                    && matches!(self.loc(b), Loc::Gpr(of, false) if of == register)
                    && !matches!(self.loc(a), Loc::Gpr(of, _) if of == register) =>
            {
                (b, a)
            }
            _ => (a, b),
        };
        let same = self.loc(a) == self.loc(b) && matches!(self.loc(a), Loc::Gpr(_, false));
        let read: &[Name] = if same { &[] } else { &[b] };
        let place = self.place_over(bits, a, read)?;
        let from = if same { None } else { Some(self.source(b)?) };
        self.start(place.host, a, bits)?;
        if reads_carry && self.shifted != moved {
            return self.stuck();
        }
        match from {
            None => self.asm.alu(alu, bits, place.host, place.host),
            Some(Source::Immediate(value)) => self.asm.alu_imm(alu, bits, place.host, value),
            Some(Source::Rm(Rm::Reg(register))) if is_high(register) && place.host >= 4 => {
                // No encoding has both.
                return self.stuck();
            }
            Some(Source::Rm(rm)) => self.asm.alu_from(alu, bits, place.host, rm),
        }
        self.host_flags_tell();
        self.made(place)
    }

    /// Whether the operation under way is the masking of a shift's count in RCX, of which
    /// the host takes care.
    fn is_count(&self, op: BinaryOp, a: Name, b: Name) -> bool {
        let last = self.plan.last_use(Name(self.position as u32));
        op == BinaryOp::And
            && matches!(self.block.ops[last].0,
                Op::Shift(_, _, count) | Op::DoubleShift(_, _, _, count)
                    if count.0 as usize == self.position)
            && self.reads_cl(a)
            && self.loc(a) == Loc::Gpr(Gpr::Rcx, false)
            && matches!(self.loc(b), Loc::Constant(31 | 63))
    }

    /// Whether a value is what RCX holds, or its low byte.
    pub(super) fn reads_cl(&self, name: Name) -> bool {
        let made = |name: Name| self.block.ops[name.0 as usize].0;
        let read = match made(name) {
            Op::ZeroExtend(from) if self.bits(name) == 8 => made(from),
            op => op,
        };
        matches!(read, Op::ReadGpr(Gpr::Rcx, false))
    }

    /// Moves an operand to where the result is made.
    pub(super) fn start(&mut self, to: Reg, from: Name, bits: u32) -> Result<(), Stuck> {
        match self.loc(from) {
            Loc::Temp(register) if register == to => Ok(()),
            Loc::Gpr(register, false) if super::abi::pinned(register) == Some(to) => Ok(()),
            Loc::Gpr(register, false) if bits < 32 => {
                // What stands above is of no account.
                let rm = self.gpr_rm(register, false);
                self.asm.load(32, to, rm);
                Ok(())
            }
            _ => self.load_into(to, from),
        }
    }

    /// An operation of 8 or 16 bits whose result is written back to its first operand's
    /// register: the host's does the same, and leaves the bits above.
    fn in_place(&mut self, alu: Alu, a: Name, b: Name, bits: u32) -> Result<bool, Stuck> {
        let Some((register, high)) = self.written_back(a) else {
            return Ok(false);
        };
        let from = self.source(b)?;
        let to = self.gpr_rm(register, high);
        let wants_rex = |rm: Rm| match rm {
            Rm::Reg(register) => !is_high(register) && register >= 4,
            Rm::Mem(_) => false,
        };
        let has_high = |rm: Rm| matches!(rm, Rm::Reg(register) if is_high(register));
        if let Source::Rm(from) = from {
            if (has_high(to) && wants_rex(from)) || (has_high(from) && wants_rex(to)) {
                return self.stuck();
            }
            if matches!((to, from), (Rm::Mem(_), Rm::Mem(_))) {
                return Ok(false);
            }
        }
        self.make_way(register, &[a, b])?;
        match (to, from) {
            (to, Source::Immediate(value)) => self.asm.alu_imm(alu, bits, to, value),
            (to, Source::Rm(Rm::Reg(from))) => self.asm.alu(alu, bits, to, from),
            (Rm::Reg(to), Source::Rm(from)) => self.asm.alu_from(alu, bits, to, from),
            (Rm::Mem(_), Source::Rm(Rm::Mem(_))) => return self.stuck(),
        }
        self.made_in_place(register, high)?;
        Ok(true)
    }

    /// The register of 8 or 16 bits that an operand is, if the value under way is written to
    /// it next.
    pub(super) fn written_back(&self, operand: Name) -> Option<(Gpr, bool)> {
        let own = Name(self.position as u32);
        let Loc::Gpr(register, high) = self.loc(operand) else {
            return None;
        };
        let range = self.plan.range(self.index as usize);
        let written = (self.position + 1..range.end).find_map(|at| match self.block.ops[at].0 {
            Op::WriteGpr(to, is_high, value) if value == own => Some((to, is_high)),
            Op::Constant(_) | Op::Flags(_) => None,
            _ => Some((Gpr::Zero, false)),
        });
        written.filter(|&written| written == (register, high))
    }

    /// The register of 8 bits that the value under way is written to, if that is all that
    /// becomes of it.
    fn written_alone(&self, bits: u32) -> Option<(Gpr, bool)> {
        let own = Name(self.position as u32);
        let next = self.position + 1;
        if bits != 8 || next + 1 != self.plan.range(self.index as usize).end {
            return None;
        }
        match self.block.ops[next].0 {
            Op::WriteGpr(to, is_high, value) if value == own => Some((to, is_high)),
            _ => None,
        }
    }

    /// Before a register changes in place: operands that are needed later than here move away.
    pub(super) fn make_way(&mut self, register: Gpr, operands: &[Name]) -> Result<(), Stuck> {
        self.keep_operands_in(register);
        if operands
            .iter()
            .any(|&name| self.plan.last_use(name) > self.position)
        {
            self.clobber(register)?;
        }
        Ok(())
    }

    /// Notes that the value under way, with its flags, was made where it is written to.
    pub(super) fn made_in_place(&mut self, register: Gpr, high: bool) -> Result<(), Stuck> {
        self.host_flags_tell();
        self.forget(register);
        self.made = Some(Name(self.position as u32));
        self.set(Loc::Gpr(register, high))
    }

    /// An operation whose flags alone are wanted: CMP or TEST.
    fn compare(&mut self, alu: Alu, a: Name, b: Name, bits: u32) -> Result<(), Stuck> {
        let (a, b) = match (alu, self.loc(a)) {
            (Alu::And, Loc::Constant(_)) => (b, a),
            _ => (a, b),
        };
        let op = match alu {
            Alu::Sub => Alu::Cmp,
            Alu::And => Alu::And,
            // ADD, OR or XOR for its flags alone: no instruction.
            _ => {
                let temp = self.temp()?;
                self.load_into(temp, a)?;
                match self.source(b)? {
                    Source::Immediate(value) => self.asm.alu_imm(alu, bits, temp, value),
                    Source::Rm(Rm::Reg(register)) if is_high(register) => return self.stuck(),
                    Source::Rm(rm) => self.asm.alu_from(alu, bits, temp, rm),
                }
                self.give_back(temp);
                self.host_flags_tell();
                return Ok(());
            }
        };
        let to = match self.source(a)? {
            Source::Rm(rm) => rm,
            Source::Immediate(_) => Rm::Reg(self.register(a)?),
        };
        let from = self.source(b)?;
        let clash = |x: Rm, y: Rm| matches!((x, y), (Rm::Reg(x), Rm::Reg(y)) if is_high(x) && !is_high(y) && y >= 4);
        match (op, to, from) {
            (_, to, Source::Rm(from)) if clash(to, from) || clash(from, to) => {
                return self.stuck();
            }
            (Alu::Cmp, to, Source::Immediate(value)) => {
                self.asm.alu_imm(Alu::Cmp, bits, to, value);
            }
            (Alu::Cmp, to, Source::Rm(Rm::Reg(from))) => self.asm.alu(Alu::Cmp, bits, to, from),
            (Alu::Cmp, Rm::Reg(to), Source::Rm(from)) => {
                self.asm.alu_from(Alu::Cmp, bits, to, from);
            }
            (_, to, Source::Immediate(value)) => self.asm.test_imm(bits, to, value),
            (_, to, Source::Rm(Rm::Reg(from))) => self.asm.test(bits, to, from),
            (_, Rm::Reg(to), Source::Rm(from)) => self.asm.test(bits, from, to),
            (Alu::Cmp, to, Source::Rm(_)) => {
                let from = self.register(b)?;
                self.asm.alu(Alu::Cmp, bits, to, from);
            }
            (_, to, Source::Rm(_)) => {
                let from = self.register(b)?;
                self.asm.test(bits, to, from);
            }
        }
        self.host_flags_tell();
        Ok(())
    }

    /// An effective address with a mask (LEA) or a displacement (BT and its like).
    fn address_arithmetic(&mut self, op: BinaryOp, extra: u64, b: Name) -> Result<(), Stuck> {
        let Loc::Constant(value) = self.loc(b) else {
            return if op == BinaryOp::Add && extra == 0 {
                self.set(Loc::Displaced(b))
            } else {
                self.stuck()
            };
        };
        match op {
            BinaryOp::Add => self.set(Loc::Address(extra.wrapping_add(value))),
            BinaryOp::And => {
                let bits = match value {
                    u64::MAX => 64,
                    0xffff_ffff => 32,
                    0xffff => 16,
                    _ => return self.stuck(),
                };
                // LEA's value is cut to the operand's width, then written.
                let place = match self.lea_target() {
                    Some((register, host)) => {
                        self.clobber(register)?;
                        Place {
                            host,
                            guest: Some(register),
                        }
                    }
                    None => Place {
                        host: self.temp()?,
                        guest: None,
                    },
                };
                let bits = match (place.guest, self.block.ops.get(self.position + 1)) {
                    (Some(_), Some(&(Op::ZeroExtend(_), width))) => bits.min(width),
                    _ => bits,
                };
                self.effective(place.host, extra, bits)?;
                match place.guest {
                    Some(register) => {
                        self.forget(register);
                        // What follows finds it done.
                        self.made = Some(Name(self.position as u32 + 1));
                        self.set(Loc::Gpr(register, false))
                    }
                    None => self.set(Loc::Temp(place.host)),
                }
            }
            _ => self.stuck(),
        }
    }

    /// The register that an address is written to, whole, after it was cut to its width.
    fn lea_target(&self) -> Option<(Gpr, Reg)> {
        let own = Name(self.position as u32);
        let next = Name(self.position as u32 + 1);
        let range = self.plan.range(self.index as usize);
        if self.position + 3 != range.end {
            return None;
        }
        // One LEA, or else the sum is made step by step, and its operands are read between.
        let insn = self.insn();
        let is_at_hand = |register| {
            matches!(register, Gpr::Zero | Gpr::BlockRip) || super::abi::pinned(register).is_some()
        };
        if !is_at_hand(insn.base) || !is_at_hand(insn.index) {
            return None;
        }
        let [(first, width), (second, _)] = [1, 2].map(|n| self.block.ops[self.position + n]);
        match (first, second) {
            (Op::ZeroExtend(cut), Op::WriteGpr(register, false, value))
                if cut == own && value == next && width >= 32 =>
            {
                super::abi::pinned(register).map(|host| (register, host))
            }
            _ => None,
        }
    }

    pub(super) fn unary(&mut self, op: UnaryOp, a: Name, bits: u32) -> Result<(), Stuck> {
        if self.is_dead() {
            return Ok(());
        }
        let features = self.backend.features;
        let count = match op {
            UnaryOp::Not => {
                let place = self.place_over(bits, a, &[])?;
                self.start(place.host, a, bits)?;
                self.asm.group3(bits.max(32), 2, place.host);
                // The host's NOT leaves flags alone, but its value has none.
                return self.made(place);
            }
            UnaryOp::SwapBytes if bits >= 32 => {
                let place = self.place_over(bits, a, &[])?;
                self.start(place.host, a, bits)?;
                self.asm.byte_swap(bits, place.host);
                return self.made(place);
            }
            UnaryOp::PopulationCount if features.popcnt => 0xb8,
            UnaryOp::TrailingZeros if features.bmi1 => 0xbc,
            UnaryOp::LeadingZeros if features.lzcnt => 0xbd,
            _ => return self.stuck(),
        };
        if bits < 16 {
            return self.stuck();
        }
        let place = self.place(bits, &[a])?;
        match self.source(a)? {
            Source::Rm(rm) => self.asm.count_bits(count, bits, place.host, rm),
            Source::Immediate(_) => return self.stuck(),
        }
        self.host_flags = HostFlags::Unknown;
        self.made(place)
    }

    pub(super) fn zero_extend(&mut self, value: Name, bits: u32) -> Result<(), Stuck> {
        if self.is_unused() {
            return Ok(());
        }
        let from = self.bits(value);
        match self.loc(value) {
            Loc::Constant(value) => {
                return self.set(Loc::Constant(value & rax_cpu::flags::mask(bits)));
            }
            loc @ Loc::Rip(_) if from == 64 && bits == 64 => return self.set(loc),
            // A value cut short is where it was, unless it is to move.
            loc @ Loc::Gpr(_, false) if bits <= from => return self.set(loc),
            _ => {}
        }
        if let Loc::Temp(register) = self.loc(value) {
            // A load has cleared what is above it, and so has a move.
            let is_last = self.plan.last_use(value) <= self.position;
            if is_last {
                if bits > from {
                    self.asm.zero_extend(from, register, Rm::Reg(register));
                }
                self.locs[value.0 as usize] = Loc::Nowhere;
                return self.set(Loc::Temp(register));
            }
        }
        let place = self.place(bits, &[])?;
        self.load_into(place.host, value)?;
        self.made(place)
    }

    pub(super) fn sign_extend(&mut self, from: u32, value: Name, bits: u32) -> Result<(), Stuck> {
        if self.is_unused() {
            return Ok(());
        }
        if let Loc::Constant(value) = self.loc(value) {
            let value = rax_cpu::flags::sign_extend(from, value) & rax_cpu::flags::mask(bits);
            return self.set(Loc::Constant(value));
        }
        let place = self.place(bits, &[])?;
        match self.source(value)? {
            Source::Rm(Rm::Reg(register)) if is_high(register) => {
                self.load_into(place.host, value)?;
                self.asm
                    .sign_extend(from, bits.max(32), place.host, place.host);
            }
            Source::Rm(rm) => self.asm.sign_extend(from, bits.max(32), place.host, rm),
            Source::Immediate(_) => return self.stuck(),
        }
        self.made(place)
    }

    pub(super) fn select(
        &mut self,
        condition: Bit,
        yes: Name,
        no: Name,
        bits: u32,
    ) -> Result<(), Stuck> {
        if self.is_unused() {
            return Ok(());
        }
        let is_bit = self.loc(yes) == Loc::Constant(1) && self.loc(no) == Loc::Constant(0);
        let holds = match self.test_bit(condition)? {
            Ok(holds) => holds,
            Err(always) => {
                let chosen = self.loc(if always { yes } else { no });
                return match chosen {
                    Loc::Constant(_) => self.set(chosen),
                    _ => self.stuck(),
                };
            }
        };
        if is_bit && let Some((register, high)) = self.written_alone(bits) {
            let before = self.shifted;
            self.clobber(register)?;
            if self.shifted != before {
                return self.stuck();
            }
            self.asm.set(holds, self.gpr_rm(register, high));
            self.forget(register);
            self.made = Some(Name(self.position as u32));
            return self.set(Loc::Gpr(register, high));
        }
        if is_bit {
            let temp = self.temp()?;
            self.asm.set(holds, temp);
            self.asm.zero_extend(8, temp, temp);
            return self.set(Loc::Temp(temp));
        }
        // The choice must be in registers; nothing that moves it there may disturb flags.
        let other = match self.source(yes)? {
            Source::Rm(rm) if !is_high_rm(rm) && (bits >= 32 || matches!(rm, Rm::Reg(_))) => rm,
            Source::Rm(_) => return self.stuck(),
            Source::Immediate(_) => Rm::Reg(self.register(yes)?),
        };
        let before = self.shifted;
        let place = self.place(bits, &[yes])?;
        self.start(place.host, no, bits)?;
        if self.shifted != before {
            return self.stuck();
        }
        self.asm.select(holds, bits.max(32), place.host, other);
        self.made(place)
    }
}

pub(super) const fn is_high_rm(rm: Rm) -> bool {
    matches!(rm, Rm::Reg(register) if is_high(register))
}
