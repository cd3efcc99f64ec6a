//! Makes cases smaller as long as they still fail, as proptest's value trees do.
//!
//! A case is made simpler step by step: instructions become NOPs or are cut off,
//! registers and memory become plain. Addresses stay what they are, and no step makes
//! an undefined flag matter.

use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::case::{Case, DATA, READ_ONLY, READ_ONLY_BYTES};
use crate::form::Form;
use crate::generate::generate;
use crate::undefined::{Vendor, flow};

/// All cases of a form.
#[derive(Clone, Copy, Debug)]
pub struct Cases {
    form: &'static Form,
    seed: u64,
}

impl Cases {
    /// Those of `form` that `seed` gives.
    #[must_use]
    pub const fn of(form: &'static Form, seed: u64) -> Self {
        Self { form, seed }
    }
}

impl Strategy for Cases {
    type Tree = CaseTree;
    type Value = Case;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let number = u64::from(proptest::prelude::any::<u32>().new_tree(runner)?.current());
        Ok(CaseTree::new(generate(self.form, self.seed, number)))
    }
}

/// A case that gets simpler.
#[derive(Clone, Debug)]
pub struct CaseTree {
    /// What failed last.
    failing: Case,
    /// What is to be tried.
    current: Case,
    /// The next step.
    step: usize,
    /// Whether a step has succeeded since the first one.
    progress: bool,
    /// How many more times all steps are tried.
    rounds: u8,
}

/// Steps may undo each other, so there must be an end.
const ROUNDS: u8 = 4;

impl CaseTree {
    /// Starts at `case`.
    #[must_use]
    pub fn new(case: Case) -> Self {
        Self {
            failing: case.clone(),
            current: case,
            step: 0,
            progress: false,
            rounds: ROUNDS,
        }
    }

    /// Goes to the next simpler case, if there is one.
    fn advance(&mut self) -> bool {
        loop {
            let steps = step_count(&self.failing);
            while self.step < steps {
                let step = self.step;
                self.step += 1;
                let Some(simpler) = simplify(&self.failing, step) else {
                    continue;
                };
                if simpler != self.failing && is_sound(&simpler) {
                    self.current = simpler;
                    return true;
                }
            }
            if !self.progress || self.rounds == 0 {
                return false;
            }
            self.rounds -= 1;
            // What failed to help may help now.
            self.progress = false;
            self.step = 0;
        }
    }
}

impl ValueTree for CaseTree {
    type Value = Case;

    fn current(&self) -> Case {
        self.current.clone()
    }

    fn simplify(&mut self) -> bool {
        if self.current != self.failing {
            self.failing = self.current.clone();
            self.progress = true;
        }
        self.advance()
    }

    fn complicate(&mut self) -> bool {
        self.current = self.failing.clone();
        self.advance()
    }
}

/// Makes a case as simple as it can be while `fails` holds.
pub fn shrink(case: Case, mut fails: impl FnMut(&Case) -> bool) -> Case {
    let mut tree = CaseTree::new(case);
    let mut more = tree.simplify();
    while more {
        more = if fails(&tree.current()) {
            tree.simplify()
        } else {
            tree.complicate()
        };
    }
    tree.current()
}

/// Whether it is one instruction still, or several of which none reads a flag that may
/// be undefined.
fn is_sound(case: &Case) -> bool {
    if case.instructions <= 1 {
        return crate::generate::is_one_covered(case);
    }
    let instructions = flow::instructions(case);
    flow::first_misuse(&instructions, &[Vendor::Intel, Vendor::Amd]).is_none()
}

// How many steps there are of each kind, one after the other.
const GPR: usize = 16;
const YMM: usize = 16;
const ST: usize = 8;
const SINGLES: usize = 12;

fn step_count(case: &Case) -> usize {
    case.code.len() * 3 + GPR * 3 + YMM * 3 + ST * 2 + SINGLES + case.patches.len() * 2
}

/// The case after one step; none if the step does not apply.
fn simplify(case: &Case, step: usize) -> Option<Case> {
    let mut simple = case.clone();
    let mut step = step;
    if step < case.code.len() * 3 {
        return simplify_code(case, step % case.code.len(), step / case.code.len());
    }
    step -= case.code.len() * 3;
    let registers = &mut simple.registers;
    if step < GPR * 3 {
        let register = &mut registers.gpr[step % GPR];
        *register = match step / GPR {
            0 => 0,
            1 => (*register != 0).into(),
            _ => *register & 0xffff_ffff,
        };
        return Some(simple);
    }
    step -= GPR * 3;
    if step < YMM * 3 {
        let register = &mut registers.ymm[step % YMM];
        match step / YMM {
            0 => *register = [0; 4],
            1 => register[2..].fill(0),
            _ => register[1] = 0,
        }
        return Some(simple);
    }
    step -= YMM * 3;
    if step < ST * 2 {
        registers.x87.st[step % ST] = if step < ST { 0 } else { 0x3fff << 64 | 1 << 63 };
        return Some(simple);
    }
    step -= ST * 2;
    if step < SINGLES {
        simplify_one(&mut simple, step);
        return Some(simple);
    }
    step -= SINGLES;
    let patch = step / 2;
    let (_, bytes) = simple.patches.get_mut(patch)?;
    if step.is_multiple_of(2) {
        simple.patches.remove(patch);
    } else {
        bytes.fill(0);
    }
    Some(simple)
}

fn simplify_one(case: &mut Case, step: usize) {
    let registers = &mut case.registers;
    match step {
        0 => {
            registers.x87 = crate::case::X87 {
                control: 0x37f,
                ..Default::default()
            }
        }
        1 => registers.mxcsr = 0x1f80,
        2 => registers.rflags = 0x202,
        3 => registers.fs_base = 0,
        4 => registers.gs_base = 0,
        5 => registers.x87.status &= 0x3800,
        6 => registers.x87.control = 0x37f,
        7 => registers.x87.tag = 0xff,
        8 => registers.rflags &= !0x400,
        9 => registers.mxcsr &= 0xffc0,
        // All of memory zero.
        10 => {
            let bytes = vec![0; (READ_ONLY - DATA) as usize + READ_ONLY_BYTES];
            if case
                .patches
                .first()
                .is_none_or(|(_, first)| first.len() < bytes.len())
            {
                case.patches.insert(0, (DATA, bytes));
            }
        }
        _ => case.offset = 0x100.min(crate::case::CODE_BYTES - case.code.len()),
    }
}

/// Removes the byte at `at` if it is a prefix; or makes the instruction there NOPs; or
/// cuts off what comes after it.
fn simplify_code(case: &Case, at: usize, kind: usize) -> Option<Case> {
    let mut simple = case.clone();
    if kind == 0 && case.instructions == 1 {
        if at + 1 >= case.code.len() {
            return None;
        }
        simple.code.remove(at);
        return Some(simple);
    }
    let instructions = flow::instructions(case);
    let start = crate::case::CODE + (case.offset + at) as u64;
    let instruction = instructions.iter().find(|insn| insn.ip() == start)?;
    match kind {
        1 if case.instructions > 1 => simple.code[at..at + instruction.len()].fill(0x90),
        2 if case.instructions > 1 => {
            simple.code.truncate(at + instruction.len());
            let is_whole = flow::instructions(&simple)
                .iter()
                .all(|insn| insn.near_branch_target() <= start + instruction.len() as u64);
            if !is_whole {
                return None;
            }
        }
        0 if instruction.code() == iced_x86::Code::Nopd && at == 0 && case.code.len() > 1 => {
            simple.code.remove(0);
            simple.offset += 1;
        }
        _ => return None,
    }
    Some(simple)
}
