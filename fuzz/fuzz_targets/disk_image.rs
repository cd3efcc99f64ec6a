//! A qcow2 image with bytes changed anywhere, and one behind it: rax refuses it or uses it, and what it has written it
//! reads back as long as it lasts. Nothing outside its own folder is touched.
#![no_main]

use std::fs;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use rax_machine::host::{Access, ImageFormat, ImageOptions, Medium, open_image};

const CLUSTER: usize = 512;

/// A sound image of 64 KiB with clusters of 512 bytes: header, L1 table, refcount table and block, an L2 table, data.
fn sound(has_backing: bool) -> Vec<u8> {
    let mut image = vec![0; 8 * CLUSTER];
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"QFI\xfb");
    put(4, &3u32.to_be_bytes());
    if has_backing {
        put(8, &0x100u64.to_be_bytes());
        put(16, &6u32.to_be_bytes());
        put(0x100, b"behind");
        // The header extension that tells its format.
        put(104, &0xe279_2acau32.to_be_bytes());
        put(108, &3u32.to_be_bytes());
        put(112, b"raw");
    }
    put(20, &9u32.to_be_bytes());
    put(24, &0x1_0000u64.to_be_bytes());
    put(36, &2u32.to_be_bytes());
    put(40, &(CLUSTER as u64).to_be_bytes());
    put(48, &(2 * CLUSTER as u64).to_be_bytes());
    put(56, &1u32.to_be_bytes());
    put(96, &4u32.to_be_bytes());
    put(100, &104u32.to_be_bytes());
    let copied = 1u64 << 63;
    put(CLUSTER, &(copied | 4 * CLUSTER as u64).to_be_bytes());
    put(2 * CLUSTER, &(3 * CLUSTER as u64).to_be_bytes());
    for cluster in 0..6 {
        put(3 * CLUSTER + 2 * cluster, &1u16.to_be_bytes());
    }
    put(4 * CLUSTER, &(copied | 5 * CLUSTER as u64).to_be_bytes());
    image
}

fn use_it(folder: &Path, accesses: &[u8]) {
    let options = ImageOptions {
        format: Some(ImageFormat::Qcow2),
        ..ImageOptions::new(folder.join("image"), Access::ReadWrite)
    };
    let Ok(mut disk) = open_image(Medium::Disk, &options) else {
        return;
    };
    for access in accesses.chunks(3).take(16) {
        let [kind, place, value] = [0, 1, 2].map(|n| access.get(n).copied().unwrap_or(0));
        let sector = u64::from(place) % disk.sectors().max(1);
        let mut bytes = [value; 512];
        match kind % 4 {
            0 => drop(disk.read(sector, &mut bytes)),
            1 => drop(disk.flush()),
            _ if disk.write(sector, &bytes).is_ok() => {
                let mut again = [0; 512];
                // A damaged image may hold two sectors in one place, or none; but what was just written is there.
                if disk.read(sector, &mut again).is_ok() {
                    assert_eq!(bytes, again);
                }
            }
            _ => {}
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&[flags, count], rest)) = bytes.split_first_chunk() else {
        return;
    };
    let mut image = sound(flags & 1 != 0);
    let (changes, accesses) = rest.split_at((3 * usize::from(count)).min(rest.len()));
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % image.len();
        image[at] = change[2];
    }
    if flags & 2 != 0 {
        image.truncate(usize::from(count) * 16);
    }
    let folder = Path::new("/dev/shm").join(format!("rax-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder in memory");
    fs::write(folder.join("image"), &image).expect("a file in memory");
    // Behind it lies a raw image, itself, or nothing.
    let behind = folder.join("behind");
    let _ = fs::remove_file(&behind);
    match flags >> 2 & 3 {
        0 => fs::write(&behind, [7; 4096]).expect("a file in memory"),
        1 => fs::write(&behind, &image).expect("a file in memory"),
        _ => {}
    }
    use_it(&folder, accesses);
});
