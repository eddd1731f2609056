//! A queue of signals for a running command.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};

use crate::output::Signal;

/// The maximum number of signals queued for a command that has not started.
const MAX_QUEUED_SIGNALS: usize = 16;

/// A queue of signals to a command, shared by all attempts of a retried command. Clones share the
/// queue.
#[derive(Debug, Clone)]
pub struct SignalQueue {
    sender: mpsc::Sender<Signal>,
    receiver: Arc<Mutex<mpsc::Receiver<Signal>>>,
}

impl Default for SignalQueue {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(MAX_QUEUED_SIGNALS);
        Self { sender, receiver: Arc::new(Mutex::new(receiver)) }
    }
}

impl SignalQueue {
    /// Queues a signal. Returns false if the queue is full.
    pub(crate) fn send(&self, signal: Signal) -> bool {
        self.sender.try_send(signal).is_ok()
    }

    /// Returns the next signal. Cancel safe.
    pub(crate) async fn next(&self) -> Signal {
        match self.receiver.lock().await.recv().await {
            Some(signal) => signal,
            // The sender is a field of `self`, so the channel can't be closed.
            None => std::future::pending().await,
        }
    }
}
