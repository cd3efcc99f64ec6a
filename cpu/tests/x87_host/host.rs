//! Runs one x87 instruction on the host, from a state to a state.

use std::ptr;

use super::image::{FLAGS, Image, MEMORY, Scene};

/// Bytes of the code around one instruction.
const SLOT: usize = 128;

/// What the code reads and writes, at RDI.
#[repr(C, align(64))]
struct Area {
    before: Image,
    after: Image,
    rax: u64,
    flags: u64,
    memory: [u8; MEMORY],
}

const AFTER: u32 = 512;
const RAX: u32 = 1024;
const FLAGS_PLACE: u32 = 1032;
const _: () = assert!(std::mem::offset_of!(Area, after) == AFTER as usize);
const _: () = assert!(std::mem::offset_of!(Area, rax) == RAX as usize);
const _: () = assert!(std::mem::offset_of!(Area, flags) == FLAGS_PLACE as usize);

/// Machine code for every instruction under test.
pub(crate) struct Host {
    code: *mut u8,
    bytes: usize,
    /// Where the instruction itself is in its slot.
    offset: usize,
}

impl Host {
    /// Writes the code.
    pub(crate) fn new<'a>(instructions: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut offset = 0;
        let mut code = Vec::new();
        for instruction in instructions {
            let (slot, at) = around(instruction);
            offset = at;
            code.extend_from_slice(&slot);
            code.resize(code.len().next_multiple_of(SLOT), 0xcc);
        }
        let protection = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping disturbs nobody.
        let mapped = unsafe { libc::mmap(ptr::null_mut(), code.len(), protection, flags, -1, 0) };
        assert_ne!(mapped, libc::MAP_FAILED, "no executable memory");
        let mapped = mapped.cast::<u8>();
        // SAFETY: the mapping is as long as the code, and new.
        unsafe { ptr::copy_nonoverlapping(code.as_ptr(), mapped, code.len()) };
        Self {
            code: mapped,
            bytes: code.len(),
            offset,
        }
    }

    /// Runs an instruction; IP and DP come back counted from the instruction and its operand.
    pub(crate) fn run(&self, number: usize, scene: &Scene) -> Scene {
        let mut area = Area {
            before: scene.image.clone(),
            after: Image([0; 512]),
            rax: scene.rax,
            flags: scene.flags,
            memory: scene.memory,
        };
        assert!((number + 1) * SLOT <= self.bytes, "no such instruction");
        // SAFETY: the slot lies in the mapping.
        let entry = unsafe { self.code.add(number * SLOT) };
        let operand = area.memory.as_mut_ptr();
        // SAFETY: the code follows the convention, and touches the area alone; the x87 unit is
        // left initialised.
        let function = unsafe {
            std::mem::transmute::<*mut u8, extern "sysv64" fn(*mut Area, *mut u8)>(entry)
        };
        function(&raw mut area, operand);
        let ip = entry as u64 + self.offset as u64;
        let mut image = area.after;
        image.relocate(ip, operand as u64);
        Scene {
            image,
            rax: area.rax,
            flags: area.flags & FLAGS | 2,
            memory: area.memory,
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and no code of it runs.
        unsafe { libc::munmap(self.code.cast(), self.bytes) };
    }
}

/// Loads the state, runs the instruction with its operand at RSI, saves the state. And where the
/// instruction is.
fn around(instruction: &[u8]) -> (Vec<u8>, usize) {
    let with = |code: &[u8], displacement: u32| [code, &displacement.to_le_bytes()].concat();
    let head = [
        vec![0x48, 0x0f, 0xae, 0x0f],     // fxrstor64 [rdi]
        with(&[0x48, 0x8b, 0x87], RAX),   // mov rax, [rdi + RAX]
        with(&[0xff, 0xb7], FLAGS_PLACE), // push qword [rdi + FLAGS]
        vec![0x9d],                       // popfq
    ]
    .concat();
    let tail = [
        vec![0x9c],                             // pushfq
        with(&[0x8f, 0x87], FLAGS_PLACE),       // pop qword [rdi + FLAGS]
        with(&[0x48, 0x89, 0x87], RAX),         // mov [rdi + RAX], rax
        with(&[0x48, 0x0f, 0xae, 0x87], AFTER), // fxsave64 [rdi + AFTER]
        vec![0xdb, 0xe3],                       // fninit
        vec![0xc3],                             // ret
    ]
    .concat();
    let offset = head.len();
    ([&head, instruction, &tail].concat(), offset)
}
