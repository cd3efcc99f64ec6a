//! The IDE controller of the PIIX3: two ATA channels with bus masters.
//!
//! Intel 82371SB (PIIX3) datasheet (290550), section 2.3 (function 1) and 2.7.
//! Registers: 0 to 8 the primary channel, 10h to 18h the secondary, each as
//! [`ide`](crate::ide) numbers them; 20h to 27h the primary channel's bus
//! master, 28h to 2Fh the secondary's, which are a PCI window (BMIBA). The
//! channels themselves are at the ports that ISA gave them.
//!
//! A DMA command is carried out some microseconds after drive and bus master
//! are both ready, so that software sees the drive busy before it sees the
//! interrupt. The decode enable bits of the IDE timing registers are set at
//! power-on, as firmware leaves them; the timings change nothing.

use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers, Timed};
use crate::ide::bus_master::{BusMaster, SavedBusMasterV1};
use crate::ide::channel::{Channel, SavedChannelV1};
use crate::ide::{CdRom, IdeDrive};
use crate::irq_line::IrqLine;
use crate::pci::{Bar, Command, ConfigSpace, Identity, PciFunction, SavedConfigV1, Status};
use crate::snapshot::{RestoreError, State};
use crate::time::Time;

/// The registers of the second channel begin here.
const SECONDARY: u64 = 0x10;
/// The bus masters.
const BUS_MASTERS: u64 = 0x20;
const BUS_MASTER_BYTES: u64 = 8;
const END: u64 = BUS_MASTERS + 2 * BUS_MASTER_BYTES;

/// BMIBA is the fifth base address register.
const BMIBA: u8 = 4;
/// IDETIM, 16 bits for each channel.
const IDETIM: u8 = 0x40;
/// SIDETIM.
const SIDETIM: u8 = 0x44;
/// IDETIM: the channel's registers are decoded (IDE).
const DECODE_ENABLE: u32 = 1 << 15;

/// A drive needs this long to find the data,
const LATENCY_NS: u64 = 10_000;
/// and moves so many bytes a nanosecond.
const BYTES_PER_NS: u64 = 4;

/// One channel and its bus master.
struct Port {
    channel: Channel,
    master: BusMaster,
    /// When the DMA transfer that has begun is done.
    due: Option<Time>,
}

impl Port {
    fn new(irq: IrqLine, drives: [Option<IdeDrive>; 2], first_number: u8) -> Self {
        Self {
            channel: Channel::new(irq, drives, first_number),
            master: BusMaster::new(),
            due: None,
        }
    }

    fn reset(&mut self) {
        self.channel.reset();
        self.master = BusMaster::new();
        self.due = None;
    }

    /// After an access: the bus master hears of the interrupt, and a transfer
    /// that can begin, does.
    fn settle(&mut self, now: Time, may_master: bool) {
        self.channel.report_interrupt(&mut self.master);
        let waiting = match self.channel.dma_waiting() {
            Some(bytes) if may_master && self.master.is_active() => bytes,
            _ => {
                self.due = None;
                return;
            }
        };
        if self.due.is_none() {
            self.due = Some(now.after_ns(LATENCY_NS + waiting / BYTES_PER_NS));
        }
    }

    fn advance(&mut self, cx: &mut Context<'_>, may_master: bool) {
        if self.due.is_some_and(|due| due <= cx.now) {
            self.due = None;
            self.channel.run_dma(&mut self.master, cx.memory);
            self.settle(cx.now, may_master);
        }
    }
}

/// The controller.
pub struct PiixIde {
    config: ConfigSpace,
    ports: [Port; 2],
}

#[derive(Serialize, Deserialize)]
struct SavedPortV1 {
    channel: SavedChannelV1,
    master: SavedBusMasterV1,
    due: Option<Time>,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    config: SavedConfigV1,
    ports: [SavedPortV1; 2],
}

impl PiixIde {
    /// A controller whose channels drive `irqs` (14 and 15 on a PC), with
    /// `drives` by channel and device.
    #[must_use]
    pub fn new(irqs: [IrqLine; 2], drives: [[Option<IdeDrive>; 2]; 2]) -> Self {
        let identity = Identity {
            vendor_id: 0x8086,
            device_id: 0x7010,
            revision_id: 0x00,
            class_code: 0x01_0180,
            subsystem: (0x1af4, 0x1100),
            interrupt_pin: None,
            is_multifunction: false,
        };
        let config = ConfigSpace::device(&identity)
            .with_command(Command::empty(), Command::IO_SPACE | Command::BUS_MASTER)
            .with_status(Status::FAST_BACK_TO_BACK | Status::DEVSEL_MEDIUM)
            .with_bar(BMIBA, Bar::io(2 * BUS_MASTER_BYTES, BUS_MASTERS))
            .with_register(IDETIM, &[0x00, 0x80].repeat(2), &[0xff; 4])
            .with_register(SIDETIM, &[0], &[0xff]);
        let [primary_irq, secondary_irq] = irqs;
        let [primary, secondary] = drives;
        Self {
            config,
            ports: [
                Port::new(primary_irq, primary, 1),
                Port::new(secondary_irq, secondary, 3),
            ],
        }
    }

    /// The CD-ROM drive at `device` of `channel`, if that is one.
    pub fn cd_rom(&mut self, channel: usize, device: usize) -> Option<&mut CdRom> {
        self.ports.get_mut(channel)?.channel.cd_rom(device)
    }

    fn may_master(&self) -> bool {
        self.config.command().contains(Command::BUS_MASTER)
    }

    fn settle(&mut self, now: Time) {
        let may_master = self.may_master();
        for port in &mut self.ports {
            port.settle(now, may_master);
        }
    }

    /// The port that `register` belongs to, if it decodes, and which register
    /// of the channel it is.
    fn channel_at(&mut self, register: u64) -> Result<(&mut Channel, u64), BusError> {
        let index = usize::from(register >= SECONDARY);
        let timing = self.config.register(IDETIM) >> (16 * index);
        if timing & DECODE_ENABLE == 0 {
            return Err(BusError::NoRegister(register));
        }
        Ok((&mut self.ports[index].channel, register % SECONDARY))
    }

    /// The bus master that `register` belongs to, and which of its registers.
    fn master_at(&mut self, register: u64) -> Result<(&mut BusMaster, u64), BusError> {
        if !(BUS_MASTERS..END).contains(&register) {
            return Err(BusError::NoRegister(register));
        }
        let offset = register - BUS_MASTERS;
        let port = &mut self.ports[usize::from(offset >= BUS_MASTER_BYTES)];
        Ok((&mut port.master, offset % BUS_MASTER_BYTES))
    }
}

impl Device for PiixIde {
    fn name(&self) -> &'static str {
        "piix-ide"
    }

    fn reset(&mut self) {
        self.config.reset();
        for port in &mut self.ports {
            port.reset();
        }
    }

    fn save(&self) -> State {
        let Self { config, ports } = self;
        let saved = SavedV1 {
            config: config.save(),
            ports: ports.each_ref().map(|port| {
                let Port {
                    channel,
                    master,
                    due,
                } = port;
                SavedPortV1 {
                    channel: channel.save(),
                    master: master.save(),
                    due: *due,
                }
            }),
        };
        State::encode(1, &saved)
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let SavedV1 { config, ports } = state.decode(self.name(), 1)?;
        let config = ConfigSpace::unpack(&config, self.name())?;
        let [primary, secondary] = ports;
        let channels = [
            self.ports[0].channel.unpack(primary.channel)?,
            self.ports[1].channel.unpack(secondary.channel)?,
        ];
        let rests = [
            (primary.master, primary.due),
            (secondary.master, secondary.due),
        ];
        self.config.restore(config);
        for ((port, channel), (master, due)) in self.ports.iter_mut().zip(channels).zip(rests) {
            port.channel.restore(channel);
            port.master = BusMaster::restore(master);
            port.due = due;
        }
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }

    fn timed(&mut self) -> Option<&mut dyn Timed> {
        Some(self)
    }

    fn pci(&mut self) -> Option<&mut dyn PciFunction> {
        Some(self)
    }
}

impl Registers for PiixIde {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        if register < BUS_MASTERS {
            let (channel, register) = self.channel_at(register)?;
            channel.read(register, bytes)?;
            self.settle(cx.now);
            return Ok(());
        }
        check_width(register, bytes.len())?;
        for (register, byte) in (register..).zip(bytes) {
            let (master, register) = self.master_at(register)?;
            *byte = master.read(register);
        }
        Ok(())
    }

    fn write(&mut self, register: u64, bytes: &[u8], cx: &mut Context<'_>) -> Result<(), BusError> {
        if register < BUS_MASTERS {
            let (channel, register) = self.channel_at(register)?;
            channel.write(register, bytes)?;
        } else {
            check_width(register, bytes.len())?;
            for (register, byte) in (register..).zip(bytes) {
                let (master, register) = self.master_at(register)?;
                master.write(register, *byte);
            }
        }
        self.settle(cx.now);
        Ok(())
    }
}

/// The bus masters take what PCI carries in one cycle.
const fn check_width(register: u64, bytes: usize) -> Result<(), BusError> {
    match bytes {
        _ if register >= END => Err(BusError::NoRegister(register)),
        1 | 2 | 4 => Ok(()),
        _ => Err(BusError::BadWidth { register, bytes }),
    }
}

impl Timed for PiixIde {
    fn next_deadline(&self) -> Option<Time> {
        self.ports.iter().filter_map(|port| port.due).min()
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        let may_master = self.may_master();
        for port in &mut self.ports {
            port.advance(cx, may_master);
        }
    }
}

impl PciFunction for PiixIde {
    fn config(&mut self) -> &mut ConfigSpace {
        &mut self.config
    }

    fn config_write(&mut self, register: u8, bytes: &[u8], cx: &mut Context<'_>) {
        self.config.write(register, bytes);
        self.settle(cx.now);
    }
}

#[cfg(test)]
mod tests;
