//! Lanes rearranged as an immediate says (SDM 2, PSHUFD, SHUFPS, BLENDPS, INSERTPS).

use std::array::from_fn;

use super::lanes::{dwords, from_dwords, from_qwords, from_words, qwords, words};
use super::{Lane, wide};

/// Lanes chosen by an immediate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShuffleOp {
    /// Four dwords of the second operand (PSHUFD, VPERMILPS).
    Dwords,
    /// Two qwords of the second operand (VPERMILPD).
    Qwords,
    /// The low four words of the second operand; its high half stays (PSHUFLW, PSHUFW).
    LowWords,
    /// The high four words of the second operand; its low half stays (PSHUFHW).
    HighWords,
    /// Two dwords of the first, then two of the second (SHUFPS).
    TwoDwords,
    /// A qword of the first, then one of the second (SHUFPD).
    TwoQwords,
    /// The lanes of the second whose bits are set, else the first's (BLENDPS and its kin).
    Blend(Lane),
    /// The first above the second, shifted right by bytes (PALIGNR).
    Align,
    /// The first with one dword of the second, then zeros where bits 0 to 3 say so (INSERTPS).
    InsertDword,
}

impl ShuffleOp {
    /// Whether the first operand plays no part.
    #[must_use]
    pub const fn is_of_second(self) -> bool {
        matches!(
            self,
            Self::Dwords | Self::Qwords | Self::LowWords | Self::HighWords
        )
    }

    /// The operation on vectors of `bits` bits, 64 or 128.
    #[inline(always)]
    #[must_use]
    pub fn apply(self, bits: u32, a: u128, b: u128, immediate: u8) -> u128 {
        let chosen = |n: usize| usize::from(immediate >> (2 * n) & 3);
        let is_set = |n: usize| immediate >> n & 1 != 0;
        match self {
            Self::Dwords => {
                let b = dwords(b);
                from_dwords(from_fn(|n| b[chosen(n)]))
            }
            Self::LowWords => {
                let b = words(b);
                from_words(from_fn(|n| if n < 4 { b[chosen(n)] } else { b[n] }))
            }
            Self::HighWords => {
                let b = words(b);
                from_words(from_fn(|n| if n < 4 { b[n] } else { b[4 + chosen(n - 4)] }))
            }
            Self::TwoDwords => {
                let (a, b) = (dwords(a), dwords(b));
                from_dwords([a[chosen(0)], a[chosen(1)], b[chosen(2)], b[chosen(3)]])
            }
            Self::Qwords | Self::TwoQwords => {
                let low = if self == Self::Qwords { b } else { a };
                let (low, high) = (qwords(low), qwords(b));
                let bit = |n: u8| usize::from(immediate >> n & 1);
                from_qwords([low[bit(0)], high[bit(1)]])
            }
            Self::Blend(Lane::Word | Lane::Byte) => {
                let (a, b) = (words(a), words(b));
                from_words(from_fn(|n| if is_set(n) { b[n] } else { a[n] }))
            }
            Self::Blend(Lane::Dword) => {
                let (a, b) = (dwords(a), dwords(b));
                from_dwords(from_fn(|n| if is_set(n) { b[n] } else { a[n] }))
            }
            Self::Blend(Lane::Qword) => {
                let (a, b) = (qwords(a), qwords(b));
                from_qwords(from_fn(|n| if is_set(n) { b[n] } else { a[n] }))
            }
            Self::Align => wide::align(bits, a, b, immediate),
            Self::InsertDword => {
                let mut a = dwords(a);
                a[chosen(2)] = dwords(b)[chosen(3)];
                from_dwords(from_fn(|n| if is_set(n) { 0 } else { a[n] }))
            }
        }
    }
}
