//! What follows an access: the time that it takes on the bus, and what has to be looked at
//! after it.
//!
//! There are many accesses, and nearly all of them move no wire and no deadline. So the
//! board knows when each chip acts next, and asks only those again that an access can have
//! changed; and wires tell that they have moved.
//!
//! Bus times are round figures of the machines that the chipset was in: an 8-bit ISA cycle
//! of six clocks at 8.33 MHz behind a PCI bridge, PIO mode 4 at the IDE data ports, and
//! 33 MHz PCI, where writes to memory are posted.

use rax_devices::{Device, Time};

use super::{Board, IO_APIC, ISA_BRIDGE, KEYBOARD, PIC, VGA};
use crate::ports::ChipId;

/// A cycle on the ISA bus.
const ISA_NS: u64 = 1000;
/// A word of an IDE data port.
const IDE_WORD_NS: u64 = 120;
/// Another register of an IDE channel.
const IDE_REGISTER_NS: u64 = 330;
/// A port, or a read of memory, on the PCI bus.
const PCI_NS: u64 = 250;
/// A write to memory on the PCI bus.
const POSTED_NS: u64 = 60;
/// A register of the processor's own local APIC.
const LOCAL_APIC_NS: u64 = 20;

/// What an access to so many bytes at a port takes.
pub(super) const fn port_ns(port: u16, bytes: usize) -> u64 {
    match port {
        0x1f0 | 0x170 => IDE_WORD_NS * bytes.div_ceil(2) as u64,
        0x1f1..=0x1f7 | 0x171..=0x177 | 0x3f6 | 0x376 => IDE_REGISTER_NS,
        // The VGA is on the PCI bus.
        0x3b0..=0x3df => PCI_NS,
        0..=0x3ff | 0x4d0..=0x4d1 => ISA_NS,
        _ => PCI_NS,
    }
}

/// When each chip acts next.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// By chip, the keyboard controller behind the others, then the local APICs together, then the VGA.
    due: Vec<Time>,
    earliest: Time,
}

const NEVER: Time = Time(u64::MAX);

impl Deadlines {
    /// Takes over when one chip acts next.
    fn set(&mut self, index: usize, due: Option<Time>) {
        let due = due.unwrap_or(NEVER);
        let Some(place) = self.due.get_mut(index) else {
            return;
        };
        let before = std::mem::replace(place, due);
        if due < self.earliest {
            self.earliest = due;
        } else if before == self.earliest && due != before {
            self.earliest = self.due.iter().copied().min().unwrap_or(NEVER);
        }
    }

    /// Takes over when all of them act next.
    fn set_all(&mut self, due: impl Iterator<Item = Option<Time>>) {
        self.due.clear();
        self.due.extend(due.map(|due| due.unwrap_or(NEVER)));
        self.earliest = self.due.iter().copied().min().unwrap_or(NEVER);
    }

    fn earliest(&self) -> Option<Time> {
        (self.earliest != NEVER).then_some(self.earliest)
    }
}

/// When a chip acts next.
fn due(chip: &mut dyn Device) -> Option<Time> {
    chip.timed()?.next_deadline()
}

impl Board {
    /// When a chip next changes something the guest can see. All are asked.
    pub fn next_deadline(&mut self) -> Option<Time> {
        let chips = self.chips.iter_mut().map(|chip| due(&mut **chip));
        let keyboard = std::iter::once_with(|| due(&mut self.keyboard));
        let apics = self.apics.iter_mut().filter_map(|apic| due(apic)).min();
        let vga = std::iter::once_with(|| due(self.vga.as_mut()?));
        let all = chips
            .chain(keyboard)
            .chain(std::iter::once(apics))
            .chain(vga);
        self.deadlines.set_all(all);
        self.deadlines.earliest()
    }

    /// The same after accesses of the guest: who was not accessed is not asked.
    pub(crate) fn known_deadline(&self) -> Option<Time> {
        self.deadlines.earliest()
    }

    /// An access to a port of a chip is over.
    pub(super) fn accessed_port(&mut self, id: ChipId, port: u16, bytes: usize) {
        let ns = port_ns(port, bytes);
        // The DMA's page registers, of which one is port 80h: nobody waits for them.
        if matches!(port, 0x80..=0x8f) {
            self.bus_ns += ns;
        } else {
            self.accessed(id, ns);
        }
    }

    /// An access to a chip is over.
    fn accessed(&mut self, id: ChipId, ns: u64) {
        self.bus_ns += ns;
        match id {
            PIC | ISA_BRIDGE | IO_APIC => self.is_stirred = true,
            KEYBOARD => {
                let due = due(&mut self.keyboard);
                self.deadlines.set(self.chips.len(), due);
            }
            VGA => {
                let due = self.vga.as_mut().and_then(|vga| due(vga));
                self.deadlines.set(self.chips.len() + 2, due);
            }
            // Drives wait for these.
            _ if Some(id) == self.dma => {
                self.next_deadline();
            }
            ChipId(index) => {
                if let Some(chip) = self.chips.get_mut(index) {
                    let due = due(&mut **chip);
                    self.deadlines.set(index, due);
                }
            }
        }
    }

    /// The same for the local APIC of the processor.
    pub(super) fn accessed_local_apic(&mut self, ns: u64) {
        self.bus_ns += ns;
        self.is_stirred = true;
        let due = self.apics.iter_mut().filter_map(|apic| due(apic)).min();
        self.deadlines.set(self.chips.len() + 1, due);
    }

    /// The processor reads four bytes of its local APIC that only it changes. Whether it
    /// does: then nothing has moved and nothing is to be looked at, but time has passed.
    pub(crate) fn read_steady(&mut self, address: u64, bytes: &mut [u8]) -> bool {
        let own = self.apics.get(self.current);
        let own = own.filter(|apic| apic.memory_page() == Some(address & !0xfff));
        let word = own.and_then(|apic| apic.steady_word(address & 0xfff));
        match (word, <&mut [u8; 4]>::try_from(bytes)) {
            (Some(word), Ok(bytes)) => *bytes = word.to_le_bytes(),
            _ => return false,
        }
        self.bus_ns += LOCAL_APIC_NS;
        true
    }

    /// An access to memory on the bus is over: its chip, or none for the local APIC.
    pub(super) fn accessed_memory(&mut self, target: MemoryTarget, is_write: bool) {
        let ns = if is_write { POSTED_NS } else { PCI_NS };
        match target {
            MemoryTarget::LocalApic => self.accessed_local_apic(LOCAL_APIC_NS),
            MemoryTarget::Chip(id) => self.accessed(id, ns),
            MemoryTarget::Nobody => self.bus_ns += ns,
        }
    }

    /// Nanoseconds that accesses took since this was last asked.
    pub(crate) fn take_bus_ns(&mut self) -> u64 {
        std::mem::take(&mut self.bus_ns)
    }

    /// [`Board::settle`], if there is something to settle. Whether there was.
    pub(crate) fn settle_changes(&mut self) -> bool {
        let is_still = !self.is_stirred
            && self.irqs.change_number() == self.settled_at
            && !self.apic_bus.has_cycles();
        if !is_still {
            self.settle();
        }
        !is_still
    }
}

/// Who answers at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemoryTarget {
    /// The local APIC of the processor whose access it is.
    LocalApic,
    /// A chip of the board.
    Chip(ChipId),
    /// Nobody: reads are ones.
    Nobody,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_earliest_is_the_least_of_all(
            changes in prop::collection::vec((0usize..6, prop::option::of(0u64..20)), 1..100),
        ) {
            let mut deadlines = Deadlines::default();
            deadlines.set_all([None; 5].into_iter());
            let mut plain = [None; 5];
            for (index, due) in changes {
                let due = due.map(Time);
                deadlines.set(index, due);
                if let Some(place) = plain.get_mut(index) {
                    *place = due;
                }
                prop_assert_eq!(deadlines.earliest(), plain.into_iter().flatten().min());
            }
        }
    }

    #[test]
    fn slow_buses_take_longer() {
        assert!(port_ns(0x61, 1) > port_ns(0x3da, 1));
        assert_eq!(port_ns(0x1f0, 4), 2 * port_ns(0x1f0, 2));
        assert_eq!(port_ns(0x170, 1), port_ns(0x1f0, 2));
    }
}
