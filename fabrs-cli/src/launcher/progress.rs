//! What is told while `tasks.rs` is compiled.

use std::io::{self, IsTerminal, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::environment::Environment;

/// One thing that happens on the way to an up-to-date tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note<'a> {
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
pub trait Progress {
    /// Tells whether the compiler's messages may carry colours.
    fn colour(&self) -> bool;

    /// Takes notice of one thing.
    fn note(&mut self, note: Note<'_>);
}

/// Returns what suits this process's stderr: a line that changes on a terminal, else plain lines.
pub fn on_stderr(environment: &Environment) -> Box<dyn Progress> {
    if io::stderr().is_terminal() {
        Box::new(Bar::new(environment.wants_colour()))
    } else {
        Box::new(Lines { out: io::stderr() })
    }
}

/// Plain lines: one when compiling begins.
struct Lines<W> {
    out: W,
}

impl<W: io::Write> Progress for Lines<W> {
    fn colour(&self) -> bool {
        false
    }

    fn note(&mut self, note: Note<'_>) {
        // With stderr closed there is nobody to tell, and the tasks run all the same.
        let _ = match note {
            Note::Waiting => writeln!(self.out, "waiting for another fab to compile tasks.rs"),
            Note::Compiling { first: true } => {
                writeln!(self.out, "compiling tasks.rs (first time, about a minute or two)")
            }
            Note::Compiling { first: false } => writeln!(self.out, "compiling tasks.rs"),
            Note::Diagnostic(text) => write!(self.out, "{text}"),
            Note::Crate { .. } | Note::Cargo(_) | Note::Done => Ok(()),
        };
    }
}

/// One line on a terminal that says what is being done, and is gone afterwards.
struct Bar {
    line: ProgressBar,
    doing: &'static str,
    colour: bool,
}

impl Bar {
    fn new(colour: bool) -> Self {
        Self { line: ProgressBar::hidden(), doing: "", colour }
    }

    fn show(&mut self, doing: &'static str) {
        self.doing = doing;
        if self.line.is_hidden() {
            let style =
                ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            self.line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style);
            self.line.enable_steady_tick(Duration::from_millis(100));
        }
        self.line.set_message(doing);
    }
}

impl Progress for Bar {
    fn colour(&self) -> bool {
        self.colour
    }

    fn note(&mut self, note: Note<'_>) {
        match note {
            Note::Waiting => self.show("waiting for another fab to compile tasks.rs"),
            Note::Compiling { first: true } => self.show("compiling tasks.rs for the first time"),
            Note::Compiling { first: false } => self.show("compiling tasks.rs"),
            // The last one needs no count, and alone, as after most changes, it is nothing but what is said anyway.
            Note::Crate { name: "tasks.rs", .. } => self.line.set_message(self.doing),
            Note::Crate { done, total, name } => {
                self.line.set_message(format!("{}: {done}/{total} {name}", self.doing));
            }
            Note::Cargo(text) => self.line.set_message(format!("{}: {text}", self.doing)),
            Note::Diagnostic(text) => self.line.suspend(|| {
                // As for plain lines.
                let _ = write!(io::stderr(), "{text}");
            }),
            Note::Done => self.line.finish_and_clear(),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.line.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_one_line_is_written_and_the_compilers_messages_as_they_are() {
        let mut lines = Lines { out: Vec::new() };
        assert!(!lines.colour());
        lines.note(Note::Compiling { first: true });
        lines.note(Note::Crate { done: 1, total: 9, name: "russh" });
        lines.note(Note::Cargo("downloading"));
        lines.note(Note::Diagnostic("error: no\n\n"));
        lines.note(Note::Done);
        let expected = "compiling tasks.rs (first time, about a minute or two)\nerror: no\n\n";
        assert_eq!(String::from_utf8(lines.out).unwrap(), expected);
    }
}
