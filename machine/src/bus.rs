//! What the processor's pins reach, with the time of each access.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use rax_cpu::{LocalApicView, Platform};
use rax_devices::{ApicBus, ApicCycle, ApicMessage, ApicQueue, Dma, Time};
use rax_mmu::{MmioSpace, PhysicalAddress, PhysicalMemory};

use crate::board::Board;
use crate::clock::Clock;
use crate::memory_map::Shadow;
use crate::typist::Typist;
use crate::video_memory::FrameBuffer;

/// The board with its clock and memory.
pub(crate) struct Bus {
    pub(crate) board: Board,
    pub(crate) clock: Clock,
    memory: BusMaster,
    /// The RAM that the host bridge shows or hides.
    shadow: Shadow,
    /// The video memory, where the processor sees it.
    frame_buffer: Option<FrameBuffer>,
    /// Keys on their way to the keyboard.
    pub(crate) typist: Typist,
    /// Where random numbers come from. The seed is all that it has of the host, so a
    /// run repeats with the same seed.
    random: ChaCha20Rng,
    levels: Arc<Levels>,
    /// Until when the processor runs if nothing changes.
    pub(crate) slice_deadline: Option<Time>,
    /// Something happened that the run loop must look at.
    pub(crate) attention: bool,
}

/// What the processor sees, and says, without taking the bus.
#[derive(Debug, Default)]
struct Levels {
    /// The level of the interrupt pin.
    interrupt: AtomicBool,
    /// The same as [`Bus::attention`].
    attention: AtomicBool,
    /// The count of retired instructions at the access that is under way.
    instructions: AtomicU64,
}

/// Guest memory as a bus master sees it, where some writes are interrupts.
struct BusMaster {
    memory: Arc<PhysicalMemory>,
    apic_bus: ApicQueue,
}

impl Dma for BusMaster {
    fn read(&mut self, address: u64, bytes: &mut [u8]) {
        if let Err(error) = self.memory.ram_read(PhysicalAddress(address), bytes) {
            log::debug!("DMA read: {error}");
        }
    }

    fn write(&mut self, address: u64, bytes: &[u8]) {
        if let &[a, b, c, d] = bytes
            && let Some(message) = ApicMessage::from_msi(address, u32::from_le_bytes([a, b, c, d]))
        {
            self.apic_bus.send(ApicCycle::Interrupt(message));
            return;
        }
        if let Err(error) = self.memory.ram_write(PhysicalAddress(address), bytes) {
            log::debug!("DMA write: {error}");
        }
    }
}

impl Bus {
    pub(crate) fn new(
        board: Board,
        memory: Arc<PhysicalMemory>,
        shadow: Shadow,
        frame_buffer: Option<FrameBuffer>,
        seed: [u8; 32],
    ) -> Self {
        let apic_bus = board.apic_bus();
        Self {
            board,
            clock: Clock::default(),
            memory: BusMaster { memory, apic_bus },
            shadow,
            frame_buffer,
            typist: Typist::default(),
            random: ChaCha20Rng::from_seed(seed),
            levels: Arc::default(),
            slice_deadline: None,
            attention: false,
        }
    }

    /// Brings every chip up to the time after `instructions`.
    pub(crate) fn advance(&mut self, instructions: u64) {
        self.levels
            .instructions
            .store(instructions, Ordering::Relaxed);
        let now = self.clock.now(instructions);
        self.typist.advance(now, self.board.keyboard());
        self.board.advance(now, &mut self.memory);
        self.follow_lines();
    }

    /// Whether the picture may have changed since this was last asked; `seen` is
    /// where the caller keeps what it has seen.
    pub(crate) fn take_screen_change(&self, instructions: u64, seen: &mut Option<u64>) -> bool {
        let (Some(vga), Some(frame_buffer)) = (self.board.vga(), &self.frame_buffer) else {
            return false;
        };
        let number = vga.change_number(self.clock.now(instructions));
        let has_drawn = frame_buffer.take_change(&self.memory.memory);
        seen.replace(number) != Some(number) || has_drawn
    }

    /// When something next happens by itself.
    pub(crate) fn next_deadline(&mut self) -> Option<Time> {
        let chips = self.board.next_deadline();
        let typist = self.typist.next_deadline();
        chips.into_iter().chain(typist).min()
    }

    /// After chips may have acted: A20, and whatever else concerns the machine.
    fn follow_lines(&mut self) {
        let memory = &self.memory.memory;
        memory.set_a20(self.board.system.a20());
        if self.board.memory.take_change()
            && let Err(error) = self.shadow.apply(memory, &self.board.memory)
        {
            log::error!("the memory below 1 MiB cannot be mapped: {error}");
        }
        if let Some(frame_buffer) = &mut self.frame_buffer
            && let Err(error) = frame_buffer.follow(memory, self.board.frame_buffer())
        {
            log::error!("the frame buffer cannot be mapped: {error}");
        }
        self.attention |= self.board.has_signals();
    }

    fn after_write(&mut self) {
        self.board.settle();
        self.follow_lines();
        let deadline = self.next_deadline();
        let earlier = match (deadline, self.slice_deadline) {
            (Some(deadline), Some(slice)) => deadline < slice,
            (Some(_), None) => true,
            (None, _) => false,
        };
        self.attention |= earlier || self.board.has_request();
    }

    fn now(&self) -> Time {
        let instructions = self.levels.instructions.load(Ordering::Relaxed);
        self.clock.now(instructions)
    }
}

/// The bus, taken by one. Whoever gives it back leaves the levels as they are now.
pub(crate) struct Taken<'a>(MutexGuard<'a, Bus>);

impl Deref for Taken<'_> {
    type Target = Bus;

    fn deref(&self) -> &Bus {
        &self.0
    }
}

impl DerefMut for Taken<'_> {
    fn deref_mut(&mut self) -> &mut Bus {
        &mut self.0
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let bus = &mut *self.0;
        let interrupt = bus.board.interrupt_pending();
        let levels = &bus.levels;
        levels.interrupt.store(interrupt, Ordering::Relaxed);
        levels.attention.store(bus.attention, Ordering::Relaxed);
    }
}

/// The processor's pins.
pub(crate) struct Pins {
    bus: Arc<Mutex<Bus>>,
    levels: Arc<Levels>,
}

impl Pins {
    pub(crate) fn new(bus: &Arc<Mutex<Bus>>) -> Self {
        Self {
            levels: Arc::clone(&lock(bus).levels),
            bus: Arc::clone(bus),
        }
    }

    fn bus(&self) -> Taken<'_> {
        lock(&self.bus)
    }
}

/// Nobody panics while holding the bus; if someone did, its state is still whole.
pub(crate) fn lock(bus: &Mutex<Bus>) -> Taken<'_> {
    Taken(bus.lock().unwrap_or_else(PoisonError::into_inner))
}

impl MmioSpace for Pins {
    fn mmio_read(&mut self, address: PhysicalAddress, bytes: &mut [u8]) {
        let bus = &mut *self.bus();
        let now = bus.now();
        bus.board
            .memory_read(address.0, bytes, now, &mut bus.memory);
        bus.after_write();
    }

    fn mmio_write(&mut self, address: PhysicalAddress, bytes: &[u8]) {
        let bus = &mut *self.bus();
        let now = bus.now();
        bus.board
            .memory_write(address.0, bytes, now, &mut bus.memory);
        bus.after_write();
    }
}

impl Platform for Pins {
    fn begin_access(&mut self, instructions: u64) {
        // Only the processor reads it, and who takes the bus for it.
        self.levels
            .instructions
            .store(instructions, Ordering::Relaxed);
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
        self.levels.interrupt.load(Ordering::Relaxed)
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
        self.levels.attention.load(Ordering::Relaxed)
    }

    fn local_apic(&self) -> Option<LocalApicView> {
        let (base, id) = self.bus().board.local_apic()?;
        Some(LocalApicView { base, id })
    }

    fn read_apic_msr(&mut self, register: u32) -> Option<u64> {
        let bus = &mut *self.bus();
        let now = bus.now();
        let value = bus.board.read_apic_msr(register, now, &mut bus.memory);
        bus.after_write();
        value
    }

    fn write_apic_msr(&mut self, register: u32, value: u64) -> bool {
        let bus = &mut *self.bus();
        let now = bus.now();
        let taken = bus
            .board
            .write_apic_msr(register, value, now, &mut bus.memory);
        bus.after_write();
        taken
    }

    fn task_priority(&mut self) -> Option<u8> {
        self.bus().board.task_priority()
    }

    fn set_task_priority(&mut self, priority: u8) {
        self.bus().board.set_task_priority(priority);
    }
}
