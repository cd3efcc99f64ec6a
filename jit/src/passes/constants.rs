//! What follows from constants is computed now: values, addresses, conditions; and
//! operations that change nothing are stepped over.

use rax_cpu::flags::{LazyFlags, mask, sign_extend};
use rax_cpu::ir::{Block, Name, Op};
use rax_cpu::rflags::Rflags;
use rax_cpu::state::Gpr;
use rax_cpu::verbs::{BinaryOp, Flags};

/// What an operation turns out to be.
enum Finding {
    Constant(u64),
    Same(Name),
    Other(Op),
}

/// Runs the pass.
pub(super) fn fold(block: &mut Block) {
    let mut fold = Fold {
        names: (0..block.ops.len() as u32).map(Name).collect(),
        values: vec![None; block.ops.len()],
        registers: [None; 16],
        flags: None,
        block,
    };
    let mut number = 0;
    for position in 0..fold.block.ops.len() {
        let (op, width) = fold.block.ops[position];
        let op = op.map_names(|name| fold.names[name.0 as usize]);
        if let Op::Begin(next) = op {
            number = next as usize;
        }
        fold.block.ops[position].0 = op;
        match fold.find(op, width, number) {
            Some(Finding::Constant(value)) => {
                fold.block.ops[position].0 = Op::Constant(value);
                fold.values[position] = Some(value);
            }
            Some(Finding::Same(name)) => fold.names[position] = name,
            Some(Finding::Other(op)) => fold.block.ops[position].0 = op,
            None => fold.follow(op, width, number),
        }
    }
}

struct Fold<'a> {
    block: &'a mut Block,
    /// What each name stands for.
    names: Vec<Name>,
    /// Its value, if that is known.
    values: Vec<Option<u64>>,
    /// What each register holds, if that is known.
    registers: [Option<u64>; 16],
    /// The flags, if they are known.
    flags: Option<LazyFlags>,
}

impl Fold<'_> {
    fn value(&self, name: Name) -> Option<u64> {
        self.values[name.0 as usize]
    }

    fn width(&self, name: Name) -> u32 {
        self.block.ops[name.0 as usize].1
    }

    fn find(&self, op: Op, width: u32, number: usize) -> Option<Finding> {
        let constant = |value: Option<u64>| value.map(Finding::Constant);
        match op {
            Op::Constant(value) => Some(Finding::Constant(value)),
            Op::ReadGpr(register, is_high) => {
                let value = self.register(register)?;
                let shift = if width == 8 && is_high { 8 } else { 0 };
                Some(Finding::Constant(value >> shift & mask(width)))
            }
            Op::RawAddress => {
                let insn = &self.block.insns[number];
                let base = self.register(insn.base)?;
                let index = self.register(insn.index)? << insn.scale;
                let sum = base.wrapping_add(index);
                Some(Finding::Constant(
                    sum.wrapping_add(insn.displacement as u64),
                ))
            }
            Op::Binary(op, a, b) => self.binary(op, width, a, b),
            Op::Unary(op, a) => constant(self.value(a).map(|a| op.apply(width, a))),
            Op::Shift(_, value, count) if self.value(count) == Some(0) => {
                Some(Finding::Same(value))
            }
            Op::Shift(op, value, count) => {
                let (value, count) = (self.value(value)?, self.value(count)?);
                Some(Finding::Constant(op.apply(width, value, count as u32 & 63)))
            }
            Op::DoubleShift(_, value, _, count) if self.value(count) == Some(0) => {
                Some(Finding::Same(value))
            }
            Op::DoubleShift(op, value, source, count) => {
                let (value, source) = (self.value(value)?, self.value(source)?);
                let count = self.value(count)? as u32 & 63;
                Some(Finding::Constant(op.apply(width, value, source, count)))
            }
            Op::ZeroExtend(value) => self.zero_extend(width, value),
            Op::SignExtend(from, value) if from == width && self.width(value) == width => {
                Some(Finding::Same(value))
            }
            Op::SignExtend(from, value) => {
                let value = self.value(value)?;
                Some(Finding::Constant(sign_extend(from, value) & mask(width)))
            }
            Op::IsZero(value) => constant(self.value(value).map(|value| u64::from(value == 0))),
            Op::Select(_, yes, no) if yes == no => Some(Finding::Same(yes)),
            Op::Select(condition, yes, no) => {
                let holds = self.value(condition.0)? != 0;
                Some(Finding::Same(if holds { yes } else { no }))
            }
            Op::Condition(condition) => {
                let holds = self.flags?.condition(condition);
                Some(Finding::Constant(u64::from(holds)))
            }
            _ => None,
        }
    }

    fn binary(&self, op: BinaryOp, width: u32, a: Name, b: Name) -> Option<Finding> {
        use BinaryOp::{Add, And, Mul, MulHighSigned, MulHighUnsigned, Or, Sub, Xor};
        let ones = mask(width);
        let zero = Some(Finding::Constant(0));
        match (op, self.value(a), self.value(b)) {
            (_, Some(a), Some(b)) => Some(Finding::Constant(op.apply(width, a, b))),
            (Sub | Xor, _, _) if a == b => zero,
            (And | Or, _, _) if a == b => Some(Finding::Same(a)),
            (Add | Or | Xor, Some(0), _) => Some(Finding::Same(b)),
            (Add | Sub | Or | Xor, _, Some(0)) => Some(Finding::Same(a)),
            (And | Mul | MulHighSigned | MulHighUnsigned, Some(0), _)
            | (And | Mul | MulHighSigned | MulHighUnsigned, _, Some(0)) => zero,
            (And, Some(value), _) if value == ones => Some(Finding::Same(b)),
            (And, _, Some(value)) if value == ones => Some(Finding::Same(a)),
            (Or, Some(value), _) | (Or, _, Some(value)) if value == ones => {
                Some(Finding::Constant(ones))
            }
            (Mul, Some(1), _) => Some(Finding::Same(b)),
            (Mul, _, Some(1)) => Some(Finding::Same(a)),
            _ => None,
        }
    }

    fn zero_extend(&self, width: u32, value: Name) -> Option<Finding> {
        if let Some(value) = self.value(value) {
            return Some(Finding::Constant(value & mask(width)));
        }
        let (maker, between) = self.block.ops[value.0 as usize];
        if between == width {
            return Some(Finding::Same(value));
        }
        let Op::ZeroExtend(inner) = maker else {
            return None;
        };
        let from = self.width(inner);
        // What the step between cut off, this one cuts off too, or was not there.
        if between < width.min(from) {
            return None;
        }
        Some(if from == width {
            Finding::Same(inner)
        } else {
            Finding::Other(Op::ZeroExtend(inner))
        })
    }

    fn register(&self, register: Gpr) -> Option<u64> {
        if register == Gpr::Zero {
            return Some(0);
        }
        *self.registers.get(register.index())?
    }

    /// Keeps track of what registers and flags hold.
    fn follow(&mut self, op: Op, width: u32, number: usize) {
        match op {
            Op::WriteGpr(register, is_high, value) => {
                let value = self.value(value);
                if let Some(known) = self.registers.get_mut(register.index()) {
                    *known = match (width, value) {
                        (32 | 64, value) => value,
                        (_, None) => None,
                        (8, Some(value)) if is_high => known.map(|old| old & !0xff00 | value << 8),
                        (_, Some(value)) => known.map(|old| old & !mask(width) | value),
                    };
                }
            }
            Op::Push(_) | Op::MoveStack(_) => self.registers[Gpr::Rsp.index()] = None,
            Op::SetStack(value) => {
                let whole = self.block.insns[number].stack_bits == 64;
                let value = self.value(value).filter(|_| whole);
                self.registers[Gpr::Rsp.index()] = value;
            }
            Op::Call(_) => {
                self.registers = [None; 16];
                self.flags = None;
            }
            op if op.orders() => self.flags = None,
            Op::Flags(flags) => self.flags = self.flags_after(flags, width),
            _ => {}
        }
    }

    fn flags_after(&self, flags: Flags<Name, Name>, width: u32) -> Option<LazyFlags> {
        let count = flags.count().and_then(|count| self.value(count));
        if flags.may_write(count).is_empty() {
            return self.flags;
        }
        let old = if flags.must_write(count) == Rflags::STATUS {
            LazyFlags::default()
        } else {
            self.flags?
        };
        let is_known = std::cell::Cell::new(true);
        let get = |name| {
            let value = self.value(name);
            is_known.set(is_known.get() && value.is_some());
            value.unwrap_or(0)
        };
        let flags = flags.map(get, get);
        is_known.get().then(|| flags.apply(width, old))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{lift, ops};
    use super::super::{Selection, Successors, run};
    use rax_cpu::testing::Bits;

    fn after_all_passes(bytes: &[u8]) -> Vec<String> {
        let mut block = lift(Bits::Long64, bytes);
        run(&mut block, Selection::ALL, Successors::default());
        ops(&block)
    }

    #[test]
    fn a_register_cleared_by_xor_is_constant_zero() {
        // xor eax, eax
        assert_eq!(
            after_all_passes(b"\x31\xc0"),
            [
                "Constant(0)",
                "WriteGpr(Rax, false, Name(1))",
                "Flags(Logic { result: Name(1) })"
            ]
        );
    }

    #[test]
    fn constants_reach_addresses() {
        // mov ebx, 0x1000; mov ecx, 3; mov rdx, [rbx+rcx*8+0x10]
        let ops = after_all_passes(b"\xbb\x00\x10\x00\x00\xb9\x03\x00\x00\x00\x48\x8b\x54\xcb\x10");
        assert!(ops.contains(&"Constant(4136)".to_owned()), "{ops:?}");
        assert!(!ops.contains(&"RawAddress".to_owned()), "{ops:?}");
    }

    #[test]
    fn a_condition_of_known_flags_is_known() {
        // xor eax, eax; jnz: the branch is never taken
        let ops = after_all_passes(b"\x31\xc0\x75\x00");
        assert!(!ops.iter().any(|op| op.starts_with("Branch")), "{ops:?}");
        assert!(!ops.iter().any(|op| op.starts_with("Condition")), "{ops:?}");
    }

    #[test]
    fn a_part_of_a_known_register_is_known() {
        // mov eax, 0x1234; mov al, 0x56; mov cl, ah; movzx edx, ax
        let ops = after_all_passes(b"\xb8\x34\x12\x00\x00\xb0\x56\x88\xe1\x0f\xb7\xd0");
        assert!(ops.contains(&format!("Constant({})", 0x12)), "{ops:?}");
        assert!(ops.contains(&format!("Constant({})", 0x1256)), "{ops:?}");
    }

    #[test]
    fn a_rotate_keeps_flags_that_are_not_known() {
        // mov eax, 1; rol eax, 1; jz: ZF comes from before the block
        let ops = after_all_passes(b"\xb8\x01\x00\x00\x00\xd1\xc0\x74\x00");
        assert!(ops.iter().any(|op| op.starts_with("Condition")), "{ops:?}");
    }
}
