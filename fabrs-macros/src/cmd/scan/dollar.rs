//! Expansions: variables, `${…}`, `$(…)` in double quotes, and `((…))`.

use super::scanner::{BackslashMode, Preceding, QuoteContext, ScanResult, Scanner, is_name_char};
use crate::cmd::literal_error::LiteralErrorKind;

impl Scanner {
    /// Scans a `$` and the expansion after it. Outside of quotes, the caller scans `$(…)` as
    /// parentheses.
    pub(super) fn scan_dollar(&mut self, context: QuoteContext) -> ScanResult {
        let opened = self.at;
        self.take();
        match self.peek(0) {
            Some('{') => self.scan_parameter_expansion(opened, context)?,
            Some('(') if context == QuoteContext::DoubleQuotes => self.scan_substitution(opened)?,
            Some('[') => return Err(self.error(LiteralErrorKind::OldArithmetic, opened, opened + 1)),
            Some('\'') if context == QuoteContext::Unquoted => self.scan_ansi_quotes()?,
            Some(c) if is_name_char(c) && !c.is_ascii_digit() => {
                let start = self.at;
                while self.peek(0).is_some_and(is_name_char) {
                    self.take();
                }
                self.preceding = Preceding::Variable(start);
            }
            // Consume the special variable. Otherwise the `{` in `$${x}` would start a second
            // `${`, and the `#` in `$#` a comment.
            Some(c) if "$#?!*@-0123456789".contains(c) => self.take(),
            _ => {}
        }
        Ok(())
    }

    /// Scans `$(…)` up to the matching parenthesis.
    fn scan_substitution(&mut self, opened: usize) -> ScanResult {
        if self.peek(1) == Some('(') {
            return self.scan_arithmetic(opened);
        }
        self.take_as(Preceding::Separator);
        self.scan_unquoted(Some(opened))
    }

    /// Scans `((…))`. Shells disagree about quotes in the text, so quotes are rejected.
    pub(super) fn scan_arithmetic(&mut self, opened: usize) -> ScanResult {
        let mut depth = 0_usize;
        self.take();
        self.take();
        while let Some(c) = self.peek(0) {
            match c {
                ')' if depth == 0 && self.peek(1) == Some(')') => {
                    self.take();
                    self.take_as(Preceding::ClosingParenthesis);
                    return Ok(());
                }
                '\'' | '"' | '`' | '\\' => {
                    return Err(self.error(LiteralErrorKind::AmbiguousArithmetic, self.at, self.at));
                }
                ')' if depth == 0 => return Err(self.error(LiteralErrorKind::AmbiguousArithmetic, self.at, self.at)),
                '\n' if !self.here_documents.is_empty() => {
                    return Err(self.error(LiteralErrorKind::AmbiguousArithmetic, opened, self.at - 1));
                }
                ')' => {
                    depth -= 1;
                    self.take();
                }
                '(' => {
                    depth += 1;
                    self.take();
                }
                '$' => self.scan_dollar(QuoteContext::DoubleQuotes)?,
                '{' | '}' => self.scan_brace(QuoteContext::Arithmetic)?,
                _ => self.take(),
            }
        }
        Err(self.error(LiteralErrorKind::Unclosed, opened, opened + 1))
    }

    /// Scans `${…}`. Its braces are not placeholders.
    fn scan_parameter_expansion(&mut self, opened: usize, context: QuoteContext) -> ScanResult {
        self.take();
        while let Some(c) = self.peek(0) {
            match c {
                '}' => {
                    self.take();
                    return Ok(());
                }
                '\'' | '"' if context == QuoteContext::DoubleQuotes => {
                    return Err(self.error(LiteralErrorKind::QuoteInParameterExpansion, self.at, self.at));
                }
                '\'' => self.take_single_quotes()?,
                '"' => self.scan_double_quotes()?,
                '`' => self.scan_backticks()?,
                '\\' => self.take_escape(),
                // Scan a substitution up to its end, also outside of quotes. A `}` in the
                // substitution does not end the expansion.
                '$' if self.peek(1) == Some('(') => {
                    let opened = self.at;
                    self.take();
                    self.scan_substitution(opened)?;
                }
                '$' => self.scan_dollar(context)?,
                '{' => {
                    let end = self.find('}').unwrap_or(self.at);
                    return Err(self.error(LiteralErrorKind::InParameterExpansion, self.at, end));
                }
                _ => self.take(),
            }
        }
        Err(self.error(LiteralErrorKind::Unclosed, opened, opened + 1))
    }

    /// Consumes a text in single quotes within `${…}`. Its braces are not placeholders.
    fn take_single_quotes(&mut self) -> ScanResult {
        let opened = self.at;
        self.take();
        let Some(end) = self.find('\'') else {
            return Err(self.error(LiteralErrorKind::Unclosed, opened, opened));
        };
        while self.at <= end {
            self.take();
        }
        Ok(())
    }

    /// Consumes a `${…}` with nested braces, in quoted text or in backticks. Stops before the
    /// character `end`.
    pub(super) fn take_parameter_expansion(&mut self, end: char, backslash: BackslashMode) {
        let mut depth = 0_usize;
        while let Some(c) = self.peek(0).filter(|&c| c != end) {
            self.take();
            match c {
                '\\' if backslash == BackslashMode::Escape => self.take(),
                '{' => depth += 1,
                '}' if depth == 1 => break,
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
}
