//! What travels between APICs: interrupt messages and ends of interrupts.
//!
//! Intel SDM volume 3A, chapter 11 (APIC): 11.6 (interprocessor interrupts),
//! 11.10 (APIC bus message passing) and 11.11 (message signalled interrupts).
//! Local APICs and I/O APICs hold an [`ApicBus`]; the board carries what they
//! send to [`deliver`] and [`IoApic::end_of_interrupt`](crate::IoApic).

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::local_apic::LocalApic;

/// What a message does to the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryMode {
    /// The interrupt of its vector, to every destination.
    Fixed,
    /// The same, to that destination alone which is least busy.
    LowestPriority,
    /// A system management interrupt.
    Smi,
    /// A non-maskable interrupt.
    Nmi,
    /// INIT.
    Init,
    /// Start-up: the vector is the page of the first instruction.
    StartUp,
    /// An external controller has the vector.
    ExtInt,
}

impl DeliveryMode {
    /// The mode with these three bits; `None` for the reserved one.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits & 7 {
            0 => Self::Fixed,
            1 => Self::LowestPriority,
            2 => Self::Smi,
            4 => Self::Nmi,
            5 => Self::Init,
            6 => Self::StartUp,
            7 => Self::ExtInt,
            _ => return None,
        })
    }
}

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// The local APIC of this ID.
    Physical(u32),
    /// Those whose logical destination matches.
    Logical(u32),
    /// All of them.
    All,
    /// All but the one of this ID, which sent it.
    AllBut(u32),
}

impl Destination {
    /// An 8-bit destination field, all ones meaning all.
    #[must_use]
    pub const fn narrow(field: u8, is_logical: bool) -> Self {
        match (field, is_logical) {
            (0xff, _) => Self::All,
            (id, false) => Self::Physical(id as u32),
            (mask, true) => Self::Logical(mask as u32),
        }
    }

    /// The 32-bit destination field of an x2APIC, all ones meaning all.
    #[must_use]
    pub const fn wide(field: u32, is_logical: bool) -> Self {
        match (field, is_logical) {
            (u32::MAX, _) => Self::All,
            (id, false) => Self::Physical(id),
            (mask, true) => Self::Logical(mask),
        }
    }
}

/// An interrupt message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ApicMessage {
    /// Whom it is for.
    pub destination: Destination,
    /// What it does.
    pub mode: DeliveryMode,
    /// Its vector, where the mode has one.
    pub vector: u8,
    /// Level triggered: its end is told to the I/O APICs.
    pub is_level: bool,
}

/// Addresses that are messages: the upper 12 bits of 32.
const MSI_ADDRESS: u64 = 0xfee;

impl ApicMessage {
    /// The interrupt that a write of `data` to memory at `address` is, if it
    /// is one (11.11).
    #[must_use]
    pub fn from_msi(address: u64, data: u32) -> Option<Self> {
        if address >> 20 != MSI_ADDRESS {
            return None;
        }
        let mode = DeliveryMode::from_bits((data >> 8) as u8)?;
        // Redirection hint: the least busy of those that match.
        let hints = address & 1 << 3 != 0 && mode == DeliveryMode::Fixed;
        let is_logical = address & 1 << 2 != 0;
        Some(Self {
            destination: Destination::narrow((address >> 12) as u8, is_logical),
            mode: if hints && is_logical {
                DeliveryMode::LowestPriority
            } else {
                mode
            },
            vector: data as u8,
            is_level: data & 1 << 15 != 0,
        })
    }
}

/// What is on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApicCycle {
    /// An interrupt, for local APICs.
    Interrupt(ApicMessage),
    /// A level-triggered interrupt has ended, for I/O APICs.
    EndOfInterrupt(u8),
}

/// The bus that all APICs are on.
pub trait ApicBus: Send + Debug {
    /// Puts a cycle on the bus. It need not have arrived when this returns.
    fn send(&self, cycle: ApicCycle);
}

/// A bus that keeps cycles in order until the board takes them. Clones are
/// the same bus.
#[derive(Clone, Debug, Default)]
pub struct ApicQueue {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    cycles: Mutex<VecDeque<ApicCycle>>,
    has_cycles: AtomicBool,
}

impl ApicQueue {
    /// A bus with nothing on it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there are cycles that were not taken.
    #[must_use]
    pub fn has_cycles(&self) -> bool {
        self.shared.has_cycles.load(Ordering::Acquire)
    }

    /// The oldest cycle that was not taken.
    #[must_use]
    pub fn take(&self) -> Option<ApicCycle> {
        // Nearly always there is none, and a load is cheaper than a lock.
        if !self.has_cycles() {
            return None;
        }
        let mut cycles = self.lock();
        let cycle = cycles.pop_front();
        self.shared
            .has_cycles
            .store(!cycles.is_empty(), Ordering::Release);
        cycle
    }

    /// Forgets what was not taken, as a reset does.
    pub fn clear(&self) {
        self.lock().clear();
        self.shared.has_cycles.store(false, Ordering::Release);
    }

    /// The queue, also after a panic elsewhere: cycles are never half there.
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<ApicCycle>> {
        let cycles = self.shared.cycles.lock();
        cycles.unwrap_or_else(PoisonError::into_inner)
    }
}

impl ApicBus for ApicQueue {
    fn send(&self, cycle: ApicCycle) {
        let mut cycles = self.lock();
        cycles.push_back(cycle);
        self.shared.has_cycles.store(true, Ordering::Release);
    }
}

/// Gives `message` to whom it is for among `apics`; false if nobody took it.
pub fn deliver(message: &ApicMessage, apics: &mut [LocalApic]) -> bool {
    if message.mode == DeliveryMode::LowestPriority {
        return match arbitrate(message, apics) {
            Some(apic) => apic.accept(message),
            None => false,
        };
    }
    let mut taken = false;
    for apic in apics {
        if apic.is_addressed(message.destination) {
            taken |= apic.accept(message);
        }
    }
    taken
}

/// Who gets a lowest-priority message: a focus processor, else the one with
/// the lowest arbitration priority (11.6.2.4).
fn arbitrate<'a>(message: &ApicMessage, apics: &'a mut [LocalApic]) -> Option<&'a mut LocalApic> {
    apics
        .iter_mut()
        .filter(|apic| apic.is_addressed(message.destination) && apic.takes_interrupts())
        .min_by_key(|apic| {
            let is_focus = apic.is_focus(message.vector);
            (!is_focus, apic.arbitration_priority())
        })
}

#[cfg(test)]
mod tests {
    use super::{ApicBus, ApicCycle, ApicMessage, ApicQueue, DeliveryMode, Destination};

    #[test]
    fn a_queue_keeps_order_and_forgets_on_demand() {
        let queue = ApicQueue::new();
        queue.clone().send(ApicCycle::EndOfInterrupt(1));
        queue.send(ApicCycle::EndOfInterrupt(2));
        assert_eq!(queue.take(), Some(ApicCycle::EndOfInterrupt(1)));
        queue.clear();
        assert_eq!(queue.take(), None);
    }

    #[test]
    fn a_write_to_the_message_addresses_is_an_interrupt() {
        let message = ApicMessage::from_msi(0xfee0_3000, 0xc041).unwrap();
        let expected = ApicMessage {
            destination: Destination::Physical(3),
            mode: DeliveryMode::Fixed,
            vector: 0x41,
            is_level: true,
        };
        assert_eq!(message, expected);
        let lowest = ApicMessage::from_msi(0xfee0_300c, 0x0141).unwrap();
        assert_eq!(lowest.destination, Destination::Logical(3));
        assert_eq!(lowest.mode, DeliveryMode::LowestPriority);
        assert!(!lowest.is_level);
        let all = ApicMessage::from_msi(0xfeef_f000, 0x0400).unwrap();
        assert_eq!(
            (all.destination, all.mode),
            (Destination::All, DeliveryMode::Nmi)
        );
        assert_eq!(ApicMessage::from_msi(0xfec0_0000, 0x41), None);
        assert_eq!(ApicMessage::from_msi(0x1_fee0_0000, 0x41), None);
        assert_eq!(ApicMessage::from_msi(0xfee0_0000, 0x0341), None);
    }
}
