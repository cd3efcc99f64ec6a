//! Descriptor tables in RAM, for the tests of everything that reads them.

use crate::interp::Engine;
use rax_mmu::{PhysicalAddress, Word};

use super::{Attributes, Descriptor, DescriptorTable, Segment, SegmentRegister};
use crate::state::Gpr;
use crate::testing::{Bits, bare_model};
use crate::{Cpu, Interpreter, Model, Stop};

pub(crate) const GDT: u64 = 0x1000;
pub(crate) const IDT: u64 = 0x2000;
pub(crate) const TSS: u64 = 0x3000;
pub(crate) const OTHER_TSS: u64 = 0x3400;
pub(crate) const CODE: u64 = 0x1_0000;
/// Handler of vector n: at `HANDLERS + 16 * n`, a jump to itself.
pub(crate) const HANDLERS: u64 = 0x2_0000;
/// Where the stack of level 3 starts.
pub(crate) const USER_STACK: u64 = 0x5_0000;
/// Where the current stack of level 0 starts.
pub(crate) const KERNEL_STACK: u64 = 0x6_0000;
/// What the TSS has for level 0.
pub(crate) const INNER_STACK: u64 = 0x7_0000;

pub(crate) const CODE_0: u16 = 0x08;
pub(crate) const DATA_0: u16 = 0x10;
pub(crate) const CODE_3: u16 = 0x1b;
pub(crate) const DATA_3: u16 = 0x23;
pub(crate) const TASK: u16 = 0x28;
/// After a TSS descriptor of either size.
pub(crate) const CONFORMING_0: u16 = 0x38;
pub(crate) const ABSENT_DATA: u16 = 0x40;
pub(crate) const OTHER_TASK: u16 = 0x48;
/// Code of level 3 that is not of the mode's native size.
pub(crate) const COMPATIBLE_3: u16 = 0x5b;
/// Free for the test: 16 bytes.
pub(crate) const SPARE: u16 = 0x60;
/// A 16-bit stack of level 0.
pub(crate) const STACK_16: u16 = 0x70;
const GDT_BYTES: u16 = 0x80;

/// A processor with tables, and its interpreter.
pub(crate) struct Rig {
    pub(crate) cpu: Box<Cpu>,
    interpreter: Interpreter,
}

/// A descriptor's eight bytes; `attributes` are bits 40 to 55.
pub(crate) fn descriptor(base: u32, limit: u32, attributes: u16) -> u64 {
    let base = u64::from(base);
    u64::from(limit & 0xffff)
        | (base & 0xff_ffff) << 16
        | u64::from(attributes) << 40
        | u64::from(limit >> 16 & 15) << 48
        | base >> 24 << 56
}

/// A gate's eight bytes; `attributes` are present bit, DPL and type.
pub(crate) fn gate(selector: u16, offset: u64, attributes: u8, parameters: u8) -> u64 {
    offset & 0xffff
        | u64::from(selector) << 16
        | u64::from(parameters) << 32
        | u64::from(attributes) << 40
        | (offset & 0xffff_0000) << 32
}

impl Rig {
    /// Level 0 of a mode, at [`CODE`], every vector handled at level 0.
    pub(crate) fn new(bits: Bits) -> Self {
        Self::of_model("max", bits)
    }

    /// The same with another model.
    pub(crate) fn of_model(model: &str, bits: Bits) -> Self {
        let model = Model::named(model).expect("a test names what there is");
        let mut cpu = bare_model(model, bits, 1 << 20).expect("the host has a megabyte");
        cpu.state.rip = CODE;
        cpu.state.set_gpr(Gpr::Rsp, KERNEL_STACK);
        let interpreter = Interpreter::new(&cpu);
        let mut rig = Self { cpu, interpreter };
        for vector in 0..=255 {
            rig.poke(HANDLERS + 16 * vector, &[0xeb, 0xfe]);
        }
        match bits {
            Bits::Real => {
                rig.cpu.state.segments[SegmentRegister::Cs as usize] = Segment::real_mode(0x1000);
                rig.cpu.state.rip = 0;
                rig.cpu.state.set_gpr(Gpr::Rsp, 0x8000);
                for vector in 0..=255u64 {
                    rig.put(4 * vector, 0x2000_0000 | (16 * vector) as u32);
                }
            }
            Bits::Protected32 => rig.build(false),
            Bits::Long64 => rig.build(true),
        }
        rig.cpu.update_mode();
        rig
    }

    fn build(&mut self, long: bool) {
        let (native, other) = if long {
            (0xa000, 0xc000)
        } else {
            (0xc000, 0x0000)
        };
        self.set_descriptor(CODE_0, descriptor(0, 0xf_ffff, native | 0x9b));
        self.set_descriptor(DATA_0, descriptor(0, 0xf_ffff, 0xc093));
        self.set_descriptor(CODE_3, descriptor(0, 0xf_ffff, native | 0xfb));
        self.set_descriptor(DATA_3, descriptor(0, 0xf_ffff, 0xc0f3));
        self.set_descriptor(TASK, descriptor(TSS as u32, 0x3ff, 0x8b));
        self.set_descriptor(CONFORMING_0, descriptor(0, 0xf_ffff, native | 0x9f));
        self.set_descriptor(ABSENT_DATA, descriptor(0, 0xf_ffff, 0xc013));
        self.set_descriptor(OTHER_TASK, descriptor(OTHER_TSS as u32, 0x67, 0x89));
        self.set_descriptor(COMPATIBLE_3, descriptor(0, 0xf_ffff, other | 0x80fb));
        self.set_descriptor(STACK_16, descriptor(0, 0xffff, 0x93));
        for vector in 0..=255 {
            self.set_gate(vector, CODE_0, 0x8e);
        }
        let state = &mut self.cpu.state;
        state.gdtr = DescriptorTable {
            base: GDT,
            limit: GDT_BYTES - 1,
        };
        state.idtr = DescriptorTable {
            base: IDT,
            limit: 0xfff,
        };
        state.tr = Segment {
            selector: TASK,
            attributes: Attributes::from_bits_retain(0x8b),
            limit: 0x3ff,
            base: TSS,
        };
        state.ldtr.attributes = Attributes::empty();
        if long {
            self.put(TSS + 4, INNER_STACK);
        } else {
            self.put(TSS + 4, INNER_STACK as u32);
            self.put(TSS + 8, DATA_0);
        }
    }

    /// Goes to level 3.
    pub(crate) fn at_level_3(mut self) -> Self {
        for register in SegmentRegister::ALL {
            let selector = if register == SegmentRegister::Cs {
                CODE_3
            } else {
                DATA_3
            };
            let descriptor = Descriptor(self.get::<u64>(GDT + u64::from(selector & !7)));
            self.cpu.state.segments[register as usize] = descriptor.segment(selector);
        }
        self.cpu.state.set_gpr(Gpr::Rsp, USER_STACK);
        self.cpu.set_cpl(3);
        self
    }

    /// Puts an entry into the GDT.
    pub(crate) fn set_descriptor(&mut self, selector: u16, value: u64) {
        self.put(GDT + u64::from(selector & !7), value);
    }

    /// Puts a gate to the usual handler into the IDT.
    pub(crate) fn set_gate(&mut self, vector: u8, selector: u16, attributes: u8) {
        let offset = HANDLERS + 16 * u64::from(vector);
        let value = gate(selector, offset, attributes, 0);
        let size = if self.cpu.long_mode_active() { 16 } else { 8 };
        self.put(IDT + size * u64::from(vector), value);
    }

    /// Writes bytes to RAM.
    pub(crate) fn poke(&mut self, address: u64, bytes: &[u8]) {
        self.cpu
            .mmu
            .memory()
            .load_image(PhysicalAddress(address), bytes)
            .expect("the tests stay within their RAM");
    }

    /// Writes a number to RAM.
    pub(crate) fn put<T: Word>(&mut self, address: u64, value: T) {
        let mut bytes = [0; 16];
        value.to_guest_bytes(&mut bytes[..T::SIZE as usize]);
        self.poke(address, &bytes[..T::SIZE as usize]);
    }

    /// Reads a number from RAM.
    pub(crate) fn get<T: Word>(&self, address: u64) -> T {
        let mut bytes = [0; 16];
        let bytes = &mut bytes[..T::SIZE as usize];
        self.cpu
            .mmu
            .memory()
            .ram_read(PhysicalAddress(address), bytes)
            .expect("the tests stay within their RAM");
        T::from_guest_bytes(bytes)
    }

    /// The `n`th value on the stack, of the size of `T`.
    pub(crate) fn stacked<T: Word>(&self, n: u64) -> T {
        let base = self.cpu.state.segment(SegmentRegister::Ss).base;
        self.get(base + self.cpu.state.gpr(Gpr::Rsp) + n * T::SIZE)
    }

    /// Executes code at CS:RIP, about `count` instructions of it.
    pub(crate) fn run(&mut self, code: &[u8], count: u64) -> Stop {
        let base = self.cpu.state.segment(SegmentRegister::Cs).base;
        self.poke(base + self.cpu.state.rip, code);
        self.go_on(count)
    }

    /// Executes about `count` more instructions.
    pub(crate) fn go_on(&mut self, count: u64) -> Stop {
        let until = self.cpu.state.instructions + count;
        self.interpreter.run(&mut self.cpu, until)
    }

    /// The vector whose handler is running, if one is.
    pub(crate) fn handling(&self) -> Option<u64> {
        let code = self.cpu.state.segment(SegmentRegister::Cs).base;
        let offset = (code + self.cpu.state.rip).checked_sub(HANDLERS)?;
        (offset < 0x1000 && offset % 16 == 0).then_some(offset / 16)
    }

    /// The selector in a segment register.
    pub(crate) fn selector(&self, register: SegmentRegister) -> u16 {
        self.cpu.state.segment(register).selector
    }
}
