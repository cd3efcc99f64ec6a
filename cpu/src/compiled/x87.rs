//! The guest's x87 registers on their way into the host's unit and back.
//!
//! While compiled code works on them, the registers, tags and status word are in the host's
//! unit and those in [`CpuState::fpu`](crate::CpuState) are stale; the control word there is
//! right, and so are the pointers to the last instruction. A back end may do so
//! only while all exceptions are masked.

use crate::Cpu;
use crate::float::{F80, Parts};
use crate::fpu::{Fpu, StatusWord};
use crate::x87::X87Function;

/// Where the registers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum X87Place {
    /// In the state.
    #[default]
    State = 0,
    /// In the host's unit.
    Host = 1,
    /// In the image.
    Image = 2,
}

/// Bytes of the image: what FSAVE writes with 32-bit operands.
const IMAGE: usize = 108;
/// Bytes of the image before the registers, and of a register.
const HEAD: usize = 28;
const REGISTER: usize = 10;
/// Bytes of the cell of a register.
const CELL: usize = 16;
/// How many functions there are.
pub const FUNCTIONS: usize = X87Function::ALL.len();
/// Mask bits of the control word.
const MASKS: u16 = 0x3f;

/// What compiled code keeps of the x87 unit.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct HostX87 {
    /// Where the registers are: an [`X87Place`] as compiled code writes it.
    pub place: u32,
    /// For a word on its way.
    pub word: u32,
    /// The unit as FSAVE and FRSTOR have it (SDM 1, figure 8-9).
    pub image: [u8; IMAGE],
    /// Operands of a function as FSTP leaves them.
    pub operands: [[u8; CELL]; 2],
    /// Its results in two parts: what is to be loaded, and the doubles that are to be added.
    pub high: [[u8; CELL]; 2],
    /// See `high`.
    pub low: [f64; 2],
}

impl Default for HostX87 {
    fn default() -> Self {
        Self {
            place: X87Place::State as u32,
            word: 0,
            image: [0; IMAGE],
            operands: [[0; CELL]; 2],
            high: [[0; CELL]; 2],
            low: [0.0; 2],
        }
    }
}

impl HostX87 {
    fn word_at(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.image[at], self.image[at + 1]])
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.image[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn fill(&mut self, fpu: &Fpu) {
        self.put(0, &fpu.control.to_le_bytes());
        self.put(4, &fpu.status.to_le_bytes());
        // FRSTOR takes only from it which registers are empty.
        let tags = (0..8).fold(0, |word: u16, register| {
            let tag = if fpu.in_use >> register & 1 == 0 {
                3
            } else {
                0
            };
            word | tag << (2 * register)
        });
        self.put(8, &tags.to_le_bytes());
        for i in 0..8 {
            self.put(HEAD + REGISTER * i, &fpu.st(i).to_le_bytes());
        }
    }

    fn take(&self, fpu: &mut Fpu) {
        fpu.status = self.word_at(4);
        fpu.set_tag_word(self.word_at(8));
        let (registers, _) = self.image[HEAD..].as_chunks::<REGISTER>();
        for (i, &bytes) in registers.iter().enumerate() {
            let register = fpu.physical(i);
            fpu.registers[register] = F80::from_le_bytes(bytes);
        }
    }
}

impl HostX87 {
    /// Computes a function of its operands, which are normal numbers; false if it is to be carried out otherwise.
    /// Its results hold for rounding to nearest.
    #[must_use]
    pub fn compute(&mut self, function: X87Function) -> bool {
        let [first, second] = [self.operand(0), self.operand(1)];
        let parts = match function {
            X87Function::Sine => Parts::sin(first),
            X87Function::Cosine => Parts::cos(first),
            X87Function::SineAndCosine => Parts::sin_cos(first).map(|(sine, cosine)| {
                self.put_parts(1, &cosine);
                sine
            }),
            X87Function::Tangent => Parts::tan(first).inspect(|tangent| {
                self.put_parts(1, &Parts::one_rounded_as(tangent));
            }),
            X87Function::Angle => Parts::atan(second, first),
            X87Function::PowerOfTwoMinusOne => Parts::exp2_minus_1(first),
            X87Function::Logarithm => Parts::y_log2_x(first, second),
            X87Function::LogarithmOfOnePlus => Parts::y_log2_x_plus_1(first, second),
        };
        if let Some(parts) = &parts {
            self.put_parts(0, parts);
        }
        parts.is_some()
    }

    #[inline]
    fn operand(&self, n: usize) -> F80 {
        let [a, b, c, d, e, f, g, h, i, j, ..] = self.operands[n];
        F80::from_le_bytes([a, b, c, d, e, f, g, h, i, j])
    }

    #[inline]
    fn put_parts(&mut self, n: usize, parts: &Parts) {
        self.high[n][..REGISTER].copy_from_slice(&parts.high.to_le_bytes());
        self.low[n] = parts.low;
    }
}

impl Cpu {
    /// Makes the image of the x87 unit, for compiled code to load; false if an exception is
    /// unmasked.
    pub fn image_x87(&mut self) -> bool {
        self.settle_x87();
        let fpu = &self.state.fpu;
        let is_masked = fpu.control & MASKS == MASKS;
        if is_masked {
            self.host_x87.fill(fpu);
        }
        is_masked
    }

    /// Takes the x87 unit out of the image, if compiled code has left it there.
    #[inline]
    pub fn settle_x87(&mut self) {
        debug_assert!(
            self.host_x87.place != X87Place::Host as u32,
            "compiled code saves what it has in the host's unit"
        );
        if self.host_x87.place == X87Place::Image as u32 {
            self.host_x87.take(&mut self.state.fpu);
            self.host_x87.place = X87Place::State as u32;
            debug_assert!(
                self.state.fpu.status & StatusWord::ERROR_SUMMARY.bits() == 0,
                "all exceptions are masked"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::HostX87;
    use crate::float::F80;
    use crate::fpu::Fpu;

    #[test]
    fn an_image_brings_back_what_went_into_it() {
        let mut fpu = Fpu::default();
        for value in [F80::ONE, F80::INFINITY, F80::ZERO, F80::INDEFINITE] {
            fpu.push(value);
        }
        fpu.free(1);
        fpu.status |= 0x4721;
        let mut host = HostX87::default();
        host.fill(&fpu);
        let mut back = Fpu::default();
        host.take(&mut back);
        assert_eq!(back, fpu);
    }
}
