//! Hosts on the transports of the contract.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use fabrs::event::{CaptureSink, Stream};
use fabrs::transport::{Fake, FakeAnswer};
use fabrs::{Client, Connection, ExitStatus, Signal};
use fabrs_testing::{Sshd, probe};
use tempfile::TempDir;

use super::promises::{EURO, EUROS, LINES};
use crate::support::{capture, client_of, gateway_config};

/// A host with the resources of the promises.
pub(super) struct TransportFixture {
    pub(super) host: Connection,
    /// The events of the host's client.
    pub(super) events: Arc<CaptureSink>,
    /// The path of the probe program on the host.
    pub(super) probe: String,
    /// A directory that is writable for the host and for this test.
    pub(super) scratch: PathBuf,
    _servers: Vec<Sshd>,
    _dir: Option<TempDir>,
}

/// Returns a real server.
pub(super) fn sshd() -> TransportFixture {
    server_fixture(Sshd::start(), "", Vec::new())
}

/// Returns a real server behind a gateway.
pub(super) fn behind_a_gateway() -> TransportFixture {
    let server = Sshd::start();
    let gateway = Sshd::builder().authorize(server.identity_key()).start();
    let config = gateway_config("jump", &gateway) + "Host host\n    ProxyJump jump\n";
    server_fixture(server, &config, vec![gateway])
}

/// Returns this machine.
pub(super) fn local() -> TransportFixture {
    let (events, sink) = capture();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let client = Client::builder().sink(sink).build();
    TransportFixture {
        host: client.local().expect("this machine is always available"),
        events,
        probe: probe::path().display().to_string(),
        scratch: dir.path().to_owned(),
        _servers: Vec::new(),
        _dir: Some(dir),
    }
}

fn server_fixture(server: Sshd, config: &str, mut others: Vec<Sshd>) -> TransportFixture {
    let (events, sink) = capture();
    let client = client_of(&server, config).sink(sink).build();
    let host = client.connect(server.alias()).expect("an alias is a host");
    let (probe, scratch) = (server.probe().display().to_string(), server.scratch());
    others.push(server);
    TransportFixture { host, events, probe, scratch, _servers: others, _dir: None }
}

/// Returns a scripted host. Its answers were recorded from a real host.
pub(super) fn fake() -> TransportFixture {
    let exit = |code| FakeAnswer::code(code);
    let lines = (1..=LINES).fold(String::new(), |mut text, n| {
        let _infallible = writeln!(text, "line {n}");
        text
    });
    let all_lines = || lines.as_bytes().chunks(32_000).fold(exit(0), |a, piece| a.then(Stream::Stdout, piece.to_vec()));
    let euros = EURO.repeat(EUROS);
    let mut torn = exit(0);
    let mut rest = euros.as_bytes();
    for size in (1..=7).cycle() {
        let (piece, after) = rest.split_at(size.min(rest.len()));
        torn = torn.then(Stream::Stdout, piece.to_vec());
        rest = after;
        if rest.is_empty() {
            break;
        }
    }

    let script = Fake::new()
        .on("printf out; printf err >&2", exit(0).then(Stream::Stdout, "out").then(Stream::Stderr, "err"))
        .on("echo before; echo why >&2; exit 17", {
            exit(17).then(Stream::Stdout, "before\n").then(Stream::Stderr, "why\n")
        })
        .on("exit 17", exit(17))
        .on("exit 127", exit(127))
        .on("exit 255", exit(255))
        .on("kill -KILL $$", exit(0).with_status(ExitStatus::Signal(Signal::new("KILL"))))
        .on("echo before; sleep 60", FakeAnswer::hang().then(Stream::Stdout, "before\n"))
        .on(&format!("/probe lines {LINES}"), all_lines())
        .on("printf 'one\\ntwo\\nthree'", FakeAnswer::stdout("one\ntwo\nthree"))
        .on("true", exit(0))
        .on("echo '{\"up\": [1, 2]}'", FakeAnswer::stdout("{\"up\": [1, 2]}\n"))
        .on(&format!("/probe chunks {euros}"), torn)
        .on("echo out; echo err >&2", exit(0).then(Stream::Stdout, "out\n").then(Stream::Stderr, "err\n"));
    let (events, sink) = capture();
    let client = Client::builder().dial(script).sink(sink).build();
    TransportFixture {
        host: client.connect("web1").expect("the host name is valid"),
        events,
        probe: "/probe".to_owned(),
        scratch: PathBuf::new(),
        _servers: Vec::new(),
        _dir: None,
    }
}
