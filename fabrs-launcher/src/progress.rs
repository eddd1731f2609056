//! What is told while `tasks.rs` is compiled.

use std::io::{self, IsTerminal, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::environment::ProcessEnvironment;

/// One thing that happens on the way to an up-to-date tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildEvent<'a> {
    /// Another `fab` is compiling the same `tasks.rs`.
    Waiting,
    /// Compiling starts.
    Compiling {
        /// Nothing was compiled into this cache before, so that all of fabrs is.
        first: bool,
    },
    /// A crate is being compiled.
    Crate {
        /// How many are done.
        done: usize,
        /// About how many there are.
        total: usize,
        /// The one that was begun last; the user's own is called `tasks.rs`.
        name: &'a str,
    },
    /// Cargo is at something else: its own words.
    Cargo(&'a str),
    /// The compiler's message about the user's code, with colours if they were asked for.
    Diagnostic(&'a str),
    /// Compiling ended, well or not.
    Done,
}

/// Somebody who is told. Nothing is told when the tool is up to date.
pub trait BuildProgress {
    /// Tells whether the compiler's messages may carry colours.
    fn allow_colour(&self) -> bool;

    /// Takes notice of one thing.
    fn report(&mut self, event: BuildEvent<'_>);
}

/// Returns what suits this process's stderr: a line that changes on a terminal, else plain lines.
pub fn stderr_progress(environment: &ProcessEnvironment) -> Box<dyn BuildProgress> {
    if io::stderr().is_terminal() {
        Box::new(TerminalProgress::new(environment.allow_colour()))
    } else {
        Box::new(PlainProgress { out: io::stderr() })
    }
}

/// Plain lines: one when compiling begins.
struct PlainProgress<W> {
    out: W,
}

impl<W: io::Write> BuildProgress for PlainProgress<W> {
    fn allow_colour(&self) -> bool {
        false
    }

    fn report(&mut self, event: BuildEvent<'_>) {
        // With stderr closed there is nobody to tell, and the tasks run all the same.
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

/// One line on a terminal that says what is being done, and is gone afterwards.
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
            // The last one needs no count, and alone, as after most changes, it is nothing but what is said anyway.
            BuildEvent::Crate { name: "tasks.rs", .. } => self.line.set_message(self.activity),
            BuildEvent::Crate { done, total, name } => {
                self.line.set_message(format!("{}: {done}/{total} {name}", self.activity));
            }
            BuildEvent::Cargo(text) => self.line.set_message(format!("{}: {text}", self.activity)),
            BuildEvent::Diagnostic(text) => self.line.suspend(|| {
                // As for plain lines.
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
    fn without_a_terminal_one_line_is_written_and_the_compilers_messages_as_they_are() {
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
