//! How conditions become jumps.

use iced_x86::code_asm::{CodeLabel, byte_ptr, dword_ptr, eax, ecx, word_ptr};

use super::asm;
use super::body::Body;
use super::operand::Simple;
use super::value::{Condition, Node, Operation, Relation, Value, Width};

impl Body<'_> {
    /// Jumps if the condition is as `wanted`.
    pub(super) fn jump(&mut self, condition: &Condition, wanted: bool, target: CodeLabel) {
        match condition {
            Condition::Not(inner) => self.jump(inner, !wanted, target),
            Condition::Both(first, second) => self.jump_two([first, second], wanted, target, true),
            Condition::Either(first, second) => {
                self.jump_two([first, second], wanted, target, false);
            }
            Condition::Compare(relation, left, right) => {
                if self.compare_in_memory(*relation, left, right) {
                    return self.jump_by_flags(*relation, wanted, target);
                }
                let right = self.sides(left, right);
                let code = &mut self.unit.code;
                match right {
                    Simple::Immediate(0) => asm!(code; test eax, eax;),
                    Simple::Immediate(constant) => asm!(code; cmp eax, constant.cast_signed();),
                    Simple::Memory(memory) => asm!(code; cmp eax, memory;),
                    Simple::Counter => asm!(code; cmp eax, ecx;),
                }
                self.jump_by_flags(*relation, wanted, target);
            }
        }
    }

    fn jump_by_flags(&mut self, relation: Relation, wanted: bool, target: CodeLabel) {
        let code = &mut self.unit.code;
        match (relation, wanted) {
            (Relation::Equal, true) => asm!(code; je target;),
            (Relation::Equal, false) => asm!(code; jne target;),
            (Relation::Below, true) => asm!(code; jb target;),
            (Relation::Below, false) => asm!(code; jae target;),
            (Relation::Above, true) => asm!(code; ja target;),
            (Relation::Above, false) => asm!(code; jbe target;),
        }
    }

    /// Compares a place with a constant, or tests its bits, without loading it. Whether that can be done.
    fn compare_in_memory(&mut self, relation: Relation, left: &Value, right: &Value) -> bool {
        let Node::Constant(constant) = *right.0 else {
            return false;
        };
        let (place, mask) = match &*left.0 {
            Node::Load(place) => (place, None),
            Node::Binary(Operation::And, place, mask) => match (&*place.0, &*mask.0) {
                (Node::Load(place), Node::Constant(mask)) => (place, Some(*mask)),
                _ => return false,
            },
            _ => return false,
        };
        let tests_zero = relation == Relation::Equal && constant == 0;
        let fits = place.width.holds(mask.unwrap_or(constant));
        if !fits || (mask.is_some() && !tests_zero) {
            return false;
        }
        let Some(address) = self.reach(place) else {
            return false;
        };
        let code = &mut self.unit.code;
        match (place.width, mask) {
            (Width::Byte, None) => asm!(code; cmp byte_ptr(address), constant;),
            (Width::Word, None) => asm!(code; cmp word_ptr(address), constant;),
            (Width::Dword, None) => asm!(code; cmp dword_ptr(address), constant.cast_signed();),
            (Width::Byte, Some(mask)) => asm!(code; test byte_ptr(address), mask;),
            (Width::Word, Some(mask)) => asm!(code; test word_ptr(address), mask;),
            (Width::Dword, Some(mask)) => asm!(code; test dword_ptr(address), mask.cast_signed();),
        }
        true
    }

    /// Jumps if both (`all`) or at least one of two conditions are as a whole as `wanted`.
    fn jump_two(&mut self, pair: [&Condition; 2], wanted: bool, target: CodeLabel, all: bool) {
        if wanted == all {
            // The first alone can say that the jump is not taken.
            let mut skip = self.label();
            self.jump(pair[0], !wanted, skip);
            self.jump(pair[1], wanted, target);
            self.unit.place(&mut skip);
        } else {
            self.jump(pair[0], wanted, target);
            self.jump(pair[1], wanted, target);
        }
    }
}

impl Width {
    /// Whether a constant fits.
    fn holds(self, constant: u32) -> bool {
        match self {
            Self::Byte => constant < 0x100,
            Self::Word => constant < 0x1_0000,
            Self::Dword => true,
        }
    }
}
