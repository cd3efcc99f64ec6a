//! The wiring: interrupts from a wire to the processor, PCI windows that move.

use rax_devices::pci::Pin;
use rax_devices::{
    Disc, Floppy, FwCfg, IdeDrive, Loopback, MemoryConsole, MemoryDisk, NoMemory, PlainMemory, Time,
};

use super::{
    Board, BootDevice, Fittings, IO_APIC_BASE, IO_APIC_ID, LOCAL_APIC_BASE, NetworkAdapter,
    NetworkModel, Place,
};
use crate::handover;

fn board() -> Board {
    Board::pc(Fittings::default()).unwrap()
}

impl Board {
    fn out(&mut self, port: u16, bytes: &[u8]) {
        self.port_write(port, bytes, Time(1), &mut NoMemory);
    }

    fn inb(&mut self, port: u16) -> u8 {
        let mut byte = [0];
        self.port_read(port, &mut byte, Time(1), &mut NoMemory);
        byte[0]
    }

    fn poke(&mut self, address: u64, value: u32) {
        self.memory_write(address, &value.to_le_bytes(), Time(1), &mut NoMemory);
    }

    fn peek(&mut self, address: u64) -> u32 {
        let mut bytes = [0; 4];
        self.memory_read(address, &mut bytes, Time(1), &mut NoMemory);
        u32::from_le_bytes(bytes)
    }

    /// Writes configuration space of `device`.`function` by bytes.
    fn configure(&mut self, device: u32, function: u32, register: u32, bytes: &[u8]) {
        let target = 0x8000_0000 | device << 11 | function << 8 | (register & 0xfc);
        self.out(0xcf8, &target.to_le_bytes());
        for (port, &byte) in (0xcfc + (register & 3) as u16..).zip(bytes) {
            self.out(port, &[byte]);
        }
    }

    fn identity(&mut self, device: u32, function: u32) -> u32 {
        let target = 0x8000_0000 | device << 11 | function << 8;
        self.out(0xcf8, &target.to_le_bytes());
        let mut bytes = [0; 4];
        self.port_read(0xcfc, &mut bytes, Time(1), &mut NoMemory);
        u32::from_le_bytes(bytes)
    }

    /// The 8259s as a PC's firmware leaves them, everything unmasked.
    fn initialize_pics(&mut self) {
        for (port, words) in [(0x20, [8, 4, 1]), (0xa0, [0x70, 2, 1])] {
            self.out(port, &[0x11]);
            for word in words {
                self.out(port + 1, &[word]);
            }
            self.out(port + 1, &[0]);
        }
    }

    /// An entry of the I/O APIC's table, for local APIC 0.
    fn redirect(&mut self, pin: u32, low: u32) {
        self.poke(IO_APIC_BASE, 0x10 + 2 * pin);
        self.poke(IO_APIC_BASE + 0x10, low);
    }
}

#[test]
fn an_x87_error_comes_as_irq_13_until_port_f0_is_written() {
    let mut board = board();
    board.initialize_pics();
    assert!(!board.set_ferr(true));
    assert!(board.interrupt_pending());
    assert_eq!(board.acknowledge_interrupt(), 0x75);
    board.out(0xf0, &[0]);
    board.out(0xa0, &[0x20]);
    board.out(0x20, &[0x20]);
    assert!(board.set_ferr(true), "the handler is at it");
    assert!(!board.interrupt_pending());
    board.set_ferr(false);
    assert!(!board.set_ferr(true));
    assert!(board.interrupt_pending(), "another error");
}

#[test]
fn an_isa_interrupt_comes_through_the_8259s_and_lint0() {
    let mut board = board();
    board.initialize_pics();
    assert!(!board.interrupt_pending());
    board.irq(4).set(true);
    assert!(board.interrupt_pending());
    assert_eq!(board.acknowledge_interrupt(), 0xc);
    assert!(!board.interrupt_pending());
}

#[test]
fn the_timer_comes_through_the_io_apic_at_pin_2() {
    let mut board = board();
    board.redirect(2, 0x31);
    board.irq(0).pulse(false);
    assert!(board.interrupt_pending());
    assert_eq!(board.acknowledge_interrupt(), 0x31);
    board.poke(LOCAL_APIC_BASE + 0xb0, 0);
    assert!(!board.interrupt_pending());
}

#[test]
fn the_io_apic_has_the_id_of_the_tables_after_reset() {
    let mut board = board();
    for _ in 0..2 {
        board.poke(IO_APIC_BASE, 0);
        let id = board.peek(IO_APIC_BASE + 0x10);
        // What the datasheet says (82093AA 3.2.1), and SeaBIOS in its MP table.
        assert_eq!((id, IO_APIC_ID), (0, 0));
        board.reset();
    }
}

#[test]
fn a_pci_interrupt_is_a_level_at_the_io_apic_until_its_end() {
    let mut board = board();
    // Device 1 INTA is PIRQA, pin 16.
    let wire = board.pci_interrupt(1, Pin::IntA);
    board.redirect(16, 0xa041);
    wire.set(true);
    assert!(board.interrupt_pending());
    assert_eq!(board.acknowledge_interrupt(), 0x41);
    assert!(!board.interrupt_pending());
    board.poke(LOCAL_APIC_BASE + 0xb0, 0);
    assert!(board.interrupt_pending(), "still asserted");
    assert_eq!(board.acknowledge_interrupt(), 0x41);
    wire.set(false);
    board.poke(LOCAL_APIC_BASE + 0xb0, 0);
    assert!(!board.interrupt_pending());
}

#[test]
fn a_pci_interrupt_is_routed_to_the_8259s() {
    let mut board = board();
    board.initialize_pics();
    board.out(0x4d1, &[0x08]); // IRQ 11 is a level.
    board.configure(1, 0, 0x61, &[11]); // PIRQB
    let wire = board.pci_interrupt(2, Pin::IntA);
    wire.set(true);
    assert!(board.interrupt_pending());
    assert_eq!(board.acknowledge_interrupt(), 0x73);
    board.out(0xa0, &[0x20]);
    board.out(0x20, &[0x20]);
    assert!(board.interrupt_pending(), "still asserted");
    wire.set(false);
    assert!(!board.interrupt_pending());
}

#[test]
fn the_functions_are_where_firmware_looks_for_them() {
    let mut board = board();
    assert_eq!(board.identity(0, 0), 0x1237_8086);
    assert_eq!(board.identity(1, 0), 0x7000_8086);
    assert_eq!(board.identity(1, 1), 0x7010_8086);
    assert_eq!(board.identity(1, 3), 0x7113_8086);
    assert_eq!(board.identity(1, 2), 0xffff_ffff);
    assert_eq!(board.identity(9, 0), 0xffff_ffff);
}

#[test]
fn the_power_management_block_moves_and_switches_off() {
    let mut board = board();
    board.configure(1, 3, 0x40, &[0x00, 0x06]);
    board.configure(1, 3, 0x80, &[1]);
    assert_ne!(board.inb(0x608), 0xff);
    board.configure(1, 3, 0x40, &[0x00, 0xb0]);
    assert_eq!(board.inb(0x604), 0xff);
    assert!(!board.has_request());
    board.out(0xb004, &[0x00, 0x20]);
    assert!(board.power_off.take());
    board.reset();
    assert_eq!(board.inb(0xb004), 0xff, "a reset closes it");
}

#[test]
fn the_tables_follow_the_power_management_block() {
    let machine = handover::Machine {
        ram: 64 << 20,
        topology: rax_cpu::Topology::one_socket(1),
        serial_ports: 1,
        has_parallel_port: false,
        power_block: 0x600,
    };
    let mut fw_cfg = FwCfg::new();
    handover::describe(&mut fw_cfg, &machine, &[]).unwrap();
    let mut board = Board::pc(Fittings {
        fw_cfg: Some(fw_cfg),
        ..Fittings::default()
    })
    .unwrap();
    board.keep_told(machine);
    // The ports of events, control, timer and general purpose events.
    let told = |board: &mut Board| {
        let tables = board.find::<FwCfg>().unwrap().file("etc/acpi/tables");
        let tables = tables.unwrap();
        let fadt = tables.windows(4).position(|word| word == b"FACP").unwrap();
        [56, 64, 76, 80].map(|at| {
            let field = tables[fadt + at..][..4].try_into().unwrap();
            u32::from_le_bytes(field)
        })
    };
    let standard = [0x600, 0x604, 0x608, 0x60c];
    assert_eq!(told(&mut board), standard);
    // As OVMF has it; what is not open yet is nowhere.
    board.configure(1, 3, 0x40, &[0x00, 0xb0]);
    assert_eq!(told(&mut board), standard);
    board.configure(1, 3, 0x80, &[1]);
    assert_eq!(told(&mut board), [0xb000, 0xb004, 0xb008, 0xb00c]);
    board.configure(1, 3, 0x40, &[0x00, 0x06]);
    assert_eq!(told(&mut board), standard);
}

#[test]
fn functions_have_windows_where_no_firmware_was() {
    let mut board = Board::pc(Fittings {
        vga: true,
        network: vec![NetworkAdapter {
            model: NetworkModel::Rtl8139,
            address: [2, 0, 0, 0, 0, 1],
            rom: None,
            network: Box::new(Loopback::default()),
        }],
        ..Fittings::default()
    })
    .unwrap();
    board.set_up(Time(1));
    assert_eq!(board.frame_buffer(), Some(0xfd00_0000));
    board.poke(0xfd00_0010, 0x1234_5678);
    assert_eq!(board.peek(0xfd00_0010), 0x1234_5678);
    // The adapter has its ports, too: Linux takes it for the screen's owner by both bits of its command register.
    board.configure(2, 0, 0x04, &[]);
    assert_eq!(board.inb(0xcfc) & 3, 3);
    // So has the SMBus: its host controller's status.
    assert_eq!(board.inb(0x700), 0);
    // The bus master of the IDE channels: its status, of no drive yet.
    assert_eq!(board.inb(0xc002), 0);
}

#[test]
fn floppies_are_read_by_dma_where_no_firmware_was() {
    let mut disk = vec![0; 2880 * 512];
    disk[..512].fill(0x5a);
    let floppy = Floppy::new(Box::new(MemoryDisk::new(disk))).unwrap();
    let mut board = Board::pc(Fittings {
        floppies: vec![Some(floppy), None],
        ..Fittings::default()
    })
    .unwrap();
    let mut memory = PlainMemory(vec![0; 0x2000]);
    let mut now = Time(1);
    board.set_up(now);
    // A sector to 1000h by channel 2, as Linux asks for it; the controller leaves its reset; READ DATA.
    let channel = [
        (0x0c, 0),
        (0x0b, 0x46),
        (0x81, 0),
        (0x04, 0x00),
        (0x04, 0x10),
        (0x05, 0xff),
        (0x05, 0x01),
        (0x0a, 2),
    ];
    let set_up = [(0x3f2, 0x1c), (0x3f7, 0)];
    let sense = [8; 4].map(|command| (0x3f5, command));
    let read = [0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff].map(|byte| (0x3f5, byte));
    for (port, value) in [&channel[..], &set_up, &sense, &read].concat() {
        board.port_write(port, &[value], now, &mut memory);
        now = now.after_ns(1_000_000);
        board.advance(now, &mut memory);
        if (port, value) == (0x3f5, 8) {
            board.inb(0x3f5);
            board.inb(0x3f5);
        }
    }
    for _ in 0..100 {
        now = now.after_ns(1_000_000);
        board.advance(now, &mut memory);
    }
    assert_eq!(memory.0[0x1000..0x1200], [0x5a; 512]);
    assert_eq!(memory.0[0x1200], 0);
}

#[test]
fn reset_control_lies_within_the_configuration_address() {
    let mut board = board();
    board.identity(0, 0);
    board.out(0xcf9, &[2]);
    board.out(0xcf9, &[6]);
    assert!(board.system.take_reset_request().is_some());
}

#[test]
fn the_local_apic_moves_with_its_base_and_leaves_for_x2apic() {
    let mut board = board();
    assert_eq!(board.peek(LOCAL_APIC_BASE + 0x30), 0x0005_0014);
    let moved = 0xfd00_0000;
    assert!(board.write_apic_msr(0x1b, moved | 0x900, Time(1), &mut NoMemory));
    assert_eq!(board.peek(LOCAL_APIC_BASE + 0x30), 0xffff_ffff);
    assert_eq!(board.peek(moved + 0x30), 0x0005_0014);
    assert!(board.write_apic_msr(0x1b, moved | 0xd00, Time(1), &mut NoMemory));
    assert_eq!(board.peek(moved + 0x30), 0xffff_ffff);
    let version = board.read_apic_msr(0x803, Time(1), &mut NoMemory);
    assert_eq!(version, Some(0x0005_0014));
}

#[test]
fn the_hpet_answers_in_halves_and_wholes() {
    let mut board = board();
    let mut whole = [0; 8];
    board.memory_read(0xfed0_0000, &mut whole, Time(1), &mut NoMemory);
    assert_eq!(u64::from_le_bytes(whole), 10_000_000 << 32 | 0x8086_a201);
    assert_eq!(board.peek(0xfed0_0004), 10_000_000);
}

#[test]
fn drives_are_where_software_looks_for_them() {
    let disk = |sectors: usize| Box::new(MemoryDisk::new(vec![0; sectors * 512]));
    let floppy = |kib: usize| Floppy::new(disk(kib * 2)).ok();
    let fittings = Fittings {
        drives: [
            Some(IdeDrive::disk(disk(2 * 16 * 63))),
            None,
            Some(IdeDrive::cd_rom(None)),
            Some(IdeDrive::disk(disk(1025 * 16 * 63))),
        ],
        floppies: vec![floppy(720), floppy(1200)],
        boot_order: vec![BootDevice::Cdrom, BootDevice::Disk, BootDevice::Floppy],
        ..Fittings::default()
    };
    let mut board = Board::pc(fittings).unwrap();
    let mut cmos = |index: u8| {
        board.out(0x70, &[index]);
        board.inb(0x71)
    };
    assert_eq!([0x10, 0x12, 0x14].map(&mut cmos), [0x42, 0xf0, 0x47]);
    assert_eq!(
        [0x19, 0x1a, 0x1b, 0x1d, 0x23].map(&mut cmos),
        [47, 0, 2, 16, 63]
    );
    assert_eq!([0x38, 0x39, 0x3d].map(&mut cmos), [0x10, 0x40, 0x23]);
    // Each answers at its place: a disk, nobody, a packet device, a disk.
    let expected = [(0x00, 0x50), (0x00, 0x00), (0x14, 0x00), (0x00, 0x50)];
    for (n, (signature, status)) in expected.into_iter().enumerate() {
        let base = [0x1f0, 0x170][n / 2];
        board.out(base + 6, &[0xa0 | (n as u8 % 2) << 4]);
        assert_eq!(
            (board.inb(base + 4), board.inb(base + 7)),
            (signature, status),
            "{n}"
        );
    }
    // The floppy controller leaves 3F6h to the disk.
    assert_eq!((board.inb(0x3f6), board.inb(0x376)), (0x00, 0x50));
    board.out(0x3f2, &[0x1c]);
    assert_eq!((board.inb(0x3f2), board.inb(0x3f7)), (0x1c, 0x80));
    // DMA: a page register, and a count through the flip-flop.
    board.out(0x81, &[0x5a]);
    board.out(0x05, &[0x34]);
    board.out(0x05, &[0x12]);
    assert_eq!(
        [0x81, 0x05, 0x05].map(|port| board.inb(port)),
        [0x5a, 0x34, 0x12]
    );
}

#[test]
fn media_change_by_hand() {
    let disk = |bytes: usize| Box::new(MemoryDisk::new(vec![0; bytes]));
    let fittings = Fittings {
        drives: [None, None, Some(IdeDrive::cd_rom(None)), None],
        ..Fittings::default()
    };
    let mut board = Board::pc(fittings).unwrap();
    let disc = || Disc::new(disk(4096));
    assert!(board.insert_cd(Place::PrimaryMaster, disc()).is_err());
    assert!(matches!(
        board.insert_cd(Place::SecondaryMaster, disc()),
        Ok(None)
    ));
    assert!(board.eject_cd(Place::SecondaryMaster).is_some());
    assert!(board.eject_cd(Place::SecondaryMaster).is_none());
    let floppy = Floppy::new(disk(737_280)).ok();
    assert!(board.change_floppy(1, floppy).is_none());
    assert!(board.change_floppy(1, None).is_some());
}

#[test]
fn the_vga_answers_at_its_legacy_places_and_its_bars() {
    let mut board = Board::pc(Fittings {
        vga: true,
        ..Fittings::default()
    })
    .unwrap();
    assert_eq!(board.identity(2, 0), 0x1111_1234);
    // The miscellaneous output register: colour addresses, memory enabled.
    board.out(0x3c2, &[3]);
    assert_eq!(board.inb(0x3cc), 3);
    // Sequencer and graphics controller for a plain frame of bytes, chained.
    for (port, index, value) in [
        (0x3c4, 2, 15),
        (0x3c4, 4, 14),
        (0x3ce, 6, 5),
        (0x3ce, 8, 0xff),
    ] {
        board.out(port, &[index, value]);
    }
    board.poke(0xa_0000, 0x0403_0201);
    assert_eq!(board.peek(0xa_0000), 0x0403_0201);
    board.configure(2, 0, 0x10, &[0, 0, 0, 0xe0]);
    board.configure(2, 0, 0x18, &[0, 0, 0, 0xe2]);
    assert_eq!(board.frame_buffer(), None);
    board.configure(2, 0, 0x04, &[2]);
    assert_eq!(board.frame_buffer(), Some(0xe000_0000));
    assert_eq!(board.peek(0xe000_0000), 0x0403_0201);
    board.poke(0xe200_0504, 32 << 16 | 480);
    board.out(0x1ce, &[2, 0]);
    let mut height = [0; 2];
    board.port_read(0x1d0, &mut height, Time(1), &mut NoMemory);
    assert_eq!(u16::from_le_bytes(height), 480);
}

#[test]
fn a_frame_comes_back_through_a_loopback_plug() {
    let adapter = |model| NetworkAdapter {
        rom: None,
        model,
        address: [2, 0, 0, 0, 0, 1],
        network: Box::new(Loopback::default()),
    };
    let mut board = Board::pc(Fittings {
        network: vec![
            adapter(NetworkModel::Rtl8139),
            adapter(NetworkModel::Ne2000),
        ],
        ..Fittings::default()
    })
    .unwrap();
    assert_eq!(board.identity(3, 0), 0x8139_10ec);
    board.configure(3, 0, 0x10, &[1, 0xc0]);
    board.configure(3, 0, 0x04, &[1]);
    assert_eq!(board.inb(0xc000), 2, "the station's address");
    // The NE2000: started, promiscuous, its ring at 46h to 80h, a frame of
    // zeros to a station nobody is.
    for (register, value) in [
        (0x0, 0x21),
        (0xc, 0x10),
        (0x1, 0x46),
        (0x2, 0x80),
        (0x3, 0x46),
        (0x0, 0x61),
        (0x7, 0x47),
        (0x0, 0x22),
        (0x4, 0x40),
        (0x5, 60),
        (0x6, 0),
        (0x0, 0x26),
    ] {
        board.out(0x300 + register, &[value]);
    }
    board.advance(Time(1_000_000), &mut NoMemory);
    let mut status = [0];
    board.port_read(0x307, &mut status, Time(1_000_000), &mut NoMemory);
    assert_eq!(status[0] & 3, 3, "sent and received");
}

#[test]
fn what_is_printed_comes_out() {
    let printer = MemoryConsole::new();
    let mut board = Board::pc(Fittings {
        printer: Some(Box::new(printer.clone())),
        ..Fittings::default()
    })
    .unwrap();
    board.out(0x378, b"!");
    board.out(0x37a, &[0x0d]);
    assert_eq!(printer.output(), b"!");
}

/// FreeBSD's sio, up to version 7, finds a serial port's interrupt so: everything is masked, and the request register
/// of the 8259 is to show it come and go. Up to version 3 a port whose request stays is not used.
#[test]
fn a_serial_port_shows_its_interrupt_to_who_polls_the_8259() {
    let mut board = Board::pc(Fittings {
        serial: vec![Box::new(MemoryConsole::new())],
        ..Fittings::default()
    })
    .unwrap();
    board.initialize_pics();
    for (port, byte) in [(0x21, 0xff), (0xa1, 0xff), (0x3fb, 3), (0x3f9, 0)] {
        board.out(port, &[byte]);
    }
    let requested = |board: &mut Board| board.inb(0x20) & 0x10 != 0;
    // The interrupt gate opens, then a null byte goes round in loopback.
    for (port, byte) in [(0x3fc, 0x0b), (0x3fc, 0x1b), (0x3f9, 2), (0x3f8, 0)] {
        board.out(port, &[byte]);
        assert!(!requested(&mut board), "{port:x}");
    }
    board.out(0x3fc, &[0x0b]);
    assert_eq!(
        [0x3fb, 0x3f9, 0x3fc].map(|port| board.inb(port)),
        [3, 2, 0x0b]
    );
    assert!(requested(&mut board));
    assert_eq!(board.inb(0x3fa), 0x02, "the transmitter is empty");
    assert!(!requested(&mut board));
    assert_eq!(board.inb(0x3fa), 0x01, "and has been heard");
    board.out(0x3f9, &[0]);
    assert!(!requested(&mut board));
}

proptest::proptest! {
    /// What is kept of deadlines and wires after each access is what asking all chips would tell.
    #[test]
    fn what_is_known_after_an_access_is_what_all_chips_say(
        accesses in proptest::collection::vec(
            (0usize..PORTS.len(), 0u16..8, proptest::prelude::any::<u8>(), proptest::bool::ANY, 0u64..100_000),
            1..200,
        ),
    ) {
        let mut board = Board::pc(Fittings {
            serial: vec![Box::new(MemoryConsole::new())],
            drives: [Some(IdeDrive::disk(Box::new(MemoryDisk::new(vec![0; 1 << 20])))), None, None, None],
            floppies: vec![Floppy::new(Box::new(MemoryDisk::new(vec![0; 1_474_560]))).ok()],
            ..Fittings::default()
        }).unwrap();
        board.next_deadline();
        let mut now = Time(1);
        for (place, offset, value, writes, pause) in accesses {
            now = now.after_ns(pause);
            let port = PORTS[place] + offset;
            if writes {
                board.port_write(port, &[value], now, &mut NoMemory);
            } else {
                board.port_read(port, &mut [0], now, &mut NoMemory);
            }
            board.settle_changes();
            let waits = board.waits_for(0);
            let known = board.known_deadline();
            board.settle();
            proptest::prop_assert_eq!(board.waits_for(0), waits, "port {:x}", port);
            proptest::prop_assert_eq!(board.next_deadline(), known, "port {:x}", port);
        }
    }
}

/// The first ports of chips with deadlines or wires.
const PORTS: [u16; 12] = [
    0x00, 0x20, 0xa0, 0x40, 0x60, 0x70, 0x80, 0xc0, 0x1f0, 0x3f0, 0x3f8, 0xcf8,
];

#[test]
fn accesses_take_the_time_of_their_bus() {
    let mut board = board();
    board.take_bus_ns();
    let mut took = |port, bytes: &mut [u8]| {
        board.port_read(port, bytes, Time(1), &mut NoMemory);
        board.take_bus_ns()
    };
    let isa = took(0x61, &mut [0]);
    assert_eq!(took(0x40, &mut [0, 0]), 2 * isa, "a cycle for each byte");
    assert_eq!(took(0x2e8, &mut [0]), isa, "nobody answers");
    assert!(took(0xcfc, &mut [0; 4]) < isa);
    assert!(took(0x1f0, &mut [0; 2]) < isa);
}
