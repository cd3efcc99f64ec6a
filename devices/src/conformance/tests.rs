//! Every chip under random accesses.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Access, Action, check, check_replay};
use crate::device::Device;
use crate::irq_line::{Cutoff, IrqLine, IrqLines};
use crate::pci::ConfigMechanism;
use crate::system_control::SystemLines;
use crate::{
    ApicQueue, DebugConsole, DebugExit, Disc, ExitRequest, Flash, FwCfg, HostBridge, Hpet, I8042,
    IdeDrive, IoApic, IsaBridge, LocalApic, LocalApicModel, MemoryConsole, MemoryDisk, MemoryLines,
    MemoryNetwork, Ne2000, NumericError, Parallel, PciVga, PicPair, PiixIde, Pit, PlainVideoMemory,
    Port92, PowerManagement, PowerManagementWires, PowerOffRequest, ResetControl, Rtc, Rtl8139,
    Serial, SleepLines, Unplugged, Vga,
};

fn access() -> impl Strategy<Value = Access> {
    let after_ns = prop_oneof![
        8 => 0u64..2_000,
        4 => 0u64..3_000_000,
        2 => 0u64..2_000_000_000,
        1 => 0u64..1 << 55,
        1 => Just(u64::MAX / 8),
    ];
    let register = prop_oneof![
        16 => 0u64..10,
        2 => 0x10u64..0x30,
        4 => 0u64..0x100,
        4 => (0u64..0x100).prop_map(|index| index * 16),
        1 => any::<u64>()
    ];
    let width = prop_oneof![16 => Just(1usize), 2 => Just(2), 4 => Just(4), 1 => 0usize..1100];
    let register_action = (width, any::<bool>()).prop_flat_map(|(width, is_write)| {
        if is_write {
            vec(any::<u8>(), width).prop_map(Action::Write).boxed()
        } else {
            Just(Action::Read(width)).boxed()
        }
    });
    let action = prop_oneof![
        8 => register_action,
        1 => Just(Action::ConfigRead),
        1 => vec(any::<u8>(), 1..=4).prop_map(Action::ConfigWrite),
    ];
    (after_ns, register, action).prop_map(|(after_ns, register, action)| Access {
        after_ns,
        register,
        action,
    })
}

fn wire() -> (Arc<IrqLines>, IrqLine) {
    let lines = IrqLines::new();
    let wire = IrqLine::new(&lines, 4);
    (lines, wire)
}

fn disk() -> MemoryDisk {
    MemoryDisk::new((0..64 * 512u32).map(|index| (index / 7) as u8).collect())
}

fn typed() -> MemoryConsole {
    let console = MemoryConsole::new();
    console.type_bytes(&[b'x'; 500]);
    console
}

fn fw_cfg() -> FwCfg {
    let mut device = FwCfg::new();
    device.add_file("fixed", vec![1; 100]).unwrap();
    device.add_writable_file("changing", vec![2; 100]).unwrap();
    device
}

fn video_memory() -> Box<PlainVideoMemory> {
    Box::new(PlainVideoMemory::new(0))
}

/// The chips on the PCI bus.
fn pci_chips() -> Vec<(Box<dyn Device>, bool)> {
    let (lines, wire) = wire();
    let outputs = std::array::from_fn(|irq| IrqLine::new(&lines, irq as u32));
    let wires = PowerManagementWires {
        sci: wire.clone(),
        smi: wire,
        power_off: PowerOffRequest::default(),
        sleep: SleepLines::new(),
    };
    vec![
        (Box::new(ConfigMechanism::new()), true),
        (Box::new(fw_cfg()), true),
        (Box::new(HostBridge::new(MemoryLines::new())), true),
        (Box::new(IsaBridge::new(lines, 16, outputs)), true),
        // What is in video memory stays there when the state is taken back.
        (Box::new(Vga::new(video_memory())), false),
        (
            Box::new(PciVga::new(video_memory(), Some(vec![0x55; 100]))),
            false,
        ),
        (
            Box::new(PowerManagement::new(wires, Vec::new(), None)),
            true,
        ),
    ]
}

/// ATA channels, alone and in pairs, with a disk, a CD, both, or nothing. What
/// is written to a disk stays there when the drive's state is taken back.
fn drives() -> Vec<(Box<dyn Device>, bool)> {
    let (_, wire) = wire();
    let hard_disk = || Some(IdeDrive::disk(Box::new(disk())));
    let fixed_disk = || Some(IdeDrive::disk(Box::new(disk().read_only())));
    let empty = || Some(IdeDrive::cd_rom(None));
    let cd = || Some(IdeDrive::cd_rom(Some(Disc::new(Box::new(disk())))));
    let pair = |drives| Box::new(PiixIde::new([wire.clone(), wire.clone()], drives));
    vec![
        (pair([[None, None], [None, None]]), true),
        (pair([[fixed_disk(), cd()], [cd(), None]]), true),
        (pair([[None, cd()], [empty(), fixed_disk()]]), true),
        (pair([[hard_disk(), empty()], [cd(), hard_disk()]]), false),
    ]
}

/// APICs in each mode, and the HPET.
fn apics() -> Vec<(Box<dyn Device>, bool)> {
    let model = LocalApicModel {
        id: 0,
        is_bootstrap: true,
        has_x2apic: true,
        timer_hz: 1_000_000_000,
        tsc_hz: 1_000_000_000,
        base: 0xfee0_0000,
        physical_bits: 40,
    };
    let queue = ApicQueue::new();
    let apic = || LocalApic::new(model, Box::new(queue.clone()));
    let mut wired = apic();
    wired.enter_virtual_wire_mode();
    let pins = std::array::from_fn(|pin| Some(pin as u32));
    let lines = IrqLines::new();
    let legacy = [IrqLine::new(&lines, 0), IrqLine::new(&lines, 8)];
    let hpet = Hpet::new(&lines, &[(20, 20), (23, 23)], legacy, Cutoff::new());
    let io_apic = IoApic::new(&IrqLines::new(), pins, Box::new(queue.clone()));
    vec![
        (Box::new(apic()), true),
        (Box::new(wired), true),
        (Box::new(io_apic), true),
        (Box::new(hpet), true),
    ]
}

/// One of each, and whether its answers come from its own state alone.
fn chips() -> Vec<(Box<dyn Device>, bool)> {
    let (lines, wire) = wire();
    let system = SystemLines::new();
    let mut chips: Vec<(Box<dyn Device>, bool)> = vec![
        (Box::new(PicPair::new(lines)), true),
        (Box::new(Pit::new(wire.clone())), true),
        (Box::new(Rtc::new(wire.clone(), 1_700_000_000)), true),
        (
            Box::new(Serial::new(wire.clone(), Box::new(typed()))),
            false,
        ),
        (
            Box::new(I8042::new(wire.clone(), wire.clone(), system.clone())),
            true,
        ),
        (
            Box::new(Parallel::new(wire.clone(), Box::new(typed()))),
            true,
        ),
        (Box::new(NumericError::new(wire.clone())), true),
        (Box::new(Port92::new(system.clone())), true),
        (Box::new(ResetControl::new(system)), true),
        (Box::new(DebugExit::new(ExitRequest::new())), true),
        (Box::new(Flash::new(vec![0x5a; 8192], None)), true),
        (Box::new(DebugConsole::new(Box::new(typed()))), true),
    ];
    chips.extend(network_adapters());
    chips.extend(pci_chips());
    chips.extend(apics());
    chips.extend(drives());
    chips
}

fn network_adapters() -> Vec<(Box<dyn Device>, bool)> {
    let (_, wire) = wire();
    let address = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
    let busy = MemoryNetwork::new();
    for length in [0, 5, 60, 300, 1514, 4000] {
        busy.deliver(&vec![0xff; length]);
    }
    vec![
        (
            Box::new(Ne2000::new(wire.clone(), address, Box::new(Unplugged))),
            true,
        ),
        (
            Box::new(Ne2000::new(wire.clone(), address, Box::new(busy.clone()))),
            false,
        ),
        (
            Box::new(Rtl8139::new(wire.clone(), address, Box::new(Unplugged))),
            true,
        ),
        (Box::new(Rtl8139::new(wire, address, Box::new(busy))), false),
    ]
}

proptest! {
    #[test]
    fn every_chip_keeps_the_contract(accesses in vec(access(), 0..200)) {
        for (mut chip, _) in chips() {
            check(&mut *chip, &accesses);
        }
    }

    #[test]
    fn every_chip_replays_from_a_saved_state(accesses in vec(access(), 0..200)) {
        for (mut chip, replays) in chips() {
            if replays {
                check_replay(&mut *chip, &accesses);
            }
        }
    }
}
