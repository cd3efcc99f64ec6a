//! Flags: updates that nothing can see are removed, and the update that a condition
//! looks at is named, so that a back end can fuse the two.

use rax_cpu::ir::{Block, Op};

use super::need::constant;
use super::{Need, Work};

/// Runs the pass.
pub(super) fn remove_dead(work: &mut Work<'_>) {
    let needs = work.needs();
    let is_dead = |need| need == Need::Never;
    let mut dead = needs.each().map(is_dead).collect::<Vec<_>>();
    for (dead, (op, _)) in dead.iter_mut().zip(&work.block.ops) {
        *dead &= matches!(op, Op::Flags(_));
    }
    if dead.contains(&true) {
        work.remove(&dead);
    }
}

/// The position of the one update that sets every flag the condition at `position`
/// looks at: an [`Op::Flags`], or a comparison of floating-point numbers. None if
/// the flags come from several, from a helper, or from before the block.
#[must_use]
pub fn producer_of(block: &Block, position: usize) -> Option<usize> {
    let Op::Condition(condition) = block.ops[position].0 else {
        return None;
    };
    let wanted = condition.reads();
    for before in (0..position).rev() {
        match block.ops[before].0 {
            Op::Flags(flags) => {
                let count = flags.count().and_then(|name| constant(block, name));
                if flags.may_write(count).intersects(wanted) {
                    return flags.must_write(count).contains(wanted).then_some(before);
                }
            }
            op if op.orders() => return Some(before),
            Op::Call(_) => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::tests::{lift, ops};
    use super::super::{Need, Needs, Selection, Successors, run};
    use super::producer_of;
    use rax_cpu::ir::{Block, Op};
    use rax_cpu::rflags::Rflags;
    use rax_cpu::testing::Bits;

    fn optimised(bytes: &[u8], successors: Successors) -> Block {
        let mut block = lift(Bits::Long64, bytes);
        run(&mut block, Selection::ALL, successors);
        block
    }

    fn count(block: &Block) -> usize {
        let flags = block
            .ops
            .iter()
            .filter(|(op, _)| matches!(op, Op::Flags(_)));
        flags.count()
    }

    #[test]
    fn an_update_overwritten_at_once_goes() {
        // add rbx, rcx; add rdx, rcx
        let block = optimised(b"\x48\x01\xcb\x48\x01\xca", Successors::default());
        assert_eq!(count(&block), 1, "{block}");
    }

    #[test]
    fn inc_keeps_the_carry_of_what_came_before() {
        // add rbx, rcx; inc rdx
        let block = optimised(b"\x48\x01\xcb\x48\xff\xc2", Successors::default());
        assert_eq!(count(&block), 2, "{block}");
        // add rbx, rcx; inc rdx; sub rsi, rdi
        let bytes = b"\x48\x01\xcb\x48\xff\xc2\x48\x29\xfe";
        assert_eq!(count(&optimised(bytes, Successors::default())), 1);
    }

    #[test]
    fn a_shift_by_cl_may_keep_flags_and_by_a_constant_not() {
        // add rbx, rcx; shl rdx, cl
        let block = optimised(b"\x48\x01\xcb\x48\xd3\xe2", Successors::default());
        assert_eq!(count(&block), 2, "{block}");
        // add rbx, rcx; shl rdx, 3
        let block = optimised(b"\x48\x01\xcb\x48\xc1\xe2\x03", Successors::default());
        assert_eq!(count(&block), 1, "{block}");
        // add rbx, rcx; shl rdx, 0
        let block = optimised(b"\x48\x01\xcb\x48\xc1\xe2\x00", Successors::default());
        assert_eq!(count(&block), 1, "{block}");
        assert!(ops(&block).iter().any(|op| op.contains("Add {")), "{block}");
    }

    #[test]
    fn a_load_between_two_updates_makes_the_first_cold() {
        // add rbx, rcx; mov rsi, [rdi]; add rdx, rcx
        let bytes = b"\x48\x01\xcb\x48\x8b\x37\x48\x01\xca";
        let block = optimised(bytes, Successors::default());
        let needs = Needs::of(&block, Successors::default());
        let flags: Vec<_> = (0..block.ops.len())
            .filter(|&position| matches!(block.ops[position].0, Op::Flags(_)))
            .collect();
        let [first, second] = flags[..] else {
            panic!("two updates: {block}");
        };
        assert_eq!(needs.at(first), Need::AtExits);
        assert_eq!(needs.at(second), Need::Always);
        let load = (0..block.ops.len())
            .find(|&position| matches!(block.ops[position].0, Op::Load(_)))
            .unwrap();
        assert_eq!(needs.pending(&block, load), [first]);
        assert!(needs.pending(&block, first).is_empty());
    }

    #[test]
    fn flags_that_successors_overwrite_are_cold_at_the_end() {
        let overwritten = Successors {
            flags_wanted: Rflags::empty(),
        };
        // add rbx, rcx
        let block = optimised(b"\x48\x01\xcb", overwritten);
        let needs = Needs::of(&block, overwritten);
        let flags = block.ops.len() - 1;
        assert_eq!(needs.at(flags), Need::AtExits, "{block}");
        assert_eq!(needs.pending(&block, block.ops.len()), [flags]);
    }

    #[test]
    fn a_jump_names_its_compare() {
        let jump = |bytes: &[u8]| {
            let block = optimised(bytes, Successors::default());
            let condition = (0..block.ops.len())
                .find(|&position| matches!(block.ops[position].0, Op::Condition(_)))
                .unwrap();
            let producer = producer_of(&block, condition)?;
            Some(format!("{:?}", block.ops[producer].0))
        };
        let producer = |bytes: &[u8]| jump(bytes).map(|op| op.contains("Sub"));
        // cmp rbx, rcx; lea rdx, [rdx+1]; jl
        assert_eq!(
            producer(b"\x48\x39\xcb\x48\x8d\x52\x01\x7c\x00"),
            Some(true)
        );
        // cmp rbx, rcx; inc rdx; jb: the carry is the compare's
        let carry = jump(b"\x48\x39\xcb\x48\xff\xc2\x72\x00");
        assert!(carry.is_some());
        // cmp rbx, rcx; inc rdx; jbe: from both
        assert_eq!(jump(b"\x48\x39\xcb\x48\xff\xc2\x76\x00"), None);
        // cmp rbx, rcx; shl rdx, cl; jz: who knows
        assert_eq!(jump(b"\x48\x39\xcb\x48\xd3\xe2\x74\x00"), None);
        // jz
        assert_eq!(jump(b"\x74\x00"), None);
    }
}
