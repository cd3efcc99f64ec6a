//! Products and quotients.

use rax_cpu::ir::{Name, Op};
use rax_cpu::state::Gpr;
use rax_cpu::verbs::BinaryOp;

use super::abi::home;
use super::alu::{Place, is_high_rm};
use super::asm::{Alu, RAX, RDX, Reg, Rm, Turn, at, cc};
use super::flags::HostFlags;
use super::values::{Loc, Source};
use super::{Emit, Stuck};

impl Emit<'_> {
    pub(super) fn multiply(&mut self, a: Name, b: Name, bits: u32) -> Result<(), Stuck> {
        if bits == 8 {
            return self.stuck();
        }
        let is_for = |emit: &Self, name: Name| match (emit.target(), emit.loc(name)) {
            (Some((register, _)), Loc::Gpr(of, false)) => register == of,
            _ => false,
        };
        if let Source::Immediate(value) = self.source(b)?
            && let Source::Rm(rm) = self.source(a)?
            && !is_high_rm(rm)
        {
            let place = self.place(bits, &[])?;
            self.asm.imul_imm(bits, place.host, rm, value);
            return self.multiplied(place);
        }
        let (a, b) = if is_for(self, b) && !is_for(self, a) {
            (b, a)
        } else {
            (a, b)
        };
        let is_same = self.loc(a) == self.loc(b);
        let read = [b];
        let place = self.place_over(bits, a, if is_same { &[] } else { &read })?;
        let by = match self.source(b)? {
            Source::Rm(rm) if !is_high_rm(rm) => rm,
            _ => return self.stuck(),
        };
        self.start(place.host, a, bits)?;
        let by = if is_same { Rm::Reg(place.host) } else { by };
        self.asm.imul(bits, place.host, by);
        self.multiplied(place)
    }

    /// Its flags are those of a signed product.
    fn multiplied(&mut self, place: Place) -> Result<(), Stuck> {
        let next = self.block.ops.get(self.position + 1);
        let is_unsigned = matches!(next, Some((Op::Binary(BinaryOp::MulHighUnsigned, ..), _)));
        self.host_flags = if is_unsigned {
            HostFlags::Unknown
        } else {
            HostFlags::Value(self.position)
        };
        self.made(place)
    }

    /// The host multiplies in RAX and RDX, which are put back after.
    pub(super) fn multiply_high(
        &mut self,
        digit: u8,
        a: Name,
        b: Name,
        bits: u32,
    ) -> Result<(), Stuck> {
        if bits == 8 {
            return self.stuck();
        }
        let temp = self.temp()?;
        self.load_into(temp, b)?;
        self.asm.store(64, home(Gpr::Rax), RAX);
        self.asm.store(64, home(Gpr::Rdx), RDX);
        self.load_into(RAX, a)?;
        self.asm.group3(bits, digit, temp);
        self.asm.load(64, temp, RDX);
        self.asm.load(64, RAX, home(Gpr::Rax));
        self.asm.load(64, RDX, home(Gpr::Rdx));
        self.host_flags = HostFlags::Unknown;
        self.set(Loc::Temp(temp))
    }

    /// The host divides where the guest does; what would fault there goes the slow way.
    pub(super) fn divide(
        &mut self,
        is_signed: bool,
        (low, high): (Name, Name),
        divisor: Name,
        bits: u32,
    ) -> Result<(), Stuck> {
        let high_home = if bits == 8 {
            Loc::Gpr(Gpr::Rax, true)
        } else {
            Loc::Gpr(Gpr::Rdx, false)
        };
        if self.loc(low) != Loc::Gpr(Gpr::Rax, false) || self.loc(high) != high_home {
            return self.stuck();
        }
        self.keep_operands_in(Gpr::Rax);
        self.keep_operands_in(Gpr::Rdx);
        let by = self.register(divisor)?;
        if bits == 8 {
            self.divide_byte(is_signed, by)?;
            return self.divided(high_home);
        }
        if is_signed {
            // The dividend must be RAX extended by its sign, the divisor neither 0 nor -1.
            let temp = self.temp()?;
            self.asm.load(bits, temp, RAX);
            self.asm.shift_imm(Turn::Sar, bits, temp, bits as u8 - 1);
            self.asm.alu(Alu::Cmp, bits, temp, RDX);
            let wide = self.asm.branch_ahead(cc::NE);
            self.slow.push(wide);
            self.asm.lea(bits, temp, at(by, 1));
            self.asm.alu_imm(Alu::Cmp, bits, temp, 1);
            let special = self.asm.branch_ahead(cc::BE);
            self.slow.push(special);
            self.give_back(temp);
            self.asm.group3(bits, 7, by);
        } else {
            // A zero divisor too is no greater than the high half.
            self.asm.alu(Alu::Cmp, bits, RDX, by);
            let large = self.asm.branch_ahead(cc::AE);
            self.slow.push(large);
            self.asm.group3(bits, 6, by);
        }
        self.divided(high_home)
    }

    /// AX by a byte. AH cannot be named beside the temporaries.
    fn divide_byte(&mut self, is_signed: bool, by: Reg) -> Result<(), Stuck> {
        let temp = self.temp()?;
        if is_signed {
            self.asm.sign_extend(8, 32, temp, RAX);
            self.asm.alu(Alu::Cmp, 16, temp, RAX);
            let wide = self.asm.branch_ahead(cc::NE);
            self.slow.push(wide);
            self.asm.lea(32, temp, at(by, 1));
            self.asm.alu_imm(Alu::Cmp, 8, temp, 1);
        } else {
            self.asm.load(32, temp, RAX);
            self.asm.shift_imm(Turn::Shr, 32, temp, 8);
            self.asm.alu(Alu::Cmp, 8, by, temp);
        }
        let special = self.asm.branch_ahead(cc::BE);
        self.slow.push(special);
        self.give_back(temp);
        self.asm.group3(8, if is_signed { 7 } else { 6 }, by);
        Ok(())
    }

    fn divided(&mut self, rest_home: Loc) -> Result<(), Stuck> {
        self.host_flags = HostFlags::Unknown;
        self.forget(Gpr::Rax);
        self.forget(Gpr::Rdx);
        // Quotient and remainder are where they belong.
        self.set(Loc::Gpr(Gpr::Rax, false))?;
        let rest = self.position + 1;
        if !matches!(self.block.ops[rest].0, Op::Remainder(_)) {
            return self.stuck();
        }
        self.locs[rest] = rest_home;
        Ok(())
    }
}
