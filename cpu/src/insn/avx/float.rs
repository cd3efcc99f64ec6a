//! Floating-point instructions on XMM and YMM registers (SDM 1, 14.1 to 14.3; SDM 2, each under
//! the name of its SSE form).

use super::super::vector::vex::{arithmetic, convert, one, pair, scalar};
use super::super::vector::{
    arithmetic, arithmetic_by, bound_row, compare, convert, from_integer, order, root, root_by,
    to_integer,
};
use super::super::{Mem, Reg0, Reg1, Reg2, Row};
use crate::vector::{FloatOp, FloatShape, FloatUnaryOp, FloatWidth};
use crate::verbs::{Dword, Qword, V128};

/// One vector of numbers.
macro_rules! root {
    ($xmm:ident $ymm:ident, $op:ident, $shape:ident) => {
        pair!(
            $xmm $ymm, root,
            (FloatUnaryOp, FloatShape) = (FloatUnaryOp::$op, FloatShape::$shape),
            Reg1
        )
    };
}

/// One number.
macro_rules! scalar_root {
    ($code:ident, $op:ident, $shape:ident) => {
        one!(
            $code,
            V128,
            root,
            (FloatUnaryOp, FloatShape) = (FloatUnaryOp::$op, FloatShape::$shape),
            Reg2
        )
    };
}

/// Numbers made integral.
macro_rules! round {
    ($xmm:ident $ymm:ident, $shape:ident) => {
        pair!(
            $xmm $ymm, root_by,
            (fn(u8) -> FloatUnaryOp, FloatShape) = (FloatUnaryOp::Round, FloatShape::$shape),
            Reg1
        )
    };
}

/// One number made integral.
macro_rules! scalar_round {
    ($code:ident, $shape:ident) => {
        one!(
            $code,
            V128,
            root_by,
            (fn(u8) -> FloatUnaryOp, FloatShape) = (FloatUnaryOp::Round, FloatShape::$shape),
            Reg2
        )
    };
}

/// A conversion from a general register.
macro_rules! from_integer {
    ($code:ident, $float:ident, $width:ty) => {
        bound_row!(
            $code,
            Avx,
            from_integer,
            FloatWidth = FloatWidth::$float,
            [V128, $width, Reg2],
            [V128, $width, Mem]
        )
    };
}

/// A conversion to a general register; the third word says whether it truncates.
macro_rules! to_integer {
    ($code:ident, $float:ident, $truncate:literal, $width:ty) => {
        bound_row!(
            $code,
            Avx,
            to_integer,
            (FloatWidth, bool) = (FloatWidth::$float, $truncate),
            [V128, $width, Reg0, Reg1],
            [V128, $width, Reg0, Mem]
        )
    };
}

#[rustfmt::skip]
pub(in crate::insn) const PAIRS: &[[Row; 2]] = &[
    arithmetic!(VEX_Vaddps_xmm_xmm_xmmm128 VEX_Vaddps_ymm_ymm_ymmm256, Add, PackedSingle),
    arithmetic!(VEX_Vaddpd_xmm_xmm_xmmm128 VEX_Vaddpd_ymm_ymm_ymmm256, Add, PackedDouble),
    arithmetic!(VEX_Vmulps_xmm_xmm_xmmm128 VEX_Vmulps_ymm_ymm_ymmm256, Mul, PackedSingle),
    arithmetic!(VEX_Vmulpd_xmm_xmm_xmmm128 VEX_Vmulpd_ymm_ymm_ymmm256, Mul, PackedDouble),
    arithmetic!(VEX_Vsubps_xmm_xmm_xmmm128 VEX_Vsubps_ymm_ymm_ymmm256, Sub, PackedSingle),
    arithmetic!(VEX_Vsubpd_xmm_xmm_xmmm128 VEX_Vsubpd_ymm_ymm_ymmm256, Sub, PackedDouble),
    arithmetic!(VEX_Vminps_xmm_xmm_xmmm128 VEX_Vminps_ymm_ymm_ymmm256, Min, PackedSingle),
    arithmetic!(VEX_Vminpd_xmm_xmm_xmmm128 VEX_Vminpd_ymm_ymm_ymmm256, Min, PackedDouble),
    arithmetic!(VEX_Vdivps_xmm_xmm_xmmm128 VEX_Vdivps_ymm_ymm_ymmm256, Div, PackedSingle),
    arithmetic!(VEX_Vdivpd_xmm_xmm_xmmm128 VEX_Vdivpd_ymm_ymm_ymmm256, Div, PackedDouble),
    arithmetic!(VEX_Vmaxps_xmm_xmm_xmmm128 VEX_Vmaxps_ymm_ymm_ymmm256, Max, PackedSingle),
    arithmetic!(VEX_Vmaxpd_xmm_xmm_xmmm128 VEX_Vmaxpd_ymm_ymm_ymmm256, Max, PackedDouble),
    arithmetic!(VEX_Vhaddps_xmm_xmm_xmmm128 VEX_Vhaddps_ymm_ymm_ymmm256, HorizontalAdd, PackedSingle),
    arithmetic!(VEX_Vhaddpd_xmm_xmm_xmmm128 VEX_Vhaddpd_ymm_ymm_ymmm256, HorizontalAdd, PackedDouble),
    arithmetic!(VEX_Vhsubps_xmm_xmm_xmmm128 VEX_Vhsubps_ymm_ymm_ymmm256, HorizontalSub, PackedSingle),
    arithmetic!(VEX_Vhsubpd_xmm_xmm_xmmm128 VEX_Vhsubpd_ymm_ymm_ymmm256, HorizontalSub, PackedDouble),
    arithmetic!(VEX_Vaddsubps_xmm_xmm_xmmm128 VEX_Vaddsubps_ymm_ymm_ymmm256, SubAdd, PackedSingle),
    arithmetic!(VEX_Vaddsubpd_xmm_xmm_xmmm128 VEX_Vaddsubpd_ymm_ymm_ymmm256, SubAdd, PackedDouble),
    root!(VEX_Vsqrtps_xmm_xmmm128 VEX_Vsqrtps_ymm_ymmm256, Sqrt, PackedSingle),
    root!(VEX_Vsqrtpd_xmm_xmmm128 VEX_Vsqrtpd_ymm_ymmm256, Sqrt, PackedDouble),
    root!(VEX_Vrsqrtps_xmm_xmmm128 VEX_Vrsqrtps_ymm_ymmm256, ReciprocalRoot, PackedSingle),
    root!(VEX_Vrcpps_xmm_xmmm128 VEX_Vrcpps_ymm_ymmm256, Reciprocal, PackedSingle),
    pair!(VEX_Vcmpps_xmm_xmm_xmmm128_imm8 VEX_Vcmpps_ymm_ymm_ymmm256_imm8, compare, FloatShape = FloatShape::PackedSingle, Reg2),
    pair!(VEX_Vcmppd_xmm_xmm_xmmm128_imm8 VEX_Vcmppd_ymm_ymm_ymmm256_imm8, compare, FloatShape = FloatShape::PackedDouble, Reg2),
    round!(VEX_Vroundps_xmm_xmmm128_imm8 VEX_Vroundps_ymm_ymmm256_imm8, PackedSingle),
    round!(VEX_Vroundpd_xmm_xmmm128_imm8 VEX_Vroundpd_ymm_ymmm256_imm8, PackedDouble),
    pair!(
        VEX_Vdpps_xmm_xmm_xmmm128_imm8 VEX_Vdpps_ymm_ymm_ymmm256_imm8, arithmetic_by,
        (fn(u8) -> FloatOp, FloatShape) = (FloatOp::Dot, FloatShape::PackedSingle), Reg2
    ),
];

#[rustfmt::skip]
pub(in crate::insn) const SINGLES: &[Row] = &[
    scalar!(VEX_Vaddss_xmm_xmm_xmmm32, Add, ScalarSingle),
    scalar!(VEX_Vaddsd_xmm_xmm_xmmm64, Add, ScalarDouble),
    scalar!(VEX_Vmulss_xmm_xmm_xmmm32, Mul, ScalarSingle),
    scalar!(VEX_Vmulsd_xmm_xmm_xmmm64, Mul, ScalarDouble),
    scalar!(VEX_Vsubss_xmm_xmm_xmmm32, Sub, ScalarSingle),
    scalar!(VEX_Vsubsd_xmm_xmm_xmmm64, Sub, ScalarDouble),
    scalar!(VEX_Vminss_xmm_xmm_xmmm32, Min, ScalarSingle),
    scalar!(VEX_Vminsd_xmm_xmm_xmmm64, Min, ScalarDouble),
    scalar!(VEX_Vdivss_xmm_xmm_xmmm32, Div, ScalarSingle),
    scalar!(VEX_Vdivsd_xmm_xmm_xmmm64, Div, ScalarDouble),
    scalar!(VEX_Vmaxss_xmm_xmm_xmmm32, Max, ScalarSingle),
    scalar!(VEX_Vmaxsd_xmm_xmm_xmmm64, Max, ScalarDouble),
    scalar_root!(VEX_Vsqrtss_xmm_xmm_xmmm32, Sqrt, ScalarSingle),
    scalar_root!(VEX_Vsqrtsd_xmm_xmm_xmmm64, Sqrt, ScalarDouble),
    scalar_root!(VEX_Vrsqrtss_xmm_xmm_xmmm32, ReciprocalRoot, ScalarSingle),
    scalar_root!(VEX_Vrcpss_xmm_xmm_xmmm32, Reciprocal, ScalarSingle),
    one!(VEX_Vcmpss_xmm_xmm_xmmm32_imm8, V128, compare, FloatShape = FloatShape::ScalarSingle, Reg2),
    one!(VEX_Vcmpsd_xmm_xmm_xmmm64_imm8, V128, compare, FloatShape = FloatShape::ScalarDouble, Reg2),
    scalar_round!(VEX_Vroundss_xmm_xmm_xmmm32_imm8, ScalarSingle),
    scalar_round!(VEX_Vroundsd_xmm_xmm_xmmm64_imm8, ScalarDouble),
    one!(
        VEX_Vdppd_xmm_xmm_xmmm128_imm8, V128, arithmetic_by,
        (fn(u8) -> FloatOp, FloatShape) = (FloatOp::Dot, FloatShape::PackedDouble), Reg2
    ),
    one!(VEX_Vucomiss_xmm_xmmm32, V128, order, (FloatWidth, bool) = (FloatWidth::Single, false), Reg1),
    one!(VEX_Vucomisd_xmm_xmmm64, V128, order, (FloatWidth, bool) = (FloatWidth::Double, false), Reg1),
    one!(VEX_Vcomiss_xmm_xmmm32, V128, order, (FloatWidth, bool) = (FloatWidth::Single, true), Reg1),
    one!(VEX_Vcomisd_xmm_xmmm64, V128, order, (FloatWidth, bool) = (FloatWidth::Double, true), Reg1),
    convert!(VEX_Vcvtps2pd_xmm_xmmm64, V128, SinglesToDoubles, Reg1),
    convert!(VEX_Vcvtps2pd_ymm_xmmm128, Y256, SinglesToDoubles, Reg1),
    convert!(VEX_Vcvtpd2ps_xmm_xmmm128, V128, DoublesToSingles, Reg1),
    convert!(VEX_Vcvtpd2ps_xmm_ymmm256, Y256, DoublesToSingles, Reg1),
    convert!(VEX_Vcvtss2sd_xmm_xmm_xmmm32, V128, SingleToDouble, Reg2),
    convert!(VEX_Vcvtsd2ss_xmm_xmm_xmmm64, V128, DoubleToSingle, Reg2),
    convert!(VEX_Vcvtdq2ps_xmm_xmmm128, V128, DwordsToSingles, Reg1),
    convert!(VEX_Vcvtdq2ps_ymm_ymmm256, Y256, DwordsToSingles, Reg1),
    convert!(VEX_Vcvtps2dq_xmm_xmmm128, V128, SinglesToDwords { truncate: false }, Reg1),
    convert!(VEX_Vcvtps2dq_ymm_ymmm256, Y256, SinglesToDwords { truncate: false }, Reg1),
    convert!(VEX_Vcvttps2dq_xmm_xmmm128, V128, SinglesToDwords { truncate: true }, Reg1),
    convert!(VEX_Vcvttps2dq_ymm_ymmm256, Y256, SinglesToDwords { truncate: true }, Reg1),
    convert!(VEX_Vcvtdq2pd_xmm_xmmm64, V128, DwordsToDoubles, Reg1),
    convert!(VEX_Vcvtdq2pd_ymm_xmmm128, Y256, DwordsToDoubles, Reg1),
    convert!(VEX_Vcvtpd2dq_xmm_xmmm128, V128, DoublesToDwords { truncate: false }, Reg1),
    convert!(VEX_Vcvtpd2dq_xmm_ymmm256, Y256, DoublesToDwords { truncate: false }, Reg1),
    convert!(VEX_Vcvttpd2dq_xmm_xmmm128, V128, DoublesToDwords { truncate: true }, Reg1),
    convert!(VEX_Vcvttpd2dq_xmm_ymmm256, Y256, DoublesToDwords { truncate: true }, Reg1),
    from_integer!(VEX_Vcvtsi2ss_xmm_xmm_rm32, Single, Dword),
    from_integer!(VEX_Vcvtsi2ss_xmm_xmm_rm64, Single, Qword),
    from_integer!(VEX_Vcvtsi2sd_xmm_xmm_rm32, Double, Dword),
    from_integer!(VEX_Vcvtsi2sd_xmm_xmm_rm64, Double, Qword),
    to_integer!(VEX_Vcvtss2si_r32_xmmm32, Single, false, Dword),
    to_integer!(VEX_Vcvtss2si_r64_xmmm32, Single, false, Qword),
    to_integer!(VEX_Vcvtsd2si_r32_xmmm64, Double, false, Dword),
    to_integer!(VEX_Vcvtsd2si_r64_xmmm64, Double, false, Qword),
    to_integer!(VEX_Vcvttss2si_r32_xmmm32, Single, true, Dword),
    to_integer!(VEX_Vcvttss2si_r64_xmmm32, Single, true, Qword),
    to_integer!(VEX_Vcvttsd2si_r32_xmmm64, Double, true, Dword),
    to_integer!(VEX_Vcvttsd2si_r64_xmmm64, Double, true, Qword),
];
