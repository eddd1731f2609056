//! A queue of stdin bytes for a command.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::transport::request::{Answer, StdinSource};

/// The first bytes of the stdin of a script that reads a protocol. If another program reads the
/// bytes instead of the script, it must fail at once and not wait for more. An SFTP server reads
/// the first four bytes as an invalid packet length. OpenSSH's server checks the length after a
/// fifth byte.
pub(crate) const STDIN_PREAMBLE: &str = "fabrs\n";

/// The maximum number of queued bytes of answers. A command could prompt again and again without
/// reading its stdin.
const MAX_QUEUED_BYTES: usize = 16 << 20;

/// An error: the command does not read its answers.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{} MiB of answers are unread", MAX_QUEUED_BYTES >> 20)]
pub(crate) struct QueueFull;

/// The stdin of a command: the bytes from the start, then the answers.
#[derive(Debug)]
pub(crate) struct StdinQueue {
    queued: VecDeque<Bytes>,
    pieces: Option<mpsc::Receiver<Bytes>>,
    /// True if further answers are possible.
    accepts_answers: bool,
}

impl StdinQueue {
    pub(crate) fn new(stdin: StdinSource) -> Self {
        let (queued, pieces, accepts_answers) = match stdin {
            StdinSource::Empty => (VecDeque::new(), None, false),
            StdinSource::Bytes(bytes) => (VecDeque::from([bytes]), None, false),
            StdinSource::Answers(first) if first.is_empty() => (VecDeque::new(), None, true),
            StdinSource::Answers(first) => (VecDeque::from([first]), None, true),
            StdinSource::Pieces(pieces) => (VecDeque::new(), Some(pieces), false),
        };
        Self { queued, pieces, accepts_answers }
    }

    /// Returns true if the stdin is at its end.
    pub(crate) fn is_empty(&self) -> bool {
        self.queued.is_empty() && self.pieces.is_none() && !self.accepts_answers
    }

    /// Adds an answer. Answers after the end of file are discarded.
    ///
    /// # Errors
    ///
    /// [`QueueFull`] if the queued answers exceed [`MAX_QUEUED_BYTES`].
    pub(crate) fn answer(&mut self, answer: Answer) -> Result<(), QueueFull> {
        if !self.accepts_answers {
            return Ok(());
        }
        let size = |pieces: &mut dyn Iterator<Item = &Bytes>| pieces.map(Bytes::len).sum::<usize>();
        if size(&mut self.queued.iter()) + size(&mut answer.pieces.iter()) > MAX_QUEUED_BYTES {
            return Err(QueueFull);
        }
        self.queued.extend(answer.pieces);
        self.pieces = answer.stream;
        self.accepts_answers = !answer.is_end;
        Ok(())
    }

    /// Returns the next chunk, or `None` at the end of file. Waits for further answers if there may
    /// be some. The chunk stays queued until [`advance`](Self::advance) removes it. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(piece) = self.queued.front() {
                return Some(piece.clone());
            }
            match &mut self.pieces {
                Some(pieces) => match pieces.recv().await {
                    Some(piece) => self.queued.push_back(piece),
                    None => self.pieces = None,
                },
                // Answers are added between two calls of this function.
                None if self.accepts_answers => std::future::pending().await,
                None => return None,
            }
        }
    }

    /// Removes the first `written` bytes of the next chunk.
    pub(crate) fn advance(&mut self, written: usize) {
        if let Some(piece) = self.queued.front_mut() {
            drop(piece.split_to(written.min(piece.len())));
            if piece.is_empty() {
                self.queued.pop_front();
            }
        }
    }
}
