//! Random tables, stacks and transfers: anything may happen but a panic.

use std::sync::atomic::{AtomicU32, Ordering};

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::{prop_assert, proptest};

use rax_mmu::{MmioSpace, PhysicalAddress};

use crate::Platform;
use crate::rflags::Rflags;
use crate::segment::fixture::{CODE, Rig, TSS};
use crate::segment::load::rpl;
use crate::segment::{Segment, SegmentRegister};
use crate::state::Gpr;
use crate::testing::Bits;

/// Pins that lead nowhere, and stop the processor after a while: a handler that
/// faults before its first instruction retires none, for ever.
#[derive(Default)]
struct Patience(AtomicU32);

impl MmioSpace for Patience {
    fn mmio_read(&mut self, _address: PhysicalAddress, _bytes: &mut [u8]) {}
    fn mmio_write(&mut self, _address: PhysicalAddress, _bytes: &[u8]) {}
}

impl Platform for Patience {
    fn begin_access(&mut self, _instructions: u64) {}
    fn port_read(&mut self, _port: u16, _bytes: &mut [u8]) {}
    fn port_write(&mut self, _port: u16, _bytes: &[u8]) {}
    fn interrupt_pending(&mut self) -> bool {
        false
    }
    fn acknowledge_interrupt(&mut self) -> u8 {
        0
    }
    fn clock_cycles(&mut self) -> u64 {
        0
    }
    fn random(&mut self) -> u64 {
        0
    }
    fn wants_attention(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) > 200
    }
}

/// Instructions that read tables: far transfers, segment loads, interrupts.
fn code() -> impl Strategy<Value = Vec<u8>> {
    let opcodes = prop_oneof![
        Just(vec![0xcf]),
        Just(vec![0x66, 0xcf]),
        Just(vec![0x48, 0xcf]),
        Just(vec![0xcb]),
        Just(vec![0xca, 0x10, 0x00]),
        Just(vec![0xf1]),
        Just(vec![0xcc]),
        Just(vec![0x0f, 0x05]),
        Just(vec![0x0f, 0x07]),
        Just(vec![0x0f, 0x34]),
        Just(vec![0x0f, 0x35]),
        any::<u8>().prop_map(|vector| vec![0xcd, vector]),
        any::<[u8; 6]>().prop_map(|to| [&[0xea][..], &to].concat()),
        any::<[u8; 6]>().prop_map(|to| [&[0x9a][..], &to].concat()),
        any::<u8>().prop_map(|modrm| vec![0x8e, modrm, 0, 0, 0, 0]),
        any::<[u8; 2]>().prop_map(|[modrm, more]| vec![0x0f, 0x00, modrm, more, 0, 0]),
        any::<[u8; 2]>().prop_map(|[modrm, more]| vec![0x0f, 0x01, modrm, more, 0, 0]),
        any::<[u8; 2]>().prop_map(|[modrm, more]| vec![0xff, modrm, more, 0, 0, 0]),
    ];
    vec(opcodes, 1..8).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn whatever_the_tables_hold(
        bits in prop_oneof![Just(Bits::Real), Just(Bits::Protected32), Just(Bits::Long64)],
        code in code(),
        tables in vec(any::<(u16, u8, u8)>(), 0..40),
        stack in vec(0..0x90u16, 40),
        gpr in vec(0..0x90u64, 16),
        flags in any::<u64>(),
        level_3 in any::<bool>(),
    ) {
        let mut rig = Rig::new(bits);
        if bits != Bits::Real && level_3 {
            rig = rig.at_level_3();
        }
        for (address, value, twist) in tables {
            // Mostly the kinds of descriptors and gates, which are what checks look at.
            let address = 0x1000 + u64::from(address) % 0x2800;
            let address = if twist & 1 == 0 { address } else { address & !7 | 5 };
            rig.put(address, value);
        }
        let mut flags = Rflags::from_bits_truncate(flags) & !Rflags::VM;
        if bits == Bits::Protected32 && level_3 && flags.contains(Rflags::ID) {
            flags |= Rflags::VM;
            rig.cpu.state.segments = [Segment::virtual_8086(0x1000); 6];
            rig.cpu.state.rip = 0;
        }
        rig.cpu.state.set_rflags(flags);
        for (register, value) in Gpr::ALL.into_iter().zip(gpr) {
            if register != Gpr::Rsp {
                rig.cpu.state.set_gpr(register, value);
            }
        }
        rig.cpu.state.msrs.star = CODE << 32;
        rig.cpu.state.msrs.sysenter_cs = 8;
        rig.cpu.state.msrs.efer |= 1;
        rig.cpu.state.cr4 |= flags.bits() >> 8 & 3;
        let base = rig.cpu.state.segment(SegmentRegister::Ss).base;
        let top = base + rig.cpu.state.gpr(Gpr::Rsp);
        for (n, value) in (0..).zip(stack) {
            rig.put(top + 2 * n, value);
        }
        rig.put(TSS, flags.bits() as u16);
        rig.cpu.platform = Box::<Patience>::default();
        rig.cpu.update_mode();
        rig.run(&code, 40);
        let state = &rig.cpu.state;
        let code = rig.selector(SegmentRegister::Cs);
        let is_protected = state.cr0 & 1 != 0 && !state.system_flags.contains(Rflags::VM);
        prop_assert!(!is_protected || state.cpl == rpl(code));
    }
}
