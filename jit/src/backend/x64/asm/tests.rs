//! What is emitted reads back as what was meant.

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};
use proptest::prelude::*;

use super::*;

const BASE: u64 = 0x1_0000_0000;
const WIDTHS: [u32; 4] = [8, 16, 32, 64];

/// An operand as it was meant.
#[derive(Clone, Copy, Debug)]
enum Operand {
    /// A register of a width, or memory.
    Rm(u32, Rm),
    /// An immediate, of which so many bits count.
    Immediate(u32, i64),
}

fn register(bits: u32, reg: Reg) -> Register {
    let number = u32::from(reg & 15);
    match bits {
        8 if is_high(reg) => Register::AH + number,
        8 if number >= 4 => Register::SPL + (number - 4),
        8 => Register::AL + number,
        16 => Register::AX + number,
        32 => Register::EAX + number,
        _ => Register::RAX + number,
    }
}

/// The only instruction that was emitted.
fn decoded(emit: impl FnOnce(&mut Asm)) -> Instruction {
    let mut asm = Asm::new(BASE, Vec::new());
    emit(&mut asm);
    let code = asm.finish();
    let mut decoder = Decoder::with_ip(64, &code, BASE, DecoderOptions::NONE);
    let found = decoder.decode();
    assert_eq!(found.len(), code.len(), "{found} {code:02x?}");
    found
}

fn check(mnemonic: Mnemonic, operands: &[Operand], emit: impl FnOnce(&mut Asm)) {
    let found = decoded(emit);
    let wanted = format!("{found} is to be {mnemonic:?} {operands:x?}");
    assert_eq!(found.mnemonic(), mnemonic, "{wanted}");
    assert_eq!(found.op_count() as usize, operands.len(), "{wanted}");
    for (n, operand) in (0..).zip(operands) {
        match *operand {
            Operand::Rm(bits, Rm::Reg(reg)) => {
                assert_eq!(found.op_kind(n), OpKind::Register, "{wanted}");
                assert_eq!(found.op_register(n), register(bits, reg), "{wanted}");
            }
            Operand::Rm(_, Rm::Mem(mem)) => {
                let index = mem
                    .index
                    .map_or(Register::None, |(reg, _)| register(64, reg));
                assert_eq!(found.op_kind(n), OpKind::Memory, "{wanted}");
                let base = match mem.base {
                    NO_BASE => Register::None,
                    base => register(64, base),
                };
                assert_eq!(found.memory_base(), base, "{wanted}");
                assert_eq!(found.memory_index(), index, "{wanted}");
                let scale = mem.index.map_or(0, |(_, scale)| scale);
                assert_eq!(found.memory_index_scale(), 1 << scale, "{wanted}");
                let disp = found.memory_displacement64() as i32;
                assert_eq!(disp, mem.disp, "{wanted}");
            }
            Operand::Immediate(bits, value) => {
                let mask = u64::MAX >> (64 - bits);
                let immediate = found.immediate(n);
                assert_eq!(immediate & mask, value as u64 & mask, "{wanted}");
            }
        }
    }
}

/// Displacements and immediates about the limits of their short forms.
fn short_or_long() -> impl Strategy<Value = i32> {
    prop_oneof![Just(0), -130..130i32, any::<i32>()]
}

fn memory() -> impl Strategy<Value = Mem> {
    let index = (0..16u8, 0..4u8).prop_filter("RSP is no index", |(reg, _)| *reg != RSP);
    let base = prop_oneof![9 => 0..16u8, 1 => Just(NO_BASE)];
    (base, proptest::option::of(index), short_or_long())
        .prop_filter("one of them", |(base, index, _)| {
            *base != NO_BASE || index.is_some()
        })
        .prop_map(|(base, index, disp)| Mem { base, index, disp })
}

fn any_rm() -> impl Strategy<Value = Rm> {
    prop_oneof![(0..16u8).prop_map(Rm::Reg), memory().prop_map(Rm::Mem)]
}

/// What may stand beside AH and its like.
fn beside_high() -> impl Strategy<Value = Reg> {
    (0..4u8, any::<bool>()).prop_map(|(reg, is_high)| if is_high { high(reg) } else { reg })
}

const ALUS: [(Alu, Mnemonic); 6] = [
    (Alu::Add, Mnemonic::Add),
    (Alu::Or, Mnemonic::Or),
    (Alu::And, Mnemonic::And),
    (Alu::Sub, Mnemonic::Sub),
    (Alu::Xor, Mnemonic::Xor),
    (Alu::Cmp, Mnemonic::Cmp),
];
const TURNS: [(Turn, Mnemonic); 5] = [
    (Turn::Rol, Mnemonic::Rol),
    (Turn::Ror, Mnemonic::Ror),
    (Turn::Shl, Mnemonic::Shl),
    (Turn::Shr, Mnemonic::Shr),
    (Turn::Sar, Mnemonic::Sar),
];
/// The conditions that [`cc`] names, and their SETcc, CMOVcc and Jcc.
const CONDITIONS: [(u8, [Mnemonic; 3]); 7] = [
    (cc::B, [Mnemonic::Setb, Mnemonic::Cmovb, Mnemonic::Jb]),
    (cc::AE, [Mnemonic::Setae, Mnemonic::Cmovae, Mnemonic::Jae]),
    (cc::E, [Mnemonic::Sete, Mnemonic::Cmove, Mnemonic::Je]),
    (cc::NE, [Mnemonic::Setne, Mnemonic::Cmovne, Mnemonic::Jne]),
    (cc::BE, [Mnemonic::Setbe, Mnemonic::Cmovbe, Mnemonic::Jbe]),
    (cc::A, [Mnemonic::Seta, Mnemonic::Cmova, Mnemonic::Ja]),
    (cc::L, [Mnemonic::Setl, Mnemonic::Cmovl, Mnemonic::Jl]),
];

proptest! {
    #[test]
    fn two_operands(width in 0..4usize, reg in 0..16u8, rm in any_rm(), value in short_or_long()) {
        let bits = WIDTHS[width];
        let (to, from) = (Operand::Rm(bits, rm), Operand::Rm(bits, Rm::Reg(reg)));
        let immediate = Operand::Immediate(bits, i64::from(value));
        for (op, mnemonic) in ALUS {
            check(mnemonic, &[to, from], |asm| asm.alu(op, bits, rm, reg));
            check(mnemonic, &[from, to], |asm| asm.alu_from(op, bits, reg, rm));
            let narrow = if bits == 16 { i32::from(value as i16) } else { value };
            check(mnemonic, &[to, immediate], |asm| asm.alu_imm(op, bits, rm, narrow));
        }
        check(Mnemonic::Test, &[to, from], |asm| asm.test(bits, rm, reg));
        check(Mnemonic::Test, &[to, immediate], |asm| asm.test_imm(bits, rm, value));
        check(Mnemonic::Mov, &[to, from], |asm| asm.store(bits, rm, reg));
        check(Mnemonic::Mov, &[from, to], |asm| asm.load(bits, reg, rm));
        check(Mnemonic::Mov, &[to, immediate], |asm| asm.store_imm(bits, rm, value));
    }

    #[test]
    fn high_bytes(a in beside_high(), b in beside_high(), count in 2..8u8) {
        let [to, from] = [a, b].map(|reg| Operand::Rm(8, Rm::Reg(reg)));
        let wide = Operand::Rm(32, Rm::Reg(b & 3));
        for (op, mnemonic) in ALUS {
            check(mnemonic, &[to, from], |asm| asm.alu(op, 8, a, b));
            check(mnemonic, &[to, Operand::Immediate(8, 5)], |asm| asm.alu_imm(op, 8, a, 5));
        }
        check(Mnemonic::Mov, &[to, from], |asm| asm.load(8, a, b));
        check(Mnemonic::Movzx, &[wide, to], |asm| asm.zero_extend(8, b & 3, a));
        check(Mnemonic::Shl, &[to, Operand::Immediate(8, i64::from(count))], |asm| {
            asm.shift_imm(Turn::Shl, 8, a, count);
        });
        check(Mnemonic::Sete, &[to], |asm| asm.set(cc::E, a));
    }

    #[test]
    fn moves_that_widen(reg in 0..16u8, rm in any_rm(), wide in any::<bool>()) {
        let bits = if wide { 64 } else { 32 };
        let to = |bits| Operand::Rm(bits, Rm::Reg(reg));
        for from in [8, 16] {
            let source = Operand::Rm(from, rm);
            check(Mnemonic::Movzx, &[to(32), source], |asm| asm.zero_extend(from, reg, rm));
            check(Mnemonic::Movsx, &[to(bits), source], |asm| {
                asm.sign_extend(from, bits, reg, rm);
            });
        }
        for from in [32, 64] {
            let source = Operand::Rm(from, rm);
            check(Mnemonic::Mov, &[to(from), source], |asm| asm.zero_extend(from, reg, rm));
        }
        check(Mnemonic::Movsxd, &[to(64), Operand::Rm(32, rm)], |asm| {
            asm.sign_extend(32, 64, reg, rm);
        });
    }

    #[test]
    fn constants(reg in 0..16u8, value in prop_oneof![any::<u64>(), any::<u32>().prop_map(u64::from), any::<i32>().prop_map(|value| i64::from(value) as u64)]) {
        let found = decoded(|asm| asm.constant(reg, value));
        prop_assert_eq!(found.mnemonic(), Mnemonic::Mov);
        let whole = register(64, reg);
        prop_assert_eq!(found.op0_register().full_register(), whole);
        // What is written to 32 bits clears the others.
        let is_whole = found.op0_register() == whole;
        let mask = if is_whole { u64::MAX } else { u64::from(u32::MAX) };
        prop_assert_eq!(found.immediate(1) & mask, value);
    }

    #[test]
    fn arithmetic(width in 1..4usize, reg in 0..16u8, rm in any_rm(), mem in memory(), value in short_or_long(), count in 1..32u8) {
        let bits = WIDTHS[width];
        let (to, from) = (Operand::Rm(bits, Rm::Reg(reg)), Operand::Rm(bits, rm));
        check(Mnemonic::Lea, &[to, Operand::Rm(bits, Rm::Mem(mem))], |asm| asm.lea(bits, reg, mem));
        check(Mnemonic::Imul, &[to, from], |asm| asm.imul(bits, reg, rm));
        let immediate = Operand::Immediate(bits, i64::from(value));
        let narrow = if bits == 16 { i32::from(value as i16) } else { value };
        check(Mnemonic::Imul, &[to, from, immediate], |asm| asm.imul_imm(bits, reg, rm, narrow));
        let count_operand = Operand::Immediate(8, i64::from(count));
        for (is_right, mnemonic) in [(false, Mnemonic::Shld), (true, Mnemonic::Shrd)] {
            check(mnemonic, &[from, to, count_operand], |asm| {
                asm.double_shift(is_right, bits, rm, reg, count);
            });
        }
        for (opcode, mnemonic) in [(0xb8, Mnemonic::Popcnt), (0xbc, Mnemonic::Tzcnt), (0xbd, Mnemonic::Lzcnt)] {
            check(mnemonic, &[to, from], |asm| asm.count_bits(opcode, bits, reg, rm));
        }
        if bits >= 32 {
            check(Mnemonic::Bswap, &[to], |asm| asm.byte_swap(bits, reg));
        }
        let whole = [Operand::Rm(64, Rm::Mem(mem)), Operand::Rm(64, Rm::Reg(reg))];
        check(Mnemonic::Bts, &whole, |asm| asm.set_bit(mem, reg));
        let [a, b] = [reg, mem.base].map(|reg| Operand::Rm(64, Rm::Reg(reg)));
        check(Mnemonic::Rorx, &[a, b, count_operand], |asm| asm.rorx(reg, mem.base, count));
    }

    #[test]
    fn groups(width in 0..4usize, rm in any_rm(), count in 1..64u8) {
        let bits = WIDTHS[width];
        let operand = Operand::Rm(bits, rm);
        for (op, mnemonic) in TURNS {
            check(mnemonic, &[operand, Operand::Immediate(8, i64::from(count))], |asm| {
                asm.shift_imm(op, bits, rm, count);
            });
            check(mnemonic, &[operand, Operand::Rm(8, Rm::Reg(RCX))], |asm| {
                asm.shift_cl(op, bits, rm);
            });
        }
        let digits = [
            (2, Mnemonic::Not),
            (3, Mnemonic::Neg),
            (4, Mnemonic::Mul),
            (5, Mnemonic::Imul),
            (6, Mnemonic::Div),
            (7, Mnemonic::Idiv),
        ];
        for (digit, mnemonic) in digits {
            check(mnemonic, &[operand], |asm| asm.group3(bits, digit, rm));
        }
    }

    #[test]
    fn conditions(width in 1..4usize, reg in 0..16u8, rm in any_rm()) {
        let bits = WIDTHS[width];
        for (condition, [set, select, _]) in CONDITIONS {
            check(set, &[Operand::Rm(8, rm)], |asm| asm.set(condition, rm));
            check(select, &[Operand::Rm(bits, Rm::Reg(reg)), Operand::Rm(bits, rm)], |asm| {
                asm.select(condition, bits, reg, rm);
            });
        }
    }

    #[test]
    fn ways_elsewhere(reg in 0..16u8, rm in any_rm(), distance in any::<i32>(), gap in 0..300usize) {
        let whole = Operand::Rm(64, Rm::Reg(reg));
        check(Mnemonic::Push, &[whole], |asm| asm.push(reg));
        check(Mnemonic::Pop, &[whole], |asm| asm.pop(reg));
        check(Mnemonic::Popfq, &[], Asm::pop_flags);
        check(Mnemonic::Ret, &[], Asm::ret);
        check(Mnemonic::Jmp, &[Operand::Rm(64, rm)], |asm| asm.jump_indirect(rm));
        check(Mnemonic::Call, &[Operand::Rm(64, rm)], |asm| asm.call_indirect(rm));
        let target = (BASE + 5).wrapping_add_signed(i64::from(distance));
        let jump = decoded(|asm| asm.jump(target));
        prop_assert_eq!((jump.mnemonic(), jump.near_branch_target()), (Mnemonic::Jmp, target));
        let call = decoded(|asm| asm.call(target));
        prop_assert_eq!((call.mnemonic(), call.near_branch_target()), (Mnemonic::Call, target));
        let ahead = |emit: &dyn Fn(&mut Asm) -> Fixup| {
            let mut asm = Asm::new(BASE, Vec::new());
            let fixup = emit(&mut asm);
            for _ in 0..gap {
                asm.byte(0x90);
            }
            asm.bind(fixup);
            let end = BASE + asm.here() as u64;
            (Decoder::with_ip(64, &asm.finish(), BASE, DecoderOptions::NONE).decode(), end)
        };
        let (jump, end) = ahead(&Asm::jump_ahead);
        prop_assert_eq!((jump.mnemonic(), jump.near_branch_target()), (Mnemonic::Jmp, end));
        for (condition, [.., branch]) in CONDITIONS {
            let (found, end) = ahead(&|asm| asm.branch_ahead(condition));
            prop_assert_eq!((found.mnemonic(), found.near_branch_target()), (branch, end));
        }
    }
}
