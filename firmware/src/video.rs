//! The VGA BIOS: INT 10h, as an option ROM (VBE 3.0).
