//! The routines that all units share: in, out, over to the interpreter, and what fills the
//! TLB.

use std::mem::offset_of;

use rax_cpu::Cpu;
use rax_cpu::compiled::{FlagKind, SimpleKind, X87Place};
use rax_mmu::{StackCell, Tlb, TlbEntry, View, Window};

use super::abi::{
    AWAY, BIAS, BUDGET, BUDGET_CELL, CODE_BASE, EXIT, FILL_LIMIT, FLAG_KIND, FOUND, FRAMES,
    HOST_MXCSR, HOST_STACK, MISSES, MXCSR, MXCSR_MASKS, PINNED, RIP, Routines, SECOND_FOUND,
    SECOND_KEY, STACK_LIMIT, T0, T1, VECTORS, X87_IMAGE, X87_PLACE, find_jump, flag_value, home,
    stack_parts, tlb, upper_home, vector_home, windows,
};
use super::asm::{
    Alu, Asm, Mem, R12, R13, R14, R15, RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP, Reg, Turn, at, cc,
    sum,
};
use super::simd::FIRST_TEMP;
use super::x87::{FNSAVE, FRSTOR};
use crate::backend::{INTERPRET, NO_EXIT, UNKNOWN};
use crate::helpers::{DISPATCH, FILL_WRITE, Helpers};

/// Makes the host's flags those of an operation that the cells tell of, by carrying it
/// out again. Disturbs T0 and T1.
pub(super) fn flags_of(asm: &mut Asm, kind: SimpleKind, bits: u32) {
    asm.load(64, T0, flag_value(0));
    match kind {
        SimpleKind::Logic => asm.test(bits, T0, T0),
        SimpleKind::Add => {
            // One addend comes back from the sum.
            asm.load(64, T1, flag_value(1));
            asm.alu(Alu::Sub, 64, T0, T1);
            asm.alu(Alu::Add, bits, T0, T1);
        }
        SimpleKind::Sub => {
            asm.load(64, T1, flag_value(1));
            asm.alu(Alu::Add, 64, T0, T1);
            asm.alu(Alu::Cmp, bits, T0, T1);
        }
        SimpleKind::Compare => asm.alu_from(Alu::Cmp, bits, T0, flag_value(1)),
        SimpleKind::Test => asm.test(bits, flag_value(1), T0),
    }
}

/// The operations that the routines below know, the frequent ones first.
const SIMPLE: [(SimpleKind, u32); 20] = [
    (SimpleKind::Compare, 32),
    (SimpleKind::Test, 32),
    (SimpleKind::Compare, 64),
    (SimpleKind::Test, 64),
    (SimpleKind::Logic, 32),
    (SimpleKind::Compare, 8),
    (SimpleKind::Test, 8),
    (SimpleKind::Logic, 64),
    (SimpleKind::Add, 64),
    (SimpleKind::Add, 32),
    (SimpleKind::Sub, 32),
    (SimpleKind::Sub, 64),
    (SimpleKind::Logic, 8),
    (SimpleKind::Sub, 8),
    (SimpleKind::Compare, 16),
    (SimpleKind::Test, 16),
    (SimpleKind::Logic, 16),
    (SimpleKind::Sub, 16),
    (SimpleKind::Add, 8),
    (SimpleKind::Add, 16),
];

/// Emits a routine that makes flags of simple operations; others are settled.
fn simple_flags(asm: &mut Asm, settle: u64) {
    for (kind, bits) in SIMPLE {
        let number = FlagKind::of_simple(kind, bits).0 as i32;
        asm.alu_imm(Alu::Cmp, 32, FLAG_KIND, number);
        let other = asm.branch_ahead(cc::NE);
        flags_of(asm, kind, bits);
        asm.ret();
        asm.bind(other);
    }
    asm.alu_imm(Alu::Cmp, 32, FLAG_KIND, FlagKind::PUSHED.0 as i32);
    let other = asm.branch_ahead(cc::NE);
    asm.load(64, T0, flag_value(0));
    asm.push(T0);
    asm.pop_flags();
    asm.ret();
    asm.bind(other);
    asm.jump(settle);
}

pub(super) fn spill(asm: &mut Asm) {
    for (guest, host) in PINNED {
        asm.store(64, home(guest), host);
    }
}

pub(super) fn reload(asm: &mut Asm) {
    for (guest, host) in PINNED {
        asm.load(64, host, home(guest));
    }
}

/// What a called function must find as it left it, by the System V convention.
const SAVED: [Reg; 6] = [RBX, RBP, R12, R13, R14, R15];

/// Calls a helper on an aligned stack; all of the guest's registers are in the state.
pub(super) fn call(asm: &mut Asm, helper: u64) {
    asm.lea(64, RDI, at(RBP, -BIAS));
    asm.load(64, R12, RSP);
    asm.alu_imm(Alu::And, 64, RSP, -16);
    asm.constant(RAX, helper);
    asm.call_indirect(RAX);
    asm.load(64, RSP, R12);
}

/// The guest's vectors go to the state, if they are not there. Disturbs the flags.
fn put_back_vectors(asm: &mut Asm, store_vectors: u64) {
    asm.alu_imm(Alu::Cmp, 32, VECTORS, 0);
    let there = asm.branch_ahead(cc::E);
    asm.call(store_vectors);
    asm.bind(there);
}

/// Emits the routines that load and store vectors: their addresses.
fn vector_routines(asm: &mut Asm) -> (u64, u64) {
    let load = asm.base + asm.here() as u64;
    asm.load(32, T1, MXCSR);
    asm.alu_imm(Alu::And, 32, T1, MXCSR_MASKS);
    asm.alu_imm(Alu::Xor, 32, T1, MXCSR_MASKS);
    let refused = asm.branch_ahead(cc::NE);
    asm.mxcsr(HOST_MXCSR, true);
    asm.mxcsr(MXCSR, false);
    // On Intel's processors a legacy instruction crawls once the upper half of any register
    // has been written, until VZEROUPPER: so they are not written if all are zero.
    let uppers: Vec<Mem> = (0..FIRST_TEMP).map(upper_home).collect();
    let are_zero = asm.branch_if_zero(&uppers);
    for register in 0..FIRST_TEMP {
        asm.move_vector(256, register, vector_home(register), false);
    }
    let done = asm.jump_ahead();
    asm.bind(are_zero);
    asm.zero_upper();
    for register in 0..FIRST_TEMP {
        asm.move_vector(128, register, vector_home(register), false);
    }
    asm.bind(done);
    asm.store_imm(32, VECTORS, 1);
    asm.test(64, RSP, RSP);
    asm.ret();
    asm.bind(refused);
    asm.alu_from(Alu::Xor, 32, T1, T1);
    asm.ret();

    let store = asm.base + asm.here() as u64;
    asm.mxcsr(MXCSR, true);
    asm.mxcsr(HOST_MXCSR, false);
    for register in 0..FIRST_TEMP {
        asm.move_vector(256, register, vector_home(register), true);
    }
    asm.zero_upper();
    asm.store_imm(32, VECTORS, 0);
    asm.ret();
    (load, store)
}

/// Saves the x87 registers in the image if they are in the host's unit, which is then as
/// Rust code wants it.
fn save_x87(asm: &mut Asm) {
    asm.alu_imm(Alu::Cmp, 32, X87_PLACE, X87Place::Host as i32);
    let elsewhere = asm.branch_ahead(cc::NE);
    asm.x87_memory(FNSAVE, X87_IMAGE);
    asm.store_imm(32, X87_PLACE, X87Place::Image as i32);
    asm.bind(elsewhere);
}

/// Gets the x87 registers into the host's unit, unless they are there; goes to `leave` if an
/// exception is unmasked.
fn enter_x87(asm: &mut Asm, helpers: &Helpers, store_vectors: u64, leave: u64) {
    asm.alu_imm(Alu::Cmp, 32, X87_PLACE, X87Place::Host as i32);
    let there = asm.branch_ahead(cc::E);
    spill(asm);
    put_back_vectors(asm, store_vectors);
    call(asm, helpers.image_x87);
    asm.test(64, RAX, RAX);
    let unmasked = asm.branch_ahead(cc::E);
    asm.x87_memory(FRSTOR, X87_IMAGE);
    asm.store_imm(32, X87_PLACE, X87Place::Host as i32);
    reload(asm);
    asm.bind(there);
    asm.ret();
    asm.bind(unmasked);
    asm.store(64, BUDGET_CELL, BUDGET);
    asm.constant(T0, INTERPRET);
    asm.jump(leave);
}

/// Emits the routines that fill the TLB: their addresses.
fn fill(asm: &mut Asm, helpers: &Helpers, vectors: [u64; 2]) -> [[u64; 2]; 4] {
    let by_helper = asm.base + asm.here() as u64;
    fill_by_helper(asm, helpers, vectors);
    let mut routines = [[by_helper; 2]; 4];
    for view in View::ALL {
        for (is_store, routine) in [false, true].into_iter().zip(&mut routines[view as usize]) {
            *routine = asm.base + asm.here() as u64;
            fill_from_victim(asm, view, is_store, by_helper);
        }
    }
    routines
}

/// A store to a page with translated code: if it hits none, T0 is its offset and T1 the
/// host's page, as after a probe, and CF is set. RCX is the offset of the entry, T1 the
/// limit; both RAX and RCX are on the stack.
fn store_beside_code(asm: &mut Asm, view: View) {
    let entry = |index: Reg, offset: usize| sum(RBP, index, tlb(view) + offset as i32);
    asm.load(64, RAX, entry(RCX, offset_of!(TlbEntry, marks)));
    asm.test(64, RAX, RAX);
    let none = asm.branch_ahead(cc::E);
    let tag = offset_of!(TlbEntry, read_tag);
    asm.alu_from(Alu::Xor, 64, T0, entry(RCX, tag));
    asm.alu(Alu::Cmp, 64, T0, T1);
    let other = asm.branch_ahead(cc::A);
    asm.push(RDX);
    asm.load(32, RDX, T0);
    asm.shift_imm(Turn::Shr, 32, RDX, 3);
    asm.load(64, RAX, sum(RAX, RDX, 0));
    asm.load(32, RDX, RCX);
    asm.load(32, RCX, T0);
    asm.alu_imm(Alu::And, 32, RCX, 7);
    asm.shift_cl(Turn::Shr, 64, RAX);
    // Of 64 bits as many count as the store has bytes.
    asm.lea(32, RCX, at(T1, 64 - 4096));
    asm.shift_cl(Turn::Shl, 64, RAX);
    asm.load(32, RCX, RDX);
    asm.pop(RDX);
    asm.test(64, RAX, RAX);
    let marked = asm.branch_ahead(cc::NE);
    asm.load(64, T1, entry(RCX, offset_of!(TlbEntry, host_page)));
    asm.pop(RCX);
    asm.pop(RAX);
    asm.set_carry();
    asm.ret();
    asm.bind(marked);
    asm.bind(other);
    asm.alu_from(Alu::Xor, 64, T0, entry(RCX, tag));
    asm.bind(none);
}

/// Lets an entry and its victim change places if the victim is what is wanted.
fn fill_from_victim(asm: &mut Asm, view: View, is_store: bool, by_helper: u64) {
    let table = tlb(view);
    let victims = (offset_of!(Cpu, mmu) + Tlb::victims_offset(view)) as i32 - BIAS;
    asm.alu_imm(Alu::Add, 64, MISSES, 1);
    asm.push(RAX);
    asm.push(RCX);
    asm.load(32, RCX, T1);
    asm.alu_imm(Alu::And, 32, RCX, Tlb::INDEX_MASK as i32);
    asm.load(64, RAX, T0);
    let tag = victims + if is_store { 8 } else { 0 };
    asm.alu_from(Alu::Xor, 64, RAX, sum(RBP, RCX, tag));
    asm.shift_imm(Turn::Shr, 32, T1, FILL_LIMIT);
    asm.alu(Alu::Cmp, 64, RAX, T1);
    let other = asm.branch_ahead(cc::A);
    asm.lea(64, T1, sum(RBP, RCX, 0));
    for part in (0..size_of::<TlbEntry>() as i32).step_by(8) {
        let (entry, victim) = (at(T1, table + part), at(T1, victims + part));
        asm.load(64, RAX, entry);
        asm.load(64, RCX, victim);
        asm.store(64, entry, RCX);
        asm.store(64, victim, RAX);
    }
    asm.pop(RCX);
    asm.pop(RAX);
    asm.test(64, RSP, RSP);
    asm.ret();
    asm.bind(other);
    if is_store {
        store_beside_code(asm, view);
    }
    asm.pop(RCX);
    asm.pop(RAX);
    if is_store {
        asm.alu_imm(Alu::Or, 32, T1, FILL_WRITE as i32);
    }
    asm.jump(by_helper);
}

/// Fills the cell of the stack from the entry of the TLB, or goes on to fill that.
fn fill_stack(asm: &mut Asm, view: View, is_store: bool, fill: u64) {
    let entry = |offset: usize| sum(RBP, RCX, tlb(view) + offset as i32);
    asm.push(RAX);
    asm.push(RCX);
    asm.load(64, RCX, T0);
    asm.shift_imm(Turn::Shr, 64, RCX, Tlb::INDEX_SHIFT as u8);
    asm.alu_imm(Alu::And, 32, RCX, Tlb::INDEX_MASK as i32);
    asm.alu(Alu::Or, 32, T1, RCX);
    asm.load(64, RAX, T0);
    let tag = if is_store {
        offset_of!(TlbEntry, write_tag)
    } else {
        offset_of!(TlbEntry, read_tag)
    };
    asm.alu_from(Alu::Xor, 64, RAX, entry(tag));
    asm.push(T1);
    asm.shift_imm(Turn::Shr, 32, T1, FILL_LIMIT);
    asm.alu(Alu::Cmp, 64, RAX, T1);
    asm.pop(T1);
    let miss = asm.branch_ahead(cc::A);
    for is_store in [false, true] {
        let [page, host_page, limit4] = stack_parts(view, 4, is_store);
        let [_, _, limit8] = stack_parts(view, 8, is_store);
        asm.store_imm(64, limit4, 0);
        asm.store_imm(64, limit8, 0);
        asm.load(64, RAX, entry(offset_of!(TlbEntry, read_tag)));
        asm.store(64, page, RAX);
        let may = if is_store {
            asm.alu_from(Alu::Cmp, 64, RAX, entry(offset_of!(TlbEntry, write_tag)));
            Some(asm.branch_ahead(cc::NE))
        } else {
            asm.load(64, RAX, entry(offset_of!(TlbEntry, host_page)));
            asm.store(64, host_page, RAX);
            None
        };
        asm.store_imm(64, limit4, StackCell::limit(4) as i32);
        asm.store_imm(64, limit8, StackCell::limit(8) as i32);
        if let Some(not) = may {
            asm.bind(not);
        }
    }
    asm.pop(RCX);
    asm.pop(RAX);
    asm.test(64, RSP, RSP);
    asm.ret();
    asm.bind(miss);
    asm.pop(RCX);
    asm.pop(RAX);
    asm.jump(fill);
}

/// Makes an address the host's by the TLB, which is filled if need be.
fn find(asm: &mut Asm, [view, kind, bytes]: [usize; 3], fill: u64) -> u64 {
    let start = asm.base + asm.here() as u64;
    let table = tlb(View::ALL[view]);
    let tag = sum(RBP, T1, table + 8 * kind as i32);
    let host_page = offset_of!(TlbEntry, host_page) as i32;
    let limit = 4096 - bytes as i32;
    asm.load(64, T1, T0);
    asm.shift_imm(Turn::Shr, 64, T1, Tlb::INDEX_SHIFT as u8);
    asm.alu_imm(Alu::And, 32, T1, Tlb::INDEX_MASK as i32);
    asm.alu_from(Alu::Xor, 64, T0, tag);
    asm.alu_imm(Alu::Cmp, 64, T0, limit);
    let miss = asm.branch_ahead(cc::A);
    // No page of the host's is at zero.
    asm.alu_from(Alu::Add, 64, T0, sum(RBP, T1, table + host_page));
    asm.ret();
    asm.bind(miss);
    asm.alu_from(Alu::Xor, 64, T0, tag);
    asm.alu_imm(Alu::Or, 32, T1, limit << FILL_LIMIT);
    asm.call(fill);
    let beside_code = asm.branch_ahead(cc::B);
    let filled = asm.branch_ahead(cc::NE);
    let again = (start - asm.base) as usize;
    asm.bind_to(filled, again);
    asm.ret();
    asm.bind(beside_code);
    asm.alu(Alu::Add, 64, T0, T1);
    asm.ret();
    start
}

/// Opens a window from the entry of the TLB, or goes on to fill that.
fn open(asm: &mut Asm, view: View, is_store: bool, fill: u64) -> Option<u64> {
    let [first, opened, missed] = windows(view, is_store)?;
    let start = asm.base + asm.here() as u64;
    let entry = |offset: usize| sum(RBP, RDX, tlb(view) + offset as i32);
    let tag = if is_store {
        offset_of!(TlbEntry, write_tag)
    } else {
        offset_of!(TlbEntry, read_tag)
    };
    asm.push(RAX);
    asm.push(RCX);
    asm.push(RDX);
    asm.zero_extend(16, RCX, T1);
    asm.shift_imm(Turn::Shr, 32, T1, FILL_LIMIT);
    asm.load(64, RDX, T0);
    asm.shift_imm(Turn::Shr, 64, RDX, Tlb::INDEX_SHIFT as u8);
    asm.alu_imm(Alu::And, 32, RDX, Tlb::INDEX_MASK as i32);
    asm.load(64, RAX, T0);
    asm.alu_from(Alu::Xor, 64, RAX, entry(tag));
    asm.alu(Alu::Cmp, 64, RAX, T1);
    let miss = asm.branch_ahead(cc::A);
    asm.set_bit(opened, RCX);
    asm.set_bit(missed, RCX);
    asm.shift_imm(
        Turn::Shl,
        32,
        RCX,
        size_of::<Window>().trailing_zeros() as u8,
    );
    let part = |offset: usize| sum(RBP, RCX, first.disp + offset as i32);
    asm.alu_imm(Alu::Add, 32, part(offset_of!(Window, misses)), 1);
    asm.alu(Alu::Sub, 64, T0, RAX);
    asm.store(64, part(offset_of!(Window, first)), T0);
    asm.alu_imm(Alu::Add, 32, T1, 1);
    asm.store(64, part(offset_of!(Window, limit)), T1);
    // Who called lies above what was pushed.
    asm.load(32, T1, at(RSP, 3 * 8));
    asm.store(32, part(offset_of!(Window, opener)), T1);
    asm.load(64, T1, entry(offset_of!(TlbEntry, host_page)));
    asm.store(64, part(offset_of!(Window, host)), T1);
    asm.load(64, T0, RAX);
    asm.pop(RDX);
    asm.pop(RCX);
    asm.pop(RAX);
    asm.set_carry();
    asm.ret();
    asm.bind(miss);
    asm.shift_imm(Turn::Shl, 32, T1, FILL_LIMIT);
    asm.alu(Alu::Or, 32, T1, RDX);
    asm.pop(RDX);
    asm.pop(RCX);
    asm.pop(RAX);
    asm.jump(fill);
    Some(start)
}

/// T1 is the limit and kind of the access, as the helper wants it.
fn fill_by_helper(asm: &mut Asm, helpers: &Helpers, [load_vectors, store_vectors]: [u64; 2]) {
    spill(asm);
    asm.alu_imm(Alu::Cmp, 32, VECTORS, 0);
    let there = asm.branch_ahead(cc::E);
    asm.call(store_vectors);
    asm.store_imm(32, VECTORS, AWAY);
    asm.bind(there);
    asm.load(64, RSI, T0);
    asm.load(32, RDX, T1);
    call(asm, helpers.fill);
    asm.store(64, EXIT, RAX);
    reload(asm);
    asm.alu_imm(Alu::Cmp, 32, VECTORS, 0);
    let there = asm.branch_ahead(cc::E);
    asm.call(load_vectors);
    asm.bind(there);
    asm.alu_imm(Alu::Cmp, 64, EXIT, 0);
    asm.ret();
}

/// Emits the routines that make flags valid.
fn flag_routines(
    asm: &mut Asm,
    helpers: &Helpers,
    [load_vectors, store_vectors]: [u64; 2],
    routines: &mut Routines,
) {
    routines.settle = asm.base + asm.here() as u64;
    spill(asm);
    asm.alu_imm(Alu::Cmp, 32, VECTORS, 0);
    let there = asm.branch_ahead(cc::E);
    asm.call(store_vectors);
    asm.store_imm(32, VECTORS, AWAY);
    asm.bind(there);
    call(asm, helpers.settle);
    asm.load(64, T1, RAX);
    reload(asm);
    asm.push(T1);
    asm.alu_imm(Alu::Cmp, 32, VECTORS, 0);
    let there = asm.branch_ahead(cc::E);
    asm.call(load_vectors);
    asm.bind(there);
    asm.pop_flags();
    asm.ret();

    routines.flags = asm.base + asm.here() as u64;
    simple_flags(asm, routines.settle);
}

/// Goes to RIP by the jump cache, all registers being in the state; the unit that called is
/// left for good. The mode may have changed, so no frame may be returned to.
fn dispatch(asm: &mut Asm, routines: &Routines) {
    forget_frames(asm);
    reload(asm);
    asm.load(64, T0, RIP);
    asm.alu_from(Alu::Or, 64, T0, CODE_BASE);
    asm.jump(routines.go);
}

/// Makes the host's stack that of compiled code without any calls: one frame, to which
/// returns without a call come.
pub(super) fn forget_frames(asm: &mut Asm) {
    asm.load(64, RSP, HOST_STACK);
    asm.lea(64, RSP, at(RSP, -8));
}

/// Emits the routine that enters compiled code.
fn enter(asm: &mut Asm, underflow: u64) {
    for register in SAVED {
        asm.push(register);
    }
    asm.alu_imm(Alu::Sub, 64, RSP, 8);
    asm.lea(64, RBP, at(RDI, BIAS));
    asm.store(64, HOST_STACK, RSP);
    asm.lea(64, T0, at(RSP, -FRAMES));
    asm.store(64, STACK_LIMIT, T0);
    asm.constant(T1, underflow);
    asm.push(T1);
    asm.load(64, T0, RSI);
    asm.load(64, BUDGET, BUDGET_CELL);
    reload(asm);
    asm.jump_indirect(T0);
}

/// Emits the routines that go to an address that is computed, and the one that enters.
///
/// A call of the guest's is one of the host's, so that the host predicts the return. What
/// is on the host's stack is trusted by nobody: where a return lands, T0 is compared with
/// the key of the address that the guest returns to. So frames may be dropped at any time, and must
/// be whenever the mode or the address space changes.
fn computed(asm: &mut Asm, routines: &mut Routines) {
    let underflow = asm.base + asm.here() as u64;
    // Whoever returns next comes here, too.
    asm.constant(T1, underflow);
    asm.push(T1);
    routines.go = asm.base + asm.here() as u64;
    let miss = find_jump(asm);
    asm.jump_indirect(FOUND);
    asm.bind(miss);
    routines.leave_for = asm.base + asm.here() as u64;
    asm.alu_from(Alu::Cmp, 64, T0, SECOND_KEY);
    let miss = asm.branch_ahead(cc::NE);
    asm.jump_indirect(SECOND_FOUND);
    asm.bind(miss);
    asm.alu_from(Alu::Xor, 64, T0, CODE_BASE);
    asm.store(64, RIP, T0);
    asm.constant(T0, UNKNOWN);
    asm.jump(routines.exit);
    routines.drop_frames = asm.base + asm.here() as u64;
    forget_frames(asm);
    asm.jump_indirect(T1);
    routines.enter = asm.base + asm.here() as u64;
    enter(asm, underflow);
}

/// Emits the routines.
pub(super) fn routines(base: u64, helpers: &Helpers, has_bmi2: bool) -> (Vec<u8>, Routines) {
    let mut asm = Asm::new(base, Vec::new());
    let mut routines = Routines::default();
    let (load_vectors, store_vectors) = vector_routines(&mut asm);
    routines.load_vectors = load_vectors;

    routines.exit = base + asm.here() as u64;
    spill(&mut asm);
    put_back_vectors(&mut asm, store_vectors);
    asm.store(64, BUDGET_CELL, BUDGET);
    let leave = base + asm.here() as u64;
    asm.store(64, EXIT, T0);
    save_x87(&mut asm);
    asm.load(64, RSP, HOST_STACK);
    asm.alu_imm(Alu::Add, 64, RSP, 8);
    for register in SAVED.into_iter().rev() {
        asm.pop(register);
    }
    asm.ret();

    computed(&mut asm, &mut routines);

    for with_flags in [false, true] {
        let start = base + asm.here() as u64;
        spill(&mut asm);
        put_back_vectors(&mut asm, store_vectors);
        asm.store(64, BUDGET_CELL, BUDGET);
        asm.load(64, RSI, T0);
        asm.load(32, RDX, T1);
        if with_flags {
            routines.carry_out_with_flags = start;
            call(&mut asm, helpers.carry_out_with_flags);
        } else {
            routines.carry_out = start;
            call(&mut asm, helpers.carry_out);
        }
        asm.load(64, BUDGET, BUDGET_CELL);
        asm.alu_imm(Alu::Cmp, 64, RAX, DISPATCH as i32);
        let out = asm.branch_ahead(cc::B);
        let elsewhere = asm.branch_ahead(cc::E);
        asm.load(64, T1, RAX);
        reload(&mut asm);
        if with_flags {
            asm.push(T1);
            asm.pop_flags();
        }
        asm.ret();
        asm.bind(elsewhere);
        dispatch(&mut asm, &routines);
        asm.bind(out);
        asm.constant(T0, NO_EXIT);
        asm.jump(leave);
    }

    routines.save_x87 = base + asm.here() as u64;
    save_x87(&mut asm);
    asm.ret();

    routines.enter_x87 = base + asm.here() as u64;
    enter_x87(&mut asm, helpers, store_vectors, leave);

    let vectors = [load_vectors, store_vectors];
    routines.x87_functions = super::x87::routines(&mut asm, helpers, vectors);

    routines.fill = fill(&mut asm, helpers, [load_vectors, store_vectors]);
    routines.fill_stack = routines.fill;
    for view in View::ALL {
        for is_store in [false, true] {
            let [by_view, at] = [view as usize, usize::from(is_store)];
            routines.fill_stack[by_view][at] = base + asm.here() as u64;
            let fill = routines.fill[by_view][at];
            fill_stack(&mut asm, view, is_store, fill);
            for (bytes, routine) in [4, 8].into_iter().zip(0..) {
                routines.find[by_view][at][routine] = find(&mut asm, [by_view, at, bytes], fill);
            }
            routines.open[by_view][at] = open(&mut asm, view, is_store, fill).unwrap_or(0);
        }
    }

    flag_routines(
        &mut asm,
        helpers,
        [load_vectors, store_vectors],
        &mut routines,
    );
    routines.repeat = super::strings::routines(&mut asm, has_bmi2);
    routines.search = super::shortcut::search_routines(&mut asm, has_bmi2);
    (asm.finish(), routines)
}
