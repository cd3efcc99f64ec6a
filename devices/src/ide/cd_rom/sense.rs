//! Why a packet command failed (SPC-3 section 4.5, MMC-5 annex F).

use serde::{Deserialize, Serialize};

/// Sense keys.
pub(super) mod key {
    pub(crate) const NO_SENSE: u8 = 0x0;
    pub(crate) const NOT_READY: u8 = 0x2;
    pub(crate) const MEDIUM_ERROR: u8 = 0x3;
    pub(crate) const ILLEGAL_REQUEST: u8 = 0x5;
    pub(crate) const UNIT_ATTENTION: u8 = 0x6;
}

/// A sense key with its additional code and qualifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sense {
    pub(super) key: u8,
    code: u8,
    qualifier: u8,
}

const fn sense(key: u8, code: u8, qualifier: u8) -> Sense {
    Sense {
        key,
        code,
        qualifier,
    }
}

impl Sense {
    pub(super) const NONE: Self = sense(key::NO_SENSE, 0, 0);
    pub(super) const UNRECOVERED_READ_ERROR: Self = sense(key::MEDIUM_ERROR, 0x11, 0);
    pub(super) const PARAMETER_LIST_LENGTH: Self = sense(key::ILLEGAL_REQUEST, 0x1a, 0);
    pub(super) const INVALID_COMMAND: Self = sense(key::ILLEGAL_REQUEST, 0x20, 0);
    pub(super) const ADDRESS_OUT_OF_RANGE: Self = sense(key::ILLEGAL_REQUEST, 0x21, 0);
    pub(super) const INVALID_FIELD: Self = sense(key::ILLEGAL_REQUEST, 0x24, 0);
    pub(super) const INVALID_PARAMETER: Self = sense(key::ILLEGAL_REQUEST, 0x26, 0);
    pub(super) const MEDIUM_CHANGED: Self = sense(key::UNIT_ATTENTION, 0x28, 0);
    pub(super) const INCOMPATIBLE_FORMAT: Self = sense(key::ILLEGAL_REQUEST, 0x30, 0x02);
    pub(super) const UNKNOWN_FORMAT: Self = sense(key::NOT_READY, 0x30, 0x01);
    pub(super) const SAVING_NOT_SUPPORTED: Self = sense(key::ILLEGAL_REQUEST, 0x39, 0);
    pub(super) const NO_DISC_TRAY_CLOSED: Self = sense(key::NOT_READY, 0x3a, 0x01);
    pub(super) const NO_DISC_TRAY_OPEN: Self = sense(key::NOT_READY, 0x3a, 0x02);
    pub(super) const REMOVAL_PREVENTED: Self = sense(key::ILLEGAL_REQUEST, 0x53, 0x02);
    pub(super) const ILLEGAL_MODE_FOR_TRACK: Self = sense(key::ILLEGAL_REQUEST, 0x64, 0);

    /// The answer to REQUEST SENSE, in fixed format.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        let mut bytes = vec![0; 18];
        // A current error.
        bytes[0] = 0x70;
        bytes[2] = self.key;
        bytes[7] = 10;
        bytes[12] = self.code;
        bytes[13] = self.qualifier;
        bytes
    }
}
