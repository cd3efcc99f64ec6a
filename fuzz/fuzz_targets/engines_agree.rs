//! Bytes as code: the interpreter and the evaluator of the IR make the same of them.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use rax_cpu::{Evaluator, Interpreter};
use rax_verify::{Case, Guest, Subject, from_bytes, normalize};

fn pair() -> [Guest; 2] {
    let failure = "the host has memory for a guest";
    [
        Guest::new("interpreter", |cpu| Box::new(Interpreter::new(cpu))).expect(failure),
        Guest::new("evaluator", |cpu| Box::new(Evaluator::new(cpu))).expect(failure),
    ]
}

thread_local! {
    static PAIR: RefCell<[Guest; 2]> = RefCell::new(pair());
}

/// Whether TF may be set at the start, or by POPF or IRET: the evaluator takes no single steps.
fn may_single_step(case: &Case) -> bool {
    const TF: u64 = 1 << 8;
    case.registers.rflags & TF != 0 || case.code.iter().any(|byte| matches!(byte, 0x9d | 0xcf))
}

fuzz_target!(|bytes: &[u8]| {
    let Some(case) = from_bytes(bytes) else { return };
    if may_single_step(&case) {
        return;
    }
    PAIR.with_borrow_mut(|pair| {
        let [a, b] = pair.each_mut().map(|guest| {
            let mut outcomes = guest.run(std::slice::from_ref(&case));
            outcomes.iter_mut().flatten().for_each(normalize);
            outcomes
        });
        assert_eq!(a, b, "{case:x?}");
    });
});
