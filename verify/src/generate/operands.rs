//! Gives an instruction operands worth having: values of the right kind, memory at the
//! right place, and relations that chance would seldom make.

use std::cell::RefCell;

use iced_x86::{
    ConstantOffsets, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory,
    MemorySize, Mnemonic as M, OpKind, Register, UsedMemory,
};

use super::address;
use crate::background::{Lanes, double, extended, integer, single};
use crate::case::{CODE, CODE_BYTES, Case, DATA, DATA_BYTES, READ_ONLY_BYTES};
use crate::random::Random;

thread_local! {
    /// It allocates; so one for all.
    static INFO: RefCell<InstructionInfoFactory> = RefCell::new(InstructionInfoFactory::new());
}

/// The memory that an instruction accesses, as far as its encoding tells.
pub(crate) fn used_memory(instruction: &Instruction) -> Vec<UsedMemory> {
    INFO.with_borrow_mut(|factory| factory.info(instruction).used_memory().to_vec())
}

/// The first instruction of a case.
pub(crate) fn first(case: &Case) -> (Instruction, ConstantOffsets) {
    let ip = CODE + case.offset as u64;
    let mut decoder = Decoder::with_ip(64, &case.code, ip, DecoderOptions::NONE);
    let instruction = decoder.decode();
    let offsets = decoder.get_constant_offsets(&instruction);
    (instruction, offsets)
}

/// What code is followed by.
const FILLER: [u8; 15] = [0xf4; 15];

/// The first instruction of a case as the processor finds it, with what lies behind
/// the code if that belongs to it.
pub(crate) fn found(case: &Case) -> Instruction {
    let room = CODE_BYTES - case.offset;
    let mut bytes = [&case.code[..], &FILLER].concat();
    bytes.truncate(room);
    let ip = CODE + case.offset as u64;
    Decoder::with_ip(64, &bytes, ip, DecoderOptions::NONE).decode()
}

/// Makes the code one whole instruction: prefixes may have changed its length.
pub(super) fn whole(case: &mut Case) {
    let instruction = found(case);
    if !instruction.is_invalid() {
        case.code.resize(instruction.len(), FILLER[0]);
    }
}

/// Chooses the operands of the one instruction of `case`.
pub(super) fn prepare(case: &mut Case, random: &mut Random) {
    let (instruction, offsets) = first(case);
    if instruction.is_invalid() {
        return;
    }
    values(case, &instruction, random);
    counts(case, &instruction, random);
    branches(case, &instruction, &offsets, random);
    let memory = used_memory(&instruction);
    for (position, operand) in memory.iter().enumerate() {
        // What a PUSH [RSP] needs of RSP, POP need not have again.
        if position > 0 && same_place(&memory[0], operand) {
            continue;
        }
        let size = size_of(&instruction, operand) as u64;
        let target = address::place(random, size);
        let at = address::aim(case, &instruction, &offsets, operand, target);
        if let Some(at) = at
            && random.below(4) != 0
        {
            contents(case, &instruction, operand, at, random);
        }
    }
    relations(case, &instruction, &memory, random);
}

fn same_place(a: &UsedMemory, b: &UsedMemory) -> bool {
    a.base() == b.base() && a.index() == b.index()
}

/// How many bytes an operand has.
pub(crate) fn size_of(instruction: &Instruction, memory: &UsedMemory) -> usize {
    match memory.memory_size() {
        MemorySize::Unknown => 8,
        // Not told by the name.
        MemorySize::Fxsave_512Byte | MemorySize::Fxsave64_512Byte => 512,
        size if size.size() == 0 => instruction.memory_size().size().max(8),
        size => size.size(),
    }
}

/// Vector registers hold what the instruction takes them for.
fn values(case: &mut Case, instruction: &Instruction, random: &mut Random) {
    let Some(lanes) = lanes(instruction) else {
        return;
    };
    for operand in 0..instruction.op_count() {
        if instruction.op_kind(operand) != OpKind::Register || random.one_in(6) {
            continue;
        }
        let register = instruction.op_register(operand);
        if register.is_xmm() || register.is_ymm() {
            for word in &mut case.registers.ymm[register.number() & 15] {
                *word = lanes.word(random);
            }
        }
    }
    // The same twice, as comparisons like it.
    let registers = [0, 1].map(|n| instruction.op_register(n));
    if instruction.op_count() > 1
        && registers.iter().all(|r| r.is_xmm() || r.is_ymm())
        && random.one_in(8)
    {
        case.registers.ymm[registers[0].number() & 15] =
            case.registers.ymm[registers[1].number() & 15];
    }
}

/// What the lanes of an instruction's vectors are.
fn lanes(instruction: &Instruction) -> Option<Lanes> {
    let size = instruction.code().op_code().memory_size().element_type();
    match size {
        MemorySize::Float32 => Some(Lanes::Singles),
        MemorySize::Float64 => Some(Lanes::Doubles),
        MemorySize::UInt8 | MemorySize::Int8 => Some(Lanes::Bytes),
        MemorySize::Unknown => None,
        _ => Some(Lanes::Integers),
    }
}

/// Repetitions, bit offsets and dividends that do not all end in the same fault.
fn counts(case: &mut Case, instruction: &Instruction, random: &mut Random) {
    let gpr = &mut case.registers.gpr;
    if instruction.is_string_instruction()
        && (instruction.has_rep_prefix() || instruction.has_repne_prefix())
        && !random.one_in(16)
    {
        let limit = random.pick(&[4, 20, 70, 300]);
        gpr[1] = random.below(limit);
        if instruction.memory_base() == Register::ECX {
            gpr[1] |= integer(random) << 32;
        }
    }
    match instruction.mnemonic() {
        M::Bt | M::Bts | M::Btr | M::Btc
            if instruction.op0_kind() == OpKind::Memory
                && instruction.op1_kind() == OpKind::Register
                && !random.one_in(16) =>
        {
            let number = instruction.op1_register().full_register().number() & 15;
            gpr[number] = random.below(0x1000).wrapping_sub(0x800);
        }
        M::Div | M::Idiv if random.below(4) != 0 => {
            // A high half that leaves room for the quotient, or nearly.
            let high = match random.below(4) {
                0 => 0,
                1 => ((gpr[0] as i64) >> 63) as u64,
                2 => (((gpr[0] as i32) >> 31) as u32).into(),
                _ => random.below(256).wrapping_sub(128),
            };
            if instruction.op0_register().full_register() != Register::RDX {
                gpr[2] = high;
            }
            if instruction.op_count() > 0 && random.one_in(2) {
                gpr[0] = integer(random) & 0x7fff;
            }
        }
        M::Pcmpestri | M::Pcmpestrm | M::Vpcmpestri | M::Vpcmpestrm if random.one_in(2) => {
            gpr[0] = random.below(20).wrapping_sub(2);
            gpr[2] = random.below(20).wrapping_sub(2);
        }
        _ => {}
    }
}

/// Where branches lead.
fn branches(
    case: &mut Case,
    instruction: &Instruction,
    offsets: &ConstantOffsets,
    random: &mut Random,
) {
    match instruction.flow_control() {
        FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch | FlowControl::Call => {
            let start = CODE + case.offset as u64;
            let target = instruction.near_branch_target();
            // Not into itself: it might never end.
            if (start..instruction.next_ip()).contains(&target) {
                let at = offsets.immediate_offset();
                let size = offsets.immediate_size();
                if let Some(displacement) = case.code.get_mut(at..at + size) {
                    displacement.fill(0);
                }
            }
        }
        FlowControl::IndirectBranch | FlowControl::IndirectCall
            if instruction.op0_kind() == OpKind::Register =>
        {
            let number = instruction.op0_register().full_register().number() & 15;
            case.registers.gpr[number] = address::branch_target(case, random);
        }
        _ => {}
    }
}

/// Lays values of the right kind where an operand is.
fn contents(
    case: &mut Case,
    instruction: &Instruction,
    memory: &UsedMemory,
    at: u64,
    random: &mut Random,
) {
    let size = size_of(instruction, memory);
    let inside =
        (DATA..DATA + (DATA_BYTES + READ_ONLY_BYTES - size.min(0x800)) as u64).contains(&at);
    if !inside {
        return;
    }
    let bytes = match instruction.flow_control() {
        FlowControl::IndirectBranch | FlowControl::IndirectCall | FlowControl::Return => {
            address::branch_target(case, random).to_le_bytes().to_vec()
        }
        _ => typed(instruction, memory.memory_size(), size, random),
    };
    case.patches.push((at, bytes));
}

fn typed(
    instruction: &Instruction,
    memory_size: MemorySize,
    size: usize,
    random: &mut Random,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size + 8);
    match instruction.mnemonic() {
        M::Popf | M::Popfd | M::Popfq => {
            // Anything but TF and AC, with which the reference itself could not go on.
            let flags = random.next() & !0x4_0100;
            bytes.extend(flags.to_le_bytes());
        }
        M::Ldmxcsr | M::Vldmxcsr => {
            let reserved = if random.one_in(4) { u32::MAX } else { 0xffff };
            bytes.extend((random.next() as u32 & reserved).to_le_bytes());
        }
        M::Fxrstor | M::Fxrstor64 => {
            bytes.extend((0..size).map(|_| random.byte()));
            if !random.one_in(8) {
                // MXCSR without reserved bits.
                bytes[26..28].fill(0);
            }
        }
        _ => {}
    }
    if !bytes.is_empty() {
        bytes.truncate(size);
        return bytes;
    }
    let lanes = match memory_size.element_type() {
        MemorySize::Float32 => Lanes::Singles,
        MemorySize::Float64 => Lanes::Doubles,
        MemorySize::Float80 => {
            bytes.extend(&extended(random).to_le_bytes()[..10]);
            return bytes;
        }
        MemorySize::UInt8 | MemorySize::Int8 if size > 1 => Lanes::Bytes,
        _ => Lanes::Integers,
    };
    if size == 4 && lanes == Lanes::Singles {
        return single(random).to_le_bytes().to_vec();
    }
    if size == 8 && lanes == Lanes::Doubles {
        return double(random).to_le_bytes().to_vec();
    }
    while bytes.len() < size.min(512) {
        bytes.extend(lanes.word(random).to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Operands that agree, where agreement is what the instruction is about.
fn relations(
    case: &mut Case,
    instruction: &Instruction,
    memory: &[UsedMemory],
    random: &mut Random,
) {
    let is_exchange = matches!(
        instruction.mnemonic(),
        M::Cmpxchg | M::Cmpxchg8b | M::Cmpxchg16b
    );
    let equal = if is_exchange { 2 } else { 16 };
    if !random.one_in(equal) || instruction.op_count() == 0 {
        return;
    }
    let gpr = &mut case.registers.gpr;
    let accumulator = [gpr[0], gpr[2]];
    if let Some(operand) = memory.first()
        && instruction.op0_kind() == OpKind::Memory
    {
        let Some(at) = address::address(case, operand) else {
            return;
        };
        let gpr = &case.registers.gpr;
        let words = match instruction.mnemonic() {
            M::Cmpxchg8b => [gpr[0] & 0xffff_ffff | gpr[2] << 32, 0],
            M::Cmpxchg | M::Cmpxchg16b => accumulator,
            _ if instruction.op1_register().is_gpr() => [
                gpr[instruction.op1_register().full_register().number() & 15],
                0,
            ],
            _ => return,
        };
        let size = operand.memory_size().size().min(16);
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        case.patches.push((at, bytes[..size].to_vec()));
    } else if instruction.op0_register().is_gpr() {
        let number = instruction.op0_register().full_register().number() & 15;
        if is_exchange {
            gpr[number] = accumulator[0];
        } else if instruction.op1_register().is_gpr() {
            gpr[number] = gpr[instruction.op1_register().full_register().number() & 15];
        }
    }
}
