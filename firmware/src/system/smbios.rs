//! POST: SMBIOS tables from the firmware configuration device, with a BIOS information structure of our own in front
//! if there is none (SMBIOS 2.8 and 3.0, section 5 and 7.1).

use super::areas::ROM_SEGMENT;
use super::tables::set_checksum;
use super::{fw_cfg, memory_map, tables};
use crate::language::{Body, Compare as _, Var, bytes, flat8, flat16, flat32, rom8};

/// The entry point structures' first four letters.
const ENTRY_21: u32 = u32::from_le_bytes(*b"_SM_");
const ENTRY_30: u32 = u32::from_le_bytes(*b"_SM3");

/// Puts the tables into high memory and their entry point into segment F000h.
pub(super) fn set_up(f: &mut Body<'_>) {
    let size = f.var(fw_cfg::open("etc/smbios/smbios-tables"));
    f.when(size.is_not(0).and(size.at_most(0xFFFF - 256)), |f| {
        let own = bios_information();
        let own_size = u32::try_from(own.len()).expect("a small structure");
        let place = f.var(memory_map::take(size + own_size, 16));
        f.run(fw_cfg::read(place + own_size, size));
        let added = f.var(0);
        f.either(
            flat8(place + own_size).is(0),
            |f| f.add(place, own_size),
            |f| {
                f.each(0, own_size, |f, n| {
                    f.set(flat8(place + n), rom8(bytes(&own) + n));
                });
                f.set(added, own_size);
            },
        );
        set_up_entry_point(f, place, added);
    });
}

fn set_up_entry_point(f: &mut Body<'_>, place: Var, added: Var) {
    let size = f.var(fw_cfg::open("etc/smbios/smbios-anchor"));
    f.when(size.is_not(0).and(size.at_most(0x40)), |f| {
        let entry = f.var(tables::take(size, 16));
        f.when(entry.is_not(0), |f| {
            f.run(fw_cfg::read(entry, size));
            f.when(flat32(entry).is(ENTRY_21), |f| {
                f.add(flat16(entry + 0x16), added);
                f.when(added.is_not(0), |f| f.add(flat16(entry + 0x1C), 1));
                f.when(flat16(entry + 8).below(added), |f| {
                    f.set(flat16(entry + 8), added);
                });
                f.set(flat32(entry + 0x18), place);
                f.run(set_checksum(entry + 0x15, entry + 0x10, 0x0F));
                f.run(set_checksum(entry + 4, entry, flat8(entry + 5)));
            });
            f.when(flat32(entry).is(ENTRY_30), |f| {
                f.add(flat32(entry + 0x0C), added);
                f.set(flat32(entry + 0x10), place);
                f.set(flat32(entry + 0x14), 0);
                f.run(set_checksum(entry + 5, entry, flat8(entry + 6)));
            });
        });
    });
}

/// The structure of type 0: who made the BIOS, and what it can do.
fn bios_information() -> Vec<u8> {
    // PCI, shadowing, CD boot, chosen boot, EDD; INT 5, 9, 14h, 17h and 10h; ACPI; and that it is a virtual machine.
    let features: u64 = 1 << 7 | 1 << 12 | 1 << 15 | 1 << 16 | 1 << 19 | 0x1F << 26;
    let mut structure = vec![0x00, 0x18, 0x00, 0x00, 1, 2];
    structure.extend(
        u16::try_from(ROM_SEGMENT - 0x1000)
            .unwrap_or(0)
            .to_le_bytes(),
    );
    structure.extend([3, 1]);
    structure.extend(features.to_le_bytes());
    structure.extend([0x01, 0x14, 0, 0, 0xFF, 0xFF]);
    structure.extend(concat!("rax\0", env!("CARGO_PKG_VERSION"), "\0", "11/21/2026\0\0").bytes());
    structure
}

#[cfg(test)]
mod tests {
    #[test]
    fn bios_information_has_the_length_it_says() {
        let structure = super::bios_information();
        assert_eq!(structure[1], 0x18);
        assert_eq!(&structure[0x18..0x1B], b"rax");
        assert_eq!(&structure[structure.len() - 2..], [0, 0]);
    }
}
