//! XSAVE, XSAVEOPT, XSAVEC and XRSTOR with x87, SSE and AVX state against the processor this
//! runs on: what is saved and where, what is restored, and which headers are refused.
//!
//! `RAX_XSAVE_CASES` sets the number of cases for each instruction.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![expect(unsafe_code, reason = "runs the host's own XSAVE and XRSTOR")]

#[path = "xsave_host/host.rs"]
mod host;

use host::Host;
use rax_cpu::rflags::Cr4;
use rax_cpu::state::Gpr;
use rax_cpu::testing::{Bits, bare};
use rax_cpu::{Cpu, Exception, Interpreter};
use rax_mmu::PhysicalAddress;

/// Room for an area.
const AREA: usize = 1024;
/// x87, SSE and AVX.
const ALL: u64 = 7;
const X87: u64 = 1;
const SSE: u64 = 2;
const AVX: u64 = 4;
const HEADER: usize = 512;
const COMPACTED: u64 = 1 << 63;

/// What an instruction starts from.
#[derive(Clone)]
pub(crate) struct Scene {
    /// The state, as an area in standard format.
    before: [u8; AREA],
    /// The instruction's operand.
    area: [u8; AREA],
    /// EDX:EAX.
    mask: u64,
}

/// A small random generator (xorshift64*).
struct Random(u64);

impl Random {
    const fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    const fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.next() as u8;
        }
    }

    /// x87 and SSE as both processors can hold them, AVX at `avx`.
    fn image(&mut self, avx: usize) -> [u8; AREA] {
        let mut image = [0; AREA];
        image[..2].copy_from_slice(&(self.next() as u16 & 0x1f7f | 0x40).to_le_bytes());
        self.fill(&mut image[2..5]);
        image[6..8].copy_from_slice(&(self.next() as u16 & 0x7ff).to_le_bytes());
        // The pointers are canonical, and lie in the lower half.
        self.fill(&mut image[8..13]);
        self.fill(&mut image[16..21]);
        let mxcsr = if self.below(2) == 0 {
            0x1f80
        } else {
            self.next() as u32 & 0xffff
        };
        image[24..28].copy_from_slice(&mxcsr.to_le_bytes());
        for register in 0..8 {
            self.fill(&mut image[32 + 16 * register..][..10]);
        }
        if self.below(3) != 0 {
            self.fill(&mut image[160..416]);
        }
        if self.below(3) != 0 {
            self.fill(&mut image[avx..avx + 256]);
        }
        image
    }

    /// A state to start from.
    fn before(&mut self) -> [u8; AREA] {
        let mut before = self.image(576);
        set(&mut before, HEADER, self.below(8));
        before
    }

    fn mask(&mut self) -> u64 {
        if self.below(4) == 0 {
            ALL
        } else {
            self.below(8)
        }
    }
}

fn set(area: &mut [u8; AREA], at: usize, value: u64) {
    area[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

fn get(area: &[u8; AREA], at: usize) -> u64 {
    let (words, _) = area[at..].as_chunks::<8>();
    u64::from_le_bytes(words[0])
}

const BEFORE_AT: u64 = 0x2000;
const AREA_AT: u64 = 0x3000;
const AFTER_AT: u64 = 0x4000;
const CODE_AT: u64 = 0x5000;

/// Our processor.
struct Guest {
    cpu: Box<Cpu>,
    interpreter: Interpreter,
}

impl Guest {
    fn new(instruction: &[u8]) -> Self {
        let mut cpu = bare(Bits::Long64, 0x10_0000).expect("a host has a megabyte");
        cpu.state.cr4 |= Cr4::OSXSAVE.bits();
        cpu.state.xcr0 = ALL;
        cpu.update_mode();
        let code = [
            &[0x48, 0x0f, 0xae, 0x2f], // xrstor64 [rdi]
            instruction,               // with its operand at RSI
            &[0x48, 0x0f, 0xae, 0x23], // xsave64 [rbx]
        ]
        .concat();
        let memory = cpu.mmu.memory();
        memory
            .load_image(PhysicalAddress(CODE_AT), &code)
            .expect("RAM");
        let interpreter = Interpreter::new(&cpu);
        Self { cpu, interpreter }
    }

    fn step(&mut self, mask: u64) -> Result<(), Exception> {
        self.cpu.state.set_gpr(Gpr::Rax, mask & 0xffff_ffff);
        self.cpu.state.set_gpr(Gpr::Rdx, mask >> 32);
        self.interpreter.execute_one(&mut self.cpu)
    }

    fn run(&mut self, scene: &Scene) -> Result<([u8; AREA], [u8; AREA]), Exception> {
        let state = &mut self.cpu.state;
        state.rip = CODE_AT;
        state.set_gpr(Gpr::Rdi, BEFORE_AT);
        state.set_gpr(Gpr::Rsi, AREA_AT);
        state.set_gpr(Gpr::Rbx, AFTER_AT);
        let memory = self.cpu.mmu.memory().clone();
        for (at, bytes) in [
            (BEFORE_AT, &scene.before),
            (AREA_AT, &scene.area),
            (AFTER_AT, &[0; AREA]),
        ] {
            memory.load_image(PhysicalAddress(at), bytes).expect("RAM");
        }
        self.step(ALL)?;
        self.step(scene.mask)?;
        self.step(ALL)?;
        let [area, after] = [AREA_AT, AFTER_AT].map(|at| {
            let mut bytes = [0; AREA];
            memory
                .ram_read(PhysicalAddress(at), &mut bytes)
                .expect("RAM");
            bytes
        });
        Ok((area, after))
    }
}

/// Where the components lie in an area.
fn places(area: &[u8; AREA]) -> [(u64, std::ops::Range<usize>); 5] {
    let compaction = get(area, HEADER + 8);
    let avx = if compaction == 0 || compaction & AVX != 0 {
        576..832
    } else {
        0..0
    };
    [
        (X87, 0..24),
        (SSE, 24..32),
        (X87, 32..160),
        (SSE, 160..416),
        (AVX, avx),
    ]
}

/// Makes equal what the manual leaves to the processor: XINUSE may say that a component is in
/// use though it is in its initial configuration, and then it is saved.
fn reconcile(ours: &mut [u8; AREA], theirs: &[u8; AREA], mask: u64) {
    let more = get(theirs, HEADER) & !get(ours, HEADER) & mask;
    for (component, place) in places(theirs) {
        if more & component == 0 {
            continue;
        }
        let initial = initial(&place);
        if theirs[place.clone()] == initial {
            ours[place].copy_from_slice(&initial);
            let header = get(ours, HEADER) | component;
            set(ours, HEADER, header);
        }
    }
}

/// What is saved of a component in its initial configuration.
fn initial(place: &std::ops::Range<usize>) -> Vec<u8> {
    let mut bytes = vec![0; place.len()];
    match (place.start, place.len()) {
        (0, 24) => bytes[..2].copy_from_slice(&0x37fu16.to_le_bytes()),
        (24, _) => bytes.copy_from_slice(&[0x80, 0x1f, 0, 0, 0xff, 0xff, 0, 0]),
        _ => {}
    }
    bytes
}

/// Where two areas differ.
fn difference(ours: &[u8; AREA], theirs: &[u8; AREA]) -> Option<String> {
    let at: Vec<_> = (0..AREA).filter(|&at| ours[at] != theirs[at]).collect();
    let first = *at.first()?;
    Some(format!(
        "at {at:x?}: ours {:02x?}, theirs {:02x?}",
        &ours[first..(first + 8).min(AREA)],
        &theirs[first..(first + 8).min(AREA)]
    ))
}

fn cases() -> u64 {
    std::env::var("RAX_XSAVE_CASES")
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(20_000)
}

/// Whether the host has all that is compared, and is Intel's, whose choices ours are.
fn is_reference() -> bool {
    let leaf = std::arch::x86_64::__cpuid(0);
    let vendor = [leaf.ebx, leaf.edx, leaf.ecx]
        .map(u32::to_le_bytes)
        .concat();
    vendor == b"GenuineIntel"
        && is_x86_feature_detected!("avx")
        && is_x86_feature_detected!("xsavec")
        && is_x86_feature_detected!("xsaveopt")
}

/// Each with its operand at RSI, in both forms.
const SAVES: [(&str, &[u8]); 6] = [
    ("xsave", &[0x0f, 0xae, 0x26]),
    ("xsave64", &[0x48, 0x0f, 0xae, 0x26]),
    ("xsaveopt", &[0x0f, 0xae, 0x36]),
    ("xsaveopt64", &[0x48, 0x0f, 0xae, 0x36]),
    ("xsavec", &[0x0f, 0xc7, 0x26]),
    ("xsavec64", &[0x48, 0x0f, 0xc7, 0x26]),
];
const RESTORES: [(&str, &[u8]); 2] = [
    ("xrstor", &[0x0f, 0xae, 0x2e]),
    ("xrstor64", &[0x48, 0x0f, 0xae, 0x2e]),
];

#[test]
fn areas_are_saved_as_on_the_host() {
    if !is_reference() {
        println!("skipped: this host is no reference");
        return;
    }
    let mut random = Random(0x1234_5678_9abc_def1);
    for (name, code) in SAVES {
        let host = Host::new(code);
        let mut guest = Guest::new(code);
        for _ in 0..cases() {
            let mut area = [0xee; AREA];
            set(&mut area, HEADER, random.below(8));
            set(&mut area, HEADER + 8, 0);
            let scene = Scene {
                before: random.before(),
                area,
                mask: random.mask(),
            };
            let (mut ours, _) = guest.run(&scene).expect("nothing is wrong");
            let (theirs, _) = host.run(&scene);
            reconcile(&mut ours, &theirs, scene.mask);
            if let Some(what) = difference(&ours, &theirs) {
                panic!(
                    "{name} of {:x}: {what}\nfrom {:02x?}",
                    scene.mask, scene.before
                );
            }
        }
    }
}

#[test]
fn areas_are_restored_as_on_the_host() {
    if !is_reference() {
        println!("skipped: this host is no reference");
        return;
    }
    let mut random = Random(0x9234_5678_9abc_def1);
    for (name, code) in RESTORES {
        let host = Host::new(code);
        let mut guest = Guest::new(code);
        for _ in 0..cases() {
            let area = if random.below(2) == 0 {
                random.before()
            } else {
                let places = random.below(8);
                let mut area = random.image(576);
                set(&mut area, HEADER, random.below(8) & places);
                set(&mut area, HEADER + 8, places | COMPACTED);
                area
            };
            let scene = Scene {
                before: random.before(),
                area,
                mask: random.mask(),
            };
            let (_, mut ours) = guest.run(&scene).expect("nothing is wrong");
            let (_, theirs) = host.run(&scene);
            reconcile(&mut ours, &theirs, ALL);
            if let Some(what) = difference(&ours, &theirs) {
                panic!(
                    "{name} of {:x}: {what}\nfrom {:02x?}\nof {:02x?}",
                    scene.mask, scene.before, scene.area
                );
            }
        }
    }
}

#[test]
fn headers_are_refused_as_on_the_host() {
    if !is_reference() {
        println!("skipped: this host is no reference");
        return;
    }
    let code = RESTORES[1].1;
    let host = Host::new(code);
    let mut guest = Guest::new(code);
    let mut random = Random(0x5234_5678_9abc_def1);
    let mut refused = 0;
    for case in 0..400 {
        let mut area = random.image(576);
        let is_compacted = random.below(2) == 0;
        // Components that neither has.
        let foreign = [0, 0, 0, 1 << 3, 1 << 62][random.below(5) as usize];
        let places = if is_compacted {
            random.below(8) | COMPACTED
        } else {
            0
        };
        set(&mut area, HEADER, random.below(8) | foreign);
        set(
            &mut area,
            HEADER + 8,
            places | if random.below(4) == 0 { foreign } else { 0 },
        );
        if random.below(3) == 0 {
            area[HEADER + 16 + random.below(48) as usize] = 1;
        }
        if random.below(4) == 0 {
            area[24 + random.below(4) as usize] = 0x7f;
        }
        let scene = Scene {
            before: random.before(),
            area,
            mask: random.mask(),
        };
        let theirs = host.faults(&scene);
        let ours = match guest.run(&scene) {
            Ok(_) => false,
            Err(Exception::GeneralProtection(0)) => true,
            Err(other) => panic!("{other:?}"),
        };
        refused += u32::from(ours);
        assert_eq!(
            ours,
            theirs,
            "case {case}: mask {:x}, MXCSR {:02x?}, header {:02x?}",
            scene.mask,
            &scene.area[24..28],
            &scene.area[HEADER..HEADER + 64]
        );
    }
    assert!((50..350).contains(&refused), "{refused} of 400");
}
