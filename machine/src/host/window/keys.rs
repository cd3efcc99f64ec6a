//! The keys of a desktop, by their place on the keyboard, and the combinations that are ours.

use winit::keyboard::KeyCode;

use crate::keys::{Key, KeyEvent};

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stroke {
    /// It is the guest's.
    Key(KeyEvent),
    /// Ctrl-Alt-G: the mouse changes sides.
    Mouse,
    /// Ctrl-Alt-S: a picture.
    Screenshot,
    /// Ctrl-Alt-F: the whole screen, or a window again.
    FullScreen,
    /// Ctrl-Alt-D: what desktops keep for themselves, Ctrl-Alt-Del.
    Restart,
}

/// The keys that the guest believes to be down.
#[derive(Debug, Default)]
pub(super) struct Keyboard {
    held: Vec<KeyCode>,
}

impl Keyboard {
    /// A key goes down or up.
    pub(super) fn press(&mut self, code: KeyCode, is_down: bool) -> Option<Stroke> {
        if is_down && let Some(stroke) = self.own(code) {
            return Some(stroke);
        }
        let key = key(code)?;
        let was_held = self.held.contains(&code);
        self.held.retain(|held| *held != code);
        if is_down {
            self.held.push(code);
        } else if !was_held {
            // The guest has not seen it go down.
            return None;
        }
        Some(Stroke::Key(KeyEvent { key, is_down }))
    }

    /// All keys go up; these were down.
    pub(super) fn let_go(&mut self) -> impl Iterator<Item = Key> + use<> {
        std::mem::take(&mut self.held).into_iter().filter_map(key)
    }

    fn own(&self, code: KeyCode) -> Option<Stroke> {
        let is_held = |code| self.held.contains(&code);
        let has_ctrl = is_held(KeyCode::ControlLeft) || is_held(KeyCode::ControlRight);
        // The right one types characters, which come with Ctrl on some desktops.
        if !has_ctrl || !is_held(KeyCode::AltLeft) {
            return None;
        }
        match code {
            KeyCode::KeyG => Some(Stroke::Mouse),
            KeyCode::KeyS => Some(Stroke::Screenshot),
            KeyCode::KeyF => Some(Stroke::FullScreen),
            KeyCode::KeyD => Some(Stroke::Restart),
            _ => None,
        }
    }
}

/// The key of the machine's keyboard at the same place.
fn key(code: KeyCode) -> Option<Key> {
    Key::named(name(code)?)
}

/// What [`crate::keys`] calls a key.
#[expect(clippy::too_many_lines, reason = "a table: one line for a few keys")]
const fn name(code: KeyCode) -> Option<&'static str> {
    use KeyCode as C;
    Some(match code {
        C::KeyA => "a",
        C::KeyB => "b",
        C::KeyC => "c",
        C::KeyD => "d",
        C::KeyE => "e",
        C::KeyF => "f",
        C::KeyG => "g",
        C::KeyH => "h",
        C::KeyI => "i",
        C::KeyJ => "j",
        C::KeyK => "k",
        C::KeyL => "l",
        C::KeyM => "m",
        C::KeyN => "n",
        C::KeyO => "o",
        C::KeyP => "p",
        C::KeyQ => "q",
        C::KeyR => "r",
        C::KeyS => "s",
        C::KeyT => "t",
        C::KeyU => "u",
        C::KeyV => "v",
        C::KeyW => "w",
        C::KeyX => "x",
        C::KeyY => "y",
        C::KeyZ => "z",
        C::Digit0 => "0",
        C::Digit1 => "1",
        C::Digit2 => "2",
        C::Digit3 => "3",
        C::Digit4 => "4",
        C::Digit5 => "5",
        C::Digit6 => "6",
        C::Digit7 => "7",
        C::Digit8 => "8",
        C::Digit9 => "9",
        C::F1 => "f1",
        C::F2 => "f2",
        C::F3 => "f3",
        C::F4 => "f4",
        C::F5 => "f5",
        C::F6 => "f6",
        C::F7 => "f7",
        C::F8 => "f8",
        C::F9 => "f9",
        C::F10 => "f10",
        C::F11 => "f11",
        C::F12 => "f12",
        C::Backquote => "`",
        C::Minus => "minus",
        C::Equal => "=",
        C::BracketLeft => "[",
        C::BracketRight => "]",
        C::Backslash => "\\",
        C::Semicolon => ";",
        C::Quote => "'",
        C::Comma => ",",
        C::Period => ".",
        C::Slash => "/",
        C::IntlBackslash => "less",
        C::IntlRo => "ro",
        C::IntlYen => "yen",
        C::Convert => "henkan",
        C::NonConvert => "muhenkan",
        C::KanaMode => "katakanahiragana",
        C::Escape => "esc",
        C::Tab => "tab",
        C::Space => "spc",
        C::Enter => "ret",
        C::Backspace => "backspace",
        C::CapsLock => "caps_lock",
        C::NumLock => "num_lock",
        C::ScrollLock => "scroll_lock",
        C::ShiftLeft => "shift",
        C::ShiftRight => "shift_r",
        C::ControlLeft => "ctrl",
        C::ControlRight => "ctrl_r",
        C::AltLeft => "alt",
        C::AltRight => "alt_r",
        C::SuperLeft => "meta",
        C::SuperRight => "meta_r",
        C::ContextMenu => "menu",
        C::Insert => "insert",
        C::Delete => "delete",
        C::Home => "home",
        C::End => "end",
        C::PageUp => "pgup",
        C::PageDown => "pgdn",
        C::ArrowUp => "up",
        C::ArrowDown => "down",
        C::ArrowLeft => "left",
        C::ArrowRight => "right",
        C::PrintScreen => "print",
        C::Pause => "pause",
        C::Numpad0 => "kp_0",
        C::Numpad1 => "kp_1",
        C::Numpad2 => "kp_2",
        C::Numpad3 => "kp_3",
        C::Numpad4 => "kp_4",
        C::Numpad5 => "kp_5",
        C::Numpad6 => "kp_6",
        C::Numpad7 => "kp_7",
        C::Numpad8 => "kp_8",
        C::Numpad9 => "kp_9",
        C::NumpadDecimal => "kp_decimal",
        C::NumpadComma => "kp_comma",
        C::NumpadEqual => "kp_equals",
        C::NumpadAdd => "kp_add",
        C::NumpadSubtract => "kp_subtract",
        C::NumpadMultiply => "kp_multiply",
        C::NumpadDivide => "kp_divide",
        C::NumpadEnter => "kp_enter",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_by_their_place() {
        let codes = [
            KeyCode::KeyA,
            KeyCode::Backslash,
            KeyCode::IntlBackslash,
            KeyCode::NumpadEnter,
            KeyCode::ContextMenu,
            KeyCode::KanaMode,
        ];
        let sent = codes.map(|code| KeyEvent::down(key(code).unwrap()).codes());
        let expected: [&[u8]; 6] = [
            &[0x1c],
            &[0x5d],
            &[0x61],
            &[0xe0, 0x5a],
            &[0xe0, 0x2f],
            &[0x13],
        ];
        assert_eq!(sent, expected);
        assert_eq!(key(KeyCode::BrowserBack), None);
    }

    #[test]
    fn our_combinations_do_not_reach_the_guest() {
        let mut keyboard = Keyboard::default();
        for code in [KeyCode::ControlLeft, KeyCode::AltLeft] {
            assert!(matches!(keyboard.press(code, true), Some(Stroke::Key(_))));
        }
        assert_eq!(keyboard.press(KeyCode::KeyG, true), Some(Stroke::Mouse));
        assert_eq!(keyboard.press(KeyCode::KeyG, false), None);
        let up = keyboard.press(KeyCode::AltLeft, false);
        assert_eq!(up, Some(Stroke::Key(KeyEvent::up(Key::ALT))));
        assert!(matches!(
            keyboard.press(KeyCode::KeyG, true),
            Some(Stroke::Key(_))
        ));
        let left: Vec<_> = keyboard.let_go().collect();
        assert_eq!(left, [Key::CTRL, Key::named("g").unwrap()]);
        assert_eq!(keyboard.let_go().count(), 0);
    }
}
