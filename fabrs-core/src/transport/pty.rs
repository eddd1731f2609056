//! The terminal that a command gets.

use std::sync::Arc;

use tokio::sync::watch;

/// How large a terminal is, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Size {
    /// How many stand in a line.
    pub columns: u16,
    /// How many lines there are.
    pub rows: u16,
}

/// A pseudo-terminal for a command (RFC 4254 §6.2): of which kind it is, and its size, which may change.
#[derive(Debug, Clone)]
pub struct Pty {
    /// What the command finds as `TERM`.
    pub term: Arc<str>,
    /// Its size.
    pub size: watch::Receiver<Size>,
}

/// That of a command nobody watches: wide, so that programs do not fold their lines.
impl Default for Pty {
    fn default() -> Self {
        let (_, size) = watch::channel(Size { columns: 200, rows: 50 });
        Self { term: "xterm".into(), size }
    }
}

impl Pty {
    /// Waits until its size has changed, and returns it. Cancel safe.
    pub(crate) async fn resized(&mut self) -> Size {
        match self.size.changed().await {
            Ok(()) => *self.size.borrow_and_update(),
            // Nobody is there who could change it.
            Err(_) => std::future::pending().await,
        }
    }
}
