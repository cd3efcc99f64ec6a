//! Segments that are not flat: bases, limits and types (SDM 3A, 3.4 and 5.3), and stacks
//! whose pointer is not used whole.
//!
//! Bases are read from the state, since a DOS program loads DS and ES all the time; CS is
//! the unit's own. What may be accessed is one compare with a cell
//! ([`Cells::segment_ends`](rax_cpu::compiled::Cells)): beyond it the interpreter decides.

use rax_cpu::ir::Name;
use rax_cpu::mode::Mode;
use rax_cpu::rflags::Rflags;
use rax_cpu::segment::SegmentRegister;
use rax_cpu::state::Gpr;

use super::abi::{
    PLAIN_SEGMENTS, SYSTEM_FLAGS, T0, T1, segment_base, segment_end, segment_limit, selector,
};
use super::asm::{Alu, Reg, Turn, at, cc};
use super::detour::{Cold, Detour};
use super::flags::HostFlags;
use super::values::Loc;
use super::{Emit, Stuck};

impl Emit<'_> {
    /// Whether CS may have any limit: real mode's 64 KiB is taken for granted elsewhere.
    fn has_code_limit(&self) -> bool {
        let mode = self.unit.mode;
        self.unit.is_segmented()
            && (mode.contains(Mode::CODE32) || !mode.contains(Mode::REAL_STYLE))
    }

    /// At the unit's start: has it interpreted if CS ends before what it reaches.
    pub(super) fn check_code_limit(&mut self) {
        if !self.has_code_limit() {
            return;
        }
        let limit = segment_limit(SegmentRegister::Cs);
        self.asm.alu_imm(Alu::Cmp, 32, limit, i32::MAX);
        self.reach.place = Some(self.asm.here() - 4);
        let beyond = self.asm.branch_ahead(cc::B);
        self.cold.push(Cold {
            from: [Some(beyond), None],
            what: Detour::Interpret,
        });
        let bytes = self.unit.insns.last().map_or(1, |last| last.next);
        self.reach.highest = self.unit.rip + u64::from(bytes) - 1;
    }

    /// At the unit's end: the limit that the start compares with.
    pub(super) fn note_reach(&mut self) {
        if let Some(place) = self.reach.place {
            let highest = self.reach.highest as u32;
            self.asm.patch(place, highest as i32);
        }
    }

    /// A target that is a constant must lie within CS.
    pub(super) fn reach(&mut self, target: u64) -> Result<(), Stuck> {
        if self.has_code_limit() {
            if target > u64::from(u32::MAX) {
                return self.stuck();
            }
            self.reach.highest = self.reach.highest.max(target);
        } else if self.unit.is_segmented() && target > 0xffff {
            return self.stuck();
        }
        Ok(())
    }

    /// One that is computed, of so many bits.
    pub(super) fn check_code_offset(&mut self, target: Reg, bits: u32) {
        if self.unit.is_segmented() && (bits > 16 || self.has_code_limit()) {
            let limit = segment_limit(SegmentRegister::Cs);
            self.asm.alu_from(Alu::Cmp, 32, target, limit);
            self.host_flags = HostFlags::Unknown;
            let beyond = self.asm.branch_ahead(cc::A);
            self.slow.push(beyond);
        }
    }

    /// Turns the offset in T0, cut to its width, into a linear address. Disturbs T1.
    pub(super) fn in_segment(&mut self, segment: SegmentRegister, bytes: u32, write: bool) {
        let mode = self.unit.mode;
        let is_thread = matches!(segment, SegmentRegister::Fs | SegmentRegister::Gs);
        if mode.contains(Mode::CODE64) {
            if is_thread {
                self.asm.alu_from(Alu::Add, 64, T0, segment_base(segment));
                self.host_flags = HostFlags::Unknown;
            }
            return;
        }
        let is_code = segment == SegmentRegister::Cs;
        if mode.contains(Mode::FLAT) && !is_thread && !is_code {
            return;
        }
        let end = segment_end(segment, write);
        if bytes == 1 {
            self.asm.alu_from(Alu::Cmp, 64, T0, end);
        } else {
            self.asm.lea(64, T1, at(T0, bytes as i32 - 1));
            self.asm.alu_from(Alu::Cmp, 64, T1, end);
        }
        let beyond = self.asm.branch_ahead(cc::AE);
        self.slow.push(beyond);
        self.asm.alu_from(Alu::Add, 32, T0, segment_base(segment));
        self.host_flags = HostFlags::Unknown;
    }

    /// How much of the stack pointer the stack uses.
    pub(super) fn stack_width(&self) -> u32 {
        u32::from(self.insn().stack_bits)
    }

    /// The linear address of `bytes` bytes at a distance from the stack pointer, in T0.
    pub(super) fn stack_address(
        &mut self,
        distance: i32,
        bytes: u32,
        write: bool,
    ) -> Result<(), Stuck> {
        let pointer = self.stack_pointer()?;
        match self.stack_width() {
            16 => {
                if distance == 0 {
                    self.asm.zero_extend(16, T0, pointer);
                } else {
                    self.asm.lea(32, T0, at(pointer, distance));
                    self.asm.zero_extend(16, T0, T0);
                }
            }
            width if distance == 0 => self.asm.load(width, T0, pointer),
            width => self.asm.lea(width, T0, at(pointer, distance)),
        }
        self.in_segment(SegmentRegister::Ss, bytes, write);
        Ok(())
    }

    /// Moves the stack pointer. Leaves the host's flags alone.
    pub(super) fn adjust_stack(&mut self, distance: i32) -> Result<(), Stuck> {
        let pointer = self.stack_pointer()?;
        self.clobber(Gpr::Rsp)?;
        self.asm
            .lea(self.stack_width(), pointer, at(pointer, distance));
        self.forget(Gpr::Rsp);
        Ok(())
    }
}

impl Emit<'_> {
    /// So many bytes, backwards if DF is set.
    pub(super) fn stride(&mut self, bytes: u64) -> Result<(), Stuck> {
        let temp = self.temp()?;
        let direction = Rflags::DF.bits();
        // Twice the bytes, if DF is set, from once.
        let shift = direction.trailing_zeros() - (2 * bytes).trailing_zeros();
        self.asm.load(32, temp, SYSTEM_FLAGS);
        self.asm.alu_imm(Alu::And, 32, temp, direction as i32);
        self.asm.shift_imm(Turn::Shr, 32, temp, shift as u8);
        self.asm.group3(64, NEG, temp);
        self.asm.alu_imm(Alu::Add, 64, temp, bytes as i32);
        self.host_flags = HostFlags::Unknown;
        self.set(Loc::Temp(temp))
    }

    pub(super) fn set_direction(&mut self, is_down: bool) {
        let direction = Rflags::DF.bits() as i32;
        if is_down {
            self.asm.alu_imm(Alu::Or, 32, SYSTEM_FLAGS, direction);
        } else {
            self.asm.alu_imm(Alu::And, 32, SYSTEM_FLAGS, !direction);
        }
        self.host_flags = HostFlags::Unknown;
    }

    /// In real and virtual-8086 mode a selector is a base; the rest stays as it is, if it
    /// was like that before. The interpreter does everything else.
    pub(super) fn load_selector(
        &mut self,
        register: SegmentRegister,
        value: Name,
    ) -> Result<(), Stuck> {
        let mode = self.unit.mode;
        let is_plain = mode.contains(Mode::REAL_STYLE)
            && !mode.intersects(Mode::CODE32 | Mode::FLAT)
            && !matches!(register, SegmentRegister::Cs | SegmentRegister::Ss);
        if !is_plain {
            return self.stuck();
        }
        self.write_noted_segment(register)?;
        let temp = self.temp()?;
        self.load_into(temp, value)?;
        self.asm.test_imm(8, PLAIN_SEGMENTS, 1 << register as usize);
        self.host_flags = HostFlags::Unknown;
        let other = self.asm.branch_ahead(cc::E);
        self.slow.push(other);
        self.asm.store(16, selector(register), temp);
        self.asm.zero_extend(16, temp, temp);
        self.asm.shift_imm(Turn::Shl, 32, temp, 4);
        self.asm.store(64, segment_base(register), temp);
        self.give_back(temp);
        Ok(())
    }
}

/// NEG's number in group 3.
const NEG: u8 = 3;

/// How far a unit reaches in its code segment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reach {
    /// The highest offset of its code and its targets.
    highest: u64,
    /// Offset in the code of what the limit is compared with.
    place: Option<usize>,
}
