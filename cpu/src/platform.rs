//! What the processor's pins reach: ports, memory-mapped devices, the interrupt
//! controller, the clock and the source of random numbers. Implemented by the machine.

use rax_mmu::MmioSpace;

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
}
