//! What the manuals leave undefined, and so is not compared.
//!
//! One table for single instructions, where the condition is known, and for sequences,
//! where the worst is assumed and followed through branches ([`flow`]).

pub(crate) mod flow;
mod table;

use iced_x86::{Instruction, Mnemonic, OpKind};

use crate::case::{CODE, CODE_BYTES, Case, End, Outcome};
use crate::generate::{first, operand_address, operand_size, used_memory};

pub use table::TABLE;

/// Whose manual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vendor {
    /// Intel's SDM.
    Intel,
    /// AMD's APM.
    Amd,
}

/// A flag's bit in RFLAGS, which rows of the table are made of.
pub(crate) mod flag {
    pub(crate) const CF: u64 = 1 << 0;
    pub(crate) const PF: u64 = 1 << 2;
    pub(crate) const AF: u64 = 1 << 4;
    pub(crate) const ZF: u64 = 1 << 6;
    pub(crate) const SF: u64 = 1 << 7;
    pub(crate) const OF: u64 = 1 << 11;
    pub(crate) const STATUS: u64 = CF | PF | AF | ZF | SF | OF;
}

/// On what condition something is undefined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Always.
    Always,
    /// The masked count is not zero.
    CountNotZero,
    /// The masked count is more than one.
    CountAboveOne,
    /// The masked count is the operand's width or more.
    CountNotBelowWidth,
    /// The masked count is more than the operand's width.
    CountAboveWidth,
    /// ST(0) lies outside of what FYL2XP1 is for.
    BeyondLogarithm,
}

/// What is undefined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Bits of RFLAGS.
    Flags(u64),
    /// The first operand.
    Destination,
    /// Bits of the x87 status word.
    Status(u16),
    /// Bytes of the image that is stored, from the first to before the second.
    Image(u16, u16),
    /// The result may be off by one unit in the last place.
    LastPlace,
    /// The x87 unit's results and what its status word says of them.
    Result,
    /// Which of several bytes of an operand a fault is about.
    FaultPlace,
    /// TOP and tags of the x87 unit after a fault.
    FaultMmx,
    /// Upper halves of count and indices after a fault, with 32-bit addresses.
    FaultIndices,
    /// Which of several faults comes first, and whether a return address is stored then.
    FaultOrder,
    /// Each lane may be off by this part of it: one in so many.
    Approximate(u32),
}

/// A line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Which instructions.
    pub mnemonics: &'static [Mnemonic],
    /// When.
    pub when: When,
    /// What.
    pub what: What,
    /// Where Intel's manual says so, if it does.
    pub intel: Option<&'static str>,
    /// Where AMD's manual says so, if it does.
    pub amd: Option<&'static str>,
}

impl Row {
    fn is_of(&self, vendors: &[Vendor]) -> bool {
        vendors.iter().any(|vendor| match vendor {
            Vendor::Intel => self.intel.is_some(),
            Vendor::Amd => self.amd.is_some(),
        })
    }
}

/// No instruction is longer (SDM 2A, 2.3.11).
const LONGEST: usize = 15;

/// What need not be equal after a case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excuse {
    /// Bits of RFLAGS.
    pub flags: u64,
    /// Bits of the x87 status word.
    pub status: u16,
    /// Bits of general-purpose registers.
    pub gpr: [u64; 16],
    /// Bytes of memory: address and count.
    pub memory: Vec<(u64, u64)>,
    /// TOP and tags of the x87 unit.
    pub top: bool,
    /// What the x87 unit holds.
    pub result: bool,
    /// Faults within this operand are as good as each other: address and size.
    pub fault: Option<(u64, u64)>,
    /// x87 results may be off by one unit in the last place.
    pub last_place: bool,
    /// Lanes of vectors may be off by one part in so many.
    pub approximate: Option<u32>,
    /// It is longer than any instruction may be. Whether that or what else is wrong
    /// with it is found first is left open (SDM 3A, table 6-2, faults from decoding).
    pub too_long: bool,
    /// It is no instruction, and near the window's end. How much of it is fetched before
    /// that is found is left open (SDM 3A, table 6-2, faults from fetching and decoding).
    pub torn: bool,
}

/// What need not be equal after `case`, which ended as `outcome` says on the reference.
#[must_use]
pub fn excuse(case: &Case, outcome: &Outcome, vendors: &[Vendor]) -> Excuse {
    excuse_without(None, case, outcome, vendors)
}

/// The same if one row of the table, by number, were not there. Sequences have all.
pub(crate) fn excuse_without(
    missing: Option<usize>,
    case: &Case,
    outcome: &Outcome,
    vendors: &[Vendor],
) -> Excuse {
    let mut excuse = Excuse::default();
    if case.instructions > 1 {
        let rip = outcome.registers.rip;
        excuse.flags = flow::undefined_at(case, rip, vendors);
        if outcome.end != End::Finished
            && let Some(instruction) = flow::instructions(case).iter().find(|i| i.ip() == rip)
        {
            for row in rows(instruction, vendors).filter(|row| row.what == What::FaultMmx) {
                excuse.add(row.what, case, instruction);
            }
        }
        return excuse;
    }
    let (instruction, _) = first(case);
    if instruction.is_invalid() {
        excuse.too_long = case.code.len() >= LONGEST;
        excuse.torn = case.offset + LONGEST > CODE_BYTES;
        return excuse;
    }
    let missing = missing.map(|row| &TABLE[row]);
    for row in rows(&instruction, vendors) {
        if missing.is_some_and(|missing| std::ptr::eq(missing, row)) {
            continue;
        }
        let is_of_faults = matches!(
            row.what,
            What::FaultPlace | What::FaultMmx | What::FaultOrder | What::FaultIndices
        );
        let applies = has_retired(case, outcome) != is_of_faults;
        if applies && holds(row.when, case, &instruction) {
            excuse.add(row.what, case, &instruction);
        }
    }
    excuse
}

/// The rows of an instruction.
pub(crate) fn rows<'a>(
    instruction: &Instruction,
    vendors: &'a [Vendor],
) -> impl Iterator<Item = &'static Row> + 'a {
    let mnemonic = instruction.mnemonic();
    TABLE
        .iter()
        .filter(move |row| row.mnemonics.contains(&mnemonic) && row.is_of(vendors))
}

impl Excuse {
    fn add(&mut self, what: What, case: &Case, instruction: &Instruction) {
        match what {
            What::Flags(flags) => self.flags |= flags,
            What::Status(status) => self.status |= status,
            What::LastPlace => self.last_place = true,
            What::Result => self.result = true,
            What::FaultMmx => self.top = true,
            What::FaultIndices => {
                if case.code.contains(&0x67) {
                    for register in [1, 6, 7] {
                        self.gpr[register] |= 0xffff_ffff << 32;
                    }
                }
            }
            What::FaultOrder => {
                self.fault = Some((0, u64::MAX));
                self.memory.push((case.registers.gpr[4].wrapping_sub(8), 8));
            }
            What::FaultPlace => {
                for memory in used_memory(instruction) {
                    let size = operand_size(instruction, &memory) as u64;
                    self.fault = operand_address(case, &memory).map(|at| (at, size));
                    // Parts of it may be stored by then.
                    self.memory.extend(self.fault);
                }
            }
            What::Approximate(part) => self.approximate = Some(part),
            What::Destination => self.destination(case, instruction),
            What::Image(start, end) => {
                for memory in used_memory(instruction) {
                    if let Some(at) = operand_address(case, &memory) {
                        let bytes = u64::from(end - start);
                        self.memory.push((at.wrapping_add(start.into()), bytes));
                    }
                }
            }
        }
    }

    fn destination(&mut self, case: &Case, instruction: &Instruction) {
        let register = instruction.op0_register();
        if instruction.op0_kind() == OpKind::Register {
            let bits = match register.size() {
                2 => 0xffff,
                _ => u64::MAX,
            };
            self.gpr[register.full_register().number() & 15] |= bits;
        } else {
            for memory in used_memory(instruction) {
                let bytes = memory.memory_size().size() as u64;
                if let Some(at) = operand_address(case, &memory) {
                    self.memory.push((at, bytes));
                }
            }
        }
    }
}

/// Whether the one instruction of a case was carried out.
fn has_retired(case: &Case, outcome: &Outcome) -> bool {
    let behind = CODE + (case.offset + case.code.len()) as u64;
    outcome.end == End::Finished || outcome.registers.rip == behind
}

/// Whether FYL2XP1 is undefined for `x`: beyond 1 - sqrt(2)/2 on either side of zero.
fn is_beyond_logarithm(x: u128) -> bool {
    const EDGE: u128 = 0x3ffd_95f6_1998_0c43_36f7;
    let magnitude = x & ((1 << 79) - 1);
    magnitude > EDGE
}

fn holds(when: When, case: &Case, instruction: &Instruction) -> bool {
    let width = 8 * match instruction.op0_kind() {
        OpKind::Register => instruction.op0_register().size() as u64,
        _ => instruction.memory_size().size() as u64,
    };
    let count = || {
        let last = instruction.op_count().saturating_sub(1);
        let count = match instruction.op_kind(last) {
            OpKind::Register => case.registers.gpr[1],
            OpKind::Immediate8 => instruction.immediate8().into(),
            _ => 1,
        };
        count & if width == 64 { 63 } else { 31 }
    };
    match when {
        When::Always => true,
        When::BeyondLogarithm => is_beyond_logarithm(case.registers.x87.st[0]),
        When::CountNotZero => count() != 0,
        When::CountAboveOne => count() > 1,
        When::CountNotBelowWidth => count() >= width,
        When::CountAboveWidth => count() > width,
    }
}
