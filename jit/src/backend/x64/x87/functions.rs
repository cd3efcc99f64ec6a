//! FSIN and its kin: Rust code computes them in two parts, and the host's own addition rounds,
//! so that the guest's registers and status stay in the host's unit.
//!
//! Operands go to cells by FSTP, which leaves a NaN there and says so in the status word if a
//! register was empty. Whatever is not plain is put back, and left to the interpreter:
//! rounding that is not to nearest, a stack fault that was noted before, C2 if it would have to be
//! cleared, operands that are no normal numbers. C1 needs no care then, since the interpreter sets it.

use rax_cpu::compiled::FUNCTIONS;
use rax_cpu::fpu::StatusWord;
use rax_cpu::x87::X87Function;

use super::super::abi::{
    AWAY, T0, T1, VECTORS, X87_CONTROL, X87_WORD, x87_high, x87_low, x87_operand,
};
use super::super::asm::{Alu, Asm, RAX, RSI, RSP, cc};
use super::super::flags::HostFlags;
use super::super::routines::{call, reload, spill};
use super::super::{Emit, Stuck};
use super::opcode::{FLDCW, FNSTSW};
use crate::helpers::Helpers;

mod opcode {
    pub(super) const FSTP_M80: u16 = 0x338;
    pub(super) const FLD_M80: u16 = 0x328;
    pub(super) const FADD_M64: u16 = 0x400;
    pub(super) const FXCH_1: u16 = 0x1c9;
    pub(super) const FDECSTP: u16 = 0x1f6;
    pub(super) const FINCSTP: u16 = 0x1f7;
}

/// In the control word, the precision and its value for 64 bits; how it rounds, if not to nearest.
const PRECISION: i32 = 0x300;
const ROUNDING: i32 = 0xc00;

/// Addresses of the routines, by function.
///
/// Called; ZF is set if nothing was done. Disturbs T0 and T1.
pub(in super::super) type Routines = [u64; FUNCTIONS];

/// Emits the routines: their addresses.
pub(in super::super) fn routines(asm: &mut Asm, helpers: &Helpers, vectors: [u64; 2]) -> Routines {
    X87Function::ALL.map(|function| {
        let start = asm.base + asm.here() as u64;
        compute(asm, function, helpers, vectors);
        start
    })
}

/// Tests bits of the status word. Disturbs T0.
fn test_status(asm: &mut Asm, bits: StatusWord) {
    asm.x87_memory(FNSTSW, X87_WORD);
    // As wide as it was stored, or the load would wait.
    asm.zero_extend(16, T0, X87_WORD);
    asm.test_imm(32, T0, i32::from(bits.bits()));
}

fn compute(
    asm: &mut Asm,
    function: X87Function,
    helpers: &Helpers,
    [load_vectors, store_vectors]: [u64; 2],
) {
    let (operands, results) = (function.operands(), function.results());
    asm.zero_extend(16, T0, X87_CONTROL);
    asm.test_imm(32, T0, ROUNDING);
    let rounds = asm.branch_ahead(cc::NE);
    let mut unwanted = StatusWord::STACK_FAULT;
    unwanted.set(StatusWord::C2, function.is_circular());
    test_status(asm, unwanted);
    let is_unwanted = asm.branch_ahead(cc::NE);
    for n in 0..operands {
        asm.x87_memory(opcode::FSTP_M80, x87_operand(n));
    }

    spill(asm);
    asm.alu_imm(Alu::Cmp, 32, VECTORS, 0);
    let there = asm.branch_ahead(cc::E);
    asm.call(store_vectors);
    asm.store_imm(32, VECTORS, AWAY);
    asm.bind(there);
    asm.constant(RSI, function as u64);
    call(asm, helpers.x87_function);
    asm.load(64, T0, RAX);
    reload(asm);
    asm.alu_imm(Alu::Cmp, 32, VECTORS, 0);
    let there = asm.branch_ahead(cc::E);
    asm.call(load_vectors);
    asm.bind(there);
    asm.test(64, T0, T0);
    let refused = asm.branch_ahead(cc::E);

    // These instructions round to 64 bits whatever the control word says.
    asm.zero_extend(16, T1, X87_CONTROL);
    asm.load(32, T0, T1);
    asm.alu_imm(Alu::Or, 32, T0, PRECISION);
    asm.alu(Alu::Sub, 32, T1, T0);
    let is_whole = asm.branch_ahead(cc::E);
    asm.store(32, X87_WORD, T0);
    asm.x87_memory(FLDCW, X87_WORD);
    asm.bind(is_whole);
    asm.x87_memory(opcode::FLD_M80, x87_high(0));
    let mut full = None;
    if results == 2 {
        asm.x87_memory(opcode::FLD_M80, x87_high(1));
        test_status(asm, StatusWord::STACK_FAULT);
        full = Some(asm.branch_ahead(cc::NE));
        asm.x87(opcode::FXCH_1);
    }
    asm.x87_memory(opcode::FADD_M64, x87_low(0));
    if results == 2 {
        asm.x87(opcode::FXCH_1);
        asm.x87_memory(opcode::FADD_M64, x87_low(1));
    }
    restore_precision(asm);
    asm.test(64, RSP, RSP);
    asm.ret();

    if let Some(full) = full {
        // The register is still in use, as the interpreter shall find it.
        asm.bind(full);
        asm.x87(opcode::FINCSTP);
        restore_precision(asm);
        nothing_done(asm);
    }
    asm.bind(refused);
    test_status(asm, StatusWord::STACK_FAULT);
    let was_empty = asm.branch_ahead(cc::NE);
    for n in (0..operands).rev() {
        asm.x87_memory(opcode::FLD_M80, x87_operand(n));
    }
    nothing_done(asm);
    // What was stored is of no interest: the answer does not depend on it.
    asm.bind(was_empty);
    for _ in 0..operands {
        asm.x87(opcode::FDECSTP);
    }
    asm.bind(rounds);
    asm.bind(is_unwanted);
    nothing_done(asm);
}

/// Loads the guest's control word if T1 says that it was changed.
fn restore_precision(asm: &mut Asm) {
    asm.test(32, T1, T1);
    let is_whole = asm.branch_ahead(cc::E);
    asm.x87_memory(FLDCW, X87_CONTROL);
    asm.bind(is_whole);
}

fn nothing_done(asm: &mut Asm) {
    asm.alu_from(Alu::Xor, 32, T0, T0);
    asm.ret();
}

impl Emit<'_> {
    /// A function, or else the interpreter carries the instruction out.
    pub(super) fn x87_function(&mut self, function: X87Function) -> Result<(), Stuck> {
        self.clear_temps()?;
        self.host_flags = HostFlags::Unknown;
        let routine = self.backend.routines.x87_functions[function as usize];
        self.asm.call(routine);
        let nothing_done = self.asm.branch_ahead(cc::E);
        self.slow.push(nothing_done);
        Ok(())
    }
}
