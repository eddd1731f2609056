//! Runs `vagrant ssh-config` with a timeout, and stops all its processes at the end.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::error::{Error, ErrorKind, Result};

use crate::config::process_env::ProcessEnv;
use crate::config::process_group::ProcessGroupGuard;
use crate::config::vagrant::messages::{COMMAND, quoted_path};
use crate::config::vagrant::vagrant_error::vagrant_error;
use crate::config::vagrant::vagrantfile;
use crate::config::vagrant::vagrantfile::{Vagrantfile, VagrantfileVars};

/// The timeout of Vagrant. Vagrant queries the provider for each machine, and each query takes some
/// seconds on a busy machine.
const TIMEOUT: Duration = Duration::from_mins(1);
/// The maximum length of Vagrant's output. A machine needs some hundred bytes.
const MAX_OUTPUT_BYTES: u64 = 1 << 20;

/// A check of the Vagrantfile before Vagrant runs the file. Receives the path of the file.
pub(crate) type Check = Arc<dyn Fn(&Path) -> Result<()> + Send + Sync>;

/// A call of `vagrant ssh-config`.
pub(super) struct SshConfigCommand {
    program: OsString,
    folder: PathBuf,
    machines: Vec<String>,
    chosen: VagrantfileVars,
    check: Check,
    limit: Duration,
}

impl std::fmt::Debug for SshConfigCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut command = f.debug_struct("SshConfigCommand");
        command.field("program", &self.program).field("folder", &self.folder).field("machines", &self.machines);
        command.finish_non_exhaustive()
    }
}

impl SshConfigCommand {
    /// Makes a call of a script in place of Vagrant.
    #[cfg(test)]
    pub(super) fn script(folder: &Path, script: &str) -> Self {
        use std::os::unix::fs::PermissionsExt as _;

        let program = folder.join("vagrant");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::write(folder.join("Vagrantfile"), "").unwrap();
        let command = Self::new(folder.to_owned(), vec!["web".to_owned()], Arc::new(|_| Ok(())));
        Self { program: program.into(), chosen: VagrantfileVars::default(), ..command }
    }

    pub(super) fn new(folder: PathBuf, machines: Vec<String>, check: Check) -> Self {
        let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
        Self { program: "vagrant".into(), folder, machines, chosen: VagrantfileVars::from_env(), check, limit: TIMEOUT }
    }

    /// Runs the command to its end and returns its stdout.
    pub(super) async fn output(&self) -> Result<String> {
        match tokio::time::timeout(self.limit, self.run()).await {
            Ok(output) => output,
            Err(_) => {
                let text = format!("`{COMMAND}` timed out after {} s", self.limit.as_secs_f32());
                Err(Error::new(ErrorKind::Local, text).hint(format!("run `{COMMAND}` in {}", self.quoted_folder())))
            }
        }
    }

    async fn run(&self) -> Result<String> {
        let Vagrantfile { folder, file } = vagrantfile::find(&self.folder, &self.chosen)?;
        (self.check)(&file)?;
        let mut command = Command::new(&self.program);
        command.arg("ssh-config").args(&self.machines).current_dir(&folder).process_group(0).kill_on_drop(true);
        // `VAGRANT_CWD` makes Vagrant search in the directory of the checked Vagrantfile first.
        command.env(VagrantfileVars::FOLDER, folder);
        command
            .env_remove(ProcessEnv::SUDO_PASSWORD)
            // Vagrant must not wait for the network or write control sequences.
            .env("VAGRANT_CHECKPOINT_DISABLE", "1")
            .env("VAGRANT_NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|source| self.not_started(source))?;
        let group = ProcessGroupGuard::of(&child);
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let unreadable = |source| {
            Error::new(ErrorKind::Local, format!("could not read the output of `{COMMAND}`")).caused_by(source)
        };
        let (stdout, stderr) = tokio::try_join!(read(stdout), read(stderr)).map_err(unreadable)?;
        let status = child.wait().await.map_err(unreadable)?;
        drop(group);
        if status.success() {
            Ok(stdout)
        } else {
            Err(vagrant_error(status, &stdout, &stderr, &self.machines, &self.folder))
        }
    }

    fn not_started(&self, source: io::Error) -> Error {
        // A missing directory gives the same error as a missing program.
        if source.kind() == io::ErrorKind::NotFound && self.folder.is_dir() {
            let error = Error::new(ErrorKind::Local, format!("`vagrant` is not installed: could not run `{COMMAND}`"));
            return error.hint("install Vagrant, or select hosts with `-H HOST`, without an environment");
        }
        Error::new(ErrorKind::Local, format!("could not run `{COMMAND}` in {}", self.quoted_folder())).caused_by(source)
    }

    fn quoted_folder(&self) -> String {
        quoted_path(&self.folder)
    }
}

/// Reads a stream to its end, up to the maximum length.
async fn read(stream: Option<impl AsyncRead + Unpin>) -> io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        stream.take(MAX_OUTPUT_BYTES + 1).read_to_end(&mut bytes).await?;
    }
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_OUTPUT_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the output is larger than 1 MiB"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustix::process::Pid;

    use super::*;

    #[tokio::test]
    async fn vagrant_runs_in_the_project_directory_without_stdin() {
        let folder = tempfile::tempdir().unwrap();
        let script = "echo \"$@ $VAGRANT_CHECKPOINT_DISABLE\"; pwd -P; cat; echo said >&2";
        let expected = format!("ssh-config web 1\n{}\n", folder.path().canonicalize().unwrap().display());
        assert_eq!(SshConfigCommand::script(folder.path(), script).output().await.unwrap(), expected);
    }

    #[tokio::test]
    async fn a_hanging_vagrant_is_killed_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let script = "sleep 1000 & echo $! > started; wait";
        let hanging =
            SshConfigCommand { limit: Duration::from_millis(300), ..SshConfigCommand::script(folder.path(), script) };
        let error = hanging.output().await.unwrap_err();
        assert_eq!(
            error.block().to_string(),
            format!(
                "error: `vagrant ssh-config` timed out after 0.3 s\nhint: run `vagrant ssh-config` in `{}`",
                folder.path().display()
            )
        );
        let started = fs::read_to_string(folder.path().join("started")).unwrap();
        let started = Pid::from_raw(started.trim().parse().unwrap()).unwrap();
        // The `/proc` entry disappears once the parent has reaped the process. After the kill, the
        // parent may be another process.
        while is_alive(started) {
            tokio::task::yield_now().await;
        }
    }

    /// Returns whether a process runs. A zombie does not.
    fn is_alive(process: Pid) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.trim().starts_with(['Z', 'X']))
    }

    #[tokio::test]
    async fn the_output_of_vagrant_has_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let error = SshConfigCommand::script(folder.path(), "yes Host").output().await.unwrap_err();
        assert_eq!(
            error.block().to_string(),
            "error: could not read the output of `vagrant ssh-config`\n  caused by: the output is larger than 1 MiB"
        );
    }

    #[tokio::test]
    async fn a_missing_vagrant_has_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        let missing = SshConfigCommand {
            program: folder.path().join("none").into(),
            ..SshConfigCommand::script(folder.path(), "true")
        };
        let error = missing.output().await.unwrap_err();
        assert_eq!(error.exit_code().code(), 1);
        assert_eq!(
            error.block().to_string(),
            "error: `vagrant` is not installed: could not run `vagrant ssh-config`\n\
             hint: install Vagrant, or select hosts with `-H HOST`, without an environment"
        );
    }
}
