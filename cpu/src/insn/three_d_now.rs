//! 3DNow! and its extensions (AMD 21928, 3DNow! Technology Manual; AMD 22466). The opcode stands
//! behind the operands: 0F 0F, ModRM, opcode.

use super::vector::emms;
use super::{Insn, Row, Unit, helper, row};
use crate::Cpu;
use crate::exception::Exit;
use crate::vector::three_d_now as op;
use crate::verbs::{M64, VectorVerbs};

/// A row of two operands in MMX registers.
macro_rules! pair {
    ($code:ident, $op:ident) => {
        helper!($code, |cpu, insn| packed(cpu, insn, op::$op)).needs(Unit::Mmx)
    };
}

pub(super) const ROWS: &[Row] = &[
    row!(Femms, emms).needs(Unit::Mmx),
    pair!(D3NOW_Pi2fd_mm_mmm64, from_dwords),
    pair!(D3NOW_Pf2id_mm_mmm64, to_dwords),
    pair!(D3NOW_Pfcmpge_mm_mmm64, is_not_less),
    pair!(D3NOW_Pfmin_mm_mmm64, lesser),
    pair!(D3NOW_Pfrcp_mm_mmm64, reciprocal),
    pair!(D3NOW_Pfrsqrt_mm_mmm64, reciprocal_root),
    pair!(D3NOW_Pfsub_mm_mmm64, difference),
    pair!(D3NOW_Pfadd_mm_mmm64, sum),
    pair!(D3NOW_Pfcmpgt_mm_mmm64, is_greater),
    pair!(D3NOW_Pfmax_mm_mmm64, greater),
    pair!(D3NOW_Pfrcpit1_mm_mmm64, reciprocal_step),
    pair!(D3NOW_Pfrsqit1_mm_mmm64, root_step),
    pair!(D3NOW_Pfsubr_mm_mmm64, reversed_difference),
    pair!(D3NOW_Pfacc_mm_mmm64, accumulate),
    pair!(D3NOW_Pfcmpeq_mm_mmm64, is_equal),
    pair!(D3NOW_Pfmul_mm_mmm64, product),
    pair!(D3NOW_Pfrcpit2_mm_mmm64, product),
    pair!(D3NOW_Pmulhrw_mm_mmm64, multiply_words),
    pair!(D3NOW_Pavgusb_mm_mmm64, average_bytes),
    pair!(D3NOW_Pi2fw_mm_mmm64, from_words),
    pair!(D3NOW_Pf2iw_mm_mmm64, to_words),
    pair!(D3NOW_Pfnacc_mm_mmm64, accumulate_negative),
    pair!(D3NOW_Pfpnacc_mm_mmm64, accumulate_mixed),
    pair!(D3NOW_Pswapd_mm_mmm64, swapped),
];

fn packed(cpu: &mut Cpu, insn: &Insn, op: fn(u64, u64) -> u64) -> Result<(), Exit> {
    cpu.begin::<M64>()?;
    let b = if insn.has_memory() {
        cpu.load_vector::<M64>(insn, false)?
    } else {
        cpu.vector::<M64>(insn.number(1))
    };
    let a = cpu.vector::<M64>(insn.number(0));
    cpu.set_vector::<M64>(insn.number(0), op(a, b));
    cpu.finish::<M64>();
    Ok(())
}
