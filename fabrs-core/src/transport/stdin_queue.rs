//! What a command still has to read, in its order.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::transport::request::{Answer, Stdin};

/// What the input of a shell of ours begins with, which every other reader is to choke on rather than wait for more: an
/// SFTP server takes its first four bytes for a length that no packet has (OpenSSH's when a fifth has come).
pub(crate) const OPENING: &str = "fabrs\n";

/// The maximum size of the answers that wait for a command, in bytes. A command could ask again and again, and never read.
const MAX_WAITING: usize = 16 << 20;

/// The answers that wait for a command are more than the command could want.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("it does not read the answers: {} MiB of them wait", MAX_WAITING >> 20)]
pub(crate) struct Unread;

/// The input of one command on its way there: what it was given, then what it is answered.
#[derive(Debug)]
pub(crate) struct Inlet {
    waiting: VecDeque<Bytes>,
    pieces: Option<mpsc::Receiver<Bytes>>,
    /// Whether an answer may still come.
    open: bool,
}

impl Inlet {
    pub(crate) fn new(stdin: Stdin) -> Self {
        let (waiting, pieces, open) = match stdin {
            Stdin::Empty => (VecDeque::new(), None, false),
            Stdin::Bytes(bytes) => (VecDeque::from([bytes]), None, false),
            Stdin::Answers(first) if first.is_empty() => (VecDeque::new(), None, true),
            Stdin::Answers(first) => (VecDeque::from([first]), None, true),
            Stdin::Pieces(pieces) => (VecDeque::new(), Some(pieces), false),
        };
        Self { waiting, pieces, open }
    }

    /// Tells whether there is nothing to read and never will be.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.pieces.is_none() && !self.open
    }

    /// Adds an answer. After the end of file, no command reads it.
    ///
    /// # Errors
    ///
    /// [`Unread`] if too many answers wait.
    pub(crate) fn answer(&mut self, answer: Answer) -> Result<(), Unread> {
        if !self.open {
            return Ok(());
        }
        let size = |pieces: &mut dyn Iterator<Item = &Bytes>| pieces.map(Bytes::len).sum::<usize>();
        if size(&mut self.waiting.iter()) + size(&mut answer.pieces.iter()) > MAX_WAITING {
            return Err(Unread);
        }
        self.waiting.extend(answer.pieces);
        self.pieces = answer.stream;
        self.open = !answer.ends;
        Ok(())
    }

    /// Returns the next piece, or `None` at the end of file; waits where one may still come. It stays the next until
    /// [`advance`](Self::advance) says how much of it was written. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(piece) = self.waiting.front() {
                return Some(piece.clone());
            }
            match &mut self.pieces {
                Some(pieces) => match pieces.recv().await {
                    Some(piece) => self.waiting.push_back(piece),
                    None => self.pieces = None,
                },
                // Whoever answers does so between two calls of this.
                None if self.open => std::future::pending().await,
                None => return None,
            }
        }
    }

    /// Notes that the first `written` bytes of the next piece are on their way.
    pub(crate) fn advance(&mut self, written: usize) {
        if let Some(piece) = self.waiting.front_mut() {
            drop(piece.split_to(written.min(piece.len())));
            if piece.is_empty() {
                self.waiting.pop_front();
            }
        }
    }
}
