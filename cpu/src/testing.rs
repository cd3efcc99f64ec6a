//! A processor with a little RAM and nothing around it, for tests and measurements.

mod scene;

pub use scene::{RAM, Random, Scene, Seen, Subject, TABLES};

use std::sync::Arc;

use rax_mmu::{HostRamError, MapError, MmioSpace, Mmu, PhysicalAddress, PhysicalMemory};

use crate::rflags::Efer;
use crate::segment::{Attributes, Segment, SegmentRegister};
use crate::{Cpu, Model, Platform};

/// Pins that lead nowhere: reads float to ones.
#[derive(Debug, Default)]
pub struct NoPlatform {
    now: u64,
}

impl MmioSpace for NoPlatform {
    fn mmio_read(&mut self, _address: PhysicalAddress, bytes: &mut [u8]) {
        bytes.fill(0xff);
    }

    fn mmio_write(&mut self, _address: PhysicalAddress, _bytes: &[u8]) {}
}

impl Platform for NoPlatform {
    fn begin_access(&mut self, instructions: u64) {
        self.now = instructions;
    }

    fn port_read(&mut self, _port: u16, bytes: &mut [u8]) {
        bytes.fill(0xff);
    }

    fn port_write(&mut self, _port: u16, _bytes: &[u8]) {}

    fn interrupt_pending(&mut self) -> bool {
        false
    }

    fn acknowledge_interrupt(&mut self) -> u8 {
        0xff
    }

    fn clock_cycles(&mut self) -> u64 {
        self.now
    }

    fn random(&mut self) -> u64 {
        // Follows from the instruction alone: two that run the same code read the same.
        (self.now + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn wants_attention(&self) -> bool {
        false
    }
}

/// Why a bare processor could not be made.
#[derive(Debug)]
pub enum BareError {
    /// The host has no address space left.
    Reserve(HostRamError),
    /// The RAM does not fit.
    Map(MapError),
}

/// The code size a bare processor starts in; everything flat, CPL 0, no paging.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits {
    /// Real mode.
    Real,
    /// 32-bit protected mode.
    Protected32,
    /// 64-bit mode. Paging is off, which no real processor allows.
    Long64,
}

/// A processor of the newest model with `ram` bytes of RAM from address zero.
///
/// # Errors
/// When the host gives no memory.
pub fn bare(bits: Bits, ram: u64) -> Result<Box<Cpu>, BareError> {
    bare_model(Model::default(), bits, ram)
}

/// The same of another model.
///
/// # Errors
/// When the host gives no memory.
pub fn bare_model(model: Model, bits: Bits, ram: u64) -> Result<Box<Cpu>, BareError> {
    let memory = PhysicalMemory::new(ram).map_err(BareError::Reserve)?;
    memory
        .map_ram(PhysicalAddress(0), ram)
        .map_err(BareError::Map)?;
    let mut cpu = Cpu::new(
        model,
        Mmu::new(Arc::new(memory)),
        Box::<NoPlatform>::default(),
    );
    let data = Attributes::from_bits_retain(0xc093);
    let code = Attributes::from_bits_retain(if bits == Bits::Long64 { 0xa09b } else { 0xc09b });
    if bits == Bits::Real {
        cpu.state.segments = [Segment::real_mode(0); 6];
    } else {
        cpu.state.cr0 |= 1;
        cpu.state.segments = [Segment::flat(0x10, data); 6];
        cpu.state.segments[SegmentRegister::Cs as usize] = Segment::flat(8, code);
        // OSFXSR and OSXMMEXCPT: SSE runs. OSXSAVE and XCR0: so does AVX.
        cpu.state.cr4 |= 0x4_0600;
        cpu.state.xcr0 = 7;
    }
    if bits == Bits::Long64 {
        cpu.state.msrs.efer |= (Efer::LME | Efer::LMA).bits();
    }
    cpu.state.rip = 0;
    cpu.update_mode();
    Ok(cpu)
}
