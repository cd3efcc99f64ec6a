//! Stacks that are pushed to before they become the current one (SDM 3A, 5.8.5,
//! 6.12.1 and 6.14.4).
//!
//! A transfer may still fault while it pushes, so SS, RSP and CPL change last.

use rax_mmu::{Access, AccessKind, LinearAddress, View};

use super::load::{error_code, is_null, null_segment};
use super::{Attributes, Segment, SegmentRegister};
use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::flags::mask;
use crate::mode::Mode;
use crate::rflags::{Cr4, Rflags};
use crate::state::Gpr;

/// A stack, current or about to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stack {
    /// What SS is to hold.
    pub(crate) segment: Segment,
    /// What RSP is to hold.
    pub(crate) pointer: u64,
    /// How much of RSP counts: 16, 32 or 64 bits.
    pub(crate) bits: u8,
    /// Whose rights the pushes have.
    pub(crate) cpl: u8,
    /// What #SS carries when there is no room.
    pub(crate) code: u16,
}

impl Stack {
    /// An empty stack as 64-bit code gets it with a change of privilege.
    pub(crate) const fn null(cpl: u8) -> Self {
        Self {
            segment: null_segment(cpl as u16),
            pointer: 0,
            bits: 64,
            cpl,
            code: 0,
        }
    }
}

impl Cpu {
    /// The stack in use.
    pub(crate) fn current_stack(&self) -> Stack {
        let bits = self.mode.stack_bits() as u8;
        let rsp = self.state.gpr(Gpr::Rsp);
        Stack {
            segment: *self.state.segment(SegmentRegister::Ss),
            pointer: if bits == 32 { rsp & 0xffff_ffff } else { rsp },
            bits,
            cpl: self.state.cpl,
            code: 0,
        }
    }

    /// The stack that the task-state segment has for an inner privilege level
    /// (SDM 3A, 5.8.5).
    ///
    /// # Errors
    /// #TS, #SS; #PF from the tables.
    pub(crate) fn inner_stack(&mut self, cpl: u8) -> Result<Stack, Exit> {
        let tss = self.state.tr;
        let is_32_bit = tss.attributes.kind() & 8 != 0;
        let (offset, last) = if is_32_bit {
            let offset = 4 + 8 * u32::from(cpl);
            (offset, offset + 5)
        } else {
            let offset = 2 + 4 * u32::from(cpl);
            (offset, offset + 3)
        };
        if !tss.is_usable() || last > tss.limit {
            return Err(self.raise(Exception::InvalidTss(error_code(tss.selector))));
        }
        let address = tss.base.wrapping_add(u64::from(offset));
        let (pointer, selector) = if is_32_bit {
            let pointer = self.system_load::<u32>(address)?;
            let selector = self.system_load::<u16>(address.wrapping_add(4))?;
            (u64::from(pointer), selector)
        } else {
            let pointer = self.system_load::<u16>(address)?;
            let selector = self.system_load::<u16>(address.wrapping_add(2))?;
            (u64::from(pointer), selector)
        };
        if is_null(selector) {
            return Err(self.raise(Exception::InvalidTss(0)));
        }
        let segment = self.checked_stack_segment(selector, cpl, Exception::InvalidTss)?;
        Ok(Stack {
            segment,
            pointer,
            bits: stack_bits(&segment),
            cpl,
            code: error_code(selector),
        })
    }

    /// The stack that the 64-bit task-state segment has for an inner privilege
    /// level: RSPn, and a null SS (SDM 3A, 6.14.2).
    ///
    /// # Errors
    /// #TS, #SS; #PF from the TSS.
    pub(crate) fn inner_stack_64(&mut self, cpl: u8) -> Result<Stack, Exit> {
        let pointer = self.tss_pointer(4 + 8 * u32::from(cpl))?;
        Ok(Stack {
            pointer,
            ..Stack::null(cpl)
        })
    }

    /// One of the stack pointers of the 64-bit task-state segment.
    ///
    /// # Errors
    /// #TS beyond its limit, #SS if the pointer is not canonical.
    pub(crate) fn tss_pointer(&mut self, offset: u32) -> Result<u64, Exit> {
        let tss = self.state.tr;
        if !tss.is_usable() || offset + 7 > tss.limit {
            return Err(self.raise(Exception::InvalidTss(error_code(tss.selector))));
        }
        let pointer = self.system_load::<u64>(tss.base.wrapping_add(u64::from(offset)))?;
        if self.is_canonical(pointer) {
            Ok(pointer)
        } else {
            Err(self.raise(Exception::StackFault(0)))
        }
    }

    /// Pushes two, four or eight bytes.
    ///
    /// # Errors
    /// #SS without room, #PF; `stack` is then good for nothing.
    pub(crate) fn push_to(&mut self, stack: &mut Stack, size: u8, value: u64) -> Result<(), Exit> {
        let used = mask(u32::from(stack.bits));
        let offset = stack.pointer.wrapping_sub(u64::from(size)) & used;
        stack.pointer = stack.pointer & !used | offset;
        let linear = if stack.bits == 64 {
            LinearAddress(offset)
        } else {
            let has_room = if self.mode.contains(Mode::REAL_STYLE) && stack.cpl == self.state.cpl {
                stack.segment.covers(offset as u32, u32::from(size))
            } else {
                stack.segment.permits(offset as u32, u32::from(size), true)
            };
            if !has_room {
                return Err(self.raise(Exception::StackFault(stack.code)));
            }
            LinearAddress(stack.segment.base.wrapping_add(offset) & 0xffff_ffff)
        };
        self.push_linear(stack.cpl, linear, size, value)
    }

    fn push_linear(
        &mut self,
        cpl: u8,
        linear: LinearAddress,
        size: u8,
        value: u64,
    ) -> Result<(), Exit> {
        let access = Access {
            kind: AccessKind::Write,
            user: cpl == 3,
            ac: cpl != 3
                && self.state.cr4 & Cr4::SMAP.bits() != 0
                && self.state.system_flags.contains(Rflags::AC),
        };
        let watched = matches!(self.view, View::Careful);
        let view = access.view();
        let stored = !watched
            && match size {
                2 => self.mmu.store::<u16>(view, linear, value as u16),
                4 => self.mmu.store::<u32>(view, linear, value as u32),
                _ => self.mmu.store::<u64>(view, linear, value),
            };
        if stored {
            return Ok(());
        }
        let bytes = value.to_le_bytes();
        let bytes = &bytes[..usize::from(size).min(8)];
        self.write_as(SegmentRegister::Ss, access, linear, bytes)
    }

    /// Makes a stack the current one, after all checks.
    pub(crate) fn enter_stack(&mut self, stack: &Stack) {
        self.state.segments[SegmentRegister::Ss as usize] = stack.segment;
        self.state.set_gpr(Gpr::Rsp, stack.pointer);
    }
}

/// How much of RSP a stack segment uses outside 64-bit mode.
pub(crate) const fn stack_bits(segment: &Segment) -> u8 {
    if segment.attributes.contains(Attributes::DEFAULT_BIG) {
        32
    } else {
        16
    }
}
