//! `rax_cpu::float` against the processor it runs on: results and flags, SSE and x87, in every mode.
//!
//! `RAX_FLOAT_CASES` sets the number of random cases for each operation.
#![cfg(target_arch = "x86_64")]
#![expect(
    unsafe_code,
    reason = "runs the host's own floating-point instructions"
)]

#[path = "float_host/sse.rs"]
mod sse;
#[path = "float_host/transcendental.rs"]
mod transcendental;
#[path = "float_host/trap.rs"]
mod trap;
#[path = "float_host/x87.rs"]
mod x87;

use std::fmt::Debug;

use rax_cpu::float::F80;

/// Whether the host is an Intel processor, the reference for what the manual leaves open: x87 corner cases and
/// transcendentals, estimates, and which flags a trap reports. Others are compared on masked SSE only.
fn is_reference() -> bool {
    let leaf = std::arch::x86_64::__cpuid(0);
    [leaf.ebx, leaf.edx, leaf.ecx]
        .map(u32::to_le_bytes)
        .concat()
        == b"GenuineIntel"
}

/// How many cases each operation gets.
fn cases() -> u64 {
    std::env::var("RAX_FLOAT_CASES")
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(60_000)
}

/// A small random generator (xorshift64*).
struct Random(u64);

impl Random {
    fn new(name: &str) -> Self {
        Self(name.bytes().fold(0x9e37_79b9_7f4a_7c15, |seed, byte| {
            (seed ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        }))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    /// A significand field of `width` bits: often with long runs of equal bits.
    fn fraction(&mut self, width: u32) -> u64 {
        let all = u64::MAX >> (64 - width);
        let run = (all >> self.below(u64::from(width))) & all;
        let value = match self.below(8) {
            0 => 0,
            1 => all,
            2 => 1 << self.below(u64::from(width)),
            3 => run,
            4 => !run,
            5 => run ^ (1 << self.below(u64::from(width))),
            6 => self.next() << self.below(u64::from(width)),
            _ => self.next(),
        };
        value & all
    }

    /// An exponent field: often at the ends, in the middle or near another one.
    fn exponent(&mut self, max: u64, near: u64) -> u64 {
        let bias = max >> 1;
        match self.below(8) {
            0 => self.below(3),
            1 => max - self.below(3),
            2 | 3 => (near + self.below(140)).wrapping_sub(70) & max,
            4 | 5 => (near + 3).wrapping_sub(self.below(7)) & max,
            6 => (bias + self.below(140)).wrapping_sub(70) & max,
            _ => self.below(max + 1),
        }
    }

    fn bits(&mut self, fraction: u32, exponent: u32, near: u64) -> u64 {
        let max = (1 << exponent) - 1;
        let sign = self.below(2) << (fraction + exponent);
        let field = self.exponent(max, (near >> fraction) & max) << fraction;
        sign | field | self.fraction(fraction)
    }

    fn f32(&mut self, near: u32) -> u32 {
        self.bits(23, 8, u64::from(near)) as u32
    }

    fn f64(&mut self, near: u64) -> u64 {
        self.bits(52, 11, near)
    }

    fn f80(&mut self, near: F80) -> F80 {
        let field = self.exponent(0x7fff, u64::from(near.sign_exponent & 0x7fff));
        let integer = u64::from(field != 0) ^ u64::from(self.below(16) == 0);
        let sign_exponent = (field | self.below(2) << 15) as u16;
        F80 {
            sign_exponent,
            significand: self.fraction(63) | integer << 63,
        }
    }
}

/// Counts what differs and shows the first of it.
struct Report {
    name: &'static str,
    wrong: u64,
    shown: String,
}

impl Report {
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            wrong: 0,
            shown: String::new(),
        }
    }

    fn check<T: PartialEq + Debug>(&mut self, ours: &T, host: &T, case: impl FnOnce() -> String) {
        if ours != host {
            self.wrong += 1;
            if self.wrong <= 12 {
                self.shown += &format!("\n  {}\n    ours {ours:x?}\n    host {host:x?}", case());
            }
        }
    }

    fn finish(self, failures: &mut Vec<String>) {
        if self.wrong != 0 {
            failures.push(format!(
                "{}: {} differ{}",
                self.name, self.wrong, self.shown
            ));
        }
    }
}

fn assert_none(failures: &[String]) {
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
