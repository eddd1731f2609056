//! Logging in by what a person knows: passwords, and what the server asks.

use russh::MethodKind;
use russh::client::{AuthResult, KeyboardInteractiveAuthResponse};

use super::super::foreign;
use super::LoginAttempt;
use crate::error::Result;
use crate::event::Event;
use crate::secret::Secret;

/// How often a person is asked for a password.
const TRIES: usize = 3;

impl LoginAttempt<'_> {
    /// Tries a password: the one that was given, once; otherwise a person's, a few times.
    pub(super) async fn by_password(&mut self) -> Result<bool> {
        let login = &self.target.login;
        let (given, may_ask) = (self.settings.password.is_some(), login.may_ask);
        if !given && !may_ask {
            return Ok(false);
        }
        for _ in 0..if given { 1 } else { TRIES } {
            let done = if login.keyboard_interactive && self.allows(MethodKind::KeyboardInteractive) {
                self.by_keyboard().await?
            } else if login.password && self.allows(MethodKind::Password) {
                let question = format!("{}@{}'s password: ", self.target.user, self.target.host.label());
                let password = self.secret(&question).await?;
                self.tried.push("a password".to_owned());
                let user = self.target.user.as_str();
                let result = self.handle.authenticate_password(user, password.expose()).await;
                self.took(result)?
            } else {
                return Ok(false);
            };
            if done {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Answers what the server asks (RFC 4256). No question at all is legal, and the answers must be as many.
    async fn by_keyboard(&mut self) -> Result<bool> {
        self.tried.push("keyboard-interactive".to_owned());
        let user = self.target.user.clone();
        let mut response = self.handle.authenticate_keyboard_interactive_start(user, None).await;
        loop {
            let (questions, prompts) = match response {
                Ok(KeyboardInteractiveAuthResponse::Success) => return Ok(true),
                Ok(KeyboardInteractiveAuthResponse::Failure { remaining_methods, partial_success }) => {
                    return self.took(Ok(AuthResult::Failure { remaining_methods, partial_success }));
                }
                Ok(KeyboardInteractiveAuthResponse::InfoRequest { name, instructions, prompts }) => {
                    let texts: Vec<String> = prompts.iter().map(|prompt| prompt.prompt.clone()).collect();
                    (self.questions(&name, &instructions, &texts), prompts)
                }
                Err(error) => return self.took(Err(error)),
            };
            let mut answers = Vec::new();
            for (question, prompt) in questions.into_iter().zip(prompts) {
                let answer = if prompt.echo {
                    self.ask().line(&question).await.map_err(|error| error.on(&self.target.host))?
                } else {
                    self.secret(&question).await?.expose().to_owned()
                };
                answers.push(answer);
            }
            response = self.handle.authenticate_keyboard_interactive_respond(answers).await;
        }
    }

    /// Returns the password that was given, once: a server that asks again has said that it is wrong.
    async fn secret(&mut self, question: &str) -> Result<Secret> {
        match self.given.take() {
            Some(password) => Ok(password),
            None => self.ask().secret(question).await.map_err(|error| error.on(&self.target.host)),
        }
    }

    /// Returns the server's prompts as they are shown. What it says where it asks nothing is told at once: it is what the
    /// person has to do elsewhere.
    fn questions(&self, name: &str, instructions: &str, prompts: &[String]) -> Vec<String> {
        let said = [name, instructions].map(str::trim).into_iter().filter(|text| !text.is_empty());
        let said = said.collect::<Vec<_>>().join("\n");
        if prompts.is_empty() && !said.is_empty() {
            let text = foreign::escape_controls(&said);
            self.settings.sink.event(&Event::Warning { host: Some(&self.target.host), text: &text });
        }
        questions(&self.target.host.label().to_string(), &said, prompts)
    }
}

/// Returns the text of each question: the host, and the prompt; before the first, what the server says besides.
fn questions(host: &str, said: &str, prompts: &[String]) -> Vec<String> {
    let mut before = if said.is_empty() { String::new() } else { foreign::from(host, said) + "\n" };
    prompts.iter().map(|prompt| std::mem::take(&mut before) + &foreign::from(host, prompt)).collect()
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
