//! Lanes that are not wanted are not looked at, and those that are fault as in the interpreter;
//! MXCSR changes between a comparison and who looks at its flags.

use rax_cpu::CpuState;
use rax_cpu::state::Gpr;
use rax_cpu::testing::Bits;

use super::faults::{ABSENT, DATA, FIXED, check};

/// The low four lanes of YMM0 are wanted, none of YMM3, all of YMM6.
fn masks(state: &mut CpuState) {
    for vector in &mut state.vectors {
        vector.0 = [0x0123_4567_89ab_cdef, 0x7654_3210_0fed_cba9, 3, 4];
    }
    state.vectors[0].0 = [u64::MAX, u64::MAX, 0, 0];
    state.vectors[3].0 = [0; 4];
    state.vectors[6].0 = [u64::MAX; 4];
}

/// Four times, so that the page is known from the second on: whole lanes before the page that is
/// absent, and none in it.
const AT_THE_END: &[u8] = &[
    0xb9, 4, 0, 0, 0, // mov ecx, 4
    0xc4, 0xe2, 0x7d, 0x2c, 0x0b, // vmaskmovps ymm1, ymm0, [rbx]
    0xc4, 0xe2, 0x7d, 0x2e, 0x0e, // vmaskmovps [rsi], ymm0, ymm1
    0xc4, 0xe2, 0x65, 0x2c, 0x17, // vmaskmovps ymm2, ymm3, [rdi]
    0xc4, 0xe2, 0xe5, 0x8e, 0x17, // vpmaskmovq [rdi], ymm3, ymm2
    0xff, 0xc9, // dec ecx
    0x75, 0xe8, // jne
    0xc4, 0xe2, 0x4d, 0x2c, 0x23, // vmaskmovps ymm4, ymm6, [rbx]
    0xf4, // hlt
];

#[test]
fn lanes_that_are_not_wanted_do_not_fault() {
    let places: [fn(&mut CpuState); 3] = [
        |state| {
            masks(state);
            state.set_gpr(Gpr::Rbx, ABSENT - 16);
            state.set_gpr(Gpr::Rsi, ABSENT - 16);
            state.set_gpr(Gpr::Rdi, ABSENT);
        },
        // All of it in one page; a store to a page that may only be read.
        |state| {
            masks(state);
            state.set_gpr(Gpr::Rbx, DATA);
            state.set_gpr(Gpr::Rsi, DATA + 64);
            state.set_gpr(Gpr::Rdi, FIXED);
        },
        |state| {
            masks(state);
            state.set_gpr(Gpr::Rbx, DATA);
            state.set_gpr(Gpr::Rsi, FIXED);
            state.set_gpr(Gpr::Rdi, ABSENT);
        },
    ];
    for place in places {
        check(Bits::Long64, AT_THE_END, place, None);
    }
}

/// Gathers of dwords and of qwords, whose last lane may lead into the page that is absent.
const GATHER: &[u8] = &[
    0xb9, 4, 0, 0, 0, // mov ecx, 4
    0xc5, 0xe5, 0x76, 0xdb, // vpcmpeqd ymm3, ymm3, ymm3
    0xc4, 0xe2, 0x65, 0x90, 0x0c, 0x93, // vpgatherdd ymm1, [rbx + ymm2 * 4], ymm3
    0xc5, 0xe5, 0x76, 0xdb, // vpcmpeqd ymm3, ymm3, ymm3
    0xc4, 0xe2, 0xe5, 0x93, 0x24, 0xd3, // vgatherqpd ymm4, [rbx + ymm2 * 8], ymm3
    0xff, 0xc9, // dec ecx
    0x75, 0xe8, // jne
    0xf4, // hlt
];

#[test]
fn a_gather_stops_where_a_lane_faults() {
    let places: [fn(&mut CpuState); 3] = [
        |state| {
            state.vectors[2].0 = [1, 2 | 7 << 32, 3, 4];
            state.set_gpr(Gpr::Rbx, DATA);
        },
        |state| {
            state.vectors[2].0 = [1, 2, 3, 4 << 32];
            state.set_gpr(Gpr::Rbx, ABSENT - 16);
        },
        |state| {
            state.vectors[2].0 = [0, 1, 1, u64::MAX];
            state.set_gpr(Gpr::Rbx, ABSENT - 8);
        },
    ];
    for place in places {
        check(Bits::Long64, GATHER, place, None);
    }
}

#[test]
fn bytes_that_are_not_chosen_stay() {
    // Twice MASKMOVDQU, then MASKMOVQ.
    const CODE: &[u8] = &[
        0x66, 0x0f, 0xf7, 0xc1, 0x66, 0x0f, 0xf7, 0xc1, 0x0f, 0xf7, 0xc1, 0xf4,
    ];
    let places: [fn(&mut CpuState); 3] = [
        |state| state.set_gpr(Gpr::Rdi, DATA + 3),
        // Whether they are chosen or not, all are looked at.
        |state| state.set_gpr(Gpr::Rdi, ABSENT - 8),
        |state| state.set_gpr(Gpr::Rdi, FIXED),
    ];
    for place in places {
        check(Bits::Long64, CODE, place, None);
    }
    let chosen: fn(&mut CpuState) = |state| {
        masks(state);
        state.vectors[1].0[0] = 0xff00_80ff_0000_8000;
        state.fpu.registers[0].significand = 0x1122_3344_5566_7788;
        state.fpu.registers[1].significand = 0x8000_80ff_0000_7fff;
        state.set_gpr(Gpr::Rdi, DATA + 0x13);
    };
    check(Bits::Long64, CODE, chosen, None);
}

/// A denormal and zero, which are equal if DAZ is set.
fn denormal(state: &mut CpuState) {
    state.vectors[0].0[0] = 1;
    state.vectors[1].0[0] = 0;
    state.set_gpr(Gpr::Rbx, DATA);
}

#[test]
fn flags_of_numbers_outlast_a_change_of_mxcsr() {
    // mov dword ptr [rbx], MXCSR; comiss; jmp, perhaps; ldmxcsr; sete; setb; addss; stmxcsr
    const IN_ONE_UNIT: &[u8] = &[
        0xc7, 0x03, 0xc0, 0x1f, 0, 0, 0x0f, 0x2f, 0xc1, 0x0f, 0xae, 0x13, 0x0f, 0x94, 0xc1, 0x0f,
        0x92, 0xc2, 0xf3, 0x0f, 0x58, 0xc1, 0x0f, 0xae, 0x5b, 0x08, 0xf4,
    ];
    const IN_TWO: &[u8] = &[
        0xc7, 0x03, 0xc0, 0x1f, 0, 0, 0x0f, 0x2f, 0xc1, 0xeb, 0, 0x0f, 0xae, 0x13, 0x0f, 0x94,
        0xc1, 0x0f, 0x92, 0xc2, 0xf3, 0x0f, 0x58, 0xc1, 0x0f, 0xae, 0x5b, 0x08, 0xf4,
    ];
    // Unmasks the denormal exception.
    const UNMASKED: &[u8] = &[
        0xc7, 0x03, 0x80, 0x1e, 0, 0, 0x0f, 0x2f, 0xc1, 0x0f, 0xae, 0x13, 0x0f, 0x94, 0xc1, 0xf3,
        0x0f, 0x58, 0xc1, 0x0f, 0xae, 0x5b, 0x08, 0xf4,
    ];
    // Sets a bit that does not exist.
    const RESERVED: &[u8] = &[
        0xc7, 0x03, 0x80, 0x1f, 1, 0, 0x0f, 0x2f, 0xc1, 0x0f, 0xae, 0x13, 0xf4,
    ];
    for code in [IN_ONE_UNIT, IN_TWO, UNMASKED, RESERVED] {
        check(Bits::Long64, code, denormal, None);
    }
}

#[test]
fn mmx_and_x87_take_turns() {
    // fld1; fldpi; movq mm7, mm0; paddb mm7, [rbx]; fnstsw ax; emms; fldz; fnstsw; fxsave; pand
    const CODE: &[u8] = &[
        0xd9, 0xe8, 0xd9, 0xeb, 0x0f, 0x6f, 0xf8, 0x0f, 0xfc, 0x3b, 0xdf, 0xe0, 0x0f, 0x77, 0xd9,
        0xee, 0xdd, 0x7b, 0x10, 0x0f, 0xae, 0x43, 0x40, 0x0f, 0xdb, 0xc7, 0xf4,
    ];
    let states: [fn(&mut CpuState); 4] = [
        |state| state.set_gpr(Gpr::Rbx, DATA),
        // An exception is not masked; one is pending; the unit is switched off.
        |state| {
            state.set_gpr(Gpr::Rbx, DATA);
            state.fpu.set_control(0x37e);
        },
        |state| {
            state.set_gpr(Gpr::Rbx, DATA);
            state.cr0 |= 1 << 5;
            state.fpu.set_control(0x37e);
            state.fpu.set_status(1);
        },
        |state| {
            state.set_gpr(Gpr::Rbx, DATA);
            state.cr0 |= 1 << 3;
        },
    ];
    for state in states {
        check(Bits::Long64, CODE, state, None);
        check(Bits::Long64, &CODE[4..], state, None);
    }
}

#[test]
fn what_a_loop_has_carried_out_keeps_the_registers() {
    // The last one of each round crosses a page.
    const MMX: &[u8] = &[
        0xb9, 9, 0, 0, 0, // mov ecx, 9
        0x0f, 0xfc, 0xc1, // paddb mm0, mm1
        0x0f, 0x6f, 0x0b, // movq mm1, [rbx]
        0xff, 0xc9, // dec ecx
        0x75, 0xf6, // jne
        0xf4, // hlt
    ];
    const X87: &[u8] = &[
        0xb9, 9, 0, 0, 0, // mov ecx, 9
        0xd9, 0xe8, // fld1
        0xde, 0xc1, // faddp
        0xdd, 0x13, // fst qword ptr [rbx]
        0xff, 0xc9, // dec ecx
        0x75, 0xf6, // jne
        0xf4, // hlt
    ];
    // XGETBV is the interpreter's.
    const CALLS: &[u8] = &[
        0xb9, 9, 0, 0, 0, // mov ecx, 9
        0xd9, 0xe8, // fld1
        0xde, 0xc1, // faddp
        0x0f, 0xfc, 0xc1, // paddb mm0, mm1
        0x89, 0xce, // mov esi, ecx
        0x31, 0xc9, // xor ecx, ecx
        0x0f, 0x01, 0xd0, // xgetbv
        0x89, 0xf1, // mov ecx, esi
        0xff, 0xc9, // dec ecx
        0x75, 0xec, // jne
        0xf4, // hlt
    ];
    for code in [MMX, X87, CALLS] {
        let state: fn(&mut CpuState) = |state| {
            state.fpu.in_use = 3;
            for register in &mut state.fpu.registers[..2] {
                register.significand = 0x8123_4567_89ab_cdef;
                register.sign_exponent = 0x3fff;
            }
            state.set_gpr(Gpr::Rbx, DATA + 0xffc);
        };
        check(Bits::Long64, code, state, None);
    }
}
