//! Guest programs as data, assembled with iced-x86: the embedded default and the fixtures of the tests.
//!
//! Every ROM is a flat image that ends at 4 GiB and at 1 MiB and starts at the reset vector in real mode.
#![forbid(unsafe_code)]

mod asm;
mod bios_caller;
mod check;
mod console;
mod descriptor;
mod fixture;
mod interrupts;
mod layout;
mod numeric_error;
mod paging;
mod prelude;
mod segmentation;
mod self_check;
mod self_modifying;
mod start;
mod task_switch;
mod trap;
mod v86;

/// What a ROM writes to COM1 when all is well.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Texts that appear, in this order.
    pub contains: &'static [&'static str],
    /// Texts that never appear.
    pub never: &'static [&'static str],
}

impl Expected {
    /// The first expectation that `serial` breaks, in words; `None` if it keeps all.
    #[must_use]
    pub fn broken_by(&self, serial: &str) -> Option<String> {
        let mut rest = serial;
        for text in self.contains {
            match rest.split_once(text) {
                Some((_, after)) => rest = after,
                None => return Some(format!("{text:?} is missing")),
            }
        }
        self.never
            .iter()
            .find(|text| serial.contains(**text))
            .map(|text| format!("{text:?} is there"))
    }
}

/// A guest program.
#[derive(Clone, Copy, Debug)]
pub struct TestRom {
    /// Its name on the command line.
    pub name: &'static str,
    /// What a good end proves.
    pub proves: &'static str,
    /// Assembles the image: 64 or 128 KiB, reset vector 16 bytes before its end.
    pub build: fn() -> Vec<u8>,
    /// What it writes to COM1.
    pub expected_serial: Expected,
    /// The process status a run ends with by the debug-exit port, `None` if it never ends by itself.
    pub exit_status: Option<u8>,
}

/// Every ROM, the default first.
pub const ALL: &[TestRom] = &[
    TestRom {
        name: "self-check",
        proves: "the machine as a whole: modes, arithmetic, paging, exceptions, timer, UART, keyboard controller, memory, disk",
        build: self_check,
        expected_serial: Expected {
            contains: &["self-check: ", " passed, 0 failed", "> "],
            never: &["FAILED", "unexpected"],
        },
        exit_status: None,
    },
    TestRom {
        name: "paging",
        proves: "address translation: legacy, PAE, 4- and 5-level, every right and error code",
        build: || built(paging::build()),
        expected_serial: fixture_end(&["paging: ", " passed, 0 failed"]),
        exit_status: Some(33),
    },
    TestRom {
        name: "segmentation",
        proves: "segment limits, types and privilege, call gates, far returns, 16-bit segments, big real mode",
        build: || built(segmentation::build()),
        expected_serial: fixture_end(&["segmentation: ", " passed, 0 failed"]),
        exit_status: Some(33),
    },
    TestRom {
        name: "task-switch",
        proves: "hardware task switches: JMP, CALL, IRET, task gates, 16- and 32-bit tasks, their faults and traps",
        build: || built(task_switch::build()),
        expected_serial: fixture_end(&["task-switch: ", " passed, 0 failed"]),
        exit_status: Some(33),
    },
    TestRom {
        name: "v86",
        proves: "virtual-8086 mode: entry, sensitive instructions, I/O bitmap, interrupts out of it, VME and PVI",
        build: || built(v86::build()),
        expected_serial: fixture_end(&["v86: ", " passed, 0 failed"]),
        exit_status: Some(33),
    },
    TestRom {
        name: "interrupts",
        proves: "delivery in real, protected and long mode, double fault, shadows, single step, breakpoints, system calls",
        build: || built(interrupts::build()),
        expected_serial: fixture_end(&["interrupts: ", " passed, 0 failed"]),
        exit_status: Some(33),
    },
    TestRom {
        name: "numeric-error",
        proves: "x87 errors as a PC's board reports them: FERR#, IRQ 13, port F0h, IGNNE#",
        build: || built(numeric_error::build()),
        expected_serial: fixture_end(&["numeric-error: ", " passed, 0 failed"]),
        exit_status: Some(33),
    },
    TestRom {
        name: "self-modifying",
        proves: "stores to code: next instruction, same block, hot code, other pages",
        build: || built(self_modifying::build()),
        expected_serial: fixture_end(&["self-modifying: ", " passed, 0 failed"]),
        exit_status: Some(33),
    },
    TestRom {
        name: "code-alias",
        proves: "stores to code by another mapping, of hot code and of the running block; pages mapped elsewhere and taken away",
        build: || built(self_modifying::build_alias()),
        expected_serial: fixture_end(&["code-alias: ", " passed, 0 failed"]),
        exit_status: Some(33),
    },
    TestRom {
        name: "code-crossing",
        proves: "stores to instructions that lie on two pages",
        build: || built(self_modifying::build_crossing()),
        expected_serial: fixture_end(&["code-crossing: ", " passed, 0 failed"]),
        exit_status: Some(33),
    },
    TestRom {
        name: "code-device",
        proves: "a disk's writes to hot code",
        build: || built(self_modifying::build_device()),
        expected_serial: fixture_end(&["code-device: ", " passed, 0 failed"]),
        exit_status: Some(33),
    },
];

/// What a fixture writes.
const fn fixture_end(contains: &'static [&'static str]) -> Expected {
    Expected {
        contains,
        never: &["FAILED", "unexpected"],
    }
}

fn built(image: asm::Built<Vec<u8>>) -> Vec<u8> {
    image.expect("a ROM assembles: the tests build each")
}

/// The ROM of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static TestRom> {
    ALL.iter().find(|rom| rom.name == name)
}

/// The image that `rax run` boots when it is given nothing else.
#[must_use]
pub fn self_check() -> Vec<u8> {
    built(self_check::build())
}

/// Four sectors to boot from a floppy, a disk or a CD: asks the BIOS that loads them, and says the answers on the screen.
#[must_use]
pub fn bios_caller() -> Vec<u8> {
    built(bios_caller::build())
}

#[cfg(test)]
mod tests;
