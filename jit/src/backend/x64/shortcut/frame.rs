//! Several values on the stack at once: PUSHA, POPA, ENTER (SDM 2A and 2B).

use rax_cpu::state::Gpr;

use crate::backend::x64::abi::{T0, pinned};
use crate::backend::x64::asm::at;
use crate::backend::x64::{Emit, Stuck};

/// The registers of PUSHA, from the lowest address up.
const ALL: [Gpr; 8] = [
    Gpr::Rdi,
    Gpr::Rsi,
    Gpr::Rbp,
    Gpr::Rsp,
    Gpr::Rbx,
    Gpr::Rdx,
    Gpr::Rcx,
    Gpr::Rax,
];

impl Emit<'_> {
    /// One probe for all of it.
    pub(super) fn push_all(&mut self, bits: u32) -> Result<(), Stuck> {
        let bytes = bits / 8;
        let all = 8 * bytes;
        let to = self.on_stack(-(all as i32), all, true)?;
        self.asm.lea(64, T0, to);
        for (register, n) in ALL.into_iter().zip(0..) {
            if let Some(host) = pinned(register) {
                self.asm.store(bits, at(T0, n * bytes as i32), host);
            }
        }
        self.adjust_stack(-(all as i32))
    }

    pub(super) fn pop_all(&mut self, bits: u32) -> Result<(), Stuck> {
        let bytes = bits / 8;
        let all = 8 * bytes;
        let restored = || ALL.into_iter().zip(0..).filter(|(of, _)| *of != Gpr::Rsp);
        for (register, _) in restored() {
            self.clobber(register)?;
        }
        let from = self.on_stack(0, all, false)?;
        self.asm.lea(64, T0, from);
        for (register, n) in restored() {
            if let Some(host) = pinned(register) {
                self.asm.load(bits, host, at(T0, n * bytes as i32));
            }
            self.forget(register);
        }
        self.adjust_stack(all as i32)
    }

    /// ENTER without a display. The new top must be writable too.
    pub(super) fn enter_frame(&mut self, bits: u32, room: u16) -> Result<(), Stuck> {
        let bytes = bits / 8;
        let down = -(bytes as i32);
        let room = i32::from(room);
        if room != 0 {
            self.on_stack(down - room, bytes, true)?;
        }
        let to = self.on_stack(down, bytes, true)?;
        self.asm.lea(64, T0, to);
        let (Some(frame), Some(pointer)) = (pinned(Gpr::Rbp), pinned(Gpr::Rsp)) else {
            return self.stuck();
        };
        self.asm.store(bits, at(T0, 0), frame);
        self.adjust_stack(down)?;
        self.clobber(Gpr::Rbp)?;
        self.asm.load(bits, frame, pointer);
        self.forget(Gpr::Rbp);
        self.adjust_stack(-room)
    }
}
