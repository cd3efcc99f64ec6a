//! Reading and writing the local APIC's registers: the memory page of xAPIC
//! mode (SDM 3A, 11.4.1) and the MSRs of x2APIC mode (11.12.1).

use super::registers::{Command, Entry, Errors, Lvt, Spurious, VERSION, index};
use super::timer::Mode;
use super::{FLAT, LocalApic, MSR_REGISTERS, Refused};
use crate::bus_error::BusError;
use crate::device::{Context, Registers};

/// Bytes of the memory page.
const PAGE: u64 = 0x1000;
/// MSRs of the x2APIC: 800h to 8FFh.
const MSRS: u64 = 0x100;

impl Registers for LocalApic {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        self.now = cx.now;
        match register {
            0..PAGE => self.read_page(register, bytes),
            MSR_REGISTERS.. => {
                let width = bytes.len();
                let bytes = <&mut [u8; 8]>::try_from(bytes).map_err(|_| BusError::BadWidth {
                    register,
                    bytes: width,
                })?;
                let index = register - MSR_REGISTERS;
                let value = u32::try_from(index).map_err(|_| Refused);
                let value = value.and_then(|index| self.read_msr(index));
                *bytes = value
                    .map_err(|Refused| BusError::NoRegister(register))?
                    .to_le_bytes();
                Ok(())
            }
        }
    }

    fn write(&mut self, register: u64, bytes: &[u8], cx: &mut Context<'_>) -> Result<(), BusError> {
        self.now = cx.now;
        let bad_width = BusError::BadWidth {
            register,
            bytes: bytes.len(),
        };
        match register {
            0..PAGE => {
                let bytes = <[u8; 4]>::try_from(bytes).map_err(|_| bad_width)?;
                if !register.is_multiple_of(16) {
                    return Err(BusError::NoRegister(register));
                }
                self.write_register((register / 16) as u32, u32::from_le_bytes(bytes));
                Ok(())
            }
            MSR_REGISTERS.. => {
                let bytes = <[u8; 8]>::try_from(bytes).map_err(|_| bad_width)?;
                let index = u32::try_from(register - MSR_REGISTERS);
                index
                    .map_err(|_| Refused)
                    .and_then(|index| self.write_msr(index, u64::from_le_bytes(bytes)))
                    .map_err(|Refused| BusError::NoRegister(register))
            }
        }
    }
}

impl LocalApic {
    /// The four bytes of the memory page at `offset`, if neither time nor other chips
    /// change them, nor reading anything: nobody need look at the APIC before or after.
    ///
    /// Systems read the ID all the time, to know which processor they run on.
    #[must_use]
    pub fn steady_word(&self, offset: u64) -> Option<u32> {
        let registers = &self.registers;
        if !offset.is_multiple_of(16) {
            return None;
        }
        match (offset / 16) as u32 {
            index::ID => Some(registers.id << 24),
            steady @ (index::VERSION
            | index::TASK_PRIORITY
            | index::SPURIOUS
            | index::INITIAL_COUNT
            | index::DIVIDE) => self.read_shared(steady).ok(),
            _ => None,
        }
    }

    /// A read of the memory page: a register's four bytes or a part of them.
    fn read_page(&mut self, register: u64, bytes: &mut [u8]) -> Result<(), BusError> {
        let width = bytes.len();
        let start = (register % 16) as usize;
        if start >= 4 {
            return Err(BusError::NoRegister(register));
        }
        if width == 0 || width > 4 - start {
            return Err(BusError::BadWidth {
                register,
                bytes: width,
            });
        }
        let value = self.read_register((register / 16) as u32).to_le_bytes();
        bytes.copy_from_slice(&value[start..start + width]);
        Ok(())
    }

    /// A register of the memory page.
    fn read_register(&mut self, register: u32) -> u32 {
        match register {
            index::ID => self.registers.id << 24,
            index::ARBITRATION_PRIORITY => u32::from(self.arbitration_priority()),
            index::REMOTE_READ => 0,
            index::LOGICAL_DESTINATION => u32::from(self.registers.logical_destination) << 24,
            index::DESTINATION_FORMAT => {
                u32::from(self.registers.destination_format) << 28 | 0x0fff_ffff
            }
            index::COMMAND_HIGH => self.registers.command_high & 0xff00_0000,
            // Write only, or not in this mode.
            index::EOI => 0,
            index::SELF_IPI => self.no_register(),
            _ => match self.read_shared(register) {
                Ok(value) => value,
                Err(Refused) => self.no_register(),
            },
        }
    }

    fn no_register(&mut self) -> u32 {
        self.error(Errors::ILLEGAL_REGISTER);
        0
    }

    /// A register that both modes have and that reads the same in both.
    fn read_shared(&self, register: u32) -> Result<u32, Refused> {
        let registers = &self.registers;
        let word = |first: u32| (register - first) as usize;
        Ok(match register {
            index::VERSION => VERSION,
            index::TASK_PRIORITY => u32::from(registers.task_priority),
            index::PROCESSOR_PRIORITY => u32::from(self.processor_priority()),
            index::SPURIOUS => registers.spurious.bits(),
            index::IN_SERVICE..=index::IN_SERVICE_LAST => {
                registers.in_service.word(word(index::IN_SERVICE))
            }
            index::TRIGGER_MODE..=index::TRIGGER_MODE_LAST => {
                registers.trigger_mode.word(word(index::TRIGGER_MODE))
            }
            index::REQUEST..=index::REQUEST_LAST => registers.requests.word(word(index::REQUEST)),
            index::ERROR_STATUS => registers.errors.bits(),
            index::COMMAND_LOW => registers.command_low,
            index::LVT_TIMER..=index::LVT_ERROR => registers.lvt[word(index::LVT_TIMER)].bits(),
            index::INITIAL_COUNT => registers.timer.initial(),
            index::CURRENT_COUNT => {
                let mode = self.timer_mode();
                registers.timer.current(mode, self.model.timer_hz, self.now)
            }
            index::DIVIDE => u32::from(registers.timer.divide()),
            _ => return Err(Refused),
        })
    }

    /// A write to a register of the memory page.
    fn write_register(&mut self, register: u32, value: u32) {
        match register {
            index::ID => self.registers.id = value >> 24,
            index::LOGICAL_DESTINATION => {
                self.registers.logical_destination = (value >> 24) as u8;
            }
            index::DESTINATION_FORMAT => {
                self.registers.destination_format = (value >> 28) as u8 & FLAT;
            }
            index::EOI => self.end_of_interrupt(),
            index::ERROR_STATUS => self.latch_errors(),
            index::COMMAND_HIGH => self.registers.command_high = value & 0xff00_0000,
            index::COMMAND_LOW => {
                let command = Command::from_bits_truncate(value);
                self.registers.command_low = command.bits();
                self.send(command, self.registers.command_high >> 24);
            }
            // Read only.
            index::VERSION
            | index::ARBITRATION_PRIORITY
            | index::PROCESSOR_PRIORITY
            | index::REMOTE_READ
            | index::IN_SERVICE..=index::REQUEST_LAST
            | index::CURRENT_COUNT => {}
            _ => {
                if self.write_shared(register, value).is_err() {
                    self.error(Errors::ILLEGAL_REGISTER);
                }
            }
        }
    }

    /// A write to a register that both modes write alike; bits that do not
    /// exist are dropped.
    fn write_shared(&mut self, register: u32, value: u32) -> Result<(), Refused> {
        match register {
            index::TASK_PRIORITY => self.registers.task_priority = value as u8,
            index::SPURIOUS => {
                self.registers.spurious = Spurious::from_bits_truncate(value);
                if !self.registers.spurious.contains(Spurious::ENABLE) {
                    for entry in &mut self.registers.lvt {
                        entry.insert(Lvt::MASK);
                    }
                }
            }
            index::LVT_TIMER..=index::LVT_ERROR => {
                let entry = Entry::of_register(register).ok_or(Refused)?;
                self.write_lvt(entry, value);
            }
            index::INITIAL_COUNT => {
                if self.timer_mode() != Mode::TscDeadline {
                    self.registers.timer.start(value, self.now);
                }
            }
            index::DIVIDE => {
                let (mode, hz) = (self.timer_mode(), self.model.timer_hz);
                let timer = &mut self.registers.timer;
                timer.set_divide(value as u8, mode, hz, self.now);
            }
            _ => return Err(Refused),
        }
        Ok(())
    }

    fn write_lvt(&mut self, entry: Entry, value: u32) {
        let before = self.timer_mode();
        let slot = &mut self.registers.lvt[entry as usize];
        let kept = *slot & Lvt::REMOTE_IRR;
        *slot = Lvt::from_bits_retain(value & entry.writable());
        if slot.contains(Lvt::LEVEL) {
            slot.insert(kept);
        }
        if !self.registers.spurious.contains(Spurious::ENABLE) {
            slot.insert(Lvt::MASK);
        }
        let after = self.timer_mode();
        let timer = &mut self.registers.timer;
        if after == before {
            return;
        }
        if after == Mode::TscDeadline || before == Mode::TscDeadline {
            timer.disarm(self.now);
        } else {
            timer.change_mode(before, self.model.timer_hz, self.now);
        }
    }

    /// A write to the error status register shows what has gathered.
    fn latch_errors(&mut self) {
        self.registers.errors = self.registers.new_errors;
        self.registers.new_errors = Errors::empty();
    }

    /// MSR 800h + `register` in x2APIC mode.
    ///
    /// # Errors
    /// Not in this mode, no such register, or one that is only written.
    pub fn read_msr(&mut self, register: u32) -> Result<u64, Refused> {
        if !self.is_x2apic() {
            return Err(Refused);
        }
        Ok(match register {
            index::ID => u64::from(self.model.id),
            index::LOGICAL_DESTINATION => u64::from(self.x2apic_logical_id()),
            index::COMMAND_LOW => {
                let high = u64::from(self.registers.command_high) << 32;
                high | u64::from(self.registers.command_low)
            }
            _ => u64::from(self.read_shared(register)?),
        })
    }

    /// A write to MSR 800h + `register` in x2APIC mode.
    ///
    /// # Errors
    /// Not in this mode, no such register, one that is only read, or a
    /// reserved bit.
    pub fn write_msr(&mut self, register: u32, value: u64) -> Result<(), Refused> {
        if !self.is_x2apic() || u64::from(register) >= MSRS {
            return Err(Refused);
        }
        let writable = match register {
            index::TASK_PRIORITY | index::SELF_IPI => 0xff,
            index::EOI | index::ERROR_STATUS => 0,
            index::SPURIOUS => u64::from(Spurious::all().bits()),
            index::COMMAND_LOW => 0xffff_ffff_0000_0000 | u64::from(Command::all().bits()),
            index::INITIAL_COUNT => 0xffff_ffff,
            index::DIVIDE => 0b1011,
            index::LVT_TIMER..=index::LVT_ERROR => {
                let entry = Entry::of_register(register).ok_or(Refused)?;
                // Status bits may be written and change nothing.
                u64::from(entry.writable()) | 1 << 12 | u64::from(Lvt::REMOTE_IRR.bits())
            }
            _ => return Err(Refused),
        };
        if value & !writable != 0 {
            return Err(Refused);
        }
        match register {
            index::EOI => self.end_of_interrupt(),
            index::ERROR_STATUS => self.latch_errors(),
            index::COMMAND_LOW => {
                let command = Command::from_bits_truncate(value as u32);
                self.registers.command_low = command.bits();
                self.registers.command_high = (value >> 32) as u32;
                self.send(command, self.registers.command_high);
            }
            index::SELF_IPI => {
                let to_self = Command::from_bits_truncate(1 << 18 | value as u32);
                self.send(to_self, 0);
            }
            _ => self.write_shared(register, value as u32)?,
        }
        Ok(())
    }
}
