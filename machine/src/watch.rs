//! What looks on while a guest runs: the instruction trace, and the last words
//! after a triple fault.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::machine::Machine;
use crate::run::Watcher;

/// Writes each instruction to a file if asked to, and reports triple faults.
#[derive(Default)]
pub struct Trace {
    file: Option<BufWriter<File>>,
    failure: Option<std::io::Error>,
}

impl Trace {
    /// A trace into a new file: a line for each instruction, before it runs, with
    /// the count of those retired.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn to_file(path: &Path) -> std::io::Result<Self> {
        Ok(Self {
            file: Some(BufWriter::new(File::create(path)?)),
            failure: None,
        })
    }

    /// Writes out what is left; the first failure, if there was one.
    ///
    /// # Errors
    /// When the file could not be written.
    pub fn finish(mut self) -> std::io::Result<()> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        self.file.as_mut().map_or(Ok(()), BufWriter::flush)
    }
}

impl Watcher for Trace {
    fn before(&mut self, machine: &Machine) {
        let Some(file) = &mut self.file else {
            return;
        };
        let count = machine.cpu.state.instructions;
        let line = machine.cpu.describe_next();
        if let Err(error) = write!(file, "{count:12} {line}") {
            self.failure.get_or_insert(error);
        }
    }

    fn triple_fault(&mut self, machine: &Machine) {
        crate::say(&format!(
            "triple fault after {} instructions\n{}last blocks:\n{}",
            machine.cpu.state.instructions,
            machine.cpu.describe(),
            machine.cpu.describe_history()
        ));
    }

    fn single_steps(&self) -> bool {
        self.file.is_some()
    }
}
