//! Consoles: what a serial port is connected to on the host.

use std::fs::File;
use std::io;
use std::path::Path;

use rax_devices::{ByteSink, Console};

use super::{FinishOutput, HostError, Inbox, Output};

/// The device's end of standard input and output.
#[derive(Debug)]
pub struct StdioConsole {
    inbox: Inbox,
    output: Output,
}

/// The run loop's end: the only way for input to reach the device.
#[derive(Clone, Debug)]
pub struct InputDoor {
    inbox: Inbox,
}

/// A console that nobody listens to and nobody types at, or whose output goes elsewhere.
#[derive(Debug, Default)]
pub struct SilentConsole {
    output: Option<Output>,
}

impl StdioConsole {
    /// A console and the door to it; what the guest writes goes to standard output.
    ///
    /// # Errors
    /// When the host refuses another thread.
    pub fn split(inbox: &Inbox) -> Result<(Self, InputDoor, FinishOutput), HostError> {
        let sink = Box::new(io::stdout());
        let (output, finish) = Output::spawn(sink, "standard output".into(), inbox.clone())?;
        let (console, door) = Self::over(output, inbox);
        Ok((console, door, finish))
    }

    /// The same, with output to anywhere.
    #[must_use]
    pub fn over(output: Output, inbox: &Inbox) -> (Self, InputDoor) {
        let door = InputDoor {
            inbox: inbox.clone(),
        };
        (
            Self {
                inbox: inbox.clone(),
                output,
            },
            door,
        )
    }
}

impl Console for StdioConsole {
    fn write(&mut self, bytes: &[u8]) {
        self.output.write(bytes);
    }

    fn read(&mut self) -> Option<u8> {
        self.inbox.read_admitted()
    }
}

impl InputDoor {
    /// Lets bytes in. The caller notes the instruction count at which it did.
    pub fn admit(&self, bytes: &[u8]) {
        self.inbox.admit(bytes);
    }

    /// How many bytes the device has not read yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.inbox.admitted()
    }
}

impl Console for SilentConsole {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(output) = &mut self.output {
            output.write(bytes);
        }
    }

    fn read(&mut self) -> Option<u8> {
        None
    }
}

/// A console whose output goes to a file, which is made anew; `option` names it in errors.
///
/// # Errors
/// When the file cannot be made.
pub fn file_console(
    path: &Path,
    option: &'static str,
    inbox: &Inbox,
) -> Result<(SilentConsole, FinishOutput), HostError> {
    let (output, finish) = file_sink(path, option, inbox)?;
    Ok((
        SilentConsole {
            output: Some(output),
        },
        finish,
    ))
}

/// Output to a file, which is made anew; `option` names it in errors.
///
/// # Errors
/// When the file cannot be made.
pub fn file_sink(
    path: &Path,
    option: &'static str,
    inbox: &Inbox,
) -> Result<(Output, FinishOutput), HostError> {
    let file = File::create(path).map_err(|source| HostError::OutputFile {
        path: path.into(),
        option,
        source,
    })?;
    Output::spawn(
        Box::new(file),
        format!("'{}'", path.display()),
        inbox.clone(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_passes_only_through_the_door() {
        let inbox = Inbox::default();
        let (output, _finish) =
            Output::spawn(Box::new(io::sink()), "nowhere".into(), inbox.clone()).unwrap();
        let (mut console, door) = StdioConsole::over(output, &inbox);
        inbox.push_input(b"ab");
        assert_eq!(console.read(), None);
        door.admit(&inbox.take().input);
        assert_eq!(door.pending(), 2);
        assert_eq!(
            (console.read(), console.read(), console.read()),
            (Some(b'a'), Some(b'b'), None)
        );
    }

    #[test]
    fn a_file_console_writes_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("serial.log");
        let (mut console, finish) = file_console(&path, "--serial", &Inbox::default()).unwrap();
        console.write(b"line\r\n");
        assert_eq!(console.read(), None);
        drop(finish);
        assert_eq!(std::fs::read(&path).unwrap(), b"line\r\n");
        let error =
            file_sink(dir.path(), "--debugcon", &Inbox::default()).expect_err("a directory");
        assert!(error.to_string().contains("after --debugcon"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
}
