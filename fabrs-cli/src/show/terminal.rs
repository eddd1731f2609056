//! The terminal behind stderr, for who draws on it: what it does not take is not drawn, and no failure.

use std::io::{self, Write};

use indicatif::TermLike;

/// How wide it is where it does not say.
const COLUMNS: u16 = 80;

#[derive(Debug)]
pub(super) struct Terminal;

impl Terminal {
    /// Returns how many columns it has.
    pub(super) fn columns() -> u16 {
        let size = rustix::termios::tcgetwinsize(io::stderr()).ok();
        size.map(|size| size.ws_col).filter(|columns| *columns > 0).unwrap_or(COLUMNS)
    }

    fn control(count: usize, letter: char) {
        if count > 0 {
            Self::put(&format!("\u{1b}[{count}{letter}"));
        }
    }

    fn put(text: &str) {
        // A terminal that is gone is nobody's to tell.
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        // A `^C` that the terminal shows must not make another line.
        Self::columns().saturating_sub(3)
    }

    fn move_cursor_up(&self, count: usize) -> io::Result<()> {
        Self::control(count, 'A');
        Ok(())
    }

    fn move_cursor_down(&self, count: usize) -> io::Result<()> {
        Self::control(count, 'B');
        Ok(())
    }

    fn move_cursor_right(&self, count: usize) -> io::Result<()> {
        Self::control(count, 'C');
        Ok(())
    }

    fn move_cursor_left(&self, count: usize) -> io::Result<()> {
        Self::control(count, 'D');
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        Self::put(&format!("{text}\n"));
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        Self::put(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Self::put("\r\u{1b}[2K");
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}
