//! Which bytes behind a VEX prefix are no instruction: L, W, vvvv, ModRM and prefixes before it.

use iced_x86::{Code, Decoder, DecoderOptions};
use rax_cpu::insn::Table;

use super::faults::{DATA, Guest};
use super::host::Host;
use super::registers::Registers;

/// Groups, whose operation the reg field of ModRM chooses; no general register is in it.
const GROUPS: [(u8, u8); 5] = [(1, 0x71), (1, 0x72), (1, 0x73), (1, 0xae), (2, 0xf3)];

/// Every opcode behind every prefix of three and of two bytes, with registers and with memory.
fn candidates() -> impl Iterator<Item = Vec<u8>> {
    let long = (0..3 * 32_u8).map(|n| {
        let (map, low) = (n / 32 + 1, n % 32);
        // W, L and pp, and one of two registers, inverted.
        let last = (low & 8) << 4 | low & 7 | (14 + (low >> 4)) << 3;
        (map, vec![0xc4, 0xe0 | map, last])
    });
    let short = (0..16_u8).map(|low| (1, vec![0xc5, 0x80 | low & 7 | (14 + (low >> 3)) << 3]));
    let prefixed = [0x66, 0xf2, 0xf3, 0xf0, 0x48, 0x40, 0x2e, 0x64, 0x67]
        .map(|prefix| (1, vec![prefix, 0xc5, 0xf4]));
    long.chain(short).chain(prefixed).flat_map(|(map, head)| {
        (0..=255_u8).flat_map(move |opcode| {
            // Numbers above 2 name registers that the host's code needs.
            let regs = if GROUPS.contains(&(map, opcode)) {
                8
            } else {
                3
            };
            let head = head.clone();
            (0..regs).flat_map(move |reg| {
                let register = [0xc2 | reg << 3, 0x30, 0];
                let memory = [0x03 | reg << 3, 0x30, 0];
                let indexed = [0x04 | reg << 3, 0x13, 0x30];
                let tails = if regs == 3 {
                    vec![register, memory, indexed]
                } else {
                    vec![register, memory]
                };
                let head = head.clone();
                tails
                    .into_iter()
                    .map(move |tail| [&head[..], &[opcode], &tail].concat())
            })
        })
    })
}

/// Instructions that hosts may have and rax not: `tests/unsupported.txt` names them.
fn is_unsupported(code: Code) -> bool {
    code != Code::INVALID && !Table::implements(code)
}

#[test]
fn vex_is_undefined_where_the_host_says_so() {
    super::skip_without!("avx2");
    let mut guest = Guest::new();
    let mut start = Registers {
        mxcsr: 0x1f80,
        ..Registers::default()
    };
    start.memory = [0x1f80; 4];
    let memory: Vec<u8> = start.memory.iter().flat_map(|v| v.to_le_bytes()).collect();
    let mut wrong = Vec::new();
    let mut defined = 0;
    for bytes in candidates() {
        let mut decoder = Decoder::new(64, &bytes, DecoderOptions::NONE);
        let instruction = decoder.decode();
        if is_unsupported(instruction.code()) {
            continue;
        }
        let length = if instruction.is_invalid() {
            bytes.len()
        } else {
            instruction.len()
        };
        let bytes = &bytes[..length];
        let (_, theirs) = Host::new(bytes).run_at(&start, None);
        guest.load(DATA + 0x100, &memory);
        guest.load(guest.code, bytes);
        let (_, ours) = guest.run(&start, 0x100);
        guest.code = super::faults::next_place(guest.code);
        let [ours, theirs] =
            [ours, theirs].map(|fault| fault.is_some_and(|fault| fault.signal == libc::SIGILL));
        defined += u64::from(!ours);
        if ours != theirs {
            wrong.push(format!(
                "{bytes:02x?} {:?}: ours {ours}, host {theirs}",
                instruction.code()
            ));
        }
    }
    assert!(defined > 2000, "only {defined} are defined");
    assert!(
        wrong.is_empty(),
        "{} differ\n{}",
        wrong.len(),
        wrong[..wrong.len().min(60)].join("\n")
    );
}
