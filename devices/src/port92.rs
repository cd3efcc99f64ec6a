//! System control port A, port 92h: fast A20 and fast reset.
//!
//! IBM PS/2 Model 50/60 Technical Reference, "System Control Port A"; Intel
//! PIIX3 datasheet, "P92: Port 92 Register". Register 0 is the port. Its A20
//! bit is the gate's state, whoever has set that.

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers, byte_of_read, byte_of_write};
use crate::snapshot::{RestoreError, State};
use crate::system_control::{ResetKind, SystemLines};

bitflags! {
    /// The port's bits.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Bits: u8 {
        /// A change from 0 to 1 resets the processor.
        const FAST_RESET = 1 << 0;
        /// Passes address line 20 on.
        const FAST_A20 = 1 << 1;
        /// Bits that merely keep what is written.
        const KEPT = 0b1111_1100;
    }
}

/// System control port A.
#[derive(Debug)]
pub struct Port92 {
    system: SystemLines,
    bits: Bits,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    bits: u8,
}

impl Port92 {
    /// A port that drives `system`, with reset not asserted and A20 left as it is.
    #[must_use]
    pub fn new(system: SystemLines) -> Self {
        let mut port = Self {
            system,
            bits: Bits::empty(),
        };
        port.reset();
        port
    }

    fn set(&mut self, bits: Bits) {
        self.bits = bits - Bits::FAST_A20;
        self.system.set_a20(bits.contains(Bits::FAST_A20));
    }

    fn visible(&self) -> Bits {
        let mut bits = self.bits;
        bits.set(Bits::FAST_A20, self.system.a20());
        bits
    }
}

impl Device for Port92 {
    fn name(&self) -> &'static str {
        "port92"
    }

    fn reset(&mut self) {
        self.bits = Bits::empty();
    }

    fn save(&self) -> State {
        let Self { system: _, bits: _ } = self;
        let bits = self.visible().bits();
        State::encode(1, &SavedV1 { bits })
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let SavedV1 { bits } = state.decode(self.name(), 1)?;
        self.set(Bits::from_bits_retain(bits));
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }
}

impl Registers for Port92 {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        let byte = byte_of_read(register, bytes)?;
        match register {
            0 => *byte = self.visible().bits(),
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
        self.set(Bits::from_bits_retain(byte));
        if (self.bits - before).contains(Bits::FAST_RESET) {
            self.system.request_reset(ResetKind::Processor);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Port92;
    use crate::conformance::Probe;
    use crate::system_control::{ResetKind, SystemLines};

    #[test]
    fn bit_1_opens_a20_and_reads_back() {
        let system = SystemLines::new();
        let mut port = Port92::new(system.clone());
        let mut probe = Probe::new(&mut port);
        probe.write(0, 2);
        assert!(system.a20());
        assert_eq!(probe.read(0), 2);
        probe.write(0, 0);
        assert!(!system.a20());
        system.set_a20(true);
        assert_eq!(probe.read(0), 2, "it was opened by another chip");
    }

    #[test]
    fn only_a_rising_bit_0_resets() {
        let system = SystemLines::new();
        let mut port = Port92::new(system.clone());
        let mut probe = Probe::new(&mut port);
        probe.write(0, 1);
        assert_eq!(system.take_reset_request(), Some(ResetKind::Processor));
        probe.write(0, 1);
        assert_eq!(system.take_reset_request(), None);
    }
}
