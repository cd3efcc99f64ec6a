//! One 8259A (Intel 8259A datasheet, 231468).

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

bitflags! {
    /// Initialization command word 1, in the command port.
    struct Icw1: u8 {
        /// Initialization command word 4 will follow.
        const IC4 = 1 << 0;
        /// Single chip: no slaves, no word 3.
        const SNGL = 1 << 1;
        /// Every input is level triggered.
        const LTIM = 1 << 3;
        /// Tells word 1 from the operation command words.
        const IS_ICW1 = 1 << 4;
    }

    /// Initialization command word 4.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Icw4: u8 {
        /// 8086 mode.
        const UPM = 1 << 0;
        /// The acknowledge cycle also ends the interrupt.
        const AEOI = 1 << 1;
        /// Special fully nested mode.
        const SFNM = 1 << 4;
    }

    /// Operation command word 3.
    struct Ocw3: u8 {
        /// With `RR`: read the in-service register, else the requests.
        const RIS = 1 << 0;
        /// Selects the register to read.
        const RR = 1 << 1;
        /// The next read polls.
        const P = 1 << 2;
        /// Tells word 3 from word 2.
        const IS_OCW3 = 1 << 3;
        /// With `ESMM`: special mask mode on, else off.
        const SMM = 1 << 5;
        /// Changes special mask mode.
        const ESMM = 1 << 6;
    }
}

/// Which word the data port expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Expects {
    Icw2,
    Icw3,
    Icw4,
    /// Initialized: operation command word 1, the mask.
    Ocw1,
}

/// One 8259A.
#[derive(Debug)]
pub(super) struct Chip {
    /// Edges seen and not acknowledged yet.
    edges: u8,
    /// Input levels when last looked at.
    levels: u8,
    /// Inputs taken as levels whatever the mode: those with a slave.
    cascade: u8,
    /// Interrupt mask register.
    imr: u8,
    /// In-service register.
    isr: u8,
    /// Edge/level control register: a set bit is level triggered.
    pub(super) elcr: u8,
    level_triggered: bool,
    single: bool,
    icw4_follows: bool,
    /// Initialization command word 2: the vector of input 0.
    icw2: u8,
    icw3: u8,
    icw4: Icw4,
    expects: Expects,
    /// The input with the lowest priority; the next one has the highest.
    lowest: u8,
    rotate_on_aeoi: bool,
    special_mask: bool,
    reads_isr: bool,
    poll: bool,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SavedChipV1 {
    edges: u8,
    levels: u8,
    cascade: u8,
    imr: u8,
    isr: u8,
    elcr: u8,
    level_triggered: bool,
    single: bool,
    icw4_follows: bool,
    icw2: u8,
    icw3: u8,
    icw4: u8,
    expects: Expects,
    lowest: u8,
    rotate_on_aeoi: bool,
    special_mask: bool,
    reads_isr: bool,
    poll: bool,
}

impl Chip {
    /// A chip that waits to be initialized, everything masked.
    pub(super) const fn new() -> Self {
        Self {
            edges: 0,
            levels: 0,
            cascade: 0,
            imr: 0xff,
            isr: 0,
            elcr: 0,
            level_triggered: false,
            single: false,
            icw4_follows: false,
            icw2: 0,
            icw3: 0,
            icw4: Icw4::empty(),
            expects: Expects::Ocw1,
            lowest: 7,
            rotate_on_aeoi: false,
            special_mask: false,
            reads_isr: false,
            poll: false,
        }
    }

    /// Whether it was initialized as one of several.
    pub(super) const fn has_slave(&self) -> bool {
        !self.single
    }

    /// The vector of input `irq`.
    pub(super) const fn vector(&self, irq: u8) -> u8 {
        (self.icw2 & 0xf8) | (irq & 7)
    }

    /// Looks at the inputs; those in `cascade` have slaves. An input that was seen high and has fallen
    /// asks no longer, unless it is one of `holding`.
    pub(super) const fn sample(&mut self, rises: u8, levels: u8, cascade: u8, holding: u8) {
        let fallen = self.levels & !levels & !holding;
        self.cascade = cascade;
        self.levels = levels;
        self.edges = (self.edges & !fallen) | (rises & !self.level_inputs());
    }

    const fn level_inputs(&self) -> u8 {
        if self.level_triggered {
            0xff
        } else {
            self.elcr | self.cascade
        }
    }

    /// The interrupt request register.
    const fn irr(&self) -> u8 {
        (self.edges & !self.level_inputs()) | (self.levels & self.level_inputs())
    }

    /// 0 for the input with the highest priority, 7 for the lowest.
    const fn rank(&self, irq: u8) -> u8 {
        irq.wrapping_sub(self.lowest).wrapping_sub(1) & 7
    }

    /// The input of the highest priority among `inputs`.
    const fn highest(&self, inputs: u8) -> Option<u8> {
        let first = self.lowest.wrapping_add(1) & 7;
        let ranked = inputs.rotate_right(first as u32);
        if ranked == 0 {
            return None;
        }
        Some((ranked.trailing_zeros() as u8).wrapping_add(first) & 7)
    }

    /// The input that asks for an interrupt and may have it.
    pub(super) fn pending(&self) -> Option<u8> {
        if self.expects != Expects::Ocw1 {
            return None;
        }
        let irq = self.highest(self.irr() & !self.imr)?;
        // In special mask mode a masked level in service inhibits nobody.
        let inhibiting = if self.special_mask {
            self.isr & !self.imr
        } else {
            self.isr
        };
        let Some(in_service) = self.highest(inhibiting) else {
            return Some(irq);
        };
        // In special fully nested mode a slave may interrupt itself.
        let nests = self.icw4.contains(Icw4::SFNM) && self.cascade & (1 << irq) != 0;
        let may = self.rank(irq) < self.rank(in_service) || (nests && irq == in_service);
        may.then_some(irq)
    }

    /// An acknowledge cycle: takes the pending input, if there still is one.
    pub(super) fn acknowledge(&mut self) -> Option<u8> {
        let irq = self.pending()?;
        self.edges &= !(1 << irq);
        if self.icw4.contains(Icw4::AEOI) {
            if self.rotate_on_aeoi {
                self.lowest = irq;
            }
        } else {
            self.isr |= 1 << irq;
        }
        Some(irq)
    }

    pub(super) fn read(&mut self, a0: bool) -> u8 {
        if self.poll {
            self.poll = false;
            return self.acknowledge().map_or(0, |irq| 0x80 | irq);
        }
        match (a0, self.reads_isr) {
            (true, _) => self.imr,
            (false, true) => self.isr,
            (false, false) => self.irr(),
        }
    }

    pub(super) fn write(&mut self, a0: bool, byte: u8) {
        if a0 {
            self.write_data(byte);
        } else if byte & Icw1::IS_ICW1.bits() != 0 {
            self.initialize(&Icw1::from_bits_truncate(byte));
        } else if byte & Ocw3::IS_OCW3.bits() != 0 {
            self.operate(&Ocw3::from_bits_truncate(byte));
        } else {
            self.end_or_rotate(byte);
        }
    }

    fn write_data(&mut self, byte: u8) {
        self.expects = match self.expects {
            Expects::Icw2 => {
                self.icw2 = byte;
                match (self.single, self.icw4_follows) {
                    (false, _) => Expects::Icw3,
                    (true, true) => Expects::Icw4,
                    (true, false) => Expects::Ocw1,
                }
            }
            Expects::Icw3 => {
                self.icw3 = byte;
                if self.icw4_follows {
                    Expects::Icw4
                } else {
                    Expects::Ocw1
                }
            }
            Expects::Icw4 => {
                self.icw4 = Icw4::from_bits_truncate(byte);
                Expects::Ocw1
            }
            Expects::Ocw1 => {
                self.imr = byte;
                Expects::Ocw1
            }
        };
    }

    fn initialize(&mut self, icw1: &Icw1) {
        *self = Self {
            levels: self.levels,
            cascade: self.cascade,
            elcr: self.elcr,
            imr: 0,
            level_triggered: icw1.contains(Icw1::LTIM),
            single: icw1.contains(Icw1::SNGL),
            icw4_follows: icw1.contains(Icw1::IC4),
            expects: Expects::Icw2,
            ..Self::new()
        };
    }

    fn operate(&mut self, ocw3: &Ocw3) {
        if ocw3.contains(Ocw3::ESMM) {
            self.special_mask = ocw3.contains(Ocw3::SMM);
        }
        self.poll = ocw3.contains(Ocw3::P);
        if ocw3.contains(Ocw3::RR) {
            self.reads_isr = ocw3.contains(Ocw3::RIS);
        }
    }

    /// Operation command word 2: its top bits are R, SL and EOI.
    fn end_or_rotate(&mut self, ocw2: u8) {
        let level = ocw2 & 7;
        match ocw2 >> 5 {
            0b001 => {
                self.end_highest();
            }
            0b011 => self.isr &= !(1 << level),
            0b101 => {
                if let Some(ended) = self.end_highest() {
                    self.lowest = ended;
                }
            }
            0b111 => {
                self.isr &= !(1 << level);
                self.lowest = level;
            }
            0b100 => self.rotate_on_aeoi = true,
            0b000 => self.rotate_on_aeoi = false,
            0b110 => self.lowest = level,
            // 0b010 is "no operation".
            _ => {}
        }
    }

    /// Non-specific end of interrupt.
    fn end_highest(&mut self) -> Option<u8> {
        // In special mask mode it does not reach levels that are masked.
        let candidates = if self.special_mask {
            self.isr & !self.imr
        } else {
            self.isr
        };
        let ended = self.highest(candidates)?;
        self.isr &= !(1 << ended);
        Some(ended)
    }

    pub(super) const fn save(&self) -> SavedChipV1 {
        let &Self {
            edges,
            levels,
            cascade,
            imr,
            isr,
            elcr,
            level_triggered,
            single,
            icw4_follows,
            icw2,
            icw3,
            icw4,
            expects,
            lowest,
            rotate_on_aeoi,
            special_mask,
            reads_isr,
            poll,
        } = self;
        SavedChipV1 {
            edges,
            levels,
            cascade,
            imr,
            isr,
            elcr,
            level_triggered,
            single,
            icw4_follows,
            icw2,
            icw3,
            icw4: icw4.bits(),
            expects,
            lowest,
            rotate_on_aeoi,
            special_mask,
            reads_isr,
            poll,
        }
    }

    pub(super) const fn restore(saved: &SavedChipV1) -> Self {
        let &SavedChipV1 {
            edges,
            levels,
            cascade,
            imr,
            isr,
            elcr,
            level_triggered,
            single,
            icw4_follows,
            icw2,
            icw3,
            icw4,
            expects,
            lowest,
            rotate_on_aeoi,
            special_mask,
            reads_isr,
            poll,
        } = saved;
        Self {
            edges,
            levels,
            cascade,
            imr,
            isr,
            elcr,
            level_triggered,
            single,
            icw4_follows,
            icw2,
            icw3,
            icw4: Icw4::from_bits_truncate(icw4),
            expects,
            lowest: lowest & 7,
            rotate_on_aeoi,
            special_mask,
            reads_isr,
            poll,
        }
    }
}
