//! Little-endian fields of tables that are read from files or built for the guest.

/// A table under construction: zeros, until a field is set.
#[derive(Clone, Debug)]
pub(super) struct Fields(Vec<u8>);

impl Fields {
    /// A table of `length` zero bytes.
    pub(super) fn zeroed(length: usize) -> Self {
        Self(vec![0; length])
    }

    /// Sets bytes from `offset` on. Offsets are constants of the table's layout, within its length.
    pub(super) fn bytes(&mut self, offset: usize, bytes: &[u8]) -> &mut Self {
        self.0[offset..offset + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// Sets a byte.
    pub(super) fn u8(&mut self, offset: usize, value: u8) -> &mut Self {
        self.bytes(offset, &[value])
    }

    /// Sets two bytes.
    pub(super) fn u16(&mut self, offset: usize, value: u16) -> &mut Self {
        self.bytes(offset, &value.to_le_bytes())
    }

    /// Sets four bytes.
    pub(super) fn u32(&mut self, offset: usize, value: u32) -> &mut Self {
        self.bytes(offset, &value.to_le_bytes())
    }

    /// Sets eight bytes.
    pub(super) fn u64(&mut self, offset: usize, value: u64) -> &mut Self {
        self.bytes(offset, &value.to_le_bytes())
    }

    /// The finished table.
    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// `N` bytes of a file at `offset`, if it is long enough.
pub(super) fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

/// Two bytes of a file, as a number.
pub(super) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    array_at(bytes, offset).map(u16::from_le_bytes)
}

/// Four bytes of a file, as a number.
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    array_at(bytes, offset).map(u32::from_le_bytes)
}

/// Eight bytes of a file, as a number.
pub(super) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    array_at(bytes, offset).map(u64::from_le_bytes)
}

/// A string as the guest expects it: its bytes and a final zero. A zero within ends it.
pub(super) fn c_string(text: &str) -> Vec<u8> {
    text.bytes()
        .take_while(|byte| *byte != 0)
        .chain([0])
        .collect()
}
