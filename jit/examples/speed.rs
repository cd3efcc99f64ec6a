//! How many guest instructions a second each engine runs:
//! `cargo run --release -p rax-jit --example speed`.
#![expect(clippy::print_stdout, reason = "a measurement")]

use std::time::Instant;

use rax_cpu::state::Gpr;
use rax_cpu::testing::{Bits, bare};
use rax_cpu::{Cpu, Engine, Interpreter, Stop};
use rax_jit::{Jit, Options};
use rax_mmu::PhysicalAddress;

/// A loop of arithmetic in registers: add, xor, rol, lea, dec, jcc.
const ARITHMETIC: &[u8] = &[
    0x48, 0x01, 0xd8, // add rax, rbx
    0x48, 0x31, 0xc1, // xor rcx, rax
    0x48, 0xc1, 0xc1, 0x05, // rol rcx, 5
    0x48, 0x8d, 0x5c, 0x0b, 0x01, // lea rbx, [rbx+rcx+1]
    0x48, 0xff, 0xca, // dec rdx
    0x75, 0xec, // jnz the start
];

/// Sums an array: loads, adds, compare and branch.
const LOADS: &[u8] = &[
    0x48, 0x8b, 0x04, 0xce, // mov rax, [rsi+rcx*8]
    0x48, 0x01, 0xc3, // add rbx, rax
    0x48, 0x89, 0x1c, 0xcf, // mov [rdi+rcx*8], rbx
    0xff, 0xc1, // inc ecx
    0x81, 0xe1, 0xff, 0x03, 0x00, 0x00, // and ecx, 0x3ff
    0x48, 0xff, 0xca, // dec rdx
    0x75, 0xe8, // jnz the start
];

/// Recursive Fibonacci, over and over.
const CALLS: &[u8] = &[
    0xbf, 0x14, 0x00, 0x00, 0x00, // mov edi, 20
    0xe8, 0x02, 0x00, 0x00, 0x00, // call fib
    0xeb, 0xf4, // jmp the start
    // fib:
    0x83, 0xff, 0x02, // cmp edi, 2
    0x73, 0x03, // jae over
    0x89, 0xf8, // mov eax, edi
    0xc3, // ret
    0x57, // over: push rdi
    0xff, 0xcf, // dec edi
    0xe8, 0xf0, 0xff, 0xff, 0xff, // call fib
    0x5f, // pop rdi
    0x50, // push rax
    0x83, 0xef, 0x02, // sub edi, 2
    0xe8, 0xe6, 0xff, 0xff, 0xff, // call fib
    0x5a, // pop rdx
    0x01, 0xd0, // add eax, edx
    0xc3, // ret
];

fn processor(code: &[u8]) -> Option<Box<Cpu>> {
    let mut cpu = bare(Bits::Long64, 1 << 20).ok()?;
    let memory = cpu.mmu.memory();
    memory.load_image(PhysicalAddress(0x1000), code).ok()?;
    cpu.state.rip = 0x1000;
    cpu.state.set_gpr(Gpr::Rdx, u64::MAX);
    cpu.state.set_gpr(Gpr::Rsi, 0x10000);
    cpu.state.set_gpr(Gpr::Rdi, 0x20000);
    cpu.state.set_gpr(Gpr::Rsp, 0x80000);
    Some(cpu)
}

fn run(name: &str, code: &[u8]) {
    let mut rates = [0.0f64; 2];
    for _ in 0..3 {
        for (rate, count, compiles) in [(0, 100_000_000, false), (1, 1_000_000_000, true)] {
            let Some(mut cpu) = processor(code) else {
                println!("{name}: no memory");
                return;
            };
            let mut engine: Box<dyn Engine> = if compiles {
                match Jit::new(&cpu, Options::default()) {
                    Ok(jit) => Box::new(jit),
                    Err(why) => {
                        println!("{why}");
                        return;
                    }
                }
            } else {
                Box::new(Interpreter::new(&cpu))
            };
            let start = Instant::now();
            let stop = engine.run(&mut cpu, count);
            let seconds = start.elapsed().as_secs_f64();
            assert_eq!(stop, Stop::Budget, "{name} runs for ever");
            rates[rate] = rates[rate].max(count as f64 / seconds / 1e6);
        }
    }
    let [interpreted, compiled] = rates;
    println!(
        "{name}: interpreted {interpreted:.0}, compiled {compiled:.0} M instructions a second, {:.1} times",
        compiled / interpreted
    );
}

fn main() {
    run("arithmetic", ARITHMETIC);
    run("loads and stores", LOADS);
    run("calls", CALLS);
}
