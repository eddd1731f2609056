//! [`CommandInput`]: what a command reads once sudo has let it begin.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::transport::StdinSource;

/// What a command reads, once sudo has let it begin.
#[derive(Debug, Clone, Default)]
pub(in crate::connection::sudo) struct CommandInput {
    pub(super) first: Bytes,
    pub(super) rest: RemainingInput,
}

/// What a command reads after that.
#[derive(Debug, Clone, Default)]
pub(super) enum RemainingInput {
    /// The end of file.
    #[default]
    End,
    /// What its watchers answer.
    Answers,
    /// What comes here, for the one attempt in which the command begins.
    Pieces(Arc<Mutex<Option<mpsc::Receiver<Bytes>>>>),
}

impl From<StdinSource> for CommandInput {
    fn from(stdin: StdinSource) -> Self {
        let (first, rest) = match stdin {
            StdinSource::Empty => (Bytes::new(), RemainingInput::End),
            StdinSource::Bytes(first) => (first, RemainingInput::End),
            StdinSource::Answers(first) => (first, RemainingInput::Answers),
            StdinSource::Pieces(pieces) => (Bytes::new(), RemainingInput::Pieces(Arc::new(Mutex::new(Some(pieces))))),
        };
        Self { first, rest }
    }
}
