//! The options of the parallel port and the network.

use std::path::PathBuf;

use clap::Args;

use super::Stop;
use super::values::{self, ValueError};
use crate::board::NetworkModel;

/// NE2000s that there is room for on the ISA bus.
const MAX_NE2000: usize = 2;
/// Network adapters in all.
const MAX_ADAPTERS: usize = 8;
/// The first adapter's station address, where none is given; others count on.
const FIRST_ADDRESS: [u8; 6] = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];

/// What the parallel port is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParallelOption {
    /// There is no parallel port.
    None,
    /// A file that takes what is printed.
    File(PathBuf),
}

/// What a network adapter is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cable {
    /// Nothing.
    Unplugged,
    /// A plug that returns every frame.
    Loopback,
}

/// A network adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkOption {
    /// What kind.
    pub model: NetworkModel,
    /// Its station address.
    pub address: [u8; 6],
    /// What it is connected to.
    pub cable: Cable,
    /// The file with its boot ROM.
    pub rom: Option<PathBuf>,
}

/// `--net` as it was given: the address may be left to us.
#[derive(Clone, Debug, PartialEq, Eq)]
struct NetworkValue {
    model: NetworkModel,
    address: Option<[u8; 6]>,
    cable: Cable,
    rom: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct AdapterArguments {
    /// What LPT1 prints to
    #[arg(
        long,
        value_name = "file:PATH|none",
        default_value = "none",
        value_parser = parallel,
        help_heading = "Machine"
    )]
    parallel: ParallelOption,
    /// A network adapter, unplugged for now, with a boot ROM such as iPXE's; may be repeated
    #[arg(
        long,
        value_name = "ne2000|rtl8139[,loopback][,mac=ADDRESS][,rom=FILE]",
        value_parser = network,
        help_heading = "Machine"
    )]
    net: Vec<NetworkValue>,
}

impl AdapterArguments {
    /// The options, checked against each other.
    pub(super) fn into_options(self) -> Result<(ParallelOption, Vec<NetworkOption>), Stop> {
        let on_isa = |value: &&NetworkValue| value.model == NetworkModel::Ne2000;
        if self.net.iter().filter(on_isa).count() > MAX_NE2000 {
            return Err(Stop::usage(format_args!(
                "the machine takes {MAX_NE2000} NE2000s; make the other --net rtl8139"
            )));
        }
        if self.net.len() > MAX_ADAPTERS {
            return Err(Stop::usage(format_args!(
                "the machine takes {MAX_ADAPTERS} network adapters; give --net less often"
            )));
        }
        let addresses = (0..).map(|number| {
            let mut address = FIRST_ADDRESS;
            address[5] += number;
            address
        });
        let network = self.net.into_iter().zip(addresses);
        let network = network.map(|(value, default)| NetworkOption {
            model: value.model,
            address: value.address.unwrap_or(default),
            cable: value.cable,
            rom: value.rom,
        });
        Ok((self.parallel, network.collect()))
    }
}

fn parallel(text: &str) -> Result<ParallelOption, ValueError> {
    match (text, text.strip_prefix("file:")) {
        ("none", _) => Ok(ParallelOption::None),
        (_, Some(path)) if !path.is_empty() => Ok(ParallelOption::File(PathBuf::from(path))),
        _ => Err(ValueError::Parallel),
    }
}

fn network(text: &str) -> Result<NetworkValue, ValueError> {
    let mut words = text.split(',');
    let model = match words.next() {
        Some("ne2000") => NetworkModel::Ne2000,
        Some("rtl8139") => NetworkModel::Rtl8139,
        _ => return Err(ValueError::Network),
    };
    let mut value = NetworkValue {
        model,
        address: None,
        cable: Cable::Unplugged,
        rom: None,
    };
    for word in words {
        match word.split_once('=') {
            None if word == "loopback" => value.cable = Cable::Loopback,
            Some(("mac", address)) => value.address = Some(values::station_address(address)?),
            // An ISA card's ROM would need an address of its own.
            Some(("rom", file)) if model == NetworkModel::Rtl8139 && !file.is_empty() => {
                value.rom = Some(file.into());
            }
            _ => return Err(ValueError::Network),
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::{Cable, NetworkModel, NetworkValue, ParallelOption, network, parallel};
    use crate::cli::values::ValueError;

    #[test]
    fn adapters_are_read() {
        let value = NetworkValue {
            model: NetworkModel::Ne2000,
            address: None,
            cable: Cable::Unplugged,
            rom: None,
        };
        assert_eq!(network("ne2000"), Ok(value));
        let value = NetworkValue {
            model: NetworkModel::Rtl8139,
            address: Some([2, 0, 0, 0xab, 0xcd, 0xef]),
            cable: Cable::Loopback,
            rom: Some("pxe.rom".into()),
        };
        assert_eq!(
            network("rtl8139,rom=pxe.rom,loopback,mac=02:00:00:ab:CD:ef"),
            Ok(value.clone())
        );
        for wrong in [
            "",
            "e100",
            "ne2000,",
            "ne2000,lo",
            "ne2000,rom=x",
            "rtl8139,rom=",
        ] {
            assert_eq!(network(wrong), Err(ValueError::Network), "{wrong}");
        }
        for wrong in ["", "02:00:00:00:00", "02:00:00:00:00:0g", "03:0:0:0:0:0"] {
            let text = format!("ne2000,mac={wrong}");
            assert_eq!(network(&text), Err(ValueError::StationAddress), "{wrong}");
        }
    }

    #[test]
    fn printers_are_files() {
        assert_eq!(parallel("file:x"), Ok(ParallelOption::File("x".into())));
        assert_eq!(parallel("none"), Ok(ParallelOption::None));
        for wrong in ["", "file:", "lpt"] {
            assert_eq!(parallel(wrong), Err(ValueError::Parallel), "{wrong}");
        }
    }
}
