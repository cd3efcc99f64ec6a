//! The widths of vector registers, as numbers.

use super::Lane;

/// The bits of a vector register: one or two pieces of 128 bits, or the 64 of MMX.
pub trait VectorBits: rax_mmu::Word {
    /// Its width.
    const BITS: u32;
    /// The width of each piece.
    const PIECE: u32 = if Self::BITS < 128 { Self::BITS } else { 128 };
    /// Its low piece.
    fn low(self) -> u128;
    /// Its high piece; zero if there is but one.
    fn high(self) -> u128;
    /// From its pieces; what there is no room for is dropped.
    fn from_pieces(low: u128, high: u128) -> Self;
    /// From its low piece; the rest is zero.
    #[inline(always)]
    #[must_use]
    fn from_low(low: u128) -> Self {
        Self::from_pieces(low, 0)
    }
    /// Applies a function to each piece.
    #[inline(always)]
    #[must_use]
    fn map(self, mut f: impl FnMut(u128) -> u128) -> Self {
        let low = f(self.low());
        let high = if Self::BITS > 128 { f(self.high()) } else { 0 };
        Self::from_pieces(low, high)
    }
    /// Applies a function to each pair of pieces, which it is told by number.
    #[inline(always)]
    #[must_use]
    fn map2(self, b: Self, mut f: impl FnMut(u32, u128, u128) -> u128) -> Self {
        let low = f(0, self.low(), b.low());
        let high = if Self::BITS > 128 {
            f(1, self.high(), b.high())
        } else {
            0
        };
        Self::from_pieces(low, high)
    }
    /// Applies a function to each three pieces.
    #[inline(always)]
    #[must_use]
    fn map3(self, b: Self, c: Self, mut f: impl FnMut(u128, u128, u128) -> u128) -> Self {
        let low = f(self.low(), b.low(), c.low());
        let high = if Self::BITS > 128 {
            f(self.high(), b.high(), c.high())
        } else {
            0
        };
        Self::from_pieces(low, high)
    }
    /// The piece of a number.
    #[inline(always)]
    #[must_use]
    fn piece(self, number: u32) -> u128 {
        if number == 0 { self.low() } else { self.high() }
    }
    /// The lane of `size` bits at an index, which wraps.
    #[inline(always)]
    #[must_use]
    fn extract(self, size: u32, index: u32) -> u64 {
        let index = index % (Self::BITS / size);
        let lanes = Self::PIECE / size;
        super::extract(Self::PIECE, size, self.piece(index / lanes), index)
    }
    /// With the lane of `size` bits at an index replaced; the index wraps.
    #[inline(always)]
    #[must_use]
    fn insert(self, size: u32, index: u32, lane: u64) -> Self {
        let index = index % (Self::BITS / size);
        let place = index / (Self::PIECE / size);
        self.map2(self, |number, piece, _| {
            if number == place {
                super::insert(Self::PIECE, size, piece, index, lane)
            } else {
                piece
            }
        })
    }
    /// The sign bits of the lanes, the first lane's lowest.
    #[inline(always)]
    #[must_use]
    fn signs(self, lane: Lane) -> u32 {
        let low = super::sign_mask(Self::PIECE, lane, self.low());
        if Self::BITS > 128 {
            low | super::sign_mask(128, lane, self.high()) << (128 / lane.bits())
        } else {
            low
        }
    }
}

impl VectorBits for u64 {
    const BITS: u32 = 64;
    #[inline(always)]
    fn low(self) -> u128 {
        u128::from(self)
    }
    #[inline(always)]
    fn high(self) -> u128 {
        0
    }
    #[inline(always)]
    fn from_pieces(low: u128, _high: u128) -> Self {
        low as Self
    }
}

impl VectorBits for u128 {
    const BITS: u32 = 128;
    #[inline(always)]
    fn low(self) -> u128 {
        self
    }
    #[inline(always)]
    fn high(self) -> u128 {
        0
    }
    #[inline(always)]
    fn from_pieces(low: u128, _high: u128) -> Self {
        low
    }
}

impl VectorBits for [u128; 2] {
    const BITS: u32 = 256;
    #[inline(always)]
    fn low(self) -> u128 {
        self[0]
    }
    #[inline(always)]
    fn high(self) -> u128 {
        self[1]
    }
    #[inline(always)]
    fn from_pieces(low: u128, high: u128) -> Self {
        [low, high]
    }
}
