//! Every form of every instruction that a 64-bit user-mode program may meet, by
//! iced-x86's `Code`, and which of them are left out, with the reason.

mod excluded;

use std::sync::LazyLock;

use iced_x86::{Code, CpuidFeature, EncodingKind};

use crate::generate::Shape;

/// What cases are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One instruction of this encoding.
    One(Code),
    /// Several instructions, with branches and loops among them.
    Sequence,
    /// Bytes as they come.
    Raw,
}

/// Whether cases of a form are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// They are.
    Covered,
    /// rax does not have it.
    Unsupported,
    /// They could not be compared, for this reason.
    Excluded(&'static str),
}

/// A line of the report: cases of one kind.
#[derive(Clone, Debug)]
pub struct Form {
    /// What cases are made for.
    pub kind: Kind,
    /// What commands call it: iced-x86's name of the `Code`.
    pub name: String,
    /// Mnemonic and operands as the manual writes them.
    pub syntax: String,
    /// The CPUID features it comes with.
    pub features: String,
    /// Whether cases are run.
    pub standing: Standing,
    pub(crate) shape: Shape,
}

impl Form {
    /// Whether a user who asked for `pattern` meant this form: a part of its name or
    /// of its syntax, whatever the case.
    #[must_use]
    pub fn matches(&self, pattern: &str) -> bool {
        let pattern = pattern.to_lowercase();
        self.name.to_lowercase().contains(&pattern)
            || self.syntax.to_lowercase().contains(&pattern)
            || self.features.to_lowercase() == pattern
    }
}

static ALL: LazyLock<Vec<Form>> = LazyLock::new(|| {
    let one = Code::values().filter(|&code| is_met(code)).map(of_code);
    let others = [
        (Kind::Sequence, "sequence", "2 to 32 instructions"),
        (Kind::Raw, "raw", "random bytes"),
    ];
    let others = others.map(|(kind, name, syntax)| Form {
        kind,
        name: name.into(),
        syntax: syntax.into(),
        features: String::new(),
        standing: Standing::Covered,
        shape: Shape::default(),
    });
    one.chain(others).collect()
});

/// All forms, in the order of iced-x86's codes.
#[must_use]
pub fn forms() -> &'static [Form] {
    &ALL
}

/// The form of this name.
#[must_use]
pub fn form(name: &str) -> Option<&'static Form> {
    forms().iter().find(|form| form.name == name)
}

/// The form of this encoding, if a program may meet it.
#[must_use]
pub(crate) fn of(code: Code) -> Option<&'static Form> {
    static PLACES: LazyLock<Vec<u16>> = LazyLock::new(|| {
        let mut places = vec![u16::MAX; Code::values().len()];
        for (place, form) in forms().iter().enumerate() {
            if let Kind::One(code) = form.kind {
                places[code as usize] = place as u16;
            }
        }
        places
    });
    forms().get(usize::from(PLACES[code as usize]))
}

/// Whether iced-x86 decodes it in 64-bit mode as Intel's present processors do.
fn is_met(code: Code) -> bool {
    let op_code = code.op_code();
    op_code.is_instruction()
        && op_code.mode64()
        // Other makers' and withdrawn instructions that share their encodings.
        && op_code.decoder_option() == 0
        && !is_amd_only(code)
        // Two instructions: WAIT and the one without.
        && !op_code.fwait()
        && op_code.encoding() != EncodingKind::MVEX
}

/// Basic instructions that AMD's processors decode in another way: branches that they
/// cut to 16 bits, and UD0 without ModRM (APM 3, Jcc and UD0).
fn is_amd_only(code: Code) -> bool {
    use CpuidFeature as F;
    let is_basic = |feature: &F| {
        matches!(
            feature,
            F::INTEL8086 | F::INTEL186 | F::INTEL286 | F::INTEL386 | F::X64
        )
    };
    !code.op_code().intel_decoder64() && code.cpuid_features().iter().all(is_basic)
}

fn of_code(code: Code) -> Form {
    let op_code = code.op_code();
    let features: Vec<_> = code
        .cpuid_features()
        .iter()
        .map(|feature| format!("{feature:?}"))
        .collect();
    let standing = if let Some(reason) = excluded::reason(code) {
        Standing::Excluded(reason)
    } else if rax_cpu::insn::Table::implements(code) {
        Standing::Covered
    } else {
        Standing::Unsupported
    };
    Form {
        kind: Kind::One(code),
        name: format!("{code:?}"),
        syntax: op_code.instruction_string().to_owned(),
        features: features.join("+"),
        standing,
        shape: Shape::of(code),
    }
}
