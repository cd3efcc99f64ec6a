//! What the processor counts for `--stats`.

use std::collections::BTreeMap;

use iced_x86::Code;

/// Counts since power-on.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// Blocks entered.
    pub blocks: u64,
    /// Blocks found through the link of the block before.
    pub linked: u64,
    /// Blocks found in the jump cache.
    pub jump_cache_hits: u64,
    /// Blocks found by physical address.
    pub block_cache_hits: u64,
    /// Blocks decoded.
    pub decoded_blocks: u64,
    /// Instructions decoded.
    pub decoded_instructions: u64,
    /// Blocks forgotten because the guest wrote over them.
    pub invalidated_blocks: u64,
    /// External interrupts delivered.
    pub interrupts: u64,
    /// Exceptions that cut an instruction short.
    pub faults: u64,
    /// Exceptions delivered, by vector.
    pub exceptions: [u64; 32],
    /// Instructions of compiled code that the interpreter carried out.
    pub carried_out: CarriedOut,
}

/// How often each instruction was carried out for compiled code, if somebody asks.
#[derive(Clone, Debug, Default)]
pub struct CarriedOut {
    /// By instruction; empty if nobody asks.
    counts: Vec<u64>,
}

impl CarriedOut {
    /// From now on, counts.
    pub fn begin(&mut self) {
        self.counts = vec![0; Code::values().len()];
    }

    pub(crate) fn note(&mut self, code: Code) {
        if let Some(count) = self.counts.get_mut(code as usize) {
            *count += 1;
        }
    }

    /// The names of instructions and their counts, the highest first.
    #[must_use]
    pub fn by_name(&self) -> Vec<(String, u64)> {
        let mut names = BTreeMap::<String, u64>::new();
        for (code, &count) in Code::values().zip(&self.counts) {
            if count != 0 {
                let name = format!("{:?}", code.mnemonic()).to_lowercase();
                *names.entry(name).or_default() += count;
            }
        }
        let mut all: Vec<_> = names.into_iter().collect();
        all.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        all
    }
}
