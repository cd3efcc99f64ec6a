//! Vector operations as the host's SSE and AVX instructions (SDM 1, chapters 10 to 14).
//!
//! While [`Cells::vectors`](rax_cpu::compiled::Cells::vectors) is set, the guest's YMM0 to
//! YMM13 and its MXCSR are in the host's; YMM14 and YMM15 stay in the state, and the host's
//! are temporaries. So NaNs, rounding and what MXCSR records are the host's own. That holds
//! only while the guest masks all floating-point exceptions: otherwise the interpreter runs
//! the unit. A unit with vector operations makes sure of it at its start; whoever calls Rust
//! puts the registers back first.
//!
//! A legacy instruction leaves the upper half of its destination alone, as the guest's does,
//! so it is the host's legacy instruction if the destination is its first source too;
//! everything else is VEX.

mod assist;
mod code;
mod control;
mod convert;
mod estimate;
mod gather;
mod load;
mod masked;
mod mmx;
mod step;
mod table;
mod text;

use rax_cpu::ir::{Name, Op, VectorStep};
use smallvec::{SmallVec, smallvec};

use super::abi::{self, T0, T1, VECTORS, vector_home};
use super::asm::{Alu, Reg, Rm, cc};
use super::detour::{Cold, Detour};
use super::flags::HostFlags;
use super::{Emit, Stuck};
use crate::relocation::Follows;
use code::Code;
pub(super) use mmx::is_mmx;

/// The host's temporaries; what is below them is the guest's.
const TEMPS: [Reg; 2] = [15, 14];
/// The first register that is not pinned.
pub(super) const FIRST_TEMP: Reg = 14;

/// What the host has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Features {
    /// AVX2, without which all is left to the interpreter.
    pub(super) avx2: bool,
    fma: bool,
    f16c: bool,
    aes: bool,
    pclmul: bool,
    vaes: bool,
    vpclmul: bool,
    sha: bool,
    gfni: bool,
    vnni: bool,
}

impl Features {
    /// What this host has.
    pub(super) fn found() -> Self {
        use std::arch::is_x86_feature_detected as has;
        Self {
            avx2: has!("avx2"),
            fma: has!("fma"),
            f16c: has!("f16c"),
            aes: has!("aes"),
            pclmul: has!("pclmulqdq"),
            vaes: has!("vaes"),
            vpclmul: has!("vpclmulqdq"),
            sha: has!("sha"),
            gfni: has!("gfni"),
            vnni: has!("avxvnni"),
        }
    }
}

/// Where a vector is, or a lane on its way from or to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Nowhere,
    /// What the guest's register holds now.
    Guest(u8),
    /// In an MMX register.
    Mmx(Reg),
    /// In MXCSR.
    Mxcsr,
    /// In a temporary.
    Host(Reg),
    /// So many bytes at T0 + T1, which are taken meanwhile; zeros above.
    Memory {
        bytes: u32,
        is_aligned: bool,
    },
    /// A lane of this width of another vector.
    Lane {
        vector: Name,
        index: u8,
        bits: u32,
    },
}

/// Where a vector is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// To a register whose upper half stays.
    Legacy(Reg),
    /// To a register whose upper half is cleared.
    Vex(Reg),
    Other,
}

/// What is known of vectors while a unit is emitted.
#[derive(Debug, Default)]
pub(super) struct Vectors {
    places: Vec<Place>,
    free: SmallVec<[Reg; 2]>,
    /// Vectors of which a lane is still to be used.
    lasting: Vec<Name>,
    /// The value that was made in the register it is for.
    made: Option<Name>,
    /// The guest's registers are in the host's.
    pub(super) are_loaded: bool,
}

impl Vectors {
    /// Begins a unit of so many operations; none of them is on vectors if it is zero.
    pub(super) fn begin(&mut self, count: usize) {
        self.places.clear();
        self.places.resize(count, Place::Nowhere);
        self.free = SmallVec::from_buf(TEMPS);
        self.lasting.clear();
        self.made = None;
        self.are_loaded = false;
    }

    /// Whether the temporaries hold nothing.
    pub(super) fn has_temps(&self) -> bool {
        self.free.len() == TEMPS.len()
    }
}

impl Emit<'_> {
    /// At a unit's start: has the registers loaded, or leaves.
    pub(super) fn load_vectors_at_start(&mut self) {
        self.asm.alu_imm(Alu::Cmp, 32, VECTORS, 0);
        let absent = self.asm.branch_ahead(cc::E);
        self.vectors.are_loaded = true;
        self.cold.push(Cold {
            from: [Some(absent), None],
            what: Detour::LoadVectors {
                back: self.asm.here(),
            },
        });
    }

    /// Before a vector instruction after one that was carried out.
    pub(super) fn load_vectors_again(&mut self) {
        if self.vectors.are_loaded {
            return;
        }
        self.asm.call(self.backend.routines.load_vectors);
        let refused = self.asm.branch_ahead(cc::E);
        self.host_flags = HostFlags::Unknown;
        self.vectors.are_loaded = true;
        self.cold.push(Cold {
            from: [Some(refused), None],
            what: Detour::Refused {
                index: self.index,
                pending: self.pending,
            },
        });
    }

    fn place_of(&self, name: Name) -> Place {
        let place = self.vectors.places.get(name.0 as usize);
        place.copied().unwrap_or(Place::Nowhere)
    }

    fn put_place(&mut self, place: Place) -> Result<(), Stuck> {
        self.vectors.places[self.position] = place;
        Ok(())
    }

    /// Whether a load is for a vector: it need not pass through a general register.
    pub(super) fn feeds_vector(&self, position: usize) -> bool {
        let name = Name(position as u32);
        match self.block.ops[self.plan.last_use(name)].0 {
            Op::Vector(VectorStep::Widen(value)) => value == name,
            Op::Vector(VectorStep::Insert { value, .. }) => value == name,
            _ => false,
        }
    }

    /// Whether what is stored is not in a general register.
    pub(super) fn is_lane(&self, name: Name) -> bool {
        matches!(
            self.place_of(name),
            Place::Lane { .. } | Place::Mmx(_) | Place::Mxcsr
        )
    }

    /// After an operation: temporaries of vectors that nobody asks for again are free.
    pub(super) fn release_vectors(&mut self, position: usize) {
        let range = self.plan.range(self.index as usize);
        if position + 1 == range.end {
            self.vectors.lasting.clear();
        }
        for at in range.start..=position {
            let name = Name(at as u32);
            let is_over =
                self.plan.last_use(name) <= position && !self.vectors.lasting.contains(&name);
            match self.vectors.places[at] {
                Place::Host(register) if is_over => self.vectors.free.push(register),
                Place::Memory { .. } if is_over => self.give_back_address(),
                Place::Guest(_) | Place::Mmx(_) | Place::Mxcsr | Place::Lane { .. } if is_over => {}
                _ => continue,
            }
            self.vectors.places[at] = Place::Nowhere;
        }
    }

    fn give_back_address(&mut self) {
        self.free = smallvec![T1, T0];
    }

    /// A temporary.
    fn vector_temp(&mut self) -> Result<Reg, Stuck> {
        match self.vectors.free.pop() {
            Some(register) => Ok(register),
            None => self.stuck(),
        }
    }

    /// A temporary for a result: that of an operand will do, if nobody asks for it again.
    fn result_temp(&mut self) -> Result<Reg, Stuck> {
        if let Some(register) = self.vectors.free.pop() {
            return Ok(register);
        }
        for at in self.plan.range(self.index as usize) {
            if let Place::Host(register) = self.vectors.places[at]
                && self.plan.last_use(Name(at as u32)) <= self.position
                && !self.vectors.lasting.contains(&Name(at as u32))
            {
                self.vectors.places[at] = Place::Nowhere;
                return Ok(register);
            }
        }
        self.stuck()
    }

    /// Where the value under way goes at once.
    fn vector_target(&self) -> Target {
        let name = Name(self.position as u32);
        match self.block.ops.get(self.position + 1) {
            Some((Op::Vector(VectorStep::Write(register, value)), 128))
                if *value == name && *register < FIRST_TEMP =>
            {
                Target::Legacy(*register)
            }
            Some((Op::Vector(VectorStep::WriteVex(register, value)), _))
                if *value == name && *register < FIRST_TEMP =>
            {
                Target::Vex(*register)
            }
            _ => Target::Other,
        }
    }

    fn made_vector(&mut self, register: Reg) -> Result<(), Stuck> {
        self.vectors.made = Some(Name(self.position as u32));
        self.put_place(Place::Guest(register))
    }

    /// A vector in a register that is not to be written to.
    fn vector_register(&mut self, name: Name) -> Result<Reg, Stuck> {
        let bits = self.bits(name);
        let from = match self.place_of(name) {
            Place::Guest(register) if register < FIRST_TEMP => return Ok(register),
            Place::Host(register) => return Ok(register),
            Place::Guest(register) => Rm::Mem(vector_home(register)),
            Place::Memory { .. } => Rm::Mem(Self::pair(T0, T1)),
            Place::Nowhere | Place::Mmx(_) | Place::Mxcsr | Place::Lane { .. } => {
                return self.stuck();
            }
        };
        let to = self.vector_temp()?;
        let code = match self.place_of(name) {
            Place::Memory { bytes, .. } => load::code(bytes, bits),
            _ => load::code(bits / 8, bits),
        };
        let Some(code) = code else {
            return self.stuck();
        };
        self.asm.vex(code, bits, [to, 0], from, None);
        if matches!(self.place_of(name), Place::Memory { .. }) {
            self.give_back_address();
        }
        self.vectors.places[name.0 as usize] = Place::Host(to);
        Ok(to)
    }

    /// A vector of which an instruction looks at the lowest bytes.
    fn vector_operand(&mut self, name: Name, bytes: u32, is_legacy: bool) -> Result<Rm, Stuck> {
        match self.place_of(name) {
            Place::Guest(register) if register >= FIRST_TEMP && !is_legacy => {
                Ok(Rm::Mem(vector_home(register)))
            }
            Place::Memory {
                bytes: there,
                is_aligned,
            } if there == bytes && (!is_legacy || is_aligned || bytes < 16) => {
                Ok(Rm::Mem(Self::pair(T0, T1)))
            }
            _ => Ok(Rm::Reg(self.vector_register(name)?)),
        }
    }

    /// One operand, one result.
    fn two(
        &mut self,
        code: Code,
        bits: u32,
        (operand, bytes): (Name, u32),
        immediate: Option<u8>,
    ) -> Result<(), Stuck> {
        match self.vector_target() {
            Target::Legacy(to) if !code.is_vex_only() => {
                let from = self.vector_operand(operand, bytes, true)?;
                self.asm.sse(code, to, from, immediate);
                self.made_vector(to)
            }
            Target::Vex(to) => {
                let from = self.vector_operand(operand, bytes, false)?;
                self.asm.vex(code, bits, [to, 0], from, immediate);
                self.made_vector(to)
            }
            _ => {
                let from = self.vector_operand(operand, bytes, false)?;
                let to = self.result_temp()?;
                self.asm.vex(code, bits, [to, 0], from, immediate);
                self.put_place(Place::Host(to))
            }
        }
    }

    /// Whether a result is best made by the legacy encoding: in its first operand.
    fn is_in_place(&self, code: Code, first: Name) -> bool {
        matches!(
            (self.vector_target(), self.place_of(first)),
            (Target::Legacy(to), Place::Guest(from)) if to == from && !code.is_vex_only()
        )
    }

    /// Two operands, one result.
    fn three(
        &mut self,
        code: Code,
        bits: u32,
        first: Name,
        (second, bytes): (Name, u32),
        immediate: Option<u8>,
    ) -> Result<(), Stuck> {
        let is_legacy = self.is_in_place(code, first);
        let second = self.vector_operand(second, bytes, is_legacy)?;
        self.three_with(code, bits, first, second, immediate)
    }

    /// The same; the second operand is at hand.
    fn three_with(
        &mut self,
        code: Code,
        bits: u32,
        first: Name,
        second: Rm,
        immediate: Option<u8>,
    ) -> Result<(), Stuck> {
        match self.vector_target() {
            Target::Legacy(to) if self.is_in_place(code, first) => {
                self.asm.sse(code, to, second, immediate);
                self.made_vector(to)
            }
            Target::Vex(to) => {
                let first = self.vector_register(first)?;
                self.asm.vex(code, bits, [to, first], second, immediate);
                self.made_vector(to)
            }
            _ => {
                let first = self.vector_register(first)?;
                let to = self.result_temp()?;
                self.asm.vex(code, bits, [to, first], second, immediate);
                self.put_place(Place::Host(to))
            }
        }
    }

    /// Makes the result of the operation under way in a general register.
    fn general(&mut self) -> Result<Reg, Stuck> {
        if let Some((register, host)) = self.target() {
            self.clobber(register)?;
            self.made_in(register)?;
            return Ok(host);
        }
        let host = self.temp()?;
        self.set(super::values::Loc::Temp(host))?;
        Ok(host)
    }

    /// After an instruction was carried out off the straight way: what comes next finds
    /// the registers loaded, or the unit is left.
    pub(super) fn load_vectors_after(&mut self, next: u32, with_flags: bool) {
        if with_flags {
            self.asm.push_flags();
        }
        self.asm.call(self.backend.routines.load_vectors);
        let loaded = self.asm.branch_ahead(cc::NE);
        if with_flags {
            self.asm.pop(T1);
        }
        self.leave_before(next);
        self.leave(crate::backend::NO_EXIT);
        self.asm.bind(loaded);
        if with_flags {
            self.asm.pop_flags();
        }
    }

    /// Puts back what was taken off the budget for an instruction and those after it, and
    /// makes RIP its address.
    pub(super) fn leave_before(&mut self, index: u32) {
        let index = index as usize;
        let count = self.unit.insns.len();
        self.asm
            .alu_imm(Alu::Add, 64, abi::BUDGET, (count - index) as i32);
        let rip = self.unit.rip_of(index);
        self.asm.address(T0, rip, Follows::GuestAddress);
        self.asm.store(64, abi::RIP, T0);
    }
}
