//! The three that carry out the programs, and their command lines.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::error::BenchError;

/// Who carries out the programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Engine {
    Rax,
    Qemu,
    Native,
}

impl Engine {
    pub(crate) const ALL: [Self; 3] = [Self::Qemu, Self::Rax, Self::Native];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rax => "rax",
            Self::Qemu => "QEMU",
            Self::Native => "native",
        }
    }
}

/// Where everything is.
#[derive(Debug)]
pub(crate) struct Kit {
    /// The `rax` command.
    pub(crate) rax: PathBuf,
    /// Arguments for `rax run` besides those of the benchmark.
    pub(crate) rax_arguments: Vec<String>,
    pub(crate) qemu: PathBuf,
    /// What `guests/fetch` made.
    pub(crate) guests: PathBuf,
    /// What `bench/kit` made.
    pub(crate) bench: PathBuf,
}

/// What a machine boots.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Boot<'a> {
    /// The cloud kernel with an initramfs and a command line.
    Linux { initrd: &'a Path, append: &'a str },
    /// The smallest guest of the kit.
    Start,
}

const MEMORY: &str = "1G";

impl Kit {
    /// Starts a machine whose serial line is the child's standard output.
    pub(crate) fn start(&self, engine: Engine, boot: Boot<'_>) -> Result<Child, BenchError> {
        let command = match engine {
            Engine::Rax => self.rax(boot),
            Engine::Qemu => self.qemu(boot),
            Engine::Native => self.native(),
        };
        self.spawn(command, engine)
    }

    /// Where an engine's own messages go.
    pub(crate) fn log(&self, engine: Engine) -> PathBuf {
        self.bench.join(format!("{}.log", engine.name()))
    }

    fn rax(&self, boot: Boot<'_>) -> Command {
        let mut command = Command::new(&self.rax);
        command.args(["run", "--no-reboot", "--memory", MEMORY]);
        command.args(&self.rax_arguments);
        match boot {
            Boot::Linux { initrd, append } => {
                command.arg("--kernel").arg(self.kernel());
                command.arg("--initrd").arg(initrd);
                command.args(["--append", append]);
            }
            Boot::Start => {
                command
                    .arg("--kernel")
                    .arg(self.bench.join("start/kernel.elf"));
            }
        }
        command
    }

    fn qemu(&self, boot: Boot<'_>) -> Command {
        let mut command = Command::new(&self.qemu);
        command.args(["-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", MEMORY]);
        command.args(["-nodefaults", "-no-user-config", "-no-reboot"]);
        command.args(["-display", "none", "-serial", "stdio"]);
        match boot {
            Boot::Linux { initrd, append } => {
                command.arg("-kernel").arg(self.kernel());
                command.arg("-initrd").arg(initrd);
                command.args(["-append", append]);
            }
            Boot::Start => {
                command.arg("-bios").arg(self.bench.join("start/bios.bin"));
            }
        }
        command
    }

    fn native(&self) -> Command {
        let root = self.bench.join("root");
        let mut command = Command::new(root.join("bench/runner"));
        command.arg("--native").arg(root);
        command
    }

    fn kernel(&self) -> PathBuf {
        self.guests.join("vmlinuz-cloud-amd64")
    }

    fn spawn(&self, mut command: Command, engine: Engine) -> Result<Child, BenchError> {
        let path = self.log(engine);
        let log = File::create(&path).map_err(BenchError::at(&path))?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        command.spawn().map_err(|source| BenchError::CannotRun {
            program: command.get_program().to_string_lossy().into_owned(),
            advice: match engine {
                Engine::Qemu => {
                    "install it (apt-get install qemu-system-x86) or leave it out with --on rax,native"
                }
                Engine::Rax => "--rax FILE names the rax command",
                Engine::Native => "run bench/kit again or leave it out with --on rax,qemu",
            },
            source,
        })
    }
}
