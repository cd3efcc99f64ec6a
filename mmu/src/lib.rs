//! Guest memory: physical memory, paging and the TLB.
