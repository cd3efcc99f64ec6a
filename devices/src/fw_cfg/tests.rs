//! The firmware configuration device by the words of its specification.

use super::{FwCfg, FwCfgError};
use crate::conformance::Probe;
use crate::device::{Context, Device, Registers};
use crate::dma::{Dma, PlainMemory};
use crate::time::Time;

fn device() -> FwCfg {
    let mut device = FwCfg::new();
    device.add_file("etc/e820", b"memory".to_vec()).unwrap();
    device.add_writable_file("etc/answer", vec![0; 4]).unwrap();
    device
}

fn read(probe: &mut Probe<'_>, key: u16, count: usize) -> Vec<u8> {
    probe.write_bytes(0, &key.to_le_bytes()).unwrap();
    (0..count).map(|_| probe.read(1)).collect()
}

/// Puts a command at 0 and runs it; returns memory.
fn dma(device: &mut FwCfg, control: u32, length: u32, address: u64, memory: &[u8]) -> Vec<u8> {
    let mut ram = PlainMemory(memory.to_vec());
    ram.0.resize(64, 0xee);
    ram.write(0, &control.to_be_bytes());
    ram.write(4, &length.to_be_bytes());
    ram.write(8, &address.to_be_bytes());
    let mut cx = Context {
        now: Time::ZERO,
        memory: &mut ram,
    };
    device.write(4, &[0; 4], &mut cx).unwrap();
    device.write(8, &[0; 4], &mut cx).unwrap();
    ram.0
}

#[test]
fn signature_and_features_are_the_first_items() {
    let mut device = device();
    let mut probe = Probe::new(&mut device);
    assert_eq!(read(&mut probe, 0, 6), b"QEMU\0\0");
    assert_eq!(read(&mut probe, 1, 4), [3, 0, 0, 0]);
    let mut signature = [0; 4];
    probe.read_bytes(4, &mut signature).unwrap();
    assert_eq!(&signature, b"QEMU");
    probe.read_bytes(8, &mut signature).unwrap();
    assert_eq!(&signature, b" CFG");
}

#[test]
fn a_file_gets_other_content_under_its_key() {
    let mut device = device();
    assert!(device.replace_file("etc/e820", b"more memory".to_vec()));
    assert!(!device.replace_file("etc/e821", Vec::new()));
    let mut probe = Probe::new(&mut device);
    assert_eq!(read(&mut probe, 0x19, 8)[4..], [0, 0, 0, 11]);
    assert_eq!(read(&mut probe, 0x20, 12), b"more memory\0");
}

#[test]
fn the_directory_lists_files_in_big_endian() {
    let mut device = device();
    let mut probe = Probe::new(&mut device);
    let directory = read(&mut probe, 0x19, 4 + 128);
    assert_eq!(directory[..4], [0, 0, 0, 2]);
    assert_eq!(directory[4..12], [0, 0, 0, 6, 0, 0x20, 0, 0]);
    assert_eq!(&directory[12..21], b"etc/e820\0");
    assert_eq!(directory[68..76], [0, 0, 0, 4, 0, 0x21, 0, 0]);
    assert_eq!(read(&mut probe, 0x20, 8), b"memory\0\0");
    assert_eq!(read(&mut probe, 0x777, 2), [0, 0], "no such item");
}

#[test]
fn selecting_starts_over() {
    let mut device = device();
    let mut probe = Probe::new(&mut device);
    assert_eq!(read(&mut probe, 0x20, 3), b"mem");
    assert_eq!(probe.read(1), b'o');
    assert_eq!(read(&mut probe, 0x20, 1), b"m");
    assert!(probe.write_bytes(0, &[0]).is_err(), "16 bits only");
}

#[test]
fn a_dma_read_selects_copies_and_fills_with_zeros() {
    let mut device = device();
    let memory = dma(&mut device, 0x0020_000a, 8, 32, &[]);
    assert_eq!(&memory[32..41], b"memory\0\0\xee");
    assert_eq!(memory[..4], [0; 4], "done, no error");
}

#[test]
fn a_dma_skip_moves_on() {
    let mut device = device();
    dma(&mut device, 0x0020_000c, 3, 0, &[]);
    let memory = dma(&mut device, 2, 3, 32, &[]);
    assert_eq!(&memory[32..36], b"ory\xee");
}

#[test]
fn only_writable_files_take_a_dma_write_and_only_if_it_fits() {
    let mut device = device();
    let mut memory = [0; 64];
    memory[32..36].copy_from_slice(b"okay");
    assert_eq!(
        dma(&mut device, 0x0020_0018, 4, 32, &memory)[..4],
        [0, 0, 0, 1]
    );
    assert_eq!(
        dma(&mut device, 0x0021_0018, 5, 32, &memory)[..4],
        [0, 0, 0, 1]
    );
    assert_eq!(device.file("etc/answer"), Some(&[0; 4][..]));
    assert_eq!(dma(&mut device, 0x0021_0018, 4, 32, &memory)[..4], [0; 4]);
    assert_eq!(device.file("etc/answer"), Some(&b"okay"[..]));
    let saved = device.save();
    device.reset();
    assert_eq!(device.file("etc/answer"), Some(&[0; 4][..]));
    device.restore(saved).unwrap();
    assert_eq!(device.file("etc/answer"), Some(&b"okay"[..]));
}

#[test]
fn names_and_keys_are_checked() {
    let mut device = device();
    let long = "x".repeat(56);
    assert_eq!(
        device.add_file(&long, vec![]),
        Err(FwCfgError::NameTooLong(56))
    );
    assert_eq!(
        device.add_file("etc/e820", vec![]),
        Err(FwCfgError::Duplicate)
    );
    assert_eq!(device.add_item(0x20, vec![]), Err(FwCfgError::Duplicate));
    device.add_item(0x8003, vec![1]).unwrap();
    assert_eq!(device.add_file("next", vec![]), Ok(0x22));
    assert_eq!(read(&mut Probe::new(&mut device), 0x8003, 1), [1]);
}
