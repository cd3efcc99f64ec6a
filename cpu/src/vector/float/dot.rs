//! The dot products of SSE4.1 and AVX (SDM 2A, DPPS and DPPD).
//!
//! First all products, then sums with the neighbour, then sums with the other half; a
//! step that traps, in any lane, is the last one. Every lane is computed, and which of several
//! NaNs it keeps depends on the order of its additions, about which the manual is silent:
//! this is that of a Xeon (6, 207).

use std::array::from_fn;

use super::super::VectorBits;
use super::super::lanes::{dwords, from_dwords, from_qwords, qwords};
use super::FloatShape;
use crate::float::{Env, F32, F64, Format};

/// Products that the high half of `choice` names, added up, in the lanes that its low half
/// names; on each piece of 128 bits.
#[inline(always)]
pub(in crate::vector) fn product<B: VectorBits>(
    shape: FloatShape,
    env: &mut Env,
    (a, b): (B, B),
    choice: u8,
) -> B {
    let wanted = |n: usize| choice >> n & 1 != 0;
    if shape == FloatShape::PackedSingle {
        let sums = singles(env, (a, b), choice >> 4);
        sums.map(|piece| {
            let lanes = dwords(piece);
            from_dwords(from_fn(|n| if wanted(n) { lanes[n] } else { 0 }))
        })
    } else {
        let sums = doubles(env, (a, b), choice >> 4);
        sums.map(|piece| {
            let lanes = qwords(piece);
            from_qwords(from_fn(|n| if wanted(n) { lanes[n] } else { 0 }))
        })
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

fn singles<B: VectorBits>(env: &mut Env, (a, b): (B, B), wanted: u8) -> B {
    let products = a.map2(b, |_, a, b| {
        let (a, b) = (dwords(a), dwords(b));
        from_dwords(from_fn(|n| {
            factor::<F32>(env, a[n], b[n], wanted >> n & 1 != 0)
        }))
    });
    if !env.settle() {
        return products;
    }
    let sums = products.map(|piece| {
        let lanes = dwords(piece);
        from_dwords(from_fn(|n| env.add::<F32>(lanes[n ^ 1], lanes[n])))
    });
    if !env.settle() {
        return sums;
    }
    sums.map(|piece| {
        let lanes = dwords(piece);
        from_dwords(from_fn(|n| env.add::<F32>(lanes[n], lanes[n ^ 2])))
    })
}

fn doubles<B: VectorBits>(env: &mut Env, (a, b): (B, B), wanted: u8) -> B {
    let products = a.map2(b, |_, a, b| {
        let (a, b) = (qwords(a), qwords(b));
        from_qwords(from_fn(|n| {
            factor::<F64>(env, a[n], b[n], wanted >> n & 1 != 0)
        }))
    });
    if !env.settle() {
        return products;
    }
    products.map(|piece| {
        let lanes = qwords(piece);
        from_qwords(from_fn(|n| env.add::<F64>(lanes[n], lanes[n ^ 1])))
    })
}
