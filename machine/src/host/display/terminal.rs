//! The screen drawn in a terminal: text modes as characters in sixteen colours, graphics modes as half-block pixels.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{self, Event, KeyCode, KeyEvent as TerminalKey, KeyEventKind, KeyModifiers};
use crossterm::queue;
use crossterm::style::{Color, Print, ResetColor, SetBackgroundColor, SetForegroundColor};
use crossterm::terminal::{Clear, ClearType, size};
use rax_devices::vga::character;
use rax_devices::{Frame, TextScreen};

use super::{Picture, Screen};
use crate::host::terminal::FullScreen;
use crate::host::{Gesture, HostError, Inbox, Quit};
use crate::keys::{Key, KeyEvent};

/// The least time between two drawings.
const PAUSE: Duration = Duration::from_millis(15);
/// How often the key thread looks whether the run is over.
const PATIENCE: Duration = Duration::from_millis(200);

/// The VGA's sixteen colours as terminals have them.
const COLORS: [Color; 16] = [
    Color::Black,
    Color::DarkBlue,
    Color::DarkGreen,
    Color::DarkCyan,
    Color::DarkRed,
    Color::DarkMagenta,
    Color::DarkYellow,
    Color::Grey,
    Color::DarkGrey,
    Color::Blue,
    Color::Green,
    Color::Cyan,
    Color::Red,
    Color::Magenta,
    Color::Yellow,
    Color::White,
];

/// The terminal as a display. When dropped, it is as it was before.
#[derive(Debug)]
pub struct TerminalDisplay {
    screen: Screen,
    drawer: Option<JoinHandle<()>>,
    _full_screen: FullScreen,
}

/// One character cell, as it is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cell {
    character: char,
    ink: Color,
    paper: Color,
}

const BLANK: Cell = Cell {
    character: ' ',
    ink: Color::Grey,
    paper: Color::Black,
};

/// A terminal full of cells.
#[derive(Clone, Debug, Default, PartialEq)]
struct Cells {
    columns: usize,
    rows: usize,
    cells: Vec<Cell>,
    cursor: Option<(usize, usize)>,
}

impl TerminalDisplay {
    /// Takes the terminal and starts to draw; keys go to the inbox.
    ///
    /// # Errors
    /// When standard output is no terminal, or the host refuses.
    pub fn start(screen: &Screen, inbox: &Inbox) -> Result<Self, HostError> {
        if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            return Err(HostError::NoTerminal);
        }
        let full_screen = FullScreen::enter()?;
        let thread = |name: &str, body: Box<dyn FnOnce() + Send>| {
            thread::Builder::new()
                .name(name.into())
                .spawn(body)
                .map_err(|source| HostError::Thread { source })
        };
        let theirs = screen.clone();
        let watching = screen.watch();
        let draw = move || {
            draw_all(&theirs);
            drop(watching);
        };
        let drawer = thread("display", Box::new(draw))?;
        let (theirs, inbox) = (screen.clone(), inbox.clone());
        thread("keys", Box::new(move || read_keys(&theirs, &inbox)))?;
        Ok(Self {
            screen: screen.clone(),
            drawer: Some(drawer),
            _full_screen: full_screen,
        })
    }
}

impl Drop for TerminalDisplay {
    fn drop(&mut self) {
        self.screen.close();
        if let Some(drawer) = self.drawer.take() {
            // A panic there has been reported by its own hook.
            let _ = drawer.join();
        }
    }
}

/// Draws picture after picture, and of each only what has changed.
fn draw_all(screen: &Screen) {
    let mut out = BufWriter::with_capacity(64 << 10, io::stdout());
    let mut drawn = Cells::default();
    let mut seen = 0;
    while let Some((picture, number)) = screen.next(seen, PAUSE) {
        seen = number;
        let (columns, rows) = size().unwrap_or((80, 25));
        let cells = cells_of(&picture, usize::from(columns), usize::from(rows));
        if draw(&mut out, &drawn, &cells).is_err() {
            // The terminal is gone; a signal will tell.
            return;
        }
        drawn = cells;
    }
}

/// What a terminal of this size shows of a picture.
fn cells_of(picture: &Picture, columns: usize, rows: usize) -> Cells {
    match picture.text() {
        Some(text) => text_cells(text, columns, rows),
        None => pixel_cells(picture.frame(), columns, rows),
    }
}

fn text_cells(text: &TextScreen, columns: usize, rows: usize) -> Cells {
    // A terminal that is too low shows the part with the cursor.
    let cursor_row = text.cursor.map_or(0, |(_, row)| row);
    let top = (cursor_row + 1).saturating_sub(rows);
    let mut cells = vec![BLANK; columns * rows];
    for row in 0..rows.min(text.rows.saturating_sub(top)) {
        for column in 0..columns.min(text.columns) {
            let (code, attribute) = text.cells[(top + row) * text.columns + column];
            let paper = if text.blinks {
                attribute >> 4 & 7
            } else {
                attribute >> 4
            };
            cells[row * columns + column] = Cell {
                character: character(code),
                ink: COLORS[usize::from(attribute & 15)],
                paper: COLORS[usize::from(paper)],
            };
        }
    }
    let cursor = text.cursor.map(|(column, row)| (column, row - top));
    Cells {
        columns,
        rows,
        cells,
        cursor: cursor.filter(|&(column, row)| column < columns && row < rows),
    }
}

/// Two pixels in each cell, one above the other; the picture keeps its shape.
fn pixel_cells(frame: &Frame, columns: usize, rows: usize) -> Cells {
    let mut cells = Cells {
        columns,
        rows,
        cells: vec![BLANK; columns * rows],
        cursor: None,
    };
    if frame.width == 0 || frame.height == 0 || columns == 0 || rows == 0 {
        return cells;
    }
    // Low modes have pixels that are higher than wide; all screens are 4 to 3.
    let lines = rows * 2;
    let width = columns.min(lines * 4 / 3).max(1);
    let height = lines.min(columns * 3 / 4).max(2);
    let pixel = |x: usize, y: usize| {
        let at = (y * frame.height / height) * frame.width + x * frame.width / width;
        let [b, g, r, _] = frame.pixels.get(at).copied().unwrap_or(0).to_le_bytes();
        Color::Rgb { r, g, b }
    };
    for row in 0..height / 2 {
        for column in 0..width {
            cells.cells[row * columns + column] = Cell {
                character: '▀',
                ink: pixel(column, row * 2),
                paper: pixel(column, row * 2 + 1),
            };
        }
    }
    cells
}

/// Draws what differs from what is drawn already.
fn draw(out: &mut impl Write, drawn: &Cells, cells: &Cells) -> io::Result<()> {
    if drawn == cells {
        return Ok(());
    }
    let is_same_size = (drawn.columns, drawn.rows) == (cells.columns, cells.rows);
    queue!(out, Hide)?;
    if !is_same_size {
        queue!(out, ResetColor, Clear(ClearType::All))?;
    }
    let mut colors = None;
    let mut expected = None;
    for (at, cell) in cells.cells.iter().enumerate() {
        let before = if is_same_size {
            drawn.cells.get(at)
        } else {
            None
        };
        if before == Some(cell) {
            continue;
        }
        if expected != Some(at) || at % cells.columns == 0 {
            let (column, row) = (at % cells.columns, at / cells.columns);
            queue!(out, MoveTo(column as u16, row as u16))?;
        }
        if colors != Some((cell.ink, cell.paper)) {
            queue!(
                out,
                SetForegroundColor(cell.ink),
                SetBackgroundColor(cell.paper)
            )?;
            colors = Some((cell.ink, cell.paper));
        }
        queue!(out, Print(cell.character))?;
        expected = Some(at + 1);
    }
    queue!(out, ResetColor)?;
    if let Some((column, row)) = cells.cursor {
        queue!(out, MoveTo(column as u16, row as u16), Show)?;
    }
    out.flush()
}

/// Passes keys on until the run is over.
fn read_keys(screen: &Screen, inbox: &Inbox) {
    let mut after_ctrl_a = false;
    loop {
        if screen.wait_for(|shown| Some(shown.is_over)) {
            return;
        }
        match event::poll(PATIENCE) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(_) => return,
        }
        match event::read() {
            Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => {
                press(key, &mut after_ctrl_a, inbox);
            }
            Ok(Event::Resize(..)) => screen.redraw(),
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

fn press(key: TerminalKey, after_ctrl_a: &mut bool, inbox: &Inbox) {
    let is_ctrl_a = key.code == KeyCode::Char('a') && key.modifiers.contains(KeyModifiers::CONTROL);
    if !std::mem::replace(after_ctrl_a, false) {
        if is_ctrl_a {
            *after_ctrl_a = true;
        } else {
            inbox.push_gestures(&gestures(key));
        }
        return;
    }
    match key.code {
        _ if is_ctrl_a => inbox.push_gestures(&gestures(key)),
        KeyCode::Char('x' | 'X') => inbox.request_quit(Quit::Key),
        KeyCode::Char('s' | 'S') => inbox.request_screenshot(),
        // The one combination that no terminal passes on.
        KeyCode::Char('d' | 'D') => {
            let keys = crate::keys::strokes_of_name("ctrl-alt-del").unwrap_or_default();
            inbox.push_gestures(&keys.into_iter().map(Gesture::Key).collect::<Vec<_>>());
        }
        _ => {}
    }
}

/// The keys of the machine's keyboard for one of the terminal's.
fn gestures(pressed: TerminalKey) -> Vec<Gesture> {
    let Some((key, needs_shift)) = key_of(pressed.code) else {
        return Vec::new();
    };
    let modifiers = pressed.modifiers;
    let is_text = matches!(pressed.code, KeyCode::Char(_));
    let held = [
        (
            Key::SHIFT,
            needs_shift || (modifiers.contains(KeyModifiers::SHIFT) && !is_text),
        ),
        (Key::CTRL, modifiers.contains(KeyModifiers::CONTROL)),
        (Key::ALT, modifiers.contains(KeyModifiers::ALT)),
    ];
    let held: Vec<Key> = held
        .into_iter()
        .filter_map(|(key, is_held)| is_held.then_some(key))
        .collect();
    let downs = held.iter().copied().chain([key]).map(KeyEvent::down);
    let ups = [key].into_iter().chain(held.iter().rev().copied());
    downs
        .chain(ups.map(KeyEvent::up))
        .map(Gesture::Key)
        .collect()
}

fn key_of(code: KeyCode) -> Option<(Key, bool)> {
    let named = |name| Key::named(name).map(|key| (key, false));
    match code {
        KeyCode::Char(character) => Key::typing(character),
        KeyCode::Enter => named("ret"),
        KeyCode::Esc => named("esc"),
        KeyCode::Backspace => named("backspace"),
        KeyCode::Tab => named("tab"),
        KeyCode::BackTab => Key::named("tab").map(|key| (key, true)),
        KeyCode::Up => named("up"),
        KeyCode::Down => named("down"),
        KeyCode::Left => named("left"),
        KeyCode::Right => named("right"),
        KeyCode::Home => named("home"),
        KeyCode::End => named("end"),
        KeyCode::PageUp => named("pgup"),
        KeyCode::PageDown => named("pgdn"),
        KeyCode::Insert => named("insert"),
        KeyCode::Delete => named("delete"),
        KeyCode::F(number) => named(&format!("f{number}")),
        KeyCode::Pause => named("pause"),
        KeyCode::PrintScreen => named("print"),
        KeyCode::Menu => named("menu"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(rows: usize, cursor: Option<(usize, usize)>) -> TextScreen {
        let cells = (0..rows * 80)
            .map(|at| (b'0' + (at / 80) as u8, 0x1f))
            .collect();
        TextScreen {
            columns: 80,
            rows,
            cells,
            cursor,
            blinks: true,
            ..TextScreen::default()
        }
    }

    #[test]
    fn a_low_terminal_shows_the_part_with_the_cursor() {
        let cells = text_cells(&text(25, Some((3, 24))), 80, 10);
        assert_eq!(cells.cells[0].character, (b'0' + 15) as char);
        assert_eq!(cells.cursor, Some((3, 9)));
        assert_eq!(
            (cells.cells[0].ink, cells.cells[0].paper),
            (Color::White, Color::DarkBlue)
        );
        let cells = text_cells(&text(25, None), 100, 30);
        assert_eq!(cells.cells[80], BLANK);
        assert_eq!(cells.cells[25 * 100], BLANK);
    }

    #[test]
    fn only_what_differs_is_drawn() {
        let before = text_cells(&text(25, None), 80, 25);
        let mut bytes = Vec::new();
        draw(&mut bytes, &before, &before).unwrap();
        assert!(bytes.is_empty());
        let mut changed = text(25, None);
        changed.cells[80 * 3 + 5].0 = b'#';
        let after = text_cells(&changed, 80, 25);
        draw(&mut bytes, &before, &after).unwrap();
        let drawn = String::from_utf8(bytes).unwrap();
        assert!(drawn.contains('#') && drawn.len() < 80, "{drawn:?}");
        assert!(drawn.contains("\u{1b}[4;6H"), "{drawn:?}");
    }

    #[test]
    fn graphics_become_half_blocks_of_the_right_shape() {
        let frame = Frame {
            width: 320,
            height: 200,
            pixels: (0..320 * 200)
                .map(|at| if at < 320 * 100 { 0xff_0000 } else { 0xff })
                .collect(),
        };
        let cells = pixel_cells(&frame, 80, 25);
        // 50 lines of half blocks, 66 wide.
        assert_eq!(cells.cells[65].character, '▀');
        assert_eq!(cells.cells[66], BLANK);
        assert_eq!(cells.cells[0].ink, Color::Rgb { r: 255, g: 0, b: 0 });
        assert_eq!(
            cells.cells[24 * 80].paper,
            Color::Rgb { r: 0, g: 0, b: 255 }
        );
        assert_eq!(pixel_cells(&Frame::default(), 80, 25).cells[0], BLANK);
    }

    #[test]
    fn keys_of_the_terminal_are_keys_of_the_machine() {
        let typed = |code, modifiers| {
            gestures(TerminalKey::new(code, modifiers))
                .iter()
                .flat_map(|gesture| match gesture {
                    Gesture::Key(event) => event.codes(),
                    Gesture::Mouse(_) => Vec::new(),
                })
                .collect::<Vec<u8>>()
        };
        assert_eq!(
            typed(KeyCode::Char('A'), KeyModifiers::SHIFT),
            [0x12, 0x1c, 0xf0, 0x1c, 0xf0, 0x12]
        );
        assert_eq!(
            typed(KeyCode::Char('c'), KeyModifiers::CONTROL),
            [0x14, 0x21, 0xf0, 0x21, 0xf0, 0x14]
        );
        assert_eq!(typed(KeyCode::F(10), KeyModifiers::NONE), [9, 0xf0, 9]);
        assert!(typed(KeyCode::Char('é'), KeyModifiers::NONE).is_empty());
    }

    #[test]
    fn ctrl_a_begins_a_command() {
        let inbox = Inbox::default();
        let mut after = false;
        let ctrl_a = TerminalKey::new(KeyCode::Char('a'), KeyModifiers::CONTROL);
        let x = TerminalKey::new(KeyCode::Char('x'), KeyModifiers::NONE);
        press(x, &mut after, &inbox);
        assert_eq!(inbox.take().gestures.len(), 2);
        press(ctrl_a, &mut after, &inbox);
        press(x, &mut after, &inbox);
        let arrivals = inbox.take();
        assert_eq!(
            (arrivals.gestures.len(), arrivals.quit),
            (0, Some(Quit::Key))
        );
        press(ctrl_a, &mut after, &inbox);
        press(ctrl_a, &mut after, &inbox);
        assert_eq!(inbox.take().gestures.len(), 4);
    }
}
