//! Cells of the program `fab`: a line, a timeout, Ctrl-C.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fabrs_testing::{Fab, FabOutput, Process, wait_until};

use super::Cell;
use super::stops::sleeps;
use crate::verdict::{Finding, Findings, Work, judge_status};

/// The time limit of a run.
const LIMIT: Duration = Duration::from_mins(1);
/// The timeouts in seconds. They are tried in order until the command starts in time.
const TIMEOUTS: [&str; 4] = ["1", "2", "4", "16"];

/// Returns the path of `fab`. `cargo test --workspace` builds the program beside the tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("the path of the running test");
    let program = test.ancestors().nth(2).expect("target/debug/deps/shells").join("fab");
    assert!(program.exists(), "`fab` is missing: `cargo build -p fabrs-cli --bin fab`, or run `scripts/full shells`");
    program
}

impl Cell<'_> {
    pub(super) fn fab_line(&self, findings: &mut Findings) {
        let file = self.remote_path("file");
        let ran = self.fab(&[], &format!("echo done > {}; echo out; exit 3", file.display())).run();
        let finding = judge_status(code(&ran), 3, &ran.stdout, &ran.stderr, "out\n", Work::compare(&file, "done\n"));
        findings.add_step("exit 3", finding, self.may_fail());
    }

    pub(super) fn fab_timeout(&self, findings: &mut Findings) {
        let begun = self.remote_path("begun");
        let mut last = None;
        for limit in TIMEOUTS {
            let ran = self.fab(&["-T", limit], &self.endless_line(&begun)).run();
            let is_over = begun.exists() || !ran.stderr.contains("ran longer than");
            last = Some(ran);
            if is_over {
                break;
            }
        }
        let ran = last.expect("the list of timeouts is not empty");
        self.add_ended(findings, &ran, 1, "ran longer than", &begun);
    }

    pub(super) fn fab_ctrl_c(&self, findings: &mut Findings) {
        let begun = self.remote_path("begun");
        let running = self.fab(&[], &self.endless_line(&begun)).spawn();
        let has_ended = || i32::try_from(running.pid()).ok().and_then(Process::find).is_none();
        wait_until("the line has begun, or `fab` has ended", LIMIT, || sleeps(&self.token) || has_ended());
        running.interrupt();
        let ran = running.wait();
        self.add_ended(findings, &ran, 130, "was stopped", &begun);
    }

    /// Returns a line that runs until a stop.
    fn endless_line(&self, begun: &Path) -> String {
        format!("touch {}; sleep {} | cat", begun.display(), self.token)
    }

    fn fab(&self, options: &[&str], line: &str) -> Fab {
        let fab = Fab::new(program()).limit(LIMIT).any_code().arg("-S").arg(self.machine.ssh_config());
        fab.args(["-H", "host"]).args(options.iter().copied()).args(["--", line])
    }

    /// Adds the finding of a run that was stopped after the start of its line.
    fn add_ended(&self, findings: &mut Findings, ran: &FabOutput, status: i32, words: &str, begun: &Path) {
        let has_begun = begun.exists();
        // nologin prints the refusal to stdout.
        let message = format!("{}{}", ran.stdout, ran.stderr);
        let described = format!("exit code {}: {}", ran.code, message.trim());
        let finding = if has_begun && ran.code == status && ran.stderr.contains(words) {
            Finding::Right
        } else if has_begun || ran.code == 0 || message.trim().is_empty() {
            Finding::Wrong(described.clone())
        } else {
            Finding::Error(described.clone())
        };
        findings.add_step("the line", finding, self.may_fail());
        if ran.stderr.contains("may still be running") {
            findings.report(described);
        }
    }
}

fn code(ran: &FabOutput) -> u32 {
    u32::try_from(ran.code).unwrap_or(u32::MAX)
}
