//! Every instruction iced-x86 decodes is implemented, or listed as not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use iced_x86::Code;
use rax_cpu::insn::Table;

/// The features an instruction belongs to, as iced-x86 names them.
fn features(code: Code) -> String {
    let names: Vec<_> = code
        .cpuid_features()
        .iter()
        .map(|feature| format!("{feature:?}"))
        .collect();
    names.join("+")
}

/// A line of the list: a feature group, and of its instructions those missing, if not all.
fn line(group: &str, missing: &[Code], all: usize) -> String {
    if missing.len() == all {
        return format!("{group}: all {all}");
    }
    let names: Vec<_> = missing.iter().map(|code| format!("{code:?}")).collect();
    format!("{group}: {}", names.join(" "))
}

/// `UPDATE_GOLDEN=1` rewrites the list, so that what is won or lost shows in review.
#[test]
fn every_code_is_implemented_or_listed() {
    let mut groups: BTreeMap<String, (Vec<Code>, usize)> = BTreeMap::new();
    for code in Code::values() {
        if code == Code::INVALID || is_data(code) {
            continue;
        }
        let (missing, all) = groups.entry(features(code)).or_default();
        *all += 1;
        if !Table::implements(code) {
            missing.push(code);
        }
    }
    let lines: Vec<_> = groups
        .iter()
        .filter(|(_, (missing, _))| !missing.is_empty())
        .map(|(group, (missing, all))| line(group, missing, *all))
        .collect();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/unsupported.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, lines.join("\n") + "\n").unwrap();
    }
    let listed = fs::read_to_string(&file).unwrap();
    let listed: BTreeSet<_> = listed.lines().filter(|line| !line.is_empty()).collect();
    let found: BTreeSet<_> = lines.iter().map(String::as_str).collect();
    let gone: Vec<_> = listed.difference(&found).collect();
    let new: Vec<_> = found.difference(&listed).collect();
    assert!(
        gone.is_empty() && new.is_empty(),
        "tests/unsupported.txt says {gone:#?}\nbut it is {new:#?}\n(UPDATE_GOLDEN=1 rewrites it)"
    );
}

/// `db`, `dw` and their kin of the assembler: no instructions.
fn is_data(code: Code) -> bool {
    matches!(
        code,
        Code::DeclareByte
            | Code::DeclareWord
            | Code::DeclareDword
            | Code::DeclareQword
            | Code::Zero_bytes
    )
}
