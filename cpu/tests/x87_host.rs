//! x87 instructions, each encoding there is, against the processor this runs on: the whole x87
//! state, memory, AX and the arithmetic flags, from random states.
//!
//! `RAX_X87_CASES` sets the number of cases.
#![cfg(all(target_arch = "x86_64", unix))]
#![expect(unsafe_code, reason = "runs the host's own x87 instructions")]

#[path = "x87_host/guest.rs"]
mod guest;
#[path = "x87_host/host.rs"]
mod host;
#[path = "x87_host/image.rs"]
mod image;
#[path = "x87_host/random.rs"]
mod random;

use std::collections::BTreeMap;

use iced_x86::{Code, Decoder, DecoderOptions};
use rax_cpu::insn::Table;
use rax_cpu::{Exception, Model};

use guest::Guest;
use host::Host;
use image::{Image, Scene};
use random::Random;

/// How many cases run.
fn cases() -> u64 {
    std::env::var("RAX_X87_CASES")
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(1_500_000)
}

/// Whether the host is an Intel processor: what the manual leaves open follows those.
fn is_reference() -> bool {
    let leaf = std::arch::x86_64::__cpuid(0);
    [leaf.ebx, leaf.edx, leaf.ecx]
        .map(u32::to_le_bytes)
        .concat()
        == b"GenuineIntel"
}

/// An encoding under test; a memory operand is at RSI.
#[derive(Clone, Debug)]
struct Subject {
    bytes: Vec<u8>,
    code: Code,
}

impl Subject {
    /// Whether it raises #MF if an exception is pending.
    fn waits(&self) -> bool {
        !matches!(
            self.code,
            Code::Fninit
                | Code::Fnclex
                | Code::Fneni
                | Code::Fndisi
                | Code::Fnsetpm
                | Code::Fnstcw_m2byte
                | Code::Fnstsw_m2byte
                | Code::Fnstsw_AX
                | Code::Fnstenv_m14byte
                | Code::Fnstenv_m28byte
                | Code::Fnsave_m94byte
                | Code::Fnsave_m108byte
        )
    }

    /// Whether its result may be off by one unit of the last place.
    fn is_transcendental(&self) -> bool {
        matches!(
            self.code,
            Code::Fsin
                | Code::Fcos
                | Code::Fsincos
                | Code::Fptan
                | Code::Fpatan
                | Code::F2xm1
                | Code::Fyl2x
                | Code::Fyl2xp1
        )
    }

    /// Whether the manual leaves the result open for this ST(0).
    fn is_open(&self, image: &Image) -> bool {
        let exponent = image.st(0).sign_exponent & 0x7fff;
        match self.code {
            Code::F2xm1 => (16383..0x7fff).contains(&exponent),
            Code::Fyl2xp1 => (16381..0x7fff).contains(&exponent),
            _ => false,
        }
    }
}

/// Every x87 encoding that the newest model has.
fn subjects() -> Vec<Subject> {
    let model = Model::default();
    let is_there = |code: Code| {
        let mut features = code.cpuid_features().iter();
        Table::implements(code) && features.all(|&feature| model.has(feature))
    };
    let mut subjects = Vec::new();
    for escape in 0xd8..=0xdf {
        // ModRM 06, 0e, 16 ...: memory at RSI.
        let memory = (0..8).map(|reg| reg << 3 | 6);
        for modrm in memory.chain(0xc0..=0xff) {
            for prefix in [&[][..], &[0x66]] {
                let bytes = [prefix, &[escape, modrm]].concat();
                let code = Decoder::new(64, &bytes, DecoderOptions::NONE)
                    .decode()
                    .code();
                let known = subjects.iter().any(|s: &Subject| s.code == code);
                if is_there(code) && (prefix.is_empty() || !known) {
                    subjects.push(Subject { bytes, code });
                }
            }
        }
    }
    subjects.push(Subject {
        bytes: vec![0x9b],
        code: Code::Wait,
    });
    subjects
}

/// What differed, by encoding.
#[derive(Default)]
struct Report {
    by_code: BTreeMap<String, (u64, String)>,
}

impl Report {
    fn note(&mut self, subject: &Subject, text: &str) {
        let entry = self.by_code.entry(format!("{:?}", subject.code));
        let (count, shown) = entry.or_default();
        *count += 1;
        if *count <= 2 {
            shown.push_str(text);
        }
    }
}

#[test]
fn x87_instructions_equal_the_host() {
    if !is_reference() {
        return;
    }
    let subjects = subjects();
    let host = Host::new(subjects.iter().map(|s| s.bytes.as_slice()));
    let mut guest = Guest::new(subjects.iter().map(|s| s.bytes.as_slice()));
    let mut random = Random::new();
    let mut report = Report::default();
    let mut scene = Scene::random(&mut random);
    let mut left = 0;
    for case in 0..cases() {
        if left == 0 {
            scene = Scene::random(&mut random);
            left = random.below(6);
        }
        left = left.saturating_sub(1);
        // Every encoding in turn, so that none depends on luck.
        let number = if case & 1 == 0 {
            (case / 2 % subjects.len() as u64) as usize
        } else {
            random.below(subjects.len() as u64) as usize
        };
        let subject = &subjects[number];
        let before = scene.clone();
        let ours = guest.run(number, &before);
        if before.image.is_pending() && subject.waits() {
            assert_eq!(ours.err(), Some(Exception::X87FloatingPoint), "{subject:?}");
            left = 0;
            continue;
        }
        let ours = ours.expect("no exception is pending");
        if subject.is_open(&before.image) {
            continue;
        }
        let theirs = host.run(number, &before);
        if let Some(what) = ours.difference(&theirs, subject.is_transcendental()) {
            let bytes = &subject.bytes;
            report.note(
                subject,
                &format!("\n  {bytes:02x?} {what}\n   before {before:x?}\n   ours   {ours:x?}\n   host   {theirs:x?}"),
            );
        }
        scene = theirs;
        scene.refresh_memory(&mut random);
    }
    let text: String = report
        .by_code
        .iter()
        .map(|(code, (count, shown))| format!("{code}: {count} differ{shown}\n"))
        .collect();
    assert!(text.is_empty(), "{text}");
}
