//! Splits a literal into text and placeholders, and tracks the quotes of a POSIX shell.
//!
//! A value is accepted only in a position with reliable quoting. The scanner is not a parser of
//! shell programs. It recognizes the syntax that affects quotes: `'…'`, `"…"`, `$'…'`, `\x`, `$(…)`
//! in double quotes, `${…}`, backticks, comments, here-documents and `((…))`. If shells disagree,
//! or if a parser would be required, the scanner returns an error. After a wrong guess, a shell
//! could execute a value.

use crate::cmd::literal_error::{LiteralError, LiteralErrorKind};
use crate::cmd::placeholder::Placeholder;

/// A part of the shell line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cmd) enum LinePart {
    /// Text for the shell. `{{` and `}}` are already replaced by single braces.
    Text(String),
    /// A placeholder.
    Value(Placeholder),
}

/// Splits a literal into text and placeholders.
pub(in crate::cmd) fn scan(line: &str) -> Result<Vec<LinePart>, LiteralError> {
    let mut scanner = Scanner {
        chars: line.chars().collect(),
        at: 0,
        text: String::new(),
        parts: Vec::new(),
        preceding: Preceding::Separator,
        here_documents: Vec::new(),
    };
    if let Some(at) = scanner.chars.iter().position(|&c| c == '\0') {
        return Err(scanner.error(LiteralErrorKind::Nul, at, at));
    }
    scanner.scan_unquoted(None)?;
    scanner.flush_text();
    Ok(scanner.parts)
}

pub(super) type ScanResult = Result<(), LiteralError>;

/// The state of a scan.
pub(super) struct Scanner {
    pub(super) chars: Vec<char>,
    /// The index of the next character.
    pub(super) at: usize,
    /// The text since the last placeholder.
    pub(super) text: String,
    pub(super) parts: Vec<LinePart>,
    pub(super) preceding: Preceding,
    /// Here-documents opened on this line. Their text starts after the next line break.
    pub(super) here_documents: Vec<HereDocument>,
}

/// An opened here-document, before the scan of its text.
pub(super) struct HereDocument {
    pub(super) end_marker: String,
    /// True for `<<-`: tabs before the end marker are ignored.
    pub(super) strips_tabs: bool,
    /// `Literal` if the end marker was quoted. A backslash in the text then does not join lines.
    pub(super) backslash: BackslashMode,
    /// The index of the `<<`.
    pub(super) opened: usize,
}

/// The meaning of a backslash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BackslashMode {
    /// The backslash escapes the next character.
    Escape,
    /// The backslash is a plain character.
    Literal,
}

/// The characters directly before the next character outside of quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preceding {
    /// A blank, an operator, or the start of the literal. A word, a list or a comment can start.
    Separator,
    /// Part of a word.
    Word,
    /// A `)`. After `$(…)` the word continues, after a subshell the word has ended.
    ClosingParenthesis,
    /// The `$name` of a variable, with the index of the name.
    Variable(usize),
}

/// The quotes around a brace or a `$`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QuoteContext {
    Unquoted,
    SingleQuotes,
    DoubleQuotes,
    Backticks,
    Comment,
    HereDocument,
    Arithmetic,
}

impl Scanner {
    /// Scans unquoted text up to the end of the literal. With `inside`, scans up to the `)` of the
    /// substitution at this index.
    pub(super) fn scan_unquoted(&mut self, inside: Option<usize>) -> ScanResult {
        let mut depth = 0_usize;
        while let Some(c) = self.peek(0) {
            match c {
                '\'' => self.scan_single_quotes()?,
                '"' => self.scan_double_quotes()?,
                '`' => self.scan_backticks()?,
                '\\' => self.scan_backslash(QuoteContext::Unquoted)?,
                '$' => self.scan_dollar(QuoteContext::Unquoted)?,
                '{' | '}' => self.scan_brace(QuoteContext::Unquoted)?,
                '#' => self.scan_hash()?,
                '\n' => self.scan_line_break()?,
                '<' if self.peek(1) == Some('<') => self.scan_here_document_operator()?,
                '(' if self.peek(1) == Some('(') => self.scan_arithmetic(self.at)?,
                '(' => {
                    depth += 1;
                    self.take_as(Preceding::Separator);
                }
                ')' => {
                    self.take_as(Preceding::ClosingParenthesis);
                    if depth == 0 && inside.is_some() {
                        return Ok(());
                    }
                    // At the top level, the `)` of `case x in a)` has no matching `(`.
                    depth = depth.saturating_sub(1);
                }
                _ if inside.is_some() && self.next_word_is("case") => {
                    return Err(self.error(LiteralErrorKind::CaseInSubstitution, self.at, self.at + 3));
                }
                c => self.take_as(if is_separator(c) { Preceding::Separator } else { Preceding::Word }),
            }
        }
        match inside {
            None => Ok(()),
            Some(opened) => Err(self.error(LiteralErrorKind::Unclosed, opened, opened + 1)),
        }
    }

    pub(super) fn scan_line_break(&mut self) -> ScanResult {
        self.take();
        self.scan_here_documents()?;
        self.preceding = Preceding::Separator;
        Ok(())
    }

    /// Returns true if the next word equals `word`.
    pub(super) fn next_word_is(&self, word: &str) -> bool {
        let rest = self.chars.get(self.at..).unwrap_or_default();
        let is_word = rest.iter().copied().take(word.len()).eq(word.chars());
        is_word && self.preceding != Preceding::Word && rest.get(word.len()).copied().is_none_or(is_separator)
    }

    pub(super) fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    pub(super) fn find(&self, target: char) -> Option<usize> {
        let rest = self.chars.get(self.at..)?;
        rest.iter().position(|&c| c == target).map(|offset| self.at + offset)
    }

    /// Consumes the next character: adds it to the text, as part of a word.
    pub(super) fn take(&mut self) {
        self.take_as(Preceding::Word);
    }

    pub(super) fn take_as(&mut self, preceding: Preceding) {
        self.text.extend(self.peek(0));
        self.at += 1;
        self.preceding = preceding;
    }

    pub(super) fn flush_text(&mut self) {
        if !self.text.is_empty() {
            self.parts.push(LinePart::Text(std::mem::take(&mut self.text)));
        }
    }

    /// Creates an error for the characters from `at` to `to`, inclusive.
    pub(super) fn error(&self, kind: LiteralErrorKind, at: usize, to: usize) -> LiteralError {
        let snippet = self.chars.get(at..=to).unwrap_or_default().iter().collect();
        LiteralError { kind, at, snippet }
    }
}

/// Returns true for a character that ends a word of the shell.
pub(super) fn is_separator(c: char) -> bool {
    " \t\n;&|()<>".contains(c)
}

/// Returns true for a character of a variable name.
pub(super) fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
