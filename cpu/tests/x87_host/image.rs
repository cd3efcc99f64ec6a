//! The x87 state as FXSAVE64 lays it out, and what else an instruction touches.

use std::fmt;

use rax_cpu::float::F80;
use rax_cpu::fpu::Fpu;

use super::random::Random;

/// Bytes of memory at RSI.
pub(crate) const MEMORY: usize = 128;
/// The arithmetic flags.
pub(crate) const FLAGS: u64 = 0x8d5;
/// What a pointer to the instruction under test or its operand becomes.
const HERE: u64 = 0x1234_5678;
const C1: u16 = 0x200;
const ES: u16 = 0x80;

/// The area that FXSAVE64 writes.
#[repr(C, align(16))]
#[derive(Clone)]
pub(crate) struct Image(pub(crate) [u8; 512]);

impl Image {
    fn get<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.0[at..at + N]);
        bytes
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// The image of a state.
    pub(crate) fn of(fpu: &Fpu) -> Self {
        let mut image = Self([0; 512]);
        image.put(0, &fpu.control.to_le_bytes());
        image.put(2, &fpu.status.to_le_bytes());
        image.put(4, &[fpu.in_use]);
        image.put(6, &fpu.last_opcode.to_le_bytes());
        image.put(8, &fpu.last_ip.to_le_bytes());
        image.put(16, &fpu.last_dp.to_le_bytes());
        image.put(24, &0x1f80u32.to_le_bytes());
        for i in 0..8 {
            image.put(32 + 16 * i, &fpu.st(i).to_le_bytes());
        }
        image
    }

    /// The state of an image.
    pub(crate) fn fpu(&self) -> Fpu {
        let mut fpu = Fpu::default();
        fpu.set_control(self.control());
        fpu.set_status(self.status());
        fpu.in_use = self.0[4];
        fpu.last_opcode = u16::from_le_bytes(self.get(6));
        fpu.last_ip = self.ip();
        fpu.last_dp = self.dp();
        for i in 0..8 {
            let register = fpu.physical(i);
            fpu.registers[register] = self.st(i);
        }
        fpu
    }

    fn control(&self) -> u16 {
        u16::from_le_bytes(self.get(0))
    }

    fn status(&self) -> u16 {
        u16::from_le_bytes(self.get(2))
    }

    fn ip(&self) -> u64 {
        u64::from_le_bytes(self.get(8))
    }

    fn dp(&self) -> u64 {
        u64::from_le_bytes(self.get(16))
    }

    pub(crate) fn st(&self, i: usize) -> F80 {
        F80::from_le_bytes(self.get(32 + 16 * i))
    }

    /// Counts IP and DP from the instruction and its operand, if they point there.
    pub(crate) fn relocate(&mut self, instruction: u64, operand: u64) {
        if self.ip() == instruction {
            self.put(8, &HERE.to_le_bytes());
        }
        if self.dp() == operand {
            self.put(16, &HERE.to_le_bytes());
        }
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.status() & ES != 0
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cw {:04x} sw {:04x} tags {:02x} fop {:03x} ip {:x} dp {:x}",
            self.control(),
            self.status(),
            self.0[4],
            u16::from_le_bytes(self.get(6)),
            self.ip(),
            self.dp()
        )?;
        for i in 0..8 {
            let F80 {
                sign_exponent,
                significand,
            } = self.st(i);
            write!(f, " {sign_exponent:04x}:{significand:016x}")?;
        }
        Ok(())
    }
}

/// Everything an x87 instruction sees and changes.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) image: Image,
    pub(crate) rax: u64,
    pub(crate) flags: u64,
    pub(crate) memory: [u8; MEMORY],
}

impl fmt::Debug for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            image,
            rax,
            flags,
            memory,
        } = self;
        write!(f, "{image:?} ax {:04x} flags {flags:03x}", *rax as u16)?;
        write!(f, " memory {:02x?}", &memory[..28])
    }
}

impl Scene {
    /// A random one; rarely with an exception pending.
    pub(crate) fn random(random: &mut Random) -> Self {
        let mut fpu = Fpu::default();
        let mut near = F80::ONE;
        for register in &mut fpu.registers {
            near = random.f80(near);
            *register = near;
        }
        fpu.in_use = match random.below(4) {
            0 => random.next() as u8,
            1 => 0xff,
            2 => 0xff ^ 1 << random.below(8),
            _ => (0xffu16 >> random.below(9)) as u8,
        };
        let control = random.control();
        let mut status = random.next() as u16 & 0x7f7f;
        if random.below(8) != 0 {
            status &= !0x3f | control & 0x3f;
        }
        fpu.set_status(status);
        fpu.set_control(control);
        fpu.last_opcode = random.next() as u16 & 0x7ff;
        fpu.last_ip = random.next() >> 18;
        fpu.last_dp = random.next() >> 18;
        let mut scene = Self {
            image: Image::of(&fpu),
            rax: random.next(),
            flags: random.next() & FLAGS | 2,
            memory: [0; MEMORY],
        };
        scene.refresh_memory(random);
        scene
    }

    /// New memory: an operand, or an environment.
    pub(crate) fn refresh_memory(&mut self, random: &mut Random) {
        for byte in &mut self.memory {
            *byte = random.next() as u8;
        }
        let near = self.image.st(0);
        let operand = match random.below(8) {
            0 => random.f32(near).to_le_bytes().to_vec(),
            1 => random.f64(near).to_le_bytes().to_vec(),
            2 | 3 => random.f80(near).to_le_bytes().to_vec(),
            4 => random.integer().to_le_bytes().to_vec(),
            5 => random.decimal().to_vec(),
            _ => random.control().to_le_bytes().to_vec(),
        };
        self.memory[..operand.len()].copy_from_slice(&operand);
    }

    /// What differs from the host's, if anything.
    pub(crate) fn difference(&self, host: &Self, is_transcendental: bool) -> Option<String> {
        let mut what = Vec::new();
        let (ours, theirs) = (&self.image, &host.image);
        if ours.control() != theirs.control() {
            what.push("control");
        }
        let ignored = if is_transcendental { C1 } else { 0 };
        let changed = (ours.status() ^ theirs.status()) & !ignored;
        if changed != 0 {
            what.push("status");
        }
        if ours.0[4] != theirs.0[4] {
            what.push("tags");
        }
        let tolerance = u128::from(is_transcendental);
        if (0..8).any(|i| distance(ours.st(i), theirs.st(i)) > tolerance) {
            what.push("registers");
        }
        if ours.ip() != theirs.ip() {
            what.push("ip");
        }
        // The host may keep opcode and operand only of instructions that trap.
        if theirs.is_pending() {
            if ours.0[6..8] != theirs.0[6..8] {
                what.push("opcode");
            }
            if ours.dp() != theirs.dp() {
                what.push("dp");
            }
        }
        if self.memory != host.memory {
            what.push("memory");
        }
        if self.rax != host.rax {
            what.push("rax");
        }
        if self.flags != host.flags {
            what.push("flags");
        }
        (!what.is_empty()).then(|| what.join(", "))
    }
}

/// The distance in units of the last place.
fn distance(a: F80, b: F80) -> u128 {
    let rank = |value: F80| {
        let magnitude = (i128::from(value.sign_exponent & 0x7fff) << 63)
            + i128::from(value.significand & (u64::MAX >> 1));
        if value.sign() { -magnitude } else { magnitude }
    };
    if a == b {
        0
    } else {
        (rank(a) - rank(b)).unsigned_abs().max(1)
    }
}
