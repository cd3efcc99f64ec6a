//! Holds rax's processor against a real one, case by case.
//!
//! A [`Case`] is a few bytes of user-mode code with all that they start from;
//! an [`Outcome`] is all that they leave behind. Whoever runs cases is a
//! [`Subject`]: rax's engines, the host's own processor, a recording.

mod background;
mod case;
mod compare;
mod form;
mod generate;
mod guest;
mod oracle;
pub mod print;
mod random;
pub mod record;
pub mod report;
mod session;
mod shrink;
pub mod undefined;

pub use compare::{Difference, Verdict, compare, describe_end, normalize};
pub use form::{Form, Kind, Standing, form, forms};
pub use generate::{from_bytes, generate};
pub use guest::{Guest, SetupError};
pub use session::{Extent, Line, Mismatch, Observer, Plan, Progress, Report, Session, absent};
pub use shrink::{CaseTree, Cases, shrink};

pub use case::{
    CODE, CODE_BYTES, Case, DATA, DATA_BYTES, End, Lost, Outcome, READ_ONLY, READ_ONLY_BYTES,
    Registers, Subject, X87,
};
pub use oracle::{Oracle, OracleError};
