//! A file as an initramfs of its own (cpio, "newc", as Linux's
//! Documentation/driver-api/early-userspace/buffer-format.rst has it). Archives
//! follow one another in one image.

/// An archive with the directory `folder` and in it the file `name`.
pub(crate) fn archive(folder: &str, name: &str, contents: &[u8]) -> Vec<u8> {
    const DIRECTORY: u32 = 0o40755;
    const FILE: u32 = 0o100_644;
    let mut bytes = Vec::new();
    entry(&mut bytes, folder, DIRECTORY, &[]);
    entry(&mut bytes, &format!("{folder}/{name}"), FILE, contents);
    entry(&mut bytes, "TRAILER!!!", 0, &[]);
    bytes
}

fn entry(bytes: &mut Vec<u8>, name: &str, mode: u32, contents: &[u8]) {
    // Magic; inode, mode, user, group, links, time, size; device and special
    // device; length of the name with its zero; checksum.
    let size = contents.len();
    let name_size = name.len() + 1;
    let header = format!(
        "07070100000000{mode:08x}0000000000000000\
         0000000100000000{size:08x}00000000000000000000000000000000{name_size:08x}00000000"
    );
    bytes.extend(header.bytes().chain(name.bytes()).chain([0]));
    pad(bytes);
    bytes.extend(contents);
    pad(bytes);
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_contents_are_aligned() {
        let bytes = archive("bench", "list", b"abcde");
        assert_eq!(bytes.len() % 4, 0);
        // A header of 110 bytes and "bench\0" make 116, which is aligned.
        assert_eq!(&bytes[116..122], b"070701");
        let contents = 116 + 110 + "bench/list".len() + 1 + 3;
        assert_eq!(&bytes[contents..contents + 5], b"abcde");
        assert_eq!(&bytes[contents + 8..contents + 14], b"070701");
    }
}
