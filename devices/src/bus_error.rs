//! Why a chip did not answer an access.

/// Why a chip did not answer; the bus then floats to all ones.
///
/// This is the guest's doing, not a failure: the bus logs it once and goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// Nothing decodes this register.
    #[error("no register {0:#x}")]
    NoRegister(u64),
    /// The register exists but not at this width.
    ///
    /// The 8-bit chips answer this to wider accesses: splitting those into
    /// byte cycles is the bus's part, as it was the ISA bus controller's.
    #[error("register {register:#x} does not take {bytes} bytes")]
    BadWidth {
        /// Register number.
        register: u64,
        /// Attempted access size.
        bytes: usize,
    },
}
