//! Gathers lane by lane (SDM 2C, VPGATHERDD and its kin), where all lanes are wanted and in pages
//! that the TLB knows. Nothing has changed before the last lane is there.

use rax_cpu::insn::{AddressKind, Gather};
use rax_cpu::state::Gpr;

use super::FIRST_TEMP;
use super::code::{np, p66, p66_3a, pf2, pf3};
use super::table;
use crate::backend::x64::abi::{T0, home, pinned, segment_base, vector_home};
use crate::backend::x64::asm::{Alu, Mem, Reg, Rm, Turn, at, cc};
use crate::backend::x64::flags::HostFlags;
use crate::backend::x64::{Emit, Stuck};

/// Where lanes are put together, of the low and of the high half.
const HALVES: [Reg; 2] = [FIRST_TEMP, FIRST_TEMP + 1];

impl Emit<'_> {
    pub(super) fn gather(&mut self, gather: Gather) -> Result<(), Stuck> {
        if self.insn().address == AddressKind::Segmented {
            return self.stuck();
        }
        let (noted, pending) = (self.noted, self.pending);
        self.leave_unless_all(gather);
        self.host_flags = HostFlags::Unknown;
        let indexes = vector_home(gather.index);
        if gather.index < FIRST_TEMP {
            // Its place in the state is free meanwhile.
            self.asm
                .vex(np(0x11), 256, [gather.index, 0], indexes, None);
        }
        // A miss must not have the temporaries disturbed.
        self.vectors.free.clear();
        for lane in 0..gather.count {
            self.index_to_address(gather, lane)?;
            let place = self.probe(gather.lane_bits / 8, false);
            self.add_lane(gather.lane_bits, lane, place);
        }
        self.vectors.free = super::TEMPS.into();
        self.write_gathered(gather);
        self.slow_way(noted, pending, false);
        Ok(())
    }

    /// Leaves the instruction to the interpreter unless all lanes are wanted.
    fn leave_unless_all(&mut self, gather: Gather) {
        let mask = self.whole_vector(gather.mask, FIRST_TEMP);
        let is_wide = u32::from(gather.count) * gather.lane_bits > 128;
        let code = if gather.lane_bits == 64 {
            p66(0x50)
        } else {
            np(0x50)
        };
        let bits = if is_wide { 256 } else { 128 };
        self.asm.vex(code, bits, [T0, 0], Rm::Reg(mask), None);
        let all = (1 << gather.count) - 1;
        if gather.count == 2 && gather.lane_bits == 32 {
            self.asm.alu_imm(Alu::And, 32, T0, all);
        }
        self.asm.alu_imm(Alu::Cmp, 32, T0, all);
        let some = self.asm.branch_ahead(cc::NE);
        self.slow.push(some);
    }

    /// The linear address of a lane, in T0.
    fn index_to_address(&mut self, gather: Gather, lane: u8) -> Result<(), Stuck> {
        let insn = self.insn();
        let (bits, displacement) = match (insn.address, i32::try_from(insn.displacement)) {
            (AddressKind::Flat32, _) => (32, insn.displacement as i32),
            (_, Ok(displacement)) => (64, displacement),
            _ => return self.stuck(),
        };
        let indexes = vector_home(gather.index);
        let place = i32::from(lane) * gather.index_bits as i32 / 8;
        let index = at(indexes.base, indexes.disp + place);
        self.asm.sign_extend(gather.index_bits, 64, T0, index);
        match pinned(insn.base) {
            Some(base) => {
                let sum = Mem {
                    base,
                    index: Some((T0, insn.scale)),
                    disp: displacement,
                };
                self.asm.lea(bits, T0, sum);
            }
            None => {
                if insn.scale != 0 {
                    self.asm.shift_imm(Turn::Shl, 64, T0, insn.scale);
                }
                if insn.base != Gpr::Zero {
                    self.asm.alu_from(Alu::Add, 64, T0, home(insn.base));
                }
                self.asm.lea(bits, T0, at(T0, displacement));
            }
        }
        if insn.address == AddressKind::Based64 {
            self.asm
                .alu_from(Alu::Add, 64, T0, segment_base(insn.segment));
        }
        Ok(())
    }

    fn add_lane(&mut self, bits: u32, lane: u8, place: Mem) {
        let each = (128 / bits) as u8;
        let half = HALVES[usize::from(lane / each)];
        match (bits, lane % each) {
            (32, 0) => self.asm.vex(pf3(0x10), 128, [half, 0], place, None),
            (_, 0) => self.asm.vex(pf2(0x10), 128, [half, 0], place, None),
            (32, at) => {
                let code = table::insert(32);
                self.asm.vex(code, 128, [half, half], place, Some(at));
            }
            _ => self.asm.vex(np(0x16), 128, [half, half], place, None),
        }
    }

    fn write_gathered(&mut self, gather: Gather) {
        let [low, high] = HALVES;
        let is_wide = u32::from(gather.count) * gather.lane_bits > 128;
        let is_here = gather.to < FIRST_TEMP;
        let to = if is_here { gather.to } else { low };
        if is_wide {
            let code = p66_3a(0x38);
            self.asm.vex(code, 256, [to, low], Rm::Reg(high), Some(1));
        } else if is_here {
            self.asm.vex(np(0x28), 128, [to, 0], Rm::Reg(low), None);
        }
        if !is_here {
            let home = vector_home(gather.to);
            self.asm.vex(np(0x11), 256, [low, 0], home, None);
        }
        let zero = if gather.mask < FIRST_TEMP {
            gather.mask
        } else {
            low
        };
        self.asm
            .vex(p66(0xef), 128, [zero, zero], Rm::Reg(zero), None);
        if gather.mask >= FIRST_TEMP {
            let home = vector_home(gather.mask);
            self.asm.vex(np(0x11), 256, [low, 0], home, None);
        }
    }
}
