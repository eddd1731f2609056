//! Prompts: questions to a person, at the terminal.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _};
use std::sync::{Condvar, PoisonError};

use futures::future::{BoxFuture, FutureExt};
use rustix::termios::{InputModes, LocalModes, OptionalActions, OutputModes, Termios, tcgetattr, tcsetattr};
use tokio::sync::Mutex;

use super::terminal_line;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// Asks a person, one question at a time.
pub trait Ask: Send + Sync + fmt::Debug {
    /// Asks for a line of text.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Prompt`] where nobody can be asked.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future withdraws the question: a later line is not its answer.
    fn line<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<String>>;

    /// Asks for a text that is not shown while it is typed.
    ///
    /// # Errors
    ///
    /// As [`line`](Self::line).
    fn secret<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<Secret>>;

    /// Tells whether anybody can be asked at all.
    fn available(&self) -> bool;
}

/// Asks nobody: every question is an error that names what was needed.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoInput;

impl NoInput {
    fn refuse(question: &str) -> Error {
        Error::new(ErrorKind::Prompt, format!("an answer was needed, and nobody can be asked: {}", question.trim_end()))
    }
}

impl Ask for NoInput {
    fn line<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<String>> {
        async move { Err(Self::refuse(question)) }.boxed()
    }

    fn secret<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<Secret>> {
        async move { Err(Self::refuse(question)) }.boxed()
    }

    fn available(&self) -> bool {
        false
    }
}

/// Prompts at the terminal of this process (`/dev/tty`). If standard input is no terminal, every question is an error: there
/// is nobody to answer. Standard input itself is never read.
#[derive(Debug, Default)]
pub struct Terminal {
    turn: Mutex<()>,
}

/// Whether the terminal shows what is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Echo {
    On,
    Off,
}

impl Terminal {
    async fn ask(&self, question: &str, echo: Echo) -> Result<String> {
        // Without a terminal, the system's error would only repeat this one.
        if !self.available() {
            let refused = NoInput::refuse(question);
            let is_given_something = !io::stdin().is_terminal();
            return Err(if is_given_something {
                refused.hint("nothing is asked where standard input is no terminal")
            } else {
                refused
            });
        }
        let _turn = self.turn.lock().await;
        let _asking = Asking::begin(echo);
        terminal_line::read(question).await.map_err(|source| {
            let text = format!("there was no answer: {}", question.trim_end());
            Error::new(ErrorKind::Prompt, text).caused_by(source)
        })
    }
}

impl Ask for Terminal {
    fn line<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<String>> {
        self.ask(question, Echo::On).boxed()
    }

    fn secret<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<Secret>> {
        async { self.ask(question, Echo::Off).await.map(Secret::new) }.boxed()
    }

    fn available(&self) -> bool {
        io::stdin().is_terminal() && OpenOptions::new().read(true).write(true).open("/dev/tty").is_ok()
    }
}

/// A terminal in the modes of a question: it takes lines. Dropping it restores the modes from before, also if the question is
/// withdrawn.
///
/// A program on a host may have the terminal in raw mode (`interactive`) while sudo prompts for a password.
struct Asking(Option<(File, Termios)>);

/// The number of open questions, and a signal for its changes.
static ASKED: (std::sync::Mutex<usize>, Condvar) = (std::sync::Mutex::new(0), Condvar::new());

/// Blocks until no question is open, and returns true if there was one: input from that time is an answer.
pub(crate) fn wait_for_answers() -> bool {
    let (asked, ended) = &ASKED;
    let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
    let waits = *asked > 0;
    while *asked > 0 {
        asked = ended.wait(asked).unwrap_or_else(PoisonError::into_inner);
    }
    waits
}

impl Asking {
    fn begin(echo: Echo) -> Self {
        *ASKED.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let open = OpenOptions::new().read(true).write(true).open("/dev/tty").ok();
        let asking = Self(open.and_then(|tty| tcgetattr(&tty).ok().map(|state| (tty, state))));
        if let Some((tty, state)) = &asking.0 {
            let mut lines = state.clone();
            lines.local_modes |= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
            if echo == Echo::Off {
                // The end of the line is still shown: the next output begins in a line of its own.
                lines.local_modes = (lines.local_modes - LocalModes::ECHO) | LocalModes::ECHONL;
            }
            lines.input_modes |= InputModes::ICRNL;
            lines.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
            // A terminal without modes still takes lines.
            let _ = tcsetattr(tty, OptionalActions::Now, &lines);
        }
        asking
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some((tty, state)) = &self.0 {
            // A terminal that is gone needs nothing.
            let _ = tcsetattr(tty, OptionalActions::Now, state);
        }
        *ASKED.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ASKED.1.notify_all();
    }
}
