//! Several processors: Linux starts all of them, uses them, and switches the machine
//! off through ACPI; all that it says of tables and timers on the way is checked.

use rax_cpu::{Cpu, Engine, Interpreter, Topology};
use rax_devices::FwCfg;
use rax_jit::Jit;
use rax_machine::{End, Fittings};

use crate::linux::{PROMPT, RAM, kernel};
use crate::support::Bench;

const INSTRUCTIONS: u64 = 6_000_000_000;

/// Boots the cloud kernel, looks around, and switches off.
fn boot(topology: Topology, make: impl FnMut(&Cpu) -> Box<dyn Engine>) {
    let processors = topology.count() as u16;
    let Some(boot) = kernel("cloud-amd64", &["initrd-amd64.img"], "") else {
        return;
    };
    let fittings = Fittings {
        processors,
        topology: Some(topology),
        smbios: rax_machine::handover::smbios::parse("type1-product=Test PC")
            .into_iter()
            .collect(),
        ..Fittings::default()
    };
    let mut bench = Bench::with(boot, RAM, fittings);
    bench.machine.set_engines(make);
    let mut read = bench.run_until(PROMPT, 0, INSTRUCTIONS);
    let mut command = |bench: &mut Bench, line: &str| {
        bench.console.type_bytes(format!("{line}\r").as_bytes());
        let start = bench.run_until("\n", read, INSTRUCTIONS);
        read = bench.run_until(PROMPT, start, INSTRUCTIONS);
        bench.serial()[start..read].to_owned()
    };
    let answer = command(&mut bench, "grep -c ^processor /proc/cpuinfo");
    assert!(answer.contains(&format!("{processors}\r\n")), "{answer}");
    let answer = command(&mut bench, "cat /proc/cpuinfo");
    assert_eq!(places(&answer), expected_places(topology), "{answer}");
    // Each of them gets something to do at once, and none waits for ever.
    let line =
        "for n in 1 2 3 4 5 6; do (head -c 200000 /dev/zero | md5sum; echo done $n) & done; wait";
    let answer = command(&mut bench, line);
    for n in 1..=6 {
        assert!(answer.contains(&format!("done {n}\r\n")), "{answer}");
    }
    let answer = command(&mut bench, "cat /proc/interrupts");
    assert!(answer.contains("fasteoi   acpi"), "{answer}");
    bench.console.type_bytes(b"poweroff -f\r");
    let end = bench.run(INSTRUCTIONS);
    let log = bench.serial();
    assert!(matches!(end, End::PowerOff), "{end:?}\n{log}");
    for word in [
        "BUG",
        "WARNING",
        "unchecked MSR",
        "panic",
        "Oops",
        "ACPI Error",
        "ACPI BIOS",
        "stall",
        "inconsistent",
        "Unable to",
        "failed to",
    ] {
        assert!(!log.contains(word), "{word}:\n{log}");
    }
    for line in [
        "ACPI: Interpreter enabled",
        "ACPI: Using IOAPIC for interrupt routing",
        "PCI: Using ACPI for IRQ routing",
        "DMI: rax Test PC",
    ] {
        assert!(log.contains(line), "no '{line}':\n{log}");
    }
    let brought_up = format!("smp: Brought up 1 node, {processors} CPU");
    assert!(log.contains(&brought_up), "{log}");
}

/// What Linux says of each processor: socket, how many are in it, core, cores of the socket, and APIC ID.
const PLACE: [&str; 5] = ["physical id", "siblings", "core id", "cpu cores", "apicid"];

fn places(cpuinfo: &str) -> Vec<[u16; 5]> {
    let values = |name| {
        let lines = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        let named = lines.filter(move |(field, _)| field.trim() == name);
        named.map(|(_, value)| value.trim().parse().unwrap())
    };
    let [a, b, c, d, e] = PLACE.map(|name| values(name).collect::<Vec<u16>>());
    let all = a.into_iter().zip(b).zip(c).zip(d).zip(e);
    all.map(|((((a, b), c), d), e)| [a, b, c, d, e]).collect()
}

/// The kernel counts the boot processor first, then in the order of the tables.
fn expected_places(topology: Topology) -> Vec<[u16; 5]> {
    let place = |number: u16| {
        let (socket, core) = (
            number / topology.package(),
            number % topology.package() / topology.threads,
        );
        let id = topology.apic_id(number);
        [socket, topology.package(), core, topology.cores, id]
    };
    (0..topology.count() as u16).map(place).collect()
}

fn jit(cpu: &Cpu) -> Box<dyn Engine> {
    match Jit::new(cpu, rax_jit::Options::default()) {
        Ok(jit) => Box::new(jit),
        Err(_) => Box::new(Interpreter::new(cpu)),
    }
}

#[test]
fn linux_uses_four_processors_and_switches_off() {
    let topology = Topology {
        sockets: 2,
        cores: 1,
        threads: 2,
    };
    boot(topology, jit);
}

#[test]
#[ignore = "takes minutes: the same, interpreted"]
fn linux_uses_four_processors_interpreted() {
    boot(Topology::one_socket(4), |cpu| {
        Box::new(Interpreter::new(cpu))
    });
}

#[test]
#[ignore = "takes a minute"]
fn linux_uses_one_and_eight_processors() {
    boot(Topology::one_socket(1), jit);
    boot(Topology::one_socket(8), jit);
}

/// With APIC IDs that nobody has.
#[test]
#[ignore = "takes a minute"]
fn linux_finds_sockets_cores_and_threads() {
    let topology = Topology {
        sockets: 2,
        cores: 3,
        threads: 2,
    };
    boot(topology, jit);
}

/// SeaBIOS counts processors as they answer its start-up message.
#[test]
fn seabios_starts_all_processors() {
    let Some(image) = crate::firmware::seabios() else {
        return;
    };
    let log = rax_devices::MemoryConsole::new();
    let fittings = Fittings {
        processors: 5,
        debug_console: Some(Box::new(log.clone())),
        fw_cfg: Some(FwCfg::new()),
        ..Fittings::default()
    };
    let mut bench = Bench::with(rax_machine::Boot::Rom(image), 64 << 20, fittings);
    let end = bench.run(1_000_000_000);
    let log = String::from_utf8_lossy(&log.output()).into_owned();
    assert!(matches!(end, End::Reset), "{end:?}\n{log}");
    assert!(
        log.contains("Found 5 cpu(s) max supported 5 cpu(s)"),
        "{log}"
    );
}
