//! The interrupt path: wires to controllers, controllers to the processor.
//!
//! ```text
//! PIRQA..D ── ISA bridge ──┐                       ┌── LINT0 ── local APIC ── processor
//! ISA wires ───────────────┴── 8259s ── INTR ──────┘                │
//!     └──────────────────────── I/O APIC ── messages ───────────────┘
//! ```

use rax_cpu::Topology;
use rax_devices::apic::{ApicCycle, ApicMessage, DeliveryMode, Destination, deliver};
use rax_devices::local_apic::{Acknowledged, Lint, Signals};
use rax_devices::{ApicQueue, Context, Device, Dma, LocalApic, NumericError, Time};

use super::{Board, SMI};

/// IA32_TSC_DEADLINE.
const TSC_DEADLINE: u32 = 0x6e0;
/// IA32_APIC_BASE.
const APIC_BASE: u32 = 0x1b;
/// The x2APIC's registers.
const X2APIC: std::ops::RangeInclusive<u32> = 0x800..=0x8ff;

impl Board {
    /// Lets what the chips did reach the processor's local APIC.
    pub(crate) fn settle(&mut self) {
        self.carry_alarm();
        self.isa_bridge.sample();
        let external = self.pic.interrupt_pending();
        for apic in &mut self.apics {
            apic.set_lint(Lint::Lint0, external);
        }
        self.io_apic.sample();
        while let Some(cycle) = self.apic_bus.take() {
            match cycle {
                ApicCycle::Interrupt(message) => {
                    self.delivered = true;
                    if !deliver(&message, &mut self.apics) {
                        log::trace!("nobody takes {message:?}");
                    }
                }
                ApicCycle::EndOfInterrupt(vector) => self.io_apic.end_of_interrupt(vector),
            }
        }
        if self.inputs.take_rises(1 << SMI) != 0 {
            self.smi_requested = true;
        }
        self.is_stirred = false;
        self.has_settled = true;
        self.settled_at = self.irqs.change_number();
    }

    /// Whether [`Board::settle`] was called since the last call of this.
    pub(crate) fn take_settled(&mut self) -> bool {
        std::mem::take(&mut self.has_settled)
    }

    /// The level of the processor's interrupt request.
    pub fn interrupt_pending(&mut self) -> bool {
        self.settle();
        self.apics
            .get(self.current)
            .is_some_and(LocalApic::interrupt_pending)
    }

    /// The same of any processor, as things stand.
    pub(crate) fn waits_for(&self, processor: usize) -> bool {
        self.apics
            .get(processor)
            .is_some_and(LocalApic::interrupt_pending)
    }

    /// Whether a message has reached a local APIC since the last call.
    pub(crate) fn take_delivered(&mut self) -> bool {
        std::mem::take(&mut self.delivered)
    }

    /// Says whose accesses follow.
    pub(crate) fn set_current(&mut self, processor: usize) {
        self.current = processor;
        self.is_stirred = true;
    }

    /// The processor whose accesses these are.
    pub(crate) const fn current(&self) -> usize {
        self.current
    }

    /// How the processors are divided.
    pub(crate) const fn topology(&self) -> Topology {
        self.topology
    }

    /// How many processors there are.
    pub(crate) fn processors(&self) -> usize {
        self.apics.len()
    }

    /// The vector of the interrupt that is now being serviced.
    pub fn acknowledge_interrupt(&mut self) -> u8 {
        self.is_stirred = true;
        let apic = self.apics.get_mut(self.current);
        match apic.map(LocalApic::acknowledge) {
            Some(Acknowledged::Vector(vector)) => vector,
            Some(Acknowledged::External) | None => self.pic.acknowledge(),
        }
    }

    /// A processor drives FERR#, which all of them pull together. The level of IGNNE#.
    pub(crate) fn set_ferr(&mut self, is_asserted: bool) -> bool {
        let logic = self.find::<NumericError>();
        logic.is_none_or(|logic| logic.set_ferr(is_asserted))
    }

    /// The bus that the APICs are on, for messages from elsewhere.
    pub(crate) fn apic_bus(&self) -> ApicQueue {
        self.apic_bus.clone()
    }

    /// Whether a local APIC has more to say than ordinary interrupts.
    #[must_use]
    pub fn has_signals(&self) -> bool {
        self.smi_requested || self.apics.iter().any(LocalApic::has_signals)
    }

    /// What a processor's local APIC says; the chipset's SMI# is the bootstrap
    /// processor's.
    pub fn take_signals(&mut self, processor: usize) -> Signals {
        self.is_stirred = true;
        let apic = self.apics.get_mut(processor);
        let mut signals = apic.map_or_else(Signals::default, LocalApic::take_signals);
        if processor == 0 {
            signals.smi |= std::mem::take(&mut self.smi_requested);
        }
        signals
    }

    /// IA32_APIC_BASE and ID of the processor's local APIC.
    pub(crate) fn local_apic(&self) -> Option<(u64, u32)> {
        let apic = self.apics.get(self.current)?;
        Some((apic.apic_base(), apic.id()))
    }

    /// RDMSR of a register of the local APIC.
    pub(crate) fn read_apic_msr(
        &mut self,
        register: u32,
        now: Time,
        memory: &mut dyn Dma,
    ) -> Option<u64> {
        self.advance_apics(&mut Context { now, memory });
        let apic = self.apics.get_mut(self.current)?;
        let value = match register {
            TSC_DEADLINE => Some(apic.tsc_deadline()),
            APIC_BASE => Some(apic.apic_base()),
            _ if X2APIC.contains(&register) => apic.read_msr(register - X2APIC.start()).ok(),
            _ => None,
        };
        self.accessed_local_apic(0);
        value
    }

    /// WRMSR of a register of the local APIC; false if it does not take that.
    pub(crate) fn write_apic_msr(
        &mut self,
        register: u32,
        value: u64,
        now: Time,
        memory: &mut dyn Dma,
    ) -> bool {
        self.advance_apics(&mut Context { now, memory });
        let Some(apic) = self.apics.get_mut(self.current) else {
            return false;
        };
        let is_taken = match register {
            TSC_DEADLINE => {
                apic.set_tsc_deadline(value);
                true
            }
            APIC_BASE => apic.set_apic_base(value).is_ok(),
            _ if X2APIC.contains(&register) => {
                apic.write_msr(register - X2APIC.start(), value).is_ok()
            }
            _ => false,
        };
        self.accessed_local_apic(0);
        is_taken
    }

    /// The task priority, as CR8 shows it.
    pub(crate) fn task_priority(&self) -> Option<u8> {
        Some(self.apics.get(self.current)?.task_priority())
    }

    /// A write to CR8.
    pub(crate) fn set_task_priority(&mut self, priority: u8) {
        self.is_stirred = true;
        if let Some(apic) = self.apics.get_mut(self.current) {
            apic.set_task_priority(priority);
        }
    }

    pub(super) fn advance_apics(&mut self, cx: &mut Context<'_>) {
        for apic in &mut self.apics {
            if let Some(timed) = apic.timed() {
                timed.advance(cx);
            }
        }
    }

    /// Interrupt controllers as after power-on. The bootstrap processor's
    /// local APIC is in virtual wire mode, as firmware leaves it: programs that
    /// know no APIC find the 8259s at the processor.
    pub(super) fn reset_interrupts(&mut self) {
        self.pic.reset();
        self.isa_bridge.reset();
        self.io_apic.reset();
        self.apic_bus.clear();
        self.smi_requested = false;
        self.reset_local_apics();
    }

    /// The bootstrap processor's local APIC as firmware leaves it.
    pub(crate) fn enter_virtual_wire_mode(&mut self) {
        if let Some(bootstrap) = self.apics.first_mut() {
            bootstrap.enter_virtual_wire_mode();
        }
    }

    /// Whether any processor's local APIC is in x2APIC mode.
    pub(crate) fn uses_x2apic(&self) -> bool {
        self.apics.iter().any(LocalApic::is_x2apic)
    }

    /// INIT# goes to all processors. The A20 gate opens, for with a closed one
    /// the reset vector leads nowhere.
    pub(crate) fn assert_init(&mut self) {
        for apic in &mut self.apics {
            apic.accept(&ApicMessage {
                destination: Destination::All,
                mode: DeliveryMode::Init,
                vector: 0,
                is_level: false,
            });
        }
        self.system.set_a20(true);
    }
}
