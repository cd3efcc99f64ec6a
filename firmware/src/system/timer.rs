//! Short waits, by the power-management timer of the PIIX4 (ACPI 4.8.3.3), which POST has put at port 608h.

use crate::language::{Compare as _, Value, in8, in32, routine};

/// The power-management timer: 24 bits, 3.579545 MHz.
pub(super) const PORT: u32 = 0x608;
/// Its ticks in a millisecond.
const TICKS_PER_MS: u32 = 3580;

/// What [`passed`] counts from.
pub(super) fn now() -> Value {
    in32(PORT)
}

/// Milliseconds since `start`; wraps after 4.6 seconds.
pub(super) fn passed_ms(start: impl Into<Value>) -> Value {
    routine("passed_ms", [start.into()], |f, [start]| {
        f.ret(((now() - start) & 0xFF_FFFF) / TICKS_PER_MS);
    })
}

/// Waits for so many milliseconds, at most 4000.
pub(super) fn delay_ms(milliseconds: impl Into<Value>) -> Value {
    routine("delay_ms", [milliseconds.into()], |f, [milliseconds]| {
        let start = f.var(now());
        f.while_(passed_ms(start).below(milliseconds), |_| {});
    })
}

/// Waits until the byte at `port`, under `mask`, is `wanted`. 0 if that takes more than so many milliseconds.
pub(super) fn wait_port(
    port: impl Into<Value>,
    mask: impl Into<Value>,
    wanted: impl Into<Value>,
    milliseconds: impl Into<Value>,
) -> Value {
    let arguments = [port.into(), mask.into(), wanted.into(), milliseconds.into()];
    routine(
        "wait_port",
        arguments,
        |f, [port, mask, wanted, milliseconds]| {
            let start = f.var(now());
            f.forever(|f| {
                // The clock first: who was stopped between the two, as by a busy host, has not looked at the port since.
                let passed = f.var(passed_ms(start));
                f.when((in8(port) & mask).is(wanted), |f| f.ret(1));
                f.when(passed.at_least(milliseconds), |f| f.ret(0));
            });
        },
    )
}
