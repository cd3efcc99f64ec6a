//! System-management interrupts: what is saved, where the handler begins, what comes back.

use rax_mmu::PhysicalAddress;

use crate::rflags::Rflags;
use crate::segment::SegmentRegister;
use crate::state::{Activity, Gpr};
use crate::testing::{Bits, bare_model};
use crate::{Cpu, Engine, Interpreter, Model, Stop};

const RAM: u64 = 1 << 20;

/// A processor in 32-bit protected mode at 1000h with `handler` where SMIs lead.
fn cpu(model: &str, handler: &[u8]) -> Box<Cpu> {
    let model = Model::named(model).unwrap();
    let mut cpu = bare_model(model, Bits::Protected32, RAM).unwrap();
    if !model.has_long_mode() {
        cpu.state.cr4 = 0;
        cpu.state.xcr0 = 1;
    }
    let memory = cpu.mmu.memory();
    memory
        .ram_write(PhysicalAddress(0x3_8000), handler)
        .unwrap();
    // INC EBX; JMP to itself.
    memory
        .ram_write(PhysicalAddress(0x1000), &[0x43, 0xeb, 0xfe])
        .unwrap();
    cpu.state.rip = 0x1000;
    cpu.update_mode();
    cpu
}

fn peek(cpu: &Cpu, at: u64) -> u32 {
    let mut bytes = [0; 4];
    let memory = cpu.mmu.memory();
    memory.ram_read(PhysicalAddress(at), &mut bytes).unwrap();
    u32::from_le_bytes(bytes)
}

fn run(cpu: &mut Cpu, instructions: u64) -> Stop {
    let until = cpu.state.instructions + instructions;
    Interpreter::new(cpu).run(cpu, until)
}

#[test]
fn the_handler_runs_and_everything_comes_back() {
    for (model, rip, revision) in [("max", 0xff78, 0x2_0064), ("pentium3", 0xfff0, 0x2_0000)] {
        // MOV EAX,12345678h (operand-size prefix); RSM.
        let mut cpu = cpu(model, &[0x66, 0xb8, 0x78, 0x56, 0x34, 0x12, 0x0f, 0xaa]);
        cpu.state.set_rflags(Rflags::IF | Rflags::CF);
        cpu.update_mode();
        let before = cpu.state.clone();
        cpu.assert_smi();
        assert_eq!(run(&mut cpu, 1), Stop::Budget, "{model}");
        assert!(cpu.state.smm.is_active && cpu.state.nmi_blocked);
        assert_eq!((cpu.state.rip, cpu.state.cpl), (0x8006, 0));
        assert_eq!(cpu.state.segment(SegmentRegister::Cs).base, 0x3_0000);
        assert_eq!(cpu.state.gpr(Gpr::Rax), 0x1234_5678);
        assert_eq!(peek(&cpu, 0x3_0000 + rip), 0x1000, "{model}");
        assert_eq!(peek(&cpu, 0x3_fefc), revision);
        // A second one waits until the first is through, and comes at once then.
        cpu.assert_smi();
        run(&mut cpu, 1);
        assert!(cpu.state.smm.is_active && !cpu.smi_is_pending());
        assert_eq!(cpu.state.rip, 0x8000);
        run(&mut cpu, 2);
        let mut after = cpu.state.clone();
        after.instructions = before.instructions;
        after.set_gpr(Gpr::BlockRip, before.gpr(Gpr::BlockRip));
        assert!(after == before, "{model}: {after:x?}\n{before:x?}");
    }
}

#[test]
fn the_base_moves_with_the_next_resumption() {
    for (model, field) in [("max", 0xff00_u16), ("pentium3", 0xfef8)] {
        // MOV DWORD CS:[field],0005 0000h; RSM.
        let [low, high] = field.to_le_bytes();
        let mut handler = vec![0x2e, 0x66, 0xc7, 0x06, low, high, 0, 0, 5, 0];
        handler.extend([0x0f, 0xaa]);
        let mut cpu = cpu(model, &handler);
        cpu.assert_smi();
        run(&mut cpu, 2);
        assert!(!cpu.state.smm.is_active);
        assert_eq!(cpu.state.smm.base, 0x5_0000);
        cpu.assert_smi();
        run(&mut cpu, 1);
        let code = cpu.state.segment(SegmentRegister::Cs);
        assert_eq!((code.base, code.selector), (0x5_0000, 0x5000));
        assert_eq!(peek(&cpu, 0x5_fefc) & 0xffff_0000, 0x2_0000);
    }
}

#[test]
fn a_halted_processor_halts_again() {
    let mut cpu = cpu("max", &[0x0f, 0xaa]);
    cpu.mmu
        .memory()
        .ram_write(PhysicalAddress(0x1000), &[0xf4])
        .unwrap();
    assert_eq!(run(&mut cpu, 10), Stop::Halted);
    cpu.assert_smi();
    assert_eq!(run(&mut cpu, 10), Stop::Halted);
    assert_eq!(cpu.state.activity, Activity::Halted);
    assert_eq!(cpu.state.rip, 0x1001);
}

#[test]
fn without_an_smi_there_is_nothing_to_resume() {
    let mut cpu = cpu("max", &[]);
    cpu.mmu
        .memory()
        .ram_write(PhysicalAddress(0x1000), &[0x0f, 0xaa])
        .unwrap();
    // #UD, and no interrupt table to deliver it with.
    assert_eq!(run(&mut cpu, 10), Stop::Shutdown);
}

#[test]
fn an_impossible_save_area_shuts_the_processor_down() {
    // MOV DWORD CS:[FF58h],80000000h: paging without protection; RSM.
    let handler = [
        0x2e, 0x66, 0xc7, 0x06, 0x58, 0xff, 0, 0, 0, 0x80, 0x0f, 0xaa,
    ];
    let mut cpu = cpu("max", &handler);
    cpu.assert_smi();
    assert_eq!(run(&mut cpu, 10), Stop::Shutdown);
}
