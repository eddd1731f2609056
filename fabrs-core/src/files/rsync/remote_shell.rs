//! What stands in the place of `ssh` for a program of this machine: a script that hands its streams over by named pipes.

use std::fs;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe::{OpenOptions, Receiver, Sender};

use crate::error::{Error, ErrorKind, Result};
use crate::files::temporary;

/// Says what is to be run there, each word with a NUL behind it and an empty one last; then hands its input and its output
/// over, until the other side has ended. Our ends of the pipes are open before it runs, so that it waits for none of them.
const SCRIPT: &str = "\
d=${0%/*}; shift
exec 3<\"$d/in\" 4>\"$d/out\" 5<&0
printf '%s\\0' \"$@\" '' >\"$d/line\"
cat <&5 >&4 3<&- &
exec 4>&- 5<&-
cat <&3
kill $! 2>/dev/null
";

/// A folder of our own with the pipes and the script.
#[derive(Debug)]
pub(super) struct RemoteShell(TempDir);

/// Our ends of the pipes.
#[derive(Debug)]
pub(super) struct PipeEnds {
    /// What is to be run.
    pub(super) line: RemoteCommand,
    /// What it says to the other side; it ends when that does.
    pub(super) said: Receiver,
    /// Where it hears the other side.
    pub(super) hears: Sender,
}

/// The line that is to be run on the host, when it comes.
#[derive(Debug)]
pub(super) struct RemoteCommand(BufReader<Receiver>);

impl RemoteShell {
    /// Makes the pipes; it belongs on a blocking thread.
    pub(super) fn new() -> Result<(Self, PipeEnds)> {
        let folder = tempfile::Builder::new().prefix("fabrs.").tempdir().map_err(temporary::unwritable)?;
        for name in ["in", "out", "line"] {
            let (kind, mode) = (FileType::Fifo, Mode::RUSR | Mode::WUSR);
            mknodat(CWD, folder.path().join(name), kind, mode, 0)
                .map_err(|errno| temporary::unwritable(errno.into()))?;
        }
        fs::write(folder.path().join("ssh"), SCRIPT).map_err(temporary::unwritable)?;
        // Both ways, since nobody else has opened it yet: it would end at once, or could not be opened.
        let both = || {
            let mut options = OpenOptions::new();
            options.read_write(true);
            options
        };
        let line = both().open_receiver(folder.path().join("line")).map_err(failed)?;
        let said = OpenOptions::new().open_receiver(folder.path().join("out")).map_err(failed)?;
        let hears = both().open_sender(folder.path().join("in")).map_err(failed)?;
        Ok((Self(folder), PipeEnds { line: RemoteCommand(BufReader::new(line)), said, hears }))
    }

    /// Returns the words that start it, for a program that would start `ssh`.
    pub(super) fn shell(&self) -> String {
        format!("sh '{}'", self.0.path().join("ssh").display())
    }
}

impl RemoteCommand {
    /// Waits for it: its words are quoted for a shell by who says them.
    pub(super) async fn said(mut self) -> Result<String> {
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
    Error::new(ErrorKind::Local, "could not make a way for `rsync`").caused_by(source)
}
