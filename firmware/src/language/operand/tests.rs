//! What statements become, instruction by instruction.

use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter};

use super::super::{
    Bitness, Body, Compare as _, Unit, Value, bda8, bda16, far8, far16, in8, routine, text,
};

/// The instructions of a body, between the frame's beginning and its end.
fn compiled(body: impl FnOnce(&mut Body<'_>)) -> Vec<String> {
    let mut unit = Unit::new(Bitness::Real, 0x1000);
    unit.entry("test");
    unit.inline(0, body);
    let code = unit.compile(0).code;
    let mut decoder = Decoder::with_ip(16, &code, 0, DecoderOptions::NONE);
    let mut formatter = IntelFormatter::new();
    formatter
        .options_mut()
        .set_space_after_operand_separator(true);
    let mut lines = Vec::new();
    while decoder.can_decode() {
        let mut line = String::new();
        formatter.format(&decoder.decode(), &mut line);
        lines.push(line);
    }
    // PUSH AX, PUSH BP, MOV BP, SP; and at the end MOV SP, BP, POP BP, ADD SP, 2.
    let end = lines
        .iter()
        .position(|line| line == "mov sp, bp")
        .expect("an end");
    lines[3..end].to_vec()
}

#[test]
fn a_constant_place_is_changed_by_one_instruction() {
    assert_eq!(
        compiled(|f| f.set_bits(bda8(0x17), 0x40)),
        ["or byte ptr [17h], 40h"]
    );
    assert_eq!(
        compiled(|f| f.add(bda16(0x6C), 1)),
        ["add word ptr [6Ch], 1"]
    );
}

#[test]
fn variables_lie_on_the_stack_until_their_scope_ends() {
    let lines = compiled(|f| {
        f.when(bda8(0x49).is(7), |f| {
            let x = f.var(5);
            f.out8(0x80, x);
        });
    });
    assert_eq!(
        lines,
        [
            "cmp byte ptr [49h], 7",
            "jne short 0019h",
            "data32 push 5",
            "mov eax, [bp-4]",
            "mov dx, 80h",
            "out dx, al",
            "lea sp, [bp]",
        ]
    );
}

#[test]
fn a_value_is_computed_from_left_to_right() {
    let lines = compiled(|f| f.set(bda8(0), in8(0x60) - in8(0x61)));
    let ports: Vec<&String> = lines
        .iter()
        .filter(|line| line.starts_with("mov dx"))
        .collect();
    assert_eq!(ports, ["mov dx, 60h", "mov dx, 61h"]);
}

#[test]
fn constants_are_folded_and_texts_kept_once() {
    assert_eq!(
        compiled(|f| f.run(Value::from(2) + 3)),
        ["xor eax, eax", "mov al, 5"]
    );
    let lines = compiled(|f| {
        f.run(text("once"));
        f.run(text("once"));
    });
    assert_eq!(lines, ["mov eax, 1000h", "mov eax, 1000h"]);
}

#[test]
fn a_far_place_is_reached_through_es() {
    let lines = compiled(|f| f.set(far8(0x9FC0, 3), 1));
    assert_eq!(lines, ["push 9FC0h", "pop es", "mov byte ptr es:[3], 1"]);
}

#[test]
fn a_far_offset_in_a_far_place_does_not_disturb_its_segment() {
    let parameter = || far8(far16(0, 0x7A), far16(0, 0x78) + 4);
    let lines = compiled(|f| f.run(parameter()));
    assert_eq!(
        lines,
        [
            "push 0",
            "pop es",
            "movzx eax, word ptr es:[7Ah]",
            "push eax",
            "push 0",
            "pop es",
            "movzx eax, word ptr es:[78h]",
            "mov bx, ax",
            "pop eax",
            "mov es, ax",
            "movzx eax, byte ptr es:[bx+4]",
        ]
    );
}

#[test]
fn a_routine_takes_its_arguments_off_the_stack() {
    fn twice(value: impl Into<Value>) -> Value {
        routine("twice", [value.into()], |f, [value]| f.ret(value + value))
    }
    let mut unit = Unit::new(Bitness::Real, 0);
    unit.inline(0, |f| f.run(twice(twice(7))));
    let compiled = unit.compile(0);
    let mut decoder = Decoder::new(16, &compiled.code, DecoderOptions::NONE);
    let instructions: Vec<_> = decoder.iter().collect();
    let calls = instructions.iter().filter(|i| i.is_call_near()).count();
    let returns: Vec<_> = instructions
        .iter()
        .filter(|i| i.immediate16() == 4)
        .collect();
    assert_eq!(
        (calls, returns.is_empty()),
        (2, false),
        "compiled once, called twice"
    );
}

#[test]
#[should_panic(expected = "two routines are called same")]
fn two_routines_of_one_name_are_found_out() {
    let mut unit = Unit::new(Bitness::Real, 0);
    unit.inline(0, |f| {
        f.run(routine("same", [], |f, []| f.ret(1)));
        f.run(routine("same", [], |f, []| f.ret(2)));
    });
}
