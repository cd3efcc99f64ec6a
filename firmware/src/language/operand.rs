//! How values become instructions: computed in EAX, with ECX, EDX, EBX and ES as helpers.

use iced_x86::code_asm::{
    AsmMemoryOperand, AsmRegister32, CodeAssembler, CodeLabel, al, ax, bp, bx, byte_ptr, cl,
    dword_ptr, dx, eax, ebp, ebx, ecx, edi, edx, es, esi, fs, ptr, word_ptr,
};

use iced_x86::{Code, Instruction};

use super::asm;
use super::body::Body;
use super::place::{Place, Space};
use super::unit::Bitness;
use super::value::{Condition, Node, Operation, Relation, Value, Width};

/// A register that can be loaded with a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Register {
    /// The accumulator.
    Eax,
    /// The base.
    Ebx,
    /// The counter.
    Ecx,
    /// The data register.
    Edx,
    /// The source index.
    Esi,
    /// The destination index.
    Edi,
    /// The extra segment.
    Es,
}

/// The right side of an operation, if nothing needs to be computed for it.
enum Simple {
    Immediate(u32),
    Memory(AsmMemoryOperand),
    Counter,
}

impl Register {
    /// The general register, or none for the segment.
    fn general(self) -> Option<AsmRegister32> {
        Some(match self {
            Self::Eax => eax,
            Self::Ebx => ebx,
            Self::Ecx => ecx,
            Self::Edx => edx,
            Self::Esi => esi,
            Self::Edi => edi,
            Self::Es => return None,
        })
    }

    /// Pops 32 bits into it; a segment takes its way through EAX.
    fn pop(self, code: &mut CodeAssembler) {
        match self.general() {
            Some(general) => asm!(code; pop general;),
            None => asm!(code; pop eax; mov es, ax;),
        }
    }
}

impl Body<'_> {
    /// Computes a value into EAX.
    pub(super) fn eval(&mut self, value: &Value) {
        match &*value.0 {
            Node::Constant(0) => asm!(&mut self.unit.code; xor eax, eax;),
            Node::Constant(constant @ 0..0x100) => {
                asm!(&mut self.unit.code; xor eax, eax; mov al, *constant;);
            }
            Node::Constant(constant) => asm!(&mut self.unit.code; mov eax, *constant;),
            Node::Load(place) => self.load(place),
            Node::Binary(operation, left, right) => {
                let right = self.sides(left, right);
                if !self.operate_on_part(*operation, left, &right) {
                    self.operate(*operation, &right);
                }
            }
            Node::Swapped(value) => {
                self.eval(value);
                asm!(&mut self.unit.code; bswap eax;);
            }
            Node::Input(width, port) => self.input(*width, port),
            Node::Truth(condition) => self.truth(condition),
            Node::Data(data) => {
                let offset = self.unit.constant(data);
                asm!(&mut self.unit.code; mov eax, offset;);
            }
            Node::Call(routine, arguments) => {
                for argument in arguments {
                    self.push(argument);
                }
                let label = self.unit.label_of(routine);
                asm!(&mut self.unit.code; call label;);
            }
            Node::Interrupt(vector, registers) => {
                self.load_registers(registers);
                asm!(&mut self.unit.code;
                    push bp; stc; int *vector; pop bp;
                    push crate::system::areas::BDA_SEGMENT; pop iced_x86::code_asm::ds;
                    sbb ecx, ecx; and ecx, 0x1_0000;
                    movzx eax, ax; or eax, ecx;
                );
            }
        }
    }

    fn truth(&mut self, condition: &Condition) {
        let [mut no, mut end] = [self.label(), self.label()];
        self.jump(condition, false, no);
        asm!(&mut self.unit.code; mov eax, 1; jmp end;);
        self.unit.place(&mut no);
        asm!(&mut self.unit.code; xor eax, eax;);
        self.unit.place(&mut end);
    }

    fn input(&mut self, width: Width, port: &Value) {
        if let Node::Constant(port) = &*port.0 {
            asm!(&mut self.unit.code; mov dx, *port;);
        } else {
            self.eval(port);
            asm!(&mut self.unit.code; mov dx, ax;);
        }
        match width {
            Width::Byte => asm!(&mut self.unit.code; in_ al, dx; movzx eax, al;),
            Width::Word => asm!(&mut self.unit.code; in_ ax, dx; movzx eax, ax;),
            Width::Dword => asm!(&mut self.unit.code; in_ eax, dx;),
        }
    }

    /// Writes to a port.
    pub(super) fn output(&mut self, width: Width, port: &Value, value: &Value) {
        match (&*port.0, self.simple(value)) {
            (Node::Constant(port), _) => {
                self.eval(value);
                asm!(&mut self.unit.code; mov dx, *port;);
            }
            (_, Some(_)) => {
                self.eval(port);
                asm!(&mut self.unit.code; mov dx, ax;);
                self.eval(value);
            }
            (_, None) => {
                self.push(port);
                self.eval(value);
                asm!(&mut self.unit.code; pop edx;);
            }
        }
        match width {
            Width::Byte => asm!(&mut self.unit.code; out dx, al;),
            Width::Word => asm!(&mut self.unit.code; out dx, ax;),
            Width::Dword => asm!(&mut self.unit.code; out dx, eax;),
        }
    }

    /// Pushes a value, 32 bits.
    pub(super) fn push(&mut self, value: &Value) {
        let constant = match &*value.0 {
            Node::Constant(constant) => Some(*constant),
            Node::Data(data) => Some(self.unit.constant(data)),
            Node::Load(place) if place.width == Width::Dword => {
                if let Some(address) = self.reach(place) {
                    asm!(&mut self.unit.code; push dword_ptr(address););
                    return;
                }
                None
            }
            _ => None,
        };
        let Some(constant) = constant else {
            self.eval(value);
            asm!(&mut self.unit.code; push eax;);
            return;
        };
        let code = if i8::try_from(constant.cast_signed()).is_ok() {
            Code::Pushd_imm8
        } else {
            Code::Pushd_imm32
        };
        let push = Instruction::with1(code, constant.cast_signed()).expect("a push");
        asm!(&mut self.unit.code; add_instruction push;);
    }

    /// Computes the left side into EAX, and the right side wherever is best, in this order.
    fn sides(&mut self, left: &Value, right: &Value) -> Simple {
        self.eval(left);
        if let Some(simple) = self.simple(right) {
            return simple;
        }
        asm!(&mut self.unit.code; push eax;);
        self.eval(right);
        asm!(&mut self.unit.code; mov ecx, eax; pop eax;);
        Simple::Counter
    }

    /// A constant, or a variable of this routine.
    fn simple(&mut self, value: &Value) -> Option<Simple> {
        match &*value.0 {
            Node::Constant(constant) => Some(Simple::Immediate(*constant)),
            Node::Data(data) => Some(Simple::Immediate(self.unit.constant(data))),
            Node::Load(place) => match place.space {
                Space::Frame(offset) => Some(Simple::Memory(dword_ptr(self.frame(offset)))),
                _ => None,
            },
            _ => None,
        }
    }

    /// The shorter form of an operation with a constant that concerns only a part of EAX. Whether there is one.
    fn operate_on_part(&mut self, operation: Operation, left: &Value, right: &Simple) -> bool {
        let Simple::Immediate(constant) = *right else {
            return false;
        };
        let code = &mut self.unit.code;
        match (operation, constant) {
            (Operation::And, 0xFF) => asm!(code; movzx eax, al;),
            (Operation::And, 0xFFFF) => asm!(code; movzx eax, ax;),
            (Operation::And, ..0x100) if left.is_byte() => asm!(code; and al, constant;),
            (Operation::Or, ..0x100) => asm!(code; or al, constant;),
            (Operation::Or, ..0x1_0000) => asm!(code; or ax, constant;),
            (Operation::Xor, ..0x100) => asm!(code; xor al, constant;),
            _ => return false,
        }
        true
    }

    fn operate(&mut self, operation: Operation, right: &Simple) {
        let code = &mut self.unit.code;
        macro_rules! emit {
            ($instruction:ident) => {
                match right {
                    Simple::Immediate(constant) => {
                        asm!(code; $instruction eax, constant.cast_signed();)
                    }
                    Simple::Memory(memory) => asm!(code; $instruction eax, *memory;),
                    Simple::Counter => asm!(code; $instruction eax, ecx;),
                }
            };
        }
        match operation {
            Operation::Add => emit!(add),
            Operation::Sub => emit!(sub),
            Operation::And => emit!(and),
            Operation::Or => emit!(or),
            Operation::Xor => emit!(xor),
            _ => self.operate_with_counter(operation, right),
        }
    }

    /// The operations whose right side is best in ECX.
    fn operate_with_counter(&mut self, operation: Operation, right: &Simple) {
        let code = &mut self.unit.code;
        match (operation, right) {
            (Operation::Shl, Simple::Immediate(count)) => asm!(code; shl eax, *count;),
            (Operation::Shr, Simple::Immediate(count)) => asm!(code; shr eax, *count;),
            (_, right) => {
                match right {
                    Simple::Immediate(constant) => asm!(code; mov ecx, *constant;),
                    Simple::Memory(memory) => asm!(code; mov ecx, *memory;),
                    Simple::Counter => {}
                }
                match operation {
                    Operation::Shl => asm!(code; shl eax, cl;),
                    Operation::Shr => asm!(code; shr eax, cl;),
                    Operation::Mul => asm!(code; imul_2 eax, ecx;),
                    Operation::Rem => asm!(code; xor edx, edx; div ecx; mov eax, edx;),
                    _ => asm!(code; xor edx, edx; div ecx;),
                }
            }
        }
    }

    /// Loads registers. What has to be computed goes over the stack, segments last, so that nothing is disturbed.
    pub(super) fn load_registers(&mut self, registers: &[(Register, Value)]) {
        let is_simple = |value: &Value| match &*value.0 {
            Node::Constant(_) | Node::Data(_) => true,
            Node::Load(place) => matches!(place.space, Space::Frame(_)),
            _ => false,
        };
        let (simple, mut computed): (Vec<_>, Vec<_>) = registers
            .iter()
            .partition(|(register, value)| is_simple(value) && *register != Register::Es);
        computed.sort_by_key(|(register, _)| *register == Register::Es);
        for (_, value) in &computed {
            self.push(value);
        }
        for (register, _) in computed.iter().rev() {
            register.pop(&mut self.unit.code);
        }
        for (register, value) in simple {
            let general = register.general().expect("segments are not simple");
            match self.simple(value) {
                Some(Simple::Immediate(0)) => asm!(&mut self.unit.code; xor general, general;),
                Some(Simple::Immediate(constant)) => {
                    asm!(&mut self.unit.code; mov general, constant;);
                }
                Some(Simple::Memory(memory)) => asm!(&mut self.unit.code; mov general, memory;),
                _ => unreachable!("it was found to be simple"),
            }
        }
    }

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

    /// A variable's address.
    fn frame(&self, offset: i32) -> AsmMemoryOperand {
        match self.unit.bitness {
            Bitness::Real => bp + offset,
            Bitness::Protected => ebp + offset,
        }
    }

    /// A place's address if it can be formed without EAX; it may take EBX and ES.
    fn reach(&mut self, place: &Place) -> Option<AsmMemoryOperand> {
        if !place.is_near() {
            return None;
        }
        Some(match &place.space {
            Space::Frame(offset) => self.frame(*offset),
            Space::Bda => self.index(&place.offset),
            Space::Rom => self.index(&place.offset).cs(),
            Space::Stack => self.index(&place.offset).ss(),
            Space::Flat => self.index_flat(&place.offset),
            Space::Far(segment) => {
                match &*segment.0 {
                    Node::Constant(segment) => {
                        let segment = segment.cast_signed();
                        asm!(&mut self.unit.code; push segment; pop es;);
                    }
                    Node::Load(place) => {
                        let address = self.reach(place).expect("a near place's segment is near");
                        asm!(&mut self.unit.code; mov es, word_ptr(address););
                    }
                    _ => unreachable!("a near place's segment is near"),
                }
                self.index(&place.offset).es()
            }
        })
    }

    /// A near offset as an operand: a constant, or BX with a displacement.
    fn index(&mut self, offset: &Value) -> AsmMemoryOperand {
        let (base, displacement) = offset.split();
        let Some(base) = base else {
            return ptr(u64::from(displacement));
        };
        let address = self.reach(base).expect("a near offset's base is near");
        let displacement = displacement.cast_signed();
        match self.unit.bitness {
            Bitness::Real => {
                asm!(&mut self.unit.code; mov bx, word_ptr(address););
                bx + displacement
            }
            Bitness::Protected => {
                asm!(&mut self.unit.code; mov ebx, dword_ptr(address););
                ebx + displacement
            }
        }
    }

    /// The same in flat memory.
    fn index_flat(&mut self, offset: &Value) -> AsmMemoryOperand {
        let (base, displacement) = offset.split();
        if let Some(base) = base {
            let address = self.reach(base).expect("a near offset's base is near");
            asm!(&mut self.unit.code; mov ebx, dword_ptr(address););
        } else {
            asm!(&mut self.unit.code; xor ebx, ebx;);
        }
        // Whatever was called in between may have changed FS, but not its limit.
        asm!(&mut self.unit.code; push 0; pop fs;);
        (ebx + displacement.cast_signed()).fs()
    }

    /// A place's address; computing it may change EAX, EBX and ES.
    fn address(&mut self, place: &Place) -> AsmMemoryOperand {
        if let Some(address) = self.reach(place) {
            return address;
        }
        match &place.space {
            Space::Frame(_) => unreachable!("variables are near"),
            Space::Bda => self.based(&place.offset),
            Space::Rom => self.based(&place.offset).cs(),
            Space::Stack => self.based(&place.offset).ss(),
            Space::Flat => {
                self.eval(&place.offset);
                asm!(&mut self.unit.code; mov ebx, eax; push 0; pop fs;);
                ptr(ebx).fs()
            }
            Space::Far(segment) => {
                self.push(segment);
                let address = self.based(&place.offset);
                asm!(&mut self.unit.code; pop eax; mov es, ax;);
                address.es()
            }
        }
    }

    /// An offset that has to be computed, as an operand: BX and a displacement.
    fn based(&mut self, offset: &Value) -> AsmMemoryOperand {
        let (base, displacement) = match &*offset.0 {
            Node::Binary(Operation::Add, base, constant) => match &*constant.0 {
                Node::Constant(constant) => (base, constant.cast_signed()),
                _ => (offset, 0),
            },
            _ => (offset, 0),
        };
        self.eval(base);
        match self.unit.bitness {
            Bitness::Real => {
                asm!(&mut self.unit.code; mov bx, ax;);
                bx + displacement
            }
            Bitness::Protected => {
                asm!(&mut self.unit.code; mov ebx, eax;);
                ebx + displacement
            }
        }
    }

    fn load(&mut self, place: &Place) {
        let address = self.address(place);
        let code = &mut self.unit.code;
        match place.width {
            Width::Byte => asm!(code; movzx eax, byte_ptr(address);),
            Width::Word => asm!(code; movzx eax, word_ptr(address);),
            Width::Dword => asm!(code; mov eax, dword_ptr(address);),
        }
    }

    /// Stores a value; the value is computed before the address.
    pub(super) fn store(&mut self, place: &Place, value: &Value) {
        if let Some(Simple::Immediate(constant)) = self.simple(value) {
            let address = self.address(place);
            let code = &mut self.unit.code;
            match place.width {
                Width::Byte => asm!(code; mov byte_ptr(address), constant & 0xFF;),
                Width::Word => asm!(code; mov word_ptr(address), constant & 0xFFFF;),
                Width::Dword => asm!(code; mov dword_ptr(address), constant;),
            }
            return;
        }
        self.eval(value);
        let address = self.address_beside(place);
        let code = &mut self.unit.code;
        match place.width {
            Width::Byte => asm!(code; mov byte_ptr(address), al;),
            Width::Word => asm!(code; mov word_ptr(address), ax;),
            Width::Dword => asm!(code; mov dword_ptr(address), eax;),
        }
    }

    /// A place's address, with EAX kept.
    fn address_beside(&mut self, place: &Place) -> AsmMemoryOperand {
        if let Some(address) = self.reach(place) {
            return address;
        }
        asm!(&mut self.unit.code; push eax;);
        let address = self.address(place);
        asm!(&mut self.unit.code; pop eax;);
        address
    }

    /// Changes a place in memory by one instruction, so that no interrupt comes between.
    pub(super) fn change(&mut self, operation: Operation, place: &Place, value: &Value) {
        macro_rules! emit {
            ($instruction:ident, $byte:expr, $word:expr, $dword:expr, $address:ident) => {
                match place.width {
                    Width::Byte => {
                        asm!(&mut self.unit.code; $instruction byte_ptr($address), $byte;)
                    }
                    Width::Word => {
                        asm!(&mut self.unit.code; $instruction word_ptr($address), $word;)
                    }
                    Width::Dword => {
                        asm!(&mut self.unit.code; $instruction dword_ptr($address), $dword;)
                    }
                }
            };
            ($byte:expr, $word:expr, $dword:expr, $address:ident) => {
                match operation {
                    Operation::Add => emit!(add, $byte, $word, $dword, $address),
                    Operation::Sub => emit!(sub, $byte, $word, $dword, $address),
                    Operation::Or => emit!(or, $byte, $word, $dword, $address),
                    _ => emit!(and, $byte, $word, $dword, $address),
                }
            };
        }
        if let Some(Simple::Immediate(constant)) = self.simple(value) {
            let address = self.address(place);
            emit!(
                constant & 0xFF,
                constant & 0xFFFF,
                constant.cast_signed(),
                address
            );
        } else {
            self.eval(value);
            let address = self.address_beside(place);
            emit!(al, ax, eax, address);
        }
    }
}

impl Place {
    /// Whether its address can be formed without EAX.
    fn is_near(&self) -> bool {
        let near_segment = match &self.space {
            Space::Frame(_) => return true,
            Space::Far(segment) => match &*segment.0 {
                Node::Constant(_) => true,
                Node::Load(place) => place.is_near() && place.width != Width::Byte,
                _ => false,
            },
            _ => true,
        };
        let flat = matches!(self.space, Space::Flat);
        near_segment
            && match self.offset.split() {
                (Some(base), _) => {
                    base.is_near()
                        && base.width != Width::Byte
                        && (!flat || base.width == Width::Dword)
                }
                (None, _) => matches!(&*self.offset.0, Node::Constant(_)),
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

impl Value {
    /// Whether it is below 100h for sure.
    fn is_byte(&self) -> bool {
        match &*self.0 {
            Node::Constant(constant) => *constant < 0x100,
            Node::Load(place) => place.width == Width::Byte,
            Node::Input(Width::Byte, _) | Node::Truth(_) => true,
            _ => false,
        }
    }

    /// As a place and a constant that is added to it; without a place it is a constant, or something else.
    fn split(&self) -> (Option<&Place>, u32) {
        match &*self.0 {
            Node::Constant(constant) => (None, *constant),
            Node::Load(place) => (Some(place), 0),
            Node::Binary(Operation::Add, left, right) => match (&*left.0, &*right.0) {
                (Node::Load(place), Node::Constant(constant)) => (Some(place), *constant),
                _ => (None, 0),
            },
            _ => (None, 0),
        }
    }
}

#[cfg(test)]
mod tests;
