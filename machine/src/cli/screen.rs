//! The options of the screen.

use std::path::PathBuf;

use clap::Args;

use super::Stop;

/// The graphics adapter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum VgaModel {
    /// No adapter.
    None,
    /// A VGA with the Bochs display interface, on the PCI bus.
    #[default]
    Std,
}

/// What the machine shows, and to whom.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScreenOptions {
    /// The graphics adapter.
    pub vga: VgaModel,
    /// The adapter's BIOS; without one, it is looked for.
    pub vga_bios: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ScreenArguments {
    /// The graphics adapter
    #[arg(
        long,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "none|std",
        help_heading = "Screen"
    )]
    vga: VgaModel,
    /// The graphics adapter's BIOS [default: the distribution's, if there is one]
    #[arg(long, value_name = "FILE", help_heading = "Screen")]
    vga_bios: Option<PathBuf>,
}

impl ScreenArguments {
    /// The options, checked against each other.
    pub(super) fn into_options(self) -> Result<ScreenOptions, Stop> {
        if self.vga == VgaModel::None && self.vga_bios.is_some() {
            return Err(Stop::usage(
                "--vga-bios needs an adapter; leave out --vga none",
            ));
        }
        Ok(ScreenOptions {
            vga: self.vga,
            vga_bios: self.vga_bios,
        })
    }
}
