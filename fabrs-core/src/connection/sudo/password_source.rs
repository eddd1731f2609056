//! Sources of the sudo password: a variable, a file or a command.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::config::{PasswordSource, ProcessEnv, ProcessGroupGuard};
use crate::error::{CauseText, Error, ErrorKind, Result};
use crate::event::Event;
use crate::host::Host;
use crate::output::last_lines;
use crate::secret::Secret;
use crate::shell::quote;
use crate::state::RunState;
use crate::transport::StopLevel;

/// The time limit of a password command. The command may prompt.
const COMMAND_TIMEOUT: Duration = Duration::from_mins(2);

/// The maximum number of bytes to read from a file or command.
const MAX_SOURCE_LEN: u64 = 64 << 10;

/// Returns the password given to the run, if any. The password is redacted in output.
pub(super) async fn run_password(run: &RunState) -> Result<Option<Secret>> {
    let password = unless_stopped(run, read_run_source(run)).await?;
    if let Some(password) = &password {
        run.add_secret(password);
    }
    Ok(password)
}

/// Returns the password of this host from its command in `fabrs.toml`, unless the run has a
/// password.
pub(super) async fn host_password(run: &RunState, host: &Host) -> Result<Option<Secret>> {
    let is_given = run.sudo_password().is_some() || run.settings().sudo_password != PasswordSource::Prompt;
    let Some(line) = run.inventory().sudo_password_command_for(host).filter(|_| !is_given) else { return Ok(None) };
    if !run.allows_local_programs() {
        let error =
            Error::new(ErrorKind::Config, format!("this program is not allowed to run `{line}` for the sudo password"));
        return Err(error.on(host).hint("call `ClientBuilder::allow_local_programs`"));
    }
    let name = host.label().to_string();
    let quoted = quote(&name)
        .map_err(|source| Error::new(ErrorKind::Config, "the host name contains a NUL byte").caused_by(source))?;
    let line = line.replace("{host}", &quoted);
    let password = unless_stopped(run, from_command(run, &line)).await.map_err(|error| error.or_on(Some(host)))?;
    run.add_secret(&password);
    Ok(Some(password))
}

/// Waits for a password until the run is stopped. A program may wait for a person, and a pipe for a
/// writer.
async fn unless_stopped<T>(run: &RunState, password: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        biased;
        _ = run.stop().wait_above(StopLevel::None) => {
            Err(Error::new(ErrorKind::Cancelled, "the run was stopped before the sudo password was read"))
        }
        password = password => password,
    }
}

async fn read_run_source(run: &RunState) -> Result<Option<Secret>> {
    if let Some(password) = run.sudo_password() {
        return Ok(Some(password.clone()));
    }
    match &run.settings().sudo_password {
        PasswordSource::Prompt => Ok(None),
        PasswordSource::Variable(name) => Ok(ProcessEnv::get(name).map(Secret::new)),
        PasswordSource::File(path) => from_file(run, path).await.map(Some),
        PasswordSource::Command(line) => from_command(run, line).await.map(Some),
    }
}

async fn from_file(run: &RunState, path: &Path) -> Result<Secret> {
    let shown = path.display().to_string();
    let read = async {
        let file = tokio::fs::File::open(path).await?;
        let mode = file.metadata().await?.permissions().mode();
        io::Result::Ok((mode, read_limited(file).await?))
    };
    let (mode, text) = read.await.map_err(|source| {
        let text = format!("could not read the sudo password file `{shown}`");
        Error::new(ErrorKind::Usage, text).caused_by(source)
    })?;
    if mode & 0o077 != 0 {
        let text = format!("other users can read the sudo password in `{shown}`: run `chmod 600` on the file");
        run.sink().event(&Event::Warning { host: None, text: &text });
    }
    first_line(&text, &shown)
}

async fn from_command(run: &RunState, line: &str) -> Result<Secret> {
    let mut command = tokio::process::Command::new("sh");
    command
        .arg("-c")
        .arg(line)
        .env_remove(ProcessEnv::SUDO_PASSWORD)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // A command in a separate process group could not prompt at the terminal. Without a terminal,
    // Ctrl-C must not reach it.
    let has_own_group = !run.prompter().is_available();
    if has_own_group {
        command.process_group(0);
    }
    let failed = || Error::new(ErrorKind::Local, format!("`{line}` failed to print the sudo password"));
    let run = async {
        let mut child = command.spawn()?;
        let _group = has_own_group.then(|| ProcessGroupGuard::of(&child));
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        tokio::try_join!(read_pipe(stdout), read_pipe(stderr), child.wait())
    };
    let (printed, message, status) = match tokio::time::timeout(COMMAND_TIMEOUT, run).await {
        Ok(ended) => ended.map_err(|source| failed().caused_by(source))?,
        Err(_) => return Err(failed().caused_by(CauseText("timed out after two minutes".to_owned()))),
    };
    if !status.success() {
        let message = last_lines(message.as_bytes(), 1);
        let message = if message.is_empty() { String::new() } else { format!(": {message}") };
        return Err(failed().caused_by(CauseText(format!("ended with {status}{message}"))));
    }
    first_line(&printed, line)
}

async fn read_pipe(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<String> {
    match pipe {
        Some(pipe) => read_limited(pipe).await,
        None => Ok(String::new()),
    }
}

/// Reads up to [`MAX_SOURCE_LEN`] bytes.
async fn read_limited(from: impl AsyncRead + Unpin) -> io::Result<String> {
    let mut bytes = Vec::new();
    from.take(MAX_SOURCE_LEN).read_to_end(&mut bytes).await?;
    String::from_utf8(bytes).map_err(|source| io::Error::new(io::ErrorKind::InvalidData, source.utf8_error()))
}

fn first_line(text: &str, from: &str) -> Result<Secret> {
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(Secret::new(line.to_owned())),
        None => Err(Error::new(ErrorKind::Usage, format!("no sudo password in `{from}`"))),
    }
}
