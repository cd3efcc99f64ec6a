//! The keyboard: INT 09h turns scan codes into keys, INT 16h hands them out (PS/2 and enhanced keyboard BIOS
//! interface).

mod codes;

use super::areas::bda;
use super::chipset::end_of_interrupt;
use super::keyboard_controller::{self as controller, restart};
use crate::language::{
    Body, Compare as _, Condition, Place, Register, Registers, Unit, Value, Var, bda8, bda16,
    bytes, in8, interrupt, rom8, rom16, routine, truth,
};

/// Bits of the shift states at 40:17.
const RIGHT_SHIFT: u32 = 0x01;
const LEFT_SHIFT: u32 = 0x02;
const CTRL: u32 = 0x04;
const ALT: u32 = 0x08;
const SCROLL: u32 = 0x10;
const NUM: u32 = 0x20;
const CAPS: u32 = 0x40;
const INSERT: u32 = 0x80;
/// Bits of the keys that are down, 40:18. The locks and Insert have the places they have in 40:17.
const LEFT_CTRL: u32 = 0x01;
const LEFT_ALT: u32 = 0x02;
const SYSTEM_REQUEST: u32 = 0x04;
const PAUSE: u32 = 0x08;
/// Bits of 40:96.
const PREFIX_E1: u32 = 0x01;
const PREFIX_E0: u32 = 0x02;
const RIGHT_CTRL: u32 = 0x04;
const RIGHT_ALT: u32 = 0x08;
const ENHANCED: u32 = 0x10;
/// Bits of 40:97: the LEDs, what the keyboard has answered, and how far we are in telling it the LEDs.
const LEDS: u32 = 0x07;
const ACKNOWLEDGED: u32 = 0x10;
const RESEND: u32 = 0x20;
const LEDS_ANNOUNCED: u32 = 0x40;
const LEDS_SENT: u32 = 0x80;

fn shifts() -> Place {
    bda8(bda::SHIFTS)
}

fn down() -> Place {
    bda8(bda::SHIFTS_DOWN)
}

fn mode() -> Place {
    bda8(bda::KEY_MODE)
}

/// Emits the services.
pub(super) fn services(unit: &mut Unit) {
    unit.interrupt("int09", |f, _| scan_code_interrupt(f));
    unit.interrupt("int16", |f, r| {
        f.sti();
        f.switch(r.ah(), |s| {
            s.case(0x00, |f| read(f, r, false));
            s.case(0x01, |f| check(f, r, false));
            s.case(0x02, |f| f.set(r.al(), shifts()));
            s.case(0x03, |f| set_typematic(f, r));
            s.case(0x05, |f| f.set(r.al(), Value::from(1) - put_key(r.cx())));
            // What functions there are: typematic by AX=0305h, 0Ah, 10h to 12h, and 20h to 22h.
            s.case(0x09, |f| f.set(r.al(), 0x74));
            s.case(0x0A, |f| f.set(r.bx(), 0x41AB));
            s.cases(&[0x10, 0x20], |f| read(f, r, true));
            s.cases(&[0x11, 0x21], |f| check(f, r, true));
            s.cases(&[0x12, 0x22], |f| extended_shifts(f, r));
            // Keyboard drivers find out so whether there are 10h to 12h, and 20h to 22h: AH is 80h at most then.
            s.cases(&[0x92, 0xA2], |f| f.set(r.ah(), 0x80));
        });
    });
}

/// INT 09h.
fn scan_code_interrupt(f: &mut Body<'_>) {
    let code = f.var(in8(controller::DATA));
    // INT 15h 4Fh may change the code, or swallow it.
    let answer = f.var(interrupt(0x15, [(Register::Eax, code | 0x4F00)]));
    f.when(answer.has(0x1_0000), |f| f.run(take(answer.low())));
    end_of_interrupt(f);
    f.when(down().has(PAUSE), |f| {
        // Only the handler that began the pause waits; those that come meanwhile return into it.
        f.when(code.is(0x45), |f| {
            f.while_(down().has(PAUSE), Body::wait_for_interrupt);
        });
    });
}

/// Takes a byte from the keyboard.
fn take(code: impl Into<Value>) -> Value {
    routine("take_scan_code", [code.into()], |f, [code]| {
        f.switch(code, |s| {
            s.case(0xE0, |f| {
                f.set_bits(mode(), PREFIX_E0);
                f.leave();
            });
            s.case(0xE1, |f| {
                f.set_bits(mode(), PREFIX_E1);
                f.leave();
            });
            s.case(0xFA, |f| {
                acknowledged(f);
                f.leave();
            });
            s.case(0xFE, |f| {
                f.set_bits(bda8(bda::KEY_LEDS), RESEND);
                f.leave();
            });
        });
        // Pause is E1 1D 45, and E1 9D C5 at once afterwards.
        let of_pause = mode().has(PREFIX_E1).and((code & 0x7F).is(0x1D));
        f.when(of_pause, Body::leave);
        f.either(code.has(0x80), |f| release(f, code), |f| press(f, code));
        f.clear_bits(mode(), PREFIX_E0 | PREFIX_E1);
    })
}

/// The keyboard has taken a byte: if that was the announcement of the LEDs, they follow.
fn acknowledged(f: &mut Body<'_>) {
    let state = bda8(bda::KEY_LEDS);
    f.set_bits(state.clone(), ACKNOWLEDGED);
    f.when(state.clone().has(LEDS_ANNOUNCED), |f| {
        f.either(
            state.clone().has(LEDS_SENT),
            |f| f.clear_bits(state.clone(), LEDS_ANNOUNCED | LEDS_SENT),
            |f| {
                f.set_bits(state.clone(), LEDS_SENT);
                f.run(controller::write(state.clone() & LEDS));
            },
        );
    });
}

/// Tells the keyboard its LEDs if they have changed; [`acknowledged`] does the rest.
fn update_leds() -> Value {
    routine("update_leds", [], |f, []| {
        let state = bda8(bda::KEY_LEDS);
        let wanted = f.var((shifts() >> 4) & LEDS);
        let same = (state.clone() & LEDS)
            .is(wanted)
            .or(state.clone().has(LEDS_ANNOUNCED));
        f.when(same, Body::leave);
        f.set(state.clone(), (state & !LEDS) | wanted | LEDS_ANNOUNCED);
        f.run(controller::write(0xED));
    })
}

fn is_grey() -> Condition {
    mode().has(PREFIX_E0)
}

/// A key goes up.
fn release(f: &mut Body<'_>, code: Var) {
    f.switch(code & 0x7F, |s| {
        s.case(0x2A, |f| {
            f.when(is_grey().negated(), |f| f.clear_bits(shifts(), LEFT_SHIFT));
        });
        s.case(0x36, |f| {
            f.when(is_grey().negated(), |f| f.clear_bits(shifts(), RIGHT_SHIFT));
        });
        s.case(0x1D, |f| {
            f.either(
                is_grey(),
                |f| f.clear_bits(mode(), RIGHT_CTRL),
                |f| f.clear_bits(down(), LEFT_CTRL),
            );
            let none = mode().lacks(RIGHT_CTRL).and(down().lacks(LEFT_CTRL));
            f.when(none, |f| f.clear_bits(shifts(), CTRL));
        });
        s.case(0x38, |f| {
            f.either(
                is_grey(),
                |f| f.clear_bits(mode(), RIGHT_ALT),
                |f| f.clear_bits(down(), LEFT_ALT),
            );
            let none = mode().lacks(RIGHT_ALT).and(down().lacks(LEFT_ALT));
            f.when(none, |f| {
                f.clear_bits(shifts(), ALT);
                // A number was typed with Alt and the keypad.
                f.when(bda8(bda::ALT_NUMBER).is_not(0), |f| {
                    f.run(put_key(bda8(bda::ALT_NUMBER)));
                    f.set(bda8(bda::ALT_NUMBER), 0);
                });
            });
        });
        s.case(0x3A, |f| f.clear_bits(down(), CAPS));
        s.case(0x45, |f| f.clear_bits(down(), NUM));
        s.case(0x46, |f| f.clear_bits(down(), SCROLL));
        s.case(0x52, |f| f.clear_bits(down(), INSERT));
        s.case(0x54, |f| {
            f.clear_bits(down(), SYSTEM_REQUEST);
            f.run(interrupt(0x15, [(Register::Eax, Value::from(0x8501))]));
        });
    });
}

/// A key goes down, or repeats.
fn press(f: &mut Body<'_>, code: Var) {
    // Any key ends a pause, and does nothing else.
    let others = code.is_not(0x45).and(down().has(PAUSE));
    let of_shift = code
        .is(0x1D)
        .or(code.is(0x38))
        .or(code.is(0x2A))
        .or(code.is(0x36));
    f.when(others.and(of_shift.negated()), |f| {
        f.clear_bits(down(), PAUSE);
        f.clear_bits(mode(), PREFIX_E0 | PREFIX_E1);
        f.leave();
    });
    f.switch(code, |s| {
        s.case(0x2A, |f| {
            f.when(is_grey().negated(), |f| f.set_bits(shifts(), LEFT_SHIFT));
        });
        s.case(0x36, |f| {
            f.when(is_grey().negated(), |f| f.set_bits(shifts(), RIGHT_SHIFT));
        });
        s.case(0x1D, |f| {
            f.set_bits(shifts(), CTRL);
            f.either(
                is_grey(),
                |f| f.set_bits(mode(), RIGHT_CTRL),
                |f| f.set_bits(down(), LEFT_CTRL),
            );
        });
        s.case(0x38, |f| {
            f.set_bits(shifts(), ALT);
            f.either(
                is_grey(),
                |f| f.set_bits(mode(), RIGHT_ALT),
                |f| f.set_bits(down(), LEFT_ALT),
            );
        });
        s.case(0x3A, |f| toggle(f, CAPS));
        s.case(0x45, |f| {
            let pause = mode().has(PREFIX_E1).or(shifts().has(CTRL));
            f.either(pause, |f| f.set_bits(down(), PAUSE), |f| toggle(f, NUM));
        });
        s.case(0x46, |f| {
            f.either(shifts().has(CTRL), break_pressed, |f| toggle(f, SCROLL));
        });
        s.case(0x54, |f| {
            f.when(down().lacks(SYSTEM_REQUEST), |f| {
                f.set_bits(down(), SYSTEM_REQUEST);
                f.run(interrupt(0x15, [(Register::Eax, Value::from(0x8500))]));
            });
        });
        s.default(|f| f.run(type_key(code)));
    });
}

/// A lock key: it counts once, however long it is held.
fn toggle(f: &mut Body<'_>, lock: u32) {
    f.when(down().lacks(lock), |f| {
        f.set_bits(down(), lock);
        f.set(shifts(), shifts() ^ lock);
        f.run(update_leds());
    });
}

/// Ctrl-Break: forgets all keys, and tells INT 1Bh.
fn break_pressed(f: &mut Body<'_>) {
    f.set(bda16(bda::KEY_HEAD), bda16(bda::KEY_START));
    f.set(bda16(bda::KEY_TAIL), bda16(bda::KEY_START));
    f.set(bda8(bda::BREAK), 0x80);
    f.run(interrupt(0x1B, []));
    f.run(put_key(0));
}

/// A key that may yield a character.
fn type_key(code: impl Into<Value>) -> Value {
    routine("type_key", [code.into()], |f, [code]| {
        f.when(
            code.is(0x53).and((shifts() & (CTRL | ALT)).is(CTRL | ALT)),
            |f| {
                f.set(bda16(bda::RESET_FLAG), 0x1234);
                restart(f);
            },
        );
        f.when(is_grey(), |f| {
            f.when(code.is(0x37), |f| {
                f.either(
                    shifts().has(CTRL),
                    |f| f.run(put_key(0x7200)),
                    |f| f.run(interrupt(0x05, [])),
                );
                f.leave();
            });
            f.when(code.is(0x52), |f| toggle(f, INSERT));
            let row = f.var(super::interrupts::find_record(&codes::grey(), 6, code));
            f.when(row.is_not(0), |f| {
                f.when(shifts().has(ALT), |f| f.ret(put_key(rom16(row + 4))));
                f.when(shifts().has(CTRL), |f| f.ret(put_key(rom16(row + 2))));
                f.run(put_key(rom16(row)));
            });
            f.leave();
        });
        f.when(code.above(codes::LAST), Body::leave);
        let row = f.var(bytes(&codes::plain()) + code * 8);
        f.when(shifts().has(ALT), |f| {
            // Alt and digits of the keypad: a character by its number.
            let digit = f.var(rom8(bytes(&codes::keypad_digits()) + code));
            f.when(digit.below(10), |f| {
                f.set(bda8(bda::ALT_NUMBER), bda8(bda::ALT_NUMBER) * 10 + digit);
                f.leave();
            });
            f.ret(put_nonzero(rom16(row + 6)));
        });
        f.when(shifts().has(CTRL), |f| {
            f.when(code.is(0x03), |f| f.ret(put_key(0x0300)));
            f.ret(put_nonzero(rom16(row + 4)));
        });
        let shifted = f.var(truth(shifts().has(LEFT_SHIFT | RIGHT_SHIFT)));
        let character = f.var(Value::from(rom16(row)) & 0xFF);
        let letter = character
            .at_least(u32::from(b'a'))
            .and(character.at_most(u32::from(b'z')));
        f.when(letter.and(shifts().has(CAPS)), |f| {
            f.set(shifted, shifted ^ 1);
        });
        f.when(code.at_least(0x47).and(code.at_most(0x53)), |f| {
            f.when(shifts().has(NUM), |f| f.set(shifted, shifted ^ 1));
            f.when(code.is(0x52).and(shifted.is(0)), |f| toggle(f, INSERT));
        });
        f.run(put_nonzero(rom16(row + shifted * 2)));
    })
}

/// Puts a key into the buffer, if there is such a key.
fn put_nonzero(key: impl Into<Value>) -> Value {
    routine("put_nonzero", [key.into()], |f, [key]| {
        f.when(key.is_not(0), |f| f.run(put_key(key)));
    })
}

/// Puts a key into the buffer; 0 if it is full.
fn put_key(key: impl Into<Value>) -> Value {
    routine("put_key", [key.into()], |f, [key]| {
        f.cli();
        let tail = f.var(bda16(bda::KEY_TAIL));
        let next = f.var(after(tail));
        f.when(next.is(bda16(bda::KEY_HEAD)), |f| f.ret(0));
        f.set(bda16(tail), key);
        f.set(bda16(bda::KEY_TAIL), next);
        f.ret(1);
    })
}

/// The place after a place in the buffer, which is a ring.
fn after(place: impl Into<Value>) -> Value {
    routine("after_key", [place.into()], |f, [place]| {
        f.add(place, 2);
        f.when(place.at_least(bda16(bda::KEY_END)), |f| {
            f.ret(bda16(bda::KEY_START));
        });
        f.ret(place);
    })
}

/// INT 16h 00h and 10h: waits for a key and takes it.
fn read(f: &mut Body<'_>, r: Registers, extended: bool) {
    f.forever(|f| {
        // With interrupts off, so that no key comes between the look and the HLT.
        f.cli();
        f.when(bda16(bda::KEY_HEAD).is(bda16(bda::KEY_TAIL)), |f| {
            f.wait_for_interrupt();
            f.again();
        });
        let key = f.var(seen_by(bda16(bda16(bda::KEY_HEAD)), u32::from(extended)));
        f.set(bda16(bda::KEY_HEAD), after(bda16(bda::KEY_HEAD)));
        f.when(key.is_not(UNSEEN), |f| {
            f.set(r.ax(), key);
            f.stop();
        });
    });
    f.sti();
}

/// INT 16h 01h and 11h: looks at the next key; the zero flag says that there is none.
fn check(f: &mut Body<'_>, r: Registers, extended: bool) {
    f.run(update_leds());
    f.set_zero(r, true);
    f.forever(|f| {
        f.cli();
        f.when(bda16(bda::KEY_HEAD).is(bda16(bda::KEY_TAIL)), |f| {
            f.out8(NO_KEY_PORT, 0);
            f.stop();
        });
        let key = f.var(seen_by(bda16(bda16(bda::KEY_HEAD)), u32::from(extended)));
        f.when(key.is_not(UNSEEN), |f| {
            f.set(r.ax(), key);
            f.set_zero(r, false);
            f.stop();
        });
        f.set(bda16(bda::KEY_HEAD), after(bda16(bda::KEY_HEAD)));
    });
    f.sti();
}

/// A port that tells rax that the guest was told of no key: who asks on and on waits, and the host may sleep.
const NO_KEY_PORT: u32 = 0x8901;

/// What [`seen_by`] says of a key that the older functions do not have.
const UNSEEN: u32 = 0x1_0000;

/// A key as the extended functions see it, or the older ones that know 83 keys.
fn seen_by(key: impl Into<Value>, extended: impl Into<Value>) -> Value {
    routine(
        "seen_by",
        [key.into(), extended.into()],
        |f, [key, extended]| {
            let marked = key.low().is(0xF0).and(key.high().is_not(0));
            f.when(extended.is_not(0), |f| {
                f.when(marked.clone(), |f| f.ret(key & 0xFF00));
                f.ret(key);
            });
            f.when(key.high().is(0xE0), |f| {
                // The grey Enter and slash.
                f.when(key.low().is(u32::from(b'/')), |f| f.ret(0x352F));
                f.ret(key.low() | 0x1C00);
            });
            f.when(marked.or(key.high().above(0x84)), |f| f.ret(UNSEEN));
            f.when(key.low().is(0xE0).and(key.high().is_not(0)), |f| {
                f.ret(key & 0xFF00);
            });
            f.ret(key);
        },
    )
}

/// INT 16h 12h: all shift states in AX.
fn extended_shifts(f: &mut Body<'_>, r: Registers) {
    f.set(r.al(), shifts());
    let sides = (mode() & (RIGHT_CTRL | RIGHT_ALT)) | (down() & (LEFT_CTRL | LEFT_ALT));
    let request = (down() & SYSTEM_REQUEST) << 5;
    f.set(r.ah(), sides | request | (down() & (SCROLL | NUM | CAPS)));
}

/// INT 16h 03h: how soon (BH) and how fast (BL) a key repeats.
fn set_typematic(f: &mut Body<'_>, r: Registers) {
    let rate = f.var(0x2B);
    f.when(r.al().is(0x05), |f| {
        f.set(rate, (r.bh() & 3) << 5 | (r.bl() & 0x1F));
    });
    f.when(r.al().is(0x05).or(r.al().is(0)), |f| {
        f.cli();
        f.run(controller::write(0xF3));
        f.run(controller::read(20));
        f.run(controller::write(rate));
        f.run(controller::read(20));
        f.sti();
    });
}

/// POST: an empty buffer, and what kind of keyboard it is.
pub(super) fn set_up(f: &mut Body<'_>) {
    for (place, value) in [
        (bda::KEY_START, bda::KEYS),
        (bda::KEY_END, bda::KEYS_END),
        (bda::KEY_HEAD, bda::KEYS),
        (bda::KEY_TAIL, bda::KEYS),
    ] {
        f.set(bda16(place), value);
    }
    f.set(mode(), ENHANCED);
}
