//! What a real 80286 did in real mode (`cpu/tests/vectors/80286`), done again by compiled
//! code.
#![expect(clippy::unwrap_used, reason = "these are tests")]

#[path = "../../cpu/tests/recorded/bench.rs"]
mod bench;
#[path = "../../cpu/tests/recorded/case.rs"]
mod case;
#[path = "../../cpu/tests/recorded/outcome.rs"]
mod outcome;
#[path = "../../cpu/tests/recorded/rules.rs"]
mod rules;

use rax_jit::{Jit, Options, Report};

#[test]
fn the_80286_agrees_with_compiled_code() {
    let mut report = Report::default();
    outcome::check(|cpu| {
        let options = Options {
            threshold: 0,
            ..Options::default()
        };
        let jit = Jit::new(cpu, options).unwrap();
        report = jit.report();
        Box::new(jit)
    });
    let statistics = report.get();
    assert!(statistics.entries > 20_000, "{statistics:?}");
}
