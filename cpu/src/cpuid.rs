//! Processor models: what CPUID announces, and so what decodes (SDM 2A, CPUID).

use iced_x86::{CpuidFeature, DecoderOptions};
use rax_mmu::Controls;

/// A processor model.
#[derive(Clone, Debug)]
pub struct Model {
    name: &'static str,
}

impl Default for Model {
    /// Everything that is implemented.
    fn default() -> Self {
        Self { name: "max" }
    }
}

impl Model {
    /// The model of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        (name == "max").then_some(Self { name: "max" })
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Family, model and stepping, as EDX holds them after a reset.
    #[must_use]
    pub const fn signature(&self) -> u32 {
        0x000a_0f00
    }

    /// Whether instructions that need this feature decode.
    #[must_use]
    pub fn has(&self, _feature: CpuidFeature) -> bool {
        true
    }

    /// What iced-x86 is to accept.
    #[must_use]
    pub const fn decoder_options(&self) -> u32 {
        DecoderOptions::NONE
    }

    /// The paging features; the registers are filled in by the caller.
    #[must_use]
    pub fn paging(&self) -> Controls {
        Controls::default()
    }
}
