//! What the topics share: clients that know a server, and the ways to one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fabrs::config::{Inventory, PromptPolicy, Settings, SshConfigSource, parse_host_args};
use fabrs::event::{CaptureSink, Sink};
use fabrs::transport::Fake;
use fabrs::{Call, Client, ClientBuilder, Connection, Error, ErrorKind, Executor, Outcomes, Plan, Report, Result};
use fabrs_testing::Sshd;
use fabrs_testing::faults::Proxy;

/// How long something may take that a broken test would wait for in vain.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Writes a file for `ssh -F` that reaches the server under its aliases; `first` stands before the harness's lines, and
/// so wins over them.
pub(crate) fn ssh_config(sshd: &Sshd, first: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let harness = std::fs::read_to_string(sshd.ssh_config()).expect("the harness wrote it");
    let path = sshd.dir().join(format!("ssh_config_{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    std::fs::write(&path, format!("{first}\n{harness}")).expect("the directory is ours");
    path
}

/// Returns the settings of a run that knows only this config and asks nobody.
pub(crate) fn settings(ssh_config: &Path) -> Settings {
    Settings::default().ssh_config(SshConfigSource::File(ssh_config.to_owned())).prompts(PromptPolicy::Refuse)
}

/// Returns a client that reaches the server under its aliases; `first` as for [`ssh_config`].
pub(crate) fn client_of(sshd: &Sshd, first: &str) -> ClientBuilder {
    Client::builder().settings(settings(&ssh_config(sshd, first)))
}

/// Returns a connection to the server's first alias, not opened yet.
pub(crate) fn connect(sshd: &Sshd) -> Connection {
    client_of(sshd, "").build().connect(sshd.alias()).expect("an alias is a host")
}

/// Lines that lead to the server through a proxy.
pub(crate) fn through(proxy: &Proxy, sshd: &Sshd) -> String {
    format!("Host *\n    Port {}\n    HostKeyAlias [127.0.0.1]:{}\n", proxy.port(), sshd.port())
}

/// Lines that make a server known under a name of its own, so that it can be a gateway.
///
/// It must let in the key of the server whose config these lines are put before.
pub(crate) fn also_known(name: &str, sshd: &Sshd) -> String {
    format!(
        "Host {name}\n    HostName 127.0.0.1\n    Port {}\n    UserKnownHostsFile {}\n",
        sshd.port(),
        sshd.known_hosts().display()
    )
}

/// A sink that keeps all, and the same as a client takes it.
pub(crate) fn capture() -> (Arc<CaptureSink>, Arc<dyn Sink>) {
    let capture = Arc::new(CaptureSink::default());
    (Arc::clone(&capture), capture)
}

/// Returns the error that was expected, after checking its kind.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind) -> Error {
    let error = match result {
        Ok(value) => panic!("{kind:?} was expected, and it went well: {value:?}"),
        Err(error) => error,
    };
    assert_eq!(error.kind(), kind, "{error:?}");
    error
}

/// Returns the error as a person is shown it.
pub(crate) fn block(error: &Error) -> String {
    error.block().to_string()
}

/// Returns a client of scripted hosts whose tasks run on `hosts`, as if they were typed.
pub(crate) fn scripted(fake: &Fake, hosts: &str) -> ClientBuilder {
    let typed = parse_host_args(&[hosts]).expect("these are hosts");
    Client::builder().dial(fake.clone()).inventory(Inventory::default().with_hosts(typed))
}

/// Runs calls one after the other, and returns what came of them.
pub(crate) async fn carry_out(client: &Client, calls: impl IntoIterator<Item = Call>) -> Report {
    let plan = Plan::new(calls.into_iter().collect(), client).expect("this can be planned");
    soon(Executor::new(client.clone()).run(&plan)).await
}

/// Awaits what has to happen.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(LIMIT, future).await.expect("waited in vain")
}

/// Returns what came of each host, as `web1: ok`.
pub(crate) fn words<T>(outcomes: &Outcomes<T>) -> Vec<String> {
    outcomes.iter().map(|(host, outcome)| format!("{}: {}", host.label(), outcome.word().as_str())).collect()
}

/// Returns one text of each event of a kind, in order.
pub(crate) fn told(capture: &CaptureSink, kind: &str, field: &str) -> Vec<String> {
    capture.of_kind(kind).iter().map(|event| event[field].as_str().unwrap_or_default().to_owned()).collect()
}
