//! Task-state segments in memory (SDM 3A, 7.2.1 and 7.6).

use crate::Cpu;
use crate::exception::Exit;
use crate::rflags::{Cr0, Rflags};
use crate::state::{CpuState, Gpr};

/// The saved registers of a task.
#[derive(Clone, Copy, Debug)]
pub(super) struct Image {
    pub(super) is_32_bit: bool,
    /// The page directory, if the TSS has one.
    pub(super) cr3: Option<u32>,
    pub(super) rip: u64,
    pub(super) flags: Rflags,
    /// EAX to EDI, in encoding order.
    pub(super) gpr: [u32; 8],
    /// ES, CS, SS, DS, FS, GS.
    pub(super) selectors: [u16; 6],
    pub(super) ldt: u16,
    /// A debug trap is raised before the task's first instruction.
    pub(super) traps: bool,
}

/// Where the fields lie.
struct Layout {
    size: u64,
    rip: u64,
    flags: u64,
    gpr: u64,
    selectors: u64,
    selector_count: usize,
    ldt: u64,
}

const LAYOUT_16: Layout = Layout {
    size: 2,
    rip: 0x0e,
    flags: 0x10,
    gpr: 0x12,
    selectors: 0x22,
    selector_count: 4,
    ldt: 0x2a,
};
const LAYOUT_32: Layout = Layout {
    size: 4,
    rip: 0x20,
    flags: 0x24,
    gpr: 0x28,
    selectors: 0x48,
    selector_count: 6,
    ldt: 0x60,
};
const CR3: u64 = 0x1c;
const TRAP: u64 = 0x64;

const fn layout(is_32_bit: bool) -> &'static Layout {
    if is_32_bit { &LAYOUT_32 } else { &LAYOUT_16 }
}

impl Image {
    /// The least limit that a TSS must have.
    pub(super) const fn last_byte(is_32_bit: bool) -> u32 {
        if is_32_bit { 0x67 } else { 0x2b }
    }

    /// The running task, to resume at `rip` with `flags`.
    pub(super) fn of(state: &CpuState, rip: u64, flags: Rflags) -> Self {
        let mut gpr = [0; 8];
        for (value, register) in gpr.iter_mut().zip(Gpr::ALL) {
            *value = state.gpr(register) as u32;
        }
        Self {
            is_32_bit: true,
            cr3: None,
            rip,
            flags,
            gpr,
            selectors: state.segments.map(|segment| segment.selector),
            ldt: state.ldtr.selector,
            traps: false,
        }
    }
}

impl Cpu {
    pub(super) fn read_task(&mut self, base: u64, is_32_bit: bool) -> Result<Image, Exit> {
        let at = layout(is_32_bit);
        let mut image = Image {
            is_32_bit,
            cr3: None,
            rip: u64::from(self.task_field(base.wrapping_add(at.rip), is_32_bit)?),
            flags: Rflags::empty(),
            gpr: [0; 8],
            selectors: [0; 6],
            ldt: self.system_load::<u16>(base.wrapping_add(at.ldt))?,
            traps: false,
        };
        let flags = self.task_field(base.wrapping_add(at.flags), is_32_bit)?;
        image.flags = Rflags::from_bits_truncate(u64::from(flags));
        for (n, value) in (0..).zip(&mut image.gpr) {
            *value = self.task_field(base.wrapping_add(at.gpr + n * at.size), is_32_bit)?;
        }
        for (n, value) in (0..).zip(&mut image.selectors[..at.selector_count]) {
            *value = self.system_load::<u16>(base.wrapping_add(at.selectors + n * at.size))?;
        }
        if is_32_bit {
            if self.state.cr0 & Cr0::PG.bits() != 0 {
                image.cr3 = Some(self.system_load::<u32>(base.wrapping_add(CR3))?);
            }
            image.traps = self.system_load::<u8>(base.wrapping_add(TRAP))? & 1 != 0;
        }
        Ok(image)
    }

    /// Writes what a task switch saves: not CR3, not the LDT, no privileged stacks.
    pub(super) fn write_task(
        &mut self,
        base: u64,
        is_32_bit: bool,
        image: &Image,
    ) -> Result<(), Exit> {
        let at = layout(is_32_bit);
        let rip = image.rip as u32;
        self.set_task_field(base.wrapping_add(at.rip), is_32_bit, rip)?;
        let flags = image.flags.bits() as u32;
        self.set_task_field(base.wrapping_add(at.flags), is_32_bit, flags)?;
        for (n, &value) in (0..).zip(&image.gpr) {
            let address = base.wrapping_add(at.gpr + n * at.size);
            self.set_task_field(address, is_32_bit, value)?;
        }
        for (n, &value) in (0..).zip(&image.selectors[..at.selector_count]) {
            self.system_store::<u16>(base.wrapping_add(at.selectors + n * at.size), value)?;
        }
        Ok(())
    }

    fn task_field(&mut self, address: u64, is_32_bit: bool) -> Result<u32, Exit> {
        if is_32_bit {
            self.system_load::<u32>(address)
        } else {
            Ok(u32::from(self.system_load::<u16>(address)?))
        }
    }

    fn set_task_field(&mut self, address: u64, is_32_bit: bool, value: u32) -> Result<(), Exit> {
        if is_32_bit {
            self.system_store::<u32>(address, value)
        } else {
            self.system_store::<u16>(address, value as u16)
        }
    }
}
