//! Masked moves by the host's own, which leave alone what the mask leaves out (SDM 2C,
//! VMASKMOV), where all of the operand is in a page of RAM that the TLB knows.

use rax_cpu::ir::Name;
use rax_cpu::vector::Lane;

use super::code::p66_38;
use super::{Place, Target};
use crate::backend::x64::asm::Rm;
use crate::backend::x64::{Emit, Stuck};

impl Emit<'_> {
    /// The operand, in T0 + T1.
    fn masked_operand(&mut self, address: Name, bits: u32, write: bool) -> Result<Rm, Stuck> {
        self.clear_temps()?;
        self.linear(address, bits / 8, write)?;
        Ok(Rm::Mem(self.probe_known(bits / 8, write)))
    }

    pub(super) fn load_masked(
        &mut self,
        address: Name,
        lane: Lane,
        mask: Name,
        bits: u32,
    ) -> Result<(), Stuck> {
        let mask = self.vector_register(mask)?;
        let from = self.masked_operand(address, bits, false)?;
        let code = p66_38(if lane == Lane::Qword { 0x2d } else { 0x2c });
        match self.vector_target() {
            Target::Vex(to) => {
                self.asm.vex(code, bits, [to, mask], from, None);
                self.made_vector(to)
            }
            _ => {
                let to = self.result_temp()?;
                self.asm.vex(code, bits, [to, mask], from, None);
                self.put_place(Place::Host(to))
            }
        }
    }

    pub(super) fn store_masked(
        &mut self,
        address: Name,
        lane: Lane,
        (mask, value): (Name, Name),
        bits: u32,
    ) -> Result<(), Stuck> {
        let mask = self.vector_register(mask)?;
        let value = self.vector_register(value)?;
        let to = self.masked_operand(address, bits, true)?;
        let code = p66_38(if lane == Lane::Qword { 0x2f } else { 0x2e });
        self.asm.vex(code, bits, [value, mask], to, None);
        Ok(())
    }
}
