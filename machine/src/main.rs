//! The `rax` command.

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use rax_cpu::{Interpreter, Model};
use rax_devices::host_end::SECTOR_BYTES;
use rax_devices::{Console, Flash, Loopback, Network, Unplugged};
use rax_jit::lockstep::{Lockstep, MakeEngine, Verdict};
use rax_jit::{Jit, Report, Statistics, Unavailable};
use rax_machine::automation::{Automation, ScriptFailure, SerialTap};
use rax_machine::cli::{
    self, BiosOption, Cable, ClockSource, Command, DisplayOption, DumpOptions, Engine,
    ParallelOption, RunOptions, SerialOption, VgaModel,
};
use rax_machine::host::{
    Access, FinishOutput, HostClock, HostError, ImageError, ImageFormat, ImageOptions,
    ImageProblem, Inbox, InputDoor, Medium, Quit, RawMode, Screen, ScreenFeed, SilentConsole,
    StdioConsole, TerminalDisplay, VncServer, WindowDisplay, file_console, file_sink,
    handle_signals, message, open_image, outlive_file_limits, read_stdin,
};
use rax_machine::load::{self, BootRequest, InputFile, LoadError, Module, Role};
use rax_machine::onlookers::Onlookers;
use rax_machine::screenshot;
use rax_machine::verify::{VerifyError, verify};
use rax_machine::watch::Trace;
use rax_machine::{
    Boot, BuildError, Config, End, Fittings, Machine, NetworkAdapter, Pace, jit_dump, media,
    memory_map, stats,
};
use rax_mmu::HostRamError;

/// The start of virtual time's calendar: 2024-01-01, so that a run repeats on any day.
const VIRTUAL_START: i64 = 1_704_067_200;

/// What a processor's compiled code takes at least.
const LEAST_JIT_CACHE: usize = 256 << 10;

/// Why a run could not start.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error("--engine lockstep needs three times the guest's memory; try a smaller --memory")]
    Lockstep(#[source] HostRamError),
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error(transparent)]
    Script(#[from] ScriptFailure),
    #[error("cannot write the trace to '{path}'; check the path after --trace")]
    Trace {
        path: String,
        #[source]
        source: std::io::Error,
    },
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Host(error) => error.exit_code(),
            Self::Verify(error) => error.exit_code(),
            Self::Load(_)
            | Self::Script(_)
            | Self::Build(_)
            | Self::Lockstep(_)
            | Self::Trace { .. } => 2,
        }
    }
}

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn"))
        .format(|_, record| {
            message(&format!("{}", record.args()));
            Ok(())
        })
        .init();
    // The last model has everything; it is the default, which is named first.
    let mut models: Vec<_> = Model::names().collect();
    models.reverse();
    let command = match cli::parse(&models) {
        Ok(command) => command,
        Err(stop) => {
            use std::io::Write;
            let text = stop.text.trim_end();
            // Nobody to tell if even this fails.
            let _ = if stop.code == 0 {
                writeln!(std::io::stdout(), "{text}")
            } else {
                writeln!(std::io::stderr(), "{text}")
            };
            return ExitCode::from(stop.code);
        }
    };
    let result = match &command {
        Command::Run(options) => run(options),
        Command::JitDump(options) => return show(options),
        Command::Verify(options) => {
            if std::env::var_os("RUST_LOG").is_none() {
                // Undefined opcodes are what it is about, and no news.
                log::set_max_level(log::LevelFilter::Error);
            }
            verify(options).map_err(Failure::from)
        }
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            message(&chain(&failure));
            ExitCode::from(failure.exit_code())
        }
    }
}

/// `rax jit-dump`
fn show(options: &DumpOptions) -> ExitCode {
    use std::io::Write;
    match jit_dump::text(options) {
        Ok(text) => {
            // A reader that has seen enough is no failure.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            message(&chain(&error));
            ExitCode::from(2)
        }
    }
}

/// An error and what caused it, in one line, unless the error says that itself.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

/// Everything on the host's side that lives as long as the run.
#[derive(Default)]
struct HostEnds {
    inbox: Inbox,
    door: Option<InputDoor>,
    /// Hears what the serial ports send.
    serial: SerialTap,
    /// What the displays show.
    screen: Option<Screen>,
    outputs: Vec<FinishOutput>,
    uses_stdio: bool,
}

fn run(options: &RunOptions) -> Result<u8, Failure> {
    outlive_file_limits()?;
    let model = Model::named(&options.cpu).unwrap_or_default();
    let mut boot = boot(options, &model)?;
    let mut ends = HostEnds::default();
    let mut fittings = fittings(options, &mut ends)?;
    if let Boot::Rom(image) = &mut boot {
        fittings.flash = flash(options, image)?;
    }
    let mut machine = Machine::new(Config {
        ram: options.memory_bytes,
        model,
        boot,
        fittings,
    })?;
    let (verdict, reports) = set_engine(options, &mut machine)?;
    let mut displays = displays(options, &mut ends)?;
    let mut onlookers = onlookers(options, &ends)?;

    handle_signals(&ends.inbox)?;
    let raw = if ends.uses_stdio {
        RawMode::enter()?
    } else {
        None
    };
    if ends.uses_stdio {
        read_stdin(&ends.inbox)?;
    }
    let pace = Pace {
        clock: options.clock,
        timeout: options.timeout,
        max_instructions: options.max_instructions,
        no_reboot: options.no_reboot,
        inbox: ends.inbox,
        door: ends.door,
    };
    let sampler = options
        .stats
        .then(|| stats::Sampler::start(machine.whereabouts()))
        .transpose()?;
    if options.stats {
        machine.cpu.statistics.carried_out.begin();
    }
    let start = Instant::now();
    let end = match displays.window.take() {
        None => machine.run(&pace, &mut onlookers),
        Some(window) => window.show(|| machine.run(&pace, &mut onlookers))?,
    };
    let elapsed = start.elapsed();
    // Whatever the guest wrote is out before anything is said.
    drop(ends.outputs);
    drop(displays);
    drop(raw);
    if options.stats {
        let mut text = stats::text(&machine, elapsed);
        text.push_str(&sampler.map(stats::Sampler::finish).unwrap_or_default());
        if !reports.is_empty() {
            let mut all = Statistics::default();
            reports.iter().for_each(|report| all += report.get());
            text.push_str(&stats::compiler(&machine, &all));
        }
        message(&format!("statistics\n{text}"));
    }
    if let Err(source) = std::mem::take(&mut onlookers.trace).finish() {
        let path = options
            .trace
            .as_ref()
            .map_or(String::new(), |path| path.display().to_string());
        return Err(Failure::Trace { path, source });
    }
    if let Some(divergence) = verdict.divergence() {
        message(&divergence.to_string());
    }
    conclude(options, end, &machine, &onlookers)
}

/// Those who show the screen, for as long as the run lasts.
#[derive(Default)]
struct Displays {
    window: Option<WindowDisplay>,
    _terminal: Option<TerminalDisplay>,
    _vnc: Option<VncServer>,
}

/// Starts what `--display` asks for.
fn displays(options: &RunOptions, ends: &mut HostEnds) -> Result<Displays, Failure> {
    let mut displays = Displays::default();
    let screen = Screen::default();
    match &options.screen.display {
        DisplayOption::None => return Ok(displays),
        DisplayOption::Terminal => {
            displays._terminal = Some(TerminalDisplay::start(&screen, &ends.inbox)?);
        }
        DisplayOption::Window => {
            displays.window = Some(WindowDisplay::open(&screen, &ends.inbox)?);
        }
        DisplayOption::Vnc(vnc) => {
            let server = VncServer::start(vnc, &screen, &ends.inbox)?;
            message(&format!(
                "VNC clients find the screen at {}",
                server.address()
            ));
            displays._vnc = Some(server);
        }
    }
    ends.screen = Some(screen);
    Ok(displays)
}

/// Everybody who looks on.
fn onlookers(options: &RunOptions, ends: &HostEnds) -> Result<Onlookers, Failure> {
    let trace = match &options.trace {
        Some(path) => Trace::to_file(path).map_err(|source| Failure::Trace {
            path: path.display().to_string(),
            source,
        })?,
        None => Trace::default(),
    };
    let script = Automation::from_option(&options.screen.script, ends.serial.clone())?;
    if let Some(path) = &options.screen.screenshot {
        // Better now than after hours.
        std::fs::File::create(path).map_err(|source| HostError::OutputFile {
            path: path.clone(),
            option: "--screenshot",
            source,
        })?;
    }
    let feed = ends.screen.clone().map(ScreenFeed::new);
    Ok(Onlookers {
        trace,
        script,
        feed,
    })
}

/// The last picture, and what `rax` ends with.
fn conclude(
    options: &RunOptions,
    end: End,
    machine: &Machine,
    onlookers: &Onlookers,
) -> Result<u8, Failure> {
    if let Some(path) = &options.screen.screenshot {
        let frame = machine.frame().unwrap_or_default();
        screenshot::save_png(&frame, path).map_err(|source| HostError::OutputFile {
            path: path.clone(),
            option: "--screenshot",
            source,
        })?;
    }
    let has_failed = matches!(
        end,
        End::Host(_) | End::Build(_) | End::ScriptFailed(_) | End::Quit(_) | End::Diverged
    );
    let code = exit_code(end, machine.cpu.state.instructions);
    let awaited = onlookers.script.as_ref().and_then(Automation::awaited);
    Ok(match awaited.filter(|_| !has_failed) {
        Some(pattern) => {
            message(&format!("awaited, but not seen: {}", pattern.as_str()));
            124
        }
        None => code,
    })
}

/// How the room for compiled code is shared out: each processor has code of its own. How
/// much each gets, and how many get any.
fn jit_shares(bytes: usize, processors: usize) -> (usize, usize) {
    let compiling = processors.clamp(1, (bytes / LEAST_JIT_CACHE).max(1));
    // Rounded up, all of them together would take more.
    let share = bytes / compiling / (64 << 10) * (64 << 10);
    (share.max(LEAST_JIT_CACHE), compiling)
}

/// Gives the machine the engine that was asked for. The verdict on two engines side by
/// side, and what the compiler did, will be found in what is returned.
fn set_engine(
    options: &RunOptions,
    machine: &mut Machine,
) -> Result<(Verdict, Vec<Report>), Failure> {
    let (cache_bytes, mut compiling) =
        jit_shares(options.jit_cache_bytes, options.cpus.count() as usize);
    let compiler = rax_jit::Options {
        cache_bytes,
        ..rax_jit::Options::default()
    };
    if compiling < options.cpus.count() as usize {
        message(&format!(
            "--jit-cache has room for the code of {compiling} processors; the others interpret"
        ));
    }
    match options.engine {
        Some(Engine::Interp) => {}
        wanted @ (None | Some(Engine::Jit)) => match Jit::new(&machine.cpu, compiler) {
            Ok(jit) => {
                let mut reports = Vec::new();
                let mut first = Some(jit);
                let whereabouts = machine.whereabouts();
                machine.set_engines(|cpu| {
                    let jit = first.take().map_or_else(|| Jit::new(cpu, compiler), Ok);
                    let Some(mut jit) = jit.ok().filter(|_| compiling != 0) else {
                        return Box::new(Interpreter::new(cpu));
                    };
                    compiling -= 1;
                    if options.stats {
                        jit.count_accesses();
                    }
                    jit.tell(whereabouts.clone());
                    reports.push(jit.report());
                    Box::new(jit)
                });
                return Ok((Verdict::default(), reports));
            }
            // Where nothing can be compiled, nobody expects it.
            Err(Unavailable::NoBackEnd) if wanted.is_none() => {}
            Err(why) if wanted.is_none() => {
                message(&format!("{why}; interpreting, which is slower"));
            }
            Err(why) => message(&format!("--engine jit: {why}; interpreting instead")),
        },
        Some(Engine::Lockstep) => {
            if let Some(why) = Jit::new(&machine.cpu, compiler).err() {
                message(&format!(
                    "--engine lockstep: {why}; the interpreter is compared with itself"
                ));
            }
            let slice = options.lockstep_slice;
            // A slice ends each run of compiled code, and paths are to get hot all the same.
            let compiler = rax_jit::Options {
                interval: slice / 8,
                hot: 2,
                ..compiler
            };
            let reference: MakeEngine = Box::new(|cpu| Box::new(Interpreter::new(cpu)));
            let tested: MakeEngine = Box::new(move |cpu| match Jit::new(cpu, compiler) {
                Ok(jit) => Box::new(jit),
                Err(_) => Box::new(Interpreter::new(cpu)),
            });
            let lockstep = Lockstep::new(&mut machine.cpu, [reference, tested], slice)
                .map_err(Failure::Lockstep)?;
            let verdict = lockstep.verdict();
            machine.set_engine(Box::new(lockstep));
            return Ok((verdict, Vec::new()));
        }
    }
    Ok((Verdict::default(), Vec::new()))
}

/// What the machine starts with.
fn boot(options: &RunOptions, model: &Model) -> Result<Boot, Failure> {
    let Some(kernel) = &options.kernel else {
        return Ok(Boot::Rom(firmware(options)?));
    };
    let memory = options.memory_bytes;
    let kernel = InputFile::read(kernel, Role::Kernel, memory)?;
    let modules = options
        .initrds
        .iter()
        .map(|initrd| Module::read(initrd, memory))
        .collect::<Result<Vec<_>, _>>()?;
    let image = load::load(&BootRequest {
        kernel: &kernel,
        modules: &modules,
        command_line: &options.append,
        memory: &memory_map::ranges(memory),
        rsdp: memory_map::root_pointer(memory),
        has_vga: options.screen.vga == VgaModel::Std,
        has_long_mode: model.has_long_mode(),
    })?;
    Ok(Boot::Image(image))
}

/// The firmware that was named; else one that boots media, or the demonstration.
fn firmware(options: &RunOptions) -> Result<Vec<u8>, LoadError> {
    let boots_from_network = options.network.iter().any(|option| option.rom.is_some());
    let media = !options.media.is_empty() || boots_from_network;
    match &options.bios {
        Some(BiosOption::File(path)) => load::read_firmware(path),
        Some(BiosOption::SeaBios) => load::read_firmware(&load::find_seabios()?),
        Some(BiosOption::Builtin) => Ok(rax_firmware::system::image()),
        None if media => Ok(rax_firmware::system::image()),
        None => Ok(rax_test_roms::self_check()),
    }
}

/// The flash memory for the firmware's variables, which are taken out of its image.
fn flash(options: &RunOptions, image: &mut Vec<u8>) -> Result<Option<Flash>, Failure> {
    let (own, code) = load::split_variables(std::mem::take(image));
    *image = code;
    let Some(path) = &options.flash_vars else {
        return Ok((!own.is_empty()).then(|| Flash::new(own, None)));
    };
    let file = ImageOptions {
        format: Some(ImageFormat::Raw),
        ..ImageOptions::new(path, Access::ReadWrite)
    };
    let mut disk = open_image(Medium::Flash, &file).map_err(HostError::from)?;
    let bytes = disk.sectors().saturating_mul(SECTOR_BYTES as u64);
    load::check_variables(path, bytes, own.len() as u64, image.len() as u64)?;
    let mut contents = vec![0; bytes as usize];
    let read = disk.read(0, &mut contents);
    read.map_err(|reason| ImageError {
        medium: Medium::Flash,
        path: path.clone(),
        problem: ImageProblem::Unreadable(reason),
    })
    .map_err(HostError::from)?;
    Ok(Some(Flash::new(contents, Some(disk))))
}

/// What is plugged into the board, and the host's side of it.
fn fittings(options: &RunOptions, ends: &mut HostEnds) -> Result<Fittings, Failure> {
    let vga_bios = match &options.screen.vga_bios {
        Some(BiosOption::File(path)) => Some(load::vga_bios(path)?),
        Some(BiosOption::SeaBios) => Some(load::find_vga_bios()?),
        Some(BiosOption::Builtin) | None => load::default_vga_bios(),
    };
    let mut fittings = Fittings {
        debug_exit: options.debug_exit,
        processors: options.cpus.count() as u16,
        topology: Some(options.cpus),
        smbios: options.smbios.clone(),
        vga: options.screen.vga == VgaModel::Std,
        vga_bios,
        ..Fittings::default()
    };
    fittings.start_time = match options.clock {
        ClockSource::Real => i64::try_from(HostClock::unix_seconds()).unwrap_or(VIRTUAL_START),
        ClockSource::Virtual => VIRTUAL_START,
    };
    for serial in &options.serial {
        let console: Box<dyn Console> = match serial {
            SerialOption::Stdio => {
                let (console, door, finish) = StdioConsole::split(&ends.inbox)?;
                ends.door = Some(door);
                ends.outputs.push(finish);
                ends.uses_stdio = true;
                Box::new(console)
            }
            SerialOption::File(path) => {
                let (console, finish) = file_console(path, "--serial", &ends.inbox)?;
                ends.outputs.push(finish);
                Box::new(console)
            }
            SerialOption::None => Box::new(SilentConsole::default()),
        };
        fittings.serial.push(ends.serial.listen(console));
    }
    if let ParallelOption::File(path) = &options.parallel {
        let (sink, finish) = file_sink(path, "--parallel", &ends.inbox)?;
        ends.outputs.push(finish);
        fittings.printer = Some(Box::new(sink));
    }
    for option in &options.network {
        fittings.network.push(NetworkAdapter {
            model: option.model,
            address: option.address,
            rom: option.rom.as_deref().map(load::boot_rom).transpose()?,
            network: match option.cable {
                Cable::Unplugged => Box::new(Unplugged) as Box<dyn Network>,
                Cable::Loopback => Box::new(Loopback::default()),
            },
        });
    }
    media::plug(&options.media, &mut fittings).map_err(HostError::from)?;
    if let Some(path) = &options.debugcon {
        let (sink, finish) = file_sink(path, "--debugcon", &ends.inbox)?;
        ends.outputs.push(finish);
        fittings.debug_console = Some(Box::new(sink));
    }
    Ok(fittings)
}

/// What `rax` ends with; see `rax run --help`.
fn exit_code(end: End, instructions: u64) -> u8 {
    match end {
        End::PowerOff | End::Reset | End::Quit(Quit::Key | Quit::Window) | End::Scripted => 0,
        // As good as off, and often meant so; but it may be a guest that gave up.
        End::Halted => {
            message("the guest halted with interrupts off; nothing can wake it");
            0
        }
        End::Asleep => {
            message(
                "the guest put the machine to sleep; no alarm is set that wakes it, and no input comes",
            );
            0
        }
        End::TripleFault => 3,
        // What differs has been said.
        End::Diverged => 4,
        End::Status(status) => status as u8,
        End::ScriptFailed(failed) => {
            message(&failed.to_string());
            2
        }
        End::Timeout => {
            message(&format!(
                "the time is up, after {instructions} instructions"
            ));
            124
        }
        End::Instructions => {
            message(&format!(
                "stopped after {instructions} instructions, as --max-instructions says"
            ));
            124
        }
        End::Quit(Quit::Signal) => {
            message("ended by a signal");
            1
        }
        End::Host(error) => {
            message(&chain(&error));
            error.exit_code()
        }
        End::Build(error) => {
            message(&chain(&error));
            1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_share_the_room_for_compiled_code() {
        assert_eq!(jit_shares(64 << 20, 1), (64 << 20, 1));
        assert_eq!(jit_shares(64 << 20, 4), (16 << 20, 4));
        assert_eq!(jit_shares(256 << 10, 8), (256 << 10, 1));
        for (megabytes, processors) in [(1, 3), (1, 64), (16, 64), (64, 63), (7, 5)] {
            let (share, compiling) = jit_shares(megabytes << 20, processors);
            assert!(share * compiling <= megabytes << 20);
            assert!(compiling <= processors && share >= LEAST_JIT_CACHE);
        }
    }
}
