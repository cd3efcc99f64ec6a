//! The CPUID instruction's leaves (SDM 2A, CPUID).

use super::{Feature, Generation, Topology, feature};
use crate::Cpu;
use crate::mode::Mode;
use crate::rflags::Cr4;
use crate::xstate::{COMPONENTS, Layout};

/// What leaf 1 leaves in IA32_BIOS_SIGN_ID.
pub(crate) const MICROCODE_REVISION: u64 = 0x219;
const BRAND: &[u8; 48] =
    b"rax virtual processor\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
/// IA32_MISC_ENABLE: leaves above 2 are hidden; MONITOR works; NX is hidden.
const LIMIT_LEAVES: u64 = 1 << 22;
const MONITOR_ENABLED: u64 = 1 << 18;
const NX_DISABLED: u64 = 1 << 34;
/// IA32_APIC_BASE: the local APIC is enabled.
const APIC_ENABLED: u64 = 1 << 11;

fn text(bytes: &[u8], at: usize) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(four)
}

impl Cpu {
    /// What CPUID gives: EAX, EBX, ECX and EDX.
    #[must_use]
    pub fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        let kind = self.model.kind;
        let mut most = kind.basic_leaves;
        if self.state.msrs.misc_enable & LIMIT_LEAVES != 0 {
            most = most.min(2);
        }
        // A leaf beyond the last one gives the last basic one.
        let leaf = if leaf <= most || (0x8000_0000..=kind.extended_leaves).contains(&leaf) {
            leaf
        } else {
            most
        };
        let mut registers = self.leaf(leaf, subleaf, most);
        for row in self.model.rows() {
            let word = row.word;
            if word.leaf == leaf && word.subleaf == subleaf_of(leaf, subleaf) {
                registers[word.register] |= 1 << row.bit;
            }
        }
        self.dynamic_features(leaf, &mut registers);
        registers
    }

    fn leaf(&self, leaf: u32, subleaf: u32, most: u32) -> [u32; 4] {
        let kind = self.model.kind;
        match leaf {
            0 => {
                let vendor = kind.vendor.name();
                [most, text(vendor, 0), text(vendor, 8), text(vendor, 4)]
            }
            1 => {
                let flush_line = if self.model.supports(Feature::Clfsh) {
                    8 << 8
                } else {
                    0
                };
                let id = self.platform.local_apic().map_or(0, |apic| apic.id << 24);
                // Intel counts the IDs that a package has room for, as leaf 4 does; AMD its cores.
                let topology = self.topology();
                let logical = match u32::from(topology.package()) {
                    1 => 0,
                    processors if self.model.is_amd() => processors.min(0xff) << 16,
                    _ => (1 << topology.package_bits()).min(0xff) << 16,
                };
                [kind.signature, id | logical | flush_line, 0, 0]
            }
            2 | 4 if self.model.is_amd() => [0; 4],
            // Old: TLBs and caches by descriptors. New: "ask leaf 4".
            2 if self.model.is_since(Generation::Pentium4) => [0x005b_5001, 0xff, 0, 0],
            2 => [0x0302_0101, 0, 0, 0x0c04_0843],
            4 => cache(subleaf, self.topology()),
            5 if self.model.supports(Feature::Monitor) => [64, 64, 0, 0],
            // The greatest subleaf.
            7 if subleaf == 0 => [u32::from(self.model.supports(Feature::AvxVnni)), 0, 0, 0],
            0xb | 0x1f if self.model.supports(Feature::X2apic) => self.levels(subleaf),
            0xd if self.model.supports(Feature::Xsave) => self.extended_state(subleaf),
            0x15 => self.clock(),
            0x16 => {
                let mhz = (self.model.tsc_hz / 1_000_000).min(0xffff) as u32;
                [mhz, mhz, 100, 0]
            }
            0x8000_0000 => [kind.extended_leaves, 0, 0, 0],
            // AMD repeats most of leaf 1 here, and raised the family of the early ones.
            0x8000_0001 if self.model.is_amd() => {
                let early = if kind.signature < 0x0f00 { 0x100 } else { 0 };
                let features = self.cpuid(1, 0)[3] & 0x0183_f3ff;
                [kind.signature + early, 0, 0, features]
            }
            0x8000_0002..=0x8000_0004 => {
                let at = (leaf - 0x8000_0002) as usize * 16;
                [0, 4, 8, 12].map(|n| text(BRAND, at + n))
            }
            0x8000_0005 if self.model.is_amd() => first_level(kind.signature),
            // L2: 512 KiB, 16-way.
            0x8000_0006 if self.model.is_amd() => [0, 0x4100_4100, 0x0200_8140, 0],
            // L2: 1 MiB, 8-way, lines of 64 bytes.
            0x8000_0006 => [0, 0, 0x0400_6040, 0],
            0x8000_0008 => {
                let linear = if self.model.supports(Feature::La57) {
                    57
                } else {
                    48
                };
                // Of AMD's models none has threads; what the machine calls so counts as cores.
                let cores = if self.model.is_amd() {
                    let topology = self.topology();
                    let last = u32::from(topology.package()).saturating_sub(1);
                    topology.package_bits() << 12 | last
                } else {
                    0
                };
                [
                    u32::from(kind.physical_address_bits) | linear << 8,
                    0,
                    cores,
                    0,
                ]
            }
            _ => [0; 4],
        }
    }

    /// Features that follow the control registers.
    fn dynamic_features(&self, leaf: u32, registers: &mut [u32; 4]) {
        let cr4 = Cr4::from_bits_retain(self.state.cr4);
        let misc_enable = self.state.msrs.misc_enable;
        match leaf {
            1 => {
                self.apic_features(registers);
                if self.topology().package() > 1 {
                    registers[3] |= 1 << 28; // HTT: there are more in the package.
                }
                if cr4.contains(Cr4::OSXSAVE) {
                    registers[2] |= 1 << 27;
                }
                if misc_enable & MONITOR_ENABLED == 0 {
                    registers[2] &= !(1 << 3);
                }
            }
            7 if cr4.contains(Cr4::PKE) && self.model.supports(Feature::Pku) => {
                registers[2] |= 1 << 4;
            }
            0x8000_0001 => {
                // Intel's SYSCALL exists in 64-bit mode only.
                if !self.mode().contains(Mode::CODE64) && !self.model.is_amd() {
                    registers[3] &= !(1 << 11);
                }
                if self.model.is_amd() && self.topology().package() > 1 {
                    registers[2] |= 1 << 1; // CmpLegacy: they are cores, not threads.
                }
                if misc_enable & NX_DISABLED != 0 {
                    registers[3] &= !(1 << 20);
                }
            }
            _ => {}
        }
    }

    /// The APIC shows while it is enabled, and what it can do while it exists.
    fn apic_features(&self, registers: &mut [u32; 4]) {
        let apic = self.platform.local_apic();
        if apic.is_none_or(|apic| apic.base & APIC_ENABLED == 0) {
            registers[3] &= !(1 << 9);
        }
        if apic.is_none() {
            registers[2] &= !(1 << 21 | 1 << 24);
        }
    }

    /// How processors are divided, of models that can say so. Those of others are packages of their own.
    fn topology(&self) -> Topology {
        let kind = self.model.kind;
        let tells = kind.basic_leaves >= 4 || kind.extended_leaves >= 0x8000_0008;
        let apic = self.platform.local_apic().filter(|_| tells);
        apic.map_or(Topology::one_socket(1), |apic| apic.topology)
    }

    /// Leaves 0Bh and 1Fh: the threads of a core, the cores of a package, and the x2APIC ID.
    fn levels(&self, subleaf: u32) -> [u32; 4] {
        let Some(apic) = self.platform.local_apic() else {
            return [0; 4];
        };
        let level = subleaf & 0xff;
        let topology = self.topology();
        let (bits, count, kind) = match subleaf {
            0 => (topology.thread_bits(), topology.threads, 1),
            1 => (topology.package_bits(), topology.package(), 2),
            _ => (0, 0, 0),
        };
        [bits, count.into(), kind << 8 | level, apic.id]
    }

    /// Leaf 0Dh: sizes and places of the XSAVE components.
    fn extended_state(&self, subleaf: u32) -> [u32; 4] {
        let all = self.model.xcr0_bits();
        let supervisor = self.model.xss_bits();
        let standard = |components: u64| Layout::Standard.size(components) as u32;
        let halves = |bits: u64| [bits as u32, (bits >> 32) as u32];
        match subleaf {
            0 => {
                let [low, high] = halves(all);
                [low, standard(self.state.xcr0), standard(all), high]
            }
            // EAX is all features.
            1 if self.model.has_compaction() => {
                let [low, high] = halves(supervisor);
                let enabled = self.state.xcr0 | self.state.msrs.xss;
                let size = Layout::Compacted(enabled).size(enabled) as u32;
                [0, size, low, high]
            }
            _ => COMPONENTS
                .iter()
                .find(|component| component.number == subleaf && all >> subleaf & 1 != 0)
                .map_or([0; 4], |component| {
                    [component.size as u32, component.offset as u32, 0, 0]
                }),
        }
    }

    /// Leaf 15h: the counter's rate as a multiple of a crystal's.
    fn clock(&self) -> [u32; 4] {
        let factor = (self.model.tsc_hz >> 32) + 1;
        [1, factor as u32, (self.model.tsc_hz / factor) as u32, 0]
    }
}

/// The subleaf that features are looked up by: leaves without subleaves ignore ECX.
const fn subleaf_of(leaf: u32, subleaf: u32) -> u32 {
    match leaf {
        4 | 7 | 0xb | 0xd | 0x1f => subleaf,
        _ => 0,
    }
}

/// AMD's leaf 80000005h: TLBs for large and small pages, L1 data and code.
const fn first_level(signature: u32) -> [u32; 4] {
    match signature {
        // 32 KiB each, 2-way, lines of 32 bytes.
        ..0x0600 => [0, 0x0280_0140, 0x2002_0220, 0x2002_0220],
        // 64 KiB each, 2-way, lines of 64 bytes.
        _ => [0xff08_ff08, 0xff20_ff20, 0x4002_0140, 0x4002_0140],
    }
}

/// Leaf 4: 32 KiB of each L1 and 1 MiB of L2, all 8-way with lines of 64 bytes, of each core; how many IDs there are for
/// those that share them, and for the cores of a package.
const fn cache(subleaf: u32, topology: Topology) -> [u32; 4] {
    const GEOMETRY: u32 = 7 << 22 | 63;
    const MOST: u32 = 6;
    let threads = topology.thread_bits();
    let cores = topology.package_bits() - threads;
    let cores = if cores > MOST { MOST } else { cores };
    let shared = ((1 << cores) - 1) << 26 | ((1 << threads) - 1) << 14;
    match subleaf {
        0 => [shared | 0x121, GEOMETRY, 63, 0],
        1 => [shared | 0x122, GEOMETRY, 63, 0],
        2 => [shared | 0x143, GEOMETRY, 2047, 0],
        _ => [0; 4],
    }
}

const _: () = assert!(feature::TABLE.len() <= 128);
