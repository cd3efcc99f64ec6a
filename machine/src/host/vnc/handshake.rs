//! How a connection begins (RFC 6143, 7.1 to 7.3), and the password (7.2.2).

use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use des::Des;
use des::cipher::{Array, BlockCipherEncrypt, KeyInit};

use super::pixels::PixelFormat;

const VERSION: &[u8; 12] = b"RFB 003.008\n";
const NONE: u8 = 1;
const VNC_AUTHENTICATION: u8 = 2;
/// Whoever guesses passwords shall not guess many.
const WRONG_PASSWORD_PAUSE: Duration = Duration::from_secs(1);

/// Brings a connection to the point where messages flow.
pub(super) fn greet(
    stream: &mut (impl Read + Write),
    password: Option<&str>,
    size: (u16, u16),
) -> io::Result<()> {
    stream.write_all(VERSION)?;
    let theirs: [u8; 12] = receive(stream)?;
    let minor = match &theirs {
        b"RFB 003.003\n" | b"RFB 003.005\n" => 3,
        b"RFB 003.007\n" => 7,
        other if other.starts_with(b"RFB ") => 8,
        _ => return Err(refused("the other side speaks no RFB")),
    };
    let security = if password.is_some() {
        VNC_AUTHENTICATION
    } else {
        NONE
    };
    if minor == 3 {
        stream.write_all(&u32::from(security).to_be_bytes())?;
    } else {
        stream.write_all(&[1, security])?;
        let [chosen] = receive(stream)?;
        if chosen != security {
            return fail(stream, minor, "that security type is not offered");
        }
    }
    if let Some(password) = password {
        let mut challenge = [0; 16];
        getrandom::fill(&mut challenge).map_err(io::Error::other)?;
        stream.write_all(&challenge)?;
        let answer: [u8; 16] = receive(stream)?;
        if answer != expected(challenge, password) {
            thread::sleep(WRONG_PASSWORD_PAUSE);
            return fail(stream, minor, "the password is wrong");
        }
    }
    if security == VNC_AUTHENTICATION || minor == 8 {
        stream.write_all(&0u32.to_be_bytes())?;
    }
    // Whether to share the screen: it is always shared.
    let _: [u8; 1] = receive(stream)?;
    let name = b"rax";
    let mut init = Vec::new();
    init.extend(size.0.to_be_bytes());
    init.extend(size.1.to_be_bytes());
    init.extend(PixelFormat::OURS.to_bytes());
    init.extend((name.len() as u32).to_be_bytes());
    init.extend(name);
    stream.write_all(&init)
}

fn receive<const N: usize>(stream: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn refused(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, reason.to_owned())
}

fn fail(stream: &mut impl Write, minor: u8, reason: &str) -> io::Result<()> {
    stream.write_all(&1u32.to_be_bytes())?;
    if minor == 8 {
        stream.write_all(&(reason.len() as u32).to_be_bytes())?;
        stream.write_all(reason.as_bytes())?;
    }
    Err(refused(reason))
}

/// The answer to a challenge: it is encrypted with the password, whose bytes are taken with their lowest bit first.
pub(super) fn expected(challenge: [u8; 16], password: &str) -> [u8; 16] {
    let mut key = [0; 8];
    for (byte, character) in key.iter_mut().zip(password.bytes()) {
        *byte = character.reverse_bits();
    }
    let cipher = Des::new(&Array::from(key));
    let mut answer = challenge;
    let (halves, _) = answer.as_chunks_mut::<8>();
    for half in halves {
        let mut block = Array::from(*half);
        cipher.encrypt_block(&mut block);
        half.copy_from_slice(&block);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::expected;

    #[test]
    fn the_key_has_its_bits_reversed() {
        // DES with key 0123456789ABCDEF of "Now is t" is 3FA40E8A984D4815; reversed, the key is not text,
        // so this takes the known answer for a key whose bits read the same both ways.
        let answer = expected([0; 16], "");
        // DES of zeros under the all-zero key.
        let known = [0x8c, 0xa6, 0x4d, 0xe9, 0xc1, 0xb1, 0x23, 0xa7];
        assert_eq!(answer[..8], known);
        assert_eq!(answer[8..], known);
        assert_ne!(expected([0; 16], "secret"), answer);
        // Only eight characters count.
        assert_eq!(
            expected([1; 16], "12345678"),
            expected([1; 16], "123456789")
        );
    }
}
