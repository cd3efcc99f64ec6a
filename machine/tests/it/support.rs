//! A machine in a test: its serial line in memory, time counted in instructions.

use std::time::Duration;

use rax_cpu::Model;
use rax_devices::{Disk, FwCfg, IdeDrive, MemoryConsole};
use rax_machine::cli::ClockSource;
use rax_machine::host::Inbox;
use rax_machine::{Boot, Config, End, Fittings, Machine, Pace, Watcher};

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
            vga_bios: rax_machine::load::default_vga_bios(),
            ..Fittings::default()
        };
        Self::with(boot, ram, fittings)
    }

    /// The same with all these things plugged in.
    pub(crate) fn with(boot: Boot, ram: u64, fittings: Fittings) -> Self {
        let console = MemoryConsole::new();
        let fittings = Fittings {
            serial: vec![Box::new(console.clone())],
            debug_exit: Some(0xf4),
            start_time: 1_704_067_200,
            ..fittings
        };
        let model = Model::default();
        let machine = Machine::new(Config {
            ram,
            model,
            boot,
            fittings,
        })
        .unwrap();
        Self {
            machine,
            console,
            last_words: LastWords::default(),
        }
    }

    /// Runs for at most `instructions` more.
    pub(crate) fn run(&mut self, instructions: u64) -> End {
        let limit = self.machine.cpu.state.instructions + instructions;
        let pace = Pace {
            clock: ClockSource::Virtual,
            timeout: Some(Duration::from_secs(300)),
            max_instructions: Some(limit),
            no_reboot: true,
            inbox: Inbox::default(),
            door: None,
        };
        self.machine.run(&pace, &mut self.last_words)
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

    /// Types, and gives the guest time to take each key.
    pub(crate) fn type_text(&mut self, text: &str, log: &MemoryConsole) {
        for character in text.chars() {
            let code = key_code(character);
            for codes in [&[code][..], &[0xf0, code]] {
                assert!(self.machine.key(codes), "the keyboard is full");
                let end = self.run(20_000_000);
                assert!(
                    matches!(end, End::Instructions),
                    "{end:?}\n{}\n{}",
                    self.screen(),
                    String::from_utf8_lossy(&log.output())
                );
            }
        }
        self.run(100_000_000);
    }
}

/// The key of a character that needs no shift, in scan code set 2.
fn key_code(character: char) -> u8 {
    const KEYS: &[(char, u8)] = &[
        ('a', 0x1c),
        ('b', 0x32),
        ('c', 0x21),
        ('d', 0x23),
        ('e', 0x24),
        ('f', 0x2b),
        ('g', 0x34),
        ('h', 0x33),
        ('i', 0x43),
        ('j', 0x3b),
        ('k', 0x42),
        ('l', 0x4b),
        ('m', 0x3a),
        ('n', 0x31),
        ('o', 0x44),
        ('p', 0x4d),
        ('q', 0x15),
        ('r', 0x2d),
        ('s', 0x1b),
        ('t', 0x2c),
        ('u', 0x3c),
        ('v', 0x2a),
        ('w', 0x1d),
        ('x', 0x22),
        ('y', 0x35),
        ('z', 0x1a),
        (' ', 0x29),
        ('.', 0x49),
        ('-', 0x4e),
        ('/', 0x4a),
        ('1', 0x16),
        ('2', 0x1e),
        ('3', 0x26),
        ('0', 0x45),
        ('\n', 0x5a),
    ];
    let key = KEYS.iter().find(|(known, _)| *known == character);
    key.expect("a key without shift").1
}
