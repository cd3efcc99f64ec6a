//! The 82077AA floppy controller, with DMA channel 2 (datasheet; 8237A datasheet).

use super::super::areas::bda;
use super::super::timer::{delay_ms, now, passed_ms};
use super::{parameter, rate_to_try, status};
use crate::language::{Body, Compare as _, Value, Var, bda8, bda32, in8, routine};

/// Registers.
pub(super) const DIGITAL_OUTPUT: u32 = 0x3F2;
const MAIN_STATUS: u32 = 0x3F4;
const FIFO: u32 = 0x3F5;
const RATE: u32 = 0x3F7;
const DIGITAL_INPUT: u32 = 0x3F7;
/// Digital output: not in reset, with DMA and interrupt.
const ENABLED: u32 = 0x0C;
/// Main status: ready for a byte; towards us; carrying out a command.
const READY: u32 = 0x80;
const TO_US: u32 = 0x40;
/// Commands.
const SPECIFY: u32 = 0x03;
const RECALIBRATE: u32 = 0x07;
const SENSE_INTERRUPT: u32 = 0x08;
const READ_ID: u32 = 0x4A;
const FORMAT: u32 = 0x4D;
const SEEK: u32 = 0x0F;
/// Transfers: the DMA controller's mode, then the command (both heads, MFM).
pub(super) const READ: u32 = 0x46E6;
pub(super) const WRITE: u32 = 0x4AC5;
pub(super) const VERIFY: u32 = 0x42E6;
/// Ticks until the motors stop.
const MOTOR_TICKS: u32 = 37;
/// Bits of a medium's state at 40:90.
const ESTABLISHED: u32 = 0x10;
const DOUBLE_STEP: u32 = 0x20;

/// Writes a byte of a command. A controller that does not take it sets the status in the BDA.
fn put(byte: impl Into<Value>) -> Value {
    routine("floppy_put", [byte.into()], |f, [byte]| {
        f.when(bda8(bda::FLOPPY_STATUS).is_not(0), Body::leave);
        let start = f.var(now());
        f.while_((in8(MAIN_STATUS) & (READY | TO_US)).is_not(READY), |f| {
            f.when(passed_ms(start).above(100), |f| {
                f.set(bda8(bda::FLOPPY_STATUS), status::TIMEOUT);
                f.leave();
            });
        });
        f.out8(FIFO, byte);
    })
}

/// Reads the result of a command into the BDA. The number of bytes.
fn result() -> Value {
    routine("floppy_result", [], |f, []| {
        let count = f.var(0);
        f.while_(count.below(7), |f| {
            let start = f.var(now());
            f.while_(in8(MAIN_STATUS).lacks(READY), |f| {
                f.when(passed_ms(start).above(100), |f| f.ret(count));
            });
            f.when(in8(MAIN_STATUS).lacks(TO_US), Body::stop);
            f.set(bda8(count + bda::FLOPPY_RESULT), in8(FIFO));
            f.add(count, 1);
        });
        f.ret(count);
    })
}

/// Waits for the controller's interrupt, halted. A status.
fn wait() -> Value {
    routine("floppy_wait", [], |f, []| {
        f.when(bda8(bda::FLOPPY_STATUS).is_not(0), |f| {
            f.ret(bda8(bda::FLOPPY_STATUS));
        });
        let start = f.var(bda32(bda::TICKS));
        f.forever(|f| {
            f.cli();
            f.when(bda8(bda::FLOPPY_SEEK).has(0x80), Body::stop);
            // Two seconds, in ticks.
            f.when((bda32(bda::TICKS) - start).above(37), |f| {
                f.sti();
                f.ret(status::TIMEOUT);
            });
            f.wait_for_interrupt();
        });
        f.sti();
        f.clear_bits(bda8(bda::FLOPPY_SEEK), 0x80);
        f.ret(0);
    })
}

/// Forgets what was, before a command.
fn begin(f: &mut Body<'_>) {
    f.clear_bits(bda8(bda::FLOPPY_SEEK), 0x80);
    f.set(bda8(bda::FLOPPY_STATUS), 0);
}

/// Resets the controller.
pub(super) fn reset() -> Value {
    routine("floppy_reset", [], |f, []| {
        begin(f);
        f.set(bda8(bda::FLOPPY_SEEK), 0);
        f.cli();
        let motors = bda8(bda::FLOPPY_MOTORS) << 4;
        f.out8(DIGITAL_OUTPUT, motors.clone() | (ENABLED & 0x08));
        f.out8(DIGITAL_OUTPUT, motors | ENABLED);
        f.sti();
        f.run(wait());
        f.set(bda8(bda::FLOPPY_STATUS), 0);
        // It may want to be asked once for each of four drives.
        f.each(0, 4, |f, _| {
            f.run(put(SENSE_INTERRUPT));
            f.run(result());
        });
        f.run(put(SPECIFY));
        f.run(put(parameter(0)));
        f.run(put(parameter(1)));
        f.set(bda8(bda::FLOPPY_STATUS), 0);
    })
}

/// Selects a drive and starts its motor.
pub(super) fn start_motor(drive: impl Into<Value>) -> Value {
    routine("floppy_motor", [drive.into()], |f, [drive]| {
        // The tick must not stop the motor in between.
        f.set(bda8(bda::FLOPPY_TIMEOUT), 0xFF);
        f.set(bda8(bda::FLOPPY_MOTORS), Value::from(1) << drive);
        f.out8(DIGITAL_OUTPUT, drive | ENABLED | Value::from(0x10) << drive);
    })
}

/// Whether the selected drive says that its disk was changed, or is missing.
pub(super) fn disk_was_changed() -> Value {
    routine("floppy_changed", [], |f, []| {
        f.ret(in8(DIGITAL_INPUT) & 0x80);
    })
}

/// Moves the heads to a track; the first time by way of track 0. A status.
fn seek(drive: impl Into<Value>, track: impl Into<Value>) -> Value {
    routine(
        "floppy_seek",
        [drive.into(), track.into()],
        |f, [drive, track]| {
            let calibrated = f.var(Value::from(1) << drive);
            f.when((bda8(bda::FLOPPY_SEEK) & calibrated).is(0), |f| {
                // Once is not enough from a track above 77.
                f.each(0, 2, |f, _| {
                    begin(f);
                    f.run(put(RECALIBRATE));
                    f.run(put(drive));
                    f.run(wait());
                    f.run(put(SENSE_INTERRUPT));
                    f.run(result());
                    f.when(bda8(bda::FLOPPY_RESULT).lacks(0x10), Body::stop);
                });
                f.when(bda8(bda::FLOPPY_RESULT).lacks(0x20), |f| {
                    f.ret(status::SEEK);
                });
                f.set(bda8(bda::FLOPPY_SEEK), bda8(bda::FLOPPY_SEEK) | calibrated);
                f.set(bda8(drive + bda::FLOPPY_TRACK), 0);
            });
            f.when(bda8(drive + bda::FLOPPY_TRACK).is(track), |f| f.ret(0));
            begin(f);
            f.run(put(SEEK));
            f.run(put(drive));
            f.run(put(track));
            let answer = f.var(wait());
            f.run(put(SENSE_INTERRUPT));
            f.run(result());
            f.when(answer.is_not(0), |f| f.ret(answer));
            f.when(bda8(bda::FLOPPY_RESULT).lacks(0x20), |f| {
                f.ret(status::SEEK);
            });
            f.set(bda8(drive + bda::FLOPPY_TRACK), track);
            f.ret(0);
        },
    )
}

/// Starts the motor, and finds out about the disk if that is not known yet. A status.
pub(super) fn prepare(drive: impl Into<Value>) -> Value {
    routine("floppy_prepare", [drive.into()], |f, [drive]| {
        f.run(start_motor(drive));
        let state = f.var(bda8(drive + bda::FLOPPY_MEDIA));
        f.when(disk_was_changed().is_not(0), |f| {
            let known = f.var(state & ESTABLISHED);
            let status = f.var(clear_change(drive));
            f.when(status.is_not(0), |f| f.ret(status));
            // Who knew the disk before must learn that it is another one, also if the drive was empty for a while.
            f.set(state, 0);
            f.set(bda8(drive + bda::FLOPPY_MEDIA), 0);
            f.when(known.is_not(0), |f| f.ret(status::CHANGED));
        });
        f.when(state.lacks(ESTABLISHED), |f| f.ret(establish(drive)));
        f.out8(RATE, state >> 6);
        f.ret(0);
    })
}

/// The change line goes off when the heads move with a disk in the drive. A status: no disk is a timeout.
fn clear_change(drive: impl Into<Value>) -> Value {
    routine("floppy_clear_change", [drive.into()], |f, [drive]| {
        f.clear_bits(bda8(bda::FLOPPY_SEEK), 3);
        for track in [1, 0] {
            let status = f.var(seek(drive, track));
            f.when(status.is_not(0), |f| f.ret(status));
        }
        f.when(disk_was_changed().is_not(0), |f| f.ret(status::TIMEOUT));
        f.ret(0);
    })
}

/// Tries the data rates that the drive has until the disk's sectors can be seen. A status.
fn establish(drive: impl Into<Value>) -> Value {
    routine("floppy_establish", [drive.into()], |f, [drive]| {
        f.each(0, 3, |f, n| {
            let rate = f.var(rate_to_try(drive, n));
            f.when(rate.is(0xFF), Body::stop);
            f.out8(RATE, rate);
            f.run(seek(drive, 2));
            f.when(read_id(drive).is(0), |f| {
                let state = f.var(rate << 6 | ESTABLISHED | 7);
                // A disk with 40 tracks in a drive with 80: the heads see track 1 where they should see 2.
                f.when(bda8(bda::FLOPPY_RESULT + 3).is(1), |f| {
                    f.set(state, state | DOUBLE_STEP);
                });
                f.set(bda8(drive + bda::FLOPPY_MEDIA), state);
                f.set(bda8(bda::FLOPPY_RATE), rate << 6);
                f.ret(0);
            });
        });
        f.ret(status::NO_ADDRESS_MARK);
    })
}

/// Finds out about the disk once more. What is known stays if it shows no sectors.
pub(super) fn look_again(drive: impl Into<Value>) -> Value {
    routine("floppy_look_again", [drive.into()], |f, [drive]| {
        f.run(establish(drive));
        f.out8(RATE, bda8(drive + bda::FLOPPY_MEDIA) >> 6);
    })
}

/// Reads the next sector's address. A status.
fn read_id(drive: impl Into<Value>) -> Value {
    routine("floppy_read_id", [drive.into()], |f, [drive]| {
        begin(f);
        f.run(put(READ_ID));
        f.run(put(drive));
        f.ret(finish());
    })
}

/// Waits for a command's end. A status, from the result bytes.
fn finish() -> Value {
    routine("floppy_finish", [], |f, []| {
        let answer = f.var(wait());
        // The motors go on for a while.
        f.set(bda8(bda::FLOPPY_TIMEOUT), MOTOR_TICKS);
        f.when(answer.is_not(0), |f| {
            f.run(reset());
            f.ret(answer);
        });
        f.when(result().is_not(7), |f| {
            f.run(reset());
            f.ret(status::CONTROLLER);
        });
        f.when((bda8(bda::FLOPPY_RESULT) & 0xC0).is(0), |f| f.ret(0));
        let errors = f.var(bda8(bda::FLOPPY_RESULT + 1));
        f.when(errors.has(0x02), |f| f.ret(status::WRITE_PROTECTED));
        f.when(errors.has(0x20), |f| f.ret(status::BAD_CRC));
        f.when(errors.has(0x10), |f| f.ret(status::DMA_OVERRUN));
        f.when(errors.has(0x84), |f| f.ret(status::SECTOR_NOT_FOUND));
        f.when(errors.has(0x01), |f| f.ret(status::NO_ADDRESS_MARK));
        f.when(bda8(bda::FLOPPY_RESULT).has(0x08), |f| {
            f.ret(status::TIMEOUT);
        });
        f.ret(status::CONTROLLER);
    })
}

/// Sets DMA channel 2 up. A status: the bytes must lie in one 64 KiB page.
fn set_up_dma(mode: impl Into<Value>, address: impl Into<Value>, bytes: impl Into<Value>) -> Value {
    routine(
        "floppy_dma",
        [mode.into(), address.into(), bytes.into()],
        |f, [mode, address, bytes]| {
            f.when(((address & 0xFFFF) + bytes).above(0x1_0000), |f| {
                f.ret(status::DMA_BOUNDARY);
            });
            f.out8(0x0A, 0x06);
            f.out8(0x0C, 0);
            f.out8(0x0B, mode);
            f.out8(0x04, address);
            f.out8(0x04, address >> 8);
            f.out8(0x81, address >> 16);
            let last = f.var(bytes - 1);
            f.out8(0x05, last);
            f.out8(0x05, last >> 8);
            f.out8(0x0A, 0x02);
            f.ret(0);
        },
    )
}

/// The track that the heads go to for a track of the disk.
fn physical(f: &mut Body<'_>, drive: Var, track: impl Into<Value>) -> Var {
    let physical = f.var(track);
    f.when(bda8(drive + bda::FLOPPY_MEDIA).has(DOUBLE_STEP), |f| {
        f.add(physical, physical);
    });
    physical
}

/// Reads, writes or verifies sectors from a place: track, head, sector in one byte each. A status.
pub(super) fn transfer(
    kind: u32,
    drive: impl Into<Value>,
    place: impl Into<Value>,
    count: impl Into<Value>,
    address: impl Into<Value>,
) -> Value {
    let arguments = [
        Value::from(kind),
        drive.into(),
        place.into(),
        count.into(),
        address.into(),
    ];
    routine(
        "floppy_transfer",
        arguments,
        |f, [kind, drive, place, count, address]| {
            let [track, head, sector] = [
                f.var((place >> 16) & 0xFF),
                f.var((place >> 8) & 1),
                f.var(place & 0xFF),
            ];
            let physical = physical(f, drive, track);
            let status = f.var(set_up_dma(kind >> 8, address, count * 512));
            f.when(status.is_not(0), |f| f.ret(status));
            f.set(status, seek(drive, physical));
            f.when(status.is_not(0), |f| f.ret(status));
            begin(f);
            // The last sector of the track, or the last one wanted.
            let last = f.var(sector + count - 1);
            let on_track = f.var(parameter(4));
            // The parameter table is for 1.44 MiB until a system sets its own; only 2.88 MiB is read so fast.
            let fast = f.var(bda8(drive + bda::FLOPPY_MEDIA) & 0xC0);
            f.when(fast.is(0xC0).and(on_track.below(36)), |f| {
                f.set(on_track, 36);
            });
            // What does not fit into the cylinder goes on at the next one where controllers do so; else it ends there.
            let in_cylinder = head.is(0).and(last.at_most(on_track * 2));
            let to_the_other_side = last.above(on_track).and(sector.at_most(on_track));
            f.when(in_cylinder.and(to_the_other_side), |f| {
                f.set(last, on_track);
            });
            f.run(put(kind & 0xFF));
            f.run(put(drive | head << 2));
            for byte in [
                Value::from(track),
                head.into(),
                sector.into(),
                Value::from(2),
                last.into(),
            ] {
                f.run(put(byte));
            }
            f.run(put(parameter(5)));
            f.run(put(0xFF));
            f.ret(finish());
        },
    )
}

/// Starts the motor for a disk that has no sectors yet. A status.
pub(super) fn prepare_to_format(drive: impl Into<Value>) -> Value {
    routine("floppy_prepare_to_format", [drive.into()], |f, [drive]| {
        f.run(start_motor(drive));
        f.when(disk_was_changed().is_not(0), |f| {
            let status = f.var(clear_change(drive));
            f.when(status.is_not(0), |f| f.ret(status));
        });
        let state = f.var(bda8(drive + bda::FLOPPY_MEDIA));
        f.when(state.lacks(ESTABLISHED), |f| {
            let first = f.var(0);
            f.set(state, rate_to_try(drive, first) << 6 | ESTABLISHED | 7);
            f.set(bda8(drive + bda::FLOPPY_MEDIA), state);
        });
        f.out8(RATE, state >> 6);
        f.run(delay_ms(1));
        // Where the heads see track 2 in its place the drive has 40 tracks for a disk of 40, as emulators' have.
        f.when(state.has(DOUBLE_STEP), |f| {
            f.run(seek(drive, 2));
            let is_seen = read_id(drive).is(0);
            f.when(is_seen.and(bda8(bda::FLOPPY_RESULT + 3).is(2)), |f| {
                f.set(bda8(drive + bda::FLOPPY_MEDIA), state & !DOUBLE_STEP);
            });
        });
        f.ret(0);
    })
}

/// Formats a track with the sector addresses in memory. A status.
pub(super) fn format(
    drive: impl Into<Value>,
    track: impl Into<Value>,
    head: impl Into<Value>,
    address: impl Into<Value>,
) -> Value {
    let arguments = [drive.into(), track.into(), head.into(), address.into()];
    routine(
        "floppy_format",
        arguments,
        |f, [drive, track, head, address]| {
            let physical = physical(f, drive, track);
            let status = f.var(set_up_dma(0x4A, address, parameter(4) * 4));
            f.when(status.is_not(0), |f| f.ret(status));
            f.set(status, seek(drive, physical));
            f.when(status.is_not(0), |f| f.ret(status));
            begin(f);
            f.run(put(FORMAT));
            f.run(put(drive | (head & 1) << 2));
            for n in [3, 4, 7, 8] {
                f.run(put(parameter(n)));
            }
            f.ret(finish());
        },
    )
}
