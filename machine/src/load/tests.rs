//! Loader tests: hand-made images, damaged images, and the guest kit's kernels where they are there.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::fields::{Fields, u16_at, u32_at, u64_at};
use super::*;

const MIB: u64 = 1 << 20;

fn memory(mib: u64) -> Vec<MemoryRange> {
    let range = |start, end, kind| MemoryRange { start, end, kind };
    vec![
        range(0, 0x9_fc00, MemoryKind::Ram),
        range(0x9_fc00, 0xa_0000, MemoryKind::Reserved),
        range(0xf_0000, 0x10_0000, MemoryKind::Reserved),
        range(MIB, mib * MIB, MemoryKind::Ram),
    ]
}

fn input(name: &str, role: Role, bytes: Vec<u8>) -> InputFile {
    InputFile {
        path: PathBuf::from(name),
        role,
        bytes,
    }
}

fn module(name: &str, arguments: &str, bytes: &[u8]) -> Module {
    Module {
        file: input(name, Role::Initrd, bytes.to_vec()),
        arguments: arguments.to_owned(),
    }
}

/// Loads with 64 MiB and checks what holds for every image: chunks lie in RAM and do not overlap.
fn load_with(
    kernel: Vec<u8>,
    modules: &[Module],
    append: &str,
    mib: u64,
) -> Result<BootImage, LoadError> {
    let kernel = input("kernel", Role::Kernel, kernel);
    let memory = memory(mib);
    let request = BootRequest {
        kernel: &kernel,
        modules,
        command_line: append,
        memory: &memory,
        rsdp: None,
        has_vga: false,
        has_long_mode: true,
    };
    let image = load(&request)?;
    let mut spans: Vec<_> = image
        .chunks
        .iter()
        .map(|chunk| chunk.address..chunk.end())
        .collect();
    spans.sort_by_key(|span| span.start);
    for pair in spans.windows(2) {
        assert!(pair[0].end <= pair[1].start, "{pair:x?} overlap");
    }
    for span in &spans {
        assert!(
            span.start >= 0x1000 && (span.end <= 0x9_fc00 || span.start >= MIB),
            "{span:x?}"
        );
        assert!(span.end <= mib * MIB, "{span:x?} ends beyond the RAM");
    }
    Ok(image)
}

fn error(result: Result<BootImage, LoadError>) -> String {
    let text = result.expect_err("must be refused").to_string();
    assert!(!text.contains('\n') && text.contains("kernel"), "{text}");
    text
}

/// The bytes at an address of the loaded machine.
fn at(image: &BootImage, address: u64) -> &[u8] {
    let holds = |chunk: &&Chunk| (chunk.address..chunk.end()).contains(&address);
    let chunk = image.chunks.iter().find(holds).expect("nothing there");
    &chunk.bytes[(address - chunk.address) as usize..]
}

fn string_at(image: &BootImage, address: u64) -> &str {
    let bytes = at(image, address);
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .expect("ends in zero");
    std::str::from_utf8(&bytes[..end]).expect("is text")
}

/// A bzImage: 4 setup sectors, 4 KiB of code, protocol 2.15, 64-bit if asked.
fn bzimage(is_64_bit: bool) -> Vec<u8> {
    let mut file = Fields::zeroed(5 * 512 + 4096);
    file.u8(0x1f1, 4).u32(0x1f4, 4096 / 16).u16(0x1fe, 0xaa55);
    file.bytes(0x200, &[0xeb, 0x6a])
        .bytes(0x202, b"HdrS")
        .u16(0x206, 0x20f)
        .u8(0x211, 1);
    file.u32(0x214, 0x10_0000)
        .u32(0x22c, 0x7fff_ffff)
        .u32(0x230, 0x20_0000)
        .u8(0x234, 1);
    file.u16(0x236, u16::from(is_64_bit))
        .u32(0x238, 2047)
        .u64(0x258, 0x100_0000)
        .u32(0x260, 0x40_0000);
    file.bytes(5 * 512, &[0x90; 16]);
    file.finish()
}

/// An ELF64 file with one segment at `physical`, and a PVH note.
fn elf64(physical: u64, entry: u64, with_note: bool) -> Vec<u8> {
    let mut file = Fields::zeroed(0x2000);
    file.bytes(0, b"\x7fELF\x02\x01\x01")
        .u16(16, 2)
        .u16(18, 62)
        .u32(20, 1)
        .u64(24, entry)
        .u64(32, 64);
    file.u16(52, 64).u16(54, 56).u16(56, 2);
    file.u32(64, 1)
        .u64(72, 0x1000)
        .u64(80, 0xffff_ffff_8000_0000u64.wrapping_add(physical))
        .u64(88, physical);
    file.u64(96, 0x1000).u64(104, 0x3000).u64(112, 0x1000);
    file.u32(120, if with_note { 4 } else { 6 })
        .u64(128, 0x200)
        .u64(152, 20)
        .u64(160, 20)
        .u64(168, 4);
    file.u32(0x200, 4)
        .u32(0x204, 4)
        .u32(0x208, 18)
        .bytes(0x20c, b"Xen\0")
        .u32(0x210, (physical as u32).wrapping_add(0x10));
    file.bytes(0x1000, b"code");
    file.finish()
}

/// An a.out-kludge multiboot image whose header lies at offset 40h.
fn multiboot(flags: u32) -> Vec<u8> {
    let mut file = Fields::zeroed(0x1000);
    let checksum = 0u32.wrapping_sub(0x1bad_b002).wrapping_sub(flags);
    file.u32(0x40, 0x1bad_b002)
        .u32(0x44, flags)
        .u32(0x48, checksum);
    file.u32(0x4c, 0x10_0020)
        .u32(0x50, 0x10_0000)
        .u32(0x54, 0)
        .u32(0x58, 0x10_4000)
        .u32(0x5c, 0x10_0040);
    file.bytes(0x20, b"first");
    file.finish()
}

#[test]
fn linux_64_bit_starts_at_its_long_entry_with_a_zero_page() {
    let modules = [module("a", "", b"12345"), module("b", "", b"678")];
    let image = load_with(bzimage(true), &modules, "console=ttyS0", 64).unwrap();
    assert_eq!(image.format, Format::Linux64);
    let Start::Long64 {
        entry,
        rsi,
        page_tables,
        descriptors,
        ..
    } = image.start
    else {
        panic!("{:?}", image.start)
    };
    assert_eq!(entry, 0x100_0200);
    assert_eq!(at(&image, 0x100_0000)[..16], [0x90; 16]);
    let page = at(&image, rsi);
    assert_eq!(page[0x210], 0xff);
    assert_eq!(
        string_at(&image, u64::from(u32_at(page, 0x228).unwrap())),
        "console=ttyS0"
    );
    let initrd = u64::from(u32_at(page, 0x218).unwrap());
    assert_eq!((initrd % 0x1000, initrd), (0, 64 * MIB - 0x1000));
    assert_eq!(u32_at(page, 0x21c), Some(11));
    assert_eq!(&at(&image, initrd)[..11], b"12345\0\0\x00678");
    assert_eq!(
        (
            page[0x1e8],
            u64_at(page, 0x2d0 + 60),
            u64_at(page, 0x2d0 + 68)
        ),
        (4, Some(MIB), Some(63 * MIB))
    );
    assert_eq!(
        (u32_at(page, 0x1e0), u16_at(page, 2)),
        (Some(63 << 10), Some(0xfc00))
    );
    let level_3 = u64_at(at(&image, page_tables), 0).unwrap() & !0xfff;
    let level_2 = u64_at(at(&image, level_3), 3 * 8).unwrap() & !0xfff;
    assert_eq!(u64_at(at(&image, level_2), 511 * 8), Some(0xffe0_0083));
    assert_eq!((descriptors.code, descriptors.data), (0x10, 0x18));
    assert_eq!(
        u64_at(at(&image, descriptors.gdt_base), 0x10),
        Some(0x00af_9b00_0000_ffff)
    );
}

#[test]
fn linux_32_bit_starts_at_its_load_address() {
    let image = load_with(bzimage(false), &[], "", 64).unwrap();
    assert_eq!(image.format, Format::Linux32);
    let Start::Protected32 {
        entry,
        esi,
        descriptors,
        ..
    } = image.start
    else {
        panic!("{:?}", image.start)
    };
    assert_eq!((entry, descriptors.code), (0x100_0000, 0x10));
    assert_eq!(u32_at(at(&image, u64::from(esi)), 0x214), Some(entry));
    assert_eq!(
        u64_at(at(&image, descriptors.gdt_base), 0x10),
        Some(0x00cf_9b00_0000_ffff)
    );
}

#[test]
fn linux_of_protocol_2_00_gets_the_old_command_line() {
    let mut file = bzimage(false);
    file[0x201] = 0x22;
    file[0x206..0x208].copy_from_slice(&[0, 2]);
    let image = load_with(file, &[], "ro", 64).unwrap();
    let Start::Protected32 { entry, esi, .. } = image.start else {
        panic!("{:?}", image.start)
    };
    let page = at(&image, u64::from(esi));
    assert_eq!((entry, u16_at(page, 0x20)), (0x10_0000, Some(0xa33f)));
    let line = u64::from(esi) + u64::from(u16_at(page, 0x22).unwrap());
    assert_eq!(string_at(&image, line), "ro");
}

#[test]
fn linux_says_what_is_wrong() {
    let mut cut = bzimage(true);
    cut.truncate(5 * 512 + 4000);
    assert!(
        error(load_with(cut, &[], "", 64))
            .contains("truncated: its protected-mode code ends at byte 6656")
    );
    assert!(error(load_with(bzimage(true)[..0x220].to_vec(), &[], "", 64)).contains("truncated"));
    assert!(
        error(load_with(bzimage(true), &[], "", 16)).contains("16 MiB of memory; try --memory 32M")
    );
    assert!(
        error(load_with(bzimage(true), &[], &"x".repeat(2048), 64)).contains("2048 bytes long")
    );
    let mut low = bzimage(true);
    low[0x211] = 0;
    assert!(error(load_with(low, &[], "", 64)).contains("zImage"));
    let big = [module("initrd", "", &vec![0; 50 << 20])];
    let text = load_with(bzimage(true), &big, "", 64)
        .unwrap_err()
        .to_string();
    assert_eq!(
        text,
        "initrd 'initrd' does not fit into 64 MiB of memory; try --memory 128M"
    );
    let text = load_with(bzimage(true), &[module("i", "x=1", b"i")], "", 64)
        .unwrap_err()
        .to_string();
    assert!(text.contains("--append"), "{text}");
}

#[test]
fn a_64_bit_kernel_needs_a_64_bit_processor() {
    let kernel = input("vmlinuz", Role::Kernel, bzimage(true));
    let memory = memory(64);
    let request = BootRequest {
        kernel: &kernel,
        modules: &[],
        command_line: "",
        memory: &memory,
        rsdp: None,
        has_vga: true,
        has_long_mode: false,
    };
    assert!(error(load(&request)).contains("choose --cpu"));
}

#[test]
fn pvh_gets_start_info() {
    let modules = [module("m", "args", b"module")];
    let image = load_with(elf64(0x20_0000, 0, true), &modules, "quiet", 64).unwrap();
    assert_eq!(image.format, Format::Pvh);
    let Start::Protected32 { entry, ebx, .. } = image.start else {
        panic!("{:?}", image.start)
    };
    assert_eq!(entry, 0x20_0010);
    assert_eq!(&at(&image, 0x20_0000)[..4], b"code");
    let info = at(&image, u64::from(ebx));
    assert_eq!(
        (u32_at(info, 0), u32_at(info, 4), u32_at(info, 12)),
        (Some(0x336e_c578), Some(1), Some(1))
    );
    let list = at(&image, u64_at(info, 16).unwrap());
    assert_eq!(&at(&image, u64_at(list, 0).unwrap())[..6], b"module");
    assert_eq!(string_at(&image, u64_at(list, 16).unwrap()), "args");
    assert_eq!(string_at(&image, u64_at(info, 24).unwrap()), "quiet");
    let map = at(&image, u64_at(info, 40).unwrap());
    assert_eq!(
        (u32_at(info, 48), u64_at(map, 72), u32_at(map, 88)),
        (Some(4), Some(MIB), Some(1))
    );
}

#[test]
fn elf_files_that_do_not_fit_are_refused() {
    assert!(
        error(load_with(elf64(0x20_0000, 0, false), &[], "", 64)).contains("without a PVH note")
    );
    assert!(error(load_with(elf64(0xa_0000, 0, true), &[], "", 64)).contains("no free memory"));
    assert!(
        error(load_with(elf64(0x600_0000, 0, true), &[], "", 64)).contains("try --memory 128M")
    );
    assert!(error(load_with(elf64(u64::MAX - 5, 0, true), &[], "", 64)).contains("no free memory"));
    assert!(
        error(load_with(
            elf64(0x20_0000, 0, true)[..0x1800].to_vec(),
            &[],
            "",
            64
        ))
        .contains("truncated")
    );
    let mut arm = elf64(0x20_0000, 0, true);
    arm[18] = 183;
    assert!(error(load_with(arm, &[], "", 64)).contains("another processor"));
}

#[test]
fn multiboot_by_addresses_gets_its_information() {
    let modules = [module("first", "a b", b"one"), module("second", "", b"two")];
    let image = load_with(multiboot(0x1_0003), &modules, "x", 64).unwrap();
    assert_eq!(image.format, Format::Multiboot);
    let Start::Protected32 {
        entry, eax, ebx, ..
    } = image.start
    else {
        panic!("{:?}", image.start)
    };
    assert_eq!((entry, eax), (0x10_0040, 0x2bad_b002));
    assert_eq!(&at(&image, 0x10_0000)[..5], b"first");
    let info = at(&image, u64::from(ebx));
    let field = |offset| u32_at(info, offset).unwrap();
    assert_eq!((field(0), field(4), field(8)), (0x24d, 639, 63 << 10));
    assert_eq!(string_at(&image, u64::from(field(16))), "kernel x");
    assert_eq!(field(20), 2);
    let list = at(&image, u64::from(field(24)));
    let (start, end) = (u32_at(list, 16).unwrap(), u32_at(list, 20).unwrap());
    assert_eq!((start % 0x1000, end - start), (0, 3));
    assert_eq!(&at(&image, u64::from(start))[..3], b"two");
    assert_eq!(
        string_at(&image, u64::from(u32_at(list, 8).unwrap())),
        "first a b"
    );
    let map = at(&image, u64::from(field(48)));
    assert_eq!(
        (field(44), u32_at(map, 0), u64_at(map, 4)),
        (96, Some(20), Some(0))
    );
}

/// Code at 08h and data at 10h, as QEMU has it; data at 18h too, which is what GRUB leaves in the segment registers.
#[test]
fn multiboot_kernels_find_the_selectors_they_were_tried_with() {
    let image = load_with(multiboot(0x1_0003), &[], "", 64).unwrap();
    let Start::Protected32 { descriptors, .. } = image.start else {
        panic!("{:?}", image.start)
    };
    assert_eq!((descriptors.code, descriptors.data), (0x08, 0x10));
    let table = at(&image, descriptors.gdt_base);
    let descriptor = |selector| u64_at(table, selector).unwrap();
    assert_eq!(descriptor(0x08), 0x00cf_9b00_0000_ffff);
    assert_eq!(
        [descriptor(0x10), descriptor(0x18)],
        [0x00cf_9300_0000_ffff; 2]
    );
    assert!(descriptors.gdt_limit >= 0x1f);
}

#[test]
fn multiboot_elf_enters_at_the_physical_address() {
    let mut file = elf64(0x20_0000, 0xffff_ffff_8020_0004, false);
    let header = &multiboot(0)[0x40..0x4c];
    file[0x1800..0x180c].copy_from_slice(header);
    let image = load_with(file, &[], "", 64).unwrap();
    let Start::Protected32 { entry, .. } = image.start else {
        panic!("{:?}", image.start)
    };
    assert_eq!(entry, 0x20_0004);
}

#[test]
fn a_pvh_entry_comes_before_a_multiboot_one() {
    let mut file = elf64(0x20_0000, 0x20_0000, true);
    file[0x1800..0x180c].copy_from_slice(&multiboot(0)[0x40..0x4c]);
    assert_eq!(load_with(file, &[], "", 64).unwrap().format, Format::Pvh);
}

#[test]
fn multiboot_says_what_is_wrong() {
    assert!(error(load_with(multiboot(8), &[], "", 64)).contains("requires multiboot features"));
    assert!(error(load_with(multiboot(0), &[], "", 64)).contains("set header flag 16"));
    let mut wrong = multiboot(0x1_0000);
    wrong[0x50..0x54].copy_from_slice(&0x10_0030u32.to_le_bytes());
    assert!(error(load_with(wrong, &[], "", 64)).contains("contradict"));
}

#[test]
fn other_files_are_called_by_name() {
    let name = |bytes: &[u8]| error(load_with(bytes.to_vec(), &[], "", 64));
    assert!(name(b"\x1f\x8b\x08").contains("unpack it with gunzip first"));
    assert!(name(b"#!/bin/sh\n").contains("a script"));
    assert!(name(b"070701000").contains("--initrd"));
    assert!(name(b"x").contains("no format known here"));
}

/// Where `guests/fetch` puts the kit.
fn kit(name: &str) -> Option<Vec<u8>> {
    let dir = std::env::var_os("RAX_GUESTS").map(PathBuf::from);
    let dir = dir.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guests"));
    let file = std::fs::read(dir.join(name));
    if file.is_err() {
        println!("skipped: no {name}; run guests/fetch");
    }
    file.ok()
}

#[test]
fn the_guest_kits_kernels_load() {
    for (name, format) in [
        ("vmlinuz-cloud-amd64", Format::Linux64),
        ("vmlinuz-amd64", Format::Linux64),
        ("vmlinuz-686", Format::Linux32),
    ] {
        let (Some(kernel), Some(initrd)) = (kit(name), kit("initrd-amd64.img")) else {
            continue;
        };
        let length = kernel.len();
        let image = load_with(
            kernel.clone(),
            &[module("i", "", &initrd)],
            "console=ttyS0",
            128,
        )
        .unwrap();
        assert_eq!(image.format, format, "{name}");
        assert!(
            image
                .chunks
                .iter()
                .any(|chunk| chunk.address == 0x100_0000 && chunk.bytes.len() > length / 2)
        );
        assert!(
            error(load_with(kernel[..length / 2].to_vec(), &[], "", 128)).contains("truncated"),
            "{name}"
        );
        assert!(
            error(load_with(kernel, &[], "", 24)).contains("--memory"),
            "{name}"
        );
    }
}

/// Valid images, to be damaged.
fn seeds() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(bzimage(true)),
        Just(bzimage(false)),
        Just(elf64(0x20_0000, 0x20_0000, true)),
        Just(multiboot(0x1_0003)),
        Just({
            let mut file = elf64(0x20_0000, 0x20_0000, false);
            file[0x1800..0x180c].copy_from_slice(&multiboot(3)[0x40..0x4c]);
            file
        }),
    ]
}

/// The bytes that may be allocated for a small file.
fn is_modest(image: &BootImage) -> bool {
    image
        .chunks
        .iter()
        .map(|chunk| chunk.bytes.len())
        .sum::<usize>()
        < 1 << 20
}

proptest! {
    #[test]
    fn any_bytes_are_loaded_or_refused(bytes in prop::collection::vec(any::<u8>(), 1..3000), mib in 2u64..64) {
        if let Ok(image) = load_with(bytes, &[], "", mib) {
            prop_assert!(is_modest(&image));
        }
    }

    #[test]
    fn damaged_images_are_loaded_or_refused(
        mut bytes in seeds(),
        damage in prop::collection::vec((0usize..0x300, prop_oneof![any::<u8>(), Just(0), Just(0xff)]), 0..8),
        keep in prop_oneof![Just(usize::MAX), 1usize..8192],
        mib in prop_oneof![Just(64u64), 1u64..40, Just(3000)],
    ) {
        for (offset, value) in damage {
            bytes[offset] = value;
        }
        bytes.truncate(keep);
        let modules = [module("m", "", &[7; 5000])];
        if let Ok(image) = load_with(bytes, &modules, "a", mib) {
            prop_assert!(is_modest(&image));
        }
    }
}
