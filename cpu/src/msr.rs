//! Model-specific registers: reads, writes and their checks (SDM 4).
