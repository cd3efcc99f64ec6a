//! What a PC makes of the processor's FERR#: IRQ 13, and IGNNE# while the handler clears up.
//!
//! Intel PIIX3 datasheet, "FERR#", "IGNNE#" and "Coprocessor Error Register" (port F0h). Register 0
//! is the port: a write, of whatever, takes the interrupt back, and asserts IGNNE# for
//! as long as FERR# is.

use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers, byte_of_read, byte_of_write};
use crate::irq_line::IrqLine;
use crate::snapshot::{RestoreError, State};

/// The logic between the processor's error pins and the interrupt controllers.
#[derive(Debug)]
pub struct NumericError {
    interrupt: IrqLine,
    levels: Levels,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Levels {
    ferr: bool,
    ignne: bool,
    interrupt: bool,
}

impl NumericError {
    /// With no error signalled.
    #[must_use]
    pub fn new(interrupt: IrqLine) -> Self {
        Self {
            interrupt,
            levels: Levels::default(),
        }
    }

    /// The processor drives FERR#. The level of IGNNE#.
    pub fn set_ferr(&mut self, is_asserted: bool) -> bool {
        let mut levels = self.levels;
        levels.interrupt |= is_asserted && !levels.ferr;
        levels.ferr = is_asserted;
        levels.ignne &= is_asserted;
        self.set(levels);
        levels.ignne
    }

    fn set(&mut self, levels: Levels) {
        self.levels = levels;
        self.interrupt.set(levels.interrupt);
    }
}

impl Device for NumericError {
    fn name(&self) -> &'static str {
        "numeric error"
    }

    fn reset(&mut self) {
        self.set(Levels::default());
    }

    fn save(&self) -> State {
        let Self {
            interrupt: _,
            levels,
        } = self;
        State::encode(1, levels)
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let levels = state.decode(self.name(), 1)?;
        self.set(levels);
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }
}

impl Registers for NumericError {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        byte_of_read(register, bytes)?;
        Err(BusError::NoRegister(register))
    }

    fn write(
        &mut self,
        register: u64,
        bytes: &[u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        byte_of_write(register, bytes)?;
        if register != 0 {
            return Err(BusError::NoRegister(register));
        }
        self.set(Levels {
            interrupt: false,
            ignne: self.levels.ferr,
            ..self.levels
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::NumericError;
    use crate::conformance::Probe;
    use crate::irq_line::{IrqLine, IrqLines};

    #[test]
    fn an_error_interrupts_until_the_port_is_written_and_is_ignored_until_it_is_gone() {
        let lines = IrqLines::new();
        let mut logic = NumericError::new(IrqLine::new(&lines, 13));
        assert!(!logic.set_ferr(true));
        assert_eq!(lines.levels(), 1 << 13);
        Probe::new(&mut logic).write(0, 0);
        assert_eq!(lines.levels(), 0);
        assert!(logic.set_ferr(true), "the same error");
        assert_eq!(lines.levels(), 0);
        assert!(!logic.set_ferr(false));
        assert!(!logic.set_ferr(true), "another");
        assert_eq!(lines.levels(), 1 << 13);
    }

    #[test]
    fn without_an_error_the_port_ignores_none() {
        let lines = IrqLines::new();
        let mut logic = NumericError::new(IrqLine::new(&lines, 13));
        Probe::new(&mut logic).write(0, 0);
        assert!(!logic.set_ferr(true));
    }
}
