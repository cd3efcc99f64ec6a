//! Where the guest's flags are while they are not in the state: the operands of the last
//! update stay where they are until they are overwritten or somebody may look. Ways out
//! store them in cold code.

use rax_cpu::compiled::FlagKind;
use rax_cpu::ir::{Name, Op};
use rax_cpu::state::Gpr;

use super::abi::{FLAG_KIND, flag_over, flag_over_kind, flag_value, pinned};
use super::asm::{Asm, Mem};
use super::operation::Class;
use super::plan::constant_count;
use super::values::Loc;
use super::{Emit, Stuck};

/// What is known of the flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) base: Base,
    /// Updates that stand over it: a rotation; INC or DEC. See [`FlagKind::over`].
    pub(super) overs: [Over; 2],
}

/// The last update of all flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// The cells tell, whatever they say.
    Unknown,
    /// The state's flags are valid.
    Settled,
    /// The cells hold this kind and the values beside it.
    Stored(FlagKind),
    /// Some operands are yet to be stored, and so is the kind.
    Held(FlagKind, [Operand; 3]),
}

/// An update that stands over others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// There is none.
    Absent,
    /// The cells tell.
    Unknown,
    /// This one, whose kind is yet to be stored.
    Held(FlagKind, Operand),
}

/// Where an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    /// Nowhere: it is not needed.
    Unused,
    /// In its cell.
    Cell,
    /// In a guest register that is in a host's.
    Gpr(Gpr),
    Constant(i32),
}

impl Pending {
    /// At a unit's start.
    pub(super) const UNKNOWN: Self = Self {
        base: Base::Unknown,
        overs: [Over::Unknown; 2],
    };
    /// After a call of the interpreter.
    pub(super) const SETTLED: Self = Self::of(Base::Settled);

    /// Nothing stands over an update of all flags.
    pub(super) const fn of(base: Base) -> Self {
        Self {
            base,
            overs: [Over::Absent; 2],
        }
    }

    /// Each operand and the cell it belongs to.
    fn operands(&mut self) -> impl Iterator<Item = (&mut Operand, Mem)> {
        let base = match &mut self.base {
            Base::Held(_, operands) => operands.as_mut_slice(),
            _ => &mut [],
        };
        let base = base.iter_mut().zip(0..).map(|(of, n)| (of, flag_value(n)));
        let overs = self.overs.iter_mut().zip(0..);
        base.chain(overs.filter_map(|(over, layer)| match over {
            Over::Held(_, operand) => Some((operand, flag_over(layer))),
            _ => None,
        }))
    }

    /// Stores what is yet to be stored. Leaves the host's flags and all registers alone.
    pub(super) fn store(mut self, asm: &mut Asm) -> Self {
        for (operand, cell) in self.operands() {
            store_operand(asm, *operand, cell);
        }
        if let Base::Held(kind, _) = self.base {
            asm.store_imm(32, FLAG_KIND, kind.0 as i32);
            self.base = Base::Stored(kind);
        }
        for (layer, over) in self.overs.iter_mut().enumerate() {
            if let Over::Held(kind, _) = *over {
                asm.store_imm(8, flag_over_kind(layer), i32::from(kind.0 as i8));
                *over = Over::Unknown;
            }
        }
        self
    }
}

fn store_operand(asm: &mut Asm, operand: Operand, cell: Mem) {
    match operand {
        Operand::Unused | Operand::Cell => {}
        Operand::Gpr(register) => {
            if let Some(host) = pinned(register) {
                asm.store(64, cell, host);
            }
        }
        Operand::Constant(value) => asm.store_imm(64, cell, value),
    }
}

impl Emit<'_> {
    /// Stores what the flags are made of. Leaves the host's flags alone.
    pub(super) fn store_flags(&mut self) {
        self.pending = self.pending.store(&mut self.asm);
    }

    /// Before a guest register changes: an operand that is there goes into its cell, but
    /// for flags that the instruction under way puts an end to.
    pub(super) fn keep_operands_in(&mut self, register: Gpr) {
        let mut pending = self.pending;
        for (operand, cell) in pending.operands() {
            if *operand == Operand::Gpr(register) {
                if self.flags_end {
                    *operand = Operand::Unused;
                } else {
                    store_operand(&mut self.asm, *operand, cell);
                    *operand = Operand::Cell;
                }
            }
        }
        self.pending = pending;
    }

    /// Notes an update of all flags, whose operands may stay where they are.
    pub(super) fn hold(&mut self, kind: FlagKind, names: [Option<Name>; 3]) -> Result<(), Stuck> {
        let mut operands = [Operand::Unused; 3];
        for (n, name) in names.into_iter().enumerate() {
            if let Some(name) = name {
                operands[n] = self.held(name, flag_value(n))?;
            }
        }
        self.pending = Pending::of(Base::Held(kind, operands));
        Ok(())
    }

    /// Notes an update that stands over others.
    pub(super) fn hold_over(
        &mut self,
        layer: usize,
        kind: FlagKind,
        result: Name,
    ) -> Result<(), Stuck> {
        let operand = self.held(result, flag_over(layer))?;
        self.pending.overs[layer] = Over::Held(kind, operand);
        Ok(())
    }

    /// Where an operand may stay; or else it goes into its cell.
    fn held(&mut self, name: Name, cell: Mem) -> Result<Operand, Stuck> {
        match self.loc(name) {
            Loc::Gpr(register, false)
                if pinned(register).is_some() && !self.is_borrowed(register) =>
            {
                return Ok(Operand::Gpr(register));
            }
            Loc::Constant(value) => {
                let value = rax_cpu::flags::sign_extend(self.bits(name).max(8), value);
                if let Ok(short) = i32::try_from(value as i64) {
                    return Ok(Operand::Constant(short));
                }
            }
            _ => {}
        }
        self.keep(cell, name)?;
        Ok(Operand::Cell)
    }

    /// Whether an instruction updates all flags and reads none, so that those before it
    /// need not outlast its operands.
    pub(super) fn ends_flags(&self, index: usize) -> bool {
        let mut ends = false;
        if !self.plan.has_class(index, Class::FLAGS) {
            return ends;
        }
        for position in self.plan.range(index) {
            match self.block.ops[position].0 {
                Op::Condition(_) => return false,
                Op::Flags(flags) => {
                    let count = flags.count();
                    let count = count.and_then(|count| constant_count(self.block, count));
                    ends |= flags.must_write(count) == rax_cpu::rflags::Rflags::STATUS;
                }
                _ => {}
            }
        }
        ends
    }
}
