//! SSE4a (AMD APM 4, EXTRQ, INSERTQ, MOVNTSS, MOVNTSD). The manual leaves the upper half of the
//! destination open; here it stays.

use super::vector::{slot_row, store_low};
use super::{Insn, Mem, Row, Unit, helper};
use crate::Cpu;
use crate::exception::Exit;
use crate::verbs::{Dword, Qword};

pub(super) const ROWS: &[Row] = &[
    slot_row!(Movntss_m32_xmm, Sse, store_low, [Dword, Mem], [Dword, Mem]),
    slot_row!(Movntsd_m64_xmm, Sse, store_low, [Qword, Mem], [Qword, Mem]),
    helper!(Extrq_xmm_imm8_imm8, |cpu, insn| extract(
        cpu,
        insn,
        Field::of_immediates(insn)
    ))
    .needs(Unit::Sse),
    helper!(Extrq_xmm_xmm, |cpu: &mut Cpu, insn: &Insn| {
        let field = Field::of_control(cpu.state.vectors[insn.number(1)].0[0]);
        extract(cpu, insn, field)
    })
    .needs(Unit::Sse),
    helper!(Insertq_xmm_xmm_imm8_imm8, |cpu, insn| insert(
        cpu,
        insn,
        Field::of_immediates(insn)
    ))
    .needs(Unit::Sse),
    helper!(Insertq_xmm_xmm, |cpu: &mut Cpu, insn: &Insn| {
        let field = Field::of_control(cpu.state.vectors[insn.number(1)].0[1]);
        insert(cpu, insn, field)
    })
    .needs(Unit::Sse),
];

/// A field of bits in a qword.
#[derive(Clone, Copy)]
struct Field {
    /// Its bits, from bit 0 up.
    mask: u64,
    /// Where it begins.
    start: u32,
}

impl Field {
    /// A field of this length and place, six bits each; zero bits long means sixty-four. What
    /// would lie beyond the qword, which the manual leaves open, is not there.
    fn of(length: u8, start: u8) -> Self {
        let unused = (64 - u32::from(length & 63)) & 63;
        Self {
            mask: u64::MAX >> unused,
            start: u32::from(start & 63),
        }
    }

    /// Length in bits 0 to 5, place in bits 8 to 13.
    fn of_control(control: u64) -> Self {
        Self::of(control as u8, (control >> 8) as u8)
    }

    fn of_immediates(insn: &Insn) -> Self {
        Self::of(insn.immediate as u8, insn.immediate2)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a helper")]
fn extract(cpu: &mut Cpu, insn: &Insn, field: Field) -> Result<(), Exit> {
    let low = &mut cpu.state.vectors[insn.number(0)].0[0];
    *low = *low >> field.start & field.mask;
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a helper")]
fn insert(cpu: &mut Cpu, insn: &Insn, field: Field) -> Result<(), Exit> {
    let source = cpu.state.vectors[insn.number(1)].0[0] & field.mask;
    let low = &mut cpu.state.vectors[insn.number(0)].0[0];
    *low = *low & !(field.mask << field.start) | source << field.start;
    Ok(())
}
