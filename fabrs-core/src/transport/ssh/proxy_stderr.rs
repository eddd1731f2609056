//! What a command of this machine writes to its stderr while it carries a connection: told line by line.

use std::future::pending;
use std::sync::Arc;

use tokio::io::AsyncReadExt;
use tokio::process::ChildStderr;

use crate::event::{Event, Sink};
use crate::host::Host;
use crate::transport::ssh::untrusted_text;

/// How much is read at a time, and how long a line may be before it is told without its end.
const PIECE: usize = 4 << 10;

/// How `ssh` begins its complaint of a server that hung up before its greeting: it may have had too many logins at once.
const TURNED_AWAY: [&str; 2] = ["kex_exchange_identification: ", "ssh_exchange_identification: "];

/// What a command has said in the end.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The last line.
    pub(super) last: Option<String>,
    /// Whether it is `ssh`, and was turned away by a server.
    pub(super) turned_away: bool,
}

/// Tells what a command writes to its stderr, and keeps what counts.
pub(super) struct Stderr {
    pipe: Option<ChildStderr>,
    host: Host,
    sink: Arc<dyn Sink>,
    /// A line that has no end yet.
    line: Vec<u8>,
    said: Said,
}

impl Stderr {
    pub(super) fn new(pipe: Option<ChildStderr>, host: Host, sink: Arc<dyn Sink>) -> Self {
        Self { pipe, host, sink, line: Vec::new(), said: Said::default() }
    }

    /// Tells of lines as they come, and never ends. Cancel safe.
    pub(super) async fn listen(&mut self) {
        let mut piece = [0; PIECE];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut piece).await {
                Ok(read) if read > 0 => self.take(piece.get(..read).unwrap_or_default()),
                _ => self.pipe = None,
            }
        }
        pending::<()>().await;
    }

    /// Tells what is left, without waiting for others that may hold the pipe, and returns what counts of it.
    pub(super) fn rest(&mut self) -> Said {
        let mut piece = [0; PIECE];
        // The runtime has made the pipe one that is never waited for. Who has ended has written all; what others add now
        // and then is not to keep this going.
        for _ in 0..16 {
            let Some(pipe) = &self.pipe else { break };
            match rustix::io::read(pipe, &mut piece) {
                Ok(read) if read > 0 => self.take(piece.get(..read).unwrap_or_default()),
                _ => self.pipe = None,
            }
        }
        self.tell();
        std::mem::take(&mut self.said)
    }

    fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' || self.line.len() == PIECE {
                self.tell();
            }
            if byte != b'\n' {
                self.line.push(byte);
            }
        }
    }

    fn tell(&mut self) {
        let line = std::mem::take(&mut self.line);
        let text = untrusted_text::line(String::from_utf8_lossy(&line).trim_end());
        if !text.is_empty() {
            self.sink.event(&Event::Warning { host: Some(&self.host), text: &format!("ProxyCommand: {text}") });
            self.said.turned_away |= TURNED_AWAY.iter().any(|start| text.starts_with(start));
            self.said.last = Some(text);
        }
    }
}
