//! From the reset vector to real mode with the BIOS in RAM (440FX datasheet, PAM registers; SDM 3A 10.9).
//!
//! While RAM is switched in below the running code, that code would vanish. So the copying is done in protected mode,
//! from the copy of the ROM below 4 GiB. On the way back all segment registers keep their 4 GiB limits: that is what
//! POST reaches flat memory with.

use iced_x86::code_asm::{
    CodeAssembler, al, ax, bl, cr0, ds, dword_ptr, dx, eax, ecx, edi, edx, es, esi, fs, gs, ptr,
    sp, ss,
};
use iced_x86::{Code, Instruction};

use super::areas::{EBDA_SEGMENT, ROM_SEGMENT, bda, ebda, post};
use super::image::{DESCRIPTORS, GO_ON_CODE, REAL_MODE_CODE, SHADOW_CODE};
use crate::language::{Unit, asm};

/// Selectors of [`descriptors`].
const FLAT_CODE: u16 = 0x08;
const FLAT_DATA: u16 = 0x10;
const POST_CODE: u16 = 0x18;
const FLAT_STACK: u16 = 0x20;
/// The ROM's address below 4 GiB.
const HIGH_ROM: u32 = 0xFFFE_0000;
/// The ROM's address below 1 MiB.
const LOW_ROM: u32 = 0xE_0000;
/// Bus 0, device 0, the register that holds PAM0 in its second byte.
const HOST_BRIDGE_PAM: u32 = 0x8000_0058;

/// What the shutdown byte of the CMOS memory asks for instead of POST.
mod shutdown {
    /// Boot, without POST.
    pub(super) const BOOT: u32 = 0x04;
    /// End of interrupt, then jump through 40:67.
    pub(super) const RESUME_AFTER_EOI: u32 = 0x05;
    /// The end of a block move: the stack at 40:67 has DS, ES, all registers and a return address.
    pub(super) const AFTER_MOVE: u32 = 0x09;
    /// Jump through 40:67.
    pub(super) const RESUME: u32 = 0x0A;
    /// Wake up from suspend to RAM; the chipset, or the machine for it, leaves this.
    pub(super) const WAKE: u32 = 0xFE;
    /// Return from an interrupt, or from a far call, with the stack at 40:67.
    pub(super) const INTERRUPT_RETURN: u32 = 0x0B;
    pub(super) const FAR_RETURN: u32 = 0x0C;
}

/// The descriptor table's pseudo-descriptor, padding, and the descriptors.
pub(super) fn descriptors() -> Vec<u8> {
    let base = ROM_SEGMENT * 16 + DESCRIPTORS + 8;
    let [b0, b1, b2, b3] = base.to_le_bytes();
    let mut bytes = vec![0x27, 0x00, b0, b1, b2, b3, 0, 0];
    let table: [u64; 5] = [
        0,
        0x00CF_9B00_0000_FFFF, // All memory, 32-bit code.
        0x008F_9300_0000_FFFF, // All memory, data; stacks in it stay 16-bit ones.
        0x0000_9B0E_0000_FFFF, // Segment E000h, 16-bit code.
        0x00CF_9300_0000_FFFF, // All memory, data, with 32-bit stacks.
    ];
    bytes.extend(table.iter().flat_map(|descriptor| descriptor.to_le_bytes()));
    bytes
}

/// Emits `reset`, to which the reset vector leads.
pub(super) fn reset(unit: &mut Unit) {
    let code = unit.entry("reset");
    let [
        mut resume,
        mut boot,
        mut after_move,
        mut interrupt,
        mut far,
        mut cold,
        mut first,
    ] = std::array::from_fn(|_| code.create_label());
    let saved = u64::from(0x400 + bda::RESET_VECTOR);
    asm!(code;
        cli; cld;
        // The shutdown byte counts once.
        mov al, 0x8F; out 0x70, al; in_ al, 0x71;
        mov bl, al;
        mov al, 0x8F; out 0x70, al; xor al, al; out 0x71, al;
        xor ax, ax; mov ds, ax;
        cmp bl, shutdown::RESUME; je resume;
        cmp bl, shutdown::AFTER_MOVE; je after_move;
        cmp bl, shutdown::INTERRUPT_RETURN; je interrupt;
        cmp bl, shutdown::FAR_RETURN; je far;
        cmp bl, shutdown::BOOT; je boot;
        cmp bl, shutdown::WAKE; je first;
        cmp bl, shutdown::RESUME_AFTER_EOI; jne cold;
        mov al, 0x20; out 0xA0, al; out 0x20, al;
        set_label &mut resume;
        jmp dword_ptr(saved);
        set_label &mut after_move;
        lss sp, dword_ptr(saved); pop ds; pop es; popa; iret;
        set_label &mut interrupt;
        lss sp, dword_ptr(saved); iret;
        set_label &mut far;
        lss sp, dword_ptr(saved); retf;
        set_label &mut boot;
        mov ss, ax; mov sp, post::STACK; int 0x19;
        set_label &mut cold;
        // If shadow RAM is on, only the processors were reset, and chips are as the system left them.
        mov eax, HOST_BRIDGE_PAM; mov dx, 0xCF8; out dx, eax;
        mov dx, 0xCFD; in_ al, dx; test al, al; je first;
        mov dx, 0xCF9; mov al, 0x02; out dx, al; mov al, 0x06; out dx, al;
        set_label &mut first;
        // A20 on, and into protected mode.
        in_ al, 0x92; or al, 2; and al, 0xFE; out 0x92, al;
        lgdt ptr(u64::from(DESCRIPTORS)).cs();
        mov eax, cr0; and eax, 0x1FFF_FFFF; or al, 1; mov cr0, eax;
    );
    far_jump(code, Code::Jmp_ptr1632, FLAT_CODE, HIGH_ROM + SHADOW_CODE);
}

fn far_jump(code: &mut CodeAssembler, kind: Code, selector: u16, offset: u32) {
    let jump = Instruction::with_far_branch(kind, selector, offset);
    asm!(code; add_instruction jump.expect("a far jump"););
}

fn assemble(bits: u32, at: u32, body: impl FnOnce(&mut CodeAssembler)) -> Vec<u8> {
    let mut code = CodeAssembler::new(bits).expect("a bitness that exists");
    body(&mut code);
    let bytes = code.assemble(u64::from(at));
    bytes.expect("code that can be encoded")
}

/// The 32-bit code that makes C0000h to FFFFFh RAM and copies the ROM there.
pub(super) fn shadow() -> Vec<u8> {
    assemble(32, HIGH_ROM + SHADOW_CODE, |code| {
        let mut awake = code.create_label();
        asm!(code;
            mov eax, u32::from(FLAT_DATA);
            mov ds, eax; mov es, eax; mov fs, eax; mov gs, eax; mov ss, eax;
            // Who wakes up has the copy still, and tables in it.
            cmp bl, shutdown::WAKE; je awake;
            mov eax, HOST_BRIDGE_PAM; mov dx, 0xCF8; out dx, eax;
            mov dx, 0xCFD; mov al, 0x30; out dx, al;
            inc edx; mov al, 0x33; out dx, al;
            inc edx; out dx, al;
            mov eax, HOST_BRIDGE_PAM + 4; mov dx, 0xCF8; out dx, eax;
            mov dx, 0xCFC; mov eax, 0x3333_3333; out dx, eax;
            mov esi, HIGH_ROM; mov edi, LOW_ROM; mov ecx, 0x2_0000 / 4;
        );
        code.rep().movsd().expect("a string instruction");
        asm!(code; set_label &mut awake; zero_bytes;);
        far_jump(code, Code::Jmp_ptr1632, POST_CODE, REAL_MODE_CODE);
    })
}

/// The 16-bit code that leaves protected mode, to POST or to `resume` at an offset in its segment.
pub(super) fn real_mode(resume: u32) -> Vec<u8> {
    assemble(16, REAL_MODE_CODE, |code| {
        let mut awake = code.create_label();
        // Behind this jump: 3 + 6 + 3 bytes, and 5 of its own.
        let offset = REAL_MODE_CODE + 17;
        asm!(code; mov eax, cr0; and eax, !1; mov cr0, eax;);
        far_jump(code, Code::Jmp_ptr1616, 0xE000, offset);
        asm!(code;
            xor ax, ax;
            mov ds, ax; mov es, ax; mov fs, ax; mov gs, ax; mov ss, ax;
            cmp bl, shutdown::WAKE; je awake;
            mov sp, post::STACK;
        );
        far_jump(code, Code::Jmp_ptr1616, 0xE000, 0);
        // The sleeper's memory is not ours; the extended BIOS data area is.
        asm!(code; set_label &mut awake; mov ax, EBDA_SEGMENT; mov ss, ax; mov sp, ebda::END;);
        far_jump(code, Code::Jmp_ptr1616, 0xE000, resume);
    })
}

/// The 16-bit code that enters protected mode and goes on at ECX, with flat 32-bit segments.
pub(super) fn enter_protected_mode(code: &mut CodeAssembler) {
    asm!(code;
        mov ax, ROM_SEGMENT; mov ds, ax;
        lgdt ptr(u64::from(DESCRIPTORS));
        mov eax, cr0; or al, 1; mov cr0, eax;
    );
    far_jump(code, Code::Jmp_ptr1632, FLAT_CODE, LOW_ROM + GO_ON_CODE);
}

/// The 32-bit code for that.
pub(super) fn go_on() -> Vec<u8> {
    assemble(32, LOW_ROM + GO_ON_CODE, |code| {
        asm!(code;
            mov eax, u32::from(FLAT_STACK);
            mov ds, eax; mov es, eax; mov fs, eax; mov gs, eax; mov ss, eax;
            jmp ecx;
        );
    })
}
