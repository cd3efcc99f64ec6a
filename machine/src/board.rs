//! The PC: every chip, its ports and its wires. Reads as a wiring diagram.

use std::any::Any;
use std::ops::RangeInclusive;
use std::sync::Arc;

use rax_cpu::Topology;
use rax_devices::io_apic;
use rax_devices::pci::ConfigMechanism;
use rax_devices::vga::FRAME_BUFFER_BYTES;
use rax_devices::{
    ApicQueue, BusError, ByteSink, Console, Context, Cutoff, DebugConsole, DebugExit, Device, Dma,
    ExitRequest, Flash, Floppy, FwCfg, HostBridge, Hpet, I8042, IdeDrive, IoApic, IrqInputs,
    IrqLine, IrqLines, IsaBridge, LocalApic, LocalApicModel, MemoryLines, NumericError, PciVga,
    PicPair, Pit, PlainVideoMemory, Port92, PowerManagement, PowerManagementWires, PowerOff,
    PowerOffRequest, ResetControl, Rtc, Serial, SleepLines, SystemLines, Time, Timed, VideoMemory,
};

use crate::handover;
use crate::handover::smbios::SmbiosString;
use crate::memory_windows::{MemoryWindow, MemoryWindows};
use crate::ports::{ChipId, Ports, PortsTaken};

mod access;
mod adapters;
mod interrupts;
mod pci;
mod screen;
mod set_up;
mod sleep;
mod storage;
mod told;

use access::{Deadlines, port_ns};
pub use adapters::{NetworkAdapter, NetworkModel};
use pci::Slot;
pub(crate) use set_up::Inventory;
pub use storage::{BootDevice, Place};

/// What is plugged into the board.
#[derive(Default)]
pub struct Fittings {
    /// COM1 to COM4.
    pub serial: Vec<Box<dyn Console>>,
    /// Hard disks and CD-ROM drives, by their [`Place`]s on the cables.
    pub drives: [Option<IdeDrive>; 4],
    /// Floppy drives A and B, and the disks in them. Drive A is always there.
    pub floppies: Vec<Option<Floppy>>,
    /// From what firmware boots, first choice first.
    pub boot_order: Vec<BootDevice>,
    /// What LPT1 prints to, if there is one.
    pub printer: Option<Box<dyn ByteSink>>,
    /// Network adapters, in their order on the buses.
    pub network: Vec<NetworkAdapter>,
    /// Where ports 402h and E9h lead.
    pub debug_console: Option<Box<dyn ByteSink>>,
    /// The debug-exit port.
    pub debug_exit: Option<u16>,
    /// A VGA adapter.
    pub vga: bool,
    /// The image in the VGA adapter's expansion ROM.
    pub vga_bios: Option<Vec<u8>>,
    /// What firmware is told, if there is firmware.
    pub fw_cfg: Option<FwCfg>,
    /// The flash memory right below the firmware.
    pub flash: Option<Flash>,
    /// Seconds since 1970, UTC, at power-on.
    pub start_time: i64,
    /// What the random numbers of RDRAND and RDSEED follow from.
    pub seed: [u8; 32],
    /// What the CMOS memory holds, as (index, value).
    pub cmos: Vec<(u8, u8)>,
    /// How many processors there are; zero is one, too.
    pub processors: u16,
    /// How they are divided, if they are not the cores of one socket. It must be of as many.
    pub topology: Option<Topology>,
    /// Strings of the SMBIOS tables, over the defaults.
    pub smbios: Vec<SmbiosString>,
}

/// COM1 to COM4: first port and interrupt.
pub(crate) const COM: [(u16, u32); 4] = [(0x3f8, 4), (0x2f8, 3), (0x3e8, 4), (0x2e8, 3)];

/// The wire of PIRQA; B to D follow. Those below are the ISA interrupts.
const FIRST_PIRQ: u32 = 16;
/// The wires of the HPET's own interrupts, which are also I/O APIC inputs.
const HPET_ROUTES: [(u8, u32); 4] = [(20, 20), (21, 21), (22, 22), (23, 23)];
/// The wire of SMI#.
const SMI: u32 = 24;
/// The wire of the clock's alarm to power management.
const ALARM: u32 = 25;
/// The interrupt of power management events.
pub(crate) const SCI: u32 = 9;
/// Where firmware puts the power management block.
pub(crate) const PM_BASE: u16 = 0x600;
/// APM commands that switch ACPI on and off.
pub(crate) const ACPI_COMMANDS: (u8, u8) = (0xf1, 0xf0);

/// Bytes of video memory: all that the frame buffer's window shows.
pub(crate) const VIDEO_BYTES: u64 = FRAME_BUFFER_BYTES;

/// Where the I/O APIC's registers are.
pub(crate) const IO_APIC_BASE: u64 = 0xfec0_0000;
/// Its ID after reset. SeaBIOS takes it for granted in its MP table; a processor may have the same, since I/O APICs are
/// addressed by nobody.
pub(crate) const IO_APIC_ID: u8 = 0;
/// Where every processor finds its local APIC.
pub(crate) const LOCAL_APIC_BASE: u64 = 0xfee0_0000;
pub(crate) const HPET_BASE: u64 = 0xfed0_0000;
/// The most processors: IDs and tables have room for these.
pub const MOST_PROCESSORS: u16 = 64;

impl Fittings {
    /// How many processors there are, and how they are divided.
    pub(crate) fn topology(&self) -> Topology {
        let count = self.processors.clamp(1, MOST_PROCESSORS);
        let fits = |topology: &Topology| topology.count() == u32::from(count);
        let one_socket = Topology::one_socket(count);
        self.topology.filter(fits).unwrap_or(one_socket)
    }
}

/// A processor's local APIC. Its timer and the time-stamp counter count nanoseconds.
const fn local_apic(id: u16) -> LocalApicModel {
    LocalApicModel {
        id: id as u32,
        is_bootstrap: id == 0,
        has_x2apic: true,
        timer_hz: 1_000_000_000,
        tsc_hz: 1_000_000_000,
        base: LOCAL_APIC_BASE,
        physical_bits: 52,
    }
}

/// The I/O APIC's pin for an ISA interrupt: IRQ 0 comes in at pin 2, because
/// IRQ 2 is the slave 8259.
pub(crate) const fn isa_pin(irq: u8) -> Option<u8> {
    match irq {
        0 => Some(2),
        1 | 3..=15 => Some(irq),
        _ => None,
    }
}

/// The I/O APIC's pin, and the wire, for interrupt pin `pin` (0 for INTA) of a
/// PCI device: successive devices' pins are turned by one, to share evenly.
pub(crate) const fn pci_pin(device: u8, pin: u8) -> u8 {
    FIRST_PIRQ as u8 + (device % 4 + 3 + pin % 4) % 4
}

/// Where a PCI device's interrupt pin leads. All tables that tell of it are made from [`pci_route`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PciRoute {
    /// To the SCI and nowhere else: power management's pin, which is device 1's INTA, is not on the router.
    Sci,
    /// To one of PIRQA to PIRQD, 0 to 3, which the ISA bridge routes and the I/O APIC has at pins 16 to 19.
    Pirq(u8),
}

/// Where interrupt pin `pin` (0 for INTA) of a PCI device leads.
pub(crate) const fn pci_route(device: u8, pin: u8) -> PciRoute {
    match (device, pin) {
        (1, 0) => PciRoute::Sci,
        _ => PciRoute::Pirq(pci_pin(device, pin) - FIRST_PIRQ as u8),
    }
}

impl PciRoute {
    /// The I/O APIC's pin.
    pub(crate) const fn io_apic_pin(self) -> u8 {
        match self {
            Self::Sci => SCI as u8,
            Self::Pirq(number) => FIRST_PIRQ as u8 + number,
        }
    }
}

/// Chips on a board.
pub struct Board {
    irqs: Arc<IrqLines>,
    pic: PicPair,
    isa_bridge: IsaBridge,
    io_apic: IoApic,
    /// How the processors are divided.
    topology: Topology,
    /// Their local APICs, the bootstrap processor's first.
    apics: Vec<LocalApic>,
    /// The processor whose accesses these are, by its local APIC.
    current: usize,
    /// A message has reached a local APIC since somebody asked.
    delivered: bool,
    /// The power management function asks the bootstrap processor for an SMI.
    smi_requested: bool,
    apic_bus: ApicQueue,
    /// What the board itself sees of the wires: SMI#, the clock's alarm.
    inputs: IrqInputs,
    config: ConfigMechanism,
    keyboard: I8042,
    vga: Option<PciVga>,
    slots: Vec<Slot>,
    chips: Vec<Box<dyn Device>>,
    ports: Ports,
    memory_windows: MemoryWindows,
    /// The windows were mapped anew since somebody asked.
    windows_moved: bool,
    /// When chips act next.
    deadlines: Deadlines,
    /// Time that accesses took on the bus.
    bus_ns: u64,
    /// An interrupt controller was reached since the wires settled.
    is_stirred: bool,
    /// The wires have settled since somebody asked.
    has_settled: bool,
    /// [`IrqLines::change_number`] when they did.
    settled_at: u64,
    /// The DMA controllers.
    dma: Option<ChipId>,
    /// What firmware has been told of the machine.
    told: Option<handover::Machine>,
    /// A20 and reset, which several chips pull.
    pub system: SystemLines,
    /// What the debug-exit port was told.
    pub exit: ExitRequest,
    /// What the power-off port was told.
    pub power_off: PowerOffRequest,
    /// Whether power management has put the machine to sleep.
    pub sleep: SleepLines,
    /// What the host bridge says of memory.
    pub memory: MemoryLines,
}

/// Chips that the board itself speaks to.
const PIC: ChipId = ChipId(usize::MAX);
const ISA_BRIDGE: ChipId = ChipId(usize::MAX - 1);
const IO_APIC: ChipId = ChipId(usize::MAX - 2);
const CONFIG_ADDRESS: ChipId = ChipId(usize::MAX - 3);
/// The window to configuration space, which is no chip.
const CONFIG_DATA: ChipId = ChipId(usize::MAX - 4);
const KEYBOARD: ChipId = ChipId(usize::MAX - 5);
const VGA: ChipId = ChipId(usize::MAX - 6);

/// Where rax's own BIOS writes when it was asked for a key and there is none. No chip is there.
pub(crate) const NO_KEY: u16 = 0x8901;

/// Whether a port belongs to the 8259s, which every interrupt handler writes to.
pub(crate) const fn is_interrupt_controller(port: u16) -> bool {
    matches!(port, 0x20..=0x21 | 0xa0..=0xa1)
}

impl Board {
    /// A standard PC, whose video memory is nowhere else mapped.
    ///
    /// # Errors
    /// When two chips claim the same port.
    pub fn pc(fittings: Fittings) -> Result<Self, PortsTaken> {
        let memory = PlainVideoMemory::new(VIDEO_BYTES as usize);
        Self::with_video_memory(fittings, Box::new(memory))
    }

    /// A standard PC whose VGA, if it has one, scans `video_memory`.
    ///
    /// # Errors
    /// When two chips claim the same port.
    pub fn with_video_memory(
        mut fittings: Fittings,
        video_memory: Box<dyn VideoMemory>,
    ) -> Result<Self, PortsTaken> {
        let mut board = Self::bare(fittings.topology());
        fittings.cmos.extend(storage::cmos(&fittings));
        board.place_interrupt_controllers()?;
        board.place_pci()?;
        if fittings.vga {
            board.place_vga(PciVga::new(video_memory, fittings.vga_bios.take()))?;
        }

        // With its legacy route on, the HPET has these two's interrupts.
        let replaced = Cutoff::new();
        let pit = board.add(Pit::new(board.irq(0).through(&replaced)));
        board.map(0x40..=0x43, pit, 0)?;
        board.map(0x61..=0x61, pit, 4)?;
        let rtc = Rtc::new(board.irq(8).through(&replaced), fittings.start_time);
        let mut rtc = rtc.with_alarm(board.irq(ALARM));
        for (index, value) in fittings.cmos {
            rtc.set_cmos(index, value);
        }
        let rtc = board.add(rtc);
        board.map(0x70..=0x71, rtc, 0)?;
        let legacy = [board.irq(0), board.irq(8)];
        let hpet = board.add(Hpet::new(&board.irqs, &HPET_ROUTES, legacy, replaced));
        board.map_memory(HPET_BASE, 0x400, hpet);

        board.map(0x60..=0x60, KEYBOARD, 0)?;
        board.map(0x64..=0x64, KEYBOARD, 1)?;
        let port92 = board.add(Port92::new(board.system.clone()));
        board.map(0x92..=0x92, port92, 0)?;
        // FERR# comes from the processor, by `set_ferr`.
        let numeric_error = board.add(NumericError::new(board.irq(13)));
        board.map(0xf0..=0xf0, numeric_error, 0)?;
        let reset = board.add(ResetControl::new(board.system.clone()));
        board.map(0xcf9..=0xcf9, reset, 0)?;

        for (console, (port, irq)) in fittings.serial.into_iter().zip(COM) {
            let serial = board.add(Serial::new(board.irq(irq), console));
            board.map(port..=port + 7, serial, 0)?;
        }
        board.place_storage(fittings.drives, fittings.floppies)?;
        if let Some(printer) = fittings.printer {
            board.place_printer(printer)?;
        }
        board.place_network(fittings.network)?;

        if let Some(fw_cfg) = fittings.fw_cfg {
            let fw_cfg = board.add(fw_cfg);
            board.map(0x510..=0x511, fw_cfg, 0)?;
            board.map(0x514..=0x51b, fw_cfg, 4)?;
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
        board.reset();
        Ok(board)
    }

    /// A board with wires and the chips that it speaks to itself.
    fn bare(topology: Topology) -> Self {
        let irqs = IrqLines::new();
        let apic_bus = ApicQueue::new();
        let system = SystemLines::new();
        let irq = |number| IrqLine::new(&irqs, number);
        let mut pins = [None; io_apic::PINS];
        for irq in 0..16 {
            if let Some(pin) = isa_pin(irq) {
                pins[usize::from(pin)] = Some(u32::from(irq));
            }
        }
        for wire in FIRST_PIRQ..SMI {
            pins[wire as usize] = Some(wire);
        }
        let isa = std::array::from_fn(|irq| IrqLine::new(&irqs, irq as u32));
        Self {
            pic: PicPair::new(Arc::clone(&irqs)),
            isa_bridge: IsaBridge::new(Arc::clone(&irqs), FIRST_PIRQ, isa),
            io_apic: IoApic::new(&irqs, pins, Box::new(apic_bus.clone())),
            apics: (0..topology.count() as u16)
                .map(|number| local_apic(topology.apic_id(number)))
                .map(|model| LocalApic::new(model, Box::new(apic_bus.clone())))
                .collect(),
            topology,
            current: 0,
            delivered: false,
            smi_requested: false,
            apic_bus,
            inputs: IrqInputs::new(&irqs),
            keyboard: I8042::new(irq(1), irq(12), system.clone()),
            vga: None,
            irqs,
            config: ConfigMechanism::new(),
            slots: Vec::new(),
            chips: Vec::new(),
            ports: Ports::default(),
            memory_windows: MemoryWindows::default(),
            windows_moved: true,
            deadlines: Deadlines::default(),
            bus_ns: 0,
            is_stirred: true,
            has_settled: false,
            settled_at: 0,
            dma: None,
            told: None,
            system,
            exit: ExitRequest::new(),
            power_off: PowerOffRequest::default(),
            sleep: SleepLines::new(),
            memory: MemoryLines::new(),
        }
    }

    fn place_interrupt_controllers(&mut self) -> Result<(), PortsTaken> {
        self.map(0x20..=0x21, PIC, 0)?;
        self.map(0xa0..=0xa1, PIC, 2)?;
        self.map(0x4d0..=0x4d1, PIC, 4)?;
        self.map_memory(IO_APIC_BASE, 0x1000, IO_APIC);
        Ok(())
    }

    /// The 440FX and what is on its PCI bus.
    fn place_pci(&mut self) -> Result<(), PortsTaken> {
        self.map(0xcf8..=0xcf8, CONFIG_ADDRESS, 0)?; // Double words only,
        self.map(0xcfc..=0xcff, CONFIG_DATA, 4)?; // so CF9h is free.
        let host_bridge = self.add(HostBridge::new(self.memory.clone()));
        self.plug(0, 0, host_bridge);
        self.plug(1, 0, ISA_BRIDGE);
        let wires = PowerManagementWires {
            sci: self.irq(SCI),
            smi: self.irq(SMI),
            power_off: self.power_off.clone(),
            sleep: self.sleep.clone(),
        };
        let power = PowerManagement::new(wires, Vec::new(), Some(ACPI_COMMANDS));
        let power = self.add(power);
        self.plug(1, 3, power);
        self.map(0xb2..=0xb3, power, 0x50)
    }

    /// The flash memory, in memory.
    pub(crate) fn place_flash(&mut self, flash: Flash, start: u64) {
        let bytes = flash.bytes();
        let flash = self.add(flash);
        self.map_memory(start, bytes, flash);
    }

    fn irq(&self, number: u32) -> IrqLine {
        IrqLine::new(&self.irqs, number)
    }

    fn add(&mut self, chip: impl Device + 'static) -> ChipId {
        self.chips.push(Box::new(chip));
        ChipId(self.chips.len() - 1)
    }

    /// The chip of this kind, if there is one.
    fn find<Chip: Device>(&mut self) -> Option<&mut Chip> {
        let chips = self.chips.iter_mut();
        chips
            .filter_map(|chip| (&mut **chip as &mut dyn Any).downcast_mut())
            .next()
    }

    fn map(
        &mut self,
        range: RangeInclusive<u16>,
        chip: ChipId,
        first_register: u64,
    ) -> Result<(), PortsTaken> {
        self.ports.map(range, chip, first_register)
    }

    fn map_memory(&mut self, start: u64, bytes: u64, chip: ChipId) {
        self.memory_windows.map(MemoryWindow {
            start,
            bytes,
            chip,
            first_register: 0,
        });
    }

    fn chip(&mut self, id: ChipId) -> Option<&mut dyn Device> {
        match id {
            PIC => Some(&mut self.pic),
            ISA_BRIDGE => Some(&mut self.isa_bridge),
            IO_APIC => Some(&mut self.io_apic),
            CONFIG_ADDRESS => Some(&mut self.config),
            KEYBOARD => Some(&mut self.keyboard),
            VGA => self.vga.as_mut().map(|vga| vga as &mut dyn Device),
            ChipId(number) => match self.chips.get_mut(number) {
                Some(chip) => Some(&mut **chip),
                None => None,
            },
        }
    }

    /// Puts every chip in its power-on state.
    pub fn reset(&mut self) {
        for chip in &mut self.chips {
            chip.reset();
        }
        self.keyboard.reset();
        if let Some(vga) = &mut self.vga {
            vga.reset();
        }
        self.config.reset();
        // Last: what the others did to their wires on the way is no interrupt.
        self.reset_interrupts();
        self.map_windows();
    }

    /// Whether the guest asked for a reset, the end of the run, to be switched off, or for sleep.
    #[must_use]
    pub fn has_request(&self) -> bool {
        self.system.reset_requested()
            || self.exit.is_pending()
            || self.power_off.is_pending()
            || self.sleep.sleep().is_some()
    }

    /// Brings every chip up to `now`.
    pub fn advance(&mut self, now: Time, memory: &mut dyn Dma) {
        let mut cx = Context { now, memory };
        for chip in &mut self.chips {
            if let Some(timed) = chip.timed() {
                timed.advance(&mut cx);
            }
        }
        self.keyboard.advance(&mut cx);
        if let Some(timed) = self.vga.as_mut().and_then(Device::timed) {
            timed.advance(&mut cx);
        }
        self.advance_apics(&mut cx);
        self.settle();
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
        if id == CONFIG_DATA {
            self.accessed_port(id, port, bytes.len());
            return self.config_read(register, bytes, &mut cx);
        }
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
                return self.each_byte(port, bytes.len(), |board, n, port| {
                    board.port_read(port, &mut bytes[n..=n], now, cx.memory);
                });
            }
            Some(Err(error)) => {
                log::debug!("read of port {port:#x}: {error}");
                bytes.fill(0xff);
            }
            _ => {}
        }
        self.accessed_port(id, port, bytes.len());
    }

    /// The guest writes consecutive ports.
    pub fn port_write(&mut self, port: u16, bytes: &[u8], now: Time, memory: &mut dyn Dma) {
        let mut cx = Context { now, memory };
        let Some((id, register, _)) = self.ports.find(port) else {
            return self.each_byte(port, bytes.len(), |board, n, port| {
                board.port_write(port, &bytes[n..=n], now, cx.memory);
            });
        };
        if id == CONFIG_DATA {
            self.accessed_port(id, port, bytes.len());
            return self.config_write(register, bytes, &mut cx);
        }
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
                return self.each_byte(port, bytes.len(), |board, n, port| {
                    board.port_write(port, &bytes[n..=n], now, cx.memory);
                });
            }
            Some(Err(error)) => log::debug!("write to port {port:#x}: {error}"),
            _ => {}
        }
        self.accessed_port(id, port, bytes.len());
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
        } else {
            self.bus_ns += port_ns(port, count);
        }
    }
}

#[cfg(test)]
mod tests;
