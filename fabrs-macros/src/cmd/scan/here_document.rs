//! Here-documents: `<<END`, and the text up to the line `END`.

use super::scanner::{BackslashMode, HereDocument, Preceding, QuoteContext, ScanResult, Scanner, is_separator};
use crate::cmd::literal_error::LiteralErrorKind;

impl Scanner {
    /// Scans `<<` and the end marker. `<<<` is a different operator, followed by a normal word.
    pub(super) fn scan_here_document_operator(&mut self) -> ScanResult {
        let opened = self.at;
        self.take();
        self.take_as(Preceding::Separator);
        if self.peek(0) == Some('<') {
            self.take_as(Preceding::Separator);
            return Ok(());
        }
        let strips_tabs = self.peek(0) == Some('-');
        if strips_tabs {
            self.take();
        }
        while self.peek(0).is_some_and(|c| c == ' ' || c == '\t') {
            self.take();
        }
        let start = self.at;
        while self.peek(0).is_some_and(|c| !is_separator(c)) {
            self.take();
        }
        let name: String = self.chars.get(start..self.at).unwrap_or_default().iter().collect();
        match unquoted(&name) {
            Some(end) => {
                let backslash = if end == name { BackslashMode::Escape } else { BackslashMode::Literal };
                self.here_documents.push(HereDocument { end_marker: end.to_owned(), strips_tabs, backslash, opened });
                Ok(())
            }
            None => Err(self.error(LiteralErrorKind::HereDocumentName, opened, self.at - 1)),
        }
    }

    /// Scans the text of each here-document opened on the previous line.
    pub(super) fn scan_here_documents(&mut self) -> ScanResult {
        for document in std::mem::take(&mut self.here_documents) {
            while !self.take_end_marker(&document) {
                if self.peek(0).is_none() {
                    return Err(self.error(LiteralErrorKind::Unclosed, document.opened, document.opened + 1));
                }
                self.scan_here_document_line(document.backslash)?;
            }
        }
        Ok(())
    }

    /// Consumes the next line and its line break, if the line is the end marker.
    fn take_end_marker(&mut self, document: &HereDocument) -> bool {
        let to = self.find('\n').unwrap_or(self.chars.len());
        let line: String = self.chars.get(self.at..to).unwrap_or_default().iter().collect();
        let is_end = document.end_marker == if document.strips_tabs { line.trim_start_matches('\t') } else { &line };
        while is_end && self.at <= to && self.peek(0).is_some() {
            self.take();
        }
        is_end
    }

    fn scan_here_document_line(&mut self, backslash: BackslashMode) -> ScanResult {
        while let Some(c) = self.peek(0) {
            match c {
                '\n' => {
                    self.take();
                    break;
                }
                '\\' if backslash == BackslashMode::Escape => self.take_escape(),
                '$' | '`' if backslash == BackslashMode::Escape => self.scan_here_document_substitution(c)?,
                '$' if self.peek(1) == Some('{') => self.take_parameter_expansion('\n', backslash),
                '{' | '}' => self.scan_brace(QuoteContext::HereDocument)?,
                _ => self.take(),
            }
        }
        Ok(())
    }

    /// Scans a `$…` or backticks in the text of a here-document with expansions.
    ///
    /// In a substitution of several lines, bash recognizes the end marker, but dash does not. The
    /// shells then disagree about the end of the here-document. A value in the substitution could
    /// contain the end marker.
    fn scan_here_document_substitution(&mut self, first: char) -> ScanResult {
        let (opened, values) = (self.at, self.parts.len());
        if first == '$' {
            self.scan_dollar(QuoteContext::DoubleQuotes)?;
        } else {
            self.scan_backticks()?;
        }
        let has_line_break = self.chars.get(opened..self.at).unwrap_or_default().contains(&'\n');
        if has_line_break || self.parts.len() != values {
            return Err(self.error(LiteralErrorKind::SubstitutionInHereDocument, opened, opened));
        }
        Ok(())
    }
}

/// Returns the end marker without quotes, or `None` if the marker requires expansion by the shell.
fn unquoted(name: &str) -> Option<&str> {
    let between = |quote: char| name.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    let plain = between('\'').or_else(|| between('"')).or_else(|| name.strip_prefix('\\')).unwrap_or(name);
    let is_plain = !plain.is_empty() && !plain.contains(['\'', '"', '\\', '$', '`', '{', '}']);
    is_plain.then_some(plain)
}
