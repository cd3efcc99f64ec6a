//! x87 instructions carried out at once.

use rax_mmu::{LinearAddress, PAGE_SIZE};

use crate::Cpu;
use crate::exception::Exit;
use crate::flags::{LazyFlags, mask};
use crate::float::Comparison;
use crate::insn::Insn;
use crate::rflags::Rflags;
use crate::segment::SegmentRegister;
use crate::verbs::X87Verbs;
use crate::x87::{self, X87Format, X87Op, X87Take};

/// Bytes of an extended number and of a packed decimal one.
const TEN: u64 = 10;

/// Whether ten bytes lie in one page, so that the second part cannot fault if the first did not.
const fn is_within_page(address: LinearAddress) -> bool {
    address.0 % PAGE_SIZE <= PAGE_SIZE - TEN
}

impl Cpu {
    #[inline(always)]
    fn read_x87(&mut self, insn: &Insn, effective: u64, format: X87Format) -> Result<u128, Exit> {
        let address = self.address_of(insn, effective, format.bytes(), false)?;
        let segment = insn.segment;
        Ok(match format.bytes() {
            2 => self.load_linear::<u16>(insn, segment, address)?.into(),
            4 => self.load_linear::<u32>(insn, segment, address)?.into(),
            8 => self.load_linear::<u64>(insn, segment, address)?.into(),
            _ => return self.read_ten(insn, address),
        })
    }

    #[inline(always)]
    fn write_x87(
        &mut self,
        insn: &Insn,
        effective: u64,
        format: X87Format,
        bits: u128,
    ) -> Result<(), Exit> {
        let address = self.address_of(insn, effective, format.bytes(), true)?;
        let segment = insn.segment;
        match format.bytes() {
            2 => self.store_linear(insn, segment, address, bits as u16),
            4 => self.store_linear(insn, segment, address, bits as u32),
            8 => self.store_linear(insn, segment, address, bits as u64),
            _ => self.write_ten(insn, address, bits),
        }
    }

    fn read_ten(&mut self, insn: &Insn, address: LinearAddress) -> Result<u128, Exit> {
        if is_within_page(address) {
            let low = self.mmu.load::<u64>(self.view, address);
            let high = LinearAddress(address.0 + 8);
            let high = low.and_then(|_| self.mmu.load::<u16>(self.view, high));
            if let (Some(low), Some(high)) = (low, high) {
                return Ok(u128::from(low) | u128::from(high) << 64);
            }
        }
        self.note_position(insn);
        self.check_alignment(address, TEN)?;
        let mut bytes = [0; 16];
        self.read_linear(insn.segment, address, &mut bytes[..TEN as usize])?;
        Ok(u128::from_le_bytes(bytes))
    }

    fn write_ten(&mut self, insn: &Insn, address: LinearAddress, bits: u128) -> Result<(), Exit> {
        if is_within_page(address) {
            let top = LinearAddress(address.0 + 8);
            let stored = self.mmu.store(self.view, address, bits as u64)
                && self.mmu.store(self.view, top, (bits >> 64) as u16);
            if stored {
                return Ok(());
            }
        }
        self.note_position(insn);
        self.check_alignment(address, TEN)?;
        self.write_linear(insn.segment, address, &bits.to_le_bytes()[..TEN as usize])
    }

    /// Works with the memory operand at an effective address.
    ///
    /// # Errors
    /// When the access faults.
    #[inline(always)]
    pub(crate) fn take_at(&mut self, insn: &Insn, effective: u64, op: X87Take) -> Result<(), Exit> {
        let bits = self.read_x87(insn, effective, op.format())?;
        op.apply(&mut self.state.fpu, bits);
        Ok(())
    }

    /// Rounds ST(0) to the memory operand at an effective address.
    ///
    /// # Errors
    /// When the access faults.
    #[inline(always)]
    pub(crate) fn put_at(
        &mut self,
        insn: &Insn,
        effective: u64,
        format: X87Format,
        pops: bool,
    ) -> Result<(), Exit> {
        let outcome = x87::prepare_store(&self.state.fpu, format);
        if let Some(bits) = outcome.bits {
            self.write_x87(insn, effective, format, bits)?;
        }
        x87::finish_store(&mut self.state.fpu, &outcome, pops);
        Ok(())
    }
}

impl X87Verbs for Cpu {
    #[inline(always)]
    fn wait(&mut self) -> Result<(), Exit> {
        self.check_pending_x87()
    }

    /// Processors since the Pentium 4 keep the opcode, and those whose CPUID says so the
    /// operand's address, only of instructions that raise an unmasked exception; this one,
    /// as the earlier ones, keeps them always.
    #[inline(always)]
    fn note(&mut self, insn: &Insn) {
        let ip = self.ip_of(insn);
        let cs = self.state.segment(SegmentRegister::Cs).selector;
        let operand = insn.has_memory().then(|| {
            let offset = self.raw_effective_address(insn) & mask(u32::from(insn.address_bits));
            (self.state.segment(insn.segment).selector, offset)
        });
        let fpu = &mut self.state.fpu;
        fpu.last_ip = ip;
        fpu.last_cs = cs;
        fpu.last_opcode = insn.immediate as u16 & 0x7ff;
        if let Some((ds, dp)) = operand {
            fpu.last_ds = ds;
            fpu.last_dp = dp;
        }
    }

    #[inline(always)]
    fn x87(&mut self, op: X87Op) {
        op.apply(&mut self.state.fpu);
    }

    #[inline(always)]
    fn take(&mut self, insn: &Insn, op: X87Take) -> Result<(), Exit> {
        let effective = self.raw_effective_address(insn);
        self.take_at(insn, effective, op)
    }

    #[inline(always)]
    fn put(&mut self, insn: &Insn, format: X87Format, pops: bool) -> Result<(), Exit> {
        let effective = self.raw_effective_address(insn);
        self.put_at(insn, effective, format, pops)
    }

    #[inline(always)]
    fn order(&mut self, with: u8, quiet_signals: bool, pops: bool) {
        let relation = x87::order(&mut self.state.fpu, with, quiet_signals, pops);
        self.state.flags = LazyFlags::from_status(match relation {
            Comparison::Greater => Rflags::empty(),
            Comparison::Less => Rflags::CF,
            Comparison::Equal => Rflags::ZF,
            Comparison::Unordered => Rflags::CF | Rflags::PF | Rflags::ZF,
        });
    }

    #[inline(always)]
    fn move_if(&mut self, from: u8, holds: bool) {
        x87::move_if(&mut self.state.fpu, from, holds);
    }

    #[inline(always)]
    fn x87_control(&mut self) -> u16 {
        self.state.fpu.control
    }

    #[inline(always)]
    fn x87_status(&mut self) -> u16 {
        self.state.fpu.status
    }

    #[inline(always)]
    fn set_x87_control(&mut self, value: u16) {
        self.with_ferr(|cpu| cpu.state.fpu.set_control(value));
    }
}
