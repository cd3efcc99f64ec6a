//! Where values are, and how they get into registers.
//!
//! A value is zero above its width only in the IR: here, what stands above it in a host
//! register is of no account, and whoever cares extends it.

use rax_cpu::ir::{Name, Op};
use rax_cpu::state::Gpr;

use super::abi::{self, home, pinned, scratch};
use super::asm::{Mem, Reg, Rm, at, has_short_form, high, is_high};
use super::flags::HostFlags;
use super::{Emit, Stuck};
use crate::relocation::Follows;

/// The guest registers that may be borrowed, the least used first.
const LENDERS: [Gpr; 5] = [Gpr::R14, Gpr::R13, Gpr::R12, Gpr::Rbx, Gpr::Rdi];

/// Where a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loc {
    /// Nobody will ask.
    Nowhere,
    /// It is known.
    Constant(u64),
    /// It is an address that moves with the code.
    Rip(u64),
    /// What the guest's register holds now; `true` for its bits 8 to 15.
    Gpr(Gpr, bool),
    /// In a temporary.
    Temp(Reg),
    /// In a scratch cell.
    Scratch(u8),
    /// The instruction's raw address and so many bytes.
    Address(u64),
    /// The instruction's raw address and another value.
    Displaced(Name),
    /// A condition of the host's flags, in which the value of this name is known.
    Condition(u8, Name),
    /// Whether another value is zero.
    IsZero(Name),
}

/// A value as an instruction's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Rm(Rm),
    Immediate(i32),
}

impl Emit<'_> {
    /// Notes where the value of the operation under way is.
    #[inline]
    pub(super) fn set(&mut self, loc: Loc) -> Result<(), Stuck> {
        self.locs[self.position] = loc;
        Ok(())
    }

    #[inline]
    /// Notes that the value of the operation under way is an address in the guest's code.
    pub(super) fn set_rip(&mut self, rip: u64) -> Result<(), Stuck> {
        if has_short_form(rip) {
            self.asm.be_fixed();
        }
        self.set(if self.asm.is_movable() {
            Loc::Rip(rip)
        } else {
            Loc::Constant(rip)
        })
    }

    pub(super) fn loc(&self, name: Name) -> Loc {
        self.locs[name.0 as usize]
    }

    /// Width of a value.
    #[inline]
    pub(super) fn bits(&self, name: Name) -> u32 {
        self.block.ops[name.0 as usize].1
    }

    /// Whether nobody asks for the value of the operation under way.
    pub(super) fn is_unused(&self) -> bool {
        self.plan.last_use(Name(self.position as u32)) == 0
    }

    /// Takes a temporary.
    pub(super) fn temp(&mut self) -> Result<Reg, Stuck> {
        match self.free.pop() {
            Some(register) => Ok(register),
            None => self.borrow(),
        }
    }

    /// Makes a guest register that the instruction under way has nothing to do with a
    /// temporary, until its end.
    fn borrow(&mut self) -> Result<Reg, Stuck> {
        let insn = self.insn();
        let range = self.plan.range(self.index as usize);
        let lender = LENDERS.into_iter().find(|&lender| {
            let is_named = |&(op, _): &(Op, u32)| match op {
                Op::ReadGpr(register, _) | Op::WriteGpr(register, ..) => register == lender,
                _ => false,
            };
            insn.base != lender
                && insn.index != lender
                && !self.is_borrowed(lender)
                && !self.block.ops[range.clone()].iter().any(is_named)
        });
        let Some((lender, host)) = lender.and_then(|lender| Some((lender, pinned(lender)?))) else {
            return self.stuck();
        };
        if self.borrowed.is_empty() {
            self.ways_before = self.ways_out();
        }
        self.keep_operands_in(lender);
        self.asm.store(64, home(lender), host);
        self.borrowed.push((lender, host));
        Ok(host)
    }

    pub(super) fn is_borrowed(&self, register: Gpr) -> bool {
        self.borrowed.iter().any(|&(of, _)| of == register)
    }

    /// At an instruction's end. Its slow way must have been left before.
    pub(super) fn give_borrowed_back(&mut self) -> Result<(), Stuck> {
        if !self.borrowed.is_empty() && self.ways_out() > self.ways_before {
            return self.stuck();
        }
        for (guest, host) in std::mem::take(&mut self.borrowed) {
            self.asm.load(64, host, home(guest));
            self.free.retain(|register| *register != host);
        }
        Ok(())
    }

    /// Gives a temporary back.
    pub(super) fn give_back(&mut self, register: Reg) {
        debug_assert!(!self.free.contains(&register), "given back once");
        self.free.push(register);
        // The first one is taken first: code is easier to read. Borrowed ones come last.
        self.free.sort_unstable_by_key(|&register| {
            (register == abi::T0 || register == abi::T1, register)
        });
    }

    /// Whether no temporary holds anything.
    fn all_free(&self) -> bool {
        self.free.len() == 2 + self.borrowed.len()
    }

    /// After an operation: temporaries of values that nobody asks for again are free.
    pub(super) fn release(&mut self, position: usize) {
        if self.all_free() && self.scratches == 0 {
            return;
        }
        let start = self.plan.range(self.index as usize).start;
        for at in start..=position {
            if self.plan.last_use(Name(at as u32)) <= position {
                match self.locs[at] {
                    Loc::Temp(register) => {
                        self.give_back(register);
                        self.locs[at] = Loc::Nowhere;
                    }
                    Loc::Scratch(n) => {
                        self.scratches &= !(1 << n);
                        self.locs[at] = Loc::Nowhere;
                    }
                    _ => {}
                }
            }
        }
    }

    /// Makes both temporaries free, for an access to memory.
    pub(super) fn clear_temps(&mut self) -> Result<(), Stuck> {
        if self.all_free() {
            return Ok(());
        }
        for at in self.plan.range(self.index as usize) {
            if at > self.position {
                break;
            }
            if let Loc::Temp(register) = self.locs[at] {
                let Some(n) = (0..abi::SCRATCHES).find(|n| self.scratches >> n & 1 == 0) else {
                    return self.stuck();
                };
                self.asm.store(64, scratch(n), register);
                self.scratches |= 1 << n;
                self.locs[at] = Loc::Scratch(n);
                self.give_back(register);
            }
        }
        if [abi::T0, abi::T1]
            .iter()
            .any(|temp| !self.free.contains(temp))
        {
            return self.stuck();
        }
        Ok(())
    }

    /// A guest register as an operand.
    pub(super) fn gpr_rm(&self, register: Gpr, is_high: bool) -> Rm {
        match pinned(register).filter(|_| !self.is_borrowed(register)) {
            Some(host) if is_high => Rm::Reg(high(host)),
            Some(host) => Rm::Reg(host),
            None => {
                let mem = home(register);
                Rm::Mem(at(mem.base, mem.disp + i32::from(is_high)))
            }
        }
    }

    /// A value as a source; what must be loaded first takes a temporary.
    pub(super) fn source(&mut self, name: Name) -> Result<Source, Stuck> {
        let bits = self.bits(name);
        Ok(match self.loc(name) {
            Loc::Constant(value) => {
                let value = rax_cpu::flags::sign_extend(bits.max(8), value) as i64;
                match i32::try_from(value) {
                    Ok(short) => Source::Immediate(short),
                    Err(_) => Source::Rm(Rm::Reg(self.register(name)?)),
                }
            }
            Loc::Rip(_) => Source::Rm(Rm::Reg(self.register(name)?)),
            Loc::Gpr(register, is_high) => Source::Rm(self.gpr_rm(register, is_high)),
            Loc::Temp(register) => Source::Rm(Rm::Reg(register)),
            Loc::Scratch(n) => Source::Rm(Rm::Mem(scratch(n))),
            Loc::Nowhere
            | Loc::Address(_)
            | Loc::Displaced(_)
            | Loc::Condition(..)
            | Loc::IsZero(_) => {
                return self.stuck();
            }
        })
    }

    /// A value in a register of its own or the guest's: not to be written to.
    pub(super) fn register(&mut self, name: Name) -> Result<Reg, Stuck> {
        match self.loc(name) {
            Loc::Temp(register) => return Ok(register),
            Loc::Gpr(register, false) => {
                if let Some(host) = pinned(register) {
                    return Ok(host);
                }
            }
            _ => {}
        }
        let register = self.temp()?;
        self.load_into(register, name)?;
        // A later use finds it here, and its last one frees it.
        self.drop_scratch(name);
        self.locs[name.0 as usize] = Loc::Temp(register);
        Ok(register)
    }

    fn drop_scratch(&mut self, name: Name) {
        if let Loc::Scratch(n) = self.loc(name) {
            self.scratches &= !(1 << n);
        }
    }

    /// Moves a value into a host register, of 8 and 16 bits with zeros above. Leaves the
    /// host's flags alone.
    pub(super) fn load_into(&mut self, to: Reg, name: Name) -> Result<(), Stuck> {
        let bits = self.bits(name);
        match self.loc(name) {
            Loc::Constant(value) => self.asm.constant(to, value),
            Loc::Rip(value) => self.asm.address(to, value, Follows::GuestAddress),
            Loc::Gpr(register, is_high) => {
                let from = self.gpr_rm(register, is_high);
                self.move_rm(bits, to, from);
            }
            Loc::Temp(register) => {
                if register != to {
                    self.move_rm(bits, to, Rm::Reg(register));
                }
            }
            Loc::Scratch(n) => self.move_rm(bits, to, Rm::Mem(scratch(n))),
            Loc::Condition(..)
            | Loc::IsZero(_)
            | Loc::Nowhere
            | Loc::Address(_)
            | Loc::Displaced(_) => {
                return self.stuck();
            }
        }
        Ok(())
    }

    fn move_rm(&mut self, bits: u32, to: Reg, from: Rm) {
        // AH and its like cannot be moved to R8 and up.
        if let Rm::Reg(register) = from
            && is_high(register)
            && to >= 8
        {
            let whole = register & 15;
            self.asm.load(32, to, Rm::Reg(whole));
            // LEA cannot shift right: the flags go.
            self.asm
                .shift_imm(super::asm::Turn::Shr, 32, Rm::Reg(to), 8);
            self.host_flags = HostFlags::Unknown;
            self.shifted += 1;
            self.asm.zero_extend(8, to, Rm::Reg(to));
            return;
        }
        self.asm.zero_extend(bits.max(8), to, from);
    }

    pub(super) fn read_gpr(&mut self, register: Gpr, is_high: bool) -> Result<(), Stuck> {
        if register == Gpr::Zero {
            return self.set(Loc::Constant(0));
        }
        if register == Gpr::BlockRip {
            let rip = self.block_rip();
            return self.set_rip(rip);
        }
        self.set(Loc::Gpr(register, is_high))
    }

    /// The first value of which somebody may still ask where it is.
    fn watched_from(&self) -> usize {
        let own = self.plan.range(self.index as usize).start;
        own.min(self.updated_from)
    }

    /// Before a guest register changes: values that are what it holds, and are asked for
    /// later, move out of the way.
    pub(super) fn clobber(&mut self, register: Gpr) -> Result<(), Stuck> {
        self.keep_operands_in(register);
        for at in self.watched_from()..self.position {
            if !matches!(self.locs[at], Loc::Gpr(of, _) if of == register) {
                continue;
            }
            let name = Name(at as u32);
            if self.plan.last_use(name) > self.position {
                let temp = self.temp()?;
                self.load_into(temp, name)?;
                self.locs[at] = Loc::Temp(temp);
            } else if self.plan.last_use(name) < self.position {
                self.locs[at] = Loc::Nowhere;
            }
        }
        Ok(())
    }

    /// After a guest register changed: what was its value is gone.
    pub(super) fn forget(&mut self, register: Gpr) {
        for at in self.watched_from()..=self.position {
            if matches!(self.locs[at], Loc::Gpr(of, _) if of == register) {
                self.locs[at] = Loc::Nowhere;
            }
        }
    }

    /// After the interpreter has done something: no register is known.
    pub(super) fn forget_registers(&mut self) {
        let from = self.updated_from.min(self.locs.len());
        for loc in &mut self.locs[from..] {
            if matches!(loc, Loc::Gpr(..)) {
                *loc = Loc::Nowhere;
            }
        }
    }

    pub(super) fn write_gpr(
        &mut self,
        register: Gpr,
        is_high: bool,
        value: Name,
        bits: u32,
    ) -> Result<(), Stuck> {
        if self.made == Some(value) {
            self.made = None;
            return Ok(());
        }
        if self.loc(value) == Loc::Gpr(register, is_high) && bits != 32 {
            return Ok(());
        }
        self.clobber(register)?;
        let to = self.gpr_rm(register, is_high);
        match self.source(value)? {
            Source::Immediate(value) => match to {
                Rm::Reg(host) if bits == 64 => self.asm.constant(host, i64::from(value) as u64),
                Rm::Reg(host) if bits == 32 => self.asm.constant(host, u64::from(value as u32)),
                // Of 32 bits the upper half is zero.
                Rm::Mem(_) if bits == 32 && value < 0 => {
                    let temp = self.temp()?;
                    self.asm.constant(temp, u64::from(value as u32));
                    self.asm.store(64, to, temp);
                    self.give_back(temp);
                }
                to => self
                    .asm
                    .store_imm(if bits == 32 { 64 } else { bits }, to, value),
            },
            Source::Rm(from) => self.move_to(to, from, bits)?,
        }
        self.forget(register);
        // Whoever asks for the value again finds it in the register.
        if matches!(self.loc(value), Loc::Nowhere) {
            self.locs[value.0 as usize] = Loc::Gpr(register, is_high);
        }
        Ok(())
    }

    fn move_to(&mut self, to: Rm, from: Rm, bits: u32) -> Result<(), Stuck> {
        match (to, from) {
            (Rm::Reg(to), Rm::Reg(from)) if bits == 8 => self.move_byte(to, from),
            (Rm::Reg(to), from) => {
                self.asm.load(bits, to, from);
                Ok(())
            }
            (Rm::Mem(to), Rm::Reg(from)) if bits == 32 => {
                if from == abi::T0 || from == abi::T1 {
                    self.asm.load(32, from, Rm::Reg(from));
                    self.asm.store(64, to, from);
                    return Ok(());
                }
                let temp = self.temp()?;
                self.asm.load(32, temp, Rm::Reg(from));
                self.asm.store(64, to, temp);
                self.give_back(temp);
                Ok(())
            }
            (Rm::Mem(to), Rm::Reg(from)) => {
                self.asm.store(bits, to, from);
                Ok(())
            }
            (Rm::Mem(to), from) => {
                let temp = self.temp()?;
                self.asm.zero_extend(bits, temp, from);
                self.asm.store(if bits == 32 { 64 } else { bits }, to, temp);
                self.give_back(temp);
                Ok(())
            }
        }
    }

    fn move_byte(&mut self, to: Reg, from: Reg) -> Result<(), Stuck> {
        let needs_rex = |register: Reg| !is_high(register) && register >= 4;
        if (is_high(to) && needs_rex(from)) || (is_high(from) && needs_rex(to)) {
            // Through a temporary and the low byte of the register.
            if is_high(from) {
                let temp = self.temp()?;
                self.move_rm(8, temp, Rm::Reg(from));
                self.asm.load(8, to, Rm::Reg(temp));
                self.give_back(temp);
                return Ok(());
            }
            return self.stuck();
        }
        self.asm.load(8, to, Rm::Reg(from));
        Ok(())
    }

    /// The register that the value of the operation under way may be made in: the one it
    /// is written to whole, if nothing that can fault comes before that.
    pub(super) fn target(&self) -> Option<(Gpr, Reg)> {
        let name = Name(self.position as u32);
        let range = self.plan.range(self.index as usize);
        for at in self.position + 1..range.end {
            match self.block.ops[at].0 {
                Op::WriteGpr(register, false, value)
                    if value == name && self.block.ops[at].1 >= 32 =>
                {
                    return pinned(register).map(|host| (register, host));
                }
                Op::Constant(_) | Op::Flags(_) | Op::NextIp => {}
                _ => return None,
            }
        }
        None
    }

    /// Notes that the value under way was made in a guest register.
    pub(super) fn made_in(&mut self, register: Gpr) -> Result<(), Stuck> {
        self.forget(register);
        self.made = Some(Name(self.position as u32));
        self.set(Loc::Gpr(register, false))
    }

    /// A memory operand of the host for a temporary's use.
    pub(super) const fn pair(a: Reg, b: Reg) -> Mem {
        super::asm::sum(a, b, 0)
    }
}
