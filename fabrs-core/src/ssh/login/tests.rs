//! Tests of the login against a scripted server. A real server cannot send such answers.

use std::sync::{Arc, Mutex};

use futures::future::{BoxFuture, FutureExt};
use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::server::{self, Auth, Response};
use russh::{MethodKind, MethodSet, client};
use tokio::task::JoinSet;

use crate::config::{ProcessEnv, Settings, SshConfigSource};
use crate::error::{ErrorKind, Result};
use crate::event::CaptureSink;
use crate::secret::Secret;
use crate::ssh::handler::Handler;
use crate::ssh::host_key::{HostKeyVerifier, KeyCheckState};
use crate::ssh::login::log_in::log_in;
use crate::ssh::settings::SshSettings;
use crate::ssh::target;
use crate::transport::Prompter;

/// A round of questions: name, instructions and prompts. Each prompt has a flag for its echo.
type Round = (&'static str, &'static str, Vec<(&'static str, bool)>);

/// A server with scripted rounds. It records the answers and accepts every login.
struct ScriptedServer {
    rounds: std::vec::IntoIter<Round>,
    answers: Arc<Mutex<Vec<Vec<String>>>>,
}

impl server::Handler for ScriptedServer {
    type Error = russh::Error;

    async fn authentication_banner(&mut self) -> Result<Option<String>, russh::Error> {
        Ok(Some("\x1b[2Jwelcome".to_owned()))
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        if let Some(response) = response {
            let answers = response.map(|answer| String::from_utf8_lossy(&answer).into_owned()).collect();
            self.answers.lock().unwrap().push(answers);
        }
        Ok(match self.rounds.next() {
            None => Auth::Accept,
            Some((name, instructions, prompts)) => {
                let prompts = prompts.into_iter().map(|(prompt, echo)| (prompt.into(), echo)).collect();
                Auth::Partial { name: name.into(), instructions: instructions.into(), prompts }
            }
        })
    }
}

/// A prompter that answers each question with its number, and records the questions.
#[derive(Debug, Default)]
struct Person(Mutex<Vec<String>>);

impl Person {
    fn answer(&self, question: &str) -> String {
        let mut questions = self.0.lock().unwrap();
        questions.push(question.to_owned());
        questions.len().to_string()
    }
}

impl Prompter for Person {
    fn line<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<String>> {
        async { Ok(self.answer(question)) }.boxed()
    }

    fn secret<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<Secret>> {
        async { Ok(Secret::new(self.answer(question))) }.boxed()
    }

    fn is_available(&self) -> bool {
        true
    }
}

/// A server requiring keyboard-interactive first, then a key.
struct TwoFactors {
    answered: bool,
}

impl server::Handler for TwoFactors {
    type Error = russh::Error;

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        if response.is_none() {
            return Ok(Auth::Partial {
                name: "".into(),
                instructions: "".into(),
                prompts: vec![("Code: ".into(), true)].into(),
            });
        }
        self.answered = true;
        let methods = MethodSet::from(&[MethodKind::PublicKey][..]);
        Ok(Auth::Reject { proceed_with_methods: Some(methods), partial_success: true })
    }

    async fn auth_publickey(&mut self, _: &str, _: server::VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        Ok(if self.answered { Auth::Accept } else { Auth::reject() })
    }
}

/// The result of a login: questions, answers received by the server, and warnings.
struct LoginRun {
    result: Result<()>,
    questions: Vec<String>,
    answers: Vec<Vec<String>>,
    warnings: Vec<String>,
}

/// Logs in to a server with these rounds.
async fn log_in_to(rounds: Vec<Round>) -> LoginRun {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config");
    let lines =
        "UserKnownHostsFile none\nGlobalKnownHostsFile none\nStrictHostKeyChecking no\nPubkeyAuthentication no\n";
    std::fs::write(&config, lines).unwrap();
    let settings = Settings { ssh_config: SshConfigSource::File(config), ..Settings::default() };
    let (person, warnings) = (Arc::new(Person::default()), Arc::new(CaptureSink::default()));
    let prompter: Arc<dyn Prompter> = Arc::clone(&person) as _;
    let settings = Arc::new(SshSettings::new(&settings, ProcessEnv::default(), prompter, Arc::clone(&warnings) as _));
    let (target, _) = target::resolve_host(&"web1".parse().unwrap(), &settings).unwrap();
    let target = Arc::new(target);

    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let answers = Arc::default();
    let scripted = ScriptedServer { rounds: rounds.into_iter(), answers: Arc::clone(&answers) };
    let server = server::Config {
        keys: vec![PrivateKey::from(Ed25519Keypair::from_seed(&[1; 32]))],
        methods: MethodSet::from(&[MethodKind::KeyboardInteractive][..]),
        auth_rejection_time_initial: Some(std::time::Duration::ZERO),
        ..server::Config::default()
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { server::run_stream(Arc::new(server), theirs, scripted).await?.await });

    let keys = HostKeyVerifier::new(Arc::clone(&target), Arc::clone(&settings), Arc::new(KeyCheckState::default()));
    let handler = Handler::new(keys, Arc::default(), None, 3);
    let mut handle = client::connect_stream(Arc::default(), ours, handler).await.unwrap();
    let result = log_in(&mut handle, &target, &settings, false).await;
    drop(handle);
    tasks.shutdown().await;
    let warnings = warnings.of_kind("warning").iter().map(|event| event["text"].as_str().unwrap().to_owned()).collect();
    LoginRun { result, questions: person.0.lock().unwrap().clone(), answers: answers.lock().unwrap().clone(), warnings }
}

#[tokio::test]
async fn server_questions_are_escaped_prefixed_by_the_host_and_answered_in_order() {
    let run = log_in_to(vec![
        ("\x1b]0;x\x07", "Look:\r\n\x1b[2J", vec![("\rroot@db1's password: ", false), ("Code: ", true)]),
        ("", "", vec![("Again: ", false)]),
    ])
    .await;
    let first = "web1: \\u{1b}]0;x\\u{7}\nweb1: Look:\nweb1: \\u{1b}[2J\nweb1: \\rroot@db1's password: ";
    run.result.unwrap();
    assert_eq!(run.questions, [first, "web1: Code: ", "web1: Again: "]);
    assert_eq!(run.answers, [vec!["1", "2"], vec!["3"]]);
}

#[tokio::test]
async fn a_text_without_a_question_is_a_warning_with_an_empty_answer() {
    let run = log_in_to(vec![("", "Your password\x1b[0m has expired.\n", vec![]), ("", "", vec![])]).await;
    run.result.unwrap();
    assert_eq!(run.questions, Vec::<String>::new());
    assert_eq!(run.answers, [Vec::<String>::new(), Vec::new()]);
    let about: Vec<&String> = run.warnings.iter().filter(|text| !text.contains("ssh-ed25519 key")).collect();
    assert_eq!(about, ["Your password\\u{1b}[0m has expired."]);
}

#[tokio::test]
async fn endless_rounds_without_a_question_end_the_login_after_one_warning() {
    let run = log_in_to(vec![("", "Wait for the other factor.", vec![]); 1_000]).await;
    let error = run.result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.block().to_string().contains("the server sent more than 32 rounds of questions"), "{error:?}");
    assert!(run.answers.len() <= 32, "{} rounds", run.answers.len());
    let about: Vec<&String> = run.warnings.iter().filter(|text| !text.contains("ssh-ed25519 key")).collect();
    assert_eq!(about, ["Wait for the other factor."]);
}

#[tokio::test]
async fn a_key_after_keyboard_interactive_logs_in() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    let private = PrivateKey::from(Ed25519Keypair::from_seed(&[2; 32]));
    private.write_openssh_file(&key, LineEnding::LF).unwrap();
    let config = dir.path().join("config");
    let lines = format!(
        "UserKnownHostsFile none\nGlobalKnownHostsFile none\nStrictHostKeyChecking no\nIdentityAgent none\nIdentityFile {}\n",
        key.display()
    );
    std::fs::write(&config, lines).unwrap();
    let settings = Settings { ssh_config: SshConfigSource::File(config), ..Settings::default() };
    let person = Arc::new(Person::default());
    let prompter: Arc<dyn Prompter> = Arc::clone(&person) as _;
    let sink = Arc::new(CaptureSink::default());
    let settings = Arc::new(SshSettings::new(&settings, ProcessEnv::default(), prompter, sink as _));
    let (target, _) = target::resolve_host(&"web1".parse().unwrap(), &settings).unwrap();
    let target = Arc::new(target);
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let server = server::Config {
        keys: vec![PrivateKey::from(Ed25519Keypair::from_seed(&[1; 32]))],
        methods: MethodSet::from(&[MethodKind::KeyboardInteractive][..]),
        auth_rejection_time: std::time::Duration::ZERO,
        auth_rejection_time_initial: Some(std::time::Duration::ZERO),
        ..server::Config::default()
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(
        async move { server::run_stream(Arc::new(server), theirs, TwoFactors { answered: false }).await?.await },
    );
    let keys = HostKeyVerifier::new(Arc::clone(&target), Arc::clone(&settings), Arc::new(KeyCheckState::default()));
    let handler = Handler::new(keys, Arc::default(), None, 3);
    let mut handle = client::connect_stream(Arc::default(), ours, handler).await.unwrap();
    log_in(&mut handle, &target, &settings, false).await.unwrap();
    assert_eq!(person.0.lock().unwrap().len(), 1);
    drop(handle);
    tasks.shutdown().await;
}

#[tokio::test]
async fn a_servers_banner_is_not_shown() {
    let run = log_in_to(vec![("", "", vec![("Password: ", false)])]).await;
    run.result.unwrap();
    let shown = [run.questions, run.warnings].concat();
    assert!(!shown.iter().any(|text| text.contains("welcome")), "{shown:?}");
}
