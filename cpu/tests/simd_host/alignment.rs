//! Which operands in memory must be aligned, and which only under EFLAGS.AC: those of up to
//! eight bytes, says a Xeon (6, 207), and gathers never.

use iced_x86::Code;

use super::encodings::encodings;
use super::faults::{DATA, Guest, next_place};
use super::host::Host;
use super::registers::Registers;

/// EFLAGS.AC.
const AC: u64 = 1 << 18;

/// What an operand may lie in.
#[repr(align(64))]
struct Room([u8; 256]);

#[test]
fn alignment_is_checked_as_the_host_does() {
    super::skip_without!("avx2");
    let mut guest = Guest::new();
    guest.make_user();
    // Numbers that trap nowhere, masks that want everything, indexes of zero.
    let mut start = Registers {
        mxcsr: 0x1f80,
        mm: [0, u64::MAX],
        ..Registers::default()
    };
    start.vectors[1] = [u128::MAX; 2];
    let room = Room([0; 256]);
    let base = (&raw const room.0) as u64;
    let mut wrong = Vec::new();
    let mut caught = 0;
    for encoding in encodings()
        .into_iter()
        .filter(|encoding| encoding.in_memory)
    {
        // F16C halves a vector: eight bytes, and #AC says the manual (SDM 2A, 2.7.11), but not
        // the host.
        let is_half = matches!(
            encoding.code,
            Code::VEX_Vcvtph2ps_xmm_xmmm64 | Code::VEX_Vcvtps2ph_xmmm64_xmm_imm8
        );
        if super::loads_mxcsr(encoding.code) || is_half {
            continue;
        }
        let host = Host::new(&encoding.bytes);
        guest.code = next_place(guest.code);
        guest.load(guest.code, &encoding.bytes);
        for flags in [0, AC] {
            start.flags = flags;
            for offset in [0, 1, 2, 4, 8, 16, 32] {
                let (_, theirs) = host.run_at(&start, Some(base + offset));
                guest.load(DATA, &[0; 128]);
                let (_, ours) = guest.run(&start, offset);
                let [ours, theirs] = [ours, theirs].map(|fault| fault.map(|fault| fault.signal));
                caught += u64::from(theirs == Some(libc::SIGBUS));
                if ours != theirs {
                    let code = encoding.code;
                    wrong.push(format!(
                        "{code:?} at {offset}: ours {ours:?}, host {theirs:?}"
                    ));
                }
            }
        }
    }
    assert!(caught > 100, "only {caught} were misaligned");
    assert!(
        wrong.is_empty(),
        "{} differ\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
