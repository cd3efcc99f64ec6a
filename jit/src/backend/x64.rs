//! The back end for x86-64 hosts.
//!
//! A unit is emitted instruction by instruction, straight from its IR: values that are
//! registers or constants cost nothing, operations go into the register they are for,
//! and a flag update becomes the host's own flags where a condition follows at once. An
//! instruction that finds no room, or that has an operation without emission, is left
//! to the interpreter: [`abi::Routines::carry_out`].
//!
//! What can fault jumps to cold code, which has the *whole* instruction carried out by
//! the interpreter: the law of the IR says that nothing has changed yet.

mod abi;
mod alu;
mod asm;
mod branch;
mod detour;
mod flags;
mod group;
mod idiom;
mod memory;
mod multiply;
mod operation;
mod pending;
mod plan;
mod probe;
mod routines;
mod segments;
mod shift;
mod shortcut;
mod simd;
mod strings;
mod turn;
mod values;
mod x87;

use rax_cpu::insn::Insn;
use rax_cpu::ir::{self, Name, Op};
use rax_cpu::state::Gpr;

use smallvec::{SmallVec, smallvec};

use super::{Backend, Emitted};
use crate::block::Unit;
use crate::helpers::{Helpers, addresses};
use crate::relocation::Follows;
use abi::{BUDGET, Routines};
use asm::{Alu, Asm, Fixup, Reg, cc};
use branch::{Again, Ending};
use detour::{Cold, Detour};
use flags::HostFlags;

use operation::Class;
use pending::{Base, Over, Pending};
use plan::Plan;
use probe::{Accesses, Common, Miss};
use segments::Reach;
use values::Loc;
use x87::Noted;

/// The compiler for x86-64 hosts.
#[derive(Debug)]
pub(crate) struct X64 {
    helpers: Helpers,
    routines: Routines,
    features: Features,
    /// Each unit adds its accesses to a cell.
    counts_accesses: bool,
    /// None while it is in use.
    work: Option<Work>,
}

/// What is filled anew for each unit, and need not be allocated each time.
#[derive(Debug, Default)]
struct Work {
    plan: Box<Plan>,
    emitted: Emitted,
    locs: Vec<Loc>,
    slow: Vec<Fixup>,
    misses: Vec<Miss>,
    cold: Vec<Cold>,
    vectors: Box<simd::Vectors>,
}

/// What the host has beyond the baseline.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Features {
    pub(crate) bmi2: bool,
    pub(crate) popcnt: bool,
    pub(crate) lzcnt: bool,
    pub(crate) bmi1: bool,
    pub(crate) crc32: bool,
    /// Its x87 unit leaves open what the guest's does.
    pub(crate) reference_x87: bool,
    vectors: simd::Features,
}

/// Whether the host is one of those after which the guest's processor is modelled.
fn is_intel() -> bool {
    let leaf = std::arch::x86_64::__cpuid(0);
    [leaf.ebx, leaf.edx, leaf.ecx]
        .map(u32::to_le_bytes)
        .concat()
        == b"GenuineIntel"
}

impl X64 {
    pub(crate) fn new() -> Self {
        Self {
            helpers: addresses(),
            routines: Routines::default(),
            features: Features {
                bmi2: std::arch::is_x86_feature_detected!("bmi2"),
                popcnt: std::arch::is_x86_feature_detected!("popcnt"),
                lzcnt: std::arch::is_x86_feature_detected!("lzcnt"),
                crc32: std::arch::is_x86_feature_detected!("sse4.2"),
                reference_x87: is_intel(),
                bmi1: std::arch::is_x86_feature_detected!("bmi1"),
                vectors: simd::Features::found(),
            },
            counts_accesses: false,
            work: None,
        }
    }
}

impl Backend for X64 {
    fn routines(&mut self, base: u64) -> Vec<u8> {
        let (code, routines) = routines::routines(base, &self.helpers, self.features.bmi2);
        self.routines = routines;
        code
    }

    fn count_accesses(&mut self) {
        self.counts_accesses = true;
    }

    fn enter(&self) -> u64 {
        self.routines.enter
    }

    fn compile(&mut self, unit: &Unit, block: &ir::Block, base: u64, first_exit: u64) -> Emitted {
        let mut work = self.work.take().unwrap_or_default();
        let again = unit.again.map(usize::from);
        work.plan.begin(block, again, self.features.vectors.avx2);
        loop {
            work.plan.settle(block);
            let mut emit = Emit::new(self, unit, block, work, base, first_exit);
            let result = emit.unit();
            work = emit.finish();
            match result {
                Ok(()) => break,
                Err(Stuck::Instruction(number)) => work.plan.leave_to_interpreter(number),
                Err(Stuck::Flags(position)) => work.plan.keep_flags(position),
            }
        }
        let emitted = std::mem::take(&mut work.emitted);
        self.work = Some(work);
        emitted
    }

    fn reclaim(&mut self, emitted: Emitted) {
        if let Some(work) = &mut self.work {
            work.emitted = emitted;
        }
    }

    fn jump(&self, site: u64, target: u64) -> [u8; 4] {
        (target.wrapping_sub(site + 4) as i32).to_le_bytes()
    }

    fn jump_slot(&self, rip: u64) -> usize {
        abi::jump_slot(rip)
    }
}

/// Why emission must begin anew, with another plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stuck {
    /// This instruction must be left to the interpreter.
    Instruction(u32),
    /// The flag update at this position is needed after all.
    Flags(usize),
}

/// One unit under way.
struct Emit<'a> {
    asm: Asm,
    backend: &'a X64,
    unit: &'a Unit,
    block: &'a ir::Block,
    plan: Box<Plan>,
    first_exit: u64,
    /// Where each value is.
    locs: Vec<Loc>,
    /// Where the instruction that updated the flags last begins: of what is before it and
    /// before the instruction under way, nobody asks where it is.
    updated_from: usize,
    /// Temporaries that hold nothing.
    free: SmallVec<[Reg; 8]>,
    /// Guest registers that are temporaries of the instruction under way, kept in the
    /// state meanwhile, and how many ways out there were before.
    borrowed: SmallVec<[(Gpr, Reg); 4]>,
    ways_before: usize,
    /// Scratch cells in use, a bit each.
    scratches: u8,
    /// The operation under way, and the number of its instruction.
    position: usize,
    index: u32,
    /// How often a move has disturbed the host's flags.
    shifted: u32,
    /// The value that was made in the guest register it is for.
    made: Option<Name>,
    /// Jumps to slow ways, and how many are those of earlier instructions.
    slow: Vec<Fixup>,
    slow_before: usize,
    /// Probes that may miss, likewise.
    misses: Vec<Miss>,
    misses_before: usize,
    cold: Vec<Cold>,
    /// Which value or update the host's flags belong to.
    host_flags: HostFlags,
    /// Where the guest's flags are.
    pending: Pending,
    /// CF waits in its cell for the instruction under way.
    carry_waits: bool,
    /// The instruction under way puts an end to the flags before it.
    flags_end: bool,
    ending: Ending,
    /// The branch under way leaves the trace for the target if the host's flags meet the
    /// condition.
    aside: Option<(u8, u64)>,
    again: Option<Again>,
    /// What is yet to be written of the x87 unit's pointers.
    noted: Noted,
    emitted: Emitted,
    vectors: Box<simd::Vectors>,
    reach: Reach,
    accesses: Accesses,
    /// What the accesses have in common that share each of the windows used.
    windows: SmallVec<[Common; 8]>,
}

impl<'a> Emit<'a> {
    fn new(
        backend: &'a X64,
        unit: &'a Unit,
        block: &'a ir::Block,
        mut work: Work,
        base: u64,
        first_exit: u64,
    ) -> Self {
        let count = block.ops.len();
        work.locs.clear();
        work.locs.resize(count, Loc::Nowhere);
        work.slow.clear();
        work.misses.clear();
        work.cold.clear();
        let has_vectors = work.plan.has_vectors() || work.plan.has_any(Class::VECTOR);
        work.vectors.begin(if has_vectors { count } else { 0 });
        work.emitted.begin();
        Self {
            asm: Asm::new(base, std::mem::take(&mut work.emitted.code)),
            backend,
            unit,
            block,
            plan: work.plan,
            first_exit,
            locs: work.locs,
            updated_from: usize::MAX,
            free: smallvec![abi::T1, abi::T0],
            borrowed: SmallVec::new(),
            ways_before: 0,
            scratches: 0,
            position: 0,
            index: 0,
            shifted: 0,
            made: None,
            slow: work.slow,
            slow_before: 0,
            misses: work.misses,
            misses_before: 0,
            cold: work.cold,
            host_flags: HostFlags::Unknown,
            pending: Pending::UNKNOWN,
            carry_waits: false,
            flags_end: false,
            ending: Ending::FallThrough,
            aside: None,
            again: None,
            noted: Noted::default(),
            emitted: work.emitted,
            vectors: work.vectors,
            reach: Reach::default(),
            accesses: Accesses::default(),
            windows: SmallVec::new(),
        }
    }

    fn insn(&self) -> &'a Insn {
        &self.unit.insns[self.index as usize]
    }

    /// RIP at the start of the block that the instruction under way belongs to.
    fn block_rip(&self) -> u64 {
        self.unit.block_rip(self.index as usize)
    }

    fn stuck<T>(&self) -> Result<T, Stuck> {
        Err(Stuck::Instruction(self.index))
    }

    /// Emits everything.
    fn unit(&mut self) -> Result<(), Stuck> {
        if self.unit.may_be_copied() {
            let room = std::mem::take(&mut self.emitted.relocations);
            self.asm.be_movable(room);
        }
        let count = self.unit.insns.len() as i32;
        self.check_code_limit();
        self.enter_x87();
        self.asm.alu_imm(Alu::Sub, 64, BUDGET, count);
        // The budget is far from overflowing; Intel's processors fuse SUB with JL, not with JS.
        let exhausted = self.asm.branch_ahead(cc::L);
        self.cold.push(Cold {
            from: [Some(exhausted), None],
            what: Detour::Exhausted,
        });
        self.count_at_start();
        if self.plan.has_vectors() {
            self.load_vectors_at_start();
        }
        let mut grouped = 0;
        for index in 0..self.plan.instructions() {
            if index < grouped {
                continue;
            }
            self.index = index as u32;
            if self.unit.again == Some(index as u8) {
                self.begin_again();
            }
            if let Some(group) = self.group_at(index) {
                self.group(group)?;
                grouped = group.end();
                continue;
            }
            if self.plan.is_carried_out(index) {
                if self.plan.is_refused(index)
                    || !self.short_repeat()? && !self.assisted(index)? && !self.shortcut()?
                {
                    self.carry_out();
                }
            } else {
                self.instruction(index)?;
            }
        }
        if !self.go_back() {
            self.write_noted(self.noted);
            self.store_flags();
            self.end()?;
        }
        self.note_reach();
        self.note_accesses();
        self.emitted.cold = self.asm.here();
        self.emit_cold();
        Ok(())
    }

    /// How many ways out the instruction under way has so far.
    fn ways_out(&self) -> usize {
        self.slow.len() - self.slow_before + self.misses.len() - self.misses_before
    }

    fn instruction(&mut self, index: usize) -> Result<(), Stuck> {
        let range = self.plan.range(index);
        let has_vectors = self.plan.has_class(index, Class::VECTOR);
        if self.plan.is_vector(index) {
            self.load_vectors_again();
        }
        let noted = self.noted;
        self.prepare_flags(index);
        self.fetch_carry(index)?;
        let pending = self.pending;
        self.flags_end = self.ends_flags(index);
        let mut position = range.start;
        while position < range.end {
            self.position = position;
            match self.idiom(position)? {
                0 => {
                    self.operation(position)?;
                    self.release(position);
                    if has_vectors {
                        self.release_vectors(position);
                    }
                    position += 1;
                }
                operations => {
                    position += operations;
                    self.release(position - 1);
                }
            }
        }
        self.give_borrowed_back()?;
        self.turn_aside();
        debug_assert!(
            self.free.len() == 2,
            "values that outlive their instruction are registers or constants"
        );
        if self.ways_out() != 0 {
            let saves_carry = self.plan.has_class(index, Class::FLAGS)
                && self.plan.range(index).any(|at| {
                    matches!(self.block.ops[at].0, Op::Flags(_)) && self.plan.saves_carry(at)
                });
            if self.plan.writes_flags(index) {
                // On the slow way they are in the state.
                self.pending.base = Base::Unknown;
                self.pending.overs = [Over::Unknown; 2];
            }
            self.slow_way(noted, pending, saves_carry);
        }
        if self.updates_flags(index) {
            self.updated_from = range.start;
        }
        Ok(())
    }

    /// Has the ways out of the instruction under way lead to the interpreter, who carries
    /// it out from the state before it, and comes back here.
    fn slow_way(&mut self, noted: Noted, pending: Pending, saves_carry: bool) {
        let slow = self.slow_before..self.slow.len();
        let misses = self.misses_before..self.misses.len();
        (self.slow_before, self.misses_before) = (slow.end, misses.end);
        self.cold.push(Cold {
            from: [None; 2],
            what: Detour::CarryOut {
                index: self.index,
                back: self.asm.here(),
                with_flags: saves_carry || self.host_flags.is_known(),
                with_vectors: self.vectors.are_loaded,
                saves_carry,
                noted,
                pending,
                slow,
                misses,
            },
        });
    }

    /// Whether conditions that follow an instruction look at what it did.
    fn updates_flags(&self, index: usize) -> bool {
        self.plan.has_class(index, Class::FLAGS | Class::ORDER)
    }

    /// Leaves an instruction to the interpreter.
    fn carry_out(&mut self) {
        self.emitted.carried_out += 1;
        let noted = std::mem::take(&mut self.noted);
        self.write_noted(noted);
        self.store_flags();
        self.call_interpreter(self.index, false);
        self.enter_x87_again(self.index);
        self.forget_registers();
        self.updated_from = usize::MAX;
        self.vectors.are_loaded = false;
        self.host_flags = HostFlags::Unknown;
        self.pending = Pending::SETTLED;
        if self.index as usize + 1 == self.unit.insns.len() {
            self.ending = Ending::Left;
        }
    }

    fn call_interpreter(&mut self, index: u32, with_flags: bool) {
        if self.touches_x87(index) {
            self.asm.call(self.backend.routines.save_x87);
        }
        let unit = std::ptr::from_ref(self.unit).expose_provenance() as u64;
        self.asm.address(abi::T0, unit, Follows::Unit);
        self.asm.constant(abi::T1, u64::from(index));
        self.asm.call(if with_flags {
            self.backend.routines.carry_out_with_flags
        } else {
            self.backend.routines.carry_out
        });
    }

    fn operation(&mut self, position: usize) -> Result<(), Stuck> {
        let (op, bits) = self.block.ops[position];
        match op {
            Op::Begin(_) => Ok(()),
            Op::Constant(value) => self.set(Loc::Constant(value)),
            Op::ReadGpr(register, is_high) => self.read_gpr(register, is_high),
            Op::WriteGpr(register, is_high, value) => {
                self.write_gpr(register, is_high, value, bits)
            }
            Op::RawAddress => self.set(Loc::Address(0)),
            Op::Load(address) if self.feeds_vector(position) => self.load_lane(address, bits),
            Op::Load(address) => self.load(address, bits),
            Op::Store { address, value } if self.is_lane(value) => {
                self.store_lane(address, value, bits)
            }
            Op::Store { address, value } => self.store(address, value, bits),
            Op::Locate(address) => self.locate(address, bits),
            Op::Commit { value, .. } => self.commit(value, bits),
            Op::LoadSegment(segment, offset) => self.load_segment(segment, offset, bits),
            Op::StoreSegment(segment, offset, value) => {
                self.store_segment(segment, offset, value, bits)
            }
            Op::Stride(bytes) => self.stride(bytes),
            Op::SetDirection(is_down) => {
                self.set_direction(is_down);
                Ok(())
            }
            Op::Selector(register) => self.load_cell(abi::selector(register)),
            Op::LoadSelector(register, value) => self.load_selector(register, value),
            Op::Push(value) => self.push(value, bits),
            Op::StackTop => self.stack_top(bits),
            Op::MoveStack(bytes) => self.move_stack(bytes),
            Op::SetStack(value) => self.set_stack(value),
            Op::Binary(op, a, b) => self.binary(op, a, b, bits),
            Op::Unary(op, a) => self.unary(op, a, bits),
            Op::Shift(op, value, count) => self.shift(op, value, count, bits),
            Op::DoubleShift(op, value, source, count) => {
                self.double_shift(op, value, source, count, bits)
            }
            Op::Divide {
                is_signed,
                dividend,
                divisor,
            } => self.divide(is_signed, dividend, divisor, bits),
            Op::Remainder(_) => Ok(()),
            Op::ZeroExtend(value) => self.zero_extend(value, bits),
            Op::SignExtend(from, value) => self.sign_extend(from, value, bits),
            Op::Condition(condition) => self.condition(condition),
            Op::IsZero(value) => self.is_zero(value),
            Op::Select(condition, yes, no) => self.select(condition, yes, no, bits),
            Op::Flags(flags) => self.flags(flags, bits),
            Op::NextIp => {
                let next = self.unit.rip_after(self.index as usize);
                self.set_rip(next)
            }
            Op::DirectTarget => {
                let target = self.direct_target(bits);
                self.set_rip(target)
            }
            Op::CheckTarget(target) => self.check_target(target),
            Op::Jump(target) => self.jump(target),
            Op::Branch(condition) => self.branch(condition, bits),
            Op::Vector(step) => self.vector(step, bits),
            Op::X87(step) => self.x87(step, bits),
            Op::Call(_) => self.stuck(),
        }
    }

    fn finish(mut self) -> Work {
        Work {
            plan: self.plan,
            emitted: Emitted {
                is_movable: self.asm.is_movable(),
                relocations: self.asm.take_relocations(),
                code: self.asm.finish(),
                ..self.emitted
            },
            locs: self.locs,
            slow: self.slow,
            misses: self.misses,
            cold: self.cold,
            vectors: self.vectors,
        }
    }
}
