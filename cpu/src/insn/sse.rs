//! SSE on XMM registers (SDM 1, 5.5 and chapter 10).

use super::vector::rows::{
    arithmetic, compare, from_integer, from_pair, load, order, packed, root, scalar_load,
    scalar_store, shuffle, signs, store, to_integer, to_pair,
};
use super::vector::{
    arithmetic, compare, from_integer, integers_from_mmx, ldmxcsr, load_high, load_low, move_from,
    move_high_to_low, move_low, move_to, order, packed, root, shuffle, signs, slot_row, stmxcsr,
    store_high, store_low, to_integer, to_mmx,
};
use super::{Mem, Reg0, Reg1, Row};
use crate::verbs::{Dword, Qword, X128};

/// A row without a constant.
macro_rules! slot {
    ($code:ident, $meaning:ident, [$($register:ty),*], [$($memory:ty),*]) => {
        slot_row!($code, Sse, $meaning, [$($register),*], [$($memory),*])
    };
}

pub(super) const ROWS: &[Row] = &[
    load!(Movups_xmm_xmmm128, UNALIGNED),
    scalar_load!(Movss_xmm_xmmm32, Dword),
    store!(Movups_xmmm128_xmm, UNALIGNED),
    scalar_store!(Movss_xmmm32_xmm, Dword),
    slot!(
        Movhlps_xmm_xmm,
        move_high_to_low,
        [X128, Reg1],
        [X128, Reg1]
    ),
    slot!(
        Movlps_xmm_m64,
        move_low,
        [X128, Qword, Mem],
        [X128, Qword, Mem]
    ),
    slot!(Movlps_m64_xmm, store_low, [Qword, Mem], [Qword, Mem]),
    packed!(Unpcklps_xmm_xmmm128, InterleaveLow(Dword)),
    packed!(Unpckhps_xmm_xmmm128, InterleaveHigh(Dword)),
    packed!(Movlhps_xmm_xmm, InterleaveLow(Qword)),
    slot!(Movhps_xmm_m64, load_high, [X128, Mem], [X128, Mem]),
    slot!(Movhps_m64_xmm, store_high, [Mem], [Mem]),
    load!(Movaps_xmm_xmmm128, ALIGNED),
    store!(Movaps_xmmm128_xmm, ALIGNED),
    from_pair!(Cvtpi2ps_xmm_mmm64, TwoDwordsToSingles),
    from_integer!(Cvtsi2ss_xmm_rm32, Single, Dword),
    from_integer!(Cvtsi2ss_xmm_rm64, Single, Qword),
    store!(Movntps_m128_xmm, ALIGNED),
    to_pair!(Cvttps2pi_mm_xmmm64, TwoSinglesToDwords, true),
    to_integer!(Cvttss2si_r32_xmmm32, Single, true, Dword),
    to_integer!(Cvttss2si_r64_xmmm32, Single, true, Qword),
    to_pair!(Cvtps2pi_mm_xmmm64, TwoSinglesToDwords, false),
    to_integer!(Cvtss2si_r32_xmmm32, Single, false, Dword),
    to_integer!(Cvtss2si_r64_xmmm32, Single, false, Qword),
    order!(Ucomiss_xmm_xmmm32, Single, false),
    order!(Comiss_xmm_xmmm32, Single, true),
    signs!(Movmskps_r32_xmm, Dword),
    signs!(Movmskps_r64_xmm, Dword),
    root!(Sqrtps_xmm_xmmm128, Sqrt, PackedSingle),
    root!(Sqrtss_xmm_xmmm32, Sqrt, ScalarSingle),
    root!(Rsqrtps_xmm_xmmm128, ReciprocalRoot, PackedSingle),
    root!(Rsqrtss_xmm_xmmm32, ReciprocalRoot, ScalarSingle),
    root!(Rcpps_xmm_xmmm128, Reciprocal, PackedSingle),
    root!(Rcpss_xmm_xmmm32, Reciprocal, ScalarSingle),
    packed!(Andps_xmm_xmmm128, And),
    packed!(Andnps_xmm_xmmm128, AndNot),
    packed!(Orps_xmm_xmmm128, Or),
    packed!(Xorps_xmm_xmmm128, Xor),
    arithmetic!(Addps_xmm_xmmm128, Add, PackedSingle),
    arithmetic!(Addss_xmm_xmmm32, Add, ScalarSingle),
    arithmetic!(Mulps_xmm_xmmm128, Mul, PackedSingle),
    arithmetic!(Mulss_xmm_xmmm32, Mul, ScalarSingle),
    arithmetic!(Subps_xmm_xmmm128, Sub, PackedSingle),
    arithmetic!(Subss_xmm_xmmm32, Sub, ScalarSingle),
    arithmetic!(Minps_xmm_xmmm128, Min, PackedSingle),
    arithmetic!(Minss_xmm_xmmm32, Min, ScalarSingle),
    arithmetic!(Divps_xmm_xmmm128, Div, PackedSingle),
    arithmetic!(Divss_xmm_xmmm32, Div, ScalarSingle),
    arithmetic!(Maxps_xmm_xmmm128, Max, PackedSingle),
    arithmetic!(Maxss_xmm_xmmm32, Max, ScalarSingle),
    slot!(Ldmxcsr_m32, ldmxcsr, [Mem], [Mem]),
    slot!(Stmxcsr_m32, stmxcsr, [Mem], [Mem]),
    compare!(Cmpps_xmm_xmmm128_imm8, PackedSingle),
    compare!(Cmpss_xmm_xmmm32_imm8, ScalarSingle),
    shuffle!(Shufps_xmm_xmmm128_imm8, TwoDwords),
];
