//! Hosts that cannot be the reference.

use std::convert::Infallible;

use iced_x86::CpuidFeature;

use super::OracleError;
use crate::{Case, Lost, Outcome, Subject};

/// The host's processor; there is none of these here.
#[derive(Debug)]
pub struct Oracle(Infallible);

impl Oracle {
    /// Says that there is no reference on this host.
    ///
    /// # Errors
    /// [`OracleError::NoReference`], always.
    pub fn new() -> Result<Self, OracleError> {
        Err(OracleError::NoReference)
    }

    /// Whether user-mode programs can use a feature.
    #[must_use]
    pub fn has(&self, _: CpuidFeature) -> bool {
        match self.0 {}
    }
}

impl Subject for Oracle {
    fn name(&self) -> &str {
        match self.0 {}
    }

    fn run(&mut self, _: &[Case]) -> Vec<Result<Outcome, Lost>> {
        match self.0 {}
    }
}
