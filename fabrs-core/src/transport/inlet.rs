//! What a command still has to read, in its order.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::request::{Answer, Stdin};

/// How many answers may wait for a command that does not read them.
const MOST: usize = 1024;

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

    /// Adds an answer. After the end of file there is nobody to read it; and a command that asks again and again without
    /// reading gets no more than it could ever want.
    pub(crate) fn answer(&mut self, answer: Answer) {
        if self.open {
            if self.waiting.len() < MOST {
                self.waiting.extend(answer.pieces);
            }
            self.pieces = answer.stream;
            self.open = !answer.ends;
        }
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
