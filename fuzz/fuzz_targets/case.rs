//! Bytes choose a form and a case of it: this host's processor and rax make the same of
//! it. x86-64 Linux only.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use rax_verify::undefined::Vendor;
use rax_verify::{
    Extent, Form, Guest, Oracle, Plan, Session, Standing, absent, forms, report,
};

struct Pair {
    oracle: Oracle,
    guest: Guest,
    forms: Vec<&'static Form>,
}

thread_local! {
    static PAIR: RefCell<Pair> = RefCell::new(pair());
}

fn pair() -> Pair {
    let oracle = Oracle::new().expect("this target needs x86-64 Linux");
    let absent = absent(|feature| oracle.has(feature));
    let is_run = |form: &&Form| {
        form.standing == Standing::Covered && !absent.contains(&form.kind)
    };
    Pair {
        guest: Guest::interpreter().expect("the host has memory for a guest"),
        forms: forms().iter().filter(is_run).collect(),
        oracle,
    }
}

fuzz_target!(|input: (u16, u64, u32)| {
    let (form, seed, number) = input;
    PAIR.with_borrow_mut(|pair| {
        let form = pair.forms[usize::from(form) % pair.forms.len()];
        let plan = Plan {
            forms: vec![form],
            seed,
            extent: Extent::One(number.into()),
            vendors: vec![Vendor::Intel, Vendor::Amd],
            absent: absent(|feature| pair.oracle.has(feature)),
            engine: None,
        };
        let session = Session::new(&mut pair.oracle, &mut pair.guest);
        let result = session.run(&plan, &mut |_| true, &mut |_, _, _| {});
        assert_eq!(result.mismatch_count(), 0, "{}", report::text(&result));
    });
});
