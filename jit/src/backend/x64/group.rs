//! Pushes, or pops, one after the other: one probe for all of them.
//!
//! They begin and end most functions. All of them lie within 64 bytes, so nearly always
//! within one page, which the cell of the stack knows. Where they do not, cold code looks
//! for each place by itself, and has the interpreter carry all of them out if one is not to be
//! had: what was stored or loaded before is stored or loaded again.

use rax_cpu::ir::Op;
use rax_cpu::state::Gpr;
use rax_mmu::View;

use super::abi::{self, FILL_LIMIT, T0, T1, home, pinned};
use super::asm::{Alu, Fixup, Mem, at, cc};
use super::detour::{Cold, Detour};
use super::flags::HostFlags;
use super::pending::Pending;
use super::x87::Noted;
use super::{Emit, Stuck};

/// Values of a group: their limit is 64 bytes, of which the marks of code can be looked at
/// at once.
const MOST: usize = 8;

/// Instructions that push, or pop, a register each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    /// Number of the first instruction.
    first: usize,
    count: usize,
    is_push: bool,
    /// Size of a value in bytes: 4 or 8.
    bytes: u32,
    /// What is pushed, or popped into.
    registers: [Gpr; MOST],
}

/// One whose probe was emitted.
#[derive(Debug)]
pub(super) struct Grouped {
    group: Group,
    /// Jumps from the probe if the cell of the stack is another page's, and if the values
    /// lie in two pages.
    missed: Fixup,
    crosses: Fixup,
    /// Offsets of the probe, of what follows it, and of what comes after the group.
    again: usize,
    found: usize,
    back: usize,
    with_vectors: bool,
    noted: Noted,
    pending: Pending,
}

impl Group {
    /// Number of the instruction behind it.
    pub(super) const fn end(&self) -> usize {
        self.first + self.count
    }

    /// The registers, numbered.
    fn registers(&self) -> impl Iterator<Item = (usize, Gpr)> + use<> {
        self.registers.into_iter().take(self.count).enumerate()
    }

    const fn span(&self) -> i32 {
        self.count as i32 * self.bytes as i32
    }

    /// Where the stack pointer goes.
    const fn distance(&self) -> i32 {
        if self.is_push {
            -self.span()
        } else {
            self.span()
        }
    }

    /// Where the lowest value lies from the stack pointer.
    const fn lowest(&self) -> i32 {
        if self.is_push { -self.span() } else { 0 }
    }

    /// Where a value lies from the lowest.
    const fn place(&self, n: usize) -> i32 {
        let n = if self.is_push { self.count - 1 - n } else { n };
        n as i32 * self.bytes as i32
    }
}

impl Emit<'_> {
    /// The group that begins with an instruction, if that is more than one.
    pub(super) fn group_at(&self, first: usize) -> Option<Group> {
        let (register, is_push, bits) = self.moved_on_stack(first)?;
        let may = matches!(bits, 32 | 64)
            && !self.unit.is_segmented()
            && self.vectors.has_temps()
            && self.view() != View::Careful;
        if !may {
            return None;
        }
        let mut group = Group {
            first,
            count: 1,
            is_push,
            bytes: bits / 8,
            registers: [register; MOST],
        };
        while group.count < MOST
            && group.end() < self.plan.instructions()
            && self.unit.again.map(usize::from) != Some(group.end())
            && let Some((register, also_push, also)) = self.moved_on_stack(group.end())
            && (also_push, also) == (is_push, bits)
        {
            group.registers[group.count] = register;
            group.count += 1;
        }
        (group.count > 1).then_some(group)
    }

    /// If an instruction pushes or pops a register, but for the stack pointer itself: which,
    /// whether it is a push, and how wide it is.
    fn moved_on_stack(&self, index: usize) -> Option<(Gpr, bool, u32)> {
        if self.plan.is_carried_out(index) {
            return None;
        }
        let found = match self.block.ops[self.plan.range(index)] {
            [(Op::ReadGpr(register, false), bits), (Op::Push(_), _)] => (register, true, bits),
            [
                (Op::StackTop, bits),
                (Op::MoveStack(_), _),
                (Op::WriteGpr(register, false, _), _),
            ] => (register, false, bits),
            _ => return None,
        };
        let is_as_wide = u32::from(self.unit.insns[index].stack_bits) == found.2;
        (found.0 != Gpr::Rsp && is_as_wide).then_some(found)
    }

    pub(super) fn group(&mut self, group: Group) -> Result<(), Stuck> {
        self.index = group.first as u32;
        self.position = self.plan.range(group.first).start;
        if !group.is_push {
            for (_, register) in group.registers() {
                self.clobber(register)?;
            }
        }
        self.clobber(Gpr::Rsp)?;
        // What flags follow from is out of the way now, whichever way is taken.
        let (noted, pending) = (self.noted, self.pending);
        if self.free.len() != 2 {
            // A value had to move out of the way.
            return self.stuck();
        }
        self.count_access();
        let [page, host_page, limit] = abi::stack_parts(self.view(), group.bytes, group.is_push);
        self.stack_address(group.lowest(), group.bytes, group.is_push)?;
        let again = self.asm.here();
        self.asm.alu_from(Alu::Xor, 64, T0, page);
        self.asm.alu_from(Alu::Cmp, 64, T0, limit);
        let missed = self.asm.branch_ahead(cc::AE);
        self.asm.alu_imm(Alu::Cmp, 32, T0, 4096 - group.span());
        let crosses = self.asm.branch_ahead(cc::A);
        self.asm.alu_from(Alu::Add, 64, T0, host_page);
        let found = self.asm.here();
        self.host_flags = HostFlags::Unknown;
        for (n, register) in group.registers() {
            self.move_grouped(group, register, at(T0, group.place(n)));
        }
        self.index = (group.end() - 1) as u32;
        self.position = self.plan.range(self.index as usize).end - 1;
        for (_, register) in group.registers().filter(|_| !group.is_push) {
            self.forget(register);
        }
        self.adjust_stack(group.distance())?;
        self.cold.push(Cold {
            from: [None; 2],
            what: Detour::Group(Grouped {
                group,
                missed,
                crosses,
                again,
                found,
                back: self.asm.here(),
                with_vectors: self.vectors.are_loaded,
                noted,
                pending,
            }),
        });
        Ok(())
    }

    /// Pushes or pops one value, whose place is known. Disturbs T1, and no flags.
    fn move_grouped(&mut self, group: Group, register: Gpr, place: Mem) {
        let bits = group.bytes * 8;
        let host = pinned(register).unwrap_or(T1);
        if group.is_push {
            if host == T1 {
                self.asm.load(64, T1, home(register));
            }
            self.asm.store(bits, place, host);
        } else {
            self.asm.load(bits, host, place);
            if host == T1 {
                self.asm.store(64, home(register), T1);
            }
        }
    }

    /// What is off the straight way.
    pub(super) fn group_apart(&mut self, grouped: &Grouped) {
        let group = grouped.group;
        let (view, kind) = (self.view() as usize, usize::from(group.is_push));
        let [page, ..] = abi::stack_parts(self.view(), group.bytes, group.is_push);
        self.asm.bind(grouped.missed);
        self.asm.alu_from(Alu::Xor, 64, T0, page);
        let limit = (4096 - group.span()) as u64;
        self.asm.constant(T1, limit << FILL_LIMIT);
        self.asm.call(self.backend.routines.fill_stack[view][kind]);
        if group.is_push {
            let none = self.asm.branch_ahead(cc::AE);
            self.asm.alu(Alu::Add, 64, T0, T1);
            let found = self.asm.jump_ahead();
            self.asm.bind_to(found, grouped.found);
            self.asm.bind(none);
        }
        let again = self.asm.branch_ahead(cc::NE);
        self.asm.bind_to(again, grouped.again);
        // One by one.
        self.asm.bind(grouped.crosses);
        let [four, eight] = self.backend.routines.find[view][kind];
        let find = if group.bytes == 8 { eight } else { four };
        let mut failed = [None; MOST];
        for (n, register) in group.registers() {
            let pointer = pinned(Gpr::Rsp).unwrap_or_default();
            let place = group.lowest() + group.place(n);
            self.asm.lea(group.bytes * 8, T0, at(pointer, place));
            self.asm.call(find);
            failed[n] = Some(self.asm.branch_ahead(cc::E));
            self.move_grouped(group, register, at(T0, 0));
        }
        let pointer = pinned(Gpr::Rsp).unwrap_or_default();
        let moved = at(pointer, group.distance());
        self.asm.lea(group.bytes * 8, pointer, moved);
        let done = self.asm.jump_ahead();
        self.asm.bind_to(done, grouped.back);
        for at in failed.into_iter().flatten() {
            self.asm.bind(at);
        }
        self.write_noted(grouped.noted);
        grouped.pending.store(&mut self.asm);
        let end = group.end();
        for index in group.first..end {
            self.call_interpreter(index as u32, false);
        }
        if grouped.with_vectors && end < self.unit.insns.len() {
            self.load_vectors_after(end as u32, false);
        }
        let back = self.asm.jump_ahead();
        self.asm.bind_to(back, grouped.back);
    }
}
