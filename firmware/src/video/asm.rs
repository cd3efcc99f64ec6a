//! A thin structured layer over iced-x86's `CodeAssembler`: routines called by name, conditions and loops
//! written as closures, tables of offsets.
//!
//! A section is assembled again until no name moves any more, so the offset of any name, also of one that comes
//! later, can stand in an immediate or in a table.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};

use iced_x86::code_asm::{AsmRegister16, CodeAssembler, CodeLabel};
use iced_x86::{BlockEncoderOptions, IcedError};

/// What every emitting function returns.
pub(crate) type Built<T = ()> = Result<T, IcedError>;

/// How often a section is assembled before a moving name counts as our bug.
const MAX_PASSES: usize = 10;

/// Instructions one below the other, as in a listing: `x86!(a: mov al, 3; out dx, al;)`.
macro_rules! x86 {
    ($a:ident: $($op:ident $($operand:expr),*;)*) => { $($a.$op($($operand),*)?;)* };
}
pub(crate) use x86;

/// A condition that the flags hold (SDM 1, appendix B).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Is {
    /// ZF is set.
    Equal,
    /// ZF is clear.
    NotEqual,
    /// CF is set.
    Below,
    /// CF is clear.
    AboveOrEqual,
    /// CF and ZF are clear.
    Above,
    /// CF or ZF is set.
    BelowOrEqual,
}

impl Is {
    /// ZF set, said of a result instead of a comparison.
    pub(crate) const ZERO: Self = Self::Equal;
    /// ZF clear, said of a result.
    pub(crate) const NONZERO: Self = Self::NotEqual;

    fn not(self) -> Self {
        match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::Below => Self::AboveOrEqual,
            Self::AboveOrEqual => Self::Below,
            Self::Above => Self::BelowOrEqual,
            Self::BelowOrEqual => Self::Above,
        }
    }
}

/// The assembler of one section.
pub(crate) struct Asm {
    code: CodeAssembler,
    names: HashMap<&'static str, CodeLabel>,
    /// The names' offsets in the pass before.
    known: HashMap<&'static str, u64>,
}

impl Deref for Asm {
    type Target = CodeAssembler;
    fn deref(&self) -> &CodeAssembler {
        &self.code
    }
}

impl DerefMut for Asm {
    fn deref_mut(&mut self) -> &mut CodeAssembler {
        &mut self.code
    }
}

/// Assembles a section that starts at offset 0.
pub(crate) fn section(bitness: u32, body: impl Fn(&mut Asm) -> Built) -> Built<Vec<u8>> {
    let mut known = HashMap::new();
    for _ in 0..MAX_PASSES {
        let mut asm = Asm {
            code: CodeAssembler::new(bitness)?,
            names: HashMap::new(),
            known: known.clone(),
        };
        body(&mut asm)?;
        let result = asm
            .code
            .assemble_options(0, BlockEncoderOptions::RETURN_NEW_INSTRUCTION_OFFSETS)?;
        let mut offsets = HashMap::new();
        for (name, label) in &asm.names {
            offsets.insert(*name, result.label_ip(label)?);
        }
        if offsets == known {
            return Ok(result.inner.code_buffer);
        }
        known = offsets;
    }
    unreachable!("the names of a section come to rest")
}

impl Asm {
    fn label(&mut self, name: &'static str) -> CodeLabel {
        let code = &mut self.code;
        *self
            .names
            .entry(name)
            .or_insert_with(|| code.create_label())
    }

    fn put(&mut self, mut label: CodeLabel) -> Built {
        self.code.set_label(&mut label)?;
        // Two labels may stand at one place only if something lies between them.
        self.code.zero_bytes()
    }

    /// Names this place.
    pub(crate) fn name(&mut self, name: &'static str) -> Built {
        self.label(name);
        let label = self.names.get_mut(name).expect("it was just entered");
        self.code.set_label(label)?;
        self.code.zero_bytes()
    }

    /// A named piece of code.
    pub(crate) fn routine(
        &mut self,
        name: &'static str,
        body: impl FnOnce(&mut Self) -> Built,
    ) -> Built {
        self.name(name)?;
        body(self)
    }

    /// Named bytes.
    pub(crate) fn data(&mut self, name: &'static str, bytes: &[u8]) -> Built {
        self.name(name)?;
        self.code.db(bytes)
    }

    /// A named table of the offsets of names.
    pub(crate) fn offsets(&mut self, name: &'static str, entries: &[&'static str]) -> Built {
        self.name(name)?;
        for entry in entries {
            let offset = self.offset(entry);
            self.code.db(&offset.to_le_bytes()[..2])?;
        }
        Ok(())
    }

    /// The offset of a name: right from the second pass on.
    pub(crate) fn offset(&mut self, name: &'static str) -> i32 {
        self.label(name);
        let offset = self.known.get(name).copied().unwrap_or(0x4000);
        i32::try_from(offset).expect("sections are small")
    }

    /// Loads the offset of a name.
    pub(crate) fn point(&mut self, register: AsmRegister16, name: &'static str) -> Built {
        let offset = self.offset(name);
        self.code.mov(register, offset)
    }

    /// Calls a routine.
    pub(crate) fn run(&mut self, name: &'static str) -> Built {
        let label = self.label(name);
        self.code.call(label)
    }

    /// Goes to a name.
    pub(crate) fn go(&mut self, name: &'static str) -> Built {
        let label = self.label(name);
        self.code.jmp(label)
    }

    /// Goes to a name if the condition holds.
    pub(crate) fn go_if(&mut self, condition: Is, name: &'static str) -> Built {
        let label = self.label(name);
        self.branch(condition, label)
    }

    fn branch(&mut self, condition: Is, label: CodeLabel) -> Built {
        match condition {
            Is::Equal => self.code.je(label),
            Is::NotEqual => self.code.jne(label),
            Is::Below => self.code.jb(label),
            Is::AboveOrEqual => self.code.jae(label),
            Is::Above => self.code.ja(label),
            Is::BelowOrEqual => self.code.jbe(label),
        }
    }

    /// Does `body` if the condition holds.
    pub(crate) fn when(&mut self, condition: Is, body: impl FnOnce(&mut Self) -> Built) -> Built {
        let over = self.code.create_label();
        self.branch(condition.not(), over)?;
        body(self)?;
        self.put(over)
    }

    /// Does `yes` if the condition holds, else `no`.
    pub(crate) fn when_else(
        &mut self,
        condition: Is,
        yes: impl FnOnce(&mut Self) -> Built,
        no: impl FnOnce(&mut Self) -> Built,
    ) -> Built {
        let [other, over] = [self.code.create_label(), self.code.create_label()];
        self.branch(condition.not(), other)?;
        yes(self)?;
        self.code.jmp(over)?;
        self.put(other)?;
        no(self)?;
        self.put(over)
    }

    /// Does `body`, and again until the condition holds at its end.
    pub(crate) fn until(&mut self, condition: Is, body: impl FnOnce(&mut Self) -> Built) -> Built {
        let again = self.code.create_label();
        self.put_again(again, body, |a, again| a.branch(condition.not(), again))
    }

    /// Does `body` as often as CX says, at least once; it keeps CX.
    pub(crate) fn count_cx(&mut self, body: impl FnOnce(&mut Self) -> Built) -> Built {
        let again = self.code.create_label();
        self.put_again(again, body, |a, again| {
            a.code.dec(iced_x86::code_asm::cx)?;
            a.code.jne(again)
        })
    }

    fn put_again(
        &mut self,
        mut again: CodeLabel,
        body: impl FnOnce(&mut Self) -> Built,
        back: impl FnOnce(&mut Self, CodeLabel) -> Built,
    ) -> Built {
        self.code.set_label(&mut again)?;
        self.code.zero_bytes()?;
        body(self)?;
        back(self, again)
    }

    /// Goes to the routine beside the value that AL equals, or on behind if there is none.
    pub(crate) fn select_al(&mut self, cases: &[(i32, &'static str)]) -> Built {
        for (value, name) in cases {
            self.code.cmp(iced_x86::code_asm::al, *value)?;
            self.go_if(Is::Equal, name)?;
        }
        Ok(())
    }

    /// REP MOVSB.
    pub(crate) fn rep_movsb(&mut self) -> Built {
        self.code.rep().movsb()
    }

    /// REP MOVSW.
    pub(crate) fn rep_movsw(&mut self) -> Built {
        self.code.rep().movsw()
    }

    /// REP STOSB.
    pub(crate) fn rep_stosb(&mut self) -> Built {
        self.code.rep().stosb()
    }

    /// REP STOSW.
    pub(crate) fn rep_stosw(&mut self) -> Built {
        self.code.rep().stosw()
    }
}
