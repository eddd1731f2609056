//! Panic hook of a run: redacts panic messages and prints each once, in order with other output.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::thread;

use fabrs_core::secret::Redactor;
use fabrs_core::task;

/// Replaces the panic hook of std. The new hook passes each message to `note`, with the secrets of
/// `redactor` redacted.
///
/// A panic of a task is reported as an error of the run. Its message is passed to `note` only if
/// `RUST_BACKTRACE` enables backtraces.
pub(crate) fn install(note: impl Fn(&str) + Send + Sync + 'static, redactor: Redactor) {
    panic::set_hook(Box::new(move |panic| {
        let backtrace = Backtrace::capture();
        if !task::is_reported(panic) || backtrace.status() == BacktraceStatus::Captured {
            note(&redactor.text(&message(panic, &backtrace)));
        }
    }));
}

/// Returns the panic message in the format of std.
fn message(panic: &PanicHookInfo<'_>, backtrace: &Backtrace) -> String {
    let thread = thread::current();
    let name = thread.name().unwrap_or("<unnamed>");
    let place = panic.location().map(|at| format!(" at {at}")).unwrap_or_default();
    let text = panic.payload_as_str().unwrap_or("Box<dyn Any>");
    let message = format!("thread '{name}' panicked{place}:\n{text}\n");
    if backtrace.status() == BacktraceStatus::Captured { format!("{message}{backtrace}\n") } else { message }
}
