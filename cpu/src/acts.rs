//! The reader that acts: meanings carried out at once on the processor's state.

mod vector;
mod x87;

pub(crate) use vector::{is_wanted, load_lane};

use rax_mmu::{HostAddress, LinearAddress};

use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::flags::{Condition, mask, sign_extend};
use crate::insn::Insn;
use crate::mode::Mode;
use crate::processor::Departure;
use crate::rflags::Rflags;
use crate::segment::SegmentRegister;
use crate::state::Gpr;
use crate::verbs::{BinaryOp, Bits, DoubleShiftOp, Flags, Operand, ShiftOp, UnaryOp, Verbs, Width};

/// A place found writable.
#[derive(Clone, Copy, Debug)]
pub enum Spot {
    /// A register; `true` for its bits 8 to 15.
    Gpr(Gpr, bool),
    /// Guest RAM.
    Ram(HostAddress),
    /// What [`Cpu::locate_slow`] noted.
    Slow,
}

impl Cpu {
    #[inline(always)]
    fn read_register<W: Width>(&self, register: Gpr, is_high: bool) -> W::Bits {
        let value = self.state.gpr(register);
        if W::BITS == 8 && is_high {
            W::Bits::truncate(value >> 8)
        } else {
            W::Bits::truncate(value)
        }
    }

    #[inline(always)]
    fn write_register<W: Width>(&mut self, register: Gpr, is_high: bool, value: W::Bits) {
        let old = self.state.gpr(register);
        let value = value.widen();
        self.state.set_gpr(
            register,
            match W::BITS {
                8 if is_high => old & !0xff00 | value << 8,
                8 => old & !0xff | value,
                16 => old & !0xffff | value,
                _ => value,
            },
        );
    }

    #[inline(always)]
    fn modify_linear<W: Width>(
        &mut self,
        insn: &Insn,
        address: LinearAddress,
    ) -> Result<(W::Bits, Spot), Exit> {
        if let Some(host) = self.mmu.probe_write::<W::Bits>(self.view, address) {
            return Ok((self.mmu.ram_load(host), Spot::Ram(host)));
        }
        let (value, host) = self.locate_slow::<W::Bits>(insn, insn.segment, address)?;
        Ok((value, host.map_or(Spot::Slow, Spot::Ram)))
    }
}

impl Verbs for Cpu {
    type Value<W: Width> = W::Bits;
    type Cond = bool;
    type Spot<W: Width> = Spot;
    type Fault = Exit;

    #[inline(always)]
    fn constant<W: Width>(&mut self, bits: u64) -> W::Bits {
        W::Bits::truncate(bits)
    }

    #[inline(always)]
    fn read<W: Width>(&mut self, operand: Operand<'_>) -> Result<W::Bits, Exit> {
        match operand {
            Operand::Gpr(register, is_high) => Ok(self.read_register::<W>(register, is_high)),
            Operand::Immediate(bits) => Ok(W::Bits::truncate(bits)),
            Operand::Memory(insn) => {
                let address = self.operand_address(insn, W::BYTES, false)?;
                self.load_linear(insn, insn.segment, address)
            }
        }
    }

    #[inline(always)]
    fn write<W: Width>(&mut self, operand: Operand<'_>, value: W::Bits) -> Result<(), Exit> {
        match operand {
            Operand::Gpr(register, is_high) => {
                self.write_register::<W>(register, is_high, value);
                Ok(())
            }
            Operand::Memory(insn) => {
                let address = self.operand_address(insn, W::BYTES, true)?;
                self.store_linear(insn, insn.segment, address, value)
            }
            Operand::Immediate(_) => unreachable!("no row writes to an immediate"),
        }
    }

    #[inline(always)]
    fn modify<W: Width>(&mut self, operand: Operand<'_>) -> Result<(W::Bits, Spot), Exit> {
        match operand {
            Operand::Gpr(register, is_high) => {
                let value = self.read_register::<W>(register, is_high);
                Ok((value, Spot::Gpr(register, is_high)))
            }
            Operand::Memory(insn) => {
                let address = self.operand_address(insn, W::BYTES, true)?;
                self.modify_linear::<W>(insn, address)
            }
            Operand::Immediate(_) => unreachable!("no row writes to an immediate"),
        }
    }

    #[inline(always)]
    fn commit<W: Width>(&mut self, spot: Spot, value: W::Bits) {
        match spot {
            Spot::Gpr(register, is_high) => self.write_register::<W>(register, is_high, value),
            Spot::Ram(host) => self.mmu.ram_store(host, value),
            Spot::Slow => self.commit_slow(value),
        }
    }

    #[inline(always)]
    fn read_displaced<W: Width>(
        &mut self,
        insn: &Insn,
        displacement: u64,
    ) -> Result<W::Bits, Exit> {
        let effective = self.raw_effective_address(insn).wrapping_add(displacement);
        let address = self.address_of(insn, effective, W::BYTES, false)?;
        self.load_linear(insn, insn.segment, address)
    }

    #[inline(always)]
    fn modify_displaced<W: Width>(
        &mut self,
        insn: &Insn,
        displacement: u64,
    ) -> Result<(W::Bits, Spot), Exit> {
        let effective = self.raw_effective_address(insn).wrapping_add(displacement);
        let address = self.address_of(insn, effective, W::BYTES, true)?;
        self.modify_linear::<W>(insn, address)
    }

    #[inline(always)]
    fn effective_address(&mut self, insn: &Insn) -> u64 {
        self.raw_effective_address(insn) & mask(u32::from(insn.address_bits))
    }

    #[inline(always)]
    fn load<W: Width>(
        &mut self,
        insn: &Insn,
        segment: SegmentRegister,
        offset: u64,
    ) -> Result<W::Bits, Exit> {
        let address = self.segmented_address(segment, offset, W::BYTES, false)?;
        self.load_linear(insn, segment, address)
    }

    #[inline(always)]
    fn store<W: Width>(
        &mut self,
        insn: &Insn,
        segment: SegmentRegister,
        offset: u64,
        value: W::Bits,
    ) -> Result<(), Exit> {
        let address = self.segmented_address(segment, offset, W::BYTES, true)?;
        self.store_linear(insn, segment, address, value)
    }

    #[inline(always)]
    fn stride(&mut self, bytes: u64) -> u64 {
        if self.state.system_flags.contains(Rflags::DF) {
            bytes.wrapping_neg()
        } else {
            bytes
        }
    }

    #[inline(always)]
    fn set_direction(&mut self, is_down: bool) {
        self.state.system_flags.set(Rflags::DF, is_down);
    }

    #[inline(always)]
    fn selector(&mut self, register: SegmentRegister) -> u16 {
        self.state.segment(register).selector
    }

    #[inline(always)]
    fn load_selector(&mut self, register: SegmentRegister, selector: u16) -> Result<(), Exit> {
        self.load_segment(register, selector)
    }

    #[inline(always)]
    fn push<W: Width>(&mut self, insn: &Insn, value: W::Bits) -> Result<(), Exit> {
        let pointer = self.state.gpr(Gpr::Rsp).wrapping_sub(W::BYTES);
        let address = self.stack_address(insn, pointer, W::BYTES, true)?;
        self.store_linear(insn, SegmentRegister::Ss, address, value)?;
        self.set_stack_pointer(insn.stack_bits, pointer);
        Ok(())
    }

    #[inline(always)]
    fn stack_top<W: Width>(&mut self, insn: &Insn) -> Result<W::Bits, Exit> {
        let pointer = self.state.gpr(Gpr::Rsp);
        let address = self.stack_address(insn, pointer, W::BYTES, false)?;
        self.load_linear(insn, SegmentRegister::Ss, address)
    }

    #[inline(always)]
    fn move_stack(&mut self, insn: &Insn, bytes: u64) {
        let pointer = self.state.gpr(Gpr::Rsp).wrapping_add(bytes);
        self.set_stack_pointer(insn.stack_bits, pointer);
    }

    #[inline(always)]
    fn set_stack(&mut self, insn: &Insn, pointer: u64) {
        self.set_stack_pointer(insn.stack_bits, pointer);
    }

    #[inline(always)]
    fn binary<W: Width>(&mut self, op: BinaryOp, a: W::Bits, b: W::Bits) -> W::Bits {
        W::Bits::truncate(op.apply(W::BITS, a.widen(), b.widen()))
    }

    #[inline(always)]
    fn unary<W: Width>(&mut self, op: UnaryOp, a: W::Bits) -> W::Bits {
        W::Bits::truncate(op.apply(W::BITS, a.widen()))
    }

    #[inline(always)]
    fn shift<W: Width>(&mut self, op: ShiftOp, value: W::Bits, count: u8) -> W::Bits {
        W::Bits::truncate(op.apply(W::BITS, value.widen(), u32::from(count & 63)))
    }

    #[inline(always)]
    fn double_shift<W: Width>(
        &mut self,
        op: DoubleShiftOp,
        value: W::Bits,
        source: W::Bits,
        count: u8,
    ) -> W::Bits {
        let count = u32::from(count & 63);
        W::Bits::truncate(op.apply(W::BITS, value.widen(), source.widen(), count))
    }

    #[inline(always)]
    fn divide<W: Width>(
        &mut self,
        is_signed: bool,
        (low, high): (W::Bits, W::Bits),
        divisor: W::Bits,
    ) -> Result<[W::Bits; 2], Exit> {
        match divide(
            W::BITS,
            is_signed,
            (low.widen(), high.widen()),
            divisor.widen(),
        ) {
            Some((quotient, remainder)) => Ok([quotient, remainder].map(W::Bits::truncate)),
            None => Err(self.raise(Exception::DivideError)),
        }
    }

    #[inline(always)]
    fn zero_extend<A: Width, B: Width>(&mut self, value: A::Bits) -> B::Bits {
        B::Bits::truncate(value.widen())
    }

    #[inline(always)]
    fn sign_extend<A: Width, B: Width>(&mut self, value: A::Bits) -> B::Bits {
        B::Bits::truncate(sign_extend(A::BITS, value.widen()))
    }

    #[inline(always)]
    fn condition(&mut self, condition: Condition) -> bool {
        self.state.flags.condition(condition)
    }

    #[inline(always)]
    fn is_zero<W: Width>(&mut self, value: W::Bits) -> bool {
        value.widen() == 0
    }

    #[inline(always)]
    fn select<W: Width>(&mut self, condition: bool, yes: W::Bits, no: W::Bits) -> W::Bits {
        if condition { yes } else { no }
    }

    #[inline(always)]
    fn flags<W: Width>(&mut self, flags: Flags<W::Bits, u8>) {
        self.state.flags = widen_flags::<W>(flags).apply(W::BITS, self.state.flags);
    }

    #[inline(always)]
    fn next_ip(&mut self, insn: &Insn) -> u64 {
        self.ip_after(insn)
    }

    #[inline(always)]
    fn check_target(&mut self, target: u64) -> Result<(), Exit> {
        if self.mode.contains(Mode::CODE64) {
            if !self.is_canonical(target) {
                return Err(self.raise(Exception::GeneralProtection(0)));
            }
        } else if !self.mode.contains(Mode::FLAT) {
            let limit = self.state.segment(SegmentRegister::Cs).limit;
            if target > u64::from(limit) {
                return Err(self.raise(Exception::GeneralProtection(0)));
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn jump(&mut self, target: u64) {
        self.set_rip(target);
    }

    #[inline(always)]
    fn direct_target<W: Width>(&mut self, insn: &Insn) -> u64 {
        self.block_rip().wrapping_add(insn.immediate) & mask(W::BITS)
    }

    #[inline(always)]
    fn branch<W: Width>(&mut self, insn: &Insn, condition: bool) -> Result<(), Exit> {
        if condition {
            let target = self.direct_target::<W>(insn);
            self.check_target(target)?;
            self.state.rip = target;
            self.departure = Departure::Taken;
        }
        Ok(())
    }
}

/// A flag update over zero-extended values.
#[inline(always)]
fn widen_flags<W: Width>(flags: Flags<W::Bits, u8>) -> Flags<u64, u64> {
    flags.map(|value: W::Bits| value.widen(), u64::from)
}

/// Divides `high:low`, all zero-extended from `bits`; none if it cannot be.
#[must_use]
pub(crate) fn divide(
    bits: u32,
    is_signed: bool,
    (low, high): (u64, u64),
    divisor: u64,
) -> Option<(u64, u64)> {
    if divisor == 0 {
        return None;
    }
    let dividend = u128::from(high) << bits | u128::from(low);
    if !is_signed {
        if high == 0 {
            return Some((low / divisor, low % divisor));
        }
        let quotient = dividend / u128::from(divisor);
        let fits = quotient <= u128::from(mask(bits));
        return fits.then_some((quotient as u64, (dividend % u128::from(divisor)) as u64));
    }
    let spare = 128 - 2 * bits;
    let dividend = ((dividend << spare) as i128) >> spare;
    let divisor = i128::from(sign_extend(bits, divisor) as i64);
    let quotient = dividend.checked_div(divisor)?;
    let remainder = dividend.wrapping_rem(divisor);
    let limit = 1i128 << (bits - 1);
    (-limit..limit)
        .contains(&quotient)
        .then_some((quotient as u64 & mask(bits), remainder as u64 & mask(bits)))
}
