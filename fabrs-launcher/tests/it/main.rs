//! Tests of the launcher with the real cargo and a stub of fabrs.

mod compiling;
mod concurrent;
mod errors;
mod recompile;
mod test_dir;
mod trust;
