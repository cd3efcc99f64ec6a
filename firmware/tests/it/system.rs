//! The system BIOS: sizes, checksums, and whatever has a place of old.

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction};

/// Segment F000h of the image.
fn services() -> Vec<u8> {
    rax_firmware::system::image()[0x1_0000..].to_vec()
}

fn word(bytes: &[u8], offset: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[offset], bytes[offset + 1]]))
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// Entry points of the first PCs, which programs jump to.
const ENTRIES: [u16; 18] = [
    0xE05B, 0xE2C3, 0xE3FE, 0xE6F2, 0xE739, 0xE82E, 0xE987, 0xEC59, 0xEF57, 0xEFD2, 0xF045, 0xF065,
    0xF841, 0xF84D, 0xF859, 0xFE6E, 0xFEA5, 0xFF54,
];

#[test]
fn the_image_is_128_kib_and_its_upper_half_adds_up_to_zero() {
    assert_eq!(rax_firmware::system::image().len(), 0x2_0000);
    assert_eq!(sum(&services()), 0);
}

#[test]
fn it_is_the_same_every_time() {
    assert_eq!(rax_firmware::system::image(), rax_firmware::system::image());
}

#[test]
fn the_processor_starts_at_the_entry_of_post() {
    let rom = services();
    assert_eq!(rom[0xFFF0..0xFFF5], [0xEA, 0x5B, 0xE0, 0x00, 0xF0]);
    assert_eq!((rom[0xFFF7], rom[0xFFFA]), (b'/', b'/'), "a date");
    assert_eq!(rom[0xFFFE], 0xFC, "the model: an AT");
}

#[test]
fn every_entry_of_old_jumps_into_the_services() {
    let rom = services();
    for entry in ENTRIES {
        let at = usize::from(entry);
        assert_eq!(rom[at], 0xE9, "a jump at {entry:x}");
        let target = (at + 3 + word(&rom, at + 1)) & 0xFFFF;
        assert!(
            (0x3000..0xD000).contains(&target),
            "{entry:x} leads to {target:x}"
        );
    }
    assert_eq!(rom[0xFF53], 0xCF, "an IRET");
}

/// Follows the code from an offset on, both ways at branches.
fn follow(rom: &[u8], bitness: u32, start: usize, seen: &mut [bool]) -> usize {
    let mut waiting = vec![start];
    let mut count = 0;
    while let Some(mut at) = waiting.pop() {
        while !seen[at] {
            seen[at] = true;
            let code = &rom[at..];
            let mut decoder = Decoder::with_ip(bitness, code, at as u64, DecoderOptions::NONE);
            let instruction = decoder.decode();
            assert!(!instruction.is_invalid(), "no instruction at {at:x}");
            count += 1;
            if let Some(target) = near_target(&instruction) {
                waiting.push(target);
            }
            let ends = matches!(
                instruction.flow_control(),
                FlowControl::UnconditionalBranch
                    | FlowControl::IndirectBranch
                    | FlowControl::Return
                    | FlowControl::Exception
            );
            if ends {
                break;
            }
            at = decoder.ip() as usize;
        }
    }
    count
}

fn near_target(instruction: &Instruction) -> Option<usize> {
    let is_far = matches!(
        instruction.code(),
        Code::Jmp_ptr1616 | Code::Jmp_ptr1632 | Code::Call_ptr1616
    );
    let branches = instruction.is_jcc_short_or_near()
        || instruction.is_jmp_short_or_near()
        || instruction.is_call_near();
    (branches && !is_far).then(|| instruction.near_branch_target() as usize & 0xFFFF)
}

#[test]
fn all_code_that_can_be_reached_consists_of_instructions() {
    let rom = services();
    let mut seen = vec![false; rom.len()];
    let count: usize = ENTRIES
        .iter()
        .map(|entry| follow(&rom, 16, usize::from(*entry), &mut seen))
        .sum();
    assert!(count > 5000, "only {count} instructions");
    let post = &rax_firmware::system::image()[..0x1_0000];
    let count = follow(post, 16, 0, &mut vec![false; post.len()]);
    assert!(count > 2000, "only {count} instructions of POST");
}

#[test]
fn vectors_point_to_services() {
    let rom = services();
    let vectors: Vec<usize> = (0..24).map(|n| word(&rom, 0xFEF3 + 2 * n)).collect();
    assert_eq!(
        (vectors[0], vectors[1]),
        (0xFEA5, 0xE987),
        "timer and keyboard"
    );
    assert_eq!(
        vectors[0x10 - 8..0x18 - 8],
        [
            0xF065, 0xF84D, 0xF841, 0xE3FE, 0xE739, 0xF859, 0xE82E, 0xEFD2
        ]
    );
    assert_eq!(vectors[0x1D - 8..0x1F - 8], [0xF0A4, 0xEFC7]);
    for n in 0..8 {
        let vector = word(&rom, 0xFF23 + 2 * n);
        assert!((0x3000..0xD000).contains(&vector), "INT {:x}h", 0x70 + n);
    }
}

#[test]
fn tables_say_what_the_interface_says() {
    let rom = services();
    assert_eq!(rom[0xE6F5..0xE6F9], [8, 0, 0xFC, 0], "INT 15h C0h");
    assert_eq!(word(&rom, 0xE729 + 14), 12, "9600 baud");
    assert_eq!(
        (rom[0xEFC7 + 3], rom[0xEFC7 + 4]),
        (2, 18),
        "512 bytes, 18 sectors"
    );
    let letter_a = &rom[0xFA6E + 8 * usize::from(b'A')..][..8];
    assert_ne!(letter_a, [0; 8], "the font has letters");
}

#[test]
fn bios32_is_found_and_names_the_pci_bios() {
    let rom = services();
    let header = (0..rom.len())
        .step_by(16)
        .find(|at| rom[*at..].starts_with(b"_32_"));
    let header = &rom[header.expect("a header at a paragraph")..][..16];
    assert_eq!((header[9], sum(header)), (1, 0));
    let entry = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
    let entry = entry as usize - 0xF_0000;
    let mut seen = vec![false; rom.len()];
    assert!(follow(&rom, 32, entry, &mut seen) > 5);
    assert!(follow(&rom, 32, 0xD040, &mut seen) > 100, "the PCI BIOS");
}
