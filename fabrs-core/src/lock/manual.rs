//! Manual locks: held by a person, not by a run.

use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::lock_json::parse_json;
use super::request::LockRequest;

use crate::config::Operator;
use crate::connection::{Connection, Hide};
use crate::controls::escape_all_controls;
use crate::error::{Error, ErrorKind, Result};
use crate::group::{Group, Outcomes};
use crate::host::Host;
use crate::shell::{ShellLine, quote, quote_path};

/// A lock set by a person on a host. No run acquires the lock until a person removes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ManualLock {
    /// The user and the machine that set the lock.
    pub by: Operator,
    /// The time: RFC 3339, UTC, by the clock of the user's machine.
    pub since: String,
    /// The reason.
    pub reason: String,
}

impl ManualLock {
    fn new(reason: &str) -> Self {
        let since = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        Self { by: Operator::current(), since, reason: reason.to_owned() }
    }

    /// Reads the file of a manual lock. If the text is not the JSON of a lock, the text becomes the
    /// reason.
    pub fn read(text: &str) -> Self {
        parse_json(text).unwrap_or_else(|| Self {
            by: Operator::unknown(),
            since: "an unknown time".to_owned(),
            reason: escape_all_controls(text.trim()),
        })
    }
}

impl fmt::Display for ManualLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "locked by {} since {}: {}", self.by, self.since, self.reason)
    }
}

impl LockRequest {
    /// Locks the hosts until a person unlocks them. A run that already holds the lock continues.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Task`] on each host with a manual lock. Otherwise as any command.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the commands. Some hosts may be locked already.
    pub async fn lock_manually(self, reason: &str) -> Outcomes<()> {
        let json = &serde_json::to_string(&ManualLock::new(reason)).unwrap_or_default();
        let this = &self;
        let lock = |host: Connection| async move {
            let (folder, file) = this.manual_file(&host)?;
            // With `noclobber` the shell creates a file only if the file does not exist.
            let line = format!(
                "mkdir -p {folder} && cd {folder} && {{ (set -C; printf '%s\\n' {json} > {file}) 2> /dev/null || cat {file}; }}",
                json = quote(json).map_err(invalid_directory)?
            );
            let output = host.run(ShellLine::raw(line)).hide(Hide::Stdout).await?;
            let before = if output.was_run() { output.stdout()?.into_owned() } else { String::new() };
            if before.is_empty() {
                return Ok(());
            }
            let before = ManualLock::read(&before);
            Err(Error::new(ErrorKind::Task, format!("already {before}")).on(output.host()))
        };
        self.group().each(lock).await
    }

    /// Removes the manual locks of all hosts. Returns the removed lock of each host, if any.
    ///
    /// # Errors
    ///
    /// As any command.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the commands. Some locks may be removed already.
    pub async fn remove_manual_lock(self) -> Result<Vec<(Host, Option<ManualLock>)>> {
        let this = &self;
        let unlock = |host: Connection| async move {
            let (folder, file) = this.manual_file(&host)?;
            let line = format!("cd {folder} 2> /dev/null && [ -e {file} ] || exit 0; cat {file} && rm -f {file}");
            let output = host.run(ShellLine::raw(line)).hide(Hide::Stdout).await?;
            let text = if output.was_run() { output.stdout()?.into_owned() } else { String::new() };
            Ok::<_, Error>((!text.is_empty()).then(|| ManualLock::read(&text)))
        };
        self.group().each(unlock).await.all_ok()
    }

    /// Returns the directory of the lock and the file of the manual lock, as words of a shell line.
    fn manual_file(&self, host: &Connection) -> Result<(String, String)> {
        let folder = quote_path(&self.dir_on(host)?).map_err(invalid_directory)?.into_owned();
        let file = quote(&format!("{}.locked", self.name())).map_err(invalid_directory)?.into_owned();
        Ok((folder, file))
    }

    fn group(&self) -> Group {
        Group::new(self.hosts().to_vec())
    }
}

fn invalid_directory(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Usage, "the directory of the lock can't be sent").caused_by(source)
}
