//! Asking the person who runs a task: a yes or no, or a text.

use std::fmt::Display;
use std::panic::Location;
use std::str::FromStr;

use futures::future::{BoxFuture, FutureExt};

use super::handle::Connection;
use super::task_scope::current;
use super::task_scope::is_for_all;
use crate::config::{Confirmation, Mode};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::secret::Secret;
use crate::state::RunState;
use crate::transport::EffectMode;

/// How often a person may give an answer that makes no sense.
const MAX_TRIES: usize = 10;

/// A question that is answered by yes or no, on its way: awaiting it asks. Made by [`confirm`].
#[derive(Debug)]
#[must_use = "nobody is asked until it is awaited"]
pub struct Confirm {
    here: Connection,
    question: String,
    default: Option<bool>,
    location: &'static Location<'static>,
}

/// A question that is answered by a text, on its way: awaiting it asks. Made by [`prompt`].
#[derive(Debug)]
#[must_use = "nobody is asked until it is awaited"]
pub struct Prompt {
    here: Connection,
    question: String,
    default: Option<String>,
    location: &'static Location<'static>,
}

/// Asks for yes or no at the terminal.
///
/// `-y` answers yes. A dry run asks nothing and plans the answer yes. Without a terminal the answer is the
/// [default](Confirm::default).
///
/// Within a task, each host asks its own question: [`once`](crate::run::once) asks one for all hosts.
///
/// # Errors
///
/// [`ErrorKind::Prompt`] without a terminal, if there is no default.
///
/// ```
/// use fabrs_core::connection::confirm;
///
/// # async fn task() -> fabrs_core::Result<()> {
/// if confirm("Restart the workers?").default(false).await? {
///     // ..
/// }
/// # Ok(()) }
/// ```
#[track_caller]
pub fn confirm(question: impl Into<String>) -> Confirm {
    Confirm { here: current(), question: question.into(), default: None, location: Location::caller() }
}

/// Asks for a text at the terminal.
///
/// With a [default](Prompt::default), nothing is asked without a terminal, with `-y`, and in a dry run.
///
/// # Errors
///
/// [`ErrorKind::Prompt`] without a terminal, if there is no default.
///
/// ```
/// use fabrs_core::connection::prompt;
///
/// # async fn task() -> fabrs_core::Result<()> {
/// let workers = prompt("Workers?").default("4").parse::<u8>().await?;
/// # Ok(()) }
/// ```
#[track_caller]
pub fn prompt(question: impl Into<String>) -> Prompt {
    Prompt { here: current(), question: question.into(), default: None, location: Location::caller() }
}

impl Confirm {
    /// Sets the answer for an empty line.
    ///
    /// It is also the answer without a terminal. A line on stderr shows it: `confirm "Restart?": no (default)`. A dry run always
    /// plans the answer yes.
    pub fn default(mut self, answer: bool) -> Self {
        self.default = Some(answer);
        self
    }

    async fn ask(self) -> Result<bool> {
        let run = run_of(&self.here, self.location)?;
        let settings = run.settings();
        let is_approved = settings.confirmation != Confirmation::Prompt;
        let ignores_default = settings.mode == Mode::DryRun || run.prompter().is_available();
        if let Some(default) = self.default.filter(|_| !is_approved && !ignores_default) {
            let note = if default { "yes (default)" } else { "no (default)" };
            run.note(own_host(&self.here), format!("confirm \"{}\": {note}", self.question.trim_end()));
            return Ok(default);
        }
        if run.dial().begin_effect(&format!("ask {}", prefixed(&self.here, &self.question)))? == EffectMode::Plan {
            return Ok(true);
        }
        if is_approved {
            return Ok(true);
        }
        let choice = match self.default {
            Some(true) => "[Y/n]",
            Some(false) => "[y/N]",
            None => "[y/n]",
        };
        let asked = with_host(&self.here, &self.question);
        let mut question = format!("{asked} {choice} ");
        for _ in 0..MAX_TRIES {
            let answer = run.prompter().line(&question).await;
            let answer =
                answer.map_err(|error| error.or_on(self.here.host()).at(self.location).hint("`-y` says yes to it"))?;
            match (answer.trim().to_lowercase().as_str(), self.default) {
                ("y" | "yes", _) => return Ok(true),
                ("n" | "no", _) => return Ok(false),
                ("", Some(default)) => return Ok(default),
                _ => question = format!("please say yes or no. {asked} {choice} "),
            }
        }
        Err(no_valid_answer(&self.question, self.location))
    }
}

impl Prompt {
    /// Sets the answer for an empty line.
    ///
    /// It is also the answer without a terminal, with `-y`, and in a dry run. A line on stderr shows it:
    /// `prompt "Workers?": 4 (default)`. [`secret`](Self::secret) has no default.
    pub fn default(mut self, answer: impl Into<String>) -> Self {
        self.default = Some(answer.into());
        self
    }

    /// Asks until the answer is a `T`, and returns it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Prompt`] without a terminal, if there is no default. [`ErrorKind::Usage`] if the default is used and is
    /// no `T`.
    pub async fn parse<T>(self) -> Result<T>
    where
        T: FromStr<Err: Display>,
    {
        self.ask(|text| text.parse().map_err(|why: T::Err| why.to_string())).await
    }

    /// Asks for a text that is not shown while it is typed, nor afterwards.
    ///
    /// It is asked with `-y` and in a dry run too. A [default](Self::default) is ignored: code is no place for a secret.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Prompt`] without a terminal.
    pub async fn secret(self) -> Result<Secret> {
        let run = run_of(&self.here, self.location)?;
        let question = format!("{} ", with_host(&self.here, &self.question));
        for _ in 0..MAX_TRIES {
            let answer = run
                .prompter()
                .secret(&question)
                .await
                .map_err(|error| add_hint(error, run, "or read the secret from a file or a variable"))
                .map_err(|error| error.or_on(self.here.host()).at(self.location))?;
            if !answer.expose().is_empty() {
                return Ok(answer);
            }
        }
        Err(no_valid_answer(&self.question, self.location))
    }

    async fn ask<T>(self, read: impl Fn(&str) -> std::result::Result<T, String>) -> Result<T> {
        let run = run_of(&self.here, self.location)?;
        if let Some(default) = self.default.as_ref().filter(|_| uses_default(run)) {
            let question = self.question.trim_end();
            let value = read(default).map_err(|why| {
                let text = format!("invalid default of the prompt \"{question}\": `{default}`: {why}");
                Error::new(ErrorKind::Usage, text).at(self.location)
            })?;
            run.note(own_host(&self.here), format!("prompt \"{question}\": {default} (default)"));
            return Ok(value);
        }
        let shown = self.default.as_ref().map(|default| format!(" [{default}]")).unwrap_or_default();
        let asked = format!("{}{shown} ", with_host(&self.here, &self.question));
        let mut question = asked.clone();
        for _ in 0..MAX_TRIES {
            let answer = run
                .prompter()
                .line(&question)
                .await
                .map_err(|error| add_hint(error, run, "or give the prompt a default: `.default(\"..\")`"))
                .map_err(|error| error.or_on(self.here.host()).at(self.location))?;
            let answer = match (answer.trim(), &self.default) {
                ("", Some(default)) => default.as_str(),
                ("", None) => continue,
                (answer, _) => answer,
            };
            match read(answer) {
                Ok(value) => return Ok(value),
                Err(why) => question = format!("`{answer}` can't be taken: {why}. {asked}"),
            }
        }
        Err(no_valid_answer(&self.question, self.location))
    }
}

/// Tells whether a question with a default is answered by it: in a dry run, with `-y`, or without a terminal.
fn uses_default(run: &RunState) -> bool {
    let settings = run.settings();
    settings.mode == Mode::DryRun || settings.confirmation != Confirmation::Prompt || !run.prompter().is_available()
}

/// Adds the hint of a prompt that needs a terminal, if there is none.
fn add_hint(error: Error, run: &RunState, or: &str) -> Error {
    if run.prompter().is_available() { error } else { error.hint(format!("run it at a terminal, {or}")) }
}

/// Puts the host in front of a question that is asked for it alone.
fn with_host(here: &Connection, question: &str) -> String {
    // Where nobody is asked, the error has the host already.
    if here.state().is_some_and(|run| run.prompter().is_available()) {
        prefixed(here, question)
    } else {
        question.trim_end().to_owned()
    }
}

fn prefixed(here: &Connection, question: &str) -> String {
    match own_host(here) {
        Some(host) => format!("{}: {}", host.label(), question.trim_end()),
        None => question.trim_end().to_owned(),
    }
}

/// Returns the host of a question that is asked for it alone.
fn own_host(here: &Connection) -> Option<&Host> {
    here.host().filter(|host| !host.is_local() && !is_for_all())
}

fn run_of<'a>(here: &'a Connection, location: &'static Location<'static>) -> Result<&'a RunState> {
    here.state().ok_or_else(|| Error::new(ErrorKind::Usage, "a question was asked outside a task").at(location))
}

fn no_valid_answer(question: &str, location: &'static Location<'static>) -> Error {
    Error::new(ErrorKind::Prompt, format!("there was no answer to: {}", question.trim_end())).at(location)
}

impl IntoFuture for Confirm {
    type Output = Result<bool>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.ask().boxed()
    }
}

impl IntoFuture for Prompt {
    type Output = Result<String>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.ask(|text| Ok(text.to_owned())).boxed()
    }
}
