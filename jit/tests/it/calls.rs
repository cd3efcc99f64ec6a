//! Calls, returns that come from elsewhere, and accesses that miss the TLB end in the same
//! state, interpreted or compiled, wherever they are stopped.

use rax_cpu::state::Gpr;
use rax_cpu::testing::{Bits, bare};
use rax_cpu::{CpuState, Engine, Interpreter, Stop};
use rax_jit::{Jit, Options};
use rax_mmu::PhysicalAddress;

const RAM: u64 = 0x100_0000;
const CODE: u64 = 0x1000;
const STACK: u64 = 0x80_0000;

/// The state and the instructions carried out after each of a few stops, the last at HLT.
fn ends(bits: Bits, code: &[u8], compiled: bool) -> Vec<(Stop, CpuState, u64)> {
    let mut cpu = bare(bits, RAM).unwrap();
    let memory = cpu.mmu.memory().clone();
    memory.ram_write(PhysicalAddress(CODE), code).unwrap();
    cpu.state.rip = CODE;
    cpu.state.set_gpr(Gpr::Rsp, STACK);
    let mut engine: Box<dyn Engine> = if compiled {
        let options = Options {
            threshold: 0,
            cache_bytes: 1 << 20,
            ..Options::default()
        };
        Box::new(Jit::new(&cpu, options).unwrap())
    } else {
        Box::new(Interpreter::new(&cpu))
    };
    let mut ends = Vec::new();
    for until in [100, 1777, 5000, 20_001, 3_000_000] {
        let stop = engine.run(&mut cpu, until);
        let mut state = cpu.state.clone();
        state.set_gpr(Gpr::BlockRip, 0);
        state.flags = rax_cpu::flags::LazyFlags::from_status(state.flags.status());
        ends.push((stop, state, cpu.state.instructions));
    }
    ends
}

/// Holds the two against each other; RAX at the end.
fn check(bits: Bits, code: &[u8]) -> u64 {
    let [interpreted, compiled] = [false, true].map(|compiled| ends(bits, code, compiled));
    for (n, (a, b)) in interpreted.iter().zip(&compiled).enumerate() {
        assert!(a == b, "stop {n}: {a:x?}\n{b:x?}");
    }
    let (stop, state, _) = &interpreted[4];
    assert_eq!(*stop, Stop::Halted, "{state:x?}");
    state.gpr(Gpr::Rax)
}

const BOTH: [Bits; 2] = [Bits::Long64, Bits::Protected32];

#[test]
fn deep_recursion_comes_back() {
    let code = [
        0xbf, 0x50, 0xc3, 0, 0, // mov edi, 50000
        0x31, 0xc0, // xor eax, eax
        0xe8, 1, 0, 0, 0,    // call f
        0xf4, // hlt
        0x83, 0xef, 1, // f: sub edi, 1
        0x74, 5, // jz out
        0xe8, 0xf6, 0xff, 0xff, 0xff, // call f
        0x83, 0xc0, 1,    // out: add eax, 1
        0xc3, // ret
    ];
    for bits in BOTH {
        assert_eq!(check(bits, &code), 50_000);
    }
}

#[test]
fn returns_without_calls_and_calls_without_returns_are_jumps() {
    let code = [
        0xbf, 0x50, 0xc3, 0, 0, // mov edi, 50000
        0x31, 0xc0, // xor eax, eax
        0xe8, 5, 0, 0, 0, // again: call over
        0x83, 0xc0, 1, // never: add eax, 1
        0xeb, 0xf6, // jmp again
        0x59, // over: pop rcx
        0x83, 0xc1, 20,   // add ecx, 20
        0x51, // push rcx
        0xc3, // ret
        0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, // nops
        0x83, 0xc0, 2, // there, at 0x20: add eax, 2
        0x83, 0xef, 1, // sub edi, 1
        0x75, 0xdf, // jnz again
        0xf4, // hlt
    ];
    for bits in BOTH {
        assert_eq!(check(bits, &code), 100_000);
    }
}

#[test]
fn a_callee_may_return_elsewhere() {
    for bits in BOTH {
        // add qword [rsp], 1: past the HLT behind the call.
        let moved: &[u8] = match bits {
            Bits::Long64 => &[0x48, 0x83, 0x04, 0x24, 1],
            _ => &[0x90, 0x83, 0x04, 0x24, 1],
        };
        let mut code = vec![
            0xbf, 0x50, 0xc3, 0, 0, // mov edi, 50000
            0x31, 0xc0, // xor eax, eax
            0xe8, 10, 0, 0, 0,    // again: call f
            0xf4, // hlt
            0x83, 0xc0, 1, // add eax, 1
            0x83, 0xef, 1, // sub edi, 1
            0x75, 0xf2, // jnz again
            0xf4, // hlt
        ];
        code.extend(moved);
        code.push(0xc3);
        assert_eq!(check(bits, &code), 50_000);
    }
}

#[test]
fn two_stacks_take_turns() {
    for bits in BOTH {
        // f: xchg rsp, rbx; ret
        let switch: &[u8] = match bits {
            Bits::Long64 => &[0x48, 0x87, 0xe3, 0xc3],
            _ => &[0x90, 0x87, 0xe3, 0xc3],
        };
        let mut code = vec![
            0xbf, 0x50, 0xc3, 0, 0, // mov edi, 50000
            0x31, 0xc0, // xor eax, eax
            0xbb, 0x00, 0x00, 0x40, 0x00, // mov ebx, 0x400000
            0xc7, 0x03, 0x23, 0x10, 0, 0, // mov dword [rbx], other
            0xe8, 0x16, 0, 0, 0, // again: call f
            0x83, 0xc0, 1, // add eax, 1
            0x83, 0xef, 1, // sub edi, 1
            0x75, 0xf3, // jnz again
            0xf4, // hlt
            0x90, 0x90, 0x90, // 0x20: nops
            0x83, 0xc0, 2, // other, at 0x23: add eax, 2
            0xe8, 2, 0, 0, 0, // call f
            0xeb, 0xf6, // jmp other
        ];
        // Where both calls lead.
        assert_eq!(code.len(), 0x2d);
        code.extend(switch);
        assert_eq!(check(bits, &code), 3 * 50_000);
    }
}

#[test]
fn a_return_to_no_address_faults() {
    // push a non-canonical address; ret. There is no handler: the processor shuts down.
    let code = [
        0x48, 0xb8, 1, 0, 0, 0, 0, 0, 0, 0x40, // mov rax, 1 << 62 | 1
        0x50, // push rax
        0xc3, // ret
    ];
    let [interpreted, compiled] = [false, true].map(|way| ends(Bits::Long64, &code, way));
    assert_eq!(interpreted[0].0, Stop::Shutdown);
    assert!(interpreted == compiled, "{:x?}", compiled[0]);
}

#[test]
fn pages_that_share_an_entry_of_the_tlb_take_turns() {
    // Three pages 4 MiB apart: the first is read, the second written, the third both,
    // and the last across its end.
    let code = [
        0xbf, 0x10, 0x27, 0, 0, // mov edi, 10000
        0x31, 0xc0, // xor eax, eax
        0xbb, 0x10, 0x20, 0x20, 0x00, // mov ebx, 0x202010
        0x03, 0x03, // again: add eax, [rbx]
        0x89, 0xbb, 0, 0, 0x40, 0, // mov [rbx + 0x400000], edi
        0x01, 0xbb, 0, 0, 0x80, 0, // add [rbx + 0x800000], edi
        0x03, 0x83, 0, 0, 0x40, 0, // add eax, [rbx + 0x400000]
        0x01, 0x83, 0xed, 0x0f, 0x40, 0, // add [rbx + 0x400fed], eax
        0x03, 0x83, 0xed, 0x0f, 0x40, 0, // add eax, [rbx + 0x400fed]
        0x83, 0xef, 1, // sub edi, 1
        0x75, 0xdb, // jnz again
        0xf4, // hlt
    ];
    for bits in BOTH {
        check(bits, &code);
    }
}
