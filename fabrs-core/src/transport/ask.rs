//! Asking the person at the terminal.

use std::fmt;
use std::io::IsTerminal as _;
use std::sync::{Condvar, PoisonError};

use futures::future::{BoxFuture, FutureExt};
use rustix::termios::{InputModes, LocalModes, OptionalActions, OutputModes, Termios, tcgetattr, tcsetattr};
use tokio::sync::Mutex;

use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// Asks a person: one question at a time, whoever asks.
pub trait Ask: Send + Sync + fmt::Debug {
    /// Asks for a line of text.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Prompt`] where nobody can be asked.
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

/// Asks at the terminal this process was started from (`/dev/tty`), unless standard input is something else: who gives
/// that to a program is not there to answer. It is not read either way.
#[derive(Debug, Default)]
pub struct Terminal {
    turn: Mutex<()>,
}

impl Terminal {
    async fn ask<T: Send + 'static>(
        &self,
        question: &str,
        read: impl FnOnce(&str) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T> {
        // Without a terminal the system's words would only say the same again.
        if !self.available() {
            let refused = NoInput::refuse(question);
            let is_given_something = !std::io::stdin().is_terminal();
            return Err(if is_given_something {
                refused.hint("nothing is asked where standard input is no terminal")
            } else {
                refused
            });
        }
        let _turn = self.turn.lock().await;
        let _asking = Asking::begin();
        let text = question.to_owned();
        let answer = tokio::task::spawn_blocking(move || read(&text)).await;
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            // Ctrl-C is no answer, and no fault of the question.
            Ok(Err(source)) if source.kind() == std::io::ErrorKind::Interrupted => {
                Err(Error::new(ErrorKind::Cancelled, format!("not answered: {}", question.trim_end())))
            }
            Ok(Err(source)) => {
                let text = format!("there was no answer: {}", question.trim_end());
                Err(Error::new(ErrorKind::Prompt, text).caused_by(source))
            }
            Err(source) => Err(NoInput::refuse(question).caused_by(source)),
        }
    }
}

impl Ask for Terminal {
    fn line<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<String>> {
        self.ask(question, read_line).boxed()
    }

    fn secret<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<Secret>> {
        self.ask(question, |question| rpassword::prompt_password(question).map(Secret::new)).boxed()
    }

    fn available(&self) -> bool {
        std::io::stdin().is_terminal() && std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty").is_ok()
    }
}

/// A terminal at which somebody can be asked: it takes lines, and shows what is typed. Dropped, it is as it was.
///
/// A program of a host may have it as it is (`interactive`), while sudo still wants its password. And whoever reads a secret
/// turns the echo off and on again, but a run that is stopped meanwhile ends while that thread still reads.
struct Asking(Option<(std::fs::File, Termios)>);

/// How many are asked, and who waits until nobody is.
static ASKED: (std::sync::Mutex<usize>, Condvar) = (std::sync::Mutex::new(0), Condvar::new());

/// Waits while somebody is asked at the terminal, true where it had to: what is typed then is an answer.
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
    fn begin() -> Self {
        *ASKED.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let open = std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty").ok();
        let asking = Self(open.and_then(|tty| tcgetattr(&tty).ok().map(|state| (tty, state))));
        if let Some((tty, state)) = &asking.0 {
            let mut lines = state.clone();
            lines.local_modes |= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
            lines.input_modes |= InputModes::ICRNL;
            lines.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
            // Where it can't be changed it is asked all the same.
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

fn read_line(question: &str) -> std::io::Result<String> {
    use std::io::{BufRead, BufReader, Write};

    let mut tty = std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    tty.write_all(question.as_bytes())?;
    let mut line = String::new();
    if BufReader::new(tty).read_line(&mut line)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}
