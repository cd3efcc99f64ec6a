//! Where an 80286 did something else than its successors do, and why. Whatever is not
//! listed here must agree.

use crate::case::Case;

/// What is excused.
#[derive(Clone, Copy)]
pub(crate) enum Leeway {
    /// Nothing: all registers, all memory, and all flags that are defined.
    None,
    /// These bits of FLAGS.
    Flags(u16),
    /// These registers.
    Registers(&'static [&'static str]),
    /// The exception comes by this vector, but is the recorded one otherwise.
    Vector(u8),
    /// Everything: the case is skipped.
    All,
}

/// Cases in which a processor of today is to differ.
pub(crate) struct Rule {
    /// Of which opcode forms; of all, if there are none.
    forms: &'static [&'static str],
    /// Which of their cases.
    covers: fn(&Case) -> bool,
    /// What may differ; all the rest must agree.
    pub(crate) leeway: Leeway,
    /// How many of the 26,000 cases differ.
    pub(crate) cases: usize,
    /// Why.
    pub(crate) reason: &'static str,
}

impl Rule {
    /// Whether it is about this case.
    pub(crate) fn covers(&self, form: &str, case: &Case) -> bool {
        (self.forms.is_empty() || self.forms.contains(&form)) && (self.covers)(case)
    }
}

/// All rules. The first that covers a case counts.
pub(crate) const RULES: &[Rule] = &[
    Rule {
        forms: &[],
        covers: |case| case.prefixes().contains(&0xf0),
        leeway: Leeway::All,
        cases: 413,
        reason: "the 80286 takes LOCK before any instruction; from the 80386 on it is #UD \
                 before all but the read-modify-writes of memory (SDM 2A, LOCK)",
    },
    Rule {
        forms: &[],
        covers: |case| case.bytes.len() > 10 && case.exception == Some(13),
        leeway: Leeway::All,
        cases: 8,
        reason: "an instruction may have 10 bytes on the 80286, and 15 later (SDM 3B, 22.25)",
    },
    Rule {
        forms: &["8C", "8E"],
        covers: |case| case.exception == Some(6) && matches!(case.modrm() >> 3 & 7, 4 | 5),
        leeway: Leeway::All,
        cases: 2,
        reason: "FS and GS came with the 80386",
    },
    Rule {
        forms: &["9D", "CF"],
        covers: |_| true,
        leeway: Leeway::Flags(0x7000),
        cases: 125,
        reason: "IOPL and NT stay clear in real mode on the 80286, and can be set later \
                 (SDM 3B, 22.16)",
    },
    Rule {
        forms: &["6D", "6F", "A5", "A7", "AB", "AD", "AF"],
        covers: |case| case.exception == Some(13),
        leeway: Leeway::Registers(&["cx", "si", "di"]),
        cases: 20,
        reason: "the 80286 has moved the index and count registers on when a word at offset \
                 FFFFh faults; later processors leave them as they were",
    },
    Rule {
        forms: &[],
        covers: |case| case.exception == Some(13),
        leeway: Leeway::Vector(12),
        cases: 11,
        reason: "the 80286 in real mode raises exception 13 for the stack segment's limit \
                 too, later processors #SS (SDM 3B, 22.19)",
    },
];
