//! Password and keyboard-interactive authentication.

use russh::client::{AuthResult, KeyboardInteractiveAuthResponse};

use crate::error::Result;
use crate::event::Event;
use crate::secret::Secret;
use crate::ssh::login::attempt::{LoginAttempt, LoginRejected, MethodResult};
use crate::ssh::target::Method;
use crate::ssh::untrusted_text;

/// The maximum number of rounds of questions in one attempt.
const MAX_ROUNDS: usize = 32;
/// The maximum number of texts without a question shown in a login.
const MAX_NOTICES: usize = 3;

impl LoginAttempt<'_> {
    /// Tries passwords: the configured one, or up to `NumberOfPasswordPrompts` prompts.
    pub(super) async fn try_password(&mut self) -> Result<MethodResult> {
        while self.may_prompt(Method::Password) {
            let question = format!("{}@{}'s password: ", self.target.user, self.target.host.label());
            let uses_configured_password = self.configured_password.is_some();
            let password = self.secret(&question).await?;
            self.tried.push("a password".to_owned());
            let user = self.target.user.as_str();
            let answer = self.timer.confirmed_server(self.handle.authenticate_password(user, password.expose())).await;
            let answer = self.record_answer(answer)?;
            if answer != MethodResult::Rejected {
                return Ok(answer);
            }
            self.is_configured_password_rejected |= uses_configured_password;
        }
        Ok(MethodResult::Rejected)
    }

    /// Answers the questions of the server, in up to `NumberOfPasswordPrompts` attempts.
    pub(super) async fn try_keyboard_interactive(&mut self) -> Result<MethodResult> {
        while self.may_prompt(Method::KeyboardInteractive) {
            let uses_configured_password = self.configured_password.is_some();
            let (answer, was_asked) = self.answer_rounds().await?;
            if answer != MethodResult::Rejected || !was_asked {
                return Ok(answer);
            }
            self.is_configured_password_rejected |= uses_configured_password;
        }
        Ok(MethodResult::Rejected)
    }

    /// Returns true if a further attempt of the method is allowed, and counts the attempt. A
    /// configured password needs no prompt and is tried once.
    fn may_prompt(&mut self, method: Method) -> bool {
        let login = &self.target.login;
        let asked = self.prompts.iter().filter(|known| **known == method).count();
        let can_prompt = login.can_prompt && !self.is_configured_password_rejected && asked < login.password_prompts;
        let may = self.allows(method.kind()) && (self.configured_password.is_some() || can_prompt);
        if may {
            self.prompts.push(method);
        }
        may
    }

    /// Answers the questions of the server (RFC 4256). Also returns true if the server sent a round
    /// of questions. A round may be empty. The number of answers must equal the number of
    /// questions.
    async fn answer_rounds(&mut self) -> Result<(MethodResult, bool)> {
        self.tried.push("keyboard-interactive".to_owned());
        let user = self.target.user.clone();
        let mut rounds = 0;
        let mut response = self.timer.server(self.handle.authenticate_keyboard_interactive_start(user, None)).await;
        loop {
            let (questions, prompts) = match response {
                Ok(Ok(KeyboardInteractiveAuthResponse::Success)) => return Ok((MethodResult::LoggedIn, rounds > 0)),
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
                Err(timeout) => return Err(self.timeout_error(timeout)),
            };
            rounds += 1;
            if rounds > MAX_ROUNDS {
                return Err(self
                    .error()
                    .caused_by(LoginRejected(format!("the server sent more than {MAX_ROUNDS} rounds of questions"))));
            }
            let mut answers = Vec::new();
            for (question, prompt) in questions.into_iter().zip(prompts) {
                let answer = if prompt.echo {
                    self.prompter().line(&question).await.map_err(|error| error.on(&self.target.host))?
                } else {
                    self.secret(&question).await?.expose().to_owned()
                };
                answers.push(answer);
            }
            response =
                self.timer.confirmed_server(self.handle.authenticate_keyboard_interactive_respond(answers)).await;
        }
    }

    /// Returns the configured password once, then prompts. A second question means that the server
    /// has rejected the configured password.
    async fn secret(&mut self, question: &str) -> Result<Secret> {
        match self.configured_password.take() {
            Some(password) => Ok(password),
            None => self.prompter().secret(question).await.map_err(|error| error.on(&self.target.host)),
        }
    }

    /// Returns the prompts as shown to the person. A text without a prompt is emitted as a warning,
    /// because it may require an action elsewhere. Each text is shown once, up to [`MAX_NOTICES`]
    /// texts.
    fn questions(&mut self, name: &str, instructions: &str, prompts: &[String]) -> Vec<String> {
        let intro = [name, instructions].map(str::trim).into_iter().filter(|text| !text.is_empty());
        let intro = intro.collect::<Vec<_>>().join("\n");
        if prompts.is_empty() && !intro.is_empty() {
            let text = untrusted_text::escape_controls(&intro);
            if self.notices.len() < MAX_NOTICES && !self.notices.contains(&text) {
                self.settings.sink.event(&Event::Warning { host: Some(&self.target.host), text: &text });
                self.notices.push(text);
            }
        }
        questions(&self.target.host.label().to_string(), &intro, prompts)
    }
}

/// Returns the text of each question, prefixed by the host. The first question includes the
/// instructions of the server.
fn questions(host: &str, intro: &str, prompts: &[String]) -> Vec<String> {
    let mut before = if intro.is_empty() { String::new() } else { untrusted_text::prefix_lines(host, intro) + "\n" };
    prompts.iter().map(|prompt| std::mem::take(&mut before) + &untrusted_text::prefix_lines(host, prompt)).collect()
}

#[cfg(test)]
mod tests {
    use super::questions;

    #[track_caller]
    fn case(intro: &str, prompts: &[&str], expected: &[&str]) {
        let prompts: Vec<String> = prompts.iter().map(|&prompt| prompt.to_owned()).collect();
        assert_eq!(questions("web1", intro, &prompts), expected);
    }

    #[test]
    fn questions_start_with_the_host_and_the_first_with_instructions() {
        case("", &["Password: "], &["web1: Password: "]);
        let first = "web1: Two steps\nweb1: Take\nweb1: your token.\nweb1: Code: ";
        case("Two steps\nTake\r\nyour token.", &["Code: ", "PIN: "], &[first, "web1: PIN: "]);
        case("Nothing to ask.", &[], &[]);
    }

    #[test]
    fn control_characters_in_server_questions_are_escaped() {
        let shown = "web1: \\u{1b}]0;x\\u{7}\nweb1: \\u{1b}[2J\nweb1: \\rroot@db1's password: ";
        case("\x1b]0;x\x07\n\x1b[2J", &["\rroot@db1's password: "], &[shown]);
    }
}
