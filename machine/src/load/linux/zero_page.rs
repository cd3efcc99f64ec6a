//! The zero page, `struct boot_params`: what the setup code would have asked the BIOS for
//! (Documentation/arch/x86/zero-page.rst).

use super::super::fields::Fields;
use super::super::memory::ONE_MIB;
use super::super::{BootRequest, MemoryKind};
use super::header::{Header, START};
use super::{COMMAND_LINE, ZERO_PAGE};

/// The table at 2D0h holds this many entries of 20 bytes.
const E820_ENTRIES: usize = 128;
/// `type_of_loader`: none of those with a number.
const UNDEFINED_LOADER: u8 = 0xff;
/// `loadflags`: `heap_end_ptr` counts.
const CAN_USE_HEAP: u8 = 1 << 7;

/// Builds the page.
pub(super) fn build(
    request: &BootRequest<'_>,
    header: &Header,
    load_address: u64,
    initrd: Option<(u64, u64)>,
) -> Vec<u8> {
    let mut page = Fields::zeroed(0x1000);
    page.bytes(START, &header.bytes);
    screen_info(&mut page, request.has_vga);
    memory_map(&mut page, request);
    page.u64(0x070, request.rsdp.unwrap_or(0));
    page.u16(0x1fa, 0xffff); // vid_mode: normal.
    page.u8(0x210, UNDEFINED_LOADER);
    let loadflags = header.bytes.get(0x211 - START).copied().unwrap_or(0);
    page.u32(0x214, load_address as u32); // code32_start
    let (address, size) = initrd.unwrap_or((0, 0));
    page.u32(0x218, address as u32).u32(0x21c, size as u32);
    if header.protocol >= 0x201 {
        page.u8(0x211, loadflags | CAN_USE_HEAP)
            .u16(0x224, 0xfe00 - 0x200);
    }
    if header.protocol >= 0x202 {
        page.u32(0x228, COMMAND_LINE as u32);
    } else {
        // cl_magic and cl_offset, from the segment of the zero page.
        page.u16(0x20, 0xa33f)
            .u16(0x22, (COMMAND_LINE - ZERO_PAGE) as u16);
    }
    page.finish()
}

/// A VGA card in mode 3, or zeros for none.
fn screen_info(page: &mut Fields, has_vga: bool) {
    if has_vga {
        page.u8(0x06, 3); // orig_video_mode
        page.u8(0x07, 80); // orig_video_cols
        page.u8(0x0e, 25); // orig_video_lines
        page.u8(0x0f, 1); // orig_video_isVGA
        page.u16(0x10, 16); // orig_video_points
    }
}

fn memory_map(page: &mut Fields, request: &BootRequest<'_>) {
    let ranges = request
        .memory
        .iter()
        .filter(|range| range.start < range.end)
        .take(E820_ENTRIES);
    let mut count = 0;
    for range in ranges {
        let entry = 0x2d0 + 20 * usize::from(count);
        page.u64(entry, range.start)
            .u64(entry + 8, range.end - range.start)
            .u32(entry + 16, range.kind as u32);
        count += 1;
    }
    page.u8(0x1e8, count);
    // What the older calls INT 15h 88h and E801h answer, in KiB above 1 MiB.
    let above = request
        .memory
        .iter()
        .find(|range| range.kind == MemoryKind::Ram && range.start == ONE_MIB);
    let above_kib = above.map_or(0, |range| (range.end - range.start) >> 10);
    page.u16(0x02, u16::try_from(above_kib).unwrap_or(0xfc00));
    page.u32(0x1e0, u32::try_from(above_kib).unwrap_or(u32::MAX));
}
