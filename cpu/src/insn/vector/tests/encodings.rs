//! One encoding of every instruction, and of its memory form, found by trying.

use std::collections::BTreeMap;

use iced_x86::{
    Code, CpuidFeature, Decoder, DecoderOptions, EncodingKind, Instruction, Mnemonic,
    OpCodeOperandKind, OpKind,
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

/// Registers are numbers 0 and 1, memory is at RBX.
pub(super) fn encodings() -> Vec<Encoding> {
    let mut found: BTreeMap<(Code, bool), Vec<u8>> = BTreeMap::new();
    let prefixes: [&[u8]; 5] = [&[], &[0x66], &[0xf3], &[0xf2], &[0x66, 0xf2]];
    let maps: [&[u8]; 3] = [&[0x0f], &[0x0f, 0x38], &[0x0f, 0x3a]];
    for prefix in prefixes {
        for rex in [None, Some(0x48)] {
            for (map, opcode) in maps.iter().flat_map(|map| (0..=255).map(move |n| (map, n))) {
                for modrm in (0..8).flat_map(|reg| [0xc1 | reg << 3, 0x03 | reg << 3]) {
                    let mut bytes = prefix.to_vec();
                    bytes.extend(rex);
                    bytes.extend(*map);
                    bytes.extend([opcode, modrm, 0x1b]);
                    let mut instruction = Instruction::default();
                    Decoder::new(64, &bytes, DecoderOptions::NONE).decode_out(&mut instruction);
                    if is_ours(instruction.code()) {
                        bytes.truncate(instruction.len());
                        let in_memory = instruction
                            .op_kinds()
                            .any(|kind| matches!(kind, OpKind::Memory | OpKind::MemorySegRDI));
                        // XMM0 is a third operand: the others should not be.
                        let place = (instruction.code(), in_memory);
                        if uses_xmm0(instruction.code()) && found.contains_key(&place) {
                            if modrm & 0x38 == 8 {
                                found.insert(place, bytes);
                            }
                            continue;
                        }
                        found.entry(place).or_insert(bytes);
                    }
                }
            }
        }
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
    ];
    code.op_code().encoding() == EncodingKind::Legacy
        && features.iter().any(|feature| simd.contains(feature))
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
