//! The encodings of the host's vector instructions (SDM 2A, 2.3): legacy, two operands
//! and a destination whose upper half stays; and VEX, three operands and nothing stays.

use crate::backend::x64::asm::{Asm, Fixup, Mem, Reg, Rm, cc};

/// A place in the opcode maps. Both encodings have the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code {
    /// 0 for none, 1 for 66, 2 for F3, 3 for F2.
    prefix: u8,
    /// 1 for 0F, 2 for 0F38, 3 for 0F3A.
    map: u8,
    opcode: u8,
    w: bool,
}

impl Code {
    const fn of(prefix: u8, map: u8, opcode: u8) -> Self {
        Self {
            prefix,
            map,
            opcode,
            w: false,
        }
    }

    /// REX.W or VEX.W set, if `w`.
    pub(super) const fn w(self, w: bool) -> Self {
        Self { w, ..self }
    }

    /// The same on MMX registers, for one on XMM registers that has the prefix 66.
    pub(super) const fn mmx(self) -> Self {
        Self { prefix: 0, ..self }
    }

    /// Whether it has an encoding without VEX that means the same.
    pub(super) const fn is_vex_only(self) -> bool {
        // VPBROADCAST, VPERMILPD by an immediate, VPERMQ, VPERMD and their kin.
        self.map == 2
            && matches!(self.opcode, 0x0c | 0x0d | 0x13 | 0x16 | 0x36 | 0x45..=0x47 | 0x50..=0x53 | 0x58..=0x5a | 0x78 | 0x79)
            || self.map == 3 && matches!(self.opcode, 0x00..=0x06 | 0x38 | 0x39 | 0x46)
    }
}

/// 0F.
pub(super) const fn np(opcode: u8) -> Code {
    Code::of(0, 1, opcode)
}
/// 66 0F.
pub(super) const fn p66(opcode: u8) -> Code {
    Code::of(1, 1, opcode)
}
/// F3 0F.
pub(super) const fn pf3(opcode: u8) -> Code {
    Code::of(2, 1, opcode)
}
/// F2 0F.
pub(super) const fn pf2(opcode: u8) -> Code {
    Code::of(3, 1, opcode)
}
/// 0F38.
pub(super) const fn np38(opcode: u8) -> Code {
    Code::of(0, 2, opcode)
}
/// 66 0F38.
pub(super) const fn p66_38(opcode: u8) -> Code {
    Code::of(1, 2, opcode)
}
/// 0F3A.
pub(super) const fn np3a(opcode: u8) -> Code {
    Code::of(0, 3, opcode)
}
/// 66 0F3A.
pub(super) const fn p66_3a(opcode: u8) -> Code {
    Code::of(1, 3, opcode)
}

impl Asm {
    /// The legacy encoding: what is above 128 bits of the destination stays.
    pub(super) fn sse(&mut self, code: Code, reg: Reg, rm: impl Into<Rm>, immediate: Option<u8>) {
        let prefix = [0, 0x66, 0xf3, 0xf2][usize::from(code.prefix)];
        let bits = if code.w { 64 } else { 32 };
        let opcode: &[u8] = match code.map {
            1 => &[0x0f, code.opcode],
            2 => &[0x0f, 0x38, code.opcode],
            _ => &[0x0f, 0x3a, code.opcode],
        };
        self.encode(prefix, bits, opcode, reg, rm.into(), [false; 2]);
        if let Some(immediate) = immediate {
            self.byte(immediate);
        }
    }

    /// The VEX encoding: what is above `bits` of the destination becomes zero. `first` is
    /// the operand that VEX itself names; zero if there is none.
    pub(super) fn vex(
        &mut self,
        code: Code,
        bits: u32,
        [reg, first]: [Reg; 2],
        rm: impl Into<Rm>,
        immediate: Option<u8>,
    ) {
        let rm = rm.into();
        let (x, b) = match rm {
            Rm::Reg(rm) => (0, rm),
            Rm::Mem(mem) => (mem.index.map_or(0, |(index, _)| index), mem.base),
        };
        let clear = |register: Reg| !register >> 3 & 1;
        let tail = (!first & 15) << 3 | u8::from(bits == 256) << 2 | code.prefix;
        if clear(x) == 1 && clear(b) == 1 && !code.w && code.map == 1 {
            self.byte(0xc5);
            self.byte(clear(reg) << 7 | tail);
        } else {
            self.byte(0xc4);
            self.byte(clear(reg) << 7 | clear(x) << 6 | clear(b) << 5 | code.map);
            self.byte(u8::from(code.w) << 7 | tail);
        }
        self.byte(code.opcode);
        let reg = (reg & 7) << 3;
        match rm {
            Rm::Reg(rm) => self.byte(0xc0 | reg | rm & 7),
            Rm::Mem(mem) => self.memory(reg, mem),
        }
        if let Some(immediate) = immediate {
            self.byte(immediate);
        }
    }

    /// `emms`.
    pub(super) fn empty_mmx(&mut self) {
        for byte in [0x0f, 0x77] {
            self.byte(byte);
        }
    }

    /// `vzeroupper`.
    pub(in crate::backend::x64) fn zero_upper(&mut self) {
        for byte in [0xc5, 0xf8, 0x77] {
            self.byte(byte);
        }
    }

    /// `vmovups` between a register and memory.
    pub(in crate::backend::x64) fn move_vector(
        &mut self,
        bits: u32,
        register: Reg,
        memory: Mem,
        store: bool,
    ) {
        let code = np(if store { 0x11 } else { 0x10 });
        self.vex(code, bits, [register, 0], memory, None);
    }

    /// Jumps if all these pieces of 128 bits are zero. Disturbs XMM0.
    pub(in crate::backend::x64) fn branch_if_zero(&mut self, pieces: &[Mem]) -> Fixup {
        self.vex(p66(0xef), 128, [0, 0], Rm::Reg(0), None);
        for &piece in pieces {
            self.vex(p66(0xeb), 128, [0, 0], piece, None);
        }
        self.vex(p66_38(0x17), 128, [0, 0], Rm::Reg(0), None);
        self.branch_ahead(cc::E)
    }

    /// LDMXCSR, or STMXCSR.
    pub(in crate::backend::x64) fn mxcsr(&mut self, memory: Mem, store: bool) {
        self.sse(np(0xae), if store { 3 } else { 2 }, memory, None);
    }
}
