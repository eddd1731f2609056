//! Follows the quotes of a POSIX shell through a literal, so that a value only stands where its quoting holds.
//!
//! This is no parser of shell programs. It knows what can change the meaning of a quote: `'…'`, `"…"`, `$'…'`, `\x`,
//! `$(…)` inside double quotes, `${…}`, backticks, comments, here-documents and `((…))`. Where shells disagree, or
//! where only a parser could tell, it refuses instead of guessing: a wrong guess would let a value be executed.

mod braces;
mod dollar;
mod here_document;
mod quotes;
#[cfg(test)]
mod tests;

use super::literal_error::{LiteralError, LiteralErrorKind};
use super::placeholder::Placeholder;
use here_document::HereDocument;

/// A piece of the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LinePart {
    /// Text for the shell, with `{{` and `}}` already made single.
    Text(String),
    /// What a value is put in for.
    Value(Placeholder),
}

/// Cuts a literal into text and values.
pub(super) fn scan(line: &str) -> Result<Vec<LinePart>, LiteralError> {
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

type ScanResult = Result<(), LiteralError>;

struct Scanner {
    chars: Vec<char>,
    at: usize,
    /// What was read since the last value.
    text: String,
    parts: Vec<LinePart>,
    preceding: Preceding,
    /// Those whose text begins after the next line break.
    here_documents: Vec<HereDocument>,
}

/// What stands right before the next character outside of quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Preceding {
    /// A blank, an operator, or nothing: a word, a list or a comment can begin.
    Separator,
    /// LinePart of a word.
    Word,
    /// A `)`: the word goes on after that of `$(…)`, and ends at that of a subshell.
    ClosingParenthesis,
    /// The `$name` of a variable; its name starts there.
    Variable(usize),
}

/// Where a brace or a `$` stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QuoteContext {
    Unquoted,
    SingleQuotes,
    DoubleQuotes,
    Backticks,
    Comment,
    HereDocument,
    Arithmetic,
}

impl Scanner {
    /// Reads what is outside of quotes: to the end of the literal, or to the `)` of a substitution that begins at
    /// `inside`.
    fn scan_unquoted(&mut self, inside: Option<usize>) -> ScanResult {
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
                    // At the top, those of `case x in a)` have no `(`.
                    depth = depth.saturating_sub(1);
                }
                _ if inside.is_some() && self.starts_word("case") => {
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

    fn scan_line_break(&mut self) -> ScanResult {
        self.take();
        self.scan_here_documents()?;
        self.preceding = Preceding::Separator;
        Ok(())
    }

    /// Tells whether a word of its own stands here.
    fn starts_word(&self, word: &str) -> bool {
        let rest = self.chars.get(self.at..).unwrap_or_default();
        let is_word = rest.iter().copied().take(word.len()).eq(word.chars());
        is_word && self.preceding != Preceding::Word && rest.get(word.len()).copied().is_none_or(is_separator)
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn find(&self, wanted: char) -> Option<usize> {
        let rest = self.chars.get(self.at..)?;
        rest.iter().position(|&c| c == wanted).map(|offset| self.at + offset)
    }

    /// Takes a character over into the text, as part of a word.
    fn take(&mut self) {
        self.take_as(Preceding::Word);
    }

    fn take_as(&mut self, preceding: Preceding) {
        self.text.extend(self.peek(0));
        self.at += 1;
        self.preceding = preceding;
    }

    fn flush_text(&mut self) {
        if !self.text.is_empty() {
            self.parts.push(LinePart::Text(std::mem::take(&mut self.text)));
        }
    }

    /// Makes a fault about the characters from `at` to `to`.
    fn error(&self, kind: LiteralErrorKind, at: usize, to: usize) -> LiteralError {
        let snippet = self.chars.get(at..=to).unwrap_or_default().iter().collect();
        LiteralError { kind, at, snippet }
    }
}

/// Tells what ends a word of the shell.
fn is_separator(c: char) -> bool {
    " \t\n;&|()<>".contains(c)
}
