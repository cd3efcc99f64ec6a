//! What firmware is told of the board, where that is for firmware itself to decide.
//!
//! The FADT (ACPI Specification 6.4, section 5.2.9) names the ports of the power management block. Firmware chooses them
//! (PMBA, 82371AB datasheet, section 7.1.1) and then reads the tables: rax's BIOS and SeaBIOS choose 600h, OVMF B000h.

use rax_devices::{FwCfg, PowerManagement};

use super::Board;
use crate::handover;

impl Board {
    /// Keeps what firmware is told up to date from now on; `machine` is what it was told.
    pub(crate) fn keep_told(&mut self, machine: handover::Machine) {
        self.told = Some(machine);
    }

    /// Tells firmware where it has put the power management block.
    pub(super) fn follow_power_block(&mut self) {
        let Some(told) = self.told else { return };
        let chip = self.find::<PowerManagement>();
        let Some(power_block) = chip.and_then(|chip| chip.block_start()) else {
            return;
        };
        let machine = handover::Machine {
            power_block,
            ..told
        };
        if power_block != told.power_block
            && let Some(fw_cfg) = self.find::<FwCfg>()
        {
            handover::describe_again(fw_cfg, &machine);
            self.told = Some(machine);
        }
    }
}
