//! The modes of this program's terminal while a prompt or an interactive command has changed them.

use std::fs::{File, OpenOptions};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::mutex::lock;

/// All changes in effect, the oldest first: the terminal is one for all clients of the program.
static CHANGES: Mutex<Vec<Change>> = Mutex::new(Vec::new());
static LAST_ID: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
struct Change {
    id: u64,
    before: Termios,
}

/// Changed modes of the terminal. Dropping it restores the modes from before, as soon as no later change is in effect: the end
/// of an interactive command must not show a password that somebody types.
#[derive(Debug)]
pub(crate) struct TerminalModes {
    id: u64,
    terminal: File,
    unread: Unread,
}

/// Typed text that nobody has read, at the end of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// The text is for the next reader.
    Keep,
    /// The text was for a reader that has gone: the beginning of a password, say.
    Discard,
}

impl TerminalModes {
    /// Changes the modes.
    ///
    /// # Errors
    ///
    /// The error of the system if this is no terminal.
    pub(crate) fn change(terminal: File, unread: Unread, change: impl FnOnce(&mut Termios)) -> io::Result<Self> {
        let mut changes = changes();
        let before = tcgetattr(&terminal)?;
        let mut modes = before.clone();
        change(&mut modes);
        tcsetattr(&terminal, OptionalActions::Now, &modes)?;
        let id = LAST_ID.fetch_add(1, Ordering::Relaxed);
        changes.push(Change { id, before });
        Ok(Self { id, terminal, unread })
    }

    /// Sets what happens to unread text at the end.
    pub(crate) fn set_unread(&mut self, unread: Unread) {
        self.unread = unread;
    }
}

impl Drop for TerminalModes {
    fn drop(&mut self) {
        let mut changes = changes();
        let Some(at) = changes.iter().position(|change| change.id == self.id) else { return };
        let Change { before, .. } = changes.remove(at);
        match changes.get_mut(at) {
            Some(later) => later.before = before,
            None => set(&self.terminal, self.unread, &before),
        }
    }
}

/// Restores the modes from before all changes, for a program that exits without dropping its prompts and commands.
pub fn restore_terminal() {
    let mut changes = changes();
    let oldest = changes.drain(..).next();
    if let (Some(oldest), Ok(terminal)) = (oldest, OpenOptions::new().read(true).write(true).open("/dev/tty")) {
        set(&terminal, Unread::Discard, &oldest.before);
    }
}

fn set(terminal: &File, unread: Unread, modes: &Termios) {
    let action = match unread {
        Unread::Keep => OptionalActions::Now,
        Unread::Discard => OptionalActions::Flush,
    };
    // A terminal that is gone needs nothing.
    let _ = tcsetattr(terminal, action, modes);
}

fn changes() -> MutexGuard<'static, Vec<Change>> {
    lock(&CHANGES)
}
