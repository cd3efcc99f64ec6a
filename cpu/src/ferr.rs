//! x87 errors as the board reports them while CR0.NE is clear: FERR# and IGNNE# (SDM 1, 8.7.2 and D.2.1).
//!
//! The board answers FERR# with an interrupt, on a PC with IRQ 13. A waiting instruction that finds an
//! error freezes the processor before it until that comes, or goes on if IGNNE# is asserted,
//! as it is from the handler's write to port F0h until the error is gone.

use crate::Cpu;
use crate::exception::Exit;
use crate::rflags::Cr0;
use crate::state::Activity;

impl Cpu {
    /// The level of the FERR# pin: an unmasked x87 exception is pending, and CR0.NE says
    /// that the board reports it.
    #[must_use]
    pub const fn ferr(&self) -> bool {
        self.state.fpu.is_pending() && self.state.cr0 & Cr0::NE.bits() == 0
    }

    /// What a waiting instruction does while FERR# is asserted. The instruction is begun again
    /// after the interrupt.
    #[cold]
    pub(crate) fn wait_for_board(&mut self) -> Result<(), Exit> {
        if self.platform.numeric_error(true) {
            return Ok(());
        }
        self.watched = None;
        self.state.activity = Activity::Halted;
        self.request_attention();
        Err(Exit::Again)
    }

    /// Does something after which the error may be gone, and says so to the board.
    #[inline]
    pub(crate) fn with_ferr<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        let was_signalled = self.ferr();
        let result = act(self);
        if was_signalled && !self.ferr() {
            self.platform.numeric_error(false);
        }
        result
    }
}

#[cfg(test)]
mod tests;
