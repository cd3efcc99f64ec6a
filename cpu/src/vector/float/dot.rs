//! The dot products of SSE4.1 (SDM 2A, DPPS and DPPD).
//!
//! First all products, then sums with the neighbour, then sums with the other half; a
//! step that traps is the last one. Every lane is computed, and which of several NaNs it
//! keeps depends on the order of its additions, about which the manual is silent: this is
//! that of a Xeon (6, 207).

use super::super::lanes::{dwords, from_dwords, from_qwords, qwords};
use super::FloatShape;
use crate::float::{Env, F32, F64, Format};

/// Products that the high half of `choice` names, added up, in the lanes that its low half names.
pub(super) fn product(shape: FloatShape, env: &mut Env, (a, b): (u128, u128), choice: u8) -> u128 {
    let wanted = |n: usize| choice >> n & 1 != 0;
    if shape == FloatShape::PackedSingle {
        let sums = singles(env, (dwords(a), dwords(b)), choice >> 4);
        from_dwords([0, 1, 2, 3].map(|n| if wanted(n) { sums[n] } else { 0 }))
    } else {
        let sums = doubles(env, (qwords(a), qwords(b)), choice >> 4);
        from_qwords([0, 1].map(|n| if wanted(n) { sums[n] } else { 0 }))
    }
}

/// The product of one lane; zero if its bit is clear.
fn factor<F: Format>(env: &mut Env, a: F::Bits, b: F::Bits, is_wanted: bool) -> F::Bits {
    if is_wanted {
        env.mul::<F>(a, b)
    } else {
        F::from_u64(0)
    }
}

fn singles(env: &mut Env, (a, b): ([u32; 4], [u32; 4]), wanted: u8) -> [u32; 4] {
    let products = [0, 1, 2, 3].map(|n| factor::<F32>(env, a[n], b[n], wanted >> n & 1 != 0));
    if !env.settle() {
        return products;
    }
    let sums = [0, 1, 2, 3].map(|n| env.add::<F32>(products[n ^ 1], products[n]));
    if !env.settle() {
        return sums;
    }
    [0, 1, 2, 3].map(|n| env.add::<F32>(sums[n], sums[n ^ 2]))
}

fn doubles(env: &mut Env, (a, b): ([u64; 2], [u64; 2]), wanted: u8) -> [u64; 2] {
    let products = [0, 1].map(|n| factor::<F64>(env, a[n], b[n], wanted >> n & 1 != 0));
    if !env.settle() {
        return products;
    }
    [0, 1].map(|n| env.add::<F64>(products[n], products[n ^ 1]))
}
