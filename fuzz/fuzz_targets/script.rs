//! Any text as a script, an address or a typed text: no panic, and what is wrong is said in one line.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use rax_machine::automation::{Pattern, parse, unescape};
use rax_machine::host::parse_address;

fuzz_target!(|text: &str| {
    if let Err(error) = parse(text, Path::new("script")) {
        let line = error.to_string();
        assert!(!line.is_empty(), "a mistake without a word");
    }
    let _ = unescape(text);
    let _ = parse_address(text);
    if text.len() < 64 {
        let _ = Pattern::new(text);
    }
});
