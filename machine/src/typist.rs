//! Keys on their way to the keyboard, at a pace that guests keep up with.
//!
//! The next key goes down only when the guest has read what the keyboard sent
//! before. Typed text comes no faster than a BIOS empties its buffer.

use std::collections::VecDeque;

use rax_devices::{I8042, Time};

use crate::keys::KeyEvent;

/// Between two events of typed text: 125 keys a second.
const TYPING_NS: u64 = 4_000_000;
/// Between two looks at a keyboard that the guest does not read.
const RETRY_NS: u64 = 1_000_000;
/// Keys of a person that wait at most; a guest that reads none shall not be flooded later.
const LIVE_LIMIT: usize = 128;

/// Who types, and what is still to be typed.
#[derive(Debug, Default)]
pub(crate) struct Typist {
    waiting: VecDeque<Waiting>,
    /// When the next event is due.
    due: Time,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    event: KeyEvent,
    /// How long the next event waits.
    pause_ns: u64,
}

impl Typist {
    /// Adds keys that are pressed one after the other.
    pub(crate) fn type_keys(&mut self, events: &[KeyEvent]) {
        let pause_ns = TYPING_NS;
        let waiting = events.iter().map(|&event| Waiting { event, pause_ns });
        self.waiting.extend(waiting);
    }

    /// Adds an event of somebody who sits at the keyboard.
    pub(crate) fn press(&mut self, event: KeyEvent) {
        if self.waiting.len() < LIVE_LIMIT || !event.is_down {
            self.waiting.push_back(Waiting { event, pause_ns: 0 });
        }
    }

    /// Drops all that waits. Whether a key of it was pressed.
    pub(crate) fn drop_keys(&mut self) -> bool {
        let is_pressed = self.waiting.iter().any(|key| key.event.is_down);
        self.waiting.clear();
        is_pressed
    }

    /// Whether there is something still to be typed.
    pub(crate) fn is_busy(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// When it acts next.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.is_busy().then_some(self.due)
    }

    /// Presses what is due.
    pub(crate) fn advance(&mut self, now: Time, keyboard: &mut I8042) {
        while self.is_busy() && self.due <= now {
            if !keyboard.is_idle() {
                self.due = now.after_ns(RETRY_NS);
                return;
            }
            if let Some(Waiting { event, pause_ns }) = self.waiting.pop_front() {
                // An idle keyboard has room for one key.
                keyboard.key(&event.codes());
                self.due = now.after_ns(pause_ns);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rax_devices::conformance::Probe;
    use rax_devices::{IrqLine, IrqLines, SystemLines};

    use super::*;
    use crate::keys::strokes_of_text;

    #[test]
    fn text_arrives_whole_and_no_faster_than_it_is_read() {
        let lines = IrqLines::new();
        let irq = |number| IrqLine::new(&lines, number);
        let mut keyboard = I8042::new(irq(1), irq(12), SystemLines::new());
        let mut typist = Typist::default();
        typist.type_keys(&strokes_of_text("hello, world").unwrap());
        let mut now = Time(0);
        let mut got = Vec::new();
        for _ in 0..100_000 {
            now = now.after_ns(500_000);
            typist.advance(now, &mut keyboard);
            let mut bench = Probe::new(&mut keyboard);
            bench.wait_until(now);
            // A slow guest: it looks only sometimes.
            if now.0.is_multiple_of(7_000_000) && bench.read(1) & 1 != 0 {
                got.push(bench.read(0));
            }
        }
        assert!(!typist.is_busy());
        // Set 1, as the controller translates: h, its release, e, and so on.
        assert_eq!(got[..4], [0x23, 0xa3, 0x12, 0x92]);
        assert_eq!(got.len(), 2 * "hello, world".len());
    }

    #[test]
    fn a_guest_that_never_reads_is_not_flooded() {
        let mut typist = Typist::default();
        let [down, up] = strokes_of_text("x").unwrap()[..] else {
            panic!("one key")
        };
        for _ in 0..1000 {
            typist.press(down);
        }
        typist.press(up);
        assert_eq!(typist.waiting.len(), LIVE_LIMIT + 1);
        assert_eq!(typist.waiting.back().unwrap().event, up);
    }
}
