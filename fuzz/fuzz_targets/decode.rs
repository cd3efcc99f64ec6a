//! Bytes as code, anywhere in the code window: whatever they are, rax says what becomes
//! of them, and says it again.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use rax_verify::{Guest, Subject, from_bytes};

thread_local! {
    static GUEST: RefCell<Guest> =
        RefCell::new(Guest::interpreter().expect("the host has memory for a guest"));
}

fuzz_target!(|bytes: &[u8]| {
    let Some(case) = from_bytes(bytes) else { return };
    GUEST.with_borrow_mut(|guest| {
        let once = guest.run(std::slice::from_ref(&case));
        assert_eq!(once, guest.run(&[case]));
    });
});
