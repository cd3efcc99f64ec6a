//! The body of a routine: its statements.

use iced_x86::code_asm::{CodeLabel, bp, dword_ptr, ebp, esp, sp};

use super::asm;
use super::operand::Register;
use super::place::{Place, Var};
use super::unit::{Bitness, Unit};
use super::value::{Condition, Operation, Routine, Value, Width};

/// A body in the making. Each statement is compiled when it is called.
pub(crate) struct Body<'u> {
    pub(super) unit: &'u mut Unit,
    arguments: usize,
    /// How many bytes of variables lie below the base pointer.
    depth: i32,
    loops: Vec<Loop>,
    /// Where an inline body ends; a routine returns instead.
    exit: Option<CodeLabel>,
}

/// A loop around the present statement.
#[derive(Clone, Copy)]
struct Loop {
    head: CodeLabel,
    end: CodeLabel,
    depth: i32,
}

/// The cases of [`Body::switch`].
pub(crate) struct Cases<'b, 'u> {
    body: &'b mut Body<'u>,
    value: Var,
    end: CodeLabel,
}

impl<'u> Body<'u> {
    /// Compiles a routine: prologue, body, epilogue.
    pub(super) fn routine(unit: &'u mut Unit, routine: &Routine) {
        match unit.bitness {
            Bitness::Real => asm!(&mut unit.code; push bp; mov bp, sp;),
            Bitness::Protected => asm!(&mut unit.code; push ebp; mov ebp, esp;),
        }
        let mut body = Self::new(unit, routine.arguments, None);
        let variables: Vec<Var> = (0..routine.arguments).map(|n| body.argument(n)).collect();
        (routine.body)(&mut body, &variables);
        body.leave();
    }

    /// Compiles a body between other instructions.
    pub(super) fn inline(unit: &'u mut Unit, arguments: usize, body: impl FnOnce(&mut Body<'_>)) {
        let mut end = unit.code.create_label();
        let mut inline = Self::new(unit, arguments, Some(end));
        body(&mut inline);
        inline.unit.place(&mut end);
    }

    fn new(unit: &'u mut Unit, arguments: usize, exit: Option<CodeLabel>) -> Self {
        Self {
            unit,
            arguments,
            depth: 0,
            loops: Vec::new(),
            exit,
        }
    }

    /// The argument `n`: they are pushed first to last, above the return address.
    pub(super) fn argument(&self, n: usize) -> Var {
        let below = i32::try_from(self.arguments - 1 - n).expect("few arguments");
        Var(self.frame_head() + below * 4)
    }

    /// The size of the return address and the caller's base pointer.
    fn frame_head(&self) -> i32 {
        match self.unit.bitness {
            Bitness::Real => 4,
            Bitness::Protected => 8,
        }
    }

    /// A new variable.
    pub(crate) fn var(&mut self, value: impl Into<Value>) -> Var {
        self.push(&value.into());
        self.depth += 4;
        Var(-self.depth)
    }

    /// Stores a value.
    pub(crate) fn set(&mut self, place: impl Into<Place>, value: impl Into<Value>) {
        self.store(&place.into(), &value.into());
    }

    /// Adds to a place, in one instruction.
    pub(crate) fn add(&mut self, place: impl Into<Place>, value: impl Into<Value>) {
        self.change(Operation::Add, &place.into(), &value.into());
    }

    /// Subtracts from a place, in one instruction.
    pub(crate) fn sub(&mut self, place: impl Into<Place>, value: impl Into<Value>) {
        self.change(Operation::Sub, &place.into(), &value.into());
    }

    /// Sets bits of a place, in one instruction.
    pub(crate) fn set_bits(&mut self, place: impl Into<Place>, bits: u32) {
        self.change(Operation::Or, &place.into(), &bits.into());
    }

    /// Clears bits of a place, in one instruction.
    pub(crate) fn clear_bits(&mut self, place: impl Into<Place>, bits: u32) {
        self.change(Operation::And, &place.into(), &(!bits).into());
    }

    /// Computes a value for what that does.
    pub(crate) fn run(&mut self, value: impl Into<Value>) {
        self.eval(&value.into());
    }

    /// Returns a value.
    pub(crate) fn ret(&mut self, value: impl Into<Value>) {
        self.eval(&value.into());
        self.leave();
    }

    /// Returns; the value is whatever was computed last.
    pub(crate) fn leave(&mut self) {
        if let Some(exit) = self.exit {
            asm!(&mut self.unit.code; jmp exit;);
            return;
        }
        let arguments = u32::try_from(4 * self.arguments).expect("few arguments");
        self.unit.drop_frame();
        if arguments == 0 {
            asm!(&mut self.unit.code; ret;);
        } else {
            asm!(&mut self.unit.code; ret_1 arguments;);
        }
    }

    /// If the condition holds.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "conditions are written where they are used"
    )]
    pub(crate) fn when(&mut self, condition: Condition, then: impl FnOnce(&mut Self)) {
        let mut skip = self.label();
        self.jump(&condition, false, skip);
        self.scope(then);
        self.unit.place(&mut skip);
    }

    /// If the condition holds, and if not.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "conditions are written where they are used"
    )]
    pub(crate) fn either(
        &mut self,
        condition: Condition,
        then: impl FnOnce(&mut Self),
        otherwise: impl FnOnce(&mut Self),
    ) {
        let [mut skip, mut end] = [self.label(), self.label()];
        self.jump(&condition, false, skip);
        self.scope(then);
        asm!(&mut self.unit.code; jmp end;);
        self.unit.place(&mut skip);
        self.scope(otherwise);
        self.unit.place(&mut end);
    }

    /// Again and again, until [`Body::stop`] or a return.
    pub(crate) fn forever(&mut self, body: impl FnOnce(&mut Self)) {
        let [mut head, mut end] = [self.label(), self.label()];
        self.unit.place(&mut head);
        let depth = self.depth;
        self.loops.push(Loop { head, end, depth });
        self.scope(body);
        asm!(&mut self.unit.code; jmp head;);
        self.loops.pop();
        self.unit.place(&mut end);
    }

    /// While the condition holds.
    pub(crate) fn while_(&mut self, condition: Condition, body: impl FnOnce(&mut Self)) {
        self.forever(|f| {
            f.when(condition.negated(), Self::stop);
            body(f);
        });
    }

    /// For each value from `first` up to but not including `end`.
    pub(crate) fn each(
        &mut self,
        first: impl Into<Value>,
        end: impl Into<Value>,
        body: impl FnOnce(&mut Self, Var),
    ) {
        self.scope(|f| {
            // The loop's head adds one, so that `again` counts too.
            let [counter, end] = [f.var(first.into() - 1), f.var(end)];
            f.forever(|f| {
                f.add(counter, 1);
                f.when(super::Compare::at_least(counter, end), Self::stop);
                body(f, counter);
            });
        });
    }

    /// Leaves the innermost loop.
    pub(crate) fn stop(&mut self) {
        let around = *self.loops.last().expect("a loop to leave");
        self.drop_to(around.depth);
        asm!(&mut self.unit.code; jmp around.end;);
    }

    /// Begins the innermost loop's next round.
    pub(crate) fn again(&mut self) {
        let around = *self.loops.last().expect("a loop to go on with");
        self.drop_to(around.depth);
        asm!(&mut self.unit.code; jmp around.head;);
    }

    /// Chooses by a value; at most one case is carried out.
    pub(crate) fn switch(
        &mut self,
        value: impl Into<Value>,
        cases: impl FnOnce(&mut Cases<'_, 'u>),
    ) {
        let mut end = self.label();
        let depth = self.depth;
        let value = self.var(value);
        cases(&mut Cases {
            body: self,
            value,
            end,
        });
        self.unit.place(&mut end);
        self.drop_to(depth);
        self.depth = depth;
    }

    /// Writes a byte to a port.
    pub(crate) fn out8(&mut self, port: impl Into<Value>, value: impl Into<Value>) {
        self.output(Width::Byte, &port.into(), &value.into());
    }

    /// Writes a word to a port.
    pub(crate) fn out16(&mut self, port: impl Into<Value>, value: impl Into<Value>) {
        self.output(Width::Word, &port.into(), &value.into());
    }

    /// Writes a doubleword to a port.
    pub(crate) fn out32(&mut self, port: impl Into<Value>, value: impl Into<Value>) {
        self.output(Width::Dword, &port.into(), &value.into());
    }

    /// Loads registers for the instructions of `code`, which may change all registers but SP, BP and DS.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "registers are written where they are used"
    )]
    pub(crate) fn with<const N: usize>(
        &mut self,
        registers: [(Register, Value); N],
        code: impl FnOnce(&mut iced_x86::code_asm::CodeAssembler),
    ) {
        self.load_registers(&registers);
        code(&mut self.unit.code);
    }

    /// Instructions that may change all registers but SP, BP and DS.
    pub(crate) fn code(&mut self, code: impl FnOnce(&mut iced_x86::code_asm::CodeAssembler)) {
        code(&mut self.unit.code);
    }

    /// Lets interrupts in.
    pub(crate) fn sti(&mut self) {
        asm!(&mut self.unit.code; sti;);
    }

    /// Keeps interrupts out.
    pub(crate) fn cli(&mut self) {
        asm!(&mut self.unit.code; cli;);
    }

    /// Waits for an interrupt, and so lets them in.
    pub(crate) fn wait_for_interrupt(&mut self) {
        asm!(&mut self.unit.code; sti; hlt;);
    }

    /// A new label.
    pub(super) fn label(&mut self) -> CodeLabel {
        self.unit.code.create_label()
    }

    /// Statements with variables of their own.
    pub(super) fn scope(&mut self, body: impl FnOnce(&mut Self)) {
        let depth = self.depth;
        body(self);
        if self.depth != depth {
            self.drop_to(depth);
            self.depth = depth;
        }
    }

    /// Takes the variables below `depth` off the stack; flags are kept.
    fn drop_to(&mut self, depth: i32) {
        if self.depth == depth {
            return;
        }
        match self.unit.bitness {
            Bitness::Real => asm!(&mut self.unit.code; lea sp, dword_ptr(bp - depth);),
            Bitness::Protected => asm!(&mut self.unit.code; lea esp, dword_ptr(ebp - depth);),
        }
    }
}

impl<'u> Cases<'_, 'u> {
    /// What to do for this value.
    pub(crate) fn case(&mut self, value: u32, then: impl FnOnce(&mut Body<'u>)) {
        self.cases(&[value], then);
    }

    /// What to do for any of these values.
    pub(crate) fn cases(&mut self, values: &[u32], then: impl FnOnce(&mut Body<'u>)) {
        let f = &mut *self.body;
        let [mut enter, mut next] = [f.label(), f.label()];
        let (last, others) = values.split_last().expect("a case has a value");
        for value in others {
            f.jump(&super::Compare::is(self.value, *value), true, enter);
        }
        f.jump(&super::Compare::is(self.value, *last), false, next);
        f.unit.place(&mut enter);
        f.scope(then);
        asm!(&mut f.unit.code; jmp self.end;);
        f.unit.place(&mut next);
    }

    /// What to do for all other values; comes last.
    pub(crate) fn default(&mut self, then: impl FnOnce(&mut Body<'u>)) {
        self.body.scope(then);
    }
}
