//! Terminal adapter for progress bars: writes to stderr and ignores write errors.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::TermLike;

/// Assumed width of a terminal without a reported width.
const DEFAULT_COLUMNS: u16 = 80;

/// Columns kept empty at the right edge. A `^C` echoed by the terminal must not wrap the line.
const MARGIN_COLUMNS: u16 = 3;

/// The terminal behind stderr. The reported width is the real width minus [`MARGIN_COLUMNS`].
#[derive(Debug, Default)]
pub(super) struct BarTerminal(CursorColumn);

/// The column of the cursor.
///
/// indicatif fills a line up to the reported width and expects the terminal to wrap there. The
/// real terminal is wider, so [`BarTerminal`] emits the line break itself.
#[derive(Debug, Default)]
struct CursorColumn(AtomicUsize);

impl CursorColumn {
    /// Advances the cursor by a text. Returns `true` if the text starts on the next line.
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
    /// Returns the real width of the terminal, or [`DEFAULT_COLUMNS`].
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
        // A closed terminal has no reader to inform.
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
    fn text_wraps_at_the_reported_width() {
        let line = CursorColumn::default();
        let wraps = |text| line.advance(text, 10);
        assert!(!wraps("\r") && !wraps("\u{1b}[36mone\u{1b}[0m") && !wraps("       "), "the first line is full");
        assert!(wraps("the second") && !wraps(""), "the second line is full");
        assert!(wraps("the third"));
        assert!(!wraps("\rover it"), "the cursor returns to the start of the line");
    }
}
