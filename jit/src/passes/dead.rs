//! Removal of what nothing can see: values without a user that cannot fault, and
//! writes of registers that are overwritten before anything reads them or the block
//! can be left.

use rax_cpu::ir::{Block, Op};

use super::{Need, Work};

/// Runs the pass.
pub(super) fn remove_dead(work: &mut Work<'_>) {
    let needs = work.needs();
    let mut dead: Vec<bool> = needs.each().map(|need| need == Need::Never).collect();
    // Flags have a pass of their own, and may be here although nothing needs them;
    // then so are their operands.
    for position in (0..dead.len()).rev() {
        if dead[position] && matches!(work.block.ops[position].0, Op::Flags(_)) {
            keep(&mut dead, work.block, position);
        }
    }
    if dead.contains(&true) {
        work.remove(&dead);
    }
}

/// Keeps an operation, and what it takes.
fn keep(dead: &mut [bool], block: &Block, position: usize) {
    if dead[position] {
        dead[position] = false;
        let op = block.ops[position].0;
        op.for_each_name(|name| keep(dead, block, name.0 as usize));
    }
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
