//! CF, PF, AF, ZF, SF and OF, computed when somebody looks (SDM 1, 3.4.3.1).
//!
//! Kept are the last result, sign-extended to 64 bits, and a word that says how
//! carries ran. ZF, SF and PF follow from the result; CF, OF and AF from the carries.
//! Combinations that no result can have (POPF may set ZF with SF) are kept as
//! corrections in the same word, which arithmetic clears for nothing.
//!
//! ```text
//! carries: bit 0  CF xor OF     bit 3       AF
//!          bit 1  CF            bits 8-15   correction of the byte PF looks at
//!                               bit 16      correction of SF
//! ```

use crate::rflags::Rflags;

/// The arithmetic flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct LazyFlags {
    /// The last result, sign-extended.
    pub result: u64,
    /// How carries ran; the module's head draws it.
    pub carries: u64,
}

impl Default for LazyFlags {
    /// All flags clear, as after a reset.
    fn default() -> Self {
        Self::from_status(Rflags::empty())
    }
}

/// A condition that Jcc, SETcc and CMOVcc test, in encoding order (SDM 1, B.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the manual's names")]
pub enum Condition {
    O,
    No,
    B,
    Ae,
    E,
    Ne,
    Be,
    A,
    S,
    Ns,
    P,
    Np,
    L,
    Ge,
    Le,
    G,
}

impl Condition {
    /// The flags it looks at.
    #[must_use]
    pub fn reads(self) -> Rflags {
        match self {
            Self::O | Self::No => Rflags::OF,
            Self::B | Self::Ae => Rflags::CF,
            Self::E | Self::Ne => Rflags::ZF,
            Self::Be | Self::A => Rflags::CF | Rflags::ZF,
            Self::S | Self::Ns => Rflags::SF,
            Self::P | Self::Np => Rflags::PF,
            Self::L | Self::Ge => Rflags::SF | Rflags::OF,
            Self::Le | Self::G => Rflags::ZF | Rflags::SF | Rflags::OF,
        }
    }
}

const CARRY_XOR_OVERFLOW: u64 = 1 << 0;
const CARRY: u64 = 1 << 1;
const ADJUST: u64 = 1 << 3;
const SIGN_FIX: u32 = 16;
const PARITY_FIX: u32 = 8;

/// `value` of `bits` bits, sign-extended.
#[inline(always)]
#[must_use]
pub const fn sign_extend(bits: u32, value: u64) -> u64 {
    (((value << (64 - bits)) as i64) >> (64 - bits)) as u64
}

/// The low `bits` bits of a word.
#[inline(always)]
#[must_use]
pub const fn mask(bits: u32) -> u64 {
    u64::MAX >> (64 - bits)
}

impl LazyFlags {
    /// From a result and the vector of carries out of each of its `bits` positions.
    #[inline(always)]
    #[must_use]
    pub const fn from_carries(bits: u32, result: u64, carry_out: u64) -> Self {
        Self {
            result: sign_extend(bits, result),
            carries: ((carry_out & mask(bits)) >> (bits - 2)) | (carry_out & ADJUST),
        }
    }

    /// From a result and the three flags that do not follow from it.
    #[inline(always)]
    #[must_use]
    pub const fn from_parts(
        bits: u32,
        result: u64,
        carry: bool,
        overflow: bool,
        adjust: bool,
    ) -> Self {
        Self {
            result: sign_extend(bits, result),
            carries: ((carry as u64) << 1) | (carry ^ overflow) as u64 | ((adjust as u64) << 3),
        }
    }

    /// From the bits of RFLAGS.
    #[must_use]
    pub const fn from_status(flags: Rflags) -> Self {
        let zero = flags.contains(Rflags::ZF);
        let carry = flags.contains(Rflags::CF);
        let overflow = flags.contains(Rflags::OF);
        // Both stand-ins have an even number of ones in the low byte and a clear sign.
        let result = if zero { 0 } else { 1 << 8 };
        let parity_fix = !flags.contains(Rflags::PF) as u64;
        Self {
            result,
            carries: ((carry as u64) << 1)
                | (carry ^ overflow) as u64
                | ((flags.contains(Rflags::AF) as u64) << 3)
                | (parity_fix << PARITY_FIX)
                | ((flags.contains(Rflags::SF) as u64) << SIGN_FIX),
        }
    }

    /// CF.
    #[inline(always)]
    #[must_use]
    pub const fn carry(self) -> bool {
        self.carries & CARRY != 0
    }

    /// OF.
    #[inline(always)]
    #[must_use]
    pub const fn overflow(self) -> bool {
        ((self.carries >> 1) ^ self.carries) & 1 != 0
    }

    /// AF.
    #[inline(always)]
    #[must_use]
    pub const fn adjust(self) -> bool {
        self.carries & ADJUST != 0
    }

    /// ZF.
    #[inline(always)]
    #[must_use]
    pub const fn zero(self) -> bool {
        self.result == 0
    }

    /// SF.
    #[inline(always)]
    #[must_use]
    pub const fn sign(self) -> bool {
        (self.result >> 63) ^ ((self.carries >> SIGN_FIX) & 1) != 0
    }

    /// PF.
    #[inline(always)]
    #[must_use]
    pub const fn parity(self) -> bool {
        let byte = self.result ^ (self.carries >> PARITY_FIX);
        (byte as u8).count_ones() & 1 == 0
    }

    /// SF differs from OF: "less", signed.
    #[inline(always)]
    #[must_use]
    pub const fn less(self) -> bool {
        self.sign() != self.overflow()
    }

    /// Whether a condition holds.
    #[inline(always)]
    #[must_use]
    pub const fn condition(self, condition: Condition) -> bool {
        match condition {
            Condition::O => self.overflow(),
            Condition::No => !self.overflow(),
            Condition::B => self.carry(),
            Condition::Ae => !self.carry(),
            Condition::E => self.zero(),
            Condition::Ne => !self.zero(),
            Condition::Be => self.carry() || self.zero(),
            Condition::A => !(self.carry() || self.zero()),
            Condition::S => self.sign(),
            Condition::Ns => !self.sign(),
            Condition::P => self.parity(),
            Condition::Np => !self.parity(),
            Condition::L => self.less(),
            Condition::Ge => !self.less(),
            Condition::Le => self.zero() || self.less(),
            Condition::G => !(self.zero() || self.less()),
        }
    }

    /// The six flags as bits of RFLAGS.
    #[must_use]
    pub fn status(self) -> Rflags {
        let mut flags = Rflags::empty();
        flags.set(Rflags::CF, self.carry());
        flags.set(Rflags::PF, self.parity());
        flags.set(Rflags::AF, self.adjust());
        flags.set(Rflags::ZF, self.zero());
        flags.set(Rflags::SF, self.sign());
        flags.set(Rflags::OF, self.overflow());
        flags
    }

    /// The same flags with another CF.
    #[inline(always)]
    #[must_use]
    pub const fn with_carry(self, carry: bool) -> Self {
        let flip = (self.carry() != carry) as u64;
        // OF must not move, so CF xor OF moves with CF.
        Self {
            carries: self.carries ^ (flip * (CARRY | CARRY_XOR_OVERFLOW)),
            ..self
        }
    }

    /// The same flags with another OF.
    #[inline(always)]
    #[must_use]
    pub const fn with_overflow(self, overflow: bool) -> Self {
        let flip = (self.overflow() != overflow) as u64;
        Self {
            carries: self.carries ^ flip,
            ..self
        }
    }

    /// The same flags with another ZF, as BSF and CMPXCHG8B want it.
    #[must_use]
    pub fn with_zero(self, zero: bool) -> Self {
        let mut status = self.status();
        status.set(Rflags::ZF, zero);
        Self::from_status(status)
    }
}

#[cfg(test)]
mod tests {
    use super::LazyFlags;
    use crate::rflags::Rflags;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_combination_survives(bits in any::<u64>()) {
            let wanted = Rflags::from_bits_truncate(bits) & Rflags::STATUS;
            let flags = LazyFlags::from_status(wanted);
            prop_assert_eq!(flags.status(), wanted);
            for carry in [false, true] {
                let mut expected = wanted;
                expected.set(Rflags::CF, carry);
                prop_assert_eq!(flags.with_carry(carry).status(), expected);
                let mut expected = wanted;
                expected.set(Rflags::OF, carry);
                prop_assert_eq!(flags.with_overflow(carry).status(), expected);
                let mut expected = wanted;
                expected.set(Rflags::ZF, carry);
                prop_assert_eq!(flags.with_zero(carry).status(), expected);
            }
        }
    }
}
