//! A client, as simple as can be, against the server.

use std::io::{Read, Write};
use std::net::TcpStream;

use flate2::{Decompress, FlushDecompress};
use rax_devices::Frame;

use super::*;
use crate::host::{Gesture, Picture};

struct Client {
    stream: TcpStream,
    zlib: Decompress,
    frame: Frame,
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |n, &byte| n << 8 | usize::from(byte))
}

impl Client {
    fn receive(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    fn connect(server: &VncServer, password: Option<&str>) -> Result<Self, String> {
        let stream = TcpStream::connect(server.address()).unwrap();
        let timeout = Some(std::time::Duration::from_secs(20));
        stream.set_read_timeout(timeout).unwrap();
        let mut client = Self {
            stream,
            zlib: Decompress::new(true),
            frame: Frame::default(),
        };
        assert_eq!(client.receive(12), b"RFB 003.008\n");
        client.stream.write_all(b"RFB 003.008\n").unwrap();
        let kind = if password.is_some() { 2 } else { 1 };
        assert_eq!(client.receive(2), [1, kind]);
        client.stream.write_all(&[kind]).unwrap();
        if let Some(password) = password {
            let challenge: [u8; 16] = client.receive(16).try_into().unwrap();
            let answer = handshake::expected(challenge, password);
            client.stream.write_all(&answer).unwrap();
        }
        if number(&client.receive(4)) != 0 {
            let length = number(&client.receive(4));
            return Err(String::from_utf8(client.receive(length)).unwrap());
        }
        client.stream.write_all(&[1]).unwrap();
        let init = client.receive(24);
        let name = client.receive(number(&init[20..24]));
        assert_eq!(name, b"rax");
        client.resize(number(&init[..2]), number(&init[2..4]));
        Ok(client)
    }

    fn resize(&mut self, width: usize, height: usize) {
        self.frame = Frame {
            width,
            height,
            pixels: vec![0; width * height],
        };
    }

    fn set_encodings(&mut self, encodings: &[i32]) {
        let mut bytes = vec![2, 0, 0, encodings.len() as u8];
        bytes.extend(encodings.iter().flat_map(|encoding| encoding.to_be_bytes()));
        self.stream.write_all(&bytes).unwrap();
    }

    /// Asks for an update and takes it; how many bytes it had.
    fn update(&mut self, is_incremental: bool) -> usize {
        let request = [
            3,
            u8::from(is_incremental),
            0,
            0,
            0,
            0,
            0xff,
            0xff,
            0xff,
            0xff,
        ];
        self.stream.write_all(&request).unwrap();
        let head = self.receive(4);
        assert_eq!(head[0], 0);
        let mut total = 4;
        for _ in 0..number(&head[2..4]) {
            let head = self.receive(12);
            let [x, y, width, height] = [0, 2, 4, 6].map(|at| number(&head[at..at + 2]));
            let encoding = i32::from_be_bytes([head[8], head[9], head[10], head[11]]);
            total += 12;
            match encoding {
                -223 => self.resize(width, height),
                0 => {
                    let bytes = self.receive(width * height * 4);
                    total += bytes.len();
                    for (at, pixel) in bytes.chunks(4).enumerate() {
                        let at = (y + at / width) * self.frame.width + x + at % width;
                        self.frame.pixels[at] = number(&[pixel[2], pixel[1], pixel[0]]) as u32;
                    }
                }
                16 => {
                    let length = number(&self.receive(4));
                    let bytes = self.receive(length);
                    total += 4 + length;
                    let mut tiles = Vec::with_capacity(width * height * 4 + 4096);
                    self.zlib
                        .decompress_vec(&bytes, &mut tiles, FlushDecompress::Sync)
                        .unwrap();
                    self.tiles(&tiles, [x, y, width, height]);
                }
                other => panic!("encoding {other}"),
            }
        }
        total
    }

    fn tiles(&mut self, mut bytes: &[u8], [left, top, width, height]: [usize; 4]) {
        let mut take = |count: usize| {
            let (taken, rest) = bytes.split_at(count);
            bytes = rest;
            taken
        };
        for y in (0..height).step_by(64) {
            for x in (0..width).step_by(64) {
                let (wide, high) = (64.min(width - x), 64.min(height - y));
                let count = usize::from(take(1)[0]);
                let mut color = || {
                    let pixel = take(3);
                    number(&[pixel[2], pixel[1], pixel[0]]) as u32
                };
                let palette: Vec<u32> = (0..count).map(|_| color()).collect();
                let mut pixels = Vec::new();
                match count {
                    0 => pixels.extend((0..wide * high).map(|_| color())),
                    1 => pixels.resize(wide * high, palette[0]),
                    _ => {
                        let bits = match count {
                            2 => 1,
                            3 | 4 => 2,
                            _ => 4,
                        };
                        for _ in 0..high {
                            let line = take((wide * bits).div_ceil(8));
                            pixels.extend((0..wide).map(|at| {
                                let shift = 8 - bits - at * bits % 8;
                                let index = line[at * bits / 8] >> shift & ((1 << bits) - 1);
                                palette[usize::from(index)]
                            }));
                        }
                    }
                }
                for (at, pixel) in pixels.into_iter().enumerate() {
                    let (x, y) = (left + x + at % wide, top + y + at / wide);
                    self.frame.pixels[y * self.frame.width + x] = pixel;
                }
            }
        }
        assert!(bytes.is_empty(), "{} bytes too many", bytes.len());
    }
}

fn options(password_file: Option<PathBuf>) -> VncOptions {
    VncOptions {
        address: parse_address("127.0.0.1:0").unwrap(),
        password_file,
    }
}

/// Text on blue above, and a colourful part below.
fn picture(width: usize, height: usize, seed: u32) -> Frame {
    let pixel = |at: usize| {
        let (x, y) = ((at % width) as u32, (at / width) as u32);
        if y < 100 {
            if (x ^ y ^ seed).is_multiple_of(7) {
                0xaa_aaaa
            } else {
                0x00_00aa
            }
        } else {
            x.wrapping_mul(y).wrapping_mul(2_654_435_761 ^ seed) >> 8
        }
    };
    Frame {
        width,
        height,
        pixels: (0..width * height).map(pixel).collect(),
    }
}

#[test]
fn clients_see_what_the_machine_shows() {
    let (screen, inbox) = (Screen::default(), Inbox::default());
    let server = VncServer::start(&options(None), &screen, &inbox).unwrap();
    let shown = picture(200, 150, 1);
    screen.show(Picture::of_frame(shown.clone()));
    let mut raw = Client::connect(&server, None).unwrap();
    raw.update(false);
    assert_eq!(raw.frame, shown);
    let mut compact = Client::connect(&server, None).unwrap();
    compact.set_encodings(&[16, 0, -223]);
    compact.update(false);
    assert_eq!(compact.frame, shown);
    // One pixel changes: one tile is sent.
    let mut next = shown.clone();
    next.pixels[5] ^= 0xff;
    screen.show(Picture::of_frame(next.clone()));
    assert!(compact.update(true) < 2000);
    assert_eq!(compact.frame, next);
    // Another size, which only one of them can follow.
    let larger = picture(320, 200, 2);
    screen.show(Picture::of_frame(larger.clone()));
    compact.update(true);
    assert_eq!(compact.frame, larger);
    raw.update(true);
    assert_eq!((raw.frame.width, raw.frame.height), (200, 150));
    assert_eq!(raw.frame.pixels[..200], larger.pixels[..200]);
}

#[test]
fn keys_and_pointer_reach_the_inbox() {
    let (screen, inbox) = (Screen::default(), Inbox::default());
    let server = VncServer::start(&options(None), &screen, &inbox).unwrap();
    let mut client = Client::connect(&server, None).unwrap();
    let mut bytes = vec![4, 1, 0, 0, 0, 0, 0xff, 0x0d];
    bytes.extend([5, 0, 0, 10, 0, 10]);
    bytes.extend([5, 2, 0, 13, 0, 6]);
    // Button 5 goes down and up: one notch towards the user.
    bytes.extend([5, 16, 0, 13, 0, 6]);
    bytes.extend([5, 0, 0, 13, 0, 6]);
    client.stream.write_all(&bytes).unwrap();
    let mut got = Vec::new();
    while got.len() < 5 {
        inbox.wait_until(None);
        got.extend(inbox.take().gestures);
    }
    let ret = crate::keys::Key::named("ret").unwrap();
    let turned = |right, up, down, buttons| {
        Gesture::Mouse(crate::host::MouseMove {
            right,
            up,
            down,
            buttons,
        })
    };
    let down = Gesture::Key(crate::keys::KeyEvent::down(ret));
    assert_eq!(
        got,
        [
            down,
            turned(0, 0, 0, 0),
            turned(3, 4, 0, 4),
            turned(0, 0, 1, 0),
            turned(0, 0, 0, 0)
        ]
    );
    // Who goes lets go.
    drop(client);
    let up = Gesture::Key(crate::keys::KeyEvent::up(ret));
    loop {
        inbox.wait_until(None);
        let gestures = inbox.take().gestures;
        if !gestures.is_empty() {
            assert_eq!(gestures, [up]);
            break;
        }
    }
}

#[test]
fn the_password_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("password");
    std::fs::write(&path, "secret\n").unwrap();
    let (screen, inbox) = (Screen::default(), Inbox::default());
    let server = VncServer::start(&options(Some(path.clone())), &screen, &inbox).unwrap();
    assert!(Client::connect(&server, Some("secret")).is_ok());
    let refusal = Client::connect(&server, Some("wrong")).err();
    assert_eq!(refusal.as_deref(), Some("the password is wrong"));
    for (content, problem) in [("", "is empty"), ("123456789\n", "more than 8")] {
        std::fs::write(&path, content).unwrap();
        let error = VncServer::start(&options(Some(path.clone())), &screen, &inbox).unwrap_err();
        assert!(error.to_string().contains(problem), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
}

#[test]
fn addresses_are_of_this_host_unless_they_say_otherwise() {
    let address = |text| parse_address(text).map(|address| address.to_string());
    for (text, expected) in [
        ("", "127.0.0.1:5900"),
        ("5901", "127.0.0.1:5901"),
        (":5901", "127.0.0.1:5901"),
        ("localhost:5902", "127.0.0.1:5902"),
        ("0.0.0.0:5900", "0.0.0.0:5900"),
        ("10.0.0.1", "10.0.0.1:5900"),
        ("[::1]:5900", "[::1]:5900"),
    ] {
        assert_eq!(address(text).as_deref(), Some(expected), "{text}");
    }
    for bad in ["x", "1.2.3", "127.0.0.1:x", "70000", "-1"] {
        assert_eq!(address(bad), None, "{bad}");
    }
}

#[test]
fn whoever_speaks_nonsense_is_sent_away() {
    let (screen, inbox) = (Screen::default(), Inbox::default());
    let server = VncServer::start(&options(None), &screen, &inbox).unwrap();
    let mut nobody = TcpStream::connect(server.address()).unwrap();
    nobody.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // The connection may be closed in one way or another.
    let _ = nobody.read_to_end(&mut answer);
    assert!(answer.starts_with(b"RFB ") || answer.is_empty());
    let mut client = Client::connect(&server, None).unwrap();
    client.stream.write_all(&[77; 100]).unwrap();
    let mut rest = Vec::new();
    let _ = client.stream.read_to_end(&mut rest);
    assert!(rest.is_empty());
}
