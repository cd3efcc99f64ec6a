//! What compiled code knows of segments: cells that follow from their limits and types.
//!
//! Bases are read where the state has them. Limits and types change only with an
//! instruction that ends its block, so they are looked at when one has done so.

use crate::Cpu;
use crate::mode::Mode;
use crate::segment::load::KEPT_IN_REAL_MODE;
use crate::segment::{Attributes, Segment, SegmentRegister};

/// What the cells were last made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct NotedSegments {
    /// Limit and attributes of each segment.
    words: [u64; 6],
    mode: Mode,
    /// Tells real mode from virtual-8086 mode.
    is_protected: bool,
}

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
        // Most of what ends a block changes none of this.
        let words = self
            .state
            .segments
            .map(|segment| u64::from(segment.limit) << 16 | u64::from(segment.attributes.bits()));
        let noted = NotedSegments {
            words,
            mode: self.mode,
            is_protected: self.state.cr0 & 1 != 0,
        };
        if self.noted_segments != noted {
            self.noted_segments = noted;
            self.find_segment_ends();
        }
    }

    #[cold]
    fn find_segment_ends(&mut self) {
        let is_real = self.mode.contains(Mode::REAL_STYLE);
        let plain = self.plain_attributes();
        let mut plain_segments = 0;
        for (number, segment) in self.state.segments.iter().enumerate() {
            let attributes = segment.attributes;
            let is_code = segment.is_code();
            let is_writable = attributes.contains(Attributes::WRITABLE);
            // An expand-down segment does not cover its first byte.
            let is_up = is_code || !attributes.contains(Attributes::EXPAND_DOWN);
            let is_there = is_up && (is_real || segment.is_usable());
            let may_read = is_there && (is_real || is_writable || !is_code);
            let may_write = is_there && (is_real || is_writable && !is_code);
            let end = u64::from(segment.limit) + 1;
            self.cells.segment_ends[number] =
                [may_read, may_write].map(|may| if may { end } else { 0 });
            let is_plain = plain.is_some_and(|(kept, wanted, limit)| {
                attributes.difference(kept) == wanted
                    && (segment.limit == limit || !kept.is_empty())
            });
            plain_segments |= u64::from(is_plain) << number;
        }
        self.cells.plain_segments = plain_segments;
    }

    /// What a load leaves as it is, if it leaves all of the rest: attributes that may be
    /// anything, those that may not, and the limit, if the first are none. See
    /// [`Cpu::real_style_segment`].
    const fn plain_attributes(&self) -> Option<(Attributes, Attributes, u32)> {
        if !self.mode.contains(Mode::REAL_STYLE) || self.mode.contains(Mode::FLAT) {
            None
        } else if self.is_virtual_8086() {
            let Segment {
                attributes, limit, ..
            } = Segment::virtual_8086(0);
            Some((Attributes::empty(), attributes, limit))
        } else {
            let Segment {
                attributes, limit, ..
            } = Segment::real_mode(0);
            Some((KEPT_IN_REAL_MODE, attributes, limit))
        }
    }
}
