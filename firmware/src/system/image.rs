//! The layout of the image: two segments, with entry points and tables where the first PC had them (IBM PC/AT technical
//! reference, "ROM BIOS").

use std::collections::HashMap;

use super::areas::{POST_SEGMENT, ROM_SEGMENT, rom};
use super::{apm, bios32, interrupts, pmm, pnp, post, resume, start};
use crate::language::{Bitness, Unit};

/// The size of the image.
const SIZE: usize = 0x2_0000;
/// Where segment F000h begins in it.
const SERVICES: usize = 0x1_0000;
/// Constants of POST, by offset in segment E000h; its code begins at zero.
const POST_CONSTANTS: u32 = 0xC000;
/// The code that copies the ROM into RAM lies here in segment E000h, so that it can run from the copy below 4 GiB.
pub(super) const SHADOW_CODE: u32 = 0xF000;
/// Where POST goes on in real mode, in segment E000h.
pub(super) const REAL_MODE_CODE: u32 = 0xF100;
/// 32-bit code for whoever wants to wake in protected mode, in segment E000h.
pub(super) const GO_ON_CODE: u32 = 0xF180;
/// The descriptor table of the start, in segment F000h.
pub(super) const DESCRIPTORS: u32 = 0xE000;

/// Entry points and where the first PC had them in segment F000h, after two that are ours.
const COMPATIBLE_ENTRIES: [(u32, &str); 20] = [
    (apm::ENTRY_16, "apm16"),
    (pmm::ENTRY, "pmm"),
    (0xE05B, "reset"),
    (0xE2C3, "int02"),
    (0xE3FE, "int13"),
    (0xE6F2, "int19"),
    (0xE739, "int14"),
    (0xE82E, "int16"),
    (0xE987, "int09"),
    (0xEC59, "int40"),
    (0xEF57, "int0e"),
    (0xEFD2, "int17"),
    (0xF045, "int10"),
    (0xF065, "int10"),
    (0xF841, "int12"),
    (0xF84D, "int11"),
    (0xF859, "int15"),
    (0xFE6E, "int1a"),
    (0xFEA5, "int08"),
    (0xFF54, "int05"),
];
/// The vectors of INT 08h to 1Fh, one word each.
pub(super) const LOW_VECTORS: u32 = 0xFEF3;
/// The vectors of INT 70h to 77h.
pub(super) const HIGH_VECTORS: u32 = 0xFF23;
/// An IRET.
pub(super) const RETURN: u32 = 0xFF53;
/// The system configuration table, INT 15h C0h.
pub(super) const CONFIGURATION: u32 = 0xE6F5;
/// Baud rates of INT 14h.
pub(super) const DIVISORS: u32 = 0xE729;
/// The floppy parameter table, INT 1Eh.
pub(super) const FLOPPY_PARAMETERS: u32 = 0xEFC7;
/// The table of video parameters, INT 1Dh.
pub(super) const VIDEO_PARAMETERS: u32 = 0xF0A4;
/// Characters 0 to 127 of the 8 by 8 font.
pub(super) const FONT: u32 = 0xFA6E;

/// The whole BIOS, 128 KiB, for E0000h to FFFFFh and for the same range below 4 GiB.
pub fn image() -> Vec<u8> {
    let mut image = Image(vec![0; SIZE]);
    let mut services = Unit::new(Bitness::Real, rom::CONSTANTS);
    interrupts::services(&mut services);
    let services = services.compile(rom::CODE);
    image.put(
        ROM_SEGMENT,
        rom::CONSTANTS,
        rom::TABLES,
        &services.constants,
    );
    image.put(ROM_SEGMENT, rom::CODE, rom::CODE_32, &services.code);

    image.put(
        ROM_SEGMENT,
        bios32::DIRECTORY,
        bios32::PCI,
        &bios32::directory(),
    );
    image.put(ROM_SEGMENT, bios32::PCI, apm::ENTRY, &bios32::pci());
    image.put(ROM_SEGMENT, apm::ENTRY, apm::ENTRY_16, &apm::protected());
    image.put(
        ROM_SEGMENT,
        bios32::HEADER,
        bios32::HEADER + 16,
        &bios32::header(),
    );

    let mut post = Unit::new(Bitness::Real, POST_CONSTANTS);
    post::entry(&mut post);
    resume::entry(&mut post);
    let post = post.compile(0);
    image.put(POST_SEGMENT, 0, POST_CONSTANTS, &post.code);
    image.put(POST_SEGMENT, POST_CONSTANTS, SHADOW_CODE, &post.constants);
    image.put(POST_SEGMENT, SHADOW_CODE, REAL_MODE_CODE, &start::shadow());
    let real_mode = start::real_mode(post.offsets["resume"]);
    image.put(POST_SEGMENT, REAL_MODE_CODE, GO_ON_CODE, &real_mode);
    image.put(POST_SEGMENT, GO_ON_CODE, 0xFFFF, &start::go_on());

    image.compatible(&services.offsets);
    image.0
}

/// The image in the making.
struct Image(Vec<u8>);

impl Image {
    /// Puts bytes at an offset in a segment; they must end before `end`.
    fn put(&mut self, segment: u32, offset: u32, end: u32, bytes: &[u8]) {
        let length = bytes.len();
        assert!(
            offset as usize + length <= end as usize,
            "{length:#x} bytes at {segment:x}:{offset:x} overlap what follows"
        );
        let start = ((segment - POST_SEGMENT) * 16 + offset) as usize;
        self.0[start..start + length].copy_from_slice(bytes);
    }

    /// Puts everything that has a place of old.
    fn compatible(&mut self, offsets: &HashMap<&'static str, u32>) {
        self.put(ROM_SEGMENT, DESCRIPTORS, 0xE05B, &start::descriptors());
        for (place, name) in COMPATIBLE_ENTRIES {
            let distance = offsets[name].wrapping_sub(place + 3);
            let [low, high, ..] = distance.to_le_bytes();
            self.put(ROM_SEGMENT, place, place + 3, &[0xE9, low, high]);
        }
        let words = |names: &[&str]| -> Vec<u8> {
            let offset = |name: &&str| vector(name, offsets).to_le_bytes();
            names.iter().flat_map(offset).collect()
        };
        self.put(
            ROM_SEGMENT,
            LOW_VECTORS,
            HIGH_VECTORS,
            &words(&interrupts::LOW),
        );
        self.put(ROM_SEGMENT, HIGH_VECTORS, RETURN, &words(&interrupts::HIGH));
        for (place, bytes) in interrupts::tables() {
            self.put(ROM_SEGMENT, place, 0xFFFF, &bytes);
        }
        self.put(ROM_SEGMENT, RETURN, RETURN + 1, &[0xCF]);
        self.put(ROM_SEGMENT, pnp::HEADER, pmm::HEADER, &pnp::structure());
        self.put(ROM_SEGMENT, pmm::HEADER, pmm::ENTRY, &pmm::structure());
        // The reset vector, the date of the interface, and what model it is: an AT.
        self.put(ROM_SEGMENT, 0xFFF0, 0xFFF5, &[0xEA, 0x5B, 0xE0, 0x00, 0xF0]);
        self.put(ROM_SEGMENT, 0xFFF5, 0xFFFD, b"11/21/26");
        self.put(ROM_SEGMENT, 0xFFFE, 0xFFFF, &[0xFC]);
        let sum = self.0[SERVICES..]
            .iter()
            .fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        self.0[SIZE - 1] = 0u8.wrapping_sub(sum);
    }
}

/// The offset that a vector gets: the old place of an entry if it has one.
fn vector(name: &str, offsets: &HashMap<&'static str, u32>) -> u16 {
    let mut places = COMPATIBLE_ENTRIES.iter().rev();
    let place = match name {
        "return" => RETURN,
        "video parameters" => VIDEO_PARAMETERS,
        "floppy parameters" => FLOPPY_PARAMETERS,
        _ => match places.find(|(_, entry)| *entry == name) {
            Some((place, _)) => *place,
            None => offsets[name],
        },
    };
    u16::try_from(place).expect("an offset in a segment")
}
