//! Everybody who looks on while `rax run` runs a machine, as one [`Watcher`].

use std::path::PathBuf;

use rax_devices::Time;

use crate::automation::Automation;
use crate::host::ScreenFeed;
use crate::machine::Machine;
use crate::run::{End, Watcher};
use crate::screenshot;
use crate::watch::Trace;

/// The trace, the script and the displays.
#[derive(Default)]
pub struct Onlookers {
    /// Writes down instructions and triple faults.
    pub trace: Trace,
    /// Waits, types and takes pictures.
    pub script: Option<Automation>,
    /// Shows the screen to displays.
    pub feed: Option<ScreenFeed>,
}

impl Watcher for Onlookers {
    fn before(&mut self, machine: &Machine) {
        self.trace.before(machine);
    }

    fn triple_fault(&mut self, machine: &Machine) {
        self.trace.triple_fault(machine);
    }

    fn single_steps(&self) -> bool {
        self.trace.single_steps()
    }

    fn keeps_halted(&self) -> bool {
        let awaits = |script: &Automation| script.awaited().is_some();
        self.feed.is_some() && !self.script.as_ref().is_some_and(awaits)
    }

    fn has_keys(&self) -> bool {
        let presses = |script: &Automation| script.has_keys();
        self.feed.is_some() || self.script.as_ref().is_some_and(presses)
    }

    fn next_look(&self) -> Option<Time> {
        self.script.as_ref()?.next_look()
    }

    fn look(&mut self, machine: &mut Machine, host_ns: u64) -> Option<End> {
        if let Some(feed) = &mut self.feed {
            feed.look(machine, host_ns);
        }
        self.script.as_mut()?.look(machine, host_ns)
    }

    fn next_host_look(&self) -> Option<u64> {
        self.feed.as_ref()?.next_look()
    }

    fn last_look(&mut self, machine: &mut Machine) {
        if let Some(script) = &mut self.script {
            script.last_look(machine);
        }
    }

    fn screenshot(&mut self, machine: &Machine) {
        let Some(frame) = machine.frame() else {
            crate::say("the machine has no screen");
            return;
        };
        let path = free_name();
        match screenshot::save_png(&frame, &path) {
            Ok(()) => crate::say(&format!("the screen is saved in '{}'", path.display())),
            Err(error) => crate::say(&format!("cannot save '{}': {error}", path.display())),
        }
    }
}

/// A name in the present directory that no file has.
fn free_name() -> PathBuf {
    let names = (1..).map(|n: u32| PathBuf::from(format!("rax-{n}.png")));
    let mut free = names.filter(|path| !path.exists());
    free.next().unwrap_or_else(|| "rax.png".into())
}
