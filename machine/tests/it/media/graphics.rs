//! DOS draws: mode 13h and mode X, by a program of ours on FreeDOS' floppy.

use iced_x86::IcedError;
use iced_x86::code_asm::*;

use rax_devices::{Floppy, MemoryDisk};
use rax_machine::{BootDevice, Fittings};

use super::{OURS, Pairing, Pc, SLOW, THEIRS};
use crate::dos::medium;

const WIDTH: usize = 320;
const HEIGHT: usize = 200;

/// Colour n of the program's palette: as much red as n, and blue the other way round.
fn colour(n: usize) -> u32 {
    // Six bits each; the screen has eight, the high ones again below.
    let wide = |six: usize| (six << 2 | six >> 4) as u32;
    wide(n >> 2) << 16 | wide(63 - (n >> 2))
}

/// The program: a picture in mode 13h, a key, one in mode X, a key.
fn program() -> Vec<u8> {
    let mut a = CodeAssembler::new(16).unwrap();
    assemble(&mut a).unwrap();
    a.assemble(0x100).unwrap()
}

fn assemble(a: &mut CodeAssembler) -> Result<(), IcedError> {
    a.mov(ax, 0x13)?;
    a.int(0x10)?;
    // The palette, from colour 0 on.
    a.mov(dx, 0x3c8)?;
    a.xor(ax, ax)?;
    a.out(dx, al)?;
    a.inc(dx)?;
    a.mov(cx, 0)?;
    let mut next_colour = a.create_label();
    a.set_label(&mut next_colour)?;
    a.mov(al, cl)?;
    a.shr(al, 2)?;
    a.out(dx, al)?;
    a.mov(ah, al)?;
    a.xor(al, al)?;
    a.out(dx, al)?;
    a.mov(al, 63)?;
    a.sub(al, ah)?;
    a.out(dx, al)?;
    a.inc(cl)?;
    a.jne(next_colour)?;
    // Pixels: column exclusive or row.
    a.mov(ax, 0xa000)?;
    a.mov(es, ax)?;
    a.xor(di, di)?;
    a.xor(dx, dx)?;
    let mut next_row = a.create_label();
    let mut next_pixel = a.create_label();
    a.set_label(&mut next_row)?;
    a.xor(cx, cx)?;
    a.set_label(&mut next_pixel)?;
    a.mov(al, cl)?;
    a.xor(al, dl)?;
    a.stosb()?;
    a.inc(cx)?;
    a.cmp(cx, WIDTH as i32)?;
    a.jne(next_pixel)?;
    a.inc(dx)?;
    a.cmp(dx, HEIGHT as i32)?;
    a.jne(next_row)?;
    a.xor(ah, ah)?;
    a.int(0x16)?;
    // Mode X: planes no longer chained, bytes addressed one by one, twice as high.
    for (port, word) in [(0x3c4, 0x0604), (0x3d4, 0x0014), (0x3d4, 0xe317)] {
        a.mov(dx, port)?;
        a.mov(ax, word)?;
        a.out(dx, ax)?;
    }
    // Plane n is full of colour 64 n, but for its first byte.
    let mut next_plane = a.create_label();
    a.mov(bx, 0x0100)?;
    a.set_label(&mut next_plane)?;
    a.mov(dx, 0x3c4)?;
    a.mov(al, 2)?;
    a.mov(ah, bh)?;
    a.out(dx, ax)?;
    a.xor(di, di)?;
    a.mov(al, 255)?;
    a.stosb()?;
    a.mov(al, bl)?;
    a.mov(cx, (WIDTH * HEIGHT / 4 - 1) as i32)?;
    a.rep().stosb()?;
    a.add(bl, 64)?;
    a.shl(bh, 1)?;
    a.cmp(bh, 16)?;
    a.jne(next_plane)?;
    a.xor(ah, ah)?;
    a.int(0x16)?;
    a.mov(ax, 3)?;
    a.int(0x10)?;
    a.int(0x20)
}

/// FreeDOS' floppy, with HELLO.COM replaced.
fn floppy(program: &[u8]) -> Option<Vec<u8>> {
    let mut image = std::fs::read(medium("freedos722.img")?).unwrap();
    let word =
        |image: &[u8], at: usize| usize::from(u16::from_le_bytes([image[at], image[at + 1]]));
    let (cluster_sectors, reserved) = (usize::from(image[13]), word(&image, 14));
    let (fats, entries, fat_sectors) = (usize::from(image[16]), word(&image, 17), word(&image, 22));
    let root = (reserved + fats * fat_sectors) * 512;
    let entry = (root..root + entries * 32)
        .step_by(32)
        .find(|&at| image[at..].starts_with(b"HELLO   COM"))
        .expect("HELLO.COM");
    assert!(program.len() <= cluster_sectors * 512);
    let cluster = word(&image, entry + 26);
    let data = root + entries * 32 + (cluster - 2) * cluster_sectors * 512;
    image[data..data + program.len()].copy_from_slice(program);
    image[entry + 28..entry + 32].copy_from_slice(&(program.len() as u32).to_le_bytes());
    Some(image)
}

fn draws(pairing: Pairing) {
    let Some(image) = floppy(&program()) else {
        return;
    };
    let fittings = Fittings {
        floppies: vec![Some(Floppy::new(Box::new(MemoryDisk::new(image))).unwrap())],
        boot_order: vec![BootDevice::Floppy],
        ..Fittings::default()
    };
    let Some(mut pc) = Pc::new(pairing, 64, fittings) else {
        return;
    };
    pc.wait_for(&[r"A:\>"]);
    pc.type_text("hello\n");
    let shows = |pixel: fn(usize, usize) -> usize| {
        move |frame: &rax_devices::Frame| {
            (frame.width, frame.height) == (WIDTH, HEIGHT)
                && frame
                    .pixels
                    .iter()
                    .enumerate()
                    .all(|(at, shown)| *shown == colour(pixel(at % WIDTH, at / WIDTH)))
        }
    };
    pc.wait_for_picture("mode 13h", shows(|x, y| (x ^ y) & 0xff));
    pc.type_text("x");
    let planes = |x: usize, y: usize| if y == 0 && x < 4 { 255 } else { x % 4 * 64 };
    pc.wait_for_picture("mode X", shows(planes));
    pc.type_text("x");
    pc.wait_for(&[r"A:\>"]);
}

#[test]
fn dos_draws_in_mode_13h_and_mode_x() {
    draws(OURS);
}

#[test]
#[ignore = "the same with other firmware and interpreted"]
fn dos_draws_anywhere() {
    draws(THEIRS);
    SLOW.into_iter().for_each(draws);
}
