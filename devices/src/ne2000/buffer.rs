//! The adapter's memory: the address PROM and 16 KiB of packet buffer.

/// Bytes of the PROM, which says everything twice.
const PROM_BYTES: usize = 32;
/// Where the packet buffer is.
const RAM_START: u16 = 0x4000;
const RAM_BYTES: usize = 0x4000;
/// What the last bytes of an NE2000's PROM hold, by which drivers know it.
const SIGNATURE: u8 = 0x57;

/// The memory behind remote DMA.
pub(super) struct Buffer {
    prom: [u8; PROM_BYTES],
    ram: Box<[u8]>,
}

impl Buffer {
    /// An empty buffer, and the PROM of a station.
    pub(super) fn new(address: [u8; 6]) -> Self {
        let mut prom = [0; PROM_BYTES];
        for (pair, byte) in prom.chunks_exact_mut(2).zip(address) {
            pair.fill(byte);
        }
        prom[28..].fill(SIGNATURE);
        Self {
            prom,
            ram: vec![0; RAM_BYTES].into_boxed_slice(),
        }
    }

    pub(super) fn clear(&mut self) {
        self.ram.fill(0);
    }

    /// One byte; nothing answers outside of PROM and buffer.
    pub(super) fn read(&self, address: u16) -> u8 {
        let prom = self.prom.get(usize::from(address)).copied();
        prom.unwrap_or_else(|| {
            address
                .checked_sub(RAM_START)
                .and_then(|at| self.ram.get(usize::from(at)).copied())
                .unwrap_or(0xff)
        })
    }

    pub(super) fn write(&mut self, address: u16, value: u8) {
        let at = address.checked_sub(RAM_START);
        if let Some(byte) = at.and_then(|at| self.ram.get_mut(usize::from(at))) {
            *byte = value;
        }
    }

    /// The frame of `length` bytes that begins at `address`.
    pub(super) fn frame(&self, address: u16, length: usize) -> Vec<u8> {
        let places = (0..length).map(|offset| address.wrapping_add(offset as u16));
        places.map(|place| self.read(place)).collect()
    }

    pub(super) fn save(&self) -> Vec<u8> {
        self.ram.to_vec()
    }

    /// Takes a saved buffer back, unless it has another size.
    pub(super) fn restore(&mut self, saved: &[u8]) -> bool {
        let fits = saved.len() == self.ram.len();
        if fits {
            self.ram.copy_from_slice(saved);
        }
        fits
    }
}
