//! Guest programs as data, assembled with iced-x86.
#![forbid(unsafe_code)]
