//! Cells of stopped commands: by a timeout, and by Ctrl-C (the stop signal of the run).

use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use fabrs::prelude::*;
use fabrs::transport::StopLevel;
use fabrs::{Error, Output, Spawned};

use fabrs_testing::processes_matching;

use super::{Cell, LIMIT};
use crate::verdict::{Finding, Findings, text};

/// The longest timeout. The timeout doubles until the command starts in time.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(16);
/// The pause between two checks.
const PAUSE: Duration = Duration::from_millis(20);

/// A command that runs until a stop.
#[derive(Debug, Clone, Copy)]
pub(super) enum Endless {
    Pipeline,
    Stubborn,
    Sudo,
}

impl Endless {
    pub(super) const ALL: [Self; 3] = [Self::Pipeline, Self::Stubborn, Self::Sudo];

    fn name(self) -> &'static str {
        match self {
            Self::Pipeline => "a pipeline",
            Self::Stubborn => "a command that ignores TERM",
            Self::Sudo => "a command under sudo",
        }
    }
}

impl Cell<'_> {
    pub(super) async fn timeout(&self, findings: &mut Findings) {
        for kind in Endless::ALL {
            let finding = self.timed(kind).await;
            findings.add_step(kind.name(), finding, self.may_fail());
        }
    }

    /// Runs a command with a timeout of a second. The timeout doubles until the command starts in
    /// time.
    async fn timed(&self, kind: Endless) -> Finding {
        let mut limit = secs(1);
        loop {
            let (command, begun) = self.endless(kind);
            let result = command.timeout(limit).await;
            let is_timeout = result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Timeout);
            if !is_timeout || begun.exists() || limit >= LONGEST_TIMEOUT {
                return ended(result, ErrorKind::Timeout, begun.exists());
            }
            limit *= 2;
        }
    }

    pub(super) async fn ctrl_c(&self, findings: &mut Findings) {
        let mut running = Vec::new();
        for kind in Endless::ALL {
            let (command, begun) = self.endless(kind);
            match command.spawn() {
                Ok(spawned) => running.push((kind, begun, Box::pin(spawned))),
                Err(error) => findings.add(kind.name(), Finding::Wrong(text(&error))),
            }
        }
        let mut early = Vec::new();
        for (kind, begun, spawned) in &mut running {
            let mark = self.mark(*kind);
            early.push(until(spawned.as_mut(), || begun.exists() && sleeps(&mark)).await);
        }
        self.client.stop().raise(StopLevel::Stop);
        for ((kind, begun, spawned), early) in running.into_iter().zip(early) {
            let result = match early {
                Some(result) => result,
                None => spawned.await,
            };
            findings.add_step(kind.name(), ended(result, ErrorKind::Cancelled, begun.exists()), self.may_fail());
        }
    }

    /// Returns the number of seconds in the `sleep` of this command. The number is unique, and
    /// identifies the processes.
    pub(super) fn mark(&self, kind: Endless) -> String {
        format!("{}{}", self.token, kind as u8)
    }

    /// Returns a command that runs until a stop, and the file created at the start of the command.
    fn endless(&self, kind: Endless) -> (Command, PathBuf) {
        let (mark, begun) = (self.mark(kind), self.remote_path(&format!("begun by {kind:?}")));
        let command = match kind {
            Endless::Pipeline => self.host.run(cmd!("touch {begun}; sleep {mark} | cat")),
            Endless::Stubborn => {
                let script = format!("trap '' TERM; touch \"$0\"; sleep {mark}; sleep {mark}");
                self.host.run(cmd!("sh -c {script} {begun}"))
            }
            Endless::Sudo => self.host.sudo(cmd!("touch {begun}; sleep {mark} | cat")),
        };
        (command, begun)
    }
}

/// Returns `true` if a process sleeps for this number of seconds. A stop then reaches a running
/// command, and not a starting command.
pub(super) fn sleeps(mark: &str) -> bool {
    processes_matching(mark).iter().any(|process| process.cmdline.starts_with("sleep "))
}

/// Waits until a command has started. Returns the result if the command ends earlier.
async fn until(mut spawned: Pin<&mut Spawned>, has_begun: impl Fn() -> bool) -> Option<Result<Output, Error>> {
    let end = Instant::now() + LIMIT / 4;
    while !has_begun() && Instant::now() < end {
        if let Ok(result) = tokio::time::timeout(PAUSE, pin!(spawned.as_mut())).await {
            return Some(result);
        }
    }
    None
}

/// Returns the finding of a command that was stopped after its start.
fn ended(result: Result<Output, Error>, kind: ErrorKind, has_begun: bool) -> Finding {
    match result {
        Ok(output) => Finding::Wrong(format!("the command ended before the stop: {output:?}")),
        Err(error) if error.kind() == kind && has_begun => Finding::Right,
        Err(error) if error.kind() == kind => Finding::Wrong(format!("stopped before the start: {}", text(&error))),
        Err(error) if has_begun => Finding::Wrong(format!("another error after the start: {}", text(&error))),
        Err(error) => Finding::Error(text(&error)),
    }
}
