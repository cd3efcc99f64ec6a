//! The legacy area of 512 bytes (SDM 1, table 10-2).

use crate::float::F80;
use crate::fpu::Fpu;
use crate::state::VectorRegister;

/// How the pointers of the last x87 instruction are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Selector and 32-bit offset.
    Short,
    /// 64-bit offset alone.
    Long,
}

/// FXSAVE's area as bytes.
pub(super) struct Image(pub(super) [u8; 512]);

impl Default for Image {
    fn default() -> Self {
        Self([0; 512])
    }
}

/// Six exception flags of the status word and six masks of the control word.
const EXCEPTIONS: u16 = 0x3f;
/// ES and B: an unmasked exception is pending.
const SUMMARY: u16 = 1 << 7 | 1 << 15;

impl Image {
    /// Where the x87 registers end and the XMM registers begin.
    pub(super) const X87_END: usize = 160;

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn get<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.0[at..at + N]);
        bytes
    }

    /// The x87 unit.
    pub(super) fn put_x87(&mut self, fpu: &Fpu, form: Form) {
        self.put(0, &fpu.control.to_le_bytes());
        self.put(2, &fpu.status.to_le_bytes());
        self.put(4, &[fpu.in_use]);
        self.put(6, &fpu.last_opcode.to_le_bytes());
        self.put(8, &fpu.last_ip.to_le_bytes());
        self.put(16, &fpu.last_dp.to_le_bytes());
        if form == Form::Short {
            self.put(12, &[0; 4]);
            self.put(12, &fpu.last_cs.to_le_bytes());
            self.put(20, &[0; 4]);
            self.put(20, &fpu.last_ds.to_le_bytes());
        }
        let top = usize::from(fpu.status >> 11 & 7);
        for n in 0..8 {
            let register = fpu.registers[(top + n) & 7];
            self.put(32 + 16 * n, &register.significand.to_le_bytes());
            self.put(40 + 16 * n, &register.sign_exponent.to_le_bytes());
        }
    }

    /// Takes the x87 unit back. Whether an exception is pending follows from the flags
    /// and masks.
    pub(super) fn get_x87(&self, fpu: &mut Fpu, form: Form) {
        fpu.control = u16::from_le_bytes(self.get(0)) & 0x1f7f | 0x40;
        fpu.status = u16::from_le_bytes(self.get(2)) & !SUMMARY;
        if fpu.status & !fpu.control & EXCEPTIONS != 0 {
            fpu.status |= SUMMARY;
        }
        fpu.in_use = self.0[4];
        fpu.last_opcode = u16::from_le_bytes(self.get(6)) & 0x7ff;
        fpu.last_ip = u64::from_le_bytes(self.get(8));
        fpu.last_dp = u64::from_le_bytes(self.get(16));
        if form == Form::Short {
            fpu.last_ip &= 0xffff_ffff;
            fpu.last_dp &= 0xffff_ffff;
            fpu.last_cs = u16::from_le_bytes(self.get(12));
            fpu.last_ds = u16::from_le_bytes(self.get(20));
        } else {
            fpu.last_cs = 0;
            fpu.last_ds = 0;
        }
        let top = usize::from(fpu.status >> 11 & 7);
        for n in 0..8 {
            fpu.registers[(top + n) & 7] = F80 {
                significand: u64::from_le_bytes(self.get(32 + 16 * n)),
                sign_exponent: u16::from_le_bytes(self.get(40 + 16 * n)),
            };
        }
    }

    /// What XSAVE writes for x87: the first 24 bytes, and the registers from 32 on.
    pub(super) fn x87_parts(&self) -> (&[u8], &[u8]) {
        (&self.0[..24], &self.0[32..Self::X87_END])
    }

    /// MXCSR and its mask.
    pub(super) fn put_mxcsr(&mut self, mxcsr: u32, mask: u32) {
        self.put(24, &mxcsr.to_le_bytes());
        self.put(28, &mask.to_le_bytes());
    }

    /// MXCSR.
    pub(super) fn mxcsr(&self) -> u32 {
        u32::from_le_bytes(self.get(24))
    }

    /// The XMM registers; where they end.
    pub(super) fn put_vectors(&mut self, vectors: &[VectorRegister]) -> usize {
        let mut at = Self::X87_END;
        for vector in vectors {
            self.put(at, &vector.0[0].to_le_bytes());
            self.put(at + 8, &vector.0[1].to_le_bytes());
            at += 16;
        }
        at
    }

    /// Takes the XMM registers back; the upper halves of YMM stay.
    pub(super) fn get_vectors(&self, vectors: &mut [VectorRegister]) {
        for (n, vector) in vectors.iter_mut().enumerate() {
            let at = Self::X87_END + 16 * n;
            vector.0[0] = u64::from_le_bytes(self.get(at));
            vector.0[1] = u64::from_le_bytes(self.get(at + 8));
        }
    }

    /// The initial configuration of the XMM registers.
    pub(super) fn clear_vectors(&mut self) {
        self.0[Self::X87_END..].fill(0);
    }
}
