//! Holds rax's processor against a real one, case by case.
//!
//! A [`Case`] is a few bytes of user-mode code with all that they start from;
//! an [`Outcome`] is all that they leave behind. Whoever runs cases is a
//! [`Subject`]: rax's engines, the host's own processor, a recording.

mod case;
mod oracle;

pub use case::{
    CODE, CODE_BYTES, Case, DATA, DATA_BYTES, End, Lost, Outcome, READ_ONLY, READ_ONLY_BYTES,
    Registers, Subject, X87,
};
pub use oracle::{Oracle, OracleError};
