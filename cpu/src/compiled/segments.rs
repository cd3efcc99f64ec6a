//! What compiled code knows of segments: cells that follow from their limits and types.
//!
//! Bases are read where the state has them. Limits and types change only with an
//! instruction that ends its block, so they are looked at when one has done so.

use crate::Cpu;
use crate::mode::Mode;
use crate::segment::SegmentRegister;

impl Cpu {
    /// Where code lies, as the compiler names it: RIP, and the base of CS above it where
    /// that is not zero by the mode.
    #[must_use]
    #[inline]
    pub const fn code_key(&self) -> u64 {
        self.state.rip | self.code_base()
    }

    #[inline]
    const fn code_base(&self) -> u64 {
        if self.mode.intersects(Mode::FLAT.union(Mode::CODE64)) {
            0
        } else {
            self.state.segment(SegmentRegister::Cs).base << 32
        }
    }

    /// Whether compiled code may run at CS:RIP. In 16-bit code of real or virtual-8086
    /// mode it takes for granted that CS has 64 KiB, and that no other segment's base can
    /// make the mode flat.
    #[must_use]
    #[inline]
    pub const fn may_run_compiled(&self) -> bool {
        if self.mode.intersects(Mode::FLAT.union(Mode::CODE64)) {
            return true;
        }
        let code = self.state.segment(SegmentRegister::Cs);
        // A key must not look like no key.
        if code.base >> 31 != 0 {
            return false;
        }
        if self.mode.contains(Mode::CODE32) {
            return true;
        }
        let has_room = code.limit == 0xffff
            || code.limit > 0xffff && (code.limit < u32::MAX || code.base != 0);
        self.state.rip <= 0xffff && (has_room || !self.mode.contains(Mode::REAL_STYLE))
    }

    /// Fills [`super::Cells::segment_ends`] and what is beside it.
    #[inline]
    pub fn note_segments(&mut self) {
        self.cells.code_base = self.code_base();
        if !self.mode.contains(Mode::CODE64) {
            self.note_segment_ends();
        }
    }

    fn note_segment_ends(&mut self) {
        let is_real = self.mode.contains(Mode::REAL_STYLE);
        let is_flat = self.mode.contains(Mode::FLAT);
        let mut plain = 0;
        for (number, register) in SegmentRegister::ALL.into_iter().enumerate() {
            let segment = self.state.segment(register);
            // An expand-down segment does not cover its first byte.
            let may = |write| {
                if is_real {
                    segment.covers(0, 1)
                } else {
                    segment.permits(0, 1, write)
                }
            };
            let end = u64::from(segment.limit) + 1;
            self.cells.segment_ends[number] =
                [false, true].map(|write| if may(write) { end } else { 0 });
            if is_real && !is_flat {
                let again = self.real_style_segment(register, segment.selector);
                let is_plain =
                    (again.limit, again.attributes) == (segment.limit, segment.attributes);
                plain |= u64::from(is_plain) << number;
            }
        }
        self.cells.plain_segments = plain;
    }
}
