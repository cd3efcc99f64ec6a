//! The small ROM that carries out a script: it copies the VGA BIOS to C0000h, starts it, calls INT 10h with each set of
//! registers and writes down the answers.

use iced_x86::code_asm::{
    CodeAssembler, ax, bp, bx, cs, cx, di, ds, dword_ptr, dx, eax, es, si, sp, ss, word_ptr,
};
use iced_x86::{Code, IcedError, Instruction};

use super::script::{ANSWERS, CALLS, DONE, FAR, FRAME_BUFFER};

/// The program at F000:0000.
pub(crate) fn program() -> CodeAssembler {
    let build = || {
        let mut a = CodeAssembler::new(16)?;
        start(&mut a)?;
        calls(&mut a)?;
        Ok::<_, IcedError>(a)
    };
    build().unwrap()
}

/// A stack, vectors that return, RAM at C0000h with the BIOS in it, a place for the frame buffer.
fn start(a: &mut CodeAssembler) -> Result<(), IcedError> {
    a.cli()?;
    a.cld()?;
    a.xor(ax, ax)?;
    a.mov(ss, ax)?;
    a.mov(sp, 0x7C00)?;
    // PAM: reads and writes of C0000h to CFFFFh go to RAM.
    config(a, 0x8000_0058)?;
    a.in_(eax, dx)?;
    a.or(eax, 0x3333_0000)?;
    a.out(dx, eax)?;
    // The adapter is device 2: BAR 0, then memory and ports on.
    for (address, value) in [(0x8000_1010, FRAME_BUFFER), (0x8000_1004, 3)] {
        config(a, address)?;
        a.mov(eax, value)?;
        a.out(dx, eax)?;
    }
    a.mov(ax, 0xE000)?;
    a.mov(ds, ax)?;
    a.mov(ax, 0xC000)?;
    a.mov(es, ax)?;
    a.xor(si, si)?;
    a.xor(di, di)?;
    a.mov(cx, 0x8000)?;
    a.rep().movsw()?;
    // All vectors and the data area zero; nobody interrupts.
    a.xor(ax, ax)?;
    a.mov(ds, ax)?;
    a.mov(es, ax)?;
    a.xor(di, di)?;
    a.mov(cx, 0x300)?;
    a.rep().stosw()?;
    a.mov(ax, 0x0010)?;
    a.add_instruction(Instruction::with_far_branch(Code::Call_ptr1616, 0xC000, 3)?)
}

/// DX at the data of a PCI configuration register.
fn config(a: &mut CodeAssembler, address: u32) -> Result<(), IcedError> {
    a.mov(eax, address)?;
    a.mov(dx, 0xCF8)?;
    a.out(dx, eax)?;
    a.mov(dx, 0xCFC)
}

fn calls(a: &mut CodeAssembler) -> Result<(), IcedError> {
    let [mut next, mut back, mut done] = std::array::from_fn(|_| a.create_label());
    let [mut far, mut from_far] = std::array::from_fn(|_| a.create_label());
    a.mov(si, u32::from(CALLS))?;
    a.mov(di, u32::from(ANSWERS))?;
    a.set_label(&mut next)?;
    a.cmp(word_ptr(si).cs(), -1)?;
    a.je(done)?;
    a.push(di)?;
    a.mov(bx, word_ptr(si + 2).cs())?;
    a.mov(cx, word_ptr(si + 4).cs())?;
    a.mov(dx, word_ptr(si + 6).cs())?;
    a.mov(bp, word_ptr(si + 8).cs())?;
    a.mov(di, word_ptr(si + 10).cs())?;
    a.mov(es, word_ptr(si + 12).cs())?;
    a.mov(ax, word_ptr(si).cs())?;
    a.cmp(ax, u32::from(FAR))?;
    a.je(far)?;
    a.int(0x10)?;
    a.set_label(&mut back)?;
    // DS is still 0, and the answer's place on the stack.
    a.push(di)?;
    a.push(bp)?;
    a.mov(bp, sp)?;
    a.mov(di, word_ptr(bp + 4))?;
    a.mov(word_ptr(di), ax)?;
    a.mov(word_ptr(di + 2), bx)?;
    a.mov(word_ptr(di + 4), cx)?;
    a.mov(word_ptr(di + 6), dx)?;
    a.pop(word_ptr(di + 8))?;
    a.pop(word_ptr(di + 10))?;
    a.mov(word_ptr(di + 12), es)?;
    a.pop(di)?;
    a.add(si, 16)?;
    a.add(di, 16)?;
    a.jmp(next)?;
    a.set_label(&mut done)?;
    a.mov(word_ptr(di), u32::from(DONE))?;
    a.mov(dword_ptr(di + 2), 0)?;
    a.hlt()?;
    // Calls ES:DI far, which returns behind the near call.
    a.set_label(&mut far)?;
    a.call(from_far)?;
    a.jmp(back)?;
    a.set_label(&mut from_far)?;
    a.pop(ax)?;
    a.push(cs)?;
    a.push(ax)?;
    a.push(es)?;
    a.push(di)?;
    a.retf()
}
