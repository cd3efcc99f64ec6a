//! Several processors on one thread: each runs for a turn, in a fixed order.
//!
//! The count of retired instructions is the machine's: whoever's turn it is carries
//! it on. So time never goes back, the time-stamp counters of all processors agree,
//! and a run repeats. A turn ends after a number of instructions, or when the
//! processor halts or waits for another one (PAUSE). Nothing of another processor
//! happens within an instruction, so locked ones need no care.

use rax_cpu::state::Activity;
use rax_cpu::{Cpu, Engine, Interpreter};

use crate::bus::lock;
use crate::machine::Machine;

/// How many instructions a turn has, while others wait for theirs.
const TURN: u64 = 20_000;
/// The same while another one does nothing but wait, most likely for what one of the others does.
const AWAITED_TURN: u64 = 5_000;

/// A processor that waits for its turn.
struct Waiting {
    cpu: Box<Cpu>,
    engine: Box<dyn Engine>,
}

/// Whose turn it is, and the processors that wait for theirs.
pub(crate) struct Turns {
    /// By number; the place of the one whose turn it is, is empty.
    waiting: Vec<Option<Waiting>>,
    turn: usize,
    /// The count at which the present turn ends.
    end: u64,
    /// For so many turns somebody waits for what the others do.
    awaited: usize,
    /// How many instructions each has run in the turns before this one.
    ran: Vec<u64>,
    /// The count when it became the present one's turn.
    since: u64,
}

impl Turns {
    /// The bootstrap processor's turn, and `others`, interpreting.
    pub(crate) fn new(others: impl Iterator<Item = Box<Cpu>>) -> Self {
        let others = others.map(|mut cpu| {
            cpu.wait_for_start_up();
            let engine = Box::new(Interpreter::new(&cpu));
            Some(Waiting { cpu, engine })
        });
        let waiting: Vec<_> = std::iter::once(None).chain(others).collect();
        Self {
            ran: vec![0; waiting.len()],
            since: 0,
            waiting,
            turn: 0,
            end: u64::MAX,
            awaited: 0,
        }
    }

    /// How long the turn is that begins.
    fn length(&mut self) -> u64 {
        if self.awaited == 0 {
            return TURN;
        }
        self.awaited -= 1;
        AWAITED_TURN
    }

    /// Gives the others engines.
    pub(crate) fn set_engines(&mut self, mut make: impl FnMut(&Cpu) -> Box<dyn Engine>) {
        for waiting in self.waiting.iter_mut().flatten() {
            waiting.engine = make(&waiting.cpu);
        }
    }

    /// The others wait to be started, as after a reset.
    pub(crate) fn reset(&mut self) {
        for waiting in self.waiting.iter_mut().flatten() {
            waiting.cpu.reset();
            waiting.cpu.wait_for_start_up();
        }
    }

    /// Whether there are several at all.
    pub(crate) const fn are_taken(&self) -> bool {
        self.waiting.len() > 1
    }

    /// The count at which the present turn ends.
    pub(crate) const fn end(&self) -> u64 {
        self.end
    }

    /// All processors by number, of which `present` has its turn, with the instructions
    /// that each has run.
    pub(crate) fn each<'a>(
        &'a self,
        present: &'a Cpu,
        count: u64,
    ) -> impl Iterator<Item = (usize, &'a Cpu, u64)> {
        let all = self.waiting.iter().zip(&self.ran).enumerate();
        all.map(move |(number, (waiting, &ran))| match waiting {
            Some(waiting) => (number, &*waiting.cpu, ran),
            None => (number, present, ran + count.saturating_sub(self.since)),
        })
    }

    /// The processors that wait for their turn, by number.
    fn others(&mut self) -> impl Iterator<Item = (usize, &mut Cpu)> {
        let waiting = self.waiting.iter_mut().enumerate();
        waiting.filter_map(|(number, waiting)| Some((number, &mut *waiting.as_mut()?.cpu)))
    }
}

impl Machine {
    /// A processor by its number.
    pub(crate) fn processor(&mut self, number: usize) -> Option<&mut Cpu> {
        if number == self.turns.turn {
            return Some(&mut self.cpu);
        }
        let waiting = self.turns.waiting.get_mut(number)?.as_mut()?;
        Some(&mut waiting.cpu)
    }

    /// Makes it a processor's turn.
    pub(crate) fn give_turn(&mut self, number: usize) {
        let turn = self.turns.turn;
        let place = self.turns.waiting.get_mut(number);
        let Some(mut next) = place.and_then(Option::take) else {
            return; // It has it.
        };
        next.cpu.catch_up(self.cpu.state.instructions);
        std::mem::swap(&mut self.cpu, &mut next.cpu);
        std::mem::swap(&mut self.engine, &mut next.engine);
        let count = self.cpu.state.instructions;
        self.turns.ran[turn] += count.saturating_sub(self.turns.since);
        self.turns.since = count;
        self.turns.waiting[turn] = Some(next);
        self.turns.turn = number;
        lock(&self.bus).set_current(number);
    }

    /// Chooses who runs next, where processors take turns; `is_over` says that the
    /// present turn is. False if nobody has anything to do.
    pub(crate) fn next_turn(&mut self, is_over: bool) -> bool {
        let turn = self.turns.turn;
        let ready = self.ready();
        let processors = ready.len();
        let others_run = (0..processors).any(|number| number != turn && ready[number]);
        let order = (turn + 1..processors).chain(0..turn);
        let next = if ready[turn] && !(is_over && others_run) {
            Some(turn)
        } else {
            order.into_iter().find(|&number| ready[number])
        };
        let Some(next) = next else {
            return false;
        };
        let count = self.cpu.state.instructions;
        let is_alone = !(0..processors).any(|number| number != next && ready[number]);
        {
            let mut bus = lock(&self.bus);
            if bus.waits() {
                self.turns.awaited = processors - 1;
            }
            bus.set_others_run(!is_alone);
            if is_over || next != turn {
                bus.begin_turn(count);
                self.turns.end = u64::MAX;
            }
        }
        // Who is alone need not be interrupted, until somebody else is woken.
        self.turns.end = match self.turns.end {
            _ if is_alone => u64::MAX,
            u64::MAX => count.saturating_add(self.turns.length()),
            end => end,
        };
        self.give_turn(next);
        true
    }

    /// Which processors have something to do, by number.
    fn ready(&mut self) -> Vec<bool> {
        let bus = lock(&self.bus);
        let is_ready = |cpu: &mut Cpu, number: usize| match cpu.state.activity {
            Activity::Running | Activity::Shutdown => true,
            Activity::Halted => {
                (cpu.can_be_woken() && bus.board.waits_for(number))
                    || cpu.nmi_is_pending()
                    || cpu.smi_is_pending()
                    || cpu.wake_if_written()
            }
            Activity::WaitForStartUp => false,
        };
        let mut ready = vec![false; self.turns.waiting.len()];
        ready[self.turns.turn] = is_ready(&mut self.cpu, self.turns.turn);
        for (number, cpu) in self.turns.others() {
            ready[number] = is_ready(cpu, number);
        }
        ready
    }

    /// Whether anything but a reset can go on from here, with all processors idle.
    pub(crate) fn can_be_woken(&mut self) -> bool {
        let can = |cpu: &Cpu| cpu.state.activity == Activity::Halted && cpu.can_be_woken();
        can(&self.cpu) || self.turns.others().any(|(_, cpu)| can(cpu))
    }
}
