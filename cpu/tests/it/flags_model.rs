//! Arithmetic and its flags against a model that adds and shifts bit by bit: all
//! operands of eight bits, random ones of the other widths.

use rax_cpu::rflags::Rflags;
use rax_cpu::state::Gpr;
use rax_cpu::testing::{Bits, bare};
use rax_cpu::{Cpu, Interpreter};
use rax_mmu::PhysicalAddress;

use crate::random::{Random, cases};

/// What an operation makes of two numbers and CF; flags the manual defines.
struct Outcome {
    result: u64,
    flags: Rflags,
    defined: Rflags,
}

fn bit(value: u64, n: u32) -> bool {
    value >> n & 1 != 0
}

/// SF, ZF and PF of a result.
fn of_result(bits: u32, result: u64) -> Rflags {
    let mut flags = Rflags::empty();
    flags.set(Rflags::SF, bit(result, bits - 1));
    flags.set(Rflags::ZF, (0..bits).all(|n| !bit(result, n)));
    let ones = (0..8).filter(|&n| bit(result, n)).count();
    flags.set(Rflags::PF, ones % 2 == 0);
    flags
}

/// A row of full adders; subtraction adds the complement and turns the carries over.
fn add(bits: u32, a: u64, b: u64, carry_in: bool, subtract: bool) -> Outcome {
    let mut carry = carry_in != subtract;
    let (mut result, mut adjust, mut into_top) = (0, false, false);
    for n in 0..bits {
        let (x, y) = (bit(a, n), bit(b, n) != subtract);
        result |= u64::from(x ^ y ^ carry) << n;
        if n == bits - 1 {
            into_top = carry;
        }
        carry = (x && y) || (carry && (x || y));
        if n == 3 {
            adjust = carry;
        }
    }
    let mut flags = of_result(bits, result);
    flags.set(Rflags::CF, carry != subtract);
    flags.set(Rflags::AF, adjust != subtract);
    flags.set(Rflags::OF, into_top != carry);
    Outcome {
        result,
        flags,
        defined: Rflags::STATUS,
    }
}

/// Shifts and rotates, one place at a time.
fn shift(op: u8, bits: u32, value: u64, count: u32, before: Rflags) -> Outcome {
    let top = bits - 1;
    let mut carry = before.contains(Rflags::CF);
    let mut now = value;
    for _ in 0..count {
        let (low, high) = (bit(now, 0), bit(now, top));
        let left = |fill: bool| now << 1 & (u64::MAX >> (63 - top)) | u64::from(fill);
        let right = |fill: bool| now >> 1 | u64::from(fill) << top;
        (now, carry) = match op {
            0 => (left(high), high),
            1 => (right(low), low),
            2 => (left(carry), high),
            3 => (right(carry), low),
            4 | 6 => (left(false), high),
            5 => (right(false), low),
            _ => (right(high), low),
        };
    }
    if count == 0 {
        return Outcome {
            result: value,
            flags: before & Rflags::STATUS,
            defined: Rflags::STATUS,
        };
    }
    let mut flags = before & Rflags::STATUS;
    let mut defined = Rflags::STATUS;
    if op >= 4 {
        flags = of_result(bits, now);
        defined.remove(Rflags::AF);
    }
    flags.set(Rflags::CF, carry);
    let overflow = match op {
        0 | 2 | 4 | 6 => bit(now, top) != carry,
        1 | 3 => bit(now, top) != bit(now, top - 1),
        5 => bit(value, top),
        _ => false,
    };
    flags.set(Rflags::OF, overflow);
    if count != 1 {
        defined.remove(Rflags::OF);
    }
    if matches!(op, 4..=6) && count > bits {
        // SHL and SHR by more than the width.
        defined.remove(Rflags::CF);
    }
    Outcome {
        result: now,
        flags,
        defined,
    }
}

/// One instruction, executed over and over: AX and the like by BX and the like.
struct Bench {
    cpu: Box<Cpu>,
    interpreter: Interpreter,
    bits: u32,
}

impl Bench {
    fn new() -> Self {
        let cpu = bare(Bits::Long64, 0x1_0000).unwrap();
        let interpreter = Interpreter::new(&cpu);
        Self {
            cpu,
            interpreter,
            bits: 8,
        }
    }

    /// An opcode whose low bit says whether it is wider than a byte.
    fn place(&mut self, bits: u32, opcode: u8, modrm: u8) {
        self.bits = bits;
        let mut code: Vec<u8> = match bits {
            16 => vec![0x66],
            64 => vec![0x48],
            _ => vec![],
        };
        code.extend([opcode | u8::from(bits != 8), modrm]);
        let memory = self.cpu.mmu.memory();
        memory.ram_write(PhysicalAddress(0x1000), &code).unwrap();
        // A fresh interpreter: nobody told the old one.
        self.interpreter = Interpreter::new(&self.cpu);
    }

    /// Runs it and compares with the model.
    fn check(&mut self, name: &str, (a, b): (u64, u64), before: Rflags, model: &Outcome) {
        let cpu = &mut self.cpu;
        cpu.state.set_gpr(Gpr::Rax, a);
        cpu.state.set_gpr(Gpr::Rbx, b);
        cpu.state.set_gpr(Gpr::Rcx, b);
        cpu.state.set_rflags(before);
        cpu.state.rip = 0x1000;
        self.interpreter.execute_one(cpu).unwrap();
        let result = cpu.state.gpr(Gpr::Rax) & (u64::MAX >> (64 - self.bits));
        let flags = cpu.state.rflags() & model.defined;
        assert!(
            result == model.result && flags == model.flags & model.defined,
            "{name} {} bits {a:x} {b:x} {before:?}: {result:x} {flags:?}, model {:x} {:?}",
            self.bits,
            model.result,
            model.flags & model.defined
        );
    }
}

const CARRY: [Rflags; 2] = [Rflags::empty(), Rflags::CF];

/// All pairs of bytes, or random ones of a width.
fn pairs(bits: u32) -> Vec<(u64, u64)> {
    if bits == 8 {
        return (0..0x1_0000).map(|both| (both >> 8, both & 0xff)).collect();
    }
    let mut random = Random(u64::from(bits));
    let mask = u64::MAX >> (64 - bits);
    (0..cases(5000))
        .map(|_| (random.value(0x1_0000) & mask, random.value(0x1_0000) & mask))
        .collect()
}

#[test]
fn sums_and_differences_follow_from_full_adders() {
    let mut bench = Bench::new();
    let ops = [
        ("add", 0x00, false, false),
        ("adc", 0x10, true, false),
        ("sub", 0x28, false, true),
        ("sbb", 0x18, true, true),
    ];
    for bits in [8, 16, 32, 64] {
        for (name, opcode, with_carry, subtract) in ops {
            bench.place(bits, opcode, 0xd8);
            for (a, b) in pairs(bits) {
                for before in CARRY {
                    let carry = with_carry && before == Rflags::CF;
                    let model = add(bits, a, b, carry, subtract);
                    bench.check(name, (a, b), before, &model);
                }
            }
        }
    }
}

#[test]
fn increments_and_negation_follow_from_full_adders() {
    let mut bench = Bench::new();
    for bits in [8, 16, 32, 64] {
        for (name, opcode, modrm) in [
            ("inc", 0xfe, 0xc0),
            ("dec", 0xfe, 0xc8),
            ("neg", 0xf6, 0xd8),
        ] {
            bench.place(bits, opcode, modrm);
            for (a, b) in pairs(bits) {
                for before in CARRY {
                    let mut model = match name {
                        "inc" => add(bits, a, 1, false, false),
                        "dec" => add(bits, a, 1, false, true),
                        _ => add(bits, 0, a, false, true),
                    };
                    if name != "neg" {
                        model.flags.set(Rflags::CF, before == Rflags::CF);
                    }
                    bench.check(name, (a, b), before, &model);
                }
            }
        }
    }
}

#[test]
fn shifts_and_rotates_follow_from_single_places() {
    let mut bench = Bench::new();
    let names = ["rol", "ror", "rcl", "rcr", "shl", "shr", "sal", "sar"];
    let mut random = Random(3);
    for bits in [8, 16, 32, 64] {
        let values: Vec<_> = pairs(bits).into_iter().map(|(a, _)| a).collect();
        let values: Vec<_> = if bits == 8 {
            (0..256).collect()
        } else {
            values
        };
        let values = &values[..values.len().min(cases(1000) as usize)];
        for (op, name) in names.into_iter().enumerate() {
            bench.place(bits, 0xd2, 0xc0 | (op as u8) << 3);
            for &value in values {
                let counts = if bits == 8 { 0..64 } else { 0..8 };
                for count in counts {
                    let count = if bits == 8 { count } else { random.below(256) };
                    let masked = count as u32 & if bits == 64 { 63 } else { 31 };
                    for before in CARRY {
                        let model = shift(op as u8, bits, value, masked, before);
                        bench.check(name, (value, count), before, &model);
                    }
                }
            }
        }
    }
}
