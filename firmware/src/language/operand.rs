//! How values become instructions: computed in EAX, with ECX, EDX, EBX and ES as helpers.

use iced_x86::code_asm::{
    AsmMemoryOperand, AsmRegister32, CodeAssembler, al, ax, bp, cl, dword_ptr, dx, eax, ebx, ecx,
    edi, edx, es, esi,
};

use iced_x86::{Code, Instruction};

use super::asm;
use super::body::Body;
use super::place::{Place, Space};
use super::value::{Condition, Node, Operation, Value, Width};

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
pub(super) enum Simple {
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

    pub(super) fn truth(&mut self, condition: &Condition) {
        let [mut no, mut end] = [self.label(), self.label()];
        self.jump(condition, false, no);
        asm!(&mut self.unit.code; mov eax, 1; jmp end;);
        self.unit.place(&mut no);
        asm!(&mut self.unit.code; xor eax, eax;);
        self.unit.place(&mut end);
    }

    pub(super) fn input(&mut self, width: Width, port: &Value) {
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
    pub(super) fn sides(&mut self, left: &Value, right: &Value) -> Simple {
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
    pub(super) fn simple(&mut self, value: &Value) -> Option<Simple> {
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
    pub(super) fn operate_on_part(
        &mut self,
        operation: Operation,
        left: &Value,
        right: &Simple,
    ) -> bool {
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

    pub(super) fn operate(&mut self, operation: Operation, right: &Simple) {
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
    pub(super) fn operate_with_counter(&mut self, operation: Operation, right: &Simple) {
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
    pub(super) fn split(&self) -> (Option<&Place>, u32) {
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
