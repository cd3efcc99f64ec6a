//! Loads, stores and the stack: addresses, and what is done where a probe led.

use rax_cpu::insn::AddressKind;
use rax_cpu::ir::{Name, Op};
use rax_cpu::segment::SegmentRegister;
use rax_cpu::state::Gpr;
use rax_mmu::View;

use smallvec::smallvec;

use super::abi::{T0, T1, home, pinned, segment_base};
use super::asm::{Alu, Asm, Mem, NO_BASE, Reg, Rm, Turn, at, is_high};
use super::flags::HostFlags;
use super::values::{Loc, Source};
use super::{Emit, Stuck};
use crate::relocation::Follows;

impl Emit<'_> {
    pub(super) fn view(&self) -> View {
        self.unit.mode.view()
    }

    /// The raw effective address of the memory operand, and `extra`, in a register that
    /// holds nothing; of `bits` bits, with zeros above.
    pub(super) fn effective(&mut self, to: Reg, extra: u64, bits: u32) -> Result<(), Stuck> {
        if bits == 16 {
            return self.effective_16(to, extra);
        }
        let insn = self.insn();
        let displacement = (insn.displacement as u64).wrapping_add(extra);
        let mut base = insn.base;
        let mut index = insn.index;
        let mut scale = insn.scale;
        if base == Gpr::BlockRip {
            let address = displacement.wrapping_add(self.block_rip());
            let address = address & rax_cpu::flags::mask(bits);
            self.asm.address(to, address, Follows::GuestAddress);
            return Ok(());
        }
        if base == Gpr::Zero && scale == 0 {
            (base, index) = (index, Gpr::Zero);
        }
        if base == Gpr::Zero && scale == 1 {
            (base, scale) = (index, 0);
        }
        if base == Gpr::Zero && index == Gpr::Zero {
            let value = displacement & rax_cpu::flags::mask(bits);
            self.asm.constant(to, value);
            return Ok(());
        }
        // Of 32 bits, what is above is cut off: a negative one comes with zeros above.
        let short = if bits == 32 {
            displacement as i32
        } else if let Ok(short) = i32::try_from(displacement as i64) {
            short
        } else {
            return self.stuck();
        };
        // An index may stand by itself.
        let base_register = if base == Gpr::Zero {
            Some(NO_BASE)
        } else {
            pinned(base)
        };
        if index == Gpr::Zero {
            let base = base_register.unwrap_or_else(|| {
                self.load_gpr(to, base);
                to
            });
            self.form(bits, to, at(base, short));
            return Ok(());
        }
        let Some(base_register) = base_register else {
            if let Some(index) = pinned(index) {
                self.load_gpr(to, base);
                let mem = Mem {
                    base: to,
                    index: Some((index, scale)),
                    disp: short,
                };
                self.form(bits, to, mem);
                return Ok(());
            }
            self.load_gpr(to, index);
            if scale != 0 {
                self.asm.shift_imm(Turn::Shl, 64, to, scale);
            }
            self.asm.alu_from(Alu::Add, 64, to, home(base));
            self.host_flags = HostFlags::Unknown;
            self.form(bits, to, at(to, short));
            return Ok(());
        };
        let index = pinned(index).unwrap_or_else(|| {
            self.load_gpr(to, index);
            to
        });
        let mem = Mem {
            base: base_register,
            index: Some((index, scale)),
            disp: short,
        };
        self.form(bits, to, mem);
        Ok(())
    }

    /// An address in a register; nothing is done if it is there already.
    fn form(&mut self, bits: u32, to: Reg, mem: Mem) {
        if bits != 64 || mem != at(mem.base, 0) || mem.base == NO_BASE {
            self.asm.lea(bits, to, mem);
        } else if mem.base != to {
            // Most processors rename the register instead of moving anything.
            self.asm.load(64, to, mem.base);
        }
    }

    /// The same of 16 bits. Its registers are all in the host's.
    fn effective_16(&mut self, to: Reg, extra: u64) -> Result<(), Stuck> {
        let insn = self.insn();
        let plain = (insn.displacement as u64).wrapping_add(extra) & 0xffff == 0;
        match (insn.base, insn.index, pinned(insn.base)) {
            (Gpr::Zero, Gpr::Zero, _) => {
                let value = (insn.displacement as u64).wrapping_add(extra) & 0xffff;
                self.asm.constant(to, value);
            }
            (_, Gpr::Zero, Some(base)) if plain => self.asm.zero_extend(16, to, base),
            _ => {
                self.effective(to, extra, 32)?;
                self.asm.zero_extend(16, to, to);
            }
        }
        Ok(())
    }

    fn load_gpr(&mut self, to: Reg, register: Gpr) {
        let from = self.gpr_rm(register, false);
        self.asm.load(64, to, from);
    }

    /// The linear address of so many bytes of the memory operand in T0. Disturbs T1.
    pub(super) fn linear(&mut self, address: Name, bytes: u32, write: bool) -> Result<(), Stuck> {
        let extra = match self.loc(address) {
            Loc::Address(extra) => extra,
            Loc::Displaced(by) => return self.displaced(by, bytes, write),
            _ => return self.stuck(),
        };
        self.operand_address(extra, bytes, write)
    }

    /// The linear address of so many bytes, `extra` bytes into the memory operand, in T0.
    /// Disturbs T1.
    pub(super) fn operand_address(
        &mut self,
        extra: u64,
        bytes: u32,
        write: bool,
    ) -> Result<(), Stuck> {
        let insn = self.insn();
        match insn.address {
            AddressKind::Flat64 => self.effective(T0, extra, 64)?,
            AddressKind::Flat32 => self.effective(T0, extra, 32)?,
            AddressKind::Based64 => {
                self.effective(T0, extra, 64)?;
                self.asm
                    .alu_from(Alu::Add, 64, T0, segment_base(insn.segment));
            }
            AddressKind::Segmented => {
                self.effective(T0, extra, u32::from(insn.address_bits))?;
                self.in_segment(insn.segment, bytes, write);
            }
        }
        Ok(())
    }

    /// The same with a value added, which has made way for the temporaries.
    fn displaced(&mut self, by: Name, bytes: u32, write: bool) -> Result<(), Stuck> {
        let Source::Rm(by @ Rm::Mem(_)) = self.source(by)? else {
            return self.stuck();
        };
        let insn = self.insn();
        let bits = match insn.address {
            AddressKind::Flat64 | AddressKind::Based64 => 64,
            AddressKind::Flat32 => 32,
            AddressKind::Segmented => u32::from(insn.address_bits),
        };
        self.effective(T0, 0, bits)?;
        self.asm.alu_from(Alu::Add, bits.max(32), T0, by);
        self.host_flags = HostFlags::Unknown;
        if bits == 16 {
            self.asm.zero_extend(16, T0, T0);
        }
        match insn.address {
            AddressKind::Flat64 | AddressKind::Flat32 => {}
            AddressKind::Based64 => {
                self.asm
                    .alu_from(Alu::Add, 64, T0, segment_base(insn.segment));
            }
            AddressKind::Segmented => self.in_segment(insn.segment, bytes, write),
        }
        Ok(())
    }

    /// Takes what a probe found into the value under way.
    fn take(&mut self, from: Mem, bits: u32) -> Result<(), Stuck> {
        if self.is_unused() {
            return Ok(());
        }
        if bits >= 32
            && let Some((register, host)) = self.target()
        {
            self.clobber_with(register, &[T0, T1])?;
            self.asm.zero_extend(bits, host, from);
            return self.made_in(register);
        }
        if let Some((register, host)) = self.narrow_target() {
            self.clobber_with(register, &[T0, T1])?;
            // What is above stays.
            self.asm.load(bits, host, from);
            return self.made_in(register);
        }
        self.asm.zero_extend(bits, T0, from);
        self.free.retain(|register| *register != T0);
        self.set(Loc::Temp(T0))
    }

    /// The register that a value of 8 or 16 bits is written to next, and is not wanted for
    /// anything else.
    fn narrow_target(&self) -> Option<(Gpr, Reg)> {
        let next = self.position + 1;
        let name = Name(self.position as u32);
        match self.block.ops.get(next)? {
            &(Op::WriteGpr(register, false, value), 8 | 16)
                if value == name && self.plan.last_use(name) == next =>
            {
                pinned(register).map(|host| (register, host))
            }
            _ => None,
        }
    }

    /// Makes way in a guest register while some temporaries are in use.
    fn clobber_with(&mut self, register: Gpr, used: &[Reg]) -> Result<(), Stuck> {
        let free = std::mem::take(&mut self.free);
        self.free
            .extend(free.iter().copied().filter(|r| !used.contains(r)));
        let result = self.clobber(register);
        self.free
            .extend(free.iter().copied().filter(|r| used.contains(r)));
        self.free.sort_unstable();
        result
    }

    pub(super) fn load(&mut self, address: Name, bits: u32) -> Result<(), Stuck> {
        self.clear_temps()?;
        self.linear(address, bits / 8, false)?;
        let from = self.probe(bits / 8, false);
        self.take(from, bits)
    }

    /// A load, and the extension that follows it and is all that asks for its value, by
    /// one instruction: how many operations that were.
    pub(super) fn load_extended(&mut self, position: usize) -> Result<usize, Stuck> {
        let (Op::Load(address), bits) = self.block.ops[position] else {
            return Ok(0);
        };
        let (value, next) = (Name(position as u32), position + 1);
        let is_signed = match self.block.ops.get(next) {
            Some(&(Op::ZeroExtend(of), _)) if of == value => false,
            Some(&(Op::SignExtend(from, of), _)) if of == value && from == bits => true,
            _ => return Ok(0),
        };
        if self.plan.last_use(value) != next || self.feeds_vector(position) {
            return Ok(0);
        }
        self.position = position;
        self.clear_temps()?;
        self.linear(address, bits / 8, false)?;
        let from = self.probe(bits / 8, false);
        self.position = next;
        if self.is_unused() {
            return Ok(2);
        }
        let wide = self.bits(Name(next as u32)).max(32);
        let extend = |asm: &mut Asm, to| {
            if is_signed {
                asm.sign_extend(bits, wide, to, from);
            } else {
                asm.zero_extend(bits, to, from);
            }
        };
        if let Some((register, host)) = self.target() {
            self.clobber_with(register, &[T0, T1])?;
            extend(&mut self.asm, host);
            self.made_in(register)?;
        } else {
            extend(&mut self.asm, T0);
            self.free.retain(|register| *register != T0);
            self.set(Loc::Temp(T0))?;
        }
        Ok(2)
    }

    pub(super) fn store(&mut self, address: Name, value: Name, bits: u32) -> Result<(), Stuck> {
        self.clear_temps()?;
        self.linear(address, bits / 8, true)?;
        let to = self.probe(bits / 8, true);
        self.put(to, value, bits)
    }

    /// Stores a value where a probe led.
    fn put(&mut self, to: Mem, value: Name, bits: u32) -> Result<(), Stuck> {
        self.free.clear();
        let source = match self.loc(value) {
            Loc::Constant(constant) => {
                let constant = rax_cpu::flags::sign_extend(bits, constant) as i64;
                i32::try_from(constant).ok().map(Source::Immediate)
            }
            Loc::Gpr(register, is_high) => Some(Source::Rm(self.gpr_rm(register, is_high))),
            _ => None,
        };
        match source {
            Some(Source::Immediate(constant)) => self.asm.store_imm(bits, to, constant),
            Some(Source::Rm(Rm::Reg(register))) if !is_high(register) => {
                self.asm.store(bits, to, register);
            }
            _ => {
                self.asm.lea(64, T0, to);
                self.load_into(T1, value)?;
                self.asm.store(bits, at(T0, 0), T1);
            }
        }
        self.free = smallvec![T1, T0];
        Ok(())
    }

    /// Finds the operand writable: its host address stays in T0 until the commit.
    pub(super) fn locate(&mut self, address: Name, bits: u32) -> Result<(), Stuck> {
        self.clear_temps()?;
        self.linear(address, bits / 8, true)?;
        let place = self.probe(bits / 8, true);
        self.asm.lea(64, T0, place);
        self.asm.zero_extend(bits, T1, at(T0, 0));
        self.free.clear();
        self.set(Loc::Temp(T1))
    }

    pub(super) fn commit(&mut self, value: Name, bits: u32) -> Result<(), Stuck> {
        match self.source(value)? {
            Source::Immediate(constant) => self.asm.store_imm(bits, at(T0, 0), constant),
            Source::Rm(Rm::Reg(register)) if !is_high(register) => {
                self.asm.store(bits, at(T0, 0), register);
            }
            Source::Rm(_) => {
                let temp = self.temp()?;
                self.load_into(temp, value)?;
                self.asm.store(bits, at(T0, 0), temp);
                self.give_back(temp);
            }
        }
        self.give_back(T0);
        Ok(())
    }

    pub(super) fn load_segment(
        &mut self,
        segment: SegmentRegister,
        offset: Name,
        bits: u32,
    ) -> Result<(), Stuck> {
        self.take_offset(offset)?;
        self.in_segment(segment, bits / 8, false);
        let from = self.probe(bits / 8, false);
        self.take(from, bits)
    }

    pub(super) fn store_segment(
        &mut self,
        segment: SegmentRegister,
        offset: Name,
        value: Name,
        bits: u32,
    ) -> Result<(), Stuck> {
        self.take_offset(offset)?;
        self.in_segment(segment, bits / 8, true);
        let to = self.probe(bits / 8, true);
        self.put(to, value, bits)
    }

    /// Moves an offset to T0, and makes both temporaries free. The instruction's first
    /// access finds it there, most often.
    fn take_offset(&mut self, offset: Name) -> Result<(), Stuck> {
        match self.loc(offset) {
            Loc::Temp(T0) if self.plan.last_use(offset) <= self.position => {
                self.locs[offset.0 as usize] = Loc::Nowhere;
                self.give_back(T0);
                self.clear_temps()
            }
            _ => {
                self.clear_temps()?;
                self.load_into(T0, offset)
            }
        }
    }

    pub(super) fn push(&mut self, value: Name, bits: u32) -> Result<(), Stuck> {
        let bytes = bits / 8;
        self.clear_temps()?;
        self.stack_address(-(bytes as i32), bytes, true)?;
        let to = self.probe(bytes, true);
        self.put(to, value, bits)?;
        // What PUSH RSP stores is read above.
        self.adjust_stack(-(bytes as i32))
    }

    pub(super) fn stack_pointer(&self) -> Result<Reg, Stuck> {
        match pinned(Gpr::Rsp) {
            Some(register) => Ok(register),
            None => self.stuck(),
        }
    }

    pub(super) fn stack_top(&mut self, bits: u32) -> Result<(), Stuck> {
        self.clear_temps()?;
        self.stack_address(0, bits / 8, false)?;
        let from = self.probe(bits / 8, false);
        // POP RSP moves the stack pointer in between.
        if let Some((register, host)) = self.popped() {
            self.clobber_with(register, &[T0, T1])?;
            // Of 16 bits, what is above stays.
            self.asm.load(bits, host, from);
            return self.made_in(register);
        }
        self.asm.zero_extend(bits, T0, from);
        self.free.retain(|register| *register != T0);
        self.set(Loc::Temp(T0))
    }

    /// The register that what is read from the stack is for, if only the stack pointer
    /// moves in between.
    fn popped(&self) -> Option<(Gpr, Reg)> {
        let name = Name(self.position as u32);
        let ops = &self.block.ops;
        match (ops.get(self.position + 1)?.0, ops.get(self.position + 2)?.0) {
            (Op::MoveStack(_), Op::WriteGpr(register, false, value))
                if value == name && register != Gpr::Rsp =>
            {
                pinned(register).map(|host| (register, host))
            }
            _ => None,
        }
    }

    pub(super) fn move_stack(&mut self, bytes: u64) -> Result<(), Stuck> {
        match i32::try_from(bytes as i64) {
            Ok(bytes) => self.adjust_stack(bytes),
            Err(_) => self.stuck(),
        }
    }

    pub(super) fn set_stack(&mut self, value: Name) -> Result<(), Stuck> {
        let width = self.stack_width();
        let pointer = self.stack_pointer()?;
        self.clobber(Gpr::Rsp)?;
        match (width, self.source(value)?) {
            // What is above stays.
            (16, Source::Rm(rm)) => self.asm.load(16, pointer, rm),
            (32, Source::Rm(rm)) => self.asm.load(32, pointer, rm),
            (64, _) => self.load_into(pointer, value)?,
            _ => return self.stuck(),
        }
        self.forget(Gpr::Rsp);
        Ok(())
    }
}
