//! What has come from the host and waits to be taken in by the run loop.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::HostError;
use crate::keys::KeyEvent;

/// Input is not read from the host while the guest has this many bytes still to read.
const INPUT_LIMIT: usize = 64 << 10;
/// Keys and movements that wait at most.
const GESTURE_LIMIT: usize = 4096;

/// Why the run shall end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quit {
    /// Ctrl-A X.
    Key,
    /// The window that showed the screen was closed.
    Window,
    /// A signal such as SIGINT or SIGTERM, or the console window was closed.
    Signal,
}

/// What somebody does at the machine's keyboard and mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gesture {
    /// A key goes down or up.
    Key(KeyEvent),
    /// The mouse moves, or its buttons change.
    Mouse(MouseMove),
}

/// A movement of the mouse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MouseMove {
    /// Counts to the right.
    pub right: i32,
    /// Counts up.
    pub up: i32,
    /// Notches of the wheel, towards the user.
    pub down: i32,
    /// Which buttons are down: bit 0 the left one, 1 the right, 2 the middle.
    pub buttons: u8,
}

/// What has arrived since the last look.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// Bytes for the console.
    pub input: Vec<u8>,
    /// What was done at the keyboard and the mouse.
    pub gestures: Vec<Gesture>,
    /// Pictures of the screen that were asked for.
    pub screenshots: usize,
    /// The power button was pressed.
    pub power_button: bool,
    /// The user wants to quit.
    pub quit: Option<Quit>,
    /// A host end failed.
    pub failure: Option<HostError>,
}

/// The queue between host threads and the run loop. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Inbox {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    has_news: AtomicBool,
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Has come from the host; not taken yet.
    input: VecDeque<u8>,
    /// Was taken and let in; the device has not read it yet.
    admitted: VecDeque<u8>,
    gestures: Vec<Gesture>,
    screenshots: usize,
    power_button: bool,
    /// No more input comes.
    has_ended: bool,
    quit: Option<Quit>,
    failure: Option<HostError>,
}

impl Inbox {
    /// Adds bytes of input; waits while too many have not been read.
    pub fn push_input(&self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let mut waiting = self.lock();
            while waiting.unread() >= INPUT_LIMIT {
                waiting = self
                    .shared
                    .changed
                    .wait(waiting)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            let count = bytes.len().min(INPUT_LIMIT - waiting.unread());
            waiting.input.extend(&bytes[..count]);
            bytes = &bytes[count..];
            self.announce();
        }
    }

    /// Adds what was done at the keyboard and the mouse. A machine that does not look loses what comes too fast.
    pub fn push_gestures(&self, gestures: &[Gesture]) {
        let mut waiting = self.lock();
        let room = GESTURE_LIMIT.saturating_sub(waiting.gestures.len());
        waiting.gestures.extend(gestures.iter().take(room));
        self.announce();
    }

    /// Asks for a picture of the screen.
    pub fn request_screenshot(&self) {
        self.lock().screenshots += 1;
        self.announce();
    }

    /// Presses the machine's power button.
    pub fn press_power_button(&self) {
        self.lock().power_button = true;
        self.announce();
    }

    /// Says that no more input comes.
    pub fn end_input(&self) {
        self.lock().has_ended = true;
        self.announce();
    }

    /// Whether no more input comes.
    #[must_use]
    pub fn input_has_ended(&self) -> bool {
        self.lock().has_ended
    }

    /// Wakes the run loop, for it to look at something that has changed.
    pub fn wake(&self) {
        let _waiting = self.lock();
        self.announce();
    }

    /// Asks for the end of the run; the first reason stays.
    pub fn request_quit(&self, quit: Quit) {
        self.lock().quit.get_or_insert(quit);
        self.announce();
    }

    /// Reports that a host end failed; the first failure stays.
    pub fn report_failure(&self, failure: HostError) {
        self.lock().failure.get_or_insert(failure);
        self.announce();
    }

    /// Whether there is something to take: cheap enough to ask often.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.shared.has_news.load(Ordering::Acquire)
    }

    /// Takes what has arrived.
    #[must_use]
    pub fn take(&self) -> Arrivals {
        let mut waiting = self.lock();
        self.shared.has_news.store(false, Ordering::Release);
        let arrivals = Arrivals {
            input: waiting.input.drain(..).collect(),
            gestures: std::mem::take(&mut waiting.gestures),
            screenshots: std::mem::take(&mut waiting.screenshots),
            power_button: std::mem::take(&mut waiting.power_button),
            quit: waiting.quit.take(),
            failure: waiting.failure.take(),
        };
        self.shared.changed.notify_all();
        arrivals
    }

    /// Lets bytes in to the device.
    pub(super) fn admit(&self, bytes: &[u8]) {
        self.lock().admitted.extend(bytes);
    }

    /// The device reads a byte.
    pub(super) fn read_admitted(&self) -> Option<u8> {
        let mut waiting = self.lock();
        let was_full = waiting.unread() >= INPUT_LIMIT;
        let byte = waiting.admitted.pop_front();
        if was_full {
            self.shared.changed.notify_all();
        }
        byte
    }

    /// How many bytes were let in that the device has not read.
    pub(super) fn admitted(&self) -> usize {
        self.lock().admitted.len()
    }

    /// Sleeps until something arrives or the deadline passes (`None`: never), and says whether there is news.
    pub fn wait_until(&self, deadline: Option<Instant>) -> bool {
        let mut waiting = self.lock();
        while !self.has_news() {
            let Some(deadline) = deadline else {
                waiting = self
                    .shared
                    .changed
                    .wait(waiting)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let Some(left) = deadline
                .checked_duration_since(Instant::now())
                .filter(|left| !left.is_zero())
            else {
                return false;
            };
            let woken = self.shared.changed.wait_timeout(waiting, left);
            waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn announce(&self) {
        self.shared.has_news.store(true, Ordering::Release);
        self.shared.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // The queue is sound after each statement, so a panic elsewhere does not spoil it.
        self.shared
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn unread(&self) -> usize {
        self.input.len() + self.admitted.len()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn take_empties_the_inbox() {
        let inbox = Inbox::default();
        inbox.push_input(b"ab");
        inbox.request_quit(Quit::Key);
        inbox.request_quit(Quit::Signal);
        assert!(inbox.has_news());
        let arrivals = inbox.take();
        assert_eq!(
            (arrivals.input.as_slice(), arrivals.quit),
            (&b"ab"[..], Some(Quit::Key))
        );
        assert!(!inbox.has_news() && inbox.take().input.is_empty());
    }

    #[test]
    fn waiting_ends_at_the_deadline_or_at_once_with_news() {
        let inbox = Inbox::default();
        assert!(!inbox.wait_until(Some(Instant::now() + Duration::from_millis(5))));
        let other = inbox.clone();
        let writer = thread::spawn(move || other.push_input(b"x"));
        assert!(inbox.wait_until(None));
        writer.join().unwrap();
    }

    #[test]
    fn a_long_input_arrives_in_order() {
        let inbox = Inbox::default();
        let sent: Vec<u8> = (0..300_000u32).map(|n| n as u8).collect();
        let (other, bytes) = (inbox.clone(), sent.clone());
        let writer = thread::spawn(move || other.push_input(&bytes));
        let mut got = Vec::new();
        while got.len() < sent.len() {
            inbox.wait_until(None);
            inbox.admit(&inbox.take().input);
            assert!(inbox.admitted() <= INPUT_LIMIT);
            got.extend(std::iter::from_fn(|| inbox.read_admitted()));
        }
        writer.join().unwrap();
        assert_eq!(got, sent);
    }
}
