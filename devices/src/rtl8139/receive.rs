//! The receiver: who is meant, and the ring in memory.

use bitflags::bitflags;

use super::{Command, Interrupts, Rtl8139};
use crate::device::Context;
use crate::network::{BROADCAST, LONGEST_FRAME, SHORTEST_FRAME};
use crate::network::{crc32, destination, is_group};

bitflags! {
    /// Receive configuration register (RCR).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Configuration: u32 {
        /// AAP: all frames.
        const ALL = 1 << 0;
        /// APM: frames to the station's address.
        const PHYSICAL = 1 << 1;
        /// AM: group addresses that hash well.
        const MULTICAST = 1 << 2;
        /// AB.
        const BROADCAST = 1 << 3;
        /// WRAP: frames go on behind the ring's end.
        const OVERRUN = 1 << 7;
    }

    /// The status word before a frame.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Status: u16 {
        const OK = 1 << 0;
        const BROADCAST = 1 << 13;
        const PHYSICAL = 1 << 14;
        const MULTICAST = 1 << 15;
    }
}

/// RCR: the ring's size, as a power of two times 8 KiB.
const RING_SHIFT: u32 = 11;
/// CAPR lies so many bytes before what software reads next.
const READ_POINTER_BIAS: u16 = 16;

impl Rtl8139 {
    fn configuration(&self) -> Configuration {
        Configuration::from_bits_retain(self.bank.receive_configuration)
    }

    fn ring_bytes(&self) -> u32 {
        0x2000 << (self.bank.receive_configuration >> RING_SHIFT & 3)
    }

    /// Where software reads next.
    fn read_offset(&self) -> u32 {
        let pointer = self.bank.read_pointer.wrapping_add(READ_POINTER_BIAS);
        u32::from(pointer) % self.ring_bytes()
    }

    pub(super) fn buffer_is_empty(&self) -> bool {
        u32::from(self.bank.write_pointer) % self.ring_bytes() == self.read_offset()
    }

    /// Why a frame is taken, or that it is not.
    fn accepts(&self, address: [u8; 6]) -> Option<Status> {
        let configuration = self.configuration();
        let takes = |reason: Configuration| {
            configuration.contains(Configuration::ALL) || configuration.contains(reason)
        };
        if address == BROADCAST {
            return takes(Configuration::BROADCAST).then_some(Status::BROADCAST);
        }
        if is_group(address) {
            let hash = crc32(&address) >> 26;
            let hashes = u64::from_le_bytes(self.bank.multicast) >> hash & 1 != 0;
            let wanted = configuration.contains(Configuration::MULTICAST) && hashes;
            let taken = wanted || configuration.contains(Configuration::ALL);
            return taken.then_some(Status::MULTICAST);
        }
        if address == self.bank.address {
            return takes(Configuration::PHYSICAL).then_some(Status::PHYSICAL);
        }
        let all = configuration.contains(Configuration::ALL);
        all.then_some(Status::empty())
    }

    /// A frame from the network: into the ring, if it is for this station.
    pub(super) fn take_frame(&mut self, frame: &[u8], cx: &mut Context<'_>) {
        let enabled = self.command().contains(Command::RECEIVE_ENABLE) && self.may_master();
        if !enabled || frame.len() > LONGEST_FRAME {
            return;
        }
        let Some(reason) = destination(frame).and_then(|address| self.accepts(address)) else {
            return;
        };
        let mut frame = frame.to_vec();
        frame.resize(frame.len().max(SHORTEST_FRAME), 0);
        let check = crc32(&frame).to_be_bytes().map(u8::reverse_bits);
        frame.extend(check.map(|byte| !byte));

        let ring = self.ring_bytes();
        let at = u32::from(self.bank.write_pointer) % ring;
        let used = (at + ring - self.read_offset()) % ring;
        let needed = (frame.len() as u32 + 4).next_multiple_of(4);
        if used + needed >= ring {
            self.raise(Interrupts::RECEIVE_OVERFLOW);
            self.bank.missed = self.bank.missed.wrapping_add(1) & 0xff_ffff;
            return;
        }
        let [status_low, status_high] = (Status::OK | reason).bits().to_le_bytes();
        let [length_low, length_high] = (frame.len() as u16).to_le_bytes();
        let mut bytes = vec![status_low, status_high, length_low, length_high];
        bytes.extend(frame);
        let room = if self.configuration().contains(Configuration::OVERRUN) {
            bytes.len()
        } else {
            bytes.len().min((ring - at) as usize)
        };
        let start = u64::from(self.bank.receive_start);
        cx.memory.write(start + u64::from(at), &bytes[..room]);
        cx.memory.write(start, &bytes[room..]);
        self.bank.write_pointer = ((at + needed) % ring) as u16;
        self.raise(Interrupts::RECEIVED);
    }
}
