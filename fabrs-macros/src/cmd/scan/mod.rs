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

use super::fault::{Fault, FaultKind};
use super::placeholder::Placeholder;
use here_document::HereDocument;

/// A piece of the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Text for the shell, with `{{` and `}}` already made single.
    Text(String),
    /// What a value is put in for.
    Value(Placeholder),
}

/// Cuts a literal into text and values.
pub(super) fn scan(line: &str) -> Result<Vec<Part>, Fault> {
    let mut scanner = Scanner {
        chars: line.chars().collect(),
        at: 0,
        text: String::new(),
        parts: Vec::new(),
        before: Before::Blank,
        here_documents: Vec::new(),
    };
    if let Some(at) = scanner.chars.iter().position(|&c| c == '\0') {
        return Err(scanner.fault(FaultKind::Nul, at, at));
    }
    scanner.plain(None)?;
    scanner.flush();
    Ok(scanner.parts)
}

type Scanned = Result<(), Fault>;

struct Scanner {
    chars: Vec<char>,
    at: usize,
    /// What was read since the last value.
    text: String,
    parts: Vec<Part>,
    before: Before,
    /// Those whose text begins after the next line break.
    here_documents: Vec<HereDocument>,
}

/// What stands right before the next character outside of quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// A blank, an operator, or nothing: a word, a list or a comment can begin.
    Blank,
    /// Part of a word.
    Word,
    /// A `)`: the word goes on after that of `$(…)`, and ends at that of a subshell.
    Parenthesis,
    /// The `$name` of a variable; its name starts there.
    Variable(usize),
}

/// Where a brace or a `$` stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Plain,
    Single,
    Double,
    Backticks,
    Comment,
    HereDocument,
    Arithmetic,
}

impl Scanner {
    /// Reads what is outside of quotes: to the end of the literal, or to the `)` of a substitution that begins at
    /// `inside`.
    fn plain(&mut self, inside: Option<usize>) -> Scanned {
        let mut depth = 0_usize;
        while let Some(c) = self.peek(0) {
            match c {
                '\'' => self.single()?,
                '"' => self.double()?,
                '`' => self.backticks()?,
                '\\' => self.backslash(Place::Plain)?,
                '$' => self.dollar(Place::Plain)?,
                '{' | '}' => self.brace(Place::Plain)?,
                '#' => self.hash()?,
                '\n' => self.line_break()?,
                '<' if self.peek(1) == Some('<') => self.here_operator()?,
                '(' if self.peek(1) == Some('(') => self.arithmetic(self.at)?,
                '(' => {
                    depth += 1;
                    self.take_as(Before::Blank);
                }
                ')' => {
                    self.take_as(Before::Parenthesis);
                    if depth == 0 && inside.is_some() {
                        return Ok(());
                    }
                    // At the top, those of `case x in a)` have no `(`.
                    depth = depth.saturating_sub(1);
                }
                _ if inside.is_some() && self.stands_word("case") => {
                    return Err(self.fault(FaultKind::CaseInSubstitution, self.at, self.at + 3));
                }
                c => self.take_as(if is_blank(c) { Before::Blank } else { Before::Word }),
            }
        }
        match inside {
            None => Ok(()),
            Some(opened) => Err(self.fault(FaultKind::Unclosed, opened, opened + 1)),
        }
    }

    fn line_break(&mut self) -> Scanned {
        self.take();
        self.here_texts()?;
        self.before = Before::Blank;
        Ok(())
    }

    /// Tells whether a word of its own stands here.
    fn stands_word(&self, word: &str) -> bool {
        let rest = self.chars.get(self.at..).unwrap_or_default();
        let is_word = rest.iter().copied().take(word.len()).eq(word.chars());
        is_word && self.before != Before::Word && rest.get(word.len()).copied().is_none_or(is_blank)
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
        self.take_as(Before::Word);
    }

    fn take_as(&mut self, before: Before) {
        self.text.extend(self.peek(0));
        self.at += 1;
        self.before = before;
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.parts.push(Part::Text(std::mem::take(&mut self.text)));
        }
    }

    /// Makes a fault about the characters from `at` to `to`.
    fn fault(&self, kind: FaultKind, at: usize, to: usize) -> Fault {
        let piece = self.chars.get(at..=to).unwrap_or_default().iter().collect();
        Fault { kind, at, piece }
    }
}

/// Tells what ends a word of the shell.
fn is_blank(c: char) -> bool {
    " \t\n;&|()<>".contains(c)
}
