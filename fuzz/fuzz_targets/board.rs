//! Any accesses to ports and device memory of a whole PC, with any pauses: no panic, and what is due lies ahead.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rax_devices::{Dma, Flash, Floppy, FwCfg, IdeDrive, Loopback, MemoryConsole, MemoryDisk, Time};
use rax_machine::{Board, Fittings, NetworkAdapter, NetworkModel};

/// A little memory, so that bus masters find what the guest put there.
struct Memory(Vec<u8>);

impl Dma for Memory {
    fn read(&mut self, address: u64, bytes: &mut [u8]) {
        for (at, byte) in (address..).zip(bytes) {
            *byte = self.0[at as usize % self.0.len()];
        }
    }

    fn write(&mut self, address: u64, bytes: &[u8]) {
        let length = self.0.len();
        // The configuration device moves 4 GiB if it is told to; only what is written last stays.
        let skipped = bytes.len().saturating_sub(length);
        for (at, &byte) in (address.wrapping_add(skipped as u64)..).zip(&bytes[skipped..]) {
            self.0[at as usize % length] = byte;
        }
    }
}

fn board() -> Board {
    let disk = |sectors: usize| Box::new(MemoryDisk::new(vec![0x5a; sectors * 512]));
    let adapter = |model| NetworkAdapter {
        model,
        address: [2, 0, 0, 0, 0, 1],
        rom: Some(vec![0x55; 4096]),
        network: Box::new(Loopback::default()),
    };
    let mut fw_cfg = FwCfg::new();
    let _ = fw_cfg.add_file("etc/something", vec![1; 5000]);
    Board::pc(Fittings {
        serial: vec![Box::new(MemoryConsole::new())],
        printer: Some(Box::new(MemoryConsole::new())),
        drives: [
            Some(IdeDrive::disk(disk(4096))),
            None,
            Some(IdeDrive::cd_rom(Some(rax_devices::Disc::new(disk(4096))))),
            None,
        ],
        floppies: vec![Floppy::new(disk(2880)).ok(), None],
        network: vec![adapter(NetworkModel::Ne2000), adapter(NetworkModel::Rtl8139)],
        flash: Some(Flash::new(vec![0; 8192], None)),
        fw_cfg: Some(fw_cfg),
        vga: true,
        processors: 2,
        ..Fittings::default()
    })
    .expect("nothing is in the way of anything")
}

/// First ports of chips, for one byte to reach each of them.
const PORTS: [u16; 32] = [
    0x00, 0x08, 0x20, 0x40, 0x60, 0x61, 0x70, 0x80, 0x92, 0xa0, 0xb2, 0xc0, 0xcf8, 0xcfc, 0x170, 0x1ce, 0x1f0, 0x300,
    0x310, 0x370, 0x378, 0x3b0, 0x3c0, 0x3d0, 0x3f0, 0x3f8, 0x4d0, 0x510, 0x600, 0xc000, 0xc100, 0x514,
];
/// The same for memory.
const MEMORY: [u64; 8] = [
    0xa_0000, 0xb_8000, 0xfec0_0000, 0xfed0_0000, 0xfee0_0000, 0xfee0_0300, 0xfebf_0000, 0xe000_0000,
];

fuzz_target!(|bytes: &[u8]| {
    let mut board = board();
    let mut memory = Memory(bytes.iter().copied().chain([0; 16]).collect());
    let mut now = Time(0);
    for access in bytes.chunks_exact(8) {
        let &[kind, place, offset, pause, a, b, c, d] = access else {
            unreachable!("chunks of eight");
        };
        now = now.after_ns(1u64 << (pause % 32));
        let (width, value) = (1usize << (kind & 3).min(2), [a, b, c, d]);
        let mut answer = [0; 4];
        let port = PORTS[usize::from(place) % PORTS.len()].wrapping_add(u16::from(offset % 32));
        let address = MEMORY[usize::from(place) % MEMORY.len()] + u64::from(offset) * 4;
        match kind >> 2 & 7 {
            0..=2 => board.port_write(port, &value[..width], now, &mut memory),
            3..=4 => board.port_read(port, &mut answer[..width], now, &mut memory),
            5 => board.memory_write(address, &value[..width], now, &mut memory),
            6 => board.memory_read(address, &mut answer[..width], now, &mut memory),
            _ => {
                board.advance(now, &mut memory);
                if let Some(due) = board.next_deadline() {
                    assert!(due > now, "{due:?} is not behind {now:?}");
                }
                if board.interrupt_pending() {
                    board.acknowledge_interrupt();
                }
            }
        }
    }
});
