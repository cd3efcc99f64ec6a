//! The firmware configuration device: named blobs that the machine hands to
//! its firmware.
//!
//! QEMU Firmware Configuration (fw_cfg) Device specification. Register 0 is
//! the 16-bit selector, register 1 the data, registers 4 to 11 the 64-bit
//! big-endian address of a DMA command. What the items mean (tables, table
//! loader commands, boot order) is between the machine and the firmware.

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers};
use crate::dma::Dma;
use crate::snapshot::{RestoreError, State};

/// Item keys that the device itself fills.
mod key {
    pub(super) const SIGNATURE: u16 = 0x0000;
    pub(super) const ID: u16 = 0x0001;
    pub(super) const FILE_DIR: u16 = 0x0019;
    /// Files have keys from here on.
    pub(super) const FILE_FIRST: u16 = 0x0020;
    /// Keys have this many bits, and one for what only one architecture has.
    pub(super) const MASK: u16 = 0xbfff;
    /// Files end before the bit that once asked for a write.
    pub(super) const FILE_LIMIT: u16 = 0x4000;
}
/// Bytes of a file name, with the zero that ends it.
const NAME_BYTES: usize = 56;
/// What reading the DMA address register gives: that there is DMA.
const DMA_SIGNATURE: [u8; 8] = *b"QEMU CFG";
/// The ID item: the data register works, and so does DMA.
const FEATURES: u32 = 0b11;
/// Bytes of a DMA command in memory: control, length, address.
const COMMAND_BYTES: usize = 16;
/// How much is copied at a time.
const CHUNK: usize = 0x1_0000;

bitflags! {
    /// The control word of a DMA command; its upper half may be a key.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Control: u32 {
        /// In the answer: it did not work.
        const ERROR = 1 << 0;
        /// Item to memory.
        const READ = 1 << 1;
        /// Moves on in the item.
        const SKIP = 1 << 2;
        /// Selects the item in the upper half first.
        const SELECT = 1 << 3;
        /// Memory to item.
        const WRITE = 1 << 4;
    }
}

/// Why an item was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FwCfgError {
    /// The directory has 55 bytes for a name.
    #[error("a name of {0} bytes is longer than a directory entry")]
    NameTooLong(usize),
    /// Another item has this name or key.
    #[error("there is an item of that name or key already")]
    Duplicate,
    /// No keys are left, or a blob is longer than 4 GiB.
    #[error("the item does not fit into the directory")]
    Full,
}

#[derive(Debug)]
struct Item {
    key: u16,
    /// The name of a file.
    name: Option<String>,
    bytes: Vec<u8>,
    is_writable: bool,
    /// What a writable item holds after a reset.
    initial: Vec<u8>,
}

/// The device.
#[derive(Debug)]
pub struct FwCfg {
    items: Vec<Item>,
    selected: u16,
    /// Position in the selected item.
    offset: u32,
    /// The upper half of the DMA address, until the lower one comes.
    dma_high: u32,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    selected: u16,
    offset: u32,
    dma_high: u32,
    /// The writable items, by key.
    written: Vec<(u16, Vec<u8>)>,
}

impl FwCfg {
    /// A device with its own items only.
    #[must_use]
    pub fn new() -> Self {
        let own = |key, bytes: &[u8]| Item {
            key,
            name: None,
            bytes: bytes.to_vec(),
            is_writable: false,
            initial: Vec::new(),
        };
        Self {
            items: vec![
                own(key::SIGNATURE, b"QEMU"),
                own(key::ID, &FEATURES.to_le_bytes()),
                own(key::FILE_DIR, &[0; 4]),
            ],
            selected: 0,
            offset: 0,
            dma_high: 0,
        }
    }

    /// Adds an item that is known by its key.
    ///
    /// # Errors
    /// When the key is taken.
    pub fn add_item(&mut self, key: u16, bytes: Vec<u8>) -> Result<(), FwCfgError> {
        let taken = self.items.iter().any(|item| item.key == key & key::MASK);
        if taken || u32::try_from(bytes.len()).is_err() {
            return Err(FwCfgError::Duplicate);
        }
        self.items.push(Item {
            key: key & key::MASK,
            name: None,
            bytes,
            is_writable: false,
            initial: Vec::new(),
        });
        Ok(())
    }

    /// Adds a file, and returns its key.
    ///
    /// # Errors
    /// When the name is too long or taken, or the directory is full.
    pub fn add_file(&mut self, name: &str, bytes: Vec<u8>) -> Result<u16, FwCfgError> {
        self.add(name, bytes, false)
    }

    /// Adds a file that firmware may write to, by DMA.
    ///
    /// # Errors
    /// As for [`FwCfg::add_file`].
    pub fn add_writable_file(&mut self, name: &str, bytes: Vec<u8>) -> Result<u16, FwCfgError> {
        self.add(name, bytes, true)
    }

    /// What a file holds now.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        let item = self
            .items
            .iter()
            .find(|item| item.name.as_deref() == Some(name))?;
        Some(&item.bytes)
    }

    /// Gives a file other content, for what the guest itself decides before it
    /// asks; false if there is no such file.
    pub fn replace_file(&mut self, name: &str, bytes: Vec<u8>) -> bool {
        let mut items = self.items.iter_mut();
        let Some(item) = items.find(|item| item.name.as_deref() == Some(name)) else {
            return false;
        };
        item.bytes = bytes;
        self.write_directory();
        true
    }

    fn add(&mut self, name: &str, bytes: Vec<u8>, is_writable: bool) -> Result<u16, FwCfgError> {
        if name.len() >= NAME_BYTES {
            return Err(FwCfgError::NameTooLong(name.len()));
        }
        if self.file(name).is_some() {
            return Err(FwCfgError::Duplicate);
        }
        let last = self.items.iter().map(|item| item.key & !0x8000).max();
        let key = last.map_or(key::FILE_FIRST, |last| (last + 1).max(key::FILE_FIRST));
        if key >= key::FILE_LIMIT || u32::try_from(bytes.len()).is_err() {
            return Err(FwCfgError::Full);
        }
        self.items.push(Item {
            key,
            name: Some(name.to_owned()),
            initial: if is_writable {
                bytes.clone()
            } else {
                Vec::new()
            },
            bytes,
            is_writable,
        });
        self.write_directory();
        Ok(key)
    }

    /// Lists all files in the directory item, in big-endian numbers.
    fn write_directory(&mut self) {
        let mut entries = Vec::new();
        let mut count = 0u32;
        for item in &self.items {
            let Some(name) = &item.name else { continue };
            count += 1;
            entries.extend((item.bytes.len() as u32).to_be_bytes());
            entries.extend(item.key.to_be_bytes());
            entries.extend([0; 2]);
            let mut field = [0; NAME_BYTES];
            field[..name.len()].copy_from_slice(name.as_bytes());
            entries.extend(field);
        }
        let directory = [&count.to_be_bytes()[..], &entries].concat();
        for item in &mut self.items {
            if item.key == key::FILE_DIR {
                item.bytes = directory;
                break;
            }
        }
    }

    const fn select(&mut self, key: u16) {
        self.selected = key & key::MASK;
        self.offset = 0;
    }

    fn item(&self) -> Option<&Item> {
        self.items.iter().find(|item| item.key == self.selected)
    }

    /// What is left of the selected item.
    fn rest(&self) -> &[u8] {
        self.item()
            .and_then(|item| item.bytes.get(self.offset as usize..))
            .unwrap_or(&[])
    }

    /// The next byte; zero past the end.
    fn next_byte(&mut self) -> u8 {
        let byte = self.rest().first().copied();
        if byte.is_some() {
            self.offset += 1;
        }
        byte.unwrap_or(0)
    }

    /// Moves on, not past the end.
    fn skip(&mut self, length: u32) {
        let rest = u32::try_from(self.rest().len()).unwrap_or(u32::MAX);
        self.offset += length.min(rest);
    }

    /// Carries out the command at `address`, and answers there.
    fn command(&mut self, address: u64, memory: &mut dyn Dma) {
        let mut command = [0; COMMAND_BYTES];
        memory.read(address, &mut command);
        let [a, b, c, d, e, f, g, h, target @ ..] = command;
        let word = u32::from_be_bytes([a, b, c, d]);
        let length = u32::from_be_bytes([e, f, g, h]);
        let target = u64::from_be_bytes(target);
        let control = Control::from_bits_truncate(word);
        if control.contains(Control::SELECT) {
            self.select((word >> 16) as u16);
        }
        let worked = if control.contains(Control::READ) {
            self.copy_out(target, length, memory);
            true
        } else if control.contains(Control::WRITE) {
            self.copy_in(target, length, memory)
        } else {
            if control.contains(Control::SKIP) {
                self.skip(length);
            }
            true
        };
        let answer = if worked {
            Control::empty()
        } else {
            Control::ERROR
        };
        memory.write(address, &answer.bits().to_be_bytes());
    }

    /// The item, and zeros after its end, to memory.
    fn copy_out(&mut self, target: u64, length: u32, memory: &mut dyn Dma) {
        let rest = self.rest();
        let copied = rest.len().min(length as usize);
        let mut at = target;
        for chunk in rest[..copied].chunks(CHUNK) {
            memory.write(at, chunk);
            at = at.wrapping_add(chunk.len() as u64);
        }
        let zeros = [0; CHUNK];
        let mut left = length as usize - copied;
        while left > 0 {
            let count = left.min(CHUNK);
            memory.write(at, &zeros[..count]);
            at = at.wrapping_add(count as u64);
            left -= count;
        }
        self.skip(length);
    }

    /// Memory to the item, if it is writable and the whole fits.
    fn copy_in(&mut self, source: u64, length: u32, memory: &mut dyn Dma) -> bool {
        let (selected, start) = (self.selected, self.offset as usize);
        let item = self
            .items
            .iter_mut()
            .find(|item| item.key == selected && item.is_writable);
        let Some(target) = item
            .and_then(|item| item.bytes.get_mut(start..))
            .and_then(|rest| rest.get_mut(..length as usize))
        else {
            return false;
        };
        memory.read(source, target);
        self.skip(length);
        true
    }
}

impl Default for FwCfg {
    fn default() -> Self {
        Self::new()
    }
}

impl Device for FwCfg {
    fn name(&self) -> &'static str {
        "fw-cfg"
    }

    fn reset(&mut self) {
        self.select(key::SIGNATURE);
        self.dma_high = 0;
        for item in self.items.iter_mut().filter(|item| item.is_writable) {
            item.bytes.clone_from(&item.initial);
        }
    }

    fn save(&self) -> State {
        let Self {
            items,
            selected,
            offset,
            dma_high,
        } = self;
        let writable = items.iter().filter(|item| item.is_writable);
        let saved = SavedV1 {
            selected: *selected,
            offset: *offset,
            dma_high: *dma_high,
            written: writable
                .map(|item| (item.key, item.bytes.clone()))
                .collect(),
        };
        State::encode(1, &saved)
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let saved: SavedV1 = state.decode(self.name(), 1)?;
        let fits = |(key, bytes): &(u16, Vec<u8>)| {
            let item = self.items.iter().find(|item| item.key == *key);
            item.is_some_and(|item| item.is_writable && item.bytes.len() == bytes.len())
        };
        if !saved.written.iter().all(fits) {
            return Err(RestoreError::Impossible {
                device: self.name(),
                what: "an item was written that is not writable here",
            });
        }
        for (key, bytes) in saved.written {
            for item in self.items.iter_mut().filter(|item| item.key == key) {
                item.bytes.clone_from(&bytes);
            }
        }
        self.select(saved.selected);
        self.skip(saved.offset);
        self.dma_high = saved.dma_high;
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }
}

impl Registers for FwCfg {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        let width = bytes.len();
        match (register, bytes) {
            (1, [byte]) => *byte = self.next_byte(),
            (4..=11, bytes) => {
                let start = register as usize - 4;
                let signature = DMA_SIGNATURE
                    .get(start..start.saturating_add(width))
                    .ok_or(BusError::NoRegister(register))?;
                bytes.copy_from_slice(signature);
            }
            (1, _) => {
                return Err(BusError::BadWidth {
                    register,
                    bytes: width,
                });
            }
            _ => return Err(BusError::NoRegister(register)),
        }
        Ok(())
    }

    fn write(&mut self, register: u64, bytes: &[u8], cx: &mut Context<'_>) -> Result<(), BusError> {
        match (register, bytes) {
            (0, &[low, high]) => self.select(u16::from_le_bytes([low, high])),
            // The data register has been read-only since DMA came.
            (1, &[_]) => {}
            (4, &[a, b, c, d]) => self.dma_high = u32::from_be_bytes([a, b, c, d]),
            (8, &[a, b, c, d]) => {
                let low = u32::from_be_bytes([a, b, c, d]);
                let address = u64::from(std::mem::take(&mut self.dma_high)) << 32 | u64::from(low);
                self.command(address, cx.memory);
            }
            (4, &[a, b, c, d, e, f, g, h]) => {
                self.dma_high = 0;
                self.command(u64::from_be_bytes([a, b, c, d, e, f, g, h]), cx.memory);
            }
            (0 | 1 | 4..=11, bytes) => {
                return Err(BusError::BadWidth {
                    register,
                    bytes: bytes.len(),
                });
            }
            _ => return Err(BusError::NoRegister(register)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
