//! Where instructions begin and end: pages, the limit of CS, fifteen bytes; and code
//! that is written over.

use proptest::prelude::*;
use rax_cpu::exception::Exception;
use rax_cpu::state::Gpr;
use rax_cpu::testing::{Bits, bare};
use rax_cpu::{Cpu, Engine, Interpreter, Stop};
use rax_mmu::PhysicalAddress;

const RAM: u64 = 0x2_0000;
const TABLE: u64 = 0x1_0000;
const DIRECTORY: u64 = 0x1_1000;

/// A processor with code at an address.
struct Bench {
    cpu: Box<Cpu>,
    interpreter: Interpreter,
}

impl Bench {
    fn new(bits: Bits, rip: u64, code: &[u8]) -> Self {
        let mut cpu = bare(bits, RAM).unwrap();
        cpu.state.rip = rip;
        cpu.state.set_gpr(Gpr::Rsp, 0x8000);
        let interpreter = Interpreter::new(&cpu);
        let bench = Self { cpu, interpreter };
        bench.write(rip, code);
        bench
    }

    fn write(&self, address: u64, bytes: &[u8]) {
        let memory = self.cpu.mmu.memory();
        memory.ram_write(PhysicalAddress(address), bytes).unwrap();
    }

    fn read(&self, address: u64) -> u8 {
        let mut byte = [0];
        let memory = self.cpu.mmu.memory();
        memory
            .ram_read(PhysicalAddress(address), &mut byte)
            .unwrap();
        byte[0]
    }

    /// Pages the first 128 KiB to themselves, this one left out.
    fn without_page(mut self, missing: u64) -> Self {
        for page in 0..RAM / 0x1000 {
            let entry = (page << 12 | if page == missing { 0 } else { 7 }) as u32;
            self.write(TABLE + page * 4, &entry.to_le_bytes());
        }
        self.write(DIRECTORY, &(TABLE as u32 | 7).to_le_bytes());
        self.cpu.state.cr3 = DIRECTORY;
        self.cpu.state.cr0 |= 1 << 31;
        self.cpu.update_mode();
        self.cpu.mmu.flush_all();
        self
    }

    /// Executes instructions one after another, until one faults.
    fn step(&mut self, count: usize) -> Result<(), Exception> {
        (0..count).try_for_each(|_| self.interpreter.execute_one(&mut self.cpu))
    }

    /// Runs blocks; the program ends in an endless loop.
    fn run(&mut self, instructions: u64) {
        let until = self.cpu.state.instructions + instructions;
        assert_eq!(self.interpreter.run(&mut self.cpu, until), Stop::Budget);
    }

    fn gpr(&self, register: Gpr) -> u64 {
        self.cpu.state.gpr(register)
    }
}

fn fault_address(result: Result<(), Exception>) -> Option<u64> {
    match result {
        Err(Exception::PageFault(fault)) => Some(fault.address.0),
        _ => None,
    }
}

#[test]
fn an_instruction_may_span_two_pages() {
    // mov eax, 12345678h at every place around the boundary.
    for before in 1..=5 {
        let rip = 0x2000 - before;
        let mut bench = Bench::new(Bits::Protected32, rip, &[0xb8, 0x78, 0x56, 0x34, 0x12]);
        bench.step(1).unwrap();
        assert_eq!(bench.gpr(Gpr::Rax), 0x1234_5678);
        assert_eq!(bench.cpu.state.rip, rip + 5);
    }
}

#[test]
fn an_instruction_that_needs_a_missing_page_faults_there() {
    for before in 1..5 {
        let rip = 0x2000 - before;
        let code = [0xb8, 0x78, 0x56, 0x34, 0x12];
        let mut bench = Bench::new(Bits::Protected32, rip, &code).without_page(2);
        assert_eq!(fault_address(bench.step(1)), Some(0x2000), "{before}");
        assert_eq!(bench.cpu.state.rip, rip);
    }
}

/// Fifteen bytes are no reason to call an undefined opcode too long.
#[test]
fn fifteen_bytes_are_undefined_and_sixteen_too_long() {
    let undefined = Err(Exception::InvalidOpcode);
    let too_long = Err(Exception::GeneralProtection(0));
    for (prefixes, opcode, expected) in [
        (14, &[0x90][..], Ok(())),
        (15, &[0x90], too_long),
        (14, &[0x06], undefined),
        (15, &[0x06], too_long),
        (13, &[0x0f, 0x04], undefined),
        (13, &[0x0f, 0x0b], undefined),
        (14, &[0x0f, 0x0b], too_long),
        (12, &[0x48, 0x89, 0xc0], Ok(())),
        (13, &[0x48, 0x89, 0xc0], too_long),
        (10, &[0x81, 0x04, 0x25], too_long),
    ] {
        let mut code = vec![0x2e; prefixes];
        code.extend_from_slice(opcode);
        code.resize(40, 0x11);
        for rip in [0x2000, 0x2000 - 7] {
            let mut bench = Bench::new(Bits::Long64, rip, &code);
            assert_eq!(bench.step(1), expected, "{prefixes} {opcode:x?} at {rip:x}");
        }
    }
}

#[test]
fn an_instruction_that_ends_with_its_page_needs_no_other() {
    let code = [0xb8, 0x78, 0x56, 0x34, 0x12];
    let mut bench = Bench::new(Bits::Protected32, 0x2000 - 5, &code).without_page(2);
    bench.step(1).unwrap();
    assert_eq!(bench.gpr(Gpr::Rax), 0x1234_5678);
    assert_eq!(fault_address(bench.step(1)), Some(0x2000));
}

#[test]
fn a_block_stops_before_a_missing_page() {
    // Three INC EAX, then the first byte of a MOV.
    let code = [0x40, 0x40, 0x40, 0xb8];
    let mut bench = Bench::new(Bits::Protected32, 0x2000 - 4, &code).without_page(2);
    bench.step(3).unwrap();
    assert_eq!(fault_address(bench.step(1)), Some(0x2000));
    assert_eq!(bench.cpu.state.rip, 0x1fff);
}

#[test]
fn an_undefined_opcode_at_the_end_of_a_page_needs_no_operand() {
    // 0F 04 and 0F 0A are undefined whatever follows; 64-bit mode has no 06.
    for (bits, code) in [
        (Bits::Protected32, &[0x0f, 0x04][..]),
        (Bits::Protected32, &[0x0f, 0x0a][..]),
        (Bits::Protected32, &[0x66, 0x0f, 0x24][..]),
    ] {
        let rip = 0x2000 - code.len() as u64;
        let mut bench = Bench::new(bits, rip, code).without_page(2);
        assert_eq!(bench.step(1), Err(Exception::InvalidOpcode), "{code:x?}");
    }
    for code in [0x06, 0x0e, 0x27, 0x60] {
        let mut bench = Bench::new(Bits::Long64, 0x2000 - 1, &[code]);
        assert_eq!(bench.step(1), Err(Exception::InvalidOpcode), "{code:x}");
    }
}

#[test]
fn an_opcode_that_may_be_defined_faults_for_its_page() {
    // UD1 and group 11 depend on the ModRM byte that is missing.
    for code in [
        &[0x0f][..],
        &[0xc7],
        &[0x0f, 0xba],
        &[0x66],
        &[0xf0],
        &[0x8d],
    ] {
        let rip = 0x2000 - code.len() as u64;
        let mut bench = Bench::new(Bits::Protected32, rip, code).without_page(2);
        assert_eq!(fault_address(bench.step(1)), Some(0x2000), "{code:x?}");
    }
}

#[test]
fn fifteen_bytes_are_the_most() {
    // Prefixes, then MOV EAX, EBX.
    for (prefixes, fits) in [(12, true), (13, true), (14, false), (20, false)] {
        let mut code = vec![0x66; prefixes];
        code.extend([0x89, 0xd8]);
        for rip in [0x1000, 0x2000 - 9, 0x2000 - 14, 0x2000 - 15] {
            let mut bench = Bench::new(Bits::Protected32, rip, &code);
            let expected = if fits {
                Ok(())
            } else {
                Err(Exception::GeneralProtection(0))
            };
            assert_eq!(bench.step(1), expected, "{prefixes} at {rip:x}");
        }
    }
    // Fifteen prefixes at the end of a page are too long, whatever follows.
    let code = [0x66; 15];
    let mut bench = Bench::new(Bits::Protected32, 0x2000 - 15, &code).without_page(2);
    assert_eq!(bench.step(1), Err(Exception::GeneralProtection(0)));
    let mut bench = Bench::new(Bits::Protected32, 0x2000 - 14, &code).without_page(2);
    assert_eq!(fault_address(bench.step(1)), Some(0x2000));
}

#[test]
fn code_ends_with_its_segment() {
    let code = [0x40, 0x40, 0xb8, 0x78, 0x56, 0x34, 0x12];
    for (limit, whole) in [
        (0x1006, 3),
        (0x1005, 2),
        (0x1002, 2),
        (0x1001, 2),
        (0x1000, 1),
    ] {
        let mut bench = Bench::new(Bits::Protected32, 0x1000, &code);
        bench.cpu.state.segments[1].limit = limit;
        bench.cpu.update_mode();
        bench.step(whole).unwrap();
        let expected = Err(Exception::GeneralProtection(0));
        assert_eq!(bench.step(1), expected, "limit {limit:x}");
    }
}

#[test]
fn a_non_canonical_rip_is_not_fetched() {
    let mut bench = Bench::new(Bits::Long64, 0x1000, &[0x90]);
    bench.cpu.state.rip = 0x8000_0000_0000;
    assert_eq!(bench.step(1), Err(Exception::GeneralProtection(0)));
}

/// mov byte [address], value; 64-bit mode.
fn store(address: u64, value: u8) -> Vec<u8> {
    let mut code = vec![0xc6, 0x04, 0x25];
    code.extend((address as u32).to_le_bytes());
    code.push(value);
    code
}

#[test]
fn a_store_into_the_running_block_takes_effect_at_once() {
    // inc eax becomes dec eax, at growing distance behind the store.
    for gap in 0..20 {
        for warm in [false, true] {
            let mut code = store(0x1000 + 8 + gap + 1, 0xc8);
            code.extend(vec![0xf8; gap as usize]);
            code.extend([0xff, 0xc0, 0xeb, 0xfe]);
            let mut bench = Bench::new(Bits::Long64, 0x1000, &code);
            if warm {
                // Once before, with the store leaving things as they are.
                bench.write(0x1007, &[0xc0]);
                bench.run(30);
                bench.write(0x1007, &[0xc8]);
                bench.cpu.state.rip = 0x1000;
            }
            bench.cpu.state.set_gpr(Gpr::Rax, 5);
            bench.run(30);
            assert_eq!(bench.gpr(Gpr::Rax), 4, "{gap} {warm}");
        }
    }
}

#[test]
fn a_store_over_the_very_next_instruction_by_push_and_xchg() {
    // push rax over the eight bytes behind it.
    let mut bench = Bench::new(Bits::Long64, 0x1000, &[0x50, 0xff, 0xc1, 0xeb, 0xfe]);
    bench.cpu.state.set_gpr(Gpr::Rsp, 0x1009);
    // dec ecx; jmp to itself.
    bench.cpu.state.set_gpr(Gpr::Rax, 0xfeeb_c9ff);
    bench.cpu.state.set_gpr(Gpr::Rcx, 5);
    bench.run(10);
    assert_eq!(bench.gpr(Gpr::Rcx), 4);
    // xchg [rsi], eax likewise.
    let mut bench = Bench::new(Bits::Long64, 0x1000, &[0x87, 0x06, 0xff, 0xc1, 0xeb, 0xfe]);
    bench.cpu.state.set_gpr(Gpr::Rsi, 0x1002);
    bench.cpu.state.set_gpr(Gpr::Rax, 0xfeeb_c9ff);
    bench.cpu.state.set_gpr(Gpr::Rcx, 5);
    bench.run(10);
    assert_eq!(bench.gpr(Gpr::Rcx), 4);
    assert_eq!(bench.gpr(Gpr::Rax), 0xfeeb_c1ff);
}

#[test]
fn a_store_into_another_page_is_seen_when_it_runs_again() {
    // Page 3000h: inc eax; ret. Called, changed to dec eax, called.
    let mut code = vec![0xe8, 0xfb, 0x1f, 0, 0];
    code.extend(store(0x3001, 0xc8));
    let next = 0x1000 + code.len() as i32 + 5;
    code.push(0xe8);
    code.extend((0x3000 - next).to_le_bytes());
    code.extend([0xeb, 0xfe]);
    let mut bench = Bench::new(Bits::Long64, 0x1000, &code);
    bench.write(0x3000, &[0xff, 0xc0, 0xc3]);
    bench.cpu.state.set_gpr(Gpr::Rax, 5);
    bench.run(20);
    assert_eq!(bench.gpr(Gpr::Rax), 5);
    assert_eq!(bench.read(0x3001), 0xc8);
}

#[test]
fn a_store_into_either_half_of_a_page_crossing_instruction_is_seen() {
    // mov eax, imm32 at 1FFDh, run in a loop; its immediate spans the pages.
    for place in 0x1ffe..0x2002u64 {
        let mut code = vec![0xb8, 0, 0, 0, 0, 0xff, 0xc1];
        code.extend(store(place, 0x77));
        // dec edx; jnz back.
        code.extend([0xff, 0xca, 0x75]);
        code.push((-(code.len() as i32) - 1) as u8);
        code.extend([0xeb, 0xfe]);
        let mut bench = Bench::new(Bits::Long64, 0x1ffd, &code);
        bench.cpu.state.set_gpr(Gpr::Rdx, 3);
        bench.run(40);
        let expected = 0x77u64 << (8 * (place - 0x1ffe));
        assert_eq!(bench.gpr(Gpr::Rax), expected, "{place:x}");
    }
}

#[test]
fn linked_blocks_are_forgotten_with_their_target() {
    // A hot loop whose body calls nothing: after 1000 rounds its increment is changed.
    // 1000: add ecx, 1; dec edx; jnz 1000; store over the 1; mov edx, 5; jmp 1000
    let mut code = vec![0x83, 0xc1, 0x01, 0xff, 0xca, 0x75, 0xf9];
    code.extend(store(0x1002, 0x10));
    code.extend([0xba, 5, 0, 0, 0, 0xff, 0xcb, 0x75, 0xe8, 0xeb, 0xfe]);
    let mut bench = Bench::new(Bits::Long64, 0x1000, &code);
    bench.cpu.state.set_gpr(Gpr::Rcx, 0);
    bench.cpu.state.set_gpr(Gpr::Rdx, 1000);
    bench.cpu.state.set_gpr(Gpr::Rbx, 2);
    bench.run(4000);
    assert_eq!(bench.gpr(Gpr::Rcx), 1000 + 5 * 0x10);
}

proptest! {
    /// Whatever the place and the order, running in blocks and running one by one end alike.
    #[test]
    fn blocks_and_single_steps_agree_on_code_that_writes_over_itself(
        places in prop::collection::vec((0u64..0x30, any::<u8>(), 0u64..3), 1..8),
        rip in prop_oneof![Just(0x1000u64), 0x1fd0u64..0x2010],
    ) {
        // Stores anywhere into the program, between increments of registers.
        let mut code = Vec::new();
        for (place, value, kind) in places {
            // Only register forms of INC and DEC, so that nothing can fault.
            let value = if value & 1 == 0 { 0xc0 | value >> 4 & 7 } else { 0xc8 | value >> 4 & 7 };
            code.extend([0xff, 0xc0 | kind as u8, 0xf8]);
            code.extend(store(0x3000 + place, value));
        }
        code.extend([0xeb, 0xfe]);
        let steps = 200;
        let [mut blocks, mut single] = [(); 2].map(|()| Bench::new(Bits::Long64, rip, &code));
        for bench in [&mut blocks, &mut single] {
            // Each store goes to the program itself.
            let mut moved = code.clone();
            for at in 0..moved.len().saturating_sub(8) {
                if moved[at..at + 3] == [0xc6, 0x04, 0x25] {
                    let place = u64::from(moved[at + 3]) % (moved.len() as u64 / 11) * 11 + 1;
                    let target = (rip + place) as u32;
                    moved[at + 3..at + 7].copy_from_slice(&target.to_le_bytes());
                }
            }
            bench.write(rip, &moved);
            for register in [Gpr::Rax, Gpr::Rcx, Gpr::Rdx] {
                bench.cpu.state.set_gpr(register, 0x100);
            }
        }
        blocks.run(steps);
        let done = blocks.cpu.state.instructions as usize;
        single.step(done).unwrap();
        for register in Gpr::ALL {
            prop_assert_eq!(blocks.gpr(register), single.gpr(register));
        }
        prop_assert_eq!(blocks.cpu.state.rip, single.cpu.state.rip);
    }
}
