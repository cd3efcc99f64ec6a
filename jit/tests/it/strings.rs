//! Repeated MOVS and STOS of every size, to and from everywhere, end in compiled code as they
//! do in the interpreter.

use rax_cpu::rflags::Rflags;
use rax_cpu::state::Gpr;
use rax_cpu::testing::{Bits, bare};
use rax_cpu::{Cpu, Engine, Interpreter, Stop};
use rax_jit::{Jit, Options};
use rax_mmu::PhysicalAddress;

const RAM: u64 = 0x1_0000;
const CODE: u64 = 0x1000;
const STACK: u64 = 0x2000;
const DATA: u64 = 0x5000;

/// A linear congruential generator (Knuth's MMIX).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// The registers to begin with, and the instruction.
#[derive(Clone, Debug)]
struct Case {
    bits: Bits,
    instruction: Vec<u8>,
    registers: [(Gpr, u64); 5],
    is_down: bool,
}

fn case(random: &mut Random) -> Case {
    let bits = if random.below(2) == 0 {
        Bits::Long64
    } else {
        Bits::Protected32
    };
    let opcode = if random.below(3) == 0 { 0xaa } else { 0xa4 };
    let mut instruction = vec![[0xf3, 0xf2][random.below(2) as usize]];
    match random.below(4) {
        0 => instruction.push(opcode),
        1 => instruction.extend([0x66, opcode + 1]),
        2 if bits == Bits::Long64 => instruction.extend([0x48, opcode + 1]),
        _ => instruction.push(opcode + 1),
    }
    if random.below(8) == 0 {
        instruction.insert(0, 0x67);
    }
    let place = |random: &mut Random| match random.below(4) {
        // Near a page's end.
        0 => DATA + 0xfc0 + random.below(0x80),
        // Overlapping.
        1 => DATA + 0x100 + random.below(40),
        _ => DATA + random.below(0x3000),
    };
    let count = match random.below(5) {
        0 => random.below(3),
        1 => random.below(0x500),
        _ => random.below(80),
    };
    Case {
        bits,
        instruction,
        registers: [
            (Gpr::Rcx, count),
            (Gpr::Rsi, place(random)),
            (Gpr::Rdi, place(random)),
            (Gpr::Rax, random.below(1 << 31) << 8 | 0x5a),
            (Gpr::Rbx, random.below(1 << 31)),
        ],
        is_down: random.below(8) == 0,
    }
}

/// The same three times, of which the first fills the TLB; then what the flags say.
fn program(case: &Case) -> Vec<u8> {
    let mut code = Vec::new();
    for _ in 0..3 {
        code.extend([0x51, 0x56, 0x57, 0x39, 0xd8]); // push rcx, rsi, rdi; cmp eax, ebx
        code.extend(&case.instruction);
        code.extend([0x72, 0x00, 0x0f, 0x92, 0xc2]); // jb on; setb dl
        code.extend([0x5f, 0x5e, 0x59]); // pop rdi, rsi, rcx
    }
    code.extend(&case.instruction);
    code.push(0xf4);
    code
}

fn run(case: &Case, engine: impl FnOnce(&Cpu) -> Box<dyn Engine>) -> (Box<Cpu>, Vec<u8>) {
    let mut cpu = bare(case.bits, RAM).unwrap();
    let write = |cpu: &Cpu, at: u64, bytes: &[u8]| {
        let memory = cpu.mmu.memory();
        memory.ram_write(PhysicalAddress(at), bytes).unwrap();
    };
    write(&cpu, CODE, &program(case));
    let pattern: Vec<u8> = (0..0x5000u32).map(|n| ((n * 31) >> 3) as u8).collect();
    write(&cpu, DATA, &pattern);
    cpu.state.rip = CODE;
    cpu.state.set_gpr(Gpr::Rsp, STACK);
    for (register, value) in case.registers {
        cpu.state.set_gpr(register, value);
    }
    cpu.state.system_flags.set(Rflags::DF, case.is_down);
    cpu.update_mode();
    let mut engine = engine(&cpu);
    assert_eq!(engine.run(&mut cpu, 100_000), Stop::Halted, "{case:x?}");
    let mut ram = vec![0; RAM as usize];
    cpu.mmu
        .memory()
        .ram_read(PhysicalAddress(0), &mut ram)
        .unwrap();
    (cpu, ram)
}

#[test]
fn repeated_strings_end_alike() {
    let mut random = Random(20);
    for _ in 0..3000 {
        let case = case(&mut random);
        let (one, one_ram) = run(&case, |cpu| Box::new(Interpreter::new(cpu)));
        let options = Options {
            threshold: 0,
            ..Options::default()
        };
        let (other, other_ram) = run(&case, |cpu| Box::new(Jit::new(cpu, options).unwrap()));
        for register in Gpr::ALL {
            let values = [&one, &other].map(|cpu| cpu.state.gpr(register));
            assert_eq!(values[0], values[1], "{register:?} of {case:x?}");
        }
        let counts = [&one, &other].map(|cpu| (cpu.state.instructions, cpu.state.rflags()));
        assert_eq!(counts[0], counts[1], "{case:x?}");
        assert!(one_ram == other_ram, "memory of {case:x?}");
    }
}

/// The interpreter carries out what crosses a page, here with both vectors and the x87 unit in
/// the host's registers, and the flags that it leaves must outlast the way back.
#[test]
fn flags_come_back_from_the_interpreter_beside_vectors_and_x87() {
    let code = [
        0x0f, 0x2f, 0x03, // comiss xmm0, [rbx]
        0x0f, 0x92, 0xc0, // setb al
        0x66, 0x0f, 0x3a, 0x63, 0x0b, 0x18, // pcmpistri xmm1, [rbx], 18h
        0x48, 0x0f, 0x44, 0xd7, // cmove rdx, rdi
        0x48, 0x11, 0xcf, // adc rdi, rcx
        0xd9, 0xf7, // fincstp
        0x0f, 0x58, 0xc1, // addps xmm0, xmm1
        0xf4, // hlt
    ];
    let mut random = Random(21);
    for _ in 0..500 {
        let data: Vec<u8> = (0..0x40).map(|_| random.below(5) as u8).collect();
        let place = DATA + 0xff0 + random.below(0x14);
        let vector = random.below(5) | random.below(5) << 8 | random.below(2) << 16;
        let end = |engine: &dyn Fn(&Cpu) -> Box<dyn Engine>| {
            let mut cpu = bare(Bits::Long64, RAM).unwrap();
            let memory = cpu.mmu.memory();
            memory.ram_write(PhysicalAddress(CODE), &code).unwrap();
            memory
                .ram_write(PhysicalAddress(DATA + 0xff0), &data)
                .unwrap();
            cpu.state.rip = CODE;
            cpu.state.set_gpr(Gpr::Rbx, place);
            cpu.state.set_gpr(Gpr::Rdi, 7);
            cpu.state.vectors[1].0[0] = vector;
            cpu.update_mode();
            let mut engine = engine(&cpu);
            assert_eq!(engine.run(&mut cpu, 1000), Stop::Halted);
            let registers = Gpr::ALL.map(|register| cpu.state.gpr(register));
            (registers, cpu.state.rflags(), cpu.state.instructions)
        };
        let options = Options {
            threshold: 0,
            ..Options::default()
        };
        let compiled = end(&|cpu| Box::new(Jit::new(cpu, options).unwrap()));
        assert_eq!(
            end(&|cpu| Box::new(Interpreter::new(cpu))),
            compiled,
            "{place:x} {data:?}"
        );
    }
}
