//! Base address registers (PCI 2.2, 6.2.5).

/// Which address space a window lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// I/O ports.
    Io,
    /// Memory.
    Memory,
}

/// One base address register of a function, as the chip declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Its address space.
    pub space: Space,
    /// Bytes decoded, a power of two; at least 4 (I/O) or 16 (memory).
    pub bytes: u64,
    /// A 64-bit memory BAR, which takes the next register too.
    pub is_64_bit: bool,
    /// Reads have no side effects.
    pub is_prefetchable: bool,
    /// The chip's register at the window's first byte.
    pub first_register: u64,
}

impl Bar {
    /// Ports: `bytes` of them, the chip's registers from `first_register` up.
    #[must_use]
    pub const fn io(bytes: u64, first_register: u64) -> Self {
        Self {
            space: Space::Io,
            bytes,
            is_64_bit: false,
            is_prefetchable: false,
            first_register,
        }
    }

    /// Memory: the chip's registers from `first_register` up.
    #[must_use]
    pub const fn memory(bytes: u64, first_register: u64) -> Self {
        Self {
            space: Space::Memory,
            ..Self::io(bytes, first_register)
        }
    }

    /// The same BAR, prefetchable.
    #[must_use]
    pub const fn prefetchable(self) -> Self {
        Self {
            is_prefetchable: true,
            ..self
        }
    }

    /// The same BAR, with a 64-bit address.
    #[must_use]
    pub const fn wide(self) -> Self {
        Self {
            is_64_bit: true,
            ..self
        }
    }

    /// The read-only bits that tell the kind of BAR.
    pub(super) const fn kind_bits(self) -> u32 {
        match self.space {
            Space::Io => 1,
            Space::Memory => (self.is_64_bit as u32) << 2 | (self.is_prefetchable as u32) << 3,
        }
    }

    /// The address bits that software may set: sizing reads them back.
    pub(super) const fn address_mask(self) -> u64 {
        let flags = match self.space {
            Space::Io => 3,
            Space::Memory => 15,
        };
        !(self.bytes.wrapping_sub(1) | flags)
    }

    /// Where it decodes with `base` in it, if that is an address at all.
    ///
    /// Zero is how software parks a BAR, and the end of the address space
    /// what it reads while it asks for the size: neither is decoded.
    pub(super) fn window(self, base: u64) -> Option<Window> {
        let start = base & self.address_mask();
        let limit = match (self.space, self.is_64_bit) {
            (Space::Io, _) => 0x1_0000,
            (Space::Memory, false) => 0xffff_ffff,
            (Space::Memory, true) => u64::MAX,
        };
        let end = start.checked_add(self.bytes)?;
        (start != 0 && end <= limit).then_some(Window {
            space: self.space,
            start,
            bytes: self.bytes,
            first_register: self.first_register,
        })
    }
}

/// A range of addresses that a function decodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Ports or memory.
    pub space: Space,
    /// First address.
    pub start: u64,
    /// How many.
    pub bytes: u64,
    /// The chip's register at `start`.
    pub first_register: u64,
}
