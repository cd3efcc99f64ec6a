//! Turns IR blocks into host code. Knows no x86 guest opcode.
