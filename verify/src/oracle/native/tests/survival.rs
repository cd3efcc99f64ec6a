//! The oracle against everything that could kill it, and what one case could leave to
//! the next.

use super::super::Oracle;
use super::{AC, DF, NT, RSP, TF, case, exception, outcome, run};
use crate::{CODE, CODE_BYTES, Case, DATA, End, Registers, Subject, X87};

#[test]
fn destroyed_stack_pointer_is_survived() {
    let got = outcome(&case(&[0x31, 0xe4, 0x50])); // xor esp, esp; push rax
    assert_eq!(got.end, exception(14, 6, !7));
    assert_eq!(got.registers.gpr[RSP], 0);
    assert_eq!(got.registers.rip, CODE + 2);
    let mut far = case(&[0x50]);
    far.registers.gpr[RSP] = 1 << 63;
    assert_eq!(outcome(&far).end, exception(12, 0, 0));
}

#[test]
fn endless_loops_end_soon() {
    let mut oracle = Oracle::new().unwrap();
    let mut count = case(&[0x48, 0xff, 0xc0, 0xeb, 0xfb]); // inc rax; jmp $-3
    count.registers.ymm[3] = [7; 4];
    count.registers.rflags |= DF;
    let started = std::time::Instant::now();
    let results = oracle.run(&[case(&[0xeb, 0xfe]), count.clone(), case(&[0x90])]);
    let took = started.elapsed();
    let first = results[0].as_ref().unwrap();
    assert_eq!((first.end, first.registers.rip), (End::Endless, CODE));
    let second = results[1].as_ref().unwrap();
    assert_eq!(second.end, End::Endless);
    assert!(second.registers.gpr[0] > 1000);
    // It was interrupted more than once before, and went on as if nothing had been.
    assert_eq!(second.registers.ymm, count.registers.ymm);
    assert_eq!(second.registers.rflags & DF, DF);
    assert_eq!(results[2].as_ref().unwrap().end, End::Finished);
    assert!(took.as_millis() < 2000, "{took:?}");
}

#[test]
fn system_calls_are_not_let_through() {
    let mut oracle = Oracle::new().unwrap();
    let pid = oracle.child.as_ref().unwrap().pid();
    let mut exit = case(&[0x0f, 0x05]); // syscall
    exit.registers.gpr[0] = 231;
    let mut interrupt = case(&[0xcd, 0x80]);
    interrupt.registers.gpr[0] = 1;
    let mut enter = case(&[0x0f, 0x34]); // sysenter
    enter.registers.gpr[0] = 1;
    enter.registers.gpr[5] = DATA + 0x100;
    let results = oracle.run(&[exit, interrupt, enter, case(&[0x90])]);
    for result in &results[..2] {
        let reason = &result.as_ref().unwrap_err().reason;
        assert!(reason.contains("system call"), "{reason}");
    }
    // #UD on AMD.
    if let Ok(outcome) = &results[2] {
        assert_eq!(outcome.end, exception(6, 0, 0));
    }
    assert_eq!(results[3].as_ref().unwrap().end, End::Finished);
    assert_eq!(oracle.child.as_ref().unwrap().pid(), pid);
}

#[test]
fn other_modes_are_survived() {
    // jmp far [rbx], into 32-bit code
    let mut far = case(&[0xff, 0x2b, 0xf4]);
    far.registers.gpr[3] = DATA;
    far.patches = vec![(DATA, vec![2, 0, 0, 0x20, 0x23, 0])];
    // lss eax, [rbx]; then push
    let mut stack = case(&[0x0f, 0xb2, 0x03, 0x50]);
    stack.registers.gpr[3] = DATA;
    stack.patches = vec![(DATA, vec![2, 0, 0, 0x20, 0x2b, 0])];
    let mut oracle = Oracle::new().unwrap();
    let results = oracle.run(&[far, stack, case(&[0x90])]);
    let reason = &results[0].as_ref().unwrap_err().reason;
    assert!(reason.contains("64-bit mode"), "{reason}");
    assert_eq!(results[1].as_ref().unwrap().end, End::Finished);
    assert_eq!(results[2].as_ref().unwrap().end, End::Finished);
}

#[test]
fn impossible_cases_are_refused() {
    let mut oracle = Oracle::new().unwrap();
    let mut base = case(&[0x90]);
    base.registers.gs_base = 1 << 63;
    let mut control = case(&[0x90]);
    control.registers.mxcsr = 1 << 31;
    let mut long = case(&[0x90; CODE_BYTES]);
    long.offset = 1;
    let mut far = case(&[0x90]);
    far.offset = usize::MAX;
    let results = oracle.run(&[base, control, case(&[0x90]), long, far]);
    let ran: Vec<_> = results.iter().map(Result::is_ok).collect();
    assert_eq!(ran, [false, false, true, false, false]);
}

/// Code that stores to where the harness lies: just what the harness can't survive.
fn killer() -> Case {
    // mov [rbx], rax: the harness's stack pointer
    let mut killer = case(&[0x48, 0x89, 0x03]);
    killer.registers.gpr[3] = super::super::place::HARNESS;
    killer
}

#[test]
fn thirty_two_batches_go_well_after_as_many_crashes() {
    let mut oracle = Oracle::new().unwrap();
    for number in 0..32u64 {
        let mut add = case(&[0x48, 0x01, 0xd8]);
        add.registers.gpr[0] = number;
        add.registers.gpr[3] = 5;
        let cases = [add.clone(), killer(), add];
        let results = oracle.run(&cases);
        for index in [0, 2] {
            let got = results[index].as_ref().unwrap();
            assert_eq!(got.end, End::Finished);
            assert_eq!(got.registers.gpr[0], number + 5);
        }
        let reason = &results[1].as_ref().unwrap_err().reason;
        assert_eq!(reason, "the harness itself faulted");
    }
}

#[test]
fn a_killed_child_is_replaced_without_a_word() {
    let mut oracle = Oracle::new().unwrap();
    let pid = oracle.child.as_ref().unwrap().pid();
    let child = oracle.child.as_mut().unwrap();
    child.signal(libc::SIGKILL);
    assert!(child.dies());
    assert_eq!(run(&mut oracle, &case(&[0x90])).unwrap().end, End::Finished);
    assert_ne!(oracle.child.as_ref().unwrap().pid(), pid);
}

#[test]
fn no_process_and_no_mapping_is_left() {
    let shared = || {
        let maps = std::fs::read_to_string("/proc/thread-self/maps").unwrap();
        let bytes = format!(
            "{:x}",
            size_of::<super::super::batch::Batch>().next_multiple_of(0x1000)
        );
        maps.lines()
            .filter_map(|line| line.split_once(' ')?.0.split_once('-'))
            .filter(|(start, end)| {
                let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap());
                format!("{:x}", end - start) == bytes
            })
            .map(|(start, _)| start.to_owned())
            .collect::<Vec<_>>()
    };
    let mut oracle = Oracle::new().unwrap();
    let start = format!("{:x}", oracle.area.range().start);
    assert!(shared().contains(&start));
    let pid = oracle.child.as_ref().unwrap().pid();
    assert!(run(&mut oracle, &killer()).is_err());
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    oracle.run(&[case(&[0x90])]);
    let pid = oracle.child.as_ref().unwrap().pid();
    assert!(std::path::Path::new(&format!("/proc/{pid}")).exists());
    drop(oracle);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}

// A fuzzer's memory stays: see `inside::settle`.
#[cfg(not(fuzzing))]
#[test]
fn nothing_of_the_parent_is_mapped_in_the_child() {
    let secret = Box::new(0x1234_5678_u64);
    let mut load = case(&[0x48, 0x8b, 0x03]);
    load.registers.gpr[3] = &raw const *secret as u64;
    let got = outcome(&load);
    assert_eq!(got.end, exception(14, 4, load.registers.gpr[3]));
    let local = 5u64;
    load.registers.gpr[3] = &raw const local as u64;
    assert_eq!(outcome(&load).end, exception(14, 4, load.registers.gpr[3]));
}

#[test]
fn oracles_work_side_by_side_and_move_between_threads() {
    let threads: Vec<_> = (0..4u64)
        .map(|number| {
            std::thread::spawn(move || {
                let mut oracle = Oracle::new().unwrap();
                check_sums(&mut oracle, number);
                oracle
            })
        })
        .collect();
    for (number, thread) in threads.into_iter().enumerate() {
        // The thread that forked has ended, and its child with it.
        let mut oracle = thread.join().unwrap();
        assert!(oracle.child.as_mut().unwrap().dies());
        check_sums(&mut oracle, number as u64);
    }
}

fn check_sums(oracle: &mut Oracle, number: u64) {
    let mut cases = Vec::new();
    for other in 0..300 {
        let mut add = case(&[0x48, 0x01, 0xd8]);
        add.registers.gpr[0] = number;
        add.registers.gpr[3] = other;
        add.seed = other % 40;
        cases.push(add);
    }
    cases[150] = killer();
    for (other, got) in oracle.run(&cases).into_iter().enumerate() {
        match got {
            Ok(got) => assert_eq!(got.registers.gpr[0], number + other as u64),
            Err(_) => assert_eq!(other, 150),
        }
    }
}

/// Raw bytes from raw registers, forwards in one child and backwards in another.
#[test]
fn no_case_reaches_another() {
    let mut random = Random(2026);
    let mut forwards = Oracle::new().unwrap();
    let mut backwards = Oracle::new().unwrap();
    let mut ends = std::collections::HashSet::new();
    for _ in 0..10 {
        let cases: Vec<_> = std::iter::repeat_with(|| raw_case(&mut random))
            .filter(|case| !asks_the_host(&case.code))
            .take(1000)
            .collect();
        let reversed: Vec<_> = cases.iter().rev().cloned().collect();
        let ones = forwards.run(&cases);
        let others = backwards.run(&reversed);
        for ((case, one), other) in cases.iter().zip(ones).zip(others.into_iter().rev()) {
            match (&one, &other) {
                // Where it is by then differs.
                (Ok(one), Ok(other)) if one.end == End::Endless => {
                    assert_eq!(other.end, End::Endless, "{case:x?}");
                }
                _ => assert_eq!(one, other, "{case:x?}"),
            }
            ends.insert(match one.map(|outcome| outcome.end) {
                Ok(End::Finished) => Ok(None),
                Ok(End::Endless) => Ok(Some(!0)),
                Ok(End::Exception { vector, .. }) => Ok(Some(vector)),
                Err(lost) => Err(lost.reason),
            });
        }
    }
    for vector in [0, 1, 3, 6, 12, 13, 14] {
        assert!(ends.contains(&Ok(Some(vector))), "{vector}");
    }
    assert!(ends.contains(&Ok(None)));
    let expected = ["system call", "64-bit mode"];
    for reason in ends.iter().filter_map(|end| end.as_ref().err()) {
        let is_expected = expected.iter().any(|part| reason.contains(part));
        assert!(is_expected, "{reason}");
    }
}

/// Whether RDTSC, CPUID, or a relative of RDRAND and RDTSCP may be among it.
fn asks_the_host(code: &[u8]) -> bool {
    code.windows(2)
        .any(|pair| pair[0] == 0x0f && [0x01, 0x31, 0xa2, 0xc7].contains(&pair[1]))
}

/// Knuth's generator; its high bits are good.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        let mut word = || {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            self.0 >> 32
        };
        word() << 32 | word()
    }
}

fn raw_case(random: &mut Random) -> Case {
    let bytes = [random.next().to_le_bytes(), random.next().to_le_bytes()].concat();
    let mut case = case(&bytes[..1 + random.next() as usize % 15]);
    let registers = &mut case.registers;
    registers.gpr = std::array::from_fn(|_| match random.next() % 4 {
        0 => random.next(),
        1 => random.next() >> 32,
        _ => DATA + random.next() % 0x6000,
    });
    registers.rflags = 0x202 | random.next() & (0x8d5 | TF | DF | NT | AC);
    if random.next() & 7 != 0 {
        registers.rflags &= !(TF | AC);
    }
    (registers.fs_base, registers.gs_base) = (DATA, DATA + 0x800);
    registers.mxcsr = random.next() as u32 & 0xffff;
    registers.x87.control = random.next() as u16 & 0xf7f;
    registers.x87.status = random.next() as u16 & 0x3f00;
    registers.x87.tag = random.next() as u8;
    registers.x87.st = std::array::from_fn(|_| u128::from(random.next()) << 16 | 1 << 63);
    registers.ymm = std::array::from_fn(|_| std::array::from_fn(|_| random.next()));
    case.seed = random.next() % 20;
    case
}

#[test]
fn a_child_that_hangs_is_killed_and_replaced() {
    let mut oracle = Oracle::new().unwrap();
    oracle.child.as_ref().unwrap().signal(libc::SIGSTOP);
    let results = oracle.run(&[case(&[0x90]), case(&[0x90])]);
    let reason = &results[0].as_ref().unwrap_err().reason;
    assert_eq!(reason, "it hung and was killed");
    assert_eq!(results[1].as_ref().unwrap().end, End::Finished);
}

#[test]
fn any_state_can_be_asked_for() {
    const ID: u64 = 1 << 21;
    let mut full = case(&[0x90]);
    full.registers.gpr = [!0; 16];
    full.registers.rflags = !TF;
    full.registers.fs_base = !0;
    full.registers.gs_base = !0;
    full.registers.mxcsr = 0xffff;
    full.registers.ymm = [[!0; 4]; 16];
    full.registers.x87 = X87 {
        st: [!0; 8],
        control: !0,
        status: !0,
        tag: !0,
        opcode: !0,
        instruction: !0,
        operand: !0,
    };
    let mut empty = case(&[0x90]);
    empty.registers = Registers::default();
    let mut oracle = Oracle::new().unwrap();
    let results = oracle.run(&[full.clone(), empty]);
    let got = results[0].as_ref().unwrap();
    assert_eq!(got.end, End::Finished);
    // What a program at privilege level 3 may set (SDM 2A, IRET), IF, and the bit that
    // is always 1.
    assert_eq!(got.registers.rflags, 0x202 | 0x8d5 | DF | NT | AC | ID);
    assert_eq!(got.registers.gpr, full.registers.gpr);
    assert_eq!(got.registers.ymm, full.registers.ymm);
    assert_eq!(got.registers.x87.tag, 0xff);
    let got = results[1].as_ref().unwrap();
    assert_eq!(got.end, End::Finished);
    assert_eq!(got.registers.rflags, 0x202);
}
