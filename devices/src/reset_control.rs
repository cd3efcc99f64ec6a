//! The reset control register, port CF9h.
//!
//! Intel PIIX3 datasheet, "RC: Reset Control Register", and the full-reset bit
//! of the ICH datasheets, "RST_CNT". Register 0 is the port.

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers, byte_of_read, byte_of_write};
use crate::snapshot::{RestoreError, State};
use crate::system_control::{ResetKind, SystemLines};

bitflags! {
    /// The register's bits.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Bits: u8 {
        /// Reset the system, not only the processor.
        const SYSTEM_RESET = 1 << 1;
        /// A change from 0 to 1 starts the reset.
        const RESET_CPU = 1 << 2;
        /// With `SYSTEM_RESET`: cycle the power.
        const FULL_RESET = 1 << 3;
    }
}

/// The reset control register.
#[derive(Debug)]
pub struct ResetControl {
    system: SystemLines,
    bits: Bits,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    bits: u8,
}

impl ResetControl {
    /// A register that asks `system` for resets.
    #[must_use]
    pub const fn new(system: SystemLines) -> Self {
        Self {
            system,
            bits: Bits::empty(),
        }
    }
}

impl Device for ResetControl {
    fn name(&self) -> &'static str {
        "reset-control"
    }

    fn reset(&mut self) {
        self.bits = Bits::empty();
    }

    fn save(&self) -> State {
        let Self { system: _, bits } = self;
        State::encode(1, &SavedV1 { bits: bits.bits() })
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let SavedV1 { bits } = state.decode(self.name(), 1)?;
        self.bits = Bits::from_bits_truncate(bits);
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }
}

impl Registers for ResetControl {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        let byte = byte_of_read(register, bytes)?;
        match register {
            0 => *byte = self.bits.bits(),
            _ => return Err(BusError::NoRegister(register)),
        }
        Ok(())
    }

    fn write(
        &mut self,
        register: u64,
        bytes: &[u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        let byte = byte_of_write(register, bytes)?;
        if register != 0 {
            return Err(BusError::NoRegister(register));
        }
        let before = self.bits;
        self.bits = Bits::from_bits_truncate(byte);
        if (self.bits - before).contains(Bits::RESET_CPU) {
            let kind = if !self.bits.contains(Bits::SYSTEM_RESET) {
                ResetKind::Processor
            } else if self.bits.contains(Bits::FULL_RESET) {
                ResetKind::PowerCycle
            } else {
                ResetKind::System
            };
            self.system.request_reset(kind);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::ResetControl;
    use crate::conformance::Probe;
    use crate::system_control::{ResetKind, SystemLines};

    fn after(writes: &[u8]) -> Option<ResetKind> {
        let system = SystemLines::new();
        let mut register = ResetControl::new(system.clone());
        let mut probe = Probe::new(&mut register);
        for &value in writes {
            probe.write(0, value);
        }
        system.take_reset_request()
    }

    #[test]
    fn two_then_six_resets_the_system() {
        assert_eq!(after(&[2]), None);
        assert_eq!(after(&[2, 6]), Some(ResetKind::System));
        assert_eq!(after(&[0xe]), Some(ResetKind::PowerCycle));
        assert_eq!(after(&[4]), Some(ResetKind::Processor));
    }
}
