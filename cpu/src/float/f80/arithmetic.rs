//! x87 addition to square root, and comparisons (SDM vol. 1, 8.3.5; vol. 2, FADD, FCOM, FUCOM, FTST).

use super::super::compare::{Comparison, order};
use super::super::env::{Env, Exceptions, Rounding};
use super::super::number::{self, Exact, Kind, Operand};
use super::{F80, Source};

impl Env {
    /// `a + b`.
    pub fn f80_add(&mut self, a: impl Into<Source>, b: impl Into<Source>) -> F80 {
        self.f80_binary(a.into(), b.into(), number::sum)
    }

    /// `a - b`. For FSUBR swap the operands.
    pub fn f80_sub(&mut self, a: impl Into<Source>, b: impl Into<Source>) -> F80 {
        self.f80_binary(a.into(), b.into(), number::difference)
    }

    /// `a * b`.
    pub fn f80_mul(&mut self, a: impl Into<Source>, b: impl Into<Source>) -> F80 {
        self.f80_binary(a.into(), b.into(), number::product)
    }

    /// `a / b`. For FDIVR swap the operands.
    pub fn f80_div(&mut self, a: impl Into<Source>, b: impl Into<Source>) -> F80 {
        self.f80_binary(a.into(), b.into(), number::quotient)
    }

    /// The square root of `a`.
    pub fn f80_sqrt(&mut self, a: F80) -> F80 {
        self.rounded_up = false;
        if let Some(nan) = self.f80_propagate1(a) {
            return nan;
        }
        let x = a.unpack();
        let exact = number::root(&x);
        if exact != Exact::Invalid && !self.accept(&[x]) {
            return F80::INDEFINITE;
        }
        self.f80_pack(exact)
    }

    fn f80_binary(
        &mut self,
        a: Source,
        b: Source,
        operation: impl Fn(&Operand, &Operand, Rounding) -> Exact,
    ) -> F80 {
        self.rounded_up = false;
        if let Some(nan) = self.f80_propagate2(a.value, b.value) {
            return nan;
        }
        let (x, y) = (a.operand(), b.operand());
        let exact = operation(&x, &y, self.rounding);
        if !matches!(exact, Exact::DivideByZero(_)) && !self.accept(&[x, y]) {
            return F80::INDEFINITE;
        }
        self.f80_pack(exact)
    }

    /// Compares. FCOM, FCOMI and FTST raise IE for a quiet NaN too (`quiet_signals`), FUCOM and FUCOMI do not.
    pub fn f80_compare(
        &mut self,
        a: impl Into<Source>,
        b: impl Into<Source>,
        quiet_signals: bool,
    ) -> Comparison {
        self.rounded_up = false;
        let (x, y) = (a.into().operand(), b.into().operand());
        let is_unordered = |o: &Operand| o.is_nan() || o.kind == Kind::Unsupported;
        if is_unordered(&x) || is_unordered(&y) {
            let signals = |o: &Operand| matches!(o.kind, Kind::SignalingNan | Kind::Unsupported);
            if quiet_signals || signals(&x) || signals(&y) {
                self.raise(Exceptions::INVALID);
            }
            return Comparison::Unordered;
        }
        self.accept(&[x, y]);
        order(&x, &y)
    }
}
