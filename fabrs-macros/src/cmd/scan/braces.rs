//! Braces: the escapes `{{` and `}}`, and placeholders.

use super::scanner::{LinePart, Preceding, QuoteContext, ScanResult, Scanner, is_name_char, is_separator};
use crate::cmd::literal_error::{LiteralError, LiteralErrorKind};
use crate::cmd::placeholder::{Placeholder, PlaceholderKind};

/// A placeholder with the index of its `}`.
pub(super) struct LocatedPlaceholder {
    placeholder: Placeholder,
    pub(super) end: usize,
}

impl Scanner {
    /// Scans `{{`, `}}` or a placeholder.
    pub(super) fn scan_brace(&mut self, context: QuoteContext) -> ScanResult {
        let at = self.at;
        match (self.peek(0), self.peek(1)) {
            (Some('{'), Some('{')) | (Some('}'), Some('}')) => {
                self.at += 1;
                self.take();
                return Ok(());
            }
            (Some('}'), _) => return Err(self.error(LiteralErrorKind::UnmatchedBrace, at, at)),
            _ => {}
        }
        let LocatedPlaceholder { placeholder, end } = self.parse_placeholder(at)?;
        let error_kind = match context {
            QuoteContext::Unquoted => self.adjacent_error(&placeholder, end),
            QuoteContext::SingleQuotes => Some(LiteralErrorKind::InQuotes('\'')),
            QuoteContext::DoubleQuotes => Some(LiteralErrorKind::InQuotes('"')),
            QuoteContext::Backticks => Some(LiteralErrorKind::InBackticks),
            QuoteContext::Comment => Some(LiteralErrorKind::InComment),
            QuoteContext::HereDocument => Some(LiteralErrorKind::InHereDocument),
            QuoteContext::Arithmetic => Some(LiteralErrorKind::InArithmetic),
        };
        if let Some(kind) = error_kind {
            return Err(self.error(kind, at, end));
        }
        self.flush_text();
        self.parts.push(LinePart::Value(placeholder));
        self.at = end + 1;
        self.preceding = Preceding::Word;
        Ok(())
    }

    /// Returns the error of an invalid character directly before or after a value.
    fn adjacent_error(&self, value: &Placeholder, end: usize) -> Option<LiteralErrorKind> {
        let after = self.chars.get(end + 1).copied();
        if let Preceding::Variable(start) = self.preceding {
            let name = self.chars.get(start..self.at).unwrap_or_default();
            return Some(LiteralErrorKind::AfterVariable(name.iter().filter(|c| is_name_char(**c)).collect()));
        }
        if matches!(after, Some('<' | '>')) {
            return Some(LiteralErrorKind::BeforeRedirect);
        }
        let is_adjacent = self.preceding != Preceding::Separator || after.is_some_and(|c| !is_separator(c));
        (value.kind == PlaceholderKind::List && is_adjacent).then_some(LiteralErrorKind::ListNotSeparated)
    }

    /// Parses the placeholder whose `{` is at index `at`.
    pub(super) fn parse_placeholder(&self, at: usize) -> Result<LocatedPlaceholder, LiteralError> {
        let rest = self.chars.get(at + 1..).unwrap_or_default();
        let Some(length) = rest.iter().position(|&c| c == '}') else {
            return Err(self.error(LiteralErrorKind::UnclosedBrace, at, at));
        };
        let inside: String = rest.iter().take(length).collect();
        let end = at + 1 + length;
        match Placeholder::parse(&inside) {
            Ok(placeholder) => Ok(LocatedPlaceholder { placeholder, end }),
            Err(error) => Err(self.error(LiteralErrorKind::InvalidPlaceholder(error), at, end)),
        }
    }
}
