//! What a real 80286 did in real mode, 80 times for each of 325 opcode forms
//! (`tests/vectors/80286`), done again by the interpreter.
#![expect(clippy::unwrap_used, reason = "these are tests")]

#[path = "recorded/bench.rs"]
mod bench;
#[path = "recorded/case.rs"]
mod case;
#[path = "recorded/outcome.rs"]
mod outcome;
#[path = "recorded/rules.rs"]
mod rules;

use rax_cpu::Interpreter;

#[test]
fn the_80286_agrees() {
    outcome::check(|cpu| Box::new(Interpreter::new(cpu)));
}
