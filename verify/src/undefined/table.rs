//! The table. Each line says where a manual leaves something open.

use iced_x86::Mnemonic as M;

use super::flag::{AF, CF, OF, PF, SF, STATUS, ZF};
use super::{Row, What, When};

/// A row that both manuals have.
const fn both(
    mnemonics: &'static [M],
    when: When,
    what: What,
    intel: &'static str,
    amd: &'static str,
) -> Row {
    Row {
        mnemonics,
        when,
        what,
        intel: Some(intel),
        amd: Some(amd),
    }
}

const SHIFTS: &[M] = &[M::Shl, M::Sal, M::Shr, M::Sar];
const DOUBLE_SHIFTS: &[M] = &[M::Shld, M::Shrd];
const TRANSCENDENTAL: &[M] = &[
    M::F2xm1,
    M::Fyl2x,
    M::Fyl2xp1,
    M::Fsin,
    M::Fcos,
    M::Fsincos,
    M::Fptan,
    M::Fpatan,
];

/// All that is undefined.
pub static TABLE: &[Row] = &[
    both(
        &[M::And, M::Or, M::Xor, M::Test],
        When::Always,
        What::Flags(AF),
        "SDM 2A AND, 2B OR, TEST, 2D XOR: AF is undefined",
        "APM 3 AND, OR, TEST, XOR: AF undefined",
    ),
    both(
        &[M::Andn, M::Blsi, M::Blsmsk, M::Blsr, M::Bzhi],
        When::Always,
        What::Flags(AF | PF),
        "SDM 2A ANDN, BLSI, BLSMSK, BLSR, BZHI: AF and PF are undefined",
        "APM 3 ANDN, BLSI, BLSMSK, BLSR, BZHI: AF, PF undefined",
    ),
    both(
        &[M::Bextr],
        When::Always,
        What::Flags(AF | SF | PF),
        "SDM 2A BEXTR: AF, SF and PF are undefined",
        "APM 3 BEXTR: AF, SF, PF undefined",
    ),
    both(
        &[M::Bsf, M::Bsr],
        When::Always,
        What::Flags(CF | OF | SF | AF | PF),
        "SDM 2A BSF, BSR: CF, OF, SF, AF and PF are undefined",
        "APM 3 BSF, BSR: CF, OF, SF, AF, PF undefined",
    ),
    both(
        &[M::Bt, M::Btc, M::Btr, M::Bts],
        When::Always,
        What::Flags(OF | SF | AF | PF),
        "SDM 2A BT, BTC, BTR, BTS: OF, SF, AF and PF are undefined",
        "APM 3 BT, BTC, BTR, BTS: OF, SF, AF, PF undefined",
    ),
    both(
        &[M::Div, M::Idiv],
        When::Always,
        What::Flags(STATUS),
        "SDM 2A DIV, IDIV: CF, OF, SF, ZF, AF and PF are undefined",
        "APM 3 DIV, IDIV: all six undefined",
    ),
    both(
        &[M::Mul, M::Imul],
        When::Always,
        What::Flags(SF | ZF | AF | PF),
        "SDM 2A IMUL, 2B MUL: SF, ZF, AF and PF are undefined",
        "APM 3 IMUL, MUL: SF, ZF, AF, PF undefined",
    ),
    both(
        &[M::Lzcnt, M::Tzcnt],
        When::Always,
        What::Flags(OF | SF | PF | AF),
        "SDM 2A LZCNT, 2D TZCNT: OF, SF, PF and AF are undefined",
        "APM 3 LZCNT, TZCNT: OF, SF, PF, AF undefined",
    ),
    both(
        SHIFTS,
        When::CountNotZero,
        What::Flags(AF),
        "SDM 2B SAL/SAR/SHL/SHR: AF is undefined for a non-zero count",
        "APM 3 SAL, SAR, SHR: AF undefined",
    ),
    both(
        SHIFTS,
        When::CountAboveOne,
        What::Flags(OF),
        "SDM 2B SAL/SAR/SHL/SHR: OF is undefined unless the count is 1",
        "APM 3 SAL, SAR, SHR: OF undefined for other counts than 1",
    ),
    both(
        &[M::Shl, M::Sal, M::Shr],
        When::CountNotBelowWidth,
        What::Flags(CF),
        "SDM 2B SHL, SHR: CF is undefined if the count is the operand's size or more",
        "APM 3 SAL, SHR: as the bits shifted out are none of the operand's",
    ),
    both(
        &[M::Rol, M::Ror, M::Rcl, M::Rcr],
        When::CountAboveOne,
        What::Flags(OF),
        "SDM 2B RCL/RCR/ROL/ROR: OF is undefined for counts above 1",
        "APM 3 RCL, RCR, ROL, ROR: OF undefined for counts above 1",
    ),
    both(
        DOUBLE_SHIFTS,
        When::CountNotZero,
        What::Flags(AF),
        "SDM 2B SHLD, SHRD: AF is undefined",
        "APM 3 SHLD, SHRD: AF undefined",
    ),
    both(
        DOUBLE_SHIFTS,
        When::CountAboveOne,
        What::Flags(OF),
        "SDM 2B SHLD, SHRD: OF is undefined for counts above 1",
        "APM 3 SHLD, SHRD: OF undefined for counts above 1",
    ),
    both(
        DOUBLE_SHIFTS,
        When::CountAboveWidth,
        What::Flags(STATUS),
        "SDM 2B SHLD, SHRD: flags are undefined if the count exceeds the operand's size",
        "APM 3 SHLD, SHRD: flags undefined if the count exceeds the operand's size",
    ),
    both(
        DOUBLE_SHIFTS,
        When::CountAboveWidth,
        What::Destination,
        "SDM 2B SHLD, SHRD: the result is undefined if the count exceeds the operand's size",
        "APM 3 SHLD, SHRD: result undefined if the count exceeds the operand's size",
    ),
    both(
        TRANSCENDENTAL,
        When::Always,
        What::LastPlace,
        "SDM 1, 8.3.10: transcendental results are off by less than one unit in the last place",
        "APM 1, 6.4.5.2: less than one unit in the last place",
    ),
    both(
        &[
            M::Rcpps,
            M::Rcpss,
            M::Rsqrtps,
            M::Rsqrtss,
            M::Vrcpps,
            M::Vrcpss,
            M::Vrsqrtps,
            M::Vrsqrtss,
        ],
        When::Always,
        // Both sides may be off by 1.5 in 4096.
        What::Approximate(1365),
        "SDM 2B RCPPS, RCPSS, RSQRTPS, RSQRTSS: relative error up to 1.5 * 2^-12",
        "APM 4 RCPPS, RCPSS, RSQRTPS, RSQRTSS: relative error up to 1.5 * 2^-12",
    ),
    both(
        &[M::Fxsave, M::Fxsave64],
        When::Always,
        What::Image(6, 24),
        "SDM 1, 8.1.8: FOP, FIP and FDP may be kept for unmasked exceptions only",
        "APM 2, 11.4.4: FOP, FIP and FDP are stored after an unmasked exception only",
    ),
    both(
        &[M::Fxsave, M::Fxsave64],
        When::Always,
        What::Image(28, 32),
        "SDM 1, 11.6.6: MXCSR_MASK depends on the processor",
        "APM 2, 11.4.4: MXCSR_MASK depends on the processor",
    ),
    both(
        &[M::Maskmovq, M::Maskmovdqu, M::Vmaskmovdqu],
        When::Always,
        What::FaultPlace,
        "SDM 2B MASKMOVDQU, MASKMOVQ: faults may depend on the implementation",
        "APM 4 MASKMOVDQU, APM 5 MASKMOVQ: likewise",
    ),
    both(
        &[
            M::Movd,
            M::Movq,
            M::Movntq,
            M::Cvtpi2ps,
            M::Cvtps2pi,
            M::Cvttps2pi,
            M::Cvtpd2pi,
            M::Cvttpd2pi,
        ],
        When::Always,
        What::FaultMmx,
        "SDM 1, 9.5.1: TOP and tags change; not said is whether before a fault",
        "APM 1, 5.14.1: likewise",
    ),
    both(
        &[
            M::Movsb,
            M::Movsw,
            M::Movsd,
            M::Movsq,
            M::Stosb,
            M::Stosw,
            M::Stosd,
            M::Stosq,
        ],
        When::Always,
        What::FaultIndices,
        "SDM 2B REP, 7.3.9.3: not said is when upper halves are cleared before a fault",
        "APM 3, REP: likewise",
    ),
    both(
        &[M::Call],
        When::Always,
        What::FaultOrder,
        "SDM 3A, table 6-2: all faults of executing an instruction are of one class",
        "APM 2, table 8-9: likewise",
    ),
    both(
        &[M::Fyl2xp1],
        When::BeyondLogarithm,
        What::Result,
        "SDM 2A FYL2XP1: the result is undefined beyond 1 - sqrt(2)/2",
        "APM 5 FYL2XP1: the result is undefined beyond 1 - sqrt(2)/2",
    ),
    both(
        &[
            M::Fldenv,
            M::Fnstenv,
            M::Frstor,
            M::Fnsave,
            M::Fxsave,
            M::Fxsave64,
            M::Fxrstor,
            M::Fxrstor64,
            M::Fld,
            M::Fstp,
            M::Fbld,
            M::Fbstp,
        ],
        When::Always,
        What::FaultPlace,
        "SDM 3A 6.15, #PF: CR2 has the address that faulted; in which order is not said",
        "APM 2, 8.2.15: likewise",
    ),
    both(
        &[M::Fnstenv, M::Fnsave],
        When::Always,
        What::Image(12, 28),
        "SDM 1, 8.1.8: FOP, FIP and FDP may be kept for unmasked exceptions only",
        "APM 1, 6.2.6: pointers as the last unmasked exception left them",
    ),
];
