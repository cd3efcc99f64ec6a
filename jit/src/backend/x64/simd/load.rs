//! Vectors from and to memory and the guest's registers.

use rax_cpu::ir::Name;

use super::code::{Code, np, p66, pf2, pf3};
use super::{FIRST_TEMP, Place, table};
use crate::backend::x64::abi::{T0, T1, vector_home};
use crate::backend::x64::asm::{Rm, at};
use crate::backend::x64::{Emit, Stuck, cc};

/// The move that fills a vector of `bits` from so many bytes, and clears the rest.
pub(super) fn code(bytes: u32, bits: u32) -> Option<Code> {
    match bytes {
        4 => Some(pf3(0x10)),
        8 => Some(pf2(0x10)),
        16 | 32 if bytes * 8 == bits => Some(np(0x10)),
        _ => None,
    }
}

impl Emit<'_> {
    /// The address of a vector in memory, in T0 + T1.
    fn vector_address(
        &mut self,
        address: Name,
        bytes: u32,
        (is_aligned, write): (bool, bool),
    ) -> Result<Rm, Stuck> {
        self.clear_temps()?;
        self.linear(address, bytes, write)?;
        if is_aligned {
            self.asm.test_imm(8, T0, bytes as i32 - 1);
            let misaligned = self.asm.branch_ahead(cc::NE);
            self.slow.push(misaligned);
        }
        Ok(Rm::Mem(self.probe(bytes, write)))
    }

    pub(super) fn load_vector(
        &mut self,
        address: Name,
        bits: u32,
        is_aligned: bool,
    ) -> Result<(), Stuck> {
        let bytes = bits / 8;
        self.vector_address(address, bytes, (is_aligned, false))?;
        self.free.clear();
        self.put_place(Place::Memory { bytes, is_aligned })
    }

    pub(super) fn store_vector(
        &mut self,
        address: Name,
        bits: u32,
        is_aligned: bool,
        value: Name,
    ) -> Result<(), Stuck> {
        let value = self.vector_register(value)?;
        let to = self.vector_address(address, bits / 8, (is_aligned, true))?;
        self.asm.vex(np(0x11), bits, [value, 0], to, None);
        Ok(())
    }

    /// A load whose value is for a vector.
    pub(in crate::backend::x64) fn load_lane(
        &mut self,
        address: Name,
        bits: u32,
    ) -> Result<(), Stuck> {
        self.load_vector(address, bits, false)
    }

    /// A store of a vector's lane.
    pub(in crate::backend::x64) fn store_lane(
        &mut self,
        address: Name,
        value: Name,
        bits: u32,
    ) -> Result<(), Stuck> {
        let (vector, index) = match self.place_of(value) {
            Place::Lane { vector, index, .. } => (vector, index),
            Place::Mmx(from) => {
                let to = self.vector_address(address, bits / 8, (false, true))?;
                return self.store_mmx(from, to, bits);
            }
            Place::Mxcsr => {
                self.vector_address(address, 4, (false, true))?;
                self.asm.mxcsr(Self::pair(T0, T1), true);
                return Ok(());
            }
            _ => return self.stuck(),
        };
        let from = self.vector_register(vector)?;
        let to = self.vector_address(address, bits / 8, (false, true))?;
        let (code, immediate) = match (bits, index) {
            (32, 0) => (pf3(0x11), None),
            (64, 0) => (pf2(0x11), None),
            (64, 1) => (np(0x17), None),
            _ => (table::extract(bits), Some(index)),
        };
        self.asm.vex(code, 128, [from, 0], to, immediate);
        Ok(())
    }

    /// Writes a register; what is above stays.
    pub(super) fn write_vector(&mut self, register: u8, value: Name) -> Result<(), Stuck> {
        if self.vectors.made.take() == Some(value) {
            return Ok(());
        }
        if register >= FIRST_TEMP {
            let from = self.vector_register(value)?;
            let home = vector_home(register);
            self.asm.vex(np(0x11), 128, [from, 0], home, None);
            return Ok(());
        }
        match self.place_of(value) {
            Place::Memory { bytes, .. } => {
                let Some(code) = code(bytes, 128) else {
                    return self.stuck();
                };
                self.asm.sse(code, register, Self::pair(T0, T1), None);
            }
            Place::Guest(from) if from >= FIRST_TEMP => {
                self.asm.sse(np(0x10), register, vector_home(from), None);
            }
            _ => {
                let from = self.vector_register(value)?;
                self.asm.sse(np(0x28), register, Rm::Reg(from), None);
            }
        }
        Ok(())
    }

    /// Writes a register; what is above is cleared.
    pub(super) fn write_vex(&mut self, register: u8, value: Name, bits: u32) -> Result<(), Stuck> {
        if self.vectors.made.take() == Some(value) {
            return Ok(());
        }
        if register < FIRST_TEMP {
            let (code, from) = match self.place_of(value) {
                Place::Memory { bytes, .. } => {
                    let Some(code) = code(bytes, bits) else {
                        return self.stuck();
                    };
                    (code, Rm::Mem(Self::pair(T0, T1)))
                }
                Place::Guest(from) if from >= FIRST_TEMP => (np(0x10), Rm::Mem(vector_home(from))),
                _ => (np(0x28), Rm::Reg(self.vector_register(value)?)),
            };
            self.asm.vex(code, bits, [register, 0], from, None);
            return Ok(());
        }
        let from = self.vector_register(value)?;
        let cleared = if from < FIRST_TEMP && bits == 128 {
            let temp = self.vector_temp()?;
            self.asm.vex(np(0x28), 128, [temp, 0], Rm::Reg(from), None);
            self.vectors.free.push(temp);
            temp
        } else {
            from
        };
        let home = vector_home(register);
        self.asm.vex(np(0x11), 256, [cleared, 0], home, None);
        Ok(())
    }

    /// VZEROUPPER and VZEROALL.
    pub(super) fn clear_vectors(&mut self, count: u8, whole: bool) -> Result<(), Stuck> {
        for register in 0..count.min(FIRST_TEMP) {
            match (whole, count) {
                (true, _) => {
                    let all = [register, register];
                    self.asm.vex(p66(0xef), 128, all, Rm::Reg(register), None);
                }
                (false, 16) => break,
                (false, _) => {
                    let from = Rm::Reg(register);
                    self.asm.vex(np(0x28), 128, [register, 0], from, None);
                }
            }
        }
        if count == 16 {
            if !whole {
                self.asm.zero_upper();
            }
            let zero = self.vector_temp()?;
            self.asm
                .vex(p66(0xef), 128, [zero, zero], Rm::Reg(zero), None);
            for register in FIRST_TEMP..16 {
                let home = vector_home(register);
                let (bits, skip) = if whole { (256, 0) } else { (128, 16) };
                let home = at(home.base, home.disp + skip);
                self.asm.vex(np(0x11), bits, [zero, 0], home, None);
            }
            self.vectors.free.push(zero);
        }
        Ok(())
    }
}
