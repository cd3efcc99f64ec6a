//! Several instructions in a row, with forward branches and a loop now and then, where
//! what one leaves the next ones use: flags above all.
//!
//! So that a sequence gets far, some registers are kept as they are: those that
//! addresses are made of, and a counter. And no instruction reads a flag that an
//! earlier one may have left undefined.

use iced_x86::{
    Code, FlowControl, Instruction, InstructionInfoFactory, Mnemonic as M, OpAccess, OpKind,
    Register,
};

use super::{address, encode, operands};
use crate::background;
use crate::case::{CODE, CODE_BYTES, Case, DATA, DATA_BYTES};
use crate::form::{self, Form, Kind, Standing};
use crate::random::Random;
use crate::undefined::{TABLE, Vendor, What, flow};

/// Registers that addresses are made of; what they hold at the start, they hold.
const BASES: [Register; 5] = [
    Register::RBX,
    Register::RBP,
    Register::RSI,
    Register::RDI,
    Register::R14,
];
/// Counts the rounds of a loop.
const COUNTER: Register = Register::R13;
const LONGEST: u64 = 32;
const MOST_ROUNDS: u64 = 6;
/// How often an instruction is thrown again that does not fit in.
const TRIES: usize = 40;
/// Every flag is what the manual says after ADD.
const DEFINER: [u8; 2] = [0x01, 0xc0];
const NOP: [u8; 1] = [0x90];
const BOTH: [Vendor; 2] = [Vendor::Intel, Vendor::Amd];

/// What sequences are made of.
pub(super) struct Parts {
    /// All that may be part of a sequence.
    any: Vec<&'static Form>,
    /// What reads or writes flags.
    flags: Vec<&'static Form>,
}

pub(super) fn parts() -> Parts {
    let any: Vec<_> = form::forms()
        .iter()
        .filter(|form| form.standing == Standing::Covered && may_be_part(form))
        .collect();
    let flags = any
        .iter()
        .copied()
        .filter(|form| {
            let Kind::One(code) = form.kind else {
                return false;
            };
            let mut instruction = Instruction::default();
            instruction.set_code(code);
            instruction.rflags_modified() | instruction.rflags_read() != 0
        })
        .collect();
    Parts { any, flags }
}

/// Whether its results are all defined, and it neither leaves the sequence nor moves
/// what addresses are made of.
fn may_be_part(form: &Form) -> bool {
    let Kind::One(code) = form.kind else {
        return false;
    };
    let mnemonic = code.mnemonic();
    let is_vague = TABLE.iter().any(|row| {
        let is_plain = matches!(row.what, What::Flags(_) | What::Status(_) | What::FaultMmx);
        row.mnemonics.contains(&mnemonic) && !is_plain
    });
    let mut instruction = Instruction::default();
    instruction.set_code(code);
    let is_plain = instruction.flow_control() == FlowControl::Next;
    let is_stack = instruction.is_stack_instruction() && !matches!(mnemonic, M::Push | M::Pop);
    let moves = matches!(
        mnemonic,
        M::Wrfsbase | M::Wrgsbase | M::Ldmxcsr | M::Vldmxcsr
    );
    let loads_x87 = matches!(
        mnemonic,
        M::Fldcw | M::Fldenv | M::Frstor | M::Fxrstor | M::Fxrstor64
    );
    !is_vague
        && is_plain
        && !is_stack
        && !moves
        && !loads_x87
        && !instruction.is_string_instruction()
        && !form.shape.vsib
        && !form.shape.offset
        && code.op_code().address_size() == 0
}

pub(super) fn generate(case: &mut Case, random: &mut Random) {
    case.seed = random.next();
    case.registers = background::filler(case.seed);
    registers(case, random);
    let mut pieces = pieces(case, random);
    let shape = Loop::any(pieces.len(), random);
    if let Some(shape) = &shape {
        shape.insert(&mut pieces);
    }
    case.code = layout(&pieces);
    define_flags(case, &mut pieces);
    let rounds = shape.map_or(1, |_| MOST_ROUNDS);
    case.instructions = (pieces.len() as u64 * rounds) as u32;
    let last = CODE_BYTES - case.code.len();
    case.offset = random.below(last as u64 + 1) as usize;
}

/// An instruction, or a branch to a later or earlier one.
#[derive(Clone, Debug)]
enum Piece {
    Plain(Vec<u8>),
    /// The opcode of a short branch, and which piece it leads to.
    Branch(u8, usize),
}

/// Where a loop begins and ends, in pieces.
struct Loop {
    head: usize,
    end: usize,
}

impl Loop {
    fn any(pieces: usize, random: &mut Random) -> Option<Self> {
        if !random.one_in(3) || pieces < 2 {
            return None;
        }
        let head = random.below(pieces as u64 - 1) as usize;
        let end = head + 1 + random.below((pieces - head) as u64) as usize;
        Some(Self { head, end })
    }

    /// Counts down before `end`, and goes back.
    fn insert(&self, pieces: &mut Vec<Piece>) {
        let moved = |place: usize| match place {
            place if place > self.end => place + 2,
            place => place,
        };
        for piece in pieces.iter_mut() {
            if let Piece::Branch(_, target) = piece {
                *target = moved(*target);
            }
        }
        // dec r13d; jnz
        pieces.insert(self.end, Piece::Branch(0x75, self.head));
        pieces.insert(self.end, Piece::Plain(vec![0x41, 0xff, 0xcd]));
    }
}

/// Registers that addresses are made of, and a control of x87 and SSE that lets most go on.
fn registers(case: &mut Case, random: &mut Random) {
    for base in BASES.into_iter().chain([Register::RSP]) {
        let middle = DATA + DATA_BYTES as u64 / 4 + random.below(DATA_BYTES as u64 / 2);
        let align = random.pick(&[63, 15, 7, 0]);
        case.registers.gpr[base.number()] = middle & !align;
    }
    case.registers.gpr[COUNTER.number()] = 1 + random.below(MOST_ROUNDS);
    if !random.one_in(8) {
        case.registers.mxcsr |= 0x1f80;
        let x87 = &mut case.registers.x87;
        x87.control |= 0x3f;
        x87.status &= 0x7f7f;
    }
}

fn pieces(case: &mut Case, random: &mut Random) -> Vec<Piece> {
    let count = 2 + random.below(LONGEST - 4) as usize;
    let mut pieces = Vec::with_capacity(count);
    while pieces.len() < count {
        if random.one_in(8) {
            let ahead = random.below((count - pieces.len()) as u64) as usize;
            let opcode = 0x70 | random.byte() & 15;
            pieces.push(Piece::Branch(opcode, pieces.len() + 1 + ahead));
        } else {
            pieces.push(Piece::Plain(part(case, random)));
        }
    }
    pieces
}

/// One instruction that fits in.
fn part(case: &mut Case, random: &mut Random) -> Vec<u8> {
    let parts = &*super::PARTS;
    let pool = if random.below(4) != 0 {
        &parts.flags
    } else {
        &parts.any
    };
    for _ in 0..TRIES {
        let form = random.pick(pool);
        let Kind::One(code) = form.kind else { continue };
        let bytes = encode::one(code, &form.shape, random);
        if fits(case, code, &bytes) {
            return bytes;
        }
    }
    DEFINER.to_vec()
}

/// Whether an instruction keeps what is to be kept and finds its memory.
fn fits(case: &mut Case, code: Code, bytes: &[u8]) -> bool {
    case.code.clear();
    case.code.extend(bytes);
    let (instruction, _) = operands::first(case);
    // With RIP-relative operands the place of the instruction would matter.
    if instruction.code() != code
        || instruction.len() != bytes.len()
        || instruction.is_ip_rel_memory_operand()
    {
        return false;
    }
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(&instruction);
    let keeps = info.used_registers().iter().all(|used| {
        let register = used.register().full_register();
        let is_kept = BASES.contains(&register) || register == COUNTER || register == Register::RSP;
        let is_read = matches!(
            used.access(),
            OpAccess::Read | OpAccess::CondRead | OpAccess::None | OpAccess::NoMemAccess
        );
        let is_stack = register == Register::RSP && instruction.is_stack_instruction();
        !is_kept
            || is_read
            || is_stack && instruction.op0_register().full_register() != Register::RSP
    });
    let has_memory = (0..instruction.op_count()).any(|n| instruction.op_kind(n) == OpKind::Memory);
    keeps
        && (!has_memory
            || info.used_memory().iter().all(|memory| {
                let is_fixed = [memory.base(), memory.index()].iter().all(|register| {
                    let register = register.full_register();
                    register == Register::None
                        || register == Register::RSP
                        || BASES.contains(&register)
                });
                let size = memory.memory_size().size() as u64;
                let inside = DATA..DATA + DATA_BYTES as u64 - size;
                is_fixed && address::address(case, memory).is_some_and(|at| inside.contains(&at))
            }))
}

/// Puts the pieces one after the other. Branches that reach too far lead to what follows.
fn layout(pieces: &[Piece]) -> Vec<u8> {
    let mut places = Vec::with_capacity(pieces.len() + 1);
    let mut at = 0;
    for piece in pieces {
        places.push(at);
        at += match piece {
            Piece::Plain(bytes) => bytes.len(),
            Piece::Branch(..) => 2,
        };
    }
    places.push(at);
    let mut code = Vec::with_capacity(at);
    for piece in pieces {
        match piece {
            Piece::Plain(bytes) => code.extend(bytes),
            Piece::Branch(opcode, target) => {
                let target = places[(*target).min(pieces.len())] as i64;
                let displacement = target - (code.len() as i64 + 2);
                code.push(*opcode);
                code.push(i8::try_from(displacement).unwrap_or(0) as u8);
            }
        }
    }
    code
}

/// Puts something that defines the flags in place of what would read undefined ones.
fn define_flags(case: &mut Case, pieces: &mut [Piece]) {
    loop {
        let instructions = flow::instructions(case);
        let Some(place) = flow::first_misuse(&instructions, &BOTH) else {
            return;
        };
        let start = (instructions[place].ip() - CODE - case.offset as u64) as usize;
        let mut at = 0;
        for piece in pieces.iter_mut() {
            let length = match piece {
                Piece::Plain(bytes) => bytes.len(),
                Piece::Branch(..) => 2,
            };
            if at == start {
                *piece = Piece::Plain(if length == 1 {
                    NOP.to_vec()
                } else {
                    DEFINER.to_vec()
                });
            }
            at += length;
        }
        case.code = layout(pieces);
    }
}
