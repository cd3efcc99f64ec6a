//! The register by which a test guest ends the run with a status.
//!
//! Follows QEMU's `isa-debug-exit`: writing `v` ends the run with exit status
//! `(v << 1) | 1`, so status 0 cannot be reached by accident. Registers 0 to 3
//! are the four ports it decodes; each takes 1, 2 or 4 bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers};
use crate::snapshot::{RestoreError, State};

/// Marks the word of an [`ExitRequest`] as holding a status.
const REQUESTED: u64 = 1 << 32;

/// The guest's request to end the run. Clones are the same request.
#[derive(Clone, Debug, Default)]
pub struct ExitRequest {
    word: Arc<AtomicU64>,
}

impl ExitRequest {
    /// No request yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a status was asked for and not taken.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.word.load(Ordering::Acquire) != 0
    }

    /// The exit status asked for, if one was since the last call.
    #[must_use]
    pub fn take(&self) -> Option<u32> {
        if self.word.load(Ordering::Acquire) == 0 {
            return None;
        }
        match self.word.swap(0, Ordering::AcqRel) {
            0 => None,
            word => Some((word & u64::from(u32::MAX)) as u32),
        }
    }

    fn request(&self, status: u32) {
        self.word
            .store(REQUESTED | u64::from(status), Ordering::Release);
    }
}

/// The debug exit register.
#[derive(Debug)]
pub struct DebugExit {
    exit: ExitRequest,
}

/// It has no state of its own.
#[derive(Serialize, Deserialize)]
struct SavedV1 {}

impl DebugExit {
    /// A register that reports to `exit`.
    #[must_use]
    pub const fn new(exit: ExitRequest) -> Self {
        Self { exit }
    }
}

impl Device for DebugExit {
    fn name(&self) -> &'static str {
        "debug-exit"
    }

    fn reset(&mut self) {}

    fn save(&self) -> State {
        let Self { exit: _ } = self;
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

impl Registers for DebugExit {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        if register > 3 {
            return Err(BusError::NoRegister(register));
        }
        bytes.fill(0);
        Ok(())
    }

    fn write(
        &mut self,
        register: u64,
        bytes: &[u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        if register > 3 {
            return Err(BusError::NoRegister(register));
        }
        let value = match *bytes {
            [a] => u32::from(a),
            [a, b] => u32::from(u16::from_le_bytes([a, b])),
            [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
            _ => {
                return Err(BusError::BadWidth {
                    register,
                    bytes: bytes.len(),
                });
            }
        };
        self.exit.request((value << 1) | 1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{DebugExit, ExitRequest};
    use crate::conformance::Probe;

    #[test]
    fn a_write_asks_for_twice_the_value_plus_one() {
        let exit = ExitRequest::new();
        let mut register = DebugExit::new(exit.clone());
        let mut probe = Probe::new(&mut register);
        assert_eq!(exit.take(), None);
        probe.write(0, 0);
        assert_eq!(exit.take(), Some(1));
        probe.write_bytes(0, &[0x10, 0, 0, 0]).unwrap();
        assert_eq!(exit.take(), Some(0x21));
        assert_eq!(exit.take(), None);
        assert!(probe.write_bytes(0, &[1, 2, 3]).is_err());
    }
}
