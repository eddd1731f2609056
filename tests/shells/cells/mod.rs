//! A cell: an operation on a server with a login shell, and the verdict.

mod files;
mod lines;
mod program;
mod stops;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fabrs::config::{PromptPolicy, Settings, SshConfigSource};
use fabrs::event::{CaptureSink, Sink};
use fabrs::{Client, Connection};
use fabrs_testing::marker;
use tempfile::TempDir;

use crate::leftovers::Search;
use crate::machine::Machine;
use crate::operation::Operation;
use crate::shell::Shell;
use crate::verdict::{Findings, Verdict};

/// The time limit of a cell, for defects with an endless wait.
const LIMIT: Duration = Duration::from_mins(2);

/// A value that shells expand in different ways unless the quoting suits every shell.
const HOSTILE: &str = r#"it's \ "q" $x !x"#;
/// A hostile value with a line end.
const HOSTILE_LINES: &str = "it's \\ \"q\" $x !x\n\\two `x` ~ * end\\";
/// A hostile file name.
const HOSTILE_NAME: &str = "it's \\ \"q\" $x !x\n\\two";

/// A running cell.
pub(crate) struct Cell<'a> {
    machine: &'a Machine,
    shell: Shell,
    operation: Operation,
    /// A token in the command line or environment of every process started by the cell's commands.
    token: String,
    client: Client,
    events: Arc<CaptureSink>,
    host: Connection,
    /// The cell's directory on the server.
    remote_path: PathBuf,
    /// The cell's directory on this machine.
    local_dir: TempDir,
}

impl<'a> Cell<'a> {
    pub(crate) fn new(machine: &'a Machine, shell: Shell, operation: Operation) -> Self {
        let token = marker();
        let remote_path = machine.scratch().join(&token);
        make_open(&remote_path);
        let events = Arc::new(CaptureSink::default());
        let sink: Arc<dyn Sink> = Arc::<CaptureSink>::clone(&events);
        let ssh_config = SshConfigSource::File(machine.ssh_config().to_owned());
        let settings = Settings::default().ssh_config(ssh_config).prompts(PromptPolicy::Refuse);
        let client = Client::builder().settings(settings).sink(sink).build();
        let host = client.connect("host").expect("the alias is a valid host name");
        let local_dir = tempfile::tempdir().expect("a temporary directory");
        Self { machine, shell, operation, token, client, events, host, remote_path, local_dir }
    }

    /// Runs the operation, and looks for remaining processes.
    pub(crate) async fn run(self) -> (Verdict, Vec<String>) {
        let mut findings = Findings::default();
        if tokio::time::timeout(LIMIT, self.steps(&mut findings)).await.is_err() {
            findings.note(Verdict::Wrong, Some(format!("did not end within {LIMIT:?}")));
        }
        if tokio::time::timeout(LIMIT, self.client.close()).await.is_err() {
            findings.note(Verdict::Wrong, Some(format!("the client did not close within {LIMIT:?}")));
        }
        for event in self.events.of_kind("unconfirmed_stop") {
            findings.report(format!("may still be running: {}", event["command"]));
        }
        let marks = stops::Endless::ALL.map(|kind| self.mark(kind)).to_vec();
        let reports = findings.reports().to_vec();
        let search = Search { machine: self.machine, token: &self.token, marks, reports };
        let left = search.end_leftovers();
        for (verdict, processes) in [(Verdict::Reported, left.reported), (Verdict::Left, left.unreported)] {
            let names = processes.iter().map(|process| format!("{} {}", process.pid, process.cmdline));
            let names: Vec<_> = names.collect();
            if !names.is_empty() {
                findings.note(verdict, Some(format!("left running: {}", names.join("; "))));
            }
        }
        findings.end()
    }

    async fn steps(&self, findings: &mut Findings) {
        match self.operation {
            Operation::Line => self.line(findings).await,
            Operation::CdEnv => self.cd_env(findings).await,
            Operation::CdEnvSh => self.cd_env_sh(findings).await,
            Operation::Sudo => self.sudo(findings).await,
            Operation::Put => self.put(findings).await,
            Operation::Get => self.get(findings).await,
            Operation::Sync => self.sync(findings).await,
            Operation::Edit => self.edit(findings).await,
            Operation::Timeout => self.timeout(findings).await,
            Operation::CtrlC => self.ctrl_c(findings).await,
            Operation::FabLine => self.fab_line(findings),
            Operation::FabTimeout => self.fab_timeout(findings),
            Operation::FabCtrlC => self.fab_ctrl_c(findings),
        }
    }

    /// Returns a path in the cell's directory on the server.
    fn remote_path(&self, name: &str) -> PathBuf {
        self.remote_path.join(name)
    }

    /// Returns a path in the cell's directory on the server, as text.
    fn remote_string(&self, name: &str) -> String {
        self.remote_path(name).display().to_string()
    }

    /// Makes a directory on the server, writable by all users.
    fn open_folder(&self, name: &str) -> PathBuf {
        let folder = self.remote_path(name);
        make_open(&folder);
        folder
    }

    /// Returns `true` if steps with a shell may fail.
    fn may_fail(&self) -> bool {
        self.shell.runs_nothing()
    }
}

/// Makes a directory writable by all users.
fn make_open(folder: &Path) {
    fs::create_dir(folder).expect("the test owns the directory");
    fs::set_permissions(folder, Permissions::from_mode(0o777)).expect("the test owns the directory");
}
