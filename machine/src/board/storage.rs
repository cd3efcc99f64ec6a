//! Floppy disks, hard disks and CDs: controllers, wires, what CMOS memory says
//! of them, and changing what lies in the drives.
//!
//! The CMOS bytes are those of the PC AT (10h, 12h, 14h, 19h to 2Ch) and those
//! in which SeaBIOS and Bochs look for the boot order (38h, 3Dh) and for how
//! disks are translated (39h).

use rax_devices::{CdRom, Disc, DmaPair, Fdc, Floppy, IdeDrive, PiixIde};

use super::{Board, Fittings};
use crate::ports::PortsTaken;

/// The interrupts of the two channels of IDE drives.
const IDE_IRQS: [u32; 2] = [14, 15];
const FLOPPY_IRQ: u32 = 6;
const FLOPPY_DMA: usize = 2;

/// Where an IDE drive is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Device 0 of the first channel.
    PrimaryMaster,
    /// Device 1 of the first channel.
    PrimarySlave,
    /// Device 0 of the second channel.
    SecondaryMaster,
    /// Device 1 of the second channel.
    SecondarySlave,
}

impl Place {
    /// All of them, as [`Fittings::drives`] orders them.
    pub const ALL: [Self; 4] = [
        Self::PrimaryMaster,
        Self::PrimarySlave,
        Self::SecondaryMaster,
        Self::SecondarySlave,
    ];
}

/// A kind of medium to boot from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootDevice {
    /// The disk in floppy drive A.
    Floppy,
    /// The first hard disk.
    Disk,
    /// The first CD-ROM.
    Cdrom,
    /// The first network adapter with a boot ROM.
    Network,
}

impl BootDevice {
    /// Its number in CMOS bytes 3Dh and 38h.
    const fn code(self) -> u8 {
        match self {
            Self::Floppy => 1,
            Self::Disk => 2,
            Self::Cdrom => 3,
            Self::Network => 4,
        }
    }
}

impl Board {
    /// The chips that drives are connected to.
    pub(super) fn place_storage(
        &mut self,
        drives: [Option<IdeDrive>; 4],
        floppies: Vec<Option<Floppy>>,
    ) -> Result<(), PortsTaken> {
        let dma = DmaPair::new();
        let mut fdc = Fdc::new(self.irq(FLOPPY_IRQ), dma.line(FLOPPY_DMA));
        for (drive, floppy) in floppies.into_iter().enumerate() {
            fdc.change_disk(drive, floppy);
        }
        let dma = self.add(dma);
        self.dma = Some(dma);
        self.map(0x00..=0x0f, dma, 0)?;
        self.map(0xc0..=0xdf, dma, 0x10)?;
        self.map(0x80..=0x8f, dma, 0x30)?;

        let [master, slave, master_2, slave_2] = drives;
        let drives = [[master, slave], [master_2, slave_2]];
        let ide = PiixIde::new(IDE_IRQS.map(|irq| self.irq(irq)), drives);
        let ide = self.add(ide);
        self.plug(1, 1, ide);
        self.map(0x1f0..=0x1f7, ide, 0)?;
        self.map(0x3f6..=0x3f6, ide, 8)?;
        self.map(0x170..=0x177, ide, 0x10)?;
        self.map(0x376..=0x376, ide, 0x18)?;

        let fdc = self.add(fdc);
        self.map(0x3f0..=0x3f5, fdc, 0)?; // One chip on both sides
        self.map(0x3f7..=0x3f7, fdc, 7) // of the disk's port.
    }

    /// Takes the disk out of floppy drive 0 or 1 and puts another in, if given.
    /// What was there comes back.
    pub fn change_floppy(&mut self, drive: usize, floppy: Option<Floppy>) -> Option<Floppy> {
        match self.find::<Fdc>() {
            Some(fdc) => fdc.change_disk(drive, floppy),
            None => floppy,
        }
    }

    /// Puts a disc in a CD-ROM drive and closes its tray. The disc that was
    /// there comes back.
    ///
    /// # Errors
    /// The disc again, if there is no CD-ROM drive at that place.
    pub fn insert_cd(&mut self, place: Place, disc: Disc) -> Result<Option<Disc>, Disc> {
        match self.cd_rom(place) {
            Some(drive) => Ok(drive.insert(disc)),
            None => Err(disc),
        }
    }

    /// Takes the disc out of a CD-ROM drive.
    pub fn eject_cd(&mut self, place: Place) -> Option<Disc> {
        self.cd_rom(place)?.take_disc()
    }

    fn cd_rom(&mut self, place: Place) -> Option<&mut CdRom> {
        let place = place as usize;
        self.find::<PiixIde>()?.cd_rom(place / 2, place % 2)
    }
}

/// What the CMOS memory says of drives, as (index, value).
pub(super) fn cmos(fittings: &Fittings) -> Vec<(u8, u8)> {
    let mut cells = floppy_cells(&fittings.floppies).to_vec();
    cells.extend(disk_cells(&fittings.drives));
    cells.extend(boot_cells(&fittings.boot_order));
    cells
}

/// 10h the kinds of the drives, 14h how many.
fn floppy_cells(floppies: &[Option<Floppy>]) -> [(u8, u8); 2] {
    /// Math coprocessor and pointing device.
    const OTHER_EQUIPMENT: u8 = 0x06;
    /// A 3.5" drive of 1.44 MB, which also takes 720 KiB.
    const HIGH_DENSITY_3_5: u8 = 4;
    let kind = |floppy: &Option<Floppy>| {
        let Some(floppy) = floppy else {
            return HIGH_DENSITY_3_5;
        };
        let format = floppy.format();
        match (format.cylinders, format.sectors) {
            // 5.25", 1.2 MB, which takes the smaller ones too.
            (..60, _) | (_, 15) => 2,
            // 2.88 MB.
            (_, 25..) => 5,
            _ => HIGH_DENSITY_3_5,
        }
    };
    let first = floppies.first().map_or(HIGH_DENSITY_3_5, kind);
    let second = floppies.get(1).map(kind);
    let count = if second.is_some() { 0x41 } else { 0x01 };
    [
        (0x10, first << 4 | second.unwrap_or(0)),
        (0x14, OTHER_EQUIPMENT | count),
    ]
}

/// The geometry of the first two disks, as the AT's type 47, and how each of
/// the four is translated.
fn disk_cells(drives: &[Option<IdeDrive>; 4]) -> Vec<(u8, u8)> {
    /// Types 16 and up are in an extension byte.
    const EXTENDED: u8 = 0xf;
    const USER_DEFINED: u8 = 47;
    /// More than eight heads, no retries: the AT's control byte.
    const CONTROL: u8 = 0xc8;
    const HEADS: u8 = 16;
    const SECTORS: u8 = 63;
    let cylinders = |drive: &Option<IdeDrive>| {
        let sectors = drive.as_ref()?.disk_sectors()?;
        let cylinders = sectors / (u64::from(HEADS) * u64::from(SECTORS));
        // As the drive says.
        Some(cylinders.clamp(2, 16_383) as u16)
    };
    let mut cells = Vec::new();
    let (mut kinds, mut translations) = (0, 0);
    for (number, drive) in drives.iter().enumerate() {
        let Some(cylinders) = cylinders(drive) else {
            continue;
        };
        // Up to 1024 cylinders nothing needs translation; above, by LBA.
        translations |= u8::from(cylinders > 1024) << (2 * number);
        let (extension, first) = match number {
            0 => (0x19, 0x1b),
            1 => (0x1a, 0x24),
            _ => continue,
        };
        kinds |= EXTENDED << (4 - 4 * number);
        cells.push((extension, USER_DEFINED));
        let [low, high] = cylinders.to_le_bytes();
        // Cylinders, heads, no write precompensation, control, landing zone, sectors.
        let bytes = [low, high, HEADS, 0xff, 0xff, CONTROL, low, high, SECTORS];
        cells.extend((first..).zip(bytes));
    }
    cells.extend([(0x12, kinds), (0x39, translations)]);
    cells
}

/// The first and second choice in 3Dh, the third in 38h.
fn boot_cells(order: &[BootDevice]) -> [(u8, u8); 2] {
    let code = |n: usize| order.get(n).map_or(0, |device| device.code());
    [(0x3d, code(0) | code(1) << 4), (0x38, code(2) << 4)]
}
