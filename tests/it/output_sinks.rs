//! Output of a run on several hosts, from the bytes of the hosts to stdout and stderr of this
//! process.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use fabrs::config::{Mode, OnFailure, Settings};
use fabrs::event::{
    BroadcastSink, CaptureSink, JsonSink, OutputQueue, PassthroughSink, PlainSink, Prefix, Sink, Stream, Style,
};
use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer};
use fabrs_testing::Sshd;
use serde_json::Value;

use crate::support::{client_of, execute, fake_client, within_limit};

/// The number of lines printed by each host.
const LINES: usize = 400;

/// A captured output stream of this process.
#[derive(Clone, Default)]
struct SharedBuffer(Arc<Mutex<Vec<u8>>>);

impl SharedBuffer {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        String::from_utf8(bytes).expect("the output is valid UTF-8")
    }
}

impl Write for SharedBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A terminal may accept only a part of the bytes.
        let taken = bytes.len().min(1000);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A sink with the captured output.
struct SinkOutput {
    sink: Arc<dyn Sink>,
    stdout: SharedBuffer,
    stderr: SharedBuffer,
}

impl SinkOutput {
    fn of<S: Sink + 'static>(make: impl FnOnce(Arc<OutputQueue>) -> S) -> Self {
        let (stdout, stderr) = (SharedBuffer::default(), SharedBuffer::default());
        let sink = Arc::new(make(Arc::new(OutputQueue::new(stdout.clone(), stderr.clone(), || {}))));
        Self { sink, stdout, stderr }
    }

    fn plain() -> Self {
        Self::of(|queue| PlainSink::new(queue, Prefix::Host, Style::Plain))
    }

    /// Waits for all output. Returns the text on stdout and on stderr.
    fn texts(&self) -> (String, String) {
        self.sink.finish();
        (self.stdout.text(), self.stderr.text())
    }
}

/// Returns the numbers of the lines printed by a host, in order.
#[track_caller]
fn numbers(shown: &str, host: &str) -> Vec<usize> {
    let start = format!("[{host}] {host} prints €uro line ");
    shown.lines().filter_map(|line| line.strip_prefix(&start)).map(|n| n.parse().expect("a whole line")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_of_many_hosts_stay_intact_with_a_host_prefix() -> Result {
    let names = ["web1", "web2", "web3", "web4"];
    let sshd = Sshd::builder().aliases(names).start();
    let output = SinkOutput::plain();
    let client = client_of(&sshd, "").sink(Arc::clone(&output.sink)).build();
    let probe = sshd.probe();
    let group = Group::of(&client, names)?;
    let print = group.each(|host| {
        let name = host.host().map(Host::name).unwrap_or_default().to_owned();
        let text = (0..LINES).fold(String::new(), |mut text, n| {
            let _infallible = writeln!(text, "{name} prints €uro line {n}");
            text
        });
        // The probe writes pieces of 1 to 7 bytes to both streams at once.
        host.run(cmd!("{probe} chunks {text} & {probe} chunks {text} >&2; wait"))
    });
    within_limit(print).await.all_ok()?;
    client.close().await;
    let (stdout, stderr) = output.texts();
    for shown in [stdout, stderr] {
        assert_eq!(shown.lines().count(), names.len() * LINES);
        for name in names {
            assert!(numbers(&shown, name).into_iter().eq(0..LINES), "{name}");
        }
    }
    Ok(())
}

/// Prints on two hosts, and fails on the second.
#[task]
async fn prints() -> Result {
    run("print").await?;
    Ok(())
}

#[task]
async fn computes_once() -> Result {
    once("tag", probe("newest").line()).await?;
    Ok(())
}

fn hosts() -> Fake {
    let both = FakeAnswer::code(0).then(Stream::Stdout, "o").then(Stream::Stderr, "err\n").then(Stream::Stdout, "ut\n");
    Fake::new().on("print", both.clone()).on("web2: print", both.with_status(ExitStatus::Code(3)))
}

fn serial_settings() -> Settings {
    Settings::default().on_failure(OnFailure::Continue).limit(Some(std::num::NonZeroUsize::MIN))
}

#[tokio::test]
async fn only_stdout_of_hosts_is_printed_to_stdout() {
    let output = SinkOutput::plain();
    let client = fake_client(&hosts(), "web1,web2").settings(serial_settings()).sink(Arc::clone(&output.sink)).build();
    assert!(!execute(&client, [prints::call()]).await.is_ok());
    let (stdout, stderr) = output.texts();
    assert_eq!(stdout, "[web1] out\n[web2] out\n");
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(lines[..2], ["[web1] task prints", "[web1] err"]);
    assert!(lines[2].starts_with("[web1] task prints: ok in "), "{stderr}");
    assert_eq!(lines[3..6], ["[web2] task prints", "[web2] err", "error: web2: `print` ended with exit status 3"]);
    assert!(lines[6].starts_with("  at tests/it/output_sinks.rs:"), "{stderr}");
    assert_eq!(lines.len(), 7, "what was shown already is not shown again: {stderr}");
}

#[tokio::test]
async fn an_error_shared_by_all_hosts_is_shown_once() {
    let output = SinkOutput::plain();
    let fake = Fake::new().on("newest", FakeAnswer::code(2));
    let settings = Settings::default().on_failure(OnFailure::Continue);
    let client = fake_client(&fake, "web1,web2,web3").settings(settings).sink(Arc::clone(&output.sink)).build();
    assert!(!execute(&client, [computes_once::call()]).await.is_ok());
    let (_, stderr) = output.texts();
    assert_eq!(stderr.matches("error: web1: `newest` ended with exit status 2").count(), 1, "{stderr}");
    assert_eq!(stderr.matches("error:").count(), 1, "{stderr}");
}

#[tokio::test]
async fn the_json_sink_prints_one_event_per_line() {
    let output = SinkOutput::of(|queue| JsonSink::new(queue, Style::Plain));
    let capture = Arc::new(CaptureSink::default());
    let both: Arc<dyn Sink> = Arc::new(BroadcastSink::new(vec![Arc::clone(&output.sink), capture.clone()]));
    let client = fake_client(&hosts(), "web1,web2").settings(serial_settings()).sink(both).build();
    assert!(!execute(&client, [prints::call()]).await.is_ok());
    let (stdout, stderr) = output.texts();
    let names = |events: Vec<Value>| events.iter().map(|event| event["event"].clone()).collect::<Vec<_>>();
    let printed: Vec<Value> =
        stdout.lines().map(|line| serde_json::from_str(line).expect("the line is JSON")).collect();
    assert_eq!(names(printed), names(capture.events()));
    assert!(stderr.starts_with("error: web2: `print` ended with exit status 3\n"), "{stderr}");
}

#[tokio::test]
async fn passthrough_prints_the_bytes_of_one_host_unchanged() {
    let bytes: Vec<u8> = (0..=255).collect();
    let answer = bytes.chunks(3).fold(FakeAnswer::code(0), |all, piece| all.then(Stream::Stdout, piece.to_vec()));
    let output = SinkOutput::of(|queue| PassthroughSink::new(queue, Style::Plain));
    let client = fake_client(&Fake::new().on("print", answer), "web1").sink(Arc::clone(&output.sink)).build();
    assert!(execute(&client, [prints::call()]).await.is_ok());
    output.sink.finish();
    assert!(*output.stdout.0.lock().unwrap_or_else(PoisonError::into_inner) == bytes);
    assert_eq!(output.stderr.text(), "");
}

#[tokio::test]
async fn echo_shows_a_command_once_in_a_run_and_in_a_plan() {
    let line = "cd /srv && { shown; again; }";
    let fake = Fake::new().on("quiet", FakeAnswer::code(0)).on(line, FakeAnswer::code(0));
    for (mode, expected) in [
        (Mode::Run, format!("[web1] $ {line}\n")),
        (Mode::DryRun, format!("[web1] would run: quiet\n[web1] would run: {line}\n")),
    ] {
        let output = SinkOutput::plain();
        let settings = Settings::default().mode(mode);
        let client = fake_client(&fake, "web1").settings(settings).sink(Arc::clone(&output.sink)).build();
        let host = client.connect("web1").expect("the host name is valid");
        host.run("quiet").await.expect("the command is scripted");
        host.cd("/srv").run("shown; again").echo().await.expect("the command is scripted");
        output.sink.finish();
        assert_eq!(output.texts().1, expected);
    }
}
