//! ATA channels and the drives on them.
//!
//! ATA/ATAPI-6 (INCITS 361, T13/1410D). [`PiixIde`](crate::PiixIde) is a pair of
//! channels with bus masters. A channel's registers: 0 is the data port, 1 to 7 the command block, 8 the
//! control block's one register (alternate status, device control).
//!
//! | file | what it is |
//! | --- | --- |
//! | `channel.rs` | two drives on a cable |
//! | `registers.rs` | the registers of a drive |
//! | `drive.rs` | what the channel asks of a drive, whichever it is |
//! | `disk.rs`, `disk/` | an ATA disk |
//! | `cd_rom.rs`, `cd_rom/` | an ATAPI CD-ROM drive |
//! | `identity.rs` | what the identities of both have in common |
//! | `bus_master.rs` | the bus master of one channel |

pub(crate) mod bus_master;
mod cd_rom;
pub(crate) mod channel;
mod disk;
mod drive;
mod identity;
mod registers;

pub use cd_rom::{CdRom, Disc};
pub use drive::IdeDrive;

#[cfg(test)]
mod tests;
