//! A helper command on a second channel. Its stdin is controlled by fabrs, and its output is
//! discarded.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use russh::ChannelMsg;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use crate::ssh::open_channel::MAX_START_ATTEMPTS;
use crate::ssh::session::Session;
use crate::ssh::start_error::StartError;
use crate::transport::Program;

/// The maximum number of queued messages for the helper.
const MAX_QUEUED_MESSAGES: usize = 64;
/// The maximum time to wait for a slot, and for the end of the helper.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The time without a message after which the helper ends. Its slot may be needed, and a new helper
/// starts quickly.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3);

/// Starts a helper in a task of the session. Returns its stdin. Dropping the sender ends the
/// helper.
pub(super) fn start(session: &Arc<Session>, line: String) -> mpsc::Sender<Bytes> {
    let (sender, input) = mpsc::channel(MAX_QUEUED_MESSAGES);
    let own = Arc::clone(session);
    session.spawn(async move {
        // Without a helper the signal is lost. The command is then reported as possibly still
        // running.
        let _ = run(&own, line, input).await;
    });
    sender
}

async fn run(session: &Arc<Session>, line: String, mut input: mpsc::Receiver<Bytes>) -> Option<()> {
    let program = Program::Script(line.into());
    let mut attempts = 0;
    // Dropping `open` closes the channel.
    let mut open = loop {
        let mut open = timeout(TIMEOUT, session.open_side_channel()).await.ok()??;
        match open.start_in_place(&program, None, session.start_reply_mode()).await {
            Ok(()) => break open,
            Err(StartError::Closed) if attempts < MAX_START_ATTEMPTS => attempts += 1,
            Err(_) => return None,
        }
    };
    let channel = open.channel()?;
    let mut deadline = Instant::now() + IDLE_TIMEOUT;
    let mut is_stdin_open = true;
    loop {
        tokio::select! {
            bytes = input.recv(), if is_stdin_open => match bytes {
                Some(bytes) => {
                    channel.data_bytes(bytes).await.ok()?;
                    deadline = Instant::now() + IDLE_TIMEOUT;
                }
                None => {
                    channel.eof().await.ok()?;
                    (is_stdin_open, deadline) = (false, Instant::now() + TIMEOUT);
                }
            },
            // The output is discarded, but must be read.
            message = channel.wait() => match message {
                Some(ChannelMsg::Close) | None => return Some(()),
                Some(_) => {}
            },
            // Messages already queued are still sent, followed by the end of file.
            () = sleep_until(deadline) => {
                if !is_stdin_open {
                    return None;
                }
                input.close();
                deadline = Instant::now() + TIMEOUT;
            }
        }
    }
}
