//! x87 instructions as lines of data: what the comparison with the host cannot reach.
//!
//! `[mode:] bytes | before => after`, all numbers in hex. The instruction stands at 1000h, SI
//! points to 2000h. `cw sw tags op ip cs dp ds` are fields of the unit, `st0` to `st7` registers
//! as exponent:significand, `m` the bytes at SI in order, `si cr0 limit` (of DS) only stand before.
//! What `after` does not list stays, except that the four pointers are compared only if listed.

use iced_x86::{Code, CpuidFeature};
use rax_mmu::PhysicalAddress;

use super::ROWS;
use crate::float::F80;
use crate::segment::SegmentRegister;
use crate::state::Gpr;
use crate::testing::{Bits, bare};
use crate::{Cpu, CpuState, Exception, Interpreter};

const LINES: &str = "
; Pending exceptions and units that are off.
d9 e8 | cr0=21 cw=37e sw=8081 => X87FloatingPoint
d9 e8 | cr0=1 cw=37e sw=8081 => sw=b881 tags=80 st0=3fff:8000000000000000
d9 2e | cr0=21 cw=37e sw=8081 => X87FloatingPoint
d9 26 | cr0=21 cw=37e sw=8081 => X87FloatingPoint
dd 26 | cr0=21 cw=37e sw=8081 => X87FloatingPoint
9b | cr0=21 cw=37e sw=8081 => X87FloatingPoint
db e2 | cr0=21 cw=37e sw=8081 => sw=0
db e3 | cr0=21 cw=37e sw=8081 => sw=0 cw=37f
dd 3e | cr0=21 cw=37e sw=8081 => m=8180
d9 3e | cr0=21 cw=37e sw=8081 => m=7e03
db e0 | cr0=21 cw=37e sw=8081 =>
db e1 | cr0=21 cw=37e sw=8081 =>
db e4 | cr0=21 cw=37e sw=8081 =>
d9 e8 | cr0=9 => DeviceNotAvailable
d9 e8 | cr0=5 => DeviceNotAvailable
db e3 | cr0=5 => DeviceNotAvailable
df e0 | cr0=9 => DeviceNotAvailable
9b | cr0=9 =>
9b | cr0=3 =>
9b | cr0=5 =>
9b | cr0=b => DeviceNotAvailable

; A faulting operand changes nothing.
32: d9 06 | limit=2003 m=0000803f => tags=80 sw=3800 st0=3fff:8000000000000000
32: d9 06 | limit=2002 m=0000803f => GeneralProtection(0)
32: d9 06 | limit=2002 sw=7f tags=ff => GeneralProtection(0)
32: d8 06 | limit=2002 => GeneralProtection(0)
32: d9 1e | limit=2002 tags=1 st0=3fff:ffffffffffffffff => GeneralProtection(0)
32: d9 1e | limit=2003 tags=1 st0=3fff:ffffffffffffffff => sw=a20 tags=0 m=00000040
32: d9 1e | limit=2002 => GeneralProtection(0)
32: d9 1e | limit=2003 => sw=841 m=0000c0ff
32: d9 1e | limit=2002 cw=37e => sw=80c1
32: db 2e | limit=2008 => GeneralProtection(0)
32: db 3e | limit=2008 tags=1 => GeneralProtection(0)
32: df 36 | limit=2008 tags=1 => GeneralProtection(0)
32: d9 36 | limit=201a cw=340 => GeneralProtection(0)
32: d9 26 | limit=201a => GeneralProtection(0)
32: dd 36 | limit=206a tags=1 => GeneralProtection(0)
32: dd 26 | limit=206a => GeneralProtection(0)
32: 66 dd 36 | limit=205c tags=1 => GeneralProtection(0)

; Ten bytes across a page.
db 2e | si=2ffb m=0100000000000080ff3f => tags=80 sw=3800 st0=3fff:8000000000000001
db 3e | si=2ffb tags=1 st0=3fff:8000000000000001 => tags=0 sw=800 m=0100000000000080ff3f

; Pointers to the instruction and its operand.
32: d8 c1 | tags=3 dp=99 ds=98 => op=c1 ip=1000 cs=8 dp=99 ds=98
32: 26 d9 06 | => sw=3800 tags=80 op=106 ip=1000 cs=8 dp=2000 ds=10
16: d9 04 | => sw=3800 tags=80 op=104 ip=1000 cs=0 dp=2000 ds=0
32: d9 2e | m=7f03 op=1 ip=2 cs=3 dp=4 ds=5 => op=1 ip=2 cs=3 dp=4 ds=5
32: db e3 | op=1 ip=2 cs=3 dp=4 ds=5 => op=0 ip=0 cs=0 dp=0 ds=0

; The environment: protected and real, 32 and 16 bits; the top register is one.
32: d9 36 | tags=80 sw=3800 st0=3fff:8000000000000000 op=5ab ip=12345678 cs=8 dp=9abcdef0 ds=10 => m=7f03ffff0038ffffff3fffff785634120800ab05f0debc9a1000ffff
32: 66 d9 36 | tags=80 sw=3800 st0=3fff:8000000000000000 op=5ab ip=12345678 cs=8 dp=9abcdef0 ds=10 => m=7f030038ff3f78560800f0de1000
16: 66 d9 34 | tags=80 sw=3800 st0=3fff:8000000000000000 op=5ab ip=5678 cs=1234 dp=1 ds=f000 => m=7f03ffff0038ffffff3fffffb879ffffab1500000100ffff00f00000
16: d9 34 | tags=80 sw=3800 st0=3fff:8000000000000000 op=5ab ip=5678 cs=1234 dp=1 ds=f000 => m=7f030038ff3fb879ab15010000f0
32: d9 26 | m=7f03ffff0038ffffff3fffff785634120800ab05f0debc9a1000ffff => tags=80 sw=3800 op=5ab ip=12345678 cs=8 dp=9abcdef0 ds=10
32: 66 d9 26 | m=7f030038ff3f78560800f0de1000 => tags=80 sw=3800 op=0 ip=5678 cs=8 dp=def0 ds=10
16: 66 d9 24 | m=7f03ffff0038ffffff3fffffb879ffffab1500000100ffff00f00000 => tags=80 sw=3800 op=5ab ip=179b8 cs=0 dp=f0001 ds=0
16: d9 24 | m=7f030038ff3fb879ab15010000f0 => tags=80 sw=3800 op=5ab ip=179b8 cs=0 dp=f0001 ds=0
; Storing masks what is pending; loading may make something pending.
66 d9 36 | cw=340 sw=8081 => cw=37f sw=1 m=40038180ffff0000000000000000
66 d9 26 | m=40030100ffff0000000000000000 => cw=340 sw=8081
d9 2e | m=7b03 sw=4 => cw=37b sw=8084
d9 2e | m=ffff => cw=1f7f
";

/// A processor about to execute a line, and what it should become.
struct Bench {
    cpu: Box<Cpu>,
    at: u64,
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap_or_else(|why| panic!("{text}: {why}"))
}

fn bytes(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let pair = |pair: &[char]| hex(&pair.iter().collect::<String>()) as u8;
    digits.chunks(2).map(pair).collect()
}

fn pairs(text: &str) -> Vec<(&str, &str)> {
    let pair = |word| str::split_once(word, '=').unwrap_or_else(|| panic!("{word}: no ="));
    text.split_whitespace().map(pair).collect()
}

/// Sets a part of the unit; false if there is no such part.
fn set(state: &mut CpuState, name: &str, value: &str) -> bool {
    let fpu = &mut state.fpu;
    if let Some(i) = name.strip_prefix("st") {
        let (exponent, significand) = value.split_once(':').unwrap_or(("0", value));
        let register = fpu.physical(hex(i) as usize);
        fpu.registers[register] = F80 {
            sign_exponent: hex(exponent) as u16,
            significand: hex(significand),
        };
        return true;
    }
    match name {
        "cw" => fpu.control = hex(value) as u16,
        "sw" => fpu.status = hex(value) as u16,
        "tags" => fpu.in_use = hex(value) as u8,
        "op" => fpu.last_opcode = hex(value) as u16,
        "ip" => fpu.last_ip = hex(value),
        "cs" => fpu.last_cs = hex(value) as u16,
        "dp" => fpu.last_dp = hex(value),
        "ds" => fpu.last_ds = hex(value) as u16,
        _ => return false,
    }
    true
}

impl Bench {
    fn new(bits: Bits, code: &[u8], before: &[(&str, &str)]) -> Self {
        let cpu = bare(bits, 0x10000).expect("RAM");
        let mut bench = Self { cpu, at: 0x2000 };
        bench.write(0x1000, code);
        for &(name, value) in before {
            let state = &mut bench.cpu.state;
            match name {
                "si" => bench.at = hex(value),
                "cr0" => state.cr0 = hex(value),
                "limit" => {
                    state.segments[SegmentRegister::Ds as usize].limit = hex(value) as u32;
                }
                "m" => bench.write(bench.at, &bytes(value)),
                _ => assert!(set(state, name, value), "{name}: unknown"),
            }
        }
        bench.cpu.state.set_gpr(Gpr::Rsi, bench.at);
        bench.cpu.state.rip = 0x1000;
        bench.cpu.update_mode();
        bench
    }

    fn write(&self, at: u64, bytes: &[u8]) {
        let memory = self.cpu.mmu.memory();
        memory.ram_write(PhysicalAddress(at), bytes).expect("RAM");
    }

    fn memory(&self) -> Vec<u8> {
        let mut bytes = vec![0; 0x2000];
        let memory = self.cpu.mmu.memory();
        let read = memory.ram_read(PhysicalAddress(0x2000), &mut bytes);
        read.expect("RAM");
        bytes
    }
}

fn check(line: &str) {
    let (head, after) = line.split_once("=>").expect("=>");
    let (code, before) = head.split_once('|').expect("|");
    let (bits, code) = match code.split_once(':') {
        Some((mode, code)) if mode.trim() == "16" => (Bits::Real, code),
        Some((_, code)) => (Bits::Protected32, code),
        None => (Bits::Long64, code),
    };
    let mut bench = Bench::new(bits, &bytes(code), &pairs(before));
    let mut expected = bench.cpu.state.clone();
    let mut memory = bench.memory();
    let is_exception = !after.trim().is_empty() && !after.contains('=');
    let outcome = Interpreter::new(&bench.cpu).execute_one(&mut bench.cpu);
    if is_exception {
        let found = outcome.map_err(|exception| format!("{exception:?}"));
        assert_eq!(found, Err(after.trim().to_owned()), "{line}");
    } else {
        assert_eq!(outcome, Ok(()), "{line}");
        let found = &bench.cpu.state.fpu;
        let pointers = &mut expected.fpu;
        (pointers.last_ip, pointers.last_cs) = (found.last_ip, found.last_cs);
        (pointers.last_dp, pointers.last_ds) = (found.last_dp, found.last_ds);
        pointers.last_opcode = found.last_opcode;
        for (name, value) in pairs(after) {
            if name == "m" {
                let at = (bench.at - 0x2000) as usize;
                let value = bytes(value);
                memory[at..at + value.len()].copy_from_slice(&value);
            } else {
                assert!(set(&mut expected, name, value), "{name}: unknown");
            }
        }
    }
    assert_eq!(bench.cpu.state.fpu, expected.fpu, "{line}");
    assert!(bench.memory() == memory, "memory after {line}");
}

#[test]
fn every_line_holds() {
    for line in LINES.lines().map(str::trim) {
        if !line.is_empty() && !line.starts_with(';') {
            check(line);
        }
    }
}

#[test]
fn a_saved_state_comes_back_in_every_layout() {
    for (bits, save, restore) in [
        (Bits::Protected32, "dd 36", "dd 26"),
        (Bits::Protected32, "66 dd 36", "66 dd 26"),
        (Bits::Real, "66 dd 34", "66 dd 24"),
        (Bits::Real, "dd 34", "dd 24"),
    ] {
        let code = bytes(&format!("{save} {restore}"));
        let before = pairs("tags=c3 sw=3000 cw=1f40 ip=1234 st3=4000:c000000000000000 st7=1:2");
        let mut bench = Bench::new(bits, &code, &before);
        let saved = bench.cpu.state.fpu.clone();
        let mut interpreter = Interpreter::new(&bench.cpu);
        assert_eq!(interpreter.execute_one(&mut bench.cpu), Ok(()));
        assert_eq!(
            (bench.cpu.state.fpu.in_use, bench.cpu.state.fpu.control),
            (0, 0x37f)
        );
        bench.cpu.state.fpu.registers = Default::default();
        assert_eq!(interpreter.execute_one(&mut bench.cpu), Ok(()));
        assert_eq!(bench.cpu.state.fpu, saved, "{bits:?} {save}");
    }
}

#[test]
fn ferr_is_up_while_an_exception_is_pending_and_ne_is_clear() {
    let mut bench = Bench::new(Bits::Long64, &[0x9b], &pairs("cr0=1 cw=37e sw=8081"));
    assert!(bench.cpu.ferr());
    bench.cpu.state.cr0 |= 0x20;
    assert!(!bench.cpu.ferr());
    let outcome = Interpreter::new(&bench.cpu).execute_one(&mut bench.cpu);
    assert_eq!(outcome, Err(Exception::X87FloatingPoint));
}

#[test]
fn every_x87_instruction_has_a_row() {
    let is_ours = |feature: &CpuidFeature| {
        matches!(
            feature,
            CpuidFeature::FPU | CpuidFeature::FPU287 | CpuidFeature::FPU387
        )
    };
    for code in Code::values() {
        // The decoder gives FSTCW and its kin as WAIT and FNSTCW.
        let is_expected = code.cpuid_features().iter().any(is_ours) && !code.op_code().fwait();
        let is_there = ROWS.iter().any(|row| row.code == code);
        assert_eq!(is_there, is_expected || code == Code::Wait, "{code:?}");
    }
}
