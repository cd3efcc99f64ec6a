//! Interpreters side by side: one like the other, cut in other slices, and some
//! that are wrong on purpose.

use std::cell::Cell;
use std::sync::Arc;

use rax_cpu::state::Gpr;
use rax_cpu::testing::{Bits, bare};
use rax_cpu::{Cpu, Engine, Interpreter, Platform, Stop};
use rax_mmu::{MmioSpace, PhysicalAddress, PhysicalMemory};

use super::{Divergence, Lockstep, MakeEngine};

/// A device: port 10h counts reads, 11h writes to memory, 12h interrupts and moves the A20 gate.
struct Device {
    memory: Arc<PhysicalMemory>,
    reads: u8,
    interrupt: bool,
    now: u64,
}

impl MmioSpace for Device {
    fn mmio_read(&mut self, _address: PhysicalAddress, bytes: &mut [u8]) {
        bytes.fill(self.reads);
    }

    fn mmio_write(&mut self, _address: PhysicalAddress, _bytes: &[u8]) {}
}

impl Platform for Device {
    fn begin_access(&mut self, instructions: u64) {
        self.now = instructions;
    }

    fn port_read(&mut self, _port: u16, bytes: &mut [u8]) {
        self.reads = self.reads.wrapping_mul(5).wrapping_add(1);
        bytes.fill(self.reads);
    }

    fn port_write(&mut self, port: u16, bytes: &[u8]) {
        if port == 0x11 {
            let address = PhysicalAddress(0x8000 + u64::from(bytes[0]));
            self.memory.ram_write(address, &[self.reads; 3]).unwrap();
        } else {
            self.interrupt = true;
            self.memory.set_a20(self.reads & 4 != 0);
        }
    }

    fn interrupt_pending(&mut self) -> bool {
        self.interrupt
    }

    fn acknowledge_interrupt(&mut self) -> u8 {
        self.interrupt = false;
        0x20
    }

    fn clock_cycles(&mut self) -> u64 {
        self.now / 7
    }

    fn random(&mut self) -> u64 {
        self.reads = self.reads.wrapping_mul(3);
        u64::from(self.reads)
    }

    fn wants_attention(&self) -> bool {
        false
    }
}

/// STI, and for ever: IN, stores, OUT that writes memory, RDTSC, RDRAND, a loop of 200, and an
/// OUT that interrupts now and then; in real mode.
const PROGRAM: &[u8] = b"\xfb\
    \xe4\x10\x00\x07\x43\x81\xe3\xff\x3f\x81\xcb\x00\x40\xe6\x11\x0f\x31\x66\xa3\x10\x90\
    \x50\x59\xa8\x03\x75\x02\xe6\x12\xb9\xc8\x00\x49\x75\xfd\xeb\xd8";
/// INC word [9000h]; IRET.
const HANDLER: &[u8] = b"\xff\x06\x00\x90\xcf";

fn guest() -> Box<Cpu> {
    let mut cpu = bare(Bits::Real, 0x1_0000).unwrap();
    let memory = Arc::clone(cpu.mmu.memory());
    for (address, bytes) in [
        (0x1000, PROGRAM),
        (0x600, HANDLER),
        (0x80, b"\x00\x06\x00\x00"),
    ] {
        memory.ram_write(PhysicalAddress(address), bytes).unwrap();
    }
    cpu.platform = Box::new(Device {
        memory,
        reads: 0,
        interrupt: false,
        now: 0,
    });
    cpu.state.rip = 0x1000;
    cpu
}

fn interpreter() -> MakeEngine {
    Box::new(|cpu| Box::new(Interpreter::new(cpu)))
}

/// An interpreter that never runs more than a few instructions at a time.
struct InPieces(Interpreter, u64);

impl Engine for InPieces {
    fn run(&mut self, cpu: &mut Cpu, until: u64) -> Stop {
        loop {
            let end = until.min(cpu.state.instructions + self.1);
            let stop = self.0.run(cpu, end);
            if stop != Stop::Budget || cpu.state.instructions >= until {
                return stop;
            }
        }
    }

    fn step(&mut self, cpu: &mut Cpu) -> Stop {
        self.0.step(cpu)
    }
}

/// An interpreter that does something to the processor after so many instructions.
struct Wrong<F>(Interpreter, u64, F);

impl<F: Fn(&mut Cpu) + Send> Engine for Wrong<F> {
    fn run(&mut self, cpu: &mut Cpu, until: u64) -> Stop {
        if (cpu.state.instructions..until).contains(&self.1) {
            let stop = self.0.run(cpu, self.1);
            if stop != Stop::Budget {
                return stop;
            }
            (self.2)(cpu);
        }
        self.0.run(cpu, until)
    }

    fn step(&mut self, cpu: &mut Cpu) -> Stop {
        self.0.step(cpu)
    }
}

fn wrong(at: u64, act: impl Fn(&mut Cpu) + Clone + Send + 'static) -> MakeEngine {
    Box::new(move |cpu| Box::new(Wrong(Interpreter::new(cpu), at, act.clone())))
}

/// Runs the guest, with the machine doing something to memory and registers in between.
fn run(tested: MakeEngine) -> (Option<Divergence>, Box<Cpu>) {
    let mut cpu = guest();
    let mut lockstep = Lockstep::new(&mut cpu, [interpreter(), tested], 3000).unwrap();
    for until in (1..=6).map(|n| n * 20_000) {
        while cpu.state.instructions < until {
            if lockstep.run(&mut cpu, until) == Stop::Diverged {
                let again = lockstep.run(&mut cpu, until);
                assert_eq!(again, Stop::Diverged, "it stays so");
                return (lockstep.verdict().divergence(), cpu);
            }
        }
        let memory = cpu.mmu.memory();
        memory
            .ram_write(PhysicalAddress(0xa000), &until.to_le_bytes())
            .unwrap();
        cpu.state.set_gpr(Gpr::Rsi, until);
        assert_eq!(lockstep.step(&mut cpu), Stop::Budget);
    }
    (None, cpu)
}

#[test]
fn an_engine_agrees_with_itself_in_other_pieces() {
    for pieces in [1, 7, 100] {
        let tested: MakeEngine =
            Box::new(move |cpu| Box::new(InPieces(Interpreter::new(cpu), pieces)));
        let (divergence, cpu) = run(tested);
        assert_eq!(divergence, None);
        // The guest did get somewhere, interrupts included.
        let mut count = [0; 2];
        let memory = cpu.mmu.memory();
        memory
            .ram_read(PhysicalAddress(0x9000), &mut count)
            .unwrap();
        assert!(u16::from_le_bytes(count) > 10, "{count:?}");
    }
}

#[test]
fn the_machine_is_as_with_one_engine() {
    let mut alone = guest();
    let mut engine = Interpreter::new(&alone);
    let mut both = guest();
    let mut lockstep = Lockstep::new(&mut both, [interpreter(), interpreter()], 500).unwrap();
    for until in [10_000, 50_000] {
        while alone.state.instructions < until {
            engine.run(&mut alone, until);
        }
        while both.state.instructions < until {
            lockstep.run(&mut both, until);
        }
        assert_eq!(alone.state, both.state);
    }
}

#[test]
fn a_wrong_register_is_found_at_its_instruction() {
    let tested = wrong(44_444, |cpu| {
        let value = cpu.state.gpr(Gpr::Rdi);
        cpu.state.set_gpr(Gpr::Rdi, value ^ 4);
    });
    let found = run(tested).0.unwrap();
    assert!(found.is_narrow, "{found}");
    assert_eq!(
        (found.same_at, found.differs_at),
        (44_444, 44_445),
        "{found}"
    );
    assert_eq!(found.differences, ["Rdi: 0, 4"]);
    assert!(found.path.lines().count() >= 30, "{found}");
}

#[test]
fn a_wrong_byte_in_memory_is_found() {
    let tested = wrong(33_333, |cpu| {
        let memory = cpu.mmu.memory();
        memory.ram_write(PhysicalAddress(0x7123), &[1, 2]).unwrap();
    });
    let found = run(tested).0.unwrap();
    assert_eq!(
        (found.same_at, found.differs_at),
        (33_333, 33_334),
        "{found}"
    );
    assert_eq!(
        found.differences,
        ["memory at 0x7123, 2 bytes: [00, 00], [01, 02]"]
    );
}

#[test]
fn an_access_that_only_one_makes_is_found() {
    let tested = wrong(22_222, |cpu| {
        cpu.platform.begin_access(22_222);
        cpu.platform.port_write(0x55, &[1]);
    });
    let found = run(tested).0.unwrap();
    assert_eq!(found.differs_at, 22_223, "{found}");
    assert!(
        found.differences[0].contains("PortWrite(55, [1])"),
        "{found}"
    );
}

#[test]
fn what_new_engines_do_not_show_again_is_reported_by_its_slice() {
    let once = Cell::new(true);
    let tested: MakeEngine = Box::new(move |cpu| {
        let is_first = once.replace(false);
        let act = move |cpu: &mut Cpu| {
            let value = cpu.state.gpr(Gpr::Rdi);
            cpu.state.set_gpr(Gpr::Rdi, value + u64::from(is_first));
        };
        Box::new(Wrong(Interpreter::new(cpu), 11_111, act))
    });
    let found = run(tested).0.unwrap();
    assert!(!found.is_narrow, "{found}");
    assert!(
        (found.same_at..found.differs_at).contains(&11_111),
        "{found}"
    );
    assert_eq!(found.differences, ["Rdi: 0, 1"]);
}
