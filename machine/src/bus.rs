//! What the processor's pins reach, with the time of each access.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use rax_cpu::Platform;
use rax_devices::{Dma, Time};
use rax_mmu::{MmioSpace, PhysicalAddress, PhysicalMemory};

use crate::board::Board;
use crate::clock::Clock;

/// The board with its clock and memory.
pub(crate) struct Bus {
    pub(crate) board: Board,
    pub(crate) clock: Clock,
    memory: BusMaster,
    /// Where random numbers come from. The seed is all that it has of the host, so a
    /// run repeats with the same seed.
    random: ChaCha20Rng,
    /// The count of retired instructions at the access that is under way.
    instructions: u64,
    /// Until when the processor runs if nothing changes.
    pub(crate) slice_deadline: Option<Time>,
    /// Something happened that the run loop must look at.
    pub(crate) attention: bool,
}

/// Guest memory as a bus master sees it.
struct BusMaster(Arc<PhysicalMemory>);

impl Dma for BusMaster {
    fn read(&mut self, address: u64, bytes: &mut [u8]) {
        if let Err(error) = self.0.ram_read(PhysicalAddress(address), bytes) {
            log::debug!("DMA read: {error}");
        }
    }

    fn write(&mut self, address: u64, bytes: &[u8]) {
        if let Err(error) = self.0.ram_write(PhysicalAddress(address), bytes) {
            log::debug!("DMA write: {error}");
        }
    }
}

impl Bus {
    pub(crate) fn new(board: Board, memory: Arc<PhysicalMemory>, seed: [u8; 32]) -> Self {
        Self {
            board,
            clock: Clock::default(),
            memory: BusMaster(memory),
            random: ChaCha20Rng::from_seed(seed),
            instructions: 0,
            slice_deadline: None,
            attention: false,
        }
    }

    /// Brings every chip up to the time after `instructions`.
    pub(crate) fn advance(&mut self, instructions: u64) {
        self.instructions = instructions;
        let now = self.clock.now(instructions);
        self.board.advance(now, &mut self.memory);
        self.follow_lines();
    }

    /// After chips may have acted: A20, and whatever else concerns the machine.
    fn follow_lines(&mut self) {
        self.memory.0.set_a20(self.board.system.a20());
    }

    fn after_write(&mut self) {
        self.follow_lines();
        let deadline = self.board.next_deadline();
        let earlier = match (deadline, self.slice_deadline) {
            (Some(deadline), Some(slice)) => deadline < slice,
            (Some(_), None) => true,
            (None, _) => false,
        };
        self.attention |= earlier || self.board.has_request();
    }

    fn now(&self) -> Time {
        self.clock.now(self.instructions)
    }
}

/// The processor's pins.
pub(crate) struct Pins(pub(crate) Arc<Mutex<Bus>>);

impl Pins {
    fn bus(&self) -> MutexGuard<'_, Bus> {
        lock(&self.0)
    }
}

/// Nobody panics while holding the bus; if someone did, its state is still whole.
pub(crate) fn lock(bus: &Mutex<Bus>) -> MutexGuard<'_, Bus> {
    bus.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MmioSpace for Pins {
    fn mmio_read(&mut self, address: PhysicalAddress, bytes: &mut [u8]) {
        log::trace!("read of {address:x?}, where nothing is");
        bytes.fill(0xff);
    }

    fn mmio_write(&mut self, address: PhysicalAddress, _bytes: &[u8]) {
        log::trace!("write to {address:x?}, where nothing is");
    }
}

impl Platform for Pins {
    fn begin_access(&mut self, instructions: u64) {
        self.bus().instructions = instructions;
    }

    fn port_read(&mut self, port: u16, bytes: &mut [u8]) {
        let bus = &mut *self.bus();
        let now = bus.now();
        bus.board.port_read(port, bytes, now, &mut bus.memory);
        bus.after_write();
    }

    fn port_write(&mut self, port: u16, bytes: &[u8]) {
        let bus = &mut *self.bus();
        let now = bus.now();
        bus.board.port_write(port, bytes, now, &mut bus.memory);
        bus.after_write();
    }

    fn interrupt_pending(&mut self) -> bool {
        self.bus().board.interrupt_pending()
    }

    fn acknowledge_interrupt(&mut self) -> u8 {
        self.bus().board.acknowledge_interrupt()
    }

    fn clock_cycles(&mut self) -> u64 {
        // The time-stamp counter counts nanoseconds: 1 GHz.
        self.bus().now().0
    }

    fn random(&mut self) -> u64 {
        self.bus().random.next_u64()
    }

    fn wants_attention(&self) -> bool {
        self.bus().attention
    }
}
