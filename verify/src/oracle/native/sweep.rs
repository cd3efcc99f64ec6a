//! What the child unmaps: all of its parent's memory but the program's text.
//!
//! The child needs the text (and what the linker laid beside it) of the program and of
//! the C library. It writes to none of it.

use std::collections::HashSet;
use std::ops::Range;

/// What to do with a piece of the address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Stroke {
    pub(super) start: u64,
    pub(super) bytes: u64,
    /// Else it is made read-only.
    pub(super) unmap: bool,
}

struct Mapping<'a> {
    range: Range<u64>,
    permissions: &'a str,
    path: &'a str,
}

/// What to do with each mapping in /proc/self/maps, `keep` excepted.
pub(super) fn plan(maps: &str, keep: &Range<u64>) -> Vec<Stroke> {
    let mappings: Vec<_> = maps.lines().filter_map(parse).collect();
    let programs: HashSet<_> = mappings
        .iter()
        .filter(|mapping| mapping.permissions.contains('x') && mapping.path.starts_with('/'))
        .map(|mapping| mapping.path)
        .collect();
    let mut strokes = Vec::new();
    let mut program_end = 0;
    for mapping in &mappings {
        // What follows a program's data without a name is more of it (.bss).
        let is_program = programs.contains(mapping.path)
            || mapping.path.is_empty() && mapping.range.start == program_end;
        if is_program {
            program_end = mapping.range.end;
            if mapping.permissions.contains('w') {
                strokes.push(stroke(mapping.range.clone(), false));
            }
            continue;
        }
        for piece in [
            mapping.range.start..mapping.range.end.min(keep.start),
            mapping.range.start.max(keep.end)..mapping.range.end,
        ] {
            if !piece.is_empty() {
                strokes.push(stroke(piece, true));
            }
        }
    }
    strokes
}

fn stroke(range: Range<u64>, unmap: bool) -> Stroke {
    Stroke {
        start: range.start,
        bytes: range.end - range.start,
        unmap,
    }
}

/// A line: range, permissions, offset, device, inode, path. None for the kernel's half.
fn parse(line: &str) -> Option<Mapping<'_>> {
    let mut words = line.splitn(6, ' ');
    let (start, end) = words.next()?.split_once('-')?;
    let start = u64::from_str_radix(start, 16).ok()?;
    let end = u64::from_str_radix(end, 16).ok()?;
    let permissions = words.next()?;
    let path = words.nth(3).unwrap_or_default().trim_start();
    (start < 1 << 47).then_some(Mapping {
        range: start..end,
        permissions,
        path,
    })
}

#[cfg(test)]
mod tests {
    use super::{Stroke, plan};

    #[test]
    fn all_goes_but_text_and_what_is_kept() {
        let maps = "\
1000-2000 r-xp 00000000 08:01 12 /bin/a program
2000-3000 rw-p 00001000 08:01 12 /bin/a program
3000-4000 rw-p 00000000 00:00 0 
5000-6000 rw-p 00000000 00:00 0          [heap]
6000-9000 rw-s 00000000 00:01 99 /dev/zero (deleted)
a000-b000 r--p 00000000 08:01 13 /usr/share/data
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]
";
        let unmap = |start, end| Stroke {
            start,
            bytes: end - start,
            unmap: true,
        };
        let data = Stroke {
            start: 0x2000,
            bytes: 0x1000,
            unmap: false,
        };
        let bss = Stroke {
            start: 0x3000,
            ..data
        };
        let expected = [
            data,
            bss,
            unmap(0x5000, 0x6000),
            unmap(0x6000, 0x7000),
            unmap(0x8000, 0x9000),
            unmap(0xa000, 0xb000),
        ];
        assert_eq!(plan(maps, &(0x7000..0x8000)), expected);
    }
}
