//! The sudo matrix: every kind of account with every operation under sudo. Each cell checks the
//! result, remaining processes and leaked passwords.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use fabrs::prelude::*;
use fabrs::{Connection, Secret};
use fabrs_testing::{Account, marker, processes_matching, wait_until};

use super::{SudoFixture, password};
use crate::support::LIMIT;

/// The expected result of the operations of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Done,
    /// Only the command named by a sudoers rule is allowed.
    Rule,
    /// sudo refuses, with this text.
    Refused(&'static str),
}

/// The origin of the sudo password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PasswordOrigin {
    Right,
    Wrong,
    /// No password: a valid ticket of sudo exists.
    Ticket,
}

const ACCOUNTS: [(Account, PasswordOrigin, Expected); 10] = [
    (Account::Sudo, PasswordOrigin::Right, Expected::Done),
    (Account::SudoNopasswd, PasswordOrigin::Right, Expected::Done),
    (Account::SudoTicket, PasswordOrigin::Ticket, Expected::Done),
    (Account::SudoLimited, PasswordOrigin::Right, Expected::Rule),
    (Account::SudoLimitedPasswd, PasswordOrigin::Right, Expected::Rule),
    (Account::Plain, PasswordOrigin::Right, Expected::Refused("sudoers")),
    (Account::Sudo, PasswordOrigin::Wrong, Expected::Refused("the password is wrong")),
    (Account::SudoExpired, PasswordOrigin::Right, Expected::Refused("expired")),
    (Account::SudoRequiretty, PasswordOrigin::Right, Expected::Refused("a terminal is required")),
    (Account::SudoPty, PasswordOrigin::Right, Expected::Done),
];

const TOKEN: &str = "a token of the matrix";
const WRONG: &str = "not the password";

/// A watcher thread. Until it is stopped, it searches the arguments and environment of every
/// process for passwords, and the arguments for the token. The environment of root's command
/// contains the token by design.
struct ProcessWatcher {
    over: Arc<AtomicBool>,
    seen: Option<JoinHandle<Vec<String>>>,
}

impl ProcessWatcher {
    fn new() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let own = std::process::id().to_string();
        let passwords = [password().expose().to_owned(), WRONG.to_owned()];
        let everything = [&passwords[..], &[TOKEN.to_owned()]].concat();
        let seen = std::thread::spawn(move || {
            let mut seen = Vec::new();
            while !ends.load(Ordering::Relaxed) {
                for entry in fs::read_dir("/proc").expect("Linux has procfs").flatten() {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    if name == own || !name.starts_with(|c: char| c.is_ascii_digit()) {
                        continue;
                    }
                    for (file, secrets) in [("cmdline", &everything[..]), ("environ", &passwords[..])] {
                        let text = fs::read(entry.path().join(file)).unwrap_or_default();
                        let text = String::from_utf8_lossy(&text).into_owned();
                        seen.extend(secrets.iter().filter(|secret| text.contains(*secret)).map(|_| text.clone()));
                    }
                }
            }
            seen
        });
        Self { over, seen: Some(seen) }
    }

    fn seen(mut self) -> Vec<String> {
        self.over.store(true, Ordering::Relaxed);
        self.seen.take().map(|thread| thread.join().expect("the watcher does not panic")).unwrap_or_default()
    }
}

fn fixture(account: Account, origin: PasswordOrigin) -> Option<SudoFixture> {
    match origin {
        PasswordOrigin::Right => SudoFixture::with_password(account),
        PasswordOrigin::Wrong => SudoFixture::of(account, |builder| builder.sudo_password(Secret::new(WRONG))),
        PasswordOrigin::Ticket => SudoFixture::of(account, |builder| builder),
    }
}

/// Checks the result of an operation.
#[track_caller]
fn assert_expected<T>(what: &str, expected: Expected, result: fabrs::Result<T>) {
    match (expected, result) {
        (Expected::Done, Ok(_)) => {}
        (Expected::Done, Err(error)) => panic!("{what}: {}", error.block()),
        (Expected::Rule | Expected::Refused(_), Ok(_)) => panic!("{what}: sudo let it through"),
        (Expected::Rule | Expected::Refused(_), Err(error)) => {
            let text = error.block().to_string();
            let words = if let Expected::Refused(words) = expected { words } else { "not allowed" };
            assert!(error.kind() == ErrorKind::Sudo && text.contains(words), "{what}: {text}");
            for secret in [password().expose(), TOKEN, WRONG] {
                assert!(!text.contains(secret), "{what}: {text}");
            }
        }
    }
}

/// Runs every operation under sudo, with `folder` as a writable directory.
async fn run_every_operation(host: &Connection, folder: &Path, expected: Expected, account: Account) {
    let rule = host.sudo("/usr/bin/id -un").await.and_then(|output| output.line());
    match expected {
        Expected::Refused(_) => assert_expected("one command", expected, rule),
        Expected::Done | Expected::Rule => assert_eq!(rule.expect("the command is allowed"), "root", "{account:?}"),
    }

    assert_expected("run", expected, host.sudo("id -un; true").await);

    let target = folder.join("file");
    assert_expected("put", expected, host.put(b"content".to_vec(), target.display().to_string()).sudo().await);
    let content = fs::read_to_string(&target).ok();
    assert_eq!(content.as_deref(), (expected == Expected::Done).then_some("content"), "{account:?}");
    assert_eq!(
        fs::read_dir(folder).expect("the directory is ours").count(),
        usize::from(content.is_some()),
        "{account:?}"
    );

    let read = host.sudo("cat; true").stdin("the input\n").await;
    if let Ok(output) = &read {
        assert_eq!(output.stdout().expect("the command ran"), "the input\n", "{account:?}");
    }
    assert_expected("stdin", expected, read);

    let token = host.env("TOKEN", Secret::new(TOKEN)).sudo("printf %s \"$TOKEN\" | wc -c; echo \"$TOKEN\"; cat");
    let token = token.stdin("rest").await;
    if let Ok(output) = &token {
        let printed = output.stdout().expect("the command ran").into_owned();
        assert_eq!(printed, format!("{}\n{TOKEN}\nrest", TOKEN.len()), "{account:?}");
    }
    assert_expected("a secret", expected, token);

    let mark = marker();
    let line = ShellLine::raw(format!("sleep {mark} & sleep {mark}; wait"));
    if expected == Expected::Done {
        let theirs = mark.clone();
        let sleeps = move || processes_matching(&theirs).iter().any(|process| process.cmdline.starts_with("sleep "));
        tokio::select! {
            ended = host.sudo(line) => panic!("{account:?}: the command ended by itself: {ended:?}"),
            () = async { tokio::task::spawn_blocking(move || wait_until("the command sleeps", LIMIT, sleeps)).await.expect("the command sleeps") } => {}
        }
    } else {
        assert_expected("cancelled", expected, host.sudo(line).await);
    }
    wait_until("all leftovers are gone", LIMIT, || processes_matching(&mark).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_account_has_its_expected_results_without_leaks_or_leftovers() -> Result {
    for (account, origin, expected) in ACCOUNTS {
        let Some(fixture) = fixture(account, origin) else { return Ok(()) };
        let host = fixture.host();
        if origin == PasswordOrigin::Ticket {
            host.run("sudo -S -v -p ''").stdin(format!("{}\n", password().expose())).await?;
        }
        let folder = tempfile::tempdir()?;
        let watch = ProcessWatcher::new();
        run_every_operation(&host, folder.path(), expected, account).await;
        if origin == PasswordOrigin::Ticket {
            host.run("sudo -K").await?;
        }
        host.close().await;
        fixture.client.close().await;
        let seen = watch.seen();
        assert!(seen.is_empty(), "{account:?}: in a process: {seen:?}");
        let events = fixture.events_as_text();
        for secret in [password().expose(), TOKEN, WRONG] {
            assert!(!events.contains(secret), "{account:?}: {events}");
        }
        assert!(!events.contains("unconfirmed_stop"), "{account:?}: {events}");
    }
    Ok(())
}
