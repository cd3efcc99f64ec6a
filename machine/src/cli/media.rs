//! The options of disks, CDs and floppies.

use std::path::PathBuf;

use clap::Args;

use super::Stop;
use super::values::ValueError;
use crate::board::BootDevice;
use crate::host::{Access, ImageFormat, ImageOptions};

/// Places on the cables of the two IDE channels.
const MAX_DRIVES: usize = 4;
const MAX_FLOPPIES: usize = 2;
/// The CMOS memory has room for so many choices.
const MOST_CHOICES: usize = 3;

/// What lies in the drives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaOptions {
    /// Hard disks, in the order of the drives.
    pub disks: Vec<ImageOptions>,
    /// CDs, each in a drive of its own.
    pub cdroms: Vec<ImageOptions>,
    /// Floppy disks in drives A and B.
    pub floppies: Vec<ImageOptions>,
    /// From what to boot, first choice first; empty for the usual order.
    pub boot: Vec<BootDevice>,
}

impl MediaOptions {
    /// Whether there is nothing to boot from.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.disks.is_empty() && self.cdroms.is_empty() && self.floppies.is_empty()
    }

    /// From what to boot: what was asked for, or what there is, floppy before
    /// disk before CD; then the rest.
    #[must_use]
    pub fn boot_order(&self) -> Vec<BootDevice> {
        if !self.boot.is_empty() {
            return self.boot.clone();
        }
        let all = [
            (BootDevice::Floppy, self.floppies.is_empty()),
            (BootDevice::Disk, self.disks.is_empty()),
            (BootDevice::Cdrom, self.cdroms.is_empty()),
        ];
        let pick = |empty| {
            all.iter()
                .filter(move |(_, e)| *e == empty)
                .map(|(d, _)| *d)
        };
        pick(false).chain(pick(true)).collect()
    }
}

#[derive(Debug, Args)]
pub(super) struct MediaArguments {
    /// Hard disk image, raw or qcow2; 'snapshot' forgets writes at the end; up to four
    #[arg(
        long,
        value_name = "FILE[,readonly|,snapshot][,format=raw|qcow2]",
        value_parser = image,
        help_heading = "Media"
    )]
    disk: Vec<ImageOptions>,
    /// CD or DVD image; may be repeated
    #[arg(long, value_name = "FILE", value_parser = image, help_heading = "Media")]
    cdrom: Vec<ImageOptions>,
    /// Floppy image of 160 KiB to 2.88 MiB, for drive A, then for B
    #[arg(
        long,
        value_name = "FILE[,readonly|,snapshot]",
        value_parser = image,
        help_heading = "Media"
    )]
    floppy: Vec<ImageOptions>,
    /// What to boot from: floppy, disk, cdrom, network, first choice first; at most three [default: floppy,disk,cdrom, what is there first]
    #[arg(long, value_name = "ORDER", value_parser = boot_order, help_heading = "Media")]
    boot: Option<BootOrder>,
}

/// Some kinds of media, as one value of one option.
#[derive(Clone, Debug, PartialEq, Eq)]
struct BootOrder(Vec<BootDevice>);

impl MediaArguments {
    /// The options, checked against each other.
    pub(super) fn into_options(self) -> Result<MediaOptions, Stop> {
        if self.disk.len() + self.cdrom.len() > MAX_DRIVES {
            return Err(Stop::usage(format_args!(
                "the machine takes {MAX_DRIVES} disks and CDs together; give --disk or --cdrom less often"
            )));
        }
        if self.floppy.len() > MAX_FLOPPIES {
            return Err(Stop::usage(format_args!(
                "the machine has {MAX_FLOPPIES} floppy drives; give --floppy less often"
            )));
        }
        Ok(MediaOptions {
            disks: self.disk,
            cdroms: self.cdrom,
            floppies: self.floppy,
            boot: self.boot.map_or_else(Vec::new, |order| order.0),
        })
    }
}

/// `FILE` and flags behind commas.
pub(crate) fn image(text: &str) -> Result<ImageOptions, ValueError> {
    let (mut path, mut access, mut format) = (text, None, None);
    while let Some((rest, flag)) = path.rsplit_once(',') {
        match flag {
            "readonly" | "snapshot" if access.is_some() => return Err(ValueError::ImageAccess),
            "readonly" => access = Some(Access::ReadOnly),
            "snapshot" => access = Some(Access::Snapshot),
            "format=raw" => format = Some(ImageFormat::Raw),
            "format=qcow2" => format = Some(ImageFormat::Qcow2),
            // A comma may belong to the name; what looks like a flag rather was meant as one.
            _ if flag.starts_with("format=") => return Err(ValueError::ImageFlag),
            _ if !flag.is_empty() && flag.chars().all(|c| c.is_ascii_alphabetic()) => {
                return Err(ValueError::ImageFlag);
            }
            _ => break,
        }
        path = rest;
    }
    if path.is_empty() {
        return Err(ValueError::Image);
    }
    Ok(ImageOptions {
        path: PathBuf::from(path),
        access: access.unwrap_or_default(),
        format,
    })
}

/// Names with commas between.
fn boot_order(text: &str) -> Result<BootOrder, ValueError> {
    let mut order = Vec::new();
    for name in text.split(',') {
        let device = match name.trim() {
            "floppy" => BootDevice::Floppy,
            "disk" => BootDevice::Disk,
            "cdrom" | "cd" => BootDevice::Cdrom,
            "network" => BootDevice::Network,
            _ => return Err(ValueError::BootOrder),
        };
        if order.contains(&device) || order.len() == MOST_CHOICES {
            return Err(ValueError::BootOrder);
        }
        order.push(device);
    }
    Ok(BootOrder(order))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_follow_the_name_in_any_order() {
        let expect = |text, path: &str, access, format| {
            let path = PathBuf::from(path);
            let expected = ImageOptions {
                path,
                access,
                format,
            };
            assert_eq!(image(text), Ok(expected));
        };
        expect("d.img", "d.img", Access::ReadWrite, None);
        expect("d,1.img", "d,1.img", Access::ReadWrite, None);
        expect("d,snapshot", "d", Access::Snapshot, None);
        let qcow2 = Some(ImageFormat::Qcow2);
        expect("d,format=qcow2,readonly", "d", Access::ReadOnly, qcow2);
        let raw = Some(ImageFormat::Raw);
        expect("a,b.c,snapshot,format=raw", "a,b.c", Access::Snapshot, raw);
        assert_eq!(image("d,writable"), Err(ValueError::ImageFlag));
        assert_eq!(image("d,format=vmdk"), Err(ValueError::ImageFlag));
        assert_eq!(image("d,readonly,snapshot"), Err(ValueError::ImageAccess));
        assert_eq!(image(",readonly"), Err(ValueError::Image));
        assert_eq!(image(""), Err(ValueError::Image));
    }

    #[test]
    fn what_is_there_is_booted_first() {
        use BootDevice::{Cdrom, Disk, Floppy};
        let some = || vec![ImageOptions::new("x", Access::ReadOnly)];
        let mut media = MediaOptions {
            cdroms: some(),
            ..MediaOptions::default()
        };
        assert_eq!(media.boot_order(), [Cdrom, Floppy, Disk]);
        media.disks = some();
        assert_eq!(media.boot_order(), [Disk, Cdrom, Floppy]);
        media.floppies = some();
        assert_eq!(media.boot_order(), [Floppy, Disk, Cdrom]);
        media.boot = boot_order("cd,disk").unwrap().0;
        assert_eq!(media.boot_order(), [Cdrom, Disk]);
        assert_eq!(
            boot_order("network,cd").unwrap().0,
            [BootDevice::Network, Cdrom]
        );
        for wrong in ["", "disk,disk", "floppy,disk,cd,network", "usb", "disk,"] {
            assert_eq!(boot_order(wrong), Err(ValueError::BootOrder), "{wrong}");
        }
    }
}
