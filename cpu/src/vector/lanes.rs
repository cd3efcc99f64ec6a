//! Vectors of 128 bits taken apart into lanes, and put together again.

use std::array::from_fn;

macro_rules! lanes {
    ($($split:ident $join:ident $map:ident: [$lane:ty; $count:literal] of $bytes:literal;)*) => {$(
        /// The lanes, lowest first.
        #[inline(always)]
        pub(super) fn $split(vector: u128) -> [$lane; $count] {
            let bytes = vector.to_le_bytes();
            let (lanes, _) = bytes.as_chunks::<$bytes>();
            from_fn(|n| <$lane>::from_le_bytes(lanes[n]))
        }

        /// The vector of these lanes, lowest first.
        #[inline(always)]
        pub(super) fn $join(lanes: [$lane; $count]) -> u128 {
            let mut bytes = [0; 16];
            let (places, _) = bytes.as_chunks_mut::<$bytes>();
            for (place, lane) in places.iter_mut().zip(lanes) {
                *place = lane.to_le_bytes();
            }
            u128::from_le_bytes(bytes)
        }

        /// Applies a function to each pair of lanes.
        #[inline(always)]
        pub(super) fn $map(a: u128, b: u128, mut f: impl FnMut($lane, $lane) -> $lane) -> u128 {
            let (a, b) = ($split(a), $split(b));
            $join(from_fn(|n| f(a[n], b[n])))
        }
    )*};
}

lanes! {
    bytes from_bytes map_bytes: [u8; 16] of 1;
    words from_words map_words: [u16; 8] of 2;
    dwords from_dwords map_dwords: [u32; 4] of 4;
    qwords from_qwords map_qwords: [u64; 2] of 8;
}
