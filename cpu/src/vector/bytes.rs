//! The byte operations that string functions live on, sixteen lanes at a time in integers.
//!
//! Compilers take lanes of bytes apart one by one; here the even and the odd bytes are
//! widened to words instead, so that nothing carries from one into the next.

/// The low byte of every word.
const LOW: u128 = u128::MAX / 0xffff * 0xff;
/// Bit 8 of every word.
const GUARD: u128 = u128::MAX / 0xffff * 0x100;

/// Applies a function to the even bytes, then to the odd ones, both as words.
#[inline(always)]
fn halves(a: u128, b: u128, f: impl Fn(u128, u128) -> u128) -> u128 {
    f(a & LOW, b & LOW) | f(a >> 8 & LOW, b >> 8 & LOW) << 8
}

/// Wrapping sums.
#[inline(always)]
pub(super) fn add(a: u128, b: u128) -> u128 {
    // No lane exceeds 1feh.
    halves(a, b, |x, y| (x + y) & LOW)
}

/// Wrapping differences.
#[inline(always)]
pub(super) fn sub(a: u128, b: u128) -> u128 {
    // The guard bit lends to its own lane only.
    halves(a, b, |x, y| ((x | GUARD) - y) & LOW)
}

/// All ones where the first is at least the second, unsigned.
#[inline(always)]
fn at_least(a: u128, b: u128) -> u128 {
    halves(a, b, |x, y| {
        let unborrowed = (((x | GUARD) - y) & GUARD) >> 8;
        (unborrowed << 8) - unborrowed
    })
}

/// All ones where they are equal.
#[inline(always)]
pub(super) fn equal(a: u128, b: u128) -> u128 {
    at_least(0, a ^ b)
}

/// The lesser, unsigned.
#[inline(always)]
pub(super) fn min(a: u128, b: u128) -> u128 {
    let second = at_least(a, b);
    b & second | a & !second
}

/// The greater, unsigned.
#[inline(always)]
pub(super) fn max(a: u128, b: u128) -> u128 {
    let first = at_least(a, b);
    a & first | b & !first
}
