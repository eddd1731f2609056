//! Logging in to a server that says whatever it likes; no real one can be made to.

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
use crate::transport::prompter::Ask;
use crate::transport::ssh::handler::Handler;
use crate::transport::ssh::host_key::{HostKeys, KeyCheck};
use crate::transport::ssh::login::log_in::log_in;
use crate::transport::ssh::settings::SshSettings;
use crate::transport::ssh::target::{self, Purpose};

/// A round of questions: a name, instructions, and prompts, each with whether its answer is shown.
type Round = (&'static str, &'static str, Vec<(&'static str, bool)>);

/// Asks its rounds, keeps the answers, and lets whoever has answered in.
struct Hostile {
    rounds: std::vec::IntoIter<Round>,
    answers: Arc<Mutex<Vec<Vec<String>>>>,
}

impl server::Handler for Hostile {
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

/// Answers every question with its number, and keeps what it was asked.
#[derive(Debug, Default)]
struct Person(Mutex<Vec<String>>);

impl Person {
    fn answer(&self, question: &str) -> String {
        let mut asked = self.0.lock().unwrap();
        asked.push(question.to_owned());
        asked.len().to_string()
    }
}

impl Ask for Person {
    fn line<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<String>> {
        async { Ok(self.answer(question)) }.boxed()
    }

    fn secret<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<Secret>> {
        async { Ok(Secret::new(self.answer(question))) }.boxed()
    }

    fn available(&self) -> bool {
        true
    }
}

/// Wants answers first and a key then.
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

/// A finished login: its result, the questions, the answers that the server received, and the warnings.
struct Came {
    result: Result<()>,
    asked: Vec<String>,
    answers: Vec<Vec<String>>,
    told: Vec<String>,
}

/// Logs in to a server that asks these rounds.
async fn came_of(rounds: Vec<Round>) -> Came {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config");
    let lines =
        "UserKnownHostsFile none\nGlobalKnownHostsFile none\nStrictHostKeyChecking no\nPubkeyAuthentication no\n";
    std::fs::write(&config, lines).unwrap();
    let settings = Settings { ssh_config: SshConfigSource::File(config), ..Settings::default() };
    let (person, told) = (Arc::new(Person::default()), Arc::new(CaptureSink::default()));
    let ask: Arc<dyn Ask> = Arc::clone(&person) as _;
    let settings = Arc::new(SshSettings::new(&settings, ProcessEnv::default(), ask, Arc::clone(&told) as _));
    let (target, _) = target::resolve(&"web1".parse().unwrap(), Purpose::Work, &settings).unwrap();
    let target = Arc::new(target);

    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let answers = Arc::default();
    let hostile = Hostile { rounds: rounds.into_iter(), answers: Arc::clone(&answers) };
    let server = server::Config {
        keys: vec![PrivateKey::from(Ed25519Keypair::from_seed(&[1; 32]))],
        methods: MethodSet::from(&[MethodKind::KeyboardInteractive][..]),
        auth_rejection_time_initial: Some(std::time::Duration::ZERO),
        ..server::Config::default()
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { server::run_stream(Arc::new(server), theirs, hostile).await?.await });

    let keys = HostKeys::new(Arc::clone(&target), Arc::clone(&settings), Arc::new(KeyCheck::default()));
    let handler = Handler::new(keys, Arc::default(), 3);
    let mut handle = client::connect_stream(Arc::default(), ours, handler).await.unwrap();
    let result = log_in(&mut handle, &target, &settings, false).await;
    drop(handle);
    tasks.shutdown().await;
    let told = told.of_kind("warning").iter().map(|event| event["text"].as_str().unwrap().to_owned()).collect();
    Came { result, asked: person.0.lock().unwrap().clone(), answers: answers.lock().unwrap().clone(), told }
}

#[tokio::test]
async fn a_servers_questions_are_shown_spelled_out_behind_the_host_and_answered_in_order() {
    let came = came_of(vec![
        ("\x1b]0;x\x07", "Look:\r\n\x1b[2J", vec![("\rroot@db1's password: ", false), ("Code: ", true)]),
        ("", "", vec![("Again: ", false)]),
    ])
    .await;
    let first = "web1: \\u{1b}]0;x\\u{7}\nweb1: Look:\nweb1: \\u{1b}[2J\nweb1: \\rroot@db1's password: ";
    came.result.unwrap();
    assert_eq!(came.asked, [first, "web1: Code: ", "web1: Again: "]);
    assert_eq!(came.answers, [vec!["1", "2"], vec!["3"]]);
}

#[tokio::test]
async fn what_a_server_says_without_a_question_is_told_and_answered_by_nothing() {
    let came = came_of(vec![("", "Your password\x1b[0m has expired.\n", vec![]), ("", "", vec![])]).await;
    came.result.unwrap();
    assert_eq!(came.asked, Vec::<String>::new());
    assert_eq!(came.answers, [Vec::<String>::new(), Vec::new()]);
    let about: Vec<&String> = came.told.iter().filter(|text| !text.contains("ssh-ed25519 key")).collect();
    assert_eq!(about, ["Your password\\u{1b}[0m has expired."]);
}

#[tokio::test]
async fn endless_rounds_without_a_question_end_the_login_after_one_warning() {
    let came = came_of(vec![("", "Wait for the other factor.", vec![]); 1_000]).await;
    let error = came.result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.block().to_string().contains("the server asks without end"), "{error:?}");
    assert!(came.answers.len() <= 32, "{} rounds", came.answers.len());
    let about: Vec<&String> = came.told.iter().filter(|text| !text.contains("ssh-ed25519 key")).collect();
    assert_eq!(about, ["Wait for the other factor."]);
}

#[tokio::test]
async fn a_key_after_an_answer_logs_in() {
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
    let ask: Arc<dyn Ask> = Arc::clone(&person) as _;
    let sink = Arc::new(CaptureSink::default());
    let settings = Arc::new(SshSettings::new(&settings, ProcessEnv::default(), ask, sink as _));
    let (target, _) = target::resolve(&"web1".parse().unwrap(), Purpose::Work, &settings).unwrap();
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
    let keys = HostKeys::new(Arc::clone(&target), Arc::clone(&settings), Arc::new(KeyCheck::default()));
    let handler = Handler::new(keys, Arc::default(), 3);
    let mut handle = client::connect_stream(Arc::default(), ours, handler).await.unwrap();
    log_in(&mut handle, &target, &settings, false).await.unwrap();
    assert_eq!(person.0.lock().unwrap().len(), 1);
    drop(handle);
    tasks.shutdown().await;
}

#[tokio::test]
async fn a_servers_banner_is_not_shown() {
    let came = came_of(vec![("", "", vec![("Password: ", false)])]).await;
    came.result.unwrap();
    let shown = [came.asked, came.told].concat();
    assert!(!shown.iter().any(|text| text.contains("welcome")), "{shown:?}");
}
