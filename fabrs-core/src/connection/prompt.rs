//! Asking the person who runs a task: a yes or no, or a text.

use std::fmt::Display;
use std::panic::Location;
use std::str::FromStr;

use futures::future::{BoxFuture, FutureExt};

use super::ambient::is_for_all;
use super::{Connection, current};
use crate::client::Client;
use crate::config::Consent;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use crate::transport::Permission;

/// How often a person may give an answer that makes no sense.
const TRIES: usize = 10;

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

/// Asks for a yes or no, at the terminal; `-y` says yes. In a dry run the question is shown, and taken for answered by yes.
///
/// Asked within a task it is asked for each host: put it into [`once`](crate::run::once) to ask for all.
#[track_caller]
pub fn confirm(question: impl Into<String>) -> Confirm {
    Confirm { here: current(), question: question.into(), default: None, location: Location::caller() }
}

/// Asks for a text, at the terminal.
#[track_caller]
pub fn prompt(question: impl Into<String>) -> Prompt {
    Prompt { here: current(), question: question.into(), default: None, location: Location::caller() }
}

impl Confirm {
    /// Takes an empty answer for this one. Without, it has to be said.
    pub fn default(mut self, answer: bool) -> Self {
        self.default = Some(answer);
        self
    }

    async fn ask(self) -> Result<bool> {
        let client = client(&self.here, self.location)?;
        if client.dial().effect(&format!("ask {}", of_host(&self.here, &self.question)))? == Permission::Planned {
            return Ok(true);
        }
        if client.settings().consent != Consent::Asked {
            return Ok(true);
        }
        let choice = match self.default {
            Some(true) => "[Y/n]",
            Some(false) => "[y/N]",
            None => "[y/n]",
        };
        let asked = about(&self.here, &self.question);
        let mut question = format!("{asked} {choice} ");
        for _ in 0..TRIES {
            let answer = client.ask().line(&question).await;
            let answer =
                answer.map_err(|error| error.or_on(self.here.host()).at(self.location).hint("`-y` says yes to it"))?;
            match (answer.trim().to_lowercase().as_str(), self.default) {
                ("y" | "yes", _) => return Ok(true),
                ("n" | "no", _) => return Ok(false),
                ("", Some(default)) => return Ok(default),
                _ => question = format!("please say yes or no. {asked} {choice} "),
            }
        }
        Err(unanswered(&self.question, self.location))
    }
}

impl Prompt {
    /// Takes an empty answer for this one.
    pub fn default(mut self, answer: impl Into<String>) -> Self {
        self.default = Some(answer.into());
        self
    }

    /// Asks until the answer is a `T`, and returns it.
    ///
    /// # Errors
    ///
    /// As awaiting it.
    pub async fn parse<T>(self) -> Result<T>
    where
        T: FromStr<Err: Display>,
    {
        self.ask(|text| text.parse().map_err(|why: T::Err| why.to_string())).await
    }

    /// Asks for a text that is not shown while it is typed, nor afterwards.
    ///
    /// # Errors
    ///
    /// As awaiting it.
    pub async fn secret(self) -> Result<Secret> {
        let client = client(&self.here, self.location)?;
        let question = format!("{} ", about(&self.here, &self.question));
        for _ in 0..TRIES {
            let answer = client
                .ask()
                .secret(&question)
                .await
                .map_err(|error| error.or_on(self.here.host()).at(self.location))?;
            if !answer.expose().is_empty() {
                return Ok(answer);
            }
        }
        Err(unanswered(&self.question, self.location))
    }

    async fn ask<T>(self, read: impl Fn(&str) -> std::result::Result<T, String>) -> Result<T> {
        let client = client(&self.here, self.location)?;
        let shown = self.default.as_ref().map(|default| format!(" [{default}]")).unwrap_or_default();
        let asked = format!("{}{shown} ", about(&self.here, &self.question));
        let mut question = asked.clone();
        for _ in 0..TRIES {
            let answer =
                client.ask().line(&question).await.map_err(|error| error.or_on(self.here.host()).at(self.location))?;
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
        Err(unanswered(&self.question, self.location))
    }
}

/// Puts the host in front of a question that is asked for it alone.
fn about(here: &Connection, question: &str) -> String {
    // Where nobody is asked, the error has the host already.
    if here.client().is_some_and(|client| client.ask().available()) {
        of_host(here, question)
    } else {
        question.trim_end().to_owned()
    }
}

fn of_host(here: &Connection, question: &str) -> String {
    match here.host().filter(|host| !host.is_local() && !is_for_all()) {
        Some(host) => format!("{}: {}", host.label(), question.trim_end()),
        None => question.trim_end().to_owned(),
    }
}

fn client<'a>(here: &'a Connection, location: &'static Location<'static>) -> Result<&'a Client> {
    here.client().ok_or_else(|| Error::new(ErrorKind::Usage, "a question was asked outside a task").at(location))
}

fn unanswered(question: &str, location: &'static Location<'static>) -> Error {
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
