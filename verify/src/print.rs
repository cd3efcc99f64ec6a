//! Puts cases and mismatches into words.

use std::fmt::Write;

use iced_x86::{Formatter, IntelFormatter};

use crate::case::{Case, DATA, DATA_BYTES, READ_ONLY_BYTES, Registers};
use crate::compare::{GPR, describe_flags};
use crate::generate::{operand_address, used_memory};
use crate::session::Mismatch;
use crate::undefined::flow;

/// How many bytes of memory around an operand are shown at most.
const MOST_SHOWN: usize = 32;

/// Bytes in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let words: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    words.join(" ")
}

/// The instructions of a case, each with its bytes.
#[must_use]
pub fn disassembly(case: &Case) -> Vec<String> {
    let mut formatter = IntelFormatter::new();
    let mut at = 0;
    let mut lines: Vec<_> = flow::instructions(case)
        .iter()
        .map(|instruction| {
            let end = (at + instruction.len()).min(case.code.len());
            let bytes = &case.code[at..end];
            at = end;
            let mut text = String::new();
            formatter.format(instruction, &mut text);
            format!("{:#x}  {:<24} {text}", instruction.ip(), hex(bytes))
        })
        .collect();
    if at < case.code.len() {
        lines.push(format!("{:<12}{}", "", hex(&case.code[at..])));
    }
    lines
}

/// What a case starts from, as far as it is not plain or is used.
#[must_use]
pub fn start(case: &Case) -> Vec<String> {
    let registers = &case.registers;
    let mut words = Vec::new();
    for (name, value) in GPR.iter().zip(registers.gpr) {
        if value != 0 {
            words.push(format!("{name}={value:#x}"));
        }
    }
    if registers.rflags != 0x202 {
        words.push(format!("rflags={}", describe_flags(registers.rflags)));
    }
    for (name, base) in [
        ("fs_base", registers.fs_base),
        ("gs_base", registers.gs_base),
    ] {
        if base != 0 {
            words.push(format!("{name}={base:#x}"));
        }
    }
    if registers.mxcsr != 0x1f80 {
        words.push(format!("mxcsr={:#x}", registers.mxcsr));
    }
    x87(registers, &mut words);
    for (number, [a, b, c, d]) in registers.ymm.iter().enumerate() {
        if [*a, *b, *c, *d] != [0; 4] {
            words.push(format!("ymm{number}={d:016x}_{c:016x}_{b:016x}_{a:016x}"));
        }
    }
    words.extend(memory(case));
    words
}

fn x87(registers: &Registers, words: &mut Vec<String>) {
    let unit = &registers.x87;
    if unit.control != 0x37f {
        words.push(format!("fcw={:#x}", unit.control));
    }
    if unit.status != 0 {
        words.push(format!("fsw={:#x}", unit.status));
    }
    if unit.tag != 0 {
        words.push(format!("ftw={:#x}", unit.tag));
    }
    for (place, value) in unit.st.iter().enumerate() {
        if *value != 0 {
            words.push(format!("st{place}={value:020x}"));
        }
    }
}

/// Memory around the operands.
fn memory(case: &Case) -> Vec<String> {
    let mut contents = vec![0; DATA_BYTES + READ_ONLY_BYTES];
    case.fill(&mut contents);
    let instructions = flow::instructions(case);
    let operands = instructions.iter().flat_map(used_memory);
    let mut words: Vec<_> = operands
        .filter_map(|operand| {
            let at = operand_address(case, &operand)?;
            let start = usize::try_from(at.wrapping_sub(DATA)).ok()?;
            let size = operand.memory_size().size().clamp(1, MOST_SHOWN);
            let end = start.checked_add(size)?.min(contents.len());
            let bytes = contents.get(start..end)?;
            Some(format!("[{at:#x}]={}", hex(bytes)))
        })
        .collect();
    words.dedup();
    words
}

/// The command that runs a case again.
#[must_use]
pub fn command(mismatch: &Mismatch) -> Option<String> {
    let number = mismatch.number?;
    let (name, seed) = (&mismatch.form.name, mismatch.seed);
    let mut command = format!("rax verify {name} --seed {seed} --case {number}");
    if let Some(engine) = mismatch.engine {
        let _ = write!(command, " --engine {engine}");
    }
    Some(command)
}

/// All that is to be said of a mismatch.
#[must_use]
pub fn mismatch(mismatch: &Mismatch) -> String {
    let mut text = format!(
        "mismatch: {} ({})\n",
        mismatch.form.syntax, mismatch.form.name
    );
    let mut section = |title: &str, lines: &[String]| {
        for (number, line) in lines.iter().enumerate() {
            let title = if number == 0 { title } else { "" };
            let _ = writeln!(text, "  {title:<10}{line}");
        }
    };
    section("code", &disassembly(&mismatch.case));
    section("start", &start(&mismatch.case));
    let differences = mismatch.differences.iter();
    let [expected, got]: [Vec<_>; 2] = [
        differences
            .clone()
            .map(|d| format!("{} = {}", d.place, d.expected))
            .collect(),
        differences
            .map(|d| format!("{} = {}", d.place, d.got))
            .collect(),
    ];
    section("expected", &expected);
    section("got", &got);
    section("again", &command(mismatch).into_iter().collect::<Vec<_>>());
    text
}
