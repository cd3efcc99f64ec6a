//! A guest's disk is a file of the host.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rax_devices::Disk;
use rax_machine::host::{Access, ImageOptions, Medium, open_image};

use crate::linux::Shell;

/// A disk that counts how often it is told to flush.
struct Counted {
    disk: Box<dyn Disk>,
    flushes: Arc<AtomicUsize>,
}

impl Disk for Counted {
    fn sectors(&self) -> u64 {
        self.disk.sectors()
    }

    fn is_read_only(&self) -> bool {
        self.disk.is_read_only()
    }

    fn read(&mut self, sector: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.disk.read(sector, buffer)
    }

    fn write(&mut self, sector: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.write(sector, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushes.fetch_add(1, Ordering::Relaxed);
        self.disk.flush()
    }
}

fn uses_its_disk(kernel: &str, initrd: &str) {
    const BYTES: usize = 4 << 20;
    let content: Vec<u8> = (0..BYTES).map(|n| (n / 512 * 7 + n) as u8).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &content).unwrap();
    let flushes = Arc::new(AtomicUsize::new(0));
    let disk = Counted {
        disk: open_image(
            Medium::Disk,
            &ImageOptions::new(file.path(), Access::ReadWrite),
        )
        .unwrap(),
        flushes: Arc::clone(&flushes),
    };
    let initrds = [initrd, &format!("modules-{kernel}.img")];
    // Without the kernel's tests of its ciphers, most of a boot.
    let arguments = "cryptomgr.notests";
    let Some(mut shell) = Shell::boot(kernel, &initrds, arguments, vec![Box::new(disk)]) else {
        return;
    };
    let answer = shell.command("cat /proc/partitions");
    assert!(answer.contains("4096 sda"), "{answer}");

    // Every byte comes through, in one order and in another.
    let answer =
        shell.command("dd if=/dev/sda bs=64k of=/tmp/copy; cmp /tmp/copy /dev/sda && echo same");
    assert!(answer.contains("64+0 records out"), "{answer}");
    assert!(answer.contains("same"), "{answer}");

    // A file system, and bytes beyond it.
    shell.command(
        "mke2fs /dev/sda 2048; echo written by the guest | dd of=/dev/sda bs=512 seek=8000; sync",
    );
    let written = std::fs::read(file.path()).unwrap();
    assert_eq!(written[1080..1082], [0x53, 0xef], "no ext2 superblock");
    assert!(written[8000 * 512..].starts_with(b"written by the guest\n"));
    // What was not written is as it was.
    assert_eq!(written[3 << 20..8000 * 512], content[3 << 20..8000 * 512]);
    assert_eq!(written[8001 * 512..], content[8001 * 512..]);

    // A fsync by the guest is one by the host. (A sync only writes.)
    let before = flushes.load(Ordering::Relaxed);
    shell.command("dd if=/tmp/copy of=/dev/sda bs=512 count=1 conv=fsync");
    assert!(flushes.load(Ordering::Relaxed) > before, "no flush");
    assert_eq!(std::fs::read(file.path()).unwrap()[..512], content[..512]);
    // A root file system on the disk, with a program that runs from it.
    let answer = shell.command(
        "mke2fs /dev/sda && mkdir /mnt && mount -t ext4 /dev/sda /mnt && cp /bin/busybox /mnt && \
         chroot /mnt /busybox echo from the disk; umount /mnt",
    );
    assert!(answer.contains("\nfrom the disk"), "{answer}");
    if kernel == "cloud-amd64" {
        let answer = shell.command("dmesg | grep ata1.00");
        assert!(answer.contains("max UDMA/100"), "{answer}");
    }
    shell.reboot();
}

#[test]
#[ignore = "takes a minute"]
fn the_cloud_kernel_writes_to_its_disk() {
    uses_its_disk("cloud-amd64", "initrd-amd64.img");
}

#[test]
#[ignore = "takes minutes"]
fn the_amd64_kernel_writes_to_its_disk() {
    uses_its_disk("amd64", "initrd-amd64.img");
}

#[test]
#[ignore = "takes minutes"]
fn the_686_kernel_writes_to_its_disk() {
    uses_its_disk("686", "initrd-i386.img");
}
