//! [`RawTerminalGuard`]: the terminal of this program in raw mode, for an interactive command.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::termios::{Termios, tcgetwinsize};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::config::ProcessEnv;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{OutputQueue, PassthroughSink, PausedSink, Sink, Style};
use crate::state::RunState;
use crate::transport::{Pty, TerminalModes, TerminalSize, UnreadInput};

/// True if a command uses the terminal. All clients of the process share one terminal.
static IS_IN_USE: AtomicBool = AtomicBool::new(false);

/// The terminal in raw mode, for an interactive command. Input goes to the command unchanged, and
/// the command writes the screen.
///
/// Dropping the guard restores the terminal.
pub(super) struct RawTerminalGuard {
    modes: Option<TerminalModes>,
    screen: Arc<dyn Sink>,
    /// Holds back other output until the terminal is restored.
    paused_output: Option<PausedSink>,
    resize_task: AbortHandle,
}

impl RawTerminalGuard {
    /// Acquires the terminal after all earlier output is written, and switches to raw mode.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the terminal unchanged.
    pub(super) async fn acquire(run: &RunState) -> Result<(Self, Pty)> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            let error = Error::new(ErrorKind::Usage, "this program has no terminal for an interactive command");
            return Err(error.hint("run the program in a terminal, or use `run(..)` for a non-interactive command"));
        }
        let paused_output = PausedSink::of(run.sink()).await;
        if IS_IN_USE.swap(true, Ordering::AcqRel) {
            let error = Error::new(ErrorKind::Usage, "the terminal is in use by another interactive command");
            return Err(error.hint("use `--serial` to run the hosts one after the other"));
        }
        let result = Self::make_raw(run, paused_output);
        if result.is_err() {
            IS_IN_USE.store(false, Ordering::Release);
        }
        result
    }

    fn make_raw(run: &RunState, paused_output: PausedSink) -> Result<(Self, Pty)> {
        let unusable =
            |source| Error::new(ErrorKind::Local, "could not switch the terminal to raw mode").caused_by(source);
        let terminal = io::stdin().as_fd().try_clone_to_owned().map(File::from).map_err(unusable)?;
        let mut resize_signals = signal(SignalKind::window_change()).map_err(unusable)?;
        let (size_sender, size) = watch::channel(size_of(&terminal));
        let resized = terminal.try_clone().map_err(unusable)?;
        let modes = TerminalModes::change(terminal, UnreadInput::Keep, Termios::make_raw).map_err(unusable)?;
        let resize_task = run.tasks().spawn(async move {
            while resize_signals.recv().await.is_some() && size_sender.send(size_of(&resized)).is_ok() {}
        });
        let screen = Arc::new(PassthroughSink::new(Arc::new(OutputQueue::stdio(|| {})), Style::Plain));
        let term = ProcessEnv::get("TERM").unwrap_or_else(|| "xterm".to_owned()).into();
        Ok((
            Self {
                modes: Some(modes),
                screen,
                paused_output: Some(paused_output),
                resize_task: resize_task.abort_handle(),
            },
            Pty { term, size },
        ))
    }

    /// Returns the sink for the screen.
    pub(super) fn screen(&self) -> Arc<dyn Sink> {
        Arc::clone(&self.screen)
    }
}

fn size_of(terminal: &File) -> TerminalSize {
    match tcgetwinsize(terminal) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => TerminalSize { columns: size.ws_col, rows: size.ws_row },
        _ => TerminalSize { columns: 80, rows: 24 },
    }
}

impl Drop for RawTerminalGuard {
    fn drop(&mut self) {
        self.resize_task.abort();
        self.screen.finish();
        drop(self.modes.take());
        drop(self.paused_output.take());
        IS_IN_USE.store(false, Ordering::Release);
    }
}

impl fmt::Debug for RawTerminalGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawTerminalGuard").finish_non_exhaustive()
    }
}
