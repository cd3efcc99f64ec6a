//! Tables that point at each other, before anyone knows where they will lie.
//!
//! Firmware that gets them by fw_cfg chooses the place itself and is told what to
//! mend (QEMU's table loader); without firmware we choose, and mend them here.

/// The table loader's file names.
const TABLES: &str = "etc/acpi/tables";
const RSDP: &str = "etc/acpi/rsdp";
/// Bytes of a command, of a file name in it.
const COMMAND_BYTES: usize = 128;
const NAME_BYTES: usize = 56;
/// Commands.
const ALLOCATE: u32 = 1;
const ADD_POINTER: u32 = 2;
const ADD_CHECKSUM: u32 = 3;
/// Where to allocate: anywhere below 4 GiB, or where the root pointer is searched.
const ZONE_HIGH: u8 = 1;
const ZONE_F_SEGMENT: u8 = 2;
/// What the tables' place is a multiple of: the FACS needs it.
const ALIGNMENT: u32 = 64;

/// Which of the two parts something is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Tables,
    Rsdp,
}

/// A field that holds a distance from the tables' start, to become an address.
#[derive(Clone, Copy, Debug)]
struct Pointer {
    part: Part,
    at: usize,
    bytes: usize,
}

/// A byte that makes a range of bytes add up to zero.
#[derive(Clone, Copy, Debug)]
struct Checksum {
    part: Part,
    at: usize,
    start: usize,
    bytes: usize,
}

/// The tables and the structure that points at them.
#[derive(Debug, Default)]
pub(super) struct Blob {
    tables: Vec<u8>,
    rsdp: Vec<u8>,
    pointers: Vec<Pointer>,
    checksums: Vec<Checksum>,
}

impl Blob {
    /// Puts a table behind the others; its place.
    pub(super) fn add(&mut self, table: &[u8], alignment: usize) -> usize {
        let at = self.tables.len().next_multiple_of(alignment);
        self.tables.resize(at, 0);
        self.tables.extend(table);
        at
    }

    /// The root pointer.
    pub(super) fn set_rsdp(&mut self, rsdp: Vec<u8>) {
        self.rsdp = rsdp;
    }

    /// The field of `bytes` bytes at `at` points at `target` in the tables.
    pub(super) fn point(&mut self, part: Part, at: usize, bytes: usize, target: usize) {
        self.part(part)[at..at + bytes].copy_from_slice(&target.to_le_bytes()[..bytes]);
        self.pointers.push(Pointer { part, at, bytes });
    }

    /// The byte at `at` makes `bytes` bytes from `start` on add up to zero.
    pub(super) fn check(&mut self, part: Part, at: usize, start: usize, bytes: usize) {
        self.part(part)[at] = 0;
        self.checksums.push(Checksum {
            part,
            at,
            start,
            bytes,
        });
    }

    fn part(&mut self, part: Part) -> &mut Vec<u8> {
        match part {
            Part::Tables => &mut self.tables,
            Part::Rsdp => &mut self.rsdp,
        }
    }

    /// Tables and root pointer for a machine where the tables lie at `address`.
    pub(super) fn place(mut self, address: u64) -> (Vec<u8>, Vec<u8>) {
        for Pointer { part, at, bytes } in std::mem::take(&mut self.pointers) {
            let field = &mut self.part(part)[at..at + bytes];
            let mut value = [0; 8];
            value[..bytes].copy_from_slice(field);
            let value = u64::from_le_bytes(value).wrapping_add(address);
            field.copy_from_slice(&value.to_le_bytes()[..bytes]);
        }
        for checksum in std::mem::take(&mut self.checksums) {
            let part = self.part(checksum.part);
            let range = &part[checksum.start..checksum.start + checksum.bytes];
            part[checksum.at] = sum(range).wrapping_neg();
        }
        (self.tables, self.rsdp)
    }

    /// The files by which firmware places them itself: name and content.
    pub(super) fn into_files(self) -> [(&'static str, Vec<u8>); 3] {
        let mut commands = Vec::new();
        let mut command = |number: u32, names: &[&str], fields: &[&[u8]]| {
            let start = commands.len();
            commands.extend(number.to_le_bytes());
            for name in names {
                let mut field = [0; NAME_BYTES];
                field[..name.len()].copy_from_slice(name.as_bytes());
                commands.extend(field);
            }
            for field in fields {
                commands.extend(*field);
            }
            commands.resize(start + COMMAND_BYTES, 0);
        };
        let name = |part| match part {
            Part::Tables => TABLES,
            Part::Rsdp => RSDP,
        };
        command(
            ALLOCATE,
            &[TABLES],
            &[&ALIGNMENT.to_le_bytes(), &[ZONE_HIGH]],
        );
        command(
            ALLOCATE,
            &[RSDP],
            &[&16u32.to_le_bytes(), &[ZONE_F_SEGMENT]],
        );
        for Pointer { part, at, bytes } in &self.pointers {
            let fields: [&[u8]; 2] = [&(*at as u32).to_le_bytes(), &[*bytes as u8]];
            command(ADD_POINTER, &[name(*part), TABLES], &fields);
        }
        for checksum in &self.checksums {
            let numbers = [checksum.at, checksum.start, checksum.bytes];
            let numbers = numbers.map(|number| (number as u32).to_le_bytes());
            command(ADD_CHECKSUM, &[name(checksum.part)], &[&numbers.concat()]);
        }
        [
            (TABLES, self.tables),
            (RSDP, self.rsdp),
            ("etc/table-loader", commands),
        ]
    }
}

/// All bytes added up.
pub(super) fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}
