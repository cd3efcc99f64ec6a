//! The debug console: ports 402h and E9h, a byte sink for guests without drivers.
//!
//! Follows the Bochs and QEMU convention: a write is output, a read returns
//! E9h, by which a guest recognises the port. Register 0 is the port.

use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers};
use crate::host_end::ByteSink;
use crate::snapshot::{RestoreError, State};

/// What a read returns.
const SIGNATURE: u8 = 0xe9;

/// The debug console.
pub struct DebugConsole {
    sink: Box<dyn ByteSink>,
}

/// It has no state of its own.
#[derive(Serialize, Deserialize)]
struct SavedV1 {}

impl DebugConsole {
    /// A console that writes to `sink`.
    #[must_use]
    pub fn new(sink: Box<dyn ByteSink>) -> Self {
        Self { sink }
    }
}

impl Device for DebugConsole {
    fn name(&self) -> &'static str {
        "debug-console"
    }

    fn reset(&mut self) {}

    fn save(&self) -> State {
        let Self { sink: _ } = self;
        State::encode(1, &SavedV1 {})
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let SavedV1 {} = state.decode(self.name(), 1)?;
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }
}

impl Registers for DebugConsole {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        if register != 0 {
            return Err(BusError::NoRegister(register));
        }
        bytes.fill(SIGNATURE);
        Ok(())
    }

    fn write(
        &mut self,
        register: u64,
        bytes: &[u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        if register != 0 {
            return Err(BusError::NoRegister(register));
        }
        // A wide or string write is its bytes, in order.
        self.sink.write(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::DebugConsole;
    use crate::conformance::Probe;
    use crate::host_end::MemoryConsole;

    #[test]
    fn writes_come_out_and_reads_identify_the_port() {
        let sink = MemoryConsole::new();
        let mut console = DebugConsole::new(Box::new(sink.clone()));
        let mut probe = Probe::new(&mut console);
        probe.write(0, b'h');
        probe.write_bytes(0, b"ello").unwrap();
        assert_eq!(sink.output(), b"hello");
        assert_eq!(probe.read(0), 0xe9);
    }
}
