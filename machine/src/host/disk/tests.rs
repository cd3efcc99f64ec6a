//! Images of every kind, good and bad.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;

use super::*;

const SECTOR: usize = SECTOR_BYTES;

/// A directory of images.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file whose sectors hold their numbers.
    fn sectors(&self, name: &str, bytes: usize) -> PathBuf {
        let content: Vec<u8> = (0..bytes).map(|n| (n / SECTOR) as u8).collect();
        self.bytes(name, &content)
    }

    fn bytes(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Runs qemu-img here; false, and a word about it, if there is none.
    fn qemu_img(&self, arguments: &str) -> bool {
        let mut command = Command::new("qemu-img");
        command
            .args(arguments.split(' '))
            .current_dir(self.0.path());
        match command.output() {
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "qemu-img {arguments}: {said}");
                true
            }
            Err(_) => {
                let _ = writeln!(std::io::stderr(), "\nSKIPPED: no qemu-img\n");
                false
            }
        }
    }
}

fn open(path: &Path, access: Access) -> Box<dyn Disk> {
    open_as(&ImageOptions::new(path, access))
}

/// Opens an image that nobody uses. But a test beside this one may be starting qemu-img, and its child has our files
/// and their locks until it runs that.
fn open_as(options: &ImageOptions) -> Box<dyn Disk> {
    for _ in 0..200 {
        match open_image(Medium::Disk, options) {
            Err(error) if matches!(error.problem, ImageProblem::InUse) => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            opened => return opened.unwrap(),
        }
    }
    open_image(Medium::Disk, options).unwrap()
}

fn refused(medium: Medium, path: &Path, access: Access) -> String {
    let error = open_image(medium, &ImageOptions::new(path, access)).err();
    let text = error.expect("must be refused").to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains(&*path.to_string_lossy()), "{text}");
    text
}

fn sector(disk: &mut dyn Disk, number: u64) -> u8 {
    let mut buffer = [0; SECTOR];
    disk.read(number, &mut buffer).unwrap();
    buffer[SECTOR - 1]
}

#[test]
fn writes_reach_the_file() {
    let files = Files::new();
    let path = files.sectors("d", 4 * SECTOR);
    let mut disk = open(&path, Access::ReadWrite);
    assert_eq!((disk.sectors(), sector(&mut *disk, 3)), (4, 3));
    disk.write(1, &[9; 2 * SECTOR]).unwrap();
    disk.flush().unwrap();
    let written = std::fs::read(&path).unwrap();
    assert_eq!(written[SECTOR..3 * SECTOR], [9; 2 * SECTOR]);
}

#[test]
fn a_snapshot_leaves_the_file_alone() {
    let files = Files::new();
    let path = files.sectors("d", 200 * SECTOR);
    let mut disk = open(&path, Access::Snapshot);
    // Across the border of two clusters, and into a third.
    disk.write(62, &[9; 4 * SECTOR]).unwrap();
    disk.write(130, &[8; SECTOR]).unwrap();
    disk.write(64, &[7; SECTOR]).unwrap();
    disk.flush().unwrap();
    let mut buffer = vec![0; 80 * SECTOR];
    disk.read(60, &mut buffer).unwrap();
    let read: Vec<_> = buffer.iter().step_by(SECTOR).copied().collect();
    assert_eq!(read[..8], [60, 61, 9, 9, 7, 9, 66, 67]);
    assert_eq!(read[69..72], [129, 8, 131]);
    drop(disk);
    assert_eq!(std::fs::read(&path).unwrap()[62 * SECTOR], 62);
}

#[test]
fn a_read_only_disk_refuses_writes_and_none_goes_past_the_end() {
    let files = Files::new();
    for access in [Access::ReadOnly, Access::ReadWrite, Access::Snapshot] {
        let path = files.sectors("d", 2 * SECTOR);
        let mut disk = open(&path, access);
        let is_read_only = access == Access::ReadOnly;
        assert_eq!(disk.is_read_only(), is_read_only);
        assert_eq!(disk.write(0, &[0; SECTOR]).is_err(), is_read_only);
        assert!(disk.read(1, &mut [0; 2 * SECTOR]).is_err());
        assert!(disk.write(2, &[0; SECTOR]).is_err());
        assert!(disk.read(u64::MAX, &mut [0; SECTOR]).is_err());
        assert!(disk.read(0, &mut [0; 7]).is_err());
    }
}

#[test]
fn bad_images_are_named_with_what_to_do() {
    let files = Files::new();
    let disk = |path: &Path| refused(Medium::Disk, path, Access::ReadWrite);
    assert!(disk(files.0.path()).contains("is a directory"));
    assert!(disk(&files.path("none")).contains("truncate -s 64M"));
    assert!(disk(&files.sectors("empty", 0)).contains("is empty"));
    assert!(disk(&files.bytes("gz", b"\x1f\x8b\x08\0rest")).contains("gunzip"));
    assert!(disk(&files.bytes("vmdk", &[&b"KDMV"[..], &[0; 508]].concat())).contains("VMDK"));
    assert!(disk(&files.bytes("q", &[&b"QFI\xfb"[..], &[0; 508]].concat())).contains("damaged"));
    let floppy = |path: &Path| refused(Medium::Floppy, path, Access::ReadWrite);
    assert!(floppy(&files.path("none")).contains("truncate -s 1440K"));
    assert!(floppy(&files.sectors("big", 3000 * SECTOR)).contains("160K, 180K"));
    let raw_cd = [&[0][..], &[0xff; 10], &[0; 2341]].concat();
    let cd = refused(Medium::Cdrom, &files.bytes("cd", &raw_cd), Access::ReadOnly);
    assert!(cd.contains("raw CD sectors"), "{cd}");
    let odd = refused(Medium::Cdrom, &files.sectors("odd", 700), Access::ReadOnly);
    assert!(odd.contains("700 bytes"), "{odd}");
}

#[test]
fn a_last_sector_that_ends_early_has_zeros_behind_it() {
    let files = Files::new();
    for (medium, sectors) in [(Medium::Disk, 2), (Medium::Floppy, 2880)] {
        let path = files.bytes("os", &[7; 700]);
        let options = ImageOptions::new(&path, Access::ReadWrite);
        let mut disk = open_image(medium, &options).unwrap();
        assert_eq!(disk.sectors(), sectors);
        let mut last = [1; SECTOR];
        disk.read(1, &mut last).unwrap();
        assert_eq!((&last[..188], &last[188..]), (&[7; 188][..], &[0; 324][..]));
        // What is written there is kept whole.
        disk.write(1, &[9; SECTOR]).unwrap();
        drop(disk);
        let written = std::fs::read(&path).unwrap();
        assert_eq!((written.len(), written[1023]), (1024, 9));
    }
}

#[test]
fn a_short_floppy_is_one_of_1440k() {
    let files = Files::new();
    let path = files.sectors("boot", SECTOR);
    let options = ImageOptions::new(&path, Access::ReadWrite);
    let mut disk = open_image(Medium::Floppy, &options).unwrap();
    assert_eq!((disk.sectors(), sector(&mut *disk, 1)), (2880, 0));
    disk.write(2, &[5; SECTOR]).unwrap();
    assert_eq!((sector(&mut *disk, 1), sector(&mut *disk, 2)), (0, 5));
    assert_eq!(std::fs::read(&path).unwrap().len(), 3 * SECTOR);
    let path = files.sectors("360", 720 * SECTOR);
    let options = ImageOptions::new(path, Access::ReadOnly);
    assert_eq!(open_image(Medium::Floppy, &options).unwrap().sectors(), 720);
}

#[test]
fn two_writers_exclude_each_other() {
    let files = Files::new();
    let path = files.sectors("d", SECTOR);
    let first = open(&path, Access::ReadWrite);
    for access in [Access::ReadWrite, Access::Snapshot, Access::ReadOnly] {
        assert!(refused(Medium::Disk, &path, access).contains("in use"));
    }
    drop(first);
    let _one = open(&path, Access::ReadOnly);
    let _two = open(&path, Access::Snapshot);
    assert!(refused(Medium::Disk, &path, Access::ReadWrite).contains("in use"));
}

#[test]
fn a_guest_cannot_make_a_raw_image_another_format() {
    let files = Files::new();
    let path = files.sectors("d", 2 * SECTOR);
    let magic = [&b"QFI\xfb"[..], &[0; SECTOR - 4]].concat();
    let mut disk = open(&path, Access::ReadWrite);
    assert!(disk.write(0, &magic).is_err());
    disk.write(1, &magic).unwrap();
    drop(disk);
    let options = ImageOptions {
        format: Some(ImageFormat::Raw),
        ..ImageOptions::new(&path, Access::ReadWrite)
    };
    let mut disk = open_as(&options);
    disk.write(0, &magic).unwrap();
}

#[test]
fn qcow2_images_are_read_and_written() {
    let files = Files::new();
    if !files.qemu_img("create -q -f qcow2 d.qcow2 40M") {
        return;
    }
    let path = files.path("d.qcow2");
    let mut disk = open(&path, Access::ReadWrite);
    assert_eq!(disk.sectors(), 40 << 11);
    for at in [0, 1, 127, 40_000, (40 << 11) - 3] {
        disk.write(at, &[at as u8 | 1; 3 * SECTOR]).unwrap();
    }
    disk.flush().unwrap();
    assert_eq!(sector(&mut *disk, 40_001), 40_000u64 as u8 | 1);
    assert!(refused(Medium::Disk, &path, Access::ReadOnly).contains("in use"));
    drop(disk);
    assert!(files.qemu_img("check -q d.qcow2"));
    assert!(files.qemu_img("convert -O raw d.qcow2 d.raw"));
    let raw = std::fs::read(files.path("d.raw")).unwrap();
    assert_eq!(raw[2 * SECTOR], 1);
    assert_eq!(raw[127 * SECTOR..130 * SECTOR], [127; 3 * SECTOR]);
    // And compressed, as distributions hand them out.
    assert!(files.qemu_img("convert -c -O qcow2 d.raw c.qcow2"));
    let mut disk = open(&files.path("c.qcow2"), Access::Snapshot);
    assert_eq!(sector(&mut *disk, 128), 127);
    disk.write(128, &[3; SECTOR]).unwrap();
    assert_eq!(sector(&mut *disk, 128), 3);
}

#[test]
fn a_backing_file_shows_through_and_stays_as_it_is() {
    let files = Files::new();
    files.sectors("base.raw", 256 * SECTOR);
    if !files.qemu_img("create -q -f qcow2 -b base.raw -F raw one.qcow2") {
        return;
    }
    assert!(files.qemu_img("create -q -f qcow2 -b one.qcow2 -F qcow2 two.qcow2"));
    let mut disk = open(&files.path("two.qcow2"), Access::ReadWrite);
    assert_eq!(sector(&mut *disk, 200), 200);
    disk.write(200, &[1; SECTOR]).unwrap();
    assert_eq!((sector(&mut *disk, 200), sector(&mut *disk, 201)), (1, 201));
    // What lies behind may be shared, but not written.
    let mut other = open(&files.path("one.qcow2"), Access::Snapshot);
    assert_eq!(sector(&mut *other, 200), 200);
    let base = files.path("base.raw");
    assert!(refused(Medium::Disk, &base, Access::ReadWrite).contains("in use"));
    drop((disk, other));
    assert_eq!(std::fs::read(&base).unwrap()[200 * SECTOR], 200);
    std::fs::remove_file(&base).unwrap();
    let text = refused(Medium::Disk, &files.path("two.qcow2"), Access::ReadOnly);
    assert!(
        text.contains("base.raw") && text.contains("does not exist"),
        "{text}"
    );
}

#[test]
fn an_image_behind_itself_is_refused() {
    let files = Files::new();
    if !files.qemu_img("create -q -f qcow2 a.qcow2 1M") {
        return;
    }
    assert!(files.qemu_img("create -q -f qcow2 -b a.qcow2 -F qcow2 b.qcow2"));
    assert!(files.qemu_img("rebase -q -u -b b.qcow2 -F qcow2 a.qcow2"));
    assert!(refused(Medium::Disk, &files.path("a.qcow2"), Access::ReadOnly).contains("itself"));
    assert!(refused(Medium::Disk, &files.path("b.qcow2"), Access::Snapshot).contains("itself"));
    assert!(files.qemu_img("rebase -q -u -b a.qcow2 -F qcow2 a.qcow2"));
    assert!(refused(Medium::Disk, &files.path("a.qcow2"), Access::ReadOnly).contains("itself"));
    assert!(refused(Medium::Disk, &files.path("a.qcow2"), Access::ReadWrite).contains("itself"));
    assert!(refused(Medium::Disk, &files.path("b.qcow2"), Access::ReadWrite).contains("itself"));
    assert!(files.qemu_img("rebase -q -u -b nbd://host/x -F raw a.qcow2"));
    assert!(refused(Medium::Disk, &files.path("a.qcow2"), Access::ReadOnly).contains("nbd://"));
}

#[test]
fn what_would_be_read_as_something_else_is_refused() {
    let files = Files::new();
    if !files.qemu_img("create -q -f qcow2 a.qcow2 1M") {
        return;
    }
    let good = std::fs::read(files.path("a.qcow2")).unwrap();
    // An image that says it is encrypted: sectors would be ciphertext, and written in the clear.
    let mut encrypted = good.clone();
    encrypted[35] = 1;
    let path = files.bytes("encrypted.qcow2", &encrypted);
    for access in [Access::ReadOnly, Access::ReadWrite, Access::Snapshot] {
        assert!(refused(Medium::Disk, &path, access).contains("is encrypted"));
    }
    // One that has lost its tables: all its sectors would be zeros.
    let path = files.bytes("truncated.qcow2", &good[..512]);
    assert!(refused(Medium::Cdrom, &path, Access::ReadOnly).contains("outside the file"));
    assert!(refused(Medium::Disk, &path, Access::ReadWrite).contains("outside the file"));
    // The same behind another image.
    assert!(files.qemu_img("create -q -f qcow2 -u -b encrypted.qcow2 -F qcow2 b.qcow2 1M"));
    let text = refused(Medium::Disk, &files.path("b.qcow2"), Access::ReadWrite);
    assert!(
        text.contains("encrypted.qcow2' behind it, which is encrypted"),
        "{text}"
    );
}

/// A small qcow2 image as qemu-img makes it, some of it written.
fn small_qcow2() -> Option<Vec<u8>> {
    let files = Files::new();
    if !files.qemu_img("create -q -f qcow2 -o cluster_size=512 s.qcow2 256K") {
        return None;
    }
    let path = files.path("s.qcow2");
    let mut disk = open(&path, Access::ReadWrite);
    disk.write(3, &[3; 9 * SECTOR]).unwrap();
    drop(disk);
    Some(std::fs::read(path).unwrap())
}

#[test]
fn qcow2_images_with_data_in_the_place_of_tables_are_not_written_to() {
    let Some(good) = small_qcow2() else { return };
    let files = Files::new();
    let number = |at: usize| u64::from_be_bytes(good[at..at + 8].try_into().unwrap());
    let first = number(40) as usize;
    let second = number(first) & 0x00ff_ffff_ffff_fe00;
    let counts = number(48);
    let problem = |what: &str, at: usize, entry: u64| {
        let mut bytes = good.clone();
        bytes[at..at + 8].copy_from_slice(&entry.to_be_bytes());
        let path = files.bytes(what, &bytes);
        // It can still be read.
        open(&path, Access::ReadOnly);
        refused(Medium::Disk, &path, Access::ReadWrite)
    };
    let in_second = second as usize + 8 * 20;
    let places = [
        ("compressed-header", 1 << 62),
        // Of the two sectors the second one is the first table's.
        ("compressed-table", 1 << 62 | 1 << 61 | (first as u64 - 1)),
        ("itself", 1 << 63 | second),
        ("counts", 1 << 63 | counts),
    ];
    for (what, entry) in places {
        let text = problem(what, in_second, entry);
        assert!(
            text.contains("data in the place of a table"),
            "{what}: {text}"
        );
    }
    let text = problem("shared", first + 8, 1 << 63 | second);
    assert!(text.contains("two tables in one place"), "{text}");
    let text = problem("outside", first + 8, 1 << 63 | 1 << 40);
    assert!(text.contains("a table outside the file"), "{text}");
}

#[test]
fn damaged_qcow2_images_are_errors_and_never_panics() {
    let Some(good) = small_qcow2() else { return };
    let files = Files::new();
    let damage = proptest::collection::vec((0..good.len(), any::<u8>()), 1..6);
    // The header and the tables are near the start; half the damage goes there.
    let header = proptest::collection::vec((0..112usize, any::<u8>()), 0..4);
    // More with PROPTEST_CASES.
    let cases = std::env::var("PROPTEST_CASES").map_or(400, |cases| cases.parse().unwrap());
    proptest!(ProptestConfig::with_cases(cases), |(damage in damage, header in header)| {
        let mut bytes = good.clone();
        for (at, value) in damage.into_iter().chain(header) {
            bytes[at] = value;
        }
        bytes[..4].copy_from_slice(b"QFI\xfb");
        let path = files.bytes("d.qcow2", &bytes);
        for access in [Access::ReadOnly, Access::ReadWrite] {
            let opened = open_image(Medium::Disk, &ImageOptions::new(&path, access));
            let Ok(mut disk) = opened else { continue };
            let sectors = disk.sectors();
            let mut buffer = [0; 4 * SECTOR];
            for at in [0, 3, 100, sectors.saturating_sub(4)] {
                let _ = disk.read(at, &mut buffer);
                let _ = disk.write(at, &buffer);
            }
            let _ = disk.flush();
        }
    });
}
