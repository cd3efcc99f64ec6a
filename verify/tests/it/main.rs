//! Thirty seconds of `rax verify`: every form, against the host's processor where
//! there is one and against the recorded corpus everywhere.

mod corpus;
mod engines;
mod host;
