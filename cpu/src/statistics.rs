//! What the processor counts for `--stats`.

/// Counts since power-on.
#[derive(Clone, Copy, Debug, Default)]
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
}
