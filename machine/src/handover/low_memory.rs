//! The first page of memory as a BIOS leaves it: interrupt vectors and the BIOS data
//! area (IBM PC/AT Technical Reference; Phoenix System BIOS for IBM PCs, Compatibles,
//! and EISA Computers, 2nd edition, chapter 3).
//!
//! A kernel that is booted without firmware still looks there: for the end of
//! conventional memory (Xen puts its trampoline below it), for what the screen shows,
//! for serial ports. Some go to real mode and call the BIOS. There is none; the vectors
//! lead to code in the stand-in's ROM that says so, by the carry flag, and to code that
//! acknowledges interrupts.

use super::acpi::Machine;
use crate::board::{COM, Inventory};

/// Bytes of vectors and data.
const BYTES: usize = 0x500;
/// The BIOS data area begins here.
const DATA: usize = 0x400;
/// The ROM's segment.
const ROM_SEGMENT: u16 = 0xf000;
/// KiB of conventional memory, of which the last is the extended BIOS data area.
const CONVENTIONAL_KIB: u64 = 640;
/// Paragraphs in a KiB.
const PARAGRAPHS: u16 = 64;
/// The CRT controller's index port of a colour adapter.
const CRTC: u16 = 0x3d4;

/// Calls: sets the carry flag of the caller and returns.
const NOT_SUPPORTED: [u8; 9] = [
    0x55, // push bp
    0x89, 0xe5, // mov bp, sp
    0x80, 0x4e, 0x06, 0x01, // or byte [bp + 6], 1
    0x5d, // pop bp
    0xcf, // iret
];
/// IRQ 0 to 7: acknowledged.
const FIRST_IRQS: [u8; 7] = [
    0x50, // push ax
    0xb0, 0x20, // mov al, 20h
    0xe6, 0x20, // out 20h, al
    0x58, // pop ax
    0xcf, // iret
];
/// IRQ 8 to 15: acknowledged at both controllers.
const SECOND_IRQS: [u8; 9] = [
    0x50, // push ax
    0xb0, 0x20, // mov al, 20h
    0xe6, 0xa0, // out 0a0h, al
    0xe6, 0x20, // out 20h, al
    0x58, // pop ax
    0xcf, // iret
];

/// What handles the interrupts, to be put into the ROM at `offset`; and the first page.
pub(super) fn low_memory(
    offset: u16,
    machine: &Machine,
    inventory: &Inventory,
) -> (Vec<u8>, Vec<u8>) {
    let mut code = Vec::new();
    let [calls, first_irqs, second_irqs] =
        [&NOT_SUPPORTED[..], &FIRST_IRQS, &SECOND_IRQS].map(|handler| {
            let at = offset + code.len() as u16;
            code.extend(handler);
            at
        });
    let mut page = vec![0; BYTES];
    for (vector, entry) in (0u8..=0xff).zip(page[..DATA].chunks_exact_mut(4)) {
        let handler = match vector {
            0x08..=0x0f => first_irqs,
            0x70..=0x77 => second_irqs,
            _ => calls,
        };
        entry[..2].copy_from_slice(&handler.to_le_bytes());
        entry[2..].copy_from_slice(&ROM_SEGMENT.to_le_bytes());
    }
    data_area(&mut page[DATA..], machine, inventory);
    (code, page)
}

/// The BIOS data area, in the order of its fields.
fn data_area(area: &mut [u8], machine: &Machine, inventory: &Inventory) {
    let mut word = |at: usize, value: u16| area[at..at + 2].copy_from_slice(&value.to_le_bytes());
    let serial_ports = COM.iter().take(usize::from(machine.serial_ports));
    for (at, (port, _)) in (0x00..).step_by(2).zip(serial_ports) {
        word(at, *port);
    }
    if let Some(port) = inventory.parallel_port {
        word(0x08, port);
    }
    let base_kib = (machine.ram >> 10).min(CONVENTIONAL_KIB).saturating_sub(1) as u16;
    word(0x0e, base_kib * PARAGRAPHS);
    let parallel_ports = u16::from(inventory.parallel_port.is_some());
    let equipment = u16::from(inventory.equipment)
        | u16::from(machine.serial_ports) << 9
        | parallel_ports << 14;
    word(0x10, equipment);
    word(0x13, base_kib);
    // The keyboard's buffer is empty.
    for at in [0x1a, 0x1c, 0x80] {
        word(at, 0x1e);
    }
    word(0x82, 0x3e);
    if inventory.has_vga {
        // Mode 3: 80 columns of 4,000 bytes, and a cursor of two lines.
        word(0x49, 3);
        word(0x4a, 80);
        word(0x4c, 0x1000);
        word(0x60, 0x0d0e);
        word(0x63, CRTC);
        // The last row and the height of characters.
        word(0x84, 24 | 16 << 8);
    }
    // An enhanced keyboard is there.
    word(0x96, 0x10);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: Machine = Machine {
        ram: 16 << 20,
        topology: rax_cpu::Topology::one_socket(1),
        serial_ports: 2,
        has_parallel_port: false,
        power_block: 0x600,
    };
    const INVENTORY: Inventory = Inventory {
        parallel_port: Some(0x378),
        equipment: 0x27,
        has_vga: true,
    };

    #[test]
    fn every_vector_leads_to_a_handler_that_returns() {
        let (code, page) = low_memory(0x8000, &MACHINE, &INVENTORY);
        for (vector, entry) in page[..DATA].chunks_exact(4).enumerate() {
            let offset = usize::from(u16::from_le_bytes([entry[0], entry[1]])) - 0x8000;
            let handler = &code[offset..];
            let expected = match vector {
                8..=15 => &FIRST_IRQS[..],
                0x70..=0x77 => &SECOND_IRQS,
                _ => &NOT_SUPPORTED,
            };
            assert!(handler.starts_with(expected), "{vector:#x}");
            assert_eq!(entry[2..], [0x00, 0xf0], "{vector:#x}");
        }
    }

    #[test]
    fn the_data_area_says_what_there_is() {
        let (_, page) = low_memory(0x8000, &MACHINE, &INVENTORY);
        let word = |at: usize| u16::from_le_bytes([page[at], page[at + 1]]);
        assert_eq!([0x400, 0x402, 0x404].map(word), [0x3f8, 0x2f8, 0]);
        assert_eq!([0x408, 0x40a].map(word), [0x378, 0]);
        assert_eq!([0x40e, 0x413].map(word), [0x9fc0, 639]);
        assert_eq!(word(0x410), 1 << 14 | 2 << 9 | 0x27);
        assert_eq!((page[0x449], word(0x44a), word(0x463)), (3, 80, 0x3d4));
        assert_eq!((page[0x484], page[0x485]), (24, 16));
        let bare = Inventory {
            parallel_port: None,
            has_vga: false,
            ..INVENTORY
        };
        let (_, page) = low_memory(0x8000, &MACHINE, &bare);
        assert_eq!((page[0x408], page[0x449], page[0x411] >> 6), (0, 0, 0));
    }
}
