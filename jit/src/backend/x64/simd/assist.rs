//! Instructions without IR of their own that the host's vectors can do: they are planned to be
//! carried out by the interpreter, and emission takes what it can of them.

use rax_cpu::insn::{Gather, MaskedBytes, StringComparison};

use super::FIRST_TEMP;
use super::code::{np, p66, p66_3a, pf3};
use crate::backend::x64::abi::{scratch, vector_home};
use crate::backend::x64::asm::{Mem, Reg, Rm};
use crate::backend::x64::flags::HostFlags;
use crate::backend::x64::{Emit, Stuck};

/// The temporaries, while no value is in them.
const TEMPS: [Reg; 2] = [FIRST_TEMP, FIRST_TEMP + 1];

impl Emit<'_> {
    /// Emits the instruction under way; false if it is none of these.
    pub(in crate::backend::x64) fn assisted(&mut self, index: usize) -> Result<bool, Stuck> {
        if !self.plan.is_assisted(index) {
            return Ok(false);
        }
        let insn = self.insn();
        self.position = self.plan.range(index).start;
        self.load_vectors_again();
        if let Some(strings) = StringComparison::of(insn) {
            self.string_comparison(strings)?;
        } else if let Some(gather) = Gather::of(insn) {
            self.gather(gather)?;
        } else if let Some(masked) = MaskedBytes::of(insn) {
            self.masked_bytes(masked)?;
        }
        Ok(true)
    }

    /// The memory operand, if it has no index beyond the general registers.
    pub(super) fn assisted_operand(&mut self, bytes: u32, write: bool) -> Result<Mem, Stuck> {
        self.operand_address(0, bytes, write)?;
        Ok(self.probe(bytes, write))
    }

    /// A register's whole vector, loaded into a temporary if it is not in the host's.
    pub(super) fn whole_vector(&mut self, register: u8, temp: Reg) -> Reg {
        if register < FIRST_TEMP {
            return register;
        }
        self.asm
            .vex(np(0x10), 256, [temp, 0], vector_home(register), None);
        temp
    }

    /// Stores what the mask chooses among what is there. The interpreter, too, looks at all of it
    /// first; nobody else can have written it meanwhile.
    fn masked_bytes(&mut self, masked: MaskedBytes) -> Result<(), Stuck> {
        let (noted, pending) = (self.noted, self.pending);
        let [old, temp] = TEMPS;
        if masked.is_mmx {
            let place = self.assisted_operand(8, true)?;
            self.store_mmx(masked.data, Rm::Mem(scratch(0)), 64)?;
            self.asm.sse(pf3(0xd6), temp, Rm::Reg(masked.mask), None);
            self.asm.vex(pf3(0x7e), 128, [old, 0], place, None);
            let choose = Some(temp << 4);
            self.asm
                .vex(p66_3a(0x4c), 128, [old, old], scratch(0), choose);
            self.asm.vex(p66(0xd6), 128, [old, 0], place, None);
        } else {
            let place = self.assisted_operand(16, true)?;
            let data = match masked.data {
                data if data < FIRST_TEMP => Rm::Reg(data),
                data => Rm::Mem(vector_home(data)),
            };
            let mask = self.whole_vector(masked.mask, temp);
            self.asm.vex(np(0x10), 128, [old, 0], place, None);
            self.asm
                .vex(p66_3a(0x4c), 128, [old, old], data, Some(mask << 4));
            self.asm.vex(np(0x11), 128, [old, 0], place, None);
        }
        self.host_flags = HostFlags::Unknown;
        self.slow_way(noted, pending, false);
        Ok(())
    }
}
