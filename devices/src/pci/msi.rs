//! Message signalled interrupts (PCI 2.2, 6.8).

use crate::dma::Dma;

/// Capability identifier.
pub(super) const CAPABILITY_ID: u8 = 0x05;
/// Message control: MSI enable.
pub(super) const ENABLE: u16 = 1;
/// Message control: how many messages were granted, as a power of two.
pub(super) const MULTIPLE_MESSAGE_ENABLE: u16 = 7 << 4;
/// Message control: 64-bit addresses.
const IS_64_BIT: u16 = 1 << 7;
/// Message control: per-vector masking.
const PER_VECTOR_MASKING: u16 = 1 << 8;

/// What MSI capability a function has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MsiCapability {
    /// Messages it can send, as a power of two: 0 to 5.
    pub log2_messages: u8,
    /// Takes 64-bit addresses.
    pub is_64_bit: bool,
    /// Has mask and pending bits.
    pub has_masks: bool,
}

impl MsiCapability {
    /// Message control as it reads after reset.
    pub(super) const fn control(self) -> u16 {
        let messages = if self.log2_messages > 5 {
            5
        } else {
            self.log2_messages
        };
        (messages as u16) << 1
            | if self.is_64_bit { IS_64_BIT } else { 0 }
            | if self.has_masks {
                PER_VECTOR_MASKING
            } else {
                0
            }
    }

    /// Where message data lies from the capability's start.
    pub(super) const fn data_offset(self) -> u8 {
        if self.is_64_bit { 12 } else { 8 }
    }

    /// Where the mask bits lie, whether or not it has them.
    pub(super) const fn mask_offset(self) -> u8 {
        self.data_offset() + 4
    }

    /// Bytes it takes.
    pub(super) const fn bytes(self) -> u8 {
        let end = self.data_offset() + 2;
        if self.has_masks {
            self.mask_offset() + 8
        } else {
            end
        }
    }
}

/// A memory write that is an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MsiMessage {
    /// Where to.
    pub address: u64,
    /// What.
    pub data: u32,
}

impl MsiMessage {
    /// Sends it, as the bus master it comes from.
    pub fn send(self, memory: &mut dyn Dma) {
        memory.write(self.address, &self.data.to_le_bytes());
    }
}
