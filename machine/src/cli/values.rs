//! The values of single options.

use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;

use rax_cpu::Topology;

use super::{BiosOption, SerialOption};
use crate::board::MOST_PROCESSORS;
use crate::handover::smbios::{self, SmbiosString};

const MIB: u64 = 1 << 20;
const PAGE: u64 = 4096;
/// Far above any host, and well within a 52-bit physical address.
const MEMORY_LIMIT: u64 = 1 << 44;
/// What the compiler's code may take.
const JIT_CACHE: RangeInclusive<u64> = 256 << 10..=1 << 30;

/// Why a value was not understood; clap puts the option's name and the value before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ValueError {
    #[error("give a number and a unit, such as 512M or 4G")]
    Memory,
    #[error("the machine needs at least 1M")]
    MemoryTooSmall,
    #[error("the machine takes at most 16384G")]
    MemoryTooLarge,
    #[error("give a multiple of 4K")]
    MemoryNotWholePages,
    #[error("give 256K to 1G, such as 64M")]
    JitCache,
    #[error("name a file, such as disk.img or disk.img,snapshot")]
    Image,
    #[error(
        "what follows the comma must be 'readonly', 'snapshot', 'format=raw' or 'format=qcow2'"
    )]
    ImageFlag,
    #[error("'readonly' and 'snapshot' exclude each other")]
    ImageAccess,
    #[error("name at most three of floppy, disk, cdrom and network, each once, such as cdrom,disk")]
    BootOrder,
    #[error("name a file, or give builtin or seabios")]
    Bios,
    #[error(
        "give 1 to 64, and if you like how they are divided, such as 8,sockets=2,cores=2,threads=2"
    )]
    Processors,
    #[error("sockets times cores times threads must be the number of processors")]
    Topology,
    #[error("the machine takes at most 64 processors in all its sockets")]
    TooManyProcessors,
    #[error("give TYPE-NAME=VALUE, where TYPE-NAME is one of {names}", names = smbios_names())]
    Smbios,
    #[error("give stdio, file:PATH or none")]
    Serial,
    #[error("give file:PATH or none")]
    Parallel,
    #[error(
        "give ne2000 or rtl8139, then ',loopback', ',mac=02:00:00:00:00:01' or, for rtl8139, ',rom=FILE' if you like"
    )]
    Network,
    #[error(
        "an adapter's address is six pairs of hexadecimal digits, the first pair even, such as 02:00:00:00:00:01"
    )]
    StationAddress,
    #[error("give a port from 0 to 0xffff, such as 0xf4")]
    Port,
    #[error("give a whole number above 0, such as 1000000")]
    Count,
    #[error("give pairs of hexadecimal digits, such as '48 01 d8'")]
    Hex,
    #[error("give two addresses, such as 0x1000-0x1040")]
    Range,
    #[error("give an address, such as 0x7c00")]
    Address,
    #[error("give 16, 32 or 64")]
    Bits,
    #[error("give a whole number, such as 7 or 0x1234")]
    Number,
    #[error("give a time above 0: seconds, such as 60 or 0.5, or 30s, 10m, 2h")]
    Time,
}

/// `512M`, `4G`, `640K`, or `512` for MiB.
pub(super) fn memory(text: &str) -> Result<u64, ValueError> {
    match size(text)? {
        Some(bytes) if bytes < MIB => Err(ValueError::MemoryTooSmall),
        Some(bytes) if bytes > MEMORY_LIMIT => Err(ValueError::MemoryTooLarge),
        Some(bytes) if bytes % PAGE != 0 => Err(ValueError::MemoryNotWholePages),
        Some(bytes) => Ok(bytes),
        None => Err(ValueError::MemoryTooLarge),
    }
}

/// The same, for the compiler's code.
pub(super) fn jit_cache(text: &str) -> Result<usize, ValueError> {
    size(text)
        .ok()
        .flatten()
        .filter(|bytes| JIT_CACHE.contains(bytes))
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(ValueError::JitCache)
}

/// A number of bytes; none if it is beyond all bounds.
fn size(text: &str) -> Result<Option<u64>, ValueError> {
    let (digits, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(end) => text.split_at(end),
        None => (text, "M"),
    };
    let unit = match unit.to_ascii_uppercase().as_str() {
        "K" | "KB" | "KIB" => 1 << 10,
        "M" | "MB" | "MIB" => MIB,
        "G" | "GB" | "GIB" => 1 << 30,
        _ => return Err(ValueError::Memory),
    };
    if digits.is_empty() {
        return Err(ValueError::Memory);
    }
    // Only digits are left, so that the one mistake is their number.
    let count = digits.parse::<u64>().ok();
    Ok(count.and_then(|count| count.checked_mul(unit)))
}

/// How many processors, and how they are divided: `4`, `sockets=2,cores=4`, or both. Of what is not said there is one,
/// but cores are as many as make the number.
pub(super) fn processors(text: &str) -> Result<Topology, ValueError> {
    let [mut total, mut sockets, mut cores, mut threads] = [None; 4];
    for (n, part) in text.split(',').enumerate() {
        let (place, number) = match part.split_once('=') {
            None if n == 0 => (&mut total, part),
            Some(("sockets", number)) => (&mut sockets, number),
            Some(("cores", number)) => (&mut cores, number),
            Some(("threads", number)) => (&mut threads, number),
            _ => return Err(ValueError::Processors),
        };
        let number = number.parse().ok();
        let number = number.filter(|number| (1..=MOST_PROCESSORS).contains(number));
        if place
            .replace(number.ok_or(ValueError::Processors)?)
            .is_some()
        {
            return Err(ValueError::Processors);
        }
    }
    let (sockets, threads) = (sockets.unwrap_or(1), threads.unwrap_or(1));
    let others = u32::from(sockets) * u32::from(threads);
    let of_the_rest = |total: u16| (u32::from(total) / others) as u16;
    let topology = Topology {
        sockets,
        cores: cores.or(total.map(of_the_rest)).unwrap_or(1),
        threads,
    };
    match (topology.count(), total) {
        (count, Some(total)) if count != u32::from(total) => Err(ValueError::Topology),
        (count, _) if count > MOST_PROCESSORS.into() => Err(ValueError::TooManyProcessors),
        _ => Ok(topology),
    }
}

/// `type1-manufacturer=Example`.
pub(super) fn smbios(text: &str) -> Result<SmbiosString, ValueError> {
    smbios::parse(text).ok_or(ValueError::Smbios)
}

/// The strings that can be set.
fn smbios_names() -> String {
    let names: Vec<_> = smbios::names()
        .map(|(kind, names)| format!("type{kind}-{{{}}}", names.join(",")))
        .collect();
    names.join(", ")
}

/// `builtin`, `seabios` or a file; `./builtin` for a file of that name.
pub(super) fn bios(text: &str) -> Result<BiosOption, ValueError> {
    match text {
        "builtin" => Ok(BiosOption::Builtin),
        "seabios" => Ok(BiosOption::SeaBios),
        "" => Err(ValueError::Bios),
        path => Ok(BiosOption::File(PathBuf::from(path))),
    }
}

/// `stdio`, `file:PATH` or `none`.
pub(super) fn serial(text: &str) -> Result<SerialOption, ValueError> {
    match (text, text.strip_prefix("file:")) {
        ("stdio", _) => Ok(SerialOption::Stdio),
        ("none", _) => Ok(SerialOption::None),
        (_, Some(path)) if !path.is_empty() => Ok(SerialOption::File(PathBuf::from(path))),
        _ => Err(ValueError::Serial),
    }
}

/// The address of one station: `52:54:00:12:34:56`.
pub(super) fn station_address(text: &str) -> Result<[u8; 6], ValueError> {
    let pairs = text.split(':').map(|pair| match pair.len() {
        2 => u8::from_str_radix(pair, 16).map_err(|_| ValueError::StationAddress),
        _ => Err(ValueError::StationAddress),
    });
    let bytes: Vec<_> = pairs.collect::<Result<_, _>>()?;
    let address: [u8; 6] = bytes.try_into().map_err(|_| ValueError::StationAddress)?;
    // Odd addresses are groups', not stations'.
    if address[0] & 1 == 0 {
        Ok(address)
    } else {
        Err(ValueError::StationAddress)
    }
}

/// A port number: `0xf4`, `f4h` or `244`.
pub(super) fn port(text: &str) -> Result<u16, ValueError> {
    let lower = text.to_ascii_lowercase();
    let port = if let Some(hex) = lower.strip_prefix("0x").or_else(|| lower.strip_suffix('h')) {
        u16::from_str_radix(hex, 16)
    } else {
        lower.parse()
    };
    port.map_err(|_| ValueError::Port)
}

/// Bytes of code, as one value of one option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

/// Pairs of hexadecimal digits, with or without space between.
pub(super) fn hex(text: &str) -> Result<Bytes, ValueError> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).map(|digit| digit as u8))
        .collect();
    let digits = digits.ok_or(ValueError::Hex)?;
    if digits.is_empty() || digits.len() % 2 != 0 {
        return Err(ValueError::Hex);
    }
    let bytes = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]);
    Ok(Bytes(bytes.collect()))
}

/// An address: `0x7c00` or `31744`.
pub(super) fn address(text: &str) -> Result<u64, ValueError> {
    let lower = text.to_ascii_lowercase().replace('_', "");
    let address = match lower.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => lower.parse(),
    };
    address.map_err(|_| ValueError::Address)
}

/// `0x1000-0x1040`: the second is not in it.
pub(super) fn range(text: &str) -> Result<Range<u64>, ValueError> {
    let (start, end) = text.split_once('-').ok_or(ValueError::Range)?;
    match (address(start), address(end)) {
        (Ok(start), Ok(end)) if start < end => Ok(start..end),
        _ => Err(ValueError::Range),
    }
}

/// A code size.
pub(super) fn bits(text: &str) -> Result<u32, ValueError> {
    match text {
        "16" => Ok(16),
        "32" => Ok(32),
        "64" => Ok(64),
        _ => Err(ValueError::Bits),
    }
}

/// A whole number; `_` may group its digits.
pub(super) fn count(text: &str) -> Result<u64, ValueError> {
    let count = text
        .replace('_', "")
        .parse()
        .map_err(|_| ValueError::Count)?;
    if count == 0 {
        Err(ValueError::Count)
    } else {
        Ok(count)
    }
}

/// A whole number, zero too; `0x` makes it hexadecimal.
pub(super) fn number(text: &str) -> Result<u64, ValueError> {
    let digits = text.replace('_', "");
    let number = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    number.map_err(|_| ValueError::Number)
}

/// A time with its unit: `30s`, `10m`, `2h`; seconds without one.
pub(super) fn time(text: &str) -> Result<Duration, ValueError> {
    let (digits, unit) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(digits) => (digits, text.chars().last()),
        None => (text, None),
    };
    let seconds = match unit {
        Some('m') => 60.0,
        Some('h') => 3600.0,
        _ => 1.0,
    };
    let count: f64 = digits.parse().map_err(|_| ValueError::Time)?;
    match Duration::try_from_secs_f64(count * seconds) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err(ValueError::Time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_sizes() {
        assert_eq!(memory("512M"), Ok(512 << 20));
        assert_eq!(memory("512"), Ok(512 << 20));
        assert_eq!(memory("4g"), Ok(4 << 30));
        assert_eq!(memory("65536KiB"), Ok(64 << 20));
        assert_eq!(memory("640K"), Err(ValueError::MemoryTooSmall));
        assert_eq!(memory("0"), Err(ValueError::MemoryTooSmall));
        assert_eq!(memory("1025K"), Err(ValueError::MemoryNotWholePages));
        assert_eq!(
            memory("99999999999999999999G"),
            Err(ValueError::MemoryTooLarge)
        );
        for bad in ["", "M", "1.5G", "-1M", "12T", "512 M", "0x10M"] {
            assert_eq!(memory(bad), Err(ValueError::Memory), "{bad}");
        }
    }

    #[test]
    fn jit_cache_sizes() {
        assert_eq!(jit_cache("256K"), Ok(256 << 10));
        assert_eq!(jit_cache("16"), Ok(16 << 20));
        assert_eq!(jit_cache("1G"), Ok(1 << 30));
        for bad in ["255K", "0", "2G", "99999999999999999999G", "", "-1M"] {
            assert_eq!(jit_cache(bad), Err(ValueError::JitCache), "{bad}");
        }
    }

    #[test]
    fn ports_times_and_counts() {
        assert_eq!(
            (port("0xF4"), port("501h"), port("244")),
            (Ok(0xf4), Ok(0x501), Ok(244))
        );
        assert_eq!(
            (port("0x10000"), port("h")),
            (Err(ValueError::Port), Err(ValueError::Port))
        );
        assert_eq!(time("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(time("20s"), time("20"));
        assert_eq!(time("1.5m"), Ok(Duration::from_secs(90)));
        for bad in ["0", "-1", "nan", "inf", "1e300", "x", "s", "0h"] {
            assert_eq!(time(bad), Err(ValueError::Time), "{bad}");
        }
        assert_eq!(
            (count("1_000"), count("0")),
            (Ok(1000), Err(ValueError::Count))
        );
        assert_eq!(hex("48 01d8"), Ok(Bytes(vec![0x48, 0x01, 0xd8])));
        assert_eq!(
            (hex("480"), hex("")),
            (Err(ValueError::Hex), Err(ValueError::Hex))
        );
        assert_eq!(range("0x10-32"), Ok(0x10..32));
        assert_eq!(
            (range("5-5"), range("5")),
            (Err(ValueError::Range), Err(ValueError::Range))
        );
        assert_eq!(serial("file:x"), Ok(SerialOption::File("x".into())));
        assert_eq!(
            (serial("file:"), serial("tty")),
            (Err(ValueError::Serial), Err(ValueError::Serial))
        );
    }
}
