//! Nothing a guest does makes decoder, interpreter or MMU panic: random bytes run in
//! every mode, with random tables, segments and control bits, and write over themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;
use rax_cpu::segment::{Attributes, DescriptorTable, Segment};
use rax_cpu::state::{Activity, Gpr};
use rax_cpu::{Cpu, Engine, Interpreter, Model, Platform, Stop};
use rax_mmu::{MmioSpace, Mmu, PhysicalAddress, PhysicalMemory};

use crate::random::{Random, cases};

const RAM: u64 = 0x2_0000;
/// Where page tables stand; each program writes over some of it, too.
const TABLES: u64 = 0x1_0000;
const GDT: u64 = 0x1_8000;
const IDT: u64 = 0x1_9000;
const TSS: u64 = 0x1_b000;
const INSTRUCTIONS: u64 = 200;

/// Pins that give nonsense, interrupt at random, and end what goes on too long.
struct Nonsense {
    random: Random,
    patience: Arc<AtomicU32>,
}

impl MmioSpace for Nonsense {
    fn mmio_read(&mut self, _address: PhysicalAddress, bytes: &mut [u8]) {
        bytes.fill_with(|| self.random.next() as u8);
    }

    fn mmio_write(&mut self, _address: PhysicalAddress, _bytes: &[u8]) {}
}

impl Platform for Nonsense {
    fn begin_access(&mut self, _instructions: u64) {}

    fn port_read(&mut self, _port: u16, bytes: &mut [u8]) {
        bytes.fill_with(|| self.random.next() as u8);
    }

    fn port_write(&mut self, _port: u16, _bytes: &[u8]) {}

    fn interrupt_pending(&mut self) -> bool {
        self.random.one_in(64)
    }

    fn acknowledge_interrupt(&mut self) -> u8 {
        self.random.next() as u8
    }

    fn clock_cycles(&mut self) -> u64 {
        self.random.next()
    }

    fn random(&mut self) -> u64 {
        self.random.next()
    }

    fn wants_attention(&self) -> bool {
        let left = self.patience.load(Ordering::Relaxed);
        self.patience
            .store(left.saturating_sub(1), Ordering::Relaxed);
        left == 0
    }
}

/// A processor used for one program after another.
struct Victim {
    cpu: Box<Cpu>,
    interpreter: Interpreter,
    patience: Arc<AtomicU32>,
    memory: Vec<u8>,
}

impl Victim {
    fn new() -> Self {
        let memory = PhysicalMemory::new(RAM).unwrap();
        memory.map_ram(PhysicalAddress(0), RAM).unwrap();
        let patience = Arc::new(AtomicU32::new(0));
        let platform = Nonsense {
            random: Random(1),
            patience: Arc::clone(&patience),
        };
        let cpu = Cpu::new(
            Model::default(),
            Mmu::new(Arc::new(memory)),
            Box::new(platform),
        );
        let interpreter = Interpreter::new(&cpu);
        Self {
            cpu,
            interpreter,
            patience,
            memory: vec![0; RAM as usize],
        }
    }

    /// Runs one random program; how far it got.
    fn run(&mut self, random: &mut Random) -> u64 {
        for place in self.memory.chunks_mut(8) {
            place.copy_from_slice(&random.next().to_le_bytes()[..place.len()]);
        }
        let entry = random.below(0xf000);
        self.program(random, entry as usize);
        self.cpu.reset();
        self.registers(random, entry);
        self.tables(random);
        let memory = self.cpu.mmu.memory();
        memory.ram_write(PhysicalAddress(0), &self.memory).unwrap();
        self.cpu.update_mode();
        self.cpu.mmu.flush_all();
        let start = self.cpu.state.instructions;
        if random.one_in(16) {
            self.cpu.assert_nmi();
        }
        for _ in 0..16 {
            let until = start + INSTRUCTIONS;
            self.patience.store(40, Ordering::Relaxed);
            match self.interpreter.run(&mut self.cpu, until) {
                Stop::Budget => break,
                Stop::Halted => self.cpu.assert_nmi(),
                Stop::Diverged => unreachable!("there is one engine"),
                // It faults for ever, or has shut down: somebody outside sets it going again.
                Stop::Attention | Stop::Shutdown => {
                    let state = &mut self.cpu.state;
                    state.activity = Activity::Running;
                    let near = state.rip.wrapping_add(1 + random.below(3));
                    state.rip = if random.one_in(4) { entry } else { near };
                    self.cpu.update_mode();
                }
            }
        }
        self.cpu.state.instructions - start
    }

    /// Random bytes are mostly undefined or branches; these are mostly instructions,
    /// and many of them store near the code.
    fn program(&mut self, random: &mut Random, entry: usize) {
        let mut at = entry;
        while at < entry + 0x400 {
            let word = random.next();
            let bytes: &[u8] = match word & 7 {
                0 => &[0x0f, (word >> 8) as u8],
                1 => &[0x66, (word >> 8) as u8],
                2 => &[
                    0x48 | (word >> 8) as u8 & 7,
                    0x89,
                    0x05 | (word >> 16) as u8 & 0x38,
                ],
                3 => &[0xf3, 0x0f, (word >> 8) as u8],
                4 => &[0x88, 0x07, 0xaa],
                5 => &[0x66, 0x0f, 0x38 | (word >> 8) as u8 & 2, (word >> 16) as u8],
                _ => &[(word >> 8) as u8, (word >> 16) as u8],
            };
            self.memory[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
            // Displacements and immediates near zero.
            for _ in 0..word >> 61 {
                let short = random.next();
                self.memory[at] = if short & 3 == 0 {
                    (short >> 8) as u8
                } else {
                    0
                };
                at += 1;
            }
        }
    }

    fn registers(&mut self, random: &mut Random, entry: u64) {
        let state = &mut self.cpu.state;
        for register in Gpr::ALL {
            let value = random.value(RAM);
            state.set_gpr(register, value);
        }
        let near = entry + random.below(0x80);
        state.set_gpr(Gpr::Rdi, near);
        state.rip = entry;
        let long = random.one_in(3);
        let protected = long || random.one_in(2);
        // Any control bits at all, then the ones that choose the mode.
        if random.one_in(2) {
            state.cr0 ^= random.next() & 0x6005_0036;
            state.cr4 = random.next() & 0x0077_ffff;
            state.xcr0 = random.next() & 7 | 1;
        }
        state.cr4 |= 0x600;
        state.cr0 |= u64::from(protected);
        state.msrs.efer = random.next() & 0x801;
        let paged = protected && (long || random.one_in(2));
        state.cr0 = state.cr0 & !(1 << 31) | u64::from(paged) << 31;
        state.cr3 = TABLES | random.next() & 0x18;
        if long {
            state.msrs.efer |= 0x500;
            state.cr4 |= 1 << 5;
        }
        if random.one_in(4) {
            state.msrs.star = random.next();
            state.msrs.lstar = random.value(RAM);
            state.msrs.sysenter_cs = random.next() & 0xffff;
        }
        let user = protected && random.one_in(3);
        state.cpl = if user { 3 } else { 0 };
        for (n, segment) in state.segments.iter_mut().enumerate() {
            *segment = segment_of(random, protected, long, n == 1);
        }
        if protected && !long && random.one_in(6) {
            // Virtual-8086 mode.
            state.cpl = 3;
            state.system_flags |= rax_cpu::rflags::Rflags::VM;
            state.segments = [Segment::virtual_8086(random.next() as u16 & 0xff); 6];
        }
        let mut flags = random.next() & 0x3f_4ed5;
        if random.one_in(4) {
            flags |= 0x100;
        }
        let flags = rax_cpu::rflags::Rflags::from_bits_truncate(flags);
        let mode = state.system_flags & rax_cpu::rflags::Rflags::VM;
        state.set_rflags(flags | mode);
        if random.one_in(8) {
            state.dr = [
                entry,
                random.value(RAM),
                entry + 9,
                0,
                0,
                0,
                0xffff_0ff0,
                0x400,
            ];
            state.dr[7] |= random.next() & 0xffff_00ff;
        }
        self.units_and_descriptors(random, protected);
    }

    fn units_and_descriptors(&mut self, random: &mut Random, protected: bool) {
        let state = &mut self.cpu.state;
        state.mxcsr = random.next() as u32 & 0xffff;
        if random.one_in(2) {
            state.fpu.control = random.next() as u16;
            state.fpu.status = random.next() as u16;
            state.fpu.in_use = random.next() as u8;
        }
        state.gdtr = DescriptorTable {
            base: GDT,
            limit: random.next() as u16 & 0xfff,
        };
        state.idtr = DescriptorTable {
            base: if protected { IDT } else { 0 },
            limit: random.next() as u16 | 0x3ff,
        };
        state.tr = Segment {
            selector: 0x28,
            attributes: Attributes::from_bits_retain(if random.one_in(3) { 0x83 } else { 0x8b }),
            limit: if random.one_in(4) {
                random.next() as u32 & 0xff
            } else {
                0x2000
            },
            base: TSS,
        };
        state.ldtr = Segment {
            selector: 0x30,
            attributes: Attributes::from_bits_retain(0x82),
            limit: 0xfff,
            base: GDT,
        };
    }

    /// Page tables that lead somewhere, and descriptors and gates of every type.
    fn tables(&mut self, random: &mut Random) {
        let levels = (TABLES..GDT).step_by(8);
        for at in levels {
            let page = random.below(RAM / 0x1000) * 0x1000;
            let page = if at < TABLES + 0x4000 {
                TABLES + random.below(8) * 0x1000
            } else {
                page
            };
            let rights = if random.one_in(8) {
                random.next() & 0xfff
            } else {
                0x67
            };
            let odd = if random.one_in(64) {
                random.next() & 0xffff << 48
            } else {
                0
            };
            self.put(at, page | rights | odd);
        }
        for at in (GDT..TSS).step_by(8) {
            let kind = random.next() & 0xf09f_0000_0000 | 0x8000_0000_0000;
            let kind = kind | random.next() & 0x00d0_6000_0000_0000;
            let place = random.below(0xf000);
            // A segment from zero, or a gate to a selector.
            let entry = if at < IDT {
                kind | 0xffff | (u64::from(random.one_in(4)) * (place << 16))
            } else {
                kind & !0xffff_0000_0000_0000 | place | random.below(32) << 19
            };
            self.put(at, entry);
        }
    }

    fn put(&mut self, at: u64, entry: u64) {
        self.memory[at as usize..][..8].copy_from_slice(&entry.to_le_bytes());
    }
}

fn segment_of(random: &mut Random, protected: bool, long: bool, is_code: bool) -> Segment {
    let flat = if protected {
        let kind = match (is_code, long && random.one_in(2)) {
            (true, true) => 0xa09b,
            (true, false) => 0xc09b,
            (false, _) => 0xc093,
        };
        Segment::flat(8, Attributes::from_bits_retain(kind))
    } else {
        Segment::real_mode(0)
    };
    if random.one_in(4) {
        let kind = random.next() as u16 & 0xf06f | 0x90 | u16::from(is_code) << 3;
        return Segment {
            selector: random.next() as u16,
            attributes: Attributes::from_bits_retain(kind),
            limit: random.value(RAM) as u32,
            base: random.value(RAM) & 0xffff_ffff,
        };
    }
    flat
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(200)))]

    /// A hundred programs a case, so that a processor is used more than once.
    #[test]
    fn no_program_makes_the_processor_panic(seed in any::<u64>()) {
        let mut victim = Victim::new();
        let mut random = Random(seed);
        for _ in 0..100 {
            victim.run(&mut random);
        }
    }
}

#[test]
fn random_programs_get_somewhere() {
    let mut victim = Victim::new();
    let mut random = Random(7);
    let retired: u64 = (0..1000).map(|_| victim.run(&mut random)).sum();
    // Else the test above would test the first instruction only.
    assert!(retired > 10_000, "{retired} instructions in 1000 programs");
}
