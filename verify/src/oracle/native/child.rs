//! The child process, from the parent's side.
#![expect(unsafe_code, reason = "forks")]

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread::{self, ThreadId};
use std::time::Duration;

use super::area::Area;
use super::inside::{self, Birth, STROKE_BYTES};
use super::sweep;
use crate::oracle::OracleError;

/// How long the child may take for nothing.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often in a row it may.
const STALLS: u32 = 8;

/// A process that runs cases; gone when this is dropped.
pub(super) struct Child {
    pid: libc::pid_t,
    socket: UnixStream,
    /// Who forked it. It dies with that thread, which is all that Linux offers.
    thread: ThreadId,
}

impl Child {
    /// Forks, and waits until the child is ready.
    pub(super) fn start(area: &mut Area) -> Result<Self, OracleError> {
        let refused = |what| move |source| OracleError::Refused { what, source };
        let (socket, childs_socket) =
            UnixStream::pair().map_err(refused("make a pair of sockets"))?;
        socket
            .set_read_timeout(Some(PATIENCE))
            .map_err(refused("set a socket's time limit"))?;
        let maps =
            std::fs::read_to_string("/proc/self/maps").map_err(refused("read /proc/self/maps"))?;
        let birth = Birth {
            parent: std::process::id() as libc::pid_t,
            socket: childs_socket.as_raw_fd(),
            batch: area.as_ptr(),
            rseq: rseq_offset(),
            strokes: leave_plan(&maps, area),
        };
        // SAFETY: the child does only what is allowed after a fork among threads.
        let pid = unsafe { libc::fork() };
        match pid {
            -1 => {
                return Err(refused("fork")(io::Error::last_os_error()));
            }
            0 => inside::begin(&birth),
            _ => {}
        }
        drop(childs_socket);
        let mut child = Self {
            pid,
            socket,
            thread: thread::current().id(),
        };
        match child.wait(area) {
            Ok(()) => Ok(child),
            Err(reason) => Err(OracleError::Child { reason }),
        }
    }

    /// Whether this thread may use it: one that another thread forked dies with that.
    pub(super) fn is_bound_to_this_thread(&self) -> bool {
        self.thread == thread::current().id()
    }

    /// Lets it run the batch. False if it is dead.
    pub(super) fn go(&mut self) -> bool {
        self.socket.write_all(&[0]).is_ok()
    }

    /// Waits for it to say that it is done.
    ///
    /// # Errors
    /// What became of it; it is dead then.
    pub(super) fn wait(&mut self, area: &Area) -> Result<(), String> {
        let mut stalls = 0;
        let mut done = area.done();
        loop {
            match self.socket.read(&mut [0]) {
                Ok(0) => return Err(describe(self.reap())),
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    stalls = if done == area.done() { stalls + 1 } else { 0 };
                    done = area.done();
                }
                Err(_) => stalls = STALLS,
            }
            if stalls == STALLS {
                self.reap();
                return Err("it hung and was killed".to_owned());
            }
        }
    }

    /// Kills it unless it is dead already; gives its status.
    fn reap(&mut self) -> Option<libc::c_int> {
        if self.pid == 0 {
            return None;
        }
        // SAFETY: our own child, not waited for yet.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
        let mut status = 0;
        // SAFETY: as above; writes a local.
        while unsafe { libc::waitpid(self.pid, &raw mut status, 0) } == -1 {
            if io::Error::last_os_error().kind() != ErrorKind::Interrupted {
                return None;
            }
        }
        self.pid = 0;
        Some(status)
    }
}

#[cfg(test)]
impl Child {
    pub(super) fn pid(&self) -> libc::pid_t {
        self.pid
    }

    /// Sends it a signal, as anybody might.
    pub(super) fn signal(&self, signal: libc::c_int) {
        // SAFETY: our own child.
        unsafe { libc::kill(self.pid, signal) };
    }

    /// Waits until it is dead, and says whether it is before the time limit.
    pub(super) fn dies(&mut self) -> bool {
        self.socket.read(&mut [0]).is_ok_and(|bytes| bytes == 0)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.reap();
    }
}

fn describe(status: Option<libc::c_int>) -> String {
    let Some(status) = status else {
        return "somebody else has waited for it".to_owned();
    };
    if libc::WIFSIGNALED(status) {
        return format!("signal {} killed it", libc::WTERMSIG(status));
    }
    let status = libc::WEXITSTATUS(status) as usize;
    let step = status
        .checked_sub(inside::FIRST_STEP as usize)
        .and_then(|step| inside::STEPS.get(step));
    match step {
        Some(step) => (*step).to_owned(),
        None if status == inside::BROKEN as usize => "the harness itself faulted".to_owned(),
        None => format!("it ended with status {status}"),
    }
}

/// Writes for the child what it shall unmap; says how many pieces.
fn leave_plan(maps: &str, area: &mut Area) -> usize {
    let strokes = sweep::plan(maps, &area.range());
    let places = area.batch().input.as_chunks_mut::<STROKE_BYTES>().0;
    for (place, stroke) in places.iter_mut().zip(&strokes) {
        let words = [stroke.start, stroke.bytes, u64::from(stroke.unmap)];
        for (place, word) in place.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
    }
    strokes.len().min(places.len())
}

/// Where the C library keeps `struct rseq`, counted from FS; zero if it has none.
fn rseq_offset() -> i64 {
    // SAFETY: looks for a name.
    let size = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__rseq_size".as_ptr()) };
    // SAFETY: looks for a name.
    let offset = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__rseq_offset".as_ptr()) };
    if size.is_null() || offset.is_null() {
        return 0;
    }
    // SAFETY: glibc's `extern const unsigned int __rseq_size`.
    if unsafe { *size.cast::<u32>() } == 0 {
        return 0;
    }
    // SAFETY: glibc's `extern const ptrdiff_t __rseq_offset`.
    unsafe { *offset.cast::<i64>() }
}
