//! The run loop: slices of instructions between looks at the host, devices and deadlines.

use std::time::{Duration, Instant};

use rax_cpu::Stop;
use rax_devices::{ResetKind, Time};
use rax_jit::{Doing, Whereabouts};

use crate::automation::StepFailed;
use crate::bus::lock;
use crate::cli::ClockSource;
use crate::host::{HostClock, HostError, Inbox, InputDoor, Quit};
use crate::idle::Scene;
use crate::machine::{Boot, BuildError, Machine};

mod sleep;

/// The most instructions between two looks at the host's clock, real time.
const REAL_SLICE: u64 = 200_000;
/// The least: looking shall cost little.
const SHORTEST_SLICE: u64 = 500;
/// How long a slice may take of the host's time. Instructions that move megabytes make slices shorter.
const SLICE_NS: u64 = 4_000_000;
/// How far a halted guest may run ahead of the host's time: a host sleeps no shorter times than this, and a disk that
/// is ready in less would wait for it.
const AHEAD_NS: u64 = 300_000;
/// The most instructions between two looks at input, virtual time.
const VIRTUAL_SLICE: u64 = 5_000_000;

/// How a run is paced and when it ends.
pub struct Pace {
    /// What guest time follows.
    pub clock: ClockSource,
    /// How long the run may take.
    pub timeout: Option<Duration>,
    /// How many instructions it may take.
    pub max_instructions: Option<u64>,
    /// A guest reset ends the run.
    pub no_reboot: bool,
    /// Where the host's arrivals wait.
    pub inbox: Inbox,
    /// The way in for console input.
    pub door: Option<InputDoor>,
}

/// Why a run ended.
#[derive(Debug)]
pub enum End {
    /// The guest switched the machine off.
    PowerOff,
    /// The guest halted with interrupts off: nothing can wake it.
    Halted,
    /// The guest put the machine to sleep, and nothing and nobody can wake it.
    Asleep,
    /// A reset, with `no_reboot`.
    Reset,
    /// A triple fault, with `no_reboot`.
    TripleFault,
    /// The guest wrote to the debug-exit port.
    Status(u32),
    /// The time was up.
    Timeout,
    /// The instructions were used up.
    Instructions,
    /// Two engines side by side came to different states.
    Diverged,
    /// A script has come to its end.
    Scripted,
    /// A step of a script could not be carried out.
    ScriptFailed(StepFailed),
    /// The user wanted to quit.
    Quit(Quit),
    /// The host failed.
    Host(HostError),
    /// The machine could not start again.
    Build(BuildError),
}

/// Follows the machine instruction by instruction.
pub trait Watcher {
    /// Called before each instruction.
    fn before(&mut self, machine: &Machine);
    /// Called after a triple fault, before the reset.
    fn triple_fault(&mut self, machine: &Machine);
    /// Whether [`Watcher::before`] is wanted.
    fn single_steps(&self) -> bool {
        false
    }
    /// Whether a machine that nothing can wake any more shall be kept: somebody may look at its screen.
    fn keeps_halted(&self) -> bool {
        false
    }
    /// Whether somebody may still press a key.
    fn has_keys(&self) -> bool {
        false
    }
    /// The guest time at which [`Watcher::look`] shall be called, to the instruction.
    fn next_look(&self) -> Option<Time> {
        None
    }
    /// The host's time, in nanoseconds of the run, at which [`Watcher::look`] shall
    /// be called if the processor has nothing to do until then.
    fn next_host_look(&self) -> Option<u64> {
        None
    }
    /// Called between slices of instructions, at [`Watcher::next_look`] and at other
    /// times; may act on the machine and end the run.
    fn look(&mut self, _machine: &mut Machine, _host_ns: u64) -> Option<End> {
        None
    }
    /// Called once, when the run has ended.
    fn last_look(&mut self, _machine: &mut Machine) {}
    /// Somebody wants a picture of the screen.
    fn screenshot(&mut self, _machine: &Machine) {}
}

impl Machine {
    /// Runs until something ends the run.
    pub fn run(&mut self, pace: &Pace, watcher: &mut dyn Watcher) -> End {
        let end = self.run_turns(pace, watcher);
        self.give_turn(0);
        watcher.last_look(self);
        end
    }

    fn run_turns(&mut self, pace: &Pace, watcher: &mut dyn Watcher) -> End {
        let host = HostClock::start();
        let whereabouts = self.whereabouts();
        let mut pacer = Pacer {
            pace,
            host,
            last: (self.cpu.state.instructions, 0),
            input: Vec::new(),
            screenshots: 0,
            slice: REAL_SLICE,
            whereabouts: whereabouts.clone(),
            scene: Scene::default(),
            asleep_since: None,
        };
        lock(&self.bus).has_bus_time = pace.clock == ClockSource::Virtual;
        let mut turn_is_over = true;
        loop {
            if let Some(end) = pacer.look(self) {
                return end;
            }
            if let Some(end) = self.requests(pace) {
                return end;
            }
            if let Some(end) = pacer.call(self, watcher) {
                return end;
            }
            if self.asleep.is_some() {
                turn_is_over = true;
                if let Some(end) = pacer.sleep(self, watcher) {
                    return end;
                }
                continue;
            }
            pacer.asleep_since = None;
            if self.turns.are_taken() && !self.next_turn(turn_is_over) {
                turn_is_over = true;
                if let Some(end) = pacer.idle(self, watcher) {
                    return end;
                }
                continue;
            }
            if pacer.rests(self, watcher) {
                continue;
            }
            let until = pacer.slice_end(self, watcher.next_look());
            whereabouts.set(Doing::Interpreting);
            let stop = if watcher.single_steps() {
                watcher.before(self);
                self.engine.step(&mut self.cpu)
            } else {
                self.engine.run(&mut self.cpu, until)
            };
            whereabouts.set(Doing::Housekeeping);
            turn_is_over =
                self.cpu.state.instructions >= self.turns.end() || lock(&self.bus).turn_is_over;
            match stop {
                Stop::Budget | Stop::Attention => {}
                Stop::Diverged => return End::Diverged,
                Stop::Halted if self.turns.are_taken() => turn_is_over = true,
                Stop::Halted => {
                    if let Some(end) = pacer.idle(self, watcher) {
                        return end;
                    }
                }
                Stop::Shutdown => {
                    watcher.triple_fault(self);
                    if pace.no_reboot {
                        return End::TripleFault;
                    }
                    // The chipset answers a shutdown with INIT#.
                    if let Err(error) = self.restart(ResetKind::Processor) {
                        return End::Build(error);
                    }
                }
            }
        }
    }

    /// What the guest asked the machine for.
    fn requests(&mut self, pace: &Pace) -> Option<End> {
        let has_signals = {
            let mut bus = lock(&self.bus);
            bus.attention = false;
            bus.board.has_signals()
        };
        if has_signals {
            self.deliver_signals();
        }
        let (status, power_off, reset) = {
            let mut bus = lock(&self.bus);
            let board = &mut bus.board;
            if !board.has_request() {
                return None;
            }
            let reset = board.system.take_reset_request();
            (board.exit.take(), board.power_off.take(), reset)
        };
        if let Some(status) = status {
            return Some(End::Status(status));
        }
        if power_off {
            return Some(End::PowerOff);
        }
        if let Err(error) = self.follow_sleep() {
            return Some(End::Build(error));
        }
        let kind = reset?;
        if pace.no_reboot {
            return Some(End::Reset);
        }
        self.restart(kind).err().map(End::Build)
    }

    /// What a reset that the guest asked for resets. Where firmware decides what
    /// to do then, INIT# of the processors leaves chips and memory alone; a kernel
    /// without firmware begins anew. So does a system that uses x2APIC mode: INIT
    /// would leave that on, and SeaBIOS would look for the APIC in vain.
    fn restart(&mut self, kind: ResetKind) -> Result<(), BuildError> {
        let is_soft = kind == ResetKind::Processor && matches!(self.boot, Boot::Rom(_));
        if !is_soft || lock(&self.bus).board.uses_x2apic() {
            return self.reset();
        }
        self.give_turn(0);
        lock(&self.bus).board.assert_init();
        self.deliver_signals();
        Ok(())
    }
}

/// What comes to processors besides ordinary interrupts.
impl Machine {
    fn deliver_signals(&mut self) {
        for number in 0..usize::from(self.processors()) {
            let signals = lock(&self.bus).board.take_signals(number);
            if signals.init {
                self.init_processor(number);
            }
            let Some(cpu) = self.processor(number) else {
                continue;
            };
            if signals.nmi {
                cpu.assert_nmi();
            }
            if signals.smi {
                cpu.assert_smi();
            }
            if let Some(page) = signals.start_up {
                cpu.start_up(page);
            }
        }
    }
}

impl Machine {
    /// INIT: the bootstrap processor begins at the reset vector, where firmware
    /// is if there is any; the others wait to be started.
    fn init_processor(&mut self, number: usize) {
        let is_bootstrap = number == 0;
        {
            let mut bus = lock(&self.bus);
            bus.leave_smm(number);
            if is_bootstrap && matches!(self.boot, Boot::Image(_)) {
                bus.board.system.request_reset(ResetKind::Processor);
            }
            if is_bootstrap {
                bus.board.enter_virtual_wire_mode();
            }
        }
        if let Some(cpu) = self.processor(number) {
            cpu.init();
            if !is_bootstrap {
                cpu.wait_for_start_up();
            }
        }
    }
}

/// Keeps guest time and host time together.
struct Pacer<'a> {
    pace: &'a Pace,
    host: HostClock,
    /// Instructions retired and host time at the last look.
    last: (u64, u64),
    /// Input that came while the guest could not be told.
    input: Vec<u8>,
    /// Pictures that were asked for.
    screenshots: usize,
    /// How many instructions the next slice has, in real time.
    slice: u64,
    /// Where it is told what this thread does.
    whereabouts: Whereabouts,
    /// The guest, when it last asked for keys as if it waited.
    scene: Scene,
    /// When the machine fell asleep, if it has.
    asleep_since: Option<Time>,
}

/// The slice after one in which so many instructions ran in so many nanoseconds.
fn next_slice(slice: u64, ran: u64, took_ns: u64) -> u64 {
    if took_ns > SLICE_NS {
        let fitting = u128::from(ran) * u128::from(SLICE_NS) / u128::from(took_ns);
        // At most what ran.
        (fitting as u64).clamp(SHORTEST_SLICE, REAL_SLICE)
    } else {
        slice.saturating_mul(2).min(REAL_SLICE)
    }
}

impl Pacer<'_> {
    /// A look at the host: its clock, its input, the limits.
    fn look(&mut self, machine: &mut Machine) -> Option<End> {
        let instructions = machine.cpu.state.instructions;
        if self
            .pace
            .max_instructions
            .is_some_and(|most| instructions >= most)
        {
            return Some(End::Instructions);
        }
        let now_ns = self.host.now_ns();
        if self
            .pace
            .timeout
            .is_some_and(|limit| u128::from(now_ns) >= limit.as_nanos())
        {
            return Some(End::Timeout);
        }
        if self.pace.inbox.has_news() {
            let arrivals = self.pace.inbox.take();
            if let Some(failure) = arrivals.failure {
                return Some(End::Host(failure));
            }
            if let Some(quit) = arrivals.quit {
                return Some(End::Quit(quit));
            }
            self.input.extend(arrivals.input);
            self.screenshots += arrivals.screenshots;
            if arrivals.power_button {
                lock(&machine.bus).board.press_power_button();
            }
            for gesture in arrivals.gestures {
                log::trace!("{gesture:?} at instruction {instructions}");
                machine.admit(gesture);
            }
        }
        let mut bus = lock(&machine.bus);
        if self.pace.clock == ClockSource::Real {
            let (last_instructions, last_ns) = self.last;
            let ran = instructions - last_instructions;
            self.slice = next_slice(self.slice, ran, now_ns - last_ns);
            bus.clock
                .steer(instructions, Time(now_ns), ran, now_ns - last_ns);
        }
        if bus.board.sleep.sleep().is_some() && !self.input.is_empty() {
            // Whoever types wakes the machine; the guest does not see that.
            self.input.clear();
            bus.board.press_power_button();
        }
        if let Some(door) = self.pace.door.as_ref().filter(|_| !self.input.is_empty()) {
            // The one door: what comes in is known by the instruction count here.
            log::trace!(
                "{} bytes of input at instruction {instructions}",
                self.input.len()
            );
            door.admit(&self.input);
            self.input.clear();
        }
        bus.advance(instructions);
        // Moving a megabyte for a disk is not running: it must not count as slowness either.
        self.last = (instructions, self.host.now_ns());
        None
    }

    /// Lets the watcher look.
    fn call(&mut self, machine: &mut Machine, watcher: &mut dyn Watcher) -> Option<End> {
        for _ in 0..std::mem::take(&mut self.screenshots) {
            watcher.screenshot(machine);
        }
        watcher.look(machine, self.host.now_ns())
    }

    /// Up to which count the processor may run without another look.
    fn slice_end(&self, machine: &mut Machine, next_look: Option<Time>) -> u64 {
        let instructions = machine.cpu.state.instructions;
        let mut bus = lock(&machine.bus);
        let slice = match self.pace.clock {
            ClockSource::Real => self.slice,
            ClockSource::Virtual => VIRTUAL_SLICE,
        };
        let mut until = instructions.saturating_add(slice);
        if machine.turns.are_taken() {
            until = until.min(machine.turns.end());
        }
        let deadline = bus.next_deadline().into_iter().chain(next_look).min();
        if let Some(deadline) = deadline {
            until = until.min(bus.clock.instructions_at(deadline));
        }
        let most = self.pace.max_instructions.unwrap_or(u64::MAX);
        let until = until.min(most).max(instructions + 1);
        bus.begin_slice(until);
        until
    }

    /// The processor waits for an interrupt: so do we.
    fn idle(&mut self, machine: &mut Machine, watcher: &dyn Watcher) -> Option<End> {
        if !machine.can_be_woken() && !watcher.keeps_halted() {
            return Some(End::Halted);
        }
        self.wait(machine, watcher);
        None
    }

    /// The guest waits for a key and cannot say so: sleeps a little, if it was not interrupted already.
    fn rests(&mut self, machine: &mut Machine, watcher: &dyn Watcher) -> bool {
        let may_rest = {
            let mut bus = lock(&machine.bus);
            bus.idle.take() && !bus.board.interrupt_pending()
        };
        if !may_rest || self.pace.clock != ClockSource::Real || machine.turns.are_taken() {
            return false;
        }
        let memory = machine.memory().clone();
        let rests = self.scene.is_unchanged(&machine.cpu.state, &memory);
        lock(&machine.bus).idle.looked(rests);
        if rests {
            self.wait(machine, watcher);
        }
        rests
    }

    /// Lets time pass up to the next deadline or arrival.
    fn wait(&mut self, machine: &mut Machine, watcher: &dyn Watcher) {
        let deadline = lock(&machine.bus).next_deadline();
        self.wait_until(machine, watcher, deadline);
    }

    /// The same with a deadline of the chips that is known.
    fn wait_until(&mut self, machine: &mut Machine, watcher: &dyn Watcher, deadline: Option<Time>) {
        let instructions = machine.cpu.state.instructions;
        let deadline = {
            let mut bus = lock(&machine.bus);
            let deadline = deadline.into_iter().chain(watcher.next_look()).min();
            let now = bus.clock.now(instructions);
            match (self.pace.clock, deadline) {
                (ClockSource::Virtual, Some(deadline)) => {
                    bus.clock.skip_to(instructions, deadline);
                    return;
                }
                (ClockSource::Real, Some(deadline)) if deadline <= now => return,
                (ClockSource::Real, Some(deadline))
                    if deadline.0 <= self.host.now_ns().saturating_add(AHEAD_NS) =>
                {
                    bus.clock.skip_to(instructions, deadline);
                    return;
                }
                _ => deadline,
            }
        };
        let wake = deadline.and_then(|time| self.host.instant_at(time.0));
        let limit = self.pace.timeout.and_then(|limit| {
            u64::try_from(limit.as_nanos())
                .ok()
                .and_then(|ns| self.host.instant_at(ns))
        });
        let look = watcher.next_host_look();
        let look = look.and_then(|ns| self.host.instant_at(ns));
        let until: Option<Instant> = [wake, limit, look].into_iter().flatten().min();
        self.whereabouts.set(Doing::Sleeping);
        self.pace.inbox.wait_until(until);
        self.whereabouts.set(Doing::Housekeeping);
        // Sleeping is not running: it must not count as slowness.
        self.last = (instructions, self.host.now_ns());
    }
}

#[cfg(test)]
mod tests {
    use super::{REAL_SLICE, SHORTEST_SLICE, next_slice};

    #[test]
    fn slices_are_as_long_as_the_host_can_wait() {
        assert_eq!(next_slice(REAL_SLICE, REAL_SLICE, 1_000_000), REAL_SLICE);
        assert_eq!(next_slice(REAL_SLICE, 100_000, 40_000_000), 10_000);
        assert_eq!(next_slice(10_000, 10_000, 2_000_000), 20_000);
        assert_eq!(next_slice(600, 10, 1 << 40), SHORTEST_SLICE);
    }
}
