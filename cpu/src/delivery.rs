//! Delivery of exceptions and interrupts (SDM 3A, chapter 6).
//!
//! An [`Event`] goes through the interrupt table of the mode the processor is in.
//! Nothing of the state changes before all checks and pushes have succeeded, so a
//! fault on the way finds the interrupted program as it was.

mod long;
mod protected;
mod real;
#[cfg(test)]
mod tests;

use crate::Cpu;
use crate::control::DR7_GENERAL_DETECT;
use crate::exception::{Exception, Exit, Severity};
use crate::rflags::{Cr0, Dr6, Rflags};
use crate::state::{Activity, InterruptShadow};

pub(crate) use protected::Gate;

/// What is being delivered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    /// Which entry of the interrupt table.
    pub(crate) vector: u8,
    /// Where it comes from.
    pub(crate) source: Source,
    /// What is pushed last, if anything.
    pub(crate) error_code: Option<u32>,
    /// Where the handler returns to.
    pub(crate) return_rip: u64,
    /// The RFLAGS that the handler finds on its stack.
    pub(crate) flags: Rflags,
}

/// Where an event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// An exception, an interrupt or INT1: nothing the program could forbid itself.
    Hardware,
    /// INT3 or INTO: the gate's DPL counts.
    Trap,
    /// INT n: likewise, and IOPL in virtual-8086 mode.
    Int,
}

impl Event {
    /// Whether the program asked for it by an instruction that may be forbidden.
    const fn is_software(&self) -> bool {
        !matches!(self.source, Source::Hardware)
    }

    /// What error codes of faults on the way say (SDM 3A, 6.13).
    const fn external(&self) -> u16 {
        !self.is_software() as u16
    }

    /// The error code of a fault that is the gate's: IDT bit set.
    const fn gate_code(&self) -> u16 {
        (self.vector as u16) << 3 | 2
    }
}

impl Cpu {
    /// Delivers an exception at the state's RIP: the faulting instruction, or the
    /// next one for traps. What cannot be delivered ends in a double fault, then
    /// in [`Activity::Shutdown`] (SDM 3A, 6.15).
    pub fn deliver_exception(&mut self, exception: Exception) {
        let mut current = exception;
        self.note_exception(current);
        loop {
            let event = self.exception_event(current);
            if self.deliver(&event).is_ok() {
                self.count_exception(current.vector());
                return;
            }
            let Some(next) = self.next_fault(current.severity()) else {
                return;
            };
            current = next;
        }
    }

    /// Delivers an external interrupt.
    pub fn deliver_interrupt(&mut self, vector: u8) {
        let event = Event {
            vector,
            source: Source::Hardware,
            error_code: None,
            return_rip: self.state.rip,
            flags: self.state.rflags(),
        };
        if self.deliver(&event).is_err()
            && let Some(fault) = self.next_fault(Severity::Benign)
        {
            self.deliver_exception(fault);
        }
    }

    /// Delivers a non-maskable interrupt.
    pub fn deliver_nmi(&mut self) {
        self.deliver_interrupt(2);
    }

    /// Delivers what INT n, INT3, INTO or INT1 ask for.
    ///
    /// # Errors
    /// When the interrupt table does not allow it; nothing has changed.
    pub(crate) fn software_interrupt(
        &mut self,
        vector: u8,
        source: Source,
        return_rip: u64,
    ) -> Result<(), Exit> {
        let mut flags = self.state.rflags();
        flags.remove(Rflags::RF);
        let event = Event {
            vector,
            source,
            error_code: None,
            return_rip,
            flags,
        };
        self.deliver(&event)?;
        if source != Source::Int {
            self.count_exception(vector);
        }
        // The handler began with TF clear; the trap of the INT itself is lost.
        self.single_step_suppressed = flags.contains(Rflags::TF);
        Ok(())
    }

    /// What an exception leaves in CR2, DR6 and DR7 even if it is not delivered.
    pub(crate) fn note_exception(&mut self, exception: Exception) {
        match exception {
            Exception::PageFault(fault) => self.state.cr2 = fault.address.0,
            Exception::Debug { status } => {
                // B0 to B3 say what is true now; the others are only ever set.
                let breakpoints = Dr6::B0 | Dr6::B1 | Dr6::B2 | Dr6::B3;
                self.state.dr[6] = self.state.dr[6] & !breakpoints.bits() | status;
                self.state.dr[7] &= !DR7_GENERAL_DETECT;
            }
            _ => {}
        }
    }

    fn exception_event(&self, exception: Exception) -> Event {
        let mut flags = self.state.rflags();
        if sets_resume_flag(exception) {
            flags.insert(Rflags::RF);
        }
        Event {
            vector: exception.vector(),
            source: Source::Hardware,
            error_code: exception.error_code(),
            return_rip: self.state.rip,
            flags,
        }
    }

    /// What follows when the delivery of something met another fault (SDM 3A,
    /// table 6-5): none after a triple fault.
    fn next_fault(&mut self, first: Severity) -> Option<Exception> {
        let second = self.exception.take()?;
        self.note_exception(second);
        let escalates = match first {
            Severity::Benign => false,
            Severity::Contributory => second.severity() == Severity::Contributory,
            Severity::PageFault | Severity::DoubleFault => matches!(
                second.severity(),
                Severity::Contributory | Severity::PageFault
            ),
        };
        if !escalates {
            return Some(second);
        }
        if first == Severity::DoubleFault {
            self.state.activity = Activity::Shutdown;
            self.request_attention();
            return None;
        }
        Some(Exception::DoubleFault)
    }

    /// Delivers an event, or says what fault kept it from being delivered.
    fn deliver(&mut self, event: &Event) -> Result<(), Exit> {
        self.state.interrupt_shadow = InterruptShadow::None;
        let delivered = if self.state.cr0 & Cr0::PE.bits() == 0 {
            self.deliver_real(event)
        } else if self.long_mode_active() {
            self.deliver_long(event)
        } else if self.is_virtual_8086() && event.source == Source::Int {
            self.deliver_from_virtual_8086(event)
        } else {
            self.deliver_protected(event)
        };
        if delivered.is_err() && event.external() != 0 {
            self.exception = self.exception.map(caused_externally);
        }
        delivered
    }

    /// Turns off what a handler does not inherit (SDM 3A, 6.12.1.2 and 6.12.1.3).
    fn clear_handler_flags(&mut self, is_interrupt_gate: bool) {
        let flags = &mut self.state.system_flags;
        flags.remove(Rflags::TF | Rflags::NT | Rflags::RF | Rflags::VM);
        if is_interrupt_gate {
            flags.remove(Rflags::IF);
        }
    }

    fn count_exception(&mut self, vector: u8) {
        if let Some(count) = self.statistics.exceptions.get_mut(usize::from(vector)) {
            *count += 1;
        }
    }
}

/// Sets EXT in the error code, if there is one.
const fn caused_externally(exception: Exception) -> Exception {
    match exception {
        Exception::InvalidTss(code) => Exception::InvalidTss(code | 1),
        Exception::SegmentNotPresent(code) => Exception::SegmentNotPresent(code | 1),
        Exception::StackFault(code) => Exception::StackFault(code | 1),
        Exception::GeneralProtection(code) => Exception::GeneralProtection(code | 1),
        other => other,
    }
}

/// Faults are restarted past their instruction breakpoint (SDM 3B, 18.3.1.1).
const fn sets_resume_flag(exception: Exception) -> bool {
    match exception {
        Exception::Debug { status } => status & Dr6::BD.bits() != 0,
        Exception::Breakpoint | Exception::Overflow | Exception::DoubleFault => false,
        _ => true,
    }
}
