//! A unit: the code and the constants of one ROM segment.

use std::collections::{HashMap, VecDeque};
use std::panic::Location;
use std::rc::Rc;

use iced_x86::BlockEncoderOptions;
use iced_x86::code_asm::{
    CodeAssembler, CodeLabel, ax, bp, byte_ptr, ds, eax, ebp, ecx, es, esp, sp,
};

use super::asm;
use super::body::Body;
use super::place::Registers;
use super::value::{Routine, Value};
use crate::system::areas::BDA_SEGMENT;

/// The size of addresses in a unit's code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bitness {
    /// Real mode.
    Real,
    /// Protected mode with flat 32-bit segments. Only ports and the stack can be reached.
    Protected,
}

/// The code and the constants of one ROM segment.
pub(crate) struct Unit {
    pub(super) code: CodeAssembler,
    pub(super) bitness: Bitness,
    constants: Vec<u8>,
    constants_at: u32,
    known_constants: HashMap<Rc<[u8]>, u32>,
    routines: HashMap<&'static str, (CodeLabel, &'static Location<'static>)>,
    pending: VecDeque<(CodeLabel, Rc<Routine>)>,
    entries: Vec<(&'static str, CodeLabel)>,
}

/// A unit's bytes.
pub(crate) struct Compiled {
    /// Its code.
    pub(crate) code: Vec<u8>,
    /// Its constants.
    pub(crate) constants: Vec<u8>,
    /// The offsets of its entries and routines, by name.
    pub(crate) offsets: HashMap<&'static str, u32>,
}

impl Unit {
    /// An empty unit whose constants will lie at the offset `constants_at`.
    pub(crate) fn new(bitness: Bitness, constants_at: u32) -> Self {
        let bits = if bitness == Bitness::Real { 16 } else { 32 };
        Self {
            code: CodeAssembler::new(bits).expect("a bitness that exists"),
            bitness,
            constants: Vec::new(),
            constants_at,
            known_constants: HashMap::new(),
            routines: HashMap::new(),
            pending: VecDeque::new(),
            entries: Vec::new(),
        }
    }

    /// Begins an entry: whatever is emitted next can be found by this name.
    pub(crate) fn entry(&mut self, name: &'static str) -> &mut CodeAssembler {
        let mut label = self.code.create_label();
        self.place(&mut label);
        self.entries.push((name, label));
        &mut self.code
    }

    /// An interrupt service: saves all registers, points DS to the BIOS data area, and returns what the body has made
    /// of the saved registers.
    pub(crate) fn interrupt(
        &mut self,
        name: &'static str,
        body: impl FnOnce(&mut Body<'_>, Registers),
    ) {
        self.interrupt_with_end(name, body, |_| {});
    }

    /// An interrupt service as [`Unit::interrupt`], with code at its end that finds all registers as the body has left
    /// them for the caller, except DS, which points to the BIOS data area. What it does to them, the caller sees.
    pub(crate) fn interrupt_with_end(
        &mut self,
        name: &'static str,
        body: impl FnOnce(&mut Body<'_>, Registers),
        end: impl FnOnce(&mut CodeAssembler),
    ) {
        asm!(self.entry(name);
            push ds; push es; pushad;
            cld;
            push BDA_SEGMENT; pop ds;
            mov eax, esp; push eax;
        );
        self.inline(1, |f| {
            let registers = Registers(f.argument(0));
            body(f, registers);
        });
        asm!(&mut self.code; pop eax; popad; pop es;);
        end(&mut self.code);
        asm!(&mut self.code; pop ds; iret;);
    }

    /// A far routine of real mode that is called as C does: the third argument of the body is where the caller's first
    /// argument lies on the stack. Otherwise as an interrupt, but the caller's CS and flags are not the body's.
    pub(crate) fn stack_service(
        &mut self,
        name: &'static str,
        body: impl FnOnce(&mut Body<'_>, Registers, Value),
    ) {
        asm!(self.entry(name);
            pushf; push ds; push es; pushad;
            cld;
            push BDA_SEGMENT; pop ds;
            mov eax, esp; push eax;
        );
        self.inline(1, |f| {
            let frame = f.argument(0);
            // Behind eight registers, ES, DS, the flags and the return address.
            body(f, Registers(frame), frame + 8 * 4 + 3 * 2 + 4);
        });
        asm!(&mut self.code; pop eax; popad; pop es; pop ds; popf; retf;);
    }

    /// A far routine for protected mode, 16-bit or 32-bit as the unit's code is: as an interrupt, but DS is the caller's,
    /// ES is not saved, and the body says by a non-zero value that the carry flag is to be set on return.
    pub(crate) fn far_service(
        &mut self,
        name: &'static str,
        body: impl FnOnce(&mut Body<'_>, Registers),
    ) {
        match self.bitness {
            Bitness::Real => asm!(self.entry(name); pushf; cld; pushad;),
            Bitness::Protected => asm!(self.entry(name); pushfd; cld; pushad;),
        }
        asm!(&mut self.code; mov eax, esp; push eax;);
        self.inline(1, |f| {
            let registers = Registers(f.argument(0));
            body(f, registers);
        });
        let mut fine = self.code.create_label();
        asm!(&mut self.code; pop ecx;);
        // The caller's flags lie above its eight registers.
        let flags = match self.bitness {
            Bitness::Real => {
                asm!(&mut self.code; mov bp, sp;);
                byte_ptr(bp + 32)
            }
            Bitness::Protected => byte_ptr(esp + 32),
        };
        asm!(&mut self.code;
            and flags, -2;
            test eax, eax;
            je fine;
            or flags, 1;
        );
        self.place(&mut fine);
        match self.bitness {
            Bitness::Real => asm!(&mut self.code; popad; popf; retf;),
            Bitness::Protected => asm!(&mut self.code; popad; popfd; retf;),
        }
    }

    /// Emits a body in line. Its arguments are the values pushed last; they stay on the stack.
    pub(crate) fn inline(&mut self, arguments: usize, body: impl FnOnce(&mut Body<'_>)) {
        // A frame has a return address between the arguments and the base pointer; here it is a filler.
        match self.bitness {
            Bitness::Real => asm!(&mut self.code; push ax; push bp; mov bp, sp;),
            Bitness::Protected => asm!(&mut self.code; push eax; push ebp; mov ebp, esp;),
        }
        Body::inline(self, arguments, body);
        self.drop_frame();
        match self.bitness {
            Bitness::Real => asm!(&mut self.code; add sp, 2;),
            Bitness::Protected => asm!(&mut self.code; add esp, 4;),
        }
    }

    /// Takes the frame of a body off the stack.
    ///
    /// In real mode without LEAVE: a caller that was in protected mode before may have left a 32-bit stack segment
    /// (loading SS in real mode changes its base only), and LEAVE would take all of EBP for the stack pointer, whose
    /// upper half is the caller's.
    pub(super) fn drop_frame(&mut self) {
        match self.bitness {
            Bitness::Real => asm!(&mut self.code; mov sp, bp; pop bp;),
            Bitness::Protected => asm!(&mut self.code; leave;),
        }
    }

    /// Compiles all that the entries call, and lays the unit out with its code at `offset`.
    pub(crate) fn compile(mut self, offset: u32) -> Compiled {
        while let Some((mut label, routine)) = self.pending.pop_front() {
            self.place(&mut label);
            self.entries.push((routine.name, label));
            Body::routine(&mut self, &routine);
        }
        let options = BlockEncoderOptions::RETURN_NEW_INSTRUCTION_OFFSETS;
        let result = self.code.assemble_options(u64::from(offset), options);
        let result = result.expect("code that fits its segment");
        let offset_of = |label| {
            let address = result.label_ip(label).expect("a label that was placed");
            u32::try_from(address).expect("an offset in a segment")
        };
        let offsets = self
            .entries
            .iter()
            .map(|(name, label)| (*name, offset_of(label)));
        Compiled {
            offsets: offsets.collect(),
            code: result.inner.code_buffer.clone(),
            constants: self.constants,
        }
    }

    /// The offset of constant bytes, which are kept once.
    pub(super) fn constant(&mut self, bytes: &Rc<[u8]>) -> u32 {
        if let Some(offset) = self.known_constants.get(bytes) {
            return *offset;
        }
        let length = u32::try_from(self.constants.len()).expect("a segment is small");
        let offset = self.constants_at + length;
        self.constants.extend_from_slice(bytes);
        self.known_constants.insert(bytes.clone(), offset);
        offset
    }

    /// The label of a routine, which is compiled later if it is new.
    pub(super) fn label_of(&mut self, routine: &Rc<Routine>) -> CodeLabel {
        if let Some((label, location)) = self.routines.get(routine.name) {
            assert_eq!(
                *location, routine.location,
                "two routines are called {}",
                routine.name
            );
            return *label;
        }
        let label = self.code.create_label();
        self.routines
            .insert(routine.name, (label, routine.location));
        self.pending.push_back((label, routine.clone()));
        label
    }

    /// Puts a label at the next instruction.
    pub(super) fn place(&mut self, label: &mut CodeLabel) {
        self.code.set_label(label).expect("a label is placed once");
        // Two labels may then stand at one place.
        asm!(&mut self.code; zero_bytes;);
    }
}
