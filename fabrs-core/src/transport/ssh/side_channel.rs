//! A command beside another, for the sake of that: it reads what it is sent, and nothing of it is told.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use russh::ChannelMsg;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use crate::transport::request::Program;
use crate::transport::ssh::open_channel::{NotStarted, STARTS};
use crate::transport::ssh::session::Session;

/// How many messages it may have to read.
const INPUT: usize = 64;
/// How long it may wait for its place, and for its end.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it waits for the next message: its place may be wanted, and another is soon begun.
const IDLE: Duration = Duration::from_secs(3);

/// Begins one, in a task of the session; it ends with its input.
pub(super) fn begin(session: &Arc<Session>, line: String) -> mpsc::Sender<Bytes> {
    let (sender, input) = mpsc::channel(INPUT);
    let own = Arc::clone(session);
    session.spawn(async move {
        // Nobody is told that it can't be begun: what was to come of it does not.
        let _ = carry(&own, line, input).await;
    });
    sender
}

async fn carry(session: &Arc<Session>, line: String, mut input: mpsc::Receiver<Bytes>) -> Option<()> {
    let program = Program::Script(line.into());
    let mut starts = 0;
    // Dropped, it closes its channel.
    let mut open = loop {
        let mut open = timeout(PATIENCE, session.open_aside()).await.ok()??;
        match open.begin(&program, None, session.start_reply()).await {
            Ok(()) => break open,
            Err(NotStarted::Closed) if starts < STARTS => starts += 1,
            Err(_) => return None,
        }
    };
    let channel = open.channel()?;
    let mut ends_at = Instant::now() + IDLE;
    let mut is_fed = true;
    loop {
        tokio::select! {
            bytes = input.recv(), if is_fed => match bytes {
                Some(bytes) => {
                    channel.data_bytes(bytes).await.ok()?;
                    ends_at = Instant::now() + IDLE;
                }
                None => {
                    channel.eof().await.ok()?;
                    (is_fed, ends_at) = (false, Instant::now() + PATIENCE);
                }
            },
            // What it says is of no use, and has to be taken all the same.
            message = channel.wait() => match message {
                Some(ChannelMsg::Close) | None => return Some(()),
                Some(_) => {}
            },
            // What is still on its way is read, and then the end.
            () = sleep_until(ends_at) => {
                if !is_fed {
                    return None;
                }
                input.close();
                ends_at = Instant::now() + PATIENCE;
            }
        }
    }
}
