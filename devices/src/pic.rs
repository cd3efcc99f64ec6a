//! The two 8259A interrupt controllers of a PC, cascaded, with their ELCR.
//!
//! Intel 8259A datasheet (231468), and the edge/level control registers of the
//! Intel PIIX3 datasheet, "ELCR1, ELCR2". Registers: 0 and 1 are the master's
//! ports (A0 = 0 and 1), 2 and 3 the slave's, 4 and 5 the master's and slave's
//! edge/level control.
//!
//! Decisions. A request ends when its line falls, also on an edge-triggered
//! input: drivers of serial ports read the request register to see that theirs
//! comes and goes. But lines are looked at now and then, so a pulse between two
//! looks counts until it is acknowledged; and so does each tick of the 8254,
//! whose output falls by itself after half a period: a host that stops for a
//! moment while interrupts are off must not take ticks from the guest. The
//! slave's INT output is taken by the master as a level, which is what it
//! amounts to. The MCS-80 call sequence (ICW4 with µPM = 0) does not exist on a
//! PC: vectors are always single bytes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers, byte_of_read, byte_of_write};
use crate::irq_line::IrqLines;
use crate::snapshot::{RestoreError, State};

mod chip;

use chip::{Chip, SavedChipV1};

/// The wires that belong to the pair.
const WIRES: u32 = 0xffff;
/// The master's input that the slave is connected to.
const CASCADE: u8 = 2;
/// The master's inputs whose requests stay when the line falls: the 8254.
const HOLDING: u8 = 1 << 0;
/// ELCR bits that exist: timer, keyboard and cascade are always edges.
const MASTER_ELCR_BITS: u8 = 0b1111_1000;
/// ELCR bits that exist: the clock (8) and the coprocessor (13) are edges.
const SLAVE_ELCR_BITS: u8 = 0b1101_1110;

/// The interrupt controllers.
#[derive(Debug)]
pub struct PicPair {
    lines: Arc<IrqLines>,
    master: Chip,
    slave: Chip,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    master: SavedChipV1,
    slave: SavedChipV1,
    /// Edges not yet taken from the wires.
    rises: u16,
}

impl PicPair {
    /// Controllers whose inputs are wires 0 to 15 of `lines`; wire 2, where
    /// the slave is connected, is not used.
    #[must_use]
    pub fn new(lines: Arc<IrqLines>) -> Self {
        Self {
            lines,
            master: Chip::new(),
            slave: Chip::new(),
        }
    }

    /// Whether the INT output is high: the processor should acknowledge.
    pub fn interrupt_pending(&mut self) -> bool {
        self.sample();
        self.master.pending().is_some()
    }

    /// The processor acknowledges (INTA) and gets the vector.
    ///
    /// If the request has gone away meanwhile, the vector is that of the
    /// spurious interrupt 7 (or 15), which is then not in service.
    pub fn acknowledge(&mut self) -> u8 {
        self.sample();
        match self.master.acknowledge() {
            Some(CASCADE) if self.master.has_slave() => {
                let irq = self.slave.acknowledge();
                self.slave.vector(irq.unwrap_or(7))
            }
            irq => self.master.vector(irq.unwrap_or(7)),
        }
    }

    /// Looks at the wires.
    fn sample(&mut self) {
        let [rises_low, rises_high, ..] = self.lines.take_rises(WIRES).to_le_bytes();
        let [low, high, ..] = self.lines.levels().to_le_bytes();
        self.slave.sample(rises_high, high, 0, 0);
        if self.master.has_slave() {
            let cascade = 1 << CASCADE;
            let slave = u8::from(self.slave.pending().is_some()) << CASCADE;
            let levels = (low & !cascade) | slave;
            let rises = rises_low & !cascade;
            self.master.sample(rises, levels, cascade, HOLDING);
        } else {
            self.master.sample(rises_low, low, 0, HOLDING);
        }
    }

    /// The chip and its A0 for registers 0 to 3.
    fn chip(&mut self, register: u64) -> Option<(&mut Chip, bool)> {
        match register {
            0 | 1 => Some((&mut self.master, register == 1)),
            2 | 3 => Some((&mut self.slave, register == 3)),
            _ => None,
        }
    }
}

impl Device for PicPair {
    fn name(&self) -> &'static str {
        "pic"
    }

    fn reset(&mut self) {
        let _ = self.lines.take_rises(WIRES);
        self.master = Chip::new();
        self.slave = Chip::new();
    }

    fn save(&self) -> State {
        let Self {
            lines,
            master,
            slave,
        } = self;
        let [low, high, ..] = lines.rises().to_le_bytes();
        let saved = SavedV1 {
            master: master.save(),
            slave: slave.save(),
            rises: u16::from_le_bytes([low, high]),
        };
        State::encode(1, &saved)
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let SavedV1 {
            master,
            slave,
            rises,
        } = state.decode(self.name(), 1)?;
        self.master = Chip::restore(&master);
        self.slave = Chip::restore(&slave);
        self.lines.restore_rises(WIRES, u32::from(rises));
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }
}

impl Registers for PicPair {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        let byte = byte_of_read(register, bytes)?;
        self.sample();
        *byte = match (register, self.chip(register)) {
            (_, Some((chip, a0))) => chip.read(a0),
            (4, None) => self.master.elcr,
            (5, None) => self.slave.elcr,
            _ => return Err(BusError::NoRegister(register)),
        };
        Ok(())
    }

    fn write(
        &mut self,
        register: u64,
        bytes: &[u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        let byte = byte_of_write(register, bytes)?;
        self.sample();
        match (register, self.chip(register)) {
            (_, Some((chip, a0))) => chip.write(a0, byte),
            (4, None) => self.master.elcr = byte & MASTER_ELCR_BITS,
            (5, None) => self.slave.elcr = byte & SLAVE_ELCR_BITS,
            _ => return Err(BusError::NoRegister(register)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
