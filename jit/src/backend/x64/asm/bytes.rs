//! The bytes of a unit while they are written: a word at a time, of which some count.

/// How many bytes are written at once.
const WORD: usize = 8;
/// How much room there is at first: most units need no more.
const ROOM: usize = 1 << 10;

/// Bytes, and room behind them.
#[derive(Clone, Debug, Default)]
pub(super) struct Bytes {
    room: Vec<u8>,
    length: usize,
}

impl Bytes {
    /// None yet; they are to be laid down in `room`.
    pub(super) fn new(mut room: Vec<u8>) -> Self {
        room.resize(ROOM, 0);
        Self { room, length: 0 }
    }

    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.length
    }

    /// Those that were written.
    pub(super) fn into_vec(mut self) -> Vec<u8> {
        self.room.truncate(self.length);
        self.room
    }

    /// Appends the lowest bytes of a word.
    #[inline(always)]
    pub(super) fn put(&mut self, word: u64, count: usize) {
        debug_assert!(count <= WORD, "the others are lost");
        let place = match self.room[self.length..].first_chunk_mut::<WORD>() {
            Some(place) => place,
            None => self.grow(),
        };
        *place = word.to_le_bytes();
        self.length += count;
    }

    #[cold]
    fn grow(&mut self) -> &mut [u8; WORD] {
        let room = self.room.len() * 2 + ROOM;
        self.room.resize(room, 0);
        match self.room[self.length..].first_chunk_mut() {
            Some(place) => place,
            None => unreachable!("there is room now"),
        }
    }

    /// Writes over four bytes.
    #[inline]
    pub(super) fn patch(&mut self, at: usize, value: i32) {
        if let Some(place) = self.room[at..].first_chunk_mut() {
            *place = value.to_le_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_as_they_were_put() {
        let mut bytes = Bytes::new(vec![7; 3]);
        let mut expected = Vec::new();
        for n in 0..3 * ROOM {
            let word = (n as u64).wrapping_mul(0x0123_4567_89ab_cdef);
            bytes.put(word, n % (WORD + 1));
            expected.extend(&word.to_le_bytes()[..n % (WORD + 1)]);
            assert_eq!(bytes.len(), expected.len());
        }
        bytes.patch(5, -2);
        expected[5..9].copy_from_slice(&(-2i32).to_le_bytes());
        assert_eq!(bytes.into_vec(), expected);
    }
}
