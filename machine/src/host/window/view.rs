//! A frame in a window of another size: as large as fits, in its own shape, the rest dark. Only lines that have
//! changed are drawn.

use std::ops::Range;
use std::sync::Arc;

use rax_devices::Frame;

/// What is in the window's buffer.
#[derive(Debug, Default)]
pub(super) struct View {
    drawn: Option<Arc<Frame>>,
    place: Place,
    /// The frame's column for each column of the picture.
    columns: Vec<usize>,
}

/// Where in a window the picture lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    window: (usize, usize),
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl Place {
    fn of(frame: &Frame, window: (usize, usize)) -> Self {
        let (columns, lines) = window;
        // Both sides are thousands at most.
        let is_wide = frame.width * lines > columns * frame.height;
        let (width, height) = if is_wide {
            (columns, (columns * frame.height / frame.width).max(1))
        } else {
            ((lines * frame.width / frame.height).max(1), lines)
        };
        Self {
            window,
            left: (columns - width) / 2,
            top: (lines - height) / 2,
            width,
            height,
        }
    }
}

impl View {
    /// Everything is to be drawn anew.
    pub(super) fn forget(&mut self) {
        self.drawn = None;
    }

    /// Draws a frame that is not empty in a buffer for a window that is not empty, which `keeps` what was drawn last.
    /// Returns the lines that have changed.
    pub(super) fn draw(
        &mut self,
        frame: Arc<Frame>,
        window: (usize, usize),
        keeps: bool,
        buffer: &mut [u32],
    ) -> Option<Range<usize>> {
        if window.0 * window.1 > buffer.len() || frame.pixels.len() < frame.width * frame.height {
            return None;
        }
        let place = Place::of(&frame, window);
        let before = self.drawn.take().filter(|before| {
            keeps
                && place == self.place
                && (before.width, before.height) == (frame.width, frame.height)
        });
        let changed = match &before {
            Some(before) => changed_lines(before, &frame),
            None => 0..frame.height,
        };
        if before.is_none() {
            buffer.fill(0);
            self.place = place;
            let columns = 0..place.width;
            self.columns = columns.map(|x| x * frame.width / place.width).collect();
        }
        let mut lines: Option<Range<usize>> = None;
        let mut last = None;
        for y in 0..place.height {
            let from = y * frame.height / place.height;
            if !changed.contains(&from) {
                continue;
            }
            let at = place.top + y;
            let start = at * window.0 + place.left;
            if last == Some(from) {
                // The line above is the same.
                buffer.copy_within(start - window.0..start - window.0 + place.width, start);
            } else {
                let source = &frame.pixels[from * frame.width..][..frame.width];
                self.draw_line(source, &mut buffer[start..start + place.width]);
            }
            last = Some(from);
            lines = Some(lines.map_or(at, |lines| lines.start)..at + 1);
        }
        self.drawn = Some(frame);
        if before.is_none() {
            return Some(0..window.1);
        }
        lines
    }

    fn draw_line(&self, from: &[u32], to: &mut [u32]) {
        if from.len() == to.len() {
            to.copy_from_slice(from);
            return;
        }
        for (pixel, &column) in to.iter_mut().zip(&self.columns) {
            *pixel = from[column];
        }
    }
}

/// From the first line that differs to the last.
fn changed_lines(before: &Frame, now: &Frame) -> Range<usize> {
    let line = |frame: &'_ Frame, y: usize| y * frame.width..(y + 1) * frame.width;
    let differs = |&y: &usize| before.pixels[line(before, y)] != now.pixels[line(now, y)];
    let Some(first) = (0..now.height).find(differs) else {
        return 0..0;
    };
    let last = (first..now.height).rev().find(differs).unwrap_or(first);
    first..last + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(width: usize, height: usize) -> Frame {
        Frame {
            width,
            height,
            pixels: (1..=(width * height) as u32).collect(),
        }
    }

    #[test]
    fn a_picture_keeps_its_shape() {
        let place = |frame: (usize, usize), window| {
            let place = Place::of(&self::frame(frame.0, frame.1), window);
            (place.left, place.top, place.width, place.height)
        };
        assert_eq!(place((4, 2), (8, 4)), (0, 0, 8, 4));
        assert_eq!(place((4, 2), (8, 8)), (0, 2, 8, 4));
        assert_eq!(place((4, 2), (12, 4)), (2, 0, 8, 4));
        assert_eq!(place((400, 2), (1, 1)), (0, 0, 1, 1));
    }

    #[test]
    fn pixels_are_repeated_and_the_rest_is_dark() {
        let mut view = View::default();
        let mut buffer = vec![9; 5 * 4];
        let lines = view.draw(Arc::new(frame(2, 2)), (5, 4), false, &mut buffer);
        assert_eq!(lines, Some(0..4));
        let expected = [
            [1, 1, 2, 2, 0],
            [1, 1, 2, 2, 0],
            [3, 3, 4, 4, 0],
            [3, 3, 4, 4, 0],
        ];
        assert_eq!(buffer, expected.concat());
    }

    #[test]
    fn only_changed_lines_are_drawn() {
        let mut view = View::default();
        let mut buffer = vec![0; 4 * 6];
        let mut shown = frame(4, 6);
        view.draw(Arc::new(shown.clone()), (4, 6), true, &mut buffer);
        assert_eq!(buffer, shown.pixels);
        let same = view.draw(Arc::new(shown.clone()), (4, 6), true, &mut buffer);
        assert_eq!(same, None);
        shown.pixels[9] = 77;
        shown.pixels[16] = 78;
        let lines = view.draw(Arc::new(shown.clone()), (4, 6), true, &mut buffer);
        assert_eq!(lines, Some(2..5));
        assert_eq!(buffer, shown.pixels);
        // A buffer that has forgotten is drawn anew.
        buffer.fill(5);
        let lines = view.draw(Arc::new(shown.clone()), (4, 6), false, &mut buffer);
        assert_eq!((lines, &buffer), (Some(0..6), &shown.pixels));
    }

    proptest::proptest! {
        #[test]
        fn any_sizes_fit(width in 1..50usize, height in 1..50usize, columns in 1..90usize, lines in 1..90usize) {
            let mut view = View::default();
            let mut buffer = vec![0; columns * lines];
            let drawn = view.draw(Arc::new(frame(width, height)), (columns, lines), false, &mut buffer);
            proptest::prop_assert_eq!(drawn, Some(0..lines));
            proptest::prop_assert!(buffer.contains(&1) && buffer.len() == columns * lines);
        }
    }
}
