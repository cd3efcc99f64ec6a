//! Segment registers and descriptor tables (SDM 1, 5.1.12 and 5.20).

mod query;
mod table;
#[cfg(test)]
mod tests;

use super::{Insn, Mem, Reg0, Row, helper, lifted};
use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::flags::mask;
use crate::ir::Builder;
use crate::rflags::Cr4;
use crate::segment::SegmentRegister;
use crate::state::{Gpr, InterruptShadow};
use crate::verbs::{Bits, Dword, Operand, Qword, Slot, Verbs, Width, Word};

pub(super) const ROWS: &[Row] = &[
    lifted!(Mov_rm16_Sreg, store::<Word>, lift_store::<Word>),
    lifted!(Mov_r32m16_Sreg, store::<Dword>, lift_store::<Dword>),
    lifted!(Mov_r64m16_Sreg, store::<Qword>, lift_store::<Qword>),
    lifted!(Mov_Sreg_rm16, load, lift_load).ends(),
    lifted!(Mov_Sreg_r32m16, load, lift_load).ends(),
    lifted!(Mov_Sreg_r64m16, load, lift_load).ends(),
    lifted!(Pushw_ES, push::<Word>, lift_push::<Word>),
    lifted!(Pushw_CS, push::<Word>, lift_push::<Word>),
    lifted!(Pushw_SS, push::<Word>, lift_push::<Word>),
    lifted!(Pushw_DS, push::<Word>, lift_push::<Word>),
    lifted!(Pushw_FS, push::<Word>, lift_push::<Word>),
    lifted!(Pushw_GS, push::<Word>, lift_push::<Word>),
    lifted!(Pushd_ES, push::<Dword>, lift_push::<Dword>),
    lifted!(Pushd_CS, push::<Dword>, lift_push::<Dword>),
    lifted!(Pushd_SS, push::<Dword>, lift_push::<Dword>),
    lifted!(Pushd_DS, push::<Dword>, lift_push::<Dword>),
    lifted!(Pushd_FS, push::<Dword>, lift_push::<Dword>),
    lifted!(Pushd_GS, push::<Dword>, lift_push::<Dword>),
    lifted!(Pushq_FS, push::<Qword>, lift_push::<Qword>),
    lifted!(Pushq_GS, push::<Qword>, lift_push::<Qword>),
    lifted!(Popw_ES, pop::<Word>, lift_pop::<Word>).ends(),
    lifted!(Popw_SS, pop::<Word>, lift_pop::<Word>).ends(),
    lifted!(Popw_DS, pop::<Word>, lift_pop::<Word>).ends(),
    lifted!(Popw_FS, pop::<Word>, lift_pop::<Word>).ends(),
    lifted!(Popw_GS, pop::<Word>, lift_pop::<Word>).ends(),
    lifted!(Popd_ES, pop::<Dword>, lift_pop::<Dword>).ends(),
    lifted!(Popd_SS, pop::<Dword>, lift_pop::<Dword>).ends(),
    lifted!(Popd_DS, pop::<Dword>, lift_pop::<Dword>).ends(),
    lifted!(Popd_FS, pop::<Dword>, lift_pop::<Dword>).ends(),
    lifted!(Popd_GS, pop::<Dword>, lift_pop::<Dword>).ends(),
    lifted!(Popq_FS, pop::<Qword>, lift_pop::<Qword>).ends(),
    lifted!(Popq_GS, pop::<Qword>, lift_pop::<Qword>).ends(),
    lifted!(
        Les_r16_m1616,
        |cpu: &mut Cpu, insn: &Insn| load_pointer::<Cpu, Word>(cpu, insn, SegmentRegister::Es),
        |builder, insn| {
            let Ok(()) = load_pointer::<Builder, Word>(builder, insn, SegmentRegister::Es);
        }
    )
    .ends(),
    lifted!(
        Les_r32_m1632,
        |cpu: &mut Cpu, insn: &Insn| load_pointer::<Cpu, Dword>(cpu, insn, SegmentRegister::Es),
        |builder, insn| {
            let Ok(()) = load_pointer::<Builder, Dword>(builder, insn, SegmentRegister::Es);
        }
    )
    .ends(),
    lifted!(
        Lds_r16_m1616,
        |cpu: &mut Cpu, insn: &Insn| load_pointer::<Cpu, Word>(cpu, insn, SegmentRegister::Ds),
        |builder, insn| {
            let Ok(()) = load_pointer::<Builder, Word>(builder, insn, SegmentRegister::Ds);
        }
    )
    .ends(),
    lifted!(
        Lds_r32_m1632,
        |cpu: &mut Cpu, insn: &Insn| load_pointer::<Cpu, Dword>(cpu, insn, SegmentRegister::Ds),
        |builder, insn| {
            let Ok(()) = load_pointer::<Builder, Dword>(builder, insn, SegmentRegister::Ds);
        }
    )
    .ends(),
    helper!(Lss_r16_m1616, |cpu, insn| load_pointer::<Cpu, Word>(
        cpu,
        insn,
        SegmentRegister::Ss
    ))
    .ends(),
    helper!(Lss_r32_m1632, |cpu, insn| load_pointer::<Cpu, Dword>(
        cpu,
        insn,
        SegmentRegister::Ss
    ))
    .ends(),
    helper!(Lss_r64_m1664, |cpu, insn| load_pointer::<Cpu, Qword>(
        cpu,
        insn,
        SegmentRegister::Ss
    ))
    .ends(),
    lifted!(
        Lfs_r16_m1616,
        |cpu: &mut Cpu, insn: &Insn| load_pointer::<Cpu, Word>(cpu, insn, SegmentRegister::Fs),
        |builder, insn| {
            let Ok(()) = load_pointer::<Builder, Word>(builder, insn, SegmentRegister::Fs);
        }
    )
    .ends(),
    lifted!(
        Lfs_r32_m1632,
        |cpu: &mut Cpu, insn: &Insn| load_pointer::<Cpu, Dword>(cpu, insn, SegmentRegister::Fs),
        |builder, insn| {
            let Ok(()) = load_pointer::<Builder, Dword>(builder, insn, SegmentRegister::Fs);
        }
    )
    .ends(),
    lifted!(
        Lfs_r64_m1664,
        |cpu: &mut Cpu, insn: &Insn| load_pointer::<Cpu, Qword>(cpu, insn, SegmentRegister::Fs),
        |builder, insn| {
            let Ok(()) = load_pointer::<Builder, Qword>(builder, insn, SegmentRegister::Fs);
        }
    )
    .ends(),
    lifted!(
        Lgs_r16_m1616,
        |cpu: &mut Cpu, insn: &Insn| load_pointer::<Cpu, Word>(cpu, insn, SegmentRegister::Gs),
        |builder, insn| {
            let Ok(()) = load_pointer::<Builder, Word>(builder, insn, SegmentRegister::Gs);
        }
    )
    .ends(),
    lifted!(
        Lgs_r32_m1632,
        |cpu: &mut Cpu, insn: &Insn| load_pointer::<Cpu, Dword>(cpu, insn, SegmentRegister::Gs),
        |builder, insn| {
            let Ok(()) = load_pointer::<Builder, Dword>(builder, insn, SegmentRegister::Gs);
        }
    )
    .ends(),
    lifted!(
        Lgs_r64_m1664,
        |cpu: &mut Cpu, insn: &Insn| load_pointer::<Cpu, Qword>(cpu, insn, SegmentRegister::Gs),
        |builder, insn| {
            let Ok(()) = load_pointer::<Builder, Qword>(builder, insn, SegmentRegister::Gs);
        }
    )
    .ends(),
    helper!(Lgdt_m1632_16, table::lgdt::<Word>).ends(),
    helper!(Lgdt_m1632, table::lgdt::<Dword>).ends(),
    helper!(Lgdt_m1664, table::lgdt::<Qword>).ends(),
    helper!(Lidt_m1632_16, table::lidt::<Word>).ends(),
    helper!(Lidt_m1632, table::lidt::<Dword>).ends(),
    helper!(Lidt_m1664, table::lidt::<Qword>).ends(),
    helper!(Sgdt_m1632_16, table::sgdt::<Dword>),
    helper!(Sgdt_m1632, table::sgdt::<Dword>),
    helper!(Sgdt_m1664, table::sgdt::<Qword>),
    helper!(Sidt_m1632_16, table::sidt::<Dword>),
    helper!(Sidt_m1632, table::sidt::<Dword>),
    helper!(Sidt_m1664, table::sidt::<Qword>),
    helper!(Lldt_rm16, table::lldt).ends(),
    helper!(Lldt_r32m16, table::lldt).ends(),
    helper!(Lldt_r64m16, table::lldt).ends(),
    helper!(Ltr_rm16, table::ltr).ends(),
    helper!(Ltr_r32m16, table::ltr).ends(),
    helper!(Ltr_r64m16, table::ltr).ends(),
    helper!(Sldt_rm16, table::sldt::<Word>),
    helper!(Sldt_r32m16, table::sldt::<Dword>),
    helper!(Sldt_r64m16, table::sldt::<Qword>),
    helper!(Str_rm16, table::str::<Word>),
    helper!(Str_r32m16, table::str::<Dword>),
    helper!(Str_r64m16, table::str::<Qword>),
    helper!(Lar_r16_rm16, query::lar::<Word>),
    helper!(Lar_r32_r32m16, query::lar::<Dword>),
    helper!(Lar_r64_r64m16, query::lar::<Qword>),
    helper!(Lsl_r16_rm16, query::lsl::<Word>),
    helper!(Lsl_r32_r32m16, query::lsl::<Dword>),
    helper!(Lsl_r64_r64m16, query::lsl::<Qword>),
    helper!(Verr_rm16, query::verr),
    helper!(Verr_r32m16, query::verr),
    helper!(Verr_r64m16, query::verr),
    helper!(Verw_rm16, query::verw),
    helper!(Verw_r32m16, query::verw),
    helper!(Verw_r64m16, query::verw),
    helper!(Arpl_rm16_r16, query::arpl),
    helper!(Arpl_r32m16_r32, query::arpl),
    helper!(Swapgs, swapgs),
    helper!(Rdfsbase_r32, |cpu, insn| read_base::<Dword>(
        cpu,
        insn,
        SegmentRegister::Fs
    )),
    helper!(Rdfsbase_r64, |cpu, insn| read_base::<Qword>(
        cpu,
        insn,
        SegmentRegister::Fs
    )),
    helper!(Rdgsbase_r32, |cpu, insn| read_base::<Dword>(
        cpu,
        insn,
        SegmentRegister::Gs
    )),
    helper!(Rdgsbase_r64, |cpu, insn| read_base::<Qword>(
        cpu,
        insn,
        SegmentRegister::Gs
    )),
    helper!(Wrfsbase_r32, |cpu, insn| write_base::<Dword>(
        cpu,
        insn,
        SegmentRegister::Fs
    )),
    helper!(Wrfsbase_r64, |cpu, insn| write_base::<Qword>(
        cpu,
        insn,
        SegmentRegister::Fs
    )),
    helper!(Wrgsbase_r32, |cpu, insn| write_base::<Dword>(
        cpu,
        insn,
        SegmentRegister::Gs
    )),
    helper!(Wrgsbase_r64, |cpu, insn| write_base::<Qword>(
        cpu,
        insn,
        SegmentRegister::Gs
    )),
];

/// The segment register in an operand; none for encodings 6 and 7.
fn named(insn: &Insn, operand: usize) -> Option<SegmentRegister> {
    SegmentRegister::ALL.get(insn.number(operand)).copied()
}

fn segment_operand(cpu: &mut Cpu, insn: &Insn, operand: usize) -> Result<SegmentRegister, Exit> {
    match named(insn, operand) {
        Some(register) => Ok(register),
        None => Err(cpu.raise(Exception::InvalidOpcode)),
    }
}

/// One that MOV and POP load without holding interrupts off.
fn loadable(insn: &Insn) -> Option<SegmentRegister> {
    named(insn, 0).filter(|register| !matches!(register, SegmentRegister::Cs | SegmentRegister::Ss))
}

/// A selector operand: two bytes in memory, or the low half of a register.
fn read_selector<V: Verbs>(
    v: &mut V,
    insn: &Insn,
    operand: usize,
) -> Result<V::Value<Word>, V::Fault> {
    v.read::<Word>(if insn.has_memory() {
        Mem::of(insn)
    } else {
        Operand::Gpr(insn.registers[operand], false)
    })
}

/// Writes a selector: two bytes to memory, or zero-extended to a register.
fn write_selector<W: Width>(cpu: &mut Cpu, insn: &Insn, selector: u16) -> Result<(), Exit> {
    if insn.has_memory() {
        cpu.write::<Word>(Mem::of(insn), selector)
    } else {
        cpu.write::<W>(Reg0::of(insn), W::Bits::truncate(u64::from(selector)))
    }
}

fn store_from<V: Verbs, W: Width>(
    v: &mut V,
    insn: &Insn,
    register: SegmentRegister,
) -> Result<(), V::Fault> {
    let selector = v.selector(register);
    if insn.has_memory() {
        return v.write::<Word>(Mem::of(insn), selector);
    }
    let selector = v.zero_extend::<Word, W>(selector);
    v.write::<W>(Reg0::of(insn), selector)
}

fn store<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let register = segment_operand(cpu, insn, 1)?;
    store_from::<Cpu, W>(cpu, insn, register)
}

fn lift_store<W: Width>(builder: &mut Builder, insn: &Insn) {
    match named(insn, 1) {
        Some(register) => {
            let Ok(()) = store_from::<Builder, W>(builder, insn, register);
        }
        None => builder.call(store::<W>),
    }
}

fn load_into<V: Verbs>(v: &mut V, insn: &Insn, register: SegmentRegister) -> Result<(), V::Fault> {
    let selector = read_selector(v, insn, 1)?;
    v.load_selector(register, selector)
}

fn load(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let register = segment_operand(cpu, insn, 0)?;
    if register == SegmentRegister::Cs {
        return Err(cpu.raise(Exception::InvalidOpcode));
    }
    load_into(cpu, insn, register)?;
    shadow_stack_load(cpu, register);
    Ok(())
}

fn lift_load(builder: &mut Builder, insn: &Insn) {
    match loadable(insn) {
        Some(register) => {
            let Ok(()) = load_into(builder, insn, register);
        }
        None => builder.call(load),
    }
}

/// MOV SS and POP SS hold everything off until the stack pointer is loaded too
/// (SDM 3A, 6.8.3). LSS loads both, so it need not.
fn shadow_stack_load(cpu: &mut Cpu, register: SegmentRegister) {
    if register == SegmentRegister::Ss {
        cpu.state.interrupt_shadow = InterruptShadow::MovSs;
        cpu.request_attention();
    }
}

fn push_from<V: Verbs, W: Width>(
    v: &mut V,
    insn: &Insn,
    register: SegmentRegister,
) -> Result<(), V::Fault> {
    let selector = v.selector(register);
    if W::BYTES == Dword::BYTES {
        return push_half::<V>(v, insn, selector);
    }
    let selector = v.zero_extend::<Word, W>(selector);
    v.push::<W>(insn, selector)
}

/// With 32-bit operands a 16-bit move: the upper half of the stack's cell stays (SDM 2B, PUSH).
fn push_half<V: Verbs>(v: &mut V, insn: &Insn, selector: V::Value<Word>) -> Result<(), V::Fault> {
    let below = Dword::BYTES.wrapping_neg();
    let pointer = v.gpr::<Qword>(Gpr::Rsp);
    let room = v.constant::<Qword>(below);
    let pointer = v.add::<Qword>(pointer, room);
    let within = v.constant::<Qword>(mask(u32::from(insn.stack_bits)));
    let offset = v.and::<Qword>(pointer, within);
    v.store::<Word>(insn, SegmentRegister::Ss, offset, selector)?;
    v.move_stack(insn, below);
    Ok(())
}

fn push<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let register = segment_operand(cpu, insn, 0)?;
    push_from::<Cpu, W>(cpu, insn, register)
}

fn lift_push<W: Width>(builder: &mut Builder, insn: &Insn) {
    match named(insn, 0) {
        Some(register) => {
            let Ok(()) = push_from::<Builder, W>(builder, insn, register);
        }
        None => builder.call(push::<W>),
    }
}

fn pop_into<V: Verbs, W: Width>(
    v: &mut V,
    insn: &Insn,
    register: SegmentRegister,
) -> Result<(), V::Fault> {
    let selector = v.stack_top::<W>(insn)?;
    let selector = v.zero_extend::<W, Word>(selector);
    v.load_selector(register, selector)?;
    v.move_stack(insn, W::BYTES);
    Ok(())
}

fn pop<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let register = segment_operand(cpu, insn, 0)?;
    pop_into::<Cpu, W>(cpu, insn, register)?;
    shadow_stack_load(cpu, register);
    Ok(())
}

fn lift_pop<W: Width>(builder: &mut Builder, insn: &Insn) {
    match loadable(insn) {
        Some(register) => {
            let Ok(()) = pop_into::<Builder, W>(builder, insn, register);
        }
        None => builder.call(pop::<W>),
    }
}

/// LDS, LES, LFS, LGS, LSS.
fn load_pointer<V: Verbs, W: Width>(
    v: &mut V,
    insn: &Insn,
    register: SegmentRegister,
) -> Result<(), V::Fault> {
    let offset = v.read::<W>(Operand::Memory(insn))?;
    let beyond = v.constant::<Qword>(W::BYTES);
    let selector = v.read_displaced::<Word>(insn, beyond)?;
    v.load_selector(register, selector)?;
    v.write::<W>(Reg0::of(insn), offset)
}

fn swapgs(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    if cpu.state.cpl != 0 {
        return Err(cpu.raise(Exception::GeneralProtection(0)));
    }
    let base = &mut cpu.state.segments[SegmentRegister::Gs as usize].base;
    std::mem::swap(base, &mut cpu.state.msrs.kernel_gs_base);
    Ok(())
}

fn check_fsgsbase(cpu: &mut Cpu) -> Result<(), Exit> {
    if cpu.state.cr4 & Cr4::FSGSBASE.bits() == 0 {
        return Err(cpu.raise(Exception::InvalidOpcode));
    }
    Ok(())
}

fn read_base<W: Width>(cpu: &mut Cpu, insn: &Insn, register: SegmentRegister) -> Result<(), Exit> {
    check_fsgsbase(cpu)?;
    let base = cpu.state.segment(register).base;
    cpu.write::<W>(Reg0::of(insn), W::Bits::truncate(base))
}

fn write_base<W: Width>(cpu: &mut Cpu, insn: &Insn, register: SegmentRegister) -> Result<(), Exit> {
    check_fsgsbase(cpu)?;
    let base = cpu.read::<W>(Reg0::of(insn))?.widen();
    // By the bits in use, unlike the MSRs: an Emerald Rapids without CR4.LA57 refuses others.
    if !cpu.is_canonical(base) {
        return Err(cpu.raise(Exception::GeneralProtection(0)));
    }
    cpu.state.segments[register as usize].base = base;
    Ok(())
}
