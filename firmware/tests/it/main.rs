//! What systems find in the image before any of it has run.

mod system;
