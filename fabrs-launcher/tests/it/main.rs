//! The launcher with a real cargo and a stand-in for fabrs: what it compiles, when, and what it says.

mod compiling;
mod concurrent;
mod errors;
mod recompile;
mod test_dir;
mod trust;
