//! Follows undefined flags through a sequence: which of them may be undefined before
//! each instruction, and whether one is ever read.

use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, RflagsBits,
};

use super::{Vendor, What, When, flag, rows};
use crate::case::{CODE, Case};

/// The instructions of a case, one after the other.
pub(crate) fn instructions(case: &Case) -> Vec<Instruction> {
    let ip = CODE + case.offset as u64;
    Decoder::with_ip(64, &case.code, ip, DecoderOptions::NONE)
        .into_iter()
        .collect()
}

/// Which flags may be undefined when RIP is `rip`.
pub(crate) fn undefined_at(case: &Case, rip: u64, vendors: &[Vendor]) -> u64 {
    let instructions = instructions(case);
    let before = undefined_before(&instructions, vendors);
    let place = instructions.iter().position(|insn| insn.ip() == rip);
    before[place.unwrap_or(instructions.len())]
}

/// The first instruction that reads a flag that may be undefined, by its place.
pub(crate) fn first_misuse(instructions: &[Instruction], vendors: &[Vendor]) -> Option<usize> {
    let before = undefined_before(instructions, vendors);
    instructions
        .iter()
        .zip(before)
        .position(|(instruction, undefined)| reads(instruction) & undefined != 0)
}

/// Which flags may be undefined before each instruction, and behind the last.
fn undefined_before(instructions: &[Instruction], vendors: &[Vendor]) -> Vec<u64> {
    let mut before = vec![0; instructions.len() + 1];
    loop {
        let mut changed = false;
        for (place, instruction) in instructions.iter().enumerate() {
            let after =
                before[place] & !defines(instruction, vendors) | leaves(instruction, vendors);
            let mut flow = |to: usize| {
                let joined = before[to] | after;
                changed |= joined != before[to];
                before[to] = joined;
            };
            if instruction.flow_control() != FlowControl::UnconditionalBranch {
                flow(place + 1);
            }
            let target = instruction.near_branch_target();
            if target != 0 {
                let to = instructions.iter().position(|insn| insn.ip() == target);
                flow(to.unwrap_or(instructions.len()));
            }
        }
        if !changed {
            return before;
        }
    }
}

/// iced-x86's bits as they stand in RFLAGS.
fn in_rflags(bits: u32) -> u64 {
    [
        (RflagsBits::CF, flag::CF),
        (RflagsBits::PF, flag::PF),
        (RflagsBits::AF, flag::AF),
        (RflagsBits::ZF, flag::ZF),
        (RflagsBits::SF, flag::SF),
        (RflagsBits::OF, flag::OF),
    ]
    .into_iter()
    .filter(|(iced, _)| bits & iced != 0)
    .fold(0, |sum, (_, bit)| sum | bit)
}

/// Which flags an instruction looks at.
pub(crate) fn reads(instruction: &Instruction) -> u64 {
    match instruction.mnemonic() {
        Mnemonic::Pushf | Mnemonic::Pushfd | Mnemonic::Pushfq => flag::STATUS,
        _ => in_rflags(instruction.rflags_read()),
    }
}

/// Which flags it may leave undefined.
fn leaves(instruction: &Instruction, vendors: &[Vendor]) -> u64 {
    let is_one = is_count_one(instruction);
    rows(instruction, vendors)
        // What only greater counts do.
        .filter(|row| !is_one || matches!(row.when, When::Always | When::CountNotZero))
        .fold(0, |sum, row| match row.what {
            What::Flags(flags) => sum | flags,
            _ => sum,
        })
}

/// Whether the count is the constant 1 of the encoding.
fn is_count_one(instruction: &Instruction) -> bool {
    matches!(
        instruction.code(),
        Code::Rol_rm8_1
            | Code::Rol_rm16_1
            | Code::Rol_rm32_1
            | Code::Rol_rm64_1
            | Code::Ror_rm8_1
            | Code::Ror_rm16_1
            | Code::Ror_rm32_1
            | Code::Ror_rm64_1
            | Code::Rcl_rm8_1
            | Code::Rcl_rm16_1
            | Code::Rcl_rm32_1
            | Code::Rcl_rm64_1
            | Code::Rcr_rm8_1
            | Code::Rcr_rm16_1
            | Code::Rcr_rm32_1
            | Code::Rcr_rm64_1
            | Code::Shl_rm8_1
            | Code::Shl_rm16_1
            | Code::Shl_rm32_1
            | Code::Shl_rm64_1
            | Code::Shr_rm8_1
            | Code::Shr_rm16_1
            | Code::Shr_rm32_1
            | Code::Shr_rm64_1
            | Code::Sar_rm8_1
            | Code::Sar_rm16_1
            | Code::Sar_rm32_1
            | Code::Sar_rm64_1
    )
}

/// Which flags it certainly writes.
fn defines(instruction: &Instruction, vendors: &[Vendor]) -> u64 {
    let last = instruction.op_count().saturating_sub(1);
    let is_counted = matches!(
        instruction.mnemonic(),
        Mnemonic::Shl
            | Mnemonic::Sal
            | Mnemonic::Shr
            | Mnemonic::Sar
            | Mnemonic::Rol
            | Mnemonic::Ror
            | Mnemonic::Rcl
            | Mnemonic::Rcr
            | Mnemonic::Shld
            | Mnemonic::Shrd
    );
    // A count of zero changes nothing.
    if is_counted
        && !is_count_one(instruction)
        && matches!(
            instruction.op_kind(last),
            OpKind::Register | OpKind::Immediate8
        )
    {
        return 0;
    }
    if instruction.has_rep_prefix() || instruction.has_repne_prefix() {
        return 0;
    }
    let written =
        instruction.rflags_written() | instruction.rflags_cleared() | instruction.rflags_set();
    in_rflags(written) & !leaves(instruction, vendors)
}
