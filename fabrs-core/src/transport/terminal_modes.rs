//! Terminal modes changed by a prompt or by an interactive command, and their restoration.

use std::fs::{File, OpenOptions};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::mutex::lock;

/// All changes in effect, oldest first. All clients of the process share one terminal.
static CHANGES: Mutex<Vec<Change>> = Mutex::new(Vec::new());
static LAST_ID: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
struct Change {
    id: u64,
    before: Termios,
}

/// A change of the terminal modes. Dropping it restores the previous modes as soon as no later
/// change is in effect. The end of an interactive command must not turn on the echo during a
/// password prompt.
#[derive(Debug)]
pub(crate) struct TerminalModes {
    id: u64,
    terminal: File,
    unread: UnreadInput,
}

/// The treatment of unread input when a change ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnreadInput {
    /// Keep the input for the next reader.
    Keep,
    /// Discard the input, such as the beginning of a password after a withdrawn prompt.
    Discard,
}

impl TerminalModes {
    /// Changes the modes.
    ///
    /// # Errors
    ///
    /// The error of the operating system if `terminal` is not a terminal.
    pub(crate) fn change(terminal: File, unread: UnreadInput, change: impl FnOnce(&mut Termios)) -> io::Result<Self> {
        let mut changes = changes();
        let before = tcgetattr(&terminal)?;
        let mut modes = before.clone();
        change(&mut modes);
        tcsetattr(&terminal, OptionalActions::Now, &modes)?;
        let id = LAST_ID.fetch_add(1, Ordering::Relaxed);
        changes.push(Change { id, before });
        Ok(Self { id, terminal, unread })
    }

    /// Sets the treatment of unread input.
    pub(crate) fn set_unread(&mut self, unread: UnreadInput) {
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

/// Restores the modes from before all changes. For a program that exits without dropping its
/// prompts and commands.
pub fn restore_terminal() {
    let mut changes = changes();
    let oldest = changes.drain(..).next();
    if let (Some(oldest), Ok(terminal)) = (oldest, OpenOptions::new().read(true).write(true).open("/dev/tty")) {
        set(&terminal, UnreadInput::Discard, &oldest.before);
    }
}

fn set(terminal: &File, unread: UnreadInput, modes: &Termios) {
    let action = match unread {
        UnreadInput::Keep => OptionalActions::Now,
        UnreadInput::Discard => OptionalActions::Flush,
    };
    // A closed terminal has no modes to restore.
    let _ = tcsetattr(terminal, action, modes);
}

fn changes() -> MutexGuard<'static, Vec<Change>> {
    lock(&CHANGES)
}
