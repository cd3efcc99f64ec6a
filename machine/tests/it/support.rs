//! A machine in a test: its serial line in memory, time counted in instructions, its code
//! compiled where this host can.

use std::time::Duration;

use rax_cpu::Model;
use rax_devices::{Disk, FwCfg, IdeDrive, MemoryConsole};
use rax_jit::{Jit, Options};
use rax_machine::cli::ClockSource;
use rax_machine::host::Inbox;
use rax_machine::{Boot, Config, End, Fittings, Machine, Pace, Watcher, load};

/// Keeps what is said of a triple fault.
#[derive(Default)]
pub(crate) struct LastWords(pub(crate) Option<String>);

impl Watcher for LastWords {
    fn before(&mut self, _machine: &Machine) {}

    fn triple_fault(&mut self, machine: &Machine) {
        let cpu = &machine.cpu;
        self.0 = Some(format!("{}{}", cpu.describe(), cpu.describe_history()));
    }
}

/// A machine and what it is tested with.
pub(crate) struct Bench {
    pub(crate) machine: Machine,
    pub(crate) console: MemoryConsole,
    pub(crate) last_words: LastWords,
}

impl Bench {
    /// Virtual time, the debug-exit port at F4h, one serial line.
    pub(crate) fn new(boot: Boot, ram: u64, disks: Vec<Box<dyn Disk>>) -> Self {
        let mut disks = disks.into_iter().map(IdeDrive::disk);
        let fittings = Fittings {
            drives: std::array::from_fn(|_| disks.next()),
            ..Fittings::default()
        };
        Self::with(boot, ram, fittings)
    }

    /// The same with what firmware reads, and `log` for what it says.
    pub(crate) fn with_firmware(boot: Boot, ram: u64, log: &MemoryConsole, fw_cfg: FwCfg) -> Self {
        let fittings = Fittings {
            debug_console: Some(Box::new(log.clone())),
            fw_cfg: Some(fw_cfg),
            vga: true,
            vga_bios: load::find_vga_bios().ok().or_else(load::default_vga_bios),
            ..Fittings::default()
        };
        Self::with(boot, ram, fittings)
    }

    /// The same with a screen, and its BIOS unless the test's ROM brings one.
    pub(crate) fn with_screen(boot: Boot, ram: u64, vga_bios: Option<Vec<u8>>) -> Self {
        let fittings = Fittings {
            vga: true,
            vga_bios,
            ..Fittings::default()
        };
        Self::with(boot, ram, fittings)
    }

    /// The same with any fittings; the serial line is theirs if they have one.
    pub(crate) fn with(boot: Boot, ram: u64, mut fittings: Fittings) -> Self {
        let console = MemoryConsole::new();
        if fittings.serial.is_empty() {
            fittings.serial.push(Box::new(console.clone()));
        }
        let fittings = Fittings {
            debug_exit: Some(0xf4),
            start_time: 1_704_067_200,
            ..fittings
        };
        let model = Model::default();
        let mut machine = Machine::new(Config {
            ram,
            model,
            boot,
            fittings,
        })
        .unwrap();
        if let Ok(jit) = Jit::new(&machine.cpu, Options::default()) {
            machine.set_engine(Box::new(jit));
        }
        Self {
            machine,
            console,
            last_words: LastWords::default(),
        }
    }

    /// Runs for at most `instructions` more.
    pub(crate) fn run(&mut self, instructions: u64) -> End {
        let mut last_words = std::mem::take(&mut self.last_words);
        let end = self.run_with(instructions, &mut last_words);
        self.last_words = last_words;
        end
    }

    /// Runs for at most `instructions` more, while somebody looks on.
    pub(crate) fn run_with(&mut self, instructions: u64, watcher: &mut dyn Watcher) -> End {
        let pace = self.pace(instructions);
        self.machine.run(&pace, watcher)
    }

    /// Runs for so long, while somebody looks on.
    pub(crate) fn run_for(&mut self, time: Duration, watcher: &mut dyn Watcher) -> End {
        let pace = Pace {
            timeout: Some(time),
            ..self.pace(u64::MAX / 2)
        };
        self.machine.run(&pace, watcher)
    }

    /// Runs for at most `instructions` more; resets do not end it.
    pub(crate) fn run_through_resets(&mut self, instructions: u64) -> End {
        let pace = Pace {
            no_reboot: false,
            ..self.pace(instructions)
        };
        self.machine.run(&pace, &mut LastWords::default())
    }

    fn pace(&self, instructions: u64) -> Pace {
        let limit = self.machine.cpu.state.instructions + instructions;
        Pace {
            clock: ClockSource::Virtual,
            timeout: Some(Duration::from_secs(300)),
            max_instructions: Some(limit),
            no_reboot: true,
            inbox: Inbox::default(),
            door: None,
        }
    }

    /// What has come over the serial line since power-on.
    pub(crate) fn serial(&self) -> String {
        String::from_utf8_lossy(&self.console.output()).into_owned()
    }

    /// Runs until `text` has come over the serial line since `from`, at most
    /// `instructions` more.
    pub(crate) fn run_until(&mut self, text: &str, from: usize, instructions: u64) -> usize {
        let slice = 10_000_000;
        for _ in 0..instructions.div_ceil(slice) {
            let serial = self.serial();
            if let Some(found) = serial.get(from..).and_then(|new| new.find(text)) {
                return from + found + text.len();
            }
            let end = self.run(slice);
            assert!(
                matches!(end, End::Instructions),
                "ended with {end:?} instead of {text:?}:\n{}\n{:?}",
                self.serial(),
                self.last_words.0
            );
        }
        panic!("{text:?} did not come:\n{}", self.serial());
    }

    /// The characters on the screen, row by row.
    pub(crate) fn screen(&self) -> String {
        let screen = self.machine.text_screen();
        screen.map_or_else(String::new, |screen| screen.text())
    }

    /// Runs until all these words are on the screen, at most `instructions` more.
    pub(crate) fn run_until_screen(
        &mut self,
        words: &[&str],
        instructions: u64,
        log: &MemoryConsole,
    ) -> String {
        let slice = 2_000_000;
        for _ in 0..instructions.div_ceil(slice) {
            let screen = self.screen();
            if words.iter().all(|word| screen.contains(word)) {
                return screen;
            }
            let end = self.run(slice);
            assert!(
                matches!(end, End::Instructions),
                "ended with {end:?} instead of {words:?}:\n{screen}\n{:?}\n{}",
                self.last_words.0,
                String::from_utf8_lossy(&log.output())
            );
        }
        panic!(
            "{words:?} did not come:\n{}\n{}\n{}",
            self.screen(),
            self.machine.cpu.describe(),
            String::from_utf8_lossy(&log.output())
        );
    }

    /// Types, and runs until the guest has taken the last key.
    pub(crate) fn type_text(&mut self, text: &str) {
        self.machine.type_text(text).unwrap();
        while self.machine.is_typing() {
            let end = self.run(2_000_000);
            assert!(
                matches!(end, End::Instructions),
                "{end:?}\n{}",
                self.screen()
            );
        }
    }
}
