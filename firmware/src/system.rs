//! The system BIOS (IBM PC/AT BIOS interface, EDD, El Torito, PCI BIOS 2.1).
