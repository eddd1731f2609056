//! Output of a run: selects the event sink, captures text printed by tasks, and prints errors.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Arc, Weak};

use fabrs_core::Error;
use fabrs_core::config::ProcessEnv;
use fabrs_core::event::{
    BroadcastSink, Event, JsonSink, OutputQueue, PassthroughSink, PlainSink, Prefix, Sink, Stream, Style,
};
use fabrs_core::secret::Redactor;

use super::progress_bars::{BarArea, ProgressBars};
use super::progress_lines::ProgressLines;
use super::stdio_capture::StdioCapture;
use crate::arguments::GlobalOptions;

/// The event sink of a run, and the output queue.
#[derive(Debug)]
pub(crate) struct Reporter {
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) output: Arc<OutputQueue>,
    style: Style,
    /// The stream for text printed by tasks to stdout. With `--json`, stdout is only for events.
    task_stdout: Stream,
    /// The capture of text printed by tasks.
    capture: Option<Arc<StdioCapture>>,
}

impl Reporter {
    /// Creates the reporter of a run.
    ///
    /// `--json` selects the JSON sink. `is_passthrough` selects unchanged output, for one shell
    /// line on one host. All other runs print lines with the host as a prefix.
    /// `on_stdout_closed` is called when the reader of stdout has exited.
    pub(crate) fn new(
        options: &GlobalOptions,
        is_passthrough: bool,
        variables: &ProcessEnv,
        on_stdout_closed: impl FnOnce() + Send + 'static,
    ) -> Self {
        let style = style(variables);
        let bar_area = (io::stderr().is_terminal() && variables.has_capable_term()).then(BarArea::new);
        let output = Arc::new(match bar_area.clone() {
            Some(bar_area) => OutputQueue::stdio_with_wrapper(on_stdout_closed, move |write| bar_area.suspend(write)),
            None => OutputQueue::stdio(on_stdout_closed),
        });
        let sink: Arc<dyn Sink> = if options.json {
            Arc::new(JsonSink::new(Arc::clone(&output), style))
        } else if is_passthrough {
            Arc::new(PassthroughSink::new(Arc::clone(&output), style))
        } else {
            let lines = PlainSink::new(Arc::clone(&output), Prefix::Host, style).with_shell_lines(options.echo);
            let (progress, lines): (Arc<dyn Sink>, _) = match bar_area {
                // With `fab deploy | tee log`, another program writes to the terminal, below the
                // line of a running phase.
                Some(bar_area) if io::stdout().is_terminal() => {
                    (Arc::new(ProgressBars::new(bar_area, style).with_phases()), lines.without_phase_starts())
                }
                Some(bar_area) => (Arc::new(ProgressBars::new(bar_area, style)), lines),
                None => (Arc::new(ProgressLines::new(Arc::clone(&output), style)), lines),
            };
            // The bars come first, to be erased before the last lines are written.
            Arc::new(BroadcastSink::new(vec![progress, Arc::new(lines)]))
        };
        let task_stdout = if options.json { Stream::Stderr } else { Stream::Stdout };
        Self { sink, output, style, task_stdout, capture: None }
    }

    /// Captures and redacts text printed by tasks. A failed write of this text does not end a task.
    pub(crate) fn with_capture(mut self, redactor: Redactor) -> Self {
        // Fails at the limit of open files. Then the text is printed directly.
        if let Ok(capture) = StdioCapture::start(Arc::clone(&self.sink), &self.output, self.task_stdout, redactor) {
            let capture = Arc::new(capture);
            self.sink = Arc::clone(&capture) as Arc<dyn Sink>;
            self.capture = Some(capture);
        } else {
            let text = "text printed by tasks is not redacted: could not capture stdout and stderr";
            self.sink.event(&Event::Warning { host: None, text });
        }
        self
    }

    /// Prints an error on stderr.
    pub(crate) fn print_error(&self, error: &Error) {
        self.print_block(&error.block().to_string());
    }

    /// Prints the text of an error on stderr. The error may concern several hosts.
    pub(crate) fn print_block(&self, block: &str) {
        self.print_note(&colour_labels(block, self.style));
    }

    /// Returns the exit code of the run. If output was lost, prints an error and returns the code
    /// of a failure, except after an internal error.
    ///
    /// Call this function after all output is written.
    pub(crate) fn exit_code(&self, code: ExitCode) -> ExitCode {
        let Some(error) = self.output.lost_output_error() else { return code };
        self.print_error(&error.without_location());
        if code == ExitCode::from(fabrs_core::ExitCode::Internal.code()) { code } else { ExitCode::FAILURE }
    }

    /// Prints lines on stderr.
    pub(crate) fn print_note(&self, text: &str) {
        push_note(self.capture.as_deref(), &self.output, text);
    }

    /// Returns a function that prints lines on stderr, usable after the end of the run too.
    pub(crate) fn note_function(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let (output, capture) = (Arc::downgrade(&self.output), self.capture.as_ref().map(Arc::downgrade));
        move |text| match output.upgrade() {
            Some(output) => push_note(capture.as_ref().and_then(Weak::upgrade).as_deref(), &output, text),
            // Write errors are ignored: without a stderr, the text has no reader.
            None => drop(io::stderr().write_all(text.as_bytes())),
        }
    }
}

/// Prints lines on stderr, after all text printed earlier by tasks.
fn push_note(capture: Option<&StdioCapture>, output: &OutputQueue, text: &str) {
    if let Some(capture) = capture {
        capture.forward();
    }
    output.push(Stream::Stderr, text.as_bytes());
}

/// Returns the style of the output. `CLICOLOR_FORCE` always selects colours. Without this variable,
/// colours need a terminal with colours, and `NO_COLOR` must not be set.
pub(crate) fn style(variables: &ProcessEnv) -> Style {
    let is_terminal = io::stdout().is_terminal() && io::stderr().is_terminal() && variables.has_capable_term();
    if variables.force_color || (is_terminal && !variables.no_color) { Style::Colour } else { Style::Plain }
}

/// Colours the labels `error:` and `hint:` at the start of a line.
fn colour_labels(block: &str, style: Style) -> String {
    let mut text = String::with_capacity(block.len() + 32);
    for line in block.lines() {
        let painted = match style {
            Style::Colour => [("error:", "1;31"), ("hint:", "36")].iter().find_map(|(word, colour)| {
                Some(format!("\u{1b}[{colour}m{word}\u{1b}[0m{}", line.strip_prefix(word)?))
            }),
            _ => None,
        };
        text += painted.as_deref().unwrap_or(line);
        text.push('\n');
    }
    text
}
