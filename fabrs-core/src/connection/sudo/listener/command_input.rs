//! [`CommandInput`]: the stdin of a command under sudo, sent after its start.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::transport::StdinSource;

/// The stdin of a command, sent after sudo has started the command.
#[derive(Debug, Clone, Default)]
pub(in crate::connection::sudo) struct CommandInput {
    pub(super) prefix: Bytes,
    pub(super) rest: RemainingInput,
}

/// The rest of the stdin, after the first bytes.
#[derive(Debug, Clone, Default)]
pub(super) enum RemainingInput {
    /// The end of file.
    #[default]
    End,
    /// The answers of the watchers.
    Answers,
    /// A channel of chunks, for the one attempt that starts the command.
    Pieces(Arc<Mutex<Option<mpsc::Receiver<Bytes>>>>),
}

impl From<StdinSource> for CommandInput {
    fn from(stdin: StdinSource) -> Self {
        let (prefix, rest) = match stdin {
            StdinSource::Empty => (Bytes::new(), RemainingInput::End),
            StdinSource::Bytes(prefix) => (prefix, RemainingInput::End),
            StdinSource::Answers(prefix) => (prefix, RemainingInput::Answers),
            StdinSource::Pieces(pieces) => (Bytes::new(), RemainingInput::Pieces(Arc::new(Mutex::new(Some(pieces))))),
        };
        Self { prefix, rest }
    }
}
