//! The pointing device: INT 15h C2h, and INT 74h that collects its packets (PS/2 BIOS interface).

use iced_x86::code_asm::{ax, bp, ds, dword_ptr, es, sp};

use super::areas::{BDA_SEGMENT, EBDA_SEGMENT, bda, ebda};
use super::chipset::end_of_slave_interrupt;
use super::keyboard_controller::{self as controller, write_mouse};
use crate::language::{
    Body, Compare as _, Place, Registers, Unit, Value, asm, bda16, bytes, far8, far16, in8, rom8,
    routine,
};

/// Commands of the mouse.
mod command {
    pub(super) const SCALING_1_TO_1: u32 = 0xE6;
    pub(super) const SCALING_2_TO_1: u32 = 0xE7;
    pub(super) const RESOLUTION: u32 = 0xE8;
    pub(super) const STATUS: u32 = 0xE9;
    pub(super) const IDENTIFY: u32 = 0xF2;
    pub(super) const RATE: u32 = 0xF3;
    pub(super) const ENABLE: u32 = 0xF4;
    pub(super) const DISABLE: u32 = 0xF5;
    pub(super) const RESET: u32 = 0xFF;
    pub(super) const ACKNOWLEDGE: u32 = 0xFA;
}

/// What INT 15h C2h returns in AH.
mod status {
    pub(super) const INVALID_FUNCTION: u32 = 1;
    pub(super) const INVALID_INPUT: u32 = 2;
    pub(super) const INTERFACE_ERROR: u32 = 3;
    pub(super) const NO_HANDLER: u32 = 5;
}

/// A handler is set.
const HAS_HANDLER: u32 = 0x80;

fn ebda8(offset: u32) -> Place {
    far8(EBDA_SEGMENT, offset)
}

/// Emits INT 74h.
pub(super) fn services(unit: &mut Unit) {
    unit.interrupt("int74", |f, _| {
        let from_mouse = controller::FROM_MOUSE | controller::OUTPUT_FULL;
        f.when((in8(controller::STATUS) & from_mouse).is(from_mouse), |f| {
            let byte = f.var(in8(controller::DATA));
            f.when(ebda8(ebda::MOUSE_SIZE).has(HAS_HANDLER), |f| {
                f.run(collect(byte));
            });
        });
        end_of_slave_interrupt(f);
    });
}

/// Adds a byte to the packet, and hands a full one to the handler.
fn collect(byte: impl Into<Value>) -> Value {
    routine("collect_mouse_byte", [byte.into()], |f, [byte]| {
        let index = f.var(ebda8(ebda::MOUSE_INDEX) & 7);
        // The first byte of a packet has bit 3 set; what has not is left from a broken one.
        f.when(index.is(0).and(byte.lacks(8)), Body::leave);
        f.set(far8(EBDA_SEGMENT, index + ebda::MOUSE_PACKET), byte);
        f.add(index, 1);
        f.when(index.at_most(ebda8(ebda::MOUSE_SIZE) & 7), |f| {
            f.set(ebda8(ebda::MOUSE_INDEX), index);
            f.leave();
        });
        f.set(ebda8(ebda::MOUSE_INDEX), 0);
        call_handler(f);
    })
}

/// Calls the handler: status, X, Y and Z are words on the stack, which it leaves there. Other interrupts than this one may
/// come meanwhile.
fn call_handler(f: &mut Body<'_>) {
    f.code(|code| asm!(code; push bp;));
    for n in 0..4 {
        f.run(ebda8(ebda::MOUSE_PACKET + n));
        f.code(|code| asm!(code; push ax;));
    }
    f.code(|code| {
        asm!(code;
            mov ax, EBDA_SEGMENT; mov es, ax;
            sti;
            call dword_ptr(u64::from(ebda::MOUSE_HANDLER)).es();
            cli;
            add sp, 8;
            pop bp;
            push BDA_SEGMENT; pop ds;
            cld;
        );
    });
}

/// INT 15h C2h.
pub(super) fn service(f: &mut Body<'_>, r: Registers) {
    f.run(controller::hold_keyboard());
    function(f, r);
    f.run(controller::release_keyboard());
}

fn function(f: &mut Body<'_>, r: Registers) {
    f.switch(r.al(), |s| {
        s.case(0x00, |f| {
            f.either(
                r.bh().is(0),
                |f| f.set_status(r, tell(command::DISABLE)),
                |f| {
                    f.either(
                        ebda8(ebda::MOUSE_SIZE).has(HAS_HANDLER),
                        |f| f.set_status(r, tell(command::ENABLE)),
                        |f| f.set_status(r, status::NO_HANDLER),
                    );
                },
            );
        });
        s.case(0x01, |f| reset(f, r));
        s.case(0x02, |f| set_rate(f, r));
        s.case(0x03, |f| {
            f.either(
                r.bh().below(4),
                |f| f.set_status(r, tell_two(command::RESOLUTION, r.bh())),
                |f| f.set_status(r, status::INVALID_INPUT),
            );
        });
        s.case(0x04, |f| {
            f.set_status(r, tell(command::IDENTIFY));
            f.set(r.bh(), controller::read(50));
        });
        // Initializing with packets of BH bytes ends in a reset.
        s.case(0x05, |f| {
            let size = f.var(r.bh());
            f.either(
                size.at_least(1).and(size.at_most(8)),
                |f| {
                    let handler = ebda8(ebda::MOUSE_SIZE) & HAS_HANDLER;
                    f.set(ebda8(ebda::MOUSE_SIZE), handler | (size - 1));
                    reset(f, r);
                },
                |f| f.set_status(r, status::INVALID_INPUT),
            );
        });
        s.case(0x06, |f| extended(f, r));
        s.case(0x07, |f| {
            f.set(far16(EBDA_SEGMENT, ebda::MOUSE_HANDLER), r.bx());
            f.set(far16(EBDA_SEGMENT, ebda::MOUSE_HANDLER + 2), r.es());
            let size = f.var(ebda8(ebda::MOUSE_SIZE) & 7);
            f.when(r.es().is_not(0).or(r.bx().is_not(0)), |f| {
                f.set(size, size | HAS_HANDLER);
            });
            f.set(ebda8(ebda::MOUSE_SIZE), size);
            f.set(ebda8(ebda::MOUSE_INDEX), 0);
            f.set_status(r, 0);
        });
        s.default(|f| f.set_status(r, status::INVALID_FUNCTION));
    });
}

/// C201h: BH is the device's kind, BL what it says after its self-test.
fn reset(f: &mut Body<'_>, r: Registers) {
    f.run(tell(command::DISABLE));
    let answer = f.var(tell(command::RESET));
    f.when(answer.is(0), |f| {
        f.set(r.bl(), controller::read(1000));
        f.set(r.bh(), controller::read(50));
    });
    f.set(ebda8(ebda::MOUSE_INDEX), 0);
    f.set_status(r, answer);
}

/// C202h: BH chooses one of seven rates.
fn set_rate(f: &mut Body<'_>, r: Registers) {
    let rates = bytes(&[10, 20, 40, 60, 80, 100, 200]);
    f.either(
        r.bh().below(7),
        |f| f.set_status(r, tell_two(command::RATE, rom8(rates + r.bh()))),
        |f| f.set_status(r, status::INVALID_INPUT),
    );
}

/// C206h: status, or scaling.
fn extended(f: &mut Body<'_>, r: Registers) {
    f.switch(r.bh(), |s| {
        s.case(0, |f| {
            let answer = f.var(tell(command::STATUS));
            f.set(r.bl(), controller::read(50));
            f.set(r.cl(), controller::read(50));
            f.set(r.dl(), controller::read(50));
            f.set_status(r, answer);
        });
        s.case(1, |f| f.set_status(r, tell(command::SCALING_1_TO_1)));
        s.case(2, |f| f.set_status(r, tell(command::SCALING_2_TO_1)));
        s.default(|f| f.set_status(r, status::INVALID_INPUT));
    });
}

/// Sends a command; the status is zero or an interface error. Its interrupt is kept out, so that the answer comes here.
fn tell(command: impl Into<Value>) -> Value {
    routine("tell_mouse", [command.into()], |f, [command]| {
        f.cli();
        let answer = f.var(write_mouse(command));
        f.when(answer.is(command::ACKNOWLEDGE), |f| f.ret(0));
        f.ret(status::INTERFACE_ERROR);
    })
}

/// Sends a command and its parameter.
fn tell_two(command: impl Into<Value>, parameter: impl Into<Value>) -> Value {
    routine(
        "tell_mouse_two",
        [command.into(), parameter.into()],
        |f, [command, parameter]| {
            let answer = f.var(tell(command));
            f.when(answer.is_not(0), |f| f.ret(answer));
            f.ret(tell(parameter));
        },
    )
}

/// POST: packets of three bytes, no handler. The equipment word says that there is a pointing device.
pub(super) fn set_up(f: &mut Body<'_>) {
    f.set(ebda8(ebda::MOUSE_SIZE), 2);
    f.when(tell(command::DISABLE).is(0), |f| {
        f.set_bits(bda16(bda::EQUIPMENT), 4);
    });
}
