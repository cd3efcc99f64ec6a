//! Delivery through the interrupt descriptor table of legacy protected mode
//! (SDM 3A, 6.11, 6.12 and 6.14; SDM 3B, 21.3 for virtual-8086 mode).

use super::Event;
use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::rflags::Rflags;
use crate::segment::load::{Entry, null_segment};
use crate::segment::stack::Stack;
use crate::segment::{Attributes, Descriptor, SegmentRegister};
use crate::state::Gpr;
use crate::task::Entrance;

/// Gate types (SDM 3A, table 3-2).
pub(super) const TASK_GATE: u8 = 5;
/// Set in 32-bit and 64-bit gates.
const IS_32_BIT: u8 = 8;
/// Set in trap gates, clear in interrupt gates.
pub(super) const IS_TRAP: u8 = 1;

/// A gate: what far transfers and interrupts go through (SDM 3A, figures 5-8 and 6-2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate(pub(crate) Descriptor);

impl Gate {
    /// The code segment, or the TSS of a task gate.
    pub(crate) const fn selector(self) -> u16 {
        (self.0.0 >> 16) as u16
    }

    /// The low 32 bits of the entry point.
    pub(crate) const fn offset(self) -> u64 {
        self.0.0 & 0xffff | self.0.0 >> 32 & 0xffff_0000
    }

    /// How many parameters a call gate copies.
    pub(crate) const fn parameters(self) -> u64 {
        self.0.0 >> 32 & 0x1f
    }

    /// Which stack of the interrupt stack table to use, 0 for none.
    pub(super) const fn stack_table_index(self) -> u32 {
        (self.0.0 >> 32 & 7) as u32
    }
}

impl Cpu {
    pub(super) fn deliver_protected(&mut self, event: &Event) -> Result<(), Exit> {
        let offset = u32::from(event.vector) * 8;
        if offset + 7 > u32::from(self.state.idtr.limit) {
            return Err(self.raise(Exception::GeneralProtection(event.gate_code())));
        }
        let address = self.state.idtr.base.wrapping_add(u64::from(offset));
        let gate = Gate(Descriptor(self.system_load::<u64>(address)?));
        self.check_interrupt_gate(event, gate, &[TASK_GATE, 6, 7, 14, 15])?;
        let kind = gate.0.attributes().kind();
        if kind == TASK_GATE {
            return self.deliver_to_task(event, gate.selector());
        }
        let size = if kind & IS_32_BIT == 0 { 2 } else { 4 };
        let code = self.find_gate_code(gate.selector(), true)?;
        let from_8086 = event.flags.contains(Rflags::VM);
        let is_inner = !code.is_conforming() && code.dpl() < self.state.cpl;
        if from_8086 && (!is_inner || code.dpl() != 0) {
            return Err(self.raise(Exception::GeneralProtection(code.code())));
        }
        let cpl = if is_inner { code.dpl() } else { self.state.cpl };
        let rip = if size == 2 {
            gate.offset() & 0xffff
        } else {
            gate.offset()
        };
        let stack = self.interrupt_frame(event, code, is_inner, size)?;
        self.mark_accessed(code)?;
        self.check_code_offset(code.attributes(), code.descriptor.limit(), rip)?;
        self.enter_stack(&stack);
        if from_8086 {
            self.drop_8086_segments();
        }
        self.clear_handler_flags(kind & IS_TRAP == 0);
        self.enter_code(code.segment(cpl), cpl, rip);
        Ok(())
    }

    /// The checks on an interrupt-table entry: type, privilege, presence.
    pub(super) fn check_interrupt_gate(
        &mut self,
        event: &Event,
        gate: Gate,
        kinds: &[u8],
    ) -> Result<(), Exit> {
        let attributes = gate.0.attributes();
        let has_kind =
            !attributes.contains(Attributes::CODE_OR_DATA) && kinds.contains(&attributes.kind());
        let forbidden = event.is_software() && attributes.dpl() < self.state.cpl;
        if !has_kind || forbidden {
            return Err(self.raise(Exception::GeneralProtection(event.gate_code())));
        }
        if !attributes.contains(Attributes::PRESENT) {
            return Err(self.raise(Exception::SegmentNotPresent(event.gate_code())));
        }
        Ok(())
    }

    /// Pushes what the handler finds: the stack it starts with.
    fn interrupt_frame(
        &mut self,
        event: &Event,
        code: Entry,
        is_inner: bool,
        size: u8,
    ) -> Result<Stack, Exit> {
        let mut stack = if is_inner {
            self.inner_stack(code.dpl())?
        } else {
            self.current_stack()
        };
        let selector = |cpu: &Self, register| u64::from(cpu.state.segment(register).selector);
        if event.flags.contains(Rflags::VM) {
            let registers = [
                SegmentRegister::Gs,
                SegmentRegister::Fs,
                SegmentRegister::Ds,
                SegmentRegister::Es,
            ];
            for register in registers {
                let value = selector(self, register);
                self.push_to(&mut stack, size, value)?;
            }
        }
        if is_inner {
            let value = selector(self, SegmentRegister::Ss);
            self.push_to(&mut stack, size, value)?;
            let value = self.state.gpr(Gpr::Rsp);
            self.push_to(&mut stack, size, value)?;
        }
        self.push_to(&mut stack, size, event.flags.bits())?;
        let value = selector(self, SegmentRegister::Cs);
        self.push_to(&mut stack, size, value)?;
        self.push_to(&mut stack, size, event.return_rip)?;
        if let Some(code) = event.error_code {
            self.push_to(&mut stack, size, u64::from(code))?;
        }
        Ok(stack)
    }

    /// Virtual-8086 selectors mean nothing to a protected-mode handler.
    fn drop_8086_segments(&mut self) {
        let registers = [
            SegmentRegister::Es,
            SegmentRegister::Ds,
            SegmentRegister::Fs,
            SegmentRegister::Gs,
        ];
        for register in registers {
            self.state.segments[register as usize] = null_segment(0);
        }
    }

    /// A task gate: the handler is another task (SDM 3A, 6.12.2).
    fn deliver_to_task(&mut self, event: &Event, selector: u16) -> Result<(), Exit> {
        let tss = self.find_task(selector)?;
        let entrance = Entrance::Event {
            error_code: event.error_code,
        };
        match self.switch_task(tss, entrance, event.return_rip, event.flags)? {
            // INT n is done, and the fault is the new task's.
            Some(fault) if event.is_software() => {
                self.deliver_exception(fault);
                Ok(())
            }
            Some(fault) => Err(self.raise(fault)),
            None => Ok(()),
        }
    }
}
