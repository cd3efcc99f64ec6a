//! Every test ROM ends as it says it does, whoever carries it out, and in the same state.

use rax_cpu::CpuState;
use rax_cpu::flags::LazyFlags;
use rax_cpu::state::Gpr;
use rax_cpu::{Engine, Interpreter};
use rax_devices::{Disk, MemoryDisk};
use rax_jit::{Jit, Options};
use rax_machine::{Boot, End};
use rax_mmu::PhysicalAddress;

use crate::support::Bench;

/// The interpreter, the compiler, and the compiler without room and patience.
const ENGINES: [Option<Options>; 3] = [
    None,
    Some(Options {
        cache_bytes: 64 << 20,
        threshold: 16,
        ..Options::DEFAULT
    }),
    Some(Options {
        cache_bytes: 1 << 18,
        threshold: 0,
        interval: 64,
        hot: 1,
    }),
];

/// Where ROMs keep what they have.
const LOW_MEMORY: usize = 0xA_0000;

fn check(name: &str) {
    let [interpreted, others @ ..] = ENGINES.map(|engine| run(name, engine));
    for other in others {
        let differs = interpreted.1.iter().zip(&other.1).position(|(a, b)| a != b);
        assert_eq!(differs, None, "{name}: memory differs there");
        assert!(
            interpreted.0 == other.0,
            "{name}: the engines differ: {:x?} {:x?}",
            interpreted.0,
            other.0
        );
    }
}

/// Has the compiler carry out what follows; where there is none, or none is wanted, the
/// interpreter.
fn set_engine(bench: &mut Bench, compiler: Option<Options>) {
    let cpu = &bench.machine.cpu;
    let engine: Box<dyn Engine> = match compiler.map(|options| Jit::new(cpu, options)) {
        Some(Ok(jit)) => Box::new(jit),
        Some(Err(_)) | None => Box::new(Interpreter::new(cpu)),
    };
    bench.machine.set_engine(engine);
}

/// Runs a ROM to its end; the processor's state there, without what the guest cannot see, and
/// what is in memory.
fn run(name: &str, compiler: Option<Options>) -> (CpuState, Vec<u8>) {
    let rom = rax_test_roms::find(name).unwrap();
    let mut bench = Bench::new(Boot::Rom((rom.build)()), 64 << 20, disk_of(name));
    set_engine(&mut bench, compiler);
    let end = bench.run(500_000_000);
    let serial = bench.serial();
    let broken = rom.expected_serial.broken_by(&serial);
    assert!(
        broken.is_none(),
        "{name}: {}\n{serial}\n{:?}",
        broken.unwrap(),
        bench.last_words.0
    );
    match (rom.exit_status, end) {
        (Some(wanted), End::Status(status)) => assert_eq!(status, u32::from(wanted), "{serial}"),
        // It waits for input that never comes.
        (None, End::Instructions) => {}
        (wanted, end) => panic!("{name}: {end:?} instead of {wanted:?}\n{serial}"),
    }
    let mut state = bench.machine.cpu.state.clone();
    state.set_gpr(Gpr::BlockRip, 0);
    state.flags = LazyFlags::from_status(state.flags.status());
    let mut ram = vec![0; LOW_MEMORY];
    let memory = bench.machine.memory();
    memory.ram_read(PhysicalAddress(0), &mut ram).unwrap();
    (state, ram)
}

/// What a ROM is to find on the first disk.
fn disk_of(name: &str) -> Vec<Box<dyn Disk>> {
    if name != "code-device" {
        return Vec::new();
    }
    let mut content = vec![0; 1 << 20];
    // MOV EAX, 77h; RET.
    content[..6].copy_from_slice(&[0xb8, 0x77, 0, 0, 0, 0xc3]);
    vec![Box::new(MemoryDisk::new(content))]
}

#[test]
fn paging() {
    check("paging");
}

#[test]
fn segmentation() {
    check("segmentation");
}

#[test]
fn task_switch() {
    check("task-switch");
}

#[test]
fn v86() {
    check("v86");
}

#[test]
fn interrupts() {
    check("interrupts");
}

#[test]
fn numeric_error() {
    check("numeric-error");
}

#[test]
fn self_modifying() {
    check("self-modifying");
}

#[test]
fn code_changed_by_its_alias() {
    check("code-alias");
}

#[test]
fn code_changed_across_pages() {
    check("code-crossing");
}

#[test]
fn code_changed_by_a_device() {
    check("code-device");
}

#[test]
fn every_rom_is_checked_here() {
    let names: Vec<_> = rax_test_roms::ALL.iter().map(|rom| rom.name).collect();
    let checked = [
        "self-check",
        "paging",
        "segmentation",
        "task-switch",
        "v86",
        "interrupts",
        "numeric-error",
        "self-modifying",
        "code-alias",
        "code-crossing",
        "code-device",
    ];
    assert_eq!(names, checked);
}

#[test]
fn the_self_check_passes_and_its_monitor_answers() {
    let content: Vec<u8> = (0..1u32 << 20).map(|n| (n / 512) as u8).collect();
    let disk: Vec<Box<dyn Disk>> = vec![Box::new(MemoryDisk::new(content))];
    let mut bench = Bench::new(Boot::Rom(rax_test_roms::self_check()), 64 << 20, disk);
    let mut at = bench.run_until("> ", 0, 100_000_000);
    assert!(
        bench.serial().contains("self-check: 18 passed, 0 failed"),
        "{}",
        bench.serial()
    );
    for (command, answer) in [
        ("help", "poweroff"),
        ("mem", "64 MiB"),
        ("cpuid", "rax"),
        ("time", "2024-01-01"),
    ] {
        bench.console.type_bytes(format!("{command}\r").as_bytes());
        at = bench.run_until(answer, at, 100_000_000);
        at = bench.run_until("> ", at, 100_000_000);
    }
    bench.console.type_bytes(b"poweroff\r");
    let end = bench.run(100_000_000);
    assert!(matches!(end, End::PowerOff), "{end:?}\n{}", bench.serial());
}

#[test]
fn a_run_in_virtual_time_repeats_bit_for_bit() {
    let run = || {
        let rom = Boot::Rom(rax_test_roms::self_check());
        let mut bench = Bench::new(rom, 16 << 20, Vec::new());
        bench.run(30_000_000);
        (bench.machine.cpu.state.clone(), bench.serial())
    };
    let (first, second) = (run(), run());
    assert!(first.0 == second.0, "the processors differ");
    assert_eq!(first.1, second.1);
}

/// Reads the time-stamp counter, then port 61h ten thousand times, then the counter again; both to 600h.
fn polling_rom() -> Vec<u8> {
    use iced_x86::code_asm::{CodeAssembler, al, ax, cx, ds, dword_ptr, eax};
    let mut a = CodeAssembler::new(16).unwrap();
    let mut again = a.create_label();
    a.xor(ax, ax).unwrap();
    a.mov(ds, ax).unwrap();
    a.mov(cx, 10_000).unwrap();
    a.rdtsc().unwrap();
    a.mov(dword_ptr(0x600), eax).unwrap();
    a.set_label(&mut again).unwrap();
    a.in_(al, 0x61).unwrap();
    a.dec(cx).unwrap();
    a.jne(again).unwrap();
    a.rdtsc().unwrap();
    a.mov(dword_ptr(0x604), eax).unwrap();
    a.cli().unwrap();
    a.hlt().unwrap();
    let mut image = a.assemble(0).unwrap();
    image.resize(0xfff0, 0);
    image.extend([0xea, 0, 0, 0, 0xf0]);
    image.resize(0x1_0000, 0);
    image
}

#[test]
fn an_access_takes_its_time_on_the_bus() {
    for engine in ENGINES {
        let mut bench = Bench::new(Boot::Rom(polling_rom()), 16 << 20, Vec::new());
        set_engine(&mut bench, engine);
        let end = bench.run(1_000_000);
        assert!(matches!(end, End::Halted), "{end:?}");
        let mut bytes = [0; 8];
        let memory = bench.machine.memory();
        memory.ram_read(PhysicalAddress(0x600), &mut bytes).unwrap();
        let [before, after] = [0, 4].map(|at| {
            let word: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
            u32::from_le_bytes(word)
        });
        // A microsecond an access, and a nanosecond an instruction.
        assert_eq!(after - before, 10_000 * 1000 + 2 + 3 * 10_000);
    }
}
