//! Shared helpers: clients, ssh configs, captured events and expected errors.

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

/// The time limit for an expected event. Only a broken test reaches the limit.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Writes a file for `ssh -F` that resolves the server's aliases. The lines in `first` precede the
/// lines of the harness, and so take precedence.
pub(crate) fn ssh_config(sshd: &Sshd, first: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let harness = std::fs::read_to_string(sshd.ssh_config()).expect("the harness wrote the config");
    let path = sshd.dir().join(format!("ssh_config_{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    std::fs::write(&path, format!("{first}\n{harness}")).expect("the directory is ours");
    path
}

/// Returns settings with only this config, and without prompts.
pub(crate) fn settings(ssh_config: &Path) -> Settings {
    Settings::default().ssh_config(SshConfigSource::File(ssh_config.to_owned())).prompts(PromptPolicy::Refuse)
}

/// Returns a client that resolves the server's aliases. `first` is as for [`ssh_config`].
pub(crate) fn client_of(sshd: &Sshd, first: &str) -> ClientBuilder {
    Client::builder().settings(settings(&ssh_config(sshd, first)))
}

/// Returns a connection to the server's first alias. The connection opens on first use.
pub(crate) fn connect(sshd: &Sshd) -> Connection {
    client_of(sshd, "").build().connect(sshd.alias()).expect("an alias is a host")
}

/// Returns the config lines of a connection through a proxy.
pub(crate) fn proxy_config(proxy: &Proxy, sshd: &Sshd) -> String {
    format!("Host *\n    Port {}\n    HostKeyAlias [127.0.0.1]:{}\n", proxy.port(), sshd.port())
}

/// Returns config lines that give a server an alias, to use the server as a gateway.
///
/// The server must accept the key of the server whose config follows these lines.
pub(crate) fn gateway_config(name: &str, sshd: &Sshd) -> String {
    format!(
        "Host {name}\n    HostName 127.0.0.1\n    Port {}\n    UserKnownHostsFile {}\n",
        sshd.port(),
        sshd.known_hosts().display()
    )
}

/// Returns a capturing sink, and the same sink as a trait object.
pub(crate) fn capture() -> (Arc<CaptureSink>, Arc<dyn Sink>) {
    let capture = Arc::new(CaptureSink::default());
    (Arc::clone(&capture), capture)
}

/// Returns the expected error, after a check of the kind.
#[track_caller]
pub(crate) fn expect_error<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind) -> Error {
    let error = match result {
        Ok(value) => panic!("expected an error of kind {kind:?}, got {value:?}"),
        Err(error) => error,
    };
    assert_eq!(error.kind(), kind, "{error:?}");
    error
}

/// Returns an error as users see it.
pub(crate) fn error_text(error: &Error) -> String {
    error.block().to_string()
}

/// Returns a client of scripted hosts. Tasks run on `hosts`, as with `-H`.
pub(crate) fn fake_client(fake: &Fake, hosts: &str) -> ClientBuilder {
    let typed = parse_host_args(&[hosts]).expect("the host names are valid");
    Client::builder().dial(fake.clone()).inventory(Inventory::default().with_hosts(typed))
}

/// Runs calls in sequence. Returns the report.
pub(crate) async fn execute(client: &Client, calls: impl IntoIterator<Item = Call>) -> Report {
    let plan = Plan::new(calls.into_iter().collect(), client).expect("the plan is valid");
    within_limit(Executor::new(client.clone()).run(&plan)).await
}

/// Awaits a future within the time limit.
pub(crate) async fn within_limit<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(LIMIT, future).await.expect("the future exceeded the time limit")
}

/// Returns the outcome of each host, as `web1: ok`.
pub(crate) fn outcome_lines<T>(outcomes: &Outcomes<T>) -> Vec<String> {
    outcomes.iter().map(|(host, outcome)| format!("{}: {}", host.label(), outcome.kind().as_str())).collect()
}

/// Returns a text field of each event of a kind, in order.
pub(crate) fn event_texts(capture: &CaptureSink, kind: &str, field: &str) -> Vec<String> {
    capture.of_kind(kind).iter().map(|event| event[field].as_str().unwrap_or_default().to_owned()).collect()
}
