//! What interrupts compiled code finds exactly what it finds in the interpreter: registers,
//! memory, and the count of instructions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rax_cpu::flags::LazyFlags;
use rax_cpu::segment::{DescriptorTable, SegmentRegister};
use rax_cpu::state::Gpr;
use rax_cpu::testing::{Bits, NoPlatform, bare};
use rax_cpu::{Cpu, CpuState, Engine, Interpreter, Platform, Stop};
use rax_jit::{Jit, Options};
use rax_mmu::{MmioSpace, PhysicalAddress};

const RAM: usize = 0x2_0000;
const CODE: u64 = 0x1000;
const HANDLER: u64 = 0x2000;
const STACK: u64 = 0x8000;
pub(super) const DATA: u64 = 0xa000;
/// Not there, and the page before it is.
pub(super) const ABSENT: u64 = 0xc000;
/// May be read only.
pub(super) const FIXED: u64 = 0xd000;
const TABLES: u64 = 0x1_0000;
const IDT: u64 = 0x1_4000;
const GDT: u64 = 0x1_5000;

pub(super) type Code = &'static [u8];

/// Pins that lead nowhere but for an interrupt, vector 40h, while it is wanted.
#[derive(Default)]
struct OneInterrupt {
    rest: NoPlatform,
    wanted: Arc<AtomicBool>,
}

impl MmioSpace for OneInterrupt {
    fn mmio_read(&mut self, address: PhysicalAddress, bytes: &mut [u8]) {
        self.rest.mmio_read(address, bytes);
    }

    fn mmio_write(&mut self, address: PhysicalAddress, bytes: &[u8]) {
        self.rest.mmio_write(address, bytes);
    }
}

impl Platform for OneInterrupt {
    fn begin_access(&mut self, instructions: u64) {
        self.rest.begin_access(instructions);
    }

    fn port_read(&mut self, port: u16, bytes: &mut [u8]) {
        self.rest.port_read(port, bytes);
    }

    fn port_write(&mut self, port: u16, bytes: &[u8]) {
        self.rest.port_write(port, bytes);
    }

    fn interrupt_pending(&mut self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    fn acknowledge_interrupt(&mut self) -> u8 {
        self.wanted.store(false, Ordering::Relaxed);
        0x40
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
}

/// A processor with `code` before it: every vector of its table leads to a HLT.
fn processor(bits: Bits, code: Code) -> (Box<Cpu>, Arc<AtomicBool>) {
    let mut cpu = bare(bits, RAM as u64).unwrap();
    let memory = Arc::clone(cpu.mmu.memory());
    let write = |at: u64, bytes: &[u8]| memory.ram_write(PhysicalAddress(at), bytes).unwrap();
    write(CODE, code);
    write(HANDLER, &[0xf4]);
    let pattern: Vec<u8> = (0..0x2000u32).map(|n| (n * 7) as u8).collect();
    write(DATA, &pattern);
    for vector in 0..0x100 {
        let gate = HANDLER | 8 << 16 | 0x8e00 << 32;
        let bytes = if bits == Bits::Long64 { 16 } else { 8 };
        write(IDT + vector * bytes, &gate.to_le_bytes());
    }
    let code = if bits == Bits::Long64 { 0xaf } else { 0xcf };
    let code = 0xffff | 0x9b << 40 | code << 48;
    write(GDT + 8, &u64::to_le_bytes(code));
    write(
        GDT + 16,
        &u64::to_le_bytes(0xffff | 0x93 << 40 | 0xcf << 48),
    );
    for (at, entry) in [
        (0, TABLES + 0x1003),
        (0x1000, TABLES + 0x2003),
        (0x2000, TABLES + 0x3003),
    ] {
        write(TABLES + at, &u64::to_le_bytes(entry));
    }
    for page in 0..32 {
        let rights = match page << 12 {
            ABSENT => 0,
            FIXED => 1,
            _ => 3,
        };
        let entry = page << 12 | rights;
        write(TABLES + 0x3000 + page * 8, &u64::to_le_bytes(entry));
    }
    let state = &mut cpu.state;
    (state.idtr, state.gdtr) = (table(IDT), table(GDT));
    state.rip = CODE;
    state.set_gpr(Gpr::Rsp, STACK);
    if bits == Bits::Long64 {
        state.cr4 |= 1 << 5;
        state.cr3 = TABLES;
        state.cr0 |= 1 << 31 | 1 << 16;
    }
    let pins = OneInterrupt::default();
    let wanted = Arc::clone(&pins.wanted);
    cpu.platform = Box::new(pins);
    cpu.mmu.flush_all();
    cpu.update_mode();
    (cpu, wanted)
}

const fn table(base: u64) -> DescriptorTable {
    DescriptorTable { base, limit: 0xfff }
}

/// What is left when the handler, or the program, has halted.
#[derive(PartialEq)]
pub(super) struct End {
    stop: Stop,
    state: CpuState,
    memory: Vec<u8>,
}

/// Runs to the end, and asks for an interrupt after `interrupt` instructions.
fn run(
    bits: Bits,
    code: Code,
    set_up: fn(&mut CpuState),
    interrupt: Option<u64>,
    is_compiled: bool,
) -> End {
    let (mut cpu, wanted) = processor(bits, code);
    set_up(&mut cpu.state);
    cpu.update_mode();
    let mut jit = None;
    let mut interpreter = Interpreter::new(&cpu);
    let engine: &mut dyn Engine = if is_compiled {
        let options = Options {
            threshold: 0,
            cache_bytes: 1 << 20,
            ..Options::default()
        };
        jit.insert(Jit::new(&cpu, options).unwrap())
    } else {
        &mut interpreter
    };
    if let Some(count) = interrupt {
        engine.run(&mut cpu, count);
        wanted.store(true, Ordering::Relaxed);
    }
    let stop = engine.run(&mut cpu, 100_000);
    if let Some(jit) = &jit {
        assert!(jit.statistics().blocks != 0, "something was compiled");
    }
    let mut memory = vec![0; RAM];
    cpu.mmu
        .memory()
        .ram_read(PhysicalAddress(0), &mut memory)
        .unwrap();
    let mut state = cpu.state.clone();
    state.set_gpr(Gpr::BlockRip, 0);
    state.flags = LazyFlags::from_status(state.flags.status());
    End {
        stop,
        state,
        memory,
    }
}

pub(super) fn check(
    bits: Bits,
    code: Code,
    set_up: fn(&mut CpuState),
    interrupt: Option<u64>,
) -> End {
    let [interpreted, compiled] =
        [false, true].map(|is_compiled| run(bits, code, set_up, interrupt, is_compiled));
    assert_eq!(interpreted.stop, Stop::Halted);
    let states = (&interpreted.state, &compiled.state);
    assert!(states.0 == states.1, "{interrupt:?}: {states:x?}");
    assert!(interpreted.memory == compiled.memory, "{interrupt:?}");
    compiled
}

/// A program that is cut short by an exception: how many instructions retired, with the
/// delivery and the handler's HLT; and the RIP that the handler finds.
fn faults(bits: Bits, code: Code, set_up: fn(&mut CpuState)) -> (u64, u64, CpuState) {
    let end = check(bits, code, set_up, None);
    let top = end.state.gpr(Gpr::Rsp) as usize;
    assert_eq!(end.state.rip, HANDLER + 1, "{:x?}", end.state);
    let cell = u64::from_le_bytes(end.memory[top..top + 8].try_into().unwrap());
    (end.state.instructions, cell, end.state)
}

const LONG: Bits = Bits::Long64;

/// RBX is at data, RCX at the page that is absent.
fn pointers(state: &mut CpuState) {
    state.set_gpr(Gpr::Rbx, DATA);
    state.set_gpr(Gpr::Rcx, ABSENT);
    state.set_gpr(Gpr::Rax, 0x1122_3344_5566_7788);
}

#[test]
fn the_second_of_two_stores() {
    let code: Code = &[
        0x48, 0x83, 0xc0, 0x01, // add rax, 1
        0x48, 0x89, 0x03, // mov [rbx], rax
        0x48, 0xff, 0xc3, // inc rbx
        0x48, 0x89, 0x01, // mov [rcx], rax
        0xf4, // hlt
    ];
    let (count, error, state) = faults(LONG, code, pointers);
    // Three instructions, the delivery, HLT.
    assert_eq!((count, error, state.cr2), (5, 2, ABSENT));
}

#[test]
fn an_access_that_crosses_into_an_absent_page() {
    let store: Code = &[
        0x48, 0x01, 0x03, // add [rbx], rax
        0x48, 0x89, 0x41, 0xfc, // mov [rcx-4], rax
        0xf4, // hlt
    ];
    let (count, _, state) = faults(LONG, store, pointers);
    assert_eq!((count, state.cr2), (3, ABSENT));
    let load: Code = &[
        0x48, 0x89, 0xc2, // mov rdx, rax
        0x48, 0x8b, 0x51, 0xff, // mov rdx, [rcx-1]
        0xf4, // hlt
    ];
    let (_, _, state) = faults(LONG, load, pointers);
    assert_eq!(state.gpr(Gpr::Rdx), state.gpr(Gpr::Rax));
    let vector: Code = &[
        0x66, 0x48, 0x0f, 0x6e, 0xc8, // movq xmm1, rax
        0x0f, 0x10, 0x49, 0xf8, // movups xmm1, [rcx-8]
        0xf4, // hlt
    ];
    faults(LONG, vector, pointers);
}

#[test]
fn a_page_that_may_not_be_written() {
    let code: Code = &[
        0xba, 0x00, 0xd0, 0x00, 0x00, // mov edx, d000h
        0x48, 0x03, 0x02, // add rax, [rdx]
        0x48, 0x29, 0x02, // sub [rdx], rax
        0xf4, // hlt
    ];
    let (count, error, _) = faults(LONG, code, pointers);
    assert_eq!((count, error), (4, 3));
}

#[test]
fn the_middle_of_a_string() {
    let moves: Code = &[
        0x48, 0x8d, 0x79, 0xcd, // lea rdi, [rcx-33h]
        0x48, 0x89, 0xde, // mov rsi, rbx
        0xb9, 0x00, 0x01, 0x00, 0x00, // mov ecx, 100h
        0xf3, 0xa4, // rep movsb
        0xf4, // hlt
    ];
    let (_, _, state) = faults(LONG, moves, pointers);
    assert_eq!(state.gpr(Gpr::Rcx), 0x100 - 0x33);
    assert_eq!(state.gpr(Gpr::Rsi), DATA + 0x33);
    let stores: Code = &[
        0x48, 0x8d, 0x79, 0xcc, // lea rdi, [rcx-34h]
        0xb9, 0x00, 0x01, 0x00, 0x00, // mov ecx, 100h
        0xf3, 0x48, 0xab, // rep stos
        0xf4, // hlt
    ];
    let (_, _, state) = faults(LONG, stores, pointers);
    assert_eq!(state.gpr(Gpr::Rdi), ABSENT - 4);
    let compares: Code = &[
        0x31, 0xc0, // xor eax, eax
        0x48, 0x8d, 0x79, 0xc0, // lea rdi, [rcx-40h]
        0xb9, 0x00, 0x01, 0x00, 0x00, // mov ecx, 100h
        0xba, 0x05, 0x00, 0x00, 0x00, // mov edx, 5
        0xf3, 0xaf, // repz scas
        0xf4, // hlt
    ];
    check(LONG, compares, pointers, None);
}

#[test]
fn divisions() {
    let by_zero: Code = &[
        0x31, 0xf6, // xor esi, esi
        0x48, 0x83, 0xc0, 0x05, // add rax, 5
        0xf7, 0xf6, // div esi
        0xf4, // hlt
    ];
    let (count, rip, _) = faults(LONG, by_zero, pointers);
    assert_eq!((count, rip), (4, CODE + 6));
    let overflow: Code = &[
        0xba, 0x07, 0x00, 0x00, 0x00, // mov edx, 7
        0xbe, 0x03, 0x00, 0x00, 0x00, // mov esi, 3
        0xf7, 0xfe, // idiv esi
        0xf4, // hlt
    ];
    faults(LONG, overflow, pointers);
}

#[test]
fn general_protection() {
    let not_canonical: Code = &[
        0x48, 0xba, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x80, // movabs rdx, 8000000000000000h
        0x48, 0xff, 0xc0, // inc rax
        0x48, 0x89, 0x02, // mov [rdx], rax
        0xf4, // hlt
    ];
    faults(LONG, not_canonical, pointers);
    // Flat code, whose FS ends early.
    let beyond_limit: Code = &[
        0x64, 0xa1, 0xf0, 0x00, 0x00, 0x00, // mov eax, fs:[f0h]
        0x83, 0xc0, 0x01, // add eax, 1
        0x64, 0xa3, 0xfe, 0x00, 0x00, 0x00, // mov fs:[feh], eax
        0xf4, // hlt
    ];
    let (count, _, _) = faults(Bits::Protected32, beyond_limit, |state| {
        let fs = &mut state.segments[SegmentRegister::Fs as usize];
        (fs.base, fs.limit) = (DATA, 0xff);
    });
    assert_eq!(count, 4);
}

#[test]
fn a_single_step() {
    let code: Code = &[
        0xba, 0x03, 0x00, 0x00, 0x00, // mov edx, 3
        0x9c, // pushf
        0x81, 0x0c, 0x24, 0x00, 0x01, 0x00, 0x00, // or [rsp], 100h
        0x9d, // popf
        0x48, 0xff, 0xc2, // inc rdx
        0x48, 0xff, 0xc2, // inc rdx
        0xf4, // hlt
    ];
    let (count, _, state) = faults(LONG, code, pointers);
    // A trap belongs to the instruction before it.
    assert_eq!((count, state.gpr(Gpr::Rdx)), (6, 4));
    assert_eq!(state.dr[6] >> 14 & 1, 1);
}

#[test]
fn breakpoints() {
    let switched_on: Code = &[
        0xba, 0x10, 0xa0, 0x00, 0x00, // mov edx, a010h
        0x0f, 0x23, 0xc2, // mov dr0, rdx
        0xba, 0x02, 0x04, 0x09, 0x00, // mov edx, 90402h
        0x0f, 0x23, 0xfa, // mov dr7, rdx
        0x48, 0x89, 0x03, // mov [rbx], rax
        0x48, 0x89, 0x43, 0x10, // mov [rbx+10h], rax
        0x48, 0xff, 0xc2, // inc rdx
        0xf4, // hlt
    ];
    let (count, _, state) = faults(LONG, switched_on, pointers);
    assert_eq!((count, state.dr[6] & 0xf), (7, 1));
}

/// A loop with a bit of everything: stores, a call, interrupts on and off.
const BUSY: Code = &[
    0xbe, 0x09, 0x00, 0x00, 0x00, // mov esi, 9
    0xfb, // sti
    0x48, 0x03, 0x03, // add rax, [rbx]
    0x48, 0x11, 0x43, 0x08, // adc [rbx+8], rax
    0xe8, 0x14, 0x00, 0x00, 0x00, // call function
    0xfa, // cli
    0x48, 0xff, 0xc2, // inc rdx
    0xfb, // sti
    0x48, 0xc1, 0xc0, 0x07, // rol rax, 7
    0x9c, // pushf
    0x9d, // popf
    0x48, 0x31, 0xc2, // xor rdx, rax
    0xff, 0xce, // dec esi
    0x75, 0xe2, // jne again
    0xfa, // cli
    0xf4, // hlt
    0xfc, // cld
    0x48, 0x8d, 0xbb, 0x00, 0x01, 0x00, 0x00, // lea rdi, [rbx+100h]
    0xb9, 0x05, 0x00, 0x00, 0x00, // mov ecx, 5
    0xf3, 0xab, // rep stos
    0xc3, // ret
];

#[test]
fn an_interrupt_anywhere() {
    let whole = check(LONG, BUSY, pointers, None).state.instructions;
    for count in 1..whole {
        let end = check(LONG, BUSY, pointers, Some(count));
        let is_last = end.state.rip != HANDLER + 1;
        assert!(!is_last || count + 3 > whole, "{count} of {whole}");
    }
}
