//! A PC that can be switched on: processor, board, memory, and what it boots.

use std::sync::{Arc, Mutex};

use rax_cpu::segment::{Attributes, DescriptorTable, Segment, SegmentRegister};
use rax_cpu::state::Gpr;
use rax_cpu::{Cpu, Engine, Interpreter, Model};
use rax_devices::fw_cfg::FwCfgError;
use rax_devices::vga::Scan;
use rax_devices::{Disc, Floppy, Frame, Sleep, TextScreen, Time};
use rax_jit::Whereabouts;
use rax_mmu::{HostRamError, MapError, Mmu, NotRam, PhysicalAddress, PhysicalMemory};

use crate::board::{Board, COM, Fittings, PM_BASE, Place};
use crate::bus::{Bus, Pins};
use crate::handover::{self, Waking, smbios::SmbiosString};
use crate::host::{Gesture, MouseMove};
use crate::keys::{self, KeyError, KeyEvent};
use crate::load::{BootImage, Descriptors, Start};
use crate::memory_map::{self, Shadow};
use crate::mp_table::Processor;
use crate::ports::PortsTaken;
use crate::turns::Turns;
use crate::video_memory::FrameBuffer;

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
    /// The fittings say something to the firmware that the machine says itself.
    #[error("cannot describe the machine to its firmware")]
    Handover(#[from] FwCfgError),
    /// The boot image does not fit.
    #[error("the boot image does not fit into the guest's RAM; try a larger --memory")]
    Image(#[from] NotRam),
}

/// A PC.
pub struct Machine {
    /// Its processor. With several, the one whose turn it is; the bootstrap
    /// processor, while the machine does not run. Its count of instructions is the
    /// machine's.
    pub cpu: Box<Cpu>,
    pub(crate) engine: Box<dyn Engine>,
    /// The other processors.
    pub(crate) turns: Turns,
    /// The sleep that the machine is in.
    pub(crate) asleep: Option<Sleep>,
    pub(crate) bus: Arc<Mutex<Bus>>,
    memory: Arc<PhysicalMemory>,
    pub(crate) boot: Boot,
    description: handover::Machine,
    smbios: Vec<SmbiosString>,
}

/// A machine may run on any thread: where a window is shown, the first one is taken.
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Machine>();
};

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
        let stand_in = [0; handover::STAND_IN_BYTES];
        let rom: &[u8] = match &boot {
            Boot::Rom(image) => image,
            Boot::Image(_) => &stand_in,
        };
        let rom_bytes = rom.len() as u64;
        let reserve = memory_map::reservation(ram, rom_bytes);
        let memory = PhysicalMemory::new(reserve).map_err(|source| BuildError::Reserve {
            mib: ram >> 20,
            source,
        })?;
        let memory = Arc::new(memory);
        memory_map::map_ram(&memory, ram)?;
        memory_map::map_rom(&memory, rom)?;
        let description = handover::Machine {
            ram,
            topology: fittings.topology(),
            serial_ports: fittings.serial.len().min(COM.len()) as u8,
            has_parallel_port: fittings.printer.is_some(),
            power_block: PM_BASE,
        };
        let smbios = std::mem::take(&mut fittings.smbios);
        fittings.cmos.extend(memory_map::cmos(ram));
        if let Boot::Rom(_) = &boot {
            let fw_cfg = fittings.fw_cfg.get_or_insert_default();
            handover::describe(fw_cfg, &description, &smbios)?;
        }
        let (seed, flash) = (fittings.seed, fittings.flash.take());
        let (mut board, frame_buffer) = if fittings.vga {
            let (frame_buffer, video_memory) = FrameBuffer::new(&memory)?;
            let board = Board::with_video_memory(fittings, video_memory)?;
            (board, Some(frame_buffer))
        } else {
            (Board::pc(fittings)?, None)
        };
        if let Boot::Rom(_) = &boot {
            board.keep_told(description);
        }
        if let Some(flash) = flash {
            let end = memory_map::FOUR_GIB - rom_bytes;
            let start = end.saturating_sub(flash.bytes());
            board.place_flash(flash, start);
        }
        let shadow = Shadow::new(&memory, rom_bytes, &board.memory)?;
        let bus = Bus::new(board, Arc::clone(&memory), shadow, frame_buffer, seed);
        let bus = Arc::new(Mutex::new(bus));
        let processor = || {
            let pins = Box::new(Pins::new(&bus));
            Cpu::new(model, Mmu::new(Arc::clone(&memory)), pins)
        };
        let cpu = processor();
        let engine = Box::new(Interpreter::new(&cpu));
        let others = (1..description.topology.count()).map(|_| processor());
        let mut machine = Self {
            cpu,
            engine,
            turns: Turns::new(others),
            asleep: None,
            bus,
            memory,
            boot,
            description,
            smbios,
        };
        machine.power_on()?;
        Ok(machine)
    }

    /// Replaces the engine that carries out the bootstrap processor's instructions.
    pub fn set_engine(&mut self, engine: Box<dyn Engine>) {
        self.engine = engine;
    }

    /// Replaces the engines of all processors.
    pub fn set_engines(&mut self, mut make: impl FnMut(&Cpu) -> Box<dyn Engine>) {
        self.engine = make(&self.cpu);
        self.turns.set_engines(make);
    }

    /// Where it is told what the thread that runs the machine is doing.
    #[must_use]
    pub fn whereabouts(&self) -> Whereabouts {
        crate::bus::lock(&self.bus).whereabouts()
    }

    /// All processors with their numbers, and the instructions of each.
    pub fn each_processor(&self) -> impl Iterator<Item = (usize, &Cpu, u64)> {
        let instructions = self.cpu.state.instructions;
        self.turns.each(&self.cpu, instructions)
    }

    /// How many processors there are.
    #[must_use]
    pub fn processors(&self) -> u16 {
        self.description.topology.count() as u16
    }

    /// Guest memory.
    #[must_use]
    pub const fn memory(&self) -> &Arc<PhysicalMemory> {
        &self.memory
    }

    /// Puts a disk in floppy drive 0 (A) or 1 (B). The guest notices by the
    /// disk-change line. The disk that was there comes back.
    pub fn insert_floppy(&self, drive: usize, floppy: Floppy) -> Option<Floppy> {
        let mut bus = crate::bus::lock(&self.bus);
        bus.board.change_floppy(drive, Some(floppy))
    }

    /// Presses keys one after the other, at a pace that guests keep up with. They
    /// come after those that are still to be pressed.
    pub fn type_keys(&mut self, events: &[KeyEvent]) {
        crate::bus::lock(&self.bus).typist.type_keys(events);
    }

    /// Types a text on the keyboard.
    ///
    /// # Errors
    /// When a US keyboard has no key for a character; nothing is typed then.
    pub fn type_text(&mut self, text: &str) -> Result<(), KeyError> {
        self.type_keys(&keys::strokes_of_text(text)?);
        Ok(())
    }

    /// Presses a key or a combination by name, such as `ret` or `ctrl-alt-del`.
    ///
    /// # Errors
    /// When there is no such key.
    pub fn press(&mut self, name: &str) -> Result<(), KeyError> {
        self.type_keys(&keys::strokes_of_name(name)?);
        Ok(())
    }

    /// Whether keys are still to be pressed.
    #[must_use]
    pub fn is_typing(&self) -> bool {
        crate::bus::lock(&self.bus).typist.is_busy()
    }

    /// Moves the mouse, turns its wheel, or changes its buttons.
    pub fn move_mouse(&mut self, movement: MouseMove) {
        let MouseMove {
            right,
            up,
            down,
            buttons,
        } = movement;
        let mut bus = crate::bus::lock(&self.bus);
        let keyboard = bus.board.keyboard();
        keyboard.move_mouse(right, up, buttons);
        if down != 0 {
            keyboard.turn_wheel(down);
        }
    }

    /// What somebody does at the keyboard or the mouse, at their own pace.
    pub fn admit(&mut self, gesture: Gesture) {
        match gesture {
            Gesture::Key(event) => crate::bus::lock(&self.bus).typist.press(event),
            Gesture::Mouse(movement) => self.move_mouse(movement),
        }
    }

    /// Guest time.
    #[must_use]
    pub fn now(&self) -> Time {
        let bus = crate::bus::lock(&self.bus);
        bus.clock.now(self.cpu.state.instructions)
    }

    /// Whether the picture may have changed since this was last asked, which one
    /// onlooker can do. `seen` is for it to keep; `None` at first.
    pub fn take_screen_change(&self, seen: &mut Option<u64>) -> bool {
        let instructions = self.cpu.state.instructions;
        crate::bus::lock(&self.bus).take_screen_change(instructions, seen)
    }

    /// Takes the disk out of floppy drive 0 (A) or 1 (B).
    pub fn eject_floppy(&self, drive: usize) -> Option<Floppy> {
        crate::bus::lock(&self.bus).board.change_floppy(drive, None)
    }

    /// Puts a disc in a CD-ROM drive and closes its tray; the guest finds a unit
    /// attention. The disc that was there comes back.
    ///
    /// # Errors
    /// The disc again, if there is no CD-ROM drive at that place.
    pub fn insert_cd(&self, place: Place, disc: Disc) -> Result<Option<Disc>, Disc> {
        crate::bus::lock(&self.bus).board.insert_cd(place, disc)
    }

    /// Takes the disc out of a CD-ROM drive, also if the guest has locked it.
    pub fn eject_cd(&self, place: Place) -> Option<Disc> {
        crate::bus::lock(&self.bus).board.eject_cd(place)
    }

    /// The characters on the screen, if there is one and it is in a text mode.
    #[must_use]
    pub fn text_screen(&self) -> Option<TextScreen> {
        crate::bus::lock(&self.bus).board.vga()?.text_screen()
    }

    /// The picture on the screen, for another thread to make, if there is a screen.
    #[must_use]
    pub fn scan(&self) -> Option<Scan> {
        let bus = crate::bus::lock(&self.bus);
        let now = bus.clock.now(self.cpu.state.instructions);
        Some(bus.board.vga()?.scan(now))
    }

    /// The picture on the screen, if there is one.
    #[must_use]
    pub fn frame(&self) -> Option<Frame> {
        let bus = crate::bus::lock(&self.bus);
        let now = bus.clock.now(self.cpu.state.instructions);
        Some(bus.board.vga()?.frame(now))
    }

    /// A reset: chips and processor start again, and so does what was booted.
    ///
    /// # Errors
    /// When the boot image does not fit.
    pub fn reset(&mut self) -> Result<(), BuildError> {
        self.give_turn(0);
        self.asleep = None;
        {
            let mut bus = crate::bus::lock(&self.bus);
            bus.board.reset();
            for processor in 0..usize::from(self.processors()) {
                bus.leave_smm(processor);
            }
        }
        self.cpu.reset();
        self.turns.reset();
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
        let start = image.start;
        self.stand_in_for_firmware()?;
        self.start_at(start);
        Ok(())
    }

    /// What firmware would have done before a loader runs.
    fn stand_in_for_firmware(&mut self) -> Result<(), BuildError> {
        crate::bus::lock(&self.bus)
            .board
            .show_text(&rax_firmware::video::text_font());
        let [signature, _, _, features] = self.cpu.cpuid(1, 0);
        let topology = self.description.topology;
        let processor = |number: u16| Processor {
            apic_id: topology.apic_id(number) as u8,
            is_bootstrap: number == 0,
            signature,
            features,
        };
        let processors: Vec<_> = (0..self.processors()).map(processor).collect();
        let instructions = self.cpu.state.instructions;
        let inventory = {
            let mut bus = crate::bus::lock(&self.bus);
            let now = bus.clock.now(instructions);
            bus.board.set_up(now);
            bus.board.inventory(now)
        };
        let stand_in = handover::stand_in(&self.description, &processors, &self.smbios, &inventory);
        self.memory
            .load_image(PhysicalAddress(0), &stand_in.low_memory)?;
        let rom = PhysicalAddress(memory_map::FOUR_GIB - stand_in.rom.len() as u64);
        self.memory.load_image(rom, &stand_in.rom)?;
        if let Some((place, tables)) = stand_in.acpi {
            self.memory.load_image(PhysicalAddress(place), &tables)?;
        }
        for number in 0..usize::from(self.processors()) {
            if let Some(cpu) = self.processor(number) {
                cpu.init_memory_types(memory_map::LOW_LIMIT);
            }
        }
        Ok(())
    }

    /// What firmware would have done after suspend to RAM: sets the chipset up and goes where the system wants to wake.
    pub(crate) fn resume_without_firmware(&mut self) -> Result<(), BuildError> {
        let waking = handover::waking(&self.memory, self.description.ram);
        let instructions = self.cpu.state.instructions;
        {
            let mut bus = crate::bus::lock(&self.bus);
            let now = bus.clock.now(instructions);
            bus.board.set_up(now);
        }
        for number in 0..usize::from(self.processors()) {
            if let Some(cpu) = self.processor(number) {
                cpu.init_memory_types(memory_map::LOW_LIMIT);
            }
        }
        match waking {
            Some(Waking::Real(vector)) => {
                let code = &mut self.cpu.state.segments[SegmentRegister::Cs as usize];
                code.selector = (vector >> 4) as u16;
                code.base = u64::from(vector & !0xf);
                self.cpu.state.rip = u64::from(vector & 0xf);
            }
            Some(Waking::Protected(vector)) => {
                // The table is the system's to load; the segments are as if from one.
                let descriptors = Descriptors {
                    gdt_base: 0,
                    gdt_limit: 0,
                    code: 8,
                    data: 16,
                    task: 0,
                };
                enter_protected(&mut self.cpu, descriptors, Attributes::DEFAULT_BIG);
                self.cpu.state.rip = u64::from(vector);
            }
            // Nobody is to be woken: the system begins anew.
            None => return self.reset(),
        }
        self.cpu.update_mode();
        Ok(())
    }

    /// The processor as a loader leaves it.
    fn start_at(&mut self, start: Start) {
        match start {
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
