//! What the processor's pins reach: ports, memory-mapped devices, the interrupt
//! controller, the clock and the source of random numbers. Implemented by the machine.

use std::sync::atomic::AtomicBool;

use rax_mmu::MmioSpace;

use crate::cpuid::Topology;

/// What a processor shows of its local APIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalApicView {
    /// IA32_APIC_BASE.
    pub base: u64,
    /// Its initial ID, all 32 bits.
    pub id: u32,
    /// How the machine's processors are divided.
    pub topology: Topology,
}

/// The world outside the processor.
///
/// Every access is preceded by [`Platform::begin_access`], so that devices know
/// the exact instruction at which it happens.
pub trait Platform: MmioSpace + Send {
    /// The following accesses happen after this many retired instructions.
    fn begin_access(&mut self, instructions: u64);
    /// IN: fills one, two or four bytes from consecutive ports.
    fn port_read(&mut self, port: u16, bytes: &mut [u8]);
    /// OUT.
    fn port_write(&mut self, port: u16, bytes: &[u8]);
    /// The level of the INTR pin.
    fn interrupt_pending(&mut self) -> bool;
    /// INTA: the vector of the interrupt that is now being serviced.
    fn acknowledge_interrupt(&mut self) -> u8;
    /// The clock that the time-stamp counter counts.
    fn clock_cycles(&mut self) -> u64;
    /// Sixty-four random bits, for RDRAND and RDSEED.
    fn random(&mut self) -> u64;
    /// Whether the machine must act before the next instruction: a reset, a
    /// power-off or a new deadline was asked for.
    fn wants_attention(&self) -> bool;
    /// The count of instructions up to which the processor may run. An access may bring it
    /// nearer, because it takes time or starts something; the engine then stops there, as
    /// if it had been asked to.
    fn run_until(&self) -> u64 {
        u64::MAX
    }

    /// PAUSE: the program waits for another processor. Whether the engine is to
    /// come back, so that this one may run.
    fn spins(&mut self) -> bool {
        false
    }
    /// Whether [`Platform::spins`] may say yes.
    fn heeds_pause(&self) -> bool {
        false
    }
    /// Where compiled code may look at the level of the INTR pin, if it is anywhere: what
    /// [`Platform::interrupt_pending`] tells. It stays there as long as this does.
    fn interrupt_level(&self) -> Option<&AtomicBool> {
        None
    }
    /// The level of FERR#, where CR0.NE leaves x87 errors to the board (SDM 1,
    /// D.2.1): noted when an instruction waits, and when nothing is wrong any
    /// more. The level of IGNNE#: whether the instruction is to go on.
    fn numeric_error(&mut self, _is_signalled: bool) -> bool {
        true
    }
    /// The processor goes to system-management mode, or comes back from it.
    fn set_smm(&mut self, _is_active: bool) {}

    /// The local APIC, if there is one. It is the machine's: its registers are
    /// in memory, and what follows is how instructions reach it.
    fn local_apic(&self) -> Option<LocalApicView> {
        None
    }
    /// RDMSR of IA32_TSC_DEADLINE (in clock cycles) or 800h to 8FFh; `None` is
    /// #GP.
    fn read_apic_msr(&mut self, _register: u32) -> Option<u64> {
        None
    }
    /// WRMSR of IA32_APIC_BASE, IA32_TSC_DEADLINE (in clock cycles) or 800h to
    /// 8FFh; false is #GP.
    fn write_apic_msr(&mut self, _register: u32, _value: u64) -> bool {
        false
    }
    /// The task priority as CR8 shows it, if the local APIC keeps it.
    fn task_priority(&mut self) -> Option<u8> {
        None
    }
    /// A write to CR8.
    fn set_task_priority(&mut self, _priority: u8) {}
}
