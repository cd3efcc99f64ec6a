//! One page that needs nothing else: style and script are in it.

use std::fmt::Write;

use crate::form::Standing;
use crate::print;
use crate::session::{Line, Report};

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>rax verify</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .15em .6em; text-align: left; border-bottom: 1px solid #8884; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
tr.wrong { background: #e5343433; }
tr.missing { color: #888; }
pre { overflow-x: auto; padding: .8em; background: #8882; }
input { font: inherit; width: 100%; padding: .4em; margin: 1em 0; }
</style>
"#;

const SCRIPT: &str = r#"<script>
const field = document.getElementById("search");
const parts = [...document.querySelectorAll("tbody tr, details")];
const texts = parts.map(part => part.textContent.toLowerCase());
field.addEventListener("input", () => {
  const words = field.value.toLowerCase().split(" ");
  parts.forEach((part, n) => { part.hidden = !words.every(word => texts[n].includes(word)); });
});
</script>
"#;

/// The report as a page of its own.
#[must_use]
pub fn html(report: &Report) -> String {
    let mut page = String::from(HEAD);
    let [reference, subject] = report.names.each_ref().map(|name| escape(name));
    let _ = writeln!(page, "<h1>rax verify</h1>");
    let _ = writeln!(page, "<p><b>{}</b>", escape(&report.summary()));
    let _ = writeln!(
        page,
        "<p>{subject} against {reference}, seed {}; {} cases lost.",
        report.seed,
        report.lost()
    );
    let _ = writeln!(
        page,
        "<input id=\"search\" type=\"search\" placeholder=\"Search: mnemonic, feature, unsupported, ...\">"
    );
    if !report.mismatches.is_empty() {
        let _ = writeln!(page, "<h2>Mismatches</h2>");
    }
    for mismatch in &report.mismatches {
        let _ = writeln!(
            page,
            "<details open><summary>{}</summary><pre>{}</pre></details>",
            escape(&mismatch.form.syntax),
            escape(&print::mismatch(mismatch))
        );
    }
    let _ = writeln!(
        page,
        "<h2>Instructions</h2>\n<table><thead><tr><th>instruction<th>code<th>features<th>cases<th>mismatches<th>note</thead><tbody>"
    );
    for line in &report.lines {
        row(&mut page, line);
    }
    let _ = writeln!(page, "</tbody></table>");
    page.push_str(SCRIPT);
    page
}

fn row(page: &mut String, line: &Line) {
    let class = if line.mismatches > 0 {
        "wrong"
    } else if line.form.standing == Standing::Covered && !line.absent {
        "right"
    } else {
        "missing"
    };
    let form = line.form;
    let _ = writeln!(
        page,
        "<tr class=\"{class}\"><td>{}<td>{}<td>{}<td class=\"n\">{}<td class=\"n\">{}<td>{}",
        escape(&form.syntax),
        escape(&form.name),
        escape(&form.features),
        line.cases,
        line.mismatches,
        escape(&super::note(line))
    );
}

/// Text that HTML takes for nothing else.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
