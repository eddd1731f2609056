//! Signals for a command that runs.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};

use crate::output::Signal;

/// How many signals may wait for a command that has not begun.
const MOST: usize = 16;

/// A way for signals to one command, whichever attempt of it runs; cheap to clone.
#[derive(Debug, Clone)]
pub struct Signals {
    sender: mpsc::Sender<Signal>,
    receiver: Arc<Mutex<mpsc::Receiver<Signal>>>,
}

impl Default for Signals {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(MOST);
        Self { sender, receiver: Arc::new(Mutex::new(receiver)) }
    }
}

impl Signals {
    /// Sends a signal on its way, false where too many are waiting.
    pub(crate) fn send(&self, signal: Signal) -> bool {
        self.sender.try_send(signal).is_ok()
    }

    /// Returns the next signal. Cancel safe.
    pub(crate) async fn next(&self) -> Signal {
        match self.receiver.lock().await.recv().await {
            Some(signal) => signal,
            // The sender is `self`, so it can't be gone.
            None => std::future::pending().await,
        }
    }
}
