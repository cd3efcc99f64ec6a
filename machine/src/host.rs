//! The host ends of the machine: where console bytes, sectors and time come from and go to.
//!
//! Whatever the host does on its own (a key, a signal, a full disk) arrives in the [`Inbox`]; the run loop takes it
//! out at an instruction count of its choosing, so that this is the one door to the outside.

mod clock;
mod console;
mod disk;
mod display;
mod entropy;
mod error;
mod inbox;
mod output;
mod terminal;
mod vnc;
#[cfg_attr(not(feature = "window"), path = "host/no_window.rs")]
mod window;

pub use clock::HostClock;
pub use console::{InputDoor, SilentConsole, StdioConsole, file_console, file_sink};
pub use disk::{Access, ImageError, ImageFormat, ImageOptions, ImageProblem, Medium, open_image};
pub use display::{Picture, Screen, ScreenFeed, TerminalDisplay};
pub use entropy::entropy;
pub use error::HostError;
pub use inbox::{Arrivals, Gesture, Inbox, MouseMove, Quit};
pub use output::{FinishOutput, Output};
pub use terminal::{
    RawMode, handle_signals, message, outlive_file_limits, read_stdin, restore_terminal,
};
pub use vnc::{VncOptions, VncServer, parse_address};
pub use window::WindowDisplay;
