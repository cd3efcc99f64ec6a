//! What crosses the pins of one processor, recorded, and replayed to another.
//!
//! The level of the interrupt pin, and whether the machine wants attention, change
//! only where a device is reached; so they are noted after each crossing, and hold
//! until the next, however often an engine looks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rax_cpu::{LocalApicView, Platform};
use rax_mmu::{MmioSpace, PhysicalAddress, PhysicalMemory, Writes};

/// What the processor sees of its surroundings without reaching for them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Levels {
    interrupt: bool,
    attention: bool,
    run_until: u64,
    local_apic: Option<LocalApicView>,
}

impl Levels {
    pub(super) fn of(platform: &mut dyn Platform) -> Self {
        Self {
            interrupt: platform.interrupt_pending(),
            attention: platform.wants_attention(),
            run_until: platform.run_until(),
            local_apic: platform.local_apic(),
        }
    }
}

/// One access, with what was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Access {
    PortRead(u16, Vec<u8>),
    PortWrite(u16, Vec<u8>),
    MmioRead(PhysicalAddress, Vec<u8>),
    MmioWrite(PhysicalAddress, Vec<u8>),
    Acknowledge(u8),
    Clock(u64),
    Random(u64),
    ApicMsrRead(u32, Option<u64>),
    ApicMsrWrite(u32, u64, bool),
    TaskPriority(Option<u8>),
    SetTaskPriority(u8),
    /// The level of FERR#, and that of IGNNE#.
    NumericError(bool, bool),
    SetSmm(bool),
}

#[derive(Clone, Debug)]
struct Crossing {
    /// The count of instructions at which it happened.
    at: u64,
    access: Access,
    /// What devices wrote to memory meanwhile.
    writes: Writes,
    /// Memory was mapped anew.
    maps: bool,
    after: Levels,
}

/// The crossings of a slice.
#[derive(Clone, Debug, Default)]
pub(super) struct Tape {
    crossings: Vec<Crossing>,
    /// How many of them have been replayed.
    played: usize,
    before: Levels,
    complaints: Vec<String>,
}

impl Tape {
    /// A new slice begins.
    pub(super) fn rewind(&mut self, before: Levels) {
        *self = Self {
            before,
            ..Self::default()
        };
    }

    /// To be replayed from the start.
    pub(super) fn play(&mut self) {
        self.played = 0;
        self.complaints.clear();
    }

    /// What the one that replays did otherwise, now that it is through.
    pub(super) fn complaints(&self) -> Vec<String> {
        let mut complaints = self.complaints.clone();
        if let (true, Some(left)) = (complaints.is_empty(), self.crossings.get(self.played)) {
            complaints.push(format!(
                "pins: {:x?} at instruction {}, nothing",
                left.access, left.at
            ));
        }
        complaints
    }

    /// What the one that replays did otherwise, as far as it went.
    pub(super) fn first_complaint(&self) -> Option<String> {
        self.complaints.first().cloned()
    }

    /// Whether the slice changed the memory map; then it ended there.
    fn maps(&self) -> bool {
        self.crossings.last().is_some_and(|crossing| crossing.maps)
    }

    fn levels(&self) -> Levels {
        let last = self.played.checked_sub(1);
        let crossing = last.and_then(|last| self.crossings.get(last));
        crossing.map_or(self.before, |crossing| crossing.after)
    }
}

pub(super) fn lock(tape: &Mutex<Tape>) -> MutexGuard<'_, Tape> {
    tape.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Real pins, recorded.
pub(super) struct Recorder {
    pins: Box<dyn Platform>,
    tape: Arc<Mutex<Tape>>,
    memory: Arc<PhysicalMemory>,
    generation: u64,
    now: u64,
}

impl Recorder {
    pub(super) fn new(
        pins: Box<dyn Platform>,
        tape: Arc<Mutex<Tape>>,
        memory: Arc<PhysicalMemory>,
    ) -> Self {
        Self {
            pins,
            tape,
            generation: memory.generation(),
            memory,
            now: 0,
        }
    }

    fn note(&mut self, access: Access) {
        let generation = self.memory.generation();
        let maps = generation != self.generation;
        self.generation = generation;
        let mut after = Levels::of(&mut *self.pins);
        // The twin's map can follow at the end of a slice only, so it ends here.
        after.attention |= maps;
        lock(&self.tape).crossings.push(Crossing {
            at: self.now,
            access,
            writes: self.memory.take_writes(),
            maps,
            after,
        });
    }
}

impl MmioSpace for Recorder {
    fn mmio_read(&mut self, address: PhysicalAddress, bytes: &mut [u8]) {
        self.pins.mmio_read(address, bytes);
        self.note(Access::MmioRead(address, bytes.to_vec()));
    }

    fn mmio_write(&mut self, address: PhysicalAddress, bytes: &[u8]) {
        self.pins.mmio_write(address, bytes);
        self.note(Access::MmioWrite(address, bytes.to_vec()));
    }
}

impl Platform for Recorder {
    fn begin_access(&mut self, instructions: u64) {
        self.now = instructions;
        self.pins.begin_access(instructions);
    }

    fn port_read(&mut self, port: u16, bytes: &mut [u8]) {
        self.pins.port_read(port, bytes);
        self.note(Access::PortRead(port, bytes.to_vec()));
    }

    fn port_write(&mut self, port: u16, bytes: &[u8]) {
        self.pins.port_write(port, bytes);
        self.note(Access::PortWrite(port, bytes.to_vec()));
    }

    fn interrupt_pending(&mut self) -> bool {
        self.pins.interrupt_pending()
    }

    fn acknowledge_interrupt(&mut self) -> u8 {
        let vector = self.pins.acknowledge_interrupt();
        self.note(Access::Acknowledge(vector));
        vector
    }

    fn clock_cycles(&mut self) -> u64 {
        let cycles = self.pins.clock_cycles();
        self.note(Access::Clock(cycles));
        cycles
    }

    fn random(&mut self) -> u64 {
        let bits = self.pins.random();
        self.note(Access::Random(bits));
        bits
    }

    fn local_apic(&self) -> Option<LocalApicView> {
        self.pins.local_apic()
    }

    fn read_apic_msr(&mut self, register: u32) -> Option<u64> {
        let value = self.pins.read_apic_msr(register);
        self.note(Access::ApicMsrRead(register, value));
        value
    }

    fn write_apic_msr(&mut self, register: u32, value: u64) -> bool {
        let is_taken = self.pins.write_apic_msr(register, value);
        self.note(Access::ApicMsrWrite(register, value, is_taken));
        is_taken
    }

    fn task_priority(&mut self) -> Option<u8> {
        let priority = self.pins.task_priority();
        self.note(Access::TaskPriority(priority));
        priority
    }

    fn set_task_priority(&mut self, priority: u8) {
        self.pins.set_task_priority(priority);
        self.note(Access::SetTaskPriority(priority));
    }

    fn numeric_error(&mut self, is_signalled: bool) -> bool {
        let is_ignored = self.pins.numeric_error(is_signalled);
        self.note(Access::NumericError(is_signalled, is_ignored));
        is_ignored
    }

    fn set_smm(&mut self, is_active: bool) {
        self.pins.set_smm(is_active);
        self.note(Access::SetSmm(is_active));
    }

    fn wants_attention(&self) -> bool {
        self.pins.wants_attention() || lock(&self.tape).maps()
    }

    fn run_until(&self) -> u64 {
        self.pins.run_until()
    }
}

/// Pins that replay.
pub(super) struct Player {
    tape: Arc<Mutex<Tape>>,
    memory: Arc<PhysicalMemory>,
    /// Whose map to follow.
    original: Arc<PhysicalMemory>,
    now: u64,
}

impl Player {
    pub(super) fn new(
        tape: Arc<Mutex<Tape>>,
        memory: Arc<PhysicalMemory>,
        original: Arc<PhysicalMemory>,
    ) -> Self {
        Self {
            tape,
            memory,
            original,
            now: 0,
        }
    }

    /// The next crossing, if `access` is what the reference did; `answer` takes what
    /// was answered over, so that only what was asked is compared.
    fn next(&mut self, mut access: Access, answer: impl Fn(&mut Access, &Access)) -> Access {
        let mut tape = lock(&self.tape);
        let Some(crossing) = tape.crossings.get(tape.played).cloned() else {
            self.complain(&mut tape, "nothing", &access);
            return access;
        };
        answer(&mut access, &crossing.access);
        if access != crossing.access || crossing.at != self.now {
            let expected = format!("{:x?} at instruction {}", crossing.access, crossing.at);
            self.complain(&mut tape, &expected, &access);
            return access;
        }
        tape.played += 1;
        self.memory.repeat_writes(&crossing.writes);
        if crossing.maps {
            self.memory.follow_map(&self.original);
        }
        access
    }

    fn complain(&self, tape: &mut Tape, expected: &str, access: &Access) {
        // Only the first tells something; what follows follows from it.
        if tape.complaints.is_empty() {
            let now = self.now;
            let complaint = format!("pins: {expected}, {access:x?} at instruction {now}");
            tape.complaints.push(complaint);
        }
    }
}

impl MmioSpace for Player {
    fn mmio_read(&mut self, address: PhysicalAddress, bytes: &mut [u8]) {
        bytes.fill(0xff);
        let access = Access::MmioRead(address, bytes.to_vec());
        let answered = self.next(access, |access, recorded| {
            if let (Access::MmioRead(_, bytes), Access::MmioRead(_, answer)) = (access, recorded)
                && bytes.len() == answer.len()
            {
                bytes.copy_from_slice(answer);
            }
        });
        if let Access::MmioRead(_, answer) = answered {
            bytes.copy_from_slice(&answer);
        }
    }

    fn mmio_write(&mut self, address: PhysicalAddress, bytes: &[u8]) {
        self.next(Access::MmioWrite(address, bytes.to_vec()), |_, _| ());
    }
}

impl Platform for Player {
    fn begin_access(&mut self, instructions: u64) {
        self.now = instructions;
    }

    fn port_read(&mut self, port: u16, bytes: &mut [u8]) {
        bytes.fill(0xff);
        let access = Access::PortRead(port, bytes.to_vec());
        let answered = self.next(access, |access, recorded| {
            if let (Access::PortRead(_, bytes), Access::PortRead(_, answer)) = (access, recorded)
                && bytes.len() == answer.len()
            {
                bytes.copy_from_slice(answer);
            }
        });
        if let Access::PortRead(_, answer) = answered {
            bytes.copy_from_slice(&answer);
        }
    }

    fn port_write(&mut self, port: u16, bytes: &[u8]) {
        self.next(Access::PortWrite(port, bytes.to_vec()), |_, _| ());
    }

    fn interrupt_pending(&mut self) -> bool {
        lock(&self.tape).levels().interrupt
    }

    fn acknowledge_interrupt(&mut self) -> u8 {
        let answered = self.next(Access::Acknowledge(0), |access, recorded| {
            if let (Access::Acknowledge(vector), Access::Acknowledge(answer)) = (access, recorded) {
                *vector = *answer;
            }
        });
        match answered {
            Access::Acknowledge(vector) => vector,
            _ => 0xff,
        }
    }

    fn clock_cycles(&mut self) -> u64 {
        let answered = self.next(Access::Clock(0), |access, recorded| {
            if let (Access::Clock(cycles), Access::Clock(answer)) = (access, recorded) {
                *cycles = *answer;
            }
        });
        match answered {
            Access::Clock(cycles) => cycles,
            _ => 0,
        }
    }

    fn random(&mut self) -> u64 {
        let answered = self.next(Access::Random(0), |access, recorded| {
            if let (Access::Random(bits), Access::Random(answer)) = (access, recorded) {
                *bits = *answer;
            }
        });
        match answered {
            Access::Random(bits) => bits,
            _ => 0,
        }
    }

    fn local_apic(&self) -> Option<LocalApicView> {
        lock(&self.tape).levels().local_apic
    }

    fn read_apic_msr(&mut self, register: u32) -> Option<u64> {
        let access = Access::ApicMsrRead(register, None);
        let answered = self.next(access, |access, recorded| {
            if let (Access::ApicMsrRead(_, value), Access::ApicMsrRead(_, answer)) =
                (access, recorded)
            {
                *value = *answer;
            }
        });
        match answered {
            Access::ApicMsrRead(_, value) => value,
            _ => None,
        }
    }

    fn write_apic_msr(&mut self, register: u32, value: u64) -> bool {
        let access = Access::ApicMsrWrite(register, value, false);
        let answered = self.next(access, |access, recorded| {
            if let (Access::ApicMsrWrite(_, _, is_taken), Access::ApicMsrWrite(_, _, answer)) =
                (access, recorded)
            {
                *is_taken = *answer;
            }
        });
        matches!(answered, Access::ApicMsrWrite(_, _, true))
    }

    fn task_priority(&mut self) -> Option<u8> {
        let answered = self.next(Access::TaskPriority(None), |access, recorded| {
            if let (Access::TaskPriority(priority), Access::TaskPriority(answer)) =
                (access, recorded)
            {
                *priority = *answer;
            }
        });
        match answered {
            Access::TaskPriority(priority) => priority,
            _ => None,
        }
    }

    fn set_task_priority(&mut self, priority: u8) {
        self.next(Access::SetTaskPriority(priority), |_, _| ());
    }

    fn numeric_error(&mut self, is_signalled: bool) -> bool {
        let access = Access::NumericError(is_signalled, false);
        let answered = self.next(access, |access, recorded| {
            if let (Access::NumericError(_, is_ignored), Access::NumericError(_, answer)) =
                (access, recorded)
            {
                *is_ignored = *answer;
            }
        });
        matches!(answered, Access::NumericError(_, true))
    }

    fn set_smm(&mut self, is_active: bool) {
        self.next(Access::SetSmm(is_active), |_, _| ());
    }

    fn wants_attention(&self) -> bool {
        lock(&self.tape).levels().attention
    }

    fn run_until(&self) -> u64 {
        lock(&self.tape).levels().run_until
    }
}
