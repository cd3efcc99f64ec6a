//! A list of INT 10h calls, the ROM made of it, and the answers.

use rax_machine::{Boot, End};
use rax_mmu::PhysicalAddress;

use super::program::program;
use crate::support::Bench;

/// Where the ROM puts the frame buffer.
pub(crate) const FRAME_BUFFER: u32 = 0xE000_0000;
/// The calls and their data, in segment F000h; the answers, in segment 0.
pub(crate) const CALLS: u16 = 0x0800;
const DATA: u16 = 0x6000;
pub(crate) const ANSWERS: u16 = 0x8000;
/// What follows the last answer.
pub(crate) const DONE: u16 = 0xD05E;
/// AX of no call: instead, ES:DI is called far.
pub(crate) const FAR: u16 = 0xFFFE;
/// AX of no call: the end of the list.
const END: u16 = 0xFFFF;
/// The ROM: 128 KiB, of which the first half is the VGA BIOS.
const ROM_BYTES: usize = 0x2_0000;
const HALF: usize = 0x1_0000;
const INSTRUCTIONS: u64 = 500_000_000;

/// Registers, before or after.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Call {
    pub(crate) ax: u16,
    pub(crate) bx: u16,
    pub(crate) cx: u16,
    pub(crate) dx: u16,
    pub(crate) bp: u16,
    pub(crate) di: u16,
    pub(crate) es: u16,
}

impl Call {
    pub(crate) fn ax(ax: u16) -> Self {
        Self {
            ax,
            ..Self::default()
        }
    }

    pub(crate) fn bx(self, bx: u16) -> Self {
        Self { bx, ..self }
    }

    pub(crate) fn cx(self, cx: u16) -> Self {
        Self { cx, ..self }
    }

    pub(crate) fn dx(self, dx: u16) -> Self {
        Self { dx, ..self }
    }

    pub(crate) fn di(self, di: u16) -> Self {
        Self { di, ..self }
    }

    /// A far call of ES:DI instead of INT 10h.
    pub(crate) fn far([di, es]: [u16; 2]) -> Self {
        Self {
            ax: FAR,
            di,
            es,
            ..Self::default()
        }
    }

    /// ES:DI and ES:BP at data of the script.
    pub(crate) fn data(self, offset: u16) -> Self {
        Self {
            es: 0xF000,
            di: offset,
            bp: offset,
            ..self
        }
    }

    fn words(self) -> [u16; 8] {
        let Self {
            ax,
            bx,
            cx,
            dx,
            bp,
            di,
            es,
        } = self;
        [ax, bx, cx, dx, bp, di, es, 0]
    }
}

/// The calls to come.
pub(crate) struct Script {
    calls: Vec<Call>,
    data: Vec<u8>,
    pokes: Vec<(u16, Vec<u8>)>,
}

impl Script {
    pub(crate) fn new() -> Self {
        Self {
            calls: Vec::new(),
            data: Vec::new(),
            pokes: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Adds a call; the number is for [`Outcome::answer`].
    pub(crate) fn call(&mut self, call: Call) -> usize {
        self.calls.push(call);
        self.calls.len() - 1
    }

    /// Adds bytes; the offset is for [`Call::data`].
    pub(crate) fn data(&mut self, bytes: &[u8]) -> u16 {
        let offset = DATA + self.data.len() as u16;
        self.data.extend_from_slice(bytes);
        offset
    }

    /// Writes a text at the cursor (AX=1301h). The house stands for 7Fh, all else is ASCII.
    pub(crate) fn print(&mut self, text: &str, attribute: u16) {
        let bytes: Vec<u8> = text
            .chars()
            .map(|c| if c == '\u{2302}' { 0x7F } else { c as u8 })
            .collect();
        let offset = self.data(&bytes);
        self.call(
            Call::ax(0x1301)
                .bx(attribute)
                .cx(bytes.len() as u16)
                .dx(0xFFFF)
                .data(offset),
        );
    }

    /// Puts bytes into segment 0 before the first call.
    pub(crate) fn poke(&mut self, offset: u16, bytes: &[u8]) {
        self.pokes.push((offset, bytes.to_vec()));
    }

    /// Carries them out.
    pub(crate) fn run(&self) -> Outcome {
        let answers = self.calls.len();
        let mut bench = Bench::with_screen(Boot::Rom(self.rom()), 16 << 20, None);
        for (offset, bytes) in &self.pokes {
            let address = PhysicalAddress((*offset).into());
            bench.machine.memory().ram_write(address, bytes).unwrap();
        }
        let end = bench.run(INSTRUCTIONS);
        assert!(matches!(end, End::Halted), "{end:?}");
        let outcome = Outcome { bench, answers };
        assert_eq!(outcome.answer(answers).ax, DONE);
        outcome
    }

    fn rom(&self) -> Vec<u8> {
        let mut rom = vec![0xFF; ROM_BYTES];
        let bios = rax_firmware::video::image();
        rom[..bios.len()].copy_from_slice(&bios);
        let code = program().assemble(0).unwrap();
        assert!(code.len() <= usize::from(CALLS));
        let mut put = |offset: usize, bytes: &[u8]| {
            rom[HALF + offset..][..bytes.len()].copy_from_slice(bytes);
        };
        put(0, &code);
        let end = Call::ax(END);
        let calls = self
            .calls
            .iter()
            .chain([&end])
            .flat_map(|call| call.words());
        let calls: Vec<u8> = calls.flat_map(u16::to_le_bytes).collect();
        assert!(calls.len() <= usize::from(DATA - CALLS));
        put(CALLS.into(), &calls);
        put(DATA.into(), &self.data);
        put(0xFFF0, &[0xEA, 0x00, 0x00, 0x00, 0xF0]);
        rom
    }
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) bench: Bench,
    answers: usize,
}

impl Outcome {
    /// How many calls there were.
    pub(crate) fn len(&self) -> usize {
        self.answers
    }

    /// The registers after a call.
    pub(crate) fn answer(&self, call: usize) -> Call {
        let bytes = self.memory(ANSWERS + 16 * call as u16, 16);
        let word = |index: usize| u16::from_le_bytes([bytes[2 * index], bytes[2 * index + 1]]);
        Call {
            ax: word(0),
            bx: word(1),
            cx: word(2),
            dx: word(3),
            bp: word(4),
            di: word(5),
            es: word(6),
        }
    }

    /// Memory of segment 0.
    pub(crate) fn memory(&self, offset: u16, bytes: usize) -> Vec<u8> {
        self.read(PhysicalAddress(offset.into()), bytes)
    }

    /// What is at C0000h now.
    pub(crate) fn image(&self, bytes: usize) -> Vec<u8> {
        self.read(PhysicalAddress(0xC_0000), bytes)
    }

    fn read(&self, address: PhysicalAddress, bytes: usize) -> Vec<u8> {
        let mut read = vec![0; bytes];
        self.bench
            .machine
            .memory()
            .ram_read(address, &mut read)
            .unwrap();
        read
    }
}
