//! The terminal around the guest's serial line: raw mode, the keys that are ours, and signals.
//!
//! Raw mode ends whichever way the process does: by drop, by a panic on any thread, or by a signal.

use std::io::{self, IsTerminal, Read, Write};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::thread;

use crossterm::cursor::Show;
use crossterm::execute;
use crossterm::style::ResetColor;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};

use super::{HostError, Inbox, Quit};

const CTRL_A: u8 = 1;
const HELP: &str = "\r\n\
    Ctrl-A X       end the run\r\n\
    Ctrl-A S       save a picture of the screen\r\n\
    Ctrl-A P       press the power button, which also wakes a machine that sleeps\r\n\
    Ctrl-A H       show these keys\r\n\
    Ctrl-A Ctrl-A  send Ctrl-A to the guest\r\n";

/// Whether the terminal is in raw mode now because of us.
static IS_RAW: AtomicBool = AtomicBool::new(false);
/// Whether the terminal is a screen now.
static IS_FULL_SCREEN: AtomicBool = AtomicBool::new(false);
/// Messages that wait at most while it is.
const MESSAGES: usize = 100;

/// While this lives, the terminal passes on every key as it is typed.
#[derive(Debug)]
pub struct RawMode(());

impl RawMode {
    /// Puts the terminal in raw mode, if standard input is one.
    ///
    /// # Errors
    /// When the terminal refuses.
    pub fn enter() -> Result<Option<Self>, HostError> {
        static HOOK: Once = Once::new();
        if !io::stdin().is_terminal() {
            return Ok(None);
        }
        HOOK.call_once(|| {
            let report = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                restore_terminal();
                report(info);
            }));
        });
        // Said first, so that a signal in between ends raw mode too.
        IS_RAW.store(true, Ordering::SeqCst);
        let raw = Self(());
        crossterm::terminal::enable_raw_mode().map_err(|source| HostError::Terminal { source })?;
        Ok(Some(raw))
    }
}

/// While this lives, the terminal is a screen of its own, in raw mode. What is to be said waits until its end.
#[derive(Debug)]
pub(super) struct FullScreen {
    _raw: Option<RawMode>,
}

impl FullScreen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// When it refuses.
    pub(super) fn enter() -> Result<Self, HostError> {
        let raw = RawMode::enter()?;
        IS_FULL_SCREEN.store(true, Ordering::SeqCst);
        let taken = execute!(io::stdout(), EnterAlternateScreen);
        let full_screen = Self { _raw: raw };
        taken.map_err(|source| HostError::Terminal { source })?;
        Ok(full_screen)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        restore_terminal();
    }
}

/// Ends raw mode, if it is on. May be called at any time, from any thread.
pub fn restore_terminal() {
    if IS_FULL_SCREEN.swap(false, Ordering::SeqCst) {
        // There is nobody left to tell.
        let _ = execute!(io::stdout(), ResetColor, LeaveAlternateScreen, Show);
    }
    if IS_RAW.swap(false, Ordering::SeqCst) {
        // There is nobody left to tell.
        let _ = crossterm::terminal::disable_raw_mode();
    }
    let waiting = std::mem::take(&mut *waiting_messages());
    for text in waiting {
        message(&text);
    }
}

/// What was said while the terminal was a screen.
fn waiting_messages() -> MutexGuard<'static, Vec<String>> {
    static WAITING: Mutex<Vec<String>> = Mutex::new(Vec::new());
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Turns SIGINT, SIGTERM, SIGHUP, SIGQUIT and the closing of a console window into a request to quit. The second one
/// ends the process at once, should the first not have been heard.
///
/// # Errors
/// When the host refuses.
pub fn handle_signals(inbox: &Inbox) -> Result<(), HostError> {
    let inbox = inbox.clone();
    let was_asked = Arc::new(AtomicBool::new(false));
    let end = move || {
        restore_terminal();
        if was_asked.swap(true, Ordering::SeqCst) {
            #[expect(
                clippy::exit,
                reason = "the run loop does not answer, and the user insists"
            )]
            std::process::exit(1);
        }
        inbox.request_quit(Quit::Signal);
    };
    #[cfg(unix)]
    handle_more_signals(end.clone())?;
    ctrlc::set_handler(end).map_err(|reason| HostError::Signals { reason })
}

/// Lets writes beyond the limit on the size of files fail like any other, instead of ending the process.
///
/// # Errors
/// When the host refuses.
pub fn outlive_file_limits() -> Result<(), HostError> {
    #[cfg(unix)]
    {
        let seen = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(signal_hook::consts::SIGXFSZ, seen).map_err(|source| {
            HostError::Signals {
                reason: ctrlc::Error::System(source),
            }
        })?;
    }
    Ok(())
}

/// The signals that people send and ctrlc does not take: the end, and a pause.
#[cfg(unix)]
fn handle_more_signals(end: impl Fn() + Send + 'static) -> Result<(), HostError> {
    use signal_hook::consts::{SIGQUIT, SIGTSTP};
    use signal_hook::iterator::Signals;

    let mut signals = Signals::new([SIGQUIT, SIGTSTP]).map_err(|source| HostError::Signals {
        reason: ctrlc::Error::System(source),
    })?;
    let thread = thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for signal in signals.forever() {
                if signal == SIGTSTP {
                    pause_process();
                } else {
                    end();
                }
            }
        });
    thread
        .map(drop)
        .map_err(|source| HostError::Thread { source })
}

/// Stops the process, with the terminal as it was before us; goes on when the process does.
#[cfg(unix)]
fn pause_process() {
    let (was_raw, was_full_screen) = (
        IS_RAW.load(Ordering::SeqCst),
        IS_FULL_SCREEN.load(Ordering::SeqCst),
    );
    restore_terminal();
    // What it returns says only whether there is such a signal.
    let _ = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP);
    if was_raw {
        IS_RAW.store(true, Ordering::SeqCst);
        // A terminal that is gone by now ends the run in other ways.
        let _ = crossterm::terminal::enable_raw_mode();
    }
    if was_full_screen {
        IS_FULL_SCREEN.store(true, Ordering::SeqCst);
        let _ = execute!(io::stdout(), EnterAlternateScreen);
        // Whoever draws there draws all of it again when the size may have changed.
        let _ = signal_hook::low_level::raise(signal_hook::consts::SIGWINCH);
    }
}

/// Starts a thread that passes standard input to the inbox. At a terminal, Ctrl-A begins a command to rax; from a
/// pipe or file every byte is the guest's. The end of the input means only that no more comes.
///
/// # Errors
/// When the host refuses another thread.
pub fn read_stdin(inbox: &Inbox) -> Result<(), HostError> {
    let inbox = inbox.clone();
    let mut keys = io::stdin().is_terminal().then(Keys::default);
    let read = move || {
        let mut stdin = io::stdin().lock();
        let mut buffer = [0; 4096];
        loop {
            let count = match stdin.read(&mut buffer) {
                Ok(count) if count > 0 => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                _ => return inbox.end_input(),
            };
            match &mut keys {
                Some(keys) => pass_keys(keys, &buffer[..count], &inbox),
                None => inbox.push_input(&buffer[..count]),
            }
        }
    };
    let thread = thread::Builder::new().name("input".into()).spawn(read);
    thread
        .map(drop)
        .map_err(|source| HostError::Thread { source })
}

/// Says something to the person at the terminal: on standard error, whatever
/// state the terminal is in. A standard error that is closed is no failure.
pub fn message(text: &str) {
    let text = text.trim_end();
    if IS_FULL_SCREEN.load(Ordering::SeqCst) {
        let mut waiting = waiting_messages();
        if waiting.len() < MESSAGES {
            waiting.push(text.to_owned());
        }
        return;
    }
    let raw = crossterm::terminal::is_raw_mode_enabled().unwrap_or(false);
    let text = if raw {
        text.replace('\n', "\r\n")
    } else {
        text.to_owned()
    };
    let end = if raw { "\r\n" } else { "\n" };
    let _ = io::stderr().write_all(format!("rax: {text}{end}").as_bytes());
}

fn pass_keys(keys: &mut Keys, bytes: &[u8], inbox: &Inbox) {
    let mut input = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match keys.press(*byte) {
            Some(Action::Send(byte)) => input.push(byte),
            Some(Action::Quit) => inbox.request_quit(Quit::Key),
            Some(Action::Screenshot) => inbox.request_screenshot(),
            Some(Action::PowerButton) => inbox.press_power_button(),
            Some(Action::Help) => {
                // Not to standard output: that is the guest's alone.
                let _ = io::stderr().write_all(HELP.as_bytes());
            }
            None => {}
        }
    }
    // Keys to rax are no input, which would wake a machine that sleeps.
    if !input.is_empty() {
        inbox.push_input(&input);
    }
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Send(u8),
    Quit,
    Screenshot,
    PowerButton,
    Help,
}

/// Finds our keys among the guest's.
#[derive(Debug, Default)]
struct Keys {
    after_ctrl_a: bool,
}

impl Keys {
    fn press(&mut self, byte: u8) -> Option<Action> {
        if !std::mem::replace(&mut self.after_ctrl_a, false) {
            self.after_ctrl_a = byte == CTRL_A;
            return (byte != CTRL_A).then_some(Action::Send(byte));
        }
        match byte {
            CTRL_A => Some(Action::Send(CTRL_A)),
            b'x' | b'X' => Some(Action::Quit),
            b's' | b'S' => Some(Action::Screenshot),
            b'p' | b'P' => Some(Action::PowerButton),
            // Whoever does not know the keys is told.
            _ => Some(Action::Help),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press_all(bytes: &[u8]) -> Vec<Action> {
        let mut keys = Keys::default();
        bytes.iter().filter_map(|byte| keys.press(*byte)).collect()
    }

    #[test]
    fn ctrl_a_begins_a_command() {
        assert_eq!(press_all(b"a\x01x"), [Action::Send(b'a'), Action::Quit]);
        assert_eq!(
            press_all(b"\x01\x01x\x03"),
            [Action::Send(1), Action::Send(b'x'), Action::Send(3)]
        );
        assert_eq!(press_all(b"\x01hh\x01"), [Action::Help, Action::Send(b'h')]);
        assert_eq!(press_all(b"\x01p"), [Action::PowerButton]);
    }

    #[test]
    fn restoring_a_terminal_that_is_not_raw_does_nothing() {
        restore_terminal();
        assert!(!IS_RAW.load(Ordering::SeqCst));
    }
}
