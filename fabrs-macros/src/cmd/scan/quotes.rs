//! Quotes, backticks, backslashes and comments.

use super::scanner::{BackslashMode, Preceding, QuoteContext, ScanResult, Scanner};
use crate::cmd::literal_error::LiteralErrorKind;

impl Scanner {
    pub(super) fn scan_single_quotes(&mut self) -> ScanResult {
        let opened = self.at;
        self.take();
        while let Some(c) = self.peek(0) {
            match c {
                '\'' => {
                    self.take();
                    return Ok(());
                }
                '$' if self.peek(1) == Some('{') => self.take_parameter_expansion('\'', BackslashMode::Literal),
                '{' | '}' => self.scan_brace(QuoteContext::SingleQuotes)?,
                _ => self.take(),
            }
        }
        Err(self.error(LiteralErrorKind::Unclosed, opened, opened))
    }

    /// Scans `$'…'`. In bash and the latest POSIX standard, `$'…'` is a quoted string with escapes.
    /// In other shells, the same text is a `$` before single quotes. Both readings end at the same
    /// character, unless the text contains `\'`.
    pub(super) fn scan_ansi_quotes(&mut self) -> ScanResult {
        let opened = self.at;
        self.take();
        while let Some(c) = self.peek(0) {
            match c {
                '\'' => {
                    self.take();
                    return Ok(());
                }
                '\\' if self.peek(1) == Some('\'') => {
                    return Err(self.error(LiteralErrorKind::EscapeInAnsiQuote, self.at, self.at + 1));
                }
                '\\' => self.take_escape(),
                '{' | '}' => self.scan_brace(QuoteContext::SingleQuotes)?,
                _ => self.take(),
            }
        }
        Err(self.error(LiteralErrorKind::Unclosed, opened, opened))
    }

    pub(super) fn scan_double_quotes(&mut self) -> ScanResult {
        let opened = self.at;
        self.take();
        while let Some(c) = self.peek(0) {
            match c {
                '"' => {
                    self.take();
                    return Ok(());
                }
                '\\' => self.scan_backslash(QuoteContext::DoubleQuotes)?,
                '$' => self.scan_dollar(QuoteContext::DoubleQuotes)?,
                '`' => self.scan_backticks()?,
                '{' | '}' => self.scan_brace(QuoteContext::DoubleQuotes)?,
                _ => self.take(),
            }
        }
        Err(self.error(LiteralErrorKind::Unclosed, opened, opened))
    }

    /// Scans up to the next backtick without a backslash. For the shell, even a backtick in quotes
    /// ends the substitution.
    pub(super) fn scan_backticks(&mut self) -> ScanResult {
        let opened = self.at;
        self.take();
        while let Some(c) = self.peek(0) {
            match c {
                '`' => {
                    self.take();
                    return Ok(());
                }
                '\\' => self.take_escape(),
                '$' if self.peek(1) == Some('{') => self.take_parameter_expansion('`', BackslashMode::Escape),
                '{' | '}' => self.scan_brace(QuoteContext::Backticks)?,
                _ => self.take(),
            }
        }
        Err(self.error(LiteralErrorKind::Unclosed, opened, opened))
    }

    pub(super) fn scan_hash(&mut self) -> ScanResult {
        match self.preceding {
            Preceding::Word | Preceding::Variable(_) => self.take(),
            Preceding::ClosingParenthesis => {
                return Err(self.error(LiteralErrorKind::AmbiguousComment, self.at, self.at));
            }
            Preceding::Separator => {
                while let Some(c) = self.peek(0).filter(|&c| c != '\n') {
                    match c {
                        '{' | '}' => self.scan_brace(QuoteContext::Comment)?,
                        _ => self.take(),
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn scan_backslash(&mut self, context: QuoteContext) -> ScanResult {
        let at = self.at;
        match (self.peek(1), self.peek(2)) {
            (None, _) => return Err(self.error(LiteralErrorKind::TrailingBackslash, at, at)),
            // Scan an escaped brace of `cmd!` first: `\{{` is a backslash and the brace `{` for the
            // shell.
            (Some('{'), Some('{')) | (Some('}'), Some('}')) => {
                self.take();
                self.scan_brace(context)?;
            }
            (Some('{'), _) if context == QuoteContext::Unquoted => {
                let value = self.parse_placeholder(at + 1)?;
                return Err(self.error(LiteralErrorKind::AfterBackslash, at + 1, value.end));
            }
            (Some('\n'), _) => {
                let previous = at.checked_sub(1).and_then(|before| self.chars.get(before));
                if previous.is_some_and(|c| matches!(c, '$' | '(' | '<')) {
                    return Err(self.error(LiteralErrorKind::SplitToken, at - 1, at - 1));
                }
                // The shell removes both characters, so the preceding characters do not change.
                let preceding = self.preceding;
                self.take();
                self.take_as(preceding);
            }
            _ => self.take_escape(),
        }
        Ok(())
    }

    /// Consumes a backslash and the escaped character. Leaves a brace to the placeholder scan.
    pub(super) fn take_escape(&mut self) {
        self.take();
        if !matches!(self.peek(0), Some('{' | '}')) {
            self.take();
        }
    }
}
