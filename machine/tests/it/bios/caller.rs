//! A PC that carries out one BIOS call after the other for a test: its boot sector waits for registers at 600h, calls
//! the handler that the vector table names, and leaves the registers there again.

use iced_x86::IcedError;
use iced_x86::code_asm::CodeAssembler;
use rax_machine::{End, Fittings};
use rax_mmu::PhysicalAddress;

use super::bench;
use crate::support::Bench;

/// What the program and the test tell each other.
const STATE: u32 = 0x600;
const HANDLER: u32 = 0x604;
const REGISTERS: u32 = 0x610;
const SEGMENTS: u32 = 0x628;
const FLAGS: u32 = 0x62C;
/// The states: waiting, calling.
const WAITING: u8 = 0xA5;
const CALLING: u8 = 0x5A;
const SLICE: u64 = 50_000;
const SLICES: u64 = 40_000;

/// Registers, before or after.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Registers {
    pub(crate) eax: u32,
    pub(crate) ebx: u32,
    pub(crate) ecx: u32,
    pub(crate) edx: u32,
    pub(crate) esi: u32,
    pub(crate) edi: u32,
    pub(crate) ds: u16,
    pub(crate) es: u16,
    /// After the call only.
    pub(crate) carry: bool,
}

impl Registers {
    /// AH: what most services return in.
    pub(crate) fn ah(self) -> u8 {
        self.eax.to_le_bytes()[1]
    }

    pub(crate) fn al(self) -> u8 {
        self.eax.to_le_bytes()[0]
    }
}

/// The boot sector.
pub(crate) fn boot_sector() -> Vec<u8> {
    let mut code = program().unwrap().assemble(0x7C00).unwrap();
    code.resize(510, 0);
    code.extend([0x55, 0xAA]);
    code
}

fn program() -> Result<CodeAssembler, IcedError> {
    use iced_x86::code_asm::{
        ax, byte_ptr, ds, dword_ptr, eax, ebx, ecx, edi, edx, es, esi, sp, ss, word_ptr,
    };
    let [state, handler] = [u64::from(STATE), u64::from(HANDLER)];
    let registers = |n: u64| dword_ptr(u64::from(REGISTERS) + 4 * n);
    let [data, extra] = [u64::from(SEGMENTS), u64::from(SEGMENTS) + 2];
    let mut a = CodeAssembler::new(16)?;
    let mut wait = a.create_label();
    a.xor(ax, ax)?;
    a.mov(ds, ax)?;
    a.mov(ss, ax)?;
    a.mov(sp, 0x7C00)?;
    a.sti()?;
    a.mov(byte_ptr(state), u32::from(WAITING))?;
    a.set_label(&mut wait)?;
    a.cmp(byte_ptr(state), u32::from(CALLING))?;
    a.jne(wait)?;
    for (n, register) in [eax, ebx, ecx, edx, esi, edi].into_iter().enumerate() {
        a.mov(register, registers(n as u64))?;
    }
    a.mov(es, word_ptr(extra))?;
    a.mov(ds, word_ptr(data))?;
    // What INT does.
    a.pushf()?;
    a.cli()?;
    a.call(dword_ptr(handler).cs())?;
    a.pushf()?;
    a.push(ds)?;
    a.push(0)?;
    a.pop(ds)?;
    a.pop(word_ptr(data))?;
    a.pop(word_ptr(u64::from(FLAGS)))?;
    a.mov(word_ptr(extra), es)?;
    for (n, register) in [eax, ebx, ecx, edx, esi, edi].into_iter().enumerate() {
        a.mov(registers(n as u64), register)?;
    }
    a.mov(byte_ptr(state), u32::from(WAITING))?;
    a.jmp(wait)?;
    Ok(a)
}

/// The PC.
pub(crate) struct Caller {
    pub(crate) bench: Bench,
}

impl Caller {
    /// One that has booted [`boot_sector`] from what is plugged in.
    pub(crate) fn boot(fittings: Fittings) -> Self {
        let mut caller = Self {
            bench: bench(fittings),
        };
        caller.wait();
        caller
    }

    /// Calls an interrupt.
    pub(crate) fn call(&mut self, vector: u32, before: Registers) -> Registers {
        let handler = self.read(vector * 4, 4);
        self.write(HANDLER, &handler);
        let Registers {
            eax,
            ebx,
            ecx,
            edx,
            esi,
            edi,
            ds,
            es,
            carry: _,
        } = before;
        for (n, value) in (0u32..).zip([eax, ebx, ecx, edx, esi, edi]) {
            self.write(REGISTERS + 4 * n, &value.to_le_bytes());
        }
        self.write(SEGMENTS, &ds.to_le_bytes());
        self.write(SEGMENTS + 2, &es.to_le_bytes());
        self.write(STATE, &[CALLING]);
        self.wait();
        let register = |n: u32| self.dword(REGISTERS + 4 * n);
        let segments = self.dword(SEGMENTS);
        Registers {
            eax: register(0),
            ebx: register(1),
            ecx: register(2),
            edx: register(3),
            esi: register(4),
            edi: register(5),
            ds: segments as u16,
            es: (segments >> 16) as u16,
            carry: self.dword(FLAGS) & 1 != 0,
        }
    }

    /// INT 13h with AX, CX, DX and ES:BX. AH, and AX.
    pub(crate) fn disk(&mut self, ax: u32, cx: u32, dx: u32, (es, bx): (u16, u32)) -> Registers {
        let before = Registers {
            eax: ax,
            ebx: bx,
            ecx: cx,
            edx: dx,
            es,
            ..Registers::default()
        };
        self.call(0x13, before)
    }

    fn wait(&mut self) {
        for _ in 0..SLICES {
            if self.read(STATE, 1) == [WAITING] {
                return;
            }
            let end = self.bench.run(SLICE);
            assert!(
                matches!(end, End::Instructions),
                "{end:?}\n{}",
                self.bench.screen()
            );
        }
        panic!("no answer\n{}", self.bench.screen());
    }

    pub(crate) fn read(&self, address: u32, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let address = PhysicalAddress(address.into());
        let memory = self.bench.machine.memory();
        memory.ram_read(address, &mut bytes).unwrap();
        bytes
    }

    pub(crate) fn write(&self, address: u32, bytes: &[u8]) {
        let address = PhysicalAddress(address.into());
        let memory = self.bench.machine.memory();
        memory.ram_write(address, bytes).unwrap();
    }

    pub(crate) fn dword(&self, address: u32) -> u32 {
        u32::from_le_bytes(self.read(address, 4).try_into().unwrap())
    }

    pub(crate) fn word(&self, address: u32) -> u16 {
        u16::from_le_bytes(self.read(address, 2).try_into().unwrap())
    }
}
