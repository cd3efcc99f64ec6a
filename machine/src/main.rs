//! The `rax` command.
fn main() {}
