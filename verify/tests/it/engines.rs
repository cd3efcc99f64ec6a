//! The interpreter against the evaluator of the IR, on the same cases.

use rax_cpu::Evaluator;
use rax_verify::{Extent, Guest, Plan, Session, forms, report};

#[test]
fn interpreter_and_ir_agree_on_every_form() {
    let mut evaluator = Guest::new("evaluator", |cpu| Box::new(Evaluator::new(cpu))).unwrap();
    let mut interpreter = Guest::interpreter().unwrap();
    let plan = Plan {
        forms: forms().iter().collect(),
        seed: 3,
        extent: Extent::Cases(150_000),
        vendors: Vec::new(),
        absent: Vec::new(),
        engine: None,
    };
    let session = Session::new(&mut interpreter, &mut evaluator);
    let result = session.run(&plan, &mut |_| true, &mut |_, _, _| {});
    assert_eq!(result.mismatch_count(), 0, "{}", report::text(&result));
}
