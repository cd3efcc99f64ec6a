//! The processor's state and code as text, for people: after a triple fault, in traces.

use std::fmt::Write;

use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter};
use rax_mmu::LinearAddress;

use crate::Cpu;
use crate::decode::LONGEST_BLOCK;
use crate::processor::HISTORY;
use crate::segment::SegmentRegister;
use crate::state::Gpr;

/// The longest instruction in bytes.
const LONGEST_INSN: u64 = 15;

impl Cpu {
    /// All registers that matter for finding out what went wrong, several to a line.
    #[must_use]
    pub fn describe(&self) -> String {
        let state = &self.state;
        let mut text = String::new();
        let names = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"];
        for (n, register) in Gpr::ALL.into_iter().enumerate() {
            let value = state.gpr(register);
            let end = if n % 4 == 3 { '\n' } else { ' ' };
            let _ = match names.get(n) {
                Some(name) => write!(text, "{name}={value:016x}{end}"),
                None => write!(text, "{:3}={value:016x}{end}", format!("r{n}")),
            };
        }
        let flags = state.rflags().bits();
        let _ = writeln!(
            text,
            "rip={:016x} rflags={flags:08x} cpl={}",
            state.rip, state.cpl
        );
        for register in SegmentRegister::ALL {
            let s = state.segment(register);
            let _ = writeln!(
                text,
                "{register:?} ={:04x} base={:016x} limit={:08x} attributes={:04x}",
                s.selector,
                s.base,
                s.limit,
                s.attributes.bits()
            );
        }
        for (name, s) in [("Ldt", &state.ldtr), ("Tr ", &state.tr)] {
            let attributes = s.attributes.bits();
            let _ = writeln!(
                text,
                "{name}={:04x} base={:016x} limit={:08x} attributes={attributes:04x}",
                s.selector, s.base, s.limit
            );
        }
        let _ = writeln!(
            text,
            "gdt={:016x}:{:04x} idt={:016x}:{:04x}",
            state.gdtr.base, state.gdtr.limit, state.idtr.base, state.idtr.limit
        );
        let _ = writeln!(
            text,
            "cr0={:08x} cr2={:016x} cr3={:016x} cr4={:08x} efer={:08x}",
            state.cr0, state.cr2, state.cr3, state.cr4, state.msrs.efer
        );
        text
    }

    /// The instruction at CS:RIP: address, bytes, text.
    #[must_use]
    pub fn describe_next(&self) -> String {
        self.disassemble(self.state.rip, 1)
    }

    /// What ran last: the first instructions of the last blocks, oldest first.
    #[must_use]
    pub fn describe_history(&self) -> String {
        let entered = self.statistics.blocks;
        let known = entered.min(HISTORY as u64);
        (entered - known..entered)
            .map(|n| {
                // The last one is shown to its end, for there it happened.
                let count = if n + 1 == entered {
                    LONGEST_BLOCK as u64
                } else {
                    4
                };
                self.disassemble(self.history[n as usize % HISTORY], count)
            })
            .collect::<Vec<_>>()
            .join("  ...\n")
    }

    /// Up to `count` instructions from an offset into CS, in the present mode.
    #[must_use]
    pub fn disassemble(&self, rip: u64, count: u64) -> String {
        let base = self.state.segment(SegmentRegister::Cs).base;
        let bits = self.mode().code_bits();
        let start = if bits == 64 {
            rip
        } else {
            base.wrapping_add(rip) & 0xffff_ffff
        };
        let mut bytes = Vec::new();
        let controls = self.controls();
        for n in 0..LONGEST_INSN * count {
            let address = LinearAddress(start.wrapping_add(n));
            let Some(found) = self.mmu.translate_debug(&controls, address) else {
                break;
            };
            let mut byte = [0];
            if self
                .mmu
                .memory()
                .ram_read(found.physical, &mut byte)
                .is_err()
            {
                break;
            }
            bytes.push(byte[0]);
        }
        if bytes.is_empty() {
            return format!("{rip:016x}: (not mapped)\n");
        }
        disassemble(bits, &bytes, rip, count as usize)
    }
}

/// Up to `count` instructions of 16-, 32- or 64-bit code as text, a line each:
/// address, bytes, instruction.
#[must_use]
pub fn disassemble(bits: u32, bytes: &[u8], address: u64, count: usize) -> String {
    let mut text = String::new();
    let mut formatter = IntelFormatter::new();
    let mut decoder = Decoder::with_ip(bits, bytes, address, DecoderOptions::NONE);
    for _ in 0..count {
        if !decoder.can_decode() {
            break;
        }
        let at = decoder.position();
        let instruction = decoder.decode();
        let mut line = String::new();
        formatter.format(&instruction, &mut line);
        let raw: String = bytes[at..decoder.position()]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let _ = writeln!(text, "{:016x}: {raw:30} {line}", instruction.ip());
    }
    text
}
