//! A PC that can be switched on: processor, board, memory, and what it boots.

use std::sync::{Arc, Mutex};

use rax_cpu::segment::{Attributes, DescriptorTable, Segment, SegmentRegister};
use rax_cpu::state::Gpr;
use rax_cpu::{Cpu, Engine, Interpreter, Model};
use rax_mmu::{HostRamError, MapError, Mmu, NotRam, PhysicalAddress, PhysicalMemory};

use crate::board::{Board, Fittings};
use crate::bus::{Bus, Pins};
use crate::load::{BootImage, Descriptors, Start};
use crate::memory_map::{self, Shadow};
use crate::mp_table::{Processor, mp_tables};
use crate::ports::PortsTaken;

/// What a machine is made of.
pub struct Config {
    /// Bytes of RAM.
    pub ram: u64,
    /// The processor model.
    pub model: Model,
    /// What it starts with.
    pub boot: Boot,
    /// What is plugged into the board.
    pub fittings: Fittings,
}

/// What a machine starts with.
#[derive(Clone, Debug)]
pub enum Boot {
    /// Firmware, from the reset vector.
    Rom(Vec<u8>),
    /// A kernel, laid out in memory.
    Image(BootImage),
}

/// Why a machine could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The host gives no address space for RAM.
    #[error("cannot reserve {mib} MiB of memory for the guest's RAM; try a smaller --memory")]
    Reserve {
        /// What was asked for.
        mib: u64,
        /// Why not.
        #[source]
        source: HostRamError,
    },
    /// The memory map does not work out.
    #[error("cannot lay out the guest's memory")]
    Map(#[from] MapError),
    /// Two chips claim one port.
    #[error("cannot place the --debug-exit port; choose another")]
    Ports(#[from] PortsTaken),
    /// The boot image does not fit.
    #[error("the boot image does not fit into the guest's RAM; try a larger --memory")]
    Image(#[from] NotRam),
}

/// A PC.
pub struct Machine {
    /// Its processor.
    pub cpu: Box<Cpu>,
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) bus: Arc<Mutex<Bus>>,
    memory: Arc<PhysicalMemory>,
    boot: Boot,
}

impl Machine {
    /// Builds a PC and switches it on; nothing has run yet.
    ///
    /// # Errors
    /// When the host gives no memory, or the parts do not fit together.
    pub fn new(config: Config) -> Result<Self, BuildError> {
        let Config {
            ram,
            model,
            boot,
            mut fittings,
        } = config;
        let reserve = memory_map::reservation(ram);
        let memory = PhysicalMemory::new(reserve).map_err(|source| BuildError::Reserve {
            mib: ram >> 20,
            source,
        })?;
        let memory = Arc::new(memory);
        memory_map::map_ram(&memory, ram)?;
        let mut rom_bytes = 0;
        if let Boot::Rom(image) = &boot {
            memory_map::map_rom(&memory, image)?;
            rom_bytes = image.len() as u64;
        }
        let shadow = Shadow::new(&memory, rom_bytes)?;
        fittings.cmos.extend(memory_map::cmos(ram));
        let seed = fittings.seed;
        let board = Board::pc(fittings)?;
        let bus = Bus::new(board, Arc::clone(&memory), shadow, seed);
        let bus = Arc::new(Mutex::new(bus));
        let pins = Box::new(Pins::new(&bus));
        let cpu = Cpu::new(model, Mmu::new(Arc::clone(&memory)), pins);
        let engine = Box::new(Interpreter::new(&cpu));
        let mut machine = Self {
            cpu,
            engine,
            bus,
            memory,
            boot,
        };
        machine.power_on()?;
        Ok(machine)
    }

    /// Replaces the engine that carries out instructions.
    pub fn set_engine(&mut self, engine: Box<dyn Engine>) {
        self.engine = engine;
    }

    /// Guest memory.
    #[must_use]
    pub const fn memory(&self) -> &Arc<PhysicalMemory> {
        &self.memory
    }

    /// A reset: chips and processor start again, and so does what was booted.
    ///
    /// # Errors
    /// When the boot image does not fit.
    pub fn reset(&mut self) -> Result<(), BuildError> {
        crate::bus::lock(&self.bus).board.reset();
        self.cpu.reset();
        if matches!(self.boot, Boot::Image(_)) {
            // There is no firmware to clear or keep memory; a loader expects it clear.
            for region in self.memory.ram_regions() {
                self.memory.clear(region.start, region.bytes)?;
            }
        }
        self.power_on()
    }

    fn power_on(&mut self) -> Result<(), BuildError> {
        crate::bus::lock(&self.bus).advance(self.cpu.state.instructions);
        let Boot::Image(image) = &self.boot else {
            return Ok(());
        };
        for chunk in &image.chunks {
            self.memory
                .load_image(PhysicalAddress(chunk.address), &chunk.bytes)?;
        }
        // What firmware would have done before a loader runs.
        let [signature, _, _, features] = self.cpu.cpuid(1, 0);
        let bootstrap = Processor {
            apic_id: 0,
            is_bootstrap: true,
            signature,
            features,
        };
        let tables = mp_tables(memory_map::EBDA as u32, &[bootstrap]);
        let place = PhysicalAddress(memory_map::EBDA);
        self.memory.load_image(place, &tables)?;
        self.cpu.init_memory_types(memory_map::LOW_LIMIT);
        match image.start {
            Start::ResetVector => {}
            Start::Protected32 {
                entry,
                eax,
                ebx,
                esi,
                esp,
                descriptors,
            } => {
                enter_protected(&mut self.cpu, descriptors, Attributes::DEFAULT_BIG);
                self.cpu.state.rip = u64::from(entry);
                for (register, value) in [
                    (Gpr::Rax, eax),
                    (Gpr::Rbx, ebx),
                    (Gpr::Rsi, esi),
                    (Gpr::Rsp, esp),
                ] {
                    self.cpu.state.set_gpr(register, u64::from(value));
                }
            }
            Start::Long64 {
                entry,
                rsi,
                rsp,
                page_tables,
                descriptors,
            } => {
                enter_protected(&mut self.cpu, descriptors, Attributes::LONG);
                self.cpu.enter_long_mode(page_tables);
                self.cpu.state.rip = entry;
                self.cpu.state.set_gpr(Gpr::Rsi, rsi);
                self.cpu.state.set_gpr(Gpr::Rsp, rsp);
            }
        }
        self.cpu.update_mode();
        Ok(())
    }
}

/// Protected mode as a boot loader leaves it; `size` says whether code is 32- or 64-bit.
fn enter_protected(cpu: &mut Cpu, descriptors: Descriptors, size: Attributes) {
    let present = Attributes::PRESENT | Attributes::CODE_OR_DATA | Attributes::GRANULARITY;
    let access = Attributes::ACCESSED | Attributes::WRITABLE;
    let code = present | access | Attributes::CODE | size;
    let data = present | access | Attributes::DEFAULT_BIG;
    let state = &mut cpu.state;
    state.segments = [Segment::flat(descriptors.data, data); 6];
    state.segments[SegmentRegister::Cs as usize] = Segment::flat(descriptors.code, code);
    state.tr = Segment {
        selector: descriptors.task,
        attributes: Attributes::from_bits_retain(0x8b),
        limit: 0x67,
        base: 0,
    };
    state.gdtr = DescriptorTable {
        base: descriptors.gdt_base,
        limit: descriptors.gdt_limit,
    };
    state.idtr = DescriptorTable::default();
    state.gpr = [0; Gpr::COUNT];
    cpu.enter_protected_mode();
}
