//! Recordings come back as they went, and damaged ones are found out.

use proptest::prelude::*;

use super::*;
use crate::case::Subject;
use crate::form::{Standing, forms};
use crate::generate::generate;

fn header() -> Header {
    Header {
        processor: "a processor".into(),
        seed: 3,
        is_amd: false,
    }
}

/// A recording of a few cases of every fiftieth form, and of sequences and raw bytes.
fn recording() -> (Vec<u8>, Vec<(Case, Outcome)>) {
    let mut guest = crate::Guest::interpreter().unwrap();
    let mut recorder = Recorder::new(Vec::new(), &header()).unwrap();
    let mut cases = Vec::new();
    let covered = forms()
        .iter()
        .filter(|form| form.standing == Standing::Covered);
    for form in covered.rev().step_by(50).chain(form::form("sequence")) {
        for number in 0..3 {
            let case = generate(form, 3, number);
            let outcome = guest.run(std::slice::from_ref(&case)).remove(0).unwrap();
            recorder.add(form, &case, &outcome).unwrap();
            cases.push((case, outcome));
        }
    }
    (recorder.finish().unwrap(), cases)
}

#[test]
fn what_is_recorded_comes_back() {
    let (file, cases) = recording();
    let read = Recording::read(&file[..]).unwrap();
    assert_eq!(read.header, header());
    assert_eq!(read.len(), cases.len());
    for (recorded, (case, outcome)) in read.cases().zip(&cases) {
        assert_eq!(&recorded.case, case);
        assert_eq!(&recorded.outcome, outcome);
    }
    let each = file.len() / cases.len();
    assert!(each < 300, "{each} bytes a case");
}

#[test]
fn other_files_are_refused() {
    let error = |file: &[u8]| Recording::read(file).unwrap_err().to_string();
    assert_eq!(error(b""), "this is no recording of rax verify");
    assert_eq!(
        error(b"\x7fELF\x02\x01\x01\0\0\0"),
        "this is no recording of rax verify"
    );
    assert_eq!(
        error(b"raxcases\x09\0"),
        "the recording has version 9; this rax reads version 1"
    );
    let (mut file, _) = recording();
    for length in [file.len() / 2, file.len() - 1] {
        assert!(Recording::read(&file[..length]).is_err(), "{length}");
    }
    // The checksum, which finds what makes sense and is not what was written.
    *file.last_mut().unwrap() ^= 1;
    assert!(Recording::read(&file[..]).is_err());
}

/// A recording around any bytes.
fn wrap(bytes: &[u8]) -> Vec<u8> {
    let mut file = [&MAGIC[..], &VERSION.to_le_bytes()].concat();
    let mut zlib = ZlibEncoder::new(&mut file, Compression::fast());
    zlib.write_all(bytes).unwrap();
    zlib.finish().unwrap();
    file
}

#[test]
fn senseless_entries_are_refused() {
    let mut bytes = postcard::to_stdvec(&header()).unwrap();
    bytes.push(0);
    assert!(Recording::read(&wrap(&bytes)[..]).unwrap().is_empty());
    bytes.push(7);
    let error = Recording::read(&wrap(&bytes)[..]).unwrap_err();
    assert!(matches!(error, RecordingError::Damaged(0)), "{error}");
    bytes.pop();
    bytes.pop();
    bytes.extend([1, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    let error = Recording::read(&wrap(&bytes)[..]).unwrap_err();
    assert!(matches!(error, RecordingError::Damaged(0)), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut with_header = postcard::to_stdvec(&header()).unwrap();
        with_header.extend(&bytes);
        let _ = Recording::read(&bytes[..]);
        let _ = Recording::read(&wrap(&bytes)[..]);
        let _ = Recording::read(&wrap(&with_header)[..]);
    }

    #[test]
    fn no_damage_makes_reader_or_guest_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        use std::sync::LazyLock;
        static PLAIN: LazyLock<Vec<u8>> = LazyLock::new(|| {
            let (file, _) = recording();
            let mut plain = Vec::new();
            ZlibDecoder::new(&file[10..]).read_to_end(&mut plain).unwrap();
            plain
        });
        let mut bytes = PLAIN.clone();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(recording) = Recording::read(&wrap(&bytes)[..]) {
            let cases: Vec<_> = recording.cases().map(|recorded| recorded.case).collect();
            let mut guest = crate::Guest::interpreter().unwrap();
            let limited = cases.into_iter().map(|case| Case { instructions: case.instructions.min(1000), ..case });
            guest.run(&limited.collect::<Vec<_>>());
        }
    }
}
