//! Configuration mechanism 1: an address register and a window of four ports.
//!
//! PCI Local Bus Specification 2.2, 3.2.2.3.2, as the Intel 440FX datasheet
//! (290549) has it, "CONFADD" and "CONFDATA". Registers 0 to 3 are the address
//! register, which takes whole double words only: a narrower access goes by
//! as an ordinary I/O cycle, which is how the reset control register can
//! lie in the middle of it. Registers 4 to 7 are the data window. It is the
//! board that carries a data cycle to its function: [`ConfigMechanism::target`].

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers};
use crate::snapshot::{RestoreError, State};

bitflags! {
    /// The address register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Address: u32 {
        /// Data accesses are configuration cycles.
        const ENABLE = 1 << 31;
        /// Bus number.
        const BUS = 0xff << 16;
        /// Device number.
        const DEVICE = 0x1f << 11;
        /// Function number.
        const FUNCTION = 7 << 8;
        /// Double word in configuration space.
        const REGISTER = 0x3f << 2;
    }
}

/// Where a data cycle goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigTarget {
    /// Bus number.
    pub bus: u8,
    /// Device number, below 32.
    pub device: u8,
    /// Function number, below 8.
    pub function: u8,
    /// First byte in the function's configuration space.
    pub register: u8,
}

/// The address register.
#[derive(Debug)]
pub struct ConfigMechanism {
    address: Address,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    address: u32,
}

/// First register of the data window.
const DATA: u64 = 4;

impl ConfigMechanism {
    /// A mechanism that is not enabled.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            address: Address::empty(),
        }
    }

    /// What an access of `width` bytes to data register `register` (4 to 7)
    /// reaches: nothing unless enabled, or if it reaches past the window.
    #[must_use]
    pub const fn target(&self, register: u64, width: usize) -> Option<ConfigTarget> {
        let enabled = self.address.contains(Address::ENABLE);
        if !enabled || register < DATA || width == 0 || width > 4 || register > 8 - width as u64 {
            return None;
        }
        let [low, function, bus, _] = self.address.bits().to_le_bytes();
        Some(ConfigTarget {
            bus,
            device: function >> 3,
            function: function & 7,
            register: low | (register - DATA) as u8,
        })
    }
}

impl Default for ConfigMechanism {
    fn default() -> Self {
        Self::new()
    }
}

impl Device for ConfigMechanism {
    fn name(&self) -> &'static str {
        "pci-config"
    }

    fn reset(&mut self) {
        self.address = Address::empty();
    }

    fn save(&self) -> State {
        let Self { address } = self;
        let address = address.bits();
        State::encode(1, &SavedV1 { address })
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let SavedV1 { address } = state.decode(self.name(), 1)?;
        self.address = Address::from_bits_truncate(address);
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }
}

impl Registers for ConfigMechanism {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        let width = bytes.len();
        match (register, width) {
            (0, 4) => bytes.copy_from_slice(&self.address.bits().to_le_bytes()),
            (0..=3, bytes) => return Err(BusError::BadWidth { register, bytes }),
            _ => return Err(BusError::NoRegister(register)),
        }
        Ok(())
    }

    fn write(
        &mut self,
        register: u64,
        bytes: &[u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        match (register, bytes) {
            (0, &[a, b, c, d]) => {
                self.address = Address::from_bits_truncate(u32::from_le_bytes([a, b, c, d]));
                Ok(())
            }
            (0..=3, bytes) => Err(BusError::BadWidth {
                register,
                bytes: bytes.len(),
            }),
            _ => Err(BusError::NoRegister(register)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ConfigMechanism, ConfigTarget};
    use crate::conformance::Probe;

    fn with_address(address: u32) -> ConfigMechanism {
        let mut mechanism = ConfigMechanism::new();
        Probe::new(&mut mechanism)
            .write_bytes(0, &address.to_le_bytes())
            .unwrap();
        mechanism
    }

    #[test]
    fn the_address_register_keeps_only_the_bits_it_has() {
        let mut mechanism = with_address(0xffff_ffff);
        let mut address = [0; 4];
        Probe::new(&mut mechanism)
            .read_bytes(0, &mut address)
            .unwrap();
        assert_eq!(u32::from_le_bytes(address), 0x80ff_fffc);
    }

    #[test]
    fn narrow_accesses_pass_the_address_register_by() {
        let mut mechanism = with_address(0x8000_0000);
        let mut probe = Probe::new(&mut mechanism);
        assert!(probe.write_bytes(0, &[0]).is_err());
        assert!(probe.write_bytes(1, &[6]).is_err());
        assert!(probe.write_bytes(2, &[0, 0]).is_err());
        assert!(probe.read_bytes(0, &mut [0; 2]).is_err());
        assert!(mechanism.target(4, 1).is_some(), "still enabled");
    }

    #[test]
    fn data_cycles_go_where_the_address_says() {
        let mechanism = with_address(0x8000_0000 | 2 << 16 | 3 << 11 | 1 << 8 | 0x60);
        let target = |register| ConfigTarget {
            bus: 2,
            device: 3,
            function: 1,
            register,
        };
        assert_eq!(mechanism.target(4, 4), Some(target(0x60)));
        assert_eq!(mechanism.target(6, 2), Some(target(0x62)));
        assert_eq!(mechanism.target(7, 1), Some(target(0x63)));
        assert_eq!(mechanism.target(7, 2), None, "past the window");
        assert_eq!(mechanism.target(5, 4), None);
        assert_eq!(mechanism.target(u64::MAX, 1), None);
    }

    #[test]
    fn without_the_enable_bit_nothing_is_reached() {
        assert_eq!(with_address(0x0000_0800).target(4, 4), None);
    }
}
