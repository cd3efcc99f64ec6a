//! How instructions reach a local APIC that is the platform's.

use std::sync::{Arc, Mutex};

use rax_mmu::{MmioSpace, PhysicalAddress};

use super::{read, write};
use crate::control::testing::{cpu, cpu64, run};
use crate::state::Gpr;
use crate::{Cpu, LocalApicView, Platform, Topology};

/// The clock stands still here.
const CLOCK: u64 = 500;
const ENABLED: u64 = 0xfee0_0900;

/// Registers as the platform was told them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Told {
    base: u64,
    deadline: u64,
    /// MSR 808h and CR8.
    priority: u8,
    /// None stands for one processor.
    topology: Option<Topology>,
}

#[derive(Clone)]
struct WithApic(Arc<Mutex<Told>>);

impl MmioSpace for WithApic {
    fn mmio_read(&mut self, _address: PhysicalAddress, bytes: &mut [u8]) {
        bytes.fill(0xff);
    }

    fn mmio_write(&mut self, _address: PhysicalAddress, _bytes: &[u8]) {}
}

impl Platform for WithApic {
    fn begin_access(&mut self, _instructions: u64) {}

    fn port_read(&mut self, _port: u16, bytes: &mut [u8]) {
        bytes.fill(0xff);
    }

    fn port_write(&mut self, _port: u16, _bytes: &[u8]) {}

    fn interrupt_pending(&mut self) -> bool {
        false
    }

    fn random(&mut self) -> u64 {
        0
    }

    fn acknowledge_interrupt(&mut self) -> u8 {
        0xff
    }

    fn clock_cycles(&mut self) -> u64 {
        CLOCK
    }

    fn wants_attention(&self) -> bool {
        false
    }

    fn local_apic(&self) -> Option<LocalApicView> {
        let told = self.0.lock().unwrap();
        Some(LocalApicView {
            base: told.base,
            id: 3,
            topology: told.topology.unwrap_or(Topology::one_socket(1)),
        })
    }

    fn read_apic_msr(&mut self, register: u32) -> Option<u64> {
        let told = self.0.lock().unwrap();
        match register {
            0x6e0 => Some(told.deadline),
            0x808 => Some(u64::from(told.priority)),
            _ => None,
        }
    }

    fn write_apic_msr(&mut self, register: u32, value: u64) -> bool {
        let mut told = self.0.lock().unwrap();
        match register {
            0x1b => told.base = value,
            0x6e0 => told.deadline = value,
            0x808 => told.priority = value as u8,
            _ => return false,
        }
        true
    }

    fn task_priority(&mut self) -> Option<u8> {
        Some(self.0.lock().unwrap().priority >> 4)
    }

    fn set_task_priority(&mut self, priority: u8) {
        self.0.lock().unwrap().priority = priority << 4;
    }
}

fn with_apic() -> (Box<Cpu>, Arc<Mutex<Told>>) {
    let told = Arc::new(Mutex::new(Told {
        base: ENABLED,
        ..Told::default()
    }));
    let mut cpu = cpu64();
    cpu.platform = Box::new(WithApic(Arc::clone(&told)));
    (cpu, told)
}

#[test]
fn without_an_apic_its_registers_fault_and_cpuid_is_silent() {
    let mut cpu = cpu64();
    for register in [0x6e0, 0x802, 0x830] {
        assert_eq!(read(&mut cpu, register), None, "{register:#x}");
        assert!(!write(&mut cpu, register, 0), "{register:#x}");
    }
    let [_, _, c, d] = cpu.cpuid(1, 0);
    assert_eq!((d >> 9 & 1, c >> 21 & 1, c >> 24 & 1), (0, 0, 0));
    assert_eq!(cpu.cpuid(0xb, 0), [0; 4]);
}

#[test]
fn cpuid_announces_an_apic_while_it_is_enabled() {
    let (mut cpu, _) = with_apic();
    let [_, b, c, d] = cpu.cpuid(1, 0);
    assert_eq!((d >> 9 & 1, c >> 21 & 1, c >> 24 & 1), (1, 1, 1));
    assert_eq!(b >> 24, 3);
    assert_eq!(cpu.cpuid(0xb, 0), [0, 1, 0x100, 3]);
    assert_eq!(cpu.cpuid(0xb, 1), [0, 1, 0x201, 3]);
    assert_eq!(cpu.cpuid(0xb, 2), [0, 0, 2, 3]);
    assert!(write(&mut cpu, 0x1b, ENABLED & !0x800));
    assert_eq!(cpu.cpuid(1, 0)[3] >> 9 & 1, 0);
}

#[test]
fn apic_base_is_the_platforms() {
    let (mut cpu, told) = with_apic();
    assert_eq!(read(&mut cpu, 0x1b), Some(ENABLED));
    assert!(write(&mut cpu, 0x1b, ENABLED | 0x400));
    assert_eq!(told.lock().unwrap().base, ENABLED | 0x400);
    assert!(!write(&mut cpu, 0x1b, ENABLED | 1 << 60), "too wide");
    assert!(!write(&mut cpu, 0x802, 0), "the platform refuses");
    assert_eq!(read(&mut cpu, 0x802), None);
}

#[test]
fn the_deadline_is_told_in_cycles_of_the_platforms_clock() {
    let (mut cpu, told) = with_apic();
    assert!(write(&mut cpu, 0x3b, 1000)); // The counter is ahead of the clock.
    let mut tell = |deadline| {
        assert!(write(&mut cpu, 0x6e0, deadline));
        let told = told.lock().unwrap().deadline;
        (told, read(&mut cpu, 0x6e0).unwrap())
    };
    assert_eq!(tell(2500), (1500, 2500));
    assert_eq!(tell(0), (0, 0), "disarmed");
    assert_eq!(tell(1200).0, 1, "past");
    assert_eq!(tell(u64::MAX).0, u64::MAX - 1000);
}

#[test]
fn cr8_is_the_upper_half_of_the_task_priority() {
    let (mut cpu, told) = with_apic();
    cpu.state.set_gpr(Gpr::Rax, 9);
    assert_eq!(run(&mut cpu, &[0x44, 0x0f, 0x22, 0xc0]), None);
    assert_eq!(told.lock().unwrap().priority, 0x90);
    assert!(write(&mut cpu, 0x808, 0x57));
    assert_eq!(run(&mut cpu, &[0x44, 0x0f, 0x20, 0xc0]), None);
    assert_eq!(cpu.state.gpr(Gpr::Rax), 5);
}

/// Leaves 1 and 4 tell how many IDs a package has room for: systems divide one by the other.
#[test]
fn a_package_has_room_for_a_power_of_two_of_processors() {
    let (mut intel, told) = with_apic();
    let ids = |cpu: &Cpu| cpu.cpuid(1, 0)[1] >> 16 & 0xff;
    for (processors, room) in [(2, 2), (3, 4), (5, 8), (8, 8)] {
        told.lock().unwrap().topology = Some(Topology::one_socket(processors));
        assert_eq!(ids(&intel), room);
        assert_eq!((intel.cpuid(4, 0)[0] >> 26) + 1, room);
    }
    told.lock().unwrap().topology = None;
    assert_eq!(ids(&intel), 0, "one says nothing");
    // AMD counts its cores.
    let mut phenom = cpu("phenom");
    std::mem::swap(&mut phenom.platform, &mut intel.platform);
    told.lock().unwrap().topology = Some(Topology::one_socket(3));
    assert_eq!(
        (ids(&phenom), phenom.cpuid(0x8000_0008, 0)[2] & 0xff),
        (3, 2)
    );
}

/// Two threads in each of three cores: a core has one bit of the ID, the package three.
#[test]
fn threads_and_cores_show_in_the_leaves_for_them() {
    let (cpu, told) = with_apic();
    told.lock().unwrap().topology = Some(Topology {
        sockets: 2,
        cores: 3,
        threads: 2,
    });
    assert_eq!(cpu.cpuid(1, 0)[1] >> 16 & 0xff, 8, "IDs in a package");
    assert_ne!(cpu.cpuid(1, 0)[3] & 1 << 28, 0, "HTT");
    let shared = |subleaf| cpu.cpuid(4, subleaf)[0];
    for cache in 0..3 {
        assert_eq!(shared(cache) >> 26, 3, "IDs of cores, less one");
        assert_eq!(shared(cache) >> 14 & 0xfff, 1, "those that share it");
    }
    for leaf in [0xb, 0x1f] {
        assert_eq!(cpu.cpuid(leaf, 0), [1, 2, 0x100, 3]);
        assert_eq!(cpu.cpuid(leaf, 1), [3, 6, 0x201, 3]);
        assert_eq!(cpu.cpuid(leaf, 2), [0, 0, 2, 3]);
    }
}
