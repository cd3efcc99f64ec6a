//! What a chip is: the contract between the chips and the board.

use std::any::Any;

use crate::bus_error::BusError;
use crate::dma::Dma;
use crate::pci::PciFunction;
use crate::snapshot::{RestoreError, State};
use crate::time::Time;

/// What a device may touch while it serves one access.
pub struct Context<'a> {
    /// The time of the access. It never goes backwards between accesses.
    pub now: Time,
    /// The system's memory.
    pub memory: &'a mut dyn Dma,
}

/// A chip. It is [`Any`], so that the board finds one again to lay hands on it:
/// to put a disc in, say, or to press a key.
pub trait Device: Any + Send {
    /// Its name in logs and snapshots.
    fn name(&self) -> &'static str;

    /// Puts every register in its power-on state.
    ///
    /// What a battery keeps (the real-time clock's time and memory) and what
    /// lies behind the host ends (disk contents, unread input) survives.
    fn reset(&mut self);

    /// Its state, as a versioned serde type.
    fn save(&self) -> State;

    /// Takes a state back, and drives its wires as they were.
    ///
    /// # Errors
    /// When `state` was written by a newer version or is not a state of this
    /// chip. The chip is then as it was.
    fn restore(&mut self, state: State) -> Result<(), RestoreError>;

    /// Its registers, if it has any.
    fn registers(&mut self) -> Option<&mut dyn Registers> {
        None
    }

    /// Its clockwork, if it acts on its own.
    fn timed(&mut self) -> Option<&mut dyn Timed> {
        None
    }

    /// Its side on the PCI bus, if it is there.
    fn pci(&mut self) -> Option<&mut dyn PciFunction> {
        None
    }
}

/// Registers, numbered from zero. Ports or memory: the board decides.
pub trait Registers {
    /// The guest reads; `bytes.len()` is the width of the access.
    ///
    /// # Errors
    /// When nothing answers; the bus then floats to all ones.
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Result<(), BusError>;

    /// The guest writes; `bytes.len()` is the width of the access.
    ///
    /// # Errors
    /// When nothing takes the bytes; they are then lost.
    fn write(&mut self, register: u64, bytes: &[u8], cx: &mut Context<'_>) -> Result<(), BusError>;
}

/// A device that acts on its own.
pub trait Timed {
    /// When it next changes something the guest can see.
    fn next_deadline(&self) -> Option<Time>;

    /// Brings it up to `cx.now`. Called before every access.
    fn advance(&mut self, cx: &mut Context<'_>);
}

/// The one byte of an 8-bit read.
pub(crate) fn byte_of_read(register: u64, bytes: &mut [u8]) -> Result<&mut u8, BusError> {
    let width = bytes.len();
    match bytes {
        [byte] => Ok(byte),
        _ => Err(BusError::BadWidth {
            register,
            bytes: width,
        }),
    }
}

/// The one byte of an 8-bit write.
pub(crate) fn byte_of_write(register: u64, bytes: &[u8]) -> Result<u8, BusError> {
    match bytes {
        &[byte] => Ok(byte),
        _ => Err(BusError::BadWidth {
            register,
            bytes: bytes.len(),
        }),
    }
}

/// Reads the bytes of `values`, the whole of a bank of registers with byte
/// enables, at any width; past its end is no register.
pub(crate) fn read_bank(register: u64, bytes: &mut [u8], values: &[u8]) -> Result<(), BusError> {
    let start = usize::try_from(register).map_err(|_| BusError::NoRegister(register))?;
    let bank = start
        .checked_add(bytes.len())
        .and_then(|end| values.get(start..end))
        .ok_or(BusError::NoRegister(register))?;
    bytes.copy_from_slice(bank);
    Ok(())
}
