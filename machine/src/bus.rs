//! What the processor's pins reach, with the time of each access.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use rax_cpu::{LocalApicView, Platform, Topology};
use rax_devices::{ApicBus, ApicCycle, ApicMessage, ApicQueue, Dma, Time, Vga};
use rax_jit::{Doing, Whereabouts};
use rax_mmu::{MmioSpace, PhysicalAddress, PhysicalMemory};

use crate::board::{Board, NO_KEY, is_interrupt_controller};
use crate::clock::Clock;
use crate::idle::IdleWatch;
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
    /// Where in it the first half of the screen's window leads, if not to the adapter.
    window_memory: Option<usize>,
    /// Whether the guest only waits for a key.
    pub(crate) idle: IdleWatch,
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
    /// Accesses take time: under the virtual clock. The real one knows what they took.
    pub(crate) has_bus_time: bool,
    /// Which processors are in system management mode.
    in_smm: Vec<bool>,
    /// When the present turn began, where processors take turns.
    turn_began: Time,
    /// The processor waits for another one: its turn is over.
    pub(crate) turn_is_over: bool,
}

/// By how many PAUSEs in a turn a processor shows that it only waits.
const PATIENCE: u32 = 8;
/// How long a turn may be made by accesses that take time.
const LONGEST_TURN_NS: u64 = 200_000;

/// What the processor sees, and says, without taking the bus.
#[derive(Debug, Default)]
struct Levels {
    /// The level of the interrupt pin.
    interrupt: AtomicBool,
    /// The same as [`Bus::attention`].
    attention: AtomicBool,
    /// The count up to which the processor may run.
    until: AtomicU64,
    /// The count of retired instructions at the access that is under way.
    instructions: AtomicU64,
    /// Other processors have something to do, where they take turns.
    others_run: AtomicBool,
    /// PAUSEs in the present turn while they had.
    pauses: AtomicU32,
    /// What the thread is doing.
    whereabouts: Whereabouts,
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
            in_smm: vec![false; board.processors()],
            turn_began: Time::ZERO,
            turn_is_over: false,
            board,
            clock: Clock::default(),
            memory: BusMaster { memory, apic_bus },
            shadow,
            frame_buffer,
            window_memory: None,
            idle: IdleWatch::default(),
            typist: Typist::default(),
            random: ChaCha20Rng::from_seed(seed),
            levels: Arc::new(Levels {
                until: AtomicU64::new(u64::MAX),
                ..Levels::default()
            }),
            slice_deadline: None,
            attention: false,
            has_bus_time: false,
        }
    }

    /// Brings every chip up to the time after `instructions`.
    pub(crate) fn advance(&mut self, instructions: u64) {
        self.levels
            .instructions
            .store(instructions, Ordering::Relaxed);
        let now = self.clock.now(instructions);
        if self.board.sleep.sleep().is_none() {
            self.typist.advance(now, self.board.keyboard());
        } else if self.typist.drop_keys() {
            // The keyboard is wired to the power button; the guest does not see the key that woke it.
            self.board.press_power_button();
        }
        self.board.advance(now, &mut self.memory);
        self.follow_lines();
        self.attention |= self.board.has_signals();
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

    /// Where it is told what the thread is doing.
    pub(crate) fn whereabouts(&self) -> Whereabouts {
        self.levels.whereabouts.clone()
    }

    /// When something next happens by itself.
    pub(crate) fn next_deadline(&mut self) -> Option<Time> {
        let chips = self.board.next_deadline();
        let typist = self.typist.next_deadline();
        chips.into_iter().chain(typist).min()
    }

    /// After chips may have acted: A20, and whatever else concerns the machine.
    fn follow_lines(&mut self) {
        let window_memory = self.board.vga().and_then(Vga::window_memory);
        if self.board.memory.take_change() || self.window_memory != window_memory {
            self.window_memory = window_memory;
            self.map_shadow();
        }
        let memory = &self.memory.memory;
        let in_smm = self.in_smm.get(self.board.current()) == Some(&true);
        memory.set_a20(self.board.system.a20() || in_smm);
        if self.board.take_windows_moved()
            && let Some(frame_buffer) = &mut self.frame_buffer
            && let Err(error) = frame_buffer.follow(memory, self.board.frame_buffer())
        {
            log::error!("the frame buffer cannot be mapped: {error}");
        }
    }

    fn map_shadow(&mut self) {
        let in_smm = self.in_smm.get(self.board.current()) == Some(&true);
        let memory = &self.memory.memory;
        let block = self.frame_buffer.as_ref().map(FrameBuffer::block);
        let screen = block.zip(self.window_memory.map(|at| at as u64));
        let lines = &self.board.memory;
        if let Err(error) = self.shadow.apply(memory, lines, in_smm, screen) {
            log::error!("the memory below 1 MiB cannot be mapped: {error}");
        }
    }

    /// A processor goes to system management mode, or comes back.
    fn set_smm(&mut self, is_active: bool) {
        if let Some(state) = self.in_smm.get_mut(self.board.current()) {
            *state = is_active;
        }
        self.map_shadow();
        self.follow_lines();
    }

    /// A processor is out of system management mode, by a reset or INIT.
    pub(crate) fn leave_smm(&mut self, processor: usize) {
        if let Some(state) = self.in_smm.get_mut(processor) {
            *state = false;
        }
        self.map_shadow();
        self.follow_lines();
    }

    /// From here on, what happens is this processor's doing.
    pub(crate) fn set_current(&mut self, processor: usize) {
        let before = self.board.current();
        if processor != before {
            self.board.set_current(processor);
            // What they see of memory differs by system management mode alone.
            if self.in_smm.get(processor) != self.in_smm.get(before) {
                self.map_shadow();
                self.follow_lines();
            }
        }
    }

    /// A turn begins at a count of instructions.
    pub(crate) fn begin_turn(&mut self, instructions: u64) {
        self.turn_began = self.clock.now(instructions);
        self.turn_is_over = false;
        self.levels.pauses.store(0, Ordering::Relaxed);
    }

    /// Whether the present turn is ending because the processor only waits.
    pub(crate) fn waits(&self) -> bool {
        self.levels.pauses.load(Ordering::Relaxed) >= PATIENCE
    }

    /// Says whether other processors have something to do.
    pub(crate) fn set_others_run(&mut self, others_run: bool) {
        self.levels.others_run.store(others_run, Ordering::Relaxed);
    }

    fn others_run(&self) -> bool {
        self.levels.others_run.load(Ordering::Relaxed)
    }

    /// What an access to a port tells of whether the guest only waits for a key.
    fn note_port(&mut self, port: u16) {
        if port == NO_KEY {
            let instructions = self.levels.instructions.load(Ordering::Relaxed);
            self.attention |= self.idle.ask(instructions);
        } else if !is_interrupt_controller(port) {
            self.idle.work();
        }
    }

    /// The processor is to run from one count of instructions to another.
    pub(crate) fn begin_slice(&mut self, until: u64) {
        self.slice_deadline = Some(self.clock.now(until));
        self.levels.until.store(until, Ordering::Relaxed);
    }

    /// What an access may have set in motion.
    fn after_access(&mut self) {
        if self.board.settle_changes() {
            self.attention |= self.board.has_signals();
        }
        self.follow_lines();
        // An interrupt may be for a processor that waits for its turn.
        let delivered = self.board.take_delivered() && self.in_smm.len() > 1;
        self.attention |= delivered || self.board.has_request();
        let next = self.board.known_deadline();
        let next = next.into_iter().chain(self.typist.next_deadline()).min();
        let is_earlier = match (next, self.slice_deadline) {
            (Some(next), Some(slice)) => next < slice,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if is_earlier {
            self.slice_deadline = next;
        }
        if self.pass_time() || is_earlier {
            self.bring_end_nearer();
        }
    }

    /// Lets the time pass that the last accesses took. Whether they took any.
    fn pass_time(&mut self) -> bool {
        let ns = self.board.take_bus_ns();
        if !self.has_bus_time || ns == 0 {
            return false;
        }
        let instructions = self.levels.instructions.load(Ordering::Relaxed);
        self.clock.pass(instructions, ns);
        if self.others_run() && self.now().ns_since(self.turn_began) >= LONGEST_TURN_NS {
            self.turn_is_over = true;
            self.attention = true;
        }
        true
    }

    /// The slice ends when something is due, however time has passed until then.
    fn bring_end_nearer(&self) {
        let Some(deadline) = self.slice_deadline else {
            return;
        };
        let until = self.clock.instructions_at(deadline);
        if until < self.levels.until.load(Ordering::Relaxed) {
            self.levels.until.store(until, Ordering::Relaxed);
        }
    }

    /// After an access to the screen, which moves no wire and no deadline. But the adapter may have seen enough of them.
    fn after_screen(&mut self) {
        if self.board.vga().and_then(Vga::window_memory) != self.window_memory {
            self.follow_lines();
        }
        self.after_steady();
    }

    /// After an access that moves no wire and no deadline.
    fn after_steady(&mut self) {
        if self.pass_time() {
            self.bring_end_nearer();
        }
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
        bus.board.settle_changes();
        let levels = &bus.levels;
        if bus.board.take_settled() {
            let interrupt = bus.board.waits_for(bus.board.current());
            levels.interrupt.store(interrupt, Ordering::Relaxed);
        }
        levels.attention.store(bus.attention, Ordering::Relaxed);
    }
}

/// A processor's pins.
pub(crate) struct Pins {
    bus: Arc<Mutex<Bus>>,
    levels: Arc<Levels>,
    /// How many processors there are, and how they are divided.
    topology: Topology,
}

impl Pins {
    pub(crate) fn new(bus: &Arc<Mutex<Bus>>) -> Self {
        let taken = lock(bus);
        Self {
            levels: Arc::clone(&taken.levels),
            topology: taken.board.topology(),
            bus: Arc::clone(bus),
        }
    }

    fn bus(&self) -> Taken<'_> {
        lock(&self.bus)
    }

    /// The bus for an access to a device.
    fn access(&self) -> Access<'_> {
        let before = self.levels.whereabouts.change(Doing::Device);
        let bus = self.bus();
        Access {
            bus,
            whereabouts: &self.levels.whereabouts,
            before,
        }
    }
}

/// An access to a device, while it lasts.
struct Access<'a> {
    bus: Taken<'a>,
    whereabouts: &'a Whereabouts,
    before: Doing,
}

impl Drop for Access<'_> {
    fn drop(&mut self) {
        self.whereabouts.set(self.before);
    }
}

/// Nobody panics while holding the bus; if someone did, its state is still whole.
pub(crate) fn lock(bus: &Mutex<Bus>) -> Taken<'_> {
    Taken(bus.lock().unwrap_or_else(PoisonError::into_inner))
}

impl MmioSpace for Pins {
    fn mmio_read(&mut self, address: PhysicalAddress, bytes: &mut [u8]) {
        let mut access = self.access();
        let bus = &mut *access.bus;
        bus.idle.work();
        if bus.board.read_steady(address.0, bytes) {
            return bus.after_steady();
        }
        let now = bus.now();
        if bus
            .board
            .read_screen(address.0, bytes, now, &mut bus.memory)
        {
            return bus.after_screen();
        }
        bus.board
            .memory_read(address.0, bytes, now, &mut bus.memory);
        bus.after_access();
    }

    fn mmio_write(&mut self, address: PhysicalAddress, bytes: &[u8]) {
        let mut access = self.access();
        let bus = &mut *access.bus;
        let now = bus.now();
        bus.idle.work();
        if bus
            .board
            .write_screen(address.0, bytes, now, &mut bus.memory)
        {
            return bus.after_screen();
        }
        bus.board
            .memory_write(address.0, bytes, now, &mut bus.memory);
        bus.after_access();
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
        let mut access = self.access();
        let bus = &mut *access.bus;
        let now = bus.now();
        bus.note_port(port);
        bus.board.port_read(port, bytes, now, &mut bus.memory);
        bus.after_access();
    }

    fn port_write(&mut self, port: u16, bytes: &[u8]) {
        let mut access = self.access();
        let bus = &mut *access.bus;
        let now = bus.now();
        bus.note_port(port);
        bus.board.port_write(port, bytes, now, &mut bus.memory);
        bus.after_access();
    }

    fn interrupt_pending(&mut self) -> bool {
        self.levels.interrupt.load(Ordering::Relaxed)
    }

    fn acknowledge_interrupt(&mut self) -> u8 {
        self.bus().board.acknowledge_interrupt()
    }

    fn clock_cycles(&mut self) -> u64 {
        // The time-stamp counter counts nanoseconds: 1 GHz.
        // A look at the clock changes nothing.
        let bus = self.bus.lock().unwrap_or_else(PoisonError::into_inner);
        bus.now().0
    }

    fn random(&mut self) -> u64 {
        self.bus().random.next_u64()
    }

    fn wants_attention(&self) -> bool {
        self.levels.attention.load(Ordering::Relaxed)
    }

    fn run_until(&self) -> u64 {
        self.levels.until.load(Ordering::Relaxed)
    }

    fn spins(&mut self) -> bool {
        // A processor that waits asks so often that taking the bus each time would be most of what it does.
        if !self.levels.others_run.load(Ordering::Relaxed) {
            return false;
        }
        let pauses = self.levels.pauses.load(Ordering::Relaxed).saturating_add(1);
        self.levels.pauses.store(pauses, Ordering::Relaxed);
        let waits = pauses >= PATIENCE;
        if waits {
            let mut bus = self.bus();
            bus.turn_is_over = true;
            bus.attention = true;
        }
        waits
    }

    fn heeds_pause(&self) -> bool {
        self.topology.count() > 1
    }

    fn interrupt_level(&self) -> Option<&AtomicBool> {
        Some(&self.levels.interrupt)
    }

    fn numeric_error(&mut self, is_signalled: bool) -> bool {
        let mut access = self.access();
        let bus = &mut *access.bus;
        let is_ignored = bus.board.set_ferr(is_signalled);
        bus.after_access();
        is_ignored
    }

    fn set_smm(&mut self, is_active: bool) {
        self.bus().set_smm(is_active);
    }

    fn local_apic(&self) -> Option<LocalApicView> {
        let (base, id) = self.bus().board.local_apic()?;
        Some(LocalApicView {
            base,
            id,
            topology: self.topology,
        })
    }

    fn read_apic_msr(&mut self, register: u32) -> Option<u64> {
        let mut access = self.access();
        let bus = &mut *access.bus;
        let now = bus.now();
        let value = bus.board.read_apic_msr(register, now, &mut bus.memory);
        bus.after_access();
        value
    }

    fn write_apic_msr(&mut self, register: u32, value: u64) -> bool {
        let mut access = self.access();
        let bus = &mut *access.bus;
        let now = bus.now();
        let taken = bus
            .board
            .write_apic_msr(register, value, now, &mut bus.memory);
        bus.after_access();
        taken
    }

    fn task_priority(&mut self) -> Option<u8> {
        self.bus().board.task_priority()
    }

    fn set_task_priority(&mut self, priority: u8) {
        self.bus().board.set_task_priority(priority);
    }
}
