//! The host ends of network adapters, and Ethernet addresses.
//!
//! IEEE 802.3. A frame is its bytes from the destination address to the end of
//! the data, without preamble and check sequence. As with every host end, no
//! call blocks, and what arrives enters through the machine's one door.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The shortest frame, without its check sequence; shorter ones are filled up.
pub const SHORTEST_FRAME: usize = 60;
/// The longest frame with a VLAN tag.
pub const LONGEST_FRAME: usize = 1518;
/// Frames that wait at most; a network loses what nobody takes.
const WAITING_FRAMES: usize = 256;

/// What a network adapter is connected to.
pub trait Network: Send {
    /// The guest sends a frame.
    fn send(&mut self, frame: &[u8]);
    /// The next frame for the guest, if there is one now.
    fn receive(&mut self) -> Option<Vec<u8>>;
}

/// A cable with nobody at its other end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unplugged;

impl Network for Unplugged {
    fn send(&mut self, _frame: &[u8]) {}

    fn receive(&mut self) -> Option<Vec<u8>> {
        None
    }
}

/// A plug that returns every frame to its sender.
#[derive(Clone, Debug, Default)]
pub struct Loopback {
    frames: VecDeque<Vec<u8>>,
}

impl Network for Loopback {
    fn send(&mut self, frame: &[u8]) {
        if self.frames.len() < WAITING_FRAMES {
            self.frames.push_back(frame.to_vec());
        }
    }

    fn receive(&mut self) -> Option<Vec<u8>> {
        self.frames.pop_front()
    }
}

/// A network in memory. Clones share both directions, so keep one to send
/// frames to the guest and to read those that it sent.
#[derive(Clone, Debug, Default)]
pub struct MemoryNetwork {
    shared: Arc<Mutex<MemoryNetworkContents>>,
}

#[derive(Debug, Default)]
struct MemoryNetworkContents {
    arriving: VecDeque<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}

impl MemoryNetwork {
    /// A network without a frame.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends a frame to the guest.
    pub fn deliver(&self, frame: &[u8]) {
        self.contents().arriving.push_back(frame.to_vec());
    }

    /// Takes the frames that the guest has sent.
    #[must_use]
    pub fn take_sent(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.contents().sent)
    }

    fn contents(&self) -> MutexGuard<'_, MemoryNetworkContents> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Network for MemoryNetwork {
    fn send(&mut self, frame: &[u8]) {
        self.contents().sent.push(frame.to_vec());
    }

    fn receive(&mut self) -> Option<Vec<u8>> {
        self.contents().arriving.pop_front()
    }
}

/// Where a frame goes: the first six bytes. A frame without them goes nowhere.
#[must_use]
pub(crate) fn destination(frame: &[u8]) -> Option<[u8; 6]> {
    frame.first_chunk().copied()
}

/// Whether an address means several stations.
pub(crate) const fn is_group(address: [u8; 6]) -> bool {
    address[0] & 1 != 0
}

/// Everybody's address.
pub(crate) const BROADCAST: [u8; 6] = [0xff; 6];

/// The frame check sequence, by which adapters hash group addresses.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        for bit in 0..8 {
            let feedback = (crc >> 31) ^ u32::from(byte >> bit & 1);
            crc = (crc << 1) ^ if feedback == 0 { 0 } else { 0x04c1_1db7 };
        }
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::crc32;

    #[test]
    fn the_check_sequence_is_that_of_the_standard() {
        // The well-known check value of CRC-32, whose bits are the other way round.
        assert_eq!(!crc32(b"123456789").reverse_bits(), 0xcbf4_3926);
    }
}
