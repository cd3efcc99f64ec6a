//! What the local APIC receives from the bus and sends there (SDM 3A, 11.6).

use super::registers::{Command, Errors, Spurious};
use super::vectors::Vectors;
use super::{Bank, FIRST_VECTOR, FLAT, LocalApic};
use crate::apic::{ApicCycle, ApicMessage, DeliveryMode, Destination};

/// What comes over the bus.
impl LocalApic {
    /// Whether a message to `destination` is for this one.
    #[must_use]
    pub fn is_addressed(&self, destination: Destination) -> bool {
        self.is_enabled()
            && match destination {
                Destination::All => true,
                Destination::AllBut(id) => id != self.id(),
                Destination::Physical(id) => id == self.id(),
                Destination::Logical(mask) => self.is_in(mask),
            }
    }

    /// Whether the logical destination `mask` includes this one (11.6.2.2).
    fn is_in(&self, mask: u32) -> bool {
        if self.is_x2apic() {
            let own = self.x2apic_logical_id();
            return mask >> 16 == own >> 16 && mask & own & 0xffff != 0;
        }
        let (own, mask) = (self.registers.logical_destination, mask as u8);
        if self.registers.destination_format == FLAT {
            own & mask != 0
        } else {
            let same_cluster = own >> 4 == mask >> 4 || mask >> 4 == 0xf;
            same_cluster && own & mask & 0xf != 0
        }
    }

    /// The logical ID in x2APIC mode: cluster and bit (11.12.10.2).
    pub(super) const fn x2apic_logical_id(&self) -> u32 {
        (self.model.id >> 4) << 16 | 1 << (self.model.id & 0xf)
    }

    /// Takes a message; false if it is of no use to it.
    pub fn accept(&mut self, message: &ApicMessage) -> bool {
        match message.mode {
            DeliveryMode::Fixed | DeliveryMode::LowestPriority => {
                if !self.takes_interrupts() {
                    return false;
                }
                self.request(message.vector, message.is_level);
            }
            DeliveryMode::ExtInt => {
                // An I/O APIC stands in for the wire; the wire itself decides
                // whether there is something to acknowledge.
                return self.takes_interrupts();
            }
            DeliveryMode::Smi => self.registers.signals.smi = true,
            DeliveryMode::Nmi => self.registers.signals.nmi = true,
            DeliveryMode::Init => self.initialize(),
            DeliveryMode::StartUp => self.registers.signals.start_up = Some(message.vector),
        }
        true
    }

    /// Whether it takes ordinary interrupts.
    #[must_use]
    pub const fn takes_interrupts(&self) -> bool {
        self.is_enabled() && self.registers.spurious.contains(Spurious::ENABLE)
    }

    /// Whether it is busy with `vector` already, so that another one of it
    /// should come here too.
    #[must_use]
    pub const fn is_focus(&self, vector: u8) -> bool {
        let registers = &self.registers;
        !registers.spurious.contains(Spurious::FOCUS_CHECKING_OFF)
            && (registers.in_service.contains(vector) || registers.requests.contains(vector))
    }

    /// The arbitration priority register (11.6.2.4).
    #[must_use]
    pub fn arbitration_priority(&self) -> u8 {
        let registers = &self.registers;
        let class = |vectors: &Vectors| vectors.highest().unwrap_or(0) >> 4;
        let (requested, in_service) = (class(&registers.requests), class(&registers.in_service));
        let task = registers.task_priority >> 4;
        if task >= requested && task > in_service {
            registers.task_priority
        } else {
            task.max(requested).max(in_service) << 4
        }
    }

    /// INIT: everything as after a reset but the ID and IA32_APIC_BASE.
    pub(super) fn initialize(&mut self) {
        let Bank { id, lint, .. } = self.registers;
        self.registers = Bank::new(id);
        self.registers.lint = lint;
        self.registers.signals.init = true;
    }

    /// Sends what the interrupt command register says (11.6.1).
    pub(super) fn send(&mut self, command: Command, destination: u32) {
        let Some(mode) = DeliveryMode::from_bits((command.bits() >> 8) as u8) else {
            return;
        };
        let vector = (command & Command::VECTOR).bits() as u8;
        let is_ordinary = matches!(mode, DeliveryMode::Fixed | DeliveryMode::LowestPriority);
        if is_ordinary && vector < FIRST_VECTOR {
            self.error(Errors::SEND_ILLEGAL_VECTOR);
            return;
        }
        let deasserts = command.contains(Command::LEVEL) && !command.contains(Command::ASSERT);
        if mode == DeliveryMode::Init && deasserts {
            // It set arbitration IDs, which there are none of any more.
            return;
        }
        let is_logical = command.contains(Command::LOGICAL);
        let destination = match (command & Command::SHORTHAND).bits() >> 18 {
            0 if self.is_x2apic() => Destination::wide(destination, is_logical),
            0 => Destination::narrow(destination as u8, is_logical),
            1 => Destination::Physical(self.id()),
            2 => Destination::All,
            _ => Destination::AllBut(self.id()),
        };
        // Interprocessor interrupts are always edge triggered.
        self.bus.send(ApicCycle::Interrupt(ApicMessage {
            destination,
            mode,
            vector,
            is_level: false,
        }));
    }
}
