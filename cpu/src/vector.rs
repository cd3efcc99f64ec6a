//! Lane-wise operations on vectors: one portable function each (SDM 1, chapters 9 to 11).
