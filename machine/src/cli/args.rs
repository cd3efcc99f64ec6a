//! The arguments as clap reads them, and the help text.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser};
use rax_cpu::Topology;
use rax_jit::lockstep::SLICE;
use rax_jit::passes::Selection;

use super::DisplayOption;
use super::adapters::AdapterArguments;
use super::media::MediaArguments;
use super::screen::{Order, ScreenArguments};
use crate::handover::smbios::SmbiosString;

use super::values;
use super::verify::VerifyArguments;
use super::{
    BiosOption, ClockSource, DumpOptions, DumpSource, Engine, RunOptions, SerialOption, Stop,
};

/// COM1 to COM4.
const MAX_SERIAL_PORTS: usize = 4;

/// An x86-64 PC in software.
#[derive(Debug, Parser)]
#[command(
    name = "rax",
    version,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(
    after_help = "Example: 'rax run' boots the embedded test ROM, with no file and no network."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Subcommand,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Subcommand {
    /// Run a machine until its guest powers off
    Run(Box<RunArguments>),
    /// Show what the compiler makes of guest code
    JitDump(DumpArguments),
    /// Hold rax's processor against this host's
    Verify(Box<VerifyArguments>),
}

#[derive(Debug, Args)]
#[command(after_help = DUMP_AFTER_HELP)]
pub(super) struct DumpArguments {
    /// A file of code: an ELF file with --symbol or --range, else all of it as it is
    #[arg(
        value_name = "FILE",
        required_unless_present = "hex",
        conflicts_with = "hex"
    )]
    file: Option<PathBuf>,
    /// The code itself, as hexadecimal digits
    #[arg(long, value_name = "BYTES", value_parser = values::hex)]
    hex: Option<values::Bytes>,
    /// The function of this name in an ELF file
    #[arg(long, value_name = "NAME", requires = "file", conflicts_with = "range")]
    symbol: Option<String>,
    /// These addresses of an ELF file, the last one excluded
    #[arg(long, value_name = "START-END", requires = "file", value_parser = values::range)]
    range: Option<std::ops::Range<u64>>,
    /// 16, 32 or 64; an ELF file says it itself, anything else is taken to be 64
    #[arg(long, value_name = "N", value_parser = values::bits)]
    bits: Option<u32>,
    /// Where the code believes to be, if no ELF file says it
    #[arg(long, value_name = "ADDRESS", default_value = "0", value_parser = values::address, conflicts_with_all = ["symbol", "range"])]
    address: u64,
    /// Passes that run: all, none, names with commas between, or -NAME for all but one
    #[arg(
        long,
        value_name = "LIST",
        default_value = "all",
        allow_hyphen_values = true
    )]
    passes: Selection,
}

const DUMP_AFTER_HELP: &str = "\
Shows for each block: the guest's instructions, the IR before and after the passes, the host's
code where there is a back end, and counts.

Examples:
  rax jit-dump --hex '48 01 d8 0f 92 c0'
  rax jit-dump vmlinux --symbol memcpy
  rax jit-dump /usr/bin/true --range 0x2000-0x2040 --passes -flags
  rax jit-dump boot.bin --bits 16 --address 0x7c00";

impl DumpArguments {
    /// The options, checked against each other.
    pub(super) fn into_options(self) -> Result<DumpOptions, Stop> {
        let source = match (self.hex, self.file, self.symbol, self.range) {
            (Some(values::Bytes(bytes)), ..) => DumpSource::Bytes(bytes),
            (None, Some(file), Some(symbol), _) => DumpSource::Symbol(file, symbol),
            (None, Some(file), None, Some(range)) => DumpSource::Range(file, range),
            (None, Some(file), None, None) => DumpSource::Raw(file),
            (None, None, ..) => return Err(Stop::usage("give a file, or --hex")),
        };
        Ok(DumpOptions {
            source,
            bits: self.bits,
            address: self.address,
            passes: self.passes,
        })
    }
}

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct RunArguments {
    /// Kernel to boot: Linux bzImage, ELF with a PVH note, or multiboot 1
    #[arg(long, value_name = "FILE", help_heading = "Boot")]
    kernel: Option<PathBuf>,
    /// Initial RAM disk, or a multiboot module with its arguments; may be repeated
    #[arg(
        long,
        value_name = "FILE [ARGS]",
        requires = "kernel",
        help_heading = "Boot"
    )]
    initrd: Vec<String>,
    /// The kernel's command line
    #[arg(
        long,
        value_name = "STR",
        requires = "kernel",
        allow_hyphen_values = true,
        help_heading = "Boot"
    )]
    append: Option<String>,
    /// Firmware to boot from the reset vector: an image, rax's own, or the host's SeaBIOS
    #[arg(
        long,
        value_name = "FILE|builtin|seabios",
        conflicts_with = "kernel",
        value_parser = values::bios,
        help_heading = "Boot"
    )]
    bios: Option<BiosOption>,
    /// Flash memory in which UEFI firmware keeps its variables, such as a copy of OVMF_VARS.fd; without it they are
    /// forgotten at the end
    #[arg(long, value_name = "FILE", requires = "bios", help_heading = "Boot")]
    flash_vars: Option<PathBuf>,
    /// A guest reset ends the run
    #[arg(long, help_heading = "Boot")]
    no_reboot: bool,

    /// RAM, in K, M (also without a letter) or G
    #[arg(long, value_name = "SIZE", default_value = "512M", allow_negative_numbers = true, value_parser = values::memory, help_heading = "Machine")]
    memory: u64,
    /// Processor model
    #[arg(long, value_name = "MODEL", help_heading = "Machine")]
    cpu: String,
    /// Processors, 1 to 64, which run in turns; sockets=N,cores=N,threads=N divides them
    #[arg(long, value_name = "N", default_value = "1", allow_negative_numbers = true, value_parser = values::processors, help_heading = "Machine")]
    cpus: Topology,
    /// Set a string of the SMBIOS tables, such as type1-manufacturer=Example; may be repeated
    #[arg(
        long,
        value_name = "TYPE-NAME=VALUE",
        value_parser = values::smbios,
        help_heading = "Machine"
    )]
    smbios: Vec<SmbiosString>,
    /// What COM1 is connected to; repeated for COM2 to COM4 [default: stdio, or none with --display terminal]
    #[arg(
        long,
        value_name = "stdio|file:PATH|none",
        value_parser = values::serial,
        help_heading = "Machine"
    )]
    serial: Vec<SerialOption>,
    /// Write what the guest sends to the debug console, ports 402h and E9h, to a file
    #[arg(long, value_name = "PATH", help_heading = "Machine")]
    debugcon: Option<PathBuf>,
    /// A write of V to this port ends the run with exit code V * 2 + 1
    #[arg(long, value_name = "PORT", value_parser = values::port, help_heading = "Machine")]
    debug_exit: Option<u16>,

    #[command(flatten)]
    adapters: AdapterArguments,
    #[command(flatten)]
    media: MediaArguments,
    #[command(flatten)]
    screen: ScreenArguments,

    /// What carries out the instructions [default: jit where this host can, else interp]
    #[arg(
        long,
        value_enum,
        hide_possible_values = true,
        value_name = "interp|jit|lockstep",
        help_heading = "Run"
    )]
    engine: Option<Engine>,
    /// With --engine lockstep, how many instructions run between two comparisons
    #[arg(long, value_name = "N", default_value_t = SLICE, allow_negative_numbers = true, value_parser = values::count, help_heading = "Run")]
    lockstep_slice: u64,
    /// The most host code that the compiler keeps, in K, M (also without a letter) or G
    #[arg(long, value_name = "SIZE", default_value = "64M", allow_negative_numbers = true, value_parser = values::jit_cache, help_heading = "Run")]
    jit_cache: usize,
    /// Guest time follows the host's clock, or the instructions: then a run repeats bit for bit
    #[arg(
        long,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "real|virtual",
        help_heading = "Run"
    )]
    clock: ClockSource,
    /// What the numbers of RDRAND and RDSEED follow from [default: the host's entropy, or 0 with --clock virtual]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = values::number, help_heading = "Run")]
    seed: Option<u64>,
    /// End the run after this time of the host: 20 (seconds), 0.5, 90s, 10m
    #[arg(long, value_name = "TIME", allow_negative_numbers = true, value_parser = values::time, help_heading = "Run")]
    timeout: Option<Duration>,
    /// End the run after this many instructions; an idle guest of real time retires none
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = values::count, help_heading = "Run")]
    max_instructions: Option<u64>,
    /// Print statistics at the end, to standard error
    #[arg(long, help_heading = "Run")]
    stats: bool,
    /// Write each instruction to a file
    #[arg(long, value_name = "FILE", help_heading = "Run")]
    trace: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
Without --kernel, --bios and media, the embedded test ROM checks the machine and offers a small monitor.
With --disk, --cdrom or --floppy alone, rax's own BIOS boots it.
The guest's serial line is this terminal; Ctrl-A X ends the run, Ctrl-A H lists the keys.
In a window, a click gives the mouse to the guest, and Ctrl-Alt- begins a command: G takes the mouse back, F fills
the screen, S saves a picture, D sends Ctrl-Alt-Del. Closing the window ends the run.
--wait-text, --type, --send and --script end the run with exit code 0 when all steps are done and the last one waited or
--script was given; with 124 if what they wait for does not come.

Examples:
  rax run
  rax run --kernel vmlinuz --initrd initrd.img --append 'console=ttyS0'
  rax run --floppy freedos.img,snapshot
  rax run --disk disk.qcow2 --cdrom install.iso --boot cdrom,disk
  rax run --memory 1G --disk disk.img,snapshot --kernel vmlinuz --append root=/dev/sda
  rax run --kernel xen --initrd 'vmlinuz console=hvc0' --initrd initrd.img
  rax run --clock virtual --serial file:boot.log --timeout 60 --no-reboot --kernel vmlinuz

Exit codes:
  0    the guest powered off (or reset, with --no-reboot), or sleeps and nothing can wake it; or Ctrl-A X, or the
       window was closed
  1    the host failed us
  2    wrong usage or bad input
  3    triple fault, with --no-reboot
  4    the engines came to different states, with --engine lockstep
  124  the time or the instructions were used up, or an awaited text did not come
  else the guest's debug-exit status";

impl RunArguments {
    /// The options, checked against each other.
    pub(super) fn into_options(
        self,
        cpu_models: &[&str],
        order: &Order,
    ) -> Result<RunOptions, Stop> {
        if !cpu_models.contains(&self.cpu.as_str()) {
            let known = cpu_models.join(", ");
            return Err(Stop::usage(format_args!(
                "unknown processor '{}' after --cpu; known are {known}",
                self.cpu
            )));
        }
        if self.cpus.count() > 1 && self.engine == Some(Engine::Lockstep) {
            return Err(Stop::usage(
                "--engine lockstep compares one processor; give --cpus 1",
            ));
        }
        if self.serial.len() > MAX_SERIAL_PORTS {
            let text = format_args!(
                "the machine has {MAX_SERIAL_PORTS} serial ports; give --serial less often"
            );
            return Err(Stop::usage(text));
        }
        let screen = self.screen.into_options(order)?;
        let has_terminal = screen.display == DisplayOption::Terminal;
        if has_terminal && self.serial.contains(&SerialOption::Stdio) {
            return Err(Stop::usage(
                "--display terminal has the terminal; connect --serial to file:PATH or none",
            ));
        }
        let serial = match self.serial {
            given if !given.is_empty() => given,
            _ if has_terminal => vec![SerialOption::None],
            _ => vec![SerialOption::Stdio],
        };
        if serial
            .iter()
            .filter(|serial| **serial == SerialOption::Stdio)
            .count()
            > 1
        {
            return Err(Stop::usage(
                "only one --serial can be stdio; connect the others to file:PATH or none",
            ));
        }
        let (parallel, network) = self.adapters.into_options()?;
        Ok(RunOptions {
            kernel: self.kernel,
            bios: self.bios,
            flash_vars: self.flash_vars,
            initrds: self.initrd,
            append: self.append.unwrap_or_default(),
            memory_bytes: self.memory,
            media: self.media.into_options()?,
            screen,
            serial,
            parallel,
            network,
            debugcon: self.debugcon,
            cpu: self.cpu,
            cpus: self.cpus,
            smbios: self.smbios,
            engine: self.engine,
            clock: self.clock,
            seed: self.seed,
            debug_exit: self.debug_exit,
            timeout: self.timeout,
            max_instructions: self.max_instructions,
            no_reboot: self.no_reboot,
            stats: self.stats,
            trace: self.trace,
            lockstep_slice: self.lockstep_slice,
            jit_cache_bytes: self.jit_cache,
        })
    }
}
