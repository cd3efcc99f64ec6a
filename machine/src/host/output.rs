//! Bytes on their way out: a thread writes what has gathered, so that the guest neither waits for each byte nor has
//! to say when a line is complete.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rax_devices::ByteSink;

use super::{HostError, Inbox};

/// The guest waits while this many bytes have not been written.
const BUFFER_LIMIT: usize = 1 << 20;

/// Where the guest's bytes are put in. Clones share the way out.
#[derive(Clone, Debug)]
pub struct Output {
    shared: Arc<Shared>,
}

/// Keeps the writing thread; when dropped, waits until all is written.
#[derive(Debug)]
pub struct FinishOutput {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    gathered: Mutex<Gathered>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Gathered {
    bytes: Vec<u8>,
    is_finished: bool,
    has_failed: bool,
}

impl Output {
    /// Starts a thread that writes to `sink`, named `what` should it fail. The first failure goes to the inbox;
    /// what comes after it is dropped.
    ///
    /// # Errors
    /// When the host refuses another thread.
    pub fn spawn(
        sink: Box<dyn Write + Send>,
        what: String,
        inbox: Inbox,
    ) -> Result<(Self, FinishOutput), HostError> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("output".into())
            .spawn(move || theirs.write_out(sink, what, &inbox))
            .map_err(|source| HostError::Thread { source })?;
        Ok((
            Self {
                shared: Arc::clone(&shared),
            },
            FinishOutput {
                shared,
                thread: Some(thread),
            },
        ))
    }
}

impl ByteSink for Output {
    fn write(&mut self, bytes: &[u8]) {
        let mut gathered = self.shared.lock();
        while gathered.bytes.len() >= BUFFER_LIMIT && !gathered.has_failed {
            gathered = self
                .shared
                .changed
                .wait(gathered)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if !gathered.has_failed {
            gathered.bytes.extend_from_slice(bytes);
            self.shared.changed.notify_all();
        }
    }
}

impl Drop for FinishOutput {
    fn drop(&mut self) {
        self.shared.lock().is_finished = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by its own hook.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn write_out(&self, mut sink: Box<dyn Write + Send>, what: String, inbox: &Inbox) {
        while let Some(bytes) = self.next() {
            if let Err(source) = sink.write_all(&bytes).and_then(|()| sink.flush()) {
                let mut gathered = self.lock();
                gathered.has_failed = true;
                gathered.bytes.clear();
                self.changed.notify_all();
                drop(gathered);
                inbox.report_failure(HostError::OutputFailed { what, source });
                return;
            }
        }
    }

    /// What has gathered; `None` once all is written and no more comes.
    fn next(&self) -> Option<Vec<u8>> {
        let mut gathered = self.lock();
        while gathered.bytes.is_empty() {
            if gathered.is_finished {
                return None;
            }
            gathered = self
                .changed
                .wait(gathered)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let bytes = std::mem::take(&mut gathered.bytes);
        self.changed.notify_all();
        Some(bytes)
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        // The buffer is sound after each statement, so a panic elsewhere does not spoil it.
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Clone, Default)]
    struct Collected(Arc<Mutex<Vec<u8>>>);

    impl Write for Collected {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn everything_is_written_before_the_end() {
        let collected = Collected::default();
        let (mut output, finish) =
            Output::spawn(Box::new(collected.clone()), "it".into(), Inbox::default()).unwrap();
        for n in 0..5000u32 {
            output.write(&n.to_le_bytes());
        }
        drop(finish);
        assert_eq!(collected.0.lock().unwrap().len(), 20_000);
    }

    #[test]
    fn a_closed_sink_is_reported_once_and_blocks_nobody() {
        let inbox = Inbox::default();
        let (mut output, _finish) =
            Output::spawn(Box::new(Closed), "standard output".into(), inbox.clone()).unwrap();
        output.write(b"x");
        assert!(inbox.wait_until(None));
        let failure = inbox.take().failure.expect("a failure");
        assert_eq!(failure.exit_code(), 1);
        assert!(failure.to_string().contains("standard output"), "{failure}");
        output.write(&vec![0; 3 * BUFFER_LIMIT]);
        output.write(b"y");
    }
}
