//! Memory that the BIOS and its callers share, and where everything lies in it (IBM PC/AT technical reference; Ralf
//! Brown's memory list).

/// The segment of the BIOS data area.
pub(crate) const BDA_SEGMENT: u32 = 0x40;
/// The segment of the services.
pub(crate) const ROM_SEGMENT: u32 = 0xF000;
/// The segment of the power-on self-test.
pub(crate) const POST_SEGMENT: u32 = 0xE000;
/// The segment of the extended BIOS data area: the last KiB below 640 KiB.
pub(crate) const EBDA_SEGMENT: u32 = 0x9FC0;
/// Conventional memory in KiB, without the EBDA.
pub(crate) const BASE_MEMORY_KIB: u32 = 639;

/// Offsets in the BIOS data area.
pub(crate) mod bda {
    /// Four I/O ports of serial adapters.
    pub(crate) const SERIAL_PORTS: u32 = 0x00;
    /// Three I/O ports of parallel adapters.
    pub(crate) const PARALLEL_PORTS: u32 = 0x08;
    /// The segment of the EBDA.
    pub(crate) const EBDA: u32 = 0x0E;
    /// What INT 11h returns.
    pub(crate) const EQUIPMENT: u32 = 0x10;
    /// What INT 12h returns.
    pub(crate) const MEMORY_KIB: u32 = 0x13;
    /// Shift states, see `keyboard`.
    pub(crate) const SHIFTS: u32 = 0x17;
    /// Which shift keys are down.
    pub(crate) const SHIFTS_DOWN: u32 = 0x18;
    /// The number typed with Alt and the keypad.
    pub(crate) const ALT_NUMBER: u32 = 0x19;
    /// Where the next key is taken from.
    pub(crate) const KEY_HEAD: u32 = 0x1A;
    /// Where the next key is put.
    pub(crate) const KEY_TAIL: u32 = 0x1C;
    /// The default buffer for keys.
    pub(crate) const KEYS: u32 = 0x1E;
    /// Its end.
    pub(crate) const KEYS_END: u32 = 0x3E;
    /// Which floppy drives are calibrated; bit 7: the controller has interrupted.
    pub(crate) const FLOPPY_SEEK: u32 = 0x3E;
    /// Which floppy motors run.
    pub(crate) const FLOPPY_MOTORS: u32 = 0x3F;
    /// Ticks until the motors are stopped.
    pub(crate) const FLOPPY_TIMEOUT: u32 = 0x40;
    /// Status of the last floppy operation.
    pub(crate) const FLOPPY_STATUS: u32 = 0x41;
    /// Seven result bytes of the floppy controller.
    pub(crate) const FLOPPY_RESULT: u32 = 0x42;
    /// Columns of the screen.
    pub(crate) const VIDEO_COLUMNS: u32 = 0x4A;
    /// The page that is shown.
    pub(crate) const VIDEO_PAGE: u32 = 0x62;
    /// What option ROMs and resets use as a far pointer.
    pub(crate) const RESET_VECTOR: u32 = 0x67;
    /// Ticks since midnight, 18.2 a second.
    pub(crate) const TICKS: u32 = 0x6C;
    /// Midnight has passed.
    pub(crate) const MIDNIGHT: u32 = 0x70;
    /// Bit 7: Ctrl-Break was pressed.
    pub(crate) const BREAK: u32 = 0x71;
    /// 1234h: Ctrl-Alt-Del was pressed.
    pub(crate) const RESET_FLAG: u32 = 0x72;
    /// Status of the last hard-disk operation.
    pub(crate) const DISK_STATUS: u32 = 0x74;
    /// How many hard disks there are.
    pub(crate) const DISK_COUNT: u32 = 0x75;
    /// Seconds until a printer counts as dead, one byte each.
    pub(crate) const PARALLEL_TIMEOUTS: u32 = 0x78;
    /// The same for serial adapters.
    pub(crate) const SERIAL_TIMEOUTS: u32 = 0x7C;
    /// Start of the buffer for keys.
    pub(crate) const KEY_START: u32 = 0x80;
    /// End of the buffer for keys.
    pub(crate) const KEY_END: u32 = 0x82;
    /// Rows of the screen less one.
    pub(crate) const VIDEO_ROWS: u32 = 0x84;
    /// The last data rate of the floppy controller.
    pub(crate) const FLOPPY_RATE: u32 = 0x8B;
    /// Bit 7: the hard-disk controller has interrupted.
    pub(crate) const DISK_INTERRUPT: u32 = 0x8E;
    /// What kinds of floppy drives there are.
    pub(crate) const FLOPPY_INFO: u32 = 0x8F;
    /// State of the media, one byte for each floppy drive.
    pub(crate) const FLOPPY_MEDIA: u32 = 0x90;
    /// The track under the heads, one byte for each floppy drive.
    pub(crate) const FLOPPY_TRACK: u32 = 0x94;
    /// Prefixes, right Ctrl and Alt, kind of keyboard.
    pub(crate) const KEY_MODE: u32 = 0x96;
    /// LEDs, and answers of the keyboard.
    pub(crate) const KEY_LEDS: u32 = 0x97;
    /// Whom INT 15h 83h tells: far pointer to a byte.
    pub(crate) const WAIT_FLAG: u32 = 0x98;
    /// Microseconds left of that wait.
    pub(crate) const WAIT_LEFT: u32 = 0x9C;
    /// Bit 0: a wait is going on.
    pub(crate) const WAIT_ACTIVE: u32 = 0xA0;
    /// Days since the 1st of January 1980.
    pub(crate) const DAYS: u32 = 0xCE;
}

/// Offsets in the extended BIOS data area.
pub(crate) mod ebda {
    /// Its size in KiB.
    pub(crate) const SIZE_KIB: u32 = 0x00;
    /// Whom the pointing device's handler calls.
    pub(crate) const MOUSE_HANDLER: u32 = 0x22;
    /// Index of the next byte of a packet.
    pub(crate) const MOUSE_INDEX: u32 = 0x26;
    /// Bytes in a packet less one; bit 7: a handler is set.
    pub(crate) const MOUSE_SIZE: u32 = 0x27;
    /// The bytes of the packet.
    pub(crate) const MOUSE_PACKET: u32 = 0x28;
    /// Parameters of the first two hard disks, to which vectors 41h and 46h point.
    pub(crate) const DISK_PARAMETERS: u32 = 0x3D;
    /// A disk address packet that services make for themselves.
    pub(crate) const PACKET: u32 = 0x60;
    /// The device parameter table extension of the drive asked for last.
    pub(crate) const DPTE: u32 = 0x70;
    /// 12 bytes of a command for a CD-ROM drive.
    pub(crate) const ATAPI_COMMAND: u32 = 0x80;
    /// Sense data of a CD-ROM drive.
    pub(crate) const ATAPI_SENSE: u32 = 0x8C;
    /// The CD that emulates a disk, see `el_torito`.
    pub(crate) const EMULATION: u32 = 0xA0;
    /// How many CD-ROM drives there are.
    pub(crate) const CD_COUNT: u32 = 0xC0;
    /// Advanced power management: which interface is connected.
    pub(crate) const APM_CONNECTED: u32 = 0xC1;
    /// What to boot, in order, ended by zero: see `boot`.
    pub(crate) const BOOT_ORDER: u32 = 0xC8;
    /// Which of these is tried next.
    pub(crate) const BOOT_NEXT: u32 = 0xD6;
    /// How many option ROMs can be booted from, and their segments.
    pub(crate) const BOOT_ROM_COUNT: u32 = 0xD7;
    pub(crate) const BOOT_ROMS: u32 = 0xD8;
    /// The drives, see `drive`: hard disks first.
    pub(crate) const DRIVES: u32 = 0x100;
    /// Behind them, up to the area's end, is the stack on the way from sleep.
    pub(crate) const END: u32 = 0x400;
}

/// Memory that only POST uses.
pub(crate) mod post {
    /// POST's stack grows down from here.
    pub(crate) const STACK: u32 = 0x7000;
    /// The segment of 512 bytes for sectors that POST reads.
    pub(crate) const BUFFER_SEGMENT: u32 = 0x0800;
    /// Where other processors start: a page.
    pub(crate) const PROCESSOR_START: u32 = 0x1_0000;
    /// POST's own variables.
    pub(crate) const VARIABLES: u32 = 0x1_1000;
    /// Where the next PCI memory range ends, and where the next I/O range begins.
    pub(crate) const PCI_MEMORY: u32 = VARIABLES;
    pub(crate) const PCI_IO: u32 = VARIABLES + 4;
    /// RAM below 4 GiB that nobody has taken ends here.
    pub(crate) const RAM_TOP: u32 = VARIABLES + 8;
    /// How much RAM there is from 4 GiB up, in units of 64 KiB.
    pub(crate) const RAM_ABOVE: u32 = VARIABLES + 12;
    /// RAM below 4 GiB ends here, taken or not.
    pub(crate) const RAM_END: u32 = VARIABLES + 16;
    /// The segment where the next option ROM may be put.
    pub(crate) const ROM_SEGMENT: u32 = VARIABLES + 20;
    /// Where the next table goes in segment F000h.
    pub(crate) const TABLE: u32 = VARIABLES + 24;
    /// How many processors run.
    pub(crate) const PROCESSORS: u32 = VARIABLES + 28;
    /// The key of the firmware configuration file that was opened last.
    pub(crate) const FILE_KEY: u32 = VARIABLES + 32;
    /// An operation of the firmware configuration device, and its data.
    pub(crate) const DMA_COMMAND: u32 = VARIABLES + 48;
    pub(crate) const DMA_DATA: u32 = VARIABLES + 64;
    /// A bit for the APIC ID of each processor that runs.
    pub(crate) const APIC_IDS: u32 = VARIABLES + 0x80;
    /// Where the pool above 1 MiB ends, and the list of blocks, see `pmm`.
    pub(crate) const PMM_EXTENDED_END: u32 = VARIABLES + 0x100;
    pub(crate) const PMM_BLOCKS: u32 = VARIABLES + 0x104;
    /// The list of commands that put ACPI tables together.
    pub(crate) const LOADER: u32 = 0x2_0000;
    /// How many files it has named, then a record of each.
    pub(crate) const FILES: u32 = 0x3_0000;
    /// Where addresses for PCI devices begin.
    pub(crate) const PCI_HOLE: u32 = VARIABLES + 36;
}

/// Offsets in segment F000h.
pub(crate) mod rom {
    /// Constants of the services.
    pub(crate) const CONSTANTS: u32 = 0x0000;
    /// Tables that POST writes before it protects the segment.
    pub(crate) const TABLES: u32 = 0x1800;
    /// End of these tables.
    pub(crate) const TABLES_END: u32 = 0x3000;
    /// The memory map that INT 15h E820h returns: a count, then entries of 20 bytes.
    pub(crate) const MEMORY_MAP: u32 = TABLES;
    /// How many entries it may have.
    pub(crate) const MEMORY_MAP_ENTRIES: u32 = 48;
    /// Tables whose place POST chooses: ACPI root pointer, SMBIOS, MP, PIRQ.
    pub(crate) const FREE_TABLES: u32 = 0x1C00;
    /// Code of the services.
    pub(crate) const CODE: u32 = 0x3000;
    /// 32-bit code of the services.
    pub(crate) const CODE_32: u32 = 0xD000;
    /// From here on things lie where the first PC had them.
    pub(crate) const COMPATIBLE: u32 = 0xE000;
}
