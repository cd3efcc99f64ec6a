//! Fused multiply-add (SDM 1, 14.5).

use super::vector::fused;
use super::vector::vex::one;
use super::{Reg2, Row};
use crate::vector::{FloatShape, FusedOp, FusedOrder, FusedSigns};

/// All of them.
pub(super) const ROWS: [&[Row]; 2] = [PAIRS.as_flattened(), SCALARS];

/// One row, for this register.
macro_rules! row {
    ($code:ident, $width:ident, $order:ident, $signs:ident, $shape:ident) => {
        one!(
            $code,
            $width,
            fused,
            (FusedOp, FloatShape) = (
                FusedOp {
                    order: FusedOrder::$order,
                    signs: FusedSigns::$signs,
                },
                FloatShape::$shape
            ),
            Reg2
        )
    };
}

/// Three vectors of numbers, for both registers.
macro_rules! fused {
    ($xmm:ident $ymm:ident, $order:ident, $signs:ident, $shape:ident) => {
        [
            row!($xmm, V128, $order, $signs, $shape),
            row!($ymm, Y256, $order, $signs, $shape),
        ]
    };
}

/// Three numbers.
macro_rules! scalar {
    ($code:ident, $order:ident, $signs:ident, $shape:ident) => {
        row!($code, V128, $order, $signs, $shape)
    };
}

#[rustfmt::skip]
const PAIRS: &[[Row; 2]] = &[
    fused!(VEX_Vfmadd132ps_xmm_xmm_xmmm128 VEX_Vfmadd132ps_ymm_ymm_ymmm256, F132, Add, PackedSingle),
    fused!(VEX_Vfmadd132pd_xmm_xmm_xmmm128 VEX_Vfmadd132pd_ymm_ymm_ymmm256, F132, Add, PackedDouble),
    fused!(VEX_Vfmadd213ps_xmm_xmm_xmmm128 VEX_Vfmadd213ps_ymm_ymm_ymmm256, F213, Add, PackedSingle),
    fused!(VEX_Vfmadd213pd_xmm_xmm_xmmm128 VEX_Vfmadd213pd_ymm_ymm_ymmm256, F213, Add, PackedDouble),
    fused!(VEX_Vfmadd231ps_xmm_xmm_xmmm128 VEX_Vfmadd231ps_ymm_ymm_ymmm256, F231, Add, PackedSingle),
    fused!(VEX_Vfmadd231pd_xmm_xmm_xmmm128 VEX_Vfmadd231pd_ymm_ymm_ymmm256, F231, Add, PackedDouble),
    fused!(VEX_Vfmsub132ps_xmm_xmm_xmmm128 VEX_Vfmsub132ps_ymm_ymm_ymmm256, F132, Sub, PackedSingle),
    fused!(VEX_Vfmsub132pd_xmm_xmm_xmmm128 VEX_Vfmsub132pd_ymm_ymm_ymmm256, F132, Sub, PackedDouble),
    fused!(VEX_Vfmsub213ps_xmm_xmm_xmmm128 VEX_Vfmsub213ps_ymm_ymm_ymmm256, F213, Sub, PackedSingle),
    fused!(VEX_Vfmsub213pd_xmm_xmm_xmmm128 VEX_Vfmsub213pd_ymm_ymm_ymmm256, F213, Sub, PackedDouble),
    fused!(VEX_Vfmsub231ps_xmm_xmm_xmmm128 VEX_Vfmsub231ps_ymm_ymm_ymmm256, F231, Sub, PackedSingle),
    fused!(VEX_Vfmsub231pd_xmm_xmm_xmmm128 VEX_Vfmsub231pd_ymm_ymm_ymmm256, F231, Sub, PackedDouble),
    fused!(VEX_Vfnmadd132ps_xmm_xmm_xmmm128 VEX_Vfnmadd132ps_ymm_ymm_ymmm256, F132, NegatedAdd, PackedSingle),
    fused!(VEX_Vfnmadd132pd_xmm_xmm_xmmm128 VEX_Vfnmadd132pd_ymm_ymm_ymmm256, F132, NegatedAdd, PackedDouble),
    fused!(VEX_Vfnmadd213ps_xmm_xmm_xmmm128 VEX_Vfnmadd213ps_ymm_ymm_ymmm256, F213, NegatedAdd, PackedSingle),
    fused!(VEX_Vfnmadd213pd_xmm_xmm_xmmm128 VEX_Vfnmadd213pd_ymm_ymm_ymmm256, F213, NegatedAdd, PackedDouble),
    fused!(VEX_Vfnmadd231ps_xmm_xmm_xmmm128 VEX_Vfnmadd231ps_ymm_ymm_ymmm256, F231, NegatedAdd, PackedSingle),
    fused!(VEX_Vfnmadd231pd_xmm_xmm_xmmm128 VEX_Vfnmadd231pd_ymm_ymm_ymmm256, F231, NegatedAdd, PackedDouble),
    fused!(VEX_Vfnmsub132ps_xmm_xmm_xmmm128 VEX_Vfnmsub132ps_ymm_ymm_ymmm256, F132, NegatedSub, PackedSingle),
    fused!(VEX_Vfnmsub132pd_xmm_xmm_xmmm128 VEX_Vfnmsub132pd_ymm_ymm_ymmm256, F132, NegatedSub, PackedDouble),
    fused!(VEX_Vfnmsub213ps_xmm_xmm_xmmm128 VEX_Vfnmsub213ps_ymm_ymm_ymmm256, F213, NegatedSub, PackedSingle),
    fused!(VEX_Vfnmsub213pd_xmm_xmm_xmmm128 VEX_Vfnmsub213pd_ymm_ymm_ymmm256, F213, NegatedSub, PackedDouble),
    fused!(VEX_Vfnmsub231ps_xmm_xmm_xmmm128 VEX_Vfnmsub231ps_ymm_ymm_ymmm256, F231, NegatedSub, PackedSingle),
    fused!(VEX_Vfnmsub231pd_xmm_xmm_xmmm128 VEX_Vfnmsub231pd_ymm_ymm_ymmm256, F231, NegatedSub, PackedDouble),
    fused!(VEX_Vfmaddsub132ps_xmm_xmm_xmmm128 VEX_Vfmaddsub132ps_ymm_ymm_ymmm256, F132, AddSub, PackedSingle),
    fused!(VEX_Vfmaddsub132pd_xmm_xmm_xmmm128 VEX_Vfmaddsub132pd_ymm_ymm_ymmm256, F132, AddSub, PackedDouble),
    fused!(VEX_Vfmaddsub213ps_xmm_xmm_xmmm128 VEX_Vfmaddsub213ps_ymm_ymm_ymmm256, F213, AddSub, PackedSingle),
    fused!(VEX_Vfmaddsub213pd_xmm_xmm_xmmm128 VEX_Vfmaddsub213pd_ymm_ymm_ymmm256, F213, AddSub, PackedDouble),
    fused!(VEX_Vfmaddsub231ps_xmm_xmm_xmmm128 VEX_Vfmaddsub231ps_ymm_ymm_ymmm256, F231, AddSub, PackedSingle),
    fused!(VEX_Vfmaddsub231pd_xmm_xmm_xmmm128 VEX_Vfmaddsub231pd_ymm_ymm_ymmm256, F231, AddSub, PackedDouble),
    fused!(VEX_Vfmsubadd132ps_xmm_xmm_xmmm128 VEX_Vfmsubadd132ps_ymm_ymm_ymmm256, F132, SubAdd, PackedSingle),
    fused!(VEX_Vfmsubadd132pd_xmm_xmm_xmmm128 VEX_Vfmsubadd132pd_ymm_ymm_ymmm256, F132, SubAdd, PackedDouble),
    fused!(VEX_Vfmsubadd213ps_xmm_xmm_xmmm128 VEX_Vfmsubadd213ps_ymm_ymm_ymmm256, F213, SubAdd, PackedSingle),
    fused!(VEX_Vfmsubadd213pd_xmm_xmm_xmmm128 VEX_Vfmsubadd213pd_ymm_ymm_ymmm256, F213, SubAdd, PackedDouble),
    fused!(VEX_Vfmsubadd231ps_xmm_xmm_xmmm128 VEX_Vfmsubadd231ps_ymm_ymm_ymmm256, F231, SubAdd, PackedSingle),
    fused!(VEX_Vfmsubadd231pd_xmm_xmm_xmmm128 VEX_Vfmsubadd231pd_ymm_ymm_ymmm256, F231, SubAdd, PackedDouble),
];

#[rustfmt::skip]
const SCALARS: &[Row] = &[
    scalar!(VEX_Vfmadd132ss_xmm_xmm_xmmm32, F132, Add, ScalarSingle),
    scalar!(VEX_Vfmadd132sd_xmm_xmm_xmmm64, F132, Add, ScalarDouble),
    scalar!(VEX_Vfmadd213ss_xmm_xmm_xmmm32, F213, Add, ScalarSingle),
    scalar!(VEX_Vfmadd213sd_xmm_xmm_xmmm64, F213, Add, ScalarDouble),
    scalar!(VEX_Vfmadd231ss_xmm_xmm_xmmm32, F231, Add, ScalarSingle),
    scalar!(VEX_Vfmadd231sd_xmm_xmm_xmmm64, F231, Add, ScalarDouble),
    scalar!(VEX_Vfmsub132ss_xmm_xmm_xmmm32, F132, Sub, ScalarSingle),
    scalar!(VEX_Vfmsub132sd_xmm_xmm_xmmm64, F132, Sub, ScalarDouble),
    scalar!(VEX_Vfmsub213ss_xmm_xmm_xmmm32, F213, Sub, ScalarSingle),
    scalar!(VEX_Vfmsub213sd_xmm_xmm_xmmm64, F213, Sub, ScalarDouble),
    scalar!(VEX_Vfmsub231ss_xmm_xmm_xmmm32, F231, Sub, ScalarSingle),
    scalar!(VEX_Vfmsub231sd_xmm_xmm_xmmm64, F231, Sub, ScalarDouble),
    scalar!(VEX_Vfnmadd132ss_xmm_xmm_xmmm32, F132, NegatedAdd, ScalarSingle),
    scalar!(VEX_Vfnmadd132sd_xmm_xmm_xmmm64, F132, NegatedAdd, ScalarDouble),
    scalar!(VEX_Vfnmadd213ss_xmm_xmm_xmmm32, F213, NegatedAdd, ScalarSingle),
    scalar!(VEX_Vfnmadd213sd_xmm_xmm_xmmm64, F213, NegatedAdd, ScalarDouble),
    scalar!(VEX_Vfnmadd231ss_xmm_xmm_xmmm32, F231, NegatedAdd, ScalarSingle),
    scalar!(VEX_Vfnmadd231sd_xmm_xmm_xmmm64, F231, NegatedAdd, ScalarDouble),
    scalar!(VEX_Vfnmsub132ss_xmm_xmm_xmmm32, F132, NegatedSub, ScalarSingle),
    scalar!(VEX_Vfnmsub132sd_xmm_xmm_xmmm64, F132, NegatedSub, ScalarDouble),
    scalar!(VEX_Vfnmsub213ss_xmm_xmm_xmmm32, F213, NegatedSub, ScalarSingle),
    scalar!(VEX_Vfnmsub213sd_xmm_xmm_xmmm64, F213, NegatedSub, ScalarDouble),
    scalar!(VEX_Vfnmsub231ss_xmm_xmm_xmmm32, F231, NegatedSub, ScalarSingle),
    scalar!(VEX_Vfnmsub231sd_xmm_xmm_xmmm64, F231, NegatedSub, ScalarDouble),
];
