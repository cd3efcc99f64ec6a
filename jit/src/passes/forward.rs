//! Values of registers forwarded: a read of a register whose value has a name within
//! the block takes that name (SDM 1, 3.4.1.1 for what a partial write leaves).

use rax_cpu::ir::{Block, Name, Op};
use rax_cpu::state::Gpr;

/// What is known of a register: names of its value, seen through several widths.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// All 64 bits.
    whole: Option<Name>,
    /// The low 32 bits.
    low32: Option<Name>,
    /// The bits above those are zero.
    upper_is_zero: bool,
    /// The low 16 bits.
    low16: Option<Name>,
    /// The low 8 bits.
    low8: Option<Name>,
    /// Bits 8 to 15.
    high8: Option<Name>,
}

/// How a read can be had without the register.
enum Source {
    /// It is this value.
    Same(Name),
    /// It is this value at another width, cut off or extended by zeros.
    Resized(Name),
    /// It has to be read.
    Register,
}

impl Known {
    fn read(&self, width: u32, is_high: bool) -> Source {
        let resized = |names: &[Option<Name>]| {
            let name = names.iter().copied().flatten().next();
            name.map_or(Source::Register, Source::Resized)
        };
        let same = match width {
            8 if is_high => self.high8,
            8 => self.low8,
            16 => self.low16,
            32 => self.low32,
            _ => self.whole,
        };
        match (same, width) {
            (Some(name), _) => Source::Same(name),
            (None, 8) if is_high => Source::Register,
            (None, 8) => resized(&[self.low16, self.low32, self.whole]),
            (None, 16) => resized(&[self.low32, self.whole]),
            (None, 32) => resized(&[self.whole]),
            (None, _) if self.upper_is_zero => resized(&[self.low32]),
            (None, _) => Source::Register,
        }
    }

    /// A read gave the value this name; nothing changed.
    fn learn(&mut self, width: u32, is_high: bool, name: Name) {
        match width {
            8 if is_high => self.high8 = Some(name),
            8 => self.low8 = Some(name),
            16 => self.low16 = Some(name),
            32 => self.low32 = Some(name),
            _ => self.whole = Some(name),
        }
    }

    fn write(&mut self, width: u32, is_high: bool, name: Name) {
        let old = *self;
        *self = match width {
            // The bytes beside the one written stay.
            8 if is_high => Self {
                low8: old.low8,
                ..Self::default()
            },
            8 => Self {
                high8: old.high8,
                ..Self::default()
            },
            16 => Self::default(),
            _ => Self {
                upper_is_zero: width == 32,
                ..Self::default()
            },
        };
        self.learn(width, is_high, name);
    }
}

/// Runs the pass.
pub(super) fn forward(block: &mut Block) {
    let mut names: Vec<Name> = (0..block.ops.len() as u32).map(Name).collect();
    let mut registers = [Known::default(); 16];
    for position in 0..block.ops.len() {
        let own = Name(position as u32);
        let (op, width) = block.ops[position];
        let op = op.map_names(|name| names[name.0 as usize]);
        block.ops[position].0 = op;
        match op {
            Op::ReadGpr(register, is_high) => {
                let Some(known) = registers.get_mut(register.index()) else {
                    continue;
                };
                match known.read(width, is_high) {
                    Source::Same(name) => names[position] = name,
                    Source::Resized(name) => {
                        block.ops[position].0 = Op::ZeroExtend(name);
                        known.learn(width, is_high, own);
                    }
                    Source::Register => known.learn(width, is_high, own),
                }
            }
            Op::WriteGpr(register, is_high, value) => {
                if let Some(known) = registers.get_mut(register.index()) {
                    known.write(width, is_high, value);
                }
            }
            Op::Push(_) | Op::MoveStack(_) | Op::SetStack(_) => {
                registers[Gpr::Rsp.index()] = Known::default();
            }
            // A helper may change any register.
            Op::Call(_) => registers = [Known::default(); 16],
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{lift, ops};
    use super::super::{PASSES, Successors};
    use super::forward;
    use rax_cpu::testing::Bits;

    /// The IR after the pass, with values nobody uses left out.
    fn forwarded(bytes: &[u8]) -> Vec<String> {
        let mut block = lift(Bits::Long64, bytes);
        forward(&mut block);
        let dead = PASSES.iter().find(|pass| pass.name == "dead").unwrap();
        dead.run(&mut block, Successors::default());
        ops(&block)
    }

    #[test]
    fn a_write_is_read_back_by_name() {
        // mov rbx, rcx; mov rdx, rbx
        assert_eq!(
            forwarded(b"\x48\x89\xcb\x48\x89\xda"),
            [
                "ReadGpr(Rcx, false)",
                "WriteGpr(Rbx, false, Name(1))",
                "WriteGpr(Rdx, false, Name(1))"
            ]
        );
    }

    #[test]
    fn a_32_bit_write_clears_the_upper_half() {
        // mov ebx, ecx; mov rdx, rbx
        assert_eq!(
            forwarded(b"\x89\xcb\x48\x89\xda"),
            [
                "ReadGpr(Rcx, false)",
                "WriteGpr(Rbx, false, Name(1))",
                "ZeroExtend(Name(1))",
                "WriteGpr(Rdx, false, Name(4))"
            ]
        );
    }

    #[test]
    fn a_write_of_al_leaves_ah_known_and_eax_not() {
        // mov ah, cl; mov al, dl; mov bl, ah; mov esi, eax
        assert_eq!(
            forwarded(b"\x88\xcc\x88\xd0\x88\xe3\x89\xc6"),
            [
                "ReadGpr(Rcx, false)",
                "WriteGpr(Rax, true, Name(1))",
                "ReadGpr(Rdx, false)",
                "WriteGpr(Rax, false, Name(4))",
                "WriteGpr(Rbx, false, Name(1))",
                "ReadGpr(Rax, false)",
                "WriteGpr(Rsi, false, Name(9))"
            ]
        );
    }

    #[test]
    fn a_helper_forgets_everything() {
        // mov rbx, rcx; cpuid; mov rdx, rbx
        assert_eq!(
            forwarded(b"\x48\x89\xcb\x0f\xa2\x48\x89\xda"),
            [
                "ReadGpr(Rcx, false)",
                "WriteGpr(Rbx, false, Name(1))",
                "Call",
                "ReadGpr(Rbx, false)",
                "WriteGpr(Rdx, false, Name(6))"
            ]
        );
    }
}
