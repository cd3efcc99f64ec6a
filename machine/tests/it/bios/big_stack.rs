//! The BIOS called on a stack whose segment is a 32-bit one. Boot loaders that go back to real mode for each BIOS call
//! leave it so: loading SS in real mode changes its base and keeps what protected mode gave it, the B flag included
//! (SDM 3A 21.1.1 and 10.9.2). PUSH, POP and INT then count with ESP, and LEAVE with EBP; only their lower halves are
//! below 64 KiB, and the upper half of EBP is the caller's own.

use iced_x86::IcedError;
use iced_x86::code_asm::CodeAssembler;

use super::caller::{Caller, Registers};
use super::services::with_floppy;

/// The routine, its descriptor table and the table's pointer; the buffer of the calls.
const ROUTINE: u32 = 0x5000;
const TABLE: u32 = 0x5800;
const TABLE_POINTER: u32 = 0x5880;
const BUFFER: (u16, u32) = (0x2000, 0);
const FLAT_DATA: u32 = 0x08;
const DESCRIPTORS: [u64; 2] = [0, 0x00CF_9300_0000_FFFF];
/// A vector that is free for programs.
const VECTOR: u32 = 0x60;
/// What nobody may take for an address.
const BASE_POINTER: u32 = 0xFFF5_A5A5;

/// Gives SS a flat 32-bit segment, and takes real mode's base for it again.
fn grow_the_stack(a: &mut CodeAssembler) -> Result<(), IcedError> {
    use iced_x86::code_asm::{al, ax, bx, cr0, eax, ebp, esp, ptr, sp, ss};
    a.movzx(esp, sp)?;
    a.mov(ebp, BASE_POINTER)?;
    a.mov(bx, ss)?;
    a.lgdt(ptr(u64::from(TABLE_POINTER)))?;
    a.mov(eax, cr0)?;
    a.or(al, 1)?;
    a.mov(cr0, eax)?;
    a.mov(ax, FLAT_DATA)?;
    a.mov(ss, ax)?;
    a.mov(eax, cr0)?;
    a.and(al, 0xFE)?;
    a.mov(cr0, eax)?;
    a.mov(ss, bx)?;
    a.iret()
}

/// What the stack segment is, as the upper half of ESP after a wrap at its lower half tells: EBX is all ones if pushes
/// count with ESP. EBP, to see that it is kept.
fn tell(a: &mut CodeAssembler) -> Result<(), IcedError> {
    use iced_x86::code_asm::{ax, ebp, ebx, ecx, edx, esp};
    a.mov(ecx, ebp)?;
    a.mov(edx, esp)?;
    a.xor(esp, esp)?;
    a.push(ax)?;
    a.mov(ebx, esp)?;
    a.mov(esp, edx)?;
    a.iret()
}

fn install(
    pc: &Caller,
    emit: impl FnOnce(&mut CodeAssembler) -> Result<(), IcedError>,
) -> Result<(), IcedError> {
    let mut code = CodeAssembler::new(16)?;
    emit(&mut code)?;
    pc.write(ROUTINE, &code.assemble(ROUTINE.into())?);
    pc.write(VECTOR * 4, &ROUTINE.to_le_bytes());
    Ok(())
}

fn with_big_stack() -> Caller {
    let mut pc = with_floppy();
    let table: Vec<u8> = DESCRIPTORS.iter().flat_map(|d| d.to_le_bytes()).collect();
    pc.write(TABLE, &table);
    pc.write(TABLE_POINTER, &[table.len() as u8 - 1, 0]);
    pc.write(TABLE_POINTER + 2, &TABLE.to_le_bytes());
    install(&pc, grow_the_stack).unwrap();
    pc.call(VECTOR, Registers::default());
    install(&pc, tell).unwrap();
    pc
}

#[test]
fn services_work_on_a_32_bit_stack_and_keep_ebp() {
    let mut pc = with_big_stack();
    let ask = |eax: u32| Registers {
        eax,
        ..Registers::default()
    };
    let stack = pc.call(VECTOR, ask(0));
    assert_eq!(stack.ebx, 0xFFFF_FFFE, "the stack is not a 32-bit one");
    let no_key = pc.call(0x16, ask(0x0100));
    assert_eq!(no_key.eax, 0x0100);
    let memory = pc.call(0x12, ask(0));
    assert_eq!(memory.eax & 0xFFFF, 0x27F);
    let read = pc.disk(0x0201, 0x0001, 0, BUFFER);
    assert_eq!((read.ah(), read.al(), read.carry), (0, 1, false));
    assert_eq!(pc.word(u32::from(BUFFER.0) * 16 + 510), 0xAA55);
    // 64 MiB less 16, and less the tables at the end, in units of 64 KiB.
    let more = pc.call(0x15, ask(0xE801));
    assert_eq!((more.ebx & 0xFFFF, more.carry), (48 * 16 - 1, false));
    let pci = pc.call(0x1A, ask(0xB101));
    assert_eq!((pci.ah(), pci.edx), (0, u32::from_le_bytes(*b"PCI ")));
    let shown = pc.call(0x10, ask(0x0E2A));
    assert_eq!(shown.eax, 0x0E2A);
    // The timer's interrupts come while it runs.
    let before = pc.call(0x1A, ask(0)).edx;
    let wait = Registers {
        ecx: 3,
        ..ask(0x8600)
    };
    assert!(!pc.call(0x15, wait).carry);
    let ticks = pc.call(0x1A, ask(0)).edx - before;
    assert!((3..6).contains(&ticks), "{ticks} ticks in 197 ms");
    let kept = pc.call(VECTOR, ask(0));
    assert_eq!((kept.ecx, kept.ebx), (BASE_POINTER, 0xFFFF_FFFE));
}
