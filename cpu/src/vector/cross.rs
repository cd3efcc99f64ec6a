//! The few operations that cross from one piece of 128 bits into the other (SDM 2C, VPERMD,
//! VPERMQ, VPERM2I128, VINSERTI128).

use std::array::from_fn;

use super::VectorBits;
use super::lanes::{dwords, from_dwords, from_qwords, qwords};

/// Two vectors, one result whose lanes come from anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrossOp {
    /// Dwords of the second, chosen by the low bits of those of the first (VPERMD, VPERMPS).
    Dwords,
    /// Four qwords of the second, as an immediate chooses (VPERMQ, VPERMPD).
    Qwords(u8),
    /// Two pieces of either, or zeros, as an immediate chooses (VPERM2I128, VPERM2F128).
    Pieces(u8),
    /// The first with the low piece of the second in the place that bit 0 of an immediate
    /// names (VINSERTI128, VINSERTF128).
    Insert(u8),
}

impl CrossOp {
    /// The operation on a whole register.
    #[inline(always)]
    #[must_use]
    pub fn on<B: VectorBits>(self, a: B, b: B) -> B {
        match self {
            Self::Dwords => {
                let all = [dwords(b.low()), dwords(b.high())];
                let all = all.as_flattened();
                let last = (B::BITS / 32 - 1) as usize;
                a.map(|choice| from_dwords(dwords(choice).map(|n| all[n as usize & last])))
            }
            Self::Qwords(immediate) => {
                let all = [qwords(b.low()), qwords(b.high())];
                let all = all.as_flattened();
                let [w, x, y, z] = from_fn(|n| all[usize::from(immediate >> (2 * n) & 3)]);
                B::from_pieces(from_qwords([w, x]), from_qwords([y, z]))
            }
            Self::Pieces(immediate) => {
                let piece = |choice: u8| match choice & 0xb {
                    0 => a.low(),
                    1 => a.high(),
                    2 => b.low(),
                    3 => b.high(),
                    _ => 0,
                };
                B::from_pieces(piece(immediate), piece(immediate >> 4))
            }
            Self::Insert(immediate) if immediate & 1 == 0 => B::from_pieces(b.low(), a.high()),
            Self::Insert(_) => B::from_pieces(a.low(), b.low()),
        }
    }
}
