//! The video fields of the BIOS data area, as offsets in segment 0040h (IBM PS/2 and PC BIOS Interface Technical
//! Reference, "Video Display Data Area").

/// The segment.
pub(crate) const SEGMENT: i32 = 0x40;
/// The equipment word: bits 4 and 5 are the initial video mode.
pub(crate) const EQUIPMENT: i32 = 0x10;
/// The mode.
pub(crate) const MODE: i32 = 0x49;
/// Columns on the screen (word).
pub(crate) const COLUMNS: i32 = 0x4A;
/// Bytes in a page (word).
pub(crate) const PAGE_SIZE: i32 = 0x4C;
/// Where the active page starts in video memory (word).
pub(crate) const PAGE_START: i32 = 0x4E;
/// The cursor of each of eight pages: column, row.
pub(crate) const CURSORS: i32 = 0x50;
/// The cursor's last line, then its first (word).
pub(crate) const CURSOR_SHAPE: i32 = 0x60;
/// The active page.
pub(crate) const PAGE: i32 = 0x62;
/// The CRT controller's index port (word).
pub(crate) const CRTC_PORT: i32 = 0x63;
/// What the CGA's mode register would hold.
pub(crate) const CGA_MODE: i32 = 0x65;
/// What the CGA's colour register would hold.
pub(crate) const CGA_COLOUR: i32 = 0x66;
/// Rows on the screen, less one.
pub(crate) const LAST_ROW: i32 = 0x84;
/// Scan lines of a character (word).
pub(crate) const CHAR_HEIGHT: i32 = 0x85;
/// Video control: bit 7 memory kept, 5-6 memory size, 0 no cursor emulation.
pub(crate) const CONTROL: i32 = 0x87;
/// Feature bits and adapter switches.
pub(crate) const SWITCHES: i32 = 0x88;
/// VGA flags; see the bits below.
pub(crate) const FLAGS: i32 = 0x89;
/// The index into the display combination table.
pub(crate) const DISPLAY: i32 = 0x8A;
/// The save pointer table (far pointer).
pub(crate) const SAVE_POINTERS: i32 = 0xA8;

/// [`FLAGS`]: 400 scan lines in text modes.
pub(crate) const FLAG_400_LINES: i32 = 0x10;
/// [`FLAGS`]: 200 scan lines in text modes.
pub(crate) const FLAG_200_LINES: i32 = 0x80;
/// [`FLAGS`]: the default palette is not loaded by a mode set.
pub(crate) const FLAG_KEEP_PALETTE: i32 = 0x08;
/// [`FLAGS`]: colours are summed to grey.
pub(crate) const FLAG_GREY: i32 = 0x02;
/// [`CONTROL`]: software cursor shapes are not translated.
pub(crate) const CONTROL_NO_EMULATION: i32 = 0x01;
