//! Hardware task switches (SDM 3A, chapter 7).
