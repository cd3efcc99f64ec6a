//! System calls: only the harness's own, from its one SYSCALL instruction, and only
//! the four that it needs once it runs cases (Linux `seccomp_filter`).
//!
//! Decoding the code beforehand would not do: a case may jump into the middle of an
//! instruction, and INT 80h and SYSENTER lead to the kernel too. A case that tries
//! gets SIGSYS.

use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter};

const ALLOWED: [i64; 4] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_rt_sigreturn,
    libc::SYS_exit_group,
];

// Offsets in `seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ADDRESS_LOW: u32 = 8;
const ADDRESS_HIGH: u32 = 12;

const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;

/// How many instructions the program has.
pub(super) const INSTRUCTIONS: usize = 13;

/// The program, for a SYSCALL whose end is at `gate`.
pub(super) fn program(gate: u64) -> [sock_filter; INSTRUCTIONS] {
    let [read, write, sigreturn, exit] = ALLOWED.map(|number| number as u32);
    [
        load(ARCHITECTURE),
        unless_equal(AUDIT_ARCH_X86_64, 9),
        load(ADDRESS_LOW),
        unless_equal(gate as u32, 7),
        load(ADDRESS_HIGH),
        unless_equal((gate >> 32) as u32, 5),
        load(NUMBER),
        if_equal(read, 4),
        if_equal(write, 3),
        if_equal(sigreturn, 2),
        if_equal(exit, 1),
        answer(libc::SECCOMP_RET_TRAP),
        answer(libc::SECCOMP_RET_ALLOW),
    ]
}

const fn load(offset: u32) -> sock_filter {
    instruction(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0)
}

const fn if_equal(value: u32, skip: u8) -> sock_filter {
    instruction(BPF_JMP | BPF_JEQ | BPF_K, value, skip, 0)
}

const fn unless_equal(value: u32, skip: u8) -> sock_filter {
    instruction(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
}

const fn answer(value: u32) -> sock_filter {
    instruction(BPF_RET | BPF_K, value, 0, 0)
}

const fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}
