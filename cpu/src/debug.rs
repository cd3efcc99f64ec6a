//! Breakpoints on instructions and on ports (SDM 3B, 18.2.4 and 18.2.5). Those on
//! data are looked after where data is accessed.

#[cfg(test)]
mod tests;

use crate::Cpu;
use crate::mode::Mode;
use crate::rflags::Cr4;
use crate::segment::SegmentRegister;

/// The R/W field of DR7 that names instructions.
const EXECUTION: u64 = 0;
/// The R/W field of DR7 that names ports.
const PORTS: u64 = 2;

impl Cpu {
    /// The enabled breakpoints of a kind: number and length in bytes.
    fn breakpoints(&self, kind: u64) -> impl Iterator<Item = (usize, u64)> + use<> {
        let dr7 = self.state.dr[7];
        (0..4).filter_map(move |n| {
            let is_enabled = dr7 >> (2 * n) & 3 != 0;
            let is_wanted = dr7 >> (16 + 4 * n) & 3 == kind;
            let length = [1, 2, 8, 4][(dr7 >> (18 + 4 * n) & 3) as usize];
            (is_enabled && is_wanted).then_some((n, length))
        })
    }

    /// Breakpoints on the next instruction, as DR6 bits.
    pub(crate) fn instruction_breakpoints(&mut self) -> u64 {
        if self.state.dr[7] & 0xff == 0 {
            return 0;
        }
        let rip = self.state.rip;
        let linear = if self.mode.contains(Mode::CODE64) {
            rip
        } else {
            let base = self.state.segment(SegmentRegister::Cs).base;
            base.wrapping_add(rip) & 0xffff_ffff
        };
        self.breakpoints(EXECUTION)
            .filter(|&(n, _)| self.state.dr[n] == linear)
            .fold(0, |hits, (n, _)| hits | 1 << n)
    }

    /// Notes breakpoints that an access to a port hits; the trap follows the instruction.
    pub(crate) fn watch_port(&mut self, port: u16, size: u64) {
        if self.state.dr[7] & 0xff == 0 || self.state.cr4 & Cr4::DE.bits() == 0 {
            return;
        }
        let first = u64::from(port);
        for (n, length) in self.breakpoints(PORTS) {
            let start = self.state.dr[n] & !(length - 1);
            if first < start.wrapping_add(length) && start < first + size {
                self.debug_hits |= 1 << n;
                self.request_attention();
            }
        }
    }
}
