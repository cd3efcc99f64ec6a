//! Passes over a block of IR between lifting and emission: the list and its order.
//!
//! Each pass rewrites the block in place and obeys the IR's law
//! ([`rax_cpu::ir::verify`], checked after each in debug builds). Whatever a block
//! did before, it does after: the same values in the same places at its end and
//! wherever it can be left earlier.

mod constants;
mod dead;
mod flags;
mod forward;
pub mod need;
pub mod probes;
#[cfg(test)]
mod tests;

use std::str::FromStr;

use rax_cpu::ir::{self, Block};
use rax_cpu::rflags::Rflags;

pub use flags::producer_of;
pub use need::{Need, Needs};

/// What is known of what follows a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Successors {
    /// The flags that whatever follows may read, or be left with early, before it
    /// sets them: [`Needs::flags_wanted_at_entry`] of each, together. The others are
    /// wanted only where nothing follows at once, say to deliver an interrupt.
    pub flags_wanted: Rflags,
}

impl Default for Successors {
    /// Nothing is known: every flag may be wanted.
    fn default() -> Self {
        Self {
            flags_wanted: Rflags::STATUS,
        }
    }
}

/// A block that is being worked on.
pub struct Work<'a> {
    block: &'a mut Block,
    successors: Successors,
    /// How badly each operation is needed, if the block is as it was looked at.
    needs: Option<Needs>,
}

impl Work<'_> {
    /// How badly each operation is needed.
    fn needs(&mut self) -> &Needs {
        let (block, successors) = (&*self.block, self.successors);
        self.needs
            .get_or_insert_with(|| Needs::of(block, successors))
    }

    /// The block, to be changed.
    fn block(&mut self) -> &mut Block {
        self.needs = None;
        self.block
    }

    /// Removes operations that nothing needs, which leaves the need for others as it is.
    fn remove(&mut self, is_dead: &[bool]) {
        self.block.retain(|position| !is_dead[position]);
        if let Some(needs) = &mut self.needs {
            needs.retain(|position| !is_dead[position]);
        }
    }
}

/// One pass.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    run: fn(&mut Work<'_>),
}

impl Pass {
    /// Does it, this pass alone.
    pub fn run(&self, block: &mut Block, successors: Successors) {
        let mut work = Work {
            block,
            successors,
            needs: None,
        };
        (self.run)(&mut work);
    }
}

/// All passes, in the order in which they run.
pub const PASSES: [Pass; 4] = [
    Pass {
        name: "forward",
        about: "a read of a register whose value has a name takes the name",
        run: |work| forward::forward(work.block()),
    },
    Pass {
        name: "constants",
        about: "what follows from constants is computed now, also addresses and conditions",
        run: |work| constants::fold(work.block()),
    },
    Pass {
        name: "flags",
        about: "updates of flags that nothing can see are removed",
        run: flags::remove_dead,
    },
    Pass {
        name: "dead",
        about: "values nobody uses and writes of registers that nothing can see are removed",
        run: dead::remove_dead,
    },
];

/// Which passes run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection([bool; PASSES.len()]);

impl Default for Selection {
    fn default() -> Self {
        Self::ALL
    }
}

impl Selection {
    /// Every pass.
    pub const ALL: Self = Self([true; PASSES.len()]);
    /// No pass.
    pub const NONE: Self = Self([false; PASSES.len()]);

    /// The passes that run, in order.
    pub fn passes(self) -> impl Iterator<Item = &'static Pass> {
        let pairs = PASSES.iter().zip(self.0);
        pairs.filter_map(|(pass, is_on)| is_on.then_some(pass))
    }
}

/// A name in a list of passes that no pass has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPass(String);

impl std::fmt::Display for UnknownPass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = PASSES.iter().map(|pass| pass.name).collect();
        write!(
            f,
            "there is no pass '{}'; give 'all', 'none', or some of {} with commas between",
            self.0,
            names.join(", ")
        )
    }
}

impl std::error::Error for UnknownPass {}

impl FromStr for Selection {
    type Err = UnknownPass;

    /// `all`, `none`, or names with commas between; `-name` takes one of all away.
    fn from_str(text: &str) -> Result<Self, UnknownPass> {
        let mut selection = match text {
            "all" => return Ok(Self::ALL),
            "none" => return Ok(Self::NONE),
            _ if text.starts_with('-') => Self::ALL,
            _ => Self::NONE,
        };
        for word in text.split(',') {
            let (name, is_on) = match word.strip_prefix('-') {
                Some(name) => (name, false),
                None => (word, true),
            };
            let place = PASSES.iter().position(|pass| pass.name == name);
            let place = place.ok_or_else(|| UnknownPass(name.to_owned()))?;
            selection.0[place] = is_on;
        }
        Ok(selection)
    }
}

/// Runs the passes chosen; how badly what is left is needed.
pub fn run(block: &mut Block, selection: Selection, successors: Successors) -> Needs {
    let mut work = Work {
        block,
        successors,
        needs: None,
    };
    for pass in selection.passes() {
        (pass.run)(&mut work);
        debug_assert_eq!(
            ir::verify(work.block),
            Ok(()),
            "the pass '{}' obeys the IR's law:\n{}",
            pass.name,
            work.block
        );
    }
    work.needs();
    let Work { block, needs, .. } = work;
    needs.unwrap_or_else(|| Needs::of(block, successors))
}
