//! The dialogue with a running script: requests, answers, and a last request with the content.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;

use super::dialog_error::{DialogError, Over};
use super::limits::{Allowance, Excess, MAX_RECORD, MAX_UNREAD};
use crate::connection::Watcher;
use crate::error::Error;
use crate::event::Stream;
use crate::files::channel_buffer::{ChannelBuffer, ChannelReader};
use crate::files::progress_counter::ProgressCounter;
use crate::transport::{Answer, STDIN_PREAMBLE};

/// The maximum number of pieces that wait for the network.
const WAITING: usize = 4;
/// Ends each answer of a script.
pub(super) const END: &str = "fabrs-end";

/// Our side of the dialogue. Dropping it ends the input of the script.
#[derive(Debug)]
pub(super) struct Talk {
    /// `None` after the last request.
    say: Option<mpsc::Sender<Bytes>>,
    hear: BufReader<ChannelReader>,
}

/// Passes the output of a script to the dialogue.
#[derive(Debug)]
pub(super) struct Ear(ChannelBuffer);

impl Talk {
    /// Creates the dialogue, the receiver of the output, and the stream of the input.
    pub(super) fn new() -> (Self, Ear, mpsc::Receiver<Bytes>) {
        let (say, said) = mpsc::channel(WAITING);
        let incoming = ChannelBuffer::new(MAX_UNREAD);
        (Self { say: Some(say), hear: BufReader::new(ChannelReader(incoming.clone())) }, Ear(incoming), said)
    }

    /// Sends the first line. A program in place of a shell ends at this line.
    pub(super) async fn begin(&self) -> Result<(), Over> {
        self.say(Bytes::from_static(STDIN_PREAMBLE.as_bytes())).await
    }

    /// Skips the output of the login before the script.
    pub(super) async fn noise(&mut self) -> Result<(), DialogError> {
        self.record().await.map(drop)
    }

    /// Returns the input of the script as a stream.
    pub(super) fn sender(&self) -> Option<mpsc::Sender<Bytes>> {
        self.say.clone()
    }

    /// Takes the input for the last request. The input ends when the returned value is dropped.
    pub(super) fn hush(&mut self) -> Option<mpsc::Sender<Bytes>> {
        self.say.take()
    }

    pub(super) async fn say(&self, bytes: Bytes) -> Result<(), Over> {
        match &self.say {
            Some(say) => say.send(bytes).await.map_err(|_| Over),
            None => Err(Over),
        }
    }

    /// Runs slow work as long as the script waits.
    pub(super) async fn unless_over<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, DialogError> {
        let incoming = self.hear.get_ref().0.clone();
        tokio::select! {
            biased;
            done = work => Ok(done?),
            _ = incoming.ended() => Err(Over.into()),
        }
    }

    /// Sends a request about several paths. Returns the allowance of the answer, or nothing if there are no paths.
    pub(super) async fn request<'a>(
        &self,
        verb: &str,
        paths: impl Iterator<Item = &'a Path>,
    ) -> Result<Option<Allowance>, Over> {
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
        self.say(request.into()).await.map(|()| Some(allowed))
    }

    /// Sends a request about several paths, and returns the records of the answer.
    pub(super) async fn ask<'a>(
        &mut self,
        verb: &str,
        paths: impl Iterator<Item = &'a Path>,
    ) -> Result<Vec<Vec<u8>>, DialogError> {
        let mut records = Vec::new();
        self.ask_each(verb, paths, |record| records.push(record.to_vec())).await?;
        Ok(records)
    }

    /// Sends a request about several paths, and passes each record of the answer to `take`: there may be thousands.
    pub(super) async fn ask_each<'a>(
        &mut self,
        verb: &str,
        paths: impl Iterator<Item = &'a Path>,
        take: impl FnMut(&[u8]),
    ) -> Result<(), DialogError> {
        match self.request(verb, paths).await? {
            Some(allowed) => self.each_record(allowed, take).await,
            None => Ok(()),
        }
    }

    /// Writes all further output to a file, up to a `limit` in bytes, and counts it with a gauge. All
    /// earlier requests must have been answered.
    pub(super) fn divert(&self, file: File, limit: u64, progress: Arc<ProgressCounter>) {
        self.hear.get_ref().0.divert(file, limit, progress);
    }

    /// Waits for the end of the output to the file.
    pub(super) async fn diverted(&mut self) -> std::io::Result<()> {
        self.hush();
        let incoming = self.hear.get_ref().0.clone();
        incoming.ended().await;
        incoming.diverted().map_or(Ok(()), Err)
    }

    /// Returns the records of an answer.
    pub(super) async fn records(&mut self) -> Result<Vec<Vec<u8>>, DialogError> {
        let mut records = Vec::new();
        self.each_record(Allowance::listing(), |record| records.push(record.to_vec())).await?;
        Ok(records)
    }

    /// Passes each record of an answer to `take`. The memory of all records is limited by `allowed`.
    pub(super) async fn each_record(
        &mut self,
        mut allowed: Allowance,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), DialogError> {
        let mut record = Vec::new();
        loop {
            record.clear();
            self.read(&mut record).await?;
            if record == END.as_bytes() {
                return Ok(());
            }
            allowed.admit(&record)?;
            take(&record);
        }
    }

    /// Returns the next record.
    pub(super) async fn record(&mut self) -> Result<Vec<u8>, DialogError> {
        let mut record = Vec::new();
        self.read(&mut record).await.map(|()| record)
    }

    async fn read(&mut self, record: &mut Vec<u8>) -> Result<(), DialogError> {
        use tokio::io::AsyncReadExt;

        // Reading from memory does not fail.
        let read = (&mut self.hear).take(MAX_RECORD as u64).read_until(0, record).await;
        match (read, record.pop()) {
            (Ok(_), Some(0)) => Ok(()),
            (Ok(MAX_RECORD), _) => Err(Excess::Record.into()),
            _ => Err(Over.into()),
        }
    }
}

/// Returns bytes of the host as a name of this machine.
pub(super) fn raw(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}

/// Returns a path from the output of the script.
pub(super) fn path(named: &[u8]) -> &Path {
    Path::new(raw(named.strip_prefix(b"./").unwrap_or(named)))
}

impl Drop for Ear {
    /// Runs also for a script that never started.
    fn drop(&mut self) {
        self.0.end(None);
    }
}

impl Watcher for Ear {
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
