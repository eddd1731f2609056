//! Messages of panics: redacted, in the order of the output, and once.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::thread;

use fabrs_core::secret::Redactor;
use fabrs_core::task;

/// Replaces the panic hook of std. It passes messages to `note`, without the secrets of `redactor`.
///
/// A panic of a task is an error of the run, so it has no message of its own unless `RUST_BACKTRACE` asks for one.
pub(crate) fn install(note: impl Fn(&str) + Send + Sync + 'static, redactor: Redactor) {
    panic::set_hook(Box::new(move |panic| {
        let backtrace = Backtrace::capture();
        if !task::is_reported(panic) || backtrace.status() == BacktraceStatus::Captured {
            note(&redactor.text(&message(panic, &backtrace)));
        }
    }));
}

/// Returns the message in the format of std.
fn message(panic: &PanicHookInfo<'_>, backtrace: &Backtrace) -> String {
    let thread = thread::current();
    let name = thread.name().unwrap_or("<unnamed>");
    let place = panic.location().map(|at| format!(" at {at}")).unwrap_or_default();
    let text = panic.payload_as_str().unwrap_or("Box<dyn Any>");
    let message = format!("thread '{name}' panicked{place}:\n{text}\n");
    if backtrace.status() == BacktraceStatus::Captured { format!("{message}{backtrace}\n") } else { message }
}
