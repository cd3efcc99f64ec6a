//! The parallel port, and network adapters: where they are and how they interrupt.

use rax_devices::pci::Pin;
use rax_devices::{ByteSink, Ne2000, Network, Parallel, Rtl8139};

use super::Board;
use crate::ports::PortsTaken;

/// LPT1.
pub(super) const PARALLEL: (u16, u32) = (0x378, 7);
/// Where NE2000s are: first port and interrupt.
const NE2000: [(u16, u32); 2] = [(0x300, 10), (0x320, 11)];
/// The device number on the PCI bus of the first network adapter.
const FIRST_DEVICE: u8 = 3;
/// The last one.
const LAST_DEVICE: u8 = 31;

/// What kind of network adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkModel {
    /// On the ISA bus; two at most.
    Ne2000,
    /// On the PCI bus.
    Rtl8139,
}

/// A network adapter.
pub struct NetworkAdapter {
    /// What kind.
    pub model: NetworkModel,
    /// Its station address.
    pub address: [u8; 6],
    /// Its boot ROM, if it is on the PCI bus.
    pub rom: Option<Vec<u8>>,
    /// What it is connected to.
    pub network: Box<dyn Network>,
}

impl Board {
    pub(super) fn place_printer(&mut self, printer: Box<dyn ByteSink>) -> Result<(), PortsTaken> {
        let (port, irq) = PARALLEL;
        let parallel = self.add(Parallel::new(self.irq(irq), printer));
        self.map(port..=port + 2, parallel, 0)
    }

    /// Places adapters in their order; those there is no room for are left out.
    pub(super) fn place_network(
        &mut self,
        adapters: Vec<NetworkAdapter>,
    ) -> Result<(), PortsTaken> {
        let mut isa = NE2000.into_iter();
        let mut devices = FIRST_DEVICE..=LAST_DEVICE;
        for adapter in adapters {
            let NetworkAdapter {
                model,
                address,
                rom,
                network,
            } = adapter;
            match model {
                NetworkModel::Ne2000 => {
                    let Some((port, irq)) = isa.next() else {
                        continue;
                    };
                    let chip = self.add(Ne2000::new(self.irq(irq), address, network));
                    self.map(port..=port + 0x1f, chip, 0)?;
                }
                NetworkModel::Rtl8139 => {
                    let Some(device) = devices.next() else {
                        continue;
                    };
                    let irq = self.pci_interrupt(device, Pin::IntA);
                    let chip = Rtl8139::new(irq, address, network);
                    let chip = self.add(chip.with_rom(rom.unwrap_or_default()));
                    self.plug(device, 0, chip);
                }
            }
        }
        Ok(())
    }
}
