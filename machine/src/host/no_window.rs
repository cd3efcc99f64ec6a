//! What stands for windows in a build without the feature `window`.

use std::convert::Infallible;

use super::{HostError, Inbox, Screen};

/// A window, of which there is none.
#[derive(Debug)]
pub struct WindowDisplay(Infallible);

impl WindowDisplay {
    /// Opens no window.
    ///
    /// # Errors
    /// Always.
    pub fn open(_screen: &Screen, _inbox: &Inbox) -> Result<Self, HostError> {
        let reason = "this rax was built without the feature 'window'".into();
        Err(HostError::NoWindow { reason })
    }

    /// Shows the screen.
    ///
    /// # Errors
    /// None.
    pub fn show<T: Send>(self, _run: impl FnOnce() -> T + Send) -> Result<T, HostError> {
        match self.0 {}
    }
}
