//! PCI: configuration space and how software reaches it.
//!
//! PCI Local Bus Specification 2.2, chapter 6 (configuration space, BARs,
//! capabilities, MSI), and PCI-to-PCI Bridge Architecture Specification 1.1
//! for the type 1 header. A chip that is a PCI function keeps a
//! [`ConfigSpace`] and answers [`Device::pci`](crate::Device::pci); the board
//! gives it a place on the bus, hands it the configuration cycles that
//! [`ConfigMechanism`] decodes, and maps its [`Window`]s where they lie.

use crate::device::Context;

mod bar;
mod config_space;
mod mechanism;
mod msi;

pub use bar::{Bar, Space, Window};
pub use config_space::{Command, ConfigSpace, Identity, Pin, SavedConfigV1, Status};
pub use mechanism::{ConfigMechanism, ConfigTarget};
pub use msi::{MsiCapability, MsiMessage};

/// A chip seen from the PCI bus: one function.
pub trait PciFunction {
    /// Its configuration space.
    fn config(&mut self) -> &mut ConfigSpace;

    /// A configuration read of at most four bytes from `register` on.
    fn config_read(&mut self, register: u8, bytes: &mut [u8], _cx: &mut Context<'_>) {
        self.config().read(register, bytes);
    }

    /// A configuration write. Windows may lie elsewhere afterwards.
    fn config_write(&mut self, register: u8, bytes: &[u8], _cx: &mut Context<'_>) {
        self.config().write(register, bytes);
    }

    /// The addresses it decodes now, and which of its registers they are.
    fn windows(&mut self) -> Vec<Window> {
        self.config().windows()
    }
}
