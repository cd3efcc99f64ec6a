//! Both readers on random states, and a check that no instruction is missing.
//! `cpu/tests/vectors` and `cpu/tests/simd_host.rs` say what is right.

mod encodings;
mod harness;

use std::collections::BTreeSet;

use iced_x86::Code;

use crate::insn::Table;
use encodings::{encodings, is_ours};
use harness::{Bench, Random};

#[test]
fn every_instruction_has_a_row() {
    let missing: Vec<_> = Code::values()
        .filter(|&code| is_ours(code) && !Table::implements(code))
        .collect();
    assert_eq!(missing, []);
}

#[test]
fn every_instruction_is_encoded_for_the_tests() {
    let encoded: BTreeSet<Code> = encodings().iter().map(|encoding| encoding.code).collect();
    let missing: Vec<_> = Code::values()
        .filter(|&code| is_ours(code) && !encoded.contains(&code))
        .collect();
    assert_eq!(missing, []);
}

#[test]
fn both_readers_agree_on_random_states() {
    let mut bench = Bench::new();
    for encoding in encodings() {
        let mut random = Random::new(encoding.code as u64);
        for _ in 0..200 {
            bench.randomise(&mut random, encoding.in_memory);
            let mut bytes = encoding.bytes.clone();
            if let Some(last) = bytes.last_mut().filter(|_| encoding.has_immediate) {
                *last = random.next() as u8;
            }
            bench.compare_readers(&bytes);
        }
    }
}
