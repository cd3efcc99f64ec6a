//! POST: the local APIC, memory types, and the other processors, which are counted and halted (SDM 3A 9.4, 11.5, 12.11).

use iced_x86::code_asm::{CodeAssembler, al, cl, dword_ptr, eax, ebx, ecx, edi, edx};
use iced_x86::{Code, Instruction};

use super::areas::post;
use super::fw_cfg;
use super::timer::{delay_ms, now, passed_ms};
use crate::language::{
    Body, Compare as _, Place, Register, Value, Var, asm, bytes, flat8, flat32, rom8, routine,
};

/// CPUID.1:EDX: a local APIC; memory type range registers.
pub(super) const HAS_APIC: u32 = 1 << 9;
const HAS_MTRR: u32 = 1 << 12;
/// The local APIC's registers.
const APIC: u32 = 0xFEE0_0000;
const APIC_ID: u32 = APIC + 0x20;
const SPURIOUS: u32 = APIC + 0xF0;
const COMMAND: u32 = APIC + 0x300;
const LINT0: u32 = APIC + 0x350;
const LINT1: u32 = APIC + 0x360;
/// To all but self: INIT, and start at a page.
const INIT_OTHERS: u32 = 0x000C_4500;
const START_OTHERS: u32 = 0x000C_4600;
/// How long processors may take to start if nobody says how many there are, in milliseconds.
const PATIENCE_MS: u32 = 10;

/// The segment of the code that other processors start with, and its variables there.
const START_SEGMENT: u32 = post::PROCESSOR_START >> 4;
const COUNT: u32 = post::PROCESSORS - post::PROCESSOR_START;
const HOLE: u32 = post::PCI_HOLE - post::PROCESSOR_START;
const IDS: u32 = post::APIC_IDS - post::PROCESSOR_START;
/// Where the boot processor enters that code.
const BOOT_ENTRY: u32 = 0x30;
/// Where the code that sets memory types begins.
const MEMORY_TYPES: u32 = 0x40;
/// Model-specific registers: the default memory type, and the first variable range.
const DEFAULT_TYPE: u32 = 0x2FF;
const VARIABLE_BASE: u32 = 0x200;

/// CPUID.1:EDX, or zero on processors that have no such instruction.
pub(super) fn features() -> Value {
    routine("cpu_features", [], |f, []| {
        f.code(|code| {
            let mut none = code.create_label();
            asm!(code;
                // The ID flag can be changed where there is CPUID.
                pushfd; pop ebx;
                mov eax, ebx; xor eax, 1 << 21;
                push eax; popfd; pushfd; pop eax;
                push ebx; popfd;
                xor eax, ebx; and eax, 1 << 21;
                je none;
                mov eax, 1; cpuid;
                mov eax, edx;
                set_label &mut none;
                zero_bytes;
            );
        });
    })
}

/// Connects the 8259s to the boot processor, sets memory types, and counts the others.
pub(super) fn set_up(f: &mut Body<'_>) {
    f.set(flat32(post::PROCESSORS), 1);
    let features = f.var(features());
    f.set(flat32(post::PCI_HOLE), hole(flat32(post::RAM_END)));
    let start = start_code();
    f.each(0, u32::try_from(start.len()).unwrap_or(0), |f, n| {
        f.set(flat8(n + post::PROCESSOR_START), rom8(bytes(&start) + n));
    });
    f.when(features.has(HAS_MTRR), |f| call_start_code(f));
    f.when(features.has(HAS_APIC), |f| {
        f.set(flat32(SPURIOUS), 0x1FF);
        // External interrupts at LINT0, as if there were no APIC; NMI at LINT1.
        f.set(flat32(LINT0), 0x700);
        f.set(flat32(LINT1), 0x400);
        let id = f.var(boot_apic_id());
        f.set(apic_id_byte(id), Value::from(1) << (id & 7));
        f.run(wake_others());
    });
}

/// Where the PCI hole starts, by where RAM below 4 GiB ends.
pub(super) fn hole(ram_end: impl Into<Value>) -> Value {
    routine("pci_hole", [ram_end.into()], |f, [ram_end]| {
        f.when(ram_end.at_most(0xC000_0000u32), |f| f.ret(0xC000_0000u32));
        f.ret(0xE000_0000u32);
    })
}

/// Starts all other processors, and waits until they have been counted.
fn wake_others() -> Value {
    routine("wake_others", [], |f, []| {
        let expected = f.var(fw_cfg::number(fw_cfg::PROCESSORS));
        f.when(expected.is(1), Body::leave);
        f.set(flat32(COMMAND), INIT_OTHERS);
        f.run(delay_ms(1));
        f.each(0, 2, |f, _| {
            f.set(
                flat32(COMMAND),
                START_OTHERS | (post::PROCESSOR_START >> 12),
            );
            f.run(delay_ms(1));
        });
        let start = f.var(now());
        f.forever(|f| {
            let all = expected
                .is_not(0)
                .and(flat32(post::PROCESSORS).at_least(expected));
            f.when(all, Body::stop);
            let patience = f.var(PATIENCE_MS);
            f.when(expected.is_not(0), |f| f.set(patience, 2000));
            f.when(passed_ms(start).at_least(patience), Body::stop);
        });
    })
}

/// The byte with the bit of an APIC identifier.
fn apic_id_byte(id: impl Into<Value>) -> Place {
    flat8((id.into() >> 3) + post::APIC_IDS)
}

/// Whether there is a processor with this APIC identifier; 0 if not.
pub(super) fn has_apic_id(id: Var) -> Value {
    apic_id_byte(id) >> (id & 7) & 1
}

/// The boot processor's local APIC identifier.
pub(super) fn boot_apic_id() -> Value {
    Value::from(flat32(APIC_ID)) >> 24
}

fn call_start_code(f: &mut Body<'_>) {
    let segment = u16::try_from(START_SEGMENT).expect("a segment");
    let call = Instruction::with_far_branch(Code::Call_ptr1616, segment, BOOT_ENTRY);
    f.code(|code| asm!(code; add_instruction call.expect("a far call");));
}

/// The real-mode code that every processor runs, at offset zero of its segment: the others' entry, then the boot
/// processor's, then what both call.
fn start_code() -> Vec<u8> {
    let mut bytes = assemble(0, |code| {
        let mut halt = code.create_label();
        asm!(code; cli; call u64::from(MEMORY_TYPES););
        let count = dword_ptr(u64::from(COUNT)).cs();
        let ids = dword_ptr(u64::from(IDS)).cs();
        // Who it is, then that it is there.
        asm!(code; mov eax, 1; cpuid; shr ebx, 24;);
        code.lock().bts(ids, ebx).expect("a bit in memory");
        code.lock().inc(count).expect("a counter in memory");
        asm!(code; set_label &mut halt; hlt; jmp halt;);
    });
    bytes.resize(BOOT_ENTRY as usize, 0);
    bytes.extend(assemble(
        BOOT_ENTRY,
        |code| asm!(code; call u64::from(MEMORY_TYPES); retf;),
    ));
    bytes.resize(MEMORY_TYPES as usize, 0);
    bytes.extend(assemble(MEMORY_TYPES, |code| {
        let hole = dword_ptr(u64::from(HOLE)).cs();
        asm!(code; mov edi, hole;);
        memory_types(code);
        asm!(code; ret;);
    }));
    bytes
}

fn assemble(at: u32, body: impl FnOnce(&mut CodeAssembler)) -> Vec<u8> {
    let mut code = CodeAssembler::new(16).expect("a bitness that exists");
    body(&mut code);
    code.assemble(u64::from(at))
        .expect("code that can be encoded")
}

/// After sleep: the same memory types as after POST, of the boot processor. `hole` is where the PCI hole starts.
pub(super) fn restore_memory_types(f: &mut Body<'_>, hole: impl Into<Value>) {
    let hole = f.var(hole);
    f.when(features().has(HAS_MTRR), |f| {
        f.with([(Register::Edi, hole.into())], memory_types);
    });
}

/// Memory is write-back; video memory and what is above the PCI hole's start, in EDI, uncached; ROMs write-protected.
fn memory_types(code: &mut CodeAssembler) {
    let [mut none, mut narrow] = [code.create_label(), code.create_label()];
    asm!(code; mov eax, 1; cpuid; test edx, HAS_MTRR.cast_signed(); je none;);
    // Off while they change; each fixed register has eight ranges.
    write_register(code, DEFAULT_TYPE, 0, 0);
    for (first, count, kind) in [
        (0x250, 1, 0x06),
        (0x258, 1, 0x06),
        (0x259, 1, 0x00),
        (0x268, 8, 0x05),
    ] {
        for register in first..first + count {
            write_register(code, register, kind * 0x0101_0101, kind * 0x0101_0101);
        }
    }
    // One variable range, from the hole's start to 4 GiB; the mask is as wide as physical addresses are.
    asm!(code;
        mov ecx, VARIABLE_BASE; mov eax, edi; xor edx, edx; wrmsr;
        mov eax, 0x8000_0000u32; cpuid;
        mov ecx, 36;
        cmp eax, 0x8000_0008u32.cast_signed(); jb narrow;
        mov eax, 0x8000_0008u32; cpuid; movzx ecx, al;
        set_label &mut narrow;
        sub ecx, 32;
        mov edx, 1; shl edx, cl; dec edx;
        mov eax, edi; or eax, 0x800;
        mov ecx, VARIABLE_BASE + 1; wrmsr;
    );
    write_register(code, DEFAULT_TYPE, 0xC06, 0);
    asm!(code; set_label &mut none; zero_bytes;);
}

fn write_register(code: &mut CodeAssembler, register: u32, low: u32, high: u32) {
    asm!(code; mov ecx, register; mov eax, low; mov edx, high; wrmsr;);
}
