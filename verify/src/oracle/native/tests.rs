//! The oracle against what the manual says; `survival` has what could kill it.

mod survival;

use super::Oracle;
use crate::{
    CODE, CODE_BYTES, Case, DATA, DATA_BYTES, End, Lost, Outcome, READ_ONLY, READ_ONLY_BYTES,
    Registers, Subject, X87,
};

const RSP: usize = 4;
const TF: u64 = 1 << 8;
const DF: u64 = 1 << 10;
const NT: u64 = 1 << 14;
const RF: u64 = 1 << 16;
const AC: u64 = 1 << 18;

/// Code at the window's start, with registers as after a program's start.
fn case(code: &[u8]) -> Case {
    let mut registers = Registers {
        rip: CODE,
        rflags: 0x202,
        mxcsr: 0x1f80,
        x87: X87 {
            control: 0x37f,
            ..X87::default()
        },
        ..Registers::default()
    };
    registers.gpr[RSP] = DATA + 0x2000;
    Case {
        code: code.to_vec(),
        offset: 0,
        registers,
        seed: 1,
        patches: Vec::new(),
        instructions: 32,
    }
}

fn run(oracle: &mut Oracle, case: &Case) -> Result<Outcome, Lost> {
    let mut results = oracle.run(std::slice::from_ref(case));
    assert_eq!(results.len(), 1);
    results.remove(0)
}

fn outcome(case: &Case) -> Outcome {
    run(&mut Oracle::new().unwrap(), case).unwrap()
}

fn exception(vector: u8, error_code: u32, address: u64) -> End {
    End::Exception {
        vector,
        error_code,
        address,
    }
}

fn memory(case: &Case) -> Vec<u8> {
    let mut memory = vec![0; DATA_BYTES + READ_ONLY_BYTES];
    case.fill(&mut memory);
    memory
}

#[test]
fn state_comes_back_as_it_went_in() {
    let mut nop = case(&[0x90]);
    let registers = &mut nop.registers;
    registers.gpr = std::array::from_fn(|number| 0x0123_4567_89ab_cdef << number);
    registers.rflags = 0x202 | 0x8d5 | DF | NT | AC;
    registers.fs_base = 0x1234_5678;
    registers.gs_base = 0xffff_8000_0000_0000;
    registers.mxcsr = 0x7f3f;
    registers.ymm = std::array::from_fn(|number| [1, 2, 3, 4].map(|word| word << number));
    registers.x87 = X87 {
        st: std::array::from_fn(|number| 0x3fff_8000_0000_0000_0000 + number as u128),
        control: 0x0b7f,
        status: 0x3800,
        tag: 0xff,
        opcode: 0x123,
        instruction: 0x1_0000_5678,
        operand: 0x2_0000_9abc,
    };
    for offset in [0, 77, 0xfff, CODE_BYTES - 2] {
        nop.offset = offset;
        let got = outcome(&nop);
        let mut expected = nop.registers;
        expected.rip = CODE + offset as u64 + 1;
        assert_eq!(got.end, End::Finished);
        assert_eq!(got.registers, expected);
        assert_eq!(got.stores, []);
    }
}

#[test]
fn add_sets_flags() {
    // add al, bl
    let mut add = case(&[0x00, 0xd8]);
    add.registers.gpr[0] = 0xff;
    add.registers.gpr[3] = 1;
    let got = outcome(&add);
    assert_eq!(got.end, End::Finished);
    assert_eq!(got.registers.gpr[0], 0);
    assert_eq!(got.registers.rflags, 0x202 | 0x55);
    assert_eq!(got.registers.rip, CODE + 2);
}

#[test]
fn x87_push_is_seen() {
    let got = outcome(&case(&[0xd9, 0xeb])).registers.x87; // fldpi
    assert_eq!(got.st[0], 0x4000_c90f_daa2_2168_c235);
    assert_eq!((got.tag, got.status), (0x80, 0x3800));
}

#[test]
fn avx_store_is_seen_byte_by_byte() {
    // vmovdqu [rbx], ymm5
    let mut store = case(&[0xc5, 0xfe, 0x7f, 0x2b]);
    store.registers.gpr[3] = DATA + 0x7f0;
    store.registers.ymm[5] = [!0, 0x0807_0605_0403_0201, 5, 6];
    let value: Vec<u8> = store.registers.ymm[5]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    store.patches = vec![(DATA + 0x7f0, value.iter().map(|byte| !byte).collect())];
    assert_eq!(outcome(&store).stores, [(DATA + 0x7f0, value)]);
    // What is stored where it already is, is no difference.
    let mut oracle = Oracle::new().unwrap();
    store.patches[0].1[8..]
        .copy_from_slice(&store.registers.ymm[5].map(u64::to_le_bytes).concat()[8..]);
    assert_eq!(
        run(&mut oracle, &store).unwrap().stores,
        [(DATA + 0x7f0, vec![0xff; 8])]
    );
}

#[test]
fn memory_is_filled_patched_and_put_back() {
    let mut oracle = Oracle::new().unwrap();
    // mov rax, [rbx]; mov rcx, [rbx+8]; not qword [rsp]
    let load = [
        0x48, 0x8b, 0x03, 0x48, 0x8b, 0x4b, 0x08, 0x48, 0xf7, 0x14, 0x24,
    ];
    let mut cases = Vec::new();
    for number in 0..200u64 {
        let mut case = case(&load);
        case.seed = number / 3 % 50;
        case.registers.gpr[3] = READ_ONLY - 8 + number % 5;
        case.registers.gpr[RSP] = READ_ONLY - 16;
        if number % 3 == 1 {
            case.patches = vec![
                (READ_ONLY - 3, vec![number as u8; 8]),
                (DATA, vec![1]),
                (READ_ONLY + READ_ONLY_BYTES as u64 - 1, vec![1, 2]),
            ];
        }
        cases.push(case);
    }
    for (case, got) in cases.iter().zip(oracle.run(&cases)) {
        let got = got.unwrap();
        let memory = memory(case);
        let word = |address: u64| {
            let at = (address - DATA) as usize;
            u64::from_le_bytes(memory[at..at + 8].try_into().unwrap())
        };
        assert_eq!(got.end, End::Finished);
        assert_eq!(got.registers.gpr[0], word(case.registers.gpr[3]));
        assert_eq!(got.registers.gpr[1], word(case.registers.gpr[3] + 8));
        let stored = (!word(READ_ONLY - 16)).to_le_bytes().to_vec();
        assert_eq!(got.stores, [(READ_ONLY - 16, stored)]);
    }
}

/// One line per fault: code, RBX, what it ends with, and where.
#[test]
fn faults_have_vector_error_code_and_address() {
    let last = DATA + DATA_BYTES as u64 + READ_ONLY_BYTES as u64;
    let store: &[u8] = &[0x88, 0x03];
    let load: &[u8] = &[0x8a, 0x03];
    let jump: &[u8] = &[0xff, 0xe3];
    let lines: [(&[u8], u64, End, u64); 21] = [
        (store, READ_ONLY, exception(14, 7, READ_ONLY), CODE),
        (store, CODE + 5, exception(14, 7, CODE + 5), CODE),
        (store, last, exception(14, 6, last), CODE),
        (load, last, exception(14, 4, last), CODE),
        (load, 0, exception(14, 4, 0), CODE),
        (load, !0, exception(14, 4, !0), CODE),
        (load, 1 << 62, exception(13, 0, 0), CODE),
        (jump, DATA, exception(14, 0x15, DATA), DATA),
        (jump, 0x1000, exception(14, 0x14, 0x1000), 0x1000),
        (jump, CODE - 1, exception(14, 0x14, CODE - 1), CODE - 1),
        (jump, CODE + 3, exception(13, 0, 0), CODE + 3),
        (&[0xf6, 0xf1], 0, exception(0, 0, 0), CODE), // div cl
        (&[0x0f, 0x0b], 0, exception(6, 0, 0), CODE), // ud2
        (&[0x06], 0, exception(6, 0, 0), CODE),
        (&[0xcc], 0, exception(3, 0, 0), CODE + 1),
        (&[0xcd, 0x03], 0, exception(3, 0, 0), CODE + 2),
        (&[0xcd, 0x04], 0, exception(4, 0, 0), CODE + 2),
        (&[0xcd, 0x21], 0, exception(13, 0x21 * 8 + 2, 0), CODE),
        (&[0xf1], 0, exception(1, 0, 0), CODE + 1),
        (&[0xf4], 0, exception(13, 0, 0), CODE),
        // A prefix goes with the HLT behind it.
        (&[0x48], 0, exception(13, 0, 0), CODE),
    ];
    let mut oracle = Oracle::new().unwrap();
    for (code, rbx, end, rip) in lines {
        let mut case = case(code);
        case.registers.gpr[3] = rbx;
        let got = run(&mut oracle, &case).unwrap();
        assert_eq!(
            (got.end, got.registers.rip),
            (end, rip),
            "{code:x?} {rbx:x}"
        );
        assert_eq!(got.registers.rflags, case.registers.rflags, "{code:x?}");
        assert_eq!(got.stores, [], "{code:x?}");
    }
}

#[test]
fn code_up_to_the_windows_end_faults_behind_it() {
    let mut nop = case(&[0x90]);
    nop.offset = CODE_BYTES - 1;
    let behind = CODE + CODE_BYTES as u64;
    let got = outcome(&nop);
    assert_eq!(got.end, exception(14, 0x14, behind));
    assert_eq!(got.registers.rip, behind);
}

#[test]
fn unmasked_x87_exception_is_mf_at_the_next_instruction() {
    // fninit; with ZM clear: fld1; fldz; fdivp; fwait
    let mut divide = case(&[0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0x9b]);
    divide.registers.x87.control = 0x37b;
    let got = outcome(&divide);
    assert_eq!(got.end, exception(16, 0, 0));
    assert_eq!(got.registers.rip, CODE + 6);
    assert_eq!(got.registers.x87.status & 0x8084, 0x8084);
    assert_eq!(got.registers.x87.instruction, CODE + 4);
}

#[test]
fn pending_x87_exception_can_be_loaded() {
    let mut wait = case(&[0x9b]);
    wait.registers.x87.control = 0x37e;
    wait.registers.x87.status = 0x8081;
    assert_eq!(outcome(&wait).end, exception(16, 0, 0));
}

#[test]
fn unmasked_sse_exception_is_xm() {
    let mut divide = case(&[0x0f, 0x5e, 0xc1]); // divps xmm0, xmm1
    divide.registers.ymm[0] = [0x3f80_0000_3f80_0000; 4];
    divide.registers.mxcsr = 0x1d80;
    let got = outcome(&divide);
    assert_eq!(got.end, exception(19, 0, 0));
    assert_eq!(got.registers.mxcsr, 0x1d84);
    assert_eq!(got.registers.ymm[0], divide.registers.ymm[0]);
}

#[test]
fn trap_flag_traps_after_the_first_instruction() {
    let mut nops = case(&[0x90, 0x90]);
    nops.registers.rflags |= TF;
    let got = outcome(&nops);
    assert_eq!(got.end, exception(1, 0, 0));
    assert_eq!(got.registers.rip, CODE + 1);
    assert_ne!(got.registers.rflags & TF, 0);
}

#[test]
fn alignment_check_is_ac() {
    let mut load = case(&[0x8b, 0x03]);
    load.registers.gpr[3] = DATA + 1;
    load.registers.rflags |= AC;
    assert_eq!(outcome(&load).end, exception(17, 0, 0));
}

#[test]
fn flags_of_one_case_do_not_reach_the_next() {
    let mut odd = case(&[0x90]);
    odd.registers.rflags |= AC | DF | NT | RF | 1 << 21;
    let plain = case(&[0x9c]); // pushfq
    let mut oracle = Oracle::new().unwrap();
    let results = oracle.run(&[odd.clone(), plain]);
    let first = results[0].as_ref().unwrap();
    assert_eq!(first.registers.rflags, odd.registers.rflags & !RF);
    let second = results[1].as_ref().unwrap();
    assert_eq!(second.end, End::Finished);
    assert_eq!(second.registers.rflags, 0x202);
}

#[test]
fn selectors_of_one_case_do_not_reach_the_next() {
    // mov eax, 2Bh; mov ds, eax; mov es, eax; mov fs, eax; mov gs, eax
    let load = case(&[
        0xb8, 0x2b, 0, 0, 0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xe0, 0x8e, 0xe8,
    ]);
    // mov eax, ds; mov ecx, es; mov edx, fs; mov ebx, gs; mov esi, ss; mov edi, cs
    let mut read = case(&[
        0x8c, 0xd8, 0x8c, 0xc1, 0x8c, 0xe2, 0x8c, 0xeb, 0x8c, 0xd6, 0x8c, 0xcf,
    ]);
    read.registers.fs_base = 0x5000;
    read.registers.gs_base = 0x6000;
    let mut oracle = Oracle::new().unwrap();
    let results = oracle.run(&[load, read]);
    assert_eq!(results[0].as_ref().unwrap().end, End::Finished);
    let got = &results[1].as_ref().unwrap().registers;
    assert_eq!(got.gpr[..4], [0; 4]);
    assert_eq!(got.gpr[6..8], [0x2b, 0x33]);
    assert_eq!((got.fs_base, got.gs_base), (0x5000, 0x6000));
}

#[test]
fn segment_bases_are_the_cases_own() {
    // mov al, fs:[rbx]; rdgsbase rcx; wrfsbase rcx
    let mut bases = case(&[
        0x64, 0x8a, 0x03, 0xf3, 0x48, 0x0f, 0xae, 0xc9, 0xf3, 0x48, 0x0f, 0xae, 0xd1,
    ]);
    bases.registers.fs_base = DATA;
    bases.registers.gs_base = 0xffff_ffff_ffff_f000;
    bases.registers.gpr[3] = 3;
    let got = outcome(&bases);
    assert_eq!(got.end, End::Finished);
    assert_eq!(got.registers.gpr[0], u64::from(memory(&bases)[3]));
    assert_eq!(got.registers.fs_base, bases.registers.gs_base);
    assert_eq!(got.registers.gs_base, bases.registers.gs_base);
}

#[test]
fn a_case_may_change_all_it_can_write() {
    // not qword [rdi]; add rdi, 8; loop
    let mut all = case(&[0x48, 0xf7, 0x17, 0x48, 0x83, 0xc7, 0x08, 0xe2, 0xf7]);
    all.registers.gpr[1] = DATA_BYTES as u64 / 8;
    all.registers.gpr[7] = DATA;
    let expected: Vec<u8> = memory(&all)[..DATA_BYTES]
        .iter()
        .map(|byte| !byte)
        .collect();
    let mut oracle = Oracle::new().unwrap();
    let cases = vec![all; 100];
    for got in oracle.run(&cases) {
        assert_eq!(got.unwrap().stores, [(DATA, expected.clone())]);
    }
}

#[test]
fn features_are_those_of_the_host() {
    use iced_x86::CpuidFeature as F;
    let oracle = Oracle::new().unwrap();
    assert!(oracle.has(F::SSE2) && oracle.has(F::FSGSBASE) && oracle.has(F::AVX));
    assert_eq!(
        oracle.has(F::BMI2),
        std::arch::is_x86_feature_detected!("bmi2")
    );
    assert_eq!(
        oracle.has(F::SHA),
        std::arch::is_x86_feature_detected!("sha")
    );
    assert!(!oracle.has(F::INTEL286_ONLY) && !oracle.has(F::MPX) && !oracle.has(F::VMX));
}
