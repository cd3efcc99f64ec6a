//! Moves of whole vectors, halves and scalars on XMM and YMM registers, and MXCSR (SDM 1, 14.3;
//! SDM 2, each under the name of its SSE form; VZEROUPPER, VZEROALL).

use super::super::vector::rows::{ALIGNED, UNALIGNED};
use super::super::vector::vex::pair;
use super::super::vector::{
    bound_row, clear, duplicate, from_gpr, ldmxcsr, load_high, load_low, maskmov, move_from,
    move_high_to_low, move_low, move_to, packed, signs, slot_row, stmxcsr, store_high, store_low,
    to_gpr,
};
use super::super::{Mem, Reg0, Reg1, Reg2, Row, Unit, both, helper};
use crate::vector::{Lane, VectorOp};
use crate::verbs::{Dword, Qword, V128, Y256};

/// A whole vector to a register.
macro_rules! load {
    ($xmm:ident $ymm:ident, $alignment:ident) => {
        pair!($xmm $ymm, move_to, bool = $alignment, Reg1)
    };
}

/// A whole vector from a register.
macro_rules! store {
    ($xmm:ident $ymm:ident, $alignment:ident) => {
        pair!($xmm $ymm, move_from, bool = $alignment, Reg0)
    };
}

/// Sign bits to a general register.
macro_rules! signs {
    ($xmm:ident $ymm:ident, $lane:ident) => {
        [
            bound_row!(
                $xmm,
                Avx,
                signs,
                Lane = Lane::$lane,
                [V128, Reg0],
                [V128, Reg0]
            ),
            bound_row!(
                $ymm,
                Avx,
                signs,
                Lane = Lane::$lane,
                [Y256, Reg0],
                [Y256, Reg0]
            ),
        ]
    };
}

/// VMOVQ to a register clears what is above.
const MOVQ_STORE: Row = Row::shared(
    iced_x86::Code::VEX_Vmovq_xmmm64_xmm,
    both!(load_low, V128, Qword, Reg1),
    both!(store_low, Qword, Mem),
)
.needs(Unit::Avx);

#[rustfmt::skip]
pub(in crate::insn) const PAIRS: &[[Row; 2]] = &[
    load!(VEX_Vmovups_xmm_xmmm128 VEX_Vmovups_ymm_ymmm256, UNALIGNED),
    store!(VEX_Vmovups_xmmm128_xmm VEX_Vmovups_ymmm256_ymm, UNALIGNED),
    load!(VEX_Vmovupd_xmm_xmmm128 VEX_Vmovupd_ymm_ymmm256, UNALIGNED),
    store!(VEX_Vmovupd_xmmm128_xmm VEX_Vmovupd_ymmm256_ymm, UNALIGNED),
    load!(VEX_Vmovaps_xmm_xmmm128 VEX_Vmovaps_ymm_ymmm256, ALIGNED),
    store!(VEX_Vmovaps_xmmm128_xmm VEX_Vmovaps_ymmm256_ymm, ALIGNED),
    load!(VEX_Vmovapd_xmm_xmmm128 VEX_Vmovapd_ymm_ymmm256, ALIGNED),
    store!(VEX_Vmovapd_xmmm128_xmm VEX_Vmovapd_ymmm256_ymm, ALIGNED),
    load!(VEX_Vmovdqa_xmm_xmmm128 VEX_Vmovdqa_ymm_ymmm256, ALIGNED),
    store!(VEX_Vmovdqa_xmmm128_xmm VEX_Vmovdqa_ymmm256_ymm, ALIGNED),
    load!(VEX_Vmovdqu_xmm_xmmm128 VEX_Vmovdqu_ymm_ymmm256, UNALIGNED),
    store!(VEX_Vmovdqu_xmmm128_xmm VEX_Vmovdqu_ymmm256_ymm, UNALIGNED),
    load!(VEX_Vlddqu_xmm_m128 VEX_Vlddqu_ymm_m256, UNALIGNED),
    load!(VEX_Vmovntdqa_xmm_m128 VEX_Vmovntdqa_ymm_m256, ALIGNED),
    store!(VEX_Vmovntps_m128_xmm VEX_Vmovntps_m256_ymm, ALIGNED),
    store!(VEX_Vmovntpd_m128_xmm VEX_Vmovntpd_m256_ymm, ALIGNED),
    store!(VEX_Vmovntdq_m128_xmm VEX_Vmovntdq_m256_ymm, ALIGNED),
    pair!(VEX_Vmovsldup_xmm_xmmm128 VEX_Vmovsldup_ymm_ymmm256, duplicate, u8 = 0xa0, Reg1),
    pair!(VEX_Vmovshdup_xmm_xmmm128 VEX_Vmovshdup_ymm_ymmm256, duplicate, u8 = 0xf5, Reg1),
    pair!(VEX_Vmovddup_xmm_xmmm64 VEX_Vmovddup_ymm_ymmm256, duplicate, u8 = 0x44, Reg1),
    signs!(VEX_Vmovmskps_r32_xmm VEX_Vmovmskps_r32_ymm, Dword),
    signs!(VEX_Vmovmskps_r64_xmm VEX_Vmovmskps_r64_ymm, Dword),
    signs!(VEX_Vmovmskpd_r32_xmm VEX_Vmovmskpd_r32_ymm, Qword),
    signs!(VEX_Vmovmskpd_r64_xmm VEX_Vmovmskpd_r64_ymm, Qword),
    signs!(VEX_Vpmovmskb_r32_xmm VEX_Vpmovmskb_r32_ymm, Byte),
    signs!(VEX_Vpmovmskb_r64_xmm VEX_Vpmovmskb_r64_ymm, Byte),
];

#[rustfmt::skip]
pub(in crate::insn) const SINGLES: &[Row] = &[
    slot_row!(VEX_Vmovss_xmm_xmm_xmm, Avx, move_low, [V128, Dword, Reg2], [V128, Dword, Reg2]),
    slot_row!(VEX_Vmovss_xmm_xmm_xmm_0F11, Avx, move_low, [V128, Dword, Reg2], [V128, Dword, Reg2]),
    slot_row!(VEX_Vmovss_xmm_m32, Avx, load_low, [V128, Dword, Mem], [V128, Dword, Mem]),
    slot_row!(VEX_Vmovss_m32_xmm, Avx, store_low, [Dword, Mem], [Dword, Mem]),
    slot_row!(VEX_Vmovsd_xmm_xmm_xmm, Avx, move_low, [V128, Qword, Reg2], [V128, Qword, Reg2]),
    slot_row!(VEX_Vmovsd_xmm_xmm_xmm_0F11, Avx, move_low, [V128, Qword, Reg2], [V128, Qword, Reg2]),
    slot_row!(VEX_Vmovsd_xmm_m64, Avx, load_low, [V128, Qword, Mem], [V128, Qword, Mem]),
    slot_row!(VEX_Vmovsd_m64_xmm, Avx, store_low, [Qword, Mem], [Qword, Mem]),
    slot_row!(VEX_Vmovhlps_xmm_xmm_xmm, Avx, move_high_to_low, [V128, Reg2], [V128, Reg2]),
    bound_row!(VEX_Vmovlhps_xmm_xmm_xmm, Avx, packed, VectorOp = VectorOp::InterleaveLow(Lane::Qword), [V128, Reg2], [V128, Reg2]),
    slot_row!(VEX_Vmovlps_xmm_xmm_m64, Avx, move_low, [V128, Qword, Mem], [V128, Qword, Mem]),
    slot_row!(VEX_Vmovlps_m64_xmm, Avx, store_low, [Qword, Mem], [Qword, Mem]),
    slot_row!(VEX_Vmovhps_xmm_xmm_m64, Avx, load_high, [V128, Mem], [V128, Mem]),
    slot_row!(VEX_Vmovhps_m64_xmm, Avx, store_high, [Mem], [Mem]),
    slot_row!(VEX_Vmovlpd_xmm_xmm_m64, Avx, move_low, [V128, Qword, Mem], [V128, Qword, Mem]),
    slot_row!(VEX_Vmovlpd_m64_xmm, Avx, store_low, [Qword, Mem], [Qword, Mem]),
    slot_row!(VEX_Vmovhpd_xmm_xmm_m64, Avx, load_high, [V128, Mem], [V128, Mem]),
    slot_row!(VEX_Vmovhpd_m64_xmm, Avx, store_high, [Mem], [Mem]),
    slot_row!(VEX_Vmovd_xmm_rm32, Avx, from_gpr, [V128, Dword, Reg1], [V128, Dword, Mem]),
    slot_row!(VEX_Vmovq_xmm_rm64, Avx, from_gpr, [V128, Qword, Reg1], [V128, Qword, Mem]),
    slot_row!(VEX_Vmovd_rm32_xmm, Avx, to_gpr, [V128, Dword, Reg0], [V128, Dword, Mem]),
    slot_row!(VEX_Vmovq_rm64_xmm, Avx, to_gpr, [V128, Qword, Reg0], [V128, Qword, Mem]),
    slot_row!(VEX_Vmovq_xmm_xmmm64, Avx, load_low, [V128, Qword, Reg1], [V128, Qword, Mem]),
    MOVQ_STORE,
    slot_row!(VEX_Vldmxcsr_m32, Avx, ldmxcsr, [Mem], [Mem]),
    slot_row!(VEX_Vstmxcsr_m32, Avx, stmxcsr, [Mem], [Mem]),
    helper!(VEX_Vmaskmovdqu_rDI_xmm_xmm, maskmov).needs(Unit::Avx),
    bound_row!(VEX_Vzeroupper, Avx, clear, bool = false, [], []),
    bound_row!(VEX_Vzeroall, Avx, clear, bool = true, [], []),
];
