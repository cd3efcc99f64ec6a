//! One client: a thread that reads what it says, and one that sends it pictures.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rax_devices::Frame;

use super::message::{Message, parse};
use super::update::{Abilities, changes, encode};
use super::zrle::Zrle;
use super::{handshake, keysym};
use crate::host::{Gesture, Inbox, MouseMove, Screen};
use crate::keys::{Key, KeyEvent};

/// How long the handshake, or sending one update, may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The least time between two updates.
const PAUSE: Duration = Duration::from_millis(15);

/// What both threads know.
#[derive(Debug)]
struct Said {
    abilities: Abilities,
    /// An update is wanted, and whether only of what has changed.
    request: Option<bool>,
    /// The format was set, and the client's colour map is void.
    wants_colors: bool,
    is_gone: bool,
}

type Shared = Arc<Mutex<Said>>;

fn lock(said: &Shared) -> MutexGuard<'_, Said> {
    // It is sound after each statement, so a panic elsewhere does not spoil it.
    said.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves a client until it goes or the run is over.
pub(super) fn serve(
    mut stream: TcpStream,
    password: Option<&str>,
    screen: &Screen,
    inbox: &Inbox,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let first = screen.latest().visible();
    let size = (first.width as u16, first.height as u16);
    handshake::greet(&mut stream, password, size)?;
    stream.set_read_timeout(None)?;
    let said = Arc::new(Mutex::new(Said {
        abilities: Abilities::AT_FIRST,
        request: None,
        wants_colors: false,
        is_gone: false,
    }));
    let _watching = screen.watch();
    // Who has seen nothing yet is woken by the first picture.
    inbox.wake();
    let sender = {
        let (stream, said, screen) = (stream.try_clone()?, Arc::clone(&said), screen.clone());
        let send = move || {
            if let Err(error) = send(&stream, &said, &screen, (first.width, first.height)) {
                log::debug!("vnc: {error}");
            }
            // This ends the reader too; it may have ended already.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        };
        thread::Builder::new().name("vnc sender".into()).spawn(send)
    };
    match sender {
        Ok(sender) => {
            let result = listen(&mut stream, &said, screen, inbox);
            lock(&said).is_gone = true;
            screen.notify();
            // A panic there has been reported by its own hook.
            let _ = sender.join();
            result
        }
        Err(error) => Err(error),
    }
}

/// Sends updates as they are asked for and as there is something to send.
fn send(
    mut stream: &TcpStream,
    said: &Shared,
    screen: &Screen,
    mut size: (usize, usize),
) -> io::Result<()> {
    let mut zrle = Zrle::new();
    let mut sent: Option<Arc<Frame>> = None;
    let mut seen = None;
    loop {
        let next = screen.wait_for(|shown| {
            let said = lock(said);
            if shown.is_over || said.is_gone {
                return Some(None);
            }
            let is_incremental = said.request?;
            let is_due = !is_incremental || seen != Some(shown.number);
            is_due.then(|| {
                let picture = Arc::clone(&shown.picture);
                Some((picture, shown.number, is_incremental, said.abilities))
            })
        });
        let Some((picture, number, is_incremental, abilities)) = next else {
            return Ok(());
        };
        let begun = Instant::now();
        seen = Some(number);
        let mut frame = picture.visible();
        let is_new_size = size != (frame.width, frame.height) && abilities.has_desktop_size;
        if is_new_size {
            size = (frame.width, frame.height);
        } else if size != (frame.width, frame.height) {
            // A client that cannot follow sees what fits.
            frame = Arc::new(cut(&frame, size));
        }
        let before = sent.as_deref().filter(|_| is_incremental);
        let parts = changes(before, &frame);
        if parts.is_empty() && !is_new_size && is_incremental {
            continue;
        }
        let wants_colors = {
            let mut said = lock(said);
            said.request = None;
            // A format that has come meanwhile is for the next update.
            said.abilities.format == abilities.format && std::mem::take(&mut said.wants_colors)
        };
        if wants_colors {
            stream.write_all(&abilities.format.color_map())?;
        }
        let bytes = encode(&frame, is_new_size, &parts, &abilities, &mut zrle);
        stream.write_all(&bytes)?;
        sent = Some(frame);
        // A picture that is hard to compress comes less often instead of taking the host.
        thread::sleep(PAUSE.max(begun.elapsed() * 3 / 2));
    }
}

/// The part of a frame that a screen of this size shows.
fn cut(frame: &Frame, (width, height): (usize, usize)) -> Frame {
    let mut pixels = vec![0; width * height];
    let common = width.min(frame.width);
    let from = frame.pixels.chunks_exact(frame.width);
    for (to, from) in pixels.chunks_exact_mut(width).zip(from) {
        to[..common].copy_from_slice(&from[..common]);
    }
    Frame {
        width,
        height,
        pixels,
    }
}

/// Buttons 4 and 5.
const WHEEL_UP: u8 = 1 << 3;
const WHEEL_DOWN: u8 = 1 << 4;

/// What a client does at keyboard and mouse.
#[derive(Debug, Default)]
struct Hands {
    held: Vec<Key>,
    pointer: Option<(u16, u16)>,
    /// The client's buttons 4 and 5, which are notches of the wheel up and down.
    wheel: u8,
}

impl Hands {
    fn key(&mut self, is_down: bool, keysym: u32) -> Option<Gesture> {
        let key = keysym::key(keysym)?;
        self.held.retain(|held| *held != key);
        if is_down {
            self.held.push(key);
        }
        Some(Gesture::Key(KeyEvent { key, is_down }))
    }

    /// The mouse tells movements, the client places.
    fn pointer(&mut self, buttons: u8, x: u16, y: u16) -> Gesture {
        let (old_x, old_y) = self.pointer.replace((x, y)).unwrap_or((x, y));
        let wheel = buttons & (WHEEL_UP | WHEEL_DOWN);
        let turned = wheel & !std::mem::replace(&mut self.wheel, wheel);
        let down = i32::from(turned & WHEEL_DOWN != 0) - i32::from(turned & WHEEL_UP != 0);
        // The client's middle button is its second, ours the third.
        let buttons = buttons & 1 | (buttons & 2) << 1 | (buttons & 4) >> 1;
        Gesture::Mouse(MouseMove {
            down,
            right: i32::from(x) - i32::from(old_x),
            up: i32::from(old_y) - i32::from(y),
            buttons,
        })
    }
}

/// Reads messages until the client goes.
fn listen(stream: &mut TcpStream, said: &Shared, screen: &Screen, inbox: &Inbox) -> io::Result<()> {
    let mut hands = Hands::default();
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let result = loop {
        let count = match stream.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => break Err(error),
        };
        bytes.extend_from_slice(&buffer[..count]);
        let mut used = 0;
        let bad = loop {
            match parse(&bytes[used..]) {
                Ok(Some((message, length))) => {
                    used += length;
                    obey(message, &mut hands, said, inbox);
                }
                Ok(None) => break None,
                Err(bad) => break Some(bad),
            }
        };
        bytes.drain(..used);
        screen.notify();
        if let Some(bad) = bad {
            break Err(io::Error::new(io::ErrorKind::InvalidData, bad));
        }
    };
    // Nobody holds these any more.
    let ups: Vec<_> = hands.held.into_iter().map(KeyEvent::up).collect();
    inbox.push_gestures(&ups.into_iter().map(Gesture::Key).collect::<Vec<_>>());
    result
}

fn obey(message: Message, hands: &mut Hands, said: &Shared, inbox: &Inbox) {
    match message {
        Message::SetPixelFormat(format) => {
            let mut said = lock(said);
            said.abilities.format = format;
            said.wants_colors = true;
        }
        Message::SetEncodings(encodings) => lock(said).abilities.set_encodings(&encodings),
        Message::UpdateRequest { is_incremental, .. } => {
            let mut said = lock(said);
            // One that wants everything is not forgotten for one that does not.
            said.request = Some(is_incremental && said.request != Some(false));
        }
        Message::Key { is_down, keysym } => {
            if let Some(gesture) = hands.key(is_down, keysym) {
                inbox.push_gestures(&[gesture]);
            }
        }
        Message::Pointer { buttons, x, y } => {
            inbox.push_gestures(&[hands.pointer(buttons, x, y)]);
        }
        Message::CutText => {}
    }
}
