//! Accesses to devices that bring the end of a run nearer: compiled code stops at the same
//! instruction as the interpreter, however near the end was before.

use rax_cpu::flags::LazyFlags;
use rax_cpu::state::Gpr;
use rax_cpu::testing::{Bits, NoPlatform, bare};
use rax_cpu::{CpuState, Engine, Interpreter, Platform, Stop};
use rax_jit::{Jit, Options};
use rax_mmu::{MmioSpace, PhysicalAddress};

use crate::pair::seeds;
use crate::programs::Random;

const RAM: u64 = 0x1_0000;
const CODE: u64 = 0x1000;

/// Nothing is due while nobody accesses anything; an access has something be due soon, by
/// chance, which depends on when it is alone.
struct Deadlines {
    rest: NoPlatform,
    seed: u64,
    now: u64,
    until: u64,
}

impl Deadlines {
    fn bring_nearer(&mut self) {
        let mut random = Random(self.seed ^ self.now);
        if random.one_in(3) {
            self.until = self.until.min(self.now + 1 + random.below(60));
        }
    }
}

impl MmioSpace for Deadlines {
    fn mmio_read(&mut self, address: PhysicalAddress, bytes: &mut [u8]) {
        self.bring_nearer();
        self.rest.mmio_read(address, bytes);
    }

    fn mmio_write(&mut self, address: PhysicalAddress, bytes: &[u8]) {
        self.bring_nearer();
        self.rest.mmio_write(address, bytes);
    }
}

impl Platform for Deadlines {
    fn begin_access(&mut self, instructions: u64) {
        self.now = instructions;
        if self.until <= instructions {
            self.until = u64::MAX;
        }
    }

    fn port_read(&mut self, port: u16, bytes: &mut [u8]) {
        self.rest.port_read(port, bytes);
    }

    fn port_write(&mut self, port: u16, bytes: &[u8]) {
        self.rest.port_write(port, bytes);
    }

    fn interrupt_pending(&mut self) -> bool {
        false
    }

    fn acknowledge_interrupt(&mut self) -> u8 {
        0
    }

    fn clock_cycles(&mut self) -> u64 {
        self.rest.clock_cycles()
    }

    fn random(&mut self) -> u64 {
        self.rest.random()
    }

    fn wants_attention(&self) -> bool {
        false
    }

    fn run_until(&self) -> u64 {
        self.until
    }
}

/// Short blocks in a loop, some of whose instructions access a device, at RBX.
fn program(random: &mut Random) -> Vec<u8> {
    let mut code = Vec::new();
    for _ in 0..2 + random.below(6) {
        for _ in 0..random.below(6) {
            match random.below(6) {
                0 => code.extend([0x8b, 0x03]),                   // mov eax, [rbx]
                1 => code.extend([0x89, 0x0b]),                   // mov [rbx], ecx
                2 => code.extend([0x81, 0x3b, 0xff, 0xff, 0, 0]), // cmp dword [rbx], 0ffffh
                3 => code.extend([0x01, 0xc8]),                   // add eax, ecx
                4 => code.extend([0x50, 0x51, 0x59, 0x58]),       // push, push, pop, pop
                _ => code.extend([0x48, 0xff, 0xc1]),             // inc rcx
            }
        }
        // A branch to what follows, taken or not.
        code.extend([0x70 | random.below(16) as u8, 0]);
    }
    code.push(0xe9);
    let back = -(code.len() as i32 + 4);
    code.extend(back.to_le_bytes());
    code
}

/// Where it stops again and again, within 4,000 instructions.
fn stops(seed: u64, is_compiled: bool) -> Vec<(Stop, u64, CpuState)> {
    let mut random = Random(seed);
    let mut cpu = bare(Bits::Long64, RAM).unwrap();
    let code = program(&mut random);
    let memory = cpu.mmu.memory().clone();
    memory.ram_write(PhysicalAddress(CODE), &code).unwrap();
    for n in 0..16 {
        // Two MiB each, from address zero: devices lie behind the RAM.
        let page = (n << 21 | 0x83_u64).to_le_bytes();
        memory
            .ram_write(PhysicalAddress(0x6000 + 8 * n), &page)
            .unwrap();
    }
    for (at, next) in [(0x4000, 0x5000), (0x5000, 0x6000)] {
        let entry = u64::to_le_bytes(next | 3);
        memory.ram_write(PhysicalAddress(at), &entry).unwrap();
    }
    cpu.state.cr4 |= 1 << 5;
    cpu.state.cr3 = 0x4000;
    cpu.state.cr0 |= 1 << 31;
    cpu.state.rip = CODE;
    cpu.state.set_gpr(Gpr::Rbx, 0x20_0000);
    cpu.state.set_gpr(Gpr::Rsp, 0x9000);
    cpu.platform = Box::new(Deadlines {
        rest: NoPlatform::default(),
        seed,
        now: 0,
        until: u64::MAX,
    });
    cpu.mmu.flush_all();
    cpu.update_mode();
    let mut engine: Box<dyn Engine> = if is_compiled {
        let options = Options {
            threshold: (seed % 3) as u16,
            cache_bytes: 1 << 18,
            interval: 64,
            hot: 1 + (seed % 2) as u8,
        };
        Box::new(Jit::new(&cpu, options).unwrap())
    } else {
        Box::new(Interpreter::new(&cpu))
    };
    let mut seen = Vec::new();
    while cpu.state.instructions < 4000 && seen.len() < 400 {
        let stop = engine.run(&mut cpu, 4000);
        let mut state = cpu.state.clone();
        state.set_gpr(Gpr::BlockRip, 0);
        state.flags = LazyFlags::from_status(state.flags.status());
        seen.push((stop, cpu.state.instructions, state));
        // What was due has been done.
        cpu.platform.begin_access(cpu.state.instructions);
    }
    seen
}

#[test]
fn runs_end_at_the_same_instruction() {
    let mut count = 0;
    for seed in seeds(400) {
        let [interpreted, compiled] = [false, true].map(|is_compiled| stops(seed, is_compiled));
        for (n, (a, b)) in interpreted.iter().zip(&compiled).enumerate() {
            assert!(
                a == b,
                "seed {seed}, stop {n}: {:?} {:?}",
                (a.0, a.1),
                (b.0, b.1)
            );
        }
        assert_eq!(interpreted.len(), compiled.len(), "seed {seed}");
        count += interpreted.len();
    }
    assert!(count > 4000, "{count} stops");
}
