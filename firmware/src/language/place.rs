//! Where values are loaded from and stored to.

use super::value::{Compare, Value, Width};

/// A piece of memory.
#[derive(Clone)]
pub(crate) struct Place {
    pub(super) space: Space,
    pub(super) width: Width,
    pub(super) offset: Value,
}

/// What an offset counts from.
#[derive(Clone)]
pub(super) enum Space {
    /// The frame of the present routine; the offset is in the variable.
    Frame(i32),
    /// Segment 40h, to which DS points in all our code.
    Bda,
    /// Segment F000h or E000h, wherever the unit lies.
    Rom,
    /// The stack segment.
    Stack,
    /// Any segment.
    Far(Value),
    /// The first 4 GiB, through FS; only while POST runs, which opens FS up.
    Flat,
}

/// A local variable, or an argument.
#[derive(Clone, Copy)]
pub(crate) struct Var(pub(super) i32);

impl From<Var> for Place {
    fn from(variable: Var) -> Self {
        Self {
            space: Space::Frame(variable.0),
            width: Width::Dword,
            offset: Value::from(0),
        }
    }
}

macro_rules! places {
    ($($space:expr, $what:literal: $byte:ident $word:ident $dword:ident;)*) => { $(
        places!(@ "A byte" $what $byte $space, Byte);
        places!(@ "A word" $what $word $space, Word);
        places!(@ "A doubleword" $what $dword $space, Dword);
    )* };
    (@ $size:literal $what:literal $name:ident $space:expr, $width:ident) => {
        #[doc = concat!($size, $what)]
        pub(crate) fn $name(offset: impl Into<Value>) -> Place {
            Place { space: $space, width: Width::$width, offset: offset.into() }
        }
    };
}

places! {
    Space::Bda, " of the BIOS data area.": bda8 bda16 bda32;
    Space::Rom, " of the unit's ROM segment.": rom8 rom16 rom32;
    Space::Stack, " of the stack segment.": stack8 stack16 stack32;
    Space::Flat, " at a linear address.": flat8 flat16 flat32;
}

fn far(segment: impl Into<Value>, offset: impl Into<Value>, width: Width) -> Place {
    Place {
        space: Space::Far(segment.into()),
        width,
        offset: offset.into(),
    }
}

/// The byte at `segment:offset`.
pub(crate) fn far8(segment: impl Into<Value>, offset: impl Into<Value>) -> Place {
    far(segment, offset, Width::Byte)
}

/// The word at `segment:offset`.
pub(crate) fn far16(segment: impl Into<Value>, offset: impl Into<Value>) -> Place {
    far(segment, offset, Width::Word)
}

/// The doubleword at `segment:offset`.
pub(crate) fn far32(segment: impl Into<Value>, offset: impl Into<Value>) -> Place {
    far(segment, offset, Width::Dword)
}

/// The registers of whoever called an interrupt, as the stub of [`super::Unit::interrupt`] has saved them.
#[derive(Clone, Copy)]
pub(crate) struct Registers(pub(crate) Var);

macro_rules! registers {
    ($($name:ident $function:ident $offset:literal;)*) => { $(
        #[doc = concat!("The caller's `", stringify!($name), "`.")]
        pub(crate) fn $name(self) -> Place { $function(self.0 + $offset) }
    )* };
}

impl Registers {
    registers! {
        di stack16 0; edi stack32 0; si stack16 4; esi stack32 4;
        bl stack8 16; bh stack8 17; bx stack16 16; ebx stack32 16;
        dl stack8 20; dh stack8 21; dx stack16 20; edx stack32 20;
        cl stack8 24; ch stack8 25; cx stack16 24; ecx stack32 24;
        al stack8 28; ah stack8 29; ax stack16 28; eax stack32 28;
        es stack16 32; ds stack16 34; cs stack16 38; flags stack16 40;
    }

    /// The frame's address, to hand it on.
    pub(crate) fn frame(self) -> Value {
        self.0.into()
    }
}

impl From<Registers> for Value {
    fn from(registers: Registers) -> Self {
        registers.0.into()
    }
}

/// The carry flag.
pub(crate) const CARRY: u32 = 0x01;
/// The zero flag.
pub(crate) const ZERO: u32 = 0x40;

impl super::Body<'_> {
    /// Returns the carry flag to the caller of the interrupt.
    pub(crate) fn set_carry(&mut self, registers: Registers, carry: bool) {
        self.set_flag(registers, CARRY, carry);
    }

    /// Returns the zero flag to the caller of the interrupt.
    pub(crate) fn set_zero(&mut self, registers: Registers, zero: bool) {
        self.set_flag(registers, ZERO, zero);
    }

    fn set_flag(&mut self, registers: Registers, flag: u32, set: bool) {
        if set {
            self.set_bits(registers.flags(), flag);
        } else {
            self.clear_bits(registers.flags(), flag);
        }
    }

    /// Returns a status in AH, and in the carry flag whether it is an error.
    pub(crate) fn set_status(&mut self, registers: Registers, status: impl Into<Value>) {
        let arguments = [registers.frame(), status.into()];
        self.run(super::routine(
            "set_status",
            arguments,
            |f, [frame, status]| {
                let registers = Registers(frame);
                f.set(registers.ah(), status);
                f.set_carry(registers, false);
                f.when(status.is_not(0), |f| f.set_carry(registers, true));
            },
        ));
    }
}
