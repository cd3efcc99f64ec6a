//! Segment registers, descriptors and their checks (SDM 3A, chapters 3 and 5).

#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod load;
pub(crate) mod stack;

use bitflags::bitflags;

/// A segment register, in encoding order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the manual's names")]
pub enum SegmentRegister {
    Es,
    Cs,
    Ss,
    #[default]
    Ds,
    Fs,
    Gs,
}

impl SegmentRegister {
    /// All six, in encoding order.
    pub const ALL: [Self; 6] = [Self::Es, Self::Cs, Self::Ss, Self::Ds, Self::Fs, Self::Gs];
}

bitflags! {
    /// Bits 40 to 55 of a descriptor (SDM 3A, figure 3-8), limit bits cleared.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[repr(transparent)]
    pub struct Attributes: u16 {
        /// Accessed (code and data).
        const ACCESSED = 1 << 0;
        /// Writable data; readable code.
        const WRITABLE = 1 << 1;
        /// Expand-down data; conforming code.
        const EXPAND_DOWN = 1 << 2;
        /// Code rather than data.
        const CODE = 1 << 3;
        /// Code or data rather than system.
        const CODE_OR_DATA = 1 << 4;
        /// Privilege level, low bit.
        const DPL0 = 1 << 5;
        /// Privilege level, high bit.
        const DPL1 = 1 << 6;
        /// Present.
        const PRESENT = 1 << 7;
        /// For software.
        const AVL = 1 << 12;
        /// 64-bit code.
        const LONG = 1 << 13;
        /// 32-bit code, stack or upper bound.
        const DEFAULT_BIG = 1 << 14;
        /// The limit counts pages.
        const GRANULARITY = 1 << 15;
    }
}

impl Attributes {
    /// The descriptor privilege level.
    #[must_use]
    pub const fn dpl(self) -> u8 {
        ((self.bits() >> 5) & 3) as u8
    }

    /// Type bits 0 to 3.
    #[must_use]
    pub const fn kind(self) -> u8 {
        (self.bits() & 15) as u8
    }
}

/// A segment register with its hidden part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Segment {
    /// The visible part.
    pub selector: u16,
    /// The descriptor's attributes; not [`Attributes::PRESENT`] after a null selector was loaded.
    pub attributes: Attributes,
    /// The last valid offset (or the last invalid one, expand-down), in bytes.
    pub limit: u32,
    /// Linear address of offset zero.
    pub base: u64,
}

/// GDTR or IDTR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct DescriptorTable {
    /// Linear address of the first entry.
    pub base: u64,
    /// Offset of the last byte.
    pub limit: u16,
}

impl Segment {
    /// What real mode makes of a selector, with the limit of a reset processor.
    #[must_use]
    pub const fn real_mode(selector: u16) -> Self {
        Self {
            selector,
            attributes: Attributes::from_bits_retain(0x93),
            limit: 0xffff,
            base: (selector as u64) << 4,
        }
    }

    /// What virtual-8086 mode makes of a selector (SDM 3B, 21.2.1).
    #[must_use]
    pub const fn virtual_8086(selector: u16) -> Self {
        Self {
            attributes: Attributes::from_bits_retain(0xf3),
            ..Self::real_mode(selector)
        }
    }

    /// CS after a reset: the last 64 KiB below 4 GiB.
    #[must_use]
    pub const fn reset_code() -> Self {
        Self {
            selector: 0xf000,
            attributes: Attributes::from_bits_retain(0x9b),
            limit: 0xffff,
            base: 0xffff_0000,
        }
    }

    /// LDTR after a reset.
    #[must_use]
    pub const fn reset_ldt() -> Self {
        Self {
            selector: 0,
            attributes: Attributes::from_bits_retain(0x82),
            limit: 0xffff,
            base: 0,
        }
    }

    /// TR after a reset.
    #[must_use]
    pub const fn reset_tss() -> Self {
        Self {
            selector: 0,
            attributes: Attributes::from_bits_retain(0x8b),
            limit: 0xffff,
            base: 0,
        }
    }

    /// A flat 4-GiB segment as boot protocols ask for.
    #[must_use]
    pub const fn flat(selector: u16, attributes: Attributes) -> Self {
        Self {
            selector,
            attributes,
            limit: u32::MAX,
            base: 0,
        }
    }

    /// A null selector or never loaded: any access faults outside 64-bit mode.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        self.attributes.contains(Attributes::PRESENT)
    }

    /// Code, rather than data.
    #[must_use]
    pub const fn is_code(&self) -> bool {
        self.attributes.contains(Attributes::CODE)
    }

    /// Starts at zero, spans 4 GiB, and takes any data access (SDM 3A, 3.2.1).
    #[must_use]
    pub fn is_flat_data(&self) -> bool {
        self.base == 0
            && self.limit == u32::MAX
            && self
                .attributes
                .contains(Attributes::PRESENT | Attributes::WRITABLE)
            && !self
                .attributes
                .intersects(Attributes::CODE | Attributes::EXPAND_DOWN)
    }

    /// Whether `size` bytes at `offset` may be read (or written) through this
    /// segment: type and limit (SDM 3A, 5.3 to 5.5).
    #[must_use]
    pub fn permits(&self, offset: u32, size: u32, write: bool) -> bool {
        if !self.is_usable() {
            return false;
        }
        let readable = !self.is_code() || self.attributes.contains(Attributes::WRITABLE);
        let writable = !self.is_code() && self.attributes.contains(Attributes::WRITABLE);
        if if write { !writable } else { !readable } {
            return false;
        }
        self.covers(offset, size)
    }

    /// Whether `size` bytes at `offset` lie within the limit.
    #[must_use]
    pub fn covers(&self, offset: u32, size: u32) -> bool {
        let Some(last) = offset.checked_add(size.saturating_sub(1)) else {
            // A wrap-around is within the limit only of a 4-GiB expand-up segment.
            return !self.is_expand_down() && self.limit == u32::MAX;
        };
        if self.is_expand_down() {
            let top = if self.attributes.contains(Attributes::DEFAULT_BIG) {
                u32::MAX
            } else {
                0xffff
            };
            offset > self.limit && last <= top
        } else {
            last <= self.limit
        }
    }

    fn is_expand_down(&self) -> bool {
        self.attributes.contains(Attributes::EXPAND_DOWN) && !self.is_code()
    }
}

/// An eight-byte entry of a descriptor table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor(pub u64);

impl Descriptor {
    /// Bits 40 to 55, without the limit's.
    #[must_use]
    pub const fn attributes(self) -> Attributes {
        Attributes::from_bits_truncate((self.0 >> 40) as u16 & 0xf0ff)
    }

    /// The limit in bytes, granularity applied.
    #[must_use]
    pub const fn limit(self) -> u32 {
        let limit = (self.0 & 0xffff) as u32 | ((self.0 >> 32) as u32 & 0xf_0000);
        if self.attributes().contains(Attributes::GRANULARITY) {
            (limit << 12) | 0xfff
        } else {
            limit
        }
    }

    /// The 32-bit base.
    #[must_use]
    pub const fn base(self) -> u32 {
        ((self.0 >> 16) & 0xff_ffff) as u32 | ((self.0 >> 32) as u32 & 0xff00_0000)
    }

    /// A segment register that holds this descriptor.
    #[must_use]
    pub const fn segment(self, selector: u16) -> Segment {
        Segment {
            selector,
            attributes: self.attributes(),
            limit: self.limit(),
            base: self.base() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Attributes, Descriptor, Segment};

    #[test]
    fn a_flat_descriptor_is_flat() {
        let data = Descriptor(0x00cf_9300_0000_ffff).segment(0x10);
        assert!(data.is_flat_data());
        assert!(data.permits(u32::MAX, 1, true));
        assert!(
            !Descriptor(0x00cf_9b00_0000_ffff)
                .segment(8)
                .permits(0, 1, true)
        );
    }

    #[test]
    fn expand_down_starts_after_the_limit() {
        let segment = Segment {
            attributes: Attributes::from_bits_retain(0x97),
            limit: 0xfff,
            ..Segment::default()
        };
        assert!(!segment.permits(0xfff, 1, false));
        assert!(segment.permits(0x1000, 1, false));
        assert!(segment.permits(0xffff, 1, false));
        assert!(!segment.permits(0xffff, 2, false));
    }
}
