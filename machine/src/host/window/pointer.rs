//! The desktop's mouse as the machine's: movements, buttons and the wheel.

use winit::event::{MouseButton, MouseScrollDelta};

use crate::host::{Gesture, MouseMove};

/// How far a smooth wheel scrolls in a notch, in pixels.
const NOTCH_PIXELS: f64 = 40.0;

/// What was done and has not been told yet.
#[derive(Debug, Default)]
pub(super) struct Pointer {
    /// To the right, down, and the wheel towards the user; parts of counts wait for the rest.
    waiting: [f64; 3],
    /// Bit 0 the left one, 1 the right, 2 the middle.
    buttons: u8,
}

impl Pointer {
    /// It moves to the right and down.
    pub(super) fn move_by(&mut self, (right, down): (f64, f64)) {
        self.waiting[0] += right;
        self.waiting[1] += down;
    }

    /// The wheel turns.
    pub(super) fn turn(&mut self, delta: MouseScrollDelta) {
        // Positive is away from the user.
        self.waiting[2] -= match delta {
            MouseScrollDelta::LineDelta(_, lines) => f64::from(lines),
            MouseScrollDelta::PixelDelta(pixels) => pixels.y / NOTCH_PIXELS,
        };
    }

    /// A button goes down or up. That of the click that captures the mouse is not known to go down.
    pub(super) fn click(&mut self, button: MouseButton, is_down: bool) -> Option<Gesture> {
        let bit = match button {
            MouseButton::Left => 1,
            MouseButton::Right => 2,
            MouseButton::Middle => 4,
            _ => return None,
        };
        let before = self.buttons;
        if is_down {
            self.buttons |= bit;
        } else {
            self.buttons &= !bit;
        }
        (self.buttons != before).then(|| self.gesture())
    }

    /// What has moved, if anything has.
    pub(super) fn take_movement(&mut self) -> Option<Gesture> {
        let has_moved = self.waiting.iter().any(|part| part.abs() >= 1.0);
        has_moved.then(|| self.gesture())
    }

    /// All buttons go up, if one was down.
    pub(super) fn let_go(&mut self) -> Option<Gesture> {
        self.waiting = [0.0; 3];
        let were_down = std::mem::take(&mut self.buttons) != 0;
        were_down.then(|| self.gesture())
    }

    fn gesture(&mut self) -> Gesture {
        let [right, moved_down, turned] = self.waiting.each_mut().map(|part| {
            let whole = part.trunc();
            *part -= whole;
            // It saturates.
            whole as i32
        });
        Gesture::Mouse(MouseMove {
            right,
            up: moved_down.saturating_neg(),
            down: turned,
            buttons: self.buttons,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn movements_add_up_and_parts_wait() {
        let mut pointer = Pointer::default();
        pointer.move_by((0.6, 0.0));
        assert_eq!(pointer.take_movement(), None);
        pointer.move_by((0.6, 2.0));
        pointer.turn(MouseScrollDelta::LineDelta(0.0, -1.0));
        let movement = MouseMove {
            right: 1,
            up: -2,
            down: 1,
            buttons: 0,
        };
        assert_eq!(pointer.take_movement(), Some(Gesture::Mouse(movement)));
        assert_eq!(pointer.take_movement(), None);
        pointer.move_by((f64::NAN, f64::INFINITY));
        pointer.take_movement();
    }

    #[test]
    fn buttons_are_told_at_once_and_let_go() {
        let mut pointer = Pointer::default();
        let buttons = |gesture| match gesture {
            Some(Gesture::Mouse(MouseMove { buttons, .. })) => Some(buttons),
            _ => None,
        };
        assert_eq!(buttons(pointer.click(MouseButton::Middle, true)), Some(4));
        assert_eq!(buttons(pointer.click(MouseButton::Left, true)), Some(5));
        assert_eq!(buttons(pointer.click(MouseButton::Middle, false)), Some(1));
        assert_eq!(pointer.click(MouseButton::Back, true), None);
        assert_eq!(pointer.click(MouseButton::Right, false), None);
        assert_eq!(buttons(pointer.let_go()), Some(0));
        assert_eq!(pointer.let_go(), None);
    }
}
