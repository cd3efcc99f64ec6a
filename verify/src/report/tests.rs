//! Reports say what was found, and nothing in them is taken for markup.

use super::*;
use crate::case::{Case, End, Lost, Outcome, Subject};
use crate::session::{Extent, Plan, Session};
use crate::{Guest, form, forms};

/// Like the interpreter, but wrong about what it is told to be wrong about.
struct Wrong(Guest);

impl Subject for Wrong {
    fn name(&self) -> &str {
        "<b>wrong</b> & \"quoted\""
    }

    fn run(&mut self, cases: &[Case]) -> Vec<Result<Outcome, Lost>> {
        let mut outcomes = self.0.run(cases);
        for (case, outcome) in cases.iter().zip(&mut outcomes) {
            if let Ok(outcome) = outcome
                && outcome.end == End::Finished
                && case.registers.gpr[1] & 1 != 0
            {
                outcome.registers.gpr[0] ^= 1;
            }
        }
        outcomes
    }
}

fn report(names: &[&str], count: u64) -> Report {
    let mut reference = Guest::interpreter().unwrap();
    let mut subject = Wrong(Guest::interpreter().unwrap());
    let plan = Plan {
        forms: names.iter().map(|name| form(name).unwrap()).collect(),
        seed: 9,
        extent: Extent::Cases(count),
        vendors: Vec::new(),
        absent: Vec::new(),
        engine: None,
    };
    Session::new(&mut reference, &mut subject).run(&plan, &mut |_| true, &mut |_, _, _| {})
}

#[test]
fn a_mismatch_is_shrunk_to_what_matters() {
    let report = report(
        &[
            "Add_rm32_r32",
            "Cpuid",
            "EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32",
        ],
        200,
    );
    assert_eq!(report.cases(), 200);
    assert!(report.mismatch_count() > 20);
    assert_eq!(report.mismatches.len(), 3);
    for mismatch in &report.mismatches {
        assert_eq!(mismatch.case.registers.gpr[1], 1);
        let lines = print::mismatch(mismatch);
        assert!(lines.contains("rcx=0x1"), "{lines}");
        assert!(
            lines.contains("again     rax verify Add_rm32_r32 --seed 9 --case "),
            "{lines}"
        );
        assert_eq!(mismatch.differences.len(), 1, "{lines}");
        // The command makes the same case again, and it fails again.
        let mut wrong = Wrong(Guest::interpreter().unwrap());
        let case = crate::generate(mismatch.form, mismatch.seed, mismatch.number.unwrap());
        let both = [&mut wrong.0 as &mut dyn Subject].map(|s| s.run(std::slice::from_ref(&case)));
        assert_ne!(both[0], wrong.run(std::slice::from_ref(&case)));
    }
    let text = text(&report);
    let last = text.lines().last().unwrap();
    assert_eq!(last, report.summary());
    assert!(last.starts_with("verify: 200 cases, 3 forms, "), "{last}");
    assert!(last.ends_with(" mismatches, 1 unsupported"), "{last}");
}

#[test]
fn a_page_needs_nothing_else_and_holds_no_foreign_markup() {
    let report = report(&["Add_rm32_r32"], 50);
    let page = html(&report);
    assert!(!page.contains("<b>wrong"));
    assert!(page.contains("&lt;b&gt;wrong&lt;/b&gt; &amp; &quot;quoted&quot;"));
    for outside in ["http:", "https:", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("ADD r/m32, r32"));
}

#[test]
fn every_form_has_a_line_in_markdown() {
    let mut report = report(&["Add_rm32_r32"], 1);
    report.lines = forms()
        .iter()
        .map(|form| Line {
            form,
            absent: false,
            cases: 0,
            near: 0,
            mismatches: 0,
            lost: 0,
        })
        .collect();
    let text = markdown(&report);
    for form in forms() {
        let named = match form.standing {
            Standing::Covered => form.syntax.replace('|', "\\|"),
            _ => form.name.clone(),
        };
        assert!(text.contains(&named), "{}", form.name);
    }
}
