//! The PC: every chip, its ports and its wires. Reads as a wiring diagram.

use std::ops::RangeInclusive;
use std::sync::Arc;

use rax_devices::{
    BusError, ByteSink, Console, Context, DebugConsole, DebugExit, Device, Disk, Dma, ExitRequest,
    I8042, Ide, IrqLine, IrqLines, PicPair, Pit, Port92, PowerOff, PowerOffRequest, ResetControl,
    Rtc, Serial, SystemLines, Time,
};

use crate::ports::{ChipId, Ports, PortsTaken};

/// What is plugged into the board.
#[derive(Default)]
pub struct Fittings {
    /// COM1 to COM4.
    pub serial: Vec<Box<dyn Console>>,
    /// The master drives of the two ATA channels.
    pub disks: Vec<Box<dyn Disk>>,
    /// Where ports 402h and E9h lead.
    pub debug_console: Option<Box<dyn ByteSink>>,
    /// The debug-exit port.
    pub debug_exit: Option<u16>,
    /// Seconds since 1970, UTC, at power-on.
    pub start_time: i64,
    /// What the random numbers of RDRAND and RDSEED follow from.
    pub seed: [u8; 32],
    /// What the CMOS memory holds, as (index, value).
    pub cmos: Vec<(u8, u8)>,
}

/// COM1 to COM4: first port and interrupt.
const COM: [(u16, u32); 4] = [(0x3f8, 4), (0x2f8, 3), (0x3e8, 4), (0x2e8, 3)];
/// The ATA channels: command block, control block and interrupt.
const ATA: [(u16, u16, u32); 2] = [(0x1f0, 0x3f6, 14), (0x170, 0x376, 15)];

/// Chips on a board.
pub struct Board {
    irqs: Arc<IrqLines>,
    pic: PicPair,
    chips: Vec<Box<dyn Device>>,
    ports: Ports,
    /// A20 and reset, which several chips pull.
    pub system: SystemLines,
    /// What the debug-exit port was told.
    pub exit: ExitRequest,
    /// What the power-off port was told.
    pub power_off: PowerOffRequest,
}

/// The interrupt controllers, which the processor asks directly.
const PIC: ChipId = ChipId(usize::MAX);

impl Board {
    /// A standard PC.
    ///
    /// # Errors
    /// When two chips claim the same port.
    pub fn pc(fittings: Fittings) -> Result<Self, PortsTaken> {
        let irqs = IrqLines::new();
        let mut board = Self {
            pic: PicPair::new(Arc::clone(&irqs)),
            irqs,
            chips: Vec::new(),
            ports: Ports::default(),
            system: SystemLines::new(),
            exit: ExitRequest::new(),
            power_off: PowerOffRequest::default(),
        };
        board.ports.map(0x20..=0x21, PIC, 0)?;
        board.ports.map(0xa0..=0xa1, PIC, 2)?;
        board.ports.map(0x4d0..=0x4d1, PIC, 4)?;

        let pit = board.add(Pit::new(board.irq(0)));
        board.map(0x40..=0x43, pit, 0)?;
        board.map(0x61..=0x61, pit, 4)?;

        let keyboard = board.add(I8042::new(
            board.irq(1),
            board.irq(12),
            board.system.clone(),
        ));
        board.map(0x60..=0x60, keyboard, 0)?;
        board.map(0x64..=0x64, keyboard, 1)?;
        let port92 = board.add(Port92::new(board.system.clone()));
        board.map(0x92..=0x92, port92, 0)?;
        let reset = board.add(ResetControl::new(board.system.clone()));
        board.map(0xcf9..=0xcf9, reset, 0)?;

        let mut rtc = Rtc::new(board.irq(8), fittings.start_time);
        for (index, value) in fittings.cmos {
            rtc.set_cmos(index, value);
        }
        let rtc = board.add(rtc);
        board.map(0x70..=0x71, rtc, 0)?;

        for (console, (port, irq)) in fittings.serial.into_iter().zip(COM) {
            let serial = board.add(Serial::new(board.irq(irq), console));
            board.map(port..=port + 7, serial, 0)?;
        }
        let mut disks = fittings.disks.into_iter();
        for (command, control, irq) in ATA {
            let ide = board.add(Ide::new(board.irq(irq), disks.next()));
            board.map(command..=command + 7, ide, 0)?; // One chip,
            board.map(control..=control, ide, 8)?; // two windows.
        }

        if let Some(sink) = fittings.debug_console {
            let debug = board.add(DebugConsole::new(sink));
            board.map(0x402..=0x402, debug, 0)?;
            board.map(0xe9..=0xe9, debug, 0)?;
        }
        if let Some(port) = fittings.debug_exit {
            let exit = board.add(DebugExit::new(board.exit.clone()));
            board.map(port..=port.saturating_add(3), exit, 0)?;
        }
        let power = board.add(PowerOff::new(board.power_off.clone()));
        board.map(0x8900..=0x8900, power, 0)?;
        Ok(board)
    }

    fn irq(&self, number: u32) -> IrqLine {
        IrqLine::new(&self.irqs, number)
    }

    fn add(&mut self, chip: impl Device + 'static) -> ChipId {
        self.chips.push(Box::new(chip));
        ChipId(self.chips.len() - 1)
    }

    fn map(
        &mut self,
        range: RangeInclusive<u16>,
        chip: ChipId,
        first_register: u64,
    ) -> Result<(), PortsTaken> {
        self.ports.map(range, chip, first_register)
    }

    fn chip(&mut self, id: ChipId) -> Option<&mut dyn Device> {
        if id == PIC {
            return Some(&mut self.pic);
        }
        match self.chips.get_mut(id.0) {
            Some(chip) => Some(&mut **chip),
            None => None,
        }
    }

    /// Puts every chip in its power-on state.
    pub fn reset(&mut self) {
        self.pic.reset();
        for chip in &mut self.chips {
            chip.reset();
        }
    }

    /// The level of the processor's INTR pin.
    pub fn interrupt_pending(&mut self) -> bool {
        self.pic.interrupt_pending()
    }

    /// The vector of the interrupt that is now being serviced.
    pub fn acknowledge_interrupt(&mut self) -> u8 {
        self.pic.acknowledge()
    }

    /// Whether the guest asked for a reset, the end of the run, or to be switched off.
    #[must_use]
    pub fn has_request(&self) -> bool {
        self.system.reset_requested() || self.exit.is_pending() || self.power_off.is_pending()
    }

    /// When a chip next changes something the guest can see.
    pub fn next_deadline(&mut self) -> Option<Time> {
        let timed =
            |chip: &mut Box<dyn Device>| chip.timed().and_then(|timed| timed.next_deadline());
        self.chips.iter_mut().filter_map(timed).min()
    }

    /// Brings every chip up to `now`.
    pub fn advance(&mut self, now: Time, memory: &mut dyn Dma) {
        let mut cx = Context { now, memory };
        for chip in &mut self.chips {
            if let Some(timed) = chip.timed() {
                timed.advance(&mut cx);
            }
        }
    }

    /// The guest reads consecutive ports.
    pub fn port_read(&mut self, port: u16, bytes: &mut [u8], now: Time, memory: &mut dyn Dma) {
        bytes.fill(0xff);
        let mut cx = Context { now, memory };
        let Some((id, register, _)) = self.ports.find(port) else {
            return self.each_byte(port, bytes.len(), |board, n, port| {
                board.port_read(port, &mut bytes[n..=n], now, cx.memory);
            });
        };
        let whole = self.chip(id).map(|chip| {
            if let Some(timed) = chip.timed() {
                timed.advance(&mut cx);
            }
            chip.registers()
                .map_or(Ok(()), |registers| registers.read(register, bytes, &mut cx))
        });
        match whole {
            Some(Err(BusError::BadWidth { .. })) if bytes.len() > 1 => {
                // An 8-bit chip on the bus: one cycle a byte.
                self.each_byte(port, bytes.len(), |board, n, port| {
                    board.port_read(port, &mut bytes[n..=n], now, cx.memory);
                });
            }
            Some(Err(error)) => {
                log::debug!("read of port {port:#x}: {error}");
                bytes.fill(0xff);
            }
            _ => {}
        }
    }

    /// The guest writes consecutive ports.
    pub fn port_write(&mut self, port: u16, bytes: &[u8], now: Time, memory: &mut dyn Dma) {
        let mut cx = Context { now, memory };
        let Some((id, register, _)) = self.ports.find(port) else {
            return self.each_byte(port, bytes.len(), |board, n, port| {
                board.port_write(port, &bytes[n..=n], now, cx.memory);
            });
        };
        let whole = self.chip(id).map(|chip| {
            if let Some(timed) = chip.timed() {
                timed.advance(&mut cx);
            }
            chip.registers().map_or(Ok(()), |registers| {
                registers.write(register, bytes, &mut cx)
            })
        });
        match whole {
            Some(Err(BusError::BadWidth { .. })) if bytes.len() > 1 => {
                self.each_byte(port, bytes.len(), |board, n, port| {
                    board.port_write(port, &bytes[n..=n], now, cx.memory);
                });
            }
            Some(Err(error)) => log::debug!("write to port {port:#x}: {error}"),
            _ => {}
        }
    }

    /// Takes an access apart; a single byte that nobody answers is dropped.
    fn each_byte(
        &mut self,
        port: u16,
        count: usize,
        mut access: impl FnMut(&mut Self, usize, u16),
    ) {
        if count > 1 {
            for n in 0..count {
                access(self, n, port.wrapping_add(n as u16));
            }
        }
    }
}
