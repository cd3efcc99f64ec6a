//! The POST memory manager, as an option ROM of ours and iPXE's find it (POST Memory Manager Specification 1.01).

use std::io::Write as _;

use iced_x86::IcedError;
use iced_x86::code_asm::{
    CodeAssembler, al, ax, bx, cx, ds, dword_ptr, dx, eax, ebx, edx, es, sp, word_ptr,
};
use rax_devices::Unplugged;
use rax_machine::{Fittings, NetworkAdapter, NetworkModel};
use rax_mmu::PhysicalAddress;

use super::{RAM, bench, wait_for};
use crate::support::Bench;

/// Where the ROM leaves how often it has found the structure, the sum of its bytes, and what the calls have returned.
const FOUND: u32 = 0x5F0;
const SUM: u32 = 0x5F4;
const ENTRY: u32 = 0x5F8;
const RESULTS: u32 = 0x600;
/// What a call must leave alone.
const KEPT: u32 = 0x1234_5678;

/// An argument: a word, a double word, or what an earlier call has returned.
enum Argument {
    Word(u32),
    Dword(u32),
    Result(u32),
}
use Argument::{Dword, Result as Returned, Word};

fn allocate(paragraphs: u32, handle: u32, flags: u32) -> Vec<Argument> {
    vec![Word(0), Dword(paragraphs), Dword(handle), Word(flags)]
}

fn find(handle: u32) -> Vec<Argument> {
    vec![Word(1), Dword(handle)]
}

fn deallocate(result: u32) -> Vec<Argument> {
    vec![Word(2), Returned(result)]
}

/// An option ROM that makes these calls.
fn rom(calls: &[Vec<Argument>]) -> Result<Vec<u8>, IcedError> {
    let mut a = CodeAssembler::new(16)?;
    let [mut next, mut found, mut add, mut end] = std::array::from_fn(|_| a.create_label());
    a.pushad()?;
    a.push(ds)?;
    a.push(es)?;
    a.xor(ax, ax)?;
    a.mov(ds, ax)?;
    a.mov(ax, 0xF000)?;
    a.mov(es, ax)?;
    a.xor(bx, bx)?;
    a.set_label(&mut next)?;
    a.cmp(dword_ptr(bx).es(), i32::from_le_bytes(*b"$PMM"))?;
    a.je(found)?;
    a.add(bx, 16)?;
    a.jne(next)?;
    a.jmp(end)?;
    a.set_label(&mut found)?;
    a.inc(word_ptr(FOUND))?;
    a.mov(eax, dword_ptr(bx + 7).es())?;
    a.mov(dword_ptr(ENTRY), eax)?;
    a.xor(ax, ax)?;
    a.mov(cx, 16)?;
    a.set_label(&mut add)?;
    a.add(al, iced_x86::code_asm::byte_ptr(bx).es())?;
    a.inc(bx)?;
    a.loop_(add)?;
    a.mov(word_ptr(SUM), ax)?;
    for (n, arguments) in calls.iter().enumerate() {
        let mut bytes = 0;
        for argument in arguments.iter().rev() {
            match argument {
                Word(word) => {
                    a.mov(ax, *word)?;
                    a.push(ax)?;
                    bytes += 2;
                }
                Dword(dword) => {
                    a.mov(eax, *dword)?;
                    a.push(eax)?;
                    bytes += 4;
                }
                Returned(result) => {
                    a.push(dword_ptr(RESULTS + 4 * result))?;
                    bytes += 4;
                }
            }
        }
        a.mov(ebx, KEPT)?;
        a.call(dword_ptr(ENTRY))?;
        a.add(sp, bytes)?;
        a.shl(edx, 16)?;
        a.mov(dx, ax)?;
        // A mark, if a register was spoiled.
        let mut fine = a.create_label();
        a.cmp(ebx, KEPT.cast_signed())?;
        a.je(fine)?;
        a.mov(edx, 0xBAD0_0BAD_u32)?;
        a.set_label(&mut fine)?;
        a.mov(dword_ptr(RESULTS + 4 * n as u32), edx)?;
    }
    a.set_label(&mut end)?;
    a.pop(es)?;
    a.pop(ds)?;
    a.popad()?;
    a.retf()?;
    let code = a.assemble(3)?;
    let mut rom = vec![0x55, 0xAA, 4];
    rom.extend(code);
    assert!(rom.len() <= 2048);
    rom.resize(2048, 0);
    rom[2047] = rom.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
    Ok(rom)
}

fn adapter(rom: Vec<u8>, last: u8) -> NetworkAdapter {
    NetworkAdapter {
        rom: Some(rom),
        model: NetworkModel::Rtl8139,
        address: [0x52, 0x54, 0, 0x12, 0x34, last],
        network: Box::new(Unplugged),
    }
}

fn word(bench: &Bench, address: u32) -> u32 {
    let mut bytes = [0; 4];
    let place = PhysicalAddress(address.into());
    bench.machine.memory().ram_read(place, &mut bytes).unwrap();
    u32::from_le_bytes(bytes)
}

const ANONYMOUS: u32 = 0xFFFF_FFFF;
const CONVENTIONAL: u32 = 1;
const EXTENDED: u32 = 2;
const EITHER: u32 = 3;
const ALIGNED: u32 = 4;
const PERMANENT: u32 = 8;

#[test]
fn option_roms_get_memory_while_post_runs() {
    let calls = [
        allocate(0, ANONYMOUS, CONVENTIONAL),
        allocate(0x1000, 1, CONVENTIONAL),
        allocate(0x10, 2, EXTENDED),
        find(1),
        find(2),
        find(3),
        allocate(0x10, 1, EXTENDED), // 6: a handle that is taken
        allocate(0x300, ANONYMOUS, EXTENDED | ALIGNED),
        find(ANONYMOUS),
        allocate(0, ANONYMOUS, CONVENTIONAL),
        allocate(0, ANONYMOUS, EITHER), // 10
        deallocate(1),
        deallocate(1),
        find(1),
        allocate(0, ANONYMOUS, CONVENTIONAL),
        vec![Word(9), Dword(0)], // 15: no such function
        allocate(0x10, 4, 0),
        allocate(0x7FFF_FFFF, 4, EITHER),
        allocate(0x8000, 4, EITHER), // 18: more than there is below 1 MiB
        allocate(0x100, ANONYMOUS, EXTENDED | PERMANENT),
        allocate(0x100, ANONYMOUS, CONVENTIONAL | PERMANENT), // 20
    ];
    let mut bench = bench(Fittings {
        network: vec![adapter(rom(&calls).unwrap(), 2)],
        ..Fittings::default()
    });
    wait_for(&mut bench, "No bootable medium found");
    assert_eq!((word(&bench, FOUND), word(&bench, SUM) & 0xFF), (1, 0));
    let results: Vec<_> = (0..calls.len() as u32)
        .map(|n| word(&bench, RESULTS + 4 * n))
        .collect();
    let shown = format!("{results:x?}");
    let extended = (2 << 20)..(RAM as u32);
    // 40000h to 8FFFFh, from the end on.
    assert_eq!(results[..2], [0x5000, 0x8_0000], "{shown}");
    assert!(extended.contains(&results[2]), "{shown}");
    assert_eq!(results[3..7], [results[1], results[2], 0, 0], "{shown}");
    assert!(extended.contains(&results[7]), "{shown}");
    assert!(
        results[7] + 0x3000 <= results[2] && results[7] & 0xFFF == 0,
        "{shown}"
    );
    assert_eq!(results[8..10], [0, 0x4000], "{shown}");
    assert_eq!(results[10] << 4, results[7] - (2 << 20), "{shown}");
    assert_eq!(results[11..15], [0, 1, 0, 0x5000], "{shown}");
    assert_eq!(results[15..18], [0xFFFF_FFFF, 0, 0], "{shown}");
    assert!(extended.contains(&results[18]), "{shown}");
    assert!(results[19] > results[2] && results[20] == 0, "{shown}");
    // Nobody finds it after POST; and the memory map keeps what is to last.
    let mut segment = vec![0; 0x1_0000];
    let place = PhysicalAddress(0xF_0000);
    bench
        .machine
        .memory()
        .ram_read(place, &mut segment)
        .unwrap();
    assert!(!segment.chunks(16).any(|bytes| bytes.starts_with(b"$PMM")));
    let field = |at: usize| u32::from_le_bytes(segment[at..at + 4].try_into().unwrap());
    let count = field(0x1800) as usize;
    let ram: Vec<_> = (0..count)
        .map(|n| 0x1808 + 20 * n)
        .filter(|entry| field(entry + 16) == 1)
        .map(|entry| field(entry)..field(entry) + field(entry + 8))
        .collect();
    let is_ram = |address| ram.iter().any(|range| range.contains(&address));
    assert!(is_ram(results[2]) && !is_ram(results[19]), "{ram:x?}");
}

/// iPXE moves itself to such memory and leaves a small ROM behind, so that there is room for another one.
#[test]
fn ipxe_roms_move_to_extended_memory() {
    let Ok(image) = std::fs::read("/usr/lib/ipxe/qemu/pxe-rtl8139.rom") else {
        // Past the test harness, which would keep it to itself.
        let _ = writeln!(
            std::io::stderr(),
            "\nSKIPPED: no ROM of iPXE; the package ipxe-qemu has it\n"
        );
        return;
    };
    let mut bench = bench(Fittings {
        network: vec![adapter(image.clone(), 2), adapter(image, 3)],
        ..Fittings::default()
    });
    let screen = wait_for(&mut bench, "00:04.0 C");
    let lines = screen.lines().filter(|line| line.contains("PMM+"));
    assert!(lines.count() >= 1, "{screen}");
}
