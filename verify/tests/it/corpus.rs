//! Against what a real processor was recorded to do.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use rax_verify::record::Recording;
use rax_verify::{Case, Extent, Guest, Lost, Outcome, Plan, Session, Subject, forms, report};

/// Nobody is asked in a replay.
struct Nobody;

impl Subject for Nobody {
    fn name(&self) -> &str {
        "a recording"
    }

    fn run(&mut self, cases: &[Case]) -> Vec<Result<Outcome, Lost>> {
        let reason = String::from("nobody is here");
        cases
            .iter()
            .map(|_| {
                Err(Lost {
                    reason: reason.clone(),
                })
            })
            .collect()
    }
}

#[test]
fn everything_recorded_comes_out_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut count = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rax") {
            continue;
        }
        let recording = Recording::read(BufReader::new(File::open(&path).unwrap())).unwrap();
        let plan = Plan {
            forms: forms().iter().collect(),
            seed: recording.header.seed,
            extent: Extent::Cases(0),
            vendors: vec![recording.header.vendor()],
            absent: Vec::new(),
            engine: None,
        };
        let mut guest = Guest::interpreter().unwrap();
        let mut nobody = Nobody;
        let session = Session::new(&mut nobody, &mut guest);
        let result = session.replay(&plan, &recording, &mut |_| true);
        assert_eq!(
            result.mismatch_count(),
            0,
            "{}: {}",
            path.display(),
            report::text(&result)
        );
        count += result.cases();
    }
    assert!(count > 10_000, "{count} recorded cases");
}
