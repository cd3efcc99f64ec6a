//! Segment and table registers, instruction by instruction.

use crate::rflags::{Cr4, Rflags};
use crate::segment::fixture::{
    ABSENT_DATA, CODE, CODE_0, CODE_3, CONFORMING_0, DATA_0, DATA_3, KERNEL_STACK, OTHER_TASK,
    OTHER_TSS, Rig, SPARE, STACK_16, TASK, TSS, descriptor,
};
use crate::segment::{Segment, SegmentRegister};
use crate::state::{Gpr, InterruptShadow};
use crate::testing::Bits;

fn with_rax(mut rig: Rig, value: u64) -> Rig {
    rig.cpu.state.set_gpr(Gpr::Rax, value);
    rig
}

fn zero(rig: &Rig) -> bool {
    rig.cpu.state.rflags().contains(Rflags::ZF)
}

#[test]
fn mov_sreg_checks_type_privilege_and_presence() {
    // MOV DS, AX and MOV SS, AX; at level 0; the vector and its code.
    let cases = [
        (0xd8, DATA_0, None),
        (0xd8, DATA_3, None),
        (0xd8, CODE_0, None),
        (0xd8, 0, None),
        (0xd8, DATA_0 | 3, Some((13, DATA_0))),
        (0xd8, ABSENT_DATA, Some((11, ABSENT_DATA))),
        (0xd8, TASK, Some((13, TASK))),
        (0xd8, 0x1000, Some((13, 0x1000))),
        (0xd8, 0x0c, Some((13, 0x0c))),
        (0xd0, DATA_0, None),
        (0xd0, 0, Some((13, 0))),
        (0xd0, DATA_3, Some((13, DATA_3 & !3))),
        (0xd0, CODE_0, Some((13, CODE_0))),
        (0xd0, ABSENT_DATA, Some((12, ABSENT_DATA))),
    ];
    for (modrm, selector, fault) in cases {
        let mut rig = with_rax(Rig::new(Bits::Protected32), u64::from(selector));
        rig.run(&[0x8e, modrm, 0xeb, 0xfe], 1);
        match fault {
            None => {
                assert_eq!(rig.handling(), None, "{selector:#x}");
                let register = if modrm == 0xd8 {
                    SegmentRegister::Ds
                } else {
                    SegmentRegister::Ss
                };
                assert_eq!(rig.selector(register), selector);
            }
            Some((vector, code)) => {
                assert_eq!(rig.handling(), Some(vector), "{selector:#x}");
                assert_eq!(rig.stacked::<u32>(0), u32::from(code));
            }
        }
    }
}

#[test]
fn level_3_may_load_conforming_code_but_no_data_of_level_0() {
    for (selector, vector) in [(CONFORMING_0, None), (DATA_0, Some(13)), (CODE_0, Some(13))] {
        let rig = Rig::new(Bits::Protected32).at_level_3();
        let mut rig = with_rax(rig, u64::from(selector));
        rig.run(&[0x8e, 0xd8, 0xeb, 0xfe], 1);
        assert_eq!(rig.handling(), vector, "{selector:#x}");
    }
}

#[test]
fn mov_to_ss_shadows_the_next_instruction() {
    let mut rig = with_rax(Rig::new(Bits::Protected32), u64::from(STACK_16));
    rig.run(&[0x8e, 0xd0, 0x40, 0xeb, 0xfe], 1);
    assert_eq!(rig.cpu.state.interrupt_shadow, InterruptShadow::MovSs);
    assert_eq!(rig.cpu.mode().stack_bits(), 16);
    rig.go_on(1);
    assert_eq!(rig.cpu.state.interrupt_shadow, InterruptShadow::None);
}

#[test]
fn mov_cs_is_undefined() {
    let mut rig = with_rax(Rig::new(Bits::Protected32), u64::from(CODE_0));
    rig.run(&[0x8e, 0xc8], 1);
    assert_eq!(rig.handling(), Some(6));
}

#[test]
fn a_selector_is_stored_in_the_operand_size() {
    let mut rig = with_rax(Rig::new(Bits::Protected32), 0xffff_ffff);
    // MOV AX, DS; MOV EBX, DS; MOV [0x40000], DS
    rig.put(0x4_0000, 0xffff_ffffu32);
    rig.run(
        &[
            0x66, 0x8c, 0xd8, 0x8c, 0xdb, 0x8c, 0x1d, 0, 0, 4, 0, 0xeb, 0xfe,
        ],
        3,
    );
    assert_eq!(rig.cpu.state.gpr(Gpr::Rax), 0xffff_0010);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rbx), 0x10);
    assert_eq!(rig.get::<u32>(0x4_0000), 0xffff_0010);
}

#[test]
fn push_and_pop_of_segments() {
    let mut rig = Rig::new(Bits::Protected32);
    rig.put(KERNEL_STACK - 4, 0xffff_ffffu32);
    // PUSH DS; POP ES; PUSH FS; POP SS
    rig.run(&[0x1e, 0x07, 0x0f, 0xa0, 0x17, 0xeb, 0xfe], 4);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), KERNEL_STACK);
    // A 16-bit move, as processors do it.
    assert_eq!(rig.get::<u32>(KERNEL_STACK - 4), 0xffff_0010);
    assert_eq!(rig.selector(SegmentRegister::Es), DATA_0);
    // A POP that faults leaves ESP alone.
    let mut rig = Rig::new(Bits::Protected32);
    rig.put(KERNEL_STACK, u32::from(TASK));
    rig.run(&[0x07], 1);
    assert_eq!(rig.handling(), Some(13));
    assert_eq!(rig.cpu.state.gpr(Gpr::Rsp), KERNEL_STACK - 16);
}

#[test]
fn a_far_pointer_is_loaded_whole_or_not_at_all() {
    let mut rig = Rig::new(Bits::Protected32);
    rig.put(0x4_0000, 0x1234_5678u32);
    rig.put(0x4_0004, DATA_3);
    // LES ECX, [0x40000]
    rig.run(&[0xc4, 0x0d, 0, 0, 4, 0, 0xeb, 0xfe], 1);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rcx), 0x1234_5678);
    assert_eq!(rig.selector(SegmentRegister::Es), DATA_3);
    rig.put(0x4_0004, TASK);
    rig.cpu.state.set_gpr(Gpr::Rcx, 7);
    rig.cpu.state.rip = CODE;
    rig.go_on(1);
    assert_eq!(rig.handling(), Some(13));
    assert_eq!(rig.cpu.state.gpr(Gpr::Rcx), 7);
}

#[test]
fn real_mode_keeps_a_big_limit() {
    let mut rig = with_rax(Rig::new(Bits::Real), 0x1234);
    rig.cpu.state.segments[SegmentRegister::Ds as usize].limit = u32::MAX;
    rig.run(&[0x8e, 0xd8, 0xeb, 0xfe], 1);
    let segment = *rig.cpu.state.segment(SegmentRegister::Ds);
    assert_eq!(segment.base, 0x1_2340);
    assert_eq!(segment.limit, u32::MAX);
}

#[test]
fn null_selectors_in_64_bit_mode() {
    let mut rig = with_rax(Rig::new(Bits::Long64), 0);
    rig.run(&[0x8e, 0xd0, 0xeb, 0xfe], 1);
    assert_eq!(rig.handling(), None, "SS may be null at level 0");
    let mut rig = with_rax(Rig::new(Bits::Long64).at_level_3(), 3);
    rig.run(&[0x8e, 0xd0, 0xeb, 0xfe], 1);
    assert_eq!(rig.handling(), Some(13));
}

#[test]
fn lgdt_and_sgdt_by_operand_size() {
    let mut rig = Rig::new(Bits::Protected32);
    rig.put(0x4_0000, 0x77u16);
    rig.put(0x4_0002, 0xab00_1000u32);
    // SIDT [0x40010]; LIDT [0x40000]; LIDT with 16-bit operand size
    rig.run(
        &[
            0x0f, 0x01, 0x0d, 0x10, 0, 4, 0, 0x0f, 0x01, 0x1d, 0, 0, 4, 0, 0xeb, 0xfe,
        ],
        2,
    );
    assert_eq!(rig.get::<u16>(0x4_0010), 0xfff);
    assert_eq!(rig.get::<u32>(0x4_0012), 0x2000);
    assert_eq!(rig.cpu.state.idtr.base, 0xab00_1000);
    assert_eq!(rig.cpu.state.idtr.limit, 0x77);
    rig.cpu.state.rip = CODE + 0x100;
    rig.run(&[0x66, 0x0f, 0x01, 0x1d, 0, 0, 4, 0, 0xeb, 0xfe], 1);
    assert_eq!(rig.cpu.state.idtr.base, 0x1000);
    let mut rig = Rig::new(Bits::Protected32).at_level_3();
    rig.run(&[0x0f, 0x01, 0x1d, 0, 0, 4, 0], 1);
    assert_eq!(rig.handling(), Some(13));
    let mut rig = Rig::new(Bits::Protected32).at_level_3();
    rig.cpu.state.cr4 |= Cr4::UMIP.bits();
    rig.run(&[0x0f, 0x01, 0x0d, 0x10, 0, 4, 0], 1);
    assert_eq!(rig.handling(), Some(13));
}

#[test]
fn ltr_marks_its_task_busy_and_str_names_it() {
    let mut rig = with_rax(Rig::new(Bits::Protected32), u64::from(OTHER_TASK));
    // LTR AX; STR EBX; LTR AX again
    rig.run(&[0x0f, 0x00, 0xd8, 0x0f, 0x00, 0xcb, 0x0f, 0x00, 0xd8], 2);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rbx), u64::from(OTHER_TASK));
    assert_eq!(rig.cpu.state.tr.base, OTHER_TSS);
    assert_eq!(rig.get::<u8>(0x1000 + u64::from(OTHER_TASK) + 5), 0x8b);
    rig.go_on(1);
    assert_eq!(rig.handling(), Some(13));
    let mut rig = with_rax(Rig::new(Bits::Long64), u64::from(SPARE));
    rig.set_descriptor(SPARE, descriptor(TSS as u32, 0x67, 0x89));
    rig.put(0x1000 + u64::from(SPARE) + 8, 0xffff_8880u64);
    rig.run(&[0x0f, 0x00, 0xd8, 0xeb, 0xfe], 1);
    assert_eq!(rig.cpu.state.tr.selector, SPARE);
    assert_eq!(rig.cpu.state.tr.base, 0xffff_8880_0000_0000 | TSS);
}

#[test]
fn an_ldt_serves_selectors_with_ti() {
    let mut rig = with_rax(Rig::new(Bits::Protected32), u64::from(SPARE));
    rig.set_descriptor(SPARE, descriptor(0x4_0000, 0xf, 0x82));
    rig.put(0x4_0008, descriptor(0x5000, 0xfff, 0x92));
    // LLDT AX; MOV ES, CX
    rig.cpu.state.set_gpr(Gpr::Rcx, 0xc);
    rig.run(&[0x0f, 0x00, 0xd0, 0x8e, 0xc1, 0xeb, 0xfe], 2);
    let segment = *rig.cpu.state.segment(SegmentRegister::Es);
    assert_eq!(
        (segment.selector, segment.base, segment.limit),
        (0xc, 0x5000, 0xfff)
    );
    assert_eq!(rig.get::<u8>(0x4_000d), 0x93, "accessed");
}

#[test]
fn lar_lsl_verr_verw_answer_in_zf() {
    let cases = [
        (DATA_0, true, true, true, true),
        (CODE_0, true, true, true, false),
        (TASK, true, true, false, false),
        (0, false, false, false, false),
        (0x1000, false, false, false, false),
        (DATA_0 | 3, false, false, false, false),
        (CONFORMING_0 | 3, true, true, true, false),
    ];
    for (selector, lar, lsl, verr, verw) in cases {
        let ask = |code: &[u8]| {
            let mut rig = with_rax(Rig::new(Bits::Protected32), u64::from(selector));
            rig.run(&[code, &[0xeb, 0xfe]].concat(), 1);
            (zero(&rig), rig.cpu.state.gpr(Gpr::Rbx))
        };
        assert_eq!(ask(&[0x0f, 0x02, 0xd8]).0, lar, "LAR {selector:#x}");
        assert_eq!(ask(&[0x0f, 0x03, 0xd8]).0, lsl, "LSL {selector:#x}");
        assert_eq!(ask(&[0x0f, 0x00, 0xe0]).0, verr, "VERR {selector:#x}");
        assert_eq!(ask(&[0x0f, 0x00, 0xe8]).0, verw, "VERW {selector:#x}");
        if selector == DATA_0 {
            assert_eq!(ask(&[0x0f, 0x02, 0xd8]).1 & !0xf_0000, 0xc0_9300);
            assert_eq!(ask(&[0x0f, 0x03, 0xd8]).1, 0xffff_ffff);
        }
    }
}

#[test]
fn arpl_raises_the_rpl() {
    let mut rig = with_rax(Rig::new(Bits::Protected32), u64::from(DATA_0));
    rig.cpu.state.set_gpr(Gpr::Rcx, u64::from(CODE_3));
    // ARPL AX, CX; twice
    rig.run(&[0x63, 0xc8, 0xeb, 0xfe], 1);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rax), u64::from(DATA_0 | 3));
    assert!(zero(&rig));
    rig.cpu.state.rip = CODE;
    rig.go_on(1);
    assert!(!zero(&rig));
}

#[test]
fn these_are_undefined_outside_protected_mode() {
    let code: [&[u8]; 6] = [
        &[0x0f, 0x00, 0xd8],
        &[0x0f, 0x00, 0xd0],
        &[0x0f, 0x00, 0xc0],
        &[0x0f, 0x02, 0xd8],
        &[0x0f, 0x00, 0xe0],
        &[0x63, 0xc8],
    ];
    for code in code {
        let mut rig = Rig::new(Bits::Real);
        rig.run(code, 1);
        assert_eq!(rig.handling(), Some(6), "{code:x?}");
    }
}

#[test]
fn bases_of_fs_and_gs() {
    let mut rig = with_rax(Rig::new(Bits::Long64), 0x1234_5678_9abc);
    // WRFSBASE RAX is undefined before CR4.FSGSBASE is set.
    rig.run(&[0xf3, 0x48, 0x0f, 0xae, 0xd0], 1);
    assert_eq!(rig.handling(), Some(6));
    let mut rig = with_rax(Rig::new(Bits::Long64), 0x1234_5678_9abc);
    rig.cpu.state.cr4 |= Cr4::FSGSBASE.bits();
    rig.cpu.state.msrs.kernel_gs_base = 0x77;
    // WRFSBASE RAX; RDFSBASE EBX; SWAPGS; RDGSBASE RCX
    rig.run(
        &[
            0xf3, 0x48, 0x0f, 0xae, 0xd0, 0xf3, 0x0f, 0xae, 0xc3, 0x0f, 0x01, 0xf8, 0xf3, 0x48,
            0x0f, 0xae, 0xc9, 0xeb, 0xfe,
        ],
        4,
    );
    assert_eq!(
        rig.cpu.state.segment(SegmentRegister::Fs).base,
        0x1234_5678_9abc
    );
    assert_eq!(rig.cpu.state.gpr(Gpr::Rbx), 0x5678_9abc);
    assert_eq!(rig.cpu.state.gpr(Gpr::Rcx), 0x77);
    let mut rig = with_rax(Rig::new(Bits::Long64), 1 << 63);
    rig.cpu.state.cr4 |= Cr4::FSGSBASE.bits();
    rig.run(&[0xf3, 0x48, 0x0f, 0xae, 0xd0], 1);
    assert_eq!(rig.handling(), Some(13));
}

#[test]
fn virtual_8086_loads_make_real_style_segments() {
    let mut rig = with_rax(Rig::new(Bits::Protected32), 0x1234);
    rig.cpu.state.segments = [Segment::virtual_8086(0x1000); 6];
    rig.cpu.state.system_flags = Rflags::VM;
    rig.cpu.state.rip = 0;
    rig.cpu.set_cpl(3);
    rig.run(&[0x8e, 0xd8, 0xeb, 0xfe], 1);
    let expected = Segment::virtual_8086(0x1234);
    assert_eq!(*rig.cpu.state.segment(SegmentRegister::Ds), expected);
}

#[test]
fn bases_go_by_the_address_bits_that_the_processor_has() {
    let base = 0xffaa_aaaa_aaaa_a000_u64;
    let load_table = [0x0f, 0x01, 0x10]; // LGDT [RAX]
    let load_local_table = [0x0f, 0x00, 0xd0]; // LLDT AX
    let write_register = [0x0f, 0x30]; // WRMSR
    for (model, fault) in [("max", None), ("x86-64-v3", Some(13))] {
        let mut rig = with_rax(Rig::of_model(model, Bits::Long64), CODE + 0x100);
        rig.put(CODE + 0x102, base);
        rig.run(&load_table, 1);
        assert_eq!(rig.handling(), fault, "{model}: LGDT");

        let mut rig = with_rax(Rig::of_model(model, Bits::Long64), SPARE.into());
        rig.set_descriptor(SPARE, descriptor(base as u32, 0xffff, 0x82));
        rig.set_descriptor(SPARE + 8, base >> 32);
        rig.run(&load_local_table, 1);
        assert_eq!(rig.handling(), fault, "{model}: LLDT");

        let mut rig = with_rax(Rig::of_model(model, Bits::Long64), base);
        rig.cpu.state.set_gpr(Gpr::Rdx, base >> 32);
        rig.cpu.state.set_gpr(Gpr::Rcx, 0xc000_0100);
        rig.run(&write_register, 1);
        assert_eq!(rig.handling(), fault, "{model}: IA32_FS_BASE");
    }
    let mut rig = with_rax(Rig::new(Bits::Long64), base);
    rig.cpu.state.cr4 |= Cr4::FSGSBASE.bits();
    rig.run(&[0xf3, 0x48, 0x0f, 0xae, 0xd8], 1);
    assert_eq!(rig.handling(), Some(13), "but WRGSBASE by those in use");
}
