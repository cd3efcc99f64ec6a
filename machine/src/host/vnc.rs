//! The screen for VNC clients: a server of the Remote Framebuffer protocol (RFC 6143), version 3.8 and its elders.
//!
//! A thread accepts clients; each has a thread that reads what it says and one that sends it pictures. Keys and
//! movements go to the inbox.

mod client;
mod handshake;
mod keysym;
mod message;
mod pixels;
mod update;
mod zrle;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::{HostError, Inbox, Screen};

/// Clients at a time; more are turned away.
const MAX_CLIENTS: usize = 16;
/// The port that clients try first.
const DEFAULT_PORT: u16 = 5900;

/// Where and for whom to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VncOptions {
    /// The address.
    pub address: SocketAddr,
    /// The file that holds the password, if clients need one.
    pub password_file: Option<PathBuf>,
}

/// A server that listens.
#[derive(Debug)]
pub struct VncServer {
    address: SocketAddr,
    screen: Screen,
}

/// `HOST:PORT`, `PORT` or `HOST`; the host is this one unless it says otherwise.
#[must_use]
pub fn parse_address(text: &str) -> Option<SocketAddr> {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    if text.is_empty() {
        return Some(SocketAddr::new(loopback, DEFAULT_PORT));
    }
    let port_alone = text.strip_prefix(':').unwrap_or(text).parse().ok();
    let port_alone = port_alone.map(|port| SocketAddr::new(loopback, port));
    let host_alone = || {
        let host = text.parse().ok()?;
        Some(SocketAddr::new(host, DEFAULT_PORT))
    };
    let named = || {
        let port = text.strip_prefix("localhost:")?.parse().ok()?;
        Some(SocketAddr::new(loopback, port))
    };
    port_alone
        .or_else(|| text.parse().ok())
        .or_else(host_alone)
        .or_else(named)
}

/// The first line of a file, as a password: VNC looks at 8 characters of it.
fn read_password(path: &Path) -> Result<String, HostError> {
    let unfit = |problem: String| HostError::PasswordFile {
        path: path.into(),
        problem,
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| unfit(format!("cannot be read ({error})")))?;
    let first = text.lines().next().unwrap_or_default();
    match first.len() {
        0 => Err(unfit("is empty".into())),
        1..=8 => Ok(first.into()),
        _ => Err(unfit(
            "has more than 8 characters in its first line, which is all that VNC looks at".into(),
        )),
    }
}

impl VncServer {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the address is taken, the password cannot be read, or the host refuses.
    pub fn start(options: &VncOptions, screen: &Screen, inbox: &Inbox) -> Result<Self, HostError> {
        let password = options
            .password_file
            .as_deref()
            .map(read_password)
            .transpose()?;
        let unheard = |source| HostError::Listen {
            address: options.address.to_string(),
            source,
        };
        let listener = TcpListener::bind(options.address).map_err(unheard)?;
        let address = listener.local_addr().map_err(unheard)?;
        let (theirs, inbox) = (screen.clone(), inbox.clone());
        thread::Builder::new()
            .name("vnc".into())
            .spawn(move || accept(&listener, password.as_deref(), &theirs, &inbox))
            .map_err(|source| HostError::Thread { source })?;
        Ok(Self {
            address,
            screen: screen.clone(),
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for VncServer {
    fn drop(&mut self) {
        self.screen.close();
    }
}

fn accept(listener: &TcpListener, password: Option<&str>, screen: &Screen, inbox: &Inbox) {
    let clients = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        if clients.fetch_add(1, Ordering::AcqRel) >= MAX_CLIENTS {
            clients.fetch_sub(1, Ordering::AcqRel);
            continue;
        }
        let (password, screen, inbox) =
            (password.map(str::to_owned), screen.clone(), inbox.clone());
        let theirs = Arc::clone(&clients);
        let serve = move || {
            if let Err(error) = client::serve(stream, password.as_deref(), &screen, &inbox) {
                log::debug!("vnc: {error}");
            }
            theirs.fetch_sub(1, Ordering::AcqRel);
        };
        let thread = thread::Builder::new()
            .name("vnc client".into())
            .spawn(serve);
        if thread.is_err() {
            clients.fetch_sub(1, Ordering::AcqRel);
        }
    }
}
