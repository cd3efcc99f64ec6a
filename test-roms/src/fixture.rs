//! What the fixtures share: one check per line, a count at the end, the exit by the debug-exit port.

use crate::check::{self, Style};
use crate::console::{self, call, say};
use crate::prelude::*;
use crate::{start, trap};

/// Offset of the 32-bit section of every fixture.
pub(crate) const PROTECTED: u32 = 0x400;

/// The real-mode section: goes to the 32-bit one.
pub(crate) fn real_section() -> Built<Vec<u8>> {
    section(16, 0, |a| {
        start::set_up(a)?;
        start::to_protected(a, ROM_BASE + PROTECTED)
    })
}

/// An image of the real-mode section and a 32-bit section with `body`, which ends in [`finish`] or jumps on.
pub(crate) fn protected_image(body: impl Fn(&mut Asm) -> Built) -> Built<Image> {
    let mut image = Image::new();
    image.put(0, &real_section()?);
    let code = section(32, u64::from(ROM_BASE + PROTECTED), |a| {
        prologue(a)?;
        body(a)
    })?;
    image.put(PROTECTED, &code);
    Ok(image)
}

/// Routines and set-up of a 32- or 64-bit section.
pub(crate) fn prologue(a: &mut Asm) -> Built {
    let main = a.mark();
    a.jmp(main.label)?;
    console::routines(a)?;
    check::report(a)?;
    trap::routines(a)?;
    a.here(main)?;
    if a.bitness() == 32 {
        start::flat_segments(a)?;
    } else {
        a.mov(eax, u32::from(DATA))?;
        a.mov(ds, eax)?;
        a.mov(es, eax)?;
        a.mov(ss, eax)?;
        a.mov(rsp, u64::from(STACK))?;
    }
    call(a, "install_traps")
}

/// One check with its line.
pub(crate) fn check(a: &mut Asm, name: &str, body: impl FnOnce(&mut Asm) -> Built) -> Built {
    check::begin(a, Style::Plain, name)?;
    body(a)?;
    check::end(a)
}

/// Emits `body`, run only if the bit `bit` of a CPUID register is set; otherwise a line says skipped.
pub(crate) fn if_announced(
    a: &mut Asm,
    name: &str,
    (leaf, register, bit): (u32, AsmRegister32, u32),
    body: impl FnOnce(&mut Asm) -> Built,
) -> Built {
    let [absent, after] = [a.mark(), a.mark()];
    a.mov(eax, leaf & 0x8000_0000)?;
    a.cpuid()?;
    a.cmp(eax, leaf.cast_signed())?;
    a.jb(absent.label)?;
    a.mov(eax, leaf)?;
    a.xor(ecx, ecx)?;
    a.cpuid()?;
    a.bt(register, bit)?;
    a.jae(absent.label)?;
    body(a)?;
    a.jmp(after.label)?;
    a.here(absent)?;
    say(a, &format!("{name}: skipped\r\n"))?;
    a.here(after)
}

/// The last line, and the end of the run.
pub(crate) fn finish(a: &mut Asm, name: &str) -> Built {
    let bad = a.mark();
    say(a, &format!("{name}: "))?;
    a.mov(eax, dword_ptr(PASSED))?;
    call(a, "putdec")?;
    say(a, " passed, ")?;
    a.mov(eax, dword_ptr(FAILED))?;
    call(a, "putdec")?;
    say(a, " failed\r\n")?;
    // The transmitter must be empty before the machine goes away.
    drain(a)?;
    a.cmp(dword_ptr(FAILED), 0)?;
    a.jne(bad.label)?;
    trap::stop(a, 0x10)?;
    a.here(bad)?;
    trap::stop(a, 0x11)
}

/// Waits until the UART has sent everything, but not for ever.
fn drain(a: &mut Asm) -> Built {
    let [again, done] = [a.mark(), a.mark()];
    a.mov(edx, 0x3FDu32)?;
    a.mov(ecx, 0x10_0000)?;
    a.here(again)?;
    a.in_(al, dx)?;
    a.test(al, 0x40)?;
    a.jne(done.label)?;
    a.dec(ecx)?;
    a.jne(again.label)?;
    a.here(done)
}
