//! What every chip must do, whatever it is: checks for tests and fuzzing.
//!
//! [`check`] asserts, and so panics, when a chip breaks the contract of
//! [`device`](crate::device). [`Probe`] drives a chip as a board would.

use crate::bus_error::BusError;
use crate::device::{Context, Device};
use crate::dma::NoMemory;
use crate::pci::Window;
use crate::snapshot::State;
use crate::time::Time;

/// One access, some time after the one before it.
#[derive(Clone, Debug)]
pub struct Access {
    /// Time since the access before, in nanoseconds.
    pub after_ns: u64,
    /// Register number, existing or not.
    pub register: u64,
    /// What is done to it.
    pub action: Action,
}

/// Reading or writing.
#[derive(Clone, Debug)]
pub enum Action {
    /// Reads this many bytes.
    Read(usize),
    /// Writes these bytes.
    Write(Vec<u8>),
    /// Reads four bytes of PCI configuration space, if the chip has one.
    ConfigRead,
    /// Writes these bytes to PCI configuration space.
    ConfigWrite(Vec<u8>),
}

/// A chip on a workbench: accesses at a time of one's choosing, no memory.
pub struct Probe<'a> {
    device: &'a mut dyn Device,
    now: Time,
}

impl<'a> Probe<'a> {
    /// Takes `device` to the bench, at power-on time.
    pub fn new(device: &'a mut dyn Device) -> Self {
        Self {
            device,
            now: Time::ZERO,
        }
    }

    /// The time on the bench.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// The chip.
    pub fn device(&mut self) -> &mut dyn Device {
        self.device
    }

    /// When the chip next acts on its own.
    pub fn next_deadline(&mut self) -> Option<Time> {
        self.device.timed().and_then(|timed| timed.next_deadline())
    }

    /// Lets `ns` nanoseconds pass.
    pub fn wait_ns(&mut self, ns: u64) {
        self.wait_until(self.now.after_ns(ns));
    }

    /// Lets time pass up to `time`, then brings the chip up to it.
    pub fn wait_until(&mut self, time: Time) {
        self.now = self.now.max(time);
        let mut cx = Context {
            now: self.now,
            memory: &mut NoMemory,
        };
        if let Some(timed) = self.device.timed() {
            timed.advance(&mut cx);
        }
    }

    /// Lets time pass until the chip acts, if it will.
    pub fn wait_for_deadline(&mut self) -> Option<Time> {
        let deadline = self.next_deadline()?;
        self.wait_until(deadline);
        Some(deadline)
    }

    /// Reads one byte; all ones if nothing answers.
    pub fn read(&mut self, register: u64) -> u8 {
        let mut byte = [0xff];
        match self.read_bytes(register, &mut byte) {
            Ok(()) => byte[0],
            Err(_) => 0xff,
        }
    }

    /// Writes one byte, lost if nothing answers.
    pub fn write(&mut self, register: u64, byte: u8) {
        let _ = self.write_bytes(register, &[byte]);
    }

    /// Reads `bytes.len()` bytes.
    ///
    /// # Errors
    /// The chip's answer.
    pub fn read_bytes(&mut self, register: u64, bytes: &mut [u8]) -> Result<(), BusError> {
        self.wait_until(self.now);
        let mut cx = Context {
            now: self.now,
            memory: &mut NoMemory,
        };
        let registers = self.device.registers();
        registers.map_or(Err(BusError::NoRegister(register)), |registers| {
            registers.read(register, bytes, &mut cx)
        })
    }

    /// Writes `bytes`.
    ///
    /// # Errors
    /// The chip's answer.
    pub fn write_bytes(&mut self, register: u64, bytes: &[u8]) -> Result<(), BusError> {
        self.wait_until(self.now);
        let mut cx = Context {
            now: self.now,
            memory: &mut NoMemory,
        };
        let registers = self.device.registers();
        registers.map_or(Err(BusError::NoRegister(register)), |registers| {
            registers.write(register, bytes, &mut cx)
        })
    }

    /// Reads a double word of its PCI configuration space; all ones if it has none.
    pub fn config_read(&mut self, register: u8) -> u32 {
        let mut bytes = [0xff; 4];
        let mut cx = Context {
            now: self.now,
            memory: &mut NoMemory,
        };
        if let Some(function) = self.device.pci() {
            function.config_read(register, &mut bytes, &mut cx);
        }
        u32::from_le_bytes(bytes)
    }

    /// Writes to its PCI configuration space, if it has one.
    pub fn config_write(&mut self, register: u8, bytes: &[u8]) {
        let mut cx = Context {
            now: self.now,
            memory: &mut NoMemory,
        };
        if let Some(function) = self.device.pci() {
            function.config_write(register, bytes, &mut cx);
        }
    }

    /// What it decodes on the PCI bus.
    pub fn windows(&mut self) -> Vec<Window> {
        let function = self.device.pci();
        function.map_or_else(Vec::new, |function| function.windows())
    }

    /// Carries `access` out and returns what a read returned.
    fn run(&mut self, access: &Access) -> Vec<u8> {
        self.wait_ns(access.after_ns);
        self.assert_deadline_ahead();
        let mut answer = Vec::new();
        match &access.action {
            Action::Read(width) => {
                answer.resize(*width, 0xff);
                if self.read_bytes(access.register, &mut answer).is_err() {
                    answer.fill(0xff);
                }
            }
            Action::Write(bytes) => {
                let _ = self.write_bytes(access.register, bytes);
            }
            Action::ConfigRead => {
                answer = self
                    .config_read(access.register as u8)
                    .to_le_bytes()
                    .to_vec();
            }
            Action::ConfigWrite(bytes) => self.config_write(access.register as u8, bytes),
        }
        self.assert_deadline_ahead();
        answer
    }

    fn assert_deadline_ahead(&mut self) {
        let (now, name) = (self.now, self.device.name());
        // At the end of time there is no ahead.
        if let Some(deadline) = self.next_deadline()
            && now.0 < u64::MAX
        {
            assert!(
                deadline > now,
                "{name}: deadline {deadline:?} is not after {now:?}"
            );
        }
    }
}

/// Asserts that `device` keeps the contract under `accesses`.
///
/// Reset twice equals once; save, restore, save is equal; a disturbed device
/// restored equals the saved one; any access at any width returns; deadlines
/// lie ahead; states of the future and damaged ones are refused or survived.
///
/// # Panics
/// When the contract is broken.
pub fn check(device: &mut dyn Device, accesses: &[Access]) {
    let name = device.name();
    let (first, second) = accesses.split_at(accesses.len() / 2);
    let mut bench = Probe::new(device);
    for access in first {
        bench.run(access);
    }

    let saved = bench.device.save();
    restore(bench.device, &saved);
    assert_eq!(bench.device.save(), saved, "{name}: save, restore, save");

    for access in second {
        bench.run(access);
    }
    restore(bench.device, &saved);
    assert_eq!(bench.device.save(), saved, "{name}: disturbed, restored");

    check_foreign_states(bench.device, &saved, accesses);

    // Reset keeps what a battery keeps, so it is compared with itself only.
    device.reset();
    let once = device.save();
    device.reset();
    assert_eq!(device.save(), once, "{name}: reset twice equals once");
}

/// Asserts that a restored `device` answers `accesses` as the saved one did.
///
/// Only for chips whose answers do not depend on a host end that a restore
/// does not rewind.
///
/// # Panics
/// When an answer, the state afterwards or a deadline differs.
pub fn check_replay(device: &mut dyn Device, accesses: &[Access]) {
    let name = device.name();
    let (first, second) = accesses.split_at(accesses.len() / 2);
    let mut bench = Probe::new(device);
    for access in first {
        bench.run(access);
    }
    let saved = bench.device.save();
    let then = bench.now;
    let mut replay = || {
        bench.now = then;
        restore(bench.device, &saved);
        let answers: Vec<_> = second.iter().map(|access| bench.run(access)).collect();
        (answers, bench.device.save(), bench.next_deadline())
    };
    assert_eq!(replay(), replay(), "{name}: a restored run differs");
}

/// Restores what a chip itself has saved, which it must take.
fn restore(device: &mut dyn Device, saved: &State) {
    if let Err(error) = device.restore(saved.clone()) {
        panic!("{}: its own state is refused: {error}", device.name());
    }
}

/// States that this chip never wrote must be refused, or do no harm.
fn check_foreign_states(device: &mut dyn Device, saved: &State, accesses: &[Access]) {
    let name = device.name();
    let future = State::from_parts(u32::MAX, saved.bytes().to_vec());
    assert!(device.restore(future).is_err(), "{name}: takes the future");
    let mut longer = saved.bytes().to_vec();
    longer.push(0);
    let longer = State::from_parts(saved.version(), longer);
    assert!(device.restore(longer).is_err(), "{name}: takes extra bytes");
    assert_eq!(device.save(), *saved, "{name}: a refusal changed it");

    for (index, access) in accesses.iter().enumerate().take(32) {
        let mut bytes = saved.bytes().to_vec();
        let Some(length) = std::num::NonZeroUsize::new(bytes.len()) else {
            break;
        };
        let byte = index.wrapping_mul(0x9e37) % length;
        bytes[byte] = (access.register as u8).wrapping_add(0x80);
        if device
            .restore(State::from_parts(saved.version(), bytes))
            .is_ok()
        {
            let mut bench = Probe::new(device);
            for access in accesses.iter().take(16) {
                bench.wait_ns(access.after_ns);
                match &access.action {
                    Action::Read(width) => {
                        let _ = bench.read_bytes(access.register, &mut vec![0; *width]);
                    }
                    Action::Write(bytes) => {
                        let _ = bench.write_bytes(access.register, bytes);
                    }
                    Action::ConfigRead => {
                        let _ = bench.config_read(access.register as u8);
                    }
                    Action::ConfigWrite(bytes) => {
                        bench.config_write(access.register as u8, bytes);
                    }
                }
            }
        }
    }
    restore(device, saved);
}

#[cfg(test)]
mod tests;
