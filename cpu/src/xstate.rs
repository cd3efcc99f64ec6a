//! The state components that XSAVE and its kin save, and how their areas are laid out
//! (SDM 1, 13.1 and 13.4). CPUID leaf 0Dh tells the guest the same.

/// x87 state, by its bit in XCR0.
pub(crate) const X87: u64 = 1 << 0;
/// The XMM registers.
pub(crate) const SSE: u64 = 1 << 1;
/// The upper halves of the YMM registers.
pub(crate) const AVX: u64 = 1 << 2;
/// Protection-key rights.
pub(crate) const PKRU: u64 = 1 << 9;

/// The legacy area that FXSAVE defines.
pub(crate) const LEGACY: u64 = 512;
/// The header after it.
pub(crate) const HEADER: u64 = 64;
/// Where the extended region begins, which holds all components but the first two.
const EXTENDED: u64 = LEGACY + HEADER;
/// XCOMP_BV: the area is compacted.
pub(crate) const COMPACTED: u64 = 1 << 63;

/// A component of the extended region.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Component {
    /// Its number, which is its bit in XCR0 and the subleaf that describes it.
    pub(crate) number: u32,
    /// How many bytes it takes.
    pub(crate) size: u64,
    /// Where it lies in an area of standard format.
    pub(crate) offset: u64,
}

/// Every component there is. None is a supervisor component, and none asks for
/// alignment in the compacted format.
pub(crate) const COMPONENTS: [Component; 2] = [
    Component {
        number: 2,
        size: 256,
        offset: EXTENDED,
    },
    Component {
        number: 9,
        size: 8,
        offset: EXTENDED + 256,
    },
];

/// How an area is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Every component has a place of its own.
    Standard,
    /// These components follow one another without gaps.
    Compacted(u64),
}

impl Layout {
    /// How many bytes an area takes that holds these components.
    pub(crate) fn size(self, components: u64) -> u64 {
        COMPONENTS
            .iter()
            .filter(|component| components >> component.number & 1 != 0)
            .map(|component| self.place(component) + component.size)
            .fold(EXTENDED, u64::max)
    }

    /// Where a component begins.
    pub(crate) fn place(self, component: &Component) -> u64 {
        let Self::Compacted(present) = self else {
            return component.offset;
        };
        COMPONENTS
            .iter()
            .filter(|other| other.number < component.number && present >> other.number & 1 != 0)
            .fold(EXTENDED, |end, other| end + other.size)
    }
}

#[cfg(test)]
mod tests {
    use super::{AVX, COMPONENTS, Layout, PKRU, SSE, X87};

    #[test]
    fn a_compacted_area_has_no_gaps() {
        let [avx, pkru] = &COMPONENTS;
        assert_eq!(Layout::Standard.place(avx), 576);
        assert_eq!(Layout::Standard.place(pkru), 832);
        assert_eq!(Layout::Compacted(AVX | PKRU).place(pkru), 832);
        assert_eq!(Layout::Compacted(X87 | PKRU).place(pkru), 576);
    }

    #[test]
    fn an_area_ends_behind_its_last_component() {
        assert_eq!(Layout::Standard.size(X87), 576);
        assert_eq!(Layout::Standard.size(X87 | SSE | AVX), 832);
        assert_eq!(Layout::Standard.size(PKRU), 840);
        assert_eq!(Layout::Compacted(X87 | PKRU).size(X87 | PKRU), 584);
    }
}
