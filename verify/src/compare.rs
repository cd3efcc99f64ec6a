//! Compares what two subjects made of a case.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::case::{Case, End, Outcome, X87};
use crate::undefined::{Excuse, TABLE, Vendor, excuse, excuse_without};

/// Something that is not as the reference has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Register, flag or address.
    pub place: String,
    /// What the reference has.
    pub expected: String,
    /// What the other has.
    pub got: String,
}

/// How two outcomes compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All that is defined is equal.
    Same,
    /// Equal but for the last place of a result that need not be more exact.
    Near,
    /// Something is not.
    Different(Vec<Difference>),
}

/// RF and bits that are not of the program.
const NOT_COMPARED: u64 = 1 << 16;
/// TOP in the x87 status word.
const TOP: u16 = 7 << 11;
/// Addresses from here on are the kernel's.
const KERNEL: u64 = 1 << 63;

/// Takes out of an outcome what is not the instruction's doing.
///
/// The pointers to the last x87 instruction (FOP, FIP, FDP) are among it: processors
/// differ in when they keep them (SDM 1, 8.1.8). So is P in the error code of a page
/// fault in the kernel's half, which Linux always sets lest a program learn what is mapped.
pub fn normalize(outcome: &mut Outcome) {
    let registers = &mut outcome.registers;
    registers.rflags &= !NOT_COMPARED;
    registers.x87.opcode = 0;
    registers.x87.instruction = 0;
    registers.x87.operand = 0;
    for register in &mut registers.x87.st {
        *register &= (1 << 80) - 1;
    }
    match &mut outcome.end {
        End::Exception {
            vector: 14,
            error_code,
            address,
        } if *address >= KERNEL => *error_code |= 1,
        End::Endless => {
            // Stopped anywhere.
            *registers = Default::default();
            outcome.stores.clear();
        }
        _ => {}
    }
}

/// Compares normalized outcomes.
#[must_use]
pub fn compare(case: &Case, expected: &Outcome, got: &Outcome, vendors: &[Vendor]) -> Verdict {
    if expected == got {
        return Verdict::Same;
    }
    compare_excusing(excuse(case, expected, vendors), expected, got)
}

/// The rows of the table, by number, without any one of which two outcomes of a single
/// instruction would differ.
pub(crate) fn rows_needed(
    case: &Case,
    expected: &Outcome,
    got: &Outcome,
    vendors: &[Vendor],
) -> Vec<usize> {
    if expected == got || case.instructions > 1 {
        return Vec::new();
    }
    let is_needed = |row: &usize| {
        let excuse = excuse_without(Some(*row), case, expected, vendors);
        matches!(
            compare_excusing(excuse, expected, got),
            Verdict::Different(_)
        )
    };
    (0..TABLE.len()).filter(is_needed).collect()
}

fn compare_excusing(excuse: Excuse, expected: &Outcome, got: &Outcome) -> Verdict {
    let mut comparison = Comparison {
        excuse,
        differences: Vec::new(),
        is_near: false,
    };
    comparison.end(&expected.end, &got.end);
    comparison.integer_registers(expected, got);
    comparison.x87(expected, got);
    comparison.vectors(expected, got);
    comparison.stores(expected, got);
    if !comparison.differences.is_empty() {
        Verdict::Different(comparison.differences)
    } else if comparison.is_near {
        Verdict::Near
    } else {
        Verdict::Same
    }
}

struct Comparison {
    excuse: Excuse,
    differences: Vec<Difference>,
    is_near: bool,
}

/// Names of the general-purpose registers, in encoding order.
pub(crate) const GPR: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
    "r14", "r15",
];

impl Comparison {
    fn note(&mut self, place: impl Into<String>, expected: String, got: String) {
        self.differences.push(Difference {
            place: place.into(),
            expected,
            got,
        });
    }

    fn number(&mut self, place: &str, expected: u64, got: u64) {
        if expected != got {
            self.note(place, format!("{expected:#x}"), format!("{got:#x}"));
        }
    }

    fn end(&mut self, expected: &End, got: &End) {
        if expected != got && !self.same_fault(expected, got) {
            self.note("end", describe_end(expected), describe_end(got));
        }
    }

    /// Whether two faults are two ways to say the same.
    fn same_fault(&self, expected: &End, got: &End) -> bool {
        let (
            End::Exception {
                vector: a,
                address: x,
                ..
            },
            End::Exception {
                vector: b,
                address: y,
                ..
            },
        ) = (*expected, *got)
        else {
            return false;
        };
        if self.excuse.too_long {
            return matches!((a, b), (6, 13) | (13, 6));
        }
        if self.excuse.torn && matches!((a, b), (6, 14) | (14, 6)) {
            return true;
        }
        let Some((start, size)) = self.excuse.fault else {
            return false;
        };
        let is_within = |vector, address: u64| match vector {
            12 | 13 => true,
            // With 32-bit addresses an operand may lie across their end.
            14 => (address.wrapping_sub(start) & 0xffff_ffff) < size,
            _ => false,
        };
        is_within(a, x) && is_within(b, y)
    }

    fn integer_registers(&mut self, expected: &Outcome, got: &Outcome) {
        let (expected, got) = (&expected.registers, &got.registers);
        for (number, name) in GPR.iter().enumerate() {
            let mask = !self.excuse.gpr[number];
            self.number(name, expected.gpr[number] & mask, got.gpr[number] & mask);
        }
        self.number("rip", expected.rip, got.rip);
        let flags = (expected.rflags ^ got.rflags) & !self.excuse.flags;
        if flags != 0 {
            let name = format!("rflags ({})", flag_names(flags).to_lowercase());
            self.note(
                &name,
                describe_flags(expected.rflags),
                describe_flags(got.rflags),
            );
        }
        self.number("fs_base", expected.fs_base, got.fs_base);
        self.number("gs_base", expected.gs_base, got.gs_base);
        self.number("mxcsr", expected.mxcsr.into(), got.mxcsr.into());
    }

    fn x87(&mut self, expected: &Outcome, got: &Outcome) {
        let (expected, got) = (&expected.registers.x87, &got.registers.x87);
        if self.excuse.result {
            return;
        }
        let got = &self.with_top_of(expected, *got);
        // The rounding of what is nearly exact may go either way.
        const PRECISION: u16 = 1 << 5;
        const ROUNDED_UP: u16 = 1 << 9;
        let mut is_near = false;
        for (place, (a, b)) in expected.st.into_iter().zip(got.st).enumerate() {
            if a == b {
                continue;
            }
            if self.excuse.last_place && is_next(a, b) {
                is_near = true;
                continue;
            }
            self.note(
                format!("st{place}"),
                format!("{a:020x}"),
                format!("{b:020x}"),
            );
        }
        let mut excused = self.excuse.status;
        if self.excuse.last_place && expected.status & got.status & PRECISION != 0 {
            excused |= ROUNDED_UP;
            is_near |= (expected.status ^ got.status) & ROUNDED_UP != 0;
        }
        self.is_near |= is_near;
        self.number("fcw", expected.control.into(), got.control.into());
        let mask = !excused;
        self.number(
            "fsw",
            (expected.status & mask).into(),
            (got.status & mask).into(),
        );
        self.number("ftw", expected.tag.into(), got.tag.into());
    }

    /// The unit with another's TOP and tags if that is excused, each register where it was.
    fn with_top_of(&self, expected: &X87, got: X87) -> X87 {
        if !self.excuse.top {
            return got;
        }
        let top = |unit: &X87| usize::from(unit.status >> 11 & 7);
        let turn = (top(expected) + 8 - top(&got)) % 8;
        X87 {
            st: std::array::from_fn(|place| got.st[(place + turn) % 8]),
            status: got.status & !TOP | expected.status & TOP,
            tag: expected.tag,
            ..got
        }
    }

    fn vectors(&mut self, expected: &Outcome, got: &Outcome) {
        let pairs = expected.registers.ymm.iter().zip(&got.registers.ymm);
        for (number, (a, b)) in pairs.enumerate() {
            if a == b {
                continue;
            }
            if let Some(part) = self.excuse.approximate
                && a.iter().zip(b).all(|(a, b)| are_close(*a, *b, part))
            {
                self.is_near = true;
                continue;
            }
            self.note(format!("ymm{number}"), words(a), words(b));
        }
    }

    fn stores(&mut self, expected: &Outcome, got: &Outcome) {
        if expected.stores == got.stores {
            return;
        }
        let [a, b] = [expected, got].map(|outcome| bytes(&outcome.stores));
        let mut places: Vec<u64> = a.keys().chain(b.keys()).copied().collect();
        places.sort_unstable();
        places.dedup();
        let excused = self.excuse.memory.clone();
        let is_excused = |place: u64| {
            let covers = |(start, count): &(u64, u64)| place.wrapping_sub(*start) < *count;
            excused.iter().any(covers)
        };
        let differing: Vec<u64> = places
            .into_iter()
            .filter(|place| a.get(place) != b.get(place) && !is_excused(*place))
            .collect();
        for run in differing.chunk_by(|a, b| a + 1 == *b) {
            let text = |side: &BTreeMap<u64, u8>| {
                run.iter().fold(String::new(), |mut text, place| {
                    let _ = match side.get(place) {
                        Some(byte) => write!(text, "{byte:02x}"),
                        None => write!(text, "--"),
                    };
                    text
                })
            };
            let (expected, got) = (text(&a), text(&b));
            self.note(format!("[{:#x}]", run[0]), expected, got);
        }
    }
}

fn bytes(stores: &[(u64, Vec<u8>)]) -> BTreeMap<u64, u8> {
    stores
        .iter()
        .flat_map(|(start, bytes)| (*start..).zip(bytes.iter().copied()))
        .collect()
}

fn words(register: &[u64; 4]) -> String {
    let [a, b, c, d] = register;
    format!("{d:016x}_{c:016x}_{b:016x}_{a:016x}")
}

/// Whether two extended-precision numbers are neighbours.
fn is_next(a: u128, b: u128) -> bool {
    const SIGN: u128 = 1 << 79;
    const FRACTION: u128 = (1 << 63) - 1;
    // Without the integer bit, numbers in order are integers in order.
    let order = |x: u128| (x & (SIGN - 1)) >> 64 << 63 | x & FRACTION;
    a & SIGN == b & SIGN && order(a).abs_diff(order(b)) <= 1
}

/// Whether two pairs of single-precision lanes are off by no more than one part in `part`.
fn are_close(a: u64, b: u64, part: u32) -> bool {
    [0, 32].into_iter().all(|shift| {
        let (a, b) = ((a >> shift) as u32, (b >> shift) as u32);
        let [x, y] = [a, b].map(|bits| f64::from(f32::from_bits(bits)));
        a == b || (x - y).abs() <= x.abs() / f64::from(part)
    })
}

/// The names of status flags and DF that are set.
pub(crate) fn flag_names(flags: u64) -> String {
    const NAMES: [(u64, &str); 12] = [
        (1 << 0, "CF"),
        (1 << 2, "PF"),
        (1 << 4, "AF"),
        (1 << 6, "ZF"),
        (1 << 7, "SF"),
        (1 << 8, "TF"),
        (1 << 9, "IF"),
        (1 << 10, "DF"),
        (1 << 11, "OF"),
        (1 << 14, "NT"),
        (1 << 18, "AC"),
        (1 << 21, "ID"),
    ];
    let names = NAMES.iter().filter(|(bit, _)| flags & bit != 0);
    let names: Vec<_> = names.map(|(_, name)| *name).collect();
    names.join(" ")
}

pub(crate) fn describe_flags(flags: u64) -> String {
    // IF is always set.
    format!("{flags:#x} {}", flag_names(flags & !0x200))
        .trim_end()
        .to_owned()
}

/// An end in words.
#[must_use]
pub fn describe_end(end: &End) -> String {
    match *end {
        End::Finished => "finished".into(),
        End::Endless => "endless".into(),
        End::Exception {
            vector,
            error_code,
            address,
        } => {
            const NAMES: [&str; 20] = [
                "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "9", "#TS", "#NP",
                "#SS", "#GP", "#PF", "15", "#MF", "#AC", "#MC", "#XM",
            ];
            let name = NAMES.get(usize::from(vector)).copied();
            let mut text = name.map_or_else(|| format!("vector {vector}"), str::to_owned);
            if matches!(vector, 8 | 10..=14 | 17) {
                let _ = write!(text, "({error_code:#x})");
            }
            if vector == 14 {
                let _ = write!(text, " at {address:#x}");
            }
            text
        }
    }
}
