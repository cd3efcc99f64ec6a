//! Processor models: what CPUID announces, and so what decodes and which control
//! bits may be set (SDM 2A, CPUID; SDM 3A, 2.5).
//!
//! A model is a set of features. [`feature::TABLE`] says of each where CPUID shows
//! it, which instructions need it, and which bits of CR4 and EFER come with it.

mod feature;
mod kind;
mod leaves;
#[cfg(test)]
mod tests;
mod topology;

use iced_x86::{Code, CpuidFeature, DecoderOptions};
use rax_mmu::Controls;

pub(crate) use feature::Feature;
use kind::{KINDS, Kind, Vendor};
pub(crate) use leaves::MICROCODE_REVISION;
pub use topology::Topology;

/// The generations of processors, each with all that the one before has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Generation {
    I486,
    Pentium,
    PentiumPro,
    Pentium2,
    Pentium3,
    Pentium4,
    X8664,
    X8664V2,
    X8664V3,
    Max,
    /// Later than any: features of models that name them.
    Named,
}

/// How fast the time-stamp counter counts unless the machine says otherwise.
const DEFAULT_TSC_HZ: u64 = 1_000_000_000;

/// A processor model.
#[derive(Clone, Copy)]
pub struct Model {
    kind: &'static Kind,
    features: u128,
    tsc_hz: u64,
    paging: Controls,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("name", &self.name())
            .field("tsc_hz", &self.tsc_hz)
            .finish_non_exhaustive()
    }
}

impl Default for Model {
    /// Everything that is implemented.
    fn default() -> Self {
        Self::named("max").expect("the last model of the table")
    }
}

impl Model {
    /// The names of all models, oldest first. The last has everything.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|kind| kind.name)
    }

    /// The model of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let kind = KINDS.iter().find(|kind| kind.name == name)?;
        let features = feature::TABLE
            .iter()
            .filter(|row| row.since <= kind.generation || kind.more.contains(&row.feature))
            .fold(0, |set, row| set | 1 << row.feature as u32);
        let model = Self {
            kind,
            features,
            tsc_hz: DEFAULT_TSC_HZ,
            paging: Controls::default(),
        };
        let paging = Controls {
            physical_address_bits: kind.physical_address_bits,
            has_1gib_pages: model.supports(Feature::Pdpe1Gb),
            has_pse36: model.supports(Feature::Pse36),
            ..Controls::default()
        };
        Some(Self { paging, ..model })
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.kind.name
    }

    /// Family, model and stepping, as EDX holds them after a reset.
    #[must_use]
    pub const fn signature(&self) -> u32 {
        self.kind.signature
    }

    /// The family that the signature tells, the extended part included.
    #[must_use]
    pub(crate) const fn family(&self) -> u32 {
        match self.signature() >> 8 & 0xf {
            0xf => 0xf + (self.signature() >> 20 & 0xff),
            family => family,
        }
    }

    /// How many times a second the time-stamp counter counts.
    #[must_use]
    pub const fn tsc_hz(&self) -> u64 {
        self.tsc_hz
    }

    /// The same model with another clock, as the machine's
    /// [`clock_cycles`](crate::Platform::clock_cycles) runs.
    #[must_use]
    pub const fn with_tsc_hz(self, tsc_hz: u64) -> Self {
        Self { tsc_hz, ..self }
    }

    /// Width of a physical address in bits.
    #[must_use]
    pub const fn physical_address_bits(&self) -> u8 {
        self.kind.physical_address_bits
    }

    /// Whether it has a feature.
    #[must_use]
    pub(crate) const fn supports(&self, feature: Feature) -> bool {
        self.features >> feature as u32 & 1 != 0
    }

    /// Whether it is at least of this generation.
    #[must_use]
    pub(crate) fn is_since(&self, generation: Generation) -> bool {
        self.kind.generation >= generation
    }

    /// Whether it is one of AMD's, which differ in fast system calls and in details of CPUID.
    #[must_use]
    pub(crate) const fn is_amd(&self) -> bool {
        matches!(self.kind.vendor, Vendor::Amd)
    }

    /// Whether it has 64-bit mode.
    #[must_use]
    pub fn has_long_mode(&self) -> bool {
        self.has(CpuidFeature::X64)
    }

    /// Whether instructions that need this feature decode.
    #[must_use]
    pub fn has(&self, feature: CpuidFeature) -> bool {
        use CpuidFeature as F;
        match feature {
            // PAUSE is a NOP where it is not known.
            F::INTEL8086
            | F::INTEL186
            | F::INTEL286
            | F::INTEL386
            | F::INTEL486
            | F::CPUID
            | F::SMM
            | F::PAUSE => true,
            F::MULTIBYTENOP | F::RDPMC => self.is_since(Generation::PentiumPro),
            _ => self.rows().any(|row| row.instructions.contains(&feature)),
        }
    }

    /// Whether it has an instruction, if rax has.
    #[must_use]
    pub fn has_instruction(&self, code: Code) -> bool {
        code.cpuid_features()
            .iter()
            .all(|&feature| self.has(feature))
            || (self.supports(Feature::MmxExt) && kind::MMX_EXTENSIONS.contains(&code))
    }

    /// What iced-x86 is to accept: a prefix that makes another instruction only
    /// where that one is known, and reserved NOPs since the P6.
    #[must_use]
    pub fn decoder_options(&self) -> u32 {
        let mut options = DecoderOptions::NONE;
        let mut unless = |is_there: bool, option: u32| {
            if !is_there {
                options |= option;
            }
        };
        unless(
            !self.is_since(Generation::PentiumPro),
            DecoderOptions::FORCE_RESERVED_NOP,
        );
        unless(!self.is_amd(), DecoderOptions::AMD);
        unless(
            self.supports(Feature::Wbnoinvd),
            DecoderOptions::NO_WBNOINVD,
        );
        unless(self.supports(Feature::Bmi1), DecoderOptions::NO_MPFX_0FBC);
        unless(self.supports(Feature::Lzcnt), DecoderOptions::NO_MPFX_0FBD);
        unless(
            self.supports(Feature::LahfLm),
            DecoderOptions::NO_LAHF_SAHF_64,
        );
        options
    }

    /// The paging features; the registers are filled in by the caller.
    #[must_use]
    pub const fn paging(&self) -> &Controls {
        &self.paging
    }

    /// The bits of CR4 that may be set.
    #[must_use]
    pub(crate) fn cr4_bits(&self) -> u64 {
        let performance = if self.is_since(Generation::PentiumPro) {
            crate::rflags::Cr4::PCE.bits()
        } else {
            0
        };
        self.rows()
            .fold(performance, |bits, row| bits | row.cr4.bits())
    }

    /// The bits of EFER that exist.
    #[must_use]
    pub(crate) fn efer_bits(&self) -> u64 {
        self.rows().fold(0, |bits, row| bits | row.efer.bits())
    }

    /// The state components that XCR0 may enable.
    #[must_use]
    pub(crate) fn xcr0_bits(&self) -> u64 {
        self.rows().fold(0, |bits, row| bits | row.xcr0)
    }

    /// The state components that IA32_XSS may enable: what they would hold, no model has.
    #[must_use]
    #[expect(clippy::unused_self, reason = "a property of the model, like XCR0's")]
    pub(crate) const fn xss_bits(&self) -> u64 {
        0
    }

    /// Whether areas may be compacted, and XRSTOR knows them.
    #[must_use]
    pub(crate) const fn has_compaction(&self) -> bool {
        self.supports(Feature::Xsavec) || self.supports(Feature::Xsaves)
    }

    fn rows(&self) -> impl Iterator<Item = &'static feature::Row> {
        let features = self.features;
        feature::TABLE
            .iter()
            .filter(move |row| features >> row.feature as u32 & 1 != 0)
    }
}
