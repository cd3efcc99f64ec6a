//! A bare processor that runs single instructions through both readers.

use rax_mmu::{LinearAddress, PhysicalAddress};

use crate::exception::{Exception, Exit};
use crate::insn::Insn;
use crate::rflags::{Cr0, Rflags};
use crate::state::{CpuState, Gpr};
use crate::testing::{Bits, bare};
use crate::{Cpu, decode, ir};

const MEMORY: u64 = 0x10_000;
const CODE: u64 = 0x1000;
/// Where RBX and RDI point.
const DATA: u64 = 0x2000;
/// How much around there is compared.
const WINDOW: usize = 64;

/// A small random generator (xorshift64*).
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Often a number that matters.
    pub(super) fn lane(&mut self) -> u64 {
        const SPECIAL: [u64; 8] = [
            0,
            0x7fc0_0001_7f80_0001,
            0x3f80_0000_0080_0000,
            0x8000_0000_8000_0000,
            0x3ff0_0000_0000_0000,
            0x7ff0_0000_0000_0001,
            0x0000_0000_0000_0001,
            0x0010_0000_0000_0000,
        ];
        match self.next() >> 60 {
            0..4 => SPECIAL[(self.next() >> 61) as usize],
            4..8 => self.next() & self.next() & self.next(),
            _ => self.next(),
        }
    }
}

/// What an instruction left behind.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) state: CpuState,
    pub(super) memory: Vec<u8>,
    pub(super) exception: Option<Exception>,
}

/// A processor and what it starts from.
pub(super) struct Bench {
    cpu: Box<Cpu>,
    decoder: decode::Decoder,
    start: CpuState,
    memory: Vec<u8>,
}

impl Bench {
    pub(super) fn new() -> Self {
        let mut cpu = bare(Bits::Long64, MEMORY).unwrap();
        cpu.state.cr0 |= Cr0::NE.bits();
        cpu.state.rip = CODE;
        cpu.state.set_gpr(Gpr::Rbx, DATA);
        cpu.state.set_gpr(Gpr::Rdi, DATA);
        let decoder = decode::Decoder::new(&cpu.model);
        let start = cpu.state.clone();
        Self {
            cpu,
            decoder,
            start,
            memory: vec![0; WINDOW],
        }
    }

    /// Other registers, memory and MXCSR to start from; RBX may be misaligned.
    pub(super) fn randomise(&mut self, random: &mut Random, may_misalign: bool) {
        for vector in &mut self.start.vectors {
            vector.0 = [(); 4].map(|()| random.lane());
        }
        for register in &mut self.start.fpu.registers {
            register.significand = random.lane();
            register.sign_exponent = random.next() as u16;
        }
        self.start.fpu.in_use = random.next() as u8;
        self.start.fpu.status = random.next() as u16 & 0x3800;
        let pending = random.next() >> 60 == 0;
        self.start.fpu.status |= if pending { 0x8081 } else { 0 };
        let masks = if random.next() >> 62 == 0 {
            random.next() as u32 & 0x1f80
        } else {
            0x1f80
        };
        self.start.mxcsr = random.next() as u32 & 0xe07f | masks;
        for register in [Gpr::Rax, Gpr::Rcx, Gpr::Rdx] {
            self.start.set_gpr(register, random.lane());
        }
        let flags = Rflags::from_bits_truncate(random.next()) & Rflags::STATUS;
        self.start.set_rflags(flags);
        for cell in self.memory.chunks_mut(8) {
            cell.copy_from_slice(&random.lane().to_le_bytes());
        }
        let misaligned = may_misalign && random.next() >> 60 == 0;
        let address = DATA + u64::from(misaligned) * 4;
        self.start.set_gpr(Gpr::Rbx, address);
    }

    fn decode(&mut self, bytes: &[u8]) -> Insn {
        self.cpu.state = self.start.clone();
        self.cpu.update_mode();
        let mut code = bytes.to_vec();
        code.push(0xf4);
        self.cpu.physical_write(PhysicalAddress(CODE), &code);
        let block = self
            .decoder
            .decode(&mut self.cpu, LinearAddress(CODE), CODE)
            .unwrap();
        assert_eq!(
            usize::from(block.insns[0].length),
            bytes.len(),
            "{bytes:x?}"
        );
        block.insns[0]
    }

    fn outcome(&mut self, result: Result<(), Exit>) -> Outcome {
        let exception = self.cpu.exception.take();
        match result {
            Ok(()) | Err(Exit::Leave) => assert_eq!(exception, None),
            Err(_) => assert!(exception.is_some()),
        }
        let mut memory = vec![0; WINDOW];
        self.cpu.physical_read(PhysicalAddress(DATA), &mut memory);
        Outcome {
            state: self.cpu.state.clone(),
            memory,
            exception,
        }
    }

    fn prepare(&mut self) {
        self.cpu.state = self.start.clone();
        self.cpu.state.set_gpr(Gpr::BlockRip, CODE);
        self.cpu.leave = false;
        let memory = self.memory.clone();
        self.cpu.physical_write(PhysicalAddress(DATA), &memory);
    }

    /// Runs one instruction through the interpreter.
    pub(super) fn interpret(&mut self, bytes: &[u8]) -> Outcome {
        let insn = self.decode(bytes);
        self.prepare();
        let result = (insn.handler)(&mut self.cpu, &insn, &[]);
        self.outcome(result)
    }

    /// Runs one instruction through the IR.
    pub(super) fn evaluate(&mut self, bytes: &[u8]) -> Outcome {
        let insn = self.decode(bytes);
        let block = ir::lift(&[insn]).unwrap();
        assert_eq!(ir::verify(&block), Ok(()), "{block}");
        self.prepare();
        let result = ir::eval(&block, &mut self.cpu);
        self.outcome(result)
    }

    /// Runs one instruction through both, which must agree.
    pub(super) fn compare_readers(&mut self, bytes: &[u8]) -> Outcome {
        let interpreted = self.interpret(bytes);
        let evaluated = self.evaluate(bytes);
        assert_eq!(interpreted, evaluated, "{bytes:02x?}");
        interpreted
    }
}
