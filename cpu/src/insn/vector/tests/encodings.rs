//! One encoding of every instruction, and of its memory form, found by trying.

use std::collections::BTreeMap;

use iced_x86::{
    Code, CpuidFeature, Decoder, DecoderOptions, EncodingKind, Instruction, Mnemonic,
    OpCodeOperandKind, OpKind, Register,
};

/// An instruction to test.
#[derive(Clone, Debug)]
pub(super) struct Encoding {
    pub(super) code: Code,
    pub(super) bytes: Vec<u8>,
    /// It has a memory operand, explicit or not.
    pub(super) in_memory: bool,
    /// Its last byte is an immediate.
    pub(super) has_immediate: bool,
}

/// Registers are numbers 0 and 1, with VEX 0 to 3; memory is at RBX.
pub(super) fn encodings() -> Vec<Encoding> {
    let mut found: BTreeMap<(Code, bool), Vec<u8>> = BTreeMap::new();
    for bytes in candidates().chain(vex_candidates()) {
        let mut instruction = Instruction::default();
        Decoder::new(64, &bytes, DecoderOptions::NONE).decode_out(&mut instruction);
        if !is_ours(instruction.code()) {
            continue;
        }
        let in_memory = instruction
            .op_kinds()
            .any(|kind| matches!(kind, OpKind::Memory | OpKind::MemorySegRDI));
        // Memory at RBX alone, except of a gather.
        let is_vector = instruction.memory_index().is_vector_register();
        if in_memory && instruction.memory_index() != Register::None && !is_vector {
            continue;
        }
        // Where XMM0 is a third operand anyway, let the first be XMM1.
        if in_memory
            && uses_xmm0(instruction.code())
            && instruction.op0_register() != Register::XMM1
        {
            continue;
        }
        found
            .entry((instruction.code(), in_memory))
            .or_insert_with(|| bytes[..instruction.len()].to_vec());
    }
    found
        .into_iter()
        .map(|((code, in_memory), bytes)| Encoding {
            code,
            bytes,
            in_memory,
            has_immediate: code.op_code().op_kinds().contains(&OpCodeOperandKind::imm8),
        })
        .collect()
}

/// Everything to try, with one byte of an immediate.
fn candidates() -> impl Iterator<Item = Vec<u8>> {
    let prefixes: [&[u8]; 5] = [&[], &[0x66], &[0xf3], &[0xf2], &[0x66, 0xf2]];
    let maps: [&[u8]; 3] = [&[0x0f], &[0x0f, 0x38], &[0x0f, 0x3a]];
    let heads = prefixes.into_iter().flat_map(move |prefix| {
        let rex: [&[u8]; 2] = [&[], &[0x48]];
        rex.into_iter()
            .flat_map(move |rex| maps.map(|map| [prefix, rex, map].concat()))
    });
    heads.flat_map(|head| {
        let is_first_map = head.last() == Some(&0x0f);
        (0..=255_u8)
            // These lead to the other maps.
            .filter(move |opcode| !is_first_map || !matches!(opcode, 0x38 | 0x3a))
            .flat_map(move |opcode| {
                let head = head.clone();
                (0..8)
                    .flat_map(|reg| [0xc1 | reg << 3, 0x03 | reg << 3])
                    .map(move |modrm| [&head[..], &[opcode, modrm, 0x1b]].concat())
            })
    })
}

/// Everything to try with a VEX prefix of three bytes. Register 1 is named there, or none;
/// the last byte names register 3 or is an immediate. A gather's indexes are in register 2.
fn vex_candidates() -> impl Iterator<Item = Vec<u8>> {
    let prefixes = (1..=3_u8).flat_map(|map| (0..16_u8).map(move |low| (map, low)));
    let heads = prefixes.flat_map(|(map, low)| {
        // W, L and pp; the register is inverted.
        let last = (low & 8) << 4 | low & 7;
        [14, 15].map(|register| [0xc4, 0xe0 | map, last | register << 3])
    });
    heads.flat_map(|head| {
        (0..=255_u8).flat_map(move |opcode| {
            (0..8_u8).flat_map(move |reg| {
                let [register, memory, gather] = [
                    [0xc2 | reg << 3, 0x30, 0],
                    [0x03 | reg << 3, 0x30, 0],
                    [0x04 | reg << 3, 0x13, 0x30],
                ];
                [register, memory, gather].map(|tail| [&head[..], &[opcode], &tail].concat())
            })
        })
    })
}

/// Whether XMM0 is an operand that no byte names.
fn uses_xmm0(code: Code) -> bool {
    matches!(
        code.mnemonic(),
        Mnemonic::Pblendvb | Mnemonic::Blendvps | Mnemonic::Blendvpd | Mnemonic::Sha256rnds2
    )
}

/// Whether a code belongs to the groups tested here.
pub(super) fn is_ours(code: Code) -> bool {
    let features = code.cpuid_features();
    let simd = [
        CpuidFeature::MMX,
        CpuidFeature::SSE,
        CpuidFeature::SSE2,
        CpuidFeature::SSE3,
        CpuidFeature::SSSE3,
        CpuidFeature::SSE4_1,
        CpuidFeature::SSE4_2,
        CpuidFeature::AES,
        CpuidFeature::PCLMULQDQ,
        CpuidFeature::SHA,
        CpuidFeature::GFNI,
    ];
    let with_vex = [
        CpuidFeature::AVX,
        CpuidFeature::AVX2,
        CpuidFeature::AES,
        CpuidFeature::PCLMULQDQ,
        CpuidFeature::FMA,
        CpuidFeature::F16C,
        CpuidFeature::VAES,
        CpuidFeature::VPCLMULQDQ,
        CpuidFeature::GFNI,
        CpuidFeature::AVX_VNNI,
    ];
    let is_of_group = match code.op_code().encoding() {
        EncodingKind::Legacy => features.iter().any(|feature| simd.contains(feature)),
        EncodingKind::VEX => features.iter().all(|feature| with_vex.contains(feature)),
        _ => false,
    };
    is_of_group
        && !matches!(
            code.mnemonic(),
            Mnemonic::Prefetchnta
                | Mnemonic::Prefetcht0
                | Mnemonic::Prefetcht1
                | Mnemonic::Prefetcht2
                | Mnemonic::Lfence
                | Mnemonic::Mfence
                | Mnemonic::Sfence
                | Mnemonic::Fisttp
        )
}
