//! Every instruction by its iced-x86 code, and which of them a model has.

use std::sync::LazyLock;

use bitvec::vec::BitVec;
use iced_x86::{Code, CpuidFeature};

use super::{
    Row, aes, arith, avx, avx_vnni, bit, bmi, branch, convert, f16c, far, flag, fma, gfni, io,
    logic, misc, mmx, mov, random, segment, sha, shift, sse, sse2, sse3, sse4a, sse41, sse42,
    ssse3, stack, state_save, string, system, three_d_now, x87,
};
use crate::cpuid::Model;

/// Every instruction group.
#[must_use]
pub const fn groups() -> &'static [&'static [Row]] {
    &[
        aes::ROWS,
        arith::ROWS,
        avx::PAIRS[0],
        avx::PAIRS[1],
        avx::PAIRS[2],
        avx::PAIRS[3],
        avx::SINGLES[0],
        avx::SINGLES[1],
        avx::SINGLES[2],
        avx::SINGLES[3],
        avx_vnni::PAIRS,
        bit::ROWS,
        bmi::ROWS,
        branch::ROWS,
        convert::ROWS,
        f16c::ROWS,
        far::ROWS,
        flag::ROWS,
        fma::ROWS[0],
        fma::ROWS[1],
        gfni::ROWS,
        io::ROWS,
        logic::ROWS,
        misc::ROWS,
        mmx::ROWS,
        mov::ROWS,
        random::ROWS,
        segment::ROWS,
        sha::ROWS,
        shift::ROWS,
        sse::ROWS,
        sse2::ROWS,
        sse3::ROWS,
        sse41::ROWS,
        sse42::ROWS,
        sse4a::ROWS,
        ssse3::ROWS,
        stack::ROWS,
        state_save::ROWS,
        state_save::extended::ROWS,
        string::ROWS,
        system::ROWS,
        three_d_now::ROWS,
        x87::ROWS,
    ]
}

/// All rows by code, whatever the model.
static ALL: LazyLock<Vec<Option<&'static Row>>> = LazyLock::new(|| {
    let mut all = vec![None; Code::values().len()];
    for row in groups().iter().copied().flatten() {
        debug_assert!(
            all[row.code as usize].is_none(),
            "{:?} has two rows",
            row.code
        );
        all[row.code as usize] = Some(row);
    }
    all
});

/// The instructions of one processor model.
pub struct Table {
    rows: Vec<Option<&'static Row>>,
    /// Instructions the guest has tried in vain, each logged once.
    missed: BitVec,
}

impl Table {
    /// What `model` has.
    #[must_use]
    pub fn new(model: &Model) -> Self {
        let rows = Code::values()
            .map(|code| ALL[code as usize].filter(|_| model.has_instruction(code)))
            .collect();
        Self {
            rows,
            missed: BitVec::repeat(false, Code::values().len()),
        }
    }

    /// The row of an instruction; none if this model, or rax, does not have it.
    pub fn row(&mut self, code: Code) -> Option<&'static Row> {
        let row = self.rows[code as usize];
        if row.is_none() && code != Code::INVALID && !self.missed.replace(code as usize, true) {
            let known = ALL[code as usize].is_some();
            let why = if known {
                "this processor model lacks it"
            } else {
                "not implemented"
            };
            log::warn!("#UD: {code:?} ({}): {why}", features(code));
        }
        row
    }

    /// Whether rax implements an instruction for any model.
    #[must_use]
    pub fn implements(code: Code) -> bool {
        ALL[code as usize].is_some()
    }

    /// The row of an instruction, whatever the model.
    #[must_use]
    pub fn any_row(code: Code) -> Option<&'static Row> {
        ALL[code as usize]
    }
}

fn features(code: Code) -> String {
    let names: Vec<_> = code
        .cpuid_features()
        .iter()
        .map(|f: &CpuidFeature| format!("{f:?}"))
        .collect();
    names.join("+")
}
