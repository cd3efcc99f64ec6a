//! Delivery in long mode (SDM 3A, 6.14).

use super::Event;
use super::protected::{Gate, IS_TRAP};
use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::segment::load::Entry;
use crate::segment::stack::Stack;
use crate::segment::{Descriptor, SegmentRegister};
use crate::state::Gpr;

/// Where the 64-bit TSS has its interrupt stack table, less one entry.
const STACK_TABLE: u32 = 0x1c;

impl Cpu {
    pub(super) fn deliver_long(&mut self, event: &Event) -> Result<(), Exit> {
        let offset = u32::from(event.vector) * 16;
        if offset + 15 > u32::from(self.state.idtr.limit) {
            return Err(self.raise(Exception::GeneralProtection(event.gate_code())));
        }
        let address = self.state.idtr.base.wrapping_add(u64::from(offset));
        let gate = Gate(Descriptor(self.system_load::<u64>(address)?));
        let upper = self.system_load::<u64>(address.wrapping_add(8))?;
        self.check_interrupt_gate(event, gate, &[14, 15])?;
        let code = self.find_gate_code(gate.selector(), true)?;
        let is_inner = !code.is_conforming() && code.dpl() < self.state.cpl;
        let cpl = if is_inner { code.dpl() } else { self.state.cpl };
        let stack = self.interrupt_frame_64(event, gate, code, is_inner)?;
        self.mark_accessed(code)?;
        let rip = gate.offset() | upper << 32;
        self.check_code_offset(code.attributes(), code.descriptor.limit(), rip)?;
        self.enter_stack(&stack);
        self.clear_handler_flags(gate.0.attributes().kind() & IS_TRAP == 0);
        self.enter_code(code.segment(cpl), cpl, rip);
        Ok(())
    }

    /// Pushes what the handler finds, SS and RSP always (SDM 3A, 6.14.2 to 6.14.5).
    fn interrupt_frame_64(
        &mut self,
        event: &Event,
        gate: Gate,
        code: Entry,
        is_inner: bool,
    ) -> Result<Stack, Exit> {
        let mut stack = if is_inner {
            match gate.stack_table_index() {
                0 => self.inner_stack_64(code.dpl())?,
                index => Stack {
                    pointer: self.tss_pointer(STACK_TABLE + 8 * index)?,
                    ..Stack::null(code.dpl())
                },
            }
        } else {
            let current = self.current_stack();
            match gate.stack_table_index() {
                0 => current,
                index => Stack {
                    pointer: self.tss_pointer(STACK_TABLE + 8 * index)?,
                    ..current
                },
            }
        };
        stack.bits = 64;
        stack.pointer &= !15;
        let old_stack = u64::from(self.state.segment(SegmentRegister::Ss).selector);
        let old_code = u64::from(self.state.segment(SegmentRegister::Cs).selector);
        self.push_to(&mut stack, 8, old_stack)?;
        self.push_to(&mut stack, 8, self.state.gpr(Gpr::Rsp))?;
        self.push_to(&mut stack, 8, event.flags.bits())?;
        self.push_to(&mut stack, 8, old_code)?;
        self.push_to(&mut stack, 8, event.return_rip)?;
        if let Some(code) = event.error_code {
            self.push_to(&mut stack, 8, u64::from(code))?;
        }
        Ok(stack)
    }
}
