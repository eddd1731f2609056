//! Output of a run: the sink, progress bars and pages.

mod bar_terminal;
mod progress_bars;
mod progress_lines;
mod reporter;
mod stdio_capture;
mod stdout;
mod transfer_progress;

pub(crate) use reporter::Reporter;
pub(crate) use stdout::print;
