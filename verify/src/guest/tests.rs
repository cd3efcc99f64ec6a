//! The guest sees what a user-mode program sees.

use super::*;
use crate::case::{READ_ONLY, Registers};

fn case(code: &[u8]) -> Case {
    Case {
        code: code.to_vec(),
        offset: 0x100,
        registers: Registers {
            rflags: 0x202,
            mxcsr: 0x1f80,
            ..Registers::default()
        },
        seed: 1,
        patches: vec![(DATA + 8, vec![1, 2, 3, 4])],
        instructions: 1,
    }
}

fn run(case: &Case) -> Outcome {
    let mut guest = Guest::interpreter().unwrap();
    let first = guest.run(std::slice::from_ref(case)).remove(0).unwrap();
    // Whatever the first run left must not show in the second.
    let again = guest.run(std::slice::from_ref(case)).remove(0).unwrap();
    assert_eq!(first, again);
    first
}

fn exception(vector: u8, error_code: u32, address: u64) -> End {
    End::Exception {
        vector,
        error_code,
        address,
    }
}

#[test]
fn code_that_runs_through_is_finished() {
    // add eax, ecx
    let mut case = case(&[0x01, 0xc8]);
    case.registers.gpr[0] = u64::MAX;
    case.registers.gpr[1] = 1;
    let outcome = run(&case);
    assert_eq!(outcome.end, End::Finished);
    assert_eq!(outcome.registers.gpr[0], 0);
    assert_eq!(outcome.registers.rip, CODE + 0x102);
    assert_eq!(outcome.registers.rflags, 0x202 | 0x55);
    assert!(outcome.stores.is_empty());
}

#[test]
fn stores_are_told_byte_by_byte() {
    // add dword [rax], 0x01000001
    let mut case = case(&[0x81, 0x00, 1, 0, 0, 1]);
    case.registers.gpr[0] = DATA + 8;
    let outcome = run(&case);
    assert_eq!(outcome.end, End::Finished);
    let expected = vec![(DATA + 8, vec![2]), (DATA + 11, vec![5])];
    assert_eq!(outcome.stores, expected);
}

#[test]
fn a_store_to_the_read_only_window_faults() {
    // mov [rax], ecx, across the border
    let mut case = case(&[0x89, 0x08]);
    case.registers.gpr[0] = READ_ONLY - 2;
    let outcome = run(&case);
    assert_eq!(outcome.end, exception(14, 7, READ_ONLY));
    assert_eq!(outcome.registers.rip, CODE + 0x100);
    assert!(outcome.stores.is_empty());
}

#[test]
fn the_windows_end_where_they_should() {
    // mov al, [rax]; jmp rax
    for (code, error_code) in [(&[0x8a, 0x00][..], 4), (&[0xff, 0xe0], 0x14)] {
        for address in [DATA - 1, READ_ONLY + READ_ONLY_BYTES as u64, CODE - 1] {
            let mut case = case(code);
            case.registers.gpr[0] = address;
            let outcome = run(&case);
            assert_eq!(outcome.end, exception(14, error_code, address));
        }
    }
    let mut case = case(&[0xff, 0xe0]);
    case.registers.gpr[0] = DATA;
    assert_eq!(run(&case).end, exception(14, 0x15, DATA));
}

#[test]
fn a_fetch_beyond_the_window_faults_at_its_end() {
    // The first bytes of mov eax, imm32.
    let mut case = case(&[0xb8, 0]);
    case.offset = CODE_BYTES - 2;
    let end = CODE + CODE_BYTES as u64;
    assert_eq!(run(&case).end, exception(14, 0x14, end));
    // So does code that ends with the window.
    case.code = vec![0x90, 0x90];
    assert_eq!(run(&case).end, exception(14, 0x14, end));
}

#[test]
fn traps_and_faults_are_told_apart() {
    let after = CODE + 0x101;
    let outcome = run(&case(&[0xcc]));
    assert_eq!(outcome.end, exception(3, 0, 0));
    assert_eq!(outcome.registers.rip, after);
    // hlt is not for user mode, wherever it stands.
    let outcome = run(&case(&[0x90, 0xf4, 0x90]));
    assert_eq!(outcome.end, exception(13, 0, 0));
    assert_eq!(outcome.registers.rip, after);
    // ud2, div by zero
    assert_eq!(run(&case(&[0x0f, 0x0b])).end, exception(6, 0, 0));
    assert_eq!(run(&case(&[0xf7, 0xf1])).end, exception(0, 0, 0));
}

#[test]
fn a_loop_is_left() {
    assert_eq!(run(&case(&[0xeb, 0xfe])).end, End::Endless);
}

#[test]
fn code_may_not_be_written() {
    let mut case = case(&[0x89, 0x08]);
    case.registers.gpr[0] = CODE;
    assert_eq!(run(&case).end, exception(14, 7, CODE));
}
