//! Logging in by what a person knows: passwords, and what the server asks.

use russh::client::{AuthResult, KeyboardInteractiveAuthResponse};

use crate::error::Result;
use crate::event::Event;
use crate::secret::Secret;
use crate::transport::ssh::login::attempt::{Answer, LoginAttempt, Refused};
use crate::transport::ssh::target::Method;
use crate::transport::ssh::untrusted_text;

/// How many rounds of questions a server may have in one attempt.
const MAX_ROUNDS: usize = 32;
/// The maximum number of texts without a question that a login shows.
const MAX_NOTICES: usize = 3;

impl LoginAttempt<'_> {
    /// Tries passwords: the given one, or a person's, a few times (`NumberOfPasswordPrompts`).
    pub(super) async fn by_password(&mut self) -> Result<Answer> {
        while self.may_prompt(Method::Password) {
            let question = format!("{}@{}'s password: ", self.target.user, self.target.host.label());
            let is_given = self.given.is_some();
            let password = self.secret(&question).await?;
            self.tried.push("a password".to_owned());
            let user = self.target.user.as_str();
            let answer = self.clock.confirmed_server(self.handle.authenticate_password(user, password.expose())).await;
            let answer = self.record_answer(answer)?;
            if answer != Answer::Refused {
                return Ok(answer);
            }
            self.refused_given |= is_given;
        }
        Ok(Answer::Refused)
    }

    /// Answers the server's questions, a few times, as long as it has any.
    pub(super) async fn by_keyboard(&mut self) -> Result<Answer> {
        while self.may_prompt(Method::KeyboardInteractive) {
            let is_given = self.given.is_some();
            let (answer, was_asked) = self.by_questions().await?;
            if answer != Answer::Refused || !was_asked {
                return Ok(answer);
            }
            self.refused_given |= is_given;
        }
        Ok(Answer::Refused)
    }

    /// Returns whether a method may ask again, and counts the attempt. A password from the settings needs no prompt and is tried
    /// once.
    fn may_prompt(&mut self, method: Method) -> bool {
        let login = &self.target.login;
        let asked = self.prompts.iter().filter(|known| **known == method).count();
        let may_ask = login.may_ask && !self.refused_given && asked < login.password_prompts;
        let may = self.allows(method.kind()) && (self.given.is_some() || may_ask);
        if may {
            self.prompts.push(method);
        }
        may
    }

    /// Answers the server's questions (RFC 4256), and returns whether the server asked any. A round may be empty. The number of
    /// answers must match the number of questions.
    async fn by_questions(&mut self) -> Result<(Answer, bool)> {
        self.tried.push("keyboard-interactive".to_owned());
        let user = self.target.user.clone();
        let mut rounds = 0;
        let mut response = self.clock.server(self.handle.authenticate_keyboard_interactive_start(user, None)).await;
        loop {
            let (questions, prompts) = match response {
                Ok(Ok(KeyboardInteractiveAuthResponse::Success)) => return Ok((Answer::LoggedIn, rounds > 0)),
                Ok(Ok(KeyboardInteractiveAuthResponse::Failure { remaining_methods, partial_success })) => {
                    let answer =
                        self.record_answer(Ok(Ok(AuthResult::Failure { remaining_methods, partial_success })))?;
                    return Ok((answer, rounds > 0));
                }
                Ok(Ok(KeyboardInteractiveAuthResponse::InfoRequest { name, instructions, prompts })) => {
                    let texts: Vec<String> = prompts.iter().map(|prompt| prompt.prompt.clone()).collect();
                    (self.questions(&name, &instructions, &texts), prompts)
                }
                Ok(Err(error)) => return Ok((self.record_answer(Ok(Err(error)))?, rounds > 0)),
                Err(silent) => return Err(self.silent(silent)),
            };
            rounds += 1;
            if rounds > MAX_ROUNDS {
                return Err(self.error().caused_by(Refused("the server asks without end".to_owned())));
            }
            let mut answers = Vec::new();
            for (question, prompt) in questions.into_iter().zip(prompts) {
                let answer = if prompt.echo {
                    self.ask().line(&question).await.map_err(|error| error.on(&self.target.host))?
                } else {
                    self.secret(&question).await?.expose().to_owned()
                };
                answers.push(answer);
            }
            response =
                self.clock.confirmed_server(self.handle.authenticate_keyboard_interactive_respond(answers)).await;
        }
    }

    /// Returns the given password, once: a server that asks again has refused it. Else asks a person.
    async fn secret(&mut self, question: &str) -> Result<Secret> {
        match self.given.take() {
            Some(password) => Ok(password),
            None => self.ask().secret(question).await.map_err(|error| error.on(&self.target.host)),
        }
    }

    /// Returns the server's prompts as they are shown. A text without a prompt is a warning at once, since it may be an
    /// instruction to act elsewhere. Each text is shown once, and at most [`MAX_NOTICES`] texts.
    fn questions(&mut self, name: &str, instructions: &str, prompts: &[String]) -> Vec<String> {
        let said = [name, instructions].map(str::trim).into_iter().filter(|text| !text.is_empty());
        let said = said.collect::<Vec<_>>().join("\n");
        if prompts.is_empty() && !said.is_empty() {
            let text = untrusted_text::escape_controls(&said);
            if self.notices.len() < MAX_NOTICES && !self.notices.contains(&text) {
                self.settings.sink.event(&Event::Warning { host: Some(&self.target.host), text: &text });
                self.notices.push(text);
            }
        }
        questions(&self.target.host.label().to_string(), &said, prompts)
    }
}

/// Returns the text of each question: the host, and the prompt; before the first, what the server says besides.
fn questions(host: &str, said: &str, prompts: &[String]) -> Vec<String> {
    let mut before = if said.is_empty() { String::new() } else { untrusted_text::from(host, said) + "\n" };
    prompts.iter().map(|prompt| std::mem::take(&mut before) + &untrusted_text::from(host, prompt)).collect()
}

#[cfg(test)]
mod tests {
    use super::questions;

    #[track_caller]
    fn case(said: &str, prompts: &[&str], expected: &[&str]) {
        let prompts: Vec<String> = prompts.iter().map(|&prompt| prompt.to_owned()).collect();
        assert_eq!(questions("web1", said, &prompts), expected);
    }

    #[test]
    fn questions_have_their_host_in_front_and_instructions_before_the_first() {
        case("", &["Password: "], &["web1: Password: "]);
        let first = "web1: Two steps\nweb1: Take\nweb1: your token.\nweb1: Code: ";
        case("Two steps\nTake\r\nyour token.", &["Code: ", "PIN: "], &[first, "web1: PIN: "]);
        case("Nothing to ask.", &[], &[]);
    }

    #[test]
    fn nothing_in_a_servers_question_is_obeyed_by_the_terminal() {
        let shown = "web1: \\u{1b}]0;x\\u{7}\nweb1: \\u{1b}[2J\nweb1: \\rroot@db1's password: ";
        case("\x1b]0;x\x07\n\x1b[2J", &["\rroot@db1's password: "], &[shown]);
    }
}
