//! The stderr of a `ProxyCommand`, emitted line by line as warnings.

use std::future::pending;
use std::sync::Arc;

use tokio::io::AsyncReadExt;
use tokio::process::ChildStderr;

use crate::event::{Event, Sink};
use crate::host::Host;
use crate::ssh::untrusted_text;

/// The size of the read buffer, and the maximum length of a line, in bytes. A longer line is split.
const MAX_LINE_BYTES: usize = 4 << 10;

/// The prefixes of the errors that `ssh` prints if the server closes the connection before it sends
/// its identification. Such a server may have too many pending logins.
const SERVER_HANGUP_PREFIXES: [&str; 2] = ["kex_exchange_identification: ", "ssh_exchange_identification: "];

/// The result of reading the stderr to its end.
#[derive(Debug, Default)]
pub(super) struct StderrSummary {
    /// The last line.
    pub(super) last: Option<String>,
    /// True if the command is `ssh`, and a server closed its connection.
    pub(super) is_server_hangup: bool,
}

/// A reader of the stderr of a command.
pub(super) struct ProxyStderr {
    pipe: Option<ChildStderr>,
    host: Host,
    sink: Arc<dyn Sink>,
    /// The current line without its end.
    line: Vec<u8>,
    summary: StderrSummary,
}

impl ProxyStderr {
    pub(super) fn new(pipe: Option<ChildStderr>, host: Host, sink: Arc<dyn Sink>) -> Self {
        Self { pipe, host, sink, line: Vec::new(), summary: StderrSummary::default() }
    }

    /// Emits complete lines as warnings. Never returns. Cancel safe.
    pub(super) async fn forward(&mut self) {
        let mut buffer = [0; MAX_LINE_BYTES];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut buffer).await {
                Ok(read) if read > 0 => self.push(buffer.get(..read).unwrap_or_default()),
                _ => self.pipe = None,
            }
        }
        pending::<()>().await;
    }

    /// Emits the remaining lines, and returns the summary. Does not wait for other processes with
    /// the same pipe.
    pub(super) fn finish(&mut self) -> StderrSummary {
        let mut buffer = [0; MAX_LINE_BYTES];
        // Tokio has set the pipe to non-blocking. An exited command has written all of its output.
        // The number of reads is limited, because another process may keep writing.
        for _ in 0..16 {
            let Some(pipe) = &self.pipe else { break };
            match rustix::io::read(pipe, &mut buffer) {
                Ok(read) if read > 0 => self.push(buffer.get(..read).unwrap_or_default()),
                _ => self.pipe = None,
            }
        }
        self.emit_line();
        std::mem::take(&mut self.summary)
    }

    fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' || self.line.len() == MAX_LINE_BYTES {
                self.emit_line();
            }
            if byte != b'\n' {
                self.line.push(byte);
            }
        }
    }

    fn emit_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let text = untrusted_text::single_line(String::from_utf8_lossy(&line).trim_end());
        if !text.is_empty() {
            self.sink.event(&Event::Warning { host: Some(&self.host), text: &format!("ProxyCommand: {text}") });
            self.summary.is_server_hangup |= SERVER_HANGUP_PREFIXES.iter().any(|start| text.starts_with(start));
            self.summary.last = Some(text);
        }
    }
}
