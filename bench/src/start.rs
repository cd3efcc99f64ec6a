//! How long a machine takes to start: to the first instruction of a guest and
//! to a shell; and what an idle one costs in memory.

use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::engine::{Boot, Engine, Kit};
use crate::error::BenchError;
use crate::process::{Taken, Watched, resident_kib};

/// One measurement; what could not be measured is missing.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Start {
    /// From starting the process to the first byte of the smallest guest.
    pub(crate) first_instruction: Option<Taken>,
    /// From starting the process to the prompt of the cloud kernel's shell.
    pub(crate) shell: Option<Taken>,
    /// Resident memory, of 1 GiB for the guest, a while after the prompt.
    pub(crate) idle_kib: Option<u64>,
}

const LIMIT: Duration = Duration::from_secs(180);
const IDLE: Duration = Duration::from_secs(3);

/// Measures one engine once.
pub(crate) fn measure(kit: &Kit, engine: Engine) -> Result<Start, BenchError> {
    let begin = Instant::now();
    let watched = Watched::new(kit.start(engine, Boot::Start)?, b"!");
    let first_instruction = wait_for(&watched, begin, "!");
    drop(watched);
    let initrd = kit.guests.join("initrd-amd64.img");
    let boot = Boot::Linux {
        initrd: &initrd,
        append: "console=ttyS0",
    };
    let begin = Instant::now();
    let watched = Watched::new(kit.start(engine, boot)?, b"/ # ");
    let shell = wait_for(&watched, begin, "/ #");
    if shell.is_some() {
        thread::sleep(IDLE);
    }
    Ok(Start {
        first_instruction,
        shell,
        idle_kib: shell.and_then(|_| resident_kib(watched.id())),
    })
}

/// How long after `begin` a line came that ends with `wanted`.
fn wait_for(watched: &Watched, begin: Instant, wanted: &str) -> Option<Taken> {
    while let Ok((moment, line)) = watched.line(begin + LIMIT) {
        if line.ends_with(wanted) {
            return Some(Taken {
                wall: moment.at - begin,
                cpu: moment.cpu,
            });
        }
    }
    None
}
