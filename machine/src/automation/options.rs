//! From the command line to a script.

use std::fs;
use std::path::PathBuf;

use super::{Automation, ScriptError, SerialTap, Step, parse};
use crate::cli::ScriptOption;

/// Why there is no script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptFailure {
    /// The file cannot be read.
    #[error("script '{}' cannot be read ({source}); check the path after --script", .path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// The host's reason.
        source: std::io::Error,
    },
    /// The file is no script.
    #[error("{0} (--script)")]
    Script(#[from] ScriptError),
}

impl Automation {
    /// The script that the command line asks for, if it does.
    ///
    /// # Errors
    /// When the file is missing or is no script.
    pub fn from_option(
        option: &ScriptOption,
        serial: SerialTap,
    ) -> Result<Option<Self>, ScriptFailure> {
        let (steps, stays) = match option {
            ScriptOption::None => return Ok(None),
            // Who types at the end wants to see what comes of it.
            ScriptOption::Steps(steps) => {
                let last = steps.last();
                let waits = last.is_some_and(|(_, step)| matches!(step, Step::WaitText(_)));
                (steps.clone(), !waits)
            }
            ScriptOption::File(path) => {
                let text = fs::read_to_string(path).map_err(|source| {
                    let path = path.clone();
                    ScriptFailure::Unreadable { path, source }
                })?;
                (parse(&text, path)?, false)
            }
        };
        Ok(Some(Self {
            steps: steps.into(),
            stays,
            ..Self::new(serial)
        }))
    }
}
