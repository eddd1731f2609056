//! Output of `fab`: the reporter of a run, progress of transfers, and pages on stdout.

mod bar_terminal;
mod live_phase;
mod mutex;
mod progress_bars;
mod progress_lines;
mod reporter;
mod stdio_capture;
mod stdout;
mod transfer_progress;

pub(crate) use reporter::Reporter;
pub(crate) use stdout::print;
