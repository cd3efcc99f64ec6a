//! The page fault and its error code (SDM 3A, section 4.7).

use crate::address::LinearAddress;

bitflags::bitflags! {
    /// The error code that #PF pushes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct PageFaultCode: u32 {
        /// The page was present: the access violated a right or a reserved bit.
        const P = 1 << 0;
        /// The access was a write.
        const W = 1 << 1;
        /// The access was a user-mode access.
        const U = 1 << 2;
        /// A reserved bit was set in a paging-structure entry.
        const RSVD = 1 << 3;
        /// The access was an instruction fetch.
        const I = 1 << 4;
        /// A protection key denied the access.
        const PK = 1 << 5;
        /// The access was to a shadow stack.
        const SS = 1 << 6;
        /// The processor's enclave rules denied the access.
        const SGX = 1 << 15;
    }
}

/// A translation that the guest's tables do not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageFault {
    /// What CR2 will hold.
    pub address: LinearAddress,
    /// What the handler finds on its stack.
    pub error_code: PageFaultCode,
}
