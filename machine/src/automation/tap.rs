//! What the serial ports have sent, for those who wait for it, and what the first of them is to receive.

use std::collections::VecDeque;
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
    /// Consoles that are listened to.
    consoles: usize,
    /// What the first of them has still to read.
    to_read: VecDeque<u8>,
}

/// A console that is listened to.
struct Tapped {
    console: Box<dyn Console>,
    tap: SerialTap,
    /// It is the one that [`SerialTap::send`] sends to.
    is_first: bool,
}

impl SerialTap {
    /// Listens to a console.
    #[must_use]
    pub fn listen(&self, console: Box<dyn Console>) -> Box<dyn Console> {
        let consoles = &mut self.lock().consoles;
        *consoles += 1;
        Box::new(Tapped {
            console,
            tap: self.clone(),
            is_first: *consoles == 1,
        })
    }

    /// Gives a text to the first serial port, as a terminal does: its return key is a carriage return.
    pub(super) fn send(&self, text: &str) {
        let text = text.replace('\n', "\r");
        self.lock().to_read.extend(text.bytes());
    }

    /// Whether the port has not read all that was sent to it. Never, if there is none.
    pub(super) fn is_sending(&self) -> bool {
        let heard = self.lock();
        heard.consoles > 0 && !heard.to_read.is_empty()
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
        let sent = if self.is_first {
            self.tap.lock().to_read.pop_front()
        } else {
            None
        };
        sent.or_else(|| self.console.read())
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
    fn the_first_port_reads_what_is_sent() {
        let tap = SerialTap::default();
        tap.send("early\n");
        assert!(!tap.is_sending(), "there is no port yet");
        let tap = SerialTap::default();
        let under = MemoryConsole::new();
        let mut first = tap.listen(Box::new(under.clone()));
        let mut second = tap.listen(Box::new(MemoryConsole::new()));
        tap.send("a\n");
        under.type_bytes(b"b");
        assert!(tap.is_sending());
        assert_eq!(second.read(), None);
        let read: Vec<u8> = std::iter::from_fn(|| first.read()).collect();
        assert_eq!(read, b"a\rb");
        assert!(!tap.is_sending());
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
