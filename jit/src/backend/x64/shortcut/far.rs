//! Far JMP, CALL and RET in real and virtual-8086 mode, where a selector is a base
//! (SDM 3B, 21.1.1). What follows is found by its key, in the same jump cache.

use rax_cpu::segment::SegmentRegister;

use crate::backend::x64::abi::{
    CODE_BASE, PLAIN_SEGMENTS, T0, T1, scratch, segment_base, segment_limit, selector,
};
use crate::backend::x64::asm::{Alu, Turn, at, cc};
use crate::backend::x64::branch::Ending;
use crate::backend::x64::{Emit, Stuck};

const CS: SegmentRegister = SegmentRegister::Cs;

impl Emit<'_> {
    /// A load of CS must change selector and base alone, and none of them the mode.
    fn require_plain_code(&mut self) {
        // The x87 unit's pointers name the selector as it is now.
        let noted = std::mem::take(&mut self.noted);
        self.write_noted(noted);
        self.asm.test_imm(8, PLAIN_SEGMENTS, 1 << CS as usize);
        self.slow_if(cc::E);
        self.asm.alu_imm(Alu::Cmp, 32, segment_limit(CS), 0xffff);
        self.slow_if(cc::NE);
    }

    /// Goes to the selector in T1 and the offset in T0, both with zeros above.
    fn go_far(&mut self) {
        self.asm.store(16, selector(CS), T1);
        self.asm.shift_imm(Turn::Shl, 32, T1, 4);
        self.asm.store(64, segment_base(CS), T1);
        self.asm.shift_imm(Turn::Shl, 64, T1, 32);
        self.asm.store(64, CODE_BASE, T1);
        self.asm.alu(Alu::Or, 64, T0, T1);
        self.ending = Ending::Computed;
    }

    pub(super) fn far_jump(&mut self, bits: u32, is_call: bool) -> Result<(), Stuck> {
        let bytes = bits / 8;
        let insn = self.insn();
        self.require_plain_code();
        if insn.has_memory() {
            self.operand_address(0, bytes + 2, false)?;
            let from = self.probe(bytes + 2, false);
            self.asm.lea(64, T0, from);
            self.asm.zero_extend(16, T1, at(T0, bytes as i32));
            self.asm.zero_extend(bits, T0, at(T0, 0));
            if bits == 32 {
                self.asm.alu_imm(Alu::Cmp, 32, T0, 0xffff);
                self.slow_if(cc::A);
            }
            self.asm.store(64, scratch(0), T0);
            self.asm.store(64, scratch(1), T1);
        } else if insn.immediate > 0xffff {
            return self.stuck();
        }
        if is_call {
            let both = 2 * bytes;
            let to = self.on_stack(-(both as i32), both, true)?;
            self.asm.lea(64, T0, to);
            self.asm.zero_extend(16, T1, selector(CS));
            self.asm.store(bits, at(T0, bytes as i32), T1);
            self.asm.store_imm(bits, at(T0, 0), self.unit.end() as i32);
            self.adjust_stack(-(both as i32))?;
        }
        if insn.has_memory() {
            self.asm.load(64, T0, scratch(0));
            self.asm.load(64, T1, scratch(1));
        } else {
            self.asm.constant(T0, insn.immediate);
            self.asm.constant(T1, u64::from(insn.displacement as u16));
        }
        self.go_far();
        Ok(())
    }

    pub(super) fn far_return(&mut self, bits: u32, released: u16) -> Result<(), Stuck> {
        let bytes = bits / 8;
        self.require_plain_code();
        let from = self.on_stack(0, 2 * bytes, false)?;
        self.asm.lea(64, T0, from);
        self.asm.zero_extend(16, T1, at(T0, bytes as i32));
        self.asm.zero_extend(bits, T0, at(T0, 0));
        self.adjust_stack(2 * bytes as i32 + i32::from(released))?;
        self.go_far();
        Ok(())
    }
}
