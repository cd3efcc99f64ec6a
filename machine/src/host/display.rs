//! What displays show: the way of a picture from the machine to the threads of its displays.
//!
//! A [`ScreenFeed`] looks at the machine at most sixty times a second, and shows a picture only when registers or
//! memory have changed. A [`Screen`] holds the last one; displays wait for the next. The first display that wants its
//! pixels makes them, on a thread of its own. What displays have to say goes through the [`Inbox`](super::Inbox).

mod terminal;

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rax_devices::vga::Scan;
use rax_devices::{Frame, TextScreen};

use crate::machine::Machine;

pub use terminal::TerminalDisplay;

/// The least time between two pictures, in nanoseconds.
const FRAME_NS: u64 = 16_000_000;

/// What is shown while the screen is off.
const DARK: (usize, usize) = (640, 480);

/// What is on the screen: made when somebody first asks for it, and then kept.
#[derive(Default)]
pub struct Picture {
    scan: Option<Scan>,
    frame: OnceLock<Arc<Frame>>,
    text: OnceLock<Option<TextScreen>>,
}

impl Picture {
    /// What a graphics adapter shows.
    #[must_use]
    pub fn of_scan(scan: Scan) -> Self {
        Self {
            scan: Some(scan),
            ..Self::default()
        }
    }

    /// These pixels.
    #[must_use]
    pub fn of_frame(frame: Frame) -> Self {
        Self {
            frame: Arc::new(frame).into(),
            ..Self::default()
        }
    }

    /// The pixels; none if there is no screen.
    #[must_use]
    pub fn frame(&self) -> &Arc<Frame> {
        let make = || Arc::new(self.scan.as_ref().map(Scan::frame).unwrap_or_default());
        self.frame.get_or_init(make)
    }

    /// The same, but a dark frame if there are none: never empty.
    pub(super) fn visible(&self) -> Arc<Frame> {
        let frame = self.frame();
        if frame.width > 0 && frame.height > 0 {
            return Arc::clone(frame);
        }
        let (width, height) = DARK;
        Arc::new(Frame {
            width,
            height,
            pixels: vec![0; width * height],
        })
    }

    /// The characters, in a text mode.
    #[must_use]
    pub fn text(&self) -> Option<&TextScreen> {
        let make = || self.scan.as_ref().and_then(Scan::text_screen);
        self.text.get_or_init(make).as_ref()
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Picture").finish_non_exhaustive()
    }
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
    /// How many look. If nobody does, nothing is shown.
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

    /// What is shown now.
    pub(super) fn latest(&self) -> Arc<Picture> {
        Arc::clone(&self.lock().picture)
    }

    /// Says that a display begins to look, until what is returned is dropped.
    pub(super) fn watch(&self) -> Watching {
        self.lock().watchers += 1;
        Watching(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        // It is sound after each statement, so a panic elsewhere does not spoil it.
        self.0.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody looks at the screen.
#[derive(Debug)]
#[must_use = "who looks, looks until this is dropped"]
pub(super) struct Watching(Screen);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.lock().watchers -= 1;
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
    /// Who looked then.
    watchers: usize,
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
            watchers: 0,
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
        let watchers = self.screen.lock().watchers;
        if std::mem::replace(&mut self.watchers, watchers) != watchers {
            // Who begins to look sees what is there.
            self.seen = None;
            self.is_stale = true;
        }
        if watchers == 0 || !self.is_stale || now_ns < self.due {
            self.is_stale &= watchers > 0;
            return;
        }
        self.due = now_ns.saturating_add(FRAME_NS);
        self.is_stale = false;
        if machine.take_screen_change(&mut self.seen)
            && let Some(scan) = machine.scan()
        {
            self.screen.show(Picture::of_scan(scan));
        }
    }
}

impl Drop for ScreenFeed {
    fn drop(&mut self) {
        self.screen.close();
    }
}
