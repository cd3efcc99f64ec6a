//! Addresses as types, so that linear and physical ones cannot be swapped.
//!
//! Terms as in the Intel SDM, volume 3A, chapter 4; canonical form as in
//! volume 1, section 3.3.7.1.

use std::fmt;

/// Bits of an address that lie within a 4 KiB page.
pub const PAGE_BITS: u32 = 12;
/// Size of the smallest page in bytes.
pub const PAGE_SIZE: u64 = 1 << PAGE_BITS;
/// The bits of an address that name its page.
pub const PAGE_MASK: u64 = !(PAGE_SIZE - 1);
/// The bits of an address that name a byte in its page.
pub const PAGE_OFFSET: u64 = PAGE_SIZE - 1;

macro_rules! address {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[repr(transparent)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl $name {
            /// The address of the first byte of its 4 KiB page.
            #[inline(always)]
            #[must_use]
            pub const fn page(self) -> Self {
                Self(self.0 & PAGE_MASK)
            }

            /// The offset in its 4 KiB page, in bytes.
            #[inline(always)]
            #[must_use]
            pub const fn offset(self) -> u64 {
                self.0 & PAGE_OFFSET
            }

            /// The address `bytes` further on, modulo 2^64.
            #[inline(always)]
            #[must_use]
            pub const fn wrapping_add(self, bytes: u64) -> Self {
                Self(self.0.wrapping_add(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#018x}", self.0)
            }
        }

        impl fmt::LowerHex for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::LowerHex::fmt(&self.0, f)
            }
        }

        impl From<u64> for $name {
            fn from(address: u64) -> Self {
                Self(address)
            }
        }
    };
}

address!(
    /// An address after segmentation and before paging.
    LinearAddress
);
address!(
    /// An address on the bus, after paging.
    PhysicalAddress
);

/// True if the unused upper bits of `address` repeat its highest used one.
///
/// The highest used bit is 47, or 56 with CR4.LA57 (`la57`).
#[inline(always)]
#[must_use]
pub const fn is_canonical(address: LinearAddress, la57: bool) -> bool {
    let unused = if la57 { 64 - 57 } else { 64 - 48 };
    ((address.0 << unused).cast_signed() >> unused).cast_unsigned() == address.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_addresses_repeat_their_highest_bit() {
        for (address, four, five) in [
            (0, true, true),
            (0x7fff_ffff_ffff, true, true),
            (0x8000_0000_0000, false, true),
            (0xffff_8000_0000_0000, true, true),
            (0xffff_7fff_ffff_ffff, false, true),
            (0x00ff_ffff_ffff_ffff, false, true),
            (0x0100_0000_0000_0000, false, false),
            (0xff00_0000_0000_0000, false, true),
            (0xfeff_ffff_ffff_ffff, false, false),
            (u64::MAX, true, true),
        ] {
            assert_eq!(
                is_canonical(LinearAddress(address), false),
                four,
                "{address:x}"
            );
            assert_eq!(
                is_canonical(LinearAddress(address), true),
                five,
                "{address:x}"
            );
        }
    }
}
