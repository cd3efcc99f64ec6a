//! Every line of `tests/vectors/*.txt`.

use std::fs;
use std::path::Path;

use crate::case::{Benches, Case};

/// Groups that this processor does not have yet: every line of theirs must be #UD, so
/// that this list cannot outlive its reason.
const AWAITED: &[&str] = &[];

#[test]
fn every_vector_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    let mut benches = Benches::default();
    let mut count = 0;
    let mut failures = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            let line = line.split(';').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            count += 1;
            let outcome = Case::parse(line).and_then(|case| benches.check(&case));
            if AWAITED.contains(&&*name) {
                let missing = matches!(&outcome, Err(why) if why.ends_with("got #UD"));
                assert!(missing, "{name} is no longer awaited: {line}");
                continue;
            }
            if let Err(why) = outcome {
                failures.push(format!("{name}:{}: {line}\n  {why}", number + 1));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {count} vectors fail:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(count > 500, "only {count} vectors were found");
}
