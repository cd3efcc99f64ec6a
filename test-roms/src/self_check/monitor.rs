//! The monitor on COM1: a prompt, six words, interrupt-driven input.

use super::{
    DISK_FOUND, DISK_SECTORS, EXTENDED_KIB, HIGH_UNITS, RX_BUFFER, RX_HEAD, RX_TAIL, TICKS,
};
use crate::console::{call, say};
use crate::prelude::*;

/// The line being typed, and how many bytes it may have.
const LINE: u32 = SCRATCH + 0x2000;
const LINE_LIMIT: i32 = 72;
/// The 48 bytes of the processor's brand.
const BRAND: u32 = SCRATCH + 0x2100;

const HELP: &str = "\
help      this list\r\n\
mem       how much memory there is, and where\r\n\
cpuid     what the processor is and can do\r\n\
time      date, time and uptime\r\n\
reboot    start again\r\n\
poweroff  switch the machine off\r\n";

/// Features to name: leaf, register (2 ECX, 3 EDX, 1 EBX), bit, name.
const FEATURES: [(u32, u32, u32, &str); 40] = [
    (1, 3, 0, "fpu"),
    (1, 3, 3, "pse"),
    (1, 3, 4, "tsc"),
    (1, 3, 6, "pae"),
    (1, 3, 8, "cx8"),
    (1, 3, 9, "apic"),
    (1, 3, 11, "sysenter"),
    (1, 3, 13, "pge"),
    (1, 3, 15, "cmov"),
    (1, 3, 23, "mmx"),
    (1, 3, 25, "sse"),
    (1, 3, 26, "sse2"),
    (1, 2, 0, "sse3"),
    (1, 2, 1, "pclmulqdq"),
    (1, 2, 3, "monitor"),
    (1, 2, 9, "ssse3"),
    (1, 2, 12, "fma"),
    (1, 2, 13, "cx16"),
    (1, 2, 17, "pcid"),
    (1, 2, 19, "sse4_1"),
    (1, 2, 20, "sse4_2"),
    (1, 2, 22, "movbe"),
    (1, 2, 23, "popcnt"),
    (1, 2, 25, "aes"),
    (1, 2, 26, "xsave"),
    (1, 2, 28, "avx"),
    (1, 2, 30, "rdrand"),
    (7, 1, 3, "bmi1"),
    (7, 1, 5, "avx2"),
    (7, 1, 7, "smep"),
    (7, 1, 8, "bmi2"),
    (7, 1, 9, "erms"),
    (7, 1, 19, "adx"),
    (7, 1, 20, "smap"),
    (7, 2, 3, "pku"),
    (7, 2, 16, "la57"),
    (0x8000_0001, 2, 5, "lzcnt"),
    (0x8000_0001, 3, 20, "nx"),
    (0x8000_0001, 3, 26, "1gb_pages"),
    (0x8000_0001, 3, 27, "rdtscp"),
];

/// Turns on the interrupts and reads commands for ever.
pub(super) fn emit(a: &mut Asm) -> Built {
    a.mov(dword_ptr(RX_HEAD), 0)?;
    a.mov(dword_ptr(RX_TAIL), 0)?;
    for (port, value) in [(0x3F9u32, 1), (0x21, 0xEE)] {
        a.mov(edx, port)?;
        a.mov(al, value)?;
        a.out(dx, al)?;
    }
    let [prompt, words] = [a.mark(), a.mark()];
    a.sti()?;
    say(a, "Type help for the list of commands.\r\n")?;
    a.here(prompt)?;
    say(a, "> ")?;
    read_line(a)?;
    a.cmp(byte_ptr(LINE), 0)?;
    a.je(prompt.label)?;
    a.jmp(words.label)?;
    compare_routine(a)?;
    two_digits_routine(a)?;
    a.here(words)?;
    command(a, "help", prompt, |a| say(a, HELP))?;
    command(a, "mem", prompt, memory)?;
    command(a, "cpuid", prompt, processor)?;
    command(a, "time", prompt, time)?;
    command(a, "reboot", prompt, reboot)?;
    command(a, "poweroff", prompt, power_off)?;
    say(a, "unknown command; type help for the list\r\n")?;
    a.jmp(prompt.label)
}

/// Runs `body` if the line is `word`, then goes to `prompt`.
fn command(a: &mut Asm, word: &str, prompt: Mark, body: impl FnOnce(&mut Asm) -> Built) -> Built {
    let other = a.mark();
    let text = a.text(word);
    a.mov(edi, text)?;
    call(a, "compare")?;
    a.jne(other.label)?;
    body(a)?;
    a.jmp(prompt.label)?;
    a.here(other)
}

/// `compare`: ZF if the line is the text at EDI.
fn compare_routine(a: &mut Asm) -> Built {
    let [next, done] = [a.mark(), a.mark()];
    let entry = a.mark_here()?;
    a.keep("compare", entry);
    a.mov(esi, LINE)?;
    a.here(next)?;
    a.lodsb()?;
    a.scasb()?;
    a.jne(done.label)?;
    a.test(al, al)?;
    a.jne(next.label)?;
    a.here(done)?;
    a.ret()
}

/// Reads a line to [`LINE`] with echo; backspace and delete take a character back, Ctrl-C and Ctrl-U the line.
fn read_line(a: &mut Asm) -> Built {
    let [clear, key, sleep, awake, erase, done] =
        [a.mark(), a.mark(), a.mark(), a.mark(), a.mark(), a.mark()];
    a.here(clear)?;
    a.mov(edi, LINE)?;
    a.here(key)?;
    a.cli()?;
    a.movzx(ecx, byte_ptr(RX_TAIL))?;
    a.cmp(cl, byte_ptr(RX_HEAD))?;
    a.jne(awake.label)?;
    a.here(sleep)?;
    // STI holds interrupts off until HLT has begun, so no wake-up is lost.
    a.sti()?;
    a.hlt()?;
    a.jmp(key.label)?;
    a.here(awake)?;
    a.mov(al, byte_ptr(rcx + RX_BUFFER))?;
    a.inc(byte_ptr(RX_TAIL))?;
    a.sti()?;
    a.cmp(al, 13)?;
    a.je(done.label)?;
    a.cmp(al, 10)?;
    a.je(done.label)?;
    a.cmp(al, 8)?;
    a.je(erase.label)?;
    a.cmp(al, 127)?;
    a.je(erase.label)?;
    let not_control = a.mark();
    a.cmp(al, 3)?;
    let forget = a.mark();
    a.je(forget.label)?;
    a.cmp(al, 21)?;
    a.jne(not_control.label)?;
    a.here(forget)?;
    say(a, "\r\n> ")?;
    a.jmp(clear.label)?;
    a.here(not_control)?;
    a.cmp(al, 32)?;
    a.jb(key.label)?;
    a.cmp(al, 127)?;
    a.ja(key.label)?;
    a.cmp(edi, LINE.cast_signed() + LINE_LIMIT)?;
    a.jae(key.label)?;
    call(a, "putc")?;
    a.stosb()?;
    a.jmp(key.label)?;
    a.here(erase)?;
    a.cmp(edi, LINE.cast_signed())?;
    a.je(key.label)?;
    a.dec(edi)?;
    say(a, "\x08 \x08")?;
    a.jmp(key.label)?;
    a.here(done)?;
    a.mov(byte_ptr(rdi), 0)?;
    say(a, "\r\n")
}

/// A region of the memory map.
fn region(a: &mut Asm, text: &str, load: impl FnOnce(&mut Asm) -> Built, unit: &str) -> Built {
    say(a, text)?;
    load(a)?;
    call(a, "putdec")?;
    say(a, unit)
}

fn memory(a: &mut Asm) -> Built {
    region(
        a,
        "00000000 conventional  ",
        |a| a.mov(eax, 640),
        " KiB\r\n",
    )?;
    say(
        a,
        "000A0000 video\r\n000F0000 this program   64 KiB (ROM)\r\n",
    )?;
    region(
        a,
        "00100000 extended      ",
        |a| a.mov(eax, dword_ptr(EXTENDED_KIB)),
        " KiB\r\n",
    )?;
    let none = a.mark();
    a.cmp(dword_ptr(HIGH_UNITS), 0)?;
    a.je(none.label)?;
    let high = |a: &mut Asm| {
        a.mov(eax, dword_ptr(HIGH_UNITS))?;
        a.shr(eax, 4)
    };
    region(a, "100000000 high          ", high, " MiB\r\n")?;
    a.here(none)?;
    let total = |a: &mut Asm| {
        a.mov(eax, dword_ptr(EXTENDED_KIB))?;
        a.shr(eax, 10)?;
        a.inc(eax)?;
        a.mov(ecx, dword_ptr(HIGH_UNITS))?;
        a.shr(ecx, 4)?;
        a.add(eax, ecx)
    };
    region(a, "total                  ", total, " MiB\r\n")?;
    let no_disk = a.mark();
    a.cmp(dword_ptr(DISK_FOUND), 0)?;
    a.je(no_disk.label)?;
    region(
        a,
        "disk                   ",
        |a| a.mov(eax, dword_ptr(DISK_SECTORS)),
        " sectors\r\n",
    )?;
    a.here(no_disk)
}

fn processor(a: &mut Asm) -> Built {
    say(a, "vendor:   ")?;
    a.xor(eax, eax)?;
    a.cpuid()?;
    for (offset, register) in [(0, ebx), (4, edx), (8, ecx)] {
        a.mov(dword_ptr(BRAND + offset), register)?;
    }
    a.mov(byte_ptr(BRAND + 12), 0)?;
    print_brand(a)?;
    say(a, "\r\nbrand:    ")?;
    let no_brand = a.mark();
    a.mov(eax, 0x8000_0000u32)?;
    a.cpuid()?;
    a.cmp(eax, 0x8000_0004u32.cast_signed())?;
    a.jb(no_brand.label)?;
    for leaf in 0..3 {
        a.mov(eax, 0x8000_0002u32 + leaf)?;
        a.cpuid()?;
        for (offset, register) in [(0, eax), (4, ebx), (8, ecx), (12, edx)] {
            a.mov(dword_ptr(BRAND + 16 * leaf + offset), register)?;
        }
    }
    a.mov(byte_ptr(BRAND + 48), 0)?;
    print_brand(a)?;
    a.here(no_brand)?;
    say(a, "\r\nfeatures:")?;
    features(a)?;
    say(a, "\r\n")
}

fn print_brand(a: &mut Asm) -> Built {
    a.mov(esi, BRAND)?;
    call(a, "puts")
}

/// Walks the table of [`FEATURES`] and names those that are there.
fn features(a: &mut Asm) -> Built {
    let [over, table, next, absent] = [a.mark(), a.mark(), a.mark(), a.mark()];
    a.jmp(over.label)?;
    a.here(table)?;
    for (leaf, register, bit, name) in FEATURES {
        let text = a.text(&format!(" {name}"));
        a.dd(&[leaf, register << 8 | bit, text])?;
    }
    a.here(over)?;
    let address = a.addr(table);
    a.mov(edi, address)?;
    a.mov(ebp, u32::try_from(FEATURES.len()).expect("a few"))?;
    a.here(next)?;
    // A leaf above the highest one answers with another leaf's data.
    a.mov(eax, dword_ptr(rdi))?;
    a.and(eax, 0x8000_0000u32.cast_signed())?;
    a.cpuid()?;
    a.cmp(eax, dword_ptr(rdi))?;
    a.jb(absent.label)?;
    a.mov(eax, dword_ptr(rdi))?;
    a.xor(ecx, ecx)?;
    a.cpuid()?;
    a.mov(esi, ecx)?;
    a.mov(ecx, dword_ptr(rdi + 4))?;
    a.cmp(ch, 3)?;
    a.cmove(esi, edx)?;
    a.cmp(ch, 1)?;
    a.cmove(esi, ebx)?;
    a.bt(esi, ecx)?;
    a.jae(absent.label)?;
    a.mov(esi, dword_ptr(rdi + 8))?;
    call(a, "puts")?;
    a.here(absent)?;
    a.add(edi, 12)?;
    a.dec(ebp)?;
    a.jne(next.label)
}

/// `clock2`: writes the CMOS register AL as two decimal digits, whether the clock counts in BCD or in binary.
fn two_digits_routine(a: &mut Asm) -> Built {
    let [binary, entry] = [a.mark(), a.mark_here()?];
    a.keep("clock2", entry);
    a.out(0x70, al)?;
    a.xor(eax, eax)?;
    a.in_(al, 0x71)?;
    a.mov(ecx, eax)?;
    a.mov(al, 0x0B)?;
    a.out(0x70, al)?;
    a.in_(al, 0x71)?;
    a.test(al, 4)?;
    a.mov(eax, ecx)?;
    a.jne(binary.label)?;
    call(a, "puthex8")?;
    a.ret()?;
    a.here(binary)?;
    a.mov(cl, 10)?;
    a.div(cl)?;
    a.shl(al, 4)?;
    a.or(al, ah)?;
    call(a, "puthex8")?;
    a.ret()
}

/// Waits, but not for ever, until the clock is not being updated; then date, time and uptime.
fn time(a: &mut Asm) -> Built {
    let [wait, steady] = [a.mark(), a.mark()];
    a.mov(ecx, 100_000)?;
    a.here(wait)?;
    a.mov(al, 0x0A)?;
    a.out(0x70, al)?;
    a.in_(al, 0x71)?;
    a.test(al, 0x80)?;
    a.je(steady.label)?;
    a.dec(ecx)?;
    a.jne(wait.label)?;
    a.here(steady)?;
    for (register, after) in [
        (0x32u32, ""),
        (9, "-"),
        (8, "-"),
        (7, " "),
        (4, ":"),
        (2, ":"),
        (0, ", up "),
    ] {
        a.mov(al, register)?;
        call(a, "clock2")?;
        say(a, after)?;
    }
    a.mov(eax, dword_ptr(TICKS))?;
    a.xor(edx, edx)?;
    a.mov(ecx, 100)?;
    a.div(ecx)?;
    call(a, "putdec")?;
    say(a, " s\r\n")
}

/// Three ways to start again, each stronger than the one before.
fn reboot(a: &mut Asm) -> Built {
    let [nothing, wait] = [a.mark(), a.mark()];
    a.cli()?;
    a.mov(edx, 0xCF9u32)?;
    a.mov(al, 2)?;
    a.out(dx, al)?;
    a.mov(al, 6)?;
    a.out(dx, al)?;
    a.mov(ecx, 1000)?;
    a.here(wait)?;
    a.in_(al, 0x80)?;
    a.dec(ecx)?;
    a.jne(wait.label)?;
    a.mov(al, 0xFEu32)?;
    a.out(0x64, al)?;
    a.mov(ecx, 1000)?;
    let wait_more = a.mark_here()?;
    a.in_(al, 0x80)?;
    a.dec(ecx)?;
    a.jne(wait_more.label)?;
    // An empty interrupt table: the breakpoint becomes a triple fault.
    a.lidt(tbyte_ptr(nothing.label))?;
    a.int3()?;
    a.here(nothing)?;
    a.dq(&[0, 0])
}

/// The Bochs convention: the word Shutdown to port 8900h. A machine without it stands still.
fn power_off(a: &mut Asm) -> Built {
    let [next, done, stand] = [a.mark(), a.mark(), a.mark()];
    say(a, "switching off\r\n")?;
    let address = a.text("Shutdown");
    a.mov(esi, address)?;
    a.mov(edx, 0x8900u32)?;
    a.here(next)?;
    a.lodsb()?;
    a.test(al, al)?;
    a.je(done.label)?;
    a.out(dx, al)?;
    a.jmp(next.label)?;
    a.here(done)?;
    a.cli()?;
    a.here(stand)?;
    a.hlt()?;
    a.jmp(stand.label)
}
