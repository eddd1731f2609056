//! Progress of a build, shown on a terminal or as plain lines.

use std::io::{self, IsTerminal, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::environment::ProcessEnvironment;

/// An event during the build of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildEvent<'a> {
    /// Another process compiles the same `tasks.rs`.
    Waiting,
    /// The build starts.
    Compiling {
        /// True if the cache was empty, so that all dependencies must be compiled.
        first: bool,
    },
    /// The compilation of a crate starts.
    Crate {
        /// The number of compiled crates.
        done: usize,
        /// The approximate number of all crates.
        total: usize,
        /// The name of the crate. The generated package has the name `tasks.rs`.
        name: &'a str,
    },
    /// A status line of cargo, such as a download.
    Cargo(&'a str),
    /// A message of the compiler, with colours if allowed.
    Diagnostic(&'a str),
    /// The build has ended, with or without success.
    Done,
}

/// A receiver of build events. A build without changed inputs has no events.
pub trait BuildProgress {
    /// Returns true if compiler messages may have colours.
    fn allow_colour(&self) -> bool;

    /// Receives an event.
    fn report(&mut self, event: BuildEvent<'_>);
}

/// Returns a progress display for stderr: a changing line on a terminal, otherwise plain lines.
pub fn stderr_progress(environment: &ProcessEnvironment) -> Box<dyn BuildProgress> {
    if io::stderr().is_terminal() {
        Box::new(TerminalProgress::new(environment.allow_colour()))
    } else {
        Box::new(PlainProgress { out: io::stderr() })
    }
}

/// Plain lines: one line at the start, and the messages of the compiler.
struct PlainProgress<W> {
    out: W,
}

impl<W: io::Write> BuildProgress for PlainProgress<W> {
    fn allow_colour(&self) -> bool {
        false
    }

    fn report(&mut self, event: BuildEvent<'_>) {
        // A closed stderr must not stop the tasks.
        let _ = match event {
            BuildEvent::Waiting => writeln!(self.out, "waiting for another fab to compile tasks.rs"),
            BuildEvent::Compiling { first: true } => {
                writeln!(self.out, "compiling tasks.rs (first time, about a minute or two)")
            }
            BuildEvent::Compiling { first: false } => writeln!(self.out, "compiling tasks.rs"),
            BuildEvent::Diagnostic(text) => write!(self.out, "{text}"),
            BuildEvent::Crate { .. } | BuildEvent::Cargo(_) | BuildEvent::Done => Ok(()),
        };
    }
}

/// A line on the terminal with the current activity, removed at the end of the build.
struct TerminalProgress {
    line: ProgressBar,
    activity: &'static str,
    colour: bool,
}

impl TerminalProgress {
    fn new(colour: bool) -> Self {
        Self { line: ProgressBar::hidden(), activity: "", colour }
    }

    fn show(&mut self, activity: &'static str) {
        self.activity = activity;
        if self.line.is_hidden() {
            let style =
                ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            self.line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style);
            self.line.enable_steady_tick(Duration::from_millis(100));
        }
        self.line.set_message(activity);
    }
}

impl BuildProgress for TerminalProgress {
    fn allow_colour(&self) -> bool {
        self.colour
    }

    fn report(&mut self, event: BuildEvent<'_>) {
        match event {
            BuildEvent::Waiting => self.show("waiting for another fab to compile tasks.rs"),
            BuildEvent::Compiling { first: true } => self.show("compiling tasks.rs for the first time"),
            BuildEvent::Compiling { first: false } => self.show("compiling tasks.rs"),
            // After most changes, `tasks.rs` is the only crate to compile. A count would add no
            // information.
            BuildEvent::Crate { name: "tasks.rs", .. } => self.line.set_message(self.activity),
            BuildEvent::Crate { done, total, name } => {
                self.line.set_message(format!("{}: {done}/{total} {name}", self.activity));
            }
            BuildEvent::Cargo(text) => self.line.set_message(format!("{}: {text}", self.activity)),
            BuildEvent::Diagnostic(text) => self.line.suspend(|| {
                // A closed stderr must not stop the tasks.
                let _ = write!(io::stderr(), "{text}");
            }),
            BuildEvent::Done => self.line.finish_and_clear(),
        }
    }
}

impl Drop for TerminalProgress {
    fn drop(&mut self) {
        self.line.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_progress_has_one_line_and_the_compiler_messages() {
        let mut lines = PlainProgress { out: Vec::new() };
        assert!(!lines.allow_colour());
        lines.report(BuildEvent::Compiling { first: true });
        lines.report(BuildEvent::Crate { done: 1, total: 9, name: "russh" });
        lines.report(BuildEvent::Cargo("downloading"));
        lines.report(BuildEvent::Diagnostic("error: no\n\n"));
        lines.report(BuildEvent::Done);
        let expected = "compiling tasks.rs (first time, about a minute or two)\nerror: no\n\n";
        assert_eq!(String::from_utf8(lines.out).unwrap(), expected);
    }
}
