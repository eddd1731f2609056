//! Pseudo-terminals for commands: terminal type and size.

use std::sync::Arc;

use tokio::sync::watch;

/// The size of a terminal in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TerminalSize {
    /// The number of characters in a line.
    pub columns: u16,
    /// The number of lines.
    pub rows: u16,
}

/// A pseudo-terminal for a command (RFC 4254 §6.2).
#[derive(Debug, Clone)]
pub struct Pty {
    /// The value of `TERM` for the command.
    pub term: Arc<str>,
    /// The size, which may change while the command runs.
    pub size: watch::Receiver<TerminalSize>,
}

/// The terminal of a non-interactive command. It is wide, so programs don't wrap their lines.
impl Default for Pty {
    fn default() -> Self {
        let (_, size) = watch::channel(TerminalSize { columns: 200, rows: 50 });
        Self { term: "xterm".into(), size }
    }
}

impl Pty {
    /// Waits for a new size and returns it. Cancel safe.
    pub(crate) async fn resized(&mut self) -> TerminalSize {
        match self.size.changed().await {
            Ok(()) => *self.size.borrow_and_update(),
            // Without a sender the size is constant.
            Err(_) => std::future::pending().await,
        }
    }
}
