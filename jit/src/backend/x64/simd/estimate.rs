//! Whether the host's RCPPS and RSQRTPS estimate as the guest's do. Manuals bound their error
//! only, so that hosts differ; where they agree, the host's are emitted.

use std::sync::OnceLock;

use rax_cpu::float::{reciprocal_estimate, reciprocal_root_estimate};

use crate::helpers::{host_reciprocals, host_root_reciprocals};

/// Bits of the fraction that the guest's estimates do not look at.
const IGNORED: u32 = 12;
/// How far apart those are that are tried; their neighbours are tried too.
const STEP: u32 = 256;
/// Fractions in all.
const FRACTIONS: u32 = 1 << 23;

/// What the host makes of four numbers.
type Host = fn([u32; 4]) -> [u32; 4];
/// What the guest makes of one.
type Guest = fn(u32) -> u32;

/// Whether both estimates are the guest's. It is found out once, in about a millisecond.
pub(super) fn agrees() -> bool {
    static AGREES: OnceLock<bool> = OnceLock::new();
    *AGREES.get_or_init(|| {
        agrees_on(host_reciprocals, reciprocal_estimate)
            && agrees_on(host_root_reciprocals, reciprocal_root_estimate)
    })
}

/// Tables are found by the fraction's leading bits, and the exponent comes through by arithmetic.
/// So each entry of the guest's is tried all along, with two exponents, an even one and an odd
/// one; and all exponents and signs with some fractions.
fn agrees_on(host: Host, guest: Guest) -> bool {
    let are_sampled = (0..=u16::MAX).step_by(8).all(|upper| {
        let numbers = [0, 1, 0x7_ffff, 0x4_0000].map(|lower| u32::from(upper) << 16 | lower);
        host(numbers) == numbers.map(guest)
    });
    are_sampled
        && [126 << 23, 127 << 23].into_iter().all(|exponent| {
            (0..FRACTIONS)
                .step_by(1 << IGNORED)
                .all(|fraction| is_constant(host, exponent | fraction, guest(exponent | fraction)))
        })
}

/// Whether numbers that differ from one in the ignored bits have the same estimate.
fn is_constant(host: Host, first: u32, estimate: u32) -> bool {
    (first..first + (1 << IGNORED))
        .step_by(STEP as usize)
        .all(|number| {
            let numbers = [0, 1, STEP / 2, STEP - 1].map(|more| number + more);
            host(numbers) == [estimate; 4]
        })
}

#[cfg(test)]
mod tests {
    use super::{agrees_on, host_reciprocals, host_root_reciprocals, reciprocal_estimate};

    #[test]
    fn another_estimate_is_told_from_the_guests() {
        assert!(!agrees_on(host_root_reciprocals, reciprocal_estimate));
        // One bit of one entry.
        assert!(!agrees_on(host_reciprocals, |a| {
            reciprocal_estimate(a) ^ u32::from(a >> 12 == 0x3f805) << 11
        }));
    }
}
