//! [`confirm`] and [`prompt`]: questions to the person who runs a task.

use std::fmt::Display;
use std::panic::Location;
use std::str::FromStr;

use futures::future::{BoxFuture, FutureExt};

use super::handle::Connection;
use super::task_scope::current;
use super::task_scope::is_in_once_scope;
use crate::config::{Confirmation, Mode};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::secret::Secret;
use crate::state::RunState;
use crate::transport::EffectMode;

/// The maximum number of invalid answers to one question.
const MAX_TRIES: usize = 10;

/// A yes-or-no question, asked when awaited. Created by [`confirm`].
#[derive(Debug)]
#[must_use = "a question is only asked when awaited"]
pub struct Confirm {
    connection: Connection,
    question: String,
    default: Option<bool>,
    location: &'static Location<'static>,
}

/// A question for a text, asked when awaited. Created by [`prompt`].
#[derive(Debug)]
#[must_use = "a question is only asked when awaited"]
pub struct Prompt {
    connection: Connection,
    question: String,
    default: Option<String>,
    location: &'static Location<'static>,
}

/// Asks a yes-or-no question at the terminal.
///
/// `-y` answers yes. A dry run asks no question and plans the answer yes. Without a terminal, the
/// answer is the [default](Confirm::default).
///
/// Inside a task, the question is asked once for each host. [`once`](crate::run::once) asks one
/// question for all hosts.
///
/// ```
/// # use fabrs_core::Client;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
/// # let here = Client::builder().build().local()?;
/// use fabrs_core::connection::confirm;
///
/// let question = async { confirm("Restart the workers?").default(false).await };
/// assert!(!here.enter(question).await?);
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`ErrorKind::Prompt`] without a terminal and without a default.
#[track_caller]
pub fn confirm(question: impl Into<String>) -> Confirm {
    Confirm { connection: current(), question: question.into(), default: None, location: Location::caller() }
}

/// Asks for a text at the terminal.
///
/// With a [default](Prompt::default), no question is asked without a terminal, with `-y`, and in a
/// dry run.
///
/// ```
/// # use fabrs_core::Client;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
/// # let here = Client::builder().build().local()?;
/// use fabrs_core::connection::prompt;
///
/// let question = async { prompt("Workers?").default("4").parse::<u8>().await };
/// assert_eq!(here.enter(question).await?, 4);
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`ErrorKind::Prompt`] without a terminal and without a default.
#[track_caller]
pub fn prompt(question: impl Into<String>) -> Prompt {
    Prompt { connection: current(), question: question.into(), default: None, location: Location::caller() }
}

impl Confirm {
    /// Sets the answer for an empty line.
    ///
    /// The default is also the answer without a terminal. It is then reported on stderr: `confirm
    /// "Restart?": no (default)`. A dry run always plans the answer yes. See [`confirm`] for an
    /// example.
    ///
    /// ```
    /// # use fabrs_core::{Client, connection::confirm};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// let question = async { confirm("Restart the workers?").default(true).await };
    /// assert!(here.enter(question).await?, "the answer without a terminal");
    /// # Ok(()) }
    /// ```
    pub fn default(mut self, answer: bool) -> Self {
        self.default = Some(answer);
        self
    }

    async fn ask(self) -> Result<bool> {
        let run = run_of(&self.connection, self.location)?;
        let settings = run.settings();
        let is_approved = settings.confirmation != Confirmation::Prompt;
        let ignores_default = settings.mode == Mode::DryRun || run.prompter().is_available();
        if let Some(default) = self.default.filter(|_| !is_approved && !ignores_default) {
            let note = if default { "yes (default)" } else { "no (default)" };
            run.note(own_host(&self.connection), format!("confirm \"{}\": {note}", self.question.trim_end()));
            return Ok(default);
        }
        if run.dial().begin_effect(&format!("ask {}", prefixed(&self.connection, &self.question)))? == EffectMode::Plan
        {
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
        let asked = with_host(&self.connection, &self.question);
        let mut question = format!("{asked} {choice} ");
        for _ in 0..MAX_TRIES {
            let answer = run.prompter().line(&question).await;
            let answer = answer
                .map_err(|error| error.or_on(self.connection.host()).at(self.location).hint("answer yes with `-y`"))?;
            match (answer.trim().to_lowercase().as_str(), self.default) {
                ("y" | "yes", _) => return Ok(true),
                ("n" | "no", _) => return Ok(false),
                ("", Some(default)) => return Ok(default),
                _ => question = format!("please answer yes or no. {asked} {choice} "),
            }
        }
        Err(no_valid_answer(&self.question, self.location))
    }
}

impl Prompt {
    /// Sets the answer for an empty line.
    ///
    /// The default is also the answer without a terminal, with `-y`, and in a dry run. It is then
    /// reported on stderr: `prompt "Workers?": 4 (default)`. [`secret`](Self::secret) ignores the
    /// default. See [`prompt`] for an example.
    ///
    /// ```
    /// # use fabrs_core::{Client, connection::prompt};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// let question = async { prompt("Workers?").default("4").await };
    /// assert_eq!(here.enter(question).await?, "4", "the answer without a terminal");
    /// # Ok(()) }
    /// ```
    pub fn default(mut self, answer: impl Into<String>) -> Self {
        self.default = Some(answer.into());
        self
    }

    /// Asks until the answer is a valid `T`, and returns the value.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Prompt`] without a terminal and without a default.
    /// - [`ErrorKind::Usage`] if the default is used and is not a valid `T`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future withdraws the question.
    pub async fn parse<T>(self) -> Result<T>
    where
        T: FromStr<Err: Display>,
    {
        self.ask(|text| text.parse().map_err(|error: T::Err| error.to_string())).await
    }

    /// Asks for a secret. The answer is neither shown while it is typed nor in any output.
    ///
    /// The question is asked with `-y` and in a dry run too. The [default](Self::default) is
    /// ignored: secrets do not belong in code.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Prompt`] without a terminal.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future withdraws the question.
    pub async fn secret(self) -> Result<Secret> {
        let run = run_of(&self.connection, self.location)?;
        let question = format!("{} ", with_host(&self.connection, &self.question));
        for _ in 0..MAX_TRIES {
            let answer = run
                .prompter()
                .secret(&question)
                .await
                .map_err(|error| add_hint(error, run, "or read the secret from a file or a variable"))
                .map_err(|error| error.or_on(self.connection.host()).at(self.location))?;
            if !answer.expose().is_empty() {
                return Ok(answer);
            }
        }
        Err(no_valid_answer(&self.question, self.location))
    }

    async fn ask<T>(self, read: impl Fn(&str) -> std::result::Result<T, String>) -> Result<T> {
        let run = run_of(&self.connection, self.location)?;
        if let Some(default) = self.default.as_ref().filter(|_| uses_default(run)) {
            let question = self.question.trim_end();
            let value = read(default).map_err(|error| {
                let text = format!("invalid default of the prompt \"{question}\": `{default}`: {error}");
                Error::new(ErrorKind::Usage, text).at(self.location)
            })?;
            run.note(own_host(&self.connection), format!("prompt \"{question}\": {default} (default)"));
            return Ok(value);
        }
        let shown = self.default.as_ref().map(|default| format!(" [{default}]")).unwrap_or_default();
        let asked = format!("{}{shown} ", with_host(&self.connection, &self.question));
        let mut question = asked.clone();
        for _ in 0..MAX_TRIES {
            let answer = run
                .prompter()
                .line(&question)
                .await
                .map_err(|error| add_hint(error, run, "or give the prompt a default: `.default(\"..\")`"))
                .map_err(|error| error.or_on(self.connection.host()).at(self.location))?;
            let answer = match (answer.trim(), &self.default) {
                ("", Some(default)) => default.as_str(),
                ("", None) => continue,
                (answer, _) => answer,
            };
            match read(answer) {
                Ok(value) => return Ok(value),
                Err(error) => question = format!("`{answer}` is not valid: {error}. {asked}"),
            }
        }
        Err(no_valid_answer(&self.question, self.location))
    }
}

/// Returns `true` if a question with a default is not asked: in a dry run, with `-y`, or without a
/// terminal.
fn uses_default(run: &RunState) -> bool {
    let settings = run.settings();
    settings.mode == Mode::DryRun || settings.confirmation != Confirmation::Prompt || !run.prompter().is_available()
}

/// Adds a hint to the error of a prompt, if no terminal is available.
fn add_hint(error: Error, run: &RunState, or: &str) -> Error {
    if run.prompter().is_available() { error } else { error.hint(format!("run the task at a terminal, {or}")) }
}

/// Adds the name of the host to a question for a single host.
fn with_host(connection: &Connection, question: &str) -> String {
    // Without a terminal, the name of the host is already part of the error.
    if connection.state().is_some_and(|run| run.prompter().is_available()) {
        prefixed(connection, question)
    } else {
        question.trim_end().to_owned()
    }
}

fn prefixed(connection: &Connection, question: &str) -> String {
    match own_host(connection) {
        Some(host) => format!("{}: {}", host.label(), question.trim_end()),
        None => question.trim_end().to_owned(),
    }
}

/// Returns the host of a question for a single host.
fn own_host(connection: &Connection) -> Option<&Host> {
    connection.host().filter(|host| !host.is_local() && !is_in_once_scope())
}

fn run_of<'a>(connection: &'a Connection, location: &'static Location<'static>) -> Result<&'a RunState> {
    connection.state().ok_or_else(|| Error::new(ErrorKind::Usage, "a question was asked outside a task").at(location))
}

fn no_valid_answer(question: &str, location: &'static Location<'static>) -> Error {
    Error::new(ErrorKind::Prompt, format!("no valid answer to: {}", question.trim_end())).at(location)
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
