//! What clients say (RFC 6143, 7.5).

use super::pixels::PixelFormat;

/// The longest text that a client may put on our clipboard, which we have not.
const LONGEST_TEXT: usize = 1 << 20;

/// A part of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rectangle {
    pub(super) x: u16,
    pub(super) y: u16,
    pub(super) width: u16,
    pub(super) height: u16,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    SetPixelFormat(PixelFormat),
    SetEncodings(Vec<i32>),
    UpdateRequest {
        is_incremental: bool,
        area: Rectangle,
    },
    Key {
        is_down: bool,
        keysym: u32,
    },
    Pointer {
        buttons: u8,
        x: u16,
        y: u16,
    },
    CutText,
}

/// What no client should say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadMessage {
    #[error("message type {0} is not known")]
    Type(u8),
    #[error("the pixel format is not one we have")]
    PixelFormat,
    #[error("the text is too long")]
    Text,
}

/// The first message in `bytes` and its length; `None` if it is not complete.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Message, usize)>, BadMessage> {
    let Some((&kind, body)) = bytes.split_first() else {
        return Ok(None);
    };
    let mut rest = Fields(body);
    let message = match kind {
        0 => rest.set_pixel_format(),
        2 => Ok(rest.set_encodings()),
        3 => Ok(rest.update_request()),
        4 => Ok(rest.key()),
        5 => Ok(rest.pointer()),
        6 => rest.cut_text(),
        _ => Err(BadMessage::Type(kind)),
    }?;
    let length = bytes.len() - rest.0.len();
    Ok(message.map(|message| (message, length)))
}

/// Fields in the order of the wire; `None` when the bytes run out.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn set_pixel_format(&mut self) -> Result<Option<Message>, BadMessage> {
        let Some((_, bytes)) = self.take::<3>().zip(self.take::<16>()) else {
            return Ok(None);
        };
        let format = PixelFormat::from_bytes(&bytes).ok_or(BadMessage::PixelFormat)?;
        Ok(Some(Message::SetPixelFormat(format)))
    }

    fn set_encodings(&mut self) -> Option<Message> {
        self.u8()?;
        let count = self.u16()?;
        if self.0.len() < usize::from(count) * 4 {
            return None;
        }
        let encodings = (0..count).map(|_| self.take().map(i32::from_be_bytes));
        encodings.collect::<Option<_>>().map(Message::SetEncodings)
    }

    fn update_request(&mut self) -> Option<Message> {
        let is_incremental = self.u8()? != 0;
        let area = Rectangle {
            x: self.u16()?,
            y: self.u16()?,
            width: self.u16()?,
            height: self.u16()?,
        };
        Some(Message::UpdateRequest {
            is_incremental,
            area,
        })
    }

    fn key(&mut self) -> Option<Message> {
        let is_down = self.u8()? != 0;
        self.u16()?;
        let keysym = self.u32()?;
        Some(Message::Key { is_down, keysym })
    }

    fn pointer(&mut self) -> Option<Message> {
        Some(Message::Pointer {
            buttons: self.u8()?,
            x: self.u16()?,
            y: self.u16()?,
        })
    }

    fn cut_text(&mut self) -> Result<Option<Message>, BadMessage> {
        let Some((_, length)) = self.take::<3>().zip(self.u32()) else {
            return Ok(None);
        };
        let length = length as usize;
        if length > LONGEST_TEXT {
            return Err(BadMessage::Text);
        }
        let Some(rest) = self.0.get(length..) else {
            return Ok(None);
        };
        self.0 = rest;
        Ok(Some(Message::CutText))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// All messages, and whether one was bad.
    fn all(mut bytes: &[u8]) -> (Vec<Message>, bool, usize) {
        let mut messages = Vec::new();
        loop {
            match parse(bytes) {
                Ok(Some((message, length))) => {
                    assert!(length > 0 && length <= bytes.len());
                    messages.push(message);
                    bytes = &bytes[length..];
                }
                Ok(None) => return (messages, false, bytes.len()),
                Err(_) => return (messages, true, bytes.len()),
            }
        }
    }

    #[test]
    fn messages_are_understood() {
        let bytes = [
            [4, 1, 0, 0, 0, 0, 0xff, 0x0d].as_slice(),
            &[5, 3, 1, 2, 3, 4],
            &[2, 0, 0, 2, 0, 0, 0, 16, 0xff, 0xff, 0xff, 0x21],
            &[3, 1, 0, 1, 0, 2, 0, 3, 0, 4],
            &[6, 0, 0, 0, 0, 0, 0, 2, b'h', b'i'],
            &[3, 0],
        ]
        .concat();
        let expected = [
            Message::Key {
                is_down: true,
                keysym: 0xff0d,
            },
            Message::Pointer {
                buttons: 3,
                x: 0x102,
                y: 0x304,
            },
            Message::SetEncodings(vec![16, -223]),
            Message::UpdateRequest {
                is_incremental: true,
                area: Rectangle {
                    x: 1,
                    y: 2,
                    width: 3,
                    height: 4,
                },
            },
            Message::CutText,
        ];
        assert_eq!(all(&bytes), (expected.to_vec(), false, 2));
        assert_eq!(parse(&[99]), Err(BadMessage::Type(99)));
        assert_eq!(
            parse(&[6, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
            Err(BadMessage::Text)
        );
    }

    proptest! {
        /// Any bytes are messages, the beginning of one, or refused; and it does not matter in what pieces they come.
        #[test]
        fn any_bytes_are_survived(mut bytes in vec(prop_oneof![4 => 0u8..7, 1 => any::<u8>()], 0..200), cut in 0usize..200) {
            let whole = all(&bytes);
            let later = bytes.split_off(cut.min(bytes.len()));
            let (mut messages, was_bad, left) = all(&bytes);
            if !was_bad {
                let mut rest = bytes[bytes.len() - left..].to_vec();
                rest.extend(later);
                let (more, _, _) = all(&rest);
                messages.extend(more);
            }
            prop_assert_eq!(messages, whole.0);
        }
    }
}
