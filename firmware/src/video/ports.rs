//! The VGA's ports (IBM VGA Technical Reference, "Registers") and the Bochs display interface's.

/// Attribute controller: index and data in turns; data is read from the next port.
pub(crate) const ATTRIBUTE: i32 = 0x3C0;
/// Miscellaneous output, to write.
pub(crate) const MISC_WRITE: i32 = 0x3C2;
/// Sequencer.
pub(crate) const SEQUENCER: i32 = 0x3C4;
/// Which bits of a pixel go to the DAC.
pub(crate) const DAC_MASK: i32 = 0x3C6;
/// DAC: the entry to read from.
pub(crate) const DAC_READ_INDEX: i32 = 0x3C7;
/// DAC: the entry to write to.
pub(crate) const DAC_WRITE_INDEX: i32 = 0x3C8;
/// DAC: red, green, blue in turns.
pub(crate) const DAC_DATA: i32 = 0x3C9;
/// Miscellaneous output, to read.
pub(crate) const MISC_READ: i32 = 0x3CC;
/// Graphics controller.
pub(crate) const GRAPHICS: i32 = 0x3CE;
/// CRT controller of a colour display.
pub(crate) const CRTC_COLOUR: i32 = 0x3D4;
/// CRT controller of a monochrome display.
pub(crate) const CRTC_MONO: i32 = 0x3B4;
/// From the CRT controller's index port to the input status and feature control register.
pub(crate) const TO_STATUS: i32 = 6;

/// Bochs display interface: index.
pub(crate) const DISPI_INDEX: i32 = 0x1CE;
/// Bochs display interface: data.
pub(crate) const DISPI_DATA: i32 = 0x1CF;
