//! Writes a firmware image to a file: `cargo run -p rax-firmware --example image -- system FILE`, or `video`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            complain(&message);
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[String]) -> Result<(), String> {
    let usage = || "usage: write system|video FILE".to_owned();
    let [name, file] = arguments else {
        return Err(usage());
    };
    let image = match name.as_str() {
        "system" => rax_firmware::system::image(),
        "video" => rax_firmware::video::image(),
        _ => return Err(usage()),
    };
    std::fs::write(file, image).map_err(|error| format!("{file}: {error}"))
}

#[expect(
    clippy::print_stderr,
    reason = "a command line program tells the user why it failed"
)]
fn complain(message: &str) {
    eprintln!("{message}");
}
