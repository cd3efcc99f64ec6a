//! The PCI-to-ISA bridge of the PIIX3: its configuration space, and the
//! routing of PCI interrupts to ISA interrupts.
//!
//! Intel 82371SB (PIIX3) datasheet (290550), section 2.2, function 0. The ISA
//! chips inside the PIIX3 (interrupt controllers with ELCR, timer, DMA, reset
//! control) are chips of their own here.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::irq_line::{IrqLine, IrqLines};
use crate::pci::{Command, ConfigSpace, Identity, PciFunction, SavedConfigV1, Status};
use crate::snapshot::{RestoreError, State};

/// PIRQRC[A:D], the four route control registers.
const PIRQRC: u8 = 0x60;
/// Route control: not routed.
const NOT_ROUTED: u8 = 1 << 7;
/// Route control: the ISA interrupt.
const ROUTE: u8 = 0x0f;
/// ISA interrupts that a PCI interrupt may be routed to: 3 to 7, 9 to 12, 14
/// and 15. The others are reserved.
const ROUTABLE: u16 = 0b1101_1110_1111_1000;

/// Its registers beside the header: offset, value after reset, writable bits.
const REGISTERS: &[(u8, &[u8], &[u8])] = &[
    (0x4c, &[0x4d], &[0x7f]),             // IORT
    (0x4e, &[0x03, 0x00], &[0xff, 0x01]), // XBCS
    (PIRQRC, &[0x80; 4], &[NOT_ROUTED | ROUTE; 4]),
    (0x69, &[0x02], &[0xfe]),                      // TOM
    (0x6a, &[0x00, 0x00], &[0x74, 0x80]),          // MSTAT
    (0x70, &[0x80], &[0xef]),                      // MBIRQ0
    (0x76, &[0x0c, 0x0c], &[0x8f, 0x8f]),          // MBDMA
    (0x78, &[0x02, 0x00], &[0xff, 0xff]),          // PCSC
    (0x80, &[0x00], &[0x7f]),                      // APICBASE
    (0x82, &[0x00], &[0x0f]),                      // DLC
    (0xa0, &[0x08], &[0x1f]),                      // SMICNTL
    (0xa2, &[0x00, 0x00], &[0xff, 0x01]),          // SMIEN
    (0xa4, &[0x00; 4], &[0xfb, 0xdf, 0x00, 0xe0]), // SEE
    (0xa8, &[0x0f], &[0xff]),                      // FTMR
    (0xaa, &[0x00, 0x00], &[0xff, 0x01]),          // SMIREQ
    (0xac, &[0x00], &[0xff]),                      // CTLTMR
    (0xae, &[0x00], &[0xff]),                      // CTHTMR
];

/// The bridge.
#[derive(Debug)]
pub struct IsaBridge {
    config: ConfigSpace,
    lines: Arc<IrqLines>,
    /// The wire of PIRQA; B to D follow.
    first_pirq: u32,
    /// Its outputs to the ISA interrupts, by their number.
    outputs: [IrqLine; 16],
    /// Which outputs it holds high.
    held: u16,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    config: SavedConfigV1,
    held: u16,
}

impl IsaBridge {
    /// A bridge that takes PIRQA to PIRQD from four wires of `lines`, starting
    /// at `first_pirq`, and drives ISA interrupt n by `outputs[n]`.
    #[must_use]
    pub fn new(lines: Arc<IrqLines>, first_pirq: u32, outputs: [IrqLine; 16]) -> Self {
        debug_assert!(first_pirq <= 28, "four wires of 32");
        let identity = Identity {
            vendor_id: 0x8086,
            device_id: 0x7000,
            revision_id: 0x00,
            class_code: 0x06_0100,
            subsystem: (0x1af4, 0x1100),
            interrupt_pin: None,
            is_multifunction: true,
        };
        let fixed = Command::IO_SPACE | Command::MEMORY_SPACE | Command::BUS_MASTER;
        let mut config = ConfigSpace::device(&identity)
            .with_command(fixed, Command::SPECIAL_CYCLES)
            .with_status(Status::DEVSEL_MEDIUM);
        for (offset, reset, writable) in REGISTERS {
            config = config.with_register(*offset, reset, writable);
        }
        Self {
            config,
            lines,
            first_pirq: first_pirq.min(28),
            outputs,
            held: 0,
        }
    }

    /// The ISA interrupt that PIRQ `pirq` (0 for A) is routed to.
    #[must_use]
    pub fn route(&self, pirq: u8) -> Option<u8> {
        let control = self.config.register(PIRQRC).to_le_bytes()[usize::from(pirq & 3)];
        let irq = control & ROUTE;
        (control & NOT_ROUTED == 0 && ROUTABLE >> irq & 1 != 0).then_some(irq)
    }

    /// Looks at the PCI interrupts and drives the ISA interrupts.
    ///
    /// The board calls this before the interrupt controllers look.
    pub fn sample(&mut self) {
        let pirqs = self.lines.levels() >> self.first_pirq & 0xf;
        if pirqs == 0 && self.held == 0 {
            return;
        }
        let wanted = (0..4u8)
            .filter(|pirq| pirqs >> pirq & 1 != 0)
            .filter_map(|pirq| self.route(pirq))
            .fold(0, |wanted, irq| wanted | 1 << irq);
        self.hold(wanted, IrqLine::set);
    }

    fn hold(&mut self, wanted: u16, drive: fn(&IrqLine, bool)) {
        let changed = wanted ^ self.held;
        for (irq, output) in self.outputs.iter().enumerate() {
            if changed >> irq & 1 != 0 {
                drive(output, wanted >> irq & 1 != 0);
            }
        }
        self.held = wanted;
    }
}

impl PciFunction for IsaBridge {
    fn config(&mut self) -> &mut ConfigSpace {
        &mut self.config
    }
}

impl Device for IsaBridge {
    fn name(&self) -> &'static str {
        "isa-bridge"
    }

    fn reset(&mut self) {
        self.config.reset();
        self.hold(0, IrqLine::set);
    }

    fn save(&self) -> State {
        let Self {
            config,
            lines: _,
            first_pirq: _,
            outputs: _,
            held,
        } = self;
        let saved = SavedV1 {
            config: config.save(),
            held: *held,
        };
        State::encode(1, &saved)
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let SavedV1 { config, held } = state.decode(self.name(), 1)?;
        let config = ConfigSpace::unpack(&config, self.name())?;
        self.config.restore(config);
        self.hold(held & ROUTABLE, IrqLine::restore);
        Ok(())
    }

    fn pci(&mut self) -> Option<&mut dyn PciFunction> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::IsaBridge;
    use crate::conformance::Probe;
    use crate::device::Device;
    use crate::irq_line::{IrqLine, IrqLines};

    /// A bridge whose PIRQs are wires 16 to 19.
    fn bridge() -> (IsaBridge, Arc<IrqLines>) {
        let lines = IrqLines::new();
        let outputs = std::array::from_fn(|irq| IrqLine::new(&lines, irq as u32));
        (IsaBridge::new(Arc::clone(&lines), 16, outputs), lines)
    }

    #[test]
    fn it_is_a_piix3_and_multifunction() {
        let (mut bridge, _) = bridge();
        let mut probe = Probe::new(&mut bridge);
        assert_eq!(probe.config_read(0x00), 0x7000_8086);
        assert_eq!(probe.config_read(0x08), 0x0601_0000);
        assert_eq!(probe.config_read(0x0c) >> 16, 0x80);
        assert_eq!(probe.config_read(0x60), 0x8080_8080);
        probe.config_write(0x60, &[0xff; 4]);
        assert_eq!(probe.config_read(0x60), 0x8f8f_8f8f);
    }

    #[test]
    fn a_pirq_reaches_the_interrupt_it_is_routed_to() {
        let (mut bridge, lines) = bridge();
        let pirq = IrqLine::new(&lines, 18);
        pirq.set(true);
        bridge.sample();
        assert_eq!(lines.levels() & 0xffff, 0, "not routed");
        Probe::new(&mut bridge).config_write(0x62, &[11]);
        bridge.sample();
        assert_eq!(lines.levels() & 0xffff, 1 << 11);
        Probe::new(&mut bridge).config_write(0x62, &[10]);
        bridge.sample();
        assert_eq!(lines.levels() & 0xffff, 1 << 10);
        pirq.set(false);
        bridge.sample();
        assert_eq!(lines.levels(), 0);
    }

    #[test]
    fn reserved_routes_lead_nowhere_and_pirqs_may_share() {
        let (mut bridge, lines) = bridge();
        let a = IrqLine::new(&lines, 16);
        let b = IrqLine::new(&lines, 17);
        Probe::new(&mut bridge).config_write(0x60, &[5, 5, 13, 0]);
        assert_eq!(bridge.route(2), None);
        assert_eq!(bridge.route(3), None);
        a.set(true);
        b.set(true);
        bridge.sample();
        a.set(false);
        bridge.sample();
        assert_eq!(lines.levels() & 0xffff, 1 << 5);
    }

    #[test]
    fn a_restored_bridge_holds_its_wires_without_an_edge() {
        let (mut first, lines) = bridge();
        Probe::new(&mut first).config_write(0x60, &[9]);
        IrqLine::new(&lines, 16).set(true);
        first.sample();
        let (mut second, other_lines) = bridge();
        second.restore(first.save()).unwrap();
        assert_eq!((other_lines.levels(), other_lines.rises()), (1 << 9, 0));
    }
}
