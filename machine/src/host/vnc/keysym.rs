//! X keysyms, by which clients name keys (RFC 6143, 7.5.4).

use crate::keys::Key;

/// Keysyms of keys that type no character.
const NAMES: &[(u32, &str)] = &[
    (0xff08, "backspace"),
    (0xff09, "tab"),
    (0xfe20, "tab"),
    (0xff0d, "ret"),
    (0xff13, "pause"),
    (0xff14, "scroll_lock"),
    (0xff1b, "esc"),
    (0xff50, "home"),
    (0xff51, "left"),
    (0xff52, "up"),
    (0xff53, "right"),
    (0xff54, "down"),
    (0xff55, "pgup"),
    (0xff56, "pgdn"),
    (0xff57, "end"),
    (0xff61, "print"),
    (0xff63, "insert"),
    (0xff67, "menu"),
    (0xff7f, "num_lock"),
    (0xff8d, "kp_enter"),
    (0xff95, "kp_7"),
    (0xff96, "kp_4"),
    (0xff97, "kp_8"),
    (0xff98, "kp_6"),
    (0xff99, "kp_2"),
    (0xff9a, "kp_9"),
    (0xff9b, "kp_3"),
    (0xff9c, "kp_1"),
    (0xff9d, "kp_5"),
    (0xff9e, "kp_0"),
    (0xff9f, "kp_decimal"),
    (0xffaa, "kp_multiply"),
    (0xffab, "kp_add"),
    (0xffad, "kp_subtract"),
    (0xffae, "kp_decimal"),
    (0xffaf, "kp_divide"),
    (0xffe1, "shift"),
    (0xffe2, "shift_r"),
    (0xffe3, "ctrl"),
    (0xffe4, "ctrl_r"),
    (0xffe5, "caps_lock"),
    (0xffe7, "alt"),
    (0xffe8, "alt_r"),
    (0xffe9, "alt"),
    (0xffea, "alt_r"),
    (0xfe03, "altgr"),
    (0xffeb, "win"),
    (0xffec, "meta_r"),
    (0xffff, "delete"),
];

/// The key on a US keyboard. Shift is a key of its own, which clients send too.
pub(super) fn key(keysym: u32) -> Option<Key> {
    match keysym {
        0x20..=0x7e => char::from_u32(keysym)
            .and_then(Key::typing)
            .map(|(key, _)| key),
        0xffbe..=0xffc9 => Key::named(&format!("f{}", keysym - 0xffbd)),
        0xffb0..=0xffb9 => Key::named(&format!("kp_{}", keysym - 0xffb0)),
        _ => {
            let found = NAMES.iter().find(|(known, _)| *known == keysym);
            found.and_then(|(_, name)| Key::named(name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_key() {
        for (keysym, name) in NAMES {
            assert_eq!(key(*keysym), Key::named(name), "{name}");
            assert!(key(*keysym).is_some(), "{name}");
        }
        assert_eq!(key(0xffc9), Key::named("f12"));
        assert_eq!(key(u32::from('A')), Key::named("a"));
        assert_eq!(key(0x1234_5678), None);
    }
}
