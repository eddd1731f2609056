//! What hides a value from the shell, or the shell from a value: quotes, backticks, backslashes, comments.

use super::dollar::BackslashMode;
use super::{LiteralErrorKind, Preceding, QuoteContext, ScanResult, Scanner};

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

    /// Reads `$'…'`: to bash, and by the latest POSIX, a quote with backslash in it, to other shells a `$` before a plain
    /// quote. Both end it at the same context unless there is a `\'` inside.
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

    /// Reads to the next backtick that has no backslash: quotes inside do not hide one from the shell.
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
            // A brace is ours before it is the shell's: `\{{` is a `{` that the shell gets escaped.
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
                // The shell removes both, so what stood before stands before what follows.
                let preceding = self.preceding;
                self.take();
                self.take_as(preceding);
            }
            _ => self.take_escape(),
        }
        Ok(())
    }

    /// Takes a backslash, and what it backslash unless that is a brace, which is ours to look at.
    pub(super) fn take_escape(&mut self) {
        self.take();
        if !matches!(self.peek(0), Some('{' | '}')) {
            self.take();
        }
    }
}
