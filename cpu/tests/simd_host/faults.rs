//! Memory operands at the edges of a page between two that are missing: what faults, where, and
//! what was done before.

use std::fmt::Write;
use std::ptr;

use iced_x86::{Code, EncodingKind};
use rax_cpu::rflags::Rflags;
use rax_cpu::state::Gpr;
use rax_cpu::testing::{Bits, bare};
use rax_cpu::{Cpu, Exception, Interpreter};
use rax_mmu::PhysicalAddress;

use super::encodings::encodings;
use super::host::{Fault, Host};
use super::loads_mxcsr;
use super::random::Random;
use super::registers::Registers;

const PAGE: u64 = 0x1000;
/// The one page of data: those beside it are missing.
pub(crate) const DATA: u64 = 0x2000;
const TABLES: u64 = 0x8000;
const CODE: u64 = 0x1_0000;

/// Another place for code, from which nothing has been run, or not for long.
pub(crate) const fn next_place(place: u64) -> u64 {
    if place < 0xf_f000 { place + 16 } else { CODE }
}

/// Three pages of the host, the outer ones out of bounds.
struct Pages(*mut u8);

impl Pages {
    fn new() -> Self {
        let size = 3 * PAGE as usize;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches nothing of ours.
        let start = unsafe { libc::mmap(ptr::null_mut(), size, libc::PROT_NONE, kind, -1, 0) };
        assert_ne!(start, libc::MAP_FAILED);
        let middle = start.cast::<u8>().wrapping_add(PAGE as usize);
        let rights = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the page is within the mapping.
        let failed = unsafe { libc::mprotect(middle.cast(), PAGE as usize, rights) };
        assert_eq!(failed, 0);
        Self(middle)
    }

    fn set(&self, bytes: &[u8]) {
        assert_eq!(bytes.len() as u64, PAGE);
        // SAFETY: the page is ours, writable, and as long as the bytes.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.0, bytes.len()) };
    }

    fn get(&self) -> Vec<u8> {
        let mut bytes = vec![0; PAGE as usize];
        // SAFETY: the page is ours, and as long as the bytes.
        unsafe { ptr::copy_nonoverlapping(self.0, bytes.as_mut_ptr(), bytes.len()) };
        bytes
    }
}

/// A processor of ours with the same pages.
pub(crate) struct Guest {
    cpu: Box<Cpu>,
    interpreter: Interpreter,
    pub(crate) code: u64,
}

impl Guest {
    pub(crate) fn new() -> Self {
        let mut cpu = bare(Bits::Long64, 0x10_0000).expect("a host has a megabyte");
        let memory = cpu.mmu.memory();
        let set = |at: u64, entry: u64| {
            let done = memory.load_image(PhysicalAddress(at), &entry.to_le_bytes());
            done.expect("all of it is RAM");
        };
        for level in 0..3 {
            set(TABLES + level * PAGE, (TABLES + (level + 1) * PAGE) | 7);
        }
        for page in 0..256 {
            let is_missing = page == DATA / PAGE - 1 || page == DATA / PAGE + 1;
            let rights = if is_missing { 0 } else { 7 };
            set(TABLES + 3 * PAGE + 8 * page, (page * PAGE) | rights);
        }
        cpu.state.cr3 = TABLES;
        cpu.state.cr4 |= 1 << 5;
        cpu.state.cr0 |= 1 << 31;
        cpu.update_mode();
        let interpreter = Interpreter::new(&cpu);
        Self {
            cpu,
            interpreter,
            code: CODE,
        }
    }

    /// To privilege level 3, with CR0.AM.
    pub(crate) fn make_user(&mut self) {
        self.cpu.state.cpl = 3;
        self.cpu.state.cr0 |= 1 << 18;
    }

    pub(crate) fn load(&mut self, at: u64, bytes: &[u8]) {
        let memory = self.cpu.mmu.memory();
        let done = memory.load_image(PhysicalAddress(at), bytes);
        done.expect("all of it is RAM");
    }

    pub(crate) fn run(&mut self, start: &Registers, offset: u64) -> (Registers, Option<Fault>) {
        let state = &mut self.cpu.state;
        for (register, [low, high]) in state.vectors.iter_mut().zip(start.vectors) {
            register.0 = [low, low >> 64, high, high >> 64].map(|part| part as u64);
        }
        for (register, value) in state.fpu.registers.iter_mut().zip(start.mm) {
            register.significand = value;
        }
        state.mxcsr = start.mxcsr;
        state.set_gpr(Gpr::Rax, start.rax);
        state.set_gpr(Gpr::Rcx, start.rcx);
        state.set_gpr(Gpr::Rdx, start.rdx);
        for pointer in [Gpr::Rbx, Gpr::Rdi] {
            state.set_gpr(pointer, DATA.wrapping_add(offset));
        }
        state.set_rflags(Rflags::from_bits_retain(start.flags));
        state.rip = self.code;
        self.cpu.update_mode();
        let fault = match self.interpreter.execute_one(&mut self.cpu) {
            Ok(()) => None,
            Err(Exception::PageFault(fault)) => Some((libc::SIGSEGV, fault.address.0)),
            Err(Exception::GeneralProtection(0)) => Some((libc::SIGSEGV, 0)),
            Err(Exception::SimdFloatingPoint) => Some((libc::SIGFPE, 0)),
            Err(Exception::InvalidOpcode) => Some((libc::SIGILL, 0)),
            Err(Exception::AlignmentCheck) => Some((libc::SIGBUS, 0)),
            Err(other) => panic!("{other:?} from {start:x?}"),
        };
        let state = &self.cpu.state;
        let mut end = *start;
        for (end, register) in end.vectors.iter_mut().zip(&state.vectors) {
            let [a, b, c, d] = register.0.map(u128::from);
            *end = [a | b << 64, c | d << 64];
        }
        end.mxcsr = state.mxcsr;
        end.rax = state.gpr(Gpr::Rax);
        end.rcx = state.gpr(Gpr::Rcx);
        end.rdx = state.gpr(Gpr::Rdx);
        end.flags = (state.rflags() & Rflags::STATUS).bits();
        end.has_faulted = fault.is_some();
        let fault = fault.map(|(signal, address)| Fault { signal, address });
        (end, fault)
    }
}

/// What the host's signal tells in terms of the guest's addresses: a number trap tells where
/// the instruction is, which is of no interest.
fn translated(fault: Fault, pages: &Pages) -> Fault {
    let address = match (fault.signal, fault.address) {
        (libc::SIGFPE, _) | (_, 0) => 0,
        (_, address) => address.wrapping_sub(pages.0 as u64).wrapping_add(DATA),
    };
    Fault { address, ..fault }
}

#[test]
fn avx_faults_as_the_host_does() {
    super::skip_without!("avx2");
    let pages = Pages::new();
    let mut guest = Guest::new();
    let mut report = String::new();
    let (mut wrong, mut faults) = (0_u64, 0_u64);
    let is_wanted = |encoding: &super::Encoding| {
        encoding.in_memory
            && encoding.code.encoding() == EncodingKind::VEX
            && !loads_mxcsr(encoding.code)
            // With nothing to store it may fault all the same (SDM 2B, MASKMOVDQU).
            && encoding.code != Code::VEX_Vmaskmovdqu_rDI_xmm_xmm
            && !super::is_approximate(encoding.code)
    };
    for encoding in encodings().into_iter().filter(is_wanted) {
        let mut random = Random::new(encoding.code as u64 + 5000);
        let host = Host::new(&encoding.bytes);
        guest.code += 16;
        guest.load(guest.code, &encoding.bytes);
        let mut shown = 0;
        for _ in 0..super::cases().div_ceil(40) {
            let mut start = random.registers();
            start.mm = [0; 2];
            start.memory = [0; 4];
            // Little further than a page's edge.
            super::set_indexes(&mut start, encoding.code, || {
                random.below(129).cast_signed() - 64
            });
            let bytes: Vec<u8> = (0..PAGE).map(|_| random.next() as u8).collect();
            let edge = if random.below(2) == 0 { 0 } else { PAGE };
            let offset = edge.wrapping_add(random.below(96)).wrapping_sub(64);
            pages.set(&bytes);
            let place = (pages.0 as u64).wrapping_add(offset);
            let (end, fault) = host.run_at(&start, Some(place));
            let theirs = (end, fault.map(|fault| translated(fault, &pages)));
            let their_memory = pages.get();
            guest.load(DATA, &bytes);
            let ours = guest.run(&start, offset);
            let mut our_memory = vec![0; PAGE as usize];
            let memory = guest.cpu.mmu.memory();
            let read = memory.ram_read(PhysicalAddress(DATA), &mut our_memory);
            read.expect("all of it is RAM");
            faults += u64::from(fault.is_some());
            if ours == theirs && our_memory == their_memory {
                continue;
            }
            wrong += 1;
            shown += 1;
            if shown <= 2 {
                let _ = write!(
                    report,
                    "\n{:?} {:02x?} at {offset:x}\n  from {start:x?}\n  ours {ours:x?}\n  host {theirs:x?}\n  memory {}",
                    encoding.code,
                    encoding.bytes,
                    our_memory == their_memory
                );
            }
        }
    }
    assert!(wrong == 0, "{wrong} differ{report}");
    assert!(faults > 1000, "only {faults} faulted");
}
