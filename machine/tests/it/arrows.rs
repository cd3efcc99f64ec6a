//! The arrows between our crates point down, and no others are drawn.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Each crate and what of ours it may depend on; `ARCHITECTURE.md` draws it.
const ARROWS: &[(&str, &[&str])] = &[
    ("mmu", &[]),
    ("cpu", &["rax-mmu"]),
    ("jit", &["rax-cpu", "rax-mmu"]),
    ("verify", &["rax-cpu", "rax-mmu", "rax-jit"]),
    ("devices", &[]),
    ("test-roms", &[]),
    ("firmware", &[]),
    // Measures the finished program from outside.
    ("bench", &[]),
    (
        "machine",
        &[
            "rax-mmu",
            "rax-cpu",
            "rax-jit",
            "rax-verify",
            "rax-devices",
            "rax-test-roms",
            "rax-firmware",
        ],
    ),
];

fn workspace() -> &'static Path {
    let machine = Path::new(env!("CARGO_MANIFEST_DIR"));
    machine.parent().unwrap_or(machine)
}

/// Our crates that a manifest names in any table of dependencies.
fn ours(manifest: &str) -> BTreeSet<&str> {
    let mut in_dependencies = false;
    let mut found = BTreeSet::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            in_dependencies = table.contains("dependencies");
            // A dependency may have a table to itself.
            let own = table.split_once("dependencies.").map(|(_, name)| name);
            found.extend(own.filter(|name| name.starts_with("rax-")));
        } else if in_dependencies && line.starts_with("rax-") {
            let name = line.split(['.', '=', ' ']).next();
            found.extend(name);
        }
    }
    found
}

#[test]
fn arrows_between_crates_point_down() {
    for (folder, allowed) in ARROWS {
        let manifest = fs::read_to_string(workspace().join(folder).join("Cargo.toml")).unwrap();
        for name in ours(&manifest) {
            assert!(
                allowed.contains(&name),
                "{folder} must not depend on {name}"
            );
        }
    }
}

#[test]
fn every_crate_of_the_workspace_has_its_place() {
    let manifest = fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
    let members = manifest
        .lines()
        .find_map(|line| line.strip_prefix("members = ["))
        .unwrap();
    let members: BTreeSet<_> = members
        .trim_end_matches(']')
        .split(',')
        .map(|member| member.trim().trim_matches('"'))
        .collect();
    let placed: BTreeSet<_> = ARROWS.iter().map(|(folder, _)| *folder).collect();
    assert_eq!(members, placed);
}

#[test]
fn a_dependency_is_found_however_it_is_written() {
    let manifest = "[dependencies]\nrax-a.workspace = true\nlog = \"1\"\n\
        [dev-dependencies]\nrax-b = { path = \"b\" }\n[dependencies.rax-c]\n[lints]\nrax-d = 1";
    let found: Vec<_> = ours(manifest).into_iter().collect();
    assert_eq!(found, ["rax-a", "rax-b", "rax-c"]);
}
