//! Against the host's processor: x86-64 Linux; elsewhere nothing is left to do.

use rax_verify::undefined::Vendor;
use rax_verify::{
    Extent, Guest, Kind, Oracle, OracleError, Plan, Session, Standing, Subject, absent, form,
    forms, report,
};

/// How many cases the test runs; `RAX_VERIFY_CASES` sets another count.
const CASES: u64 = 400_000;

fn oracle() -> Option<Oracle> {
    match Oracle::new() {
        Ok(oracle) => Some(oracle),
        Err(error @ (OracleError::NoReference | OracleError::Lacking(_))) => {
            say_skipped(&error);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn say_skipped(error: &OracleError) {
    eprintln!("skipped: {error}");
}

fn plan(oracle: &Oracle, extent: Extent) -> Plan {
    let mut vendors = vec![Vendor::Intel];
    if oracle.name().contains("AMD") {
        vendors.push(Vendor::Amd);
    }
    Plan {
        forms: forms().iter().collect(),
        seed: 1,
        extent,
        vendors,
        absent: absent(|feature| oracle.has(feature)),
        engine: None,
    }
}

#[test]
fn every_form_does_what_the_host_does() {
    let Some(mut oracle) = oracle() else { return };
    let count = std::env::var("RAX_VERIFY_CASES").ok();
    let count = count.and_then(|count| count.parse().ok()).unwrap_or(CASES);
    let plan = plan(&oracle, Extent::Cases(count));
    let mut guest = Guest::interpreter().unwrap();
    let session = Session::new(&mut oracle, &mut guest);
    let result = session.run(&plan, &mut |_| true, &mut |_, _, _| {});
    assert_eq!(result.mismatch_count(), 0, "{}", report::text(&result));
    assert_eq!(result.lost(), 0, "{:?}", result.losses);
    for line in &result.lines {
        let is_run = line.form.standing == Standing::Covered && !line.absent;
        assert_eq!(is_run, line.cases > 0, "{}", line.form.name);
    }
}

/// What a session says must not depend on who is wrong: a subject that is, is found out.
#[test]
fn the_host_finds_a_wrong_flag() {
    struct Wrong(Guest);
    impl Subject for Wrong {
        fn name(&self) -> &str {
            "wrong"
        }

        fn run(
            &mut self,
            cases: &[rax_verify::Case],
        ) -> Vec<Result<rax_verify::Outcome, rax_verify::Lost>> {
            let mut outcomes = self.0.run(cases);
            for outcome in outcomes.iter_mut().flatten() {
                // CF, which every manual defines.
                outcome.registers.rflags ^= 1;
            }
            outcomes
        }
    }
    let Some(mut oracle) = oracle() else { return };
    let mut plan = plan(&oracle, Extent::Cases(64));
    plan.forms = vec![form("Adc_rm32_r32").unwrap()];
    assert!(matches!(plan.forms[0].kind, Kind::One(_)));
    let mut wrong = Wrong(Guest::interpreter().unwrap());
    let session = Session::new(&mut oracle, &mut wrong);
    let result = session.run(&plan, &mut |_| true, &mut |_, _, _| {});
    assert_eq!(result.mismatch_count(), result.cases());
    let mismatch = &result.mismatches[0];
    assert!(
        mismatch
            .differences
            .iter()
            .any(|d| d.place == "rflags (cf)")
    );
}
