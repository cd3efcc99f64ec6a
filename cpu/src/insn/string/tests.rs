use crate::Cpu;
use crate::control::testing::{CODE, cpu32, cpu64, peek, poke, run};
use crate::exception::Exception;
use crate::interp::Engine;
use crate::rflags::Rflags;
use crate::segment::Attributes;
use crate::state::Gpr;

fn set(cpu: &mut Cpu, count: u64, from: u64, to: u64) {
    cpu.state.set_gpr(Gpr::Rcx, count);
    cpu.state.set_gpr(Gpr::Rsi, from);
    cpu.state.set_gpr(Gpr::Rdi, to);
}

fn registers(cpu: &Cpu) -> [u64; 3] {
    [Gpr::Rcx, Gpr::Rsi, Gpr::Rdi].map(|register| cpu.state.gpr(register))
}

#[test]
fn single_moves_go_either_way() {
    let mut cpu = cpu64();
    poke(&cpu, 0x5000, b"0123456789abcdef");
    set(&mut cpu, 9, 0x5000, 0x6000);
    assert_eq!(run(&mut cpu, &[0xa4, 0x66, 0xa5, 0xa5, 0x48, 0xa5]), None);
    assert_eq!(&peek::<15>(&cpu, 0x6000), b"0123456789abcde");
    assert_eq!(registers(&cpu), [9, 0x500f, 0x600f]);
    cpu.state.system_flags.insert(Rflags::DF);
    assert_eq!(run(&mut cpu, &[0x48, 0xa5]), None);
    assert_eq!(registers(&cpu), [9, 0x5007, 0x6007]);
}

/// What REP MOVS of `width` bytes makes of a page and a half, done one by one.
fn check_move(width: u64, distance: i64, count: u64, backwards: bool) {
    let mut cpu = cpu64();
    let mut memory: Vec<u8> = (0..0x8000u32).map(|n| (n * 7 + n / 256) as u8).collect();
    poke(&cpu, 0x2_0000, &memory);
    let from = if backwards { 0x5f03 } else { 0x2f03u64 };
    let to = from.wrapping_add_signed(distance);
    set(&mut cpu, count, 0x2_0000 + from, 0x2_0000 + to);
    cpu.state.system_flags.set(Rflags::DF, backwards);
    let code: &[u8] = match width {
        1 => &[0xf3, 0xa4],
        2 => &[0xf3, 0x66, 0xa5],
        4 => &[0xf3, 0xa5],
        _ => &[0xf3, 0x48, 0xa5],
    };
    assert_eq!(run(&mut cpu, code), None);
    for n in 0..count {
        let offset = |start: u64| {
            let moved = n * width;
            (if backwards {
                start - moved
            } else {
                start + moved
            }) as usize
        };
        memory.copy_within(offset(from)..offset(from) + width as usize, offset(to));
    }
    let result = peek::<0x8000>(&cpu, 0x2_0000);
    assert!(
        result[..] == memory[..],
        "{width} {distance} {count} {backwards}"
    );
    let moved = count * width;
    let end = |start: u64| {
        let start = 0x2_0000 + start;
        if backwards {
            start - moved
        } else {
            start + moved
        }
    };
    assert_eq!(registers(&cpu), [0, end(from), end(to)]);
}

#[test]
fn repeated_moves_equal_single_ones() {
    for width in [1, 2, 4, 8] {
        for distance in [-4096, -300, -8, -3, -1, 1, 3, 8, 300, 4096, 6000] {
            for count in [1, 3, 5, 40, 700] {
                check_move(width, distance, count, false);
                check_move(width, distance, count, true);
            }
        }
    }
}

#[test]
fn stores_fill_with_any_pattern() {
    let mut cpu = cpu64();
    cpu.state.set_gpr(Gpr::Rax, 0x0102_0304_0506_0708);
    set(&mut cpu, 1000, 7, 0x2_0ffd);
    assert_eq!(run(&mut cpu, &[0xf3, 0x48, 0xab]), None);
    let stored = peek::<8002>(&cpu, 0x2_0ffc);
    assert_eq!((stored[0], stored[8001]), (0, 0));
    let pattern = [8, 7, 6, 5, 4, 3, 2, 1];
    assert!(stored[1..8001].chunks(8).all(|element| element == pattern));
    assert_eq!(registers(&cpu), [0, 7, 0x2_0ffd + 8000]);
    set(&mut cpu, 5000, 7, 0x2_0001);
    assert_eq!(run(&mut cpu, &[0xf3, 0xaa]), None);
    assert!(peek::<5000>(&cpu, 0x2_0001).iter().all(|&byte| byte == 8));
    assert_eq!(peek(&cpu, 0x2_0000), [0]);
    cpu.state.set_gpr(Gpr::Rax, 0xabcd);
    set(&mut cpu, 3, 7, 0x3_0004);
    cpu.state.system_flags.insert(Rflags::DF);
    assert_eq!(run(&mut cpu, &[0xf3, 0x66, 0xab]), None);
    assert_eq!(peek(&cpu, 0x3_0000), [0xcd, 0xab, 0xcd, 0xab, 0xcd, 0xab]);
    for (width, code) in [(1, &[0xf3, 0xaa][..]), (8, &[0xf3, 0x48, 0xab])] {
        cpu.state.set_gpr(Gpr::Rax, 0x1112_1314_1516_1718);
        set(&mut cpu, 1000, 7, 0x5_2ffd);
        assert_eq!(run(&mut cpu, code), None);
        let lowest = 0x5_2ffd - 999 * width;
        assert_eq!(registers(&cpu), [0, 7, lowest - width]);
        let stored = peek::<0x4000>(&cpu, 0x5_0000);
        for (at, &byte) in (0x5_0000..).zip(&stored) {
            let is_within = (lowest..0x5_2ffd + width).contains(&at);
            let expected = is_within.then(|| 0x18 - (at - lowest) % width);
            assert_eq!(u64::from(byte), expected.unwrap_or(0), "{width} {at:x}");
        }
        poke(&cpu, 0x5_0000, &[0; 0x4000]);
    }
}

#[test]
fn a_fault_leaves_the_rest_to_be_done() {
    let mut cpu = cpu64();
    // One page at 1 GiB, none after it.
    poke(&cpu, 0x2008, &0x3007u64.to_le_bytes());
    poke(&cpu, 0x3000, &0x4007u64.to_le_bytes());
    poke(&cpu, 0x4000, &0x5007u64.to_le_bytes());
    let start = (1 << 30) + 0xe00;
    cpu.state.set_gpr(Gpr::Rax, 0x55);
    set(&mut cpu, 0x1000, 0, start);
    let Some(Exception::PageFault(fault)) = run(&mut cpu, &[0xf3, 0xaa]) else {
        panic!("no fault");
    };
    assert_eq!(fault.address.0, (1 << 30) + 0x1000);
    assert_eq!(registers(&cpu), [0xe00, 0, (1 << 30) + 0x1000]);
    assert_eq!(cpu.state.rip, CODE);
    assert!(peek::<0x200>(&cpu, 0x5e00).iter().all(|&byte| byte == 0x55));
}

/// What a Xeon (6, 207) does; found by `rax verify`.
#[test]
fn a_fault_in_compare_or_scan_leaves_the_flags_of_the_start() {
    let mut cpu = cpu64();
    poke(&cpu, 0x2008, &0x3007u64.to_le_bytes());
    poke(&cpu, 0x3000, &0x4007u64.to_le_bytes());
    poke(&cpu, 0x4000, &0x5007u64.to_le_bytes());
    poke(&cpu, 0x5ffe, &[7, 7]);
    poke(&cpu, 0x2_0000, &[7; 16]);
    let end = (1 << 30) + 0x1000;
    for code in [0xa6, 0xae] {
        for before in [Rflags::CF | Rflags::OF, Rflags::AF | Rflags::SF] {
            let flags = (cpu.state.rflags() & !Rflags::STATUS) | before;
            cpu.state.set_rflags(flags);
            cpu.state.set_gpr(Gpr::Rax, 7);
            set(&mut cpu, 16, 0x2_0000, end - 2);
            let fault = run(&mut cpu, &[0xf3, code]);
            assert!(matches!(fault, Some(Exception::PageFault(_))), "{fault:?}");
            let [count, _, destination] = registers(&cpu);
            assert_eq!([count, destination], [14, end], "{code:x}");
            assert_eq!(cpu.state.rflags() & Rflags::STATUS, before, "{code:x}");
        }
    }
}

#[test]
fn an_element_across_two_pages_faults_whole() {
    let mut cpu = cpu64();
    poke(&cpu, 0x2008, &0x3007u64.to_le_bytes());
    poke(&cpu, 0x3000, &0x4007u64.to_le_bytes());
    poke(&cpu, 0x4000, &0x5007u64.to_le_bytes());
    set(&mut cpu, 10, 0, (1 << 30) + 0xff0 + 4);
    cpu.state.set_gpr(Gpr::Rax, u64::MAX);
    let fault = run(&mut cpu, &[0xf3, 0x48, 0xab]);
    assert!(matches!(fault, Some(Exception::PageFault(_))));
    assert_eq!(registers(&cpu), [9, 0, (1 << 30) + 0xffc]);
    assert_eq!(peek(&cpu, 0x5ffc), [0; 4]);
}

#[test]
fn a_count_of_zero_does_nothing() {
    let mut cpu = cpu64();
    set(&mut cpu, 0, 1 << 40, 1 << 40);
    cpu.state.flags = crate::flags::LazyFlags::from_status(Rflags::CF | Rflags::ZF);
    assert_eq!(run(&mut cpu, &[0xf3, 0xa4, 0xf3, 0xa6, 0xf2, 0xae]), None);
    assert_eq!(cpu.state.flags.status(), Rflags::CF | Rflags::ZF);
    assert_eq!(registers(&cpu), [0, 1 << 40, 1 << 40]);
}

#[test]
fn scans_stop_at_the_first_match() {
    let mut cpu = cpu64();
    poke(&cpu, 0x2_0f00, &[1; 0x300]);
    poke(&cpu, 0x2_1133, &[0]);
    cpu.state.set_gpr(Gpr::Rax, 0);
    set(&mut cpu, u64::MAX, 0, 0x2_0f00);
    assert_eq!(run(&mut cpu, &[0xf2, 0xae]), None);
    assert_eq!(cpu.state.gpr(Gpr::Rdi), 0x2_1134);
    assert_eq!(cpu.state.gpr(Gpr::Rcx), u64::MAX - 0x234);
    assert!(cpu.state.flags.zero());
    // REPE: the first that differs.
    cpu.state.set_gpr(Gpr::Rax, 0x0101);
    set(&mut cpu, 1000, 0, 0x2_0f00);
    assert_eq!(run(&mut cpu, &[0xf3, 0x66, 0xaf]), None);
    assert_eq!(cpu.state.gpr(Gpr::Rdi), 0x2_1134);
    assert!(!cpu.state.flags.zero());
    assert!(!cpu.state.flags.carry(), "0101h - 0001h");
}

#[test]
fn comparisons_set_flags_of_the_last_pair() {
    let mut cpu = cpu64();
    poke(&cpu, 0x2_0000, &[7; 600]);
    poke(&cpu, 0x2_4000, &[7; 600]);
    poke(&cpu, 0x2_4000 + 500, &[9]);
    set(&mut cpu, 600, 0x2_0000, 0x2_4000);
    assert_eq!(run(&mut cpu, &[0xf3, 0xa6]), None);
    assert_eq!(registers(&cpu), [99, 0x2_01f5, 0x2_41f5]);
    assert!(cpu.state.flags.carry(), "7 - 9");
    set(&mut cpu, 500, 0x2_0000, 0x2_4000);
    assert_eq!(run(&mut cpu, &[0xf3, 0xa6]), None);
    assert_eq!(registers(&cpu), [0, 0x2_01f4, 0x2_41f4]);
    assert!(cpu.state.flags.zero());
    set(&mut cpu, 500, 0x2_01f0, 0x2_4000);
    assert_eq!(run(&mut cpu, &[0xf2, 0x48, 0xa7]), None);
    assert_eq!(registers(&cpu), [499, 0x2_01f8, 0x2_4008]);
}

#[test]
fn long_scans_and_comparisons_end_where_they_should() {
    const LENGTH: u64 = 7000;
    let mut cpu = cpu64();
    cpu.state.set_gpr(Gpr::Rax, 0);
    // Opcodes by width; in the first windows, at their ends, and across pages.
    for (width, size) in [(1, &[][..]), (2, &[0x66]), (4, &[]), (8, &[0x48])] {
        for place in [
            0, 1, 63, 64, 200, 255, 256, 300, 4090, 4096, 4400, 6990, LENGTH,
        ] {
            let odd = u8::from(width != 1);
            poke(&cpu, 0x2_0000, &[1; LENGTH as usize]);
            poke(&cpu, 0x2_4000, &[1; LENGTH as usize]);
            let most = (LENGTH - 7) / width;
            let index = place / width;
            let ends = index < most;
            if ends {
                poke(&cpu, 0x2_4000 + index * width, &[0; 8][..width as usize]);
            }
            let done = if ends { index + 1 } else { most };
            // REPNE SCAS, REPE CMPS.
            for (prefix, opcode) in [(0xf2, 0xae), (0xf3, 0xa6)] {
                let mut code = vec![prefix];
                code.extend(size);
                code.push(opcode | odd);
                set(&mut cpu, most, 0x2_0000, 0x2_4000);
                assert_eq!(run(&mut cpu, &code), None);
                let case = format!("width {width}, place {place}, opcode {opcode:x}");
                let [count, _, to] = registers(&cpu);
                assert_eq!(
                    (count, to),
                    (most - done, 0x2_4000 + done * width),
                    "{case}"
                );
                assert_eq!(cpu.state.flags.zero(), ends == (opcode == 0xae), "{case}");
            }
        }
    }
}

#[test]
fn narrow_addresses_wrap_in_their_registers() {
    let mut cpu = cpu32();
    cpu.state.set_gpr(Gpr::Rax, 0x77);
    set(&mut cpu, 0xaaaa_0008, 0, 0xbbbb_fffc);
    assert_eq!(run(&mut cpu, &[0x67, 0xf3, 0xaa]), None);
    assert_eq!(registers(&cpu), [0xaaaa_0000, 0, 0xbbbb_0004]);
    assert_eq!(peek(&cpu, 0xfffc), [0x77; 4]);
    assert_eq!(peek(&cpu, 0), [0x77; 4]);
    let mut cpu = cpu64();
    set(&mut cpu, 0xffff_0000_0000_0002, 0, 0xffff_0000_0000_5000);
    assert_eq!(run(&mut cpu, &[0x67, 0xf3, 0xaa]), None);
    assert_eq!(registers(&cpu), [0, 0, 0x5002]);
}

#[test]
fn limits_hold_for_each_element() {
    let mut cpu = cpu32();
    cpu.state.segments[0].limit = 0x50ff;
    cpu.update_mode();
    cpu.state.set_gpr(Gpr::Rax, 0xaa);
    set(&mut cpu, 0x200, 0, 0x5000);
    let fault = run(&mut cpu, &[0xf3, 0xaa]);
    assert_eq!(fault, Some(Exception::GeneralProtection(0)));
    assert_eq!(registers(&cpu), [0x100, 0, 0x5100]);
    assert_eq!(peek(&cpu, 0x50fe), [0xaa, 0xaa, 0, 0]);
    // An expand-down segment ends below.
    cpu.state.segments[0].attributes = Attributes::from_bits_retain(0xc097);
    cpu.state.segments[0].limit = 0x60ff;
    cpu.update_mode();
    cpu.state.system_flags.insert(Rflags::DF);
    set(&mut cpu, 0x200, 0, 0x61ff);
    let fault = run(&mut cpu, &[0xf3, 0xaa]);
    assert_eq!(fault, Some(Exception::GeneralProtection(0)));
    assert_eq!(registers(&cpu), [0x100, 0, 0x60ff]);
    assert_eq!(peek(&cpu, 0x60fe), [0, 0, 0xaa, 0xaa]);
}

#[test]
fn downwards_narrow_addresses_wrap_below_zero() {
    let mut cpu = cpu32();
    cpu.state.set_gpr(Gpr::Rax, 0x77);
    cpu.state.system_flags.insert(Rflags::DF);
    set(&mut cpu, 8, 0, 3);
    assert_eq!(run(&mut cpu, &[0x67, 0xf3, 0xaa]), None);
    assert_eq!(registers(&cpu), [0, 0, 0xfffb]);
    assert_eq!(peek(&cpu, 0), [0x77; 4]);
    assert_eq!(peek(&cpu, 0xfffb), [0, 0x77, 0x77, 0x77, 0x77]);
}

#[test]
fn loads_take_the_overriding_segment() {
    let mut cpu = cpu64();
    cpu.state.segments[5].base = 0x1000;
    poke(&cpu, 0x6000, &[1, 2, 3, 4, 5, 6, 7, 8]);
    set(&mut cpu, 2, 0x5000, 0);
    assert_eq!(run(&mut cpu, &[0xf3, 0x65, 0xad]), None);
    assert_eq!(cpu.state.gpr(Gpr::Rax), 0x0807_0605);
    assert_eq!(cpu.state.gpr(Gpr::Rsi), 0x5008);
}

#[test]
fn stepping_sees_every_iteration() {
    let mut cpu = cpu64();
    cpu.state.system_flags.insert(Rflags::TF);
    cpu.update_mode();
    set(&mut cpu, 20, 0x5000, 0x6000);
    assert_eq!(run(&mut cpu, &[0xf3, 0xa4]), None);
    assert_eq!(registers(&cpu), [0, 0x5014, 0x6014]);
}

#[test]
fn long_repetitions_return_to_the_engine() {
    let mut cpu = cpu64();
    let mut interpreter = crate::Interpreter::new(&cpu);
    // rep stosb; rep movsb; hlt
    poke(
        &cpu,
        CODE,
        &[0xf3, 0xaa, 0xb9, 0, 0x40, 0, 0, 0xf3, 0xa4, 0xf4],
    );
    cpu.state.rip = CODE;
    cpu.state.set_gpr(Gpr::Rax, 0x5a);
    set(&mut cpu, 0x1_8000, 0x2_0000, 0x2_0000);
    let stop = interpreter.run(&mut cpu, 1_000_000);
    assert_eq!(stop, crate::Stop::Halted);
    assert_eq!(registers(&cpu), [0, 0x2_4000, 0x3_c000]);
    assert!(
        peek::<0x1_c000>(&cpu, 0x2_0000)
            .iter()
            .all(|&byte| byte == 0x5a)
    );
    let again = 0x1_8000 / super::MOST_ITERATIONS + 0x4000 / super::MOST_ITERATIONS;
    assert_eq!(cpu.state.instructions, again + 2);
}
