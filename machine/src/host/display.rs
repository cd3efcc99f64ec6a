//! What displays show: the way of a picture from the machine to the threads of its displays.
//!
//! A [`ScreenFeed`] looks at the machine at most sixty times a second, and makes a picture only when registers or
//! memory have changed. A [`Screen`] holds the last one; displays wait for the next. What displays have to say goes
//! through the [`Inbox`](super::Inbox).

mod terminal;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rax_devices::{Frame, TextScreen};

use crate::machine::Machine;

pub use terminal::TerminalDisplay;

/// The least time between two pictures, in nanoseconds.
const FRAME_NS: u64 = 16_000_000;

/// What is on the screen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// The pixels; empty if no display asked for them.
    pub frame: Frame,
    /// The characters, in a text mode.
    pub text: Option<TextScreen>,
}

/// The last picture, and a way to wait for the next. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Screen(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    shown: Mutex<Shown>,
    changed: Condvar,
}

/// The state that displays wait on.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) picture: Arc<Picture>,
    /// Counts pictures.
    pub(super) number: u64,
    /// The run is over.
    pub(super) is_over: bool,
    /// Somebody looks: without, no picture is made.
    watchers: usize,
}

impl Screen {
    /// Shows a picture.
    pub fn show(&self, picture: Picture) {
        let mut shown = self.lock();
        shown.picture = Arc::new(picture);
        shown.number += 1;
        self.0.changed.notify_all();
    }

    /// Tells the displays that the run is over.
    pub fn close(&self) {
        self.lock().is_over = true;
        self.0.changed.notify_all();
    }

    /// Wakes the displays, for them to look at something else that has changed.
    pub(super) fn notify(&self) {
        drop(self.lock());
        self.0.changed.notify_all();
    }

    /// Has the same picture drawn once more.
    pub(super) fn redraw(&self) {
        self.lock().number += 1;
        self.0.changed.notify_all();
    }

    /// Waits until `wanted` gives something; it is asked after each change.
    pub(super) fn wait_for<T>(&self, mut wanted: impl FnMut(&Shown) -> Option<T>) -> T {
        let mut shown = self.lock();
        loop {
            if let Some(found) = wanted(&shown) {
                return found;
            }
            let woken = self.0.changed.wait(shown);
            shown = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for a picture after number `seen`; `None` at the end of the run.
    pub(super) fn next(&self, seen: u64, pause: Duration) -> Option<(Arc<Picture>, u64)> {
        std::thread::sleep(pause);
        self.wait_for(|shown| {
            if shown.is_over {
                Some(None)
            } else if shown.number != seen {
                Some(Some((Arc::clone(&shown.picture), shown.number)))
            } else {
                None
            }
        })
    }

    /// Says that a display begins (`1`) or ends (`-1`) to look.
    pub(super) fn watch(&self, more: isize) {
        let mut shown = self.lock();
        shown.watchers = shown.watchers.saturating_add_signed(more);
    }

    fn has_watchers(&self) -> bool {
        self.lock().watchers > 0
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        // It is sound after each statement, so a panic elsewhere does not spoil it.
        self.0.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The machine's end: looks at it, and shows what has changed.
#[derive(Debug)]
pub struct ScreenFeed {
    screen: Screen,
    /// What was seen of the registers.
    seen: Option<u64>,
    /// When to look next, in nanoseconds of the run.
    due: u64,
    /// The guest has run since the last look.
    is_stale: bool,
    /// Instructions at the last look.
    instructions: u64,
    had_watchers: bool,
}

impl ScreenFeed {
    /// A feed of this screen.
    #[must_use]
    pub const fn new(screen: Screen) -> Self {
        Self {
            screen,
            seen: None,
            due: 0,
            is_stale: true,
            instructions: 0,
            had_watchers: false,
        }
    }

    /// When to look next if the guest does nothing until then: never, if nothing can have changed.
    #[must_use]
    pub fn next_look(&self) -> Option<u64> {
        self.is_stale.then_some(self.due)
    }

    /// Looks, if it is time.
    pub fn look(&mut self, machine: &Machine, now_ns: u64) {
        let instructions = machine.cpu.state.instructions;
        self.is_stale |= std::mem::replace(&mut self.instructions, instructions) != instructions;
        let has_watchers = self.screen.has_watchers();
        if has_watchers && !self.had_watchers {
            // The first one to look sees what is there.
            self.seen = None;
            self.is_stale = true;
        }
        self.had_watchers = has_watchers;
        if !has_watchers || !self.is_stale || now_ns < self.due {
            self.is_stale &= has_watchers;
            return;
        }
        self.due = now_ns.saturating_add(FRAME_NS);
        self.is_stale = false;
        if machine.take_screen_change(&mut self.seen) {
            self.screen.show(Picture {
                frame: machine.frame().unwrap_or_default(),
                text: machine.text_screen(),
            });
        }
    }
}

impl Drop for ScreenFeed {
    fn drop(&mut self) {
        self.screen.close();
    }
}
