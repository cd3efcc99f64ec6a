//! Says how many cases a second the host's processor runs for us: a mix of which a
//! quarter faults, every 32 cases with other memory.
#![expect(clippy::print_stdout, reason = "says it to whoever asked")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use rax_verify::{Case, DATA, End, Oracle, READ_ONLY, Registers, Subject, X87};

/// Code and RBX; the last two fault.
const MIX: [(&[u8], u64); 8] = [
    (&[0x48, 0x01, 0xd8], 5),                   // add rax, rbx
    (&[0x48, 0x11, 0x03], DATA + 0x123),        // adc [rbx], rax
    (&[0xc5, 0xfd, 0xfe, 0xca], 0),             // vpaddd ymm1, ymm0, ymm2
    (&[0xd9, 0xeb, 0xde, 0xc1], 0),             // fldpi; faddp
    (&[0xc5, 0xfe, 0x7f, 0x2b], DATA + 0xff1),  // vmovdqu [rbx], ymm5
    (&[0x48, 0x8b, 0x03, 0x90], READ_ONLY - 3), // mov rax, [rbx]; nop
    (&[0x48, 0x89, 0x03], READ_ONLY),           // mov [rbx], rax
    (&[0x48, 0xf7, 0xf3], 0),                   // div rbx
];

fn main() -> ExitCode {
    let mut oracle = match Oracle::new() {
        Ok(oracle) => oracle,
        Err(error) => {
            println!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let cases: Vec<_> = (0..4096).map(case).collect();
    let started = Instant::now();
    let (mut count, mut finished, mut lost) = (0, 0, 0);
    while started.elapsed() < Duration::from_secs(3) {
        for result in oracle.run(&cases) {
            count += 1;
            match result {
                Ok(outcome) if outcome.end == End::Finished => finished += 1,
                Ok(_) => {}
                Err(_) => lost += 1,
            }
        }
    }
    let rate = f64::from(count) / started.elapsed().as_secs_f64();
    let faulted = 100 * (count - finished - lost) / count;
    println!("{rate:.0} cases/s ({count} cases, {faulted}% faulted, {lost} lost)");
    ExitCode::SUCCESS
}

fn case(number: usize) -> Case {
    let (code, rbx) = MIX[number % MIX.len()];
    let mut registers = Registers {
        rflags: 0x202,
        mxcsr: 0x1f80,
        x87: X87 {
            control: 0x37f,
            ..X87::default()
        },
        ..Registers::default()
    };
    registers.gpr[0] = number as u64;
    registers.gpr[3] = rbx;
    registers.gpr[4] = DATA + 0x1000;
    registers.ymm = [[number as u64; 4]; 16];
    Case {
        code: code.to_vec(),
        offset: number % 0x1000,
        registers,
        seed: number as u64 / 32,
        patches: Vec::new(),
        instructions: 2,
    }
}
