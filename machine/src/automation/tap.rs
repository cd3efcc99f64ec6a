//! What the serial ports have sent, for those who wait for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rax_devices::Console;

use super::Pattern;

/// What is kept: nobody waits for what came before so many other bytes.
const KEPT: usize = 64 << 10;

/// Hears what serial ports send. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SerialTap(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    bytes: Vec<u8>,
    /// Something came since the last search that found nothing.
    is_new: bool,
}

/// A console that is listened to.
struct Tapped {
    console: Box<dyn Console>,
    tap: SerialTap,
}

impl SerialTap {
    /// Listens to a console.
    #[must_use]
    pub fn listen(&self, console: Box<dyn Console>) -> Box<dyn Console> {
        Box::new(Tapped {
            console,
            tap: self.clone(),
        })
    }

    /// Whether what came since the last match matches; what lies before its end is used up.
    pub(super) fn take_match(&self, pattern: &Pattern) -> bool {
        let mut heard = self.lock();
        if !heard.is_new {
            return false;
        }
        let text = String::from_utf8_lossy(&heard.bytes).replace('\r', "");
        let Some(end) = pattern.find_end(&text) else {
            heard.is_new = false;
            return false;
        };
        heard.bytes = text.as_bytes()[end..].to_vec();
        true
    }

    /// What was not found before may be found by another pattern.
    pub(super) fn look_again(&self) {
        self.lock().is_new = true;
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        // The bytes are sound after each statement, so a panic elsewhere does not spoil them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Console for Tapped {
    fn write(&mut self, bytes: &[u8]) {
        self.console.write(bytes);
        let mut heard = self.tap.lock();
        heard.bytes.extend_from_slice(bytes);
        heard.is_new = true;
        let length = heard.bytes.len();
        if length > 2 * KEPT {
            heard.bytes.drain(..length - KEPT);
        }
    }

    fn read(&mut self) -> Option<u8> {
        self.console.read()
    }
}

#[cfg(test)]
mod tests {
    use rax_devices::MemoryConsole;

    use super::*;

    #[test]
    fn a_match_uses_up_what_lies_before_its_end() {
        let tap = SerialTap::default();
        let under = MemoryConsole::new();
        let mut console = tap.listen(Box::new(under.clone()));
        let prompt = Pattern::new("^# ").unwrap();
        console.write(b"boot\r\n# ");
        assert!(tap.take_match(&prompt));
        assert!(!tap.take_match(&prompt));
        console.write(b"ls\r\nfile\r\n");
        assert!(!tap.take_match(&prompt));
        console.write(b"# ");
        assert!(tap.take_match(&prompt));
        assert_eq!(under.output(), b"boot\r\n# ls\r\nfile\r\n# ");
    }

    #[test]
    fn only_the_end_of_a_long_output_is_kept() {
        let tap = SerialTap::default();
        let mut console = tap.listen(Box::new(MemoryConsole::new()));
        console.write(b"early ");
        for _ in 0..200 {
            console.write(&[b'x'; 1000]);
        }
        console.write(b" late");
        assert!(tap.lock().bytes.len() <= 2 * KEPT);
        assert!(!tap.take_match(&Pattern::new("early").unwrap()));
        tap.look_again();
        assert!(tap.take_match(&Pattern::new("x late").unwrap()));
    }
}
