//! One instruction tested as one line of data; `tests/vectors/README.md` is the grammar.

use std::fmt::Write as _;

use rax_cpu::float::F80;
use rax_cpu::rflags::Rflags;
use rax_cpu::segment::{Attributes, SegmentRegister};
use rax_cpu::state::Gpr;
use rax_cpu::testing::{Bits, bare_model};
use rax_cpu::{Cpu, CpuState, Interpreter, Model};
use rax_mmu::PhysicalAddress;

/// Where the instruction stands.
const CODE: u64 = 0x1000;
/// Bytes of RAM, from zero.
pub(crate) const RAM: usize = 0x1_0000;

/// A parsed line.
#[derive(Debug)]
pub(crate) struct Case<'a> {
    model: &'a str,
    bits: Bits,
    bytes: Vec<u8>,
    before: Vec<(&'a str, &'a str)>,
    after: Vec<(&'a str, &'a str)>,
    exception: Option<&'a str>,
}

impl<'a> Case<'a> {
    /// Takes a line apart; the error says what is wrong with it.
    pub(crate) fn parse(line: &'a str) -> Result<Self, String> {
        let (head, after) = line.split_once("=>").ok_or("no =>")?;
        let (code, before) = head.split_once('|').ok_or("no |")?;
        let (mode, code) = code.split_once(':').unwrap_or(("64", code));
        let (mode, model) = mode.split_once('@').unwrap_or((mode, "max"));
        let (bits, model) = (mode_of(mode.trim())?, model.trim());
        let bytes = code
            .split_whitespace()
            .map(|byte| u8::from_str_radix(byte, 16).map_err(|e| format!("{byte}: {e}")))
            .collect::<Result<Vec<_>, _>>()?;
        let mut case = Case {
            model,
            bits,
            bytes,
            before: pairs(before)?,
            after: Vec::new(),
            exception: None,
        };
        let (exception, after) = match after.trim().split_once(' ') {
            Some((first, rest)) if first.starts_with('#') => (Some(first), rest),
            None if after.trim().starts_with('#') => (Some(after.trim()), ""),
            _ => (None, after),
        };
        case.exception = exception;
        case.after = pairs(after)?;
        Ok(case)
    }
}

fn mode_of(mode: &str) -> Result<Bits, String> {
    match mode {
        "16" => Ok(Bits::Real),
        "32" => Ok(Bits::Protected32),
        "64" => Ok(Bits::Long64),
        _ => Err(format!("{mode}: the mode is 16, 32 or 64")),
    }
}

fn pairs(text: &str) -> Result<Vec<(&str, &str)>, String> {
    text.split_whitespace()
        .map(|word| word.split_once('=').ok_or_else(|| format!("{word}: no =")))
        .collect()
}

fn number(text: &str) -> Result<u64, String> {
    u64::from_str_radix(text, 16).map_err(|e| format!("{text}: {e}"))
}

/// A processor, the interpreter that knows its code, and what its RAM should hold.
struct Bench {
    cpu: Box<Cpu>,
    interpreter: Interpreter,
    fresh: CpuState,
}

/// One processor for each model and mode, used for one case after another.
#[derive(Default)]
pub(crate) struct Benches {
    made: Vec<((String, Bits), Bench)>,
}

impl Benches {
    fn of(&mut self, model: &str, bits: Bits) -> Result<&mut Bench, String> {
        let known = Model::named(model).ok_or_else(|| format!("{model}: no such model"))?;
        let is_it = |made: &(String, Bits)| made.0 == model && made.1 == bits;
        let place = self.made.iter().position(|(made, _)| is_it(made));
        let place = place.unwrap_or_else(|| {
            let cpu = bare_model(known, bits, RAM as u64).unwrap();
            let interpreter = Interpreter::new(&cpu);
            let fresh = fresh(&cpu.state, bits);
            let bench = Bench {
                cpu,
                interpreter,
                fresh,
            };
            self.made.push(((model.to_owned(), bits), bench));
            self.made.len() - 1
        });
        Ok(&mut self.made[place].1)
    }

    /// Runs a case; the error lists what came out otherwise.
    pub(crate) fn check(&mut self, case: &Case<'_>) -> Result<(), String> {
        let bench = self.of(case.model, case.bits)?;
        let mut before = Picture {
            state: bench.fresh.clone(),
            ram: vec![0; RAM],
        };
        before.ram[CODE as usize..][..case.bytes.len()].copy_from_slice(&case.bytes);
        for (name, value) in &case.before {
            before.set(name, value)?;
        }
        let mut expected = before.clone();
        if case.exception.is_none() {
            expected.state.rip = CODE + case.bytes.len() as u64;
        }
        let mut unknown = Rflags::empty();
        for (name, value) in &case.after {
            match (flag(name), *value) {
                (Some(flag), "?") => unknown |= flag,
                _ => expected.set(name, value)?,
            }
        }
        let (found, exception) = bench.run(&before, &case.bytes);
        if case.exception.map(str::to_owned) != exception {
            let wanted = case.exception.unwrap_or("no exception");
            let got = exception.as_deref().unwrap_or("no exception");
            return Err(format!("expected {wanted}, got {got}"));
        }
        found.compare(&expected, unknown)
    }
}

impl Bench {
    fn run(&mut self, before: &Picture, bytes: &[u8]) -> (Picture, Option<String>) {
        let cpu = &mut self.cpu;
        cpu.mmu
            .memory()
            .ram_write(PhysicalAddress(0), &before.ram)
            .unwrap();
        cpu.state = before.state.clone();
        cpu.update_mode();
        cpu.mmu.flush_all();
        // A repeated string instruction takes one step a call.
        let repeats = bytes.iter().any(|byte| matches!(byte, 0xf2 | 0xf3));
        let mut exception = None;
        for _ in 0..if repeats { 100 } else { 1 } {
            match self.interpreter.execute_one(cpu) {
                Ok(()) if cpu.state.rip == before.state.rip => {}
                Ok(()) => break,
                Err(raised) => {
                    exception = Some(describe(raised));
                    break;
                }
            }
        }
        let mut found = Picture {
            state: cpu.state.clone(),
            ram: vec![0; RAM],
        };
        cpu.mmu
            .memory()
            .ram_read(PhysicalAddress(0), &mut found.ram)
            .unwrap();
        (found, exception)
    }
}

/// The manual's name, with the error code if it has one: `#GP(0)`.
fn describe(exception: rax_cpu::Exception) -> String {
    let name = match exception.vector() {
        0 => "#DE",
        1 => "#DB",
        3 => "#BP",
        4 => "#OF",
        5 => "#BR",
        6 => "#UD",
        7 => "#NM",
        8 => "#DF",
        10 => "#TS",
        11 => "#NP",
        12 => "#SS",
        13 => "#GP",
        14 => "#PF",
        16 => "#MF",
        17 => "#AC",
        _ => "#XM",
    };
    match exception.error_code() {
        Some(code) => format!("{name}({code:x})"),
        None => name.to_owned(),
    }
}

/// The state every case starts from: no two registers alike.
fn fresh(state: &CpuState, bits: Bits) -> CpuState {
    let mut state = state.clone();
    for (n, register) in Gpr::ALL.into_iter().enumerate() {
        let value = 0x8182_8384_8586_8780 | (n as u64 * 0x0101_0101_0101_0101);
        let value = if bits == Bits::Long64 {
            value
        } else {
            value & 0xffff_ffff
        };
        state.set_gpr(register, value);
    }
    state.set_gpr(Gpr::Rsp, 0x8000);
    for (n, vector) in state.vectors.iter_mut().enumerate() {
        vector.0 = [0, 1, 2, 3].map(|part| 0x1111_2222_3333_4400 + (n as u64) * 16 + part);
    }
    state.rip = CODE;
    state
}

/// A state and the RAM beside it.
#[derive(Clone)]
struct Picture {
    state: CpuState,
    ram: Vec<u8>,
}

const NAMES: [[&str; 3]; 16] = [
    ["rax", "eax", "ax"],
    ["rcx", "ecx", "cx"],
    ["rdx", "edx", "dx"],
    ["rbx", "ebx", "bx"],
    ["rsp", "esp", "sp"],
    ["rbp", "ebp", "bp"],
    ["rsi", "esi", "si"],
    ["rdi", "edi", "di"],
    ["r8", "r8d", "r8w"],
    ["r9", "r9d", "r9w"],
    ["r10", "r10d", "r10w"],
    ["r11", "r11d", "r11w"],
    ["r12", "r12d", "r12w"],
    ["r13", "r13d", "r13w"],
    ["r14", "r14d", "r14w"],
    ["r15", "r15d", "r15w"],
];

const BYTES: [&str; 16] = [
    "al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil", "r8b", "r9b", "r10b", "r11b", "r12b",
    "r13b", "r14b", "r15b",
];

const SEGMENTS: [&str; 6] = ["es", "cs", "ss", "ds", "fs", "gs"];

fn flag(name: &str) -> Option<Rflags> {
    Some(match name {
        "cf" => Rflags::CF,
        "pf" => Rflags::PF,
        "af" => Rflags::AF,
        "zf" => Rflags::ZF,
        "sf" => Rflags::SF,
        "tf" => Rflags::TF,
        "if" => Rflags::IF,
        "df" => Rflags::DF,
        "of" => Rflags::OF,
        "nt" => Rflags::NT,
        "rf" => Rflags::RF,
        "vm" => Rflags::VM,
        "ac" => Rflags::AC,
        "vif" => Rflags::VIF,
        "vip" => Rflags::VIP,
        "id" => Rflags::ID,
        _ => return None,
    })
}

impl Picture {
    /// Sets what a word of the line names.
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        if let Some(address) = name.strip_prefix('[') {
            let address = number(address.strip_suffix(']').ok_or("no ]")?)?;
            return self.set_memory(address as usize, value);
        }
        if let Some(n) = numbered(name, "xmm") {
            let all = u128::from_str_radix(value, 16).map_err(|e| format!("{value}: {e}"))?;
            let vector = self.state.vectors.get_mut(n).ok_or("no such register")?;
            (vector.0[0], vector.0[1]) = (all as u64, (all >> 64) as u64);
            return Ok(());
        }
        if let Some(n) = numbered(name, "ymm") {
            let (high, low) = value.split_at(value.len().saturating_sub(32));
            let vector = self.state.vectors.get_mut(n).ok_or("no such register")?;
            for (half, digits) in vector.0.as_chunks_mut::<2>().0.iter_mut().zip([low, high]) {
                let digits = if digits.is_empty() { "0" } else { digits };
                let bits = u128::from_str_radix(digits, 16).map_err(|e| format!("{value}: {e}"))?;
                *half = [bits as u64, (bits >> 64) as u64];
            }
            return Ok(());
        }
        let bits = number(value)?;
        if let Some(flag) = flag(name) {
            let mut flags = self.state.rflags();
            flags.set(flag, bits != 0);
            self.state.set_rflags(flags);
        } else if !self.set_gpr(name, bits) && !self.set_segment(name, bits) {
            self.set_other(name, bits)?;
        }
        Ok(())
    }

    /// The digits are as many as the bytes written; the number stands little-endian.
    fn set_memory(&mut self, address: usize, value: &str) -> Result<(), String> {
        let bytes = (0..value.len() / 2)
            .rev()
            .map(|n| value.get(2 * n..2 * n + 2).ok_or("digits in pairs"))
            .map(|pair| number(pair?).map(|byte| byte as u8))
            .collect::<Result<Vec<_>, _>>()?;
        let place = self.ram.get_mut(address..address + bytes.len());
        place.ok_or("beyond RAM")?.copy_from_slice(&bytes);
        Ok(())
    }

    fn set_gpr(&mut self, name: &str, bits: u64) -> bool {
        let high = ["ah", "ch", "dh", "bh"].iter().position(|n| *n == name);
        if let Some(n) = high {
            self.state.gpr[n] = self.state.gpr[n] & !0xff00 | (bits & 0xff) << 8;
        } else if let Some(n) = BYTES.iter().position(|n| *n == name) {
            self.state.gpr[n] = self.state.gpr[n] & !0xff | bits & 0xff;
        } else if let Some(n) = NAMES.iter().position(|names| names.contains(&name)) {
            self.state.gpr[n] = match NAMES[n].iter().position(|n| *n == name) {
                Some(0) => bits,
                Some(1) => bits & 0xffff_ffff,
                _ => self.state.gpr[n] & !0xffff | bits & 0xffff,
            };
        } else {
            return false;
        }
        true
    }

    /// `ds=` is the selector; `ds.base=`, `ds.limit=` and `ds.type=` the hidden part.
    fn set_segment(&mut self, name: &str, bits: u64) -> bool {
        let (register, part) = name.split_once('.').unwrap_or((name, ""));
        let Some(n) = SEGMENTS.iter().position(|n| *n == register) else {
            return false;
        };
        let segment = &mut self.state.segments[SegmentRegister::ALL[n] as usize];
        match part {
            "" => segment.selector = bits as u16,
            "base" => segment.base = bits,
            "limit" => segment.limit = bits as u32,
            "type" => segment.attributes = Attributes::from_bits_retain(bits as u16),
            _ => return false,
        }
        true
    }

    fn set_other(&mut self, name: &str, bits: u64) -> Result<(), String> {
        let state = &mut self.state;
        match name {
            "rip" | "eip" | "ip" => state.rip = bits,
            "cpl" => state.cpl = bits as u8,
            "iopl" => {
                let flags = state.rflags() & !Rflags::IOPL;
                state.set_rflags(flags | Rflags::from_bits_retain(bits << 12));
            }
            "cr0" => state.cr0 = bits,
            "cr2" => state.cr2 = bits,
            "cr3" => state.cr3 = bits,
            "cr4" => state.cr4 = bits,
            "cr8" => state.cr8 = bits,
            "xcr0" => state.xcr0 = bits,
            "dr7" => state.dr[7] = bits,
            "mxcsr" => state.mxcsr = bits as u32,
            "fcw" => state.fpu.control = bits as u16,
            "fsw" => state.fpu.status = bits as u16,
            "ftw" => state.fpu.in_use = bits as u8,
            "gdtr.base" => state.gdtr.base = bits,
            "gdtr.limit" => state.gdtr.limit = bits as u16,
            "idtr.base" => state.idtr.base = bits,
            "idtr.limit" => state.idtr.limit = bits as u16,
            _ => {
                let n = numbered(name, "mm").ok_or_else(|| format!("{name}: unknown"))?;
                let register = state.fpu.registers.get_mut(n).ok_or("no such register")?;
                *register = F80 {
                    sign_exponent: 0xffff,
                    significand: bits,
                };
            }
        }
        Ok(())
    }

    /// Compares; the error lists every difference.
    fn compare(&self, expected: &Self, unknown: Rflags) -> Result<(), String> {
        let mut said = String::new();
        let mut differ = |name: &str, wanted: u64, got: u64| {
            if wanted != got {
                let _ = write!(said, "\n    {name}: expected {wanted:x}, got {got:x}");
            }
        };
        for (n, names) in NAMES.iter().enumerate() {
            differ(names[0], expected.state.gpr[n], self.state.gpr[n]);
        }
        differ("rip", expected.state.rip, self.state.rip);
        let flags = [expected, self].map(|picture| picture.state.rflags() & !unknown);
        if flags[0] != flags[1] {
            let _ = write!(
                said,
                "\n    flags: expected {:?}, got {:?}",
                flags[0], flags[1]
            );
        }
        for (place, (wanted, got)) in expected.ram.iter().zip(&self.ram).enumerate() {
            if wanted != got {
                let _ = write!(
                    said,
                    "\n    [{place:x}]: expected {wanted:02x}, got {got:02x}"
                );
            }
        }
        // What is compared above, or is no part of the outcome, is made alike.
        let mut rest = self.state.clone();
        rest.gpr = expected.state.gpr;
        rest.rip = expected.state.rip;
        rest.flags = expected.state.flags;
        rest.system_flags = expected.state.system_flags;
        rest.instructions = expected.state.instructions;
        if said.is_empty() && rest != expected.state {
            let _ = write!(
                said,
                "\n    other state: expected {:?}, got {rest:?}",
                expected.state
            );
        }
        if said.is_empty() { Ok(()) } else { Err(said) }
    }
}

fn numbered(name: &str, prefix: &str) -> Option<usize> {
    name.strip_prefix(prefix)?.parse().ok()
}
