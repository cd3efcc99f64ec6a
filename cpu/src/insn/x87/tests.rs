//! x87 instructions as data, and what the host comparison cannot reach.

use iced_x86::{Code, CpuidFeature};

use super::ROWS;

#[test]
fn every_x87_instruction_has_a_row() {
    let is_ours = |feature: &CpuidFeature| {
        matches!(
            feature,
            CpuidFeature::FPU | CpuidFeature::FPU287 | CpuidFeature::FPU387
        )
    };
    for code in Code::values() {
        // The decoder gives FSTCW and its kin as WAIT and FNSTCW.
        let is_expected = code.cpuid_features().iter().any(is_ours) && !code.op_code().fwait();
        let is_there = ROWS.iter().any(|row| row.code == code);
        assert_eq!(is_there, is_expected || code == Code::Wait, "{code:?}");
    }
}
