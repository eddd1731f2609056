//! Writing a command's input to its channel, as far as the server takes it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use russh::ChannelWriteHalf;
use russh::client::Msg;

use crate::transport::request::{Answer, Stdin};
use crate::transport::ssh::send_budget::{Outflow, PACKET};
use crate::transport::stdin_queue::{Inlet, Unread};
use crate::transport::termination::signal_strategy::Ending;

/// What a terminal takes for the end of file (`stty eof`), unless a program has changed it.
const END_OF_TRANSMISSION: u8 = 4;

/// The input of one command.
pub(super) struct Feed {
    write: Arc<ChannelWriteHalf<Msg>>,
    outflow: Arc<Outflow>,
    /// What the command still has to read; nothing after its end of file, and where a watcher reads in its place.
    inlet: Option<Inlet>,
    /// What is being written. It is kept over the races of [`step`](Self::step), since half of it may be sent.
    writing: Option<BoxFuture<'static, ()>>,
    pty: bool,
    ending: Ending,
    /// Whether the last byte written was not the end of a line.
    in_a_line: bool,
}

impl Feed {
    pub(super) fn new(
        write: Arc<ChannelWriteHalf<Msg>>,
        outflow: Arc<Outflow>,
        stdin: Stdin,
        pty: bool,
        ending: Ending,
    ) -> Self {
        // The watcher takes the end of file for the end of the connection.
        let inlet = (ending != Ending::Watcher).then(|| Inlet::new(stdin));
        let writing = ending.opening().map(|opening| {
            let write = Arc::clone(&write);
            async move { drop(write.data_bytes(opening).await) }.boxed()
        });
        Self { write, outflow, inlet, writing, pty, ending, in_a_line: false }
    }

    /// Adds an answer to what the command reads.
    ///
    /// # Errors
    ///
    /// As [`Inlet::answer`].
    pub(super) fn answer(&mut self, answer: Answer) -> Result<(), Unread> {
        self.inlet.as_mut().map_or(Ok(()), |inlet| inlet.answer(answer))
    }

    /// Gives up what was not written yet.
    pub(super) fn stop(&mut self) {
        self.inlet = None;
        self.writing = None;
    }

    /// Writes the next piece, or the end of file; waits for ever when there is nothing more to write.
    ///
    /// To be raced against the reading: a writer that waits for window is never woken when its channel ends. That a
    /// write fails means that the channel is gone, which the reading side tells. Cancel safe.
    pub(super) async fn step(&mut self) {
        if let Some(writing) = &mut self.writing {
            writing.await;
            self.writing = None;
        }
        let Some(inlet) = &mut self.inlet else { return std::future::pending().await };
        let write = Arc::clone(&self.write);
        self.writing = Some(match inlet.next().await {
            Some(mut piece) => {
                piece.truncate(PACKET);
                inlet.advance(piece.len());
                self.in_a_line = piece.last().map_or(self.in_a_line, |last| *last != b'\n');
                let outflow = Arc::clone(&self.outflow);
                let written = async move {
                    outflow.admit(piece.len()).await;
                    drop(write.data_bytes(piece).await);
                };
                written.boxed()
            }
            None => {
                self.inlet = None;
                let typed = self.typed_end();
                // After an end of file no key could be sent; there the terminal's own character has to do.
                let closes = self.ending != Ending::Key;
                async move {
                    // Nothing is still a message to the session's task.
                    if !typed.is_empty() {
                        drop(write.data_bytes(typed).await);
                    }
                    if closes {
                        drop(write.eof().await);
                    }
                }
                .boxed()
            }
        });
    }

    /// Returns the end of file as it is typed on a terminal, where it is a character: sshd can't close a pty for reading
    /// only. In the middle of a line the first of them just hands the line over.
    fn typed_end(&self) -> Bytes {
        match (self.pty, self.in_a_line) {
            (false, _) => Bytes::new(),
            (true, false) => Bytes::from_static(&[END_OF_TRANSMISSION]),
            (true, true) => Bytes::from_static(&[END_OF_TRANSMISSION; 2]),
        }
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("inlet", &self.inlet).finish_non_exhaustive()
    }
}
