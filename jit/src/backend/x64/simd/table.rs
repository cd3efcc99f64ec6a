//! Which instruction of the host carries out an operation (SDM 2, appendix A).
//!
//! An operation that is not here is left to the interpreter.

use rax_cpu::vector::{
    ConvertOp, CryptoOp, FloatOp, FloatShape, FloatUnaryOp, FloatWidth, FusedOp, FusedOrder,
    FusedSigns, Lane, ShuffleOp, VectorOp, VectorShiftOp, VectorTernaryOp, VectorUnaryOp,
};

use super::code::{Code, np, np3a, np38, p66, p66_3a, p66_38, pf2, pf3};
use super::{Features, estimate};

/// An instruction with its immediate.
pub(super) type Coded = (Code, Option<u8>);

const fn plain(code: Code) -> Option<Coded> {
    Some((code, None))
}

const fn with(code: Code, immediate: u8) -> Option<Coded> {
    Some((code, Some(immediate)))
}

/// One of four codes by the lane, if it has one.
fn by_lane(lane: Lane, codes: [Option<Code>; 4]) -> Option<Coded> {
    codes[lane as usize].map(|code| (code, None))
}

/// 66 0F, with bytes, words, dwords and qwords in four opcodes; zero is none.
fn lanes(lane: Lane, opcodes: [u8; 4]) -> Option<Coded> {
    by_lane(
        lane,
        opcodes.map(|opcode| (opcode != 0).then_some(p66(opcode))),
    )
}

/// The same in 66 0F38.
fn lanes_38(lane: Lane, opcodes: [u8; 4]) -> Option<Coded> {
    by_lane(
        lane,
        opcodes.map(|opcode| (opcode != 0).then_some(p66_38(opcode))),
    )
}

/// Two vectors of integers.
pub(super) fn binary(op: VectorOp, features: &Features) -> Option<Coded> {
    match op {
        VectorOp::And => plain(p66(0xdb)),
        VectorOp::AndNot => plain(p66(0xdf)),
        VectorOp::Or => plain(p66(0xeb)),
        VectorOp::Xor => plain(p66(0xef)),
        VectorOp::Add(lane) => lanes(lane, [0xfc, 0xfd, 0xfe, 0xd4]),
        VectorOp::Sub(lane) => lanes(lane, [0xf8, 0xf9, 0xfa, 0xfb]),
        VectorOp::AddSigned(lane) => lanes(lane, [0xec, 0xed, 0, 0]),
        VectorOp::AddUnsigned(lane) => lanes(lane, [0xdc, 0xdd, 0, 0]),
        VectorOp::SubSigned(lane) => lanes(lane, [0xe8, 0xe9, 0, 0]),
        VectorOp::SubUnsigned(lane) => lanes(lane, [0xd8, 0xd9, 0, 0]),
        VectorOp::Equal(Lane::Qword) => plain(p66_38(0x29)),
        VectorOp::Equal(lane) => lanes(lane, [0x74, 0x75, 0x76, 0]),
        VectorOp::Greater(Lane::Qword) => plain(p66_38(0x37)),
        VectorOp::Greater(lane) => lanes(lane, [0x64, 0x65, 0x66, 0]),
        VectorOp::MinSigned(Lane::Word) => plain(p66(0xea)),
        VectorOp::MinSigned(lane) => lanes_38(lane, [0x38, 0, 0x39, 0]),
        VectorOp::MinUnsigned(Lane::Byte) => plain(p66(0xda)),
        VectorOp::MinUnsigned(lane) => lanes_38(lane, [0, 0x3a, 0x3b, 0]),
        VectorOp::MaxSigned(Lane::Word) => plain(p66(0xee)),
        VectorOp::MaxSigned(lane) => lanes_38(lane, [0x3c, 0, 0x3d, 0]),
        VectorOp::MaxUnsigned(Lane::Byte) => plain(p66(0xde)),
        VectorOp::MaxUnsigned(lane) => lanes_38(lane, [0, 0x3e, 0x3f, 0]),
        VectorOp::Average(lane) => lanes(lane, [0xe0, 0xe3, 0, 0]),
        VectorOp::MulLow(Lane::Word) => plain(p66(0xd5)),
        VectorOp::MulLow(lane) => lanes_38(lane, [0, 0, 0x40, 0]),
        VectorOp::MulHighSigned => plain(p66(0xe5)),
        VectorOp::MulHighUnsigned => plain(p66(0xe4)),
        VectorOp::MulEven => plain(p66(0xf4)),
        VectorOp::MulAdd => plain(p66(0xf5)),
        VectorOp::SumDifferences => plain(p66(0xf6)),
        VectorOp::PackSigned(lane) => lanes(lane, [0, 0x63, 0x6b, 0]),
        VectorOp::PackUnsigned(Lane::Dword) => plain(p66_38(0x2b)),
        VectorOp::PackUnsigned(lane) => lanes(lane, [0, 0x67, 0, 0]),
        VectorOp::InterleaveLow(lane) => lanes(lane, [0x60, 0x61, 0x62, 0x6c]),
        VectorOp::InterleaveHigh(lane) => lanes(lane, [0x68, 0x69, 0x6a, 0x6d]),
        VectorOp::HorizontalAdd(lane) => lanes_38(lane, [0, 0x01, 0x02, 0]),
        VectorOp::HorizontalSub(lane) => lanes_38(lane, [0, 0x05, 0x06, 0]),
        VectorOp::HorizontalAddSigned => plain(p66_38(0x03)),
        VectorOp::HorizontalSubSigned => plain(p66_38(0x07)),
        VectorOp::Sign(lane) => lanes_38(lane, [0x08, 0x09, 0x0a, 0]),
        VectorOp::MulEvenSigned => plain(p66_38(0x28)),
        VectorOp::MulRounded => plain(p66_38(0x0b)),
        VectorOp::MulAddBytes => plain(p66_38(0x04)),
        VectorOp::ShuffleBytes => plain(p66_38(0x00)),
        VectorOp::SumBlocks(places) => with(p66_3a(0x42), places),
        VectorOp::Permute(lane) => lanes_38(lane, [0, 0, 0x0c, 0x0d]),
        VectorOp::ShiftLeft(Lane::Qword) => plain(p66_38(0x47).w(true)),
        VectorOp::ShiftLeft(lane) => lanes_38(lane, [0, 0, 0x47, 0]),
        VectorOp::ShiftRight(Lane::Qword) => plain(p66_38(0x45).w(true)),
        VectorOp::ShiftRight(lane) => lanes_38(lane, [0, 0, 0x45, 0]),
        VectorOp::ShiftRightSigned(lane) => lanes_38(lane, [0, 0, 0x46, 0]),
        VectorOp::Crypto(op) => crypto(op, features),
    }
}

/// A step of a cipher or a hash.
fn crypto(op: CryptoOp, features: &Features) -> Option<Coded> {
    let (has, coded) = match op {
        CryptoOp::AesEncrypt => (features.aes, plain(p66_38(0xdc))),
        CryptoOp::AesEncryptLast => (features.aes, plain(p66_38(0xdd))),
        CryptoOp::AesDecrypt => (features.aes, plain(p66_38(0xde))),
        CryptoOp::AesDecryptLast => (features.aes, plain(p66_38(0xdf))),
        // Of one operand: see `aes_key`.
        CryptoOp::AesKey(_) => (false, None),
        CryptoOp::CarrylessMul(choice) => (features.pclmul, with(p66_3a(0x44), choice)),
        CryptoOp::GaloisMul => (features.gfni, plain(p66_38(0xcf))),
        CryptoOp::GaloisAffine(constant) => (features.gfni, with(p66_3a(0xce).w(true), constant)),
        CryptoOp::GaloisAffineInverse(constant) => {
            (features.gfni, with(p66_3a(0xcf).w(true), constant))
        }
        CryptoOp::Sha1Rounds(function) => (features.sha, with(np3a(0xcc), function)),
        CryptoOp::Sha1NextE => (features.sha, plain(np38(0xc8))),
        CryptoOp::Sha1Schedule1 => (features.sha, plain(np38(0xc9))),
        CryptoOp::Sha1Schedule2 => (features.sha, plain(np38(0xca))),
        CryptoOp::Sha256Schedule1 => (features.sha, plain(np38(0xcc))),
        CryptoOp::Sha256Schedule2 => (features.sha, plain(np38(0xcd))),
    };
    coded.filter(|_| has)
}

/// AESKEYGENASSIST.
pub(super) fn aes_key(op: VectorOp, features: &Features) -> Option<Coded> {
    match op {
        VectorOp::Crypto(CryptoOp::AesKey(constant)) if features.aes => {
            with(p66_3a(0xdf), constant)
        }
        _ => None,
    }
}

/// Whether an operation has no VEX encoding: the SHA extensions.
pub(super) const fn is_sha(op: VectorOp) -> bool {
    matches!(
        op,
        VectorOp::Crypto(
            CryptoOp::Sha1Rounds(_)
                | CryptoOp::Sha1NextE
                | CryptoOp::Sha1Schedule1
                | CryptoOp::Sha1Schedule2
                | CryptoOp::Sha256Schedule1
                | CryptoOp::Sha256Schedule2
        )
    )
}

/// Whether 256 bits of an operation need an extension beyond AVX2.
pub(super) fn is_wide(op: VectorOp, features: &Features) -> bool {
    match op {
        VectorOp::Crypto(CryptoOp::CarrylessMul(_)) => features.vpclmul,
        VectorOp::Crypto(
            CryptoOp::GaloisMul | CryptoOp::GaloisAffine(_) | CryptoOp::GaloisAffineInverse(_),
        ) => true,
        VectorOp::Crypto(_) => features.vaes,
        _ => true,
    }
}

/// One vector of integers, and how many bytes of it are looked at for each 16 of the result.
pub(super) fn unary(op: VectorUnaryOp, features: &Features) -> Option<(Code, u32)> {
    let extend = |from: Lane, to: Lane, base: u8| {
        let number = match (from, to) {
            (Lane::Byte, Lane::Word) => 0,
            (Lane::Byte, Lane::Dword) => 1,
            (Lane::Byte, Lane::Qword) => 2,
            (Lane::Word, Lane::Dword) => 3,
            (Lane::Word, Lane::Qword) => 4,
            (Lane::Dword, Lane::Qword) => 5,
            _ => return None,
        };
        Some((p66_38(base + number), 16 * from.bits() / to.bits()))
    };
    match op {
        VectorUnaryOp::Abs(lane) => {
            lanes_38(lane, [0x1c, 0x1d, 0x1e, 0]).map(|(code, _)| (code, 16))
        }
        VectorUnaryOp::ZeroExtend(from, to) => extend(from, to, 0x30),
        VectorUnaryOp::SignExtend(from, to) => extend(from, to, 0x20),
        VectorUnaryOp::Broadcast(_) => None,
        VectorUnaryOp::Least => Some((p66_38(0x41), 16)),
        VectorUnaryOp::AesInverseMix => features.aes.then_some((p66_38(0xdb), 16)),
    }
}

/// VPBROADCASTB and its kin.
pub(super) const fn broadcast(lane: Lane) -> Code {
    match lane {
        Lane::Byte => p66_38(0x78),
        Lane::Word => p66_38(0x79),
        Lane::Dword => p66_38(0x58),
        Lane::Qword => p66_38(0x59),
    }
}

/// Lanes chosen by an immediate.
pub(super) const fn shuffle(op: ShuffleOp) -> Option<Code> {
    Some(match op {
        ShuffleOp::Dwords => p66(0x70),
        ShuffleOp::Qwords => p66_3a(0x05),
        ShuffleOp::LowWords => pf2(0x70),
        ShuffleOp::HighWords => pf3(0x70),
        ShuffleOp::TwoDwords => np(0xc6),
        ShuffleOp::TwoQwords => p66(0xc6),
        ShuffleOp::Blend(Lane::Byte | Lane::Word) => p66_3a(0x0e),
        ShuffleOp::Blend(Lane::Dword) => p66_3a(0x0c),
        ShuffleOp::Blend(Lane::Qword) => p66_3a(0x0d),
        ShuffleOp::Align => p66_3a(0x0f),
        ShuffleOp::InsertDword => p66_3a(0x21),
    })
}

/// A shift by a vector's low qword; and by an immediate, with the digit in ModRM.
pub(super) const fn shift(op: VectorShiftOp) -> Option<(Option<Code>, Code, u8)> {
    Some(match op {
        VectorShiftOp::Left(Lane::Word) => (Some(p66(0xf1)), p66(0x71), 6),
        VectorShiftOp::Left(Lane::Dword) => (Some(p66(0xf2)), p66(0x72), 6),
        VectorShiftOp::Left(Lane::Qword) => (Some(p66(0xf3)), p66(0x73), 6),
        VectorShiftOp::Right(Lane::Word) => (Some(p66(0xd1)), p66(0x71), 2),
        VectorShiftOp::Right(Lane::Dword) => (Some(p66(0xd2)), p66(0x72), 2),
        VectorShiftOp::Right(Lane::Qword) => (Some(p66(0xd3)), p66(0x73), 2),
        VectorShiftOp::RightSigned(Lane::Word) => (Some(p66(0xe1)), p66(0x71), 4),
        VectorShiftOp::RightSigned(Lane::Dword) => (Some(p66(0xe2)), p66(0x72), 4),
        VectorShiftOp::BytesLeft => (None, p66(0x73), 7),
        VectorShiftOp::BytesRight => (None, p66(0x73), 3),
        VectorShiftOp::Left(_) | VectorShiftOp::Right(_) | VectorShiftOp::RightSigned(_) => {
            return None;
        }
    })
}

/// Bytes of the second operand that a shape looks at, of a vector of `bits`.
pub(super) const fn bytes(shape: FloatShape, bits: u32) -> u32 {
    match shape {
        FloatShape::PackedSingle | FloatShape::PackedDouble => bits / 8,
        FloatShape::ScalarSingle => 4,
        FloatShape::ScalarDouble => 8,
    }
}

/// The four forms of an instruction on numbers.
const fn shaped(shape: FloatShape, opcode: u8) -> Code {
    match shape {
        FloatShape::PackedSingle => np(opcode),
        FloatShape::PackedDouble => p66(opcode),
        FloatShape::ScalarSingle => pf3(opcode),
        FloatShape::ScalarDouble => pf2(opcode),
    }
}

/// Two vectors of numbers.
pub(super) fn float(op: FloatOp, shape: FloatShape) -> Option<Coded> {
    let is_single = matches!(shape, FloatShape::PackedSingle);
    let pair = |opcode| if is_single { pf2(opcode) } else { p66(opcode) };
    match op {
        FloatOp::Add => plain(shaped(shape, 0x58)),
        FloatOp::Mul => plain(shaped(shape, 0x59)),
        FloatOp::Sub => plain(shaped(shape, 0x5c)),
        FloatOp::Min => plain(shaped(shape, 0x5d)),
        FloatOp::Div => plain(shaped(shape, 0x5e)),
        FloatOp::Max => plain(shaped(shape, 0x5f)),
        FloatOp::Compare(predicate) => with(shaped(shape, 0xc2), predicate.immediate()),
        FloatOp::SubAdd => plain(pair(0xd0)),
        FloatOp::HorizontalAdd => plain(pair(0x7c)),
        FloatOp::HorizontalSub => plain(pair(0x7d)),
        FloatOp::Dot(choice) => with(p66_3a(if is_single { 0x40 } else { 0x41 }), choice),
    }
}

/// One vector of numbers.
pub(super) fn float_unary(op: FloatUnaryOp, shape: FloatShape) -> Option<Coded> {
    match op {
        FloatUnaryOp::Sqrt => plain(shaped(shape, 0x51)),
        FloatUnaryOp::Round(how) => {
            let number = match shape {
                FloatShape::PackedSingle => 0x08,
                FloatShape::PackedDouble => 0x09,
                FloatShape::ScalarSingle => 0x0a,
                FloatShape::ScalarDouble => 0x0b,
            };
            with(p66_3a(number), how)
        }
        // Estimates differ from one processor to the next; the guest's are its model's.
        FloatUnaryOp::Reciprocal if estimate::agrees() => plain(shaped(shape, 0x53)),
        FloatUnaryOp::ReciprocalRoot if estimate::agrees() => plain(shaped(shape, 0x52)),
        FloatUnaryOp::Reciprocal | FloatUnaryOp::ReciprocalRoot => None,
    }
}

/// FMADD132PS and its kin.
pub(super) const fn fused(op: FusedOp, shape: FloatShape) -> Code {
    let order = match op.order {
        FusedOrder::F132 => 0x90,
        FusedOrder::F213 => 0xa0,
        FusedOrder::F231 => 0xb0,
    };
    let signs = match op.signs {
        FusedSigns::AddSub => 6,
        FusedSigns::SubAdd => 7,
        FusedSigns::Add => 8,
        FusedSigns::Sub => 0xa,
        FusedSigns::NegatedAdd => 0xc,
        FusedSigns::NegatedSub => 0xe,
    };
    let scalar = matches!(shape, FloatShape::ScalarSingle | FloatShape::ScalarDouble);
    let is_double = matches!(shape, FloatShape::PackedDouble | FloatShape::ScalarDouble);
    p66_38(order | signs | scalar as u8).w(is_double)
}

/// VPDPBUSD and its kin.
pub(super) fn dot(op: VectorTernaryOp) -> Option<Code> {
    match op {
        VectorTernaryOp::DotBytes { saturates } => Some(p66_38(0x50 | u8::from(saturates))),
        VectorTernaryOp::DotWords { saturates } => Some(p66_38(0x52 | u8::from(saturates))),
        VectorTernaryOp::Select(_) | VectorTernaryOp::Sha256Rounds => None,
    }
}

/// A conversion, and how many bytes it looks at of a vector of `bits`.
pub(super) fn convert(op: ConvertOp, bits: u32, features: &Features) -> Option<(Code, u32)> {
    let (whole, half) = (bits / 8, bits / 16);
    Some(match op {
        ConvertOp::SinglesToDoubles => (np(0x5a), half),
        ConvertOp::DoublesToSingles => (p66(0x5a), whole),
        ConvertOp::SingleToDouble => (pf3(0x5a), 4),
        ConvertOp::DoubleToSingle => (pf2(0x5a), 8),
        ConvertOp::DwordsToSingles => (np(0x5b), whole),
        ConvertOp::DwordsToDoubles => (pf3(0xe6), half),
        ConvertOp::SinglesToDwords { truncate: false } => (p66(0x5b), whole),
        ConvertOp::SinglesToDwords { truncate: true } => (pf3(0x5b), whole),
        ConvertOp::DoublesToDwords { truncate: false } => (pf2(0xe6), whole),
        ConvertOp::DoublesToDwords { truncate: true } => (p66(0xe6), whole),
        ConvertOp::HalvesToSingles if features.f16c => (p66_38(0x13), half),
        _ => return None,
    })
}

/// CVTSI2SS, CVTSS2SI and their kin.
pub(super) const fn integer(width: FloatWidth, opcode: u8, bits: u32) -> Code {
    let code = match width {
        FloatWidth::Single => pf3(opcode),
        FloatWidth::Double => pf2(opcode),
    };
    code.w(bits == 64)
}

/// COMISS and its kin.
pub(super) const fn order(width: FloatWidth, quiet_signals: bool) -> Code {
    let opcode = if quiet_signals { 0x2f } else { 0x2e };
    match width {
        FloatWidth::Single => np(opcode),
        FloatWidth::Double => p66(opcode),
    }
}

/// MOVMSKPS and its kin.
pub(super) const fn signs(lane: Lane) -> Option<Code> {
    match lane {
        Lane::Byte => Some(p66(0xd7)),
        Lane::Word => None,
        Lane::Dword => Some(np(0x50)),
        Lane::Qword => Some(p66(0x50)),
    }
}

/// PINSRB and its kin.
pub(super) const fn insert(bits: u32) -> Code {
    match bits {
        8 => p66_3a(0x20),
        16 => p66(0xc4),
        _ => p66_3a(0x22).w(bits == 64),
    }
}

/// PEXTRB and its kin.
pub(super) const fn extract(bits: u32) -> Code {
    match bits {
        8 => p66_3a(0x14),
        16 => p66_3a(0x15),
        _ => p66_3a(0x16).w(bits == 64),
    }
}
