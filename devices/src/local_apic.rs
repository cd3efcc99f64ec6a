//! A processor's local APIC, xAPIC and x2APIC.
//!
//! Intel SDM volume 3A, chapter 11. Registers 0 to FFFh are the page of
//! memory-mapped registers, which answers while the APIC is in xAPIC mode;
//! register 1000h + n is the x2APIC's MSR 800h + n, eight bytes wide, where
//! [`BusError`](crate::BusError) means #GP. IA32_APIC_BASE, IA32_TSC_DEADLINE and the task
//! priority that CR8 shows are functions, for the processor's side.
//!
//! What it tells the processor is asked for: [`LocalApic::interrupt_pending`],
//! [`LocalApic::acknowledge`], [`LocalApic::take_signals`]. Other APICs it
//! reaches by its [`ApicBus`], and is reached by [`apic::deliver`].
//!
//! [`apic::deliver`]: crate::apic::deliver

use serde::{Deserialize, Serialize};

use crate::apic::{ApicBus, ApicCycle, DeliveryMode};
use crate::device::{Context, Device, Registers, Timed};
use crate::snapshot::{RestoreError, State};
use crate::time::Time;

mod access;
mod messages;
mod registers;
mod timer;
mod vectors;

use registers::{ApicBase, Entry, Errors, Lvt, Spurious};
use timer::{Mode, Timer};
use vectors::Vectors;

/// Register 1000h + n is MSR 800h + n.
const MSR_REGISTERS: u64 = 0x1000;
/// Vectors below this are for exceptions.
const FIRST_VECTOR: u8 = 16;
/// The flat model of logical destinations: all ones.
const FLAT: u8 = 0xf;

/// What a local APIC is built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalApicModel {
    /// Its ID after a reset.
    pub id: u32,
    /// It belongs to the bootstrap processor.
    pub is_bootstrap: bool,
    /// It has an x2APIC mode.
    pub has_x2apic: bool,
    /// The rate that the timer divides.
    pub timer_hz: u64,
    /// The rate of the time-stamp counter, which starts with time.
    pub tsc_hz: u64,
    /// Where the memory page is after a reset.
    pub base: u64,
    /// Physical address bits of the processor.
    pub physical_bits: u32,
}

/// A pin for local interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lint {
    /// LINT0, or INTR while the APIC is disabled.
    Lint0,
    /// LINT1, or NMI while the APIC is disabled.
    Lint1,
}

/// What an acknowledged interrupt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// The interrupt of this vector.
    Vector(u8),
    /// The external controller has the vector.
    External,
}

/// What else the APIC tells its processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signals {
    /// A non-maskable interrupt.
    pub nmi: bool,
    /// A system management interrupt.
    pub smi: bool,
    /// INIT; it comes before `start_up`.
    pub init: bool,
    /// A start-up message with this vector.
    pub start_up: Option<u8>,
}

/// A value that a register does not take: #GP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a reserved bit, an impossible change of mode, or no such register")]
pub struct Refused;

/// A local APIC.
#[derive(Debug)]
pub struct LocalApic {
    model: LocalApicModel,
    bus: Box<dyn ApicBus>,
    base: ApicBase,
    registers: Bank,
    now: Time,
}

/// All registers but IA32_APIC_BASE.
#[derive(Clone, Copy, Debug)]
struct Bank {
    id: u32,
    task_priority: u8,
    logical_destination: u8,
    /// The upper four bits of the destination format register.
    destination_format: u8,
    spurious: Spurious,
    in_service: Vectors,
    trigger_mode: Vectors,
    requests: Vectors,
    /// The error status register as it reads.
    errors: Errors,
    /// Errors since it was last written.
    new_errors: Errors,
    command_low: u32,
    command_high: u32,
    lvt: [Lvt; Entry::COUNT],
    timer: Timer,
    /// Levels of the two pins.
    lint: [bool; 2],
    signals: Signals,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    base: u64,
    id: u32,
    task_priority: u8,
    logical_destination: u8,
    destination_format: u8,
    spurious: u32,
    in_service: Vectors,
    trigger_mode: Vectors,
    requests: Vectors,
    errors: u32,
    new_errors: u32,
    command_low: u32,
    command_high: u32,
    lvt: [u32; Entry::COUNT],
    timer: Timer,
    lint: [bool; 2],
    signals: Signals,
    now: Time,
}

impl Bank {
    /// The registers after a reset (11.4.7.1).
    const fn new(id: u32) -> Self {
        Self {
            id,
            task_priority: 0,
            logical_destination: 0,
            destination_format: FLAT,
            spurious: Spurious::VECTOR,
            in_service: Vectors::NONE,
            trigger_mode: Vectors::NONE,
            requests: Vectors::NONE,
            errors: Errors::empty(),
            new_errors: Errors::empty(),
            command_low: 0,
            command_high: 0,
            lvt: [Lvt::MASK; Entry::COUNT],
            timer: Timer::new(),
            lint: [false; 2],
            signals: Signals {
                nmi: false,
                smi: false,
                init: false,
                start_up: None,
            },
        }
    }
}

/// What the processor asks and tells.
impl LocalApic {
    /// A local APIC on `bus`, as after power-on.
    #[must_use]
    pub fn new(model: LocalApicModel, bus: Box<dyn ApicBus>) -> Self {
        debug_assert!(model.timer_hz != 0 && model.tsc_hz != 0, "clocks run");
        let model = LocalApicModel {
            timer_hz: model.timer_hz.max(1),
            tsc_hz: model.tsc_hz.max(1),
            ..model
        };
        let mut apic = Self {
            model,
            bus,
            base: ApicBase::empty(),
            registers: Bank::new(model.id),
            now: Time::ZERO,
        };
        apic.reset();
        apic
    }

    /// Virtual wire mode, as firmware leaves the bootstrap processor's APIC
    /// (MultiProcessor Specification 1.4, 3.6.2.2): enabled, LINT0 passes the
    /// external controller's interrupts on, LINT1 is NMI.
    pub fn enter_virtual_wire_mode(&mut self) {
        self.registers.spurious = Spurious::VECTOR | Spurious::ENABLE;
        self.registers.lvt[Entry::Lint0 as usize] = Lvt::from_bits_retain(0x700);
        self.registers.lvt[Entry::Lint1 as usize] = Lvt::from_bits_retain(0x400);
    }

    /// Whether an interrupt waits whose priority the processor would take.
    #[must_use]
    pub fn interrupt_pending(&self) -> bool {
        self.pending_vector().is_some() || self.external_pending()
    }

    /// The processor takes the interrupt.
    ///
    /// If it went away meanwhile, this is the spurious interrupt, which needs
    /// no end.
    pub fn acknowledge(&mut self) -> Acknowledged {
        if let Some(vector) = self.pending_vector() {
            self.registers.requests.set(vector, false);
            self.registers.in_service.set(vector, true);
            return Acknowledged::Vector(vector);
        }
        if self.external_pending() {
            return Acknowledged::External;
        }
        let spurious = self.registers.spurious & Spurious::VECTOR;
        Acknowledged::Vector(spurious.bits() as u8)
    }

    /// Whether [`LocalApic::take_signals`] has something to say.
    #[must_use]
    pub fn has_signals(&self) -> bool {
        self.registers.signals != Signals::default()
    }

    /// What came since the last call.
    pub fn take_signals(&mut self) -> Signals {
        std::mem::take(&mut self.registers.signals)
    }

    /// A pin changes its level.
    pub fn set_lint(&mut self, pin: Lint, high: bool) {
        let index = pin as usize;
        let rises = high && !self.registers.lint[index];
        self.registers.lint[index] = high;
        if !self.is_enabled() {
            // The pins are INTR and NMI.
            self.registers.signals.nmi |= rises && pin == Lint::Lint1;
            return;
        }
        let entry = Self::entry_of(pin);
        let lvt = self.lvt(entry);
        if lvt.contains(Lvt::MASK) {
            return;
        }
        let is_fixed =
            DeliveryMode::from_bits((lvt.bits() >> 8) as u8) == Some(DeliveryMode::Fixed);
        if lvt.contains(Lvt::LEVEL) && is_fixed {
            self.raise_level(entry);
        } else if rises {
            self.raise(entry);
        }
    }

    /// IA32_APIC_BASE.
    #[must_use]
    pub const fn apic_base(&self) -> u64 {
        self.base.bits()
    }

    /// A write to IA32_APIC_BASE.
    ///
    /// # Errors
    /// Reserved bits, and changes of mode that 11.12.5 forbids.
    pub fn set_apic_base(&mut self, value: u64) -> Result<(), Refused> {
        let new = ApicBase::from_bits(value).ok_or(Refused)?;
        let extended = new.contains(ApicBase::EXTENDED);
        let enabled = new.contains(ApicBase::ENABLE);
        let was = (
            self.base.contains(ApicBase::ENABLE),
            self.base.contains(ApicBase::EXTENDED),
        );
        let too_wide = value >> self.model.physical_bits.clamp(32, 52) != 0;
        let impossible = match (was, enabled, extended) {
            (_, false, true) => true,            // No such mode.
            ((false, _), true, true) => true,    // Only by way of xAPIC mode.
            ((true, true), true, false) => true, // Only by way of disabled.
            _ => extended && !self.model.has_x2apic,
        };
        if too_wide || impossible {
            return Err(Refused);
        }
        self.base = new;
        if !enabled && was.0 {
            let lint = self.registers.lint;
            self.registers = Bank::new(self.model.id);
            self.registers.lint = lint;
        }
        if extended && !was.1 {
            self.registers.id = self.model.id;
        }
        Ok(())
    }

    /// Where the registers are in memory, in xAPIC mode.
    #[must_use]
    pub fn memory_page(&self) -> Option<u64> {
        (self.is_enabled() && !self.is_x2apic()).then_some((self.base & ApicBase::ADDRESS).bits())
    }

    /// Whether it is in x2APIC mode.
    #[must_use]
    pub const fn is_x2apic(&self) -> bool {
        self.base.contains(ApicBase::EXTENDED)
    }

    /// IA32_TSC_DEADLINE, in cycles of the platform's counter.
    #[must_use]
    pub fn tsc_deadline(&self) -> u64 {
        self.registers.timer.deadline()
    }

    /// A write to IA32_TSC_DEADLINE; ignored in the timer's other modes.
    pub fn set_tsc_deadline(&mut self, deadline: u64) {
        if self.timer_mode() == Mode::TscDeadline {
            self.registers.timer.set_deadline(deadline);
        }
    }

    /// The task priority as CR8 shows it: its upper four bits.
    #[must_use]
    pub const fn task_priority(&self) -> u8 {
        self.registers.task_priority >> 4
    }

    /// A write to CR8.
    pub const fn set_task_priority(&mut self, priority: u8) {
        self.registers.task_priority = priority << 4;
    }

    /// Its ID.
    #[must_use]
    pub const fn id(&self) -> u32 {
        if self.is_x2apic() {
            self.model.id
        } else {
            self.registers.id & 0xff
        }
    }
}

/// Priorities and local interrupts.
impl LocalApic {
    const fn is_enabled(&self) -> bool {
        self.base.contains(ApicBase::ENABLE)
    }

    /// The processor priority register (11.8.3.1).
    fn processor_priority(&self) -> u8 {
        let task = self.registers.task_priority;
        let in_service = self.registers.in_service.highest().unwrap_or(0);
        if task >> 4 >= in_service >> 4 {
            task
        } else {
            in_service & 0xf0
        }
    }

    fn pending_vector(&self) -> Option<u8> {
        let vector = self.registers.requests.highest()?;
        (vector >> 4 > self.processor_priority() >> 4).then_some(vector)
    }

    /// Whether LINT0 passes a request of the external controller on.
    fn external_pending(&self) -> bool {
        let lvt = self.lvt(Entry::Lint0);
        let is_external =
            DeliveryMode::from_bits((lvt.bits() >> 8) as u8) == Some(DeliveryMode::ExtInt);
        let passes = !self.is_enabled() || (is_external && !lvt.contains(Lvt::MASK));
        self.registers.lint[0] && passes
    }

    const fn lvt(&self, entry: Entry) -> Lvt {
        self.registers.lvt[entry as usize]
    }

    const fn entry_of(pin: Lint) -> Entry {
        match pin {
            Lint::Lint0 => Entry::Lint0,
            Lint::Lint1 => Entry::Lint1,
        }
    }

    /// An ordinary interrupt: remembered until the processor takes it.
    fn request(&mut self, vector: u8, is_level: bool) {
        if vector < FIRST_VECTOR {
            self.error(Errors::RECEIVE_ILLEGAL_VECTOR);
            return;
        }
        self.registers.requests.set(vector, true);
        self.registers.trigger_mode.set(vector, is_level);
    }

    /// A local interrupt, by its entry's delivery mode.
    fn raise(&mut self, entry: Entry) {
        let lvt = self.lvt(entry);
        if lvt.contains(Lvt::MASK) {
            return;
        }
        let vector = (lvt & Lvt::VECTOR).bits() as u8;
        match DeliveryMode::from_bits((lvt.bits() >> 8) as u8) {
            Some(DeliveryMode::Fixed) => self.request(vector, false),
            Some(DeliveryMode::Nmi) => self.registers.signals.nmi = true,
            Some(DeliveryMode::Smi) => self.registers.signals.smi = true,
            Some(DeliveryMode::Init) => self.initialize(),
            // The wire itself says whether an external request is there.
            _ => {}
        }
    }

    /// A level-triggered pin: once, until its end.
    fn raise_level(&mut self, entry: Entry) {
        let lvt = self.lvt(entry);
        let pin = usize::from(entry == Entry::Lint1);
        if self.registers.lint[pin] && !lvt.contains(Lvt::REMOTE_IRR) {
            self.registers.lvt[entry as usize].insert(Lvt::REMOTE_IRR);
            self.request((lvt & Lvt::VECTOR).bits() as u8, true);
        }
    }

    /// The end of the interrupt that is in service (11.8.5).
    fn end_of_interrupt(&mut self) {
        let Some(vector) = self.registers.in_service.highest() else {
            return;
        };
        self.registers.in_service.set(vector, false);
        if !self.registers.trigger_mode.contains(vector) {
            return;
        }
        self.bus.send(ApicCycle::EndOfInterrupt(vector));
        for entry in [Entry::Lint0, Entry::Lint1] {
            let lvt = self.lvt(entry);
            let is_its = (lvt & Lvt::VECTOR).bits() == u32::from(vector);
            if is_its && lvt.contains(Lvt::REMOTE_IRR) {
                self.registers.lvt[entry as usize].remove(Lvt::REMOTE_IRR);
                if lvt.contains(Lvt::LEVEL) && !lvt.contains(Lvt::MASK) {
                    self.raise_level(entry);
                }
            }
        }
    }

    /// Notes an error and interrupts if that is wanted (11.5.3).
    fn error(&mut self, error: Errors) {
        let is_new = !self.registers.new_errors.contains(error);
        self.registers.new_errors.insert(error);
        let lvt = self.lvt(Entry::Error);
        let vector = (lvt & Lvt::VECTOR).bits() as u8;
        // An error vector below 16 would be an error about itself.
        if is_new && !lvt.contains(Lvt::MASK) && vector >= FIRST_VECTOR {
            self.request(vector, false);
        }
    }

    const fn timer_mode(&self) -> Mode {
        let lvt = self.lvt(Entry::Timer);
        if lvt.contains(Lvt::TSC_DEADLINE) {
            Mode::TscDeadline
        } else if lvt.contains(Lvt::PERIODIC) {
            Mode::Periodic
        } else {
            Mode::OneShot
        }
    }

    /// What the platform's time-stamp counter shows.
    fn tsc(&self) -> u64 {
        let tsc = u128::from(self.now.0) * u128::from(self.model.tsc_hz) / 1_000_000_000;
        u64::try_from(tsc).unwrap_or(u64::MAX)
    }
}

impl Device for LocalApic {
    fn name(&self) -> &'static str {
        "local-apic"
    }

    fn reset(&mut self) {
        self.registers = Bank::new(self.model.id);
        self.base = ApicBase::from_bits_truncate(self.model.base) & ApicBase::ADDRESS;
        self.base |= ApicBase::ENABLE;
        self.base.set(ApicBase::BSP, self.model.is_bootstrap);
    }

    fn save(&self) -> State {
        let Self {
            model: _,
            bus: _,
            base,
            registers,
            now,
        } = self;
        let Bank {
            id,
            task_priority,
            logical_destination,
            destination_format,
            spurious,
            in_service,
            trigger_mode,
            requests,
            errors,
            new_errors,
            command_low,
            command_high,
            lvt,
            timer,
            lint,
            signals,
        } = *registers;
        let saved = SavedV1 {
            base: base.bits(),
            id,
            task_priority,
            logical_destination,
            destination_format,
            spurious: spurious.bits(),
            in_service,
            trigger_mode,
            requests,
            errors: errors.bits(),
            new_errors: new_errors.bits(),
            command_low,
            command_high,
            lvt: lvt.map(|entry| entry.bits()),
            timer,
            lint,
            signals,
            now: *now,
        };
        State::encode(1, &saved)
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let saved: SavedV1 = state.decode(self.name(), 1)?;
        self.base = ApicBase::from_bits_truncate(saved.base);
        self.now = saved.now;
        self.registers = Bank {
            id: saved.id,
            task_priority: saved.task_priority,
            logical_destination: saved.logical_destination,
            destination_format: saved.destination_format & FLAT,
            spurious: Spurious::from_bits_truncate(saved.spurious),
            in_service: saved.in_service,
            trigger_mode: saved.trigger_mode,
            requests: saved.requests,
            errors: Errors::from_bits_truncate(saved.errors),
            new_errors: Errors::from_bits_truncate(saved.new_errors),
            command_low: saved.command_low,
            command_high: saved.command_high,
            lvt: saved.lvt.map(Lvt::from_bits_retain),
            timer: saved.timer,
            lint: saved.lint,
            signals: saved.signals,
        };
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }

    fn timed(&mut self) -> Option<&mut dyn Timed> {
        Some(self)
    }
}

impl Timed for LocalApic {
    /// When the timer next interrupts: nothing else happens by itself.
    fn next_deadline(&self) -> Option<Time> {
        if self.lvt(Entry::Timer).contains(Lvt::MASK) {
            return None;
        }
        let LocalApicModel {
            timer_hz, tsc_hz, ..
        } = self.model;
        let next = self
            .registers
            .timer
            .next(self.timer_mode(), timer_hz, tsc_hz)?;
        // A deadline in the past is due at the next look.
        Some(next.max(self.now.after_ns(1)))
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        self.now = cx.now;
        let (mode, tsc) = (self.timer_mode(), self.tsc());
        let timer = &mut self.registers.timer;
        if timer.expire(mode, self.model.timer_hz, cx.now, tsc) {
            self.raise(Entry::Timer);
        }
    }
}

#[cfg(test)]
mod tests;
