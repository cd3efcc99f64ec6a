//! A kernel of any format with bytes changed anywhere: rax lays it out within memory, or says what is wrong with it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rax_machine::load::{self, BootRequest, InputFile, Module, Role};
use rax_machine::memory_map;

const RAM: u64 = 64 << 20;

/// What the first byte chooses: how the file begins, so that all loaders are reached.
fn template(kind: u8, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length.max(0x300)];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    match kind % 5 {
        0 => {
            // A bzImage of protocol 2.12 with a 64-bit entry.
            put(0x1f1, &[1]);
            put(0x1fe, &[0x55, 0xaa, 0xeb, 0x66]);
            put(0x202, b"HdrS");
            put(0x206, &0x020cu16.to_le_bytes());
            put(0x211, &[1]);
            put(0x236, &[1, 0]);
            put(0x260, &0x10_0000u32.to_le_bytes());
        }
        1 => {
            // Multiboot by addresses.
            let flags = 0x1_0000u32;
            put(0, &0x1bad_b002u32.to_le_bytes());
            put(4, &flags.to_le_bytes());
            put(8, &0u32.wrapping_sub(0x1bad_b002 + flags).to_le_bytes());
            for (at, value) in [(12, 0x10_0000u32), (16, 0x10_0000), (20, 0), (24, 0), (28, 0x10_0000)] {
                put(at, &value.to_le_bytes());
            }
        }
        kind @ 2..=3 => {
            // ELF of either class with a segment and a note.
            let is_64 = kind == 3;
            put(0, b"\x7fELF");
            put(4, &[1 + u8::from(is_64), 1, 1]);
            put(16, &2u16.to_le_bytes());
            put(18, &(if is_64 { 62u16 } else { 3 }).to_le_bytes());
            put(20, &1u32.to_le_bytes());
            put(24, &0x10_0000u32.to_le_bytes());
            let (headers, size) = if is_64 { (32, 64) } else { (28, 52) };
            put(headers, &[size]);
            let count = if is_64 { 54 } else { 42 };
            put(count, &(if is_64 { 56u16 } else { 32 }).to_le_bytes());
            put(count + 2, &[2]);
            put(usize::from(size), &[1]);
            put(0x200, &[4, 0, 0, 0, 4, 0, 0, 0, 18, 0, 0, 0]);
            put(0x20c, b"Xen\0");
        }
        _ => {}
    }
    bytes
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&[kind, flags], rest)) = bytes.split_first_chunk() else {
        return;
    };
    let mut file = template(kind, rest.len());
    if kind & 0x80 != 0 {
        for (at, &byte) in rest.iter().enumerate() {
            file[at] ^= byte;
        }
    } else {
        for change in rest.chunks_exact(3) {
            let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % file.len();
            file[at] = change[2];
        }
    }
    let input = |role, bytes| InputFile {
        path: "file".into(),
        role,
        bytes,
    };
    let kernel = input(Role::Kernel, file);
    let modules: Vec<Module> = (0..flags & 3)
        .map(|n| Module {
            file: input(Role::Initrd, vec![n; 5000]),
            arguments: "a b".into(),
        })
        .collect();
    let request = BootRequest {
        kernel: &kernel,
        modules: &modules,
        command_line: "console=ttyS0",
        memory: &memory_map::ranges(RAM),
        rsdp: memory_map::root_pointer(RAM),
        has_vga: flags & 4 != 0,
        has_long_mode: flags & 8 != 0,
    };
    match load::load(&request) {
        Ok(image) => {
            for chunk in &image.chunks {
                assert!(chunk.end() <= RAM, "{:#x} is behind the RAM", chunk.end());
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
