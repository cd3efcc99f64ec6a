//! MXCSR, which is the host's own, and what sets the flags by looking at bits.

use rax_cpu::compiled::FlagKind;
use rax_cpu::ir::Name;
use rax_cpu::vector::{FloatWidth, Lane};

use super::code::p66_38;
use crate::backend::x64::abi::{FLAG_KIND, MXCSR, MXCSR_MASKS};
use crate::backend::x64::asm::{Alu, cc};
use crate::backend::x64::detour::{Cold, Detour};
use crate::backend::x64::flags::HostFlags;
use crate::backend::x64::pending::{Base, Pending};
use crate::backend::x64::{Emit, Stuck};

/// Bits of MXCSR that do not exist.
const RESERVED: i32 = 0xffff_0000_u32 as i32;

impl Emit<'_> {
    /// Before MXCSR changes: flags of two numbers that were put aside depend on its DAZ.
    pub(in crate::backend::x64) fn settle_order(&mut self) {
        match self.pending.base {
            Base::Stored(kind) if kind.ordered().is_some() => self.settle(),
            Base::Unknown => {
                for width in [FloatWidth::Single, FloatWidth::Double] {
                    let kind = i32::from(FlagKind::order(width).0 as i16);
                    self.asm.alu_imm(Alu::Cmp, 16, FLAG_KIND, kind);
                    let found = self.asm.branch_ahead(cc::E);
                    self.cold.push(Cold {
                        from: [Some(found), None],
                        what: Detour::Settle {
                            routine: self.backend.routines.settle,
                            back: self.asm.here(),
                        },
                    });
                }
                self.host_flags = HostFlags::Unknown;
            }
            _ => {}
        }
    }

    /// Writes MXCSR. What faults, or unmasks an exception, is left to the interpreter.
    pub(super) fn set_mxcsr(&mut self, value: Name) -> Result<(), Stuck> {
        let value = self.register(value)?;
        let temp = self.temp()?;
        self.asm.load(32, temp, value);
        self.asm.alu_imm(Alu::And, 32, temp, RESERVED | MXCSR_MASKS);
        self.asm.alu_imm(Alu::Cmp, 32, temp, MXCSR_MASKS);
        self.host_flags = HostFlags::Unknown;
        let other = self.asm.branch_ahead(cc::NE);
        self.slow.push(other);
        self.give_back(temp);
        self.asm.store(32, MXCSR, value);
        self.asm.mxcsr(MXCSR, false);
        Ok(())
    }

    /// PTEST, VTESTPS and VTESTPD: the flags are the host's own.
    pub(super) fn test_vectors(
        &mut self,
        signs: Option<Lane>,
        [a, b]: [Name; 2],
        bits: u32,
    ) -> Result<(), Stuck> {
        let code = match signs {
            None => p66_38(0x17),
            Some(Lane::Qword) => p66_38(0x0f),
            Some(_) => p66_38(0x0e),
        };
        let second = self.vector_operand(b, bits / 8, false)?;
        let first = self.vector_register(a)?;
        self.asm.vex(code, bits, [first, 0], second, None);
        if self.plan.needs(self.position) {
            self.keep_host_flags();
            self.pending = Pending::of(Base::Stored(FlagKind::PUSHED));
        }
        self.host_flags = HostFlags::Update {
            position: self.position,
            is_exact: true,
        };
        Ok(())
    }
}
