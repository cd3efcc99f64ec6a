//! How fast the compiler is by itself, on the code of a real program:
//! `cargo run --release -p rax-jit --example compile -- /usr/bin/python3`.
//!
//! All executable sections of an ELF file are decoded from one end to the other, then
//! compiled block by block, as they are when they are warm.
#![expect(clippy::print_stdout, reason = "a measurement")]

#[path = "shared/elf_code.rs"]
mod elf_code;

use std::error::Error;
use std::time::Instant;

use rax_cpu::testing::Bits;
use rax_jit::dump::Compiler;

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    if paths.is_empty() {
        return Err("give ELF files of x86-64 code, such as /usr/bin/python3".into());
    }
    let mut compiler = Compiler::new(Bits::Long64)?;
    for path in paths {
        let data = std::fs::read(&path)?;
        let mut blocks = Vec::new();
        elf_code::each_block(
            &data,
            |code| compiler.decode(code),
            |address, insns| {
                if !insns.is_empty() {
                    blocks.push((address, insns));
                }
            },
        )?;
        let start = Instant::now();
        let (mut instructions, mut bytes) = (0, 0);
        for (address, insns) in &blocks {
            if let Some(length) = compiler.compile(insns, *address) {
                instructions += insns.len();
                bytes += length;
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{path}: {instructions} instructions, {:.1} bytes of host code each, {:.0} ns each, {:.2} M a second",
            bytes as f64 / instructions as f64,
            seconds * 1e9 / instructions as f64,
            instructions as f64 / seconds / 1e6,
        );
    }
    Ok(())
}
