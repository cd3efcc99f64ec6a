//! POST: interrupt controllers, timer, DMA (8259A, 8254, 8237A datasheets; PIIX3 datasheet for their ports).

use crate::language::{Body, Compare as _, in8};

/// Command ports of the interrupt controllers.
pub(super) const MASTER_PIC: u32 = 0x20;
pub(super) const SLAVE_PIC: u32 = 0xA0;
/// Their masks.
pub(super) const MASTER_MASK: u32 = 0x21;
pub(super) const SLAVE_MASK: u32 = 0xA1;

/// Ends an interrupt of the master.
pub(super) fn end_of_interrupt(f: &mut Body<'_>) {
    f.out8(MASTER_PIC, 0x20);
}

/// Ends an interrupt of the slave.
pub(super) fn end_of_slave_interrupt(f: &mut Body<'_>) {
    f.out8(SLAVE_PIC, 0x20);
    f.out8(MASTER_PIC, 0x20);
}

/// Ends an interrupt that nobody has asked for. A spurious one is in no service register, and needs no end.
pub(super) fn end_unexpected(f: &mut Body<'_>, controller: u32) {
    const READ_IN_SERVICE: u32 = 0x0B;
    f.out8(controller, READ_IN_SERVICE);
    let in_service = f.var(in8(controller));
    if controller == SLAVE_PIC {
        f.when(in_service.is_not(0), |f| f.out8(SLAVE_PIC, 0x20));
        end_of_interrupt(f);
    } else {
        f.when(in_service.is_not(0), end_of_interrupt);
    }
}

/// POST: interrupts at 08h and 70h, by edges; those that the BIOS serves are let in.
pub(super) fn set_up_interrupt_controllers(f: &mut Body<'_>) {
    for (command, mask, vector, cascade) in [
        (MASTER_PIC, MASTER_MASK, 0x08, 0x04),
        (SLAVE_PIC, SLAVE_MASK, 0x70, 0x02),
    ] {
        f.out8(command, 0x11);
        f.out8(mask, vector);
        f.out8(mask, cascade);
        f.out8(mask, 0x01);
    }
    // Timer, keyboard, the slave, floppy; clock, mouse, coprocessor, both IDE channels.
    f.out8(MASTER_MASK, 0xB8);
    f.out8(SLAVE_MASK, 0x0E);
}

/// POST: 18.2 ticks a second, memory refresh for those who look at it, a silent speaker.
pub(super) fn set_up_timer(f: &mut Body<'_>) {
    f.out8(0x43, 0x34);
    f.out8(0x40, 0);
    f.out8(0x40, 0);
    f.out8(0x43, 0x54);
    f.out8(0x41, 0x12);
    f.out8(0x43, 0xB6);
    f.out8(0x42, 0x33);
    f.out8(0x42, 0x05);
}

/// POST: both DMA controllers cleared, the second one passing the first one's requests on.
pub(super) fn set_up_dma(f: &mut Body<'_>) {
    f.out8(0x0D, 0);
    f.out8(0xDA, 0);
    f.out8(0xD6, 0xC0);
    f.out8(0xD4, 0x00);
}
