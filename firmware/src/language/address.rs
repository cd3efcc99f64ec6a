//! How places become memory operands, and how they are loaded, stored and changed.

use iced_x86::code_asm::{
    AsmMemoryOperand, al, ax, bp, bx, byte_ptr, dword_ptr, eax, ebp, ebx, es, fs, ptr, word_ptr,
};

use super::asm;
use super::body::Body;
use super::operand::Simple;
use super::place::{Place, Space};
use super::unit::Bitness;
use super::value::{Node, Operation, Value, Width};

impl Body<'_> {
    /// A variable's address.
    pub(super) fn frame(&self, offset: i32) -> AsmMemoryOperand {
        match self.unit.bitness {
            Bitness::Real => bp + offset,
            Bitness::Protected => ebp + offset,
        }
    }

    /// A place's address if it can be formed without EAX; it may take EBX and ES.
    pub(super) fn reach(&mut self, place: &Place) -> Option<AsmMemoryOperand> {
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
    pub(super) fn index(&mut self, offset: &Value) -> AsmMemoryOperand {
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
    pub(super) fn index_flat(&mut self, offset: &Value) -> AsmMemoryOperand {
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
    pub(super) fn address(&mut self, place: &Place) -> AsmMemoryOperand {
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
    pub(super) fn based(&mut self, offset: &Value) -> AsmMemoryOperand {
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

    pub(super) fn load(&mut self, place: &Place) {
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
    pub(super) fn address_beside(&mut self, place: &Place) -> AsmMemoryOperand {
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
                        // ES holds this place's segment when the offset is fetched.
                        && !(self.is_far() && base.takes_es())
                }
                (None, _) => matches!(&*self.offset.0, Node::Constant(_)),
            }
    }

    const fn is_far(&self) -> bool {
        matches!(self.space, Space::Far(_))
    }

    /// Whether forming the address of this near place changes ES.
    fn takes_es(&self) -> bool {
        let base_takes_es = || self.offset.split().0.is_some_and(Self::takes_es);
        !matches!(self.space, Space::Frame(_)) && (self.is_far() || base_takes_es())
    }
}
