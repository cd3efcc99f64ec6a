//! Instructions that are the interpreter's, but for the frequent case, which is emitted
//! here: [`Shortcut`] says which. Whatever they need that is not known of a mode is looked at
//! first, and the interpreter carries the instruction out if it is otherwise.

mod far;
mod flag_image;
mod frame;
mod search;

use rax_cpu::insn::Shortcut;
use rax_cpu::mode::Mode;
use rax_cpu::rflags::{Cr4, Rflags};
use rax_cpu::segment::SegmentRegister;
use rax_cpu::state::Gpr;

use super::abi::{
    CPL, CR4, EPOCH, HEEDS_PAUSE, JUMP_CACHES, JUMPS, KERNEL_GS_BASE, MODE, SYSTEM_FLAGS, T0, T1,
    VIEW, home, pinned, scratch, segment_base,
};
use super::asm::{Alu, Mem, Rm, Turn, at, cc};
use super::flags::{ENTRY, HostFlags};
use super::pending::Pending;
use super::routines::forget_frames;
use super::{Emit, Stuck};

pub(super) use search::{Routines as SearchRoutines, routines as search_routines};

/// What has become of the flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// They are as they were; the host's are something else.
    Alone,
    /// They are as they were, and the host's are the same.
    Known,
    /// The cells tell.
    Changed,
    /// The same, and the host's are the same.
    Told,
}

impl Emit<'_> {
    /// Emits the instruction under way if it has a shortcut in this mode.
    pub(super) fn shortcut(&mut self) -> Result<bool, Stuck> {
        let shortcut = Shortcut::of(self.insn()).filter(|&shortcut| self.has_shortcut(shortcut));
        let Some(shortcut) = shortcut else {
            return Ok(false);
        };
        self.position = self.plan.range(self.index as usize).start;
        self.flags_end = false;
        let (noted, pending) = (self.noted, self.pending);
        let left = self.take_shortcut(shortcut)?;
        self.flags_end = false;
        self.host_flags = match left {
            Left::Alone | Left::Changed => HostFlags::Unknown,
            Left::Known | Left::Told => HostFlags::Update {
                position: ENTRY,
                is_exact: true,
            },
        };
        if self.ways_out() != 0 {
            self.slow_way(noted, pending, false);
        }
        if matches!(left, Left::Changed | Left::Told) {
            self.updated_from = usize::MAX;
            self.pending = Pending::UNKNOWN;
        }
        Ok(true)
    }

    /// Whether there is one in this mode, as far as that says.
    fn has_shortcut(&self, shortcut: Shortcut) -> bool {
        let mode = self.unit.mode;
        let is_real_style = mode.contains(Mode::REAL_STYLE);
        match shortcut {
            Shortcut::SetInterrupts(_)
            | Shortcut::PopFlags(_)
            | Shortcut::AllowAccess(_)
            | Shortcut::SwapBases => !mode.contains(Mode::USER),
            // Virtual-8086 mode has rules of its own.
            Shortcut::PushFlags(_) => !(is_real_style && mode.contains(Mode::USER)),
            Shortcut::FarJump { .. } | Shortcut::FarReturn { .. } => {
                is_real_style && !mode.intersects(Mode::CODE32 | Mode::FLAT)
            }
            Shortcut::Search { .. } => self.may_search(),
            _ => true,
        }
    }

    fn take_shortcut(&mut self, shortcut: Shortcut) -> Result<Left, Stuck> {
        match shortcut {
            Shortcut::SetInterrupts(is_open) => self.set_interrupts(is_open),
            Shortcut::PushFlags(bits) => return self.push_flags(bits),
            Shortcut::PopFlags(bits) => return self.pop_flags(bits),
            Shortcut::StatusToHigh => return self.status_to_high(),
            Shortcut::StatusFromHigh => return Ok(self.status_from_high()),
            Shortcut::AllowAccess(allowed) => self.allow_access(allowed),
            Shortcut::SwapBases => self.swap_bases(),
            Shortcut::ReadBase(segment, bits) => self.read_base(segment, bits)?,
            Shortcut::WriteBase(segment, bits) => self.write_base(segment, bits),
            Shortcut::Pause => {
                self.asm.alu_imm(Alu::Cmp, 8, HEEDS_PAUSE, 0);
                self.slow_if(cc::NE);
            }
            Shortcut::CompareExchange(bytes) => return self.compare_exchange(bytes),
            Shortcut::PushAll(bits) => self.push_all(bits)?,
            Shortcut::PopAll(bits) => self.pop_all(bits)?,
            Shortcut::Enter { bits, room } => self.enter_frame(bits, room)?,
            Shortcut::FarJump { bits, is_call } => self.far_jump(bits, is_call)?,
            Shortcut::FarReturn { bits, released } => self.far_return(bits, released)?,
            Shortcut::Search { .. } => return self.search(shortcut),
        }
        Ok(Left::Alone)
    }

    /// Has the interpreter carry the instruction out if the host's flags meet a condition.
    fn slow_if(&mut self, condition: u8) {
        let slow = self.asm.branch_ahead(condition);
        self.slow.push(slow);
    }

    /// CPL 1 and 2 look like 0 in a mode.
    fn require_ring_0(&mut self) {
        self.asm.alu_imm(Alu::Cmp, 8, CPL, 0);
        self.slow_if(cc::NE);
    }

    fn require_cr4(&mut self, bit: Cr4) {
        self.asm.test_imm(32, CR4, bit.bits() as i32);
        self.slow_if(cc::E);
    }

    /// SMAP looks at AC, so this changes the mode: what follows is another unit's, and
    /// landings of calls from before it are not to be used.
    fn allow_access(&mut self, allowed: bool) {
        let old = self.unit.mode;
        let mut mode = old;
        mode.set(Mode::ACCESS_ALLOWED, allowed);
        self.require_ring_0();
        self.require_cr4(Cr4::SMAP);
        if mode != old {
            let caches = 16 * i32::from(mode.bits());
            self.asm.load(64, T0, JUMP_CACHES);
            self.asm.load(32, T1, EPOCH);
            self.asm.alu(Alu::Cmp, 32, at(T0, caches), T1);
            self.slow_if(cc::NE);
            self.asm.load(64, T1, at(T0, caches + 8));
            self.asm.store(64, JUMPS, T1);
            self.asm.store_imm(16, MODE, i32::from(mode.bits()));
            self.asm.store_imm(64, VIEW, mode.view() as i32);
            forget_frames(&mut self.asm);
        }
        let bit = Rflags::AC.bits() as i32;
        if allowed {
            self.asm.alu_imm(Alu::Or, 32, SYSTEM_FLAGS, bit);
        } else {
            self.asm.alu_imm(Alu::And, 32, SYSTEM_FLAGS, !bit);
        }
    }

    fn swap_bases(&mut self) {
        let base = segment_base(SegmentRegister::Gs);
        self.require_ring_0();
        self.asm.load(64, T0, base);
        self.asm.load(64, T1, KERNEL_GS_BASE);
        self.asm.store(64, KERNEL_GS_BASE, T0);
        self.asm.store(64, base, T1);
    }

    fn read_base(&mut self, segment: SegmentRegister, bits: u32) -> Result<(), Stuck> {
        let register = self.insn().registers[0];
        self.require_cr4(Cr4::FSGSBASE);
        self.clobber(register)?;
        let host = pinned(register).unwrap_or(T0);
        self.asm.load(bits, host, segment_base(segment));
        if host == T0 {
            self.asm.store(64, home(register), T0);
        }
        self.forget(register);
        Ok(())
    }

    /// What is canonical whatever paging does; the rest is left to the interpreter.
    fn write_base(&mut self, segment: SegmentRegister, bits: u32) {
        let from = self.gpr_rm(self.insn().registers[0], false);
        self.require_cr4(Cr4::FSGSBASE);
        self.asm.load(bits, T0, from);
        if bits == 64 {
            self.asm.load(64, T1, T0);
            self.asm.shift_imm(Turn::Shl, 64, T1, 16);
            self.asm.shift_imm(Turn::Sar, 64, T1, 16);
            self.asm.alu(Alu::Cmp, 64, T0, T1);
            self.slow_if(cc::NE);
        }
        self.asm.store(64, segment_base(segment), T0);
    }

    /// CMPXCHG8B and CMPXCHG16B: the host's own, whose registers are the guest's. The host's
    /// flags are made the guest's first, of which it changes but ZF.
    fn compare_exchange(&mut self, bytes: u32) -> Result<Left, Stuck> {
        self.operand_address(0, bytes, true)?;
        let place = self.probe(bytes, true);
        if bytes == 16 {
            self.asm.test_imm(32, T0, 15);
            self.slow_if(cc::NE);
        }
        self.asm.lea(64, T0, place);
        self.asm.store(64, scratch(0), T0);
        self.clobber(Gpr::Rax)?;
        self.clobber(Gpr::Rdx)?;
        self.fetch_flags();
        self.asm.load(64, T0, scratch(0));
        let bits = if bytes == 16 { 64 } else { 32 };
        let place = Rm::Mem(at(T0, 0));
        self.asm
            .encode(0, bits, &[0x0f, 0xc7], 1, place, [false; 2]);
        self.forget(Gpr::Rax);
        self.forget(Gpr::Rdx);
        self.keep_host_flags();
        Ok(Left::Told)
    }

    /// A value's place on the stack: `bytes` bytes at a distance from the stack pointer.
    fn on_stack(&mut self, distance: i32, bytes: u32, write: bool) -> Result<Mem, Stuck> {
        self.stack_address(distance, bytes, write)?;
        Ok(self.probe_by_cell(bytes, write))
    }
}
