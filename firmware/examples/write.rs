//! Writes an image of the firmware to a file, for other machines of its kind:
//! `cargo run -p rax-firmware --example write -- system FILE`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let image = match arguments.first().map(String::as_str) {
        Some("system") => rax_firmware::system::image(),
        _ => Vec::new(),
    };
    match arguments.get(1) {
        Some(path) if !image.is_empty() => match std::fs::write(path, image) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&format!("{path} cannot be written: {error}")),
        },
        _ => fail("usage: write system FILE"),
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a program says on standard error what is wrong"
)]
fn fail(reason: &str) -> ExitCode {
    eprintln!("{reason}");
    ExitCode::FAILURE
}
