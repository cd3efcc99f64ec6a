//! The processor of a [`super::Guest`]: page tables, descriptor tables, handlers, and
//! how registers get in and out.

use std::sync::Arc;

use rax_cpu::float::F80;
use rax_cpu::rflags::{Cr0, Cr4, Efer, Rflags};
use rax_cpu::segment::{Attributes, DescriptorTable, Segment, SegmentRegister};
use rax_cpu::state::Gpr;
use rax_cpu::testing::NoPlatform;
use rax_cpu::{Cpu, CpuState, Model};
use rax_mmu::{HostRamError, MapError, Mmu, PhysicalAddress, PhysicalMemory};

use crate::case::{CODE, CODE_BYTES, DATA, DATA_BYTES, READ_ONLY, READ_ONLY_BYTES, Registers, X87};

const PAGE: u64 = 0x1000;
// Where things lie in RAM: page tables first.
const LEVEL4: u64 = 0;
const LOW_LEVEL3: u64 = PAGE;
const LOW_LEVEL2: u64 = 2 * PAGE;
const DATA_LEVEL1: u64 = 3 * PAGE;
const CODE_LEVEL1: u64 = 4 * PAGE;
const HIGH_LEVEL3: u64 = 5 * PAGE;
const HIGH_LEVEL2: u64 = 6 * PAGE;
const IDT: u64 = 7 * PAGE;
const GDT: u64 = 8 * PAGE;
const TSS: u64 = GDT + 0x100;
const HANDLER_RAM: u64 = 9 * PAGE;
/// End of the stack that exceptions are delivered on, in RAM.
pub(super) const STACK_TOP: u64 = 11 * PAGE;
/// The data windows in RAM.
pub(super) const DATA_RAM: u64 = 16 * PAGE;
/// The code window in RAM.
pub(super) const CODE_RAM: u64 = 24 * PAGE;
const RAM: u64 = 0x20_0000;

/// The supervisor sees RAM here, where a kernel would be.
const KERNEL: u64 = 0xffff_8000_0000_0000;
/// Linear address of the handler of vector 0; the others follow, a byte each.
pub(super) const HANDLERS: u64 = KERNEL + HANDLER_RAM;

// The selectors a 64-bit Linux program finds.
const KERNEL_CODE: u16 = 0x10;
const USER_DATA: u16 = 0x2b;
const USER_CODE: u16 = 0x33;
const TASK: u16 = 0x40;

// Bits of a page-table entry (SDM 3A, table 4-19), Accessed and Dirty always set.
const PRESENT: u64 = 0x61;
const WRITABLE: u64 = 2;
const USER: u64 = 4;
const LARGE: u64 = 0x80;
const NO_EXECUTE: u64 = 1 << 63;

/// Why there is no guest.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No address space.
    #[error("cannot reserve memory for the guest")]
    Reserve(#[from] HostRamError),
    /// No room for the RAM.
    #[error("cannot map the guest's memory")]
    Map(#[from] MapError),
}

/// A processor that is about to run user-mode code.
pub(super) fn processor() -> Result<Box<Cpu>, SetupError> {
    let memory = PhysicalMemory::new(RAM)?;
    memory.map_ram(PhysicalAddress(0), RAM)?;
    let mmu = Mmu::new(Arc::new(memory));
    let mut cpu = Cpu::new(Model::default(), mmu, Box::<NoPlatform>::default());
    page_tables(&cpu);
    descriptor_tables(&cpu);
    super::write(&cpu, HANDLER_RAM, &[super::FILLER; 256]);
    registers_of_the_system(&mut cpu.state);
    cpu.mmu.flush_all();
    cpu.update_mode();
    Ok(cpu)
}

fn put(cpu: &Cpu, address: u64, value: u64) {
    super::write(cpu, address, &value.to_le_bytes());
}

fn page_tables(cpu: &Cpu) {
    let inner = PRESENT | WRITABLE | USER;
    put(cpu, LEVEL4, LOW_LEVEL3 | inner);
    put(cpu, LEVEL4 + 256 * 8, HIGH_LEVEL3 | PRESENT | WRITABLE);
    put(cpu, LOW_LEVEL3, LOW_LEVEL2 | inner);
    put(cpu, HIGH_LEVEL3, HIGH_LEVEL2 | PRESENT | WRITABLE);
    put(cpu, HIGH_LEVEL2, PRESENT | WRITABLE | LARGE);
    let level2 = |linear: u64| LOW_LEVEL2 + (linear >> 21) * 8;
    put(cpu, level2(DATA), DATA_LEVEL1 | inner);
    put(cpu, level2(CODE), CODE_LEVEL1 | inner);
    let map = |table: u64, linear: u64, ram: u64, bytes: usize, rights: u64| {
        for page in 0..bytes as u64 / PAGE {
            let entry = table + ((linear >> 12 & 511) + page) * 8;
            put(cpu, entry, (ram + page * PAGE) | PRESENT | USER | rights);
        }
    };
    map(
        DATA_LEVEL1,
        DATA,
        DATA_RAM,
        DATA_BYTES,
        WRITABLE | NO_EXECUTE,
    );
    let read_only = DATA_RAM + DATA_BYTES as u64;
    map(
        DATA_LEVEL1,
        READ_ONLY,
        read_only,
        READ_ONLY_BYTES,
        NO_EXECUTE,
    );
    map(CODE_LEVEL1, CODE, CODE_RAM, CODE_BYTES, 0);
}

fn descriptor_tables(cpu: &Cpu) {
    put(cpu, GDT + u64::from(KERNEL_CODE), 0x00af_9b00_0000_ffff);
    put(cpu, GDT + u64::from(USER_DATA & !7), 0x00cf_f300_0000_ffff);
    put(cpu, GDT + u64::from(USER_CODE & !7), 0x00af_fb00_0000_ffff);
    put(cpu, TSS + 4, KERNEL + STACK_TOP);
    for vector in 0..256 {
        let handler = HANDLERS + vector;
        let rights = 0xee00; // A present interrupt gate that INT may use.
        let gate = handler & 0xffff
            | u64::from(KERNEL_CODE) << 16
            | rights << 32
            | (handler >> 16 & 0xffff) << 48;
        put(cpu, IDT + vector * 16, gate);
        put(cpu, IDT + vector * 16 + 8, handler >> 32);
    }
}

fn registers_of_the_system(state: &mut CpuState) {
    let control = Cr0::PE | Cr0::MP | Cr0::ET | Cr0::NE | Cr0::WP | Cr0::AM | Cr0::PG;
    state.cr0 = control.bits();
    state.cr3 = LEVEL4;
    let control = Cr4::PAE | Cr4::OSFXSR | Cr4::OSXMMEXCPT | Cr4::OSXSAVE | Cr4::FSGSBASE;
    state.cr4 = control.bits();
    state.msrs.efer = (Efer::SCE | Efer::LME | Efer::LMA | Efer::NXE).bits();
    // x87, SSE and AVX.
    state.xcr0 = 7;
    let table = |base, limit| DescriptorTable {
        base: KERNEL + base,
        limit,
    };
    state.gdtr = table(GDT, 0x4f);
    state.idtr = table(IDT, 0xfff);
    state.tr = Segment {
        selector: TASK,
        attributes: Attributes::from_bits_retain(0x8b),
        limit: 0x67,
        base: KERNEL + TSS,
    };
    let data = Attributes::from_bits_retain(0xc0f3);
    let unusable = Segment {
        attributes: Attributes::empty(),
        ..Segment::flat(0, data)
    };
    state.segments = [unusable; 6];
    state.segments[SegmentRegister::Ss as usize] = Segment::flat(USER_DATA, data);
    let code = Attributes::from_bits_retain(0xa0fb);
    state.segments[SegmentRegister::Cs as usize] = Segment::flat(USER_CODE, code);
    state.cpl = 3;
}

/// Whether delivery pushes an error code (SDM 3A, table 6-1).
pub(super) const fn has_error_code(vector: u8) -> bool {
    matches!(vector, 8 | 10..=14 | 17 | 21)
}

/// Puts the registers of a case in place, as XRSTOR and POPF would.
pub(super) fn load_registers(state: &mut CpuState, registers: &Registers) {
    for (register, value) in Gpr::ALL.into_iter().zip(registers.gpr) {
        state.set_gpr(register, value);
    }
    state.set_rflags(Rflags::from_bits_truncate(registers.rflags) | Rflags::IF);
    state.segments[SegmentRegister::Fs as usize].base = registers.fs_base;
    state.segments[SegmentRegister::Gs as usize].base = registers.gs_base;
    state.mxcsr = registers.mxcsr;
    for (register, value) in state.vectors.iter_mut().zip(registers.ymm) {
        register.0 = value;
    }
    let x87 = &registers.x87;
    let unit = &mut state.fpu;
    unit.status = x87.status;
    unit.set_control(x87.control);
    for (place, value) in x87.st.into_iter().enumerate() {
        let register = unit.physical(place);
        unit.registers[register] = F80 {
            sign_exponent: (value >> 64) as u16,
            significand: value as u64,
        };
    }
    unit.in_use = x87.tag;
    unit.last_opcode = x87.opcode;
    unit.last_ip = x87.instruction;
    unit.last_dp = x87.operand;
}

/// The registers of a processor, RFLAGS without RF.
pub(super) fn registers(state: &CpuState) -> Registers {
    let unit = &state.fpu;
    let mut gpr = [0; 16];
    gpr.copy_from_slice(&state.gpr[..16]);
    Registers {
        gpr,
        rip: state.rip,
        rflags: state.rflags().bits() & !super::RESUME,
        fs_base: state.segment(SegmentRegister::Fs).base,
        gs_base: state.segment(SegmentRegister::Gs).base,
        mxcsr: state.mxcsr,
        x87: X87 {
            st: std::array::from_fn(|place| {
                let value = unit.st(place);
                u128::from(value.sign_exponent) << 64 | u128::from(value.significand)
            }),
            control: unit.control,
            status: unit.status,
            tag: unit.in_use,
            opcode: unit.last_opcode,
            instruction: unit.last_ip,
            operand: unit.last_dp,
        },
        ymm: std::array::from_fn(|number| state.vectors[number].0),
    }
}
