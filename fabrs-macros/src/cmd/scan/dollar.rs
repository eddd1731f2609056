//! What a `$` begins: variables, `${…}`, and `$(…)` inside double quotes.

use super::{LiteralErrorKind, Preceding, QuoteContext, ScanResult, Scanner};

impl Scanner {
    /// Reads a `$` and what belongs to it; outside of quotes, `(` is read as any other parenthesis.
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
            // Taken here, so that the `{` in `$${x}` is not that of a second `${`, and `$#` begins no comment.
            Some(c) if "$#?!*@-0123456789".contains(c) => self.take(),
            _ => {}
        }
        Ok(())
    }

    /// Reads `$(…)` to its own end, wherever it stands.
    fn scan_substitution(&mut self, opened: usize) -> ScanResult {
        if self.peek(1) == Some('(') {
            return self.scan_arithmetic(opened);
        }
        self.take_as(Preceding::Separator);
        self.scan_unquoted(Some(opened))
    }

    /// Reads `((…))`, whose text shells read as if it stood in double quotes, or not, each in its own way.
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

    /// Reads `${…}`, which belongs to the shell.
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
                // A substitution is followed to its own end, also outside of quotes: a `}` in there does not end this.
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

    /// Takes a single quote inside `${…}`: the braces in it, too, belong to the shell.
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

    /// Takes a `${…}` that this shell does not look into, with the braces inside it, but not past `end`.
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

/// Whether a backslash means anything where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BackslashMode {
    Escape,
    Literal,
}

pub(super) fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
