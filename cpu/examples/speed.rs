//! How many guest instructions a second the interpreter runs:
//! `cargo run --release -p rax-cpu --example speed`.
#![expect(clippy::print_stdout, reason = "a measurement")]

use std::time::Instant;

use rax_cpu::state::Gpr;
use rax_cpu::testing::{Bits, bare};
use rax_cpu::{Engine, Interpreter, Stop};
use rax_mmu::PhysicalAddress;

/// A loop of arithmetic in registers: add, xor, rol, lea, cmp, jcc.
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

fn run(name: &str, code: &[u8]) {
    let mut best = 0.0f64;
    for _ in 0..5 {
        let Ok(mut cpu) = bare(Bits::Long64, 1 << 20) else {
            println!("{name}: no memory");
            return;
        };
        if cpu
            .mmu
            .memory()
            .load_image(PhysicalAddress(0x1000), code)
            .is_err()
        {
            return;
        }
        cpu.state.rip = 0x1000;
        cpu.state.set_gpr(Gpr::Rdx, u64::MAX);
        cpu.state.set_gpr(Gpr::Rsi, 0x10000);
        cpu.state.set_gpr(Gpr::Rdi, 0x20000);
        let mut interpreter = Interpreter::new(&cpu);
        let start = Instant::now();
        let stop = interpreter.run(&mut cpu, 200_000_000);
        let seconds = start.elapsed().as_secs_f64();
        assert_eq!(stop, Stop::Budget, "{name} runs for ever");
        best = best.max(cpu.state.instructions as f64 / seconds / 1e6);
    }
    println!("{name}: {best:.0} M instructions a second");
}

/// Blocks of eight instructions, far more than the host's caches hold, each jumping
/// to another in a random cycle.
fn cold() -> Vec<u8> {
    const BLOCKS: usize = 14_000;
    /// Seven times `lea rax, [rax+rbx+1]`, then `jmp rel32`.
    const BODY: [u8; 5] = [0x48, 0x8d, 0x44, 0x18, 0x01];
    const BYTES: usize = 7 * BODY.len() + 5;
    let mut order: Vec<usize> = (1..BLOCKS).collect();
    let mut seed = 1u64;
    for n in (1..order.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        order.swap(n, (seed >> 33) as usize % (n + 1));
    }
    let mut next = vec![0; BLOCKS];
    let mut at = 0;
    for block in order {
        next[at] = block;
        at = block;
    }
    let mut code = Vec::new();
    for (block, target) in next.into_iter().enumerate() {
        for _ in 0..7 {
            code.extend(BODY);
        }
        let from = ((block + 1) * BYTES) as i64;
        code.push(0xe9);
        code.extend((((target * BYTES) as i64 - from) as i32).to_le_bytes());
    }
    code
}

fn main() {
    run("arithmetic", ARITHMETIC);
    run("loads and stores", LOADS);
    run("many cold blocks", &cold());
}
