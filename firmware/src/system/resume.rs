//! The way back from suspend to RAM: no POST, the chipset as the system left it, and on at the waking vector (ACPI 6.4,
//! 5.2.10 and 16.3.1; 82371AB datasheet).
//!
//! The stack is at the end of the extended BIOS data area, since all other memory is the sleeper's. Segment F000h is RAM
//! with the tables that POST left there, so the vector is found as a system finds it: from the root pointer.
//!
//! The other processors stay as the reset left them, and the screen as it is: systems start and set up both themselves.

use iced_x86::code_asm::{ax, ds};

use super::areas::{BDA_SEGMENT, ROM_SEGMENT};
use super::{chipset, memory_map, pci, processors, start, timer};
use crate::language::{Body, Compare as _, Register, Unit, Value, Var, asm, flat32, routine};

/// The control register of power management, and its bit that makes events interrupt.
const CONTROL: u32 = timer::PORT - 4;
const SCI_EN: u32 = 1;
/// The first words of the structures that lead to the vector.
const ROOT: [u32; 2] = [u32::from_le_bytes(*b"RSD "), u32::from_le_bytes(*b"PTR ")];
const FADT: u32 = u32::from_le_bytes(*b"FACP");
const FACS: u32 = u32::from_le_bytes(*b"FACS");
/// Where in them: the table of tables and its entries, the FACS, its vectors for real and for protected mode.
const RSDT: u32 = 16;
const ENTRIES: u32 = 36;
const CONTROL_STRUCTURE: u32 = 36;
const REAL_VECTOR: u32 = 12;
const PROTECTED_VECTOR: u32 = 24;

/// Emits `resume`, in POST's segment.
pub(super) fn entry(unit: &mut Unit) {
    asm!(unit.entry("resume"); push BDA_SEGMENT; pop ds;);
    unit.inline(0, |f| {
        chipset::set_up_interrupt_controllers(f);
        chipset::set_up_timer(f);
        chipset::set_up_dma(f);
        pci::restore(f);
        f.out16(CONTROL, SCI_EN);
        processors::restore_memory_types(f, processors::hole(memory_map::ram_end()));
        let facs = f.var(find_facs());
        f.when(facs.is_not(0), |f| wake(f, facs));
        // Nobody wants to be woken. With the shutdown byte cleared, this ends in POST.
        f.out8(0xCF9, 0x02);
        f.out8(0xCF9, 0x06);
        f.forever(|f| f.code(|code| asm!(code; hlt;)));
    });
}

/// Goes on at the vector, if there is one: that for protected mode comes first. (For 64-bit mode the FACS would have to
/// say that it is supported.)
fn wake(f: &mut Body<'_>, facs: Var) {
    let protected = f.var(flat32(facs + PROTECTED_VECTOR));
    let is_low = flat32(facs + (PROTECTED_VECTOR + 4)).is(0);
    f.when(protected.is_not(0).and(is_low), |f| {
        f.with(
            [(Register::Ecx, protected.into())],
            start::enter_protected_mode,
        );
    });
    let real = f.var(flat32(facs + REAL_VECTOR));
    f.when(real.is_not(0).and(real.below(0x10_0000)), |f| {
        let registers = [(Register::Edx, real >> 4), (Register::Ecx, real & 0x0F)];
        f.with(registers, |code| {
            use iced_x86::code_asm::{cx, dx, es};
            asm!(code;
                xor ax, ax; mov ds, ax; mov es, ax;
                push dx; push cx; retf;
            );
        });
    });
}

/// The firmware control structure's address, or zero.
fn find_facs() -> Value {
    routine("find_facs", [], |f, []| {
        let place = f.var(ROM_SEGMENT * 16);
        f.while_(place.below(0x10_0000), |f| {
            let is_root = flat32(place).is(ROOT[0]).and(flat32(place + 4).is(ROOT[1]));
            f.when(is_root, |f| f.ret(facs_of(flat32(place + RSDT))));
            f.add(place, 16);
        });
        f.ret(0);
    })
}

/// The same by the table of tables.
fn facs_of(rsdt: impl Into<Value>) -> Value {
    routine("facs_of", [rsdt.into()], |f, [rsdt]| {
        let end = f.var(rsdt + flat32(rsdt + 4));
        let place = f.var(rsdt + ENTRIES);
        f.while_(place.below(end), |f| {
            let table = f.var(flat32(place));
            f.when(flat32(table).is(FADT), |f| {
                let facs = f.var(flat32(table + CONTROL_STRUCTURE));
                f.when(flat32(facs).is(FACS), |f| f.ret(facs));
            });
            f.add(place, 4);
        });
        f.ret(0);
    })
}
