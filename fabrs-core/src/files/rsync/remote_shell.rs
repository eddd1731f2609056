//! [`RemoteShell`]: a script in place of `ssh`. The script passes its streams on through named
//! pipes.

use std::fs;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe::{OpenOptions, Receiver, Sender};

use crate::error::{Error, ErrorKind, Result};
use crate::transfer::temporary;

/// Writes the words of the remote command, each followed by a NUL byte, and an empty word at the
/// end. The script then passes on stdin and stdout until the remote side ends. The other ends of
/// the pipes are open before the script runs. Otherwise the script would block when it opens them.
const SCRIPT: &str = "\
d=${0%/*}; shift
exec 3<\"$d/in\" 4>\"$d/out\" 5<&0
printf '%s\\0' \"$@\" '' >\"$d/line\"
cat <&5 >&4 3<&- &
exec 4>&- 5<&-
cat <&3
kill $! 2>/dev/null
";

/// A temporary directory with the pipes and the script.
#[derive(Debug)]
pub(super) struct RemoteShell(TempDir);

/// The ends of the pipes on the side of fabrs.
#[derive(Debug)]
pub(super) struct PipeEnds {
    /// The remote command.
    pub(super) command: RemoteCommand,
    /// The output of the local `rsync`, until the local `rsync` exits.
    pub(super) from_rsync: Receiver,
    /// The input of the local `rsync`.
    pub(super) to_rsync: Sender,
}

/// The pipe with the remote command.
#[derive(Debug)]
pub(super) struct RemoteCommand(BufReader<Receiver>);

impl RemoteShell {
    /// Creates the pipes and the script. This blocks.
    pub(super) fn new() -> Result<(Self, PipeEnds)> {
        let directory = tempfile::Builder::new().prefix("fabrs.").tempdir().map_err(temporary::unwritable)?;
        for name in ["in", "out", "line"] {
            let (kind, mode) = (FileType::Fifo, Mode::RUSR | Mode::WUSR);
            mknodat(CWD, directory.path().join(name), kind, mode, 0)
                .map_err(|errno| temporary::unwritable(errno.into()))?;
        }
        fs::write(directory.path().join("ssh"), SCRIPT).map_err(temporary::unwritable)?;
        // Opened for reading and writing: without a second end, a reader would see the end of the
        // pipe at once, and an open for writing would fail.
        let both = || {
            let mut options = OpenOptions::new();
            options.read_write(true);
            options
        };
        let command = both().open_receiver(directory.path().join("line")).map_err(failed)?;
        let from_rsync = OpenOptions::new().open_receiver(directory.path().join("out")).map_err(failed)?;
        let to_rsync = both().open_sender(directory.path().join("in")).map_err(failed)?;
        Ok((Self(directory), PipeEnds { command: RemoteCommand(BufReader::new(command)), from_rsync, to_rsync }))
    }

    /// Returns the value for `rsync -e`.
    pub(super) fn rsync_option(&self) -> String {
        format!("sh '{}'", self.0.path().join("ssh").display())
    }
}

impl RemoteCommand {
    /// Waits for the remote command. `rsync` has quoted its words for a shell.
    pub(super) async fn receive(mut self) -> Result<String> {
        let mut words = Vec::new();
        loop {
            let mut word = Vec::new();
            self.0.read_until(0, &mut word).await.map_err(failed)?;
            word.pop();
            if word.is_empty() {
                return Ok(words.join(" "));
            }
            words.push(String::from_utf8_lossy(&word).into_owned());
        }
    }
}

fn failed(source: std::io::Error) -> Error {
    Error::new(ErrorKind::Local, "could not create the pipes for `rsync`").caused_by(source)
}
