//! Writes a test ROM to a file: `cargo run -p rax-test-roms --example write -- NAME FILE`; or, as `bios-caller`, the
//! sectors that a BIOS boots.

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
    let names: Vec<&str> = rax_test_roms::ALL.iter().map(|rom| rom.name).collect();
    let usage = format!(
        "usage: write NAME FILE, where NAME is one of: {}, bios-caller",
        names.join(", ")
    );
    let [name, file] = arguments else {
        return Err(usage);
    };
    let image = match rax_test_roms::find(name) {
        Some(rom) => (rom.build)(),
        None if name == "bios-caller" => rax_test_roms::bios_caller(),
        None => return Err(usage),
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
