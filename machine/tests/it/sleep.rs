//! Sleep: a boot sector suspends to RAM and is woken by the alarm or the power button, at the vector it has left in
//! the FACS; Linux does the same without firmware.

use iced_x86::IcedError;
use iced_x86::code_asm::{CodeAssembler, ah, al, ax, byte_ptr, cr0, cs, ds, dx, eax, ecx, sp, ss};
use rax_cpu::{Cpu, Engine, Interpreter};
use rax_devices::{Floppy, FwCfg, MemoryConsole, MemoryDisk};
use rax_machine::{Boot, End, Fittings, load};
use rax_mmu::PhysicalAddress;

use crate::firmware::seabios;
use crate::linux::{PROMPT, RAM as LINUX_RAM, kernel};
use crate::support::Bench;

const RAM: u64 = 64 << 20;
const SLICE: u64 = 200_000;
const SLICES: u64 = 2_000;
/// The power management block, where both BIOSes put it.
const BLOCK: u32 = 0x600;
/// What the test and the boot sector tell each other, in memory that a BIOS leaves alone: ready, and go.
const STATE: u32 = 0x5000;
const READY: u8 = 1;
const GO: u8 = 2;
/// Where the two waking vectors lead.
const REAL: u32 = 0x1_8013;
const PROTECTED: u32 = 0x1_9000;
/// The vectors in the FACS.
const REAL_VECTOR: u64 = 12;
const PROTECTED_VECTOR: u64 = 24;
/// PMCNTRL: events interrupt, and go to sleep.
const SLEEP: u32 = 0x2001;

/// How to sleep: SUS_TYP, and whether the clock's alarm wakes.
#[derive(Clone, Copy)]
struct Sleep {
    kind: u32,
    has_alarm: bool,
}

/// Ends with the upper half of the status of power management, and bit 0 of CR0 in it (which is the power button's).
fn tell(a: &mut CodeAssembler) -> Result<(), IcedError> {
    a.mov(dx, BLOCK)?;
    a.in_(ax, dx)?;
    a.mov(ecx, cr0)?;
    a.and(ecx, 1)?;
    a.mov(al, ah)?;
    a.or(al, iced_x86::code_asm::cl)?;
    a.out(0xF4, al)
}

fn cmos(a: &mut CodeAssembler, index: u32, value: u32) -> Result<(), IcedError> {
    a.mov(al, index)?;
    a.out(0x70, al)?;
    a.mov(al, value)?;
    a.out(0x71, al)
}

/// The boot sector: waits for the test, sleeps, and tells if it goes on behind that.
fn boot_sector(sleep: Sleep) -> Result<Vec<u8>, IcedError> {
    let mut a = CodeAssembler::new(16)?;
    a.cli()?;
    a.xor(ax, ax)?;
    a.mov(ds, ax)?;
    a.mov(ss, ax)?;
    a.mov(sp, 0x7C00)?;
    a.mov(byte_ptr(STATE), u32::from(READY))?;
    let mut wait = a.create_label();
    a.set_label(&mut wait)?;
    a.cmp(byte_ptr(STATE), u32::from(GO))?;
    a.jne(wait)?;
    if sleep.has_alarm {
        // At the next full minute.
        cmos(&mut a, 0x01, 0)?;
        cmos(&mut a, 0x03, 0xFF)?;
        cmos(&mut a, 0x05, 0xFF)?;
        cmos(&mut a, 0x0B, 0x22)?;
        a.mov(dx, BLOCK + 2)?;
        a.mov(ax, 0x400)?;
        a.out(dx, ax)?;
    }
    a.mov(dx, BLOCK + 4)?;
    a.mov(ax, SLEEP | sleep.kind << 10)?;
    a.out(dx, ax)?;
    tell(&mut a)?;
    let mut code = a.assemble(0x7C00)?;
    code.resize(510, 0);
    code.extend([0x55, 0xAA]);
    code.resize(2880 * 512, 0);
    Ok(code)
}

/// Code to wake at, in real or protected mode. In real mode it tells only if its segment is the vector's.
fn waking_code(bitness: u32) -> Result<Vec<u8>, IcedError> {
    let mut a = CodeAssembler::new(bitness)?;
    if bitness == 16 {
        let mut here = a.create_label();
        a.mov(ax, cs)?;
        a.cmp(ax, REAL >> 4)?;
        a.set_label(&mut here)?;
        a.jne(here)?;
    } else {
        // A 32-bit stack, and memory that only a flat segment reaches.
        a.mov(eax, iced_x86::code_asm::dword_ptr(PROTECTED))?;
        a.mov(iced_x86::code_asm::esp, 0x8000)?;
        a.push(eax)?;
        a.pop(eax)?;
    }
    tell(&mut a)?;
    a.assemble(u64::from(if bitness == 16 {
        REAL & 0xF
    } else {
        PROTECTED
    }))
}

/// Runs until the boot sector waits for us.
fn ready(rom: Vec<u8>, processors: u16, sleep: Sleep) -> Bench {
    let floppy = MemoryDisk::new(boot_sector(sleep).unwrap());
    let fittings = Fittings {
        debug_console: Some(Box::new(MemoryConsole::new())),
        fw_cfg: Some(FwCfg::new()),
        vga: true,
        vga_bios: load::default_vga_bios(),
        floppies: vec![Some(Floppy::new(Box::new(floppy)).unwrap())],
        processors,
        ..Fittings::default()
    };
    let mut bench = Bench::with(Boot::Rom(rom), RAM, fittings);
    let memory = bench.machine.memory().clone();
    for _ in 0..SLICES {
        let mut state = [0];
        memory
            .ram_read(PhysicalAddress(u64::from(STATE)), &mut state)
            .unwrap();
        if state == [READY] {
            for (place, bitness) in [(REAL, 16), (PROTECTED, 32)] {
                let code = waking_code(bitness).unwrap();
                memory
                    .ram_write(PhysicalAddress(u64::from(place)), &code)
                    .unwrap();
            }
            return bench;
        }
        let end = bench.run(SLICE);
        assert!(matches!(end, End::Instructions), "{end:?}");
    }
    panic!("{}", bench.screen());
}

/// Writes a waking vector to the FACS, which firmware has put at the end of RAM.
fn set_vector(bench: &Bench, at: u64, vector: u32) {
    let memory = bench.machine.memory();
    let facs = (RAM - 0x10_0000..RAM).step_by(64).find(|&place| {
        let mut bytes = [0; 8];
        memory.ram_read(PhysicalAddress(place), &mut bytes).unwrap();
        bytes == *b"FACS\x40\0\0\0"
    });
    let field = PhysicalAddress(facs.expect("a FACS") + at);
    memory.ram_write(field, &vector.to_le_bytes()).unwrap();
}

/// Lets it sleep, and presses the power button when nothing else wakes it. How it ends.
fn goes_to_sleep(bench: &mut Bench) -> u32 {
    let go = PhysicalAddress(u64::from(STATE));
    bench.machine.memory().ram_write(go, &[GO]).unwrap();
    for _ in 0..SLICES {
        match bench.run_through_resets(SLICE) {
            End::Instructions => {}
            End::Asleep => bench.machine.press_power_button(),
            End::Status(status) => return status / 2,
            end => panic!("{end:?}"),
        }
    }
    panic!("{}\n{}", bench.screen(), bench.machine.cpu.describe());
}

const BY_ALARM: Sleep = Sleep {
    kind: 1,
    has_alarm: true,
};
const BY_BUTTON: Sleep = Sleep {
    kind: 1,
    has_alarm: false,
};
/// What is told by whoever the alarm has woken, and the power button.
const ALARM: u32 = 0x84;
const BUTTON: u32 = 0x81;

fn wakes_in_real_mode(rom: &[u8]) {
    for processors in [1, 4] {
        let mut bench = ready(rom.to_vec(), processors, BY_ALARM);
        set_vector(&bench, REAL_VECTOR, REAL);
        let before = bench.machine.now();
        assert_eq!(goes_to_sleep(&mut bench), ALARM);
        let slept = bench.machine.now().ns_since(before);
        assert!(slept > 30_000_000_000, "{slept} ns");
        let mut bench = ready(rom.to_vec(), processors, BY_BUTTON);
        set_vector(&bench, REAL_VECTOR, REAL);
        assert_eq!(goes_to_sleep(&mut bench), BUTTON);
    }
}

#[test]
fn our_bios_wakes_a_sleeper_in_real_mode() {
    wakes_in_real_mode(&rax_firmware::system::image());
}

#[test]
fn seabios_wakes_a_sleeper_in_real_mode() {
    if let Some(rom) = seabios() {
        wakes_in_real_mode(&rom);
    }
}

#[test]
fn the_vector_for_protected_mode_comes_first() {
    let mut bench = ready(rax_firmware::system::image(), 1, BY_ALARM);
    set_vector(&bench, REAL_VECTOR, REAL);
    set_vector(&bench, PROTECTED_VECTOR, PROTECTED);
    assert_eq!(goes_to_sleep(&mut bench), ALARM | 1);
}

#[test]
fn whoever_stands_still_goes_on_where_it_was() {
    for (has_alarm, status) in [(true, ALARM), (false, BUTTON)] {
        let sleep = Sleep { kind: 4, has_alarm };
        let mut bench = ready(rax_firmware::system::image(), 2, sleep);
        assert_eq!(goes_to_sleep(&mut bench), status);
    }
}

/// It begins anew, and so comes to the boot sector a second time.
#[test]
fn a_sleeper_without_a_vector_is_booted() {
    let mut bench = ready(rax_firmware::system::image(), 1, BY_ALARM);
    let memory = bench.machine.memory().clone();
    let state = PhysicalAddress(u64::from(STATE));
    memory.ram_write(state, &[GO]).unwrap();
    let mut has_slept = false;
    for _ in 0..SLICES {
        let end = bench.run_through_resets(SLICE);
        assert!(matches!(end, End::Instructions), "{end:?}");
        has_slept |= bench.machine.now().0 > 30_000_000_000;
        let mut now = [0];
        memory.ram_read(state, &mut now).unwrap();
        if has_slept && now == [READY] {
            return;
        }
    }
    panic!("{}", bench.screen());
}

/// Boots a kernel, suspends it for half a minute, and looks whether it still works.
fn linux_sleeps(name: &str, initrd: &str, state: &str, processors: u16) {
    linux_sleeps_by(name, initrd, state, processors, None);
}

/// Makes an engine for a processor.
type MakeEngine = fn(&Cpu) -> Box<dyn Engine>;

/// The same by an engine.
fn linux_sleeps_by(
    name: &str,
    initrd: &str,
    state: &str,
    processors: u16,
    engine: Option<MakeEngine>,
) {
    let Some(boot) = kernel(name, &[initrd], "cryptomgr.notests") else {
        return;
    };
    let fittings = Fittings {
        processors,
        ..Fittings::default()
    };
    let mut bench = Bench::with(boot, LINUX_RAM, fittings);
    if let Some(engine) = engine {
        bench.machine.set_engines(engine);
    }
    let most = 6_000_000_000;
    let mut read = bench.run_until(PROMPT, 0, most);
    let mut command = |line: &str| {
        bench.console.type_bytes(format!("{line}\r").as_bytes());
        let start = bench.run_until("\n", read, most);
        read = bench.run_until(PROMPT, start, most);
        bench.serial()[start..read].to_owned()
    };
    // In one line: while nobody types, virtual time runs on.
    let line = format!(
        "cd /sys/class/rtc/rtc0; T=$(cat since_epoch); echo +30 > wakealarm; echo {state} > /sys/power/state; \
         echo rc $?, slept $(( $(cat since_epoch) - T )); cd /"
    );
    let log = command(&line);
    let has_slept = ["rc 0, slept 30", "rc 0, slept 31"]
        .iter()
        .any(|words| log.contains(words));
    assert!(has_slept && !log.contains("timeout"), "{log}");
    let answer = command("grep -c ^processor /proc/cpuinfo");
    assert!(
        answer.contains(&format!("{processors}\r\n")),
        "{log}\n{answer}"
    );
}

#[test]
fn linux_suspends_to_ram_and_wakes() {
    linux_sleeps("amd64", "initrd-amd64.img", "mem", 1);
}

#[test]
fn the_cloud_kernel_does_so_with_two_processors() {
    linux_sleeps("cloud-amd64", "initrd-amd64.img", "mem", 2);
}

#[test]
#[ignore = "takes a minute: interpreted"]
fn the_cloud_kernel_does_so_interpreted() {
    for processors in [1, 2] {
        let kernel = ("cloud-amd64", "initrd-amd64.img");
        linux_sleeps_by(
            kernel.0,
            kernel.1,
            "mem",
            processors,
            Some(|cpu| Box::new(Interpreter::new(cpu))),
        );
    }
}

#[test]
#[ignore = "takes a minute: other kernels, several processors, the light sleep"]
fn linux_sleeps_in_all_ways() {
    for processors in [1, 4] {
        linux_sleeps("686", "initrd-i386.img", "mem", processors);
        linux_sleeps("686", "initrd-i386.img", "standby", processors);
        linux_sleeps("amd64", "initrd-amd64.img", "standby", processors);
    }
    linux_sleeps("amd64", "initrd-amd64.img", "mem", 4);
}
