//! RCPPS and RSQRTPS (SDM 2B: relative error at most 1.5 * 2^-12; how it is met is up to the processor).

/// About `1 / x`, binary32. Raises nothing; denormals count as zero, MXCSR does not matter.
#[must_use]
pub(super) fn reciprocal(x: u32) -> u32 {
    let sign = x & 0x8000_0000;
    match x & 0x7fff_ffff {
        0..0x80_0000 => sign | 0x7f80_0000,
        0x7f80_0000 => sign,
        0x7f80_0001.. => x | 0x40_0000,
        magnitude => {
            let exact = 1.0 / f64::from(f32::from_bits(magnitude));
            let result = (exact as f32).to_bits() & !0x7ff;
            sign | if result < 0x80_0000 { 0 } else { result }
        }
    }
}

/// About `1 / sqrt(x)`, binary32. Raises nothing; denormals count as zero, MXCSR does not matter.
#[must_use]
pub(super) fn reciprocal_root(x: u32) -> u32 {
    let sign = x & 0x8000_0000;
    match x & 0x7fff_ffff {
        0..0x80_0000 => sign | 0x7f80_0000,
        0x7f80_0001.. => x | 0x40_0000,
        _ if sign != 0 => 0xffc0_0000,
        0x7f80_0000 => 0,
        magnitude => {
            let exact = 1.0 / f64::from(f32::from_bits(magnitude)).sqrt();
            (exact as f32).to_bits() & !0x7ff
        }
    }
}
