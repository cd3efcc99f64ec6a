//! The processor under us, as the reference.
//!
//! [`Oracle`] runs cases natively, in a child process that may die of them.
//! docs/verify.md says how; `oracle/native/` is the one place that does it, and
//! only on x86-64 Linux. Elsewhere there is no oracle, and [`Oracle::new`] says so.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod native;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub use native::Oracle;

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod absent;
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
pub use absent::Oracle;

/// Why there is no oracle.
#[derive(Debug, thiserror::Error)]
pub enum OracleError {
    /// The host is of another kind.
    #[error("there is no reference on this host: it is not x86-64 Linux")]
    NoReference,
    /// The host's processor or kernel lacks something.
    #[error("there is no reference on this host: it lacks {0}")]
    Lacking(&'static str),
    /// The host refused something.
    #[error("cannot {what}")]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// Its answer.
        #[source]
        source: std::io::Error,
    },
    /// The child could not set itself up.
    #[error("the child that is to run cases ended at once: {reason}")]
    Child {
        /// What became of it.
        reason: String,
    },
    /// The child runs, but gives a wrong answer to a case whose answer is known.
    #[error("the child that is to run cases does not work: {reason}")]
    Unsound {
        /// What was wrong.
        reason: String,
    },
}
