//! The sixteen conditions as types, for the rows of SETcc, CMOVcc and Jcc.

use crate::flags::Condition;
use crate::verbs::{ConditionCode, Parameter};

macro_rules! conditions {
    ($($name:ident)*) => {$(
        #[derive(Clone, Copy, Debug)]
        pub(super) struct $name;
        impl Parameter for $name {}
        impl ConditionCode for $name {
            const CONDITION: Condition = Condition::$name;
        }
    )*};
}

conditions!(O No B Ae E Ne Be A S Ns P Np L Ge Le G);
