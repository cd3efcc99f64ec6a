//! Which host register holds what, and where the rest is.
//!
//! | host | holds |
//! | --- | --- |
//! | rax rcx rdx rbx rsi rdi | the guest's of the same name |
//! | r8 r9 r10 r11 r12 | the guest's rsp rbp r12 r13 r14 |
//! | r13 r14 | temporaries |
//! | r15 | the budget: instructions that may still run |
//! | rbp | the processor, [`BIAS`] bytes in |
//! | rsp | the host's stack: a frame for each of the guest's calls |

use std::mem::offset_of;

use rax_cpu::Cpu;
use rax_cpu::CpuState;
use rax_cpu::compiled::{Cells, HostX87, Offsets};
use rax_cpu::flags::LazyFlags;
use rax_cpu::fpu::Fpu;
use rax_cpu::segment::{Segment, SegmentRegister};
use rax_cpu::state::{Gpr, Msrs, VectorRegister};
use rax_mmu::{StackCell, Tlb, View, Window, WindowName};

use super::asm::{
    Alu, Asm, Fixup, Mem, R8, R9, R10, R11, R12, R13, R14, R15, RAX, RBP, RBX, RCX, RDI, RDX, RSI,
    Reg, Turn, at, cc,
};
use crate::backend::{JUMP_SLOTS, JumpSlot};

/// How far into the processor rbp points: one byte of displacement reaches the cells,
/// the registers, RIP and the flags.
pub(super) const BIAS: i32 = offset_of!(Cpu, state) as i32 + 64;

/// The temporaries, and the budget.
pub(super) const T0: Reg = R14;
pub(super) const T1: Reg = R13;
pub(super) const BUDGET: Reg = R15;

/// The guest's registers that live in the host's.
pub(super) const PINNED: [(Gpr, Reg); 11] = [
    (Gpr::Rax, RAX),
    (Gpr::Rcx, RCX),
    (Gpr::Rdx, RDX),
    (Gpr::Rbx, RBX),
    (Gpr::Rsi, RSI),
    (Gpr::Rdi, RDI),
    (Gpr::Rsp, R8),
    (Gpr::Rbp, R9),
    (Gpr::R12, R10),
    (Gpr::R13, R11),
    (Gpr::R14, R12),
];

/// The host register that holds a guest's.
pub(super) fn pinned(register: Gpr) -> Option<Reg> {
    /// By the number of the guest's.
    const HOSTS: [Option<Reg>; 32] = {
        let mut hosts = [None; 32];
        let mut n = 0;
        while n < PINNED.len() {
            hosts[PINNED[n].0.index()] = Some(PINNED[n].1);
            n += 1;
        }
        hosts
    };
    HOSTS[register.index()]
}

pub(super) const STATE: i32 = offset_of!(Cpu, state) as i32 - BIAS;

/// Where the state keeps a register.
pub(super) const fn home(register: Gpr) -> Mem {
    at(RBP, STATE + register.index() as i32 * 8)
}

/// Where the state keeps RIP.
pub(super) const RIP: Mem = at(RBP, STATE + offset_of!(CpuState, rip) as i32);

/// Where the state keeps the two words of the flags.
pub(super) const FLAGS_RESULT: Mem = at(
    RBP,
    STATE + (offset_of!(CpuState, flags) + offset_of!(LazyFlags, result)) as i32,
);
pub(super) const FLAGS_CARRIES: Mem = at(
    RBP,
    STATE + (offset_of!(CpuState, flags) + offset_of!(LazyFlags, carries)) as i32,
);

/// Where the state keeps a segment's base.
pub(super) const fn segment_base(segment: SegmentRegister) -> Mem {
    let segment = segment as usize * size_of::<Segment>() + offset_of!(Segment, base);
    at(
        RBP,
        STATE + (offset_of!(CpuState, segments) + segment) as i32,
    )
}

/// Where the state keeps the upper half of a vector register.
pub(super) const fn upper_home(register: u8) -> Mem {
    let home = vector_home(register);
    at(home.base, home.disp + 16)
}

pub(super) const fn cell(offset: usize) -> Mem {
    at(RBP, (offset_of!(Cpu, cells) + offset) as i32 - BIAS)
}

/// How far the frames of calls may reach.
pub(super) const STACK_LIMIT: Mem = cell(offset_of!(Cells, stack_limit));
/// Room for frames of calls in bytes. They lie on the thread's own stack.
pub(super) const FRAMES: i32 = 32 << 10;

/// What the keys of code have above RIP.
pub(super) const CODE_BASE: Mem = cell(offset_of!(Cells, code_base));
/// A bit for each segment register that a load leaves plain.
pub(super) const PLAIN_SEGMENTS: Mem = cell(offset_of!(Cells, plain_segments));

/// Where the end of a segment is kept, for loads or stores.
pub(super) const fn segment_end(segment: SegmentRegister, write: bool) -> Mem {
    let end = 16 * segment as usize + if write { 8 } else { 0 };
    cell(offset_of!(Cells, segment_ends) + end)
}

/// Where the state keeps the flags that no arithmetic sets.
pub(super) const SYSTEM_FLAGS: Mem = at(RBP, STATE + offset_of!(CpuState, system_flags) as i32);

pub(super) const CPL: Mem = at(RBP, STATE + offset_of!(CpuState, cpl) as i32);
pub(super) const CR4: Mem = at(RBP, STATE + offset_of!(CpuState, cr4) as i32);
pub(super) const INTERRUPT_SHADOW: Mem =
    at(RBP, STATE + offset_of!(CpuState, interrupt_shadow) as i32);
/// What SWAPGS swaps the base of GS with.
pub(super) const KERNEL_GS_BASE: Mem = at(
    RBP,
    STATE + (offset_of!(CpuState, msrs) + offset_of!(Msrs, kernel_gs_base)) as i32,
);

const fn own(offset: usize) -> Mem {
    at(RBP, offset as i32 - BIAS)
}

/// What the processor keeps for itself: see [`Offsets`].
pub(super) const LIMIT: Mem = own(Offsets::LIMIT);
pub(super) const SHADOW_AT: Mem = own(Offsets::SHADOW_AT);
pub(super) const NMI_PENDING: Mem = own(Offsets::NMI_PENDING);
pub(super) const MODE: Mem = own(Offsets::MODE);
pub(super) const VIEW: Mem = own(Offsets::VIEW);

/// Where the level of the INTR pin is, and whether PAUSE may do anything.
pub(super) const INTERRUPT_LEVEL: Mem = cell(offset_of!(Cells, interrupt_level));
pub(super) const HEEDS_PAUSE: Mem = cell(offset_of!(Cells, heeds_pause));
/// How many accesses there were by the TLB, and how many it did not know.
pub(super) const ACCESSES: Mem = cell(offset_of!(Cells, accesses));
pub(super) const MISSES: Mem = cell(offset_of!(Cells, misses));
/// Where the list of jump caches begins.
pub(super) const JUMP_CACHES: Mem = cell(offset_of!(Cells, jump_caches));

/// Where the state keeps a segment's limit.
pub(super) const fn segment_limit(segment: SegmentRegister) -> Mem {
    let segment = segment as usize * size_of::<Segment>() + offset_of!(Segment, limit);
    at(
        RBP,
        STATE + (offset_of!(CpuState, segments) + segment) as i32,
    )
}

pub(super) const HOST_STACK: Mem = cell(offset_of!(Cells, host_stack));
pub(super) const JUMPS: Mem = cell(offset_of!(Cells, jumps));
pub(super) const EXIT: Mem = cell(offset_of!(Cells, exit));
pub(super) const EPOCH: Mem = cell(offset_of!(Cells, epoch));
pub(super) const BUDGET_CELL: Mem = cell(offset_of!(Cells, budget));
/// Whether the guest's vectors are in the host's registers.
pub(super) const VECTORS: Mem = cell(offset_of!(Cells, vectors));
pub(super) const HOST_MXCSR: Mem = cell(offset_of!(Cells, host_mxcsr));
pub(super) const MXCSR: Mem = at(RBP, STATE + offset_of!(CpuState, mxcsr) as i32);
/// MXCSR's masks: with all of them set, no operation can fault.
pub(super) const MXCSR_MASKS: i32 = 0x1f80;

/// In [`VECTORS`]: they are in the state while a helper runs, and come back after it.
pub(super) const AWAY: i32 = 2;

/// Where the state keeps a vector register.
pub(super) const fn vector_home(register: u8) -> Mem {
    let vectors = offset_of!(CpuState, vectors) as i32;
    at(
        RBP,
        STATE + vectors + register as i32 * size_of::<VectorRegister>() as i32,
    )
}

/// A CF that waits.
pub(super) const CARRY: Mem = cell(offset_of!(Cells, carry));

pub(super) const FLAG_KIND: Mem = cell(offset_of!(Cells, flag_kind));

/// Where an operand of the last operation on flags is kept.
pub(super) const fn flag_value(n: usize) -> Mem {
    cell(offset_of!(Cells, flag_values) + 8 * n)
}

/// Where the result of an update that stands over others is kept, and its kind.
pub(super) const fn flag_over(layer: usize) -> Mem {
    cell(offset_of!(Cells, flag_overs) + 8 * layer)
}

pub(super) const fn flag_over_kind(layer: usize) -> Mem {
    cell(offset_of!(Cells, flag_kind) + 2 + layer)
}

const fn host_x87(offset: usize) -> Mem {
    at(RBP, (offset_of!(Cpu, host_x87) + offset) as i32 - BIAS)
}

/// Where the x87 registers are, a word on its way, and the unit's image.
pub(super) const X87_PLACE: Mem = host_x87(offset_of!(HostX87, place));
pub(super) const X87_WORD: Mem = host_x87(offset_of!(HostX87, word));
pub(super) const X87_IMAGE: Mem = host_x87(offset_of!(HostX87, image));

/// An operand of a function, and the two parts of a result.
pub(super) const fn x87_operand(n: usize) -> Mem {
    host_x87(offset_of!(HostX87, operands) + 16 * n)
}

pub(super) const fn x87_high(n: usize) -> Mem {
    host_x87(offset_of!(HostX87, high) + 16 * n)
}

pub(super) const fn x87_low(n: usize) -> Mem {
    host_x87(offset_of!(HostX87, low) + 8 * n)
}

const fn fpu(offset: usize) -> Mem {
    at(RBP, STATE + (offset_of!(CpuState, fpu) + offset) as i32)
}

/// The x87 unit's control word and pointers in the state.
pub(super) const X87_CONTROL: Mem = fpu(offset_of!(Fpu, control));
pub(super) const X87_LAST_OPCODE: Mem = fpu(offset_of!(Fpu, last_opcode));
pub(super) const X87_LAST_CS: Mem = fpu(offset_of!(Fpu, last_cs));
pub(super) const X87_LAST_DS: Mem = fpu(offset_of!(Fpu, last_ds));
pub(super) const X87_LAST_IP: Mem = fpu(offset_of!(Fpu, last_ip));
pub(super) const X87_LAST_DP: Mem = fpu(offset_of!(Fpu, last_dp));

/// Where the state keeps a segment's selector.
pub(super) const fn selector(segment: SegmentRegister) -> Mem {
    let segment = segment as usize * size_of::<Segment>() + offset_of!(Segment, selector);
    at(
        RBP,
        STATE + (offset_of!(CpuState, segments) + segment) as i32,
    )
}

/// The bit at which the limit of an access begins in what [`Routines::fill`] gets.
pub(super) const FILL_LIMIT: u8 = 16;
const _: () = assert!(Tlb::INDEX_MASK < 1 << FILL_LIMIT);

/// How many cells there are for values that find no register.
pub(super) const SCRATCHES: u8 = 2;

/// Where such a value is kept.
pub(super) const fn scratch(n: u8) -> Mem {
    cell(offset_of!(Cells, scratch) + 8 * n as usize)
}

/// Displacement from rbp of a view's table in the TLB.
pub(super) const fn tlb(view: View) -> i32 {
    let table = offset_of!(Cpu, mmu) + Tlb::view_offset(view);
    table as i32 - BIAS
}

/// Addresses of the routines.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Routines {
    /// Enters compiled code.
    pub(super) enter: u64,
    /// Leaves it; T0 says by which exit.
    pub(super) exit: u64,
    /// Called; has instruction T1 (32 bits) of unit T0 carried out, and returns or leaves.
    pub(super) carry_out: u64,
    /// The same; the host's flags are the guest's then.
    pub(super) carry_out_with_flags: u64,
    /// Called before either: saves the x87 registers if they are in the host's unit.
    /// Disturbs nothing else.
    pub(super) save_x87: u64,
    /// Called; gets the x87 registers into the host's unit, or leaves to have the unit at
    /// RIP interpreted. Disturbs T0 and T1.
    pub(super) enter_x87: u64,
    /// FSIN and its kin.
    pub(super) x87_functions: super::x87::Routines,
    /// Called; makes the flags in the state valid, and the host's flags the guest's.
    /// Disturbs no register but T0 and T1.
    pub(super) settle: u64,
    /// Goes to the address whose key is in T0, or leaves with RIP there.
    pub(super) go: u64,
    /// The same, where that is all that can be done.
    pub(super) leave_for: u64,
    /// Forgets all frames of calls but the lowest, and goes to the address in T1.
    pub(super) drop_frames: u64,
    /// Called; fills the TLB for a load from, or a store to, the address in T0, by view.
    /// T1 holds the offset of the entry, and from [`FILL_LIMIT`] up the greatest offset in
    /// a page that does not cross. CF is set if a store may go on: T0 and T1 are what the
    /// probe would leave. Else ZF is set if the interpreter must carry the access out.
    /// Disturbs T1 and the temporaries for vectors.
    pub(super) fill: [[u64; 2]; 4],
    /// Called; fills the cell of the stack for a load or a store likewise, or the TLB before
    /// it. The offset of the entry is not wanted.
    pub(super) fill_stack: [[u64; 2]; 4],
    /// Called; makes the address in T0 the host's, for a load or a store of 4 or 8 bytes, by
    /// view. ZF is set if the interpreter must carry the access out. Disturbs T1.
    pub(super) find: [[[u64; 2]; 2]; 4],
    /// Called; opens a window for a load from, or a store to, the address in T0. T1 holds
    /// its number, and the greatest offset as for [`Routines::fill`]. CF is set if T0 and
    /// T1 are what the probe would leave; else it is as that. Zero for views without any.
    pub(super) open: [[u64; 2]; 4],
    /// Short repeated string instructions.
    pub(super) repeat: super::strings::Routines,
    pub(super) search: super::shortcut::SearchRoutines,
    /// Called; loads the guest's vectors and MXCSR. ZF is set if they must stay where
    /// they are. Disturbs T1.
    pub(super) load_vectors: u64,
    /// Called; makes the host's flags the guest's, whatever the cells say. Disturbs no
    /// register but T0 and T1.
    pub(super) flags: u64,
}

const _: () = assert!(size_of::<JumpSlot>() == 1 << SLOT_BITS);
pub(super) const SLOT_BITS: u8 = 4;
/// The page number is part of the slot's number: functions begin at multiples of 16.
pub(super) const PAGE_BITS: u32 = 12;

/// The slot of the jump cache where [`find_jump`] looks for an address.
pub(super) const fn jump_slot(key: u64) -> usize {
    ((key as u32) ^ (key as u32) >> PAGE_BITS) as usize & (JUMP_SLOTS - 1)
}

/// Where a view's cell of the stack keeps something.
pub(super) const fn stack_cell(view: View, offset: usize) -> Mem {
    in_tlb(Tlb::stack_offset(view) + offset)
}

/// The page and the host's page in the cell of the stack, and the limit of an access.
pub(super) fn stack_parts(view: View, bytes: u32, is_store: bool) -> [Mem; 3] {
    let limits = offset_of!(StackCell, limits) + 16 * usize::from(is_store);
    [
        stack_cell(view, offset_of!(StackCell, page)),
        stack_cell(view, offset_of!(StackCell, host_page)),
        stack_cell(view, limits + 8 * usize::from(bytes == 8)),
    ]
}

/// Where the TLB keeps something.
const fn in_tlb(offset: usize) -> Mem {
    at(RBP, (offset_of!(Cpu, mmu) + offset) as i32 - BIAS)
}

/// The first window of a view for loads or stores, if it has any, and the bits that say which
/// were opened and which missed.
pub(super) fn windows(view: View, is_store: bool) -> Option<[Mem; 3]> {
    let first = Tlb::windows_offset(view, is_store)?;
    let [opened, missed] = Tlb::window_bits_offsets(view, is_store)?;
    Some([first, opened, missed].map(in_tlb))
}

/// The first address, the limit and the host's address of a window.
pub(super) fn window_parts(view: View, window: WindowName, is_store: bool) -> [Mem; 3] {
    let table = Tlb::windows_offset(view, is_store).unwrap_or_default();
    let window = table + usize::from(window.number()) * size_of::<Window>();
    [
        offset_of!(Window, first),
        offset_of!(Window, limit),
        offset_of!(Window, host),
    ]
    .map(|part| in_tlb(window + part))
}

/// Finds the key in T0 in the jump cache: T1 holds that of its slot then. Goes where
/// the fixup says if it is not there.
pub(super) fn find_jump(asm: &mut Asm) -> Fixup {
    asm.load(32, T1, T0);
    asm.shift_imm(Turn::Shr, 32, T1, PAGE_BITS as u8);
    asm.alu(Alu::Xor, 32, T1, T0);
    asm.alu_imm(Alu::And, 32, T1, JUMP_SLOTS as i32 - 1);
    asm.shift_imm(Turn::Shl, 32, T1, SLOT_BITS);
    asm.alu_from(Alu::Add, 64, T1, JUMPS);
    asm.alu_from(Alu::Cmp, 64, T0, at(T1, 0));
    asm.branch_ahead(cc::NE)
}

/// Where [`find_jump`] has found the code.
pub(super) const FOUND: Mem = at(T1, 8);
/// If it has not, where the key and the code may still be.
pub(super) const SECOND_KEY: Mem = at(T1, 16);
pub(super) const SECOND_FOUND: Mem = at(T1, 24);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::x64::asm::RSP;

    #[test]
    fn what_is_hot_is_within_a_byte() {
        let near = |mem: Mem| i8::try_from(mem.disp).is_ok();
        for register in Gpr::ALL {
            assert!(near(home(register)));
        }
        let cells = [RIP, FLAG_KIND, EPOCH, JUMPS, flag_value(2), scratch(0)];
        assert!(cells.into_iter().all(near));
    }

    #[test]
    fn each_host_register_has_one_use() {
        let mut uses: Vec<Reg> = PINNED.iter().map(|(_, host)| *host).collect();
        uses.extend([T0, T1, BUDGET, RBP, RSP]);
        uses.sort_unstable();
        assert_eq!(uses, (0..16).collect::<Vec<_>>());
    }
}
