//! The register by which a guest without ACPI switches the machine off.
//!
//! Follows the convention of Bochs: the letters `Shutdown`, written one after
//! the other to register 0, switch the machine off. Anything else starts over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers, byte_of_read, byte_of_write};
use crate::snapshot::{RestoreError, State};

const WORD: &[u8] = b"Shutdown";
const VERSION: u32 = 1;

/// The guest's request to be switched off. Clones are the same request.
#[derive(Clone, Debug, Default)]
pub struct PowerOffRequest {
    requested: Arc<AtomicBool>,
}

impl PowerOffRequest {
    /// Whether it is asked for and not taken.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.requested.load(Ordering::Acquire)
    }

    /// Asks for it.
    pub(crate) fn request(&self) {
        self.requested.store(true, Ordering::Release);
    }

    /// Whether it was asked for since the last call.
    #[must_use]
    pub fn take(&self) -> bool {
        self.requested.swap(false, Ordering::AcqRel)
    }
}

/// The power-off register.
#[derive(Debug)]
pub struct PowerOff {
    request: PowerOffRequest,
    /// How many letters of the word have come.
    letters: u8,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    letters: u8,
}

impl PowerOff {
    /// A register that announces through `request`.
    #[must_use]
    pub const fn new(request: PowerOffRequest) -> Self {
        Self {
            request,
            letters: 0,
        }
    }
}

impl Device for PowerOff {
    fn name(&self) -> &'static str {
        "power-off"
    }

    fn reset(&mut self) {
        self.letters = 0;
    }

    fn save(&self) -> State {
        let Self {
            request: _,
            letters,
        } = self;
        State::encode(VERSION, &SavedV1 { letters: *letters })
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let SavedV1 { letters } = state.decode(self.name(), VERSION)?;
        self.letters = letters.min(WORD.len() as u8 - 1);
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }
}

impl Registers for PowerOff {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        *byte_of_read(register, bytes)? = 0xff;
        Ok(())
    }

    fn write(
        &mut self,
        register: u64,
        bytes: &[u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        let letter = byte_of_write(register, bytes)?;
        if WORD[usize::from(self.letters)] != letter {
            self.letters = u8::from(letter == WORD[0]);
            return Ok(());
        }
        self.letters += 1;
        if usize::from(self.letters) == WORD.len() {
            self.letters = 0;
            self.request.request();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{PowerOff, PowerOffRequest};
    use crate::device::{Context, Registers};
    use crate::dma::NoMemory;
    use crate::time::Time;

    fn type_word(word: &[u8]) -> bool {
        let request = PowerOffRequest::default();
        let mut chip = PowerOff::new(request.clone());
        let mut memory = NoMemory;
        let mut cx = Context {
            now: Time::ZERO,
            memory: &mut memory,
        };
        for &letter in word {
            chip.write(0, &[letter], &mut cx).unwrap();
        }
        request.take()
    }

    #[test]
    fn only_the_whole_word_switches_off() {
        assert!(type_word(b"Shutdown"));
        assert!(type_word(b"ShutSShutdown"));
        assert!(!type_word(b"Shutdow"));
        assert!(!type_word(b"shutdown"));
    }
}
