//! Makes the bytes of one instruction: every way to encode it, and now and then a
//! prefix too many (SDM 2A, chapter 2).
//!
//! Bytes are put together here and not by iced-x86's encoder, which chooses the best
//! of several encodings; here each of them is to have its turn.

use iced_x86::{Code, EncodingKind, MandatoryPrefix, OpCodeTableKind};

use super::Shape;
use crate::random::Random;

/// Prefixes that may stand before any instruction.
const PREFIXES: [u8; 11] = [
    0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
];

/// Bits of a REX prefix, or of VEX where they are inverted.
#[derive(Clone, Copy, Debug, Default)]
struct Extension {
    w: bool,
    r: bool,
    x: bool,
    b: bool,
    /// A REX prefix even if no bit is set.
    present: bool,
}

/// One instruction of `code`; or what becomes of it with other prefixes.
pub(super) fn one(code: Code, shape: &Shape, random: &mut Random) -> Vec<u8> {
    let tail = Tail::new(code, shape, random);
    let mut bytes = match code.op_code().encoding() {
        EncodingKind::VEX | EncodingKind::XOP => vex(code, shape, &tail, random),
        EncodingKind::EVEX => evex(code, shape, &tail, random),
        _ => legacy(code, &tail, random),
    };
    bytes.extend(&tail.bytes);
    if shape.memory || shape.offset {
        if random.one_in(6) {
            bytes.insert(0, random.pick(&[0x64, 0x65]));
        }
        if random.one_in(8) {
            bytes.insert(0, 0x67);
        }
    }
    if random.one_in(12) {
        for _ in 0..=random.below(3) {
            bytes.insert(0, random.pick(&PREFIXES));
        }
    }
    if random.one_in(256) {
        // Longer than any instruction may be.
        let prefix = random.pick(&PREFIXES[5..]);
        while bytes.len() < 16 {
            bytes.insert(0, prefix);
        }
    }
    bytes
}

/// What follows the opcode, and the bits of prefixes that belong to it.
struct Tail {
    extension: Extension,
    /// Added to the opcode's last byte.
    in_opcode: u8,
    vvvv: u8,
    /// ModRM, SIB, displacement, immediates.
    bytes: Vec<u8>,
}

impl Tail {
    fn new(code: Code, shape: &Shape, random: &mut Random) -> Self {
        let op_code = code.op_code();
        let mut tail = Self {
            extension: Extension::default(),
            in_opcode: 0,
            vvvv: 0,
            bytes: Vec::with_capacity(16),
        };
        if random.one_in(2) {
            // Half of all cases use none of the upper registers.
            let any = random.byte();
            tail.extension = Extension {
                w: false,
                r: shape.wide_reg && any & 1 != 0 || any & 0xf8 == 0x08,
                x: any & 2 != 0,
                b: any & 4 != 0,
                present: any & 0x80 != 0,
            };
        }
        if shape.in_opcode {
            tail.in_opcode = random.byte() & 7;
        }
        if shape.vvvv {
            tail.vvvv = random.byte() & 15;
        }
        if shape.modrm {
            let reg = match op_code.group_index() {
                index @ 0..=7 => index as u8,
                _ if shape.segment => random.below(6) as u8,
                _ => random.byte() & 7,
            };
            if shape.segment && !random.one_in(16) {
                tail.extension.r = false;
            }
            tail.modrm(code, shape, reg, random);
        }
        if shape.offset {
            tail.bytes
                .extend(super::address::somewhere(random).to_le_bytes());
        }
        tail.immediates(shape, random);
        if op_code.encoding() == EncodingKind::D3NOW {
            tail.bytes.push(op_code.op_code() as u8);
        }
        tail
    }

    fn modrm(&mut self, code: Code, shape: &Shape, reg: u8, random: &mut Random) {
        let in_memory = shape.memory && (!shape.register || random.one_in(2));
        if !in_memory {
            let rm = match code.op_code().rm_group_index() {
                index @ 0..=7 => index as u8,
                _ => random.byte() & 7,
            };
            self.bytes.push(0xc0 | reg << 3 | rm);
            return;
        }
        let mode = random.below(3) as u8;
        let rm = if shape.vsib { 4 } else { random.byte() & 7 };
        self.bytes.push(mode << 6 | reg << 3 | rm);
        let mut base = rm;
        if rm == 4 {
            let sib = random.byte();
            self.bytes.push(sib);
            base = sib & 7;
        }
        let any = random.next();
        match mode {
            0 if base == 5 => self.bytes.extend((any as i32 >> 8).to_le_bytes()),
            0 => {}
            1 => self.bytes.push(any as u8),
            _ => {
                let displacement = any as i32 >> (any >> 32 & 31);
                self.bytes.extend(displacement.to_le_bytes());
            }
        }
    }

    fn immediates(&mut self, shape: &Shape, random: &mut Random) {
        for size in shape.immediates {
            let value = crate::background::integer(random);
            self.bytes.extend(&value.to_le_bytes()[..usize::from(size)]);
        }
        if shape.is4 {
            self.bytes.push(random.byte());
        }
        let branch = usize::from(shape.branch);
        let displacement = if random.one_in(2) {
            0
        } else {
            random.next() as i32 >> random.below(24)
        };
        self.bytes.extend(&displacement.to_le_bytes()[..branch]);
    }
}

/// The number of an opcode map, which VEX encodes.
const fn map(table: OpCodeTableKind) -> u8 {
    match table {
        OpCodeTableKind::T0F => 1,
        OpCodeTableKind::T0F38 => 2,
        OpCodeTableKind::T0F3A => 3,
        OpCodeTableKind::MAP5 => 5,
        OpCodeTableKind::MAP6 => 6,
        OpCodeTableKind::MAP8 => 8,
        OpCodeTableKind::MAP9 => 9,
        OpCodeTableKind::MAP10 => 10,
        _ => 0,
    }
}

/// The number of a mandatory prefix, as VEX encodes it.
const fn pp(prefix: MandatoryPrefix) -> u8 {
    match prefix {
        MandatoryPrefix::P66 => 1,
        MandatoryPrefix::PF3 => 2,
        MandatoryPrefix::PF2 => 3,
        _ => 0,
    }
}

fn legacy(code: Code, tail: &Tail, random: &mut Random) -> Vec<u8> {
    let op_code = code.op_code();
    let mut bytes = Vec::with_capacity(24);
    if op_code.address_size() == 32 {
        bytes.push(0x67);
    }
    if op_code.operand_size() == 16 {
        bytes.push(0x66);
    }
    match op_code.mandatory_prefix() {
        MandatoryPrefix::P66 => bytes.push(0x66),
        MandatoryPrefix::PF3 => bytes.push(0xf3),
        MandatoryPrefix::PF2 => bytes.push(0xf2),
        _ => {}
    }
    let can_repeat = op_code.can_use_rep_prefix() || op_code.can_use_repne_prefix();
    if can_repeat && random.one_in(2) {
        bytes.push(random.pick(&[0xf2, 0xf3]));
    }
    if op_code.can_use_lock_prefix() && random.one_in(4) {
        bytes.push(0xf0);
    }
    let mut extension = tail.extension;
    // Where the size is always 64 bits, or of no matter, REX.W is as good as none.
    let is_free =
        op_code.operand_size() == 0 || op_code.default_op_size64() || op_code.force_op_size64();
    extension.w = if is_free {
        random.one_in(8)
    } else {
        op_code.operand_size() == 64
    };
    if op_code.mandatory_prefix() == MandatoryPrefix::PNP && op_code.operand_size() == 0 {
        extension.w &= random.one_in(2);
    }
    let Extension {
        w,
        r,
        x,
        b,
        present,
    } = extension;
    if w || r || x || b || present {
        let bits = u8::from(w) << 3 | u8::from(r) << 2 | u8::from(x) << 1 | u8::from(b);
        bytes.push(0x40 | bits);
    }
    if op_code.encoding() == EncodingKind::D3NOW {
        bytes.extend([0x0f, 0x0f]);
        return bytes;
    }
    match op_code.table() {
        OpCodeTableKind::T0F => bytes.push(0x0f),
        OpCodeTableKind::T0F38 => bytes.extend([0x0f, 0x38]),
        OpCodeTableKind::T0F3A => bytes.extend([0x0f, 0x3a]),
        _ => {}
    }
    let opcode = op_code.op_code();
    if op_code.op_code_len() == 2 {
        bytes.push((opcode >> 8) as u8);
    }
    bytes.push(opcode as u8 + tail.in_opcode);
    bytes
}

fn vex(code: Code, shape: &Shape, tail: &Tail, random: &mut Random) -> Vec<u8> {
    let op_code = code.op_code();
    let Extension { r, x, b, .. } = tail.extension;
    let w = if op_code.is_wig() {
        random.one_in(4)
    } else {
        op_code.w() == 1
    };
    let l = if op_code.is_lig() {
        random.one_in(4)
    } else {
        op_code.l() == 1
    };
    // Inverted; all ones if there is no such operand, or once in a while not.
    let vvvv = if shape.vvvv {
        tail.vvvv
    } else if random.one_in(64) {
        random.byte() & 15
    } else {
        15
    };
    let map = map(op_code.table());
    let last = vvvv << 3 | u8::from(l) << 2 | pp(op_code.mandatory_prefix());
    let is_xop = op_code.encoding() == EncodingKind::XOP;
    let mut bytes = Vec::with_capacity(24);
    if !w && !x && !b && map == 1 && !is_xop && random.one_in(2) {
        bytes.extend([0xc5, u8::from(!r) << 7 | last]);
    } else {
        let escape = if is_xop { 0x8f } else { 0xc4 };
        let inverted = u8::from(!r) << 7 | u8::from(!x) << 6 | u8::from(!b) << 5;
        bytes.extend([escape, inverted | map, u8::from(w) << 7 | last]);
    }
    let opcode = op_code.op_code();
    if op_code.op_code_len() == 2 {
        bytes.push((opcode >> 8) as u8);
    }
    bytes.push(opcode as u8 + tail.in_opcode);
    if random.one_in(128) {
        // What VEX does not go with.
        bytes.insert(0, random.pick(&[0x66, 0xf2, 0xf3, 0xf0, 0x40, 0x48]));
    }
    bytes
}

/// EVEX without masking, broadcast and rounding: rax has none of them yet.
fn evex(code: Code, shape: &Shape, tail: &Tail, random: &mut Random) -> Vec<u8> {
    let op_code = code.op_code();
    let Extension { r, x, b, .. } = tail.extension;
    let w = u8::from(if op_code.is_wig() {
        random.one_in(4)
    } else {
        op_code.w() == 1
    });
    let vvvv = if shape.vvvv { tail.vvvv } else { 15 };
    let inverted = u8::from(!r) << 7 | u8::from(!x) << 6 | u8::from(!b) << 5 | 0x10;
    let mask = u8::from(op_code.require_op_mask_register());
    vec![
        0x62,
        inverted | map(op_code.table()),
        w << 7 | vvvv << 3 | 4 | pp(op_code.mandatory_prefix()),
        (op_code.l() as u8) << 5 | 8 | mask,
        op_code.op_code() as u8,
    ]
}
