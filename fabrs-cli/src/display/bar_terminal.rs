//! The terminal behind stderr, for who draws on it: what it does not take is not drawn, and no failure.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::TermLike;

/// How wide it is where it does not say.
const DEFAULT_COLUMNS: u16 = 80;

/// How many columns stay empty: a `^C` that the terminal shows must not make another line.
const MARGIN_COLUMNS: u16 = 3;

/// A terminal that is a little wider than it says.
#[derive(Debug, Default)]
pub(super) struct BarTerminal(CursorColumn);

/// How many columns of a line are taken.
///
/// Who draws fills a line up and goes on with the next, which is there only where the terminal wraps: at the width that it
/// was told, and so here.
#[derive(Debug, Default)]
struct CursorColumn(AtomicUsize);

impl CursorColumn {
    /// Takes a text down, and tells whether that begins the next line.
    fn advance(&self, text: &str, width: usize) -> bool {
        let column = if text.starts_with('\r') { 0 } else { self.0.load(Ordering::Relaxed) };
        let added = console::measure_text_width(text.trim_start_matches('\r'));
        let wraps = column >= width && added > 0;
        self.0.store(if wraps { added } else { column + added }, Ordering::Relaxed);
        wraps
    }

    fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl BarTerminal {
    /// Returns how many columns it has.
    pub(super) fn columns() -> u16 {
        let size = rustix::termios::tcgetwinsize(io::stderr()).ok();
        size.map(|size| size.ws_col).filter(|columns| *columns > 0).unwrap_or(DEFAULT_COLUMNS)
    }

    fn control(count: usize, letter: char) {
        if count > 0 {
            Self::write(&format!("\u{1b}[{count}{letter}"));
        }
    }

    fn write(text: &str) {
        // A terminal that is gone is nobody's to tell.
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

impl TermLike for BarTerminal {
    fn width(&self) -> u16 {
        Self::columns().saturating_sub(MARGIN_COLUMNS)
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
        self.write_str(text)?;
        self.0.reset();
        Self::write("\n");
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        if self.0.advance(text, self.width().into()) {
            Self::write("\r\n");
        }
        Self::write(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.reset();
        Self::write("\r\u{1b}[2K");
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_line_begins_where_one_was_filled_up_to_the_width_that_was_told() {
        let line = CursorColumn::default();
        let wraps = |text| line.advance(text, 10);
        assert!(!wraps("\r") && !wraps("\u{1b}[36mone\u{1b}[0m") && !wraps("       "), "the first is filled");
        assert!(wraps("the second") && !wraps(""), "and the second, by itself");
        assert!(wraps("the third"));
        assert!(!wraps("\rover it"), "back in the same line");
    }
}
