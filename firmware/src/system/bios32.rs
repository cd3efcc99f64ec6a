//! The BIOS32 service directory, and PCI BIOS for protected mode behind it (BIOS32 Service Directory 0.4; PCI BIOS 2.1).

use iced_x86::code_asm::{CodeAssembler, al, bl, eax, ebx, ecx, edx};

use super::areas::{ROM_SEGMENT, rom};
use super::pci_bios;
use crate::language::{Bitness, Unit, asm};

/// Where the directory's header lies in segment F000h: at a paragraph, as those who look for it expect.
pub(super) const HEADER: u32 = 0xFFE0;
/// The directory's entry, and PCI BIOS's.
pub(super) const DIRECTORY: u32 = rom::CODE_32;
pub(super) const PCI: u32 = rom::CODE_32 + 0x40;

/// The header: signature, entry, revision, length in paragraphs, checksum.
pub(super) fn header() -> Vec<u8> {
    let mut header = b"_32_".to_vec();
    header.extend((ROM_SEGMENT * 16 + DIRECTORY).to_le_bytes());
    header.extend([0, 1, 0, 0, 0, 0, 0, 0]);
    header[10] = header.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
    header
}

/// The directory: EAX names a service; EBX, ECX and EDX say where it lies, how long it is and where it begins.
pub(super) fn directory() -> Vec<u8> {
    let mut code = CodeAssembler::new(32).expect("a bitness that exists");
    let [mut unknown, mut bad] = [code.create_label(), code.create_label()];
    asm!(&mut code;
        cmp bl, 0; jne bad;
        cmp eax, u32::from_le_bytes(*b"$PCI").cast_signed(); jne unknown;
        mov ebx, ROM_SEGMENT * 16; mov ecx, 0x1_0000; mov edx, PCI;
        mov al, 0; retf;
        set_label &mut unknown;
        mov al, 0x80; retf;
        set_label &mut bad;
        mov al, 0x81; retf;
    );
    let bytes = code.assemble(u64::from(DIRECTORY));
    bytes.expect("code that can be encoded")
}

/// PCI BIOS, 32-bit code.
pub(super) fn pci() -> Vec<u8> {
    let mut unit = Unit::new(Bitness::Protected, 0);
    unit.far_service("pci32", |f, r| f.ret(pci_bios::service(r.frame())));
    unit.compile(PCI).code
}
