//! Choosing the sink of a run.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Arc, Weak};

use fabrs_core::Error;
use fabrs_core::config::Variables;
use fabrs_core::event::{Broadcast, Event, Json, Passthrough, Plain, Prefix, Sink, Spool, Stream, Style};
use fabrs_core::secret::Redactor;

use super::progress_bars::{BarArea, ProgressBars};
use super::progress_lines::ProgressLines;
use super::stdio_capture::StdioCapture;
use crate::arguments::GlobalOptions;

/// Where everything that is shown goes through, and the sink that writes to it.
#[derive(Debug)]
pub(crate) struct Reporter {
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) output: Arc<Spool>,
    style: Style,
    /// The stream for text that tasks print to stdout: stdout of `--json` is for events alone.
    task_stdout: Stream,
    /// Captures what tasks print.
    capture: Option<Arc<StdioCapture>>,
}

impl Reporter {
    /// Makes the screen of a run: JSON where that is asked for, bytes as they come for one line on one host, prefixed
    /// lines otherwise. `on_stdout_closed` is called when the reader of our stdout has gone.
    pub(crate) fn new(
        options: &GlobalOptions,
        is_passthrough: bool,
        variables: &Variables,
        on_stdout_closed: impl FnOnce() + Send + 'static,
    ) -> Self {
        let style = style(variables);
        let bar_area = (io::stderr().is_terminal() && variables.has_capable_term()).then(BarArea::new);
        let output = Arc::new(match bar_area.clone() {
            Some(bar_area) => Spool::stdio_around(on_stdout_closed, move |write| bar_area.suspend(write)),
            None => Spool::stdio(on_stdout_closed),
        });
        let sink: Arc<dyn Sink> = if options.json {
            Arc::new(Json::new(Arc::clone(&output), style))
        } else if is_passthrough {
            Arc::new(Passthrough::new(Arc::clone(&output), style))
        } else {
            let progress: Arc<dyn Sink> = match bar_area {
                Some(bar_area) => Arc::new(ProgressBars::new(bar_area, style)),
                None => Arc::new(ProgressLines::new(Arc::clone(&output), style)),
            };
            // The bars first: they are gone before the last lines are written.
            Arc::new(Broadcast::new(vec![progress, Arc::new(Plain::new(Arc::clone(&output), Prefix::Host, style))]))
        };
        let task_stdout = if options.json { Stream::Stderr } else { Stream::Stdout };
        Self { sink, output, style, task_stdout, capture: None }
    }

    /// Captures what tasks print by themselves, so that no failure to write it ends them, and redacts it.
    pub(crate) fn with_capture(mut self, redactor: Redactor) -> Self {
        // A process that may have no more descriptors prints as it did before.
        if let Ok(capture) = StdioCapture::start(Arc::clone(&self.sink), &self.output, self.task_stdout, redactor) {
            let capture = Arc::new(capture);
            self.sink = Arc::clone(&capture) as Arc<dyn Sink>;
            self.capture = Some(capture);
        } else {
            let text = "the text that tasks print is not redacted: it could not be captured";
            self.sink.event(&Event::Warning { host: None, text });
        }
        self
    }

    /// Shows the block of an error on stderr.
    pub(crate) fn print_error(&self, error: &Error) {
        self.print_block(&error.block().to_string());
    }

    /// Shows the block of errors of several hosts on stderr.
    pub(crate) fn print_block(&self, block: &str) {
        self.print_note(&colour_labels(block, self.style));
    }

    /// Returns the exit code of a run that would end with `code`: another one if output was lost, which an error names.
    ///
    /// To be called when all output is written.
    pub(crate) fn exit_code(&self, code: ExitCode) -> ExitCode {
        let Some(error) = self.output.loss() else { return code };
        self.print_error(&error.without_location());
        if code == ExitCode::from(fabrs_core::ExitCode::Internal.code()) { code } else { ExitCode::FAILURE }
    }

    /// Shows lines on stderr.
    pub(crate) fn print_note(&self, text: &str) {
        push_note(self.capture.as_deref(), &self.output, text);
    }

    /// Returns a function that shows lines on stderr, also after the run.
    pub(crate) fn note_function(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let (output, capture) = (Arc::downgrade(&self.output), self.capture.as_ref().map(Arc::downgrade));
        move |text| match output.upgrade() {
            Some(output) => push_note(capture.as_ref().and_then(Weak::upgrade).as_deref(), &output, text),
            // A process without a stderr has no reader of the text.
            None => drop(io::stderr().write_all(text.as_bytes())),
        }
    }
}

/// Shows lines on stderr, behind everything that was task_stdout before.
fn push_note(capture: Option<&StdioCapture>, output: &Spool, text: &str) {
    if let Some(capture) = capture {
        capture.forward();
    }
    output.push(Stream::Stderr, text.as_bytes());
}

/// Colour is used on a terminal that has it, unless `NO_COLOR` is set; `CLICOLOR_FORCE` uses it anyway.
pub(crate) fn style(variables: &Variables) -> Style {
    let is_terminal = io::stdout().is_terminal() && io::stderr().is_terminal() && variables.has_capable_term();
    if variables.force_color || (is_terminal && !variables.no_color) { Style::Colour } else { Style::Plain }
}

/// Paints the words `error:` and `hint:` that open a line.
fn colour_labels(block: &str, style: Style) -> String {
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
