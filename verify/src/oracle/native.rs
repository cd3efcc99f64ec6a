//! The host's processor as a [`Subject`] on x86-64 Linux.
//!
//! ```text
//! native     the parent's loop         area       what both share, as memory
//! child      fork, wait, reap          batch      what both share, as cases
//! features   what the host has         sweep      what the child unmaps
//!
//! inside     the child's birth         place      where things lie in it
//! serve      its work                  filter     which system calls it may make
//! switch     into a case and back      signal     what a signal means
//! ```

mod area;
mod batch;
mod child;
mod features;
mod filter;
mod inside;
mod place;
mod serve;
mod signal;
mod sweep;
mod switch;
#[cfg(test)]
mod tests;

use std::sync::atomic::Ordering;

use iced_x86::CpuidFeature;

use self::area::Area;
use self::child::Child;
use super::OracleError;
use crate::{Case, DATA, End, Lost, Outcome, READ_ONLY, Registers, Subject, X87};

/// The processor under us.
///
/// It runs cases in a child process, one after the other, and starts it anew when a
/// case kills it. The child belongs to the thread that runs cases; another thread that
/// takes over gets a child of its own.
pub struct Oracle {
    /// Before `area`, which it uses.
    child: Option<Child>,
    area: Area,
    name: String,
}

impl Oracle {
    /// Starts the child, and has it answer what is known.
    ///
    /// # Errors
    /// If the host is not x86-64 Linux, or lacks or refuses what this needs.
    pub fn new() -> Result<Self, OracleError> {
        features::check_host()?;
        let mut oracle = Self {
            child: None,
            area: Area::new()?,
            name: features::brand(),
        };
        oracle.child = Some(Child::start(&mut oracle.area)?);
        oracle.check()?;
        Ok(oracle)
    }

    /// Whether user-mode programs can use a feature here.
    #[must_use]
    pub fn has(&self, feature: CpuidFeature) -> bool {
        features::has(feature)
    }

    /// Runs a store that is allowed and then one that is not.
    fn check(&mut self) -> Result<(), OracleError> {
        const WRITE_TO_PRESENT: u32 = 7;
        // mov [rbx], al; mov [rcx], al
        let mut case = Case {
            code: vec![0x88, 0x03, 0x88, 0x01],
            offset: 0,
            registers: Registers {
                mxcsr: 0x1f80,
                x87: X87 {
                    control: 0x37f,
                    ..X87::default()
                },
                ..Registers::default()
            },
            seed: 0,
            patches: vec![(DATA, vec![0, 0, 0])],
            instructions: 2,
        };
        case.registers.gpr[0] = 0x55;
        case.registers.gpr[1] = READ_ONLY;
        case.registers.gpr[3] = DATA + 1;
        let end = End::Exception {
            vector: 14,
            error_code: WRITE_TO_PRESENT,
            address: READ_ONLY,
        };
        let stores = [(DATA + 1, vec![0x55])];
        let unsound = |reason| Err(OracleError::Unsound { reason });
        match self.run(std::slice::from_ref(&case)).pop() {
            Some(Ok(got)) if got.end == end && got.stores == stores => Ok(()),
            Some(Ok(got)) => unsound(format!("a forbidden store ended with {:?}", got.end)),
            Some(Err(lost)) => unsound(lost.to_string()),
            None => unsound("it gave no answer".to_owned()),
        }
    }

    /// Runs as many cases as make a batch.
    fn batch(&mut self, cases: &[Case], results: &mut Vec<Result<Outcome, Lost>>) {
        let (count, end) = self.send(cases);
        let batch = self.area.batch();
        let done = batch.done.load(Ordering::Acquire) as usize;
        let done = done.min(count);
        results.extend((0..done).map(|index| batch.outcome(index, &cases[index])));
        match end {
            Ok(()) if done > 0 => {}
            // It may stop early, but not at once.
            Ok(()) => results.push(Err(Lost {
                reason: "it did nothing".to_owned(),
            })),
            Err(reason) => {
                self.child = None;
                if done < count {
                    results.push(Err(Lost { reason }));
                }
            }
        }
    }

    /// Lets the child run a batch; gives how many cases it was given, and what became of
    /// the child if that is dead.
    fn send(&mut self, cases: &[Case]) -> (usize, Result<(), String>) {
        // One that died while it waited is replaced without a word.
        for _ in 0..2 {
            let known = self.child.take().filter(Child::is_bound_to_this_thread);
            let child = match known {
                Some(child) => Ok(child),
                None => Child::start(&mut self.area),
            };
            let mut child = match child {
                Ok(child) => child,
                Err(error) => {
                    *self.area.batch().done.get_mut() = 0;
                    return (1, Err(format!("it could not be started anew: {error}")));
                }
            };
            let count = self.area.batch().load(cases);
            if child.go() {
                let end = child.wait(&self.area);
                self.child = Some(child);
                return (count, end);
            }
        }
        (1, Err("it died before it began".to_owned()))
    }
}

impl Subject for Oracle {
    fn name(&self) -> &str {
        &self.name
    }

    fn run(&mut self, cases: &[Case]) -> Vec<Result<Outcome, Lost>> {
        let mut results = Vec::with_capacity(cases.len());
        while let Some(first) = cases.get(results.len()) {
            if let Some(lost) = batch::objection(first) {
                results.push(Err(lost));
            } else {
                let rest = &cases[results.len()..];
                self.batch(rest, &mut results);
            }
        }
        results
    }
}
