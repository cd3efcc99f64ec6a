//! A thin layer over iced-x86's `CodeAssembler`: labels whose addresses are known, texts, and ROM images.
//!
//! A section is assembled several times until no label moves any more, so a label's address can stand
//! in an immediate or in a table.

use std::ops::{Deref, DerefMut};

use iced_x86::code_asm::{CodeAssembler, CodeLabel};
use iced_x86::{BlockEncoderOptions, Code, IcedError, Instruction};

/// What every emitting function returns.
pub(crate) type Built<T = ()> = Result<T, IcedError>;

/// Where the image lies in the first MiB.
pub(crate) const ROM_BASE: u32 = 0xF_0000;
/// The size of an image in bytes.
const IMAGE_SIZE: usize = 0x1_0000;
/// The offset of the reset vector in an image.
const RESET_OFFSET: usize = 0xFFF0;
/// How often a section is assembled before a moving label counts as our bug.
const MAX_PASSES: usize = 8;

/// A place in a section.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    /// The operand of a near jump or call.
    pub(crate) label: CodeLabel,
    index: usize,
}

/// The assembler of one section of one bitness.
pub(crate) struct Asm {
    code: CodeAssembler,
    marks: Vec<CodeLabel>,
    /// The addresses of the marks in the pass before.
    known: Vec<u64>,
    texts: Vec<u8>,
    texts_at: u64,
    /// Numbers the comparisons of a check.
    pub(crate) step: u32,
    /// The routines that sections share, once they are emitted.
    pub(crate) routines: Vec<(&'static str, Mark)>,
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

impl Asm {
    fn new(bitness: u32, known: Vec<u64>, texts_at: u64) -> Built<Self> {
        let code = CodeAssembler::new(bitness)?;
        Ok(Self {
            code,
            marks: Vec::new(),
            known,
            texts: Vec::new(),
            texts_at,
            step: 0,
            routines: Vec::new(),
        })
    }

    /// A new place, not yet put anywhere.
    pub(crate) fn mark(&mut self) -> Mark {
        let label = self.code.create_label();
        self.marks.push(label);
        Mark {
            label,
            index: self.marks.len() - 1,
        }
    }

    /// Puts `mark` at the next instruction.
    pub(crate) fn here(&mut self, mark: Mark) -> Built {
        let label = &mut self.marks[mark.index];
        self.code.set_label(label)?;
        self.code.zero_bytes()
    }

    /// A new place at the next instruction.
    pub(crate) fn mark_here(&mut self) -> Built<Mark> {
        let mark = self.mark();
        self.here(mark)?;
        Ok(mark)
    }

    /// The address of `mark` in this section's address space.
    pub(crate) fn addr(&self, mark: Mark) -> u32 {
        let address = self.known.get(mark.index).copied().unwrap_or(self.texts_at);
        u32::try_from(address).expect("sections lie below 4 GiB")
    }

    /// The address of `mark` as a sign-extended immediate.
    pub(crate) fn addr_i32(&self, mark: Mark) -> i32 {
        self.addr(mark).cast_signed()
    }

    /// Keeps a zero-terminated text and returns its address.
    pub(crate) fn text(&mut self, text: &str) -> u32 {
        let address = self.texts_at + self.texts.len() as u64;
        self.texts.extend_from_slice(text.as_bytes());
        self.texts.push(0);
        u32::try_from(address).expect("sections lie below 4 GiB")
    }

    /// A far jump with a 32-bit offset, from any bitness but 64.
    pub(crate) fn jmp_far32(&mut self, selector: u16, offset: u32) -> Built {
        self.code.add_instruction(Instruction::with_far_branch(
            Code::Jmp_ptr1632,
            selector,
            offset,
        )?)
    }

    /// A far jump with a 16-bit offset, from any bitness but 64.
    pub(crate) fn jmp_far16(&mut self, selector: u16, offset: u32) -> Built {
        self.code.add_instruction(Instruction::with_far_branch(
            Code::Jmp_ptr1616,
            selector,
            offset,
        )?)
    }

    /// Remembers a shared routine under a name.
    pub(crate) fn keep(&mut self, name: &'static str, mark: Mark) {
        self.routines.push((name, mark));
    }

    /// The shared routine of that name.
    pub(crate) fn routine(&self, name: &'static str) -> Mark {
        let found = self.routines.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, mark)| *mark)
            .expect("a routine is kept before it is used")
    }
}

/// Assembles one section at `ip`.
pub(crate) fn section(bitness: u32, ip: u64, body: impl Fn(&mut Asm) -> Built) -> Built<Vec<u8>> {
    let mut known = Vec::new();
    let mut texts_at = ip + 0x100;
    for _ in 0..MAX_PASSES {
        let mut asm = Asm::new(bitness, known.clone(), texts_at)?;
        body(&mut asm)?;
        let result = asm
            .code
            .assemble_options(ip, BlockEncoderOptions::RETURN_NEW_INSTRUCTION_OFFSETS)?;
        let addresses = asm
            .marks
            .iter()
            .map(|mark| result.label_ip(mark))
            .collect::<Built<Vec<u64>>>()?;
        let mut bytes = result.inner.code_buffer;
        let end = ip + bytes.len() as u64;
        if addresses == known && end == texts_at {
            bytes.extend_from_slice(&asm.texts);
            return Ok(bytes);
        }
        known = addresses;
        texts_at = end;
    }
    unreachable!("the labels of a section come to rest")
}

/// A ROM image in the making.
pub(crate) struct Image {
    bytes: Vec<u8>,
    used: usize,
}

impl Image {
    /// An empty image, as an erased chip reads.
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0xFF; IMAGE_SIZE],
            used: 0,
        }
    }

    /// Puts `code` at `offset`; sections come in ascending order.
    pub(crate) fn put(&mut self, offset: u32, code: &[u8]) {
        let start = offset as usize;
        assert!(
            start >= self.used,
            "section at {offset:#x} starts before {:#x}",
            self.used
        );
        assert!(
            start + code.len() <= RESET_OFFSET,
            "section at {offset:#x} is too long: {:#x}",
            code.len()
        );
        self.bytes[start..start + code.len()].copy_from_slice(code);
        self.used = start + code.len();
    }

    /// The image, started at `entry` in segment F000h.
    pub(crate) fn finish(mut self, entry: u16) -> Vec<u8> {
        let [low, high] = entry.to_le_bytes();
        self.bytes[RESET_OFFSET..RESET_OFFSET + 5].copy_from_slice(&[0xEA, low, high, 0x00, 0xF0]);
        self.bytes
    }
}
