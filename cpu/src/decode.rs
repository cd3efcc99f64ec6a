//! Bytes to [`Insn`]s, once, by iced-x86; straight-line code becomes a block
//! (SDM 2A, chapter 2).

mod opcode;

use std::sync::Arc;

use iced_x86::{Code, DecoderError, EncodingKind, FlowControl, Instruction, OpKind, Register};
use rax_mmu::{AccessKind, LinearAddress, PAGE_SIZE, PhysicalAddress};

use crate::Cpu;
use crate::cpuid::Model;
use crate::exception::{Exception, Exit};
use crate::insn::{AddressKind, Handler, Insn, InsnFlags, Meaning, Row, Table, Unit, left_early};
use crate::interp::Block;
use crate::mode::Mode;
use crate::segment::SegmentRegister;
use crate::state::Gpr;

/// Most instructions of one block.
pub const LONGEST_BLOCK: usize = 32;
/// The longest instruction (SDM 2A, 2.3.11).
const LONGEST_INSN: usize = 15;
/// What is looked at to decode a block: nearly always enough for all of it.
const MOST_BYTES: usize = 256;
/// The LOCK prefix.
const LOCK: u8 = 0xf0;

/// Decodes for one processor model.
pub struct Decoder {
    table: Table,
    options: u32,
    instruction: Instruction,
    /// The block under way.
    insns: Vec<Insn>,
}

impl Decoder {
    /// A decoder that knows what `model` has.
    #[must_use]
    pub fn new(model: &Model) -> Self {
        Self {
            table: Table::new(model),
            options: model.decoder_options(),
            instruction: Instruction::default(),
            insns: Vec::new(),
        }
    }

    /// Decodes the block at a linear address whose physical address is known.
    ///
    /// # Errors
    /// #PF when an instruction reaches into a page that cannot be fetched, #GP
    /// when it is longer than 15 bytes or leaves CS.
    pub(crate) fn decode(
        &mut self,
        cpu: &mut Cpu,
        linear: LinearAddress,
        physical: u64,
    ) -> Result<Block, Exit> {
        let room = (PAGE_SIZE - physical % PAGE_SIZE) as usize;
        let mut buffer = [0; MOST_BYTES];
        let available = room.min(buffer.len());
        let bytes = &mut buffer[..available];
        fetch(cpu, PhysicalAddress(physical), bytes);
        let most = if cpu.mode.contains(Mode::SINGLE) {
            1
        } else {
            LONGEST_BLOCK
        };
        let mut insns = std::mem::take(&mut self.insns);
        insns.clear();
        let mut decoder = self.decoder(cpu.mode, bytes);
        let mut fits = true;
        while insns.len() < most {
            let start = decoder.position();
            if start >= available {
                break;
            }
            decoder.decode_out(&mut self.instruction);
            let last_error = decoder.last_error();
            let end = decoder.position();
            let rest = &bytes[start..];
            let is_64_bit = cpu.mode.contains(Mode::CODE64);
            let starved = match last_error {
                DecoderError::NoMoreBytes => end - start < LONGEST_INSN,
                DecoderError::InvalidInstruction => {
                    rest.len() < LONGEST_INSN && !opcode::is_whole(is_64_bit, rest)
                }
                _ => false,
            };
            if !within_limit(cpu, end) || (starved && available == room) {
                fits = false;
                break;
            }
            if starved
                || (fills_limit(last_error, end - start)
                    && self.is_too_long(cpu.mode, &bytes[start..end]))
            {
                // The buffer ended, not the page: the next block begins here.
                break;
            }
            let row = self.row(cpu.mode, last_error);
            let position = insns.len() as u8;
            let insn = self.build(cpu.mode, position, (start, &bytes[start..end]), row);
            let ends = insn.flags.contains(InsnFlags::ENDS_BLOCK);
            insns.push(insn);
            if ends {
                break;
            }
        }
        let block = (!insns.is_empty()).then(|| self.finish(&insns, physical, None));
        self.insns = insns;
        let Some(block) = block else {
            return if fits {
                Err(cpu.raise(Exception::GeneralProtection(0)))
            } else {
                self.decode_crossing(cpu, linear, physical)
            };
        };
        Ok(block)
    }

    /// Decodes the block that `bytes` starts with, wherever they may come from: up to
    /// an instruction that ends it or that is not whole.
    #[must_use]
    pub fn decode_bytes(&mut self, mode: Mode, bytes: &[u8]) -> Vec<Insn> {
        let mut insns = Vec::new();
        let mut decoder = self.decoder(mode, bytes);
        while insns.len() < LONGEST_BLOCK && decoder.can_decode() {
            let start = decoder.position();
            decoder.decode_out(&mut self.instruction);
            let (error, end) = (decoder.last_error(), decoder.position());
            if error == DecoderError::NoMoreBytes
                || (fills_limit(error, end - start) && self.is_too_long(mode, &bytes[start..end]))
            {
                break;
            }
            let row = self.row(mode, error);
            let position = insns.len() as u8;
            let insn = self.build(mode, position, (start, &bytes[start..end]), row);
            insns.push(insn);
            if insn.flags.contains(InsnFlags::ENDS_BLOCK) {
                break;
            }
        }
        insns
    }

    /// Decodes the one instruction that does not fit its page, or CS.
    fn decode_crossing(
        &mut self,
        cpu: &mut Cpu,
        linear: LinearAddress,
        physical: u64,
    ) -> Result<Block, Exit> {
        let room = (PAGE_SIZE - physical % PAGE_SIZE) as usize;
        let mut buffer = [0; LONGEST_INSN];
        let head = room.min(LONGEST_INSN);
        fetch(cpu, PhysicalAddress(physical), &mut buffer[..head]);
        let mut next_page = None;
        if head < LONGEST_INSN {
            let next = linear.0.wrapping_add(room as u64);
            let next = if cpu.mode.contains(Mode::CODE64) {
                next
            } else {
                next & 0xffff_ffff
            };
            let controls = cpu.controls();
            let access = cpu.program_access(AccessKind::Execute);
            match cpu.mmu.fetch_page(&controls, access, LinearAddress(next)) {
                Ok(page) => {
                    let page = PhysicalAddress(page.physical.0 & !(PAGE_SIZE - 1));
                    fetch(cpu, page, &mut buffer[head..]);
                    next_page = Some(page);
                }
                Err(fault) => {
                    // An opcode undefined whatever follows is #UD, not #PF.
                    return Err(if self.is_undefined(cpu.mode, &buffer[..head]) {
                        cpu.raise(Exception::InvalidOpcode)
                    } else {
                        cpu.raise(Exception::PageFault(fault))
                    });
                }
            }
        }
        let (error, length) = self.decode_one(cpu.mode, &buffer);
        let is_too_long =
            fills_limit(error, length) && self.is_too_long(cpu.mode, &buffer[..length]);
        if !within_limit(cpu, length) || is_too_long {
            return Err(cpu.raise(Exception::GeneralProtection(0)));
        }
        let row = self.row(cpu.mode, error);
        let insn = self.build(cpu.mode, 0, (0, &buffer[..length]), row);
        let second = next_page
            .filter(|_| length > head)
            .map(|page| (page, length - head));
        Ok(self.finish(&[insn], physical, second))
    }

    /// Whether bytes hold a whole opcode that is none, whatever may follow. LOCK does not
    /// count: it is looked at when all of the instruction is there.
    fn is_undefined(&mut self, mode: Mode, head: &[u8]) -> bool {
        if !opcode::is_whole(mode.code_bits() == 64, head) {
            return false;
        }
        let mut buffer = [0; LONGEST_INSN];
        let unlocked = head.iter().filter(|&&byte| byte != LOCK);
        let mut length = 0;
        for (place, &byte) in buffer.iter_mut().zip(unlocked) {
            *place = byte;
            length += 1;
        }
        (0..=u8::MAX).all(|filler| {
            buffer[length..].fill(filler);
            let (error, end) = self.decode_one(mode, &buffer);
            self.instruction.code() == Code::INVALID && !fills_limit(error, end)
        })
    }

    fn decode_one(&mut self, mode: Mode, bytes: &[u8]) -> (DecoderError, usize) {
        let mut decoder = self.decoder(mode, bytes);
        decoder.decode_out(&mut self.instruction);
        (decoder.last_error(), decoder.position())
    }

    /// Whether an instruction would be one if it might be longer: then it is #GP, else #UD.
    /// What is too long repeats a prefix, so one is taken away to make room.
    fn is_too_long(&mut self, mode: Mode, bytes: &[u8]) -> bool {
        let mut bytes = bytes.to_vec();
        while let Some(place) = repeated_prefix(&bytes) {
            bytes.remove(place);
        }
        [0, 0xff].into_iter().any(|filler| {
            let mut whole = [filler; 2 * LONGEST_INSN];
            whole[..bytes.len()].copy_from_slice(&bytes);
            let (error, length) = self.decode_one(mode, &whole);
            error == DecoderError::None || length >= LONGEST_INSN
        })
    }

    fn decoder<'a>(&self, mode: Mode, bytes: &'a [u8]) -> iced_x86::Decoder<'a> {
        iced_x86::Decoder::with_ip(mode.code_bits(), bytes, 0, self.options)
    }

    /// The row of the instruction just decoded; none if this processor has no such thing.
    fn row(&mut self, mode: Mode, error: DecoderError) -> Option<&'static Row> {
        let code = self.instruction.code();
        // Real and virtual-8086 mode know no VEX (SDM 2A, 2.3.1).
        let is_foreign = mode.contains(Mode::REAL_STYLE)
            && matches!(
                code.encoding(),
                EncodingKind::VEX | EncodingKind::EVEX | EncodingKind::XOP
            );
        if error == DecoderError::None && !is_foreign {
            self.table.row(code)
        } else {
            None
        }
    }

    fn build(
        &self,
        mode: Mode,
        position: u8,
        (start, bytes): (usize, &[u8]),
        row: Option<&'static Row>,
    ) -> Insn {
        let instruction = &self.instruction;
        let end = start + bytes.len();
        let mut insn = Insn {
            handler: undefined,
            immediate: 0,
            displacement: 0,
            code: instruction.code(),
            next: end as u16,
            registers: [Gpr::Zero; 4],
            base: Gpr::Zero,
            index: Gpr::Zero,
            scale: 0,
            segment: SegmentRegister::Ds,
            address: AddressKind::Flat64,
            address_bits: mode.code_bits() as u8,
            stack_bits: mode.stack_bits() as u8,
            position,
            length: bytes.len() as u8,
            immediate2: 0,
            flags: InsnFlags::empty(),
        };
        let flow = instruction.flow_control();
        let ends = row.is_none_or(|row| row.ends_block)
            || !matches!(flow, FlowControl::Next | FlowControl::Exception)
            || matches!(row, Some(row) if row.unit != Unit::None && !unit_is_on(mode, row.unit));
        insn.flags.set(InsnFlags::ENDS_BLOCK, ends);
        let Some(row) = row else {
            // Nobody is to take it for what its bytes say.
            insn.code = Code::INVALID;
            return insn;
        };
        operands(&mut insn, instruction, mode);
        if row.unit == Unit::X87 {
            insn.immediate = x87_opcode(bytes);
        }
        insn.handler = if unit_is_on(mode, row.unit) {
            match row.meaning {
                Meaning::Shared { memory, .. } if insn.has_memory() => memory,
                Meaning::Shared { register, .. } => register,
                Meaning::Helper { handler, .. } => handler,
            }
        } else {
            insn.code = Code::INVALID;
            unavailable(row.unit)
        };
        insn
    }

    fn finish(
        &self,
        insns: &[Insn],
        physical: u64,
        second: Option<(PhysicalAddress, usize)>,
    ) -> Block {
        let last = &insns[insns.len() - 1];
        let bytes = last.next;
        let (second_page, in_second) = second.map_or((PhysicalAddress(0), 0), |(page, length)| {
            (page, length as u16)
        });
        let within = |offset: u64| (physical % PAGE_SIZE).wrapping_add(offset) < PAGE_SIZE;
        let mut linkable = [false; 2];
        let plain_end = !last.flags.contains(InsnFlags::ENDS_BLOCK);
        let code = last.code;
        let branches = last.is_direct_branch();
        if second.is_none() {
            if plain_end || (branches && !code.is_jmp_short_or_near()) {
                linkable[0] = within(u64::from(bytes));
            }
            if branches {
                linkable[1] = within(last.immediate);
            }
        }
        Block {
            bytes,
            crosses_page: second.is_some(),
            start: PhysicalAddress(physical),
            second_page,
            in_second,
            linkable,
            links: Default::default(),
            insns: Arc::from(insns),
        }
    }
}

/// Reads code; from devices too, for want of anything better.
fn fetch(cpu: &mut Cpu, physical: PhysicalAddress, bytes: &mut [u8]) {
    cpu.physical_read(physical, bytes);
}

/// Whether `end` bytes from RIP lie within CS.
fn within_limit(cpu: &Cpu, end: usize) -> bool {
    if cpu.mode.contains(Mode::CODE64) {
        return true;
    }
    let limit = u64::from(cpu.state.segment(SegmentRegister::Cs).limit);
    cpu.state.rip + end as u64 - 1 <= limit
}

/// Whether decoding stopped at the fifteenth byte. iced-x86 calls that invalid, like what is
/// undefined.
fn fills_limit(error: DecoderError, length: usize) -> bool {
    error != DecoderError::None && length >= LONGEST_INSN
}

/// The first legacy prefix that a later one of its group makes void (SDM 2A, 2.1.1).
fn repeated_prefix(bytes: &[u8]) -> Option<usize> {
    let group = |byte: u8| match byte {
        0xf2 | 0xf3 => Some(1),
        0x26 | 0x2e | 0x36 | 0x3e | 0x64 | 0x65 => Some(2),
        0x66 => Some(3),
        0x67 => Some(4),
        0xf0 => Some(5),
        _ => None,
    };
    let groups: Vec<_> = bytes.iter().map_while(|&byte| group(byte)).collect();
    (0..groups.len()).find(|&n| groups[n + 1..].contains(&groups[n]))
}

const fn unit_is_on(mode: Mode, unit: Unit) -> bool {
    match unit {
        Unit::None => true,
        Unit::X87 | Unit::Mmx => mode.contains(Mode::X87),
        Unit::Sse => mode.contains(Mode::SSE),
        Unit::Avx => mode.contains(Mode::AVX),
    }
}

/// #UD: nothing this processor has.
fn undefined(cpu: &mut Cpu, _insn: &Insn, rest: &[Insn]) -> Result<(), Exit> {
    let exit = cpu.raise(Exception::InvalidOpcode);
    left_early(cpu, exit, rest.len())
}

/// What an instruction does whose unit is off (SDM 3A, table 9-1 and 13.1).
const fn unavailable(unit: Unit) -> Handler {
    match unit {
        Unit::None => undefined,
        Unit::X87 => |cpu, _, rest| {
            let exit = cpu.raise(Exception::DeviceNotAvailable);
            left_early(cpu, exit, rest.len())
        },
        Unit::Mmx => |cpu, _, rest| {
            let exit = raise_unavailable(cpu, false, false);
            left_early(cpu, exit, rest.len())
        },
        Unit::Sse => |cpu, _, rest| {
            let exit = raise_unavailable(cpu, true, false);
            left_early(cpu, exit, rest.len())
        },
        Unit::Avx => |cpu, _, rest| {
            let exit = raise_unavailable(cpu, true, true);
            left_early(cpu, exit, rest.len())
        },
    }
}

fn raise_unavailable(cpu: &mut Cpu, needs_sse: bool, needs_avx: bool) -> Exit {
    use crate::rflags::{Cr0, Cr4};
    let cr0 = Cr0::from_bits_retain(cpu.state.cr0);
    let cr4 = Cr4::from_bits_retain(cpu.state.cr4);
    let undefined = (!needs_avx && cr0.contains(Cr0::EM))
        || (needs_sse && !needs_avx && !cr4.contains(Cr4::OSFXSR))
        || (needs_avx && (!cr4.contains(Cr4::OSXSAVE) || cpu.state.xcr0 & 6 != 6));
    cpu.raise(if undefined {
        Exception::InvalidOpcode
    } else {
        Exception::DeviceNotAvailable
    })
}

fn operands(insn: &mut Insn, instruction: &Instruction, mode: Mode) {
    insn.flags
        .set(InsnFlags::REP, instruction.has_repe_prefix());
    insn.flags
        .set(InsnFlags::REPNE, instruction.has_repne_prefix());
    insn.flags
        .set(InsnFlags::LOCK, instruction.has_lock_prefix());
    let mut immediates = 0;
    for operand in 0..instruction.op_count() {
        match instruction.op_kind(operand) {
            OpKind::Register => {
                let register = instruction.op_register(operand);
                let is_high = matches!(
                    register,
                    Register::AH | Register::CH | Register::DH | Register::BH
                );
                // iced numbers AH to BH from 4, and so SPL, BPL, SIL, DIL and R8L on from 8.
                let number = match register.number() {
                    number if register.is_gpr8() && number >= 4 => number - 4,
                    number => number,
                };
                if operand < 4 {
                    insn.registers[operand as usize] = Gpr::from_number(number as u8);
                }
                if is_high {
                    insn.flags |= if operand == 0 {
                        InsnFlags::HIGH0
                    } else {
                        InsnFlags::HIGH1
                    };
                }
            }
            OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64 => {
                insn.immediate = instruction.near_branch_target();
            }
            OpKind::FarBranch16 => {
                insn.immediate = u64::from(instruction.far_branch16());
                insn.displacement = i64::from(instruction.far_branch_selector());
            }
            OpKind::FarBranch32 => {
                insn.immediate = u64::from(instruction.far_branch32());
                insn.displacement = i64::from(instruction.far_branch_selector());
            }
            OpKind::Immediate8_2nd => insn.immediate2 = instruction.immediate8_2nd(),
            kind if is_immediate(kind) => {
                debug_assert!(immediates == 0, "a second immediate has a kind of its own");
                immediates += 1;
                insn.immediate = instruction.immediate(operand);
            }
            _ => memory_operand(insn, instruction, instruction.op_kind(operand), mode),
        }
    }
}

/// What the x87 unit keeps of an opcode: three bits of the first byte, and ModRM (SDM 1, 8.1.9).
fn x87_opcode(bytes: &[u8]) -> u64 {
    // No prefix looks like an escape.
    let escape = bytes.iter().position(|&byte| byte & 0xf8 == 0xd8);
    match escape.and_then(|at| bytes.get(at..at + 2)) {
        Some(&[escape, modrm]) => u64::from(escape & 7) << 8 | u64::from(modrm),
        _ => 0,
    }
}

const fn is_immediate(kind: OpKind) -> bool {
    matches!(
        kind,
        OpKind::Immediate8
            | OpKind::Immediate16
            | OpKind::Immediate32
            | OpKind::Immediate64
            | OpKind::Immediate8to16
            | OpKind::Immediate8to32
            | OpKind::Immediate8to64
            | OpKind::Immediate32to64
    )
}

/// The segment of a memory operand. In 64-bit mode the prefixes of ES, CS, SS and DS
/// are as good as none, so what the base says holds (SDM 1, 3.7.4; SDM 2A, 2.1.1).
fn memory_segment(instruction: &Instruction, mode: Mode) -> Register {
    let segment = instruction.memory_segment();
    if mode.code_bits() != 64 || matches!(segment, Register::FS | Register::GS) {
        return segment;
    }
    match instruction.memory_base() {
        Register::RSP | Register::RBP | Register::ESP | Register::EBP => Register::SS,
        _ => Register::DS,
    }
}

fn memory_operand(insn: &mut Insn, instruction: &Instruction, kind: OpKind, mode: Mode) {
    insn.flags |= InsnFlags::MEMORY;
    insn.segment = segment_register(memory_segment(instruction, mode));
    let implicit = match kind {
        OpKind::MemorySegSI | OpKind::MemoryESDI | OpKind::MemorySegDI => Some(16),
        OpKind::MemorySegESI | OpKind::MemoryESEDI | OpKind::MemorySegEDI => Some(32),
        OpKind::MemorySegRSI | OpKind::MemoryESRDI | OpKind::MemorySegRDI => Some(64),
        _ => None,
    };
    if let Some(bits) = implicit {
        insn.address_bits = bits;
        let source = matches!(
            kind,
            OpKind::MemorySegSI | OpKind::MemorySegESI | OpKind::MemorySegRSI
        );
        insn.base = if source { Gpr::Rsi } else { Gpr::Rdi };
    } else {
        explicit_address(insn, instruction, mode);
    }
    insn.address = match (mode.code_bits(), insn.address_bits, insn.segment) {
        (64, 64, SegmentRegister::Fs | SegmentRegister::Gs) => AddressKind::Based64,
        (64, 64, _) => AddressKind::Flat64,
        (64, ..) => AddressKind::Segmented,
        (_, 32, SegmentRegister::Fs | SegmentRegister::Gs | SegmentRegister::Cs) => {
            AddressKind::Segmented
        }
        (_, 32, _) if mode.contains(Mode::FLAT) => AddressKind::Flat32,
        _ => AddressKind::Segmented,
    };
}

fn explicit_address(insn: &mut Insn, instruction: &Instruction, mode: Mode) {
    let base = instruction.memory_base();
    let index = instruction.memory_index();
    insn.displacement = instruction.memory_displacement64() as i64;
    // A gather's index is a vector and says nothing either.
    let is_gather = index.is_vector_register();
    let widest = if base == Register::None && !is_gather {
        index
    } else {
        base
    };
    insn.address_bits = match widest {
        Register::RIP => 64,
        Register::EIP => 32,
        Register::None => match instruction.memory_displ_size() {
            2 => 16,
            // In 64-bit mode that takes an address-size prefix: without, iced says 8.
            4 => 32,
            8 => 64,
            _ => mode.code_bits() as u8,
        },
        register => register.size() as u8 * 8,
    };
    match base {
        // iced has added the offset of the next instruction; the block's start is missing.
        Register::RIP | Register::EIP => insn.base = Gpr::BlockRip,
        Register::None => {}
        register => insn.base = Gpr::from_number(register.number() as u8),
    }
    if index != Register::None {
        insn.index = Gpr::from_number(index.number() as u8);
        insn.scale = instruction.memory_index_scale().trailing_zeros() as u8;
    }
}

fn segment_register(register: Register) -> SegmentRegister {
    match register {
        Register::ES => SegmentRegister::Es,
        Register::CS => SegmentRegister::Cs,
        Register::SS => SegmentRegister::Ss,
        Register::FS => SegmentRegister::Fs,
        Register::GS => SegmentRegister::Gs,
        _ => SegmentRegister::Ds,
    }
}
