//! Commands of every kind, and the methods to stop a command.

use std::sync::Arc;
use std::time::Duration;

use fabrs::event::CaptureSink;
use fabrs::prelude::*;
use fabrs::transport::StopLevel;
use fabrs::{ClientBuilder, Result, Spawned};
use fabrs_testing::{Sshd, marker, processes_matching, wait_until};

use crate::support::{LIMIT, capture, client_of, expect_error};

/// The kind of a command.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Single,
    Pipeline,
    /// A background child, and a leader that waits for the child.
    Background,
    OnAPty,
    UnderSudo,
    PipelineUnderSudo,
    /// All processes of the command ignore SIGTERM.
    Stubborn,
}

impl Kind {
    pub(super) fn line(self, mark: &str) -> ShellLine {
        match self {
            Self::Single | Self::OnAPty => cmd!("sleep {mark}"),
            Self::UnderSudo => cmd!("sleep {mark}; true"),
            Self::Pipeline | Self::PipelineUnderSudo => cmd!("sleep {mark} | cat | cat"),
            Self::Background => cmd!("sleep {mark} & wait"),
            Self::Stubborn => cmd!("trap '' TERM; sleep {mark}; sleep {mark}"),
        }
    }

    /// Builds the command. The command is not started yet.
    pub(super) fn command(self, host: &Connection, mark: &str) -> Command {
        let command = host.run(self.line(mark));
        match self {
            Self::OnAPty => command.pty(),
            Self::UnderSudo | Self::PipelineUnderSudo => command.sudo(),
            Self::Single | Self::Pipeline | Self::Background | Self::Stubborn => command,
        }
    }
}

/// The method by which a command is stopped.
#[derive(Debug, Clone, Copy)]
pub(super) enum StopMethod {
    Timeout,
    CtrlC,
    Drop,
}

/// A server, a client, and the events of the client.
pub(super) struct CancelFixture {
    pub(super) sshd: Sshd,
    pub(super) client: Client,
    pub(super) events: Arc<CaptureSink>,
    pub(super) mark: String,
}

impl CancelFixture {
    pub(super) fn new(max_sessions: usize) -> Self {
        Self::of(Sshd::builder().max_sessions(max_sessions).start(), |builder| builder)
    }

    pub(super) fn of(sshd: Sshd, change: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Self {
        let (events, sink) = capture();
        let client = change(client_of(&sshd, "").sink(sink)).build();
        Self { sshd, client, events, mark: marker() }
    }

    pub(super) fn host(&self) -> Connection {
        self.client.connect(self.sshd.alias()).expect("an alias is a host")
    }

    /// Returns a host of another client, without any state of the stopped run.
    pub(super) fn host_of_new_client(&self) -> Connection {
        client_of(&self.sshd, "").build().connect(self.sshd.alias()).expect("an alias is a host")
    }

    pub(super) fn wait_until_running(&self) {
        wait_until("the command runs", LIMIT, || {
            processes_matching(&self.mark).iter().any(|process| process.cmdline.starts_with("sleep "))
        });
    }

    /// Waits until no process of the server's sessions remains, and no process anywhere contains
    /// the mark.
    pub(super) fn wait_until_stopped(&self) {
        wait_until("all processes have ended", LIMIT, || {
            processes_matching(&self.mark).is_empty() && self.sshd.session_processes().is_empty()
        });
    }

    pub(super) fn assert_no_unconfirmed_stop(&self) {
        assert_eq!(self.events.of_kind("unconfirmed_stop"), Vec::<serde_json::Value>::new());
    }
}

/// Stops a running command, and checks the result of the awaiting future.
pub(super) async fn stop_command(
    method: StopMethod,
    client: &Client,
    command: Command,
    runs: impl FnOnce(),
) -> Result<()> {
    match method {
        StopMethod::Timeout => {
            let error = expect_error(command.timeout(Duration::from_millis(250)).await, ErrorKind::Timeout);
            assert!(error.to_string().ends_with("ran longer than 0.25 seconds and was ended"), "{error}");
        }
        StopMethod::CtrlC => {
            let spawned = command.spawn()?;
            runs();
            client.stop().raise(StopLevel::Stop);
            let error = expect_error(spawned.await, ErrorKind::Cancelled);
            assert!(error.to_string().ends_with("was stopped"), "{error}");
        }
        StopMethod::Drop => {
            let spawned: Spawned = command.spawn()?;
            runs();
            drop(spawned);
        }
    }
    Ok(())
}
