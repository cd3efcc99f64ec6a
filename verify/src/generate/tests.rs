//! Cases are what they are meant to be.

use super::*;
use crate::form::{Standing, forms};

fn covered() -> impl Iterator<Item = &'static Form> {
    forms()
        .iter()
        .filter(|form| form.standing == Standing::Covered)
}

#[test]
fn a_case_follows_from_seed_form_and_number() {
    for form in covered() {
        assert_eq!(generate(form, 1, 2), generate(form, 1, 2));
        assert_ne!(generate(form, 1, 2), generate(form, 1, 3));
    }
}

#[test]
fn most_cases_of_a_form_are_of_that_form() {
    let mut wrong = Vec::new();
    for form in forms() {
        let Kind::One(code) = form.kind else { continue };
        if form.standing != Standing::Covered {
            continue;
        }
        let cases = (0..200).map(|number| generate(form, 7, number));
        let right = cases.filter(|case| first(case).0.code() == code);
        let right = right.count();
        if right < 90 {
            wrong.push((form.name.clone(), right));
        }
    }
    assert!(wrong.is_empty(), "{} forms: {wrong:?}", wrong.len());
}

#[test]
fn cases_fit_their_window() {
    for form in covered() {
        for number in 0..50 {
            let case = generate(form, 3, number);
            assert!(!case.code.is_empty());
            assert!(case.offset + case.code.len() <= CODE_BYTES, "{}", form.name);
        }
    }
}
#[test]
fn sequences_read_no_flag_that_is_undefined_and_end() {
    use crate::case::{End, Subject};
    let form = crate::form::form("sequence").unwrap();
    let cases: Vec<_> = (0..2000).map(|number| generate(form, 5, number)).collect();
    for case in &cases {
        let instructions = crate::undefined::flow::instructions(case);
        assert!(
            (2..=35).contains(&instructions.len()),
            "{}",
            instructions.len()
        );
    }
    let mut guest = crate::Guest::interpreter().unwrap();
    let ends = guest.run(&cases);
    let count = |wanted: fn(&End) -> bool| {
        let ends = ends.iter().map(|outcome| outcome.as_ref().unwrap().end);
        ends.filter(wanted).count()
    };
    assert_eq!(count(|end| *end == End::Endless), 0);
    let finished = count(|end| *end == End::Finished);
    assert!(finished > 1200, "{finished} of 2000 finished");
}
