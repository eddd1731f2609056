//! Choosing the sink of a run.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Arc, Weak};

use fabrs_core::config::Variables;
use fabrs_core::event::{Broadcast, Event, Json, Passthrough, Plain, Prefix, Sink, Spool, Stream, Style};
use fabrs_core::secret::Redactor;
use fabrs_core::{Error, Result};

use super::bars::{Bars, Foot};
use super::captured::Captured;
use super::lines::Lines;
use crate::typed::Globals;

/// Where everything that is shown goes through, and the sink that writes to it.
#[derive(Debug)]
pub(crate) struct Screen {
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) spool: Arc<Spool>,
    style: Style,
    /// The stream for text that tasks print to stdout: stdout of `--json` is for events alone.
    printed: Stream,
    /// Captures what tasks print.
    captured: Option<Arc<Captured>>,
}

impl Screen {
    /// Makes the screen of a run: JSON where that is asked for, bytes as they come for one line on one host, prefixed
    /// lines otherwise. `on_broken` is called when the reader of our stdout has gone.
    pub(crate) fn new(
        globals: &Globals,
        one_line_on_one_host: bool,
        variables: &Variables,
        on_broken: impl FnOnce() + Send + 'static,
    ) -> Self {
        let style = style(variables);
        let foot = (io::stderr().is_terminal() && variables.has_capable_term()).then(Foot::new);
        let spool = Arc::new(match foot.clone() {
            Some(foot) => Spool::stdio_around(on_broken, move |write| foot.around(write)),
            None => Spool::stdio(on_broken),
        });
        let sink: Arc<dyn Sink> = if globals.json {
            Arc::new(Json::new(Arc::clone(&spool), style))
        } else if one_line_on_one_host {
            Arc::new(Passthrough::new(Arc::clone(&spool), style))
        } else {
            let progress: Arc<dyn Sink> = match foot {
                Some(foot) => Arc::new(Bars::new(foot, style)),
                None => Arc::new(Lines::new(Arc::clone(&spool), style)),
            };
            // The bars first: they are gone before the last lines are written.
            Arc::new(Broadcast::new(vec![progress, Arc::new(Plain::new(Arc::clone(&spool), Prefix::Host, style))]))
        };
        let printed = if globals.json { Stream::Stderr } else { Stream::Stdout };
        Self { sink, spool, style, printed, captured: None }
    }

    /// Captures what tasks print by themselves, so that no failure to write it ends them, and redacts it.
    pub(crate) fn capturing(mut self, redactor: Redactor) -> Self {
        // A process that may have no more descriptors prints as it did before.
        if let Ok(captured) = Captured::start(Arc::clone(&self.sink), &self.spool, self.printed, redactor) {
            let captured = Arc::new(captured);
            self.sink = Arc::clone(&captured) as Arc<dyn Sink>;
            self.captured = Some(captured);
        } else {
            let text = "the text that tasks print is not redacted: it could not be captured";
            self.sink.event(&Event::Warning { host: None, text });
        }
        self
    }

    /// Shows the block of an error on stderr.
    pub(crate) fn error(&self, error: &Error) {
        self.block(&error.block().to_string());
    }

    /// Shows the block of errors of several hosts on stderr.
    pub(crate) fn block(&self, block: &str) {
        self.note(&paint(block, self.style));
    }

    /// Returns the exit code of a run that would end with `code`: another one if output was lost, which an error names.
    ///
    /// To be called when all output is written.
    pub(crate) fn end(&self, code: ExitCode) -> ExitCode {
        let Some(error) = self.spool.loss() else { return code };
        self.error(&error.without_location());
        if code == ExitCode::from(fabrs_core::ExitCode::Internal.code()) { code } else { ExitCode::FAILURE }
    }

    /// Shows lines on stderr.
    pub(crate) fn note(&self, text: &str) {
        note(self.captured.as_deref(), &self.spool, text);
    }

    /// Returns a function that shows lines on stderr, also after the run.
    pub(crate) fn late_notes(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let (spool, captured) = (Arc::downgrade(&self.spool), self.captured.as_ref().map(Arc::downgrade));
        move |text| match spool.upgrade() {
            Some(spool) => note(captured.as_ref().and_then(Weak::upgrade).as_deref(), &spool, text),
            // A process without a stderr has no reader of the text.
            None => drop(io::stderr().write_all(text.as_bytes())),
        }
    }
}

/// Shows lines on stderr, behind everything that was printed before.
fn note(captured: Option<&Captured>, spool: &Spool, text: &str) {
    if let Some(captured) = captured {
        captured.forward();
    }
    spool.push(Stream::Stderr, text.as_bytes());
}

/// Colour is used on a terminal that has it, unless `NO_COLOR` is set; `CLICOLOR_FORCE` uses it anyway.
pub(crate) fn style(variables: &Variables) -> Style {
    let terminal = io::stdout().is_terminal() && io::stderr().is_terminal() && variables.has_capable_term();
    if variables.force_color || (terminal && !variables.no_color) { Style::Colour } else { Style::Plain }
}

/// Paints the words `error:` and `hint:` that open a line.
fn paint(block: &str, style: Style) -> String {
    let mut text = String::with_capacity(block.len() + 32);
    for line in block.lines() {
        let painted = match style {
            Style::Plain => None,
            Style::Colour => [("error:", "1;31"), ("hint:", "36")].iter().find_map(|(word, colour)| {
                Some(format!("\u{1b}[{colour}m{word}\u{1b}[0m{}", line.strip_prefix(word)?))
            }),
        };
        text += painted.as_deref().unwrap_or(line);
        text.push('\n');
    }
    text
}

/// Prints a page to stdout. A reader that went away (`| head -1`) is no error.
pub(crate) fn print(page: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(page.as_bytes()).and_then(|()| stdout.flush()) {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(fabrs_core::ErrorKind::Local, "could not write to stdout").caused_by(source))
        }
        _ => Ok(()),
    }
}
