//! The launcher with a real cargo and a stand-in for fabrs: what it compiles, when, and what it says.

mod compiling;
mod fresh;
mod place;
mod together;
mod trouble;
mod trust;
