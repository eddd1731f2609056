//! The request/response protocol with a running script, over stdin and stdout.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;

use super::dialog_error::{DialogError, ScriptEnded};
use super::limits::{Allowance, Excess, MAX_RECORD, MAX_UNREAD};
use crate::connection::Watcher;
use crate::error::Error;
use crate::event::Stream;
use crate::transfer::channel_buffer::{ChannelBuffer, ChannelReader};
use crate::transfer::progress_counter::ProgressCounter;
use crate::transport::{Answer, STDIN_PREAMBLE};

/// The maximum number of chunks queued for the network.
const MAX_QUEUED_CHUNKS: usize = 4;
/// The last record of each answer.
pub(crate) const END_OF_ANSWER: &str = "fabrs-end";

/// The local side of the dialogue. Dropping the dialogue closes the stdin of the script.
#[derive(Debug)]
pub(crate) struct ScriptDialog {
    /// `None` after the last request.
    stdin: Option<mpsc::Sender<Bytes>>,
    stdout: BufReader<ChannelReader>,
}

/// Passes the stdout of a script to the dialogue.
#[derive(Debug)]
pub(crate) struct StdoutReceiver(ChannelBuffer);

impl ScriptDialog {
    /// Creates the dialogue, the receiver of stdout, and the stream of stdin.
    pub(crate) fn new() -> (Self, StdoutReceiver, mpsc::Receiver<Bytes>) {
        let (stdin, chunks) = mpsc::channel(MAX_QUEUED_CHUNKS);
        let incoming = ChannelBuffer::new(MAX_UNREAD);
        (
            Self { stdin: Some(stdin), stdout: BufReader::new(ChannelReader(incoming.clone())) },
            StdoutReceiver(incoming),
            chunks,
        )
    }

    /// Sends the first line of stdin. Another program that runs instead of a shell fails at this
    /// line.
    pub(crate) async fn send_preamble(&self) -> Result<(), ScriptEnded> {
        self.send(Bytes::from_static(STDIN_PREAMBLE.as_bytes())).await
    }

    /// Skips the text printed by the login before the script.
    pub(crate) async fn skip_banner(&mut self) -> Result<(), DialogError> {
        self.read_record().await.map(drop)
    }

    /// Returns a sender for the stdin of the script.
    pub(crate) fn stdin(&self) -> Option<mpsc::Sender<Bytes>> {
        self.stdin.clone()
    }

    /// Takes stdin for the last request. Dropping the returned sender closes stdin.
    pub(crate) fn take_stdin(&mut self) -> Option<mpsc::Sender<Bytes>> {
        self.stdin.take()
    }

    pub(crate) async fn send(&self, bytes: Bytes) -> Result<(), ScriptEnded> {
        match &self.stdin {
            Some(stdin) => stdin.send(bytes).await.map_err(|_| ScriptEnded),
            None => Err(ScriptEnded),
        }
    }

    /// Runs local work, and stops the work when the script ends.
    pub(crate) async fn while_running<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, DialogError> {
        let incoming = self.stdout.get_ref().0.clone();
        tokio::select! {
            biased;
            done = work => Ok(done?),
            _ = incoming.ended() => Err(ScriptEnded.into()),
        }
    }

    /// Sends a request about several paths. Returns `None` if there are no paths.
    pub(crate) async fn send_query<'a>(
        &self,
        verb: &str,
        paths: impl Iterator<Item = &'a Path>,
    ) -> Result<Option<Allowance>, ScriptEnded> {
        let (mut list, mut allowed) = (Vec::new(), Allowance::listing());
        for path in paths {
            allowed.add_path(path);
            list.extend_from_slice(b"./");
            list.extend_from_slice(path.as_os_str().as_bytes());
            list.push(0);
        }
        if list.is_empty() {
            return Ok(None);
        }
        let mut request = format!("{verb} {}\n", list.len()).into_bytes();
        request.append(&mut list);
        self.send(request.into()).await.map(|()| Some(allowed))
    }

    /// Sends a request about several paths, and returns the records of the answer.
    pub(crate) async fn query<'a>(
        &mut self,
        verb: &str,
        paths: impl Iterator<Item = &'a Path>,
    ) -> Result<Vec<Vec<u8>>, DialogError> {
        let mut records = Vec::new();
        self.query_each(verb, paths, |record| records.push(record.to_vec())).await?;
        Ok(records)
    }

    /// Sends a request about several paths, and calls `take` with each record of the answer. An
    /// answer may have thousands of records.
    pub(crate) async fn query_each<'a>(
        &mut self,
        verb: &str,
        paths: impl Iterator<Item = &'a Path>,
        take: impl FnMut(&[u8]),
    ) -> Result<(), DialogError> {
        match self.send_query(verb, paths).await? {
            Some(allowed) => self.read_each_record(allowed, take).await,
            None => Ok(()),
        }
    }

    /// Writes all further stdout to a file, up to `limit` bytes. All earlier requests must have
    /// been answered.
    pub(crate) fn divert(&self, file: File, limit: u64, progress: Arc<ProgressCounter>) {
        self.stdout.get_ref().0.divert(file, limit, progress);
    }

    /// Waits for the end of the script. All of its stdout is then in the file.
    pub(crate) async fn wait_diverted(&mut self) -> std::io::Result<()> {
        self.take_stdin();
        let incoming = self.stdout.get_ref().0.clone();
        incoming.ended().await;
        incoming.take_write_error().map_or(Ok(()), Err)
    }

    /// Returns the records of an answer.
    pub(crate) async fn read_records(&mut self) -> Result<Vec<Vec<u8>>, DialogError> {
        let mut records = Vec::new();
        self.read_each_record(Allowance::listing(), |record| records.push(record.to_vec())).await?;
        Ok(records)
    }

    /// Calls `take` with each record of an answer. `allowed` limits the memory of all records.
    pub(crate) async fn read_each_record(
        &mut self,
        mut allowed: Allowance,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), DialogError> {
        let mut record = Vec::new();
        loop {
            record.clear();
            self.read(&mut record).await?;
            if record == END_OF_ANSWER.as_bytes() {
                return Ok(());
            }
            allowed.admit(&record)?;
            take(&record);
        }
    }

    /// Returns the next record.
    pub(crate) async fn read_record(&mut self) -> Result<Vec<u8>, DialogError> {
        let mut record = Vec::new();
        self.read(&mut record).await.map(|()| record)
    }

    async fn read(&mut self, record: &mut Vec<u8>) -> Result<(), DialogError> {
        use tokio::io::AsyncReadExt;

        // Reading from memory does not fail.
        let read = (&mut self.stdout).take(MAX_RECORD as u64).read_until(0, record).await;
        match (read, record.pop()) {
            (Ok(_), Some(0)) => Ok(()),
            (Ok(MAX_RECORD), _) => Err(Excess::Record.into()),
            _ => Err(ScriptEnded.into()),
        }
    }
}

/// Returns bytes from the host as a local file name.
pub(crate) fn os_str(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}

/// Returns a path from the output of a script, without the `./` prefix.
pub(crate) fn relative_path(named: &[u8]) -> &Path {
    Path::new(os_str(named.strip_prefix(b"./").unwrap_or(named)))
}

impl Drop for StdoutReceiver {
    /// Ends the dialogue, even if the script never started.
    fn drop(&mut self) {
        self.0.end(None);
    }
}

impl Watcher for StdoutReceiver {
    fn receive(&mut self, stream: Stream, bytes: &[u8], answer: &mut Answer) {
        if stream == Stream::Stdout && !self.0.push(bytes) {
            answer.stop();
        }
    }

    fn ended(&mut self) {
        self.0.end(None);
    }

    fn failure(&self) -> Option<Error> {
        self.0.overflow().map(|overflow| Excess::from(overflow).into_error())
    }
}
