//! What the host knows of a running child: its processor time and its memory
//! (Linux's proc(5); elsewhere unknown), and lines of its output with the time
//! at which they came.

use std::fs;
use std::io::Read;
use std::process::Child;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant, TryFromFloatSecsError};

use serde::{Deserialize, Serialize};

/// What something took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Seconds", into = "Seconds")]
pub(crate) struct Taken {
    /// On the host's clock.
    pub(crate) wall: Duration,
    /// Processor time that the host spent on it.
    pub(crate) cpu: Option<Duration>,
}

/// [`Taken`] where it is kept, for people and for other programs.
#[derive(Serialize, Deserialize)]
struct Seconds {
    wall_seconds: f64,
    cpu_seconds: Option<f64>,
}

impl From<Taken> for Seconds {
    fn from(taken: Taken) -> Self {
        Self {
            wall_seconds: taken.wall.as_secs_f64(),
            cpu_seconds: taken.cpu.map(|cpu| cpu.as_secs_f64()),
        }
    }
}

impl TryFrom<Seconds> for Taken {
    type Error = TryFromFloatSecsError;

    fn try_from(kept: Seconds) -> Result<Self, Self::Error> {
        Ok(Self {
            wall: Duration::try_from_secs_f64(kept.wall_seconds)?,
            cpu: kept
                .cpu_seconds
                .map(Duration::try_from_secs_f64)
                .transpose()?,
        })
    }
}

/// A moment in a child's life.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) at: Instant,
    /// Processor time of all its threads so far.
    pub(crate) cpu: Option<Duration>,
}

impl Moment {
    /// What has passed since an earlier moment of the same child.
    pub(crate) fn since(self, earlier: Self) -> Taken {
        let cpu = self.cpu.zip(earlier.cpu);
        Taken {
            wall: self.at - earlier.at,
            cpu: cpu.map(|(later, earlier)| later.saturating_sub(earlier)),
        }
    }

    fn now(pid: u32) -> Self {
        Self {
            at: Instant::now(),
            cpu: cpu_time(pid),
        }
    }
}

/// Processor time of all threads of a process: the first field of schedstat, in
/// nanoseconds.
fn cpu_time(pid: u32) -> Option<Duration> {
    let mut total_ns = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        total_ns += text.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(total_ns))
}

/// The resident memory of a process in KiB.
pub(crate) fn resident_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A child that is watched, and killed when this goes away.
#[derive(Debug)]
pub(crate) struct Watched {
    child: Child,
    lines: Receiver<(Moment, String)>,
}

/// Why there is no further line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Not in time.
    TimedOut,
    /// The child closed its output.
    Ended,
}

impl Watched {
    /// Watches a child with a piped standard output. A line ends at a line feed,
    /// or where `prompt` appears.
    pub(crate) fn new(mut child: Child, prompt: &'static [u8]) -> Self {
        let (sender, lines) = mpsc::channel();
        let pid = child.id();
        if let Some(mut output) = child.stdout.take() {
            thread::spawn(move || {
                let (mut line, mut bytes) = (Vec::new(), [0; 4096]);
                while let Ok(count @ 1..) = output.read(&mut bytes) {
                    let moment = Moment::now(pid);
                    for &byte in &bytes[..count] {
                        line.push(byte);
                        if byte == b'\n' || (!prompt.is_empty() && line.ends_with(prompt)) {
                            let text = String::from_utf8_lossy(&line).trim().to_owned();
                            line.clear();
                            if sender.send((moment, text)).is_err() {
                                return;
                            }
                        }
                    }
                }
            });
        }
        Self { child, lines }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line and when it came.
    pub(crate) fn line(&self, until: Instant) -> Result<(Moment, String), Silence> {
        let left = until.saturating_duration_since(Instant::now());
        self.lines.recv_timeout(left).map_err(|error| match error {
            RecvTimeoutError::Timeout => Silence::TimedOut,
            RecvTimeoutError::Disconnected => Silence::Ended,
        })
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
