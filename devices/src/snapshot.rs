//! A chip's state on its way to a snapshot and back.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The state of one chip: opaque bytes and the version of their layout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    version: u32,
    bytes: Vec<u8>,
}

impl State {
    /// Encodes `saved`, a plain struct whose layout is version `version`.
    #[must_use]
    pub fn encode<T: Serialize>(version: u32, saved: &T) -> Self {
        let bytes = postcard::to_stdvec(saved)
            .expect("plain structs of numbers, lists and options always encode");
        Self { version, bytes }
    }

    /// The version of the layout.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Decodes the state of `device`, whose newest layout is version `known`.
    ///
    /// # Errors
    /// When the state is newer than `known`, or is not a `T`.
    pub fn decode<T: DeserializeOwned>(
        &self,
        device: &'static str,
        known: u32,
    ) -> Result<T, RestoreError> {
        if self.version > known {
            return Err(RestoreError::TooNew {
                device,
                found: self.version,
                known,
            });
        }
        match postcard::take_from_bytes(&self.bytes) {
            Ok((saved, [])) => Ok(saved),
            Ok((_, rest)) => Err(RestoreError::TooLong {
                device,
                bytes: rest.len(),
            }),
            Err(source) => Err(RestoreError::Damaged { device, source }),
        }
    }

    /// A state of arbitrary bytes, to test that chips refuse or survive it.
    #[must_use]
    pub const fn from_parts(version: u32, bytes: Vec<u8>) -> Self {
        Self { version, bytes }
    }

    /// The encoded bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A saved state that this build cannot take.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Written by a newer version.
    #[error("{device} state has version {found}, newest known is {known}")]
    TooNew {
        /// Device name.
        device: &'static str,
        /// Version in the snapshot.
        found: u32,
        /// Newest version here.
        known: u32,
    },
    /// Not a state of this device, or cut short.
    #[error("{device} state cannot be decoded")]
    Damaged {
        /// Device name.
        device: &'static str,
        /// What the decoder found.
        source: postcard::Error,
    },
    /// More bytes than a state of this device has.
    #[error("{device} state is {bytes} bytes too long")]
    TooLong {
        /// Device name.
        device: &'static str,
        /// How many bytes were left over.
        bytes: usize,
    },
    /// Decodes, but no run of this device leads there.
    #[error("{device} state is impossible: {what}")]
    Impossible {
        /// Device name.
        device: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::{RestoreError, State};

    #[test]
    fn a_state_comes_back() {
        let state = State::encode(1, &(7u8, vec![1u16, 2]));
        assert_eq!(
            state.decode::<(u8, Vec<u16>)>("x", 1).unwrap(),
            (7, vec![1, 2])
        );
    }

    #[test]
    fn newer_longer_and_shorter_states_are_refused() {
        let state = State::encode(2, &300u32);
        let newer = state.decode::<u32>("x", 1);
        assert!(matches!(newer, Err(RestoreError::TooNew { found: 2, .. })));
        let longer = State::from_parts(1, vec![1, 2]).decode::<u8>("x", 1);
        assert!(matches!(
            longer,
            Err(RestoreError::TooLong { bytes: 1, .. })
        ));
        let shorter = State::from_parts(1, vec![]).decode::<u8>("x", 1);
        assert!(matches!(shorter, Err(RestoreError::Damaged { .. })));
    }
}
