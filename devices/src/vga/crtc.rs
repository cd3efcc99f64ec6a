//! The CRT controller: what is scanned, and when (IBM VGA, "CRT Controller
//! Registers").

use serde::{Deserialize, Serialize};

const REGISTERS: usize = 0x19;
const OVERFLOW: usize = 0x07;
const MAXIMUM_SCAN_LINE: usize = 0x09;
const VERTICAL_RETRACE_END: usize = 0x11;
const UNDERLINE: usize = 0x14;
const MODE_CONTROL: usize = 0x17;

/// Mode control at power-on: the controller runs, and counts as in text modes. (IBM's waits for a BIOS; [`super::Vga`] says
/// why ours does not.)
const MODE_CONTROL_AT_POWER_ON: u8 = 0xa3;

/// The CRT controller's registers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Crtc {
    pub(super) index: u8,
    registers: [u8; REGISTERS],
}

impl Default for Crtc {
    fn default() -> Self {
        let mut registers = [0; REGISTERS];
        registers[MODE_CONTROL] = MODE_CONTROL_AT_POWER_ON;
        Self {
            index: 0,
            registers,
        }
    }
}

/// How the address counter reaches the planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Addressing {
    Byte,
    Word,
    Doubleword,
}

/// The text cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CursorShape {
    /// The address counter's value at the cell.
    pub(super) address: usize,
    /// First and last scan line; none if the cursor is off.
    pub(super) lines: Option<(usize, usize)>,
}

impl Crtc {
    pub(super) fn read(&self) -> u8 {
        let index = usize::from(self.index);
        self.registers.get(index).copied().unwrap_or(0)
    }

    pub(super) fn write(&mut self, value: u8) {
        let index = usize::from(self.index);
        // Bit 7 of the vertical retrace end register protects what a monitor depends on.
        let is_protected = self.registers[VERTICAL_RETRACE_END] & 0x80 != 0;
        match self.registers.get_mut(index) {
            Some(register) if is_protected && index == OVERFLOW => {
                *register = *register & !0x10 | value & 0x10;
            }
            Some(_) if is_protected && index < OVERFLOW => {}
            Some(register) => *register = value,
            None => {}
        }
    }

    /// Whether the register that is selected matters from line to line: not the timing, and not the start address, which
    /// counts at the top only.
    pub(super) const fn index_is_scanned(&self) -> bool {
        matches!(self.index, 1 | 7..=9 | 0x13 | 0x14 | 0x17 | 0x18)
    }

    fn value(&self, index: usize) -> usize {
        usize::from(self.registers[index])
    }

    /// A vertical value: eight bits, and two more in the overflow register.
    fn vertical(&self, index: usize, bit_8: u32, bit_9: u32) -> usize {
        let overflow = self.value(OVERFLOW);
        self.value(index) | (overflow >> bit_8 & 1) << 8 | (overflow >> bit_9 & 1) << 9
    }

    /// Characters in a line.
    pub(super) fn columns(&self) -> usize {
        self.value(1) + 1
    }

    /// Character clocks from line to line.
    pub(super) fn horizontal_total(&self) -> usize {
        self.value(0) + 5
    }

    /// Scan lines shown.
    pub(super) fn display_lines(&self) -> usize {
        (self.vertical(0x12, 1, 6) + 1) * self.lines_of_count()
    }

    /// Scan lines from frame to frame.
    pub(super) fn vertical_total(&self) -> usize {
        (self.vertical(6, 0, 5) + 2) * self.lines_of_count()
    }

    /// Scan lines that the vertical counter takes for one. Only it is slower then; rows are as high as ever.
    fn lines_of_count(&self) -> usize {
        1 + (self.value(MODE_CONTROL) >> 2 & 1)
    }

    /// The scan lines of the vertical retrace.
    pub(super) fn vertical_retrace(&self) -> std::ops::Range<usize> {
        let start = self.vertical(0x10, 2, 7);
        // Only four bits of the end are there.
        let length = self.value(VERTICAL_RETRACE_END).wrapping_sub(start) & 15;
        let lines = self.lines_of_count();
        start * lines..(start + length.max(1)) * lines
    }

    /// Whether the latch of the vertical interrupt is held clear.
    pub(super) const fn clears_interrupt(&self) -> bool {
        self.registers[VERTICAL_RETRACE_END] & 0x10 == 0
    }

    /// Whether the latch is kept off the interrupt line.
    pub(super) const fn disables_interrupt(&self) -> bool {
        self.registers[VERTICAL_RETRACE_END] & 0x20 != 0
    }

    /// Whether nothing, not even the border, is sent to the monitor at a character clock of a scan line.
    pub(super) fn is_blanked(&self, character: usize, line: usize) -> bool {
        // Only some bits of the ends are there.
        let left = self.value(2);
        let right = self.value(3) & 31 | (self.value(5) & 0x80) >> 2;
        let maximum = self.value(MAXIMUM_SCAN_LINE);
        let bottom = self.vertical(0x15, 3, 3) & !0x200 | (maximum & 0x20) << 4;
        let top = self.value(0x16);
        (left..left + (right.wrapping_sub(left) & 0x3f)).contains(&character)
            || (bottom..bottom + (top.wrapping_sub(bottom) & 0xff))
                .contains(&(line / self.lines_of_count()))
    }

    /// The scan line after which the screen starts again at address zero.
    pub(super) fn line_compare(&self) -> usize {
        let count = self.value(0x18)
            | (self.value(OVERFLOW) >> 4 & 1) << 8
            | (self.value(MAXIMUM_SCAN_LINE) >> 6 & 1) << 9;
        // The last one of that count.
        (count + 1) * self.lines_of_count() - 1
    }

    /// Scan lines of a row.
    pub(super) fn row_lines(&self) -> usize {
        (self.value(MAXIMUM_SCAN_LINE) & 31) + 1
    }

    /// Each scan line is shown twice.
    pub(super) fn is_double_scan(&self) -> bool {
        self.value(MAXIMUM_SCAN_LINE) & 0x80 != 0
    }

    /// The address counter at the top of the screen.
    pub(super) fn start_address(&self) -> usize {
        self.value(0x0c) << 8 | self.value(0x0d)
    }

    /// Scan lines of the first row that are skipped.
    pub(super) fn preset_row_scan(&self) -> usize {
        self.value(8) & 31
    }

    /// Characters by which the screen is panned, besides the attribute controller's dots.
    pub(super) fn byte_panning(&self) -> usize {
        self.value(8) >> 5 & 3
    }

    /// By how much the address counter rises from row to row.
    pub(super) fn row_offset(&self) -> usize {
        self.value(0x13) * 2
    }

    /// The scan line that is underlined.
    pub(super) fn underline_line(&self) -> usize {
        self.value(UNDERLINE) & 31
    }

    /// Whether sync pulses, and with them the picture, are there at all.
    pub(super) fn is_running(&self) -> bool {
        self.value(MODE_CONTROL) & 0x80 != 0
    }

    /// Whether the lines of a row lie at different addresses, as CGA and Hercules had it.
    pub(super) fn rows_are_interleaved(&self) -> bool {
        self.value(MODE_CONTROL) & 3 != 3
    }

    pub(super) fn cursor(&self) -> CursorShape {
        let (start, end) = (self.value(0x0a), self.value(0x0b));
        let lines = (start & 31, end & 31);
        let is_on = start & 0x20 == 0 && lines.0 <= lines.1;
        CursorShape {
            address: ((self.value(0x0e) << 8 | self.value(0x0f)) + (end >> 5 & 3)) & 0xffff,
            lines: is_on.then_some(lines),
        }
    }

    fn addressing(&self) -> Addressing {
        if self.value(UNDERLINE) & 0x40 != 0 {
            Addressing::Doubleword
        } else if self.value(MODE_CONTROL) & 0x40 == 0 {
            Addressing::Word
        } else {
            Addressing::Byte
        }
    }

    /// The address in each plane that the counter selects in a scan line of its row.
    pub(super) fn plane_address(&self, counter: usize, row_line: usize) -> usize {
        let control = self.value(MODE_CONTROL);
        let mut address = match self.addressing() {
            Addressing::Byte => counter,
            Addressing::Word => {
                let wrap = if control & 0x20 == 0 { 13 } else { 15 };
                counter << 1 | counter >> wrap & 1
            }
            Addressing::Doubleword => counter << 2 | counter >> 14 & 3,
        };
        if control & 1 == 0 {
            address = address & !(1 << 13) | (row_line & 1) << 13;
        }
        if control & 2 == 0 {
            address = address & !(1 << 14) | (row_line >> 1 & 1) << 14;
        }
        address & 0xffff
    }
}

#[cfg(test)]
mod tests {
    use super::Crtc;

    fn with(registers: &[(u8, u8)]) -> Crtc {
        let mut crtc = Crtc::default();
        for &(index, value) in registers {
            crtc.index = index;
            crtc.write(value);
        }
        crtc
    }

    #[test]
    fn protection_leaves_only_the_line_compare_bit() {
        let crtc = with(&[(0x11, 0x80), (0, 0x5f), (7, 0xff)]);
        assert_eq!(crtc.value(0), 0);
        assert_eq!(crtc.value(7), 0x10);
    }

    #[test]
    fn the_text_mode_of_the_bios_is_400_lines_at_70_hz() {
        let crtc = with(&[
            (0, 0x5f),
            (1, 0x4f),
            (6, 0xbf),
            (7, 0x1f),
            (9, 0x4f),
            (0x10, 0x9c),
            (0x11, 0x8e),
            (0x12, 0x8f),
        ]);
        assert_eq!((crtc.columns(), crtc.horizontal_total()), (80, 100));
        assert_eq!((crtc.display_lines(), crtc.vertical_total()), (400, 449));
        assert_eq!(crtc.vertical_retrace(), 412..414);
        assert_eq!(crtc.row_lines(), 16);
    }

    #[test]
    fn the_vertical_counter_may_count_pairs_of_lines() {
        let registers = [
            (6, 0xbf),
            (7, 0x1f),
            (9, 0x4f),
            (0x10, 0x9c),
            (0x11, 0x8e),
            (0x12, 0x8f),
            (0x15, 0x96),
            (0x16, 0xb9),
        ];
        let mut crtc = with(&registers);
        let single = crtc.line_compare();
        crtc.index = 0x17;
        crtc.write(0xa7);
        assert_eq!((crtc.display_lines(), crtc.vertical_total()), (800, 898));
        assert_eq!(crtc.vertical_retrace(), 824..828);
        assert!(!crtc.is_blanked(0, 811) && crtc.is_blanked(0, 812));
        assert_eq!(crtc.line_compare(), 2 * single + 1);
        assert_eq!(crtc.row_lines(), 16, "rows are as high as before");
    }

    #[test]
    fn between_picture_and_blanking_lies_the_border() {
        let crtc = with(&[
            (2, 82),
            (3, 0x82),
            (5, 0x80),
            (7, 0x08),
            (9, 0x20),
            (0x15, 0x10),
            (0x16, 0x20),
        ]);
        // Blanked from character 82 on to that whose six lowest bits are 34, and from line 784 on.
        let characters: Vec<_> = (0..100).filter(|&at| crtc.is_blanked(at, 0)).collect();
        assert_eq!(characters, (82..98).collect::<Vec<_>>());
        assert!(!crtc.is_blanked(0, 783) && crtc.is_blanked(0, 784));
        assert!(crtc.is_blanked(0, 799) && !crtc.is_blanked(0, 800));
    }

    #[test]
    fn addresses_are_counted_in_bytes_words_and_doublewords() {
        assert_eq!(with(&[(0x17, 0xe3)]).plane_address(0x1234, 0), 0x1234);
        assert_eq!(with(&[(0x17, 0xa3)]).plane_address(0x8001, 0), 0x0003);
        assert_eq!(
            with(&[(0x17, 0xa3), (0x14, 0x40)]).plane_address(0x4001, 0),
            5
        );
        assert_eq!(with(&[(0x17, 0xc2)]).plane_address(0, 1), 0x2000);
    }
}
