//! The `rax` command as its user meets it: exit codes, one line for each mistake,
//! and nothing but the guest's bytes on standard output.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How a run ended.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

fn start(words: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_rax"))
        .args(words)
        .env_remove("RUST_LOG")
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("WAYLAND_SOCKET")
        .env("RUST_BACKTRACE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn finish(child: Child) -> Outcome {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let outcome = Outcome {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    for word in ["panicked", "backtrace"] {
        assert!(!outcome.stderr.contains(word), "{}", outcome.stderr);
    }
    outcome
}

/// A run whose user types `input` at once and then nothing more.
fn run_typing(input: &str, words: &[&str]) -> Outcome {
    let mut child = start(words);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    finish(child)
}

pub(crate) fn run(words: &[&str]) -> Outcome {
    run_typing("", words)
}

/// Checks that a mistake costs one line, which holds all of `parts`, and exit code 2.
#[track_caller]
pub(crate) fn refused(words: &[&str], parts: &[&str]) {
    let mut all = vec!["run"];
    all.extend(words);
    // Should it not be refused after all, it ends.
    all.extend(["--max-instructions", "1000"]);
    let outcome = run(&all);
    assert_eq!(outcome.code, Some(2), "{words:?}: {}", outcome.stderr);
    assert_eq!(outcome.stdout, "", "{words:?}");
    let line = outcome.stderr.strip_suffix('\n').unwrap_or(&outcome.stderr);
    assert!(
        line.starts_with("rax: ") && !line.contains('\n'),
        "{words:?}: not one line:\n{line}"
    );
    for part in parts {
        assert!(line.contains(part), "{words:?}: {part:?} is not in {line}");
    }
}

/// A directory for a test's files.
pub(crate) struct Files(tempfile::TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.path(name), bytes).unwrap();
        self.text(name)
    }

    /// A file of zeros that takes no room.
    fn sized(&self, name: &str, bytes: u64) -> String {
        File::create(self.path(name))
            .unwrap()
            .set_len(bytes)
            .unwrap();
        self.text(name)
    }
}

/// A multiboot 1 kernel at 1 MiB whose 32-bit code is `code`, entered at 100020h.
fn kernel(code: &[u8]) -> Vec<u8> {
    const MAGIC: u32 = 0x1bad_b002;
    const HAS_ADDRESSES: u32 = 1 << 16;
    const BASE: u32 = 0x10_0000;
    let checksum = 0u32.wrapping_sub(MAGIC).wrapping_sub(HAS_ADDRESSES);
    let header = [
        MAGIC,
        HAS_ADDRESSES,
        checksum,
        BASE, // The header's own address,
        BASE, // where the file goes,
        0,    // all of it,
        0,    // and no more;
        BASE + 0x20,
    ];
    let mut bytes: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.extend(code);
    bytes
}

/// A 32-bit Linux kernel whose header announces `syssize` paragraphs, of which 64 are there.
fn bzimage(syssize: u32) -> Vec<u8> {
    let mut bytes = vec![0; 0x400 + 64 * 16];
    let mut put = |offset: usize, field: &[u8]| {
        bytes[offset..offset + field.len()].copy_from_slice(field);
    };
    put(0x1f1, &[1]);
    put(0x1f4, &syssize.to_le_bytes());
    put(0x1fe, b"\x55\xaa\xeb\x66HdrS");
    put(0x206, &0x20fu16.to_le_bytes());
    put(0x211, &[1]);
    // Up to where an initrd may reach.
    put(0x22c, &0x7fff_ffffu32.to_le_bytes());
    put(0x400, &[0xf4, 0xeb, 0xfd]);
    bytes
}

#[test]
fn bad_kernels_are_refused_in_one_line() {
    let files = Files::new();
    let none = files.text("none");
    refused(
        &["--kernel", &none],
        &[&none, "does not exist", "after --kernel"],
    );
    let empty = files.write("empty", b"");
    refused(&["--kernel", &empty], &[&empty, "is empty", "again"]);
    let directory = files.0.path().to_str().unwrap();
    refused(
        &["--kernel", directory],
        &[directory, "is a directory", "name a file"],
    );
    let text = files.write("text", b"not a kernel at all\n");
    refused(
        &["--kernel", &text],
        &[&text, "not bootable", "Linux bzImage"],
    );
    let gzip = files.write("gzip", b"\x1f\x8b\x08\0\0\0\0\0");
    refused(&["--kernel", &gzip], &[&gzip, "gunzip"]);
    let program = std::env::current_exe().unwrap();
    let program = program.to_str().unwrap();
    refused(
        &["--kernel", program, "--memory", "4G"],
        &[program, "not bootable"],
    );
}

#[test]
fn truncated_kernels_are_refused_in_one_line() {
    let files = Files::new();
    let linux = files.write("linux", &bzimage(1000));
    refused(
        &["--kernel", &linux],
        &[&linux, "truncated", "get the file again"],
    );
    for (name, length) in [("linux-header", 0x208), ("linux-setup", 0x400)] {
        let path = files.write(name, &bzimage(64)[..length]);
        refused(&["--kernel", &path], &[&path, "truncated"]);
    }
    let elf = files.write("elf", b"\x7fELF\x02\x01\x01\0\0\0");
    refused(&["--kernel", &elf], &[&elf, "truncated", "ELF header"]);
    let multiboot = files.write("multiboot", &kernel(&[0xf4])[..20]);
    refused(
        &["--kernel", &multiboot],
        &[&multiboot, "truncated", "multiboot header"],
    );
}

#[test]
fn bad_initrds_are_refused_in_one_line() {
    let files = Files::new();
    let kernel = files.write("kernel", &bzimage(64));
    let refused_initrd = |initrd: &str, parts: &[&str]| {
        refused(&["--kernel", &kernel, "--initrd", initrd], parts);
    };
    let none = files.text("none");
    refused_initrd(&none, &[&none, "does not exist", "after --initrd"]);
    let empty = files.write("empty", b"");
    refused_initrd(&empty, &[&empty, "is empty"]);
    let directory = files.0.path().to_str().unwrap();
    refused_initrd(directory, &[directory, "is a directory"]);
    let small = files.write("small", b"070701");
    refused_initrd(&format!("{small} quiet"), &[&small, "--append"]);
    refused(&["--initrd", &small], &["--kernel"]);
}

#[test]
fn too_little_memory_is_refused_in_one_line() {
    let files = Files::new();
    let large = files.sized("large", 64 << 20);
    refused(
        &["--kernel", &large, "--memory", "16M"],
        &[&large, "16 MiB", "--memory"],
    );
    let kernel = files.write("kernel", &bzimage(64));
    refused(
        &["--kernel", &kernel, "--memory", "1M"],
        &[&kernel, "1 MiB", "--memory"],
    );
    for bytes in [64 << 20, (16 << 20) - 4096] {
        let initrd = files.sized("initrd", bytes);
        refused(
            &["--kernel", &kernel, "--initrd", &initrd, "--memory", "16M"],
            &[&initrd, "16 MiB", "--memory"],
        );
    }
}

#[test]
fn bad_firmware_is_refused_in_one_line() {
    let files = Files::new();
    let none = files.text("none");
    refused(&["--bios", &none], &[&none, "does not exist", "--bios"]);
    let directory = files.0.path().to_str().unwrap();
    refused(&["--bios", directory], &[directory, "is a directory"]);
    refused(&["--bios", &files.write("empty", b"")], &["is empty"]);
    for bytes in [512, (64 << 10) + 1, 17 << 20] {
        let odd = files.sized("odd", bytes);
        refused(&["--bios", &odd], &[&odd, &bytes.to_string(), "64 KiB"]);
    }
    refused(&["--bios", ""], &["--bios", "name a file"]);
    refused(
        &["--bios", "seabios", "--kernel", &none],
        &["--bios", "--kernel"],
    );
}

#[test]
fn bad_disks_are_refused_in_one_line() {
    let files = Files::new();
    let none = files.text("none");
    refused(&["--disk", &none], &[&none, "does not exist", "truncate"]);
    let empty = files.write("empty", b"");
    refused(&["--disk", &empty], &[&empty, "is empty", "truncate"]);
    let odd = files.sized("odd", 1000);
    refused(&["--cdrom", &odd], &[&odd, "1000 bytes", "512"]);
    let directory = files.0.path().to_str().unwrap();
    refused(&["--disk", directory], &[directory, "is a directory"]);
    let good = files.sized("good", 4096);
    refused(
        &["--disk", &format!("{good},snapshto")],
        &["--disk", "'snapshot'"],
    );
    refused(
        &["--disk", &good, "--disk", &good],
        &[&good, "another drive", "its own copy"],
    );
    refused(
        &["--disk", &good, "--cdrom", &good],
        &["CD image", &good, "another drive"],
    );
    refused(&["--cdrom", &none], &["CD image", &none, "--cdrom"]);
    refused(&["--floppy", &none], &["floppy image", &none, "1440K"]);
    let large = files.sized("large", 3 << 20);
    refused(&["--floppy", &large], &[&large, "160K", "2880K"]);
    let qcow2 = format!("{good},format=qcow2");
    refused(&["--disk", &qcow2], &[&good, "no qcow2 image"]);
    refused(
        &["--boot", "usb"],
        &["--boot", "floppy, disk, cdrom and network"],
    );
}

#[test]
fn bad_options_are_refused_in_one_line() {
    for (words, parts) in [
        (&["--cpu", "z80"][..], &["'z80'", "--cpu", "x86-64"][..]),
        (&["--memory", "lots"], &["'lots'", "--memory", "512M"]),
        (&["--memory", "0"], &["--memory", "at least 1M"]),
        (&["--memory", "99999999G"], &["--memory", "at most"]),
        (&["--debug-exit", "0x10000"], &["--debug-exit", "0xf4"]),
        (&["--timeout", "-1"], &["'-1'", "--timeout", "above 0"]),
        (&["--timeout", "soon"], &["--timeout", "seconds"]),
        (&["--max-instructions", "few"], &["--max-instructions"]),
        (&["--serial", "tty"], &["--serial", "file:PATH"]),
        (&["--engine", "fast"], &["--engine", "interp"]),
        (&["--seed", "mine"], &["--seed", "whole number"]),
        (&["--seed", "-1"], &["--seed", "whole number"]),
        (&["--clock", "sun"], &["--clock", "virtual"]),
        (&["--kernle", "k"], &["'--kernle'", "--kernel"]),
        (&["vmlinuz"], &["'vmlinuz'", "--help"]),
        (&["--append", "quiet"], &["--kernel"]),
    ] {
        refused(words, parts);
    }
    let outcome = run(&["walk"]);
    assert_eq!(outcome.code, Some(2));
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
}

#[test]
fn unwritable_files_are_refused_in_one_line() {
    let files = Files::new();
    // The host's reason is said once.
    let script = run(&["run", "--script", &files.text("nowhere")]);
    assert_eq!(
        script.stderr.matches("(os error").count(),
        1,
        "{}",
        script.stderr
    );
    let path = files.text("no/such/directory");
    refused(&["--trace", &path], &[&path, "--trace"]);
    refused(&["--debugcon", &path], &[&path, "--debugcon"]);
    refused(&["--serial", &format!("file:{path}")], &[&path, "--serial"]);
    let directory = files.0.path().to_str().unwrap();
    refused(&["--trace", directory], &[directory, "--trace"]);
}

#[test]
fn help_goes_to_standard_output() {
    let outcome = run(&["run", "--help"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    for code in ["0 ", "1 ", "2 ", "3 ", "124 ", "else "] {
        assert!(outcome.stdout.contains(&format!("\n  {code}")), "{code}");
    }
}

#[test]
fn a_run_without_a_user_ends_when_its_instructions_are_used_up() {
    let words = [
        "run",
        "--clock",
        "virtual",
        "--max-instructions",
        "30000000",
    ];
    let outcome = run(&words);
    assert_eq!(outcome.code, Some(124), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("passed, 0 failed"));
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("30000000 instructions"));
}

#[test]
fn a_run_without_a_user_ends_when_its_time_is_up() {
    let outcome = run(&["run", "--timeout", "0.2"]);
    assert_eq!(outcome.code, Some(124), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("time is up"), "{}", outcome.stderr);
}

#[test]
fn the_monitor_switches_the_machine_off() {
    let outcome = run_typing("poweroff\r", &["run", "--timeout", "60"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    assert!(outcome.stdout.contains("passed, 0 failed"));
}

#[test]
fn a_reset_ends_the_run_only_with_no_reboot() {
    let checks = |outcome: &Outcome| outcome.stdout.matches("passed, 0 failed").count();
    let ended = run_typing("reboot\r", &["run", "--no-reboot", "--timeout", "60"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(checks(&ended), 1, "{}", ended.stdout);
    let words = [
        "run",
        "--clock",
        "virtual",
        "--max-instructions",
        "60000000",
    ];
    let again = run_typing("reboot\r", &words);
    assert_eq!(again.code, Some(124), "{}", again.stderr);
    assert_eq!(checks(&again), 2, "{}", again.stdout);
}

/// Loads an interrupt table without entries, then has an exception.
fn triple_fault() -> Vec<u8> {
    // lidt [100029h]; ud2; the table register's value
    kernel(b"\x0f\x01\x1d\x29\x00\x10\x00\x0f\x0b\0\0\0\0\0\0")
}

#[test]
fn a_triple_fault_shows_the_processor_and_its_last_instructions() {
    let files = Files::new();
    let kernel = files.write("kernel", &triple_fault());
    let outcome = run(&["run", "--kernel", &kernel, "--no-reboot"]);
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, "");
    for part in ["triple fault", "cr0", "rip", "lidt", "ud2"] {
        assert!(
            outcome.stderr.to_lowercase().contains(part),
            "{part} is not in\n{}",
            outcome.stderr
        );
    }
}

#[test]
fn a_triple_fault_resets_the_machine() {
    let files = Files::new();
    let kernel = files.write("kernel", &triple_fault());
    let outcome = run(&["run", "--kernel", &kernel, "--max-instructions", "10"]);
    assert_eq!(outcome.code, Some(124), "{}", outcome.stderr);
    assert!(outcome.stderr.matches("triple fault").count() > 1);
}

/// Returns to real mode through a 16-bit segment and jumps to where a BIOS begins.
fn jump_to_the_bios() -> Vec<u8> {
    let mut code = Vec::new();
    code.extend(b"\x0f\x01\x15\x3b\x00\x10\x00"); // lgdt [10003bh]
    code.extend(b"\xea\x2e\x00\x00\x00\x08\x00"); // jmp 8:2eh, which is what follows
    code.extend(b"\x0f\x20\xc0\x24\xfe\x0f\x22\xc0"); // mov eax, cr0; and al, 0feh; mov cr0, eax
    code.extend(b"\xea\xf0\xff\x00\xf0"); // jmp f000:fff0
    code.extend(b"\x0f\x00\x41\x00\x10\x00"); // the table: 16 bytes at 100041h
    code.extend(b"\0\0\0\0\0\0\0\0\xff\xff\x00\x00\x10\x9a\x00\x00");
    kernel(&code)
}

#[test]
fn a_jump_to_the_bios_resets_the_machine() {
    let files = Files::new();
    let kernel = files.write("kernel", &jump_to_the_bios());
    let outcome = run(&["run", "--kernel", &kernel, "--no-reboot"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(
        !outcome.stderr.contains("interrupts off"),
        "{}",
        outcome.stderr
    );
    // Again and again, without that option.
    let outcome = run(&["run", "--kernel", &kernel, "--max-instructions", "100"]);
    assert_eq!(outcome.code, Some(124), "{}", outcome.stderr);
}

#[test]
fn the_debug_exit_port_gives_the_exit_code() {
    let files = Files::new();
    // mov al, 10h; out F4h, al; hlt
    let kernel = files.write("kernel", &kernel(b"\xb0\x10\xe6\xf4\xf4"));
    let outcome = run(&["run", "--kernel", &kernel, "--debug-exit", "0xf4"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0x21), ""));
    // Without the port the machine halts for good, which is as good as off.
    let outcome = run(&["run", "--kernel", &kernel, "--timeout", "60"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("interrupts off"));
}

#[test]
fn consoles_write_their_files() {
    let files = Files::new();
    // mov al, 'd'; out E9h, al; mov al, 's'; mov dx, 3F8h; out dx, al; cli; hlt
    let code = b"\xb0d\xe6\xe9\xb0s\x66\xba\xf8\x03\xee\xfa\xf4";
    let kernel = files.write("kernel", &kernel(code));
    let (debug, serial) = (files.text("debug"), files.text("serial"));
    let to_file = format!("file:{serial}");
    let outcome = run(&[
        "run",
        "--kernel",
        &kernel,
        "--debugcon",
        &debug,
        "--serial",
        &to_file,
    ]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, "");
    assert_eq!(std::fs::read(debug).unwrap(), b"d");
    assert_eq!(std::fs::read(serial).unwrap(), b"s");
}

#[test]
fn trace_and_statistics_change_nothing_the_guest_says() {
    let files = Files::new();
    let trace = files.text("trace");
    let words = ["run", "--clock", "virtual", "--max-instructions", "100000"];
    let plain = run(&words);
    let mut more = words.to_vec();
    more.extend(["--stats", "--trace", &trace]);
    let watched = run(&more);
    assert_eq!(plain.code, Some(124), "{}", plain.stderr);
    assert_eq!(watched.code, Some(124), "{}", watched.stderr);
    assert_eq!(plain.stdout, watched.stdout);
    for part in ["instructions", "MIPS", "TLB", "block cache", "interrupts"] {
        assert!(watched.stderr.contains(part), "{}", watched.stderr);
    }
    let lines = std::fs::read_to_string(Path::new(&trace)).unwrap();
    assert!(lines.lines().count() > 1000, "{}", lines.lines().count());
}

#[test]
fn virtual_time_repeats_what_the_guest_says() {
    let words = [
        "run",
        "--clock",
        "virtual",
        "--max-instructions",
        "30000000",
    ];
    let (first, second) = (run(&words), run(&words));
    assert!(first.stdout.contains("passed, 0 failed"));
    assert_eq!(first.stdout, second.stdout);
}

#[test]
fn a_closed_standard_output_is_one_line() {
    let files = Files::new();
    // mov dx, 3F8h; mov al, 's'; again: out dx, al; jmp again
    let kernel = files.write("kernel", &kernel(b"\x66\xba\xf8\x03\xb0s\xee\xeb\xfd"));
    let mut child = start(&["run", "--kernel", &kernel, "--timeout", "60"]);
    let mut first = [0; 8];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let outcome = finish(child);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("standard output"));
}

#[test]
fn engines_side_by_side_agree_on_the_self_check() {
    let outcome = run(&[
        "run",
        "--engine",
        "lockstep",
        "--clock",
        "virtual",
        "--memory",
        "16M",
        "--max-instructions",
        "2000000",
    ]);
    assert_eq!(outcome.code, Some(124), "{}", outcome.stderr);
    assert!(
        outcome.stdout.contains("check: CPUID"),
        "{}",
        outcome.stdout
    );
    assert!(!outcome.stderr.contains("differ"), "{}", outcome.stderr);
}

#[test]
fn jit_dump_shows_a_function_of_an_elf_file_and_refuses_what_is_none() {
    let files = Files::new();
    let outcome = run(&["jit-dump", "--hex", "4801d8 c3", "--address", "0x1000"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    for part in ["0000000000001003: c3", "Add_rm64_r64:", "after the passes"] {
        assert!(outcome.stdout.contains(part), "{}", outcome.stdout);
    }
    let code = files.write("code.bin", b"\x90\x90\xc3");
    let outcome = run(&["jit-dump", &code]);
    assert!(
        outcome.stdout.contains("1 blocks, 3 instructions"),
        "{}",
        outcome.stdout
    );
    let outcome = run(&["jit-dump", &code, "--symbol", "main"]);
    assert_eq!(outcome.code, Some(2));
    assert!(
        outcome.stderr.contains("is no ELF file"),
        "{}",
        outcome.stderr
    );
}
