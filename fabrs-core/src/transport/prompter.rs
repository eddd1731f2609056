//! The [`Prompter`] trait: prompts for the person at the terminal.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _};
use std::sync::{Condvar, PoisonError};

use futures::future::{BoxFuture, FutureExt};
use rustix::termios::{InputModes, LocalModes, OutputModes};
use tokio::sync::Mutex;

use crate::error::{Error, ErrorKind, Result};
use crate::mutex::lock;
use crate::secret::Secret;
use crate::transport::terminal_line;
use crate::transport::terminal_modes::{TerminalModes, UnreadInput};

/// Prompts a person, one question at a time.
pub trait Prompter: Send + Sync + fmt::Debug {
    /// Prompts for a line of text.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Prompt`] if no person can answer.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future withdraws the question. A line typed later is not taken as an answer.
    fn line<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<String>>;

    /// Prompts for a secret without echo.
    ///
    /// # Errors
    ///
    /// As [`line`](Self::line).
    fn secret<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<Secret>>;

    /// Returns true if a person can answer.
    fn is_available(&self) -> bool;
}

/// A prompter without a person. Every question fails with an error that contains the question.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPrompter;

impl NoPrompter {
    fn refuse(question: &str) -> Error {
        Error::new(ErrorKind::Prompt, format!("cannot prompt for an answer: {}", question.trim_end()))
    }
}

impl Prompter for NoPrompter {
    fn line<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<String>> {
        async move { Err(Self::refuse(question)) }.boxed()
    }

    fn secret<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<Secret>> {
        async move { Err(Self::refuse(question)) }.boxed()
    }

    fn is_available(&self) -> bool {
        false
    }
}

/// Prompts at the terminal of this process (`/dev/tty`). If standard input is not a terminal, every
/// question fails. Standard input itself is never read.
#[derive(Debug, Clone, Copy, Default)]
pub struct TerminalPrompter;

/// Serialises the questions of all clients, because they share one terminal.
static PROMPT_TURN: Mutex<()> = Mutex::const_new(());

/// The echo of typed characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Echo {
    On,
    Off,
}

impl TerminalPrompter {
    async fn prompt(&self, question: &str, echo: Echo) -> Result<String> {
        // Checked first, because the error of the operating system would be less clear.
        if !self.is_available() {
            let refused = NoPrompter::refuse(question);
            let is_redirected = !io::stdin().is_terminal();
            return Err(if is_redirected {
                refused.hint("run the program with a terminal as standard input")
            } else {
                refused
            });
        }
        let _guard = PROMPT_TURN.lock().await;
        let prompt = OpenPrompt::begin(echo);
        let answer = terminal_line::read_line(question).await.map_err(|source| {
            let text = format!("there was no answer to: {}", question.trim_end());
            Error::new(ErrorKind::Prompt, text).caused_by(source)
        })?;
        prompt.answered();
        Ok(answer)
    }
}

impl Prompter for TerminalPrompter {
    fn line<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<String>> {
        self.prompt(question, Echo::On).boxed()
    }

    fn secret<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<Secret>> {
        async { self.prompt(question, Echo::Off).await.map(Secret::new) }.boxed()
    }

    fn is_available(&self) -> bool {
        io::stdin().is_terminal() && OpenOptions::new().read(true).write(true).open("/dev/tty").is_ok()
    }
}

/// An open prompt, with the terminal in canonical mode. Dropping it restores the previous modes.
/// Without an answer, it also discards the characters typed so far.
///
/// A program on a host may have the terminal in raw mode (`interactive`) while sudo prompts for a
/// password.
struct OpenPrompt(Option<TerminalModes>);

/// The number of open prompts, and a signal for its changes.
static OPEN_PROMPTS: (std::sync::Mutex<usize>, Condvar) = (std::sync::Mutex::new(0), Condvar::new());

/// Blocks until no prompt is open. Returns true if a prompt was open. The input typed meanwhile
/// belongs to its answer.
pub(crate) fn wait_for_open_prompts() -> bool {
    let (open, ended) = &OPEN_PROMPTS;
    let mut open = lock(open);
    let waits = *open > 0;
    while *open > 0 {
        open = ended.wait(open).unwrap_or_else(PoisonError::into_inner);
    }
    waits
}

impl OpenPrompt {
    fn begin(echo: Echo) -> Self {
        *lock(&OPEN_PROMPTS.0) += 1;
        let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
        let modes = terminal.and_then(|terminal| {
            TerminalModes::change(terminal, UnreadInput::Discard, |modes| {
                modes.local_modes |= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
                if echo == Echo::Off {
                    // The line end is still shown, so the next output starts on a new line.
                    modes.local_modes = (modes.local_modes - LocalModes::ECHO) | LocalModes::ECHONL;
                }
                modes.input_modes |= InputModes::ICRNL;
                modes.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
            })
        });
        // A terminal that rejects the modes can still be read.
        Self(modes.ok())
    }

    /// Ends the prompt. Text after the answer is kept for the next reader.
    fn answered(mut self) {
        if let Some(modes) = &mut self.0 {
            modes.set_unread(UnreadInput::Keep);
        }
    }
}

impl Drop for OpenPrompt {
    fn drop(&mut self) {
        drop(self.0.take());
        *lock(&OPEN_PROMPTS.0) -= 1;
        OPEN_PROMPTS.1.notify_all();
    }
}
