//! Removal of what nothing can see: values without a user that cannot fault, and
//! writes of registers that are overwritten before anything reads them or the block
//! can be left.

use rax_cpu::ir::{Block, Op};

use super::{Need, Needs, Successors};

/// Runs the pass.
pub(super) fn remove_dead(block: &mut Block, successors: Successors) {
    let needs = Needs::of(block, successors);
    let keeps_flags: Vec<bool> = block
        .ops
        .iter()
        .map(|(op, _)| matches!(op, Op::Flags(_)))
        .collect();
    // Flags have a pass of their own, and may stay although nothing needs them; then
    // so do their operands.
    let mut kept = keeps_flags;
    for position in (0..block.ops.len()).rev() {
        kept[position] |= needs.at(position) != Need::Never;
        if kept[position] {
            let op = block.ops[position].0;
            op.for_each_name(|name| kept[name.0 as usize] = true);
        }
    }
    block.retain(|position| kept[position]);
}

#[cfg(test)]
mod tests {
    use super::super::tests::{lift, ops};
    use super::super::{Selection, Successors, run};
    use rax_cpu::testing::Bits;

    fn after_all_passes(bytes: &[u8]) -> Vec<String> {
        let mut block = lift(Bits::Long64, bytes);
        run(&mut block, Selection::ALL, Successors::default());
        ops(&block)
    }

    #[test]
    fn an_overwritten_register_is_written_once() {
        // mov rbx, rcx; mov rbx, rdx
        assert_eq!(
            after_all_passes(b"\x48\x89\xcb\x48\x89\xd3"),
            ["ReadGpr(Rdx, false)", "WriteGpr(Rbx, false, Name(2))"]
        );
    }

    #[test]
    fn a_load_between_keeps_the_first_write() {
        // mov rbx, rcx; mov rsi, [rdi]; mov rbx, rdx
        let ops = after_all_passes(b"\x48\x89\xcb\x48\x8b\x37\x48\x89\xd3");
        assert_eq!(ops.iter().filter(|op| op.contains("Rbx")).count(), 2);
    }

    #[test]
    fn a_load_whose_value_is_lost_stays() {
        // mov rbx, [rdi]; mov rbx, rdx
        let ops = after_all_passes(b"\x48\x8b\x1f\x48\x89\xd3");
        assert!(ops.iter().any(|op| op.starts_with("Load")), "{ops:?}");
    }

    #[test]
    fn a_byte_written_does_not_end_the_rest() {
        // mov rbx, rcx; mov bl, dl
        let ops = after_all_passes(b"\x48\x89\xcb\x88\xd3");
        assert_eq!(ops.iter().filter(|op| op.contains("WriteGpr")).count(), 2);
    }
}
