//! Memory accesses that one look into the TLB can serve: those off one base, within
//! a short span. An analysis; the block stays as it is.
//!
//! An address is followed as a root plus an offset, through additions of constants,
//! the registers they are kept in, and the stack pointer's moves. Accesses of one root
//! form a group as long as their span stays below [`LONGEST_SPAN`]. A helper may
//! change translations, so no group reaches across one. A back end probes the whole
//! span at the first access, as a write if one of them is, and must be ready for a
//! span that does not fit its page although each access would.

use rax_cpu::insn::{AddressKind, Insn};
use rax_cpu::ir::{Block, Name, Op, VectorStep};
use rax_cpu::segment::SegmentRegister;
use rax_cpu::state::Gpr;
use rax_cpu::verbs::BinaryOp;

/// The most bytes from the first byte of a group to its last: short against a page,
/// so that few spans cross into the next.
pub const LONGEST_SPAN: i64 = 256;

/// Accesses off one base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Offset of the lowest byte from the first access's address.
    pub low: i64,
    /// Offset of the byte after the highest one.
    pub high: i64,
    /// Whether one of them writes.
    pub writes: bool,
    /// The accesses, in order: position of the operation, and the offset of its
    /// address from that of the first.
    pub accesses: Vec<(usize, i64)>,
}

impl Group {
    /// How many bytes it spans.
    #[must_use]
    pub const fn span(&self) -> u64 {
        self.high.abs_diff(self.low)
    }
}

/// Finds the groups of at least `fewest` accesses, in the order of their first.
#[must_use]
pub fn groups(block: &Block, fewest: usize) -> Vec<Group> {
    let mut search = Search {
        block,
        roots: 0,
        values: vec![None; block.ops.len()],
        registers: [None; 16],
        sums: Vec::new(),
        open: Vec::new(),
        closed: Vec::new(),
    };
    let mut number = 0;
    for (position, &(op, width)) in block.ops.iter().enumerate() {
        if let Op::Begin(next) = op {
            number = next as usize;
        }
        search.visit(position, op, width, &block.insns[number]);
    }
    search.close();
    let mut groups = search.closed;
    groups.retain(|group| group.accesses.len() >= fewest);
    groups.sort_by_key(|group| group.accesses[0].0);
    groups
}

/// Something unknown plus a number; cut off at `bits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sum {
    root: u32,
    offset: i64,
    bits: u32,
}

/// What tells address spaces apart: how the address is formed, and the segment if
/// that matters.
type Space = (AddressKind, u32, Option<SegmentRegister>);

struct Search<'a> {
    block: &'a Block,
    roots: u32,
    /// What each name is.
    values: Vec<Option<Sum>>,
    registers: [Option<Sum>; 16],
    /// The roots given to a base with an index.
    sums: Vec<((Sum, Sum, u8), u32)>,
    open: Vec<((Space, u32, i64), Group)>,
    closed: Vec<Group>,
}

impl Search<'_> {
    fn visit(&mut self, position: usize, op: Op, width: u32, insn: &Insn) {
        let name = Name(position as u32);
        match op {
            Op::Constant(value) if width >= 32 => {
                // Root zero stands for nothing at all.
                self.values[position] = Some(Sum {
                    root: 0,
                    offset: value as i64,
                    bits: 64,
                });
            }
            Op::ReadGpr(register, false) if width >= 32 => {
                let sum = self.register(register);
                self.values[position] = Some(Sum {
                    bits: sum.bits.min(width),
                    ..sum
                });
            }
            Op::ZeroExtend(value) if width >= 32 => {
                let from = self.block.ops[value.0 as usize].1;
                if from >= 32 {
                    let sum = self.value(value);
                    let bits = sum.bits.min(from).min(width);
                    self.values[position] = Some(Sum { bits, ..sum });
                }
            }
            Op::Binary(op @ (BinaryOp::Add | BinaryOp::Sub), a, b) if width >= 32 => {
                self.values[position] = self.sum(op, width, a, b);
            }
            Op::RawAddress => self.values[position] = Some(self.raw_address(insn)),
            Op::WriteGpr(register, _, value) => {
                let sum = if width >= 32 {
                    self.value(value)
                } else {
                    self.new_root()
                };
                if let Some(known) = self.registers.get_mut(register.index()) {
                    *known = Some(sum);
                }
            }
            Op::SetStack(value) => {
                let sum = self.value(value);
                let bits = sum.bits.min(u32::from(insn.stack_bits));
                self.registers[Gpr::Rsp.index()] = (bits >= 32).then_some(Sum { bits, ..sum });
            }
            Op::Call(_) => {
                self.close();
                self.registers = [None; 16];
            }
            _ => {}
        }
        self.access(name, op, width, insn);
    }

    /// If the operation accesses memory, puts it in its group.
    fn access(&mut self, name: Name, op: Op, width: u32, insn: &Insn) {
        let position = name.0 as usize;
        let bytes = i64::from(width / 8);
        let operand = operand_space(insn);
        match op {
            Op::Load(address) => self.join(position, operand, address, bytes, false),
            Op::Store { address, .. } | Op::Locate(address) => {
                self.join(position, operand, address, bytes, true);
            }
            Op::Vector(VectorStep::Load { address, .. }) => {
                self.join(position, operand, address, bytes, false);
            }
            Op::Vector(VectorStep::Store { address, .. }) => {
                self.join(position, operand, address, bytes, true);
            }
            Op::LoadSegment(segment, offset) => {
                if let Some(space) = stack_space(insn).filter(|_| segment == SegmentRegister::Ss) {
                    self.join(position, Some(space), offset, bytes, false);
                }
            }
            Op::Push(_) => self.stack_access(position, insn, -bytes, bytes),
            Op::StackTop => self.stack_access(position, insn, 0, bytes),
            Op::MoveStack(moved) => self.move_stack(insn, moved as i64),
            _ => {}
        }
    }

    fn stack_access(&mut self, position: usize, insn: &Insn, moved: i64, bytes: i64) {
        self.move_stack(insn, moved);
        let sum = self.register(Gpr::Rsp);
        if let Some(space) = stack_space(insn) {
            self.put(position, space, sum, bytes, moved < 0);
        }
    }

    fn move_stack(&mut self, insn: &Insn, bytes: i64) {
        let sum = self.register(Gpr::Rsp);
        let bits = sum.bits.min(u32::from(insn.stack_bits));
        // A move of SP alone may wrap within 64 KiB.
        self.registers[Gpr::Rsp.index()] = (bits >= 32).then_some(Sum {
            offset: sum.offset.wrapping_add(bytes),
            bits,
            ..sum
        });
    }

    fn join(
        &mut self,
        position: usize,
        space: Option<Space>,
        address: Name,
        bytes: i64,
        writes: bool,
    ) {
        if let Some(space) = space {
            let sum = self.value(address);
            self.put(position, space, sum, bytes, writes);
        }
    }

    fn put(&mut self, position: usize, space: Space, sum: Sum, bytes: i64, writes: bool) {
        // A sum cut off at 32 bits may wrap where the linear address does not.
        let root = if sum.bits < space.1 {
            self.new_root().root
        } else {
            sum.root
        };
        let found = self
            .open
            .iter_mut()
            .find(|((its_space, its_root, _), _)| (*its_space, *its_root) == (space, root));
        if let Some(((_, _, first), group)) = found {
            let offset = sum.offset.wrapping_sub(*first);
            let low = group.low.min(offset);
            let high = group.high.max(offset.saturating_add(bytes));
            if high.saturating_sub(low) <= LONGEST_SPAN {
                (group.low, group.high) = (low, high);
                group.writes |= writes;
                group.accesses.push((position, offset));
                return;
            }
            // Too far away: a new group takes its place.
            let full = std::mem::replace(group, Group::new(position, bytes, writes));
            *first = sum.offset;
            self.closed.push(full);
            return;
        }
        let group = Group::new(position, bytes, writes);
        self.open.push(((space, root, sum.offset), group));
    }

    fn close(&mut self) {
        let open = self.open.drain(..).map(|(_, group)| group);
        self.closed.extend(open);
    }

    fn raw_address(&mut self, insn: &Insn) -> Sum {
        let base = self.register(insn.base);
        let displaced = |sum: Sum| Sum {
            offset: sum.offset.wrapping_add(insn.displacement),
            ..sum
        };
        if insn.index == Gpr::Zero && (base.bits == 64 || insn.address != AddressKind::Flat64) {
            return displaced(base);
        }
        let index = self.register(insn.index);
        // A constant distance of the base is a constant distance of the sum.
        let bare = Sum { offset: 0, ..base };
        let key = (if base.bits == 64 { bare } else { base }, index, insn.scale);
        let known = self.sums.iter().find(|(its_key, _)| *its_key == key);
        let root = match known {
            Some(&(_, root)) => root,
            None => {
                let root = self.new_root().root;
                self.sums.push((key, root));
                root
            }
        };
        displaced(Sum {
            root,
            offset: if base.bits == 64 { base.offset } else { 0 },
            bits: 64,
        })
    }

    fn sum(&mut self, op: BinaryOp, width: u32, a: Name, b: Name) -> Option<Sum> {
        let (a, b) = (self.value(a), self.value(b));
        let (sum, offset) = match op {
            BinaryOp::Add if b.root == 0 => (a, b.offset),
            BinaryOp::Add if a.root == 0 => (b, a.offset),
            BinaryOp::Sub if b.root == 0 => (a, b.offset.wrapping_neg()),
            _ => return None,
        };
        // Once cut off, only what is cut off again stays a plain sum.
        let stays = sum.bits >= width;
        stays.then_some(Sum {
            offset: sum.offset.wrapping_add(offset),
            bits: sum.bits.min(width),
            ..sum
        })
    }

    fn value(&mut self, name: Name) -> Sum {
        let place = name.0 as usize;
        match self.values[place] {
            Some(sum) => sum,
            None => {
                let sum = self.new_root();
                self.values[place] = Some(sum);
                sum
            }
        }
    }

    fn register(&mut self, register: Gpr) -> Sum {
        let none = Sum {
            root: 0,
            offset: 0,
            bits: 64,
        };
        match register {
            Gpr::Zero => none,
            // One value throughout the block.
            Gpr::BlockRip => Sum { root: 1, ..none },
            _ => {
                let place = register.index() & 15;
                match self.registers[place] {
                    Some(sum) => sum,
                    None => {
                        let sum = self.new_root();
                        self.registers[place] = Some(sum);
                        sum
                    }
                }
            }
        }
    }

    fn new_root(&mut self) -> Sum {
        self.roots += 1;
        Sum {
            // Zero and one are taken.
            root: self.roots + 1,
            offset: 0,
            bits: 64,
        }
    }
}

impl Group {
    fn new(position: usize, bytes: i64, writes: bool) -> Self {
        Self {
            low: 0,
            high: bytes,
            writes,
            accesses: vec![(position, 0)],
        }
    }
}

/// Where the memory operand lives; none where limits are checked.
fn operand_space(insn: &Insn) -> Option<Space> {
    match insn.address {
        AddressKind::Flat64 => Some((AddressKind::Flat64, 64, None)),
        AddressKind::Flat32 => Some((AddressKind::Flat32, 32, None)),
        AddressKind::Based64 => Some((AddressKind::Based64, 64, Some(insn.segment))),
        AddressKind::Segmented => None,
    }
}

/// Where the stack lives, in 64-bit mode. Elsewhere the instruction does not say
/// whether the segments are flat.
fn stack_space(insn: &Insn) -> Option<Space> {
    (insn.stack_bits == 64).then_some((AddressKind::Flat64, 64, None))
}

#[cfg(test)]
mod tests {
    use super::super::tests::lift;
    use super::super::{Selection, Successors, run};
    use super::{Group, groups};
    use rax_cpu::testing::Bits;

    fn found(bytes: &[u8]) -> Vec<Group> {
        let mut block = lift(Bits::Long64, bytes);
        run(&mut block, Selection::ALL, Successors::default());
        groups(&block, 2)
    }

    #[test]
    fn accesses_off_one_base_are_one_group() {
        // mov rax, [rdi+8]; add rdi, 16; mov [rdi], rax; mov ecx, [rdi-16]
        let groups = found(b"\x48\x8b\x47\x08\x48\x83\xc7\x10\x48\x89\x07\x8b\x4f\xf0");
        let [group] = &groups[..] else {
            panic!("one group: {groups:?}");
        };
        assert_eq!((group.low, group.high, group.writes), (-8, 16, true));
        let offsets: Vec<i64> = group.accesses.iter().map(|access| access.1).collect();
        assert_eq!(offsets, [0, 8, -8]);
    }

    #[test]
    fn pushes_and_the_frame_are_one_group() {
        // push rbp; mov rbp, rsp; push rbx; sub rsp, 0x18; mov [rbp-0x18], rdi
        let groups = found(b"\x55\x48\x89\xe5\x53\x48\x83\xec\x18\x48\x89\x7d\xe8");
        let [group] = &groups[..] else {
            panic!("one group: {groups:?}");
        };
        let offsets: Vec<i64> = group.accesses.iter().map(|access| access.1).collect();
        assert_eq!(offsets, [0, -8, -24]);
    }

    #[test]
    fn a_loaded_base_starts_anew_and_a_helper_ends_all() {
        // mov rax, [rdi]; mov rdi, [rdi+8]; mov rcx, [rdi]
        let groups_ = found(b"\x48\x8b\x07\x48\x8b\x7f\x08\x48\x8b\x0f");
        assert_eq!(groups_.len(), 1);
        assert_eq!(groups_[0].accesses.len(), 2);
        // mov rax, [rdi]; cpuid; mov rcx, [rdi]
        assert!(found(b"\x48\x8b\x07\x0f\xa2\x48\x8b\x0f").is_empty());
    }

    #[test]
    fn far_apart_is_not_together() {
        // mov rax, [rdi]; mov rcx, [rdi+0x1000]; mov rdx, [rdi+0x1008]
        let groups = found(b"\x48\x8b\x07\x48\x8b\x8f\x00\x10\x00\x00\x48\x8b\x97\x08\x10\x00\x00");
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].accesses.len(), 2);
        assert_eq!(groups[0].span(), 16);
    }

    #[test]
    fn one_index_and_other_displacements_are_one_group() {
        // mov rax, [rdi+rcx*8]; mov rdx, [rdi+rcx*8+8]; inc rcx; mov rsi, [rdi+rcx*8]
        let groups = found(b"\x48\x8b\x04\xcf\x48\x8b\x54\xcf\x08\x48\xff\xc1\x48\x8b\x34\xcf");
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].accesses.len(), 2);
    }
}
