use super::testing::{cpu, cpu32, cpu64, poke};
use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::mode::Mode;
use crate::rflags::{Cr0, Cr4, Efer};
use crate::segment::{Attributes, SegmentRegister};

/// Whether a write was refused with #GP(0).
fn refused(cpu: &mut Cpu, write: impl FnOnce(&mut Cpu) -> Result<(), Exit>) -> bool {
    let result = write(cpu);
    let exception = cpu.exception.take();
    assert_eq!(result.is_err(), exception.is_some());
    matches!(exception, Some(Exception::GeneralProtection(0)))
}

const PROTECTED_PAGED: u64 = Cr0::PE.bits() | Cr0::PG.bits();

#[test]
fn cr0_refuses_what_contradicts_itself() {
    let mut cpu = cpu32();
    assert!(refused(&mut cpu, |cpu| cpu.write_cr0(Cr0::PG.bits())));
    assert!(refused(&mut cpu, |cpu| cpu
        .write_cr0(Cr0::NW.bits() | Cr0::PE.bits())));
    assert!(refused(&mut cpu, |cpu| cpu.write_cr0(1 << 32 | 1)));
    assert!(!refused(&mut cpu, |cpu| cpu.write_cr0(0x0ff7_ffc0 | 1)));
    assert_eq!(
        cpu.state.cr0,
        (Cr0::PE | Cr0::ET | Cr0::WP | Cr0::AM).bits(),
        "reserved bits read as zero, ET as one"
    );
}

#[test]
fn paging_with_lme_activates_long_mode() {
    let mut cpu = cpu32();
    assert!(!refused(&mut cpu, |cpu| cpu.write_efer(Efer::LME.bits())));
    assert!(
        refused(&mut cpu, |cpu| cpu.write_cr0(PROTECTED_PAGED)),
        "PAE is missing"
    );
    assert!(!refused(&mut cpu, |cpu| cpu.write_cr4(Cr4::PAE.bits())));
    let code = SegmentRegister::Cs as usize;
    cpu.state.segments[code].attributes |= Attributes::LONG;
    assert!(
        refused(&mut cpu, |cpu| cpu.write_cr0(PROTECTED_PAGED)),
        "CS.L is set"
    );
    cpu.state.segments[code].attributes -= Attributes::LONG;
    assert!(!refused(&mut cpu, |cpu| cpu.write_cr0(PROTECTED_PAGED)));
    assert_ne!(cpu.state.msrs.efer & Efer::LMA.bits(), 0);
    assert!(!cpu.mode.contains(Mode::CODE64), "compatibility mode");
    assert!(
        refused(&mut cpu, |cpu| cpu.write_efer(0)),
        "LME under paging"
    );
    assert!(refused(&mut cpu, |cpu| cpu.write_cr4(0)), "PAE stays");
    assert!(
        refused(&mut cpu, |cpu| cpu
            .write_cr4(Cr4::PAE.bits() | Cr4::LA57.bits())),
        "LA57 is fixed"
    );
    assert!(!refused(&mut cpu, |cpu| cpu.write_cr0(1)));
    assert_eq!(cpu.state.msrs.efer, Efer::LME.bits());
}

#[test]
fn sixty_four_bit_code_cannot_leave_paging() {
    let mut cpu = cpu64();
    assert!(refused(&mut cpu, |cpu| cpu.write_cr0(1)));
    assert_ne!(cpu.state.cr0 & Cr0::PG.bits(), 0);
}

#[test]
fn pae_paging_loads_and_checks_its_pointers() {
    let mut cpu = cpu32();
    poke(&cpu, 0x3000, &0x4001u64.to_le_bytes());
    poke(&cpu, 0x3008, &[0; 24]);
    poke(&cpu, 0x5000, &0x4007u64.to_le_bytes());
    cpu.state.cr3 = 0x3000;
    assert!(!refused(&mut cpu, |cpu| cpu.write_cr4(Cr4::PAE.bits())));
    assert!(!refused(&mut cpu, |cpu| cpu.write_cr0(PROTECTED_PAGED)));
    assert_eq!(cpu.state.pdptes, [0x4001, 0, 0, 0]);
    assert!(
        refused(&mut cpu, |cpu| cpu.write_cr3(0x5000)),
        "reserved bits of a pointer"
    );
    assert_eq!(cpu.state.cr3, 0x3000);
    assert_eq!(cpu.state.pdptes, [0x4001, 0, 0, 0]);
}

#[test]
fn cr3_refuses_addresses_too_wide() {
    let mut cpu = cpu64();
    assert!(refused(&mut cpu, |cpu| cpu.write_cr3(1 << 40)));
    assert!(refused(&mut cpu, |cpu| cpu.write_cr3(1 << 63)));
    assert!(!refused(&mut cpu, |cpu| cpu.write_cr3(0x1000)));
}

#[test]
fn pcid_needs_long_mode_and_a_zero_context() {
    let mut cpu = cpu64();
    let with_pcid = cpu.state.cr4 | Cr4::PCIDE.bits();
    cpu.state.cr3 = 0x1001;
    assert!(refused(&mut cpu, |cpu| cpu.write_cr4(with_pcid)));
    cpu.state.cr3 = 0x1000;
    assert!(!refused(&mut cpu, |cpu| cpu.write_cr4(with_pcid)));
    assert!(!refused(&mut cpu, |cpu| cpu.write_cr3(1 << 63 | 0x1005)));
    assert_eq!(cpu.state.cr3, 0x1005);
    let mut old = cpu32();
    assert!(refused(&mut old, |cpu| cpu.write_cr4(Cr4::PCIDE.bits())));
}

#[test]
fn cr4_has_the_bits_of_its_model() {
    let mut old = cpu("486");
    assert!(refused(&mut old, |cpu| cpu.write_cr4(Cr4::PSE.bits())));
    assert!(!refused(&mut old, |cpu| cpu.write_cr4(Cr4::VME.bits())));
    let mut new = cpu("max");
    assert!(refused(&mut new, |cpu| cpu.write_cr4(1 << 13)));
    assert!(!refused(&mut new, |cpu| cpu.write_cr4(Cr4::PSE.bits())));
}

#[test]
fn efer_ignores_lma_and_refuses_the_rest() {
    let mut cpu = cpu64();
    let efer = cpu.state.msrs.efer;
    assert!(!refused(&mut cpu, |cpu| cpu.write_efer(
        Efer::LME.bits() | Efer::NXE.bits() | Efer::SCE.bits()
    )));
    assert_eq!(
        cpu.state.msrs.efer,
        efer | Efer::NXE.bits() | Efer::SCE.bits()
    );
    assert!(refused(&mut cpu, |cpu| cpu.write_efer(1 << 1)));
}

#[test]
fn xcr0_keeps_x87() {
    let mut cpu = cpu64();
    assert!(refused(&mut cpu, |cpu| cpu.write_xcr0(2)));
    assert!(refused(&mut cpu, |cpu| cpu.write_xcr0(5)));
    assert!(!refused(&mut cpu, |cpu| cpu.write_xcr0(0x203)));
    assert_eq!(cpu.state.xcr0, 0x203);
}

#[test]
fn debug_registers_have_fixed_bits() {
    let mut cpu = cpu64();
    assert!(!refused(&mut cpu, |cpu| cpu.write_debug_register(6, 0xffff_ffff)));
    assert_eq!(cpu.state.dr[6], 0xffff_efff);
    assert!(!refused(&mut cpu, |cpu| cpu.write_debug_register(7, 0xffff_d3ff)));
    assert_eq!(cpu.state.dr[7], 0xffff_07ff);
    assert!(refused(&mut cpu, |cpu| cpu.write_debug_register(7, 1 << 32)));
    assert!(!refused(&mut cpu, |cpu| cpu.write_debug_register(0, u64::MAX)));
}

#[test]
fn debug_registers_are_aliased_guarded_and_privileged() {
    let mut cpu = cpu64();
    assert_eq!(cpu.debug_register(4), Ok(6));
    assert_eq!(cpu.debug_register(5), Ok(7));
    cpu.state.dr[7] |= super::DR7_GENERAL_DETECT;
    assert!(cpu.debug_register(0).is_err());
    let expected = Exception::Debug { status: 1 << 13 };
    assert_eq!(cpu.exception.take(), Some(expected));
    cpu.state.cr4 |= Cr4::DE.bits();
    assert!(cpu.debug_register(4).is_err());
    assert_eq!(cpu.exception.take(), Some(Exception::InvalidOpcode));
    cpu.state.cpl = 3;
    assert!(refused(&mut cpu, |cpu| cpu.debug_register(0).map(|_| ())));
}
