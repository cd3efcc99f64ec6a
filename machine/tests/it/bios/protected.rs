//! The BIOS's entries for protected mode: the BIOS32 service directory, PCI BIOS behind it, and advanced power
//! management (BIOS32 Service Directory 0.4; PCI BIOS 2.1; APM 1.2).

use iced_x86::code_asm::CodeAssembler;
use iced_x86::{Code, IcedError, Instruction};

use super::caller::{Caller, Registers};
use super::services::with_floppy;

/// The way to protected mode and back, in three pieces; the stack pointer of real mode; registers; the entry to call.
const ENTER: u32 = 0x5000;
const CALL: u32 = 0x5100;
const LEAVE: u32 = 0x5200;
const BACK: u32 = 0x5300;
const TABLE: u32 = 0x5800;
const TABLE_POINTER: u32 = 0x5880;
const STACK: u32 = 0x5900;
const REGISTERS: u32 = 0x5910;
const FLAGS: u32 = 0x5920;
const DATA_SEGMENT: u32 = 0x5930;
const ENTRY: u32 = 0x5940;
/// What calls 16-bit code for the 32-bit code, and where it calls.
const THUNK: u32 = 0x5400;
const ENTRY_16: u32 = 0x5950;
/// Selectors: all memory; segment F000h; the EBDA; what real mode wants; segment F000h with 16-bit code.
const FLAT_CODE: u16 = 0x08;
const FLAT_DATA: u16 = 0x10;
const BIOS_CODE: u16 = 0x18;
const BIOS_DATA: u16 = 0x20;
const REAL_CODE: u16 = 0x28;
const REAL_DATA: u16 = 0x30;
const BIOS_CODE_16: u16 = 0x38;
const DESCRIPTORS: [u64; 8] = [
    0,
    0x00CF_9B00_0000_FFFF,
    0x00CF_9300_0000_FFFF,
    0x0040_9B0F_0000_FFFF,
    0x0040_9309_FC00_03FF,
    0x0000_9B00_0000_FFFF,
    0x0000_9300_0000_FFFF,
    0x0000_9B0F_0000_FFFF,
];
/// A vector that is free for programs, to get there by.
const VECTOR: u32 = 0x60;

fn piece(
    bits: u32,
    at: u32,
    emit: impl FnOnce(&mut CodeAssembler) -> Result<(), IcedError>,
) -> Vec<u8> {
    let mut code = CodeAssembler::new(bits).unwrap();
    emit(&mut code).unwrap();
    code.assemble(at.into()).unwrap()
}

fn jump(a: &mut CodeAssembler, code: Code, selector: u16, offset: u32) -> Result<(), IcedError> {
    a.add_instruction(Instruction::with_far_branch(code, selector, offset)?)
}

/// Puts the pieces into memory.
fn set_up(pc: &Caller) {
    use iced_x86::code_asm::{
        al, ax, cr0, ds, dword_ptr, eax, ebx, ecx, edx, es, esp, fword_ptr, ptr, sp, ss, word_ptr,
    };
    let [stack, flags, data, entry] = [STACK, FLAGS, DATA_SEGMENT, ENTRY].map(u64::from);
    let register = |n: u64| dword_ptr(u64::from(REGISTERS) + 4 * n);
    let general = [(eax, 0), (ebx, 1), (ecx, 2), (edx, 3)];
    let enter = piece(16, ENTER, |a| {
        a.mov(word_ptr(stack), sp)?;
        for (name, n) in general {
            a.mov(register(n), name)?;
        }
        a.lgdt(ptr(u64::from(TABLE_POINTER)))?;
        a.mov(eax, cr0)?;
        a.or(al, 1)?;
        a.mov(cr0, eax)?;
        jump(a, Code::Jmp_ptr1632, FLAT_CODE, CALL)
    });
    let call = piece(32, CALL, |a| {
        a.mov(ax, u32::from(FLAT_DATA))?;
        a.mov(ds, ax)?;
        a.mov(es, ax)?;
        a.mov(ss, ax)?;
        a.movzx(esp, word_ptr(stack))?;
        for (name, n) in general {
            a.mov(name, register(n))?;
        }
        a.mov(ds, word_ptr(data))?;
        a.call(fword_ptr(entry).cs())?;
        a.push(i32::from(FLAT_DATA))?;
        a.pop(ds)?;
        for (name, n) in general {
            a.mov(register(n), name)?;
        }
        a.pushfd()?;
        a.pop(dword_ptr(flags))?;
        a.mov(ax, u32::from(REAL_DATA))?;
        a.mov(ds, ax)?;
        a.mov(es, ax)?;
        a.mov(ss, ax)?;
        jump(a, Code::Jmp_ptr1632, REAL_CODE, LEAVE)
    });
    let leave = piece(16, LEAVE, |a| {
        a.mov(eax, cr0)?;
        a.and(al, 0xFE)?;
        a.mov(cr0, eax)?;
        jump(a, Code::Jmp_ptr1616, 0, BACK)
    });
    let back = piece(16, BACK, |a| {
        a.xor(ax, ax)?;
        a.mov(ds, ax)?;
        a.mov(es, ax)?;
        a.mov(ss, ax)?;
        a.mov(sp, word_ptr(stack))?;
        for (name, n) in general {
            a.mov(name, register(n))?;
        }
        a.iret()
    });
    let thunk = piece(16, THUNK, |a| {
        a.call(dword_ptr(u64::from(ENTRY_16)).cs())?;
        a.db(&[0x66, 0xCB])
    });
    let pieces = [enter, call, leave, back, thunk];
    for (place, bytes) in [ENTER, CALL, LEAVE, BACK, THUNK].into_iter().zip(pieces) {
        pc.write(place, &bytes);
    }
    let table: Vec<u8> = DESCRIPTORS.iter().flat_map(|d| d.to_le_bytes()).collect();
    pc.write(TABLE, &table);
    pc.write(TABLE_POINTER, &[table.len() as u8 - 1, 0]);
    pc.write(TABLE_POINTER + 2, &TABLE.to_le_bytes());
    pc.write(VECTOR * 4, &ENTER.to_le_bytes());
}

/// Calls `selector:offset` in protected mode.
fn call(
    pc: &mut Caller,
    (selector, offset): (u16, u32),
    data: u16,
    before: Registers,
) -> Registers {
    pc.write(ENTRY, &offset.to_le_bytes());
    pc.write(ENTRY + 4, &selector.to_le_bytes());
    pc.write(DATA_SEGMENT, &data.to_le_bytes());
    let after = pc.call(VECTOR, before);
    Registers {
        carry: pc.dword(FLAGS) & 1 != 0,
        ..after
    }
}

#[test]
fn bios32_leads_to_pci_bios() {
    let mut pc = with_floppy();
    set_up(&pc);
    let rom = pc.read(0xF_0000, 0x1_0000);
    let headers: Vec<&[u8]> = rom.chunks(16).filter(|h| h.starts_with(b"_32_")).collect();
    let [header] = headers[..] else {
        panic!("{} headers", headers.len());
    };
    let sum = header.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    assert_eq!((header[9], sum), (1, 0));
    let entry = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
    let ask = |service: &[u8; 4]| Registers {
        eax: u32::from_le_bytes(*service),
        ..Registers::default()
    };
    let unknown = call(&mut pc, (FLAT_CODE, entry), FLAT_DATA, ask(b"$XYZ"));
    assert_eq!(unknown.al(), 0x80);
    let found = call(&mut pc, (FLAT_CODE, entry), FLAT_DATA, ask(b"$PCI"));
    assert_eq!((found.al(), found.ebx), (0, 0xF_0000));
    let check = Registers {
        eax: 0xB101,
        ..Registers::default()
    };
    let pci = call(&mut pc, (BIOS_CODE, found.edx), FLAT_DATA, check);
    assert_eq!((pci.ah(), pci.carry), (0, false), "{pci:x?}");
    assert_eq!(pci.edx, u32::from_le_bytes(*b"PCI "));
    assert_eq!(pci.ebx & 0xFFFF, 0x0210);
}

fn ax(ax: u32) -> Registers {
    Registers {
        eax: ax,
        ..Registers::default()
    }
}

#[test]
fn power_management_is_connected_for_protected_mode() {
    let mut pc = with_floppy();
    set_up(&pc);
    let check = pc.call(0x15, ax(0x5300));
    assert_eq!((check.eax & 0xFFFF, check.carry), (0x0102, false));
    assert_eq!((check.ebx & 0xFFFF, check.ecx & 3), (0x504D, 3));
    let entry = pc.call(0x15, ax(0x5303));
    assert_eq!((entry.eax & 0xFFFF, entry.carry), (0xF000, false));
    assert_eq!((entry.edx & 0xFFFF, entry.edi & 0xFFFF), (0x9FC0, 0x400));
    let again = pc.call(0x15, ax(0x5303));
    assert_eq!((again.ah(), again.carry), (2, true), "already connected");
    let mut ask = |ax: u32, bx: u32| {
        let before = Registers {
            eax: ax,
            ebx: bx,
            // The driver's version, where that is asked for.
            ecx: bx,
            ..Registers::default()
        };
        call(&mut pc, (BIOS_CODE, entry.ebx), BIOS_DATA, before)
    };
    answers_as_power_management(&mut ask);
    let gone = pc.call(0x15, ax(0x5304));
    assert_eq!((gone.ah(), gone.carry), (3, true), "not connected");
}

/// What an entry says to some functions, the last of which disconnects it.
fn answers_as_power_management(ask: &mut impl FnMut(u32, u32) -> Registers) {
    let version = ask(0x530E, 0x0102);
    assert_eq!((version.eax & 0xFFFF, version.carry), (0x0102, false));
    let older = ask(0x530E, 0x0101);
    assert_eq!((older.eax & 0xFFFF, older.carry), (0x0101, false));
    let event = ask(0x530B, 0);
    assert_eq!((event.ah(), event.carry), (0x80, true));
    let power = ask(0x530A, 1);
    assert_eq!((power.ah(), power.ebx & 0xFFFF), (0, 0x01FF), "on mains");
    let capabilities = ask(0x5310, 0);
    assert_eq!((capabilities.ah(), capabilities.carry), (0, false));
    assert_eq!((capabilities.ebx & 0xFF, capabilities.ecx), (0, 0));
    let state = ask(0x530C, 1);
    assert_eq!((state.ah(), state.ecx, state.carry), (0, 0, false), "ready");
    let unknown = ask(0x5399, 0);
    assert_eq!((unknown.ah(), unknown.carry), (0x0C, true));
    assert!(!ask(0x5304, 0).carry, "disconnects");
}

#[test]
fn power_management_is_connected_for_16_bit_protected_mode() {
    let mut pc = with_floppy();
    set_up(&pc);
    let entry = pc.call(0x15, ax(0x5302));
    assert_eq!((entry.eax & 0xFFFF, entry.carry), (0xF000, false));
    assert_eq!((entry.ecx & 0xFFFF, entry.edi & 0xFFFF), (0x9FC0, 0x400));
    assert_eq!(entry.esi & 0xFFFF, 0xFFFF, "64 KiB of code");
    pc.write(ENTRY_16, &(entry.ebx as u16).to_le_bytes());
    pc.write(ENTRY_16 + 2, &BIOS_CODE_16.to_le_bytes());
    let mut ask = |ax: u32, bx: u32| {
        let before = Registers {
            eax: ax,
            ebx: bx,
            // The driver's version, where that is asked for.
            ecx: bx,
            ..Registers::default()
        };
        call(&mut pc, (REAL_CODE, THUNK), BIOS_DATA, before)
    };
    answers_as_power_management(&mut ask);
    let gone = pc.call(0x15, ax(0x5304));
    assert_eq!((gone.ah(), gone.carry), (3, true), "not connected");
}

/// Where INT 15h 89h finds its descriptor table, and what the program saw behind it.
const OWN_TABLE: u32 = 0x5A00;
const SEEN: u32 = 0x5B00;

/// To protected mode by INT 15h 89h, a look at where it is, and back.
fn goes_to_protected_mode(a: &mut CodeAssembler) -> Result<(), IcedError> {
    use iced_x86::code_asm::{al, ax, bx, cr0, cs, ds, eax, es, si, sp, ss, word_ptr};
    let seen = |n: u32| word_ptr(u64::from(SEEN + 2 * n));
    a.mov(word_ptr(u64::from(STACK)), sp)?;
    a.xor(ax, ax)?;
    a.mov(es, ax)?;
    a.mov(si, OWN_TABLE)?;
    a.mov(ax, 0x8900u32)?;
    a.mov(bx, 0x5058u32)?;
    a.int(0x15)?;
    // Here protected mode begins, in the segments of the table.
    a.mov(seen(0), cs)?;
    a.mov(seen(1), ds)?;
    a.mov(seen(2), es)?;
    a.mov(seen(3), ss)?;
    a.mov(eax, cr0)?;
    a.mov(seen(4), ax)?;
    a.mov(seen(5), sp)?;
    a.and(al, 0xFE)?;
    a.mov(cr0, eax)?;
    jump(a, Code::Jmp_ptr1616, 0, BACK)
}

#[test]
fn int_15h_89h_enters_protected_mode() {
    use iced_x86::code_asm::{ax, ds, es, ptr, sp, ss, word_ptr};
    let mut pc = with_floppy();
    pc.write(ENTER, &piece(16, ENTER, goes_to_protected_mode));
    // Back in real mode: its segments, its stack, its vectors.
    let back = piece(16, BACK, |a| {
        a.xor(ax, ax)?;
        a.mov(ds, ax)?;
        a.mov(es, ax)?;
        a.mov(ss, ax)?;
        a.mov(sp, word_ptr(u64::from(STACK)))?;
        a.lidt(ptr(u64::from(TABLE_POINTER)))?;
        a.iret()
    });
    pc.write(BACK, &back);
    pc.write(TABLE_POINTER, &[0xFF, 0x03, 0, 0, 0, 0]);
    // What the caller fills in: itself, interrupts, DS, ES, SS, CS; the last is the BIOS's.
    let data = 0x0000_9300_0000_FFFFu64;
    let table = [
        0,
        0x0000_9300_5A00_003F,
        0x0000_9300_0000_03FF,
        data,
        data,
        data,
        0x0000_9B00_0000_FFFF,
        0,
    ];
    let bytes: Vec<u8> = table.iter().flat_map(|d| d.to_le_bytes()).collect();
    pc.write(OWN_TABLE, &bytes);
    pc.write(VECTOR * 4, &ENTER.to_le_bytes());
    let answer = pc.call(VECTOR, Registers::default());
    assert_eq!(answer.ah(), 0, "{answer:x?}");
    let seen = |n: u32| pc.word(SEEN + 2 * n);
    assert_eq!([0, 1, 2, 3].map(seen), [0x30, 0x18, 0x20, 0x28]);
    assert_eq!(seen(4) & 1, 1, "protected");
    assert_eq!(seen(5), pc.word(STACK), "the stack is as it was");
}
