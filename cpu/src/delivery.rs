//! Delivery of exceptions and interrupts (SDM 3A, chapter 6).

use crate::Cpu;
use crate::exception::Exception;

impl Cpu {
    /// Delivers an exception at the state's RIP.
    pub fn deliver_exception(&mut self, _exception: Exception) {}
    /// Delivers an external interrupt.
    pub fn deliver_interrupt(&mut self, _vector: u8) {}
    /// Delivers a non-maskable interrupt.
    pub fn deliver_nmi(&mut self) {}
}
