//! Numbers in memory as x87 instructions take and leave them (SDM 1, 4.2, 4.7 and 8.1.9).

use rax_mmu::{LinearAddress, PAGE_SIZE};

use crate::Cpu;
use crate::exception::Exit;
use crate::float::{Env, F32, F64, F80, Source};
use crate::insn::Insn;
use crate::verbs::{Dword, Operand, Qword, Verbs, Word};

/// Bytes of an extended number and of a packed decimal one.
const TEN: u64 = 10;

/// A format in memory.
pub(super) trait Memory {
    /// As it stands there.
    type Bits: Copy;
    /// Reads the operand.
    fn read(cpu: &mut Cpu, insn: &Insn) -> Result<Self::Bits, Exit>;
    /// Writes the operand.
    fn write(cpu: &mut Cpu, insn: &Insn, bits: Self::Bits) -> Result<(), Exit>;
}

/// A format that loads take.
pub(super) trait Loadable: Memory {
    /// Makes it a register's value.
    fn load(env: &mut Env, bits: Self::Bits) -> F80;
}

/// A format that arithmetic and comparisons take.
pub(super) trait Arithmetic: Memory {
    /// Makes it an operand.
    fn operand(bits: Self::Bits) -> Source;
}

/// A format that stores leave.
pub(super) trait Storable: Memory {
    /// What a masked stack underflow leaves.
    const INDEFINITE: Self::Bits;
    /// Rounds a register's value.
    fn store(env: &mut Env, value: F80) -> Self::Bits;
}

/// 32-bit floating point.
pub(super) struct Single;
/// 64-bit floating point.
pub(super) struct Double;
/// 80-bit floating point.
pub(super) struct Extended;
/// A 16-bit integer.
pub(super) struct Short;
/// A 32-bit integer.
pub(super) struct Long;
/// A 64-bit integer.
pub(super) struct Quad;
/// A 16-bit integer, stored truncated.
pub(super) struct TruncatedShort;
/// A 32-bit integer, stored truncated.
pub(super) struct TruncatedLong;
/// A 64-bit integer, stored truncated.
pub(super) struct TruncatedQuad;
/// Eighteen packed decimal digits.
pub(super) struct Decimal;

macro_rules! words {
    ($($format:ident $width:ident $bits:ty;)*) => {$(
        impl Memory for $format {
            type Bits = $bits;
            #[inline]
            fn read(cpu: &mut Cpu, insn: &Insn) -> Result<$bits, Exit> {
                cpu.read::<$width>(Operand::Memory(insn))
            }
            #[inline]
            fn write(cpu: &mut Cpu, insn: &Insn, bits: $bits) -> Result<(), Exit> {
                cpu.write::<$width>(Operand::Memory(insn), bits)
            }
        }
    )*};
}

words! {
    Single Dword u32;
    Double Qword u64;
    Short Word u16;
    Long Dword u32;
    Quad Qword u64;
    TruncatedShort Word u16;
    TruncatedLong Dword u32;
    TruncatedQuad Qword u64;
}

macro_rules! ten_bytes {
    ($($format:ident)*) => {$(
        impl Memory for $format {
            type Bits = [u8; 10];
            fn read(cpu: &mut Cpu, insn: &Insn) -> Result<[u8; 10], Exit> {
                read_ten(cpu, insn)
            }
            fn write(cpu: &mut Cpu, insn: &Insn, bits: [u8; 10]) -> Result<(), Exit> {
                write_ten(cpu, insn, bits)
            }
        }
    )*};
}

ten_bytes! { Extended Decimal }

/// Whether ten bytes lie in one page, so that the second part cannot fault if the first did not.
const fn is_within_page(address: LinearAddress) -> bool {
    address.0 % PAGE_SIZE <= PAGE_SIZE - TEN
}

fn read_ten(cpu: &mut Cpu, insn: &Insn) -> Result<[u8; 10], Exit> {
    let address = cpu.operand_address(insn, TEN, false)?;
    let mut bytes = [0; 10];
    if is_within_page(address) {
        let low = cpu.mmu.load::<u64>(cpu.view, address);
        let high = LinearAddress(address.0 + 8);
        let high = low.and_then(|_| cpu.mmu.load::<u16>(cpu.view, high));
        if let (Some(low), Some(high)) = (low, high) {
            bytes[..8].copy_from_slice(&low.to_le_bytes());
            bytes[8..].copy_from_slice(&high.to_le_bytes());
            return Ok(bytes);
        }
    }
    cpu.note_position(insn);
    cpu.check_alignment(address, TEN)?;
    cpu.read_linear(insn.segment, address, &mut bytes)?;
    Ok(bytes)
}

fn write_ten(cpu: &mut Cpu, insn: &Insn, bytes: [u8; 10]) -> Result<(), Exit> {
    let address = cpu.operand_address(insn, TEN, true)?;
    let [a, b, c, d, e, f, g, h, high @ ..] = bytes;
    if is_within_page(address) {
        let low = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let top = LinearAddress(address.0 + 8);
        let stored = cpu.mmu.store::<u64>(cpu.view, address, low)
            && cpu
                .mmu
                .store::<u16>(cpu.view, top, u16::from_le_bytes(high));
        if stored {
            return Ok(());
        }
    }
    cpu.note_position(insn);
    cpu.check_alignment(address, TEN)?;
    cpu.write_linear(insn.segment, address, &bytes)
}

impl Loadable for Single {
    #[inline]
    fn load(env: &mut Env, bits: u32) -> F80 {
        env.f80_load::<F32>(bits)
    }
}

impl Loadable for Double {
    #[inline]
    fn load(env: &mut Env, bits: u64) -> F80 {
        env.f80_load::<F64>(bits)
    }
}

impl Loadable for Extended {
    fn load(_: &mut Env, bits: [u8; 10]) -> F80 {
        F80::from_le_bytes(bits)
    }
}

impl Loadable for Short {
    fn load(_: &mut Env, bits: u16) -> F80 {
        Env::f80_from_integer(i64::from(bits as i16))
    }
}

impl Loadable for Long {
    fn load(_: &mut Env, bits: u32) -> F80 {
        Env::f80_from_integer(i64::from(bits as i32))
    }
}

impl Loadable for Quad {
    fn load(_: &mut Env, bits: u64) -> F80 {
        Env::f80_from_integer(bits as i64)
    }
}

impl Loadable for Decimal {
    fn load(_: &mut Env, bits: [u8; 10]) -> F80 {
        Env::f80_from_bcd(bits)
    }
}

impl Arithmetic for Single {
    #[inline]
    fn operand(bits: u32) -> Source {
        Source::from_memory::<F32>(bits)
    }
}

impl Arithmetic for Double {
    #[inline]
    fn operand(bits: u64) -> Source {
        Source::from_memory::<F64>(bits)
    }
}

impl Arithmetic for Short {
    fn operand(bits: u16) -> Source {
        Env::f80_from_integer(i64::from(bits as i16)).into()
    }
}

impl Arithmetic for Long {
    fn operand(bits: u32) -> Source {
        Env::f80_from_integer(i64::from(bits as i32)).into()
    }
}

macro_rules! stores {
    ($($format:ident, $indefinite:expr, |$env:ident, $value:ident| $store:expr;)*) => {$(
        impl Storable for $format {
            const INDEFINITE: Self::Bits = $indefinite;
            #[inline]
            fn store($env: &mut Env, $value: F80) -> Self::Bits {
                $store
            }
        }
    )*};
}

stores! {
    Single, 0xffc0_0000, |env, value| env.f80_store::<F32>(value);
    Double, 0xfff8_0000_0000_0000, |env, value| env.f80_store::<F64>(value);
    Extended, [0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff], |_env, value| value.to_le_bytes();
    Short, 1 << 15, |env, value| env.f80_round_to_i16(value) as u16;
    Long, 1 << 31, |env, value| env.f80_round_to_i32(value) as u32;
    Quad, 1 << 63, |env, value| env.f80_round_to_i64(value) as u64;
    TruncatedShort, 1 << 15, |env, value| env.f80_truncate_to_i16(value) as u16;
    TruncatedLong, 1 << 31, |env, value| env.f80_truncate_to_i32(value) as u32;
    TruncatedQuad, 1 << 63, |env, value| env.f80_truncate_to_i64(value) as u64;
    Decimal, [0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff], |env, value| env.f80_to_bcd(value);
}
