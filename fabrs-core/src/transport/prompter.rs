//! Prompts: questions to a person, at the terminal.

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
use crate::transport::terminal_modes::{TerminalModes, Unread};

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
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminal;

/// One question at a time, of all clients: the terminal is one.
static TURN: Mutex<()> = Mutex::const_new(());

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
        let _turn = TURN.lock().await;
        let asking = Asking::begin(echo);
        let answer = terminal_line::read(question).await.map_err(|source| {
            let text = format!("there was no answer to: {}", question.trim_end());
            Error::new(ErrorKind::Prompt, text).caused_by(source)
        })?;
        asking.answered();
        Ok(answer)
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

/// A terminal in the modes of a question: it takes lines. Dropping it restores the modes from before. Without an answer, it also
/// discards what was typed so far.
///
/// A program on a host may have the terminal in raw mode (`interactive`) while sudo prompts for a password.
struct Asking(Option<TerminalModes>);

/// The number of open questions, and a signal for its changes.
static ASKED: (std::sync::Mutex<usize>, Condvar) = (std::sync::Mutex::new(0), Condvar::new());

/// Blocks until no question is open, and returns true if there was one: input from that time is an answer.
pub(crate) fn wait_for_answers() -> bool {
    let (asked, ended) = &ASKED;
    let mut asked = lock(asked);
    let waits = *asked > 0;
    while *asked > 0 {
        asked = ended.wait(asked).unwrap_or_else(PoisonError::into_inner);
    }
    waits
}

impl Asking {
    fn begin(echo: Echo) -> Self {
        *lock(&ASKED.0) += 1;
        let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
        let modes = terminal.and_then(|terminal| {
            TerminalModes::change(terminal, Unread::Discard, |modes| {
                modes.local_modes |= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
                if echo == Echo::Off {
                    // The end of the line is still shown: the next output begins in a line of its own.
                    modes.local_modes = (modes.local_modes - LocalModes::ECHO) | LocalModes::ECHONL;
                }
                modes.input_modes |= InputModes::ICRNL;
                modes.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
            })
        });
        // A terminal without modes still takes lines.
        Self(modes.ok())
    }

    /// Ends the question: text behind the answer is for the next reader.
    fn answered(mut self) {
        if let Some(modes) = &mut self.0 {
            modes.set_unread(Unread::Keep);
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        drop(self.0.take());
        *lock(&ASKED.0) -= 1;
        ASKED.1.notify_all();
    }
}
