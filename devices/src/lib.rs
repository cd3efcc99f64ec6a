//! The chips on the board, as pure state machines.
//!
//! Each chip knows its registers, numbered from zero, and never its address.
//! All it sees of the world is the [`Context`] of an access (the time, and
//! memory for bus masters), the wires it was built with ([`IrqLine`],
//! [`SystemLines`], [`ExitRequest`]) and its host end (a trait of
//! [`host_end`]). No chip asks a clock, starts a thread or holds another chip,
//! so a run replays exactly. No access, whatever its register, width or value,
//! makes a chip panic.
//!
//! The contract:
//! [`device`], [`bus_error`], [`irq_line`], [`time`], [`dma`], [`snapshot`],
//! [`host_end`], [`network`], [`conformance`]; [`pci`] for chips on the PCI bus,
//! [`apic`] for what travels between APICs.
//!
//! The chips, one file each:
//!
//! | module | chip |
//! | --- | --- |
//! | [`pic`] | the two 8259A interrupt controllers and their ELCR |
//! | [`pit`] | the 8254 interval timer and system control port B (61h) |
//! | [`pci`] | configuration space, configuration mechanism 1, BARs, MSI |
//! | [`host_bridge`] | the 440FX host bridge: memory attributes, SMRAM |
//! | [`isa_bridge`] | the PIIX3 PCI-to-ISA bridge: interrupt routing |
//! | [`power_management`] | the PIIX4 power management function and SMBus |
//! | [`fw_cfg`] | the firmware configuration device |
//! | [`hpet`] | the high precision event timer |
//! | [`local_apic`] | a processor's local APIC, xAPIC and x2APIC |
//! | [`io_apic`] | the 82093AA I/O APIC |
//! | [`rtc`] | the MC146818 real-time clock with 128 bytes of CMOS memory |
//! | [`serial`] | a 16550A UART |
//! | [`i8042`] | the keyboard controller with its keyboard and mouse |
//! | [`ne2000`] | an NE2000 network adapter on the ISA bus |
//! | [`rtl8139`] | an RTL8139 network adapter on the PCI bus |
//! | [`parallel`] | a parallel port with a printer |
//! | [`fdc`] | the 82077AA floppy disk controller with its drives |
//! | [`flash`] | a parallel flash memory with the Common Flash Interface |
//! | [`i8237`] | the two 8237A DMA controllers and their page registers |
//! | [`ide`] | one ATA channel on the ISA bus, PIO; disks and CD-ROM drives |
//! | [`piix_ide`] | the PIIX3 IDE controller: two ATA channels with bus masters |
//! | [`numeric_error`] | what FERR# leads to: IRQ 13 and IGNNE# |
//! | [`port92`] | system control port A: fast A20 and fast reset |
//! | [`reset_control`] | the reset control register (CF9h) |
//! | [`power_off`] | the register by which a guest without ACPI switches the machine off |
//! | [`vga`] | a VGA with the Bochs display interface, also as a PCI function |
//! | [`debug_exit`] | the register by which a test guest ends the run |
//! | [`debug_console`] | the byte sink at 402h and E9h |
//!
//! [`system_control`] holds the wires that several chips pull together: A20
//! and reset.
#![forbid(unsafe_code)]

pub mod apic;
pub mod bus_error;
pub mod conformance;
pub mod device;
pub mod dma;
pub mod host_end;
pub mod irq_line;
pub mod network;
pub mod numeric_error;
pub mod pci;
pub mod snapshot;
pub mod time;

pub mod debug_console;
pub mod debug_exit;
pub mod fdc;
pub mod flash;
pub mod fw_cfg;
pub mod host_bridge;
pub mod hpet;
pub mod i8042;
pub mod i8237;
pub mod ide;
pub mod io_apic;
pub mod isa_bridge;
pub mod local_apic;
pub mod ne2000;
pub mod parallel;
pub mod pic;
pub mod piix_ide;
pub mod pit;
pub mod port92;
pub mod power_management;
pub mod power_off;
pub mod reset_control;
pub mod rtc;
pub mod rtl8139;
pub mod serial;
pub mod sleep_lines;
pub mod system_control;
pub mod vga;

pub use apic::{ApicBus, ApicCycle, ApicMessage, ApicQueue};
pub use bus_error::BusError;
pub use debug_console::DebugConsole;
pub use debug_exit::{DebugExit, ExitRequest};
pub use device::{Context, Device, Registers, Timed};
pub use dma::{Dma, NoMemory, PlainMemory};
pub use fdc::{Fdc, Floppy, FloppyFormat, NotAFloppy};
pub use flash::Flash;
pub use fw_cfg::{FwCfg, FwCfgError};
pub use host_bridge::{HostBridge, MemoryLines};
pub use host_end::{ByteSink, Console, Disk, MemoryConsole, MemoryDisk};
pub use hpet::Hpet;
pub use i8042::I8042;
pub use i8237::{DmaLine, DmaPair, Moved};
pub use ide::{CdRom, Disc, IdeDrive};
pub use io_apic::IoApic;
pub use irq_line::{Cutoff, IrqInputs, IrqLine, IrqLines};
pub use isa_bridge::IsaBridge;
pub use local_apic::{LocalApic, LocalApicModel};
pub use ne2000::Ne2000;
pub use network::{Loopback, MemoryNetwork, Network, Unplugged};
pub use numeric_error::NumericError;
pub use parallel::Parallel;
pub use pic::PicPair;
pub use piix_ide::PiixIde;
pub use pit::Pit;
pub use port92::Port92;
pub use power_management::{PowerManagement, PowerManagementWires};
pub use power_off::{PowerOff, PowerOffRequest};
pub use reset_control::ResetControl;
pub use rtc::Rtc;
pub use rtl8139::Rtl8139;
pub use serial::Serial;
pub use sleep_lines::{Sleep, SleepLines};
pub use snapshot::{RestoreError, State};
pub use system_control::{ResetKind, SystemLines};
pub use time::Time;
pub use vga::{Frame, PciVga, PlainVideoMemory, TextScreen, Vga, VideoMemory};
